/* SPDX-License-Identifier: MIT */
/*
 * Copies in which source and destination run across each other.  Row by row,
 * every element of one side would come from another cache line, which is gone
 * when its neighbour is wanted; tiles use whole lines of both sides.
 */
#ifndef LOOM_PLANE_H
#define LOOM_PLANE_H

#include "engine.h"

/* Elements along each side of a tile; no gain for smaller tensors. */
#define LOOM_TILE	16

/**
 * struct loom_plane - two dimensions of a tensor, in host memory
 */
struct loom_plane {
	/** @ex: looked at for aborts */
	struct loom_exec *ex;
	/** @src: source */
	const uint8_t *src;
	/** @dst: destination, elements of which do not overlap */
	uint8_t *dst;
	/** @n: extents */
	uint64_t n[2];
	/** @src_stride: bytes per step */
	int64_t src_stride[2];
	/** @dst_stride: bytes per step */
	int64_t dst_stride[2];
	/** @esize: bytes of an element: 1, 2, 4 or 8 */
	unsigned int esize;
};

/** loom_copy_plane() - copy it; 0, or -1 when aborted */
int loom_copy_plane(const struct loom_plane *p);

#endif
