// SPDX-License-Identifier: MIT
/* What goes wrong on the card: who is told, in which words, who goes on. */
#include <stdlib.h>

#include "api.h"

/* Submit the buffer and expect it to fail with these words. */
static void run_bad(struct t_api *t, struct accel_queue *q, const char *says)
{
	uint64_t point;

	t_ok(accel_submit(q, t->cb, &point));
	t_err(-EIO, accel_wait(q, point, LONG));
	t_says(says);
	ck_assert_str_eq(accel_last_error()->function, "accel_wait");
	accel_cmdbuf_reset(t->cb);
}

/* Two commands that are well, so that the third is at fault. */
static void record_two(struct accel_cmdbuf *cb)
{
	t_ok(accel_cmd_nop(cb));
	t_ok(accel_cmd_fence(cb));
}

static void bad_type(struct accel_cmdbuf *cb)
{
	struct loom_cmd_matmul mm = t_matmul(0x200000, 0x200000, 0x200000, 1, 1, 1);

	mm.b_type = LOOM_TYPE_I8;
	t_raw(cb, LOOM_OP_MATMUL, &mm, sizeof(mm));
}

static void bad_mode(struct accel_cmdbuf *cb)
{
	const struct loom_cmd_copy copy = { .mode = 9 };

	t_raw(cb, LOOM_OP_COPY, &copy, sizeof(copy));
}

static void bad_reserved(struct accel_cmdbuf *cb)
{
	const struct loom_cmd_nop nop = { .reserved = { 0, 0, 0, 1 } };

	t_raw(cb, LOOM_OP_NOP, &nop, sizeof(nop));
}

static void bad_flags(struct accel_cmdbuf *cb)
{
	const struct loom_cmd_nop nop = { .hdr.flags = 1u << 31 };

	t_raw(cb, LOOM_OP_NOP, &nop, sizeof(nop));
}

static void bad_event(struct accel_cmdbuf *cb)
{
	const struct loom_cmd_event event = { .event = LOOM_NUM_EVENTS };

	t_raw(cb, LOOM_OP_EVENT, &event, sizeof(event));
}

static void bad_opcode(struct accel_cmdbuf *cb)
{
	const struct loom_cmd_nop nop = { 0 };

	t_raw(cb, 0x7f, &nop, sizeof(nop));
}

static void bad_size(struct accel_cmdbuf *cb)
{
	const struct loom_cmd_copy copy = { 0 };

	t_raw(cb, LOOM_OP_COPY, &copy, 64);
}

static void bad_align(struct accel_cmdbuf *cb)
{
	const struct loom_cmd_timestamp ts = { .addr = 0x200004 };

	t_raw(cb, LOOM_OP_TIMESTAMP, &ts, sizeof(ts));
}

static void bad_range(struct accel_cmdbuf *cb)
{
	const struct loom_cmd_copy fill = {
		.mode = LOOM_COPY_FILL, .dst_type = LOOM_TYPE_I32,
		.dim = { 1u << 31, 1, 1, 1 }, .dst = 0x200000,
		.dst_stride = { 1 << 20 },
	};

	t_raw(cb, LOOM_OP_COPY, &fill, sizeof(fill));
}

static const struct {
	struct loom_cmd_vector cmd;
	struct loom_vec_operand operand;
	struct loom_vec_insn insn[4];
} vector = {
	.cmd = { .num_operands = 1, .num_insns = 4, .dim = { 8, 1, 1, 1 } },
	.operand = { .addr = 0x200000, .type = LOOM_TYPE_F32, .stride = { 4 } },
	.insn = {
		{ .op = LOOM_VEC_LOOP },
		{ .op = LOOM_VEC_LD, .dst = 0 },
		{ .op = LOOM_VEC_ST, .a = 0 },
		{ .op = LOOM_VEC_END },
	},
};

static void bad_operand(struct accel_cmdbuf *cb)
{
	uint64_t bytes[sizeof(vector) / 8];

	memcpy(bytes, &vector, sizeof(vector));
	((struct loom_vec_operand *)((struct loom_cmd_vector *)bytes + 1))->
		stride[2] = 3;
	t_raw(cb, LOOM_OP_VECTOR, bytes, sizeof(bytes));
}

static void bad_insn(struct accel_cmdbuf *cb)
{
	uint64_t bytes[sizeof(vector) / 8];
	struct loom_vec_insn *insn;

	memcpy(bytes, &vector, sizeof(vector));
	insn = (void *)((char *)bytes + sizeof(vector) - sizeof(vector.insn));
	insn[2].a = 0x70;
	t_raw(cb, LOOM_OP_VECTOR, bytes, sizeof(bytes));
}

