// SPDX-License-Identifier: MIT
/*
 * Checks of a command that need no card.  The card has the last word; what is
 * refused here it would refuse too, with the same error and field.
 */
#include <string.h>

#include "internal.h"
#include "isa.h"

static int fault_set(struct isa_fault *fault, uint32_t error, size_t field)
{
	fault->error = error;
	fault->field = field;
	return -1;
}

/* ------------------------------------------------------------------ fields */

/* What a field says by itself; which types go together is further below. */
static bool field_ok(const struct isa_field *f, uint64_t v, uint32_t *error)
{
	switch (f->kind) {
	case ISA_ZERO:
		*error = LOOM_ERR_CMD_RESERVED;
		return v == 0;
	case ISA_FLAGS:
		*error = LOOM_ERR_CMD_RESERVED;
		return !(v & ~(uint64_t)LOOM_CMD_F_MASK);
	case ISA_MODE:
	case ISA_EVENT_OP:
		*error = LOOM_ERR_CMD_FIELD;
		return isa_value_name(f->kind, v) != NULL;
	case ISA_EVENT:
		*error = LOOM_ERR_EVENT;
		return v < LOOM_NUM_EVENTS;
	default:
		return true;
	}
}

static int check_fields(const struct isa_struct *s, const void *base,
			size_t at, struct isa_fault *fault)
{
	const struct isa_field *f;
	uint32_t error;
	unsigned int i, e;

	for (i = 0; i < s->num_fields; i++) {
		f = &s->fields[i];
		for (e = 0; e < (f->count ? f->count : 1u); e++)
			if (!field_ok(f, isa_load(f, base, e), &error))
				return fault_set(fault, error,
						 at + f->offset + e * f->size);
	}
	return 0;
}

/* ----------------------------------------------------------------- tensors */

/* An operand of a command: where its parts stand and what it spans. */
struct tensor {
	uint64_t addr;
	const int64_t *stride;
	const uint32_t *dim;
	/* At most 4; absent if 0. */
	unsigned int num_dims;
	/* Bytes of an element (of a block), and what addresses are aligned to. */
	unsigned int size;
	unsigned int align;
	/* Byte offsets of the two fields in the command. */
	size_t addr_field;
	size_t stride_field;
};

static int check_align(const struct tensor *t, struct isa_fault *fault)
{
	unsigned int i;

	if (!t->num_dims)
		return 0;
	if (t->addr % t->align)
		return fault_set(fault, LOOM_ERR_CMD_ALIGN, t->addr_field);
	for (i = 0; i < t->num_dims; i++)
		if (t->stride[i] % (int64_t)t->align)
			return fault_set(fault, LOOM_ERR_CMD_ALIGN,
					 t->stride_field + i * sizeof(int64_t));
	return 0;
}

/* Do all elements lie in the 48-bit address space? */
static int check_range(const struct tensor *t, struct isa_fault *fault)
{
	__int128 low = t->addr, high = (__int128)t->addr + t->size, step;
	unsigned int i;

	if (!t->num_dims)
		return 0;
	for (i = 0; i < t->num_dims; i++) {
		if (!t->dim[i])
			return 0;
		step = (__int128)t->stride[i] * (t->dim[i] - 1);
		if (step < 0)
			low += step;
		else
			high += step;
	}
	if (low < 0 || high > ((__int128)1 << LOOM_VA_BITS))
		return fault_set(fault, LOOM_ERR_CMD_RANGE, t->addr_field);
	return 0;
}

/* -------------------------------------------------------------------- COPY */

#define COPY_FIELD(m) offsetof(struct loom_cmd_copy, m)

static bool is_indexed(const struct loom_cmd_copy *c)
{
	return c->mode == LOOM_COPY_GATHER || c->mode == LOOM_COPY_SCATTER;
}

static int check_copy_types(const struct loom_cmd_copy *c,
			    struct isa_fault *fault)
{
	bool fill = c->mode == LOOM_COPY_FILL;
	bool is_int = c->index_type == LOOM_TYPE_I32 ||
		      c->index_type == LOOM_TYPE_I64;

