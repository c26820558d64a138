// SPDX-License-Identifier: MIT
/* Nodes that move elements: copies, rows by index, concatenation, padding. */
#include <string.h>

#include "ops.h"
#include "pack.h"
#include "quant.h"

int op_nothing(struct emit *e, const struct gg_tensor *t)
{
	(void)e;
	(void)t;
	return 0;
}

/* ------------------------------------------------------------------ copies */

/* C's conversion to an integer truncates, COPY rounds. */
static int truncate_to(struct emit *e, const struct accel_tensor *dst,
		       const struct accel_tensor *src)
{
	static struct op_program prog = { .source =
		".operand dst src\n"
		"loop\n"
		"  ld  v0, src\n"
		"  f2i v0, v0\n"
		"  sti dst, v0\n"
		"end\n"
	};

	return emit_map1(e, "copy", &prog, dst, src, NULL);
}

static int copy_same_shape(struct emit *e, const struct accel_tensor *dst,
			   const struct accel_tensor *src)
{
	if (type_is_integer(dst->type) && !type_is_integer(src->type))
		return truncate_to(e, dst, src);
	return accel_op_copy(e->cb, dst, src);
}

/* Elements in order, whatever the two shapes are. */
static int copy_elements(struct emit *e, const struct accel_tensor *dst,
			 const struct accel_tensor *src)
{
	const uint32_t *d = dst->dim, *s = src->dim;
	struct accel_tensor line;
	int rc;

	if (!memcmp(d, s, sizeof(dst->dim)))
		return copy_same_shape(e, dst, src);
	if (accel_tensor_is_contiguous(src)) {
		line = accel_tensor_reshape(src, d[0], d[1], d[2], d[3]);
		return copy_same_shape(e, dst, &line);
	}
	if (accel_tensor_is_contiguous(dst)) {
		line = accel_tensor_reshape(dst, s[0], s[1], s[2], s[3]);
		return copy_same_shape(e, &line, src);
	}
	line = emit_temp(e, src->type, s);
	rc = accel_op_copy(e->cb, &line, src);
	return rc ? rc : copy_elements(e, dst, &line);
}

/* The same block format on both sides. */
static int copy_blocks(struct emit *e, const struct gg_tensor *t,
		       const struct gg_tensor *from)
{
	struct accel_tensor dst = emit_bytes(t), src = emit_bytes(from);

	if (!gg_same_shape(t, from) &&
	    !(gg_contiguous(t) && gg_contiguous(from)))
		return emit_refuse(e, "blocks of another shape");
	return copy_elements(e, &dst, &src);
}

static int copy_unpacking(struct emit *e, const struct gg_tensor *t,
			  const struct gg_tensor *from)
{
	const struct accel_tensor dst = emit_view(t), bytes = emit_bytes(from);
	struct accel_tensor values = emit_view(from);
	int rc;

	if (gg_same_shape(t, from))
		return quant_unpack(e, &dst, from->type, &bytes);
	values = emit_temp(e, LOOM_TYPE_F32, values.dim);
	rc = quant_unpack(e, &values, from->type, &bytes);
	return rc ? rc : copy_elements(e, &dst, &values);
}

/* Rows are packed as blocks of what they hold; @src is a float tensor. */
static int copy_packing(struct emit *e, const struct gg_tensor *t,
			const struct gg_tensor *from)
{
	const struct accel_tensor bytes = emit_bytes(t), src = emit_view(from);

	if (!pack_known(t->type))
		return emit_refuse(e, "packing to %s is not done on the card",
				   gg_type_info(t->type)->name);
	if (!gg_same_shape(t, from))
		return emit_refuse(e, "packing to another shape");
	return pack_rows(e, &bytes, t->type, &src);
}

