// SPDX-License-Identifier: MIT
/*
 * The kernel set that the MATMUL engine uses.  In a file of its own, so that a
 * test program can link its own choice instead.
 */
#include "matmul.h"

const struct loom_matmul_kernels *loom_matmul_best(void)
{
	for (int level = LOOM_MATMUL_LEVELS - 1; level > 0; level--) {
		const struct loom_matmul_kernels *k =
			loom_matmul_kernels((enum loom_matmul_level)level);

		if (k)
			return k;
	}
	return loom_matmul_kernels(LOOM_MATMUL_PORTABLE);
}
