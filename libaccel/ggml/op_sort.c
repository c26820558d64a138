// SPDX-License-Identifier: MIT
/*
 * ARGSORT and TOP_K: a bitonic network over rows of (key, index) pairs.
 *
 * A row is padded to a power of two in scratch memory; each step of the network
 * is one program over all rows that reads a lane's partner by index and writes
 * to a second copy.  Indices are kept as f32, exact below 2^24, and decide
 * between equal keys.
 */
#include <string.h>

#include "ops.h"

#define MAX_ROW		(1u << 17)

/** struct pairs - keys and indices of all rows */
struct pairs {
	struct accel_tensor key, index;
};

static void add_indexed(struct op *op, const struct accel_tensor *t)
{
	struct loom_vec_operand *o = &op->operand[op->count++];

	*o = op->operand[0];
	o->addr = t->va;
	o->limit = t->dim[0];
}

/* Keys of the row and their lanes; what is beyond the row comes last. */
static int fill(struct emit *e, const struct pairs *to,
		const struct accel_tensor *src, bool descending)
{
	static struct op_program prog = { .source =
		".operand key index src\n"
		".param n sign\n"
		"param s0, n\n"
		"param s1, sign\n"
		"imm   s2, inf\n"
		"loop\n"
		"  lane v0\n"
		"  ult  v1, v0, s0\n"
		"  ldx  v2, v0, src\n"
		"  mul  v2, v2, s1\n"
		"  sel  v2, v1, v2, s2\n"
		"  st   key, v2\n"
		"  i2f  v0, v0\n"
		"  st   index, v0\n"
		"end\n"
	};
	const uint32_t params[] = { src->dim[0], accel_f32(descending ? -1 : 1) };
	struct op op;
	unsigned int d;

	op_begin(&op, "sort", &to->key);
	op_write(&op, "key", &to->key);
	op_write(&op, "index", &to->index);
	op.operand[op.count] = (struct loom_vec_operand){
		.addr = src->va, .type = (uint8_t)src->type,
		.limit = src->dim[0], .stride = { src->stride[0] },
	};
	for (d = 1; d < 4; d++)
		op.operand[op.count].stride[d] =
			src->dim[d] == 1 ? 0 : src->stride[d];
	op.count++;
	return op_emit(&op, e->cb, &prog, params);
}

/* Lanes whose numbers differ in bit @distance meet; bit @block tells which way up. */
static int step(struct emit *e, const struct pairs *to,
		const struct pairs *from, uint32_t block, uint32_t distance)
{
	static struct op_program prog = { .source =
		".operand key index from_key from_index\n"
		".param block distance\n"
		"param s0, block\n"
		"param s1, distance\n"
		"imm   s2, 0\n"
		"loop\n"
		"  lane v0\n"
		"  xor  v1, v0, s1          ; partner\n"
		"  ldx  v2, v0, from_key\n"
		"  ldx  v3, v1, from_key\n"
		"  ldx  v4, v0, from_index\n"
		"  ldx  v5, v1, from_index\n"
		"  flt  v6, v3, v2          ; the partner's is less\n"
		"  feq  v7, v3, v2\n"
		"  flt  v8, v5, v4\n"
		"  and  v7, v7, v8\n"
		"  or   v6, v6, v7\n"
		"  and  v7, v0, s0\n"
		"  ieq  v7, v7, s2          ; ascending here\n"
		"  and  v8, v0, s1\n"
		"  ieq  v8, v8, s2          ; lower of the two\n"
		"  ieq  v7, v7, v8          ; wants the less\n"
		"  ieq  v6, v6, v7          ; takes the partner's\n"
		"  sel  v2, v6, v3, v2\n"
		"  sel  v4, v6, v5, v4\n"
		"  st   key, v2\n"
		"  st   index, v4\n"
		"end\n"
	};
	const uint32_t params[] = { block, distance };
	struct op op;

	op_begin(&op, "sort", &to->key);
	op_write(&op, "key", &to->key);
	op_write(&op, "index", &to->index);
	add_indexed(&op, &from->key);
	add_indexed(&op, &from->index);
	return op_emit(&op, e->cb, &prog, params);
}

/* The first elements of the sorted indices as integers. */
static int store(struct emit *e, const struct accel_tensor *dst,
		 const struct accel_tensor *index)
{
	static struct op_program prog = { .source =
		".operand dst src\n"
		"loop\n"
		"  ld  v0, src\n"
		"  f2i v0, v0\n"
		"  sti dst, v0\n"
		"end\n"
	};
	const struct accel_tensor part = accel_tensor_columns(index, 0,
							      dst->dim[0]);
	struct op op;

	op_begin(&op, "sort", dst);
	op_write(&op, "dst", dst);
	op_read(&op, "src", &part);
	return op_emit(&op, e->cb, &prog, NULL);
}

static int sort(struct emit *e, const struct gg_tensor *t, bool descending)
{
	const struct accel_tensor dst = emit_view(t), src = emit_view(t->src[0]);
	uint32_t dim[4], block, distance, n = 1;
	struct pairs a, b, swap;
	int rc;

	if (src.dim[0] > MAX_ROW)
		return emit_refuse(e, "rows of more than %u elements", MAX_ROW);
	while (n < src.dim[0])
		n *= 2;
	memcpy(dim, src.dim, sizeof(dim));
	dim[0] = n;
	a.key = emit_temp(e, LOOM_TYPE_F32, dim);
	a.index = emit_temp(e, LOOM_TYPE_F32, dim);
	b.key = emit_temp(e, LOOM_TYPE_F32, dim);
	b.index = emit_temp(e, LOOM_TYPE_F32, dim);
	rc = fill(e, &a, &src, descending);
	for (block = 2; block <= n; block *= 2)
		for (distance = block / 2; !rc && distance; distance /= 2) {
			rc = step(e, &b, &a, block, distance);
			swap = a;
			a = b;
			b = swap;
		}
	return rc ? rc : store(e, &dst, &a.index);
}

int op_argsort(struct emit *e, const struct gg_tensor *t)
{
	return sort(e, t, t->op_params[0] == 1);
}

int op_top_k(struct emit *e, const struct gg_tensor *t)
{
	return sort(e, t, true);
}