static const struct {
	void (*record)(struct accel_cmdbuf *cb);
	const char *says;
	uint32_t error;
} bad[] = {
	{ bad_type, "command 2 (MATMUL), field b_type: ", LOOM_ERR_CMD_TYPE },
	{ bad_mode, "command 2 (COPY), field mode: ", LOOM_ERR_CMD_FIELD },
	{ bad_reserved, "command 2 (NOP), field reserved[3]: ",
	  LOOM_ERR_CMD_RESERVED },
	{ bad_flags, "command 2 (NOP), field flags: ", LOOM_ERR_CMD_RESERVED },
	{ bad_event, "command 2 (EVENT), field event: ", LOOM_ERR_EVENT },
	{ bad_opcode, "command 2 (?), field opcode: ", LOOM_ERR_CMD_OPCODE },
	{ bad_size, "command 2 (COPY), field size64: ", LOOM_ERR_CMD_SIZE },
	{ bad_align, "command 2 (TIMESTAMP), field addr: ", LOOM_ERR_CMD_ALIGN },
	{ bad_range, "command 2 (COPY), field dst: ", LOOM_ERR_CMD_RANGE },
	{ bad_operand, "command 2 (VECTOR), field operand[0].stride[2]: ",
	  LOOM_ERR_CMD_ALIGN },
	{ bad_insn, "command 2 (VECTOR), field insn[2].a: ",
	  LOOM_ERR_VEC_OPERAND },
};

START_TEST(test_malformed_command_is_explained)
{
	struct accel_queue_status st = { .size = sizeof(st) };
	struct t_api t;

	t_open(&t);
	record_two(t.cb);
	bad[_i].record(t.cb);
	run_bad(&t, t.q, bad[_i].says);

	t_ok(accel_queue_status(t.q, &st));
	ck_assert_uint_eq(st.failed, 1);
	ck_assert_uint_eq(st.error, bad[_i].error);
	ck_assert_uint_eq(st.cmd_index, 2);
	ck_assert_uint_eq(st.cmd_offset, 128);
	ck_assert_uint_eq(st.job, 1);
	ck_assert(strstr(st.text, bad[_i].says) == st.text);
	t_close(&t);
}
END_TEST

START_TEST(test_hint_shows_the_value)
{
	struct t_api t;

	t_open(&t);
	record_two(t.cb);
	bad_type(t.cb);
	run_bad(&t, t.q, "field b_type");
	t_hints("b_type (type of B) is i8");
	t_close(&t);
}
END_TEST

START_TEST(test_failed_queue_refuses_and_others_go_on)
{
	struct accel_queue *good;
	struct accel_bo *bo;
	struct t_api t;
	uint64_t before, failed, after, point;

	t_open(&t);
	good = t_queue(&t);
	bo = t_bo(&t, 4096, ACCEL_HBM);
	t_ok(accel_cmd_nop(t.cb));
	t_ok(accel_submit(t.q, t.cb, &before));
	t_ok(accel_wait(t.q, before, LONG));
	accel_cmdbuf_reset(t.cb);

	bad_mode(t.cb);
	t_ok(accel_submit(t.q, t.cb, &failed));
	/* It may have failed by now: then this is refused, which is as good. */
	if (accel_submit(t.q, t.cb, &after))
		after = 0;
	t_err(-EIO, accel_wait(t.q, failed, LONG));
	t_ok(accel_wait(t.q, before, 0));
	if (after) {
		t_err(-ECANCELED, accel_wait(t.q, after, LONG));
		t_says("work before it failed");
	}
	t_err(-ECANCELED, accel_submit(t.q, t.cb, &point));
	t_says("field mode");
	t_hints("make another");

	accel_cmdbuf_reset(t.cb);
	t_fill(t.cb, accel_bo_va(bo), 1, 3);
	t_ok(accel_submit(good, t.cb, &point));
	t_ok(accel_wait(good, point, LONG));
	ck_assert_int_eq(t_get(bo, 0), 3);
	accel_bo_destroy(bo);
	accel_queue_destroy(good);
	t_close(&t);
}
END_TEST

START_TEST(test_first_job_of_a_submission_fails_the_point)
{
	struct accel_cmdbuf *good, *cbs[2];
	struct accel_submit_info info = {
		.size = sizeof(info), .num_cmdbufs = 2, .cmdbufs = cbs,
	};
	struct t_api t;
	uint64_t point;

	t_open(&t);
	good = t_cmdbuf(&t);
	t_ok(accel_cmd_nop(good));
	bad_mode(t.cb);
	cbs[0] = t.cb;
	cbs[1] = good;
	t_ok(accel_submit_ex(t.q, &info, &point));
	t_err(-EIO, accel_wait(t.q, point, LONG));
	t_says("command 0 (COPY), field mode");
	accel_cmdbuf_destroy(good);
	t_close(&t);
}
END_TEST

