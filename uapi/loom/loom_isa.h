/* SPDX-License-Identifier: MIT */
/*
 * DOC: Loom command interface
 *
 * What the device and libaccel agree on: the commands of a command buffer and
 * the instructions of the vector engine.  The kernel driver does not look at
 * any of it; the MMU isolates.
 *
 * A command buffer is a sequence of commands, each a multiple of 64 bytes that
 * starts with struct loom_cmd.  Commands run in order; each sees the results
 * of all before it unless it carries LOOM_CMD_F_RELAXED.  Every command is
 * memory to memory and coarse: one tensor operation.  Addresses are device
 * virtual addresses of the queue's context; strides are in bytes and may be
 * zero (broadcast) or negative.  Extents ("dim") count elements, dim[0] is the
 * innermost.  An extent of zero makes a command that does nothing.
 *
 * Everything is little-endian.  Reserved fields must be zero.
 */
#ifndef LOOM_ISA_H
#define LOOM_ISA_H

#if defined(__KERNEL__) || defined(__linux__)
#include <linux/types.h>
#else
#include <stdint.h>
typedef uint8_t __u8;
typedef uint16_t __u16;
typedef uint32_t __u32;
typedef uint64_t __u64;
typedef int64_t __s64;
#endif

#define LOOM_ISA_VERSION		1
#define LOOM_CMD_ALIGN			64
#define LOOM_MAX_DIMS			4
#define LOOM_NUM_EVENTS			64	/* per context */

/* Opcodes; 0 is invalid so that zeroed memory is an error. */
#define LOOM_OP_NOP			0x01
#define LOOM_OP_FENCE			0x02
#define LOOM_OP_EVENT			0x03
#define LOOM_OP_TIMESTAMP		0x04
#define LOOM_OP_COPY			0x10
#define LOOM_OP_MATMUL			0x20
#define LOOM_OP_VECTOR			0x30
#define LOOM_OP_LINK			0x40	/* reserved */

/* Data types.  The block types exist only as operands of a MATMUL. */
#define LOOM_TYPE_NONE			0
#define LOOM_TYPE_F32			1
#define LOOM_TYPE_F16			2	/* IEEE binary16 */
#define LOOM_TYPE_BF16			3
#define LOOM_TYPE_F8E4M3		4	/* max 448, no infinity, NaN S.1111.111 */
#define LOOM_TYPE_F8E5M2		5	/* IEEE-like */
#define LOOM_TYPE_I8			6
#define LOOM_TYPE_U8			7
#define LOOM_TYPE_I16			8
#define LOOM_TYPE_I32			9
#define LOOM_TYPE_I64			10
#define LOOM_TYPE_Q8_0			11	/* block of 32: f16 scale, 32 x i8: 34 bytes */
#define LOOM_TYPE_Q4_0			12	/* block of 32: f16 scale, 16 bytes; element i in the low, i + 16 in the high nibble of byte i; value (nibble - 8) * scale: 18 bytes */
#define LOOM_TYPE_COUNT			13

/**
 * struct loom_cmd - head of every command
 */
struct loom_cmd {
	/** @opcode: LOOM_OP_* */
	__u8 opcode;
	/** @version: LOOM_ISA_VERSION */
	__u8 version;
	/** @size64: size of the whole command in units of 64 bytes, at least 1 */
	__u16 size64;
	/** @flags: LOOM_CMD_F_* */
	__u32 flags;
	/** @wait_event: 0, or an event (1..63) that must be non-zero before the command starts */
	__u16 wait_event;
	/** @signal_event: 0, or an event (1..63) that gains 1 when the command is done */
	__u16 signal_event;
	/** @tag: free for the user; shown in traces and error reports */
	__u32 tag;
};

/*
 * The command may overlap earlier commands that use other engines; only
 * FENCE and events order it.
 */
#define LOOM_CMD_F_RELAXED		(1u << 0)
#define LOOM_CMD_F_MASK			LOOM_CMD_F_RELAXED

/** struct loom_cmd_nop - NOP and FENCE (waits for all commands before it); 64 bytes */
struct loom_cmd_nop {
	/** @hdr: opcode LOOM_OP_NOP or LOOM_OP_FENCE */
	struct loom_cmd hdr;
	/** @reserved: must be zero */
	__u32 reserved[12];
};

