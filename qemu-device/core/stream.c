// SPDX-License-Identifier: MIT
/*
 * Walking through tensors.
 */
#include <string.h>

#include "stream.h"

/* One more than the last address. */
#define VA_END	(1ull << LOOM_VA_BITS)

/* Elements read or written one by one between looks at the abort flag. */
#define ABORT_INTERVAL	256

bool loom_span_init(struct loom_span *span, uint64_t addr, unsigned int esize,
		    unsigned int dims, const uint64_t *extent,
		    const int64_t *stride)
{
	int64_t lo = (int64_t)addr, hi = (int64_t)addr, reach;
	unsigned int d;

	*span = (struct loom_span){ .lo = addr };
	for (d = 0; d < dims; d++) {
		if (!extent[d])
			return true;
	}
	if (addr >= VA_END)
		return false;

	for (d = 0; d < dims; d++) {
		if (__builtin_mul_overflow(extent[d] - 1, stride[d], &reach) ||
		    __builtin_add_overflow(reach < 0 ? lo : hi, reach,
					   reach < 0 ? &lo : &hi))
			return false;
	}
	if (lo < 0 || hi > (int64_t)(VA_END - esize))
		return false;
	span->lo = (uint64_t)lo;
	span->len = (uint64_t)(hi - lo) + esize;
	return true;
}

void loom_span_map(struct loom_span *span, struct loom_exec *ex,
		   uint32_t access)
{
	if (span->len)
		span->host = loom_mem_map(ex, span->lo, span->len, access);
}

bool loom_span_disjoint(const struct loom_span *a, const struct loom_span *b)
{
	return a->lo + a->len <= b->lo || b->lo + b->len <= a->lo;
}

void loom_stream_init(struct loom_stream *s, struct loom_exec *ex,
		      const struct loom_span *span, unsigned int esize)
{
	s->ex = ex;
	s->span = span;
	s->esize = esize;
	s->dims = 0;
}

void loom_stream_add(struct loom_stream *s, uint64_t extent, int64_t stride)
{
	unsigned int last = s->dims - 1;
	uint64_t both;
	int64_t end;

	if (s->dims && extent == 1)
		return;
	if (s->dims && s->extent[last] == 1) {
		s->extent[last] = extent;
		s->stride[last] = stride;
		return;
	}
	if (s->dims &&
	    !__builtin_mul_overflow(s->extent[last], s->stride[last], &end) &&
	    end == stride &&
	    !__builtin_mul_overflow(s->extent[last], extent, &both)) {
		s->extent[last] = both;
		return;
	}
	s->extent[s->dims] = extent;
	s->stride[s->dims] = stride;
	s->dims++;
}

void loom_stream_rewind(struct loom_stream *s, uint64_t addr)
{
	unsigned int d;

	s->addr = addr;
	for (d = 0; d < s->dims; d++)
		s->index[d] = 0;
}

static uint64_t magnitude(int64_t x)
{
	return x < 0 ? -(uint64_t)x : (uint64_t)x;
}

/* The dimension with the smallest stride of at least @size, or s->dims */
static unsigned int next_larger(const struct loom_stream *s, uint64_t size,
				uint32_t done)
{
	unsigned int d, best = s->dims;

	for (d = 0; d < s->dims; d++) {
		if (done & (1u << d))
			continue;
		if (magnitude(s->stride[d]) < size)
			return s->dims;
		if (best == s->dims ||
		    magnitude(s->stride[d]) < magnitude(s->stride[best]))
			best = d;
	}
	return best;
}

bool loom_stream_distinct(const struct loom_stream *s)
{
	uint64_t size = s->esize;
	uint32_t done = 0;
	unsigned int d, i;

	for (i = 0; i < s->dims; i++) {
		d = next_larger(s, size, done);
		if (d == s->dims ||
		    __builtin_mul_overflow(magnitude(s->stride[d]),
					   s->extent[d], &size))
			return false;
		done |= 1u << d;
	}
	return true;
}

/* After the last element the position is the first one again. */
static void advance(struct loom_stream *s, uint64_t n)
{
	unsigned int d = 0;

	for (;;) {
		s->index[d] += n;
		s->addr += n * (uint64_t)s->stride[d];
		if (s->index[d] < s->extent[d])
			return;
		s->index[d] = 0;
		s->addr -= s->extent[d] * (uint64_t)s->stride[d];
		if (++d == s->dims)
			return;
		n = 1;
	}
}

uint64_t loom_stream_run(const struct loom_stream *s)
{
	return s->stride[0] == s->esize ? s->extent[0] - s->index[0] : 1;
}

static uint8_t *host_pointer(const struct loom_stream *s, uint64_t addr)
{
	return s->span->host + (addr - s->span->lo);
}

#define STRIDED(type)							\
	static void gather_##type(void *dst, const uint8_t *src,	\
				  int64_t stride, size_t n)		\
	{								\
		type *d = dst;						\
		size_t i;						\
									\
		for (i = 0; i < n; i++)					\
			d[i] = *(const type *)(src + (int64_t)i * stride); \
	}								\
									\
	static void scatter_##type(uint8_t *dst, const void *src,	\
				   int64_t stride, size_t n)		\
	{								\
		const type *s = src;					\
		size_t i;						\
									\
		for (i = 0; i < n; i++)					\
			*(type *)(dst + (int64_t)i * stride) = s[i];	\
	}								\
									\
	static void splat_##type(void *dst, const void *src, size_t n)	\
	{								\
		const type x = *(const type *)src;			\
		type *d = dst;						\
		size_t i;						\
									\
		for (i = 0; i < n; i++)					\
			d[i] = x;					\
	}

