// SPDX-License-Identifier: MIT
/*
 * A page of HBM that fails.  The card is armed to fail the first read that
 * queue 1, the first of a client, makes: tests/vm/test-ras.sh boots it so, and
 * runs this test once.
 */
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "card.h"

/* Kernels differ in how they name the directory of a card. */
#define PAGES	"/sys/kernel/debug/*/*/retired_pages"
#define SIZE	(1ull << 20)
#define WORDS	(uint32_t)(SIZE / 4)
#define VA	0x200000000ull

static uint32_t flags_of(int fd, uint32_t bo)
{
	struct drm_loom_bo_info args = { .handle = bo };

	EXPECT_OK(t_ioctl(fd, DRM_IOCTL_LOOM_BO_INFO, &args));
	return args.flags;
}

static int retired_pages_say(const char *what)
{
	char text[4096];
	glob_t found;
	size_t n;
	FILE *f;

	EXPECT_EQ(glob(PAGES, 0, NULL, &found), 0);
	f = fopen(found.gl_pathv[0], "r");
	EXPECT(f != NULL);
	globfree(&found);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = 0;
	fclose(f);
	return strstr(text, what) != NULL;
}

static void wait_for(const char *what)
{
	for (int i = 0; i < 500 && !retired_pages_say(what); i++)
		usleep(10000);
	EXPECT(retired_pages_say(what));
}

static void expect_sigbus(volatile uint32_t *p)
{
	pid_t child = fork();
	int status;

	EXPECT_OK(child);
	if (!child) {
		signal(SIGBUS, SIG_DFL);
		_exit((int)*p & 1);
	}
	EXPECT_EQ(waitpid(child, &status, 0), child);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
}

/* All of HBM that is to be had is read by the card. */
static void read_all_of_hbm(void)
{
	struct drm_loom_bo_create args = {
		.size = SIZE, .placement = DRM_LOOM_PLACE_HBM,
	};
	struct t_ctx a;
	uint32_t size = 0;
	unsigned int n = 0;

	t_ctx_init(&a);
	for (args.vm_id = a.vm; n < 110; n++, args.handle = 0) {
		EXPECT_OK(t_ioctl(a.fd, DRM_IOCTL_LOOM_BO_CREATE, &args));
		t_map(a.fd, a.vm, args.handle, VA + n * SIZE, SIZE);
		size = t_cmd_copy(&a, size, T_HBM_VA, VA + n * SIZE, WORDS);
	}
	EXPECT_EQ(t_run(&a, size), 1);
}

TEST(a_page_that_fails_costs_its_object_and_is_retired)
{
	struct drm_loom_vm_state state = { 0 };
	struct t_ctx a, b;
	uint32_t bo, *p;

	if (!getenv("LOOM_TEST_RAS"))
		tap_skip("the card is not armed to fail: tests/vm/test-ras.sh boots one that is");
	if (mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL))
		EXPECT_EQ(errno, EBUSY);	/* it is there */
	t_ctx_init(&a);
	t_ctx_init(&b);
	bo = t_bo(a.fd, SIZE, DRM_LOOM_PLACE_HBM, 0);
	p = t_mmap(a.fd, bo, SIZE);
	p[0] = 1;
	t_map(a.fd, a.vm, bo, VA, SIZE);

	/* The read that fails. */
	EXPECT_EQ(t_run(&a, t_cmd_copy(&a, 0, T_HBM_VA, VA, WORDS / 4)), -EIO);
	EXPECT_EQ(t_queue_state(a.fd, a.queue).error, LOOM_ERR_HBM_ECC);
	wait_for("in use");
	EXPECT_EQ(t_attribute("ras/retired_pages"), 1);
	for (int i = 0; i < 500 && !flags_of(a.fd, bo); i++)
		usleep(10000);
	EXPECT_EQ(flags_of(a.fd, bo), DRM_LOOM_BO_LOST);

	/* Who has the object knows, others do not. */
	expect_sigbus(p);
	a.queue = t_queue(a.fd, a.vm);
	EXPECT_ERR(t_submit(a.fd, a.queue, T_CMD_VA, 192, 0), ECANCELED);
	state.id = a.vm;
	EXPECT_OK(t_ioctl(a.fd, DRM_IOCTL_LOOM_VM_STATE, &state));
	EXPECT_EQ(state.state, DRM_LOOM_VM_UNUSABLE);
	EXPECT_EQ(t_run(&b, t_cmd_copy(&b, 0, T_HBM_VA + SIZE / 2, T_HBM_VA,
				       WORDS / 2)), 1);

	/* The page is given up with the object, and given to nobody. */
	munmap(p, SIZE);
	munmap(a.cmd, T_CMD_SIZE);
	munmap(a.hbm, T_HBM_SIZE);
	close(a.fd);
	wait_for(" retired");
	EXPECT(!retired_pages_say("in use"));
	EXPECT_EQ(t_attribute("ras/retired_pages"), 1);
	read_all_of_hbm();
}

TAP_MAIN()