/**
 * struct loom_cmd_event - change or wait for one of the context's events; 64 bytes
 *
 * Events are 64 unsigned 32-bit counters per context, zero when its page
 * table root is written.  All queues of a context share them.  A WAIT that is
 * not satisfied blocks its queue and no other.
 */
struct loom_cmd_event {
	/** @hdr: opcode LOOM_OP_EVENT */
	struct loom_cmd hdr;
	/** @op: LOOM_EVENT_OP_* */
	__u32 op;
	/** @event: 0..63 */
	__u32 event;
	/** @value: operand */
	__u32 value;
	/** @reserved: must be zero */
	__u32 reserved[9];
};

#define LOOM_EVENT_OP_SET		0	/* event = value */
#define LOOM_EVENT_OP_ADD		1	/* event += value */
#define LOOM_EVENT_OP_WAIT_GE		2	/* wait until event >= value */

/** struct loom_cmd_timestamp - write the modelled time, 64 bit, in cycles; 64 bytes */
struct loom_cmd_timestamp {
	/** @hdr: opcode LOOM_OP_TIMESTAMP */
	struct loom_cmd hdr;
	/** @addr: where to, aligned to 8 */
	__u64 addr;
	/** @reserved: must be zero */
	__u32 reserved[10];
};

/**
 * struct loom_cmd_copy - copy, fill, gather or scatter with conversion; 192 bytes
 *
 * COPY:    dst(i0,i1,i2,i3) = src(i0,i1,i2,i3)
 * FILL:    dst(i0,i1,i2,i3) = fill
 * GATHER:  dst(i0,i1,i2,i3) = src(i0, index(i1,i2,i3), i2, i3)
 * SCATTER: dst(i0, index(i1,i2,i3), i2, i3) = src(i0,i1,i2,i3)
 *
 * Conversion goes through f32 when either type is a float: round to nearest
 * even, to integers too, where it saturates and NaN gives 0; fp8 saturates.
 * Integers convert to integers by saturation.  Equal types copy bits.
 * SCATTER rows are written in ascending order of (i3,i2,i1).  Source and
 * destination must not overlap.
 */
struct loom_cmd_copy {
	/** @hdr: opcode LOOM_OP_COPY */
	struct loom_cmd hdr;
	/** @mode: LOOM_COPY_* */
	__u8 mode;
	/** @src_type: LOOM_TYPE_*; NONE for FILL */
	__u8 src_type;
	/** @dst_type: LOOM_TYPE_* */
	__u8 dst_type;
	/** @index_type: I32 or I64 for GATHER and SCATTER, else NONE */
	__u8 index_type;
	/** @reserved0: must be zero */
	__u32 reserved0;
	/** @dim: extents */
	__u32 dim[4];
	/** @src: source address; 0 for FILL */
	__u64 src;
	/** @dst: destination address */
	__u64 dst;
	/** @index: address of the index tensor, or 0 */
	__u64 index;
	/** @src_stride: bytes per step of each dimension */
	__s64 src_stride[4];
	/** @dst_stride: bytes per step of each dimension */
	__s64 dst_stride[4];
	/** @index_stride: bytes per step of i1, i2, i3 */
	__s64 index_stride[3];
	/** @fill: the element's bits, in the low bytes */
	__u64 fill;
	/** @index_limit: indices must lie in [0, index_limit) */
	__u32 index_limit;
	/** @reserved: must be zero */
	__u32 reserved[7];
};

#define LOOM_COPY_COPY			0
#define LOOM_COPY_FILL			1
#define LOOM_COPY_GATHER		2
#define LOOM_COPY_SCATTER		3