START_TEST(test_access_beyond_a_buffer_names_the_address)
{
	struct accel_queue_status st = { .size = sizeof(st) };
	struct accel_bo *bo;
	struct t_api t;

	t_open(&t);
	bo = t_bo(&t, 8192, ACCEL_HBM);
	t_fill(t.cb, accel_bo_va(bo) + 8188, 2, 1);
	run_bad(&t, t.q, "command 0 (COPY): ");
	t_says("write of address");
	t_hints("0 bytes beyond the end of the buffer");
	t_hints("8192 bytes");
	t_ok(accel_queue_status(t.q, &st));
	ck_assert_uint_eq(st.error, LOOM_ERR_FAULT_UNMAPPED);
	ck_assert_uint_eq(st.fault_addr & ~4095ull, accel_bo_va(bo) + 8192);
	ck_assert_uint_eq(st.access, LOOM_ACCESS_WRITE);
	accel_bo_destroy(bo);
	t_close(&t);
}
END_TEST

START_TEST(test_freed_buffer_faults)
{
	struct accel_queue *q2;
	struct accel_bo *bo;
	struct t_api t;
	uint64_t va;

	t_open(&t);
	q2 = t_queue(&t);
	bo = t_bo(&t, 4 << 20, ACCEL_HBM);
	va = accel_bo_va(bo);
	/* Once while it is there, so that the translation is cached. */
	t_fill(t.cb, va, 16, 1);
	t_run(&t);
	accel_bo_destroy(bo);
	t_fill(t.cb, va, 16, 1);
	run_bad(&t, t.q, "write of address");
	accel_queue_destroy(q2);
	t_close(&t);
}
END_TEST

START_TEST(test_gather_index_out_of_range)
{
	struct loom_cmd_copy gather = {
		.mode = LOOM_COPY_GATHER,
		.src_type = LOOM_TYPE_I32, .dst_type = LOOM_TYPE_I32,
		.index_type = LOOM_TYPE_I32,
		.dim = { 4, 2, 1, 1 },
		.src_stride = { 4, 16 }, .dst_stride = { 4, 16 },
		.index_stride = { 4 }, .index_limit = 8,
	};
	const int32_t index[2] = { 7, 8 };
	struct accel_bo *bo;
	struct t_api t;

	t_open(&t);
	bo = t_bo(&t, 4096, ACCEL_HBM);
	gather.src = accel_bo_va(bo);
	gather.dst = accel_bo_va(bo) + 1024;
	gather.index = accel_bo_va(bo) + 2048;
	t_ok(accel_bo_write(bo, 2048, index, sizeof(index)));
	t_ok(accel_cmd_copy(t.cb, &gather));
	run_bad(&t, t.q, "command 0 (COPY), field index: ");
	accel_bo_destroy(bo);
	t_close(&t);
}
END_TEST

START_TEST(test_faults_are_counted)
{
	struct accel_counters c = { .size = sizeof(c) };
	struct t_api t;
	uint64_t before;

	t_open(&t);
	t_ok(accel_device_counters(t.dev, &c));
	before = c.value[LOOM_PERF_FAULTS];
	bad_mode(t.cb);
	run_bad(&t, t.q, "mode");
	t_ok(accel_device_counters(t.dev, &c));
	ck_assert_uint_eq(c.value[LOOM_PERF_FAULTS], before + 1);
	t_close(&t);
}
END_TEST

START_TEST(test_encoder_refuses_and_names_the_field)
{
	struct loom_cmd_matmul mm = t_matmul(0, 0, 0, 4, 4, 4);
	struct loom_cmd_copy copy = { .mode = 9 };
	struct t_api t;

	t_open(&t);
	mm.b_type = LOOM_TYPE_Q4_0;
	t_err(-EINVAL, accel_cmd_matmul(t.cb, &mm));
	t_says("MATMUL: field b_type = q4_0: ");
	t_err(-EINVAL, accel_cmd_copy(t.cb, &copy));
	t_says("COPY: field mode = 9: ");
	t_err(-EINVAL, accel_cmd_event(t.cb, LOOM_EVENT_OP_SET, 64, 0));
	t_says("EVENT: field event = 64: ");
	t_err(-EINVAL, accel_cmd_timestamp(t.cb, 4));
	t_says("TIMESTAMP: field addr = 0x4: ");
	t_err(-EINVAL, accel_cmd_raw(t.cb, &copy, 63));
	/* Nothing of it was recorded. */
	ck_assert_uint_eq(accel_cmdbuf_size(t.cb), 0);
	t_close(&t);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("api_fault");
	TCase *tc = tcase_create("fault");

	tcase_set_timeout(tc, 300);
	tcase_add_loop_test(tc, test_malformed_command_is_explained, 0,
			    sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(tc, test_hint_shows_the_value);
	tcase_add_test(tc, test_failed_queue_refuses_and_others_go_on);
	tcase_add_test(tc, test_first_job_of_a_submission_fails_the_point);
	tcase_add_test(tc, test_access_beyond_a_buffer_names_the_address);
	tcase_add_test(tc, test_freed_buffer_faults);
	tcase_add_test(tc, test_gather_index_out_of_range);
	tcase_add_test(tc, test_faults_are_counted);
	tcase_add_test(tc, test_encoder_refuses_and_names_the_field);
	suite_add_tcase(s, tc);
	return t_main(s);
}
