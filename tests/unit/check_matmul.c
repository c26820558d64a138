// SPDX-License-Identifier: MIT
/*
 * The MATMUL engine against a scalar reference, bit for bit, with every kernel
 * set that this host can run or emulate: layouts, edges of blocks, errors.  For
 * numbers in bulk see tests/numerics/.
 */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "matmul_problem.h"

/* Tests ------------------------------------------------------------------- */

START_TEST(test_random_problems_match_the_reference)
{
	static const uint32_t rows[] = { 8, 16, 128 };

	t_seed = 1000 + (uint64_t)_i;
	for (int round = 0; round < 12; round++) {
		struct t_card *card = t_matmul_card(rows[round % 3]);

		for (int i = 0; i < 3; i++) {
			struct t_options o = t_random_options(_i);

			t_run_options(card, &o);
		}
		t_card_destroy(card);
	}
}
END_TEST

START_TEST(test_scattered_pages_match_the_reference)
{
	t_seed = 2000 + (uint64_t)_i;
	for (int round = 0; round < 4; round++) {
		struct t_card *card = t_matmul_card(16);
		struct t_options o = t_random_options(_i);

		o.placing = PLACE_MIXED;
		t_run_options(card, &o);
		t_card_destroy(card);
	}
}
END_TEST

START_TEST(test_blocks_of_every_dimension_match_the_reference)
{
	/* Beyond the lines, the panels and the k of a block, by a little. */
	static const uint32_t shape[][3] = {
		{ 530, 70, 9 }, { 2, 1040, 70 }, { 3, 5, 4200 },
		{ 9, 130, 1030 }, { 1, 300, 520 }, { 300, 1, 520 },
	};
	struct t_card *card = t_matmul_card(128);

	t_seed = 3000 + (uint64_t)_i;
	for (size_t i = 0; i < sizeof(shape) / sizeof(shape[0]); i++) {
		struct t_options o = t_plain_options(_i);

		o.m = shape[i][0];
		o.n = shape[i][1];
		o.k = t_is_block(o.b) ? (shape[i][2] + 31) / 32 * 32 :
		      shape[i][2];
		t_run_options(card, &o);
		o.plain = false;
		t_run_options(card, &o);
	}
	t_card_destroy(card);
}
END_TEST

START_TEST(test_few_lines_match_the_reference)
{
	/* B is used where it lies, but for what is left at the edges. */
	static const uint32_t shape[][3] = {
		{ 1, 128, 256 }, { 2, 64, 514 }, { 3, 100, 320 }, { 4, 192, 135 },
		{ 5, 64, 128 }, { 1, 4170, 136 }, { 64, 4, 576 },
	};
	static const uint32_t rows[] = { 8, 128, 512 };

	t_seed = 3500 + (uint64_t)_i;
	for (size_t i = 0; i < sizeof(shape) / sizeof(shape[0]); i++) {
		struct t_card *card = t_matmul_card(rows[i % 3]);
		struct t_options o = t_plain_options(_i);

		o.m = shape[i][0];
		o.n = shape[i][1];
		o.k = t_is_block(o.b) ? (shape[i][2] + 31) / 32 * 32 :
		      shape[i][2];
		t_run_options(card, &o);
		o.turned = true;
		t_run_options(card, &o);
		t_card_destroy(card);
	}
}
END_TEST

/* B contiguous along k, taken by 16 lines: its edges, and all kinds of numbers. */
START_TEST(test_few_lines_along_k_match_the_reference)
{
	static const uint32_t shape[][3] = {
		{ 1, 16, 32 }, { 1, 32, 16 }, { 1, 49, 48 }, { 2, 48, 160 },
		{ 2, 33, 96 }, { 3, 47, 544 }, { 4, 81, 272 }, { 1, 95, 136 },
		{ 5, 64, 64 }, { 1, 32, 4128 }, { 33, 2, 96 },
	};
	static const uint32_t rows[] = { 8, 16, 32, 64, 128, 512 };

	t_seed = 3700 + (uint64_t)_i;
	for (size_t i = 0; i < sizeof(shape) / sizeof(shape[0]); i++) {
		struct t_options o = t_plain_options(_i);

		o.m = shape[i][0];
		o.n = shape[i][1];
		o.k = t_is_block(o.b) ? (shape[i][2] + 31) / 32 * 32 :
		      shape[i][2];
		o.turned = true;
		for (o.flavour = 0; o.flavour < 5; o.flavour++) {
			struct t_card *card = t_matmul_card(
				rows[(i + (size_t)o.flavour) % 6]);

			t_run_options(card, &o);
			t_card_destroy(card);
		}
	}
}
END_TEST

