// SPDX-License-Identifier: MIT
/*
 * The encoder, the disassembler and the tables below them.
 *
 * Random well-formed commands go through the encoder and the disassembler, and
 * the text back into a command.  Then one field at a time is spoiled, and the
 * library's verdict must be the card's.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "isa.h"

#define ROUNDS		400
#define MAX_CMD		8192

/* ------------------------------------------------------------------- random */

static uint32_t seed;

static uint32_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed;
}

static uint32_t below(uint32_t n)
{
	return rnd() % n;
}

static uint32_t pick(const uint32_t *from, uint32_t n)
{
	return from[below(n)];
}

#define PICK(...) \
	pick((const uint32_t[]){ __VA_ARGS__ }, \
	     sizeof((uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t))

/* ---------------------------------------------------------------- the bench */

static struct accel_device *dev;
static struct accel_queue *queue;
static struct accel_cmdbuf *cb;
static struct accel_bo *bo;
static uint64_t base;

static void setup(void)
{
	seed = 12345;
	ck_assert_int_eq(accel_device_open("sim:hbm=64M", &dev), 0);
	ck_assert_int_eq(accel_queue_create(dev, NULL, &queue), 0);
	ck_assert_int_eq(accel_cmdbuf_create(dev, &cb), 0);
	ck_assert_int_eq(accel_bo_create(dev, 8 << 20, ACCEL_HBM, &bo), 0);
	base = accel_bo_va(bo);
}

static void teardown(void)
{
	accel_bo_destroy(bo);
	accel_cmdbuf_destroy(cb);
	accel_queue_destroy(queue);
	accel_device_close(dev);
}

/* An address inside of the buffer, aligned for all types. */
static uint64_t address(void)
{
	return base + (2 << 20) + 8 * below(1 << 16);
}

static int64_t stride(void)
{
	return 8 * ((int64_t)below(64) - 16);
}

static void strides(__s64 *s, unsigned int n)
{
	while (n--)
		s[n] = below(4) ? stride() : 0;
}

static void head(struct loom_cmd *hdr)
{
	hdr->flags = below(2);
	hdr->signal_event = below(2) * below(64);
	hdr->tag = below(2) * rnd();
}

static const uint32_t plain_types[] = {
	LOOM_TYPE_F32, LOOM_TYPE_F16, LOOM_TYPE_BF16, LOOM_TYPE_F8E4M3,
	LOOM_TYPE_F8E5M2, LOOM_TYPE_I8, LOOM_TYPE_U8, LOOM_TYPE_I16,
	LOOM_TYPE_I32, LOOM_TYPE_I64,
};

static uint32_t plain_type(void)
{
	return pick(plain_types, ARRAY_SIZE(plain_types));
}

/* -------------------------------------------------- random commands, encoded */

static void record_copy(void)
{
	struct loom_cmd_copy c = {
		.mode = below(4), .dst_type = plain_type(),
		.dim = { below(9), below(4), below(3), below(3) },
		.dst = address(),
	};

	head(&c.hdr);
	strides(c.dst_stride, 4);
	if (c.mode == LOOM_COPY_FILL) {
		c.fill = rnd();
	} else {
		c.src = address();
		c.src_type = plain_type();
		strides(c.src_stride, 4);
	}
	if (c.mode >= LOOM_COPY_GATHER) {
		c.index = base;
		c.index_type = PICK(LOOM_TYPE_I32, LOOM_TYPE_I64);
		c.index_limit = 1 + below(8);
		strides(c.index_stride, 3);
	}
	ck_assert_int_eq(accel_cmd_copy(cb, &c), 0);
}

static void record_matmul(void)
{
	static const struct { uint8_t a, b, d; } kinds[] = {
		{ LOOM_TYPE_I8, LOOM_TYPE_I8, LOOM_TYPE_I32 },
		{ LOOM_TYPE_BF16, LOOM_TYPE_BF16, LOOM_TYPE_F16 },
		{ LOOM_TYPE_F8E4M3, LOOM_TYPE_F8E5M2, LOOM_TYPE_BF16 },
		{ LOOM_TYPE_F16, LOOM_TYPE_F16, LOOM_TYPE_F32 },
		{ LOOM_TYPE_F32, LOOM_TYPE_F32, LOOM_TYPE_F32 },
		{ LOOM_TYPE_F32, LOOM_TYPE_Q8_0, LOOM_TYPE_F32 },
		{ LOOM_TYPE_F32, LOOM_TYPE_Q4_0, LOOM_TYPE_BF16 },
		{ LOOM_TYPE_Q8_0, LOOM_TYPE_Q8_0, LOOM_TYPE_F32 },
		{ LOOM_TYPE_Q8_0, LOOM_TYPE_Q4_0, LOOM_TYPE_F16 },
	};
	uint32_t kind = below(ARRAY_SIZE(kinds));
	struct loom_cmd_matmul c = {
		.a_type = kinds[kind].a, .b_type = kinds[kind].b,
		.c_type = below(2) * kinds[kind].d, .d_type = kinds[kind].d,
		.alpha = kind ? rnd() : accel_f32(1),
		.m = below(5), .n = below(5), .k = 32 * below(3),
		.batch = { 1 + below(2), below(3) },
		.a = address(), .b = address(), .d = address(),
	};

	head(&c.hdr);
	strides(c.a_stride, 4);
	strides(c.b_stride, 4);
	strides(c.d_stride, 4);
	if (kind >= 5)
		c.b_stride[0] = 0;
	if (kind >= 7)
		c.a_stride[1] = 0;
	if (c.c_type) {
		c.c = address();
		strides(c.c_stride, 4);
	}
	ck_assert_int_eq(accel_cmd_matmul(cb, &c), 0);
}

static const char *const programs[] = {
	".operand y x\nloop\nld v0, x\nadd v1, v0, v0\nst y, v1\nend\n",
	".operand y x t\n.param a b\nparam s0, b\nloop\nldi v1, t\n"
	"ldx v2, x, v1\nrsum s1, v2\nsti y, v1\nend\nimm s2, 0x3f\n"
	"st y, s1\nindex s3, 2\ndim s4, 3\n",
	".operand y x\nloop\nlane v3\nld v15, x\nfma v3, v15, v15, v3\n"
	"sel v4, v3, v15, v3\nrargmax s31, v4\nend\nst y, s31\n",
};

static void record_vector(void)
{
	const uint32_t dim[4] = { below(600), below(3), 1 + below(2), 1 };
	const uint32_t params[2] = { rnd(), rnd() };
	struct loom_vec_operand op[3] = { 0 };
	struct accel_vprog *prog;
	unsigned int i;

	ck_assert_int_eq(accel_vprog_assemble(programs[below(3)], &prog), 0);
	for (i = 0; i < 3; i++) {
		op[i].addr = address();
		op[i].type = PICK(LOOM_TYPE_F32, LOOM_TYPE_I8, LOOM_TYPE_I32);
		op[i].limit = below(2) * below(100);
		strides(op[i].stride, 4);
		op[i].wrap[below(4)] = below(3);
	}
	ck_assert_int_eq(accel_cmd_vector(cb, prog, dim, op,
					  accel_vprog_num_operands(prog),
					  params), 0);
	accel_vprog_destroy(prog);
}

static void record_any(void)
{
	switch (below(8)) {
	case 0:
		ck_assert_int_eq(accel_cmd_nop(cb), 0);
		break;
	case 1:
		ck_assert_int_eq(accel_cmd_fence(cb), 0);
		break;
	case 2:
		ck_assert_int_eq(accel_cmd_event(cb, below(2), below(64),
						 rnd()), 0);
		break;
	case 3:
		ck_assert_int_eq(accel_cmd_timestamp(cb, address()), 0);
		break;
	case 4:
	case 5:
		record_copy();
		break;
	case 6:
		record_matmul();
		break;
	default:
		record_vector();
	}
}

/* ------------------------------------------------------------------- tables */

/* Every byte of a struct belongs to exactly one field. */
static void check_cover(const struct isa_struct *s, unsigned int from)
{
	uint8_t owner[256] = { 0 };
	const struct isa_field *f;
	unsigned int i, b;

	for (i = 0; i < s->num_fields; i++) {
		f = &s->fields[i];
		for (b = 0; b < f->size * (f->count ? f->count : 1u); b++)
			owner[f->offset + b]++;
	}
	for (b = 0; b < s->size; b++)
		ck_assert_msg(owner[b] == (b >= from), "%s byte %u", s->name, b);
}

START_TEST(test_fields_cover_the_structs)
{
	unsigned int i;

	check_cover(&isa_head, 0);
	check_cover(&isa_operand, 0);
	check_cover(&isa_insn, 0);
	for (i = 0; i < isa_num_commands; i++)
		check_cover(&isa_commands[i], sizeof(struct loom_cmd));
}
END_TEST

START_TEST(test_names)
{
	ck_assert_str_eq(accel_opcode_name(LOOM_OP_MATMUL), "MATMUL");
	ck_assert_str_eq(accel_opcode_name(0), "?");
	ck_assert_str_eq(accel_error_text(LOOM_ERR_NONE), "no error");
	ck_assert_str_eq(accel_type_name(LOOM_TYPE_Q4_0), "q4_0");
	ck_assert_str_eq(accel_type_name(LOOM_TYPE_NONE), "none");
	ck_assert_str_eq(accel_type_name(LOOM_TYPE_COUNT), "?");
	ck_assert_uint_eq(accel_type_size(LOOM_TYPE_I64), 8);
	ck_assert_uint_eq(accel_type_size(LOOM_TYPE_Q8_0), 0);
	ck_assert_uint_eq(accel_type_size(99), 0);
	ck_assert_str_eq(accel_field_name(LOOM_OP_MATMUL, 17), "b_type");
	ck_assert_str_eq(accel_field_name(LOOM_OP_COPY, 24 + 8), "dim[2]");
	ck_assert_str_eq(accel_field_name(LOOM_OP_COPY, 4), "flags");
	ck_assert_str_eq(accel_field_name(LOOM_OP_COPY, 500), "?");
	ck_assert_str_eq(accel_field_name(0x77, 0), "opcode");
	ck_assert_str_eq(accel_field_name(0x77, 20), "?");
	ck_assert_str_eq(accel_field_name(LOOM_OP_VECTOR, 130),
			 "program byte 2");
	ck_assert_uint_eq(accel_f32(1.0f), 0x3f800000);
}
END_TEST

/* --------------------------------------------------------------- round trip */

/** struct reader - commands read back from the disassembler's text */
struct reader {
	_Alignas(8) uint8_t cmd[MAX_CMD];
	/** @part: where the next fields belong; NULL before the first command */
	const struct isa_struct *part;
	uint8_t *at;
	unsigned int insns;
	unsigned int commands;
	/** @source: instructions as a program for the assembler */
	char source[8192];
};

static const struct isa_field *find(const struct isa_struct *s,
				    const char *name, size_t len)
{
	unsigned int i;

	for (i = 0; i < s->num_fields; i++)
		if (strlen(s->fields[i].name) == len &&
		    !strncmp(s->fields[i].name, name, len))
			return &s->fields[i];
	return NULL;
}

static uint64_t parse_value(const struct isa_field *f, const char *text)
{
	const char *name;
	uint64_t v;

	for (v = 0; v < 64; v++) {
		name = isa_value_name(f->kind, v);
		if (name && !strncmp(text, name, strlen(name)) &&
		    !strchr(name, text[0] == '-' ? '-' : '\n') &&
		    strcspn(text, ",} ") == strlen(name))
			return v;
	}
	return f->kind == ISA_INT ? (uint64_t)strtoll(text, NULL, 10) :
				    strtoull(text, NULL, 0);
}

static void store(struct reader *r, const struct isa_field *f, unsigned int i,
		  const char *text)
{
	uint64_t v = parse_value(f, text);

	memcpy(r->at + f->offset + i * f->size, &v, f->size);
}

/* "name=value", "name[3]=value" or "name={a,b,c,d}" */
static void read_word(struct reader *r, const char *word)
{
	const char *value = strchr(word, '=') + 1;
	size_t len = strcspn(word, "=[");
	const struct isa_field *f = NULL;
	unsigned int i = 0;

	if (r->at == r->cmd)
		f = find(&isa_head, word, len);
	if (!f)
		f = find(r->part, word, len);
	ck_assert_msg(f != NULL, "unknown field in '%s'", word);
	if (word[len] == '[')
		i = atoi(word + len + 1);
	if (*value != '{') {
		store(r, f, i, value);
		return;
	}
	for (i = 0; i < f->count; i++) {
		store(r, f, i, value + 1);
		value += 1 + strcspn(value + 1, ",");
	}
}

/* The instructions are read by the assembler itself. */
static void read_insn(struct reader *r, const char *line)
{
	strcat(r->source, line);
	strcat(r->source, "\n");
	r->insns++;
}

static void begin_command(struct reader *r, const char *name)
{
	unsigned int i;

	memset(r->cmd, 0, sizeof(r->cmd));
	r->at = r->cmd;
	r->insns = 0;
	strcpy(r->source, ".operand x0 x1 x2\n");
	for (i = 0; i < isa_num_commands; i++)
		if (!strcmp(isa_commands[i].name, name))
			r->part = &isa_commands[i];
	((struct loom_cmd *)r->cmd)->opcode = r->part->opcode;
	r->commands++;
}

static void read_line(void *opaque, const char *line)
{
	struct reader *r = opaque;
	char copy[256], name[16], *word, *rest;
	unsigned int index, offset, operand;

	strcpy(copy, line);
	word = strtok_r(copy, " ", &rest);
	if (sscanf(line, "%4u %6x %15s", &index, &offset, name) == 3 &&
	    line[4] == ' ' && line[6] != ' ' && !strchr(name, '=')) {
		begin_command(r, name);
		strtok_r(NULL, " ", &rest);
		strtok_r(NULL, " ", &rest);
		word = strtok_r(NULL, " ", &rest);
	} else if (sscanf(line, "    x%u:", &operand) == 1) {
		r->part = &isa_operand;
		r->at = r->cmd + sizeof(struct loom_cmd_vector) +
			operand * sizeof(struct loom_vec_operand);
		word = strtok_r(NULL, " ", &rest);
	} else if (!strchr(word, '=')) {
		read_insn(r, line);
		return;
	}
	for (; word; word = strtok_r(NULL, " ", &rest))
		read_word(r, word);
}

/* Fill in what the text does not say and compare. */
static void compare(struct reader *r, const void *want, size_t len)
{
	struct loom_cmd *hdr = (struct loom_cmd *)r->cmd;
	struct loom_cmd_vector *vec = (struct loom_cmd_vector *)r->cmd;
	struct accel_vprog *prog;

	hdr->version = LOOM_ISA_VERSION;
	hdr->size64 = len / LOOM_CMD_ALIGN;
	if (hdr->opcode == LOOM_OP_VECTOR) {
		ck_assert_uint_eq(r->insns, vec->num_insns);
		ck_assert_msg(!accel_vprog_assemble(r->source, &prog), "%s\n%s",
			      accel_last_error()->message, r->source);
		memcpy(r->cmd + sizeof(*vec) + vec->num_operands *
		       sizeof(struct loom_vec_operand),
		       accel_vprog_insns(prog),
		       vec->num_insns * sizeof(struct loom_vec_insn));
		accel_vprog_destroy(prog);
	}
	ck_assert_mem_eq(r->cmd, want, len);
}

START_TEST(test_text_says_everything)
{
	struct reader *r = calloc(1, sizeof(*r));
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		accel_cmdbuf_reset(cb);
		record_any();
		r->part = NULL;
		ck_assert_int_eq(accel_disasm(accel_cmdbuf_data(cb),
					      accel_cmdbuf_size(cb), read_line,
					      r), 1);
		compare(r, accel_cmdbuf_data(cb), accel_cmdbuf_size(cb));
	}
	free(r);
}
END_TEST