int op_cpy(struct emit *e, const struct gg_tensor *t)
{
	const struct gg_tensor *from = t->src[0];
	const struct accel_tensor dst = emit_view(t), src = emit_view(from);

	if (dst.type && src.type)
		return copy_elements(e, &dst, &src);
	if (t->type == from->type)
		return copy_blocks(e, t, from);
	if (dst.type)
		return copy_unpacking(e, t, from);
	if (src.type)
		return copy_packing(e, t, from);
	return emit_refuse(e, "from one block format to another");
}

/* ---------------------------------------------------------- rows by index */

int op_get_rows(struct emit *e, const struct gg_tensor *t)
{
	const struct accel_tensor dst = emit_view(t);
	const struct accel_tensor src = emit_view(t->src[0]);
	const struct accel_tensor index = emit_view(t->src[1]);
	const struct accel_tensor bytes = emit_bytes(t->src[0]);
	struct accel_tensor rows;
	uint32_t dim[4];
	int rc;

	if (src.type)
		return accel_op_get_rows(e->cb, &dst, &src, &index);
	memcpy(dim, dst.dim, sizeof(dim));
	dim[0] = bytes.dim[0];
	rows = emit_temp(e, LOOM_TYPE_U8, dim);
	rc = accel_op_get_rows(e->cb, &rows, &bytes, &index);
	return rc ? rc : quant_unpack(e, &dst, t->src[0]->type, &rows);
}

/* dst(i, slot, token) = x(i, slot, token) + row ids(slot, token) of one matrix */
int op_add_id(struct emit *e, const struct gg_tensor *t)
{
	const struct accel_tensor dst = emit_view(t), x = emit_view(t->src[0]);
	const struct accel_tensor ids = emit_view(t->src[2]);
	struct accel_tensor matrix = emit_view(t->src[1]);
	struct accel_tensor rows = emit_temp(e, matrix.type, x.dim);
	int rc;

	/* Every token chooses from the same rows. */
	matrix.dim[2] = x.dim[2];
	matrix.stride[2] = 0;
	rc = accel_op_get_rows(e->cb, &rows, &matrix, &ids);
	return rc ? rc : accel_op_add(e->cb, &dst, &x, &rows);
}

/* One index tensor may serve several matrices: dimensions 2 and 3 repeat. */
static int scatter(struct emit *e, const struct accel_tensor *dst,
		   const struct accel_tensor *src,
		   const struct accel_tensor *index)
{
	struct accel_tensor d = *dst, s = *src, i = *index;
	uint32_t n2 = src->dim[2], n3 = src->dim[3], i2, i3;
	int rc = 0;

	if ((index->dim[1] == 1 || index->dim[1] == n2) &&
	    (index->dim[2] == 1 || index->dim[2] == n3))
		return accel_op_set_rows(e->cb, dst, src, index);
	d.dim[2] = d.dim[3] = s.dim[2] = s.dim[3] = i.dim[1] = i.dim[2] = 1;
	for (i3 = 0; i3 < n3; i3++)
		for (i2 = 0; !rc && i2 < n2; i2++) {
			d.va = dst->va + (uint64_t)(i2 * d.stride[2] + i3 * d.stride[3]);
			s.va = src->va + (uint64_t)(i2 * s.stride[2] + i3 * s.stride[3]);
			i.va = index->va +
			       (uint64_t)(i2 % index->dim[1] * i.stride[1] +
					  i3 % index->dim[2] * i.stride[2]);
			rc = accel_op_set_rows(e->cb, &d, &s, &i);
		}
	return rc;
}

int op_set_rows(struct emit *e, const struct gg_tensor *t)
{
	const struct accel_tensor src = emit_view(t->src[0]);
	const struct accel_tensor index = emit_view(t->src[1]);
	struct accel_tensor dst = emit_view(t), packed;
	uint32_t dim[4];
	int rc;

	if (dst.type)
		return scatter(e, &dst, &src, &index);
	if (!pack_known(t->type))
		return emit_refuse(e, "packing to %s is not done on the card",
				   gg_type_info(t->type)->name);
	dst = emit_bytes(t);
	memcpy(dim, src.dim, sizeof(dim));
	dim[0] = dst.dim[0];
	packed = emit_temp(e, LOOM_TYPE_U8, dim);
	rc = pack_rows(e, &packed, t->type, &src);
	return rc ? rc : scatter(e, &dst, &packed, &index);
}