/**
 * struct loom_cmd_matmul - batched D = alpha * A x B + C on the arrays; 256 bytes
 *
 * For every b1 < batch[1], b0 < batch[0]: D (m x n) from A (m x k), B (k x n)
 * and C (m x n, absent with c_type NONE).  Element (i,j) of an operand X is at
 * x + i*x_stride[0] + j*x_stride[1] + b0*x_stride[2] + b1*x_stride[3], so
 * transposition and broadcast are strides.
 *
 *   A, B            accumulate   D (and C)
 *   I8, I8          int32, wraps I32 (alpha must be 1.0)
 *   BF16, BF16      fp32         F32, F16, BF16
 *   F8*, F8*        fp32         F32, F16, BF16
 *   F16, F16        fp32         F32, F16, BF16
 *   F32, F32        fp32         F32, F16, BF16   (a quarter of the rate)
 *   F32, Q8_0/Q4_0  fp32         F32, F16, BF16   (a quarter of the rate)
 *   Q8_0, Q8_0/Q4_0 int32, fp32  F32, F16, BF16
 *
 * Block types: blocks run along k, whose stride, b_stride[0] or a_stride[1],
 * must be 0; column j of B starts at b + j*b_stride[1], row i of A at
 * a + i*a_stride[0], 2-byte aligned; k must be a multiple of 32.
 *
 * The order of additions is architecture; Documentation/numerics.rst.
 */
struct loom_cmd_matmul {
	/** @hdr: opcode LOOM_OP_MATMUL */
	struct loom_cmd hdr;
	/** @a_type: LOOM_TYPE_* */
	__u8 a_type;
	/** @b_type: LOOM_TYPE_* */
	__u8 b_type;
	/** @c_type: LOOM_TYPE_*, or NONE */
	__u8 c_type;
	/** @d_type: LOOM_TYPE_* */
	__u8 d_type;
	/** @alpha: bits of an f32 */
	__u32 alpha;
	/** @m: rows of D */
	__u32 m;
	/** @n: columns of D */
	__u32 n;
	/** @k: length of the sums; 0 gives D = C (or 0) */
	__u32 k;
	/** @batch: extents of the two batch dimensions, inner first */
	__u32 batch[2];
	/** @reserved0: must be zero */
	__u32 reserved0;
	/** @a: address of A */
	__u64 a;
	/** @b: address of B */
	__u64 b;
	/** @c: address of C; must be 0 without one */
	__u64 c;
	/** @d: address of D */
	__u64 d;
	/** @a_stride: row, column, batch 0, batch 1 */
	__s64 a_stride[4];
	/** @b_stride: row, column, batch 0, batch 1 */
	__s64 b_stride[4];
	/** @c_stride: row, column, batch 0, batch 1 */
	__s64 c_stride[4];
	/** @d_stride: row, column, batch 0, batch 1 */
	__s64 d_stride[4];
	/** @reserved: must be zero */
	__u32 reserved[12];
};

/* ------------------------------------------------------------------------
 * VECTOR: a short program over an index space.
 *
 * The command is struct loom_cmd_vector, num_operands x struct
 * loom_vec_operand, num_insns x struct loom_vec_insn, zeros up to 64 bytes.
 *
 * The index space is dim[3] x dim[2] x dim[1] rows of dim[0] lanes.  The
 * program runs once per row.  Instructions between LOOP and END run for all
 * lanes of the row; they may be fed through in blocks, so vector registers
 * hold nothing across LOOPs and an instruction sees only lanes with its own
 * index.  Instructions outside LOOP...END run once per row and use scalar
 * registers only.  Scalar registers live for the whole row and start at 0.
 * Reductions stand inside a LOOP, write a scalar register, and their result is
 * there after END.  Within a LOOP a scalar that a reduction of this LOOP
 * writes may not be read.
 *
 * Registers hold 32 bits, used as f32 or as i32/u32.
 */
#define LOOM_VEC_V(n)			(n)		/* vector registers v0..v15 */
#define LOOM_VEC_S(n)			(0x20 + (n))	/* scalar registers s0..s31 */
#define LOOM_VEC_NUM_V			16
#define LOOM_VEC_NUM_S			32
#define LOOM_VEC_MAX_OPERANDS		16
#define LOOM_VEC_MAX_INSNS		256
#define LOOM_VEC_NUM_PARAMS		16

/**
 * struct loom_cmd_vector - run a program of the vector engine; 128 bytes and the program
 */
