// SPDX-License-Identifier: MIT
/*
 * DOC: The copy engine
 *
 * Every command is also done element by element, as loom_isa.h words it.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "arena.h"

#define SRC_AT		0		/* windows of the arena */
#define DST_AT		0x60000
#define INDEX_AT	0xc0000

static struct loom_cmd_copy copy(uint8_t mode, uint32_t d0, uint32_t d1,
				 uint32_t d2, uint32_t d3)
{
	return (struct loom_cmd_copy){
		.hdr = t_cmd(LOOM_OP_COPY, sizeof(struct loom_cmd_copy)),
		.mode = mode,
		.dim = { d0, d1, d2, d3 },
	};
}

/* The definition ----------------------------------------------------------- */

static bool is_float(uint32_t type)
{
	return type == LOOM_TYPE_F32 || t_is_small_float(type);
}

static void ref_convert(uint32_t to, void *dst, uint32_t from, const void *src)
{
	if (to == from)
		memcpy(dst, src, t_type_size(to));
	else if (is_float(to) || is_float(from))
		t_store_f32(to, dst, t_load_f32(from, src));
	else
		t_put_int(to, dst, t_get_int(from, src));
}

static uint8_t *ref_at(uint64_t addr, const __s64 *stride, const int64_t *i,
		       unsigned int dims, unsigned int size)
{
	unsigned int d;

	for (d = 0; d < dims; d++)
		addr += (uint64_t)(i[d] * stride[d]);
	if (addr < arena || addr + size > arena + ARENA_SIZE)
		ck_abort_msg("test command leaves its arena");
	return shadow + (addr - arena);
}

static void ref_element(const struct loom_cmd_copy *c, const int64_t *i)
{
	int64_t from[4] = { i[0], i[1], i[2], i[3] };
	int64_t to[4] = { i[0], i[1], i[2], i[3] }, index = 0;
	unsigned int size = t_type_size(c->dst_type);
	uint8_t *dst;

	if (c->index_type)
		index = t_get_int(c->index_type,
				  ref_at(c->index, c->index_stride, i + 1, 3,
					 t_type_size(c->index_type)));
	if (c->mode == LOOM_COPY_GATHER)
		from[1] = index;
	if (c->mode == LOOM_COPY_SCATTER)
		to[1] = index;
	dst = ref_at(c->dst, c->dst_stride, to, 4, size);
	if (c->mode == LOOM_COPY_FILL)
		memcpy(dst, &c->fill, size);
	else
		ref_convert(c->dst_type, dst, c->src_type,
			    ref_at(c->src, c->src_stride, from, 4,
				   t_type_size(c->src_type)));
}

static void ref_run(const struct loom_cmd_copy *c)
{
	int64_t i[4];

	for (i[3] = 0; i[3] < c->dim[3]; i[3]++)
		for (i[2] = 0; i[2] < c->dim[2]; i[2]++)
			for (i[1] = 0; i[1] < c->dim[1]; i[1]++)
				for (i[0] = 0; i[0] < c->dim[0]; i[0]++)
					ref_element(c, i);
}

static void describe(const struct loom_cmd_copy *c)
{
	unsigned int d;

	fprintf(stderr, "mode %u types %u %u %u limit %u\n", c->mode,
		c->src_type, c->dst_type, c->index_type, c->index_limit);
	for (d = 0; d < 4; d++)
		fprintf(stderr, "dim %u: %u src %ld dst %ld\n", d, c->dim[d],
			(long)c->src_stride[d], (long)c->dst_stride[d]);
}

static void run_both(const struct loom_cmd_copy *c)
{
	struct loom_completion done;
	uint32_t at;

	copy_pages(shadow, true);
	done = t_run_cmds(card, c, sizeof(*c));
	if (done.error) {
		describe(c);
		ck_abort_msg("error %u, field %u", done.error, done.field);
	}
	ref_run(c);
	copy_pages(found, false);
	at = first_difference();
	if (at != ARENA_SIZE) {
		describe(c);
		ck_abort_msg("byte %#x is %#x instead of %#x", at, found[at],
			     shadow[at]);
	}
}

/* Random commands ---------------------------------------------------------- */

