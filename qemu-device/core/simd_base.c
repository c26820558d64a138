// SPDX-License-Identifier: MIT
/*
 * The inner loops for any host.
 */
#include "simd.h"

#ifdef __GNUC__
#ifndef __clang__
#pragma GCC optimize("O3", "no-trapping-math")
#endif
#endif

#define SIMD_SET	loom_simd_base
#ifdef __FP_FAST_FMAF
#define SIMD_FMA	1
#else
#define SIMD_FMA	0
#endif

#include "simd_types.inc"
#include "simd_math.inc"
#include "simd_lanes.inc"
