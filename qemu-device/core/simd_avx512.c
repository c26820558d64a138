// SPDX-License-Identifier: MIT
/*
 * The inner loops for x86 with AVX-512.
 */
#include "simd.h"

#ifdef __x86_64__

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), \
			     apply_to = function)
#else
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,prefer-vector-width=512")
#pragma GCC optimize("O3", "no-trapping-math")
#endif

#define SIMD_SET	loom_simd_avx512
#define SIMD_FMA	1

#include "simd_types.inc"
#include "simd_math.inc"
#include "simd_lanes.inc"

#ifdef __clang__
#pragma clang attribute pop
#endif

#endif