	if (fill && c->src)
		return fault_set(fault, LOOM_ERR_CMD_FIELD, COPY_FIELD(src));
	if (!is_indexed(c) && c->index)
		return fault_set(fault, LOOM_ERR_CMD_FIELD, COPY_FIELD(index));
	if (fill ? c->src_type != LOOM_TYPE_NONE :
		   !accel_type_size(c->src_type))
		return fault_set(fault, LOOM_ERR_CMD_TYPE, COPY_FIELD(src_type));
	if (!accel_type_size(c->dst_type))
		return fault_set(fault, LOOM_ERR_CMD_TYPE, COPY_FIELD(dst_type));
	if (is_indexed(c) ? !is_int : c->index_type != LOOM_TYPE_NONE)
		return fault_set(fault, LOOM_ERR_CMD_TYPE,
				 COPY_FIELD(index_type));
	return 0;
}

static int check_copy(const struct loom_cmd_copy *c, struct isa_fault *fault)
{
	/* The indexed dimension has index_limit rows, not dim[1]. */
	uint32_t far_dim[4] = { c->dim[0], c->index_limit, c->dim[2], c->dim[3] };
	unsigned int src_size = accel_type_size(c->src_type);
	unsigned int dst_size = accel_type_size(c->dst_type);
	unsigned int index_size = accel_type_size(c->index_type);
	int64_t src_stride[4], dst_stride[4], index_stride[3];
	const struct tensor src = {
		c->src, src_stride,
		c->mode == LOOM_COPY_GATHER ? far_dim : c->dim,
		src_size ? 4 : 0, src_size, src_size,
		COPY_FIELD(src), COPY_FIELD(src_stride),
	};
	const struct tensor dst = {
		c->dst, dst_stride,
		c->mode == LOOM_COPY_SCATTER ? far_dim : c->dim,
		4, dst_size, dst_size,
		COPY_FIELD(dst), COPY_FIELD(dst_stride),
	};
	const struct tensor index = {
		c->index, index_stride, c->dim + 1,
		index_size ? 3 : 0, index_size, index_size,
		COPY_FIELD(index), COPY_FIELD(index_stride),
	};

	if (check_copy_types(c, fault))
		return -1;
	memcpy(src_stride, c->src_stride, sizeof(src_stride));
	memcpy(dst_stride, c->dst_stride, sizeof(dst_stride));
	memcpy(index_stride, c->index_stride, sizeof(index_stride));
	if (check_align(&dst, fault) || check_align(&src, fault) ||
	    check_align(&index, fault))
		return -1;
	if (!c->dim[0] || !c->dim[1] || !c->dim[2] || !c->dim[3])
		return 0;
	if (check_range(&src, fault) || check_range(&dst, fault) ||
	    check_range(&index, fault))
		return -1;
	return 0;
}

/* ------------------------------------------------------------------ MATMUL */

#define MATMUL_FIELD(m) offsetof(struct loom_cmd_matmul, m)
#define MATMUL_MAX_EXTENT 0x7fffffffu

static bool is_f8(uint32_t type)
{
	return type == LOOM_TYPE_F8E4M3 || type == LOOM_TYPE_F8E5M2;
}

static bool is_matmul_out(uint32_t type)
{
	return type == LOOM_TYPE_F32 || type == LOOM_TYPE_F16 ||
	       type == LOOM_TYPE_BF16;
}

static bool matmul_b_ok(uint32_t a, uint32_t b)
{
	if (is_f8(a))
		return is_f8(b);
	if (isa_is_block_type(b))
		return a == LOOM_TYPE_F32 || a == LOOM_TYPE_Q8_0;
	return a == b;
}

static int check_matmul_types(const struct loom_cmd_matmul *c,
			      struct isa_fault *fault)
{
	bool integer = c->a_type == LOOM_TYPE_I8;

