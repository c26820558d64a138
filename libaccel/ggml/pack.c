// SPDX-License-Identifier: MIT
/*
 * Block formats, packed by programs of the vector engine.
 *
 * A row of the index space is a block of 32 elements: what stands at its head,
 * then what the lanes store.  The bits are those of ggml: of its reference, for
 * q8_0 of what its CPU backend has for AVX2, which rounds ties to even.
 */
#include "pack.h"

/*
 * In formats of 4 and 5 bits lane j packs x, element j, and y, element j + 16.
 * The quant of an element is (element - s5) s1 + s2, cut off, at most s3.
 */

/* s0 = the element of largest magnitude, the first of several. */
#define LARGEST								\
	"loop\n"							\
	"  ld   v0, x\n"						\
	"  ld   v1, y\n"						\
	"  abs  v0, v0\n"						\
	"  abs  v1, v1\n"						\
	"  max  v2, v0, v1\n"						\
	"  rmax s0, v2\n"						\
	"end\n"								\
	"imm s1, 16.0\n"						\
	"imm s2, 32.0\n"						\
	"loop\n"							\
	"  ld   v0, x\n"						\
	"  ld   v1, y\n"						\
	"  abs  v0, v0\n"						\
	"  abs  v1, v1\n"						\
	"  feq  v0, v0, s0\n"						\
	"  feq  v1, v1, s0\n"						\
	"  lane v2\n"							\
	"  i2f  v2, v2\n"						\
	"  add  v3, v2, s1\n"						\
	"  sel  v3, v1, v3, s2\n"					\
	"  sel  v3, v0, v2, v3\n"					\
	"  rmin s3, v3\n"						\
	"end\n"								\
	"f2i s3, s3\n"							\
	"ldx s0, s3, x\n"

/* s5 = the least element, s0 = how far above it the largest is. */
#define RANGE								\
	"loop\n"							\
	"  ld   v0, x\n"						\
	"  ld   v1, y\n"						\
	"  min  v2, v0, v1\n"						\
	"  max  v3, v0, v1\n"						\
	"  rmin s5, v2\n"						\
	"  rmax s0, v3\n"						\
	"end\n"								\
	"st  minimum, s5\n"						\
	"sub s0, s0, s5\n"

/* s0 becomes the scale, s1 its inverse; 0 for a scale of 0. */
#define SCALE(quants)							\
	"imm s1, " quants "\n"						\
	"div s0, s0, s1\n"						\
	"st  scale, s0\n"						\
	"imm s2, 0.0\n"							\
	"imm s3, 1.0\n"							\
	"feq s4, s0, s2\n"						\
	"div s1, s3, s0\n"						\
	"sel s1, s4, s2, s1\n"

#define QUANT(reg, element)						\
	"  ld   " reg ", " element "\n"					\
	"  sub  " reg ", " reg ", s5\n"					\
	"  mul  " reg ", " reg ", s1\n"					\
	"  add  " reg ", " reg ", s2\n"					\
	"  f2i  " reg ", " reg "\n"					\
	"  imin " reg ", " reg ", s3\n"

/* Quants v0 and v1; @split takes off what does not fit in a nibble. */
#define NIBBLES(rounding, most, split)					\
	"imm s2, " rounding "\n"					\
	"imm s3, " most "\n"						\
	"imm s4, 4\n"							\
	"imm s6, 15\n"							\
	"loop\n"							\
	QUANT("v0", "x")						\
	QUANT("v1", "y")						\
	split								\
	"  shl  v1, v1, s4\n"						\
	"  or   v0, v0, v1\n"						\
	"  sti  bytes, v0\n"						\
	"end\n"

