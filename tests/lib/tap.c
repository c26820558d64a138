// SPDX-License-Identifier: MIT
/*
 * The runner behind tap.h.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

#define TAP_EXIT_PASS		0
#define TAP_EXIT_FAIL		1
#define TAP_EXIT_SKIP		4	/* kselftest's KSFT_SKIP */
#define TAP_TIMEOUT_S		120	/* times $TAP_PATIENCE */

static struct tap_test *tap_first;
static struct tap_test **tap_tail = &tap_first;

void tap_register(struct tap_test *test)
{
	*tap_tail = test;
	tap_tail = &test->next;
}

void tap_note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	printf("# ");
	vprintf(fmt, ap);
	printf("\n");
	va_end(ap);
	fflush(stdout);
}

_Noreturn void tap_fail(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	printf("# %s:%d: ", file, line);
	vprintf(fmt, ap);
	printf("\n");
	va_end(ap);
	fflush(stdout);
	_exit(TAP_EXIT_FAIL);
}

_Noreturn void tap_skip(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	printf("# SKIP ");
	vprintf(fmt, ap);
	printf("\n");
	va_end(ap);
	fflush(stdout);
	_exit(TAP_EXIT_SKIP);
}

/* Seconds that a test may take; more where everything is slow. */
static unsigned int tap_timeout(void)
{
	const char *patience = getenv("TAP_PATIENCE");

	return TAP_TIMEOUT_S * (patience ? (unsigned int)atoi(patience) : 1);
}

static int tap_run_child(const struct tap_test *test)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		return TAP_EXIT_FAIL;
	if (!pid) {
		alarm(tap_timeout());
		test->fn();
		fflush(stdout);
		_exit(TAP_EXIT_PASS);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return TAP_EXIT_FAIL;
	if (WIFSIGNALED(status)) {
		printf("# %s: killed by signal %d (%s)\n", test->name,
		       WTERMSIG(status),
		       WTERMSIG(status) == SIGALRM ? "it took too long" :
						     strsignal(WTERMSIG(status)));
		return TAP_EXIT_FAIL;
	}
	return WEXITSTATUS(status);
}

static bool tap_wanted(const struct tap_test *test, int argc, char **argv)
{
	if (argc < 2)
		return true;
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], test->name))
			return true;
	return false;
}

int tap_run(int argc, char **argv)
{
	const struct tap_test *test;
	int failed = 0, n = 0, plan = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (test = tap_first; test; test = test->next)
		plan += tap_wanted(test, argc, argv);
	printf("TAP version 13\n1..%d\n", plan);
	for (test = tap_first; test; test = test->next) {
		int rc;

		if (!tap_wanted(test, argc, argv))
			continue;
		rc = tap_run_child(test);
		n++;
		if (rc == TAP_EXIT_SKIP)
			printf("ok %d %s # SKIP (reason above)\n", n, test->name);
		else
			printf("%s %d %s\n", rc ? "not ok" : "ok", n, test->name);
		failed += rc && rc != TAP_EXIT_SKIP;
	}
	return failed || !plan ? 1 : 0;
}