START_TEST(test_long_sums_with_many_lines_match_the_reference)
{
	/* Packed lines that do not hold all of k, several panels wide. */
	struct t_options o = t_plain_options(6);
	struct t_card *card = t_matmul_card(512);

	t_seed = 4;
	o.m = 2;
	o.n = 140;
	o.k = 4100;
	t_run_options(card, &o);
	o = t_plain_options(0);
	o.m = 3;
	o.n = 150;
	o.k = 4111;
	t_run_options(card, &o);
	t_card_destroy(card);
}
END_TEST

START_TEST(test_int8_sums_wrap)
{
	struct t_options o = t_plain_options(0);
	struct t_card *card = t_matmul_card(128);
	struct t_problem *p;

	o.m = 2;
	o.n = 3;
	o.k = 140000;
	p = t_make_problem(card, &o);
	memset(p->op[A].bytes, 0x80, p->op[A].size);
	memset(p->op[B].bytes, 0x80, p->op[B].size);
	t_copy_pages(card, &p->op[A], p->op[A].bytes, true);
	t_copy_pages(card, &p->op[B], p->op[B].bytes, true);
	t_check_problem(p);
	ck_assert_int_eq(*(int32_t *)(p->op[D].bytes + p->op[D].first),
			 (int32_t)(140000u * 16384u));
	t_free_problem(p);
	t_card_destroy(card);
}
END_TEST

/* All -128 (or -8): the largest sum that a block can have. */
START_TEST(test_blocks_of_the_most_negative_values)
{
	struct t_options o = t_plain_options(10 + _i);
	struct t_card *card = t_matmul_card(128);
	int32_t sum = 32 * 128 * (_i ? 8 : 128), lines;
	struct t_problem *p;
	float d;

	o.n = 67;
	o.k = 64;
	for (lines = 1; lines < 9; lines += 3) {
		o.m = (uint32_t)lines;
		p = t_make_problem(card, &o);
		memset(p->op[A].bytes, 0x80, p->op[A].size);
		memset(p->op[B].bytes, _i ? 0 : 0x80, p->op[B].size);
		/* Scales of 1.0 */
		for (size_t i = p->op[A].first; i + 1 < p->op[A].size; i += 34)
			memcpy(p->op[A].bytes + i, "\0\x3c", 2);
		for (size_t i = p->op[B].first; i + 1 < p->op[B].size;
		     i += _i ? 18 : 34)
			memcpy(p->op[B].bytes + i, "\0\x3c", 2);
		t_copy_pages(card, &p->op[A], p->op[A].bytes, true);
		t_copy_pages(card, &p->op[B], p->op[B].bytes, true);
		t_check_problem(p);
		memcpy(&d, p->op[D].bytes + p->op[D].first, sizeof(d));
		ck_assert_float_eq(d, 2 * (float)sum);
		t_free_problem(p);
	}
	t_card_destroy(card);
}
END_TEST

START_TEST(test_without_k_the_result_is_c)
{
	struct t_options o = t_plain_options(_i);
	struct t_card *card = t_matmul_card(128);

	t_seed = 5000 + (uint64_t)_i;
	o.m = 7;
	o.n = 70;
	t_run_options(card, &o);
	o.c = o.d;
	t_run_options(card, &o);
	t_card_destroy(card);
}
END_TEST

