// SPDX-License-Identifier: MIT
/* The tables of the command set and look-ups in them. */
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "isa.h"

#define ONE(s, m, kind, doc) \
	{ #m, offsetof(struct s, m), sizeof(((struct s *)0)->m), 0, kind, doc }
#define MANY(s, m, kind, doc) \
	{ #m, offsetof(struct s, m), sizeof(((struct s *)0)->m[0]), \
	  ARRAY_SIZE(((struct s *)0)->m), kind, doc }

static const struct isa_field head_fields[] = {
	ONE(loom_cmd, opcode, ISA_HEAD, "which command"),
	ONE(loom_cmd, version, ISA_HEAD, "LOOM_ISA_VERSION"),
	ONE(loom_cmd, size64, ISA_HEAD, "size in units of 64 bytes"),
	ONE(loom_cmd, flags, ISA_FLAGS, "LOOM_CMD_F_*"),
	ONE(loom_cmd, wait_event, ISA_EVENT,
	    "0, or an event that must be non-zero before the command starts"),
	ONE(loom_cmd, signal_event, ISA_EVENT,
	    "0, or an event that gains 1 when the command is done"),
	ONE(loom_cmd, tag, ISA_HEX, "free for the user"),
};

static const struct isa_field nop_fields[] = {
	MANY(loom_cmd_nop, reserved, ISA_ZERO, ""),
};

static const struct isa_field event_fields[] = {
	ONE(loom_cmd_event, op, ISA_EVENT_OP, "set, add or wait"),
	ONE(loom_cmd_event, event, ISA_EVENT, "0..63"),
	ONE(loom_cmd_event, value, ISA_UINT, "operand"),
	MANY(loom_cmd_event, reserved, ISA_ZERO, ""),
};

static const struct isa_field timestamp_fields[] = {
	ONE(loom_cmd_timestamp, addr, ISA_ADDR, "where to, aligned to 8"),
	MANY(loom_cmd_timestamp, reserved, ISA_ZERO, ""),
};

static const struct isa_field copy_fields[] = {
	ONE(loom_cmd_copy, mode, ISA_MODE, "copy, fill, gather or scatter"),
	ONE(loom_cmd_copy, src_type, ISA_TYPE, "type read; none for fill"),
	ONE(loom_cmd_copy, dst_type, ISA_TYPE, "type written"),
	ONE(loom_cmd_copy, index_type, ISA_TYPE,
	    "i32 or i64 for gather and scatter, else none"),
	ONE(loom_cmd_copy, reserved0, ISA_ZERO, ""),
	MANY(loom_cmd_copy, dim, ISA_UINT, "extents, inner first"),
	ONE(loom_cmd_copy, src, ISA_ADDR, "source; 0 for fill"),
	ONE(loom_cmd_copy, dst, ISA_ADDR, "destination"),
	ONE(loom_cmd_copy, index, ISA_ADDR, "index tensor, or 0"),
	MANY(loom_cmd_copy, src_stride, ISA_INT, "bytes per step of each dimension"),
	MANY(loom_cmd_copy, dst_stride, ISA_INT, "bytes per step of each dimension"),
	MANY(loom_cmd_copy, index_stride, ISA_INT, "bytes per step of i1, i2, i3"),
	ONE(loom_cmd_copy, fill, ISA_HEX, "bits of the element"),
	ONE(loom_cmd_copy, index_limit, ISA_UINT,
	    "indices must lie in [0, index_limit)"),
	MANY(loom_cmd_copy, reserved, ISA_ZERO, ""),
};

static const struct isa_field matmul_fields[] = {
	ONE(loom_cmd_matmul, a_type, ISA_TYPE, "type of A"),
	ONE(loom_cmd_matmul, b_type, ISA_TYPE, "type of B"),
	ONE(loom_cmd_matmul, c_type, ISA_TYPE, "type of C, or none"),
	ONE(loom_cmd_matmul, d_type, ISA_TYPE, "type of D"),
	ONE(loom_cmd_matmul, alpha, ISA_F32, "factor, bits of an f32"),
	ONE(loom_cmd_matmul, m, ISA_UINT, "rows of D"),
	ONE(loom_cmd_matmul, n, ISA_UINT, "columns of D"),
	ONE(loom_cmd_matmul, k, ISA_UINT, "length of the sums; 0 gives D = C (or 0)"),
	MANY(loom_cmd_matmul, batch, ISA_UINT, "batch extents, inner first"),
	ONE(loom_cmd_matmul, reserved0, ISA_ZERO, ""),
	ONE(loom_cmd_matmul, a, ISA_ADDR, "address of A"),
	ONE(loom_cmd_matmul, b, ISA_ADDR, "address of B"),
	ONE(loom_cmd_matmul, c, ISA_ADDR, "address of C, or 0"),
	ONE(loom_cmd_matmul, d, ISA_ADDR, "address of D"),
	MANY(loom_cmd_matmul, a_stride, ISA_INT, "row, column, batch 0, batch 1"),
	MANY(loom_cmd_matmul, b_stride, ISA_INT, "row, column, batch 0, batch 1"),
	MANY(loom_cmd_matmul, c_stride, ISA_INT, "row, column, batch 0, batch 1"),
	MANY(loom_cmd_matmul, d_stride, ISA_INT, "row, column, batch 0, batch 1"),
	MANY(loom_cmd_matmul, reserved, ISA_ZERO, ""),
};

static const struct isa_field vector_fields[] = {
	ONE(loom_cmd_vector, num_operands, ISA_UINT, "operands that follow"),
	ONE(loom_cmd_vector, num_insns, ISA_UINT, "instructions that follow those"),
	ONE(loom_cmd_vector, reserved0, ISA_ZERO, ""),
	MANY(loom_cmd_vector, dim, ISA_UINT,
	     "the index space; dim[0] lanes per row"),
	MANY(loom_cmd_vector, reserved, ISA_ZERO, ""),
	MANY(loom_cmd_vector, param, ISA_HEX, "constants for PARAM"),
};

static const struct isa_field operand_fields[] = {
	ONE(loom_vec_operand, addr, ISA_ADDR, "address of element 0"),
	ONE(loom_vec_operand, type, ISA_TYPE, "no block types"),
	MANY(loom_vec_operand, reserved0, ISA_ZERO, ""),
	ONE(loom_vec_operand, limit, ISA_UINT,
	    "for LDX: indices at or above it (unsigned) read 0"),
	MANY(loom_vec_operand, stride, ISA_INT,
	     "bytes per step of each dimension; 0 broadcasts"),
	MANY(loom_vec_operand, wrap, ISA_UINT,
	     "0, or the period of the dimension"),
};

static const struct isa_field insn_fields[] = {
	ONE(loom_vec_insn, op, ISA_UINT, "instruction"),
	ONE(loom_vec_insn, dst, ISA_UINT, "destination register"),
	ONE(loom_vec_insn, a, ISA_UINT, "first source register"),
	ONE(loom_vec_insn, b, ISA_UINT, "second source register"),
	ONE(loom_vec_insn, c, ISA_UINT, "third source register"),
	ONE(loom_vec_insn, operand, ISA_UINT, "operand of loads and stores"),
	ONE(loom_vec_insn, reserved0, ISA_ZERO, ""),
	ONE(loom_vec_insn, imm, ISA_HEX, "immediate"),
	ONE(loom_vec_insn, reserved1, ISA_ZERO, ""),
};

#define STRUCT(name, opcode, s, fields, doc) \
	{ name, opcode, sizeof(struct s), fields, ARRAY_SIZE(fields), doc }

const struct isa_struct isa_head =
	STRUCT("head", 0, loom_cmd, head_fields, "begins every command");
const struct isa_struct isa_operand =
	STRUCT("operand", 0, loom_vec_operand, operand_fields,
	       "a tensor that a vector program reads or writes");
const struct isa_struct isa_insn =
	STRUCT("insn", 0, loom_vec_insn, insn_fields,
	       "an instruction of a vector program");

const struct isa_struct isa_commands[] = {
	STRUCT("NOP", LOOM_OP_NOP, loom_cmd_nop, nop_fields, "does nothing"),
	STRUCT("FENCE", LOOM_OP_FENCE, loom_cmd_nop, nop_fields,
	       "waits for all commands before it"),
	STRUCT("EVENT", LOOM_OP_EVENT, loom_cmd_event, event_fields,
	       "changes or waits for an event"),
	STRUCT("TIMESTAMP", LOOM_OP_TIMESTAMP, loom_cmd_timestamp,
	       timestamp_fields, "writes the modelled time"),
	STRUCT("COPY", LOOM_OP_COPY, loom_cmd_copy, copy_fields,
	       "copies, fills, gathers or scatters with conversion"),
	STRUCT("MATMUL", LOOM_OP_MATMUL, loom_cmd_matmul, matmul_fields,
	       "batched D = alpha * A x B + C"),
	STRUCT("VECTOR", LOOM_OP_VECTOR, loom_cmd_vector, vector_fields,
	       "runs a program of the vector engine"),
};

const unsigned int isa_num_commands = ARRAY_SIZE(isa_commands);

const struct isa_type isa_types[LOOM_TYPE_COUNT] = {
	[LOOM_TYPE_NONE] = { "none", 0, "no tensor" },
	[LOOM_TYPE_F32] = { "f32", 4, "IEEE binary32" },
	[LOOM_TYPE_F16] = { "f16", 2, "IEEE binary16" },
	[LOOM_TYPE_BF16] = { "bf16", 2, "upper half of an f32" },
	[LOOM_TYPE_F8E4M3] = { "f8e4m3", 1, "max 448, no infinity" },
	[LOOM_TYPE_F8E5M2] = { "f8e5m2", 1, "IEEE-like" },
	[LOOM_TYPE_I8] = { "i8", 1, "signed" },
	[LOOM_TYPE_U8] = { "u8", 1, "unsigned" },
	[LOOM_TYPE_I16] = { "i16", 2, "signed" },
	[LOOM_TYPE_I32] = { "i32", 4, "signed" },
	[LOOM_TYPE_I64] = { "i64", 8, "signed" },
	[LOOM_TYPE_Q8_0] = { "q8_0", 0, "block of 32: f16 scale, 32 x i8; 34 bytes" },
	[LOOM_TYPE_Q4_0] = { "q4_0", 0, "block of 32: f16 scale, 32 nibbles; 18 bytes" },
};

#define VEC(name, number, form, doc) { #name, number, form, doc },
const struct isa_vec isa_vecs[] = { LOOM_VEC_LIST(VEC) };
const unsigned int isa_num_vecs = ARRAY_SIZE(isa_vecs);

static const char *const mode_names[] = { "copy", "fill", "gather", "scatter" };
static const char *const event_op_names[] = { "set", "add", "wait_ge" };

const struct isa_struct *isa_command(uint32_t opcode)
{
	unsigned int i;

	for (i = 0; i < isa_num_commands; i++)
		if (isa_commands[i].opcode == opcode)
			return &isa_commands[i];
	return NULL;
}

const struct isa_vec *isa_vec(uint32_t number)
{
	unsigned int i;

	for (i = 0; i < isa_num_vecs; i++)
		if (isa_vecs[i].number == number)
			return &isa_vecs[i];
	return NULL;
}

bool isa_is_block_type(uint32_t type)
{
	return type == LOOM_TYPE_Q8_0 || type == LOOM_TYPE_Q4_0;
}

const char *accel_error_text(uint32_t error)
{
	return loom_strerror(error);
}

const char *accel_opcode_name(uint32_t opcode)
{
	const struct isa_struct *cmd = isa_command(opcode);

	return cmd ? cmd->name : "?";
}

const char *accel_type_name(uint32_t type)
{
	return type < LOOM_TYPE_COUNT ? isa_types[type].name : "?";
}

unsigned int accel_type_size(uint32_t type)
{
	return type < LOOM_TYPE_COUNT ? isa_types[type].size : 0;
}

uint64_t isa_load(const struct isa_field *f, const void *base, unsigned int i)
{
	const uint8_t *p = (const uint8_t *)base + f->offset + i * f->size;
	uint64_t v = 0;
	unsigned int b;

	for (b = 0; b < f->size; b++)
		v |= (uint64_t)p[b] << (8 * b);
	return v;
}

const char *isa_value_name(enum isa_kind kind, uint64_t value)
{
	switch (kind) {
	case ISA_TYPE:
		return value < LOOM_TYPE_COUNT ? isa_types[value].name : NULL;
	case ISA_MODE:
		return value < ARRAY_SIZE(mode_names) ? mode_names[value] : NULL;
	case ISA_EVENT_OP:
		return value < ARRAY_SIZE(event_op_names) ?
		       event_op_names[value] : NULL;
	case ISA_FLAGS:
		return value == LOOM_CMD_F_RELAXED ? "relaxed" : NULL;
	default:
		return NULL;
	}
}

int isa_print_value(const struct isa_field *f, const void *base,
		    unsigned int i, char *buf, size_t len)
{
	uint64_t v = isa_load(f, base, i);
	const char *name = isa_value_name(f->kind, v);
	float f32;

	if (name)
		return snprintf(buf, len, "%s", name);
	switch (f->kind) {
	case ISA_INT:
		return snprintf(buf, len, "%lld", (long long)v);
	case ISA_F32:
		memcpy(&f32, &v, sizeof(f32));
		return snprintf(buf, len, "0x%x(%g)", (uint32_t)v, f32);
	case ISA_UINT:
	case ISA_EVENT:
	case ISA_HEAD:
	case ISA_TYPE:
	case ISA_MODE:
	case ISA_EVENT_OP:
		return snprintf(buf, len, "%llu", (unsigned long long)v);
	default:
		return snprintf(buf, len, "0x%llx", (unsigned long long)v);
	}
}

static const struct isa_field *find_field(const struct isa_struct *s,
					  uint32_t offset)
{
	const struct isa_field *f;
	unsigned int i;

	for (i = 0; i < s->num_fields; i++) {
		f = &s->fields[i];
		if (offset >= f->offset &&
		    offset - f->offset < f->size * (f->count ? f->count : 1u))
			return f;
	}
	return NULL;
}

/* "stride[2]" with @prefix; the field must lie at @offset. */
static void name_field(const struct isa_field *f, uint32_t offset,
		       const char *prefix, char *buf, size_t len)
{
	if (!f)
		snprintf(buf, len, "%s?", prefix);
	else if (f->count)
		snprintf(buf, len, "%s%s[%u]", prefix, f->name,
			 (offset - f->offset) / f->size);
	else
		snprintf(buf, len, "%s%s", prefix, f->name);
}

/* @offset counts from the end of struct loom_cmd_vector. */
static const struct isa_field *
name_program(uint32_t offset, const void *cmd, size_t cmd_len, char *buf,
	     size_t len)
{
	const struct loom_cmd_vector *vec = cmd;
	const struct isa_struct *part = &isa_operand;
	const struct isa_field *f;
	uint32_t operands;
	char prefix[32];

	if (!cmd || cmd_len < sizeof(*vec)) {
		snprintf(buf, len, "program byte %u", offset);
		return NULL;
	}
	operands = vec->num_operands * (uint32_t)isa_operand.size;
	if (offset >= operands) {
		part = &isa_insn;
		offset -= operands;
	}
	snprintf(prefix, sizeof(prefix), "%s[%u].", part->name,
		 offset / part->size);
	offset %= part->size;
	f = find_field(part, offset);
	name_field(f, offset, prefix, buf, len);
	return f;
}

const struct isa_field *isa_field_at(uint32_t opcode, uint32_t offset,
				     const void *cmd, size_t len,
				     char *buf, size_t buf_len)
{
	const struct isa_struct *s = isa_command(opcode);
	const struct isa_field *f = NULL;

	if (offset < sizeof(struct loom_cmd))
		s = &isa_head;
	if (s && s->opcode == LOOM_OP_VECTOR && offset >= s->size)
		return name_program(offset - s->size, cmd, len, buf, buf_len);
	if (s)
		f = find_field(s, offset);
	name_field(f, offset, "", buf, buf_len);
	return f;
}

const char *accel_field_name(uint32_t opcode, uint32_t offset)
{
	static _Thread_local char name[64];

	isa_field_at(opcode, offset, NULL, 0, name, sizeof(name));
	return name;
}
