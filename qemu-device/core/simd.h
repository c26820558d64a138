/* SPDX-License-Identifier: MIT */
/*
 * The inner loops of copy.c and vector.c, built once per instruction set of
 * the host.
 *
 * simd_base.c, simd_avx2.c and simd_avx512.c include the same loops
 * (simd_types.inc, simd_lanes.inc, simd_math.inc) and differ only in what the
 * compiler may use.  All give the same bits; check_vector compares them.
 */
#ifndef LOOM_SIMD_H
#define LOOM_SIMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <loom/loom_isa.h>

/* Registers are processed in chunks of this many lanes, the last one padded. */
#define LOOM_CHUNK	16

union loom_lanes {
	float f[LOOM_CHUNK];
	uint32_t u[LOOM_CHUNK];
	int32_t i[LOOM_CHUNK];
} __attribute__((aligned(64)));

/**
 * struct loom_lane_src - a source register
 */
struct loom_lane_src {
	/** @p: its first chunk */
	const union loom_lanes *p;
	/** @step: 1 for a vector, 0 for a scalar: one chunk of equal lanes */
	size_t step;
};

/**
 * struct loom_acc - a reduction under way
 */
struct loom_acc {
	/** @v: RSUM: the 64 partial sums; else the best of each lane mod 16 */
	union loom_lanes v[4];
	/** @index: RARGMAX: where it was found */
	union loom_lanes index;
};

/* An elementwise instruction; @d is none of the sources. */
typedef void loom_lane_fn(union loom_lanes *restrict d,
			  const struct loom_lane_src *s, size_t chunks);
/* A reduction: @n lanes, the first of which is number @first of the row. */
typedef void loom_reduce_fn(struct loom_acc *restrict acc,
			    const struct loom_lane_src *s, uint32_t first,
			    size_t n);
/* A conversion of @n contiguous elements. */
typedef void loom_conv_fn(void *restrict dst, const void *restrict src,
			  size_t n);

/**
 * struct loom_simd - all loops for one instruction set
 */
struct loom_simd {
	/** @lane: by opcode; NULL where the instruction is not elementwise */
	loom_lane_fn *lane[256];
	/** @reduce: by opcode; NULL where the instruction is not a reduction */
	loom_reduce_fn *reduce[256];
	/** @to_f32: by type; NULL for NONE and block types, as all below */
	loom_conv_fn *to_f32[LOOM_TYPE_COUNT];
	/** @from_f32: by type */
	loom_conv_fn *from_f32[LOOM_TYPE_COUNT];
	/** @to_i32: by type; integers and F32 only */
	loom_conv_fn *to_i32[LOOM_TYPE_COUNT];
	/** @from_i32: by type; integers and F32 only */
	loom_conv_fn *from_i32[LOOM_TYPE_COUNT];
};

/**
 * struct loom_angle - quadrant * pi/2 + hi + lo
 */
struct loom_angle {
	/** @quadrant: modulo 4 */
	uint32_t quadrant;
	/** @hi: within pi/4, or NaN */
	float hi;
	/** @lo: what @hi lacks */
	float lo;
};

/** loom_reduce_angle() - reduce x, |x| >= 2^17, an infinity or NaN */
struct loom_angle loom_reduce_angle(float x);

/*
 * Maximum and minimum compare keys: integers in the order of the f32 values,
 * -0 below +0.  A NaN takes the key that cannot win.
 */
#define LOOM_KEY_PLUS_INF	0x7f800000
#define LOOM_KEY_MINUS_INF	(-0x7f800001)

static inline int32_t loom_order_key(uint32_t bits, int32_t nan_key)
{
	uint32_t flip = bits & 0x80000000u ? 0x7fffffffu : 0;

	return (bits & 0x7fffffffu) > 0x7f800000u ? nan_key :
						    (int32_t)(bits ^ flip);
}

/* The f32 of a key; the mapping is its own inverse. */
static inline uint32_t loom_order_bits(int32_t key)
{
	return (uint32_t)key ^ (key < 0 ? 0x7fffffffu : 0);
}

extern const struct loom_simd loom_simd_base;
extern const struct loom_simd loom_simd_avx2;
extern const struct loom_simd loom_simd_avx512;

/** loom_simd_best() - what this host runs fastest */
const struct loom_simd *loom_simd_best(void);

/**
 * loom_simd_get() - one of the sets, for tests that compare them
 * @n: 0 is the base set, which always exists
 *
 * Return: NULL where the host cannot run set @n.
 */
const struct loom_simd *loom_simd_get(unsigned int n);

#endif
