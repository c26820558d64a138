// SPDX-License-Identifier: MIT
/*
 * DOC: The trace file: whole, bounded, and honest about what is missing
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tracefile.h"

#include <loom/loom_isa.h>
#include <loom/loom_regs.h>

static char path[] = "/tmp/loom-trace-XXXXXX";
static char text[1 << 20];

static void setup(void)
{
	int fd;

	strcpy(path, "/tmp/loom-trace-XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	close(fd);
}

static void teardown(void)
{
	unlink(path);
}

static size_t contents(void)
{
	FILE *f = fopen(path, "r");
	size_t n;

	ck_assert_ptr_nonnull(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	return n;
}

static struct loom_core_trace command(uint32_t index)
{
	uint64_t at = 1000ull * index;
	struct loom_core_trace t = {
		.queue = index % 2, .context = 1, .opcode = LOOM_OP_MATMUL,
		.index = index, .seq = 7, .begin = at, .issued = at + 32,
		.start = at + 32, .computed = at + 500, .end = at + 1000,
		.engine = LOOM_PERF_CYC_ARRAY, .wait = LOOM_PERF_CYC_HBM,
		.charged = at, .macs = 12345,
	};

	t.row[LOOM_PERF_CYC_TOTAL] = 1000;
	t.row[LOOM_PERF_CYC_FRONT] = 32;
	t.row[LOOM_PERF_CYC_ARRAY] = 468;
	t.row[LOOM_PERF_CYC_HBM] = 500;
	return t;
}

START_TEST(test_commands_have_their_stretches)
{
	struct loom_trace_file *f;
	struct loom_core_trace t = command(1);

	ck_assert_int_eq(loom_trace_file_open(path, "a\"b", 1000000, 1 << 20,
					      &f), 0);
	loom_trace_file_command(f, &t);
	loom_trace_file_job(f, 1, 7, LOOM_ERR_DMA, 1000, 2000);
	ck_assert_int_eq(loom_trace_file_close(f), 0);
	contents();
	ck_assert_str_eq(text + strlen(text) - 4, "}\n]\n");
	ck_assert_ptr_nonnull(strstr(text, "\"name\":\"ab\""));
	ck_assert_ptr_nonnull(strstr(text,
		"\"pid\":1,\"tid\":1,\"ts\":1.032,\"dur\":0.468,\"name\":\"MATMUL\""));
	ck_assert_ptr_nonnull(strstr(text,
		"\"pid\":1,\"tid\":4,\"ts\":1.500,\"dur\":0.500,\"name\":\"MATMUL\""));
	ck_assert_ptr_nonnull(strstr(text,
		"\"pid\":3,\"tid\":1,\"ts\":1.032,\"dur\":0.968,\"name\":\"MATMUL\""));
	ck_assert_ptr_nonnull(strstr(text, "\"waits_for\":\"HBM\",\"wait\":500"));
	ck_assert_ptr_nonnull(strstr(text, "job that failed"));
	ck_assert_ptr_nonnull(strstr(text, "system memory did not answer"));
}
END_TEST

START_TEST(test_the_file_is_whole_while_it_is_written)
{
	struct loom_trace_file *f;
	struct loom_core_trace t;
	uint32_t i;

	ck_assert_int_eq(loom_trace_file_open(path, "card", 1400000, 1 << 30,
					      &f), 0);
	for (i = 0; i < 600; i++) {
		t = command(i);
		loom_trace_file_command(f, &t);
		if (i % 20)
			continue;
		ck_assert_uint_gt(contents(), 0);
		ck_assert_str_eq(text + strlen(text) - 4, "}\n]\n");
	}
	ck_assert_int_eq(loom_trace_file_close(f), 0);
	contents();
	ck_assert_ptr_nonnull(strstr(text, "\"command\":599"));
}
END_TEST

START_TEST(test_the_file_stays_below_its_size_and_says_so)
{
	const uint64_t max = 100000;
	struct loom_trace_file *f;
	struct loom_core_trace t;
	uint32_t i;

	ck_assert_int_eq(loom_trace_file_open(path, "card", 1400000, max, &f),
			 0);
	for (i = 0; i < 1000; i++) {
		t = command(i);
		loom_trace_file_command(f, &t);
		loom_trace_file_job(f, i % 2, i, 0, 0, 1);
	}
	ck_assert_int_eq(loom_trace_file_close(f), 0);
	ck_assert_uint_le(contents(), max);
	ck_assert_uint_gt(strlen(text), max / 2);
	ck_assert_ptr_nonnull(strstr(text, "the trace ends here"));
	ck_assert_ptr_null(strstr(strstr(text, "the trace ends here") + 1,
				  "the trace ends here"));
	ck_assert_str_eq(text + strlen(text) - 4, "}\n]\n");
}
END_TEST

START_TEST(test_what_cannot_be_written_is_told)
{
	struct loom_trace_file *f = NULL;

	ck_assert_int_eq(loom_trace_file_open("/no/where", "card", 1, 1, &f),
			 -ENOENT);
	ck_assert_int_eq(loom_trace_file_open("/dev/full", "card", 1000, 1 << 20,
					      &f), -ENOSPC);
	ck_assert_ptr_null(f);
	ck_assert_int_eq(loom_trace_file_close(NULL), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("trace");
	TCase *tc = tcase_create("file");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_commands_have_their_stretches);
	tcase_add_test(tc, test_the_file_is_whole_while_it_is_written);
	tcase_add_test(tc, test_the_file_stays_below_its_size_and_says_so);
	tcase_add_test(tc, test_what_cannot_be_written_is_told);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