static void pick_dims(struct loom_cmd_copy *c)
{
	static const uint32_t sizes[] = { 1, 2, 3, 7, 16, 64, 100, 513, 1500 };
	uint32_t room = 4000, k, first = pick(4);

	for (k = 0; k < 4; k++) {
		uint32_t *dim = &c->dim[(first + k) % 4];
		uint32_t n = sizes[pick(sizeof(sizes) / sizeof(*sizes))];

		*dim = pick(3) ? 1 + (n - 1) % room : 1;
		room /= *dim;
	}
	if (!pick(30))
		c->dim[pick(4)] = 0;
}

/* Nested in random order; some gaps, backwards steps, and broadcasts. */
static uint64_t pick_strides(const uint32_t *dim, unsigned int dims,
			     __s64 *stride, uint32_t size, bool broadcast)
{
	uint32_t first = pick(2) ? 0 : pick(dims), k, d;
	uint64_t step = size, addr = 0;

	for (k = 0; k < dims; k++) {
		d = (first + k) % dims;
		stride[d] = (int64_t)step;
		if (broadcast && !pick(5)) {
			stride[d] = 0;
			continue;
		}
		step *= dim[d] ? dim[d] : 1;
		if (!pick(4))
			step += size;
		if (!pick(6) && dim[d]) {
			addr += (dim[d] - 1) * (uint64_t)stride[d];
			stride[d] = -stride[d];
		}
	}
	return addr;
}

static void pick_indices(struct loom_cmd_copy *c)
{
	uint64_t n = 0x30000 / 8;
	uint32_t i;

	c->index_type = pick(2) ? LOOM_TYPE_I32 : LOOM_TYPE_I64;
	c->index_limit = 1 + pick(8);
	c->index = arena + INDEX_AT +
		   pick_strides(c->dim + 1, 3, c->index_stride,
				t_type_size(c->index_type), true);
	for (i = 0; i < n; i++) {
		uint8_t *p = shadow + INDEX_AT +
			     i * t_type_size(c->index_type);

		t_put_int(c->index_type, p, pick(c->index_limit));
	}
}

static struct loom_cmd_copy random_command(void)
{
	struct loom_cmd_copy c = copy(pick(4), 1, 1, 1, 1);
	uint32_t src_dim[4], dst_dim[4];

	pick_dims(&c);
	c.dst_type = LOOM_TYPE_F32 + pick(10);
	if (c.mode == LOOM_COPY_FILL)
		c.fill = t_random(&seed);
	else
		c.src_type = pick(2) ? c.dst_type : LOOM_TYPE_F32 + pick(10);
	if (c.mode >= LOOM_COPY_GATHER)
		pick_indices(&c);
	memcpy(src_dim, c.dim, sizeof(c.dim));
	memcpy(dst_dim, c.dim, sizeof(c.dim));
	if (c.mode == LOOM_COPY_GATHER)
		src_dim[1] = c.index_limit;
	if (c.mode == LOOM_COPY_SCATTER)
		dst_dim[1] = c.index_limit;
	c.dst = arena + DST_AT + pick_strides(dst_dim, 4, c.dst_stride,
					      t_type_size(c.dst_type), true);
	if (c.src_type)
		c.src = arena + SRC_AT + pick_strides(src_dim, 4, c.src_stride,
				t_type_size(c.src_type), true);
	return c;
}

START_TEST(test_random_commands_do_as_their_words_say)
{
	struct loom_cmd_copy c;
	unsigned int i;

	seed = (uint64_t)_i;
	for (i = 0; i < 60; i++) {
		randomize(0, ARENA_SIZE / 4);
		c = random_command();
		run_both(&c);
	}
}
END_TEST

START_TEST(test_every_pair_of_types)
{
	struct loom_cmd_copy c = copy(LOOM_COPY_COPY, 3000, 1, 1, 1);
	uint8_t from, to;

	for (from = LOOM_TYPE_F32; from <= LOOM_TYPE_I64; from++) {
		for (to = LOOM_TYPE_F32; to <= LOOM_TYPE_I64; to++) {
			c.src_type = from;
			c.dst_type = to;
			c.src = arena + SRC_AT;
			c.dst = arena + DST_AT;
			c.src_stride[0] = t_type_size(from);
			c.dst_stride[0] = t_type_size(to);
			randomize(0, ARENA_SIZE / 4);
			run_both(&c);
		}
	}
}
END_TEST

