// SPDX-License-Identifier: MIT
/*
 * Block formats, unpacked by programs of the vector engine.
 *
 * A lane is an element of a row.  The row is read twice over: as bytes and as
 * f16 values (scales stand at even offsets).  Where blocks have an odd size there
 * is no f16 in them, and rows are only read as bytes.  In every program
 *
 *	v1	offset of the lane's block in the row
 *	v2	the lane's number within its block
 *	s<n>	the integer n, for n = 1..8, 15, 16
 *
 * and the body leaves the value in v0.
 */
#include <string.h>

#include "quant.h"

#define INTEGERS							\
	"imm s1, 1\n"  "imm s2, 2\n"  "imm s3, 3\n"  "imm s4, 4\n"	\
	"imm s5, 5\n"  "imm s6, 6\n"  "imm s7, 7\n"  "imm s8, 8\n"	\
	"imm s15, 15\n" "imm s16, 16\n" "imm s31, 31\n" "imm s30, 63\n"

#define UNPACK(operands, shift, mask, bytes, constants, body) { .source = \
	".operand dst " operands "\n"					\
	INTEGERS							\
	"imm s20, " shift "\n"						\
	"imm s21, " mask "\n"						\
	"imm s22, " bytes "\n"						\
	constants							\
	"loop\n"							\
	"  lane v0\n"							\
	"  shr  v1, v0, s20\n"						\
	"  imul v1, v1, s22\n"						\
	"  and  v2, v0, s21\n"						\
	body								\
	"  st   dst, v0\n"						\
	"end\n" }
#define UNPACK32(bytes, constants, body) \
	UNPACK("bytes halves", "5", "31", bytes, constants, body)
#define UNPACK256(bytes, constants, body) \
	UNPACK("bytes halves", "8", "255", bytes, constants, body)

/* reg = the byte of the block at offset reg */
#define BYTE(reg)							\
	"  iadd " reg ", " reg ", v1\n"					\
	"  ldx  " reg ", " reg ", bytes\n"				\
	"  f2i  " reg ", " reg "\n"
/* reg = the f16 at offset @at (a scalar register) of the block */
#define HALF(reg, at)							\
	"  iadd " reg ", v1, " at "\n"					\
	"  shr  " reg ", " reg ", s1\n"					\
	"  ldx  " reg ", " reg ", halves\n"
/* reg = the f16 at the start of the block */
#define HALF0(reg)							\
	"  shr  " reg ", v1, s1\n"					\
	"  ldx  " reg ", " reg ", halves\n"

/* v3 = nibble of the lane in a block of 32 whose nibbles start at s23 */
#define NIBBLE32							\
	"  and  v3, v2, s15\n"						\
	"  iadd v3, v3, s23\n"						\
	BYTE("v3")							\
	"  shr  v4, v2, s2\n"						\
	"  and  v4, v4, s4\n"						\
	"  shr  v3, v3, v4\n"						\
	"  and  v3, v3, s15\n"
/* v3 |= fifth bit, whose bytes start at s24 */
#define FIFTH_BIT32							\
	"  shr  v4, v2, s3\n"						\
	"  iadd v4, v4, s24\n"						\
	BYTE("v4")							\
	"  and  v5, v2, s7\n"						\
	"  shr  v4, v4, v5\n"						\
	"  and  v4, v4, s1\n"						\
	"  shl  v4, v4, s4\n"						\
	"  or   v3, v3, v4\n"
/* Sixteen signed bytes, four to a word, the first lowest. */
#define TABLE(a, b, c, d)						\
	"imm s25, 24\n"							\
	"imm s26, " a "\n" "imm s27, " b "\n"				\
	"imm s28, " c "\n" "imm s29, " d "\n"
/* v3 = byte v3 of the table */
#define LOOKUP								\
	"  and  v4, v3, s8\n"						\
	"  sel  v5, v4, s28, s26\n"					\
	"  sel  v6, v4, s29, s27\n"					\
	"  and  v4, v3, s4\n"						\
	"  sel  v5, v4, v6, v5        ; its word\n"			\
	"  and  v3, v3, s3\n"						\
	"  xor  v3, v3, s3\n"						\
	"  shl  v3, v3, s3            ; bits above it there\n"		\
	"  shl  v3, v5, v3\n"						\
	"  sar  v3, v3, s25\n"
