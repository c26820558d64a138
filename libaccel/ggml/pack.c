// SPDX-License-Identifier: MIT
/* Block formats, packed by programs of the vector engine. */
#include "pack.h"

/* A row of the index space is a block: its scale, then what its lanes store. */
static struct op_program pack_q8_0 = { .source =
	".operand scale bytes x\n"
	"loop\n"
	"  ld   v0, x\n"
	"  abs  v0, v0\n"
	"  rmax s0, v0\n"
	"end\n"
	"imm s1, 127.0\n"
	"imm s2, 0.0\n"
	"feq s4, s0, s2\n"
	"div s3, s0, s1\n"
	"st  scale, s3\n"
	"div s1, s1, s0\n"
	"sel s1, s4, s2, s1\n"
	"loop\n"
	"  ld   v0, x\n"
	"  mul  v0, v0, s1\n"
	"  rint v0, v0\n"
	"  f2i  v0, v0\n"
	"  sti  bytes, v0\n"
	"end\n"
};

/*
 * Lane j packs elements j and j + 16; the scale maps the largest to -8, the
 * first of several.
 */
static struct op_program pack_q4_0 = { .source =
	".operand scale bytes x y all\n"
	"loop\n"
	"  ld   v0, x\n"
	"  ld   v1, y\n"
	"  abs  v0, v0\n"
	"  abs  v1, v1\n"
	"  max  v2, v0, v1\n"
	"  rmax s0, v2\n"
	"end\n"
	"imm s1, 16.0\n"
	"imm s2, 32.0\n"
	"loop\n"
	"  ld   v0, x\n"
	"  ld   v1, y\n"
	"  abs  v0, v0\n"
	"  abs  v1, v1\n"
	"  feq  v0, v0, s0\n"
	"  feq  v1, v1, s0\n"
	"  lane v2\n"
	"  i2f  v2, v2\n"
	"  add  v3, v2, s1\n"
	"  sel  v3, v1, v3, s2\n"
	"  sel  v3, v0, v2, v3\n"
	"  rmin s3, v3\n"
	"end\n"
	"f2i s3, s3\n"
	"ldx s0, s3, all\n"
	"imm s1, -8.0\n"
	"div s0, s0, s1\n"
	"st  scale, s0\n"
	"imm s2, 0.0\n"
	"imm s3, 1.0\n"
	"feq s4, s0, s2\n"
	"div s1, s3, s0\n"
	"sel s1, s4, s2, s1\n"
	"imm s2, 8.5\n"
	"imm s3, 15\n"
	"imm s4, 4\n"
	"loop\n"
	"  ld   v0, x\n"
	"  mul  v0, v0, s1\n"
	"  add  v0, v0, s2\n"
	"  f2i  v0, v0\n"
	"  imin v0, v0, s3\n"
	"  ld   v1, y\n"
	"  mul  v1, v1, s1\n"
	"  add  v1, v1, s2\n"
	"  f2i  v1, v1\n"
	"  imin v1, v1, s3\n"
	"  shl  v1, v1, s4\n"
	"  or   v0, v0, v1\n"
	"  sti  bytes, v0\n"
	"end\n"
};

bool pack_known(int32_t type)
{
	return type == GG_Q8_0 || type == GG_Q4_0;
}

/* Blocks of the rows of one matrix: index space { lanes, blocks, rows, d2 }. */
static struct loom_vec_operand blocks(const struct accel_tensor *t,
				      uint64_t va, uint32_t type, int64_t lane,
				      int64_t block)
{
	return (struct loom_vec_operand){
		.addr = va, .type = (uint8_t)type,
		.stride = { lane, block, t->stride[1], t->stride[2] },
	};
}

static int pack_matrix(struct emit *e, const struct accel_tensor *bytes,
		       int32_t type, const struct accel_tensor *src,
		       uint64_t to, uint64_t from)
{
	unsigned int size = gg_type_info(type)->bytes;
	bool nibbles = type == GG_Q4_0;
	uint32_t lanes = nibbles ? 16 : 32;
	int64_t lane = src->stride[0];
	struct op op = { .name = "pack" };

	op.dim[0] = lanes;
	op.dim[1] = src->dim[0] / 32;
	op.dim[2] = src->dim[1];
	op.dim[3] = src->dim[2];
	op.operand[op.count++] = blocks(bytes, to, LOOM_TYPE_F16, 0, size);
	op.operand[op.count++] = blocks(bytes, to + 2,
					nibbles ? LOOM_TYPE_U8 : LOOM_TYPE_I8,
					1, size);
	op.operand[op.count++] = blocks(src, from, src->type, lane, 32 * lane);
	if (nibbles) {
		op.operand[op.count++] = blocks(src, from + (uint64_t)(16 * lane),
						src->type, lane, 32 * lane);
		op.operand[op.count] = op.operand[2];
		op.operand[op.count++].limit = 32;
	}
	return op_emit(&op, e->cb, nibbles ? &pack_q4_0 : &pack_q8_0, NULL);
}

int pack_rows(struct emit *e, const struct accel_tensor *bytes, int32_t type,
	      const struct accel_tensor *src)
{
	uint32_t i;
	int rc = 0;

	if (!pack_known(type))
		return emit_refuse(e, "packing to type %d is not known", type);
	for (i = 0; !rc && i < src->dim[3]; i++)
		rc = pack_matrix(e, bytes, type, src,
				 bytes->va + (uint64_t)(i * bytes->stride[3]),
				 src->va + (uint64_t)(i * src->stride[3]));
	return rc;
}
