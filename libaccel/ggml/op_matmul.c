// SPDX-License-Identifier: MIT
/* Matrix products: MUL_MAT, MUL_MAT_ID, OUT_PROD. */
#include <string.h>

#include "ops.h"
#include "pack.h"
#include "quant.h"
#include "repack.h"

/* Weights that the arrays do not read are unpacked in pieces of this size. */
#define UNPACK_BYTES	(UINT64_C(16) << 20)
/* Weights of the experts that a piece of the tokens has chosen. */
#define EXPERT_BYTES	(UINT64_C(64) << 20)

/* What the activations must be for weights of @type. */
static uint32_t partner(uint32_t type)
{
	if (type_is_block(type))
		return LOOM_TYPE_Q8_0;
	return type == LOOM_TYPE_F16 || type == LOOM_TYPE_BF16 ? type :
								 LOOM_TYPE_F32;
}

/* @t in blocks of 8 bits with a scale. */
static int pack(struct emit *e, struct accel_tensor *out,
		const struct accel_tensor *t)
{
	uint32_t row = (uint32_t)gg_type_row_bytes(GG_Q8_0, t->dim[0]);
	struct accel_tensor bytes = emit_temp(e, LOOM_TYPE_U8,
		(const uint32_t[]){ row, t->dim[1], t->dim[2], t->dim[3] });

	*out = accel_tensor_4d(bytes.va, LOOM_TYPE_Q8_0, t->dim[0], t->dim[1],
			       t->dim[2], t->dim[3]);
	return pack_rows(e, &bytes, GG_Q8_0, t);
}

/* Activations as ggml multiplies them by weights of @type: it rounds them first. */
static int convert(struct emit *e, struct accel_tensor *out,
		   const struct accel_tensor *t, uint32_t weights)
{
	uint32_t type = partner(weights);
	struct accel_tensor x;
	int rc;

	if (type == LOOM_TYPE_Q8_0) {
		rc = emit_float(e, &x, t);
		return rc ? rc : pack(e, out, &x);
	}
	if (t->type == type) {
		*out = *t;
		return 0;
	}
	*out = emit_temp(e, type, t->dim);
	return accel_op_copy(e->cb, out, t);
}

/* Weights { k, n, d2, d3 } of any type as the arrays take them, not yet unpacked. */
static struct accel_tensor weights_view(const struct gg_tensor *t)
{
	struct accel_tensor w = emit_view(t);

	w.type = gg_type_info(t->type)->type;
	if (type_is_block(w.type))
		w.stride[0] = 0;
	return w;
}

/**
 * struct product - D { n, m } = A { k, m } x W { k, n }, batched
 *
 * Matrix (b2, b3) of W serves matrices (b2 r2 .., b3 r3 ..) of A and D.
 */
struct product {
	struct accel_tensor d, a, w;
	/** @r2, @r3: how many matrices of A share one of W */
	uint32_t r2, r3;
};

static void fill_command(struct loom_cmd_matmul *cmd, const struct product *p)
{
	memset(cmd, 0, sizeof(*cmd));
	cmd->alpha = accel_f32(1);
	cmd->a_type = (uint8_t)p->a.type;
	cmd->b_type = (uint8_t)p->w.type;
	cmd->d_type = (uint8_t)p->d.type;
	cmd->m = p->d.dim[1];
	cmd->n = p->d.dim[0];
	cmd->k = p->a.dim[0];
	cmd->a_stride[0] = p->a.stride[1];
	cmd->a_stride[1] = p->a.stride[0];	/* 0 for blocks */
	cmd->b_stride[0] = p->w.stride[0];
	cmd->b_stride[1] = p->w.stride[1];
	cmd->d_stride[0] = p->d.stride[1];
	cmd->d_stride[1] = p->d.stride[0];
}

