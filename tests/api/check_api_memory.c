// SPDX-License-Identifier: MIT
/* Buffer objects. */
#include <stdlib.h>
#include <unistd.h>

#include "api.h"

static const enum accel_placement placements[] = { ACCEL_HBM, ACCEL_HOST };

START_TEST(test_create_rounds_up_and_zeroes)
{
	enum accel_placement placement = placements[_i];
	uint8_t bytes[5000] = { 1 };
	struct accel_bo *bo;
	struct t_api t;
	unsigned int i;

	t_open(&t);
	bo = t_bo(&t, 4097, placement);
	ck_assert_uint_eq(accel_bo_size(bo), 8192);
	ck_assert_uint_eq(accel_bo_va(bo) % 4096, 0);
	ck_assert_uint_ne(accel_bo_va(bo), 0);
	t_ok(accel_bo_read(bo, 0, bytes, sizeof(bytes)));
	for (i = 0; i < sizeof(bytes); i++)
		ck_assert_uint_eq(bytes[i], 0);
	accel_bo_destroy(bo);
	t_close(&t);
}
END_TEST

START_TEST(test_memory_is_zeroed_again_after_reuse)
{
	enum accel_placement placement = placements[_i];
	static const uint64_t sizes[] = { 4096, 1 << 16, 3 << 20 };
	struct accel_bo *bo;
	struct t_api t;
	unsigned int i;
	uint32_t *p;
	void *map;

	t_open(&t);
	for (i = 0; i < 6; i++) {
		bo = t_bo(&t, sizes[i / 2], placement);
		t_ok(accel_bo_map(bo, &map));
		p = map;
		ck_assert_uint_eq(p[0], 0);
		ck_assert_uint_eq(p[sizes[i / 2] / 4 - 1], 0);
		memset(p, 0xff, sizes[i / 2]);
		accel_bo_destroy(bo);
	}
	t_close(&t);
}
END_TEST

START_TEST(test_bad_sizes_and_placements_are_refused)
{
	struct accel_bo *bo;
	struct t_api t;

	t_open(&t);
	t_err(-EINVAL, accel_bo_create(t.dev, 0, ACCEL_HBM, &bo));
	t_err(-EINVAL, accel_bo_create(t.dev, UINT64_MAX, ACCEL_HBM, &bo));
	t_err(-EINVAL, accel_bo_create(t.dev, 4096, 3, &bo));
	t_says("placement 3");
	t_hints("ACCEL_HOST");
	t_close(&t);
}
END_TEST

START_TEST(test_too_much_hbm_says_how_much_there_is)
{
	struct accel_memory_info mem = { .size = sizeof(mem) };
	struct accel_bo *bo;
	struct t_api t;

	t_open(&t);
	t_ok(accel_device_memory(t.dev, &mem));
	t_err(-ENOSPC, accel_bo_create(t.dev, mem.hbm_total + 4096, ACCEL_HBM,
				       &bo));
	t_says("not enough HBM");
	t_says("in use");
	/* The failure leaves nothing behind. */
	bo = t_bo(&t, 1 << 20, ACCEL_HBM);
	accel_bo_destroy(bo);
	t_close(&t);
}
END_TEST

/*
 * Memory of an object that is gone is in use until the card's last work with it is
 * over, its clearing for one, which nobody waits for.
 */
static void wait_for_memory(struct accel_device *dev, uint64_t hbm,
			    uint64_t system)
{
	struct accel_memory_info mem = { .size = sizeof(mem) };
	int i;

	for (i = 0; i < 500; i++) {
		t_ok(accel_device_memory(dev, &mem));
		if (mem.hbm_used < hbm && mem.system_used <= system)
			return;
		usleep(10000);
	}
	ck_assert_uint_lt(mem.hbm_used, hbm);
	ck_assert_uint_le(mem.system_used, system);
}