/* v0 = v3 * scale */
#define TIMES_SCALE							\
	"  i2f  v3, v3\n"						\
	HALF0("v4")							\
	"  mul  v0, v3, v4\n"
/* v0 = v3 * scale + minimum, which follows the scale */
#define TIMES_SCALE_PLUS						\
	"  i2f  v3, v3\n"						\
	HALF0("v4")							\
	HALF("v5", "s2")						\
	"  mul  v3, v3, v4\n"						\
	"  add  v0, v3, v5\n"

/* v3 = two bits of the lane in a block of 256; its bytes start at s23 */
#define TWO_BITS256							\
	"  shr  v3, v2, s7\n"						\
	"  shl  v3, v3, s5\n"						\
	"  and  v4, v2, s31\n"						\
	"  iadd v3, v3, v4\n"						\
	"  iadd v3, v3, s23\n"						\
	BYTE("v3")							\
	"  shr  v4, v2, s5\n"						\
	"  and  v4, v4, s3\n"						\
	"  shl  v4, v4, s1\n"						\
	"  shr  v3, v3, v4\n"						\
	"  and  v3, v3, s3\n"
/* v3 = nibble of the lane, 64 to 32 bytes that start at s23 */
#define NIBBLE256							\
	"  shr  v3, v2, s6\n"						\
	"  shl  v3, v3, s5\n"						\
	"  and  v4, v2, s31\n"						\
	"  iadd v3, v3, v4\n"						\
	"  iadd v3, v3, s23\n"						\
	BYTE("v3")							\
	"  shr  v4, v2, s3\n"						\
	"  and  v4, v4, s4\n"						\
	"  shr  v3, v3, v4\n"						\
	"  and  v3, v3, s15\n"
/*
 * Eight 6-bit pairs of scale and minimum in 12 bytes at offset 4:
 * v5 = scale, v6 = minimum of sub-block v4 = lane / 32.
 */
#define SCALE_MIN							\
	"  shr  v4, v2, s5\n"						\
	"  iadd v5, v4, s4           ; scales[j]\n"			\
	BYTE("v5")							\
	"  iadd v6, v4, s8           ; scales[j + 4]\n"			\
	BYTE("v6")							\
	"  mov  v7, v4               ; scales[j - 4], or unused\n"	\
	BYTE("v7")							\
	"  ilt  v8, v4, s4\n"						\
	"  and  v9, v5, s30\n"						\
	"  and  v10, v6, s15\n"						\
	"  shr  v11, v7, s6\n"						\
	"  shl  v11, v11, s4\n"						\
	"  or   v10, v10, v11\n"					\
	"  sel  v9, v8, v9, v10      ; scale\n"				\
	"  and  v10, v6, s30\n"						\
	"  shr  v6, v6, s4\n"						\
	"  shr  v11, v5, s6\n"						\
	"  shl  v11, v11, s4\n"						\
	"  or   v6, v6, v11\n"						\
	"  sel  v6, v8, v10, v6\n"					\
	"  mov  v5, v9\n"
/* v0 = scale * v5 * v3 - minimum scale * v6; the scales stand at 0 and 2 */
#define SCALED_PAIR							\
	"  i2f  v3, v3\n"						\
	"  i2f  v5, v5\n"						\
	"  i2f  v6, v6\n"						\
	HALF0("v7")							\
	HALF("v8", "s2")						\
	"  mul  v5, v5, v7\n"						\
	"  mul  v6, v6, v8\n"						\
	"  mul  v3, v3, v5\n"						\
	"  sub  v0, v3, v6\n"

