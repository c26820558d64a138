// SPDX-License-Identifier: MIT
/*
 * Many jobs from eight programs at once, of random sizes; some are cancelled, some
 * fail, and programs end in the middle of theirs.  Then nothing may be left in use.
 *
 * LOOM_SOAK_JOBS sets the number of jobs; `make soak` runs a million.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "card.h"
#include "tests/lib/card_use.h"

#define PROGRAMS	8
#define DEFAULT_JOBS	20000u
#define MAX_WORDS	4096u
#define BATCH		16u		/* jobs of a submit, at most */
#define LIFE		2000u		/* jobs of a program, until its end */
#define RETURN_SECONDS	120
/* Of so many submits one ... */
#define FAULTY		200		/* has a job that faults */
#define CANCELLED	200		/* loses its queue at once */
#define ENDING		400		/* is its program's last */
/* KiB that the kernel's own tables may have grown by, whatever the number of jobs. */
#define MEMORY_SLACK	16384

/* What the programs share. */
struct tally {
	unsigned long jobs;		/* submitted */
	unsigned long goal;
	unsigned long checked;		/* found to have given the right result */
	unsigned long faults;
	unsigned long cancels;
	unsigned long ends;		/* with jobs still to do */
	unsigned long programs;
};

struct program {
	struct t_ctx ctx;
	uint32_t sync;
	unsigned int seed;
	unsigned long jobs;
};

static struct tally *tally;

static unsigned long add(unsigned long *counter, unsigned long n)
{
	return __atomic_add_fetch(counter, n, __ATOMIC_RELAXED);
}

static bool one_in(struct program *p, int n)
{
	return rand_r(&p->seed) % n == 0;
}

/* Job @i fills a part of its own; its size is random. */
static struct drm_loom_job make_job(struct program *p, uint32_t i, uint32_t value,
				    uint32_t *words)
{
	struct drm_loom_job job = { .cmd_va = T_CMD_VA + i * 192 };

	*words = 1 + (uint32_t)rand_r(&p->seed) % MAX_WORDS;
	job.cmd_size = t_cmd_fill(&p->ctx, i * 192, T_HBM_VA + i * MAX_WORDS * 4,
				  *words, value) - i * 192;
	return job;
}

static int submit(struct program *p, struct drm_loom_job *jobs, uint32_t n)
{
	struct drm_loom_sync_op last = { DRM_LOOM_SYNC_SIGNAL, p->sync, 0 };
	struct drm_loom_submit args = {
		.queue_id = p->ctx.queue,
		.jobs = { sizeof(*jobs), n, (uintptr_t)jobs },
	};

	jobs[n - 1].syncs = (struct drm_loom_obj_array){
		sizeof(last), 1, (uintptr_t)&last,
	};
	return t_ioctl(p->ctx.fd, DRM_IOCTL_LOOM_SUBMIT, &args);
}

static void new_queue(struct program *p)
{
	struct drm_loom_queue_destroy args = { .id = p->ctx.queue };

	EXPECT_OK(t_ioctl(p->ctx.fd, DRM_IOCTL_LOOM_QUEUE_DESTROY, &args));
	p->ctx.queue = t_queue(p->ctx.fd, p->ctx.vm);
}

/* Cancelled: their jobs end one way or the other, soon. */
static void cancel(struct program *p)
{
	add(&tally->cancels, 1);
	new_queue(p);
	EXPECT_OK(t_wait(p->ctx.fd, p->sync, 60000));
}

static void expect_fault(struct program *p)
{
	int status;

	add(&tally->faults, 1);
	EXPECT_OK(t_wait(p->ctx.fd, p->sync, 60000));
	status = t_fence_status(p->ctx.fd, p->sync);
	EXPECT(status == -EIO || status == -ECANCELED);
	EXPECT(t_queue_state(p->ctx.fd, p->ctx.queue).state & DRM_LOOM_QUEUE_FAULTED);
	new_queue(p);
}

