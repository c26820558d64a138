// SPDX-License-Identifier: MIT
/*
 * Which build of the inner loops to use.
 */
#include "simd.h"

#define NUM_SETS	3

#ifdef __x86_64__

static bool have_avx2(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool have_avx512(void)
{
	return have_avx2() && __builtin_cpu_supports("avx512f") &&
	       __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("avx512dq") &&
	       __builtin_cpu_supports("avx512vl");
}

const struct loom_simd *loom_simd_get(unsigned int n)
{
	switch (n) {
	case 0:
		return &loom_simd_base;
	case 1:
		return have_avx2() ? &loom_simd_avx2 : NULL;
	case 2:
		return have_avx512() ? &loom_simd_avx512 : NULL;
	default:
		return NULL;
	}
}

#else

const struct loom_simd *loom_simd_get(unsigned int n)
{
	return n ? NULL : &loom_simd_base;
}

#endif

const struct loom_simd *loom_simd_best(void)
{
	const struct loom_simd *best = &loom_simd_base;
	unsigned int n;

	for (n = 0; n < NUM_SETS; n++) {
		if (loom_simd_get(n))
			best = loom_simd_get(n);
	}
	return best;
}