/* Memory in use, once what programs before us had is on its way out no longer. */
static struct accel_memory_info settled_memory(struct accel_device *dev)
{
	struct accel_memory_info now = { .size = sizeof(now) }, last;
	int quiet, tries = 500;

	t_ok(accel_device_memory(dev, &now));
	for (quiet = 0; quiet < 20 && tries; quiet++, tries--) {
		last = now;
		usleep(10000);
		t_ok(accel_device_memory(dev, &now));
		if (memcmp(&now, &last, sizeof(now)))
			quiet = 0;
	}
	return now;
}

START_TEST(test_memory_info_follows_allocation)
{
	struct accel_memory_info now = { .size = sizeof(now) }, before;
	struct accel_bo *hbm, *host;
	struct t_api t;

	t_open(&t);
	before = settled_memory(t.dev);
	ck_assert_uint_ge(before.hbm_total, 16u << 20);
	hbm = t_bo(&t, 8 << 20, ACCEL_HBM);
	host = t_bo(&t, 1 << 20, ACCEL_HOST);
	t_ok(accel_device_memory(t.dev, &now));
	ck_assert_uint_ge(now.hbm_used, before.hbm_used + (8u << 20));
	ck_assert_uint_ge(now.system_used, before.system_used + (1u << 20));
	accel_bo_destroy(hbm);
	accel_bo_destroy(host);
	wait_for_memory(t.dev, before.hbm_used + (8u << 20), before.system_used);
	t_close(&t);
}
END_TEST

START_TEST(test_read_write_and_map_agree)
{
	enum accel_placement placement = placements[_i];
	const char text[] = "across a page";
	char back[sizeof(text)];
	struct accel_bo *bo;
	struct t_api t;
	void *map, *again;

	t_open(&t);
	bo = t_bo(&t, 8192, placement);
	t_ok(accel_bo_write(bo, 4090, text, sizeof(text)));
	t_ok(accel_bo_map(bo, &map));
	t_ok(accel_bo_map(bo, &again));
	ck_assert_ptr_eq(map, again);
	ck_assert_str_eq((char *)map + 4090, text);
	((char *)map)[4090] = 'A';
	t_ok(accel_bo_read(bo, 4090, back, sizeof(back)));
	ck_assert_str_eq(back, "Across a page");
	accel_bo_destroy(bo);
	t_close(&t);
}
END_TEST

START_TEST(test_access_beyond_the_end_is_refused)
{
	struct accel_bo *bo;
	struct t_api t;
	char c = 0;

	t_open(&t);
	bo = t_bo(&t, 4096, ACCEL_HOST);
	t_ok(accel_bo_write(bo, 4095, &c, 1));
	t_ok(accel_bo_write(bo, 4096, &c, 0));
	t_err(-ERANGE, accel_bo_write(bo, 4096, &c, 1));
	t_err(-ERANGE, accel_bo_read(bo, 1, &c, 4096));
	t_err(-ERANGE, accel_bo_read(bo, UINT64_MAX, &c, 2));
	t_err(-ERANGE, accel_bo_read(bo, 1, &c, UINT64_MAX));
	t_says("4096 bytes");
	accel_bo_destroy(bo);
	t_close(&t);
}
END_TEST

START_TEST(test_objects_do_not_overlap)
{
	enum { NUM = 40 };
	struct accel_bo *bo[NUM];
	struct t_api t;
	unsigned int i, j;

	t_open(&t);
	/* Free every third in between, so that addresses are used again. */
	for (i = 0; i < NUM; i++) {
		bo[i] = t_bo(&t, 4096 * (1 + i % 7), placements[i % 2]);
		if (i % 3 == 2) {
			accel_bo_destroy(bo[i - 1]);
			bo[i - 1] = t_bo(&t, 4096, ACCEL_HBM);
		}
	}
	for (i = 0; i < NUM; i++)
		for (j = 0; j < i; j++)
			ck_assert(accel_bo_va(bo[i]) >= accel_bo_va(bo[j]) +
						accel_bo_size(bo[j]) ||
				  accel_bo_va(bo[j]) >= accel_bo_va(bo[i]) +
						accel_bo_size(bo[i]));
	for (i = 0; i < NUM; i++)
		accel_bo_destroy(bo[i]);
	t_close(&t);
}
END_TEST