int op_get_rows_back(struct emit *e, const struct gg_tensor *t)
{
	/*
	 * Rows of equal index add up: dst = S g, where S(r, i) is 1 if
	 * index(i) = r.  S is made piece by piece.
	 */
	static struct op_program select = { .source =
		".operand dst index\n"
		".param first\n"
		"param s0, first\n"
		"index s1, 1\n"
		"iadd  s0, s0, s1\n"
		"imm   s1, 1.0\n"
		"imm   s2, 0.0\n"
		"loop\n"
		"  ldi v0, index\n"
		"  ieq v0, v0, s0\n"
		"  sel v0, v0, s1, s2\n"
		"  st  dst, v0\n"
		"end\n"
	};
	struct accel_tensor g = emit_view(t->src[0]);
	const struct accel_tensor index = emit_view(t->src[1]);
	const struct accel_tensor dst = emit_view(t);
	uint32_t n = index.dim[0], piece = (1u << 22) / n, first, count;
	struct accel_tensor s, y;
	struct op op;
	int rc;

	if (gg_count(t->src[1]) != n)
		return emit_refuse(e, "the index is no vector");
	rc = emit_float(e, &g, &g);
	piece = piece < 1 ? 1 : piece < dst.dim[1] ? piece : dst.dim[1];
	s = emit_temp(e, LOOM_TYPE_F32, (const uint32_t[]){ n, piece, 1, 1 });
	for (first = 0; !rc && first < dst.dim[1]; first += piece) {
		count = dst.dim[1] - first < piece ? dst.dim[1] - first : piece;
		s.dim[1] = count;
		y = accel_tensor_rows(&dst, first, count);
		op_begin(&op, "get_rows_back", &s);
		op_write(&op, "dst", &s);
		op_read(&op, "index", &index);
		rc = op_emit(&op, e->cb, &select, &first);
		if (!rc)
			rc = accel_op_matmul(e->cb, &y, &s, &g, NULL, 1);
	}
	return rc;
}

/* --------------------------------------------------- parts put together */

/* @t in units that COPY moves: elements, or the bytes of whole blocks. */
static struct accel_tensor units(const struct gg_tensor *t)
{
	return emit_type(t->type) ? emit_view(t) : emit_bytes(t);
}

static bool moves_whole(const struct gg_tensor *t)
{
	return emit_type(t->type) || t->nb[0] == gg_type_info(t->type)->bytes;
}

int op_concat(struct emit *e, const struct gg_tensor *t)
{
	unsigned int dim = (unsigned int)t->op_params[0];
	const struct gg_tensor *first = t->src[0], *second = t->src[1];
	const struct accel_tensor dst = units(t);
	const struct accel_tensor a = units(first), b = units(second);
	uint32_t start[4] = { 0 };
	struct accel_tensor part;
	int rc;

	if (dim > 3)
		return emit_refuse(e, "there is no dimension %u", dim);
	if (first->type != t->type || second->type != t->type)
		return emit_refuse(e, "the types differ");
	if (!moves_whole(t) || !moves_whole(first) || !moves_whole(second))
		return emit_refuse(e, "blocks of a row have gaps");
	part = accel_tensor_view(&dst, start, a.dim);
	rc = accel_op_copy(e->cb, &part, &a);
	if (rc)
		return rc;
	start[dim] = a.dim[dim];
	part = accel_tensor_view(&dst, start, b.dim);
	return accel_op_copy(e->cb, &part, &b);
}

