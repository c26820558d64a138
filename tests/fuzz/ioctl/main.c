// SPDX-License-Identifier: MIT
/*
 * fuzz_ioctl - rounds of fz_ops[], several at once, and what must hold afterwards
 *
 * In the guest, as root; the output is TAP.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fuzz_ioctl.h"
#include "tests/lib/card_use.h"
#include "tests/selftests/card.h"

#define MAX_PROCESSES	16
#define ROUND_SECONDS	120	/* then it is killed, */
#define KILL_SECONDS	120	/* and it must be dead after these */
#define KILLED		8	/* one round in so many is, at a random moment */
#define RETURN_SECONDS	120
#define ENOUGH_CALLS	200	/* of an operation, for one to succeed */

struct round {
	pid_t pid;
	uint64_t seed;
	time_t begun;
};

static struct options {
	uint64_t seed;
	unsigned int seconds;
	unsigned int processes;
	unsigned int ops;
	/* Only this round, to see again what it does. */
	bool single;
} options = { .seconds = 10, .processes = 4, .ops = 300 };

static struct fz_count *count;
static struct round running[MAX_PROCESSES];
static unsigned int rounds, failed_rounds, tests;

static void usage(FILE *out)
{
	fprintf(out,
		"usage: fuzz_ioctl [OPTION]...\n\n"
		"Calls the driver's ioctls at random.  In the VM, as root.\n\n"
		"  --seed N         begin with this (default: the clock)\n"
		"  --seconds N      for so long (default 10)\n"
		"  --processes N    at once, up to %d (default 4)\n"
		"  --ops N          operations of a round (default 300)\n"
		"  --round SEED     one round, with the seed that a failure named\n",
		MAX_PROCESSES);
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t value = strtoull(text, &end, 0);

	if (*end || end == text) {
		fprintf(stderr, "fuzz_ioctl: %s is no number\n", text);
		exit(2);
	}
	return value;
}

static void parse(int argc, char **argv)
{
	static const struct option known[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "seed", required_argument, NULL, 's' },
		{ "seconds", required_argument, NULL, 't' },
		{ "processes", required_argument, NULL, 'p' },
		{ "ops", required_argument, NULL, 'o' },
		{ "round", required_argument, NULL, 'r' },
		{ 0 },
	};
	int c;

	options.seed = (uint64_t)time(NULL);
	while ((c = getopt_long(argc, argv, "h", known, NULL)) >= 0) {
		switch (c) {
		case 'h': usage(stdout); exit(0);
		case 's': options.seed = number(optarg); break;
		case 't': options.seconds = (unsigned int)number(optarg); break;
		case 'p': options.processes = (unsigned int)number(optarg); break;
		case 'o': options.ops = (unsigned int)number(optarg); break;
		case 'r': options.seed = number(optarg); options.single = true; break;
		default: usage(stderr); exit(2);
		}
	}
	if (!options.processes || options.processes > MAX_PROCESSES || optind < argc) {
		usage(stderr);
		exit(2);
	}
}

/* Rounds -------------------------------------------------------------------- */

/* A timer that kills this process, wherever it is then. */
static void die_soon(uint64_t random)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL };
	struct itimerspec when = { .it_value = { .tv_nsec = 1 + (long)(random % 900000000) } };
	timer_t timer;

	if (!timer_create(CLOCK_MONOTONIC, &event, &timer))
		timer_settime(timer, 0, &when, NULL);
}

static void run_round(uint64_t seed)
{
	struct fz chance = { .random = ~seed };

	if (fz_one_in(&chance, KILLED))
		die_soon(fz_random(&chance));
	fz_run_round(seed, options.ops, count);
	_exit(0);
}

static void start_round(struct round *round)
{
	round->seed = options.single ? options.seed :
				       options.seed * 1000000 + rounds;
	round->begun = time(NULL);
	rounds++;
	fflush(stdout);
	round->pid = fork();
	if (!round->pid)
		run_round(round->seed);
}

static void fail_round(const struct round *round, const char *why, int number)
{
	printf("# round %llu: %s %d\n", (unsigned long long)round->seed, why, number);
	failed_rounds++;
}

