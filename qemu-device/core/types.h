/* SPDX-License-Identifier: MIT */
/*
 * Conversions beyond those of engine.h.
 */
#ifndef LOOM_TYPES_H
#define LOOM_TYPES_H

#include "engine.h"

/*
 * For large buffers on the stack that are written before they are read: QEMU is
 * compiled with automatic variables zeroed.
 */
#if defined(__has_attribute)
#if __has_attribute(uninitialized)
#define LOOM_SCRATCH	__attribute__((uninitialized))
#endif
#endif
#ifndef LOOM_SCRATCH
#define LOOM_SCRATCH
#endif

/* Elements that loom_convert() handles at once. */
#define LOOM_CONVERT_MAX	512

/**
 * loom_convert() - convert as COPY does, via f32 or via i64
 * @n: number of contiguous elements, up to LOOM_CONVERT_MAX
 *
 * The buffers do not overlap.
 */
void loom_convert(uint32_t dst_type, void *dst, uint32_t src_type,
		  const void *src, size_t n);

#endif