static void expect_results(struct program *p, const uint32_t *words, uint32_t n,
			   uint32_t value)
{
	const uint32_t *hbm = (const uint32_t *)p->ctx.hbm;

	EXPECT_OK(t_wait(p->ctx.fd, p->sync, 60000));
	EXPECT_EQ(t_fence_status(p->ctx.fd, p->sync), 1);
	for (uint32_t i = 0; i < n; i++) {
		EXPECT_EQ(hbm[i * MAX_WORDS], value);
		EXPECT_EQ(hbm[i * MAX_WORDS + words[i] - 1], value);
	}
	add(&tally->checked, n);
}

/* A batch of jobs and what becomes of it. */
static void run_batch(struct program *p)
{
	uint32_t n = 1 + (uint32_t)rand_r(&p->seed) % BATCH;
	uint32_t value = (uint32_t)rand_r(&p->seed) | 1;
	bool faulty = one_in(p, FAULTY);
	struct drm_loom_job jobs[BATCH] = { 0 };
	uint32_t words[BATCH];

	for (uint32_t i = 0; i < n; i++)
		jobs[i] = make_job(p, i, value, &words[i]);
	if (faulty)
		t_cmd_fill(&p->ctx, 192 * (n / 2), 0x7000000000, 16, 1);
	EXPECT_OK(submit(p, jobs, n));
	p->jobs += n;
	add(&tally->jobs, n);
	if (one_in(p, ENDING)) {
		add(&tally->ends, 1);
		_exit(0);
	}
	if (faulty)
		expect_fault(p);
	else if (one_in(p, CANCELLED))
		cancel(p);
	else
		expect_results(p, words, n, value);
}

static void run_program(unsigned int seed)
{
	struct program p = { .seed = seed };

	t_ctx_init(&p.ctx);
	p.sync = t_syncobj(p.ctx.fd);
	while (p.jobs < LIFE && tally->jobs < tally->goal)
		run_batch(&p);
	_exit(0);
}

static pid_t start_program(void)
{
	unsigned int number = (unsigned int)add(&tally->programs, 1);
	pid_t pid = fork();

	EXPECT_OK(pid);
	if (!pid)
		run_program(number);
	return pid;
}

static void run_programs(void)
{
	unsigned int running = 0;
	int status;

	for (;;) {
		while (running < PROGRAMS && tally->jobs < tally->goal) {
			start_program();
			running++;
		}
		if (!running)
			return;
		EXPECT(wait(&status) > 0);
		EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
		running--;
	}
}

static void make_tally(void)
{
	const char *jobs = getenv("LOOM_SOAK_JOBS");

	tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	EXPECT(tally != MAP_FAILED);
	tally->goal = jobs ? strtoul(jobs, NULL, 0) : DEFAULT_JOBS;
	EXPECT(tally->goal > 0);
}

/* The kernel's caches fill in the first programs. */
static void warm_up(void)
{
	unsigned long goal = tally->goal;

	tally->goal = goal < 2000 ? goal : 2000;
	run_programs();
	tally->goal = goal;
}

TEST(nothing_is_left_of_many_jobs)
{
	struct card_use start;
	long before, after;
	time_t began;

	close(t_open());
	if (geteuid())
		tap_skip("needs root, for debugfs");
	alarm(0);	/* as long as it takes; the jobs have limits */
	make_tally();
	EXPECT(card_use_get(&start));
	warm_up();
	EXPECT(card_use_returned(&start, RETURN_SECONDS));
	before = card_use_memory();
	began = time(NULL);
	run_programs();
	EXPECT(card_use_returned(&start, RETURN_SECONDS));
	after = card_use_memory();
	tap_note("%lu jobs of %lu programs in %ld s: %lu results right, %lu faults, %lu cancels, %lu ends at work",
		 tally->jobs, tally->programs, (long)(time(NULL) - began),
		 tally->checked, tally->faults, tally->cancels, tally->ends);
	tap_note("memory of the kernel: %ld KiB before, %ld KiB after", before, after);
	EXPECT(tally->checked > tally->jobs / 2);
	EXPECT(after - before < MEMORY_SLACK);
}

TAP_MAIN()