static void count_line(void *opaque, const char *line)
{
	ck_assert_uint_lt(strlen(line), 220);
	++*(unsigned int *)opaque;
}

START_TEST(test_disasm_counts_commands)
{
	unsigned int i, lines = 0;

	for (i = 0; i < 50; i++)
		record_any();
	ck_assert_int_eq(accel_disasm(accel_cmdbuf_data(cb),
				      accel_cmdbuf_size(cb), count_line,
				      &lines), 50);
	ck_assert_uint_ge(lines, 50);
	ck_assert_int_eq(accel_disasm(NULL, 0, count_line, &lines), 0);
	ck_assert_int_eq(accel_disasm(NULL, 64, count_line, &lines), -EINVAL);
}
END_TEST

START_TEST(test_disasm_of_garbage_ends_well)
{
	uint64_t bytes[64];
	unsigned int i, b, lines = 0;
	size_t len;

	for (i = 0; i < 20000; i++) {
		for (b = 0; b < ARRAY_SIZE(bytes); b++)
			bytes[b] = below(3) ? 0 : (uint64_t)rnd() << below(33);
		/* Often enough a known opcode and a small size. */
		((struct loom_cmd *)bytes)->opcode =
			PICK(LOOM_OP_COPY, LOOM_OP_VECTOR, LOOM_OP_MATMUL,
			     LOOM_OP_NOP, rnd());
		((struct loom_cmd *)bytes)->size64 = below(12);
		((struct loom_cmd *)bytes)->version = 1;
		len = below(sizeof(bytes));
		accel_disasm((char *)bytes + below(2) % 8, len - len % 2,
			     count_line, &lines);
	}
	ck_assert_uint_gt(lines, 0);
}
END_TEST

