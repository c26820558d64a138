// SPDX-License-Identifier: MIT
/*
 * DOC: A million of each
 *
 * Every kind of product, over MATMUL_CASES elements of D or more, in any
 * layout, with every flavour of numbers: each kernel set of this host, with 1,
 * 2 and 4 workers, against the scalar reference, bit for bit.  What has to be
 * emulated runs once, with 4 workers.  A case is an element of D.  Built without sanitizers, for the sake of the reference;
 * tests/unit/check_matmul.c runs fewer ones with them.
 *
 * MATMUL_CASES (default 1000000) and MATMUL_SEED may be given from outside.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "matmul_problem.h"

#define QUEUES		4u
#define PER_QUEUE	3u
#define BATCH		(QUEUES * PER_QUEUE)
#define TIMEOUT_S	120

/* Workers that join: 1, 2 and 4 in all */
static const unsigned int more_workers[] = { 1, 1, 2 };

/** struct batch - problems on one card, with their command buffers */
struct batch {
	struct t_card *card;
	struct t_problem *p[BATCH];
	/** @cmds: device address of each command */
	uint64_t cmds[BATCH];
	/** @before: D's pages as they were */
	uint8_t *before[BATCH];
	/** @index: ring entry of the last run */
	uint32_t index[BATCH];
};

static uint64_t env(const char *name, uint64_t otherwise)
{
	const char *s = getenv(name);

	return s ? strtoull(s, NULL, 0) : otherwise;
}

/* Running ----------------------------------------------------------------- */

static void make_batch(struct batch *b, struct t_card *card,
		       struct t_options (*options)(int pair), int pair)
{
	b->card = card;
	for (unsigned int q = 0; q < QUEUES; q++)
		t_queue_init(card, q, T_CTX, 0);
	for (unsigned int i = 0; i < BATCH; i++) {
		struct t_options o = options(pair);
		struct t_problem *p = t_make_problem(card, &o);
		size_t size = p->op[D].size;

		b->p[i] = p;
		b->cmds[i] = t_hbm_alloc(card, sizeof(p->cmd));
		memcpy(t_ptr(card, b->cmds[i]), &p->cmd, sizeof(p->cmd));
		b->before[i] = malloc(size);
		ck_assert_ptr_nonnull(b->before[i]);
		memcpy(b->before[i], p->op[D].bytes, size);
		t_reference(p);
	}
}

static void free_batch(struct batch *b)
{
	for (unsigned int i = 0; i < BATCH; i++) {
		t_free_problem(b->p[i]);
		free(b->before[i]);
	}
	t_card_destroy(b->card);
}

static void wait_done(struct batch *b, unsigned int i)
{
	const struct timespec nap = { .tv_nsec = 100000 };
	unsigned int q = i % QUEUES;
	time_t end = time(NULL) + TIMEOUT_S;

	while (!t_is_done(b->card, q, b->index[i])) {
		ck_assert_msg(time(NULL) < end, "no end after %d s", TIMEOUT_S);
		nanosleep(&nap, NULL);
	}
	if (t_completion(b->card, q, b->index[i])->error)
		t_describe(b->p[i]);
	ck_assert_uint_eq(t_completion(b->card, q, b->index[i])->error, 0);
}

/* All problems of the batch at once, over all queues. */
static void run_batch(struct batch *b)
{
	uint8_t *after;

	for (unsigned int i = 0; i < BATCH; i++) {
		t_copy_pages(b->card, &b->p[i]->op[D], b->before[i], true);
		b->index[i] = t_queue_push(b->card, i % QUEUES, b->cmds[i],
					   sizeof(struct loom_cmd_matmul));
	}
	for (unsigned int q = 0; q < QUEUES; q++)
		t_doorbell(b->card, q);
	for (unsigned int i = 0; i < BATCH; i++)
		wait_done(b, i);
	for (unsigned int i = 0; i < BATCH; i++) {
		after = malloc(b->p[i]->op[D].size);
		ck_assert_ptr_nonnull(after);
		t_compare(b->p[i], after);
		free(after);
	}
}

/* Returns how many cases there were. */
static uint64_t check_batch(struct t_card *card,
			    struct t_options (*options)(int pair), int pair)
{
	const struct t_matmul_set *set;
	struct batch b;
	uint64_t cases = 0;