/* One command: batch dimensions of extents @n0, @n1. */
static int emit_batch(struct emit *e, struct loom_cmd_matmul *cmd,
		      const struct product *p, const uint32_t at[2],
		      const uint32_t batch[2], const int64_t a_step[2],
		      const int64_t w_step[2], const int64_t d_step[2])
{
	uint32_t i2 = at[0], i3 = at[1];
	unsigned int i;

	cmd->a = p->a.va + (uint64_t)(i2 * p->a.stride[2] + i3 * p->a.stride[3]);
	cmd->b = p->w.va + (uint64_t)(i2 / p->r2 * p->w.stride[2] +
				      i3 / p->r3 * p->w.stride[3]);
	cmd->d = p->d.va + (uint64_t)(i2 * p->d.stride[2] + i3 * p->d.stride[3]);
	for (i = 0; i < 2; i++) {
		cmd->batch[i] = batch[i];
		cmd->a_stride[2 + i] = batch[i] == 1 ? 0 : a_step[i];
		cmd->b_stride[2 + i] = batch[i] == 1 ? 0 : w_step[i];
		cmd->d_stride[2 + i] = batch[i] == 1 ? 0 : d_step[i];
	}
	return accel_cmd_matmul(e->cb, cmd);
}

static int emit_product(struct emit *e, const struct product *p)
{
	const struct accel_tensor *a = &p->a, *w = &p->w, *d = &p->d;
	uint32_t n2 = d->dim[2], n3 = d->dim[3], i3;
	struct loom_cmd_matmul cmd;
	int rc = 0;

	fill_command(&cmd, p);
	if (p->r2 == 1 && p->r3 == 1)
		return emit_batch(e, &cmd, p, (const uint32_t[]){ 0, 0 },
				  (const uint32_t[]){ n2, n3 }, &a->stride[2],
				  &w->stride[2], &d->stride[2]);
	for (i3 = 0; !rc && i3 < n3; i3++)
		rc = emit_batch(e, &cmd, p, (const uint32_t[]){ 0, i3 },
				(const uint32_t[]){ p->r2, n2 / p->r2 },
				(const int64_t[]){ a->stride[2], p->r2 * a->stride[2] },
				(const int64_t[]){ 0, w->stride[2] },
				(const int64_t[]){ d->stride[2], p->r2 * d->stride[2] });
	return rc;
}

/* Part of a product: columns @first .. @first + @count - 1 of D, matrix (b2, b3) of W. */
static struct product part(const struct product *p, uint32_t first,
			   uint32_t count, uint32_t b2, uint32_t b3)
{
	struct product out = *p;
	const uint32_t a_start[4] = { 0, 0, b2 * p->r2, b3 * p->r3 };
	const uint32_t a_dim[4] = { p->a.dim[0], p->a.dim[1], p->r2, p->r3 };
	const uint32_t d_start[4] = { first, 0, b2 * p->r2, b3 * p->r3 };
	const uint32_t d_dim[4] = { count, p->d.dim[1], p->r2, p->r3 };

	out.a = accel_tensor_view(&p->a, a_start, a_dim);
	out.d = accel_tensor_view(&p->d, d_start, d_dim);
	return out;
}

/* Weights in a format that only the vector engine reads, piece by piece. */
static int emit_unpacked(struct emit *e, const struct product *p, int32_t type,
			 const struct accel_tensor *bytes)
{
	uint32_t k = p->a.dim[0], n = p->d.dim[0], first, b2, b3;
	uint32_t piece = (uint32_t)(UNPACK_BYTES / (k * UINT64_C(4)));
	struct accel_tensor w, packed, values;
	struct product q;
	int rc = 0;

	piece = piece < 1 ? 1 : piece > n ? n : piece;
	w = emit_temp(e, LOOM_TYPE_F32, (const uint32_t[]){ k, piece, 1, 1 });
	for (b3 = 0; b3 < bytes->dim[3]; b3++)
	for (b2 = 0; b2 < bytes->dim[2]; b2++)
	for (first = 0; !rc && first < n; first += piece) {
		uint32_t count = n - first < piece ? n - first : piece;
		const uint32_t start[4] = { 0, first, b2, b3 };
		const uint32_t dim[4] = { bytes->dim[0], count, 1, 1 };

		packed = accel_tensor_view(bytes, start, dim);
		values = accel_tensor_rows(&w, 0, count);
		rc = quant_unpack(e, &values, type, &packed);
		if (rc)
			break;
		q = part(p, first, count, b2, b3);
		q.w = values;
		q.w.stride[2] = q.w.stride[3] = 0;
		rc = emit_product(e, &q);
	}
	return rc;
}