/* Large pieces, transposed both ways, more than one of them at once */
START_TEST(test_transposition)
{
	struct loom_cmd_copy c = copy(LOOM_COPY_COPY, 150, 131, 4, 1);
	int64_t size;
	uint8_t type;

	for (type = LOOM_TYPE_F32; type <= LOOM_TYPE_I32; type++) {
		size = t_type_size(type);
		c.src_type = c.dst_type = type;
		c.src = arena + SRC_AT;
		c.dst = arena + DST_AT;
		c.src_stride[0] = 132 * size;
		c.src_stride[1] = size;
		c.src_stride[2] = 150 * 132 * size;
		c.dst_stride[0] = size;
		c.dst_stride[1] = 151 * size;
		c.dst_stride[2] = 131 * 151 * size;
		randomize(0, ARENA_SIZE / 4);
		run_both(&c);

		c.src_stride[0] = size;
		c.src_stride[1] = 150 * size;
		c.dst_stride[0] = 131 * size;
		c.dst_stride[1] = size;
		randomize(0, ARENA_SIZE / 4);
		run_both(&c);
	}
}
END_TEST

/* Elements that several others hit: the last one in order stays. */
START_TEST(test_overlapping_destination_is_written_in_order)
{
	struct loom_cmd_copy c = copy(LOOM_COPY_COPY, 64, 50, 2, 1);

	c.src_type = c.dst_type = LOOM_TYPE_I32;
	c.src = arena + SRC_AT;
	c.dst = arena + DST_AT;
	memcpy(c.src_stride, (__s64 []){ 4 * 50, 4, 4 * 64 * 50, 0 }, 32);
	memcpy(c.dst_stride, (__s64 []){ 4, 20, 80, 0 }, 32);
	randomize(0, ARENA_SIZE / 8);
	run_both(&c);
}
END_TEST

START_TEST(test_large_copy_and_fill)
{
	struct loom_cmd_copy c = t_copy_bytes(arena + 0x80000, arena, 0x7ff01);
	struct loom_cmd_copy f = copy(LOOM_COPY_FILL, 0x40001, 1, 1, 1);

	randomize(0, ARENA_SIZE / 4);
	run_both(&c);
	f.dst_type = LOOM_TYPE_F16;
	f.dst = arena + 2;
	f.dst_stride[0] = 2;
	f.fill = 0x3c00;
	run_both(&f);
}
END_TEST

/* The last of several rows with the same index stays. */
START_TEST(test_scatter_writes_in_order)
{
	struct loom_cmd_copy c = copy(LOOM_COPY_SCATTER, 4, 1000, 1, 1);
	uint32_t i, *words = (uint32_t *)shadow;

	c.src_type = c.dst_type = LOOM_TYPE_I32;
	c.index_type = LOOM_TYPE_I32;
	c.src = arena + SRC_AT;
	c.dst = arena + DST_AT;
	c.index = arena + INDEX_AT;
	c.src_stride[0] = c.dst_stride[0] = c.index_stride[0] = 4;
	c.src_stride[1] = c.dst_stride[1] = 16;
	c.index_limit = 7;
	for (i = 0; i < 4000; i++)
		words[i] = i;
	for (i = 0; i < 1000; i++)
		words[INDEX_AT / 4 + i] = i % 7;
	run_both(&c);
	ck_assert_uint_eq(((uint32_t *)(found + DST_AT))[0], 994 * 4);
}
END_TEST

START_TEST(test_bytes_are_counted)
{
	struct loom_cmd_copy c = copy(LOOM_COPY_COPY, 1000, 1, 1, 1);
	uint64_t rd = t_perf(card, LOOM_PERF_HBM_RD_BYTES);
	uint64_t wr = t_perf(card, LOOM_PERF_HBM_WR_BYTES);

	c.src_type = LOOM_TYPE_F32;
	c.dst_type = LOOM_TYPE_BF16;
	c.src = arena;
	c.dst = arena + DST_AT;
	c.src_stride[0] = 4;
	c.dst_stride[0] = 2;
	run_both(&c);
	ck_assert_uint_ge(t_perf(card, LOOM_PERF_HBM_RD_BYTES) - rd, 4000);
	ck_assert_uint_eq(t_perf(card, LOOM_PERF_HBM_WR_BYTES) - wr, 2000);
}
END_TEST

/* Mistakes ----------------------------------------------------------------- */