	make_batch(&b, card, options, pair);
	for (int w = 0; w < 3; w++) {
		t_workers_start(card, more_workers[w]);
		for (unsigned int n = 0; (set = t_matmul_set(n)); n++) {
			t_kernels = set->kernels;
			if (!set->emulated || w == 2)
				run_batch(&b);
		}
	}
	for (unsigned int i = 0; i < BATCH; i++)
		cases += (uint64_t)b.p[i]->cmd.m * b.p[i]->cmd.n *
			 b.p[i]->cmd.batch[0] * b.p[i]->cmd.batch[1];
	free_batch(&b);
	return cases;
}

/* Problems ---------------------------------------------------------------- */

static uint32_t whole_blocks(uint32_t b_type, uint32_t k)
{
	return t_is_block(b_type) ? (k + 31) / 32 * 32 : k;
}

/* A few lines by lines that are contiguous along k, in whole steps of 16. */
static void along_k(struct t_options *o)
{
	o->m = 1 + t_below(4);
	o->n = 1 + t_below(600);
	o->k = whole_blocks(o->b, 16 * (1 + t_below(14)));
	o->plain = o->turned = true;
}

/* Wide and flat, so that there are many cases; any layout and D. */
static struct t_options wide_options(int pair)
{
	struct t_options o = t_random_options(pair);

	o.m = 1 + t_below(t_below(4) ? 100 : 8);
	o.n = 1 + t_below(200);
	o.k = 1 + t_below(t_below(16) ? 24 : 200);
	o.k = whole_blocks(o.b, o.k);
	o.batch[0] = 1 + t_below(2);
	o.batch[1] = 1;
	o.placing = t_below(8) ? PLACE_HBM : PLACE_MIXED;
	if (t_below(4) == 0)
		along_k(&o);
	return o;
}

/* Few cases with a K of up to 65,536. */
static struct t_options long_options(int pair)
{
	static const uint32_t k[] = { 65536, 65535, 32769, 65504, 16384, 8191 };
	static unsigned int turn;
	struct t_options o = t_random_options(pair);

	o.m = 1 + t_below(2);
	o.n = 1 + t_below(2);
	o.k = whole_blocks(o.b, k[turn++ % 6]);
	o.batch[0] = o.batch[1] = 1;
	o.plain = t_below(2);
	return o;
}

/* Tests ------------------------------------------------------------------- */

static const char *const kind_name[T_NUM_PAIRS] = {
	"int8", "bf16", "fp8 E4M3", "fp8 E5M2", "fp8 E4M3 x E5M2",
	"fp8 E5M2 x E4M3", "fp16", "fp32", "fp32 x Q8_0", "fp32 x Q4_0",
	"Q8_0", "Q8_0 x Q4_0",
};

static void print_sets(void)
{
	const struct t_matmul_set *set;

	for (unsigned int n = 0; (set = t_matmul_set(n)); n++)
		printf(" %s%s", set->kernels->name,
		       set->emulated ? "(emulated)" : "");
}

static void report(int pair, uint64_t cases, uint64_t long_cases)
{
	printf("# matmul %s: %llu cases and %llu with K up to 65536, with 1, 2 "
	       "and 4 workers, on", kind_name[pair],
	       (unsigned long long)cases, (unsigned long long)long_cases);
	print_sets();
	printf("\n");
	fflush(stdout);
}

START_TEST(test_all_kernel_sets_equal_the_reference)
{
	static const uint32_t rows[] = { 8, 16, 32, 128 };
	uint64_t want = env("MATMUL_CASES", 1000000), cases = 0, long_cases = 0;

	t_seed = env("MATMUL_SEED", 1) * 1000 + (uint64_t)_i;
	for (unsigned int i = 0; cases < want; i++)
		cases += check_batch(t_matmul_card(rows[i % 4]), wide_options,
				     _i);
	for (unsigned int i = 0; i < 2; i++)
		long_cases += check_batch(t_matmul_card(i ? 512 : 128),
					  long_options, _i);
	report(_i, cases, long_cases);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("matmul, a million of each kind");
	TCase *tc = tcase_create("kinds");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(tc, 0);
	tcase_add_loop_test(tc, test_all_kernel_sets_equal_the_reference, 0,
			    T_NUM_PAIRS);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