/* ------------------------------------------- the library's and card's verdict */

/* What the card says of the recorded commands; 0 or LOOM_ERR_*. */
static uint32_t run_on_card(struct accel_queue_status *st)
{
	uint64_t point;
	int rc;

	memset(st, 0, sizeof(*st));
	st->size = sizeof(*st);
	ck_assert_int_eq(accel_submit(queue, cb, &point), 0);
	rc = accel_wait(queue, point, -1);
	if (!rc)
		return 0;
	ck_assert_int_eq(rc, -EIO);
	ck_assert_int_eq(accel_queue_status(queue, st), 0);
	accel_queue_destroy(queue);
	ck_assert_int_eq(accel_queue_create(dev, NULL, &queue), 0);
	return st->error;
}

/* Faults that depend on the contents of memory, not on the command. */
static bool is_memory_fault(uint32_t error)
{
	return error == LOOM_ERR_INDEX ||
	       (error >= LOOM_ERR_FAULT_UNMAPPED && error <= LOOM_ERR_DMA);
}

/* Change a byte, or a field to something special. */
static void spoil(uint8_t *cmd, size_t size)
{
	static const uint64_t values[] = {
		0, 1, 3, 0x7f, 0x80, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
		1ull << 47, 1ull << 48, 1ull << 63, UINT64_MAX,
	};
	uint64_t v = values[below(ARRAY_SIZE(values))];
	unsigned int width = 1u << below(4);
	size_t at = below(size / width) * width;

	if (below(2))
		cmd[at] ^= 1u << below(8);
	else
		memcpy(cmd + at, &v, width);
}