START_TEST(test_empty_problem_touches_nothing)
{
	struct t_options o = t_plain_options(1);
	struct t_card *card = t_matmul_card(128);
	uint32_t *extent[4];

	o.m = o.n = o.k = 4;
	for (int i = 0; i < 4; i++) {
		struct t_problem *p = t_make_problem(card, &o);
		struct loom_completion done;

		extent[0] = &p->cmd.m;
		extent[1] = &p->cmd.n;
		extent[2] = &p->cmd.batch[0];
		extent[3] = &p->cmd.batch[1];
		*extent[i] = 0;
		p->cmd.a = p->cmd.b = p->cmd.d = 0x7fff00000000;
		t_kernels = loom_matmul_kernels(LOOM_MATMUL_PORTABLE);
		done = t_run_cmds(card, &p->cmd, sizeof(p->cmd));
		ck_assert_uint_eq(done.error, LOOM_ERR_NONE);
		t_free_problem(p);
	}
	ck_assert_uint_eq(t_perf(card, LOOM_PERF_MACS), 0);
	t_card_destroy(card);
}
END_TEST

START_TEST(test_d_may_be_c)
{
	struct t_options o = t_plain_options(1);
	struct t_card *card = t_matmul_card(128);
	struct t_problem *p;

	t_seed = 6;
	o.m = 20;
	o.n = 70;
	o.k = 30;
	o.d = o.c = LOOM_TYPE_BF16;
	p = t_make_problem(card, &o);
	free(p->op[D].bytes);
	p->op[D] = p->op[C];
	p->op[C].bytes = malloc(p->op[D].size);
	memcpy(p->op[C].bytes, p->op[D].bytes, p->op[D].size);
	p->cmd.d = p->cmd.c;
	memcpy(p->cmd.d_stride, p->cmd.c_stride, sizeof(p->cmd.d_stride));
	t_check_problem(p);
	t_free_problem(p);
	t_card_destroy(card);
}
END_TEST

/* Every value of each 8-bit type, and all of f16 and bf16, times one. */
START_TEST(test_all_values_of_a_type_convert)
{
	static const int pair[] = { 1, 2, 3, 6 };
	struct t_options o = t_plain_options(pair[_i]);
	uint32_t size = loom_type_size(o.a), one, count = 1u << 8 * size;
	struct t_card *card = t_matmul_card(128);
	struct t_problem *p;

	o.m = 1;
	o.n = count;
	o.k = 1;
	p = t_make_problem(card, &o);
	for (uint32_t i = 0; i < count; i++)
		memcpy(p->op[B].bytes + p->op[B].first + i * size, &i, size);
	one = o.a == LOOM_TYPE_BF16 ? 0x3f80 : o.a == LOOM_TYPE_F8E4M3 ? 0x38 :
	      0x3c00 >> (16 - 8 * size);
	memcpy(p->op[A].bytes + p->op[A].first, &one, size);
	t_copy_pages(card, &p->op[A], p->op[A].bytes, true);
	t_copy_pages(card, &p->op[B], p->op[B].bytes, true);
	t_check_problem(p);
	t_free_problem(p);
	t_card_destroy(card);
}
END_TEST

START_TEST(test_cost_counts_work_and_traffic)
{
	struct t_options o = t_plain_options(1);
	struct t_card *card = t_matmul_card(128);
	struct t_problem *p;

	o.m = 10;
	o.n = 20;
	o.k = 30;
	o.batch[0] = 3;
	p = t_make_problem(card, &o);
	p->cmd.b_stride[2] = 0;
	t_kernels = loom_matmul_kernels(LOOM_MATMUL_PORTABLE);
	t_run_cmds(card, &p->cmd, sizeof(p->cmd));
	ck_assert_uint_eq(t_perf(card, LOOM_PERF_MACS), 3 * 10 * 20 * 30);
	ck_assert_uint_ge(t_perf(card, LOOM_PERF_HBM_RD_BYTES),
			  2 * (3 * 10 * 30 + 30 * 20));
	ck_assert_uint_lt(t_perf(card, LOOM_PERF_HBM_RD_BYTES),
			  2 * (3 * 10 * 30 + 30 * 20) + 4096);
	ck_assert_uint_ge(t_perf(card, LOOM_PERF_HBM_WR_BYTES),
			  4 * 3 * 10 * 20);
	ck_assert_uint_gt(t_perf(card, LOOM_PERF_CYC_ARRAY), 0);
	t_free_problem(p);
	t_card_destroy(card);
}
END_TEST

/* Errors ------------------------------------------------------------------ */