	if (!integer && !is_f8(c->a_type) && !is_matmul_out(c->a_type) &&
	    c->a_type != LOOM_TYPE_Q8_0)
		return fault_set(fault, LOOM_ERR_CMD_TYPE, MATMUL_FIELD(a_type));
	if (!matmul_b_ok(c->a_type, c->b_type))
		return fault_set(fault, LOOM_ERR_CMD_TYPE, MATMUL_FIELD(b_type));
	if (c->c_type != LOOM_TYPE_NONE &&
	    !(integer ? c->c_type == LOOM_TYPE_I32 : is_matmul_out(c->c_type)))
		return fault_set(fault, LOOM_ERR_CMD_TYPE, MATMUL_FIELD(c_type));
	if (!(integer ? c->d_type == LOOM_TYPE_I32 : is_matmul_out(c->d_type)))
		return fault_set(fault, LOOM_ERR_CMD_TYPE, MATMUL_FIELD(d_type));
	return 0;
}

static int check_matmul_values(const struct loom_cmd_matmul *c,
			       struct isa_fault *fault)
{
	const uint32_t one = 0x3f800000;
	unsigned int i;

	if (c->a_type == LOOM_TYPE_I8 && c->alpha != one)
		return fault_set(fault, LOOM_ERR_CMD_FIELD, MATMUL_FIELD(alpha));
	if (c->m > MATMUL_MAX_EXTENT)
		return fault_set(fault, LOOM_ERR_CMD_FIELD, MATMUL_FIELD(m));
	if (c->n > MATMUL_MAX_EXTENT)
		return fault_set(fault, LOOM_ERR_CMD_FIELD, MATMUL_FIELD(n));
	if (c->k > MATMUL_MAX_EXTENT ||
	    (isa_is_block_type(c->b_type) && c->k % 32))
		return fault_set(fault, LOOM_ERR_CMD_FIELD, MATMUL_FIELD(k));
	for (i = 0; i < 2; i++)
		if (c->batch[i] > MATMUL_MAX_EXTENT)
			return fault_set(fault, LOOM_ERR_CMD_FIELD,
					 MATMUL_FIELD(batch) + i * 4);
	if (c->c_type == LOOM_TYPE_NONE && c->c)
		return fault_set(fault, LOOM_ERR_CMD_FIELD, MATMUL_FIELD(c));
	if (isa_is_block_type(c->a_type) && c->a_stride[1])
		return fault_set(fault, LOOM_ERR_CMD_FIELD,
				 MATMUL_FIELD(a_stride) + 8);
	if (isa_is_block_type(c->b_type) && c->b_stride[0])
		return fault_set(fault, LOOM_ERR_CMD_FIELD,
				 MATMUL_FIELD(b_stride));
	return 0;
}

/* One of A, B, C, D: rows x cols, batch. */
static int check_matrix(const struct loom_cmd_matmul *c, uint32_t type,
			uint64_t addr, size_t addr_field, const void *strides,
			size_t stride_field, uint32_t rows, uint32_t cols,
			struct isa_fault *fault)
{
	uint32_t dim[4] = { rows, cols, c->batch[0], c->batch[1] };
	unsigned int size = accel_type_size(type);
	int64_t stride[4];
	struct tensor t = {
		addr, stride, dim, 4, size, size, addr_field, stride_field,
	};

	if (type == LOOM_TYPE_NONE)
		return 0;
	memcpy(stride, strides, sizeof(stride));
	if (isa_is_block_type(type)) {
		/* Blocks run along k; each begins with an f16. */
		t.size = c->k / 32 * (type == LOOM_TYPE_Q8_0 ? 34 : 18);
		t.align = 2;
	}
	return check_align(&t, fault) || check_range(&t, fault) ? -1 : 0;
}