START_TEST(test_card_sees_what_the_cpu_wrote_and_back)
{
	struct accel_bo *src, *dst;
	int32_t value = 4711;
	struct t_api t;
	uint32_t n = (3 << 20) / 4;

	t_open(&t);
	src = t_bo(&t, 3 << 20, placements[_i & 1]);
	dst = t_bo(&t, 3 << 20, placements[_i >> 1]);
	t_ok(accel_bo_write(src, (n - 1) * 4, &value, 4));
	t_copy(t.cb, accel_bo_va(dst), accel_bo_va(src), n);
	t_run(&t);
	ck_assert_int_eq(t_get(dst, n - 1), value);
	ck_assert_int_eq(t_get(dst, n - 2), 0);
	accel_bo_destroy(src);
	accel_bo_destroy(dst);
	t_close(&t);
}
END_TEST

START_TEST(test_command_buffer_is_patched_and_bounded)
{
	struct accel_device_info info = { .size = sizeof(info) };
	struct loom_cmd_nop nop = { .hdr.tag = 1 };
	struct t_api t;
	uint32_t tag = 9;

	t_open(&t);
	t_ok(accel_device_query(t.dev, &info));
	ck_assert_uint_eq(accel_cmdbuf_size(t.cb), 0);
	ck_assert_ptr_null(accel_cmdbuf_data(t.cb));
	t_raw(t.cb, LOOM_OP_NOP, &nop, sizeof(nop));
	t_ok(accel_cmdbuf_patch(t.cb, offsetof(struct loom_cmd, tag), &tag, 4));
	ck_assert_uint_eq(((const struct loom_cmd *)
			   accel_cmdbuf_data(t.cb))->tag, 9);
	t_err(-ERANGE, accel_cmdbuf_patch(t.cb, 61, &tag, 4));
	t_err(-ERANGE, accel_cmdbuf_patch(t.cb, 65, &tag, 0));
	t_ok(accel_cmdbuf_patch(t.cb, 64, &tag, 0));
	while (accel_cmdbuf_size(t.cb) < info.max_cmd_bytes)
		t_ok(accel_cmd_nop(t.cb));
	t_err(-E2BIG, accel_cmd_nop(t.cb));
	t_hints("several command buffers");
	accel_cmdbuf_reset(t.cb);
	t_ok(accel_cmd_nop(t.cb));
	ck_assert_uint_eq(accel_cmdbuf_size(t.cb), 64);
	t_close(&t);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("api_memory");
	TCase *tc = tcase_create("memory");

	tcase_set_timeout(tc, 300);
	tcase_add_loop_test(tc, test_create_rounds_up_and_zeroes, 0, 2);
	tcase_add_loop_test(tc, test_memory_is_zeroed_again_after_reuse, 0, 2);
	tcase_add_test(tc, test_bad_sizes_and_placements_are_refused);
	tcase_add_test(tc, test_too_much_hbm_says_how_much_there_is);
	tcase_add_test(tc, test_memory_info_follows_allocation);
	tcase_add_loop_test(tc, test_read_write_and_map_agree, 0, 2);
	tcase_add_test(tc, test_access_beyond_the_end_is_refused);
	tcase_add_test(tc, test_objects_do_not_overlap);
	tcase_add_loop_test(tc, test_card_sees_what_the_cpu_wrote_and_back, 0, 4);
	tcase_add_test(tc, test_command_buffer_is_patched_and_bounded);
	suite_add_tcase(s, tc);
	return t_main(s);
}
