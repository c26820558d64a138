// SPDX-License-Identifier: MIT
/*
 * FLASH_ATTN_EXT: softmax(scale Q K' + mask) V for every head.
 *
 * The scores of a batch stand in scratch memory: two products on the arrays and
 * a softmax on the vector engine.  Heads that share keys are a batch dimension
 * of the products in which K and V have stride 0.
 */
#include <string.h>

#include "ops.h"
#include "quant.h"

/** struct attention - a node's tensors; per batch b (dimension 3) what changes is @b */
struct attention {
	/** @q: { d, tokens, heads, batches } */
	struct accel_tensor q;
	/** @k: { d, keys, kv heads, batches } */
	struct accel_tensor k;
	/** @v: { dv, keys, kv heads, batches } */
	struct accel_tensor v;
	/** @out: { dv, tokens, heads, batches } */
	struct accel_tensor out;
	/** @s: scores { keys, tokens, heads, 1 } */
	struct accel_tensor s;
	/** @p: their softmax, of V's type */
	struct accel_tensor p;
};

/* Unpack @t if it is of a block format; the scores' product reads q8_0 and q4_0. */
static int load(struct emit *e, struct accel_tensor *out,
		const struct gg_tensor *t, bool blocks_ok)
{
	uint32_t type = gg_type_info(t->type)->type;
	const struct accel_tensor bytes = emit_bytes(t);

	*out = emit_view(t);
	if (out->type != LOOM_TYPE_NONE)
		return 0;
	if (blocks_ok && type_is_block(type)) {
		out->type = type;
		out->stride[0] = 0;
		return 0;
	}
	*out = emit_temp(e, LOOM_TYPE_F32, out->dim);
	return quant_unpack(e, out, t->type, &bytes);
}

static uint64_t batch_va(const struct accel_tensor *t, uint32_t b)
{
	return t->va + (t->dim[3] == 1 ? 0 : (uint64_t)(b * t->stride[3]));
}

/* Head h of Q uses head h / shared of K and V. */
static void set_batches(struct loom_cmd_matmul *cmd, uint32_t kv_heads,
			uint32_t shared, int64_t a_head, int64_t b_head,
			int64_t d_head)
{
	cmd->batch[0] = shared;
	cmd->batch[1] = kv_heads;
	cmd->a_stride[2] = a_head;
	cmd->a_stride[3] = a_head * shared;
	cmd->b_stride[3] = b_head;
	cmd->d_stride[2] = d_head;
	cmd->d_stride[3] = d_head * shared;
}

static int scores(struct emit *e, const struct attention *x, uint32_t b)
{
	uint32_t shared = x->q.dim[2] / x->k.dim[2];
	struct loom_cmd_matmul cmd = {
		.a_type = (uint8_t)x->q.type, .b_type = (uint8_t)x->k.type,
		.d_type = LOOM_TYPE_F32, .alpha = accel_f32(1),
		.m = x->q.dim[1], .n = x->k.dim[1], .k = x->q.dim[0],
		.a = batch_va(&x->q, b), .b = batch_va(&x->k, b), .d = x->s.va,
		.a_stride = { x->q.stride[1], x->q.stride[0] },
		.b_stride = { x->k.stride[0], x->k.stride[1] },
		.d_stride = { x->s.stride[1], x->s.stride[0] },
	};

	set_batches(&cmd, x->k.dim[2], shared, x->q.stride[2], x->k.stride[2],
		    x->s.stride[2]);
	return accel_cmd_matmul(e->cb, &cmd);
}

static int weighted_values(struct emit *e, const struct attention *x,
			   uint32_t b)
{
	uint32_t shared = x->q.dim[2] / x->v.dim[2];
	struct loom_cmd_matmul cmd = {
		.a_type = (uint8_t)x->p.type, .b_type = (uint8_t)x->v.type,
		.d_type = (uint8_t)x->out.type, .alpha = accel_f32(1),
		.m = x->q.dim[1], .n = x->v.dim[0], .k = x->v.dim[1],
		.a = x->p.va, .b = batch_va(&x->v, b), .d = batch_va(&x->out, b),
		.a_stride = { x->p.stride[1], x->p.stride[0] },
		.b_stride = { x->v.stride[1], x->v.stride[0] },
		.d_stride = { x->out.stride[1], x->out.stride[0] },
	};

	set_batches(&cmd, x->v.dim[2], shared, x->p.stride[2], x->v.stride[2],
		    x->out.stride[2]);
	return accel_cmd_matmul(e->cb, &cmd);
}

/* Batch @b of a mask that may have fewer of them (they repeat) and more rows. */
static void mask_of_batch(struct accel_tensor *out, const struct gg_tensor *t,
			  const struct attention *x, uint32_t b)
{
	*out = emit_view(t);
	out->va += (uint64_t)(b % out->dim[3] * out->stride[3]);
	out->dim[3] = 1;
	if (out->dim[1] > x->q.dim[1])
		out->dim[1] = x->q.dim[1];
}

static int attend(struct emit *e, const struct gg_tensor *t,
		  const struct attention *x, uint32_t b)
{
	struct accel_tensor mask, sink;
	struct softmax s = {
		.dst = &x->p, .src = &x->s, .scale = emit_f32_param(t, 0),
		.max_bias = emit_f32_param(t, 1), .cap = emit_f32_param(t, 2),
	};
	int rc = scores(e, x, b);

	if (rc)
		return rc;
	if (t->src[3]) {
		mask_of_batch(&mask, t->src[3], x, b);
		s.mask = &mask;
	}
	if (t->src[4]) {
		sink = emit_view(t->src[4]);
		s.sink = &sink;
	}
	rc = emit_softmax(e, &s);
	return rc ? rc : weighted_values(e, x, b);
}

int op_flash_attn_ext(struct emit *e, const struct gg_tensor *t)
{
	struct attention x = { .q = emit_view(t->src[0]) };
	uint32_t dim[4], b;
	int rc;

	/* ggml's result is { dv, heads, tokens, batches }. */
	x.out = emit_view(t);
	x.out = accel_tensor_permute(&x.out, (const unsigned int[]){ 0, 2, 1, 3 });
	rc = load(e, &x.k, t->src[1], true);
	if (!rc)
		rc = load(e, &x.v, t->src[2], false);
	if (!rc && x.k.type != x.q.type && !type_is_block(x.k.type)) {
		struct accel_tensor q = emit_temp(e, x.k.type, x.q.dim);

		rc = accel_op_copy(e->cb, &q, &x.q);
		x.q = q;
	}
	if (rc)
		return rc;
	if (x.q.dim[2] % x.k.dim[2] || x.q.dim[2] % x.v.dim[2])
		return emit_refuse(e, "heads do not divide");
	memcpy(dim, x.q.dim, sizeof(dim));
	dim[0] = x.k.dim[1];
	dim[3] = 1;
	x.s = emit_temp(e, LOOM_TYPE_F32, dim);
	x.p = x.v.type == LOOM_TYPE_F32 ? x.s : emit_temp(e, x.v.type, dim);
	for (b = 0; !rc && b < x.q.dim[3]; b++)
		rc = attend(e, t, &x, b);
	return rc;
}