static int check_matmul(const struct loom_cmd_matmul *c,
			struct isa_fault *fault)
{
	if (check_matmul_types(c, fault) || check_matmul_values(c, fault))
		return -1;
#define MATRIX(x, rows, cols) \
	check_matrix(c, c->x##_type, c->x, MATMUL_FIELD(x), c->x##_stride, \
		     MATMUL_FIELD(x##_stride), rows, cols, fault)
	if (MATRIX(a, c->m, c->k) || MATRIX(b, c->k, c->n) ||
	    MATRIX(c, c->m, c->n) || MATRIX(d, c->m, c->n))
		return -1;
#undef MATRIX
	return 0;
}

/* ------------------------------------------------------------------ VECTOR */

#define VECTOR_FIELD(m) offsetof(struct loom_cmd_vector, m)

static size_t vector_operands_at(unsigned int i)
{
	return sizeof(struct loom_cmd_vector) +
	       i * sizeof(struct loom_vec_operand);
}

static const struct loom_vec_operand *
vector_operand(const struct loom_cmd_vector *c, unsigned int i)
{
	return (const void *)((const char *)c + vector_operands_at(i));
}

static const struct loom_vec_insn *
vector_insns(const struct loom_cmd_vector *c)
{
	return (const void *)vector_operand(c, c->num_operands);
}

/*
 * How far the program goes along dimension 0 of operand @n, which lies at @op;
 * 0 if it does not use it.
 */
static uint32_t vector_reach(const struct loom_cmd_vector *c, unsigned int n,
			     const struct loom_vec_operand *op, uint32_t period)
{
	const struct loom_vec_insn *in = vector_insns(c);
	uint32_t reach = 0, extent;
	const struct isa_vec *v;
	unsigned int i;
	uint8_t reg;

	for (i = 0; i < c->num_insns; i++, in++) {
		v = isa_vec(in->op);
		if (in->operand != n || !strchr(v->form, 'O'))
			continue;
		reg = strchr(v->form, 'D') ? in->dst : in->a;
		if (in->op == LOOM_VEC_LDX)
			extent = op->limit;
		else
			extent = reg < LOOM_VEC_NUM_V ? period : 1;
		if (extent > reach)
			reach = extent;
	}
	return reach;
}

static struct tensor operand_tensor(const struct loom_cmd_vector *c,
				    unsigned int i, uint32_t dim[4],
				    int64_t stride[4])
{
	const struct loom_vec_operand *op = vector_operand(c, i);
	size_t at = vector_operands_at(i);
	unsigned int size = accel_type_size(op->type), d;

	memcpy(stride, op->stride, sizeof(op->stride));
	for (d = 0; d < 4; d++)
		dim[d] = op->wrap[d] && op->wrap[d] < c->dim[d] ?
			 op->wrap[d] : c->dim[d];
	return (struct tensor){
		op->addr, stride, dim, 4, size, size,
		at + offsetof(struct loom_vec_operand, addr),
		at + offsetof(struct loom_vec_operand, stride),
	};
}

static int check_operand(const struct loom_cmd_vector *c, unsigned int i,
			 struct isa_fault *fault)
{
	const struct loom_vec_operand *op = vector_operand(c, i);
	size_t at = vector_operands_at(i);
	uint32_t dim[4];
	int64_t stride[4];
	struct tensor t;

	if (!accel_type_size(op->type))
		return fault_set(fault, LOOM_ERR_CMD_TYPE,
				 at + offsetof(struct loom_vec_operand, type));
	if (check_fields(&isa_operand, op, at, fault))
		return -1;
	t = operand_tensor(c, i, dim, stride);
	return check_align(&t, fault);
}

static bool is_narrow_float(uint32_t type)
{
	return type == LOOM_TYPE_F16 || type == LOOM_TYPE_BF16 || is_f8(type);
}

/* LDI and STI move bits: of integers, or of an f32. */
static int check_integer_use(const struct loom_cmd_vector *c,
			     struct isa_fault *fault)
{
	const struct loom_vec_insn *in = vector_insns(c);
	unsigned int i;

	for (i = 0; i < c->num_insns; i++, in++) {
		if (in->op != LOOM_VEC_LDI && in->op != LOOM_VEC_STI)
			continue;
		if (is_narrow_float(vector_operand(c, in->operand)->type))
			return fault_set(fault, LOOM_ERR_CMD_TYPE,
					 vector_operands_at(in->operand) +
					 offsetof(struct loom_vec_operand, type));
	}
	return 0;
}

static int check_ranges(const struct loom_cmd_vector *c,
			struct isa_fault *fault)
{
	uint32_t dim[4];
	int64_t stride[4];
	struct tensor t;
	unsigned int i;

	for (i = 0; i < c->num_operands; i++) {
		t = operand_tensor(c, i, dim, stride);
		dim[0] = vector_reach(c, i, vector_operand(c, i), dim[0]);
		if (check_range(&t, fault))
			return -1;
	}
	return 0;
}

static int check_vector(const struct loom_cmd_vector *c,
			struct isa_fault *fault)
{
	size_t at = vector_operands_at(c->num_operands);
	size_t end = at + c->num_insns * sizeof(struct loom_vec_insn);
	size_t size = (size_t)c->hdr.size64 * LOOM_CMD_ALIGN;
	struct vec_fault vf;
	unsigned int i;

	for (; end < size; end++)
		if (((const uint8_t *)c)[end])
			return fault_set(fault, LOOM_ERR_CMD_RESERVED, end);
	for (i = 0; i < c->num_operands; i++)
		if (check_operand(c, i, fault))
			return -1;
	if (vec_check(vector_insns(c), c->num_insns, c->num_operands, &vf))
		return fault_set(fault, vf.error,
				 at + vf.insn * sizeof(struct loom_vec_insn) +
				 vf.field);
	if (check_integer_use(c, fault))
		return -1;
	return check_ranges(c, fault);
}

/* -------------------------------------------------------------------- head */

/* Bytes that a command of this opcode has, 0 if its own counts are wrong. */
static size_t expected_size(const struct isa_struct *s, const void *cmd,
			    struct isa_fault *fault)
{
	const struct loom_cmd_vector *vec = cmd;
	size_t size = s->size;

	if (s->opcode != LOOM_OP_VECTOR)
		return size;
	if (vec->num_operands > LOOM_VEC_MAX_OPERANDS) {
		fault_set(fault, LOOM_ERR_CMD_FIELD, VECTOR_FIELD(num_operands));
		return 0;
	}
	if (!vec->num_insns || vec->num_insns > LOOM_VEC_MAX_INSNS) {
		fault_set(fault, LOOM_ERR_CMD_FIELD, VECTOR_FIELD(num_insns));
		return 0;
	}
	size = vector_operands_at(vec->num_operands) +
	       vec->num_insns * sizeof(struct loom_vec_insn);
	return (size + LOOM_CMD_ALIGN - 1) / LOOM_CMD_ALIGN * LOOM_CMD_ALIGN;
}

static int check_head(const void *cmd, size_t len, const struct isa_struct *s,
		      struct isa_fault *fault)
{
	const struct loom_cmd *hdr = cmd;
	size_t size = (size_t)hdr->size64 * LOOM_CMD_ALIGN, expected;

	if (!s)
		return fault_set(fault, LOOM_ERR_CMD_OPCODE,
				 offsetof(struct loom_cmd, opcode));
	if (hdr->version != LOOM_ISA_VERSION)
		return fault_set(fault, LOOM_ERR_CMD_VERSION,
				 offsetof(struct loom_cmd, version));
	if (size < s->size || size > len)
		return fault_set(fault, LOOM_ERR_CMD_SIZE,
				 offsetof(struct loom_cmd, size64));
	expected = expected_size(s, cmd, fault);
	if (!expected)
		return -1;
	if (size != expected)
		return fault_set(fault, LOOM_ERR_CMD_SIZE,
				 offsetof(struct loom_cmd, size64));
	return check_fields(&isa_head, cmd, 0, fault);
}

static int check_timestamp(const struct loom_cmd_timestamp *c,
			   struct isa_fault *fault)
{
	size_t field = offsetof(struct loom_cmd_timestamp, addr);

	if (c->addr % 8)
		return fault_set(fault, LOOM_ERR_CMD_ALIGN, field);
	if (c->addr >= UINT64_C(1) << LOOM_VA_BITS)
		return fault_set(fault, LOOM_ERR_CMD_RANGE, field);
	return 0;
}

int isa_check(const void *cmd, size_t len, struct isa_fault *fault)
{
	const struct loom_cmd *hdr = cmd;
	const struct isa_struct *s = isa_command(hdr->opcode);

	if (check_head(cmd, len, s, fault) || check_fields(s, cmd, 0, fault))
		return -1;
	switch (hdr->opcode) {
	case LOOM_OP_TIMESTAMP:
		return check_timestamp(cmd, fault);
	case LOOM_OP_COPY:
		return check_copy(cmd, fault);
	case LOOM_OP_MATMUL:
		return check_matmul(cmd, fault);
	case LOOM_OP_VECTOR:
		return check_vector(cmd, fault);
	default:
		return 0;
	}
}