struct loom_cmd_vector {
	/** @hdr: opcode LOOM_OP_VECTOR */
	struct loom_cmd hdr;
	/** @num_operands: up to LOOM_VEC_MAX_OPERANDS */
	__u16 num_operands;
	/** @num_insns: 1..LOOM_VEC_MAX_INSNS */
	__u16 num_insns;
	/** @reserved0: must be zero */
	__u32 reserved0;
	/** @dim: the index space; dim[0] lanes per row */
	__u32 dim[4];
	/** @reserved: must be zero */
	__u32 reserved[6];
	/** @param: 32-bit constants for the instruction PARAM */
	__u32 param[LOOM_VEC_NUM_PARAMS];
};

/**
 * struct loom_vec_operand - a tensor the program reads or writes; 64 bytes
 *
 * Lane i0 of row (i1,i2,i3) is at addr + sum over d of
 * (wrap[d] ? i_d mod wrap[d] : i_d) * stride[d].
 */
struct loom_vec_operand {
	/** @addr: address of element 0 */
	__u64 addr;
	/** @type: LOOM_TYPE_*, no block types */
	__u8 type;
	/** @reserved0: must be zero */
	__u8 reserved0[3];
	/** @limit: for LDX: indices at or above it (unsigned) read 0 */
	__u32 limit;
	/** @stride: bytes per step of each dimension; 0 broadcasts */
	__s64 stride[4];
	/** @wrap: 0, or the period of the dimension (repeats the tensor) */
	__u32 wrap[4];
};

/**
 * struct loom_vec_insn - one instruction; 16 bytes
 */
struct loom_vec_insn {
	/** @op: LOOM_VEC_* */
	__u8 op;
	/** @dst: destination register */
	__u8 dst;
	/** @a: first source register */
	__u8 a;
	/** @b: second source register */
	__u8 b;
	/** @c: third source register */
	__u8 c;
	/** @operand: operand index of loads and stores */
	__u8 operand;
	/** @reserved0: must be zero */
	__u16 reserved0;
	/** @imm: immediate */
	__u32 imm;
	/** @reserved1: must be zero */
	__u32 reserved1;
};

/*
 * LOOM_VEC_LIST(X) - all instructions: X(name, number, form, what it does).
 *
 * The assembler, the disassembler, the validator, the interpreter and the data
 * book are made from this list.  Forms tell which fields are used (all others
 * must be zero): D dst, A/B/C sources, O operand, I imm.  Lower case d: dst
 * must be a scalar register and the instruction stands inside a LOOP.
 * A vector destination is only possible inside a LOOP; a scalar destination
 * takes only scalar sources, except with form d.
 */