int op_mul_mat(struct emit *e, const struct gg_tensor *t)
{
	struct gg_tensor copy;
	const struct gg_tensor *weights = repack_weights(e->repack, t->src[0], &copy);
	struct accel_tensor bytes, b = emit_view(t->src[1]);
	struct product p = { .d = emit_view(t), .w = weights_view(weights) };
	int rc;

	p.r2 = p.d.dim[2] / p.w.dim[2];
	p.r3 = p.d.dim[3] / p.w.dim[3];
	rc = convert(e, &p.a, &b, p.w.type);
	if (rc)
		return rc;
	if (p.w.type != LOOM_TYPE_NONE)
		return emit_product(e, &p);
	bytes = emit_bytes(weights);
	return emit_unpacked(e, &p, weights->type, &bytes);
}

/* dst(i0, i1) = sum over k of a(i0, k) b(i1, k) */
int op_out_prod(struct emit *e, const struct gg_tensor *t)
{
	struct accel_tensor a = emit_view(t->src[0]), b = emit_view(t->src[1]);
	struct accel_tensor unpacked;
	struct product p = { .d = emit_view(t) };
	int rc;

	if (!a.type) {
		const struct accel_tensor bytes = emit_bytes(t->src[0]);

		unpacked = emit_temp(e, LOOM_TYPE_F32, a.dim);
		rc = quant_unpack(e, &unpacked, t->src[0]->type, &bytes);
		if (rc)
			return rc;
		a = unpacked;
	}
	rc = emit_float(e, &a, &a);
	if (rc)
		return rc;
	p.w = accel_tensor_transpose(&a);
	p.a = accel_tensor_transpose(&b);
	p.r2 = p.d.dim[2] / p.w.dim[2];
	p.r3 = p.d.dim[3] / p.w.dim[3];
	return emit_product(e, &p);
}

/* --------------------------------------------------------------- experts */

/** struct experts - a MUL_MAT_ID: for each token and slot the expert that was chosen */
struct experts {
	const struct gg_tensor *weights;
	/** @bytes: all of an expert's weights as one row, { bytes, experts, 1, 1 } */
	struct accel_tensor bytes;
	/** @ids: { slots, tokens, 1, 1 } */
	struct accel_tensor ids;
	/** @a: activations { k, slots or 1, tokens, 1 } */
	struct accel_tensor a;
	/** @d: { n, slots, tokens, 1 } */
	struct accel_tensor d;
};

/* Collect the chosen experts' weights of some tokens: { bytes, slots, tokens, 1 }. */
static int gather_experts(struct emit *e, const struct experts *x,
			  uint32_t first, uint32_t tokens,
			  struct accel_tensor *out)
{
	uint32_t slots = x->ids.dim[0];
	const uint32_t start[4] = { 0, first, 0, 0 };
	const uint32_t dim[4] = { slots, tokens, 1, 1 };
	struct accel_tensor ids = accel_tensor_view(&x->ids, start, dim);
	struct accel_tensor all = x->bytes;

	*out = emit_temp(e, LOOM_TYPE_U8,
			 (const uint32_t[]){ all.dim[0], slots, tokens, 1 });
	all.dim[2] = tokens;
	all.stride[2] = 0;
	return accel_op_get_rows(e->cb, out, &all, &ids);
}

