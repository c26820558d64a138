// SPDX-License-Identifier: MIT
/*
 * The card goes for good, and the memory of those who had it.
 *
 * It goes through sysfs, as a hot-plug slot has it done, and comes back with a scan of
 * the bus.  tests/guest/test-loops.sh takes it away under load.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <drm.h>

#include "card.h"
#include "peer.h"

#define NODE	"/dev/accel/accel0"

#define OBJECTS	400
#define CLOSERS	2
#define ROUNDS	3

#define LENT	(96ull << 20)
#define SLACK	(16ull << 20)

static void remove_card(void)
{
	if (access("/sys/bus/pci/rescan", W_OK))
		tap_skip("only root can take the card away");
	t_write_file(T_DEVICE "remove", "1");
	EXPECT_ERR(access(NODE, F_OK), ENOENT);
}

/* With the number that it had: nobody may have it open any more. */
static void card_returns(void)
{
	t_write_file("/sys/bus/pci/rescan", "1");
	t_await_card();
}

static void expect_card_works(void)
{
	struct t_ctx ctx;

	t_ctx_init(&ctx);
	EXPECT_EQ(t_run(&ctx, t_cmd_fill(&ctx, 0, T_HBM_VA, 16, 8)), 1);
	EXPECT_EQ(((uint32_t *)ctx.hbm)[15], 8);
}

/* Closing memory ----------------------------------------------------------- */

/* A client with many objects, which ends as soon as the card is taken away. */
static void closer(int ready)
{
	struct drm_loom_bo_create args = {
		.size = 4096, .placement = DRM_LOOM_PLACE_SYSTEM,
	};
	int fd = t_open();

	for (unsigned int i = 0; i < OBJECTS; i++)
		t_bo(fd, 4096, DRM_LOOM_PLACE_SYSTEM, 0);
	EXPECT_EQ(write(ready, "r", 1), 1);
	while (!t_ioctl(fd, DRM_IOCTL_LOOM_BO_CREATE, &args)) {
		struct drm_gem_close done = { .handle = args.handle };

		t_ioctl(fd, DRM_IOCTL_GEM_CLOSE, &done);
	}
	_exit(errno == ENODEV ? 0 : 1);
}

static void close_while_the_card_goes(void)
{
	pid_t child[CLOSERS];
	int ready[2], status;
	char c;

	EXPECT_OK(pipe(ready));
	for (unsigned int i = 0; i < CLOSERS; i++) {
		child[i] = fork();
		EXPECT_OK(child[i]);
		if (!child[i])
			closer(ready[1]);
	}
	for (unsigned int i = 0; i < CLOSERS; i++)
		EXPECT_EQ(read(ready[0], &c, 1), 1);
	remove_card();
	for (unsigned int i = 0; i < CLOSERS; i++) {
		EXPECT_EQ(waitpid(child[i], &status, 0), child[i]);
		EXPECT_EQ(status, 0);
	}
	close(ready[0]);
	close(ready[1]);
	card_returns();
}

/* TTM's own way to part memory from its device waits for them in a spin lock. */
TEST(objects_may_be_closed_while_the_card_goes)
{
	for (unsigned int i = 0; i < ROUNDS; i++)
		close_while_the_card_goes();
	expect_card_works();
}

/* Lent memory ---------------------------------------------------------------- */

static uint64_t free_memory(void)
{
	unsigned long long kib = 0;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "r");

	EXPECT(f != NULL);
	while (!kib && fgets(line, sizeof(line), f))
		sscanf(line, "MemFree: %llu kB", &kib);
	fclose(f);
	return kib << 10;
}

/* Its contents are the other device's concern; its pages must not become others'. */
TEST(memory_lent_to_another_device_outlives_the_card)
{
	int fd = t_open(), vgem = t_open_vgem(), dma_buf;
	uint32_t bo = t_bo(fd, LENT, DRM_LOOM_PLACE_SYSTEM, 0), lent;
	unsigned int tries = 1000;
	uint64_t before;
	void *p;

	p = t_mmap(fd, bo, LENT);
	memset(p, 0x5a, LENT);
	munmap(p, LENT);
	dma_buf = t_export(fd, bo);
	lent = t_import(vgem, dma_buf);
	before = free_memory();
	remove_card();
	EXPECT(free_memory() < before + LENT - SLACK);
	EXPECT(free_memory() > before - SLACK);
	t_gem_close(vgem, lent);
	close(dma_buf);
	close(fd);
	while (free_memory() < before + LENT - SLACK && tries--)
		usleep(10000);
	EXPECT(free_memory() > before + LENT - SLACK);
	card_returns();
	expect_card_works();
}

TAP_MAIN()