static struct op_program programs[GG_TYPE_COUNT] = {
	[GG_Q8_0] = UNPACK32("34", "imm s23, 128\n",
		"  iadd v3, v2, s2\n"
		BYTE("v3")
		"  xor  v3, v3, s23\n"
		"  isub v3, v3, s23\n"
		TIMES_SCALE),
	[GG_Q4_0] = UNPACK32("18", "imm s23, 2\n",
		NIBBLE32
		"  isub v3, v3, s8\n"
		TIMES_SCALE),
	[GG_Q4_1] = UNPACK32("20", "imm s23, 4\n",
		NIBBLE32
		TIMES_SCALE_PLUS),
	[GG_Q5_0] = UNPACK32("22", "imm s23, 6\nimm s24, 2\n",
		NIBBLE32 FIFTH_BIT32
		"  isub v3, v3, s16\n"
		TIMES_SCALE),
	[GG_Q5_1] = UNPACK32("24", "imm s23, 8\nimm s24, 4\n",
		NIBBLE32 FIFTH_BIT32
		TIMES_SCALE_PLUS),
	/* -127 -104 -83 -65 -49 -35 -22 -10 1 13 25 38 53 69 89 113 */
	[GG_IQ4_NL] = UNPACK32("18", "imm s23, 2\n"
		TABLE("0xbfad9881", "0xf6eaddcf", "0x26190d01", "0x71594535"),
		NIBBLE32 LOOKUP
		TIMES_SCALE),
	/*
	 * 0 1 2 3 4 6 8 12 0 -1 -2 -3 -4 -6 -8 -12, twice the values of an
	 * FP4, times 2 to the power of (first byte - 128), which is denormal
	 * if the byte is 0 or 1.
	 */
	[GG_MXFP4] = UNPACK("bytes", "5", "31", "17",
		"imm s23, 1\nimm s24, 0x200000\nimm s17, 23\n"
		TABLE("0x03020100", "0x0c080604", "0xfdfeff00", "0xf4f8fafc"),
		NIBBLE32 LOOKUP
		"  ldx  v4, v1, bytes\n"
		"  f2i  v4, v4\n"
		"  ilt  v5, v4, s2\n"
		"  shl  v6, s24, v4          ; denormal\n"
		"  isub v4, v4, s1\n"
		"  shl  v4, v4, s17          ; its exponent\n"
		"  sel  v4, v5, v6, v4\n"
		"  i2f  v3, v3\n"
		"  mul  v0, v3, v4\n"),
	/* scales and minima 4 + 4 bits [16], 2 bits [64], scale, minimum scale */
	[GG_Q2_K] = UNPACK256("84", "imm s23, 16\nimm s24, 80\nimm s25, 82\n",
		TWO_BITS256
		"  shr  v4, v2, s4\n"
		BYTE("v4")
		"  and  v5, v4, s15\n"
		"  shr  v6, v4, s4\n"
		"  i2f  v3, v3\n"
		"  i2f  v5, v5\n"
		"  i2f  v6, v6\n"
		HALF("v7", "s24")
		HALF("v8", "s25")
		"  mul  v5, v5, v7\n"
		"  mul  v6, v6, v8\n"
		"  mul  v3, v3, v5\n"
		"  sub  v0, v3, v6\n"),
	/* third bits [32], 2 bits [64], 6-bit scales [12], scale */
	[GG_Q3_K] = UNPACK256("110",
		"imm s23, 32\nimm s24, 96\nimm s25, 104\nimm s26, 108\nimm s27, 32\n",
		TWO_BITS256
		"  and  v4, v2, s31\n"
		BYTE("v4")
		"  shr  v5, v2, s5\n"
		"  shr  v4, v4, v5\n"
		"  and  v4, v4, s1\n"
		"  shl  v4, v4, s2\n"
		"  iadd v3, v3, v4\n"
		"  isub v3, v3, s4           ; minus 4 where the bit is clear\n"
		"  shr  v4, v2, s4           ; number of the scale\n"
		"  and  v5, v4, s7\n"
		"  iadd v5, v5, s24\n"
		BYTE("v5")
		"  shr  v6, v4, s3\n"
		"  shl  v6, v6, s2\n"
		"  shr  v5, v5, v6\n"
		"  and  v5, v5, s15          ; low four bits\n"
		"  and  v6, v4, s3\n"
		"  iadd v6, v6, s25\n"
		BYTE("v6")
		"  shr  v7, v4, s2\n"
		"  shl  v7, v7, s1\n"
		"  shr  v6, v6, v7\n"
		"  and  v6, v6, s3\n"
		"  shl  v6, v6, s4\n"
		"  or   v5, v5, v6\n"
		"  isub v5, v5, s27\n"
		"  i2f  v3, v3\n"
		"  i2f  v5, v5\n"
		HALF("v6", "s26")
		"  mul  v5, v5, v6\n"
		"  mul  v0, v3, v5\n"),
	/* scale, minimum scale, 6-bit pairs [12], nibbles [128] */
	[GG_Q4_K] = UNPACK256("144", "imm s23, 16\n",
		NIBBLE256 SCALE_MIN SCALED_PAIR),
	/* scale, minimum scale, 6-bit pairs [12], fifth bits [32], nibbles [128] */
	[GG_Q5_K] = UNPACK256("176", "imm s23, 48\n",
		NIBBLE256
		"  and  v4, v2, s31\n"
		"  iadd v4, v4, s16\n"
		BYTE("v4")
		"  shr  v5, v2, s5\n"
		"  shr  v4, v4, v5\n"
		"  and  v4, v4, s1\n"
		"  shl  v4, v4, s4\n"
		"  or   v3, v3, v4\n"
		SCALE_MIN SCALED_PAIR),
	/* nibbles [128], 2 bits [64], i8 scales [16], scale */
	[GG_Q6_K] = UNPACK256("210",
		"imm s23, 128\nimm s24, 192\nimm s25, 208\nimm s27, 32\n",
		TWO_BITS256
		"  shl  v3, v3, s4\n"
		"  shr  v4, v2, s7\n"
		"  shl  v4, v4, s6\n"
		"  and  v5, v2, s30\n"
		"  iadd v4, v4, v5\n"
		BYTE("v4")
		"  shr  v5, v2, s4\n"
		"  and  v5, v5, s4\n"
		"  shr  v4, v4, v5\n"
		"  and  v4, v4, s15\n"
		"  or   v3, v3, v4\n"
		"  isub v3, v3, s27\n"
		"  shr  v4, v2, s4\n"
		"  iadd v4, v4, s24\n"
		BYTE("v4")
		"  xor  v4, v4, s23\n"
		"  isub v4, v4, s23\n"
		"  i2f  v3, v3\n"
		"  i2f  v4, v4\n"
		HALF("v5", "s25")
		"  mul  v4, v4, v5\n"
		"  mul  v0, v3, v4\n"),
};