/* What a round can end with: its end, or the death that it was given. */
static void judge(const struct round *round, int status)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
		fail_round(round, "ended by signal", WTERMSIG(status));
	else if (WIFEXITED(status) && WEXITSTATUS(status))
		fail_round(round, "ended with status", WEXITSTATUS(status));
}

/* Give up on a round that cannot be killed: an ioctl hangs. */
static bool is_over(struct round *round)
{
	time_t age = time(NULL) - round->begun;
	int status;

	if (waitpid(round->pid, &status, WNOHANG) == round->pid) {
		judge(round, status);
		return true;
	}
	if (age > ROUND_SECONDS)
		kill(round->pid, SIGKILL);
	if (age <= ROUND_SECONDS + KILL_SECONDS)
		return false;
	fail_round(round, "cannot be killed, process", round->pid);
	return true;
}

/* Returns with no round running. */
static void run_rounds(void)
{
	time_t end = time(NULL) + options.seconds;
	unsigned int i, active;

	do {
		active = 0;
		for (i = 0; i < options.processes; i++) {
			struct round *round = &running[i];

			if (round->pid > 0 && is_over(round))
				round->pid = 0;
			if (!round->pid && time(NULL) < end)
				start_round(round);
			active += round->pid > 0;
		}
		usleep(2000);
	} while (active);
}

/* What must hold ------------------------------------------------------------ */

static void result(bool good, const char *name)
{
	printf("%s %u %s\n", good ? "ok" : "not ok", ++tests, name);
	fflush(stdout);
}

/* The selftests' helpers end their process when something is wrong. */
static bool card_works(void)
{
	struct t_ctx ctx;
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		alarm(RETURN_SECONDS);
		t_ctx_init(&ctx);
		EXPECT_EQ(t_run(&ctx, t_cmd_fill(&ctx, 0, T_HBM_VA, 64, 0x600d)), 1);
		EXPECT_EQ(((uint32_t *)ctx.hbm)[63], 0x600d);
		_exit(0);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	       !WEXITSTATUS(status);
}

static bool is_wedged(void)
{
	FILE *f = fopen(FZ_DEVICE "/wedged", "r");
	int c = f ? fgetc(f) : '?';

	if (f)
		fclose(f);
	return c != '0';
}

/* Errors only would be a fuzzer that does not get through to the driver. */
static bool all_succeeded(void)
{
	bool all = true;
	unsigned int i;

	for (i = 0; i < fz_num_ops; i++) {
		printf("# %-32s %8llu calls, %8llu good\n", fz_ops[i].name,
		       (unsigned long long)count[i].calls,
		       (unsigned long long)count[i].good);
		all &= count[i].good || count[i].calls < ENOUGH_CALLS;
	}
	return all;
}

static void *make_counts(void)
{
	void *p = mmap(NULL, fz_num_ops * sizeof(*count), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		perror("fuzz_ioctl: mmap");
		exit(2);
	}
	return p;
}

static int run_single(void)
{
	struct round round = { 0 };

	start_round(&round);
	while (!is_over(&round))
		usleep(10000);
	return all_succeeded() && !failed_rounds ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct card_use start;
	bool alike, works, all;

	parse(argc, argv);
	count = make_counts();
	if (options.single)
		return run_single();
	printf("TAP version 13\n1..4\n# seed %llu\n", (unsigned long long)options.seed);
	if (!card_works() || !card_use_get(&start)) {
		printf("Bail out! the card does not work to begin with\n");
		return 1;
	}
	run_rounds();
	all = all_succeeded();
	printf("# %u rounds in %u s\n", rounds, options.seconds);
	result(!failed_rounds, "rounds_end");
	alike = card_use_returned(&start, RETURN_SECONDS);
	result(alike, "nothing_is_left_in_use");
	works = card_works() && !is_wedged();
	result(works, "card_works_afterwards");
	result(all, "every_operation_succeeded_at_times");
	return failed_rounds || !alike || !works || !all;
}