#define FIELD(name)	offsetof(struct loom_cmd_matmul, name)
#define SET(width, name, v) width, FIELD(name), v
#define BEYOND		0x80000000ull

/* One wrong value in an otherwise good command, and what must be said. */
static const struct mistake {
	int pair;
	int width;
	size_t offset;
	uint64_t value;
	uint32_t error;
	size_t field;
} mistakes[] = {
	{ 1, SET(4, reserved0, 1), LOOM_ERR_CMD_RESERVED, FIELD(reserved0) },
	{ 1, SET(4, reserved[0], 1), LOOM_ERR_CMD_RESERVED, FIELD(reserved) },
	{ 1, SET(4, reserved[11], 1), LOOM_ERR_CMD_RESERVED,
	  FIELD(reserved[11]) },
	{ 1, SET(1, a_type, LOOM_TYPE_I32), LOOM_ERR_CMD_TYPE, FIELD(a_type) },
	{ 1, SET(1, a_type, LOOM_TYPE_NONE), LOOM_ERR_CMD_TYPE, FIELD(a_type) },
	{ 1, SET(1, a_type, LOOM_TYPE_U8), LOOM_ERR_CMD_TYPE, FIELD(a_type) },
	{ 1, SET(1, a_type, 0xff), LOOM_ERR_CMD_TYPE, FIELD(a_type) },
	{ 8, SET(1, a_type, LOOM_TYPE_Q4_0), LOOM_ERR_CMD_TYPE, FIELD(a_type) },
	{ 10, SET(1, b_type, LOOM_TYPE_F32), LOOM_ERR_CMD_TYPE, FIELD(b_type) },
	{ 10, SET(1, c_type, LOOM_TYPE_I32), LOOM_ERR_CMD_TYPE, FIELD(c_type) },
	{ 10, SET(1, d_type, LOOM_TYPE_I32), LOOM_ERR_CMD_TYPE, FIELD(d_type) },
	{ 1, SET(1, b_type, LOOM_TYPE_F32), LOOM_ERR_CMD_TYPE, FIELD(b_type) },
	{ 6, SET(1, b_type, LOOM_TYPE_Q4_0), LOOM_ERR_CMD_TYPE, FIELD(b_type) },
	{ 2, SET(1, b_type, LOOM_TYPE_BF16), LOOM_ERR_CMD_TYPE, FIELD(b_type) },
	{ 1, SET(1, c_type, LOOM_TYPE_I32), LOOM_ERR_CMD_TYPE, FIELD(c_type) },
	{ 0, SET(1, c_type, LOOM_TYPE_F32), LOOM_ERR_CMD_TYPE, FIELD(c_type) },
	{ 1, SET(1, d_type, LOOM_TYPE_NONE), LOOM_ERR_CMD_TYPE, FIELD(d_type) },
	{ 1, SET(1, d_type, LOOM_TYPE_F8E5M2), LOOM_ERR_CMD_TYPE,
	  FIELD(d_type) },
	{ 0, SET(1, d_type, LOOM_TYPE_F32), LOOM_ERR_CMD_TYPE, FIELD(d_type) },
	{ 0, SET(4, alpha, 0x40000000), LOOM_ERR_CMD_FIELD, FIELD(alpha) },
	{ 1, SET(4, m, BEYOND), LOOM_ERR_CMD_FIELD, FIELD(m) },
	{ 1, SET(4, n, BEYOND), LOOM_ERR_CMD_FIELD, FIELD(n) },
	{ 1, SET(4, k, BEYOND), LOOM_ERR_CMD_FIELD, FIELD(k) },
	{ 8, SET(4, k, 33), LOOM_ERR_CMD_FIELD, FIELD(k) },
	{ 11, SET(4, k, 48), LOOM_ERR_CMD_FIELD, FIELD(k) },
	{ 1, SET(4, batch[0], BEYOND), LOOM_ERR_CMD_FIELD, FIELD(batch[0]) },
	{ 1, SET(4, batch[1], BEYOND), LOOM_ERR_CMD_FIELD, FIELD(batch[1]) },
	{ 1, SET(8, c, 64), LOOM_ERR_CMD_FIELD, FIELD(c) },
	{ 8, SET(8, b_stride[0], 34), LOOM_ERR_CMD_FIELD, FIELD(b_stride) },
	{ 11, SET(8, b_stride[0], 18), LOOM_ERR_CMD_FIELD, FIELD(b_stride) },
	{ 10, SET(8, a_stride[1], 34), LOOM_ERR_CMD_FIELD,
	  FIELD(a_stride[1]) },
	{ 1, SET(8, a, 0x100001), LOOM_ERR_CMD_ALIGN, FIELD(a) },
	{ 7, SET(8, b, 0x100002), LOOM_ERR_CMD_ALIGN, FIELD(b) },
	{ 8, SET(8, b, 0x100001), LOOM_ERR_CMD_ALIGN, FIELD(b) },
	{ 10, SET(8, a, 0x100001), LOOM_ERR_CMD_ALIGN, FIELD(a) },
	{ 10, SET(8, a_stride[0], 35), LOOM_ERR_CMD_ALIGN, FIELD(a_stride[0]) },
	{ 10, SET(8, a_stride[0], 1ull << 46), LOOM_ERR_CMD_RANGE, FIELD(a) },
	{ 1, SET(8, d, 0x100002), LOOM_ERR_CMD_ALIGN, FIELD(d) },
	{ 1, SET(8, a_stride[0], 3), LOOM_ERR_CMD_ALIGN, FIELD(a_stride[0]) },
	{ 1, SET(8, a_stride[3], -1ull), LOOM_ERR_CMD_ALIGN,
	  FIELD(a_stride[3]) },
	{ 9, SET(8, b_stride[1], 17), LOOM_ERR_CMD_ALIGN, FIELD(b_stride[1]) },
	{ 1, SET(8, d_stride[1], 2), LOOM_ERR_CMD_ALIGN, FIELD(d_stride[1]) },
	{ 1, SET(8, a, 1ull << 48), LOOM_ERR_CMD_RANGE, FIELD(a) },
	{ 1, SET(8, b, -64ull), LOOM_ERR_CMD_RANGE, FIELD(b) },
	{ 1, SET(8, d, (1ull << 48) - 64), LOOM_ERR_CMD_RANGE, FIELD(d) },
	{ 1, SET(8, a_stride[0], 1ull << 46), LOOM_ERR_CMD_RANGE, FIELD(a) },
	{ 1, SET(8, a_stride[1], 1ull << 63), LOOM_ERR_CMD_RANGE, FIELD(a) },
	{ 1, SET(8, b_stride[0], -(1ull << 40)), LOOM_ERR_CMD_RANGE, FIELD(b) },
	{ 1, SET(8, d_stride[0], 1ull << 62), LOOM_ERR_CMD_RANGE, FIELD(d) },
	{ 1, SET(4, m, BEYOND - 1), LOOM_ERR_FAULT_UNMAPPED, 0 },
};