#define AT(member)	offsetof(struct loom_cmd_copy, member)

static struct loom_cmd_copy valid_gather(void)
{
	struct loom_cmd_copy c = copy(LOOM_COPY_GATHER, 4, 3, 2, 2);

	c.src_type = c.dst_type = LOOM_TYPE_F32;
	c.index_type = LOOM_TYPE_I32;
	c.src = arena;
	c.dst = arena + DST_AT;
	c.index = arena + INDEX_AT;
	memcpy(c.src_stride, (__s64 []){ 4, 16, 64, 256 }, 32);
	memcpy(c.dst_stride, (__s64 []){ 4, 16, 64, 256 }, 32);
	memcpy(c.index_stride, (__s64 []){ 4, 12, 24 }, 24);
	c.index_limit = 100;
	return c;
}

static struct loom_cmd_copy valid_fill(void)
{
	struct loom_cmd_copy c = copy(LOOM_COPY_FILL, 4, 1, 1, 1);

	c.dst_type = LOOM_TYPE_F32;
	c.dst = arena;
	c.dst_stride[0] = 4;
	return c;
}

static void expect(const struct loom_cmd_copy *c, uint32_t error, size_t field)
{
	struct loom_completion done = t_run_cmds(card, c, sizeof(*c));

	if (done.error != error || done.field != field)
		ck_abort_msg("error %u field %u instead of error %u field %zu",
			     done.error, done.field, error, field);
}