/* Commands that stop the queue, or ask for hours of work, are left out. */
static bool is_endless(const uint8_t *cmd)
{
	const struct loom_cmd *hdr = (const void *)cmd;
	const struct loom_cmd_event *event = (const void *)cmd;
	const struct loom_cmd_copy *copy = (const void *)cmd;
	const struct loom_cmd_matmul *mm = (const void *)cmd;
	const struct loom_cmd_vector *vec = (const void *)cmd;
	double n = 1;
	unsigned int i;

	if (hdr->wait_event)
		return true;
	for (i = 0; i < 4; i++)
		n *= hdr->opcode == LOOM_OP_COPY ? copy->dim[i] :
		     hdr->opcode == LOOM_OP_VECTOR ? vec->dim[i] : 1;
	if (hdr->opcode == LOOM_OP_MATMUL)
		n = (double)mm->m * mm->n * (mm->k + 1.) * mm->batch[0] *
		    mm->batch[1];
	return n > 1e6 || (hdr->opcode == LOOM_OP_EVENT &&
			   event->op == LOOM_EVENT_OP_WAIT_GE);
}

static void compare_verdicts(const uint8_t *cmd, size_t size,
			     unsigned int *agreed)
{
	struct accel_queue_status st;
	struct isa_fault fault = { 0 };
	char ours[64], theirs[64];
	uint32_t error;

	isa_check(cmd, size, &fault);
	error = run_on_card(&st);
	if (!fault.error) {
		ck_assert_msg(!error || is_memory_fault(error),
			      "only the card refuses: %s", st.text);
		return;
	}
	/* A fault of an access has an address instead of a field. */
	if (st.fault_addr)
		st.field = fault.field;
	isa_field_at(cmd[0], fault.field, cmd, size, ours, sizeof(ours));
	isa_field_at(cmd[0], st.field, cmd, size, theirs, sizeof(theirs));
	ck_assert_msg(error == fault.error && !strcmp(ours, theirs),
		      "%s: library: %s: %s; card: %s: %s",
		      accel_opcode_name(cmd[0]), ours,
		      loom_strerror(fault.error), theirs, loom_strerror(error));
	++*agreed;
}