#define NUM_MISTAKES	((int)(sizeof(mistakes) / sizeof(mistakes[0])))

START_TEST(test_mistake_is_reported_with_its_field)
{
	const struct mistake *bad = &mistakes[_i];
	struct t_options o = t_plain_options(bad->pair);
	struct t_card *card = t_matmul_card(128);
	struct loom_completion done;
	struct t_problem *p;

	o.m = 8;
	o.n = 8;
	o.k = 64;
	p = t_make_problem(card, &o);
	memcpy((uint8_t *)&p->cmd + bad->offset, &bad->value,
	       (size_t)bad->width);
	t_kernels = loom_matmul_kernels(LOOM_MATMUL_PORTABLE);
	done = t_run_cmds(card, &p->cmd, sizeof(p->cmd));
	ck_assert_uint_eq(done.error, bad->error);
	ck_assert_uint_eq(done.field, bad->field);
	ck_assert_uint_eq(done.opcode, LOOM_OP_MATMUL);
	t_free_problem(p);
	t_card_destroy(card);
}
END_TEST

/* A hole in operand @which, in the second page of the three it has. */
static void check_fault(struct t_card *card, struct t_problem *p, int which,
			bool read_only)
{
	const struct t_operand *op = &p->op[which];
	uint64_t hole = op->va + LOOM_PAGE_SIZE;
	uint64_t *pte = t_pte(card, T_CTX, hole, 0), good = *pte;
	struct loom_completion done;

	*pte = read_only ? good & ~LOOM_PTE_WRITE : 0;
	t_invalidate(card, T_CTX);
	done = t_run_cmds(card, &p->cmd, sizeof(p->cmd));
	ck_assert_uint_eq(done.error, read_only ? LOOM_ERR_FAULT_PERM :
			  LOOM_ERR_FAULT_UNMAPPED);
	ck_assert_uint_eq(done.fault_addr & ~0xfffull, hole);
	ck_assert_uint_eq(done.access, which == D ? LOOM_ACCESS_WRITE :
			  LOOM_ACCESS_READ);
	*pte = good;
	t_invalidate(card, T_CTX);
}