#define REJECT(kind, edit, error, field)			\
	do {							\
		struct loom_cmd_copy c = valid_##kind();	\
		edit;						\
		expect(&c, LOOM_ERR_##error, field);		\
	} while (0)

START_TEST(test_bad_commands_are_rejected)
{
	REJECT(gather, c.mode = 4, CMD_FIELD, AT(mode));
	REJECT(gather, c.reserved0 = 1, CMD_RESERVED, AT(reserved0));
	REJECT(gather, c.reserved[6] = 1, CMD_RESERVED, AT(reserved[6]));
	REJECT(gather, c.src_type = 0, CMD_TYPE, AT(src_type));
	REJECT(gather, c.src_type = LOOM_TYPE_Q8_0, CMD_TYPE, AT(src_type));
	REJECT(gather, c.dst_type = 77, CMD_TYPE, AT(dst_type));
	REJECT(gather, c.index_type = 0, CMD_TYPE, AT(index_type));
	REJECT(gather, c.index_type = LOOM_TYPE_I16, CMD_TYPE, AT(index_type));
	REJECT(gather, c.mode = LOOM_COPY_COPY; c.index = 0, CMD_TYPE,
	       AT(index_type));
	REJECT(gather, c.mode = LOOM_COPY_COPY; c.index_type = 0, CMD_FIELD,
	       AT(index));
	REJECT(fill, c.src = 64, CMD_FIELD, AT(src));
	REJECT(fill, c.src_type = LOOM_TYPE_F32, CMD_TYPE, AT(src_type));
}
END_TEST

START_TEST(test_unaligned_tensors_are_rejected)
{
	REJECT(gather, c.src += 2, CMD_ALIGN, AT(src));
	REJECT(gather, c.dst += 1, CMD_ALIGN, AT(dst));
	REJECT(gather, c.index += 2, CMD_ALIGN, AT(index));
	REJECT(gather, c.src_stride[3] = 6, CMD_ALIGN, AT(src_stride[3]));
	REJECT(gather, c.dst_stride[0] = -2, CMD_ALIGN, AT(dst_stride[0]));
	REJECT(gather, c.index_stride[1] = 1, CMD_ALIGN, AT(index_stride[1]));
}
END_TEST

START_TEST(test_tensors_outside_the_address_space_are_rejected)
{
	REJECT(gather, c.src = 1ull << 48, CMD_RANGE, AT(src));
	REJECT(gather, c.dst = -4ull, CMD_RANGE, AT(dst));
	REJECT(gather, c.dst_stride[3] = INT64_MIN, CMD_RANGE, AT(dst));
	REJECT(gather, c.index_stride[0] = 1ll << 47, CMD_RANGE, AT(index));
	REJECT(gather, c.src_stride[1] = 1ll << 42, CMD_RANGE, AT(src));
	REJECT(fill, c.dim[3] = ~0u; c.dst_stride[3] = 1ll << 40, CMD_RANGE,
	       AT(dst));
	REJECT(fill, c.dst = 0; c.dst_stride[0] = -4, CMD_RANGE, AT(dst));
}
END_TEST

static void expect_bad_index(uint8_t type, int64_t value, uint32_t limit)
{
	struct loom_cmd_copy c = valid_gather();

	memset(shadow, 0, ARENA_SIZE);
	t_put_int(type, shadow + INDEX_AT + 3 * t_type_size(type), value);
	copy_pages(shadow, true);
	c.index_type = type;
	c.index_stride[0] = t_type_size(type);
	c.index_stride[1] = 3 * t_type_size(type);
	c.index_stride[2] = 6 * t_type_size(type);
	c.index_limit = limit;
	expect(&c, LOOM_ERR_INDEX, AT(index));
	c.mode = LOOM_COPY_SCATTER;
	expect(&c, LOOM_ERR_INDEX, AT(index));
}

START_TEST(test_indices_are_checked)
{
	expect_bad_index(LOOM_TYPE_I32, 100, 100);
	expect_bad_index(LOOM_TYPE_I32, -1, 100);
	expect_bad_index(LOOM_TYPE_I32, INT32_MIN, ~0u);
	expect_bad_index(LOOM_TYPE_I64, 1ll << 32, 100);
	expect_bad_index(LOOM_TYPE_I64, INT64_MIN, 100);
	expect_bad_index(LOOM_TYPE_I64, 0, 0);
}
END_TEST

START_TEST(test_faults_name_the_address)
{
	uint64_t va = 0x600000000000, hbm = t_hbm_alloc(card, 4096);
	struct loom_cmd_copy c = t_copy_bytes(arena, va, 5000);
	struct loom_completion done;

	t_map(card, T_CTX, va, LOOM_KIND_HBM, hbm, 4096, false);
	done = t_run_cmds(card, &c, sizeof(c));
	ck_assert_uint_eq(done.error, LOOM_ERR_FAULT_UNMAPPED);
	ck_assert_uint_eq(done.fault_addr, va + 4096);
	ck_assert_uint_eq(done.access, LOOM_ACCESS_READ);

	c = t_copy_bytes(va, arena, 5000);
	done = t_run_cmds(card, &c, sizeof(c));
	ck_assert_uint_eq(done.error, LOOM_ERR_FAULT_PERM);
	ck_assert_uint_eq(done.fault_addr, va);
	ck_assert_uint_eq(done.access, LOOM_ACCESS_WRITE);
}
END_TEST

START_TEST(test_extent_zero_does_nothing)
{
	struct loom_cmd_copy c = valid_gather();
	unsigned int d;

	for (d = 0; d < 4; d++) {
		c = valid_gather();
		c.dim[d] = 0;
		c.src = c.dst = c.index = 0xdead0000;
		expect(&c, LOOM_ERR_NONE, 0);
	}
}
END_TEST

static Suite *copy_suite(void)
{
	Suite *s = suite_create("copy");
	TCase *tc = tcase_create("copy");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_random_commands_do_as_their_words_say, 0,
			    6);
	tcase_add_test(tc, test_every_pair_of_types);
	tcase_add_test(tc, test_transposition);
	tcase_add_test(tc, test_overlapping_destination_is_written_in_order);
	tcase_add_test(tc, test_large_copy_and_fill);
	tcase_add_test(tc, test_scatter_writes_in_order);
	tcase_add_test(tc, test_bytes_are_counted);
	tcase_add_test(tc, test_extent_zero_does_nothing);
	suite_add_tcase(s, tc);

	tc = tcase_create("scattered memory");
	tcase_add_checked_fixture(tc, setup_scattered, teardown);
	tcase_add_loop_test(tc, test_random_commands_do_as_their_words_say, 6,
			    9);
	tcase_add_test(tc, test_transposition);
	tcase_add_test(tc, test_large_copy_and_fill);
	suite_add_tcase(s, tc);

	tc = tcase_create("mistakes");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_bad_commands_are_rejected);
	tcase_add_test(tc, test_unaligned_tensors_are_rejected);
	tcase_add_test(tc, test_tensors_outside_the_address_space_are_rejected);
	tcase_add_test(tc, test_indices_are_checked);
	tcase_add_test(tc, test_faults_name_the_address);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(copy_suite());
	int failed;

	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
