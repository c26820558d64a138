// SPDX-License-Identifier: MIT
/*
 * The inner loops for x86 with AVX2 and FMA.
 */
#include "simd.h"

#ifdef __x86_64__

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma"))), \
			     apply_to = function)
#else
#pragma GCC target("avx2,fma")
#pragma GCC optimize("O3", "no-trapping-math")
#endif

#define SIMD_SET	loom_simd_avx2
#define SIMD_FMA	1

#include "simd_types.inc"
#include "simd_math.inc"
#include "simd_lanes.inc"

#ifdef __clang__
#pragma clang attribute pop
#endif

#endif