bool quant_known(int32_t type)
{
	return type >= 0 && type < GG_TYPE_COUNT && programs[type].source;
}

/* The rows as elements of @type, found by their index in the row. */
static struct loom_vec_operand indexed(const struct accel_tensor *bytes,
				       uint32_t type)
{
	unsigned int size = accel_type_size(type), d;
	struct loom_vec_operand o = {
		.addr = bytes->va,
		.type = (uint8_t)type,
		.limit = bytes->dim[0] / size,
		.stride = { size },
	};

	for (d = 1; d < 4; d++)
		o.stride[d] = bytes->dim[d] == 1 ? 0 : bytes->stride[d];
	return o;
}

int quant_unpack(struct emit *e, const struct accel_tensor *dst, int32_t type,
		 const struct accel_tensor *bytes)
{
	struct op op;

	if (!quant_known(type))
		return emit_refuse(e, "type %d is not known here", type);
	op_begin(&op, "unpack", dst);
	op_write(&op, "dst", dst);
	op.operand[op.count++] = indexed(bytes, LOOM_TYPE_U8);
	if (gg_type_info(type)->bytes % 2 == 0)
		op.operand[op.count++] = indexed(bytes, LOOM_TYPE_F16);
	return op_emit(&op, e->cb, &programs[type], NULL);
}
