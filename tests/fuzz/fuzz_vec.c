// SPDX-License-Identifier: MIT
/*
 * Fuzz target: programs of the vector engine.
 *
 * fuzz_commands.c makes programs that are valid but for a byte.  Here the input
 * has its way with registers, LOOPs, operands and index space, so most programs
 * are refused and some are strange; a few bytes anywhere may be overwritten.
 * What is accepted runs, and may write only to what is mapped as writable.
 */
#include <string.h>

#include "fuzz.h"

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))
#define MAX_OPERANDS	(LOOM_VEC_MAX_OPERANDS + 1)
#define MAX_INSNS	(LOOM_VEC_MAX_INSNS + 1)
#define ANSWERS		1u	/* system memory changes between reads */

/** struct program - a command of any size that its fields can say */
struct program {
	struct loom_cmd_vector cmd;
	uint8_t rest[MAX_OPERANDS * sizeof(struct loom_vec_operand) +
		     MAX_INSNS * sizeof(struct loom_vec_insn) +
		     LOOM_CMD_ALIGN];
};

static struct program program;

struct form {
	uint8_t op;
	const char *fields;
};

#define FORM(name, number, fields, doc) { number, fields },
static const struct form forms[] = { LOOM_VEC_LIST(FORM) };
#undef FORM

static bool has(const struct form *f, const char *fields)
{
	return strpbrk(f->fields, fields);
}

static struct loom_vec_insn any_insn(struct fuzz_in *in)
{
	uint8_t sel = fuzz_u8(in);
	const struct form *f = &forms[sel % COUNT(forms)];
	struct loom_vec_insn insn = { .op = f->op };

	if (has(f, "Dd"))
		insn.dst = fuzz_u8(in) & 0x3f;
	if (has(f, "A"))
		insn.a = fuzz_u8(in) & 0x3f;
	if (has(f, "B"))
		insn.b = fuzz_u8(in) & 0x3f;
	if (has(f, "C"))
		insn.c = fuzz_u8(in) & 0x3f;
	if (has(f, "O"))
		insn.operand = fuzz_u8(in) & 0x1f;
	if (has(f, "I"))
		insn.imm = sel & 0x80 ? fuzz_u32(in) : fuzz_u8(in);
	return insn;
}

/* A window, an offset that may lead out of it, steps of either sign. */
static struct loom_vec_operand any_operand(struct fuzz_in *in)
{
	uint8_t sel = fuzz_u8(in), wrap = fuzz_u8(in);
	struct loom_vec_operand o = {
		.type = fuzz_u8(in) & 15,
		.addr = fuzz_windows[sel % FUZZ_WINDOWS].va + fuzz_u16(in) * 4,
		.limit = sel & 0x10 ? fuzz_u16(in) : 0,
	};
	unsigned int i;

	for (i = 0; i < 4; i++) {
		o.stride[i] = sel & 0x20 ? (int16_t)fuzz_u16(in) :
					   (int8_t)fuzz_u8(in) * 4;
		if (wrap & 1u << i)
			o.wrap[i] = fuzz_u8(in);
	}
	if (sel & 0x40)
		o.stride[wrap >> 4 & 3] = (int64_t)fuzz_u64(in);
	if (sel & 0x80)
		o.addr = fuzz_u64(in) >> 16;
	return o;
}

static uint32_t any_dim(struct fuzz_in *in)
{
	uint8_t sel = fuzz_u8(in);

	if (sel < 0xf0)
		return sel & 0x80 ? (sel & 0x3fu) * 64 : sel & 0x1f;
	return sel & 8 ? fuzz_u32(in) : ~0u >> (sel & 7);
}

static size_t make_program(struct fuzz_in *in)
{
	struct loom_cmd_vector *cmd = &program.cmd;
	unsigned int i, insns = 0, operands = fuzz_u8(in) % (MAX_OPERANDS + 1);
	uint8_t *p = program.rest;
	struct loom_vec_operand o;
	struct loom_vec_insn insn;
	size_t size;

	memset(&program, 0, sizeof(program));
	for (i = 0; i < 4; i++)
		cmd->dim[i] = any_dim(in);
	for (i = 0; i < COUNT(cmd->param); i++)
		cmd->param[i] = 0x3f800000 >> i;
	for (i = 0; i < operands; i++, p += sizeof(o)) {
		o = any_operand(in);
		memcpy(p, &o, sizeof(o));
	}
	for (; insns < MAX_INSNS && fuzz_more(in); insns++, p += sizeof(insn)) {
		insn = any_insn(in);
		memcpy(p, &insn, sizeof(insn));
	}
	cmd->num_operands = (uint16_t)operands;
	cmd->num_insns = (uint16_t)insns;
	size = (size_t)(p - (uint8_t *)&program);
	size += -size % LOOM_CMD_ALIGN;
	cmd->hdr = fuzz_head(LOOM_OP_VECTOR, size);
	return size;
}

/** struct damage - a byte that is overwritten */
struct damage {
	uint16_t at;
	uint8_t value;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = { data, data + size }, made;
	uint8_t sel = fuzz_u8(&in);
	struct damage damage[3];
	unsigned int i, damages = sel >> 6;
	size_t len;

	for (i = 0; i < damages; i++) {
		damage[i].at = fuzz_u16(&in);
		damage[i].value = fuzz_u8(&in);
	}
	made = fuzz_part(&in, sel & ANSWERS);
	len = make_program(&made);
	for (i = 0; i < damages; i++)
		((uint8_t *)&program)[damage[i].at % len] = damage[i].value;
	fuzz_job(&in, &program, (uint32_t)len, sel & ANSWERS);
	return 0;
}
