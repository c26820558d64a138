// SPDX-License-Identifier: MIT
/*
 * ARGSORT and TOP_K: a bitonic network over rows of (key, index) pairs.
 *
 * A row is padded to a power of two in scratch memory; each step of the network
 * is one program over all rows that reads a lane's partner by index and writes
 * to a second copy.  Indices are kept as f32, exact below 2^24, and decide
 * between equal keys.
 *
 * TOP_K sorts no more than it needs: runs of k, then of every two runs the better
 * half, until one is left.
 */
#include <string.h>

#include "ops.h"

#define MAX_ROW		(1u << 20)

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

/* Pairs v0 and v1: keys v2, v3, indices v4, v5; v6: the second comes before the first. */
#define COMPARE								\
	"  ldx  v2, v0, from_key\n"					\
	"  ldx  v3, v1, from_key\n"					\
	"  ldx  v4, v0, from_index\n"					\
	"  ldx  v5, v1, from_index\n"					\
	"  flt  v6, v3, v2\n"						\
	"  feq  v7, v3, v2\n"						\
	"  flt  v8, v5, v4\n"						\
	"  and  v7, v7, v8\n"						\
	"  or   v6, v6, v7\n"

/* Operands key index from_key from_index */
static void begin_step(struct op *op, const struct pairs *to,
		       const struct pairs *from)
{
	op_begin(op, "sort", &to->key);
	op_write(op, "key", &to->key);
	op_write(op, "index", &to->index);
	add_indexed(op, &from->key);
	add_indexed(op, &from->index);
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
		COMPARE
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

	begin_step(&op, to, from);
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

/* Of each two runs, one up and one down, the lesser half: a run that is to be merged. */
static int halve(struct emit *e, const struct pairs *to,
		 const struct pairs *from, uint32_t run)
{
	static struct op_program prog = { .source =
		".operand key index from_key from_index\n"
		".param run below\n"
		"param s0, run\n"
		"param s1, below           ; run - 1\n"
		"loop\n"
		"  lane v0\n"
		"  and  v1, v0, s1\n"
		"  isub v1, v0, v1         ; where the run starts\n"
		"  iadd v0, v0, v1         ; the first of two\n"
		"  iadd v1, v0, s0\n"
		COMPARE
		"  sel  v2, v6, v3, v2\n"
		"  sel  v4, v6, v5, v4\n"
		"  st   key, v2\n"
		"  st   index, v4\n"
		"end\n"
	};
	const uint32_t params[] = { run, run - 1 };
	struct op op;

	begin_step(&op, to, from);
	return op_emit(&op, e->cb, &prog, params);
}

/** struct sorter - pairs, and as many where the next step puts them */
struct sorter {
	struct pairs now, next;
	/** @n: elements of a row, a power of two */
	uint32_t n;
};

static void swap(struct sorter *s)
{
	struct pairs now = s->now;

	s->now = s->next;
	s->next = now;
}

/* Load all keys of a row, and what fills it up. */
static int begin(struct emit *e, struct sorter *s,
		 const struct accel_tensor *src, bool descending)
{
	uint32_t dim[4];

	if (src->dim[0] > MAX_ROW)
		return emit_refuse(e, "rows of more than %u elements", MAX_ROW);
	for (s->n = 1; s->n < src->dim[0];)
		s->n *= 2;
	memcpy(dim, src->dim, sizeof(dim));
	dim[0] = s->n;
	s->now.key = emit_temp(e, LOOM_TYPE_F32, dim);
	s->now.index = emit_temp(e, LOOM_TYPE_F32, dim);
	s->next.key = emit_temp(e, LOOM_TYPE_F32, dim);
	s->next.index = emit_temp(e, LOOM_TYPE_F32, dim);
	return fill(e, &s->now, src, descending);
}

/* Merge what is sorted in runs of half @first into runs of @last, up and down in turn. */
static int merge(struct emit *e, struct sorter *s, uint32_t first, uint32_t last)
{
	uint32_t run, distance;
	int rc = 0;

	for (run = first; run <= last; run *= 2)
		for (distance = run / 2; !rc && distance; distance /= 2) {
			rc = step(e, &s->next, &s->now, run, distance);
			swap(s);
		}
	return rc;
}

/* Keep half of the runs of @run. */
static int drop(struct emit *e, struct sorter *s, uint32_t run)
{
	int rc;

	s->n /= 2;
	s->next.key = accel_tensor_columns(&s->next.key, 0, s->n);
	s->next.index = accel_tensor_columns(&s->next.index, 0, s->n);
	rc = halve(e, &s->next, &s->now, run);
	swap(s);
	s->next.key = accel_tensor_columns(&s->next.key, 0, s->n);
	s->next.index = accel_tensor_columns(&s->next.index, 0, s->n);
	return rc;
}

int op_argsort(struct emit *e, const struct gg_tensor *t)
{
	const struct accel_tensor dst = emit_view(t), src = emit_view(t->src[0]);
	struct sorter s;
	int rc;

	rc = begin(e, &s, &src, t->op_params[0] == 1);
	if (!rc)
		rc = merge(e, &s, 2, s.n);
	return rc ? rc : store(e, &dst, &s.now.index);
}

int op_top_k(struct emit *e, const struct gg_tensor *t)
{
	const struct accel_tensor dst = emit_view(t), src = emit_view(t->src[0]);
	struct sorter s;
	uint32_t run = 1;
	int rc;

	while (run < dst.dim[0])
		run *= 2;
	rc = begin(e, &s, &src, true);
	if (!rc)
		rc = merge(e, &s, 2, run);
	while (!rc && s.n > run) {
		rc = drop(e, &s, run);
		if (!rc)
			rc = merge(e, &s, run, run);
	}
	return rc ? rc : store(e, &dst, &s.now.index);
}