/* A sum of different bits is their union: s7 of x, s8 of y. */
#define FIFTH_BITS							\
	"  lane v2\n"							\
	"  shr  v3, v0, s4\n"						\
	"  shl  v3, v3, v2\n"						\
	"  i2f  v3, v3\n"						\
	"  rsum s7, v3\n"						\
	"  shr  v3, v1, s4\n"						\
	"  shl  v3, v3, v2\n"						\
	"  i2f  v3, v3\n"						\
	"  rsum s8, v3\n"						\
	"  and  v0, v0, s6\n"						\
	"  and  v1, v1, s6\n"
/* STI saturates: all 16 bits are kept in an integer that fits in an i16. */
#define STORE_BITS(reg, operand)					\
	"f2i " reg ", " reg "\n"					\
	"shl " reg ", " reg ", s4\n"					\
	"sar " reg ", " reg ", s4\n"					\
	"sti " operand ", " reg "\n"
#define STORE_FIFTH_BITS						\
	"imm s4, 16\n"							\
	STORE_BITS("s7", "low")						\
	STORE_BITS("s8", "high")

#define MAX_HEAD	4

/** struct packer - how a format is packed; operands are the head, bytes, x, y */
struct packer {
	struct op_program prog;
	/** @head: types of what stands before the quants, 2 bytes each; NONE ends it */
	uint8_t head[MAX_HEAD];
	/** @pairs: a lane packs x and y; without: one element, and there is no y */
	bool pairs;
};

static struct packer packers[GG_TYPE_COUNT] = {
	[GG_Q8_0] = {
		.head = { LOOM_TYPE_F16 },
		.prog.source =
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
	},
	[GG_Q4_0] = {
		.head = { LOOM_TYPE_F16 }, .pairs = true,
		.prog.source =
		".operand scale bytes x y\n"
		LARGEST SCALE("-8.0") NIBBLES("8.5", "15", "")
	},
	[GG_Q4_1] = {
		.head = { LOOM_TYPE_F16, LOOM_TYPE_F16 }, .pairs = true,
		.prog.source =
		".operand scale minimum bytes x y\n"
		RANGE SCALE("15.0") NIBBLES("0.5", "15", "")
	},
	[GG_Q5_0] = {
		.head = { LOOM_TYPE_F16, LOOM_TYPE_I16, LOOM_TYPE_I16 },
		.pairs = true,
		.prog.source =
		".operand scale low high bytes x y\n"
		LARGEST SCALE("-16.0") NIBBLES("16.5", "31", FIFTH_BITS)
		STORE_FIFTH_BITS
	},
	[GG_Q5_1] = {
		.head = { LOOM_TYPE_F16, LOOM_TYPE_F16, LOOM_TYPE_I16,
			  LOOM_TYPE_I16 },
		.pairs = true,
		.prog.source =
		".operand scale minimum low high bytes x y\n"
		RANGE SCALE("31.0") NIBBLES("0.5", "31", FIFTH_BITS)
		STORE_FIFTH_BITS
	},
};

bool pack_known(int32_t type)
{
	return type >= 0 && type < GG_TYPE_COUNT && packers[type].prog.source;
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
	unsigned int size = gg_type_info(type)->bytes, i;
	struct packer *p = &packers[type];
	int64_t lane = src->stride[0];
	struct loom_vec_operand x = blocks(src, from, src->type, lane, 32 * lane);
	struct op op = { .name = "pack" };

	x.limit = 32;
	op.dim[0] = p->pairs ? 16 : 32;
	op.dim[1] = src->dim[0] / 32;
	op.dim[2] = src->dim[1];
	op.dim[3] = src->dim[2];
	for (i = 0; i < MAX_HEAD && p->head[i]; i++)
		op.operand[op.count++] = blocks(bytes, to + 2 * i, p->head[i],
						0, size);
	op.operand[op.count++] = blocks(bytes, to + 2 * i,
					p->pairs ? LOOM_TYPE_U8 : LOOM_TYPE_I8,
					1, size);
	op.operand[op.count++] = x;
	if (p->pairs) {
		x.addr += (uint64_t)(16 * lane);
		op.operand[op.count++] = x;
	}
	return op_emit(&op, e->cb, &p->prog, NULL);
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