START_TEST(test_hole_in_an_operand_is_a_fault)
{
	struct t_options o = t_plain_options(_i);
	struct t_card *card = t_matmul_card(128);
	struct t_problem *p;

	o.m = 128;
	o.n = 128;
	o.k = 128;
	o.c = o.d;
	p = t_make_problem(card, &o);
	for (int level = 0; level < LOOM_MATMUL_LEVELS; level++) {
		t_kernels = loom_matmul_kernels((enum loom_matmul_level)level);
		for (int which = 0; t_kernels && which < OPERANDS; which++)
			check_fault(card, p, which, false);
		if (t_kernels)
			check_fault(card, p, D, true);
	}
	t_check_problem(p);
	t_free_problem(p);
	t_card_destroy(card);
}
END_TEST

/* A read-only operand is no reason to complain, nor is a gap between rows. */
START_TEST(test_what_is_not_touched_need_not_be_mapped)
{
	struct t_options o = t_plain_options(7);
	struct t_card *card = t_matmul_card(128);
	struct t_problem *p;
	uint64_t *pte;

	t_seed = 7;
	o.m = 2;
	o.n = 2000;
	o.k = 2;
	p = t_make_problem(card, &o);
	for (int i = 0; i < OPERANDS; i++) {
		struct t_operand *op = &p->op[i];

		if (i == C)
			continue;
		free(op->bytes);
		op->stride[0] = 5 * LOOM_PAGE_SIZE;
		t_place_operand(p, op, 4, PLACE_HBM, false);
		t_fill_operand(op, 0);
		t_copy_pages(card, op, op->bytes, true);
		pte = t_pte(card, T_CTX, op->va, 0);
		if (i != D)
			*pte &= ~LOOM_PTE_WRITE;
	}
	p->cmd.a = p->op[A].va;
	p->cmd.b = p->op[B].va;
	p->cmd.d = p->op[D].va;
	p->cmd.a_stride[0] = p->cmd.b_stride[0] = p->cmd.d_stride[0] =
		5 * LOOM_PAGE_SIZE;
	t_invalidate(card, T_CTX);
	t_check_problem(p);
	for (int i = 0; i < OPERANDS; i++)
		if (i != C)
			t_unmap(card, T_CTX,
				p->op[i].va + 3 * LOOM_PAGE_SIZE,
				LOOM_PAGE_SIZE);
	t_invalidate(card, T_CTX);
	for (int level = 0; level < LOOM_MATMUL_LEVELS; level++) {
		struct loom_completion done;

		t_kernels = loom_matmul_kernels((enum loom_matmul_level)level);
		if (!t_kernels)
			continue;
		done = t_run_cmds(card, &p->cmd, sizeof(p->cmd));
		ck_assert_uint_eq(done.error, LOOM_ERR_NONE);
	}
	t_free_problem(p);
	t_card_destroy(card);
}
END_TEST

