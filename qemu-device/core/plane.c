// SPDX-License-Identifier: MIT
/*
 * Copying tile by tile.
 */
#include "plane.h"

#define TILE_COPY(type)							\
	static void copy_##type(const struct loom_plane *p,		\
				uint8_t *dst, const uint8_t *src,	\
				uint64_t n0, uint64_t n1)		\
	{								\
		uint64_t i, j;						\
									\
		for (i = 0; i < n0; i++) {				\
			for (j = 0; j < n1; j++)			\
				*(type *)(dst + (int64_t)j *		\
					  p->dst_stride[1]) =		\
				*(const type *)(src + (int64_t)j *	\
						p->src_stride[1]);	\
			dst += p->dst_stride[0];			\
			src += p->src_stride[0];			\
		}							\
	}

TILE_COPY(uint8_t)
TILE_COPY(uint16_t)
TILE_COPY(uint32_t)
TILE_COPY(uint64_t)

static void copy_tile(const struct loom_plane *p, uint64_t i, uint64_t j)
{
	uint64_t n0 = p->n[0] - i, n1 = p->n[1] - j;
	uint8_t *dst = p->dst + (int64_t)i * p->dst_stride[0] +
		       (int64_t)j * p->dst_stride[1];
	const uint8_t *src = p->src + (int64_t)i * p->src_stride[0] +
			     (int64_t)j * p->src_stride[1];

	n0 = n0 < LOOM_TILE ? n0 : LOOM_TILE;
	n1 = n1 < LOOM_TILE ? n1 : LOOM_TILE;
	switch (p->esize) {
	case 1:
		copy_uint8_t(p, dst, src, n0, n1);
		break;
	case 2:
		copy_uint16_t(p, dst, src, n0, n1);
		break;
	case 4:
		copy_uint32_t(p, dst, src, n0, n1);
		break;
	default:
		copy_uint64_t(p, dst, src, n0, n1);
	}
}

int loom_copy_plane(const struct loom_plane *p)
{
	uint64_t i, j;

	for (j = 0; j < p->n[1]; j += LOOM_TILE) {
		if (loom_exec_aborted(p->ex))
			return loom_fail(p->ex, LOOM_ERR_ABORTED, 0);
		for (i = 0; i < p->n[0]; i += LOOM_TILE)
			copy_tile(p, i, j);
	}
	return 0;
}