int op_repeat(struct emit *e, const struct gg_tensor *t)
{
	static struct op_program floats = { .source =
		".operand dst src\n"
		"loop\n"
		"  ld v0, src\n"
		"  st dst, v0\n"
		"end\n"
	};
	static struct op_program integers = { .source =
		".operand dst src\n"
		"loop\n"
		"  ldi v0, src\n"
		"  sti dst, v0\n"
		"end\n"
	};
	const struct accel_tensor dst = emit_view(t), src = emit_view(t->src[0]);

	return emit_map1(e, "repeat",
			 type_is_integer(dst.type) ? &integers : &floats, &dst,
			 &src, NULL);
}

/* Add up the repeats along dimension @d, leaving @n elements there. */
static int fold(struct emit *e, struct accel_tensor *x, unsigned int d,
		uint32_t n)
{
	uint32_t dim[4], repeats = x->dim[d] / n, i;
	struct accel_tensor y, part;
	uint32_t start[4] = { 0 };
	int rc;

	if (repeats == 1)
		return 0;
	memcpy(dim, x->dim, sizeof(dim));
	dim[d] = n;
	y = emit_temp(e, LOOM_TYPE_F32, dim);
	part = accel_tensor_view(x, start, dim);
	rc = accel_op_copy(e->cb, &y, &part);
	for (i = 1; !rc && i < repeats; i++) {
		start[d] = i * n;
		part = accel_tensor_view(x, start, dim);
		rc = accel_op_add(e->cb, &y, &y, &part);
	}
	*x = y;
	return rc;
}

int op_repeat_back(struct emit *e, const struct gg_tensor *t)
{
	const struct accel_tensor dst = emit_view(t);
	struct accel_tensor x = emit_view(t->src[0]), y;
	unsigned int d;
	int rc = 0;

	for (d = 0; !rc && d < 4; d++) {
		if (dst.dim[d] == 1 && x.dim[d] > 1) {
			uint32_t dim[4];

			memcpy(dim, x.dim, sizeof(dim));
			dim[d] = 1;
			y = emit_temp(e, LOOM_TYPE_F32, dim);
			rc = accel_op_sum(e->cb, &y, &x, d);
			x = y;
		} else {
			rc = fold(e, &x, d, dst.dim[d]);
		}
	}
	return rc ? rc : accel_op_copy(e->cb, &dst, &x);
}

/* The box inside the node's result that ACC and SET change. */
static struct accel_tensor inner_box(const struct gg_tensor *t)
{
	const struct accel_tensor part = emit_view(t->src[1]);
	struct accel_tensor box = emit_view(t);
	unsigned int d;

	memcpy(box.dim, part.dim, sizeof(box.dim));
	for (d = 1; d < 4; d++)
		box.stride[d] = t->op_params[d - 1];
	box.va += (uint32_t)t->op_params[3];
	return box;
}

static int copy_source(struct emit *e, const struct gg_tensor *t)
{
	const struct accel_tensor dst = emit_view(t), src = emit_view(t->src[0]);

	return t->data && dst.va == src.va ? 0 :
					     accel_op_copy(e->cb, &dst, &src);
}

int op_acc(struct emit *e, const struct gg_tensor *t)
{
	const struct accel_tensor box = inner_box(t);
	const struct accel_tensor part = emit_view(t->src[1]);
	int rc = copy_source(e, t);

	return rc ? rc : accel_op_add(e->cb, &box, &box, &part);
}

int op_set(struct emit *e, const struct gg_tensor *t)
{
	const struct accel_tensor box = inner_box(t);
	const struct accel_tensor part = emit_view(t->src[1]);
	int rc = copy_source(e, t);

	return rc ? rc : accel_op_copy(e->cb, &box, &part);
}

/* ------------------------------------------------------------- padding */

