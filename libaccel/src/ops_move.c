// SPDX-License-Identifier: MIT
/* Operations of the copy engine: copy, fill, get_rows, set_rows. */
#include <string.h>

#include "ops_internal.h"

static int emit_copy(struct accel_cmdbuf *cb, const struct op *op)
{
	const struct loom_vec_operand *dst = &op->operand[0];
	const struct loom_vec_operand *src = &op->operand[1];
	struct loom_cmd_copy cmd = {
		.mode = LOOM_COPY_COPY,
		.src_type = src->type,
		.dst_type = dst->type,
		.src = src->addr,
		.dst = dst->addr,
	};

	memcpy(cmd.dim, op->dim, sizeof(cmd.dim));
	memcpy(cmd.src_stride, src->stride, sizeof(cmd.src_stride));
	memcpy(cmd.dst_stride, dst->stride, sizeof(cmd.dst_stride));
	return accel_cmd_copy(cb, &cmd);
}

static int check_no_wrap(const struct op *op, const char *what)
{
	const struct loom_vec_operand *o = &op->operand[op->count - 1];
	unsigned int d;

	for (d = 0; d < 4; d++)
		if (o->wrap[d])
			return op_fail(op->name, "%s has extent %u in dimension %u, it must be 1 or %u",
				       what, o->wrap[d], d, op->dim[d]);
	return 0;
}

int accel_op_copy(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		  const struct accel_tensor *src)
{
	struct op op;

	API_ENTER();
	op_begin(&op, "copy", dst);
	op_write(&op, "dst", dst);
	op_read(&op, "src", src);
	if (!op.rc)
		op.rc = check_no_wrap(&op, "src");
	if (op.rc)
		return op.rc;
	op_merge(&op);
	return emit_copy(cb, &op);
}

/* A value that is no f32 bit pattern is rounded by the vector engine. */
static int fill_rounded(struct accel_cmdbuf *cb, struct op *op, float value)
{
	static struct op_program prog = { .source =
		".operand dst\n"
		".param value\n"
		"param s0, value\n"
		"loop\n"
		"  mov v0, s0\n"
		"  st  dst, v0\n"
		"end\n"
	};

	return op_emit(op, cb, &prog, (const uint32_t[]){ accel_f32(value) });
}

int accel_op_fill(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		  float value)
{
	struct loom_cmd_copy cmd = { .mode = LOOM_COPY_FILL };
	uint32_t bits = accel_f32(value);
	struct op op;

	API_ENTER();
	op_begin(&op, "fill", dst);
	op_write(&op, "dst", dst);
	if (op.rc)
		return op.rc;
	op_merge(&op);
	if (dst->type != LOOM_TYPE_F32 && bits)
		return fill_rounded(cb, &op, value);
	cmd.dst_type = op.operand[0].type;
	cmd.dst = op.operand[0].addr;
	cmd.fill = bits;
	memcpy(cmd.dim, op.dim, sizeof(cmd.dim));
	memcpy(cmd.dst_stride, op.operand[0].stride, sizeof(cmd.dst_stride));
	return accel_cmd_copy(cb, &cmd);
}

/* ------------------------------------------------------------ rows by index */

/* struct rows - a gather or scatter: @list has a row per index, @table is indexed */
struct rows {
	const char *name;
	const char *list_name;
	const char *table_name;
	const struct accel_tensor *list;
	const struct accel_tensor *table;
	const struct accel_tensor *index;
};

static int check_index(const struct rows *r)
{
	const uint32_t *dim = r->index->dim, *list = r->list->dim;
	char have[OP_DIMS_LEN], want[OP_DIMS_LEN];

	if (r->index->type != LOOM_TYPE_I32 && r->index->type != LOOM_TYPE_I64)
		return op_fail(r->name, "index has type %s, it must be i32 or i64",
			       accel_type_name(r->index->type));
	if (dim[0] == list[1] && (dim[1] == list[2] || dim[1] == 1) &&
	    (dim[2] == list[3] || dim[2] == 1) && dim[3] == 1)
		return 0;
	return op_fail(r->name, "index is %s, it must be %s or 1 in the upper two",
		       op_dims(have, dim),
		       op_dims(want, (const uint32_t[]){ list[1], list[2],
							 list[3], 1 }));
}

static int check_rows(const struct rows *r)
{
	const uint32_t *t = r->table->dim, *l = r->list->dim;
	char have[OP_DIMS_LEN], want[OP_DIMS_LEN];

	if (t[0] == l[0] && t[2] == l[2] && t[3] == l[3])
		return check_index(r);
	return op_fail(r->name, "%s is %s, which does not fit %s %s",
		       r->list_name, op_dims(have, l), r->table_name,
		       op_dims(want, t));
}

static void rows_index(struct loom_cmd_copy *cmd, const struct rows *r)
{
	unsigned int d;

	memcpy(cmd->dim, r->list->dim, sizeof(cmd->dim));
	cmd->index_type = (uint8_t)r->index->type;
	cmd->index = r->index->va;
	cmd->index_limit = r->table->dim[1];
	for (d = 0; d < 3; d++)
		cmd->index_stride[d] = r->index->dim[d] == 1 ?
				       0 : r->index->stride[d];
}

static int emit_rows(struct accel_cmdbuf *cb, const struct rows *r,
		     const struct accel_tensor *dst,
		     const struct accel_tensor *src, uint8_t mode)
{
	struct loom_cmd_copy cmd = { .mode = mode };
	struct op op;

	op_begin(&op, r->name, dst);
	op_write(&op, "dst", dst);
	if (!op.rc)
		op.rc = op_check(r->name, "src", src);
	if (!op.rc)
		op.rc = op_check(r->name, "index", r->index);
	if (!op.rc)
		op.rc = check_rows(r);
	if (op.rc)
		return op.rc;
	rows_index(&cmd, r);
	cmd.dst = dst->va;
	cmd.dst_type = (uint8_t)dst->type;
	memcpy(cmd.dst_stride, dst->stride, sizeof(cmd.dst_stride));
	cmd.src = src->va;
	cmd.src_type = (uint8_t)src->type;
	memcpy(cmd.src_stride, src->stride, sizeof(cmd.src_stride));
	return accel_cmd_copy(cb, &cmd);
}

int accel_op_get_rows(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		      const struct accel_tensor *src,
		      const struct accel_tensor *index)
{
	const struct rows rows = { "get_rows", "dst", "src", dst, src, index };

	API_ENTER();
	return emit_rows(cb, &rows, dst, src, LOOM_COPY_GATHER);
}

int accel_op_set_rows(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		      const struct accel_tensor *src,
		      const struct accel_tensor *index)
{
	const struct rows rows = { "set_rows", "src", "dst", src, dst, index };

	API_ENTER();
	return emit_rows(cb, &rows, dst, src, LOOM_COPY_SCATTER);
}