/* Rows of one token and slot are a matrix of their own: batch (slot, token). */
static int multiply_experts(struct emit *e, const struct experts *x,
			    uint32_t first, uint32_t tokens,
			    const struct accel_tensor *gathered)
{
	const struct gg_tensor *t = x->weights;
	uint32_t slots = x->ids.dim[0], k = (uint32_t)t->ne[0];
	uint32_t n = (uint32_t)t->ne[1];
	int64_t row = (int64_t)gg_row_bytes(t);
	struct product p = { .r2 = 1, .r3 = 1 };
	struct accel_tensor packed;
	int rc;

	p.d = x->d;
	p.d.va += (uint64_t)(first * x->d.stride[2]);
	p.d.stride[3] = x->d.stride[2];
	p.d.stride[2] = x->d.stride[1];
	p.d.stride[1] = 0;
	p.a = x->a;
	p.a.va += (uint64_t)(first * x->a.stride[2]);
	p.a.stride[3] = x->a.stride[2];
	p.a.stride[2] = x->a.dim[1] == 1 ? 0 : x->a.stride[1];
	p.a.stride[1] = 0;
	p.d.dim[1] = p.a.dim[1] = 1;
	p.d.dim[2] = p.a.dim[2] = slots;
	p.d.dim[3] = p.a.dim[3] = tokens;
	packed = (struct accel_tensor){
		.va = gathered->va, .type = gg_type_info(t->type)->type,
		.dim = { k, n, slots, tokens },
		.stride = { gg_type_info(t->type)->bytes, row, row * n,
			    row * n * slots },
	};
	p.w = packed;
	if (type_is_block(packed.type))
		p.w.stride[0] = 0;
	if (packed.type != LOOM_TYPE_NONE)
		return emit_product(e, &p);
	packed.type = LOOM_TYPE_U8;
	packed.dim[0] = (uint32_t)row;
	packed.stride[0] = 1;
	p.w = emit_temp(e, LOOM_TYPE_F32,
			(const uint32_t[]){ k, n, slots, tokens });
	rc = quant_unpack(e, &p.w, t->type, &packed);
	return rc ? rc : emit_product(e, &p);
}

int op_mul_mat_id(struct emit *e, const struct gg_tensor *t)
{
	struct gg_tensor copy;
	const struct gg_tensor *weights = repack_weights(e->repack, t->src[0], &copy);
	struct accel_tensor b = emit_view(t->src[1]), gathered;
	struct experts x = { .weights = weights, .d = emit_view(t),
			     .ids = emit_view(t->src[2]) };
	uint64_t bytes = gg_row_bytes(weights) * (uint64_t)weights->ne[1];
	uint32_t tokens = x.ids.dim[1], first, count, piece;
	uint64_t used;
	int rc;

	if (weights->nb[1] != gg_row_bytes(weights) || bytes > INT32_MAX)
		return emit_refuse(e, "rows of the experts have gaps");
	x.bytes = accel_tensor_2d(emit_bytes(weights).va, LOOM_TYPE_U8,
				  (uint32_t)bytes, (uint32_t)weights->ne[2]);
	x.bytes.stride[1] = (int64_t)weights->nb[2];
	rc = convert(e, &x.a, &b, gg_type_info(weights->type)->type);
	if (rc)
		return rc;
	piece = (uint32_t)(EXPERT_BYTES / (bytes * x.ids.dim[0]));
	piece = piece ? piece : 1;
	used = e->scratch_used;
	for (first = 0; !rc && first < tokens; first += count) {
		count = tokens - first < piece ? tokens - first : piece;
		e->scratch_used = used;
		rc = gather_experts(e, &x, first, count, &gathered);
		if (!rc)
			rc = multiply_experts(e, &x, first, count, &gathered);
	}
	return rc;
}