STRIDED(uint8_t)
STRIDED(uint16_t)
STRIDED(uint32_t)
STRIDED(uint64_t)

/* Call the function for elements of @esize bytes. */
#define BY_SIZE(esize, fn, ...)						\
	do {								\
		switch (esize) {					\
		case 1:							\
			fn##_uint8_t(__VA_ARGS__);			\
			break;						\
		case 2:							\
			fn##_uint16_t(__VA_ARGS__);			\
			break;						\
		case 4:							\
			fn##_uint32_t(__VA_ARGS__);			\
			break;						\
		default:						\
			fn##_uint64_t(__VA_ARGS__);			\
		}							\
	} while (0)

void loom_splat(void *dst, const void *src, size_t n, unsigned int esize)
{
	BY_SIZE(esize, splat, dst, src, n);
}

static void gather(const struct loom_stream *s, void *dst, size_t n)
{
	const uint8_t *src = host_pointer(s, s->addr);
	int64_t stride = s->stride[0];

	/* The guest decides what overlaps. */
	if (stride == s->esize)
		memmove(dst, src, n * s->esize);
	else if (stride == 0)
		loom_splat(dst, src, n, s->esize);
	else
		BY_SIZE(s->esize, gather, dst, src, stride, n);
}

static void scatter(const struct loom_stream *s, const void *src, size_t n)
{
	uint8_t *dst = host_pointer(s, s->addr);
	int64_t stride = s->stride[0];

	if (stride == s->esize)
		memmove(dst, src, n * s->esize);
	else
		BY_SIZE(s->esize, scatter, dst, src, stride, n);
}

static bool aborted_at(const struct loom_stream *s, size_t i)
{
	if (i % ABORT_INTERVAL || !loom_exec_aborted(s->ex))
		return false;
	loom_fail(s->ex, LOOM_ERR_ABORTED, 0);
	return true;
}

/* The same through translation, element by element if need be. */
static int fetch(const struct loom_stream *s, void *dst, size_t n)
{
	uint64_t addr = s->addr;
	uint8_t *d = dst;
	size_t i;

	if (s->stride[0] == s->esize)
		return loom_mem_read(s->ex, addr, dst, n * s->esize);
	if (s->stride[0] == 0) {
		if (loom_mem_read(s->ex, addr, dst, s->esize))
			return -1;
		loom_splat(dst, dst, n, s->esize);
		return 0;
	}
	for (i = 0; i < n; i++) {
		if (aborted_at(s, i) ||
		    loom_mem_read(s->ex, addr, d + i * s->esize, s->esize))
			return -1;
		addr += (uint64_t)s->stride[0];
	}
	return 0;
}

static int store(const struct loom_stream *s, const void *src, size_t n)
{
	uint64_t addr = s->addr;
	const uint8_t *p = src;
	size_t i;

	if (s->stride[0] == s->esize)
		return loom_mem_write(s->ex, addr, src, n * s->esize);
	for (i = 0; i < n; i++) {
		if (aborted_at(s, i) ||
		    loom_mem_write(s->ex, addr, p + i * s->esize, s->esize))
			return -1;
		addr += (uint64_t)s->stride[0];
	}
	return 0;
}

/* Elements up to the end of the innermost dimension. */
static size_t row_left(const struct loom_stream *s, size_t n)
{
	uint64_t left = s->extent[0] - s->index[0];

	return left < n ? (size_t)left : n;
}

const void *loom_stream_read(struct loom_stream *s, void *tmp, size_t n)
{
	uint8_t *dst = tmp;
	const void *p;
	size_t len;

	if (s->span->host && loom_stream_run(s) >= n) {
		p = host_pointer(s, s->addr);
		advance(s, n);
		return p;
	}
	for (; n; n -= len, dst += len * s->esize) {
		len = row_left(s, n);
		if (s->span->host)
			gather(s, dst, len);
		else if (fetch(s, dst, len))
			return NULL;
		advance(s, len);
	}
	return tmp;
}

void *loom_stream_room(const struct loom_stream *s, void *tmp, size_t n)
{
	if (s->span->host && loom_stream_run(s) >= n)
		return host_pointer(s, s->addr);
	return tmp;
}

int loom_stream_write(struct loom_stream *s, const void *src, size_t n)
{
	const uint8_t *p = src;
	size_t len;

	if (s->span->host && loom_stream_run(s) >= n &&
	    host_pointer(s, s->addr) == p) {
		advance(s, n);
		return 0;
	}
	for (; n; n -= len, p += len * s->esize) {
		len = row_left(s, n);
		if (s->span->host)
			scatter(s, p, len);
		else if (store(s, p, len))
			return -1;
		advance(s, len);
	}
	return 0;
}

int loom_stream_peek(const struct loom_stream *s, uint64_t addr, void *dst)
{
	if (!s->span->host)
		return loom_mem_read(s->ex, addr, dst, s->esize);
	memcpy(dst, host_pointer(s, addr), s->esize);
	return 0;
}
