// SPDX-License-Identifier: MIT
/* ggml's tensors as libaccel's, and what all generators share. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "emit.h"

/* Where a tensor stands that has no memory yet (supports_op asks early). */
#define NOWHERE		(UINT64_C(1) << 32)

/* Intermediate tensors begin at multiples of this. */
#define SCRATCH_ALIGN	256

static const struct gg_type_info types[GG_TYPE_COUNT] = {
	[GG_F32] = { "f32", 1, 4, LOOM_TYPE_F32 },
	[GG_F16] = { "f16", 1, 2, LOOM_TYPE_F16 },
	[GG_BF16] = { "bf16", 1, 2, LOOM_TYPE_BF16 },
	[GG_I8] = { "i8", 1, 1, LOOM_TYPE_I8 },
	[GG_I16] = { "i16", 1, 2, LOOM_TYPE_I16 },
	[GG_I32] = { "i32", 1, 4, LOOM_TYPE_I32 },
	[GG_I64] = { "i64", 1, 8, LOOM_TYPE_I64 },
	[GG_Q8_0] = { "q8_0", 32, 34, LOOM_TYPE_Q8_0 },
	[GG_Q4_0] = { "q4_0", 32, 18, LOOM_TYPE_Q4_0 },
	[GG_Q4_1] = { "q4_1", 32, 20, LOOM_TYPE_NONE },
	[GG_Q5_0] = { "q5_0", 32, 22, LOOM_TYPE_NONE },
	[GG_Q5_1] = { "q5_1", 32, 24, LOOM_TYPE_NONE },
	[GG_Q2_K] = { "q2_K", 256, 84, LOOM_TYPE_NONE },
	[GG_Q3_K] = { "q3_K", 256, 110, LOOM_TYPE_NONE },
	[GG_Q4_K] = { "q4_K", 256, 144, LOOM_TYPE_NONE },
	[GG_Q5_K] = { "q5_K", 256, 176, LOOM_TYPE_NONE },
	[GG_Q6_K] = { "q6_K", 256, 210, LOOM_TYPE_NONE },
	[GG_IQ4_NL] = { "iq4_nl", 32, 18, LOOM_TYPE_NONE },
	[GG_MXFP4] = { "mxfp4", 32, 17, LOOM_TYPE_NONE },
};

const struct gg_type_info *gg_type_info(int32_t type)
{
	static const struct gg_type_info unknown = { "?", 0, 0, 0 };

	if (type < 0 || type >= GG_TYPE_COUNT || !types[type].block)
		return &unknown;
	return &types[type];
}

uint64_t gg_type_row_bytes(int32_t type, int64_t n)
{
	const struct gg_type_info *info = gg_type_info(type);

	return info->block ? n / info->block * (uint64_t)info->bytes : 0;
}

uint64_t gg_row_bytes(const struct gg_tensor *t)
{
	return gg_type_row_bytes(t->type, t->ne[0]);
}

int64_t gg_count(const struct gg_tensor *t)
{
	return t->ne[0] * t->ne[1] * t->ne[2] * t->ne[3];
}

bool gg_contiguous(const struct gg_tensor *t)
{
	const struct gg_type_info *info = gg_type_info(t->type);
	uint64_t step = gg_row_bytes(t);
	unsigned int d;

	if (t->ne[0] != info->block && t->nb[0] != info->bytes)
		return false;
	for (d = 1; d < 4; d++) {
		if (t->ne[d] != 1 && t->nb[d] != step)
			return false;
		step *= (uint64_t)t->ne[d];
	}
	return true;
}

bool gg_same_shape(const struct gg_tensor *a, const struct gg_tensor *b)
{
	return !memcmp(a->ne, b->ne, sizeof(a->ne));
}

float emit_f32_param(const struct gg_tensor *t, unsigned int i)
{
	float f;

	memcpy(&f, &t->op_params[i], sizeof(f));
	return f;
}

void emit_init(struct emit *e, struct accel_cmdbuf *cb, uint64_t scratch_va)
{
	memset(e, 0, sizeof(*e));
	e->cb = cb;
	e->scratch_va = scratch_va ? scratch_va : NOWHERE;
}

int emit_refuse(struct emit *e, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(e->why, sizeof(e->why), fmt, args);
	va_end(args);
	return -ENOTSUP;
}

uint32_t emit_type(int32_t type)
{
	uint32_t t = gg_type_info(type)->type;

	return type_is_block(t) ? LOOM_TYPE_NONE : t;
}

static uint64_t address(const struct gg_tensor *t)
{
	return t->data ? (uint64_t)(uintptr_t)t->data : NOWHERE;
}

struct accel_tensor emit_view(const struct gg_tensor *t)
{
	struct accel_tensor out = { .va = address(t), .type = emit_type(t->type) };
	unsigned int d;

	for (d = 0; d < 4; d++) {
		if (t->ne[d] < 0 || t->ne[d] > INT32_MAX)
			out.type = LOOM_TYPE_NONE;
		out.dim[d] = (uint32_t)t->ne[d];
		out.stride[d] = (int64_t)t->nb[d];
	}
	return out;
}

struct accel_tensor emit_bytes(const struct gg_tensor *t)
{
	struct accel_tensor out = emit_view(t);
	uint64_t row = gg_row_bytes(t);

	out.type = row && row <= INT32_MAX ? LOOM_TYPE_U8 : LOOM_TYPE_NONE;
	out.dim[0] = (uint32_t)row;
	out.stride[0] = 1;
	return out;
}

struct accel_tensor emit_temp(struct emit *e, uint32_t type,
			      const uint32_t dim[4])
{
	struct accel_tensor t = accel_tensor_4d(e->scratch_va + e->scratch_used,
						type, dim[0], dim[1], dim[2],
						dim[3]);

	e->scratch_used += accel_tensor_bytes(&t) + SCRATCH_ALIGN - 1;
	e->scratch_used -= e->scratch_used % SCRATCH_ALIGN;
	if (e->scratch_used > e->scratch_peak)
		e->scratch_peak = e->scratch_used;
	return t;
}

int emit_map1(struct emit *e, const char *name, struct op_program *prog,
	      const struct accel_tensor *dst, const struct accel_tensor *src,
	      const uint32_t *params)
{
	struct op op;

	op_begin(&op, name, dst);
	op_write(&op, "dst", dst);
	op_read(&op, "src", src);
	op_merge(&op);
	return op_emit(&op, e->cb, prog, params);
}

int emit_map2(struct emit *e, const char *name, struct op_program *prog,
	      const struct accel_tensor *dst, const struct accel_tensor *a,
	      const struct accel_tensor *b, const uint32_t *params)
{
	struct op op;

	op_begin(&op, name, dst);
	op_write(&op, "dst", dst);
	op_read(&op, "a", a);
	op_read(&op, "b", b);
	op_merge(&op);
	return op_emit(&op, e->cb, prog, params);
}

int emit_float(struct emit *e, struct accel_tensor *out,
	       const struct accel_tensor *t)
{
	const struct accel_tensor src = *t;

	*out = src;
	if (src.type == LOOM_TYPE_F32)
		return 0;
	*out = emit_temp(e, LOOM_TYPE_F32, src.dim);
	return accel_op_copy(e->cb, out, &src);
}