START_TEST(test_library_and_card_refuse_alike)
{
	unsigned int i, agreed = 0;
	uint64_t copy[MAX_CMD / 8];
	uint8_t *cmd = (uint8_t *)copy;
	uint32_t size;

	for (i = 0; i < 5 * ROUNDS; i++) {
		accel_cmdbuf_reset(cb);
		record_any();
		size = accel_cmdbuf_size(cb);
		memcpy(cmd, accel_cmdbuf_data(cb), size);
		spoil(cmd, size);
		if (is_endless(cmd))
			continue;
		accel_cmdbuf_reset(cb);
		ck_assert_int_eq(accel_cmd_raw(cb, cmd, size), 0);
		compare_verdicts(cmd, size, &agreed);
	}
	/* It would prove little if the spoiling spoiled nothing. */
	ck_assert_uint_gt(agreed, ROUNDS);
}
END_TEST

START_TEST(test_card_accepts_what_the_encoder_does)
{
	struct accel_queue_status st;
	unsigned int i;
	uint32_t error;

	for (i = 0; i < ROUNDS; i++) {
		accel_cmdbuf_reset(cb);
		record_any();
		error = run_on_card(&st);
		ck_assert_msg(!error || is_memory_fault(error), "%s", st.text);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cmd");
	TCase *tc = tcase_create("cmd");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, test_fields_cover_the_structs);
	tcase_add_test(tc, test_names);
	tcase_add_test(tc, test_text_says_everything);
	tcase_add_test(tc, test_disasm_counts_commands);
	tcase_add_test(tc, test_disasm_of_garbage_ends_well);
	tcase_add_test(tc, test_library_and_card_refuse_alike);
	tcase_add_test(tc, test_card_accepts_what_the_encoder_does);
	suite_add_tcase(s, tc);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