#define LOOM_VEC_LIST(X) \
	X(LOOP,    0x01, "",     "begin the part that runs for all lanes") \
	X(END,     0x02, "",     "end of that part; reductions are complete") \
	X(LD,      0x08, "DO",   "load and convert to f32 (scalar dst: lane 0 of the row)") \
	X(LDI,     0x09, "DO",   "load integer as i32 (low half of I64); F32 as its bits") \
	X(LDX,     0x0a, "DAO",  "load to f32 the element with index a (u32) of dimension 0") \
	X(ST,      0x0b, "AO",   "convert f32 a as COPY does and store (scalar a: lane 0)") \
	X(STI,     0x0c, "AO",   "store i32 a, saturated to the integer type; bits to F32") \
	X(MOV,     0x10, "DA",   "a") \
	X(IMM,     0x11, "DI",   "the 32 bits of imm") \
	X(PARAM,   0x12, "DI",   "param[imm] of the command, imm < 16") \
	X(LANE,    0x13, "D",    "i0 as u32; vector only") \
	X(INDEX,   0x14, "DI",   "i1, i2 or i3 of the row as u32, imm = 1..3") \
	X(DIM,     0x15, "DI",   "dim[imm] as u32, imm = 0..3") \
	X(ADD,     0x20, "DAB",  "a + b") \
	X(SUB,     0x21, "DAB",  "a - b") \
	X(MUL,     0x22, "DAB",  "a * b") \
	X(DIV,     0x23, "DAB",  "a / b") \
	X(FMA,     0x24, "DABC", "a * b + c, rounded once") \
	X(MIN,     0x25, "DAB",  "a < b ? a : b") \
	X(MAX,     0x26, "DAB",  "a > b ? a : b") \
	X(NEG,     0x27, "DA",   "a with its sign flipped") \
	X(ABS,     0x28, "DA",   "a with its sign cleared") \
	X(SQRT,    0x29, "DA",   "square root, correctly rounded") \
	X(RSQRT,   0x2a, "DA",   "1 / sqrt(a), each step rounded") \
	X(FLOOR,   0x2b, "DA",   "towards minus infinity") \
	X(CEIL,    0x2c, "DA",   "towards plus infinity") \
	X(RINT,    0x2d, "DA",   "to nearest, ties to even") \
	X(TRUNC,   0x2e, "DA",   "towards zero") \
	X(EXP,     0x30, "DA",   "e^a") \
	X(LOG,     0x31, "DA",   "natural logarithm") \
	X(SIN,     0x32, "DA",   "sine, radians") \
	X(COS,     0x33, "DA",   "cosine, radians") \
	X(TANH,    0x34, "DA",   "hyperbolic tangent") \
	X(ERF,     0x35, "DA",   "error function") \
	X(IADD,    0x40, "DAB",  "a + b, wraps") \
	X(ISUB,    0x41, "DAB",  "a - b, wraps") \
	X(IMUL,    0x42, "DAB",  "low half of a * b") \
	X(UDIV,    0x43, "DAB",  "unsigned a / b; b = 0 gives 0xffffffff") \
	X(UMOD,    0x44, "DAB",  "unsigned a mod b; b = 0 gives a") \
	X(IMIN,    0x45, "DAB",  "signed minimum") \
	X(IMAX,    0x46, "DAB",  "signed maximum") \
	X(AND,     0x48, "DAB",  "a & b") \
	X(OR,      0x49, "DAB",  "a | b") \
	X(XOR,     0x4a, "DAB",  "a ^ b") \
	X(SHL,     0x4b, "DAB",  "a << (b & 31)") \
	X(SHR,     0x4c, "DAB",  "unsigned a >> (b & 31)") \
	X(SAR,     0x4d, "DAB",  "signed a >> (b & 31)") \
	X(F2I,     0x50, "DA",   "f32 to i32, towards zero, saturating, NaN gives 0") \
	X(I2F,     0x51, "DA",   "i32 to f32, nearest even") \
	X(FLT,     0x58, "DAB",  "a < b as f32: all ones or 0") \
	X(FLE,     0x59, "DAB",  "a <= b as f32") \
	X(FEQ,     0x5a, "DAB",  "a == b as f32") \
	X(ILT,     0x5b, "DAB",  "a < b as i32") \
	X(ULT,     0x5c, "DAB",  "a < b as u32") \
	X(IEQ,     0x5d, "DAB",  "a == b as i32") \
	X(SEL,     0x5e, "DABC", "a != 0 ? b : c, a as i32") \
	X(RSUM,    0x60, "dA",   "sum over lanes, order in numerics.rst") \
	X(RMAX,    0x61, "dA",   "maximum over lanes, from -infinity") \
	X(RMIN,    0x62, "dA",   "minimum over lanes, from +infinity") \
	X(RARGMAX, 0x63, "dA",   "lowest lane index of the maximum, as u32")

#define LOOM_VEC_ENUM_(name, number, form, doc) LOOM_VEC_##name = number,
enum loom_vec_opcode { LOOM_VEC_LIST(LOOM_VEC_ENUM_) };
#undef LOOM_VEC_ENUM_

#if !defined(__cplusplus) && (defined(__STDC_VERSION__) || defined(__KERNEL__))
_Static_assert(sizeof(struct loom_cmd) == 16, "cmd");
_Static_assert(sizeof(struct loom_cmd_nop) == 64, "nop");
_Static_assert(sizeof(struct loom_cmd_event) == 64, "event");
_Static_assert(sizeof(struct loom_cmd_timestamp) == 64, "timestamp");
_Static_assert(sizeof(struct loom_cmd_copy) == 192, "copy");
_Static_assert(sizeof(struct loom_cmd_matmul) == 256, "matmul");
_Static_assert(sizeof(struct loom_cmd_vector) == 128, "vector");
_Static_assert(sizeof(struct loom_vec_operand) == 64, "operand");
_Static_assert(sizeof(struct loom_vec_insn) == 16, "insn");
#endif

#endif
