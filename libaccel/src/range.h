/* SPDX-License-Identifier: MIT */
/* Allocator of address ranges: device virtual addresses, HBM, bus addresses. */
#ifndef ACCEL_RANGE_H
#define ACCEL_RANGE_H

#include <stdint.h>

struct range_span;

/** struct range_alloc - the free parts of an address range */
struct range_alloc {
	/** @free: list of free spans in ascending order, never adjacent */
	struct range_span *free;
	/** @used: units handed out */
	uint64_t used;
};

/** range_init() - all of [start, end) is free; 0 or -ENOMEM */
int range_init(struct range_alloc *ra, uint64_t start, uint64_t end);
void range_fini(struct range_alloc *ra);

/**
 * range_get() - take @size units aligned to @align (a power of two)
 *
 * Takes from the smallest span that fits.
 * Return: 0; -ENOSPC; -ENOMEM.
 */
int range_get(struct range_alloc *ra, uint64_t size, uint64_t align,
	      uint64_t *start);

/** range_put() - give back what range_get() gave */
void range_put(struct range_alloc *ra, uint64_t start, uint64_t size);

/** range_largest() - size of the largest free span */
uint64_t range_largest(const struct range_alloc *ra);

#endif