/* A product that would take years gives way to a reset. */
START_TEST(test_reset_stops_an_endless_product)
{
	struct t_options o = t_plain_options(_i);
	struct t_card *card = t_matmul_card(128);
	struct t_problem *p;
	uint64_t va;

	t_kernels = loom_matmul_kernels(LOOM_MATMUL_PORTABLE);
	o.m = o.n = o.k = 32;
	p = t_make_problem(card, &o);
	p->cmd.m = p->cmd.n = p->cmd.k = 0x7fffffe0;
	memset(p->cmd.a_stride, 0, sizeof(p->cmd.a_stride));
	memset(p->cmd.b_stride, 0, sizeof(p->cmd.b_stride));
	memset(p->cmd.d_stride, 0, sizeof(p->cmd.d_stride));
	if (t_is_block(o.b))
		p->cmd.k = 4096;
	va = t_hbm_alloc(card, sizeof(p->cmd));
	memcpy(t_ptr(card, va), &p->cmd, sizeof(p->cmd));
	t_queue_init(card, 0, T_CTX, 1);
	t_queue_push(card, 0, va, sizeof(p->cmd));
	t_workers_start(card, 1);
	t_doorbell(card, 0);
	while (t_read32(card, LOOM_REG_QUEUE(0, LOOM_QUEUE_STATE)) !=
	       LOOM_QUEUE_STATE_RUNNING)
		;
	t_write32(card, LOOM_REG_QUEUE(0, LOOM_QUEUE_CTRL),
		  LOOM_QUEUE_CTRL_RESET);
	ck_assert_uint_eq(t_read32(card,
				   LOOM_REG_QUEUE(0, LOOM_QUEUE_STATE)),
			  LOOM_QUEUE_STATE_DISABLED);
	t_workers_stop(card);
	t_free_problem(p);
	t_card_destroy(card);
}
END_TEST

#if defined(__x86_64__)
START_TEST(test_the_host_keeps_its_rounding_mode)
{
	struct t_options o = t_plain_options(1);
	struct t_card *card = t_matmul_card(128);
	unsigned int before = __builtin_ia32_stmxcsr();

	o.m = o.n = o.k = 8;
	t_run_options(card, &o);
	ck_assert_uint_eq(__builtin_ia32_stmxcsr() & 0xffc0, before & 0xffc0);
	t_card_destroy(card);
}
END_TEST
#endif

static Suite *matmul_suite(void)
{
	Suite *suite = suite_create("matmul");
	TCase *numbers = tcase_create("numbers");
	TCase *errors = tcase_create("errors");

	tcase_set_timeout(numbers, 60);
	tcase_add_loop_test(numbers, test_random_problems_match_the_reference,
			    0, T_NUM_PAIRS);
	tcase_add_loop_test(numbers, test_scattered_pages_match_the_reference,
			    0, T_NUM_PAIRS);
	tcase_add_loop_test(numbers,
			    test_blocks_of_every_dimension_match_the_reference,
			    0, T_NUM_PAIRS);
	tcase_add_loop_test(numbers, test_few_lines_match_the_reference, 0,
			    T_NUM_PAIRS);
	tcase_add_loop_test(numbers, test_few_lines_along_k_match_the_reference, 0,
			    T_NUM_PAIRS);
	tcase_add_test(numbers,
		       test_long_sums_with_many_lines_match_the_reference);
	tcase_add_test(numbers, test_int8_sums_wrap);
	tcase_add_loop_test(numbers,
			    test_blocks_of_the_most_negative_values, 0, 2);
	tcase_add_loop_test(numbers, test_without_k_the_result_is_c, 0,
			    T_NUM_PAIRS);
	tcase_add_test(numbers, test_empty_problem_touches_nothing);
	tcase_add_test(numbers, test_d_may_be_c);
	tcase_add_loop_test(numbers, test_all_values_of_a_type_convert, 0, 4);
	tcase_add_test(numbers, test_cost_counts_work_and_traffic);
#if defined(__x86_64__)
	tcase_add_test(numbers, test_the_host_keeps_its_rounding_mode);
#endif
	suite_add_tcase(suite, numbers);

	tcase_set_timeout(errors, 60);
	tcase_add_loop_test(errors, test_mistake_is_reported_with_its_field, 0,
			    NUM_MISTAKES);
	tcase_add_loop_test(errors, test_hole_in_an_operand_is_a_fault, 0,
			    T_NUM_PAIRS);
	tcase_add_test(errors, test_what_is_not_touched_need_not_be_mapped);
	tcase_add_loop_test(errors, test_reset_stops_an_endless_product, 0,
			    T_NUM_PAIRS);
	suite_add_tcase(suite, errors);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(matmul_suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
