/* SPDX-License-Identifier: MIT */
/*
 * How copy.c and vector.c walk through tensors: an operand is a sequence of
 * elements of up to LOOM_STREAM_DIMS nested dimensions, delivered in blocks of
 * contiguous elements.  Dimensions that continue each other are merged, and
 * memory that the host can address directly is used in place.
 */
#ifndef LOOM_STREAM_H
#define LOOM_STREAM_H

#include "engine.h"

/* Each of the four dimensions of a command becomes two where it wraps. */
#define LOOM_STREAM_DIMS	(2 * LOOM_MAX_DIMS)

/**
 * struct loom_span - the addresses an operand may touch
 */
struct loom_span {
	/** @lo: the lowest one */
	uint64_t lo;
	/** @len: bytes from there, 0 for none */
	uint64_t len;
	/** @host: pointer to @lo, or NULL where only loom_mem_* reach it */
	uint8_t *host;
};

/**
 * loom_span_init() - the range of a tensor around @addr
 * @extent: elements along each dimension; a zero makes the span empty
 *
 * Return: false if it leaves the address space.
 */
bool loom_span_init(struct loom_span *span, uint64_t addr, unsigned int esize,
		    unsigned int dims, const uint64_t *extent,
		    const int64_t *stride);

/** loom_span_map() - look for a host pointer; it is no error to have none */
void loom_span_map(struct loom_span *span, struct loom_exec *ex,
		   uint32_t access);

/** loom_span_disjoint() - do they share no byte? */
bool loom_span_disjoint(const struct loom_span *a, const struct loom_span *b);

/**
 * struct loom_stream - a position in a sequence of elements
 */
struct loom_stream {
	/** @ex: whose memory */
	struct loom_exec *ex;
	/** @span: what it may touch */
	const struct loom_span *span;
	/** @addr: address of the next element */
	uint64_t addr;
	/** @esize: bytes of an element */
	unsigned int esize;
	/** @dims: number of dimensions, at least 1 */
	unsigned int dims;
	/** @extent: of each dimension, innermost first */
	uint64_t extent[LOOM_STREAM_DIMS];
	/** @stride: bytes per step */
	int64_t stride[LOOM_STREAM_DIMS];
	/** @index: position */
	uint64_t index[LOOM_STREAM_DIMS];
};

/** loom_stream_init() - no dimensions yet; add at least one, then rewind */
void loom_stream_init(struct loom_stream *s, struct loom_exec *ex,
		      const struct loom_span *span, unsigned int esize);

/** loom_stream_add() - add an outer dimension of @extent > 0 elements */
void loom_stream_add(struct loom_stream *s, uint64_t extent, int64_t stride);

/** loom_stream_rewind() - to the first element, which is at @addr */
void loom_stream_rewind(struct loom_stream *s, uint64_t addr);

/**
 * loom_stream_distinct() - is every element at an address of its own?
 *
 * Return: true if each dimension steps over all that are smaller, which is
 * enough but not necessary.
 */
bool loom_stream_distinct(const struct loom_stream *s);

/** loom_stream_run() - how many of the next elements are contiguous bytes? */
uint64_t loom_stream_run(const struct loom_stream *s);

/**
 * loom_stream_read() - take the next @n elements
 * @tmp: room for them
 *
 * Return: where they are, in @tmp or in place; NULL after a fault.
 */
const void *loom_stream_read(struct loom_stream *s, void *tmp, size_t n);

/**
 * loom_stream_room() - where the next @n elements may be put before they are
 * given to loom_stream_write(): in place if possible, else @tmp
 */
void *loom_stream_room(const struct loom_stream *s, void *tmp, size_t n);

/** loom_stream_write() - put the next @n elements; 0, or -1 after a fault */
int loom_stream_write(struct loom_stream *s, const void *src, size_t n);

/** loom_stream_peek() - read one element at @addr, which lies in the span */
int loom_stream_peek(const struct loom_stream *s, uint64_t addr, void *dst);

/** loom_splat() - n copies of an element; @dst[0] may be @src */
void loom_splat(void *dst, const void *src, size_t n, unsigned int esize);

#endif