/* Copy @src around a ring so that its element 0 stands at @shift. */
static int copy_ring(struct emit *e, const struct accel_tensor *dst,
		     const struct accel_tensor *src, const uint32_t shift[4])
{
	struct accel_tensor to, from;
	uint32_t at[4], start[4], dim[4];
	unsigned int part, d;
	int rc = 0;

	for (part = 0; !rc && part < 16; part++) {
		bool empty = false;

		for (d = 0; d < 4; d++) {
			uint32_t tail = src->dim[d] - shift[d];
			bool second = part >> d & 1;

			start[d] = second ? tail : 0;
			dim[d] = second ? shift[d] : tail;
			at[d] = second ? 0 : shift[d];
			empty |= !dim[d];
		}
		if (empty)
			continue;
		to = accel_tensor_view(dst, at, dim);
		from = accel_tensor_view(src, start, dim);
		rc = accel_op_copy(e->cb, &to, &from);
	}
	return rc;
}

int op_roll(struct emit *e, const struct gg_tensor *t)
{
	const struct accel_tensor dst = emit_view(t), src = emit_view(t->src[0]);
	uint32_t shift[4];
	unsigned int d;

	for (d = 0; d < 4; d++) {
		int64_t s = t->op_params[d] % (int64_t)src.dim[d];

		shift[d] = (uint32_t)(s < 0 ? s + src.dim[d] : s);
	}
	return copy_ring(e, &dst, &src, shift);
}

/* dst(i) = src((i - left) mod n) in every dimension. */
static int pad_circular(struct emit *e, const struct accel_tensor *dst,
			const struct accel_tensor *src, const uint32_t left[4])
{
	static struct op_program prog = { .source =
		".operand dst src\n"
		"loop\n"
		"  ld v0, src\n"
		"  st dst, v0\n"
		"end\n"
	};
	struct accel_tensor ring = emit_temp(e, src->type, src->dim);
	uint32_t shift[4];
	unsigned int d;
	struct op op;
	int rc;

	for (d = 0; d < 4; d++)
		shift[d] = left[d] % src->dim[d];
	rc = copy_ring(e, &ring, src, shift);
	if (rc)
		return rc;
	op_begin(&op, "pad", dst);
	op_write(&op, "dst", dst);
	op.operand[op.count++] = (struct loom_vec_operand){
		.addr = ring.va, .type = (uint8_t)ring.type,
		.stride = { ring.stride[0], ring.stride[1], ring.stride[2],
			    ring.stride[3] },
		.wrap = { ring.dim[0], ring.dim[1], ring.dim[2], ring.dim[3] },
	};
	return op_emit(&op, e->cb, &prog, NULL);
}

int op_pad(struct emit *e, const struct gg_tensor *t)
{
	const struct accel_tensor dst = emit_view(t), src = emit_view(t->src[0]);
	struct accel_tensor inner;
	uint32_t left[4];
	unsigned int d;
	int rc;

	for (d = 0; d < 4; d++)
		left[d] = (uint32_t)t->op_params[2 * d];
	if (t->op_params[8])
		return pad_circular(e, &dst, &src, left);
	inner = accel_tensor_view(&dst, left, src.dim);
	rc = accel_op_fill(e->cb, &dst, 0);
	return rc ? rc : accel_op_copy(e->cb, &inner, &src);
}

int op_pad_reflect_1d(struct emit *e, const struct gg_tensor *t)
{
	const struct accel_tensor dst = emit_view(t), src = emit_view(t->src[0]);
	uint32_t left = (uint32_t)t->op_params[0];
	uint32_t right = (uint32_t)t->op_params[1], n = src.dim[0];
	struct accel_tensor mirror = src, part;
	int rc;

	part = accel_tensor_columns(&dst, left, n);
	rc = accel_op_copy(e->cb, &part, &src);
	mirror.stride[0] = -src.stride[0];
	if (!rc && left) {
		mirror.dim[0] = left;
		mirror.va = src.va + (uint64_t)(left * src.stride[0]);
		part = accel_tensor_columns(&dst, 0, left);
		rc = accel_op_copy(e->cb, &part, &mirror);
	}
	if (!rc && right) {
		mirror.dim[0] = right;
		mirror.va = src.va + (uint64_t)((n - 2) * src.stride[0]);
		part = accel_tensor_columns(&dst, left + n, right);
		rc = accel_op_copy(e->cb, &part, &mirror);
	}
	return rc;
}
