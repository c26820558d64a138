// SPDX-License-Identifier: MIT
/*
 * Best-fit allocator of address ranges: a sorted list of what is free.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "range.h"

struct range_span {
	struct range_span *next;
	uint64_t start;
	uint64_t end;
};

static struct range_span *span_new(uint64_t start, uint64_t end,
				   struct range_span *next)
{
	struct range_span *s = malloc(sizeof(*s));

	if (s)
		*s = (struct range_span){ next, start, end };
	return s;
}

int range_init(struct range_alloc *ra, uint64_t start, uint64_t end)
{
	ra->used = 0;
	ra->free = span_new(start, end, NULL);
	return ra->free ? 0 : -ENOMEM;
}

void range_fini(struct range_alloc *ra)
{
	struct range_span *s, *next;

	for (s = ra->free; s; s = next) {
		next = s->next;
		free(s);
	}
	ra->free = NULL;
}

/* Where @size units would begin in @s; false if they do not fit. */
static bool span_fits(const struct range_span *s, uint64_t size,
		      uint64_t align, uint64_t *start)
{
	uint64_t at = (s->start + align - 1) & ~(align - 1);

	*start = at;
	return at >= s->start && at <= s->end && s->end - at >= size;
}

/* Cut [start, start + size) out of *@link. */
static int span_cut(struct range_span **link, uint64_t start, uint64_t size)
{
	struct range_span *s = *link;
	uint64_t end = start + size;

	if (s->start == start && s->end == end) {
		*link = s->next;
		free(s);
	} else if (s->start == start) {
		s->start = end;
	} else if (s->end == end) {
		s->end = start;
	} else {
		struct range_span *rest = span_new(end, s->end, s->next);

		if (!rest)
			return -ENOMEM;
		s->end = start;
		s->next = rest;
	}
	return 0;
}

int range_get(struct range_alloc *ra, uint64_t size, uint64_t align,
	      uint64_t *start)
{
	struct range_span **link, **best = NULL;
	uint64_t at, best_size = UINT64_MAX;
	int rc;

	for (link = &ra->free; *link; link = &(*link)->next) {
		uint64_t span = (*link)->end - (*link)->start;

		if (span < best_size && span_fits(*link, size, align, &at)) {
			best = link;
			best_size = span;
			*start = at;
		}
	}
	if (!best)
		return -ENOSPC;
	rc = span_cut(best, *start, size);
	if (!rc)
		ra->used += size;
	return rc;
}

void range_put(struct range_alloc *ra, uint64_t start, uint64_t size)
{
	struct range_span **link = &ra->free, *prev = NULL, *next;

	while (*link && (*link)->start < start) {
		prev = *link;
		link = &prev->next;
	}
	next = *link;
	ra->used -= size;

	if (prev && prev->end == start) {
		prev->end = start + size;
		if (next && next->start == prev->end) {
			prev->end = next->end;
			prev->next = next->next;
			free(next);
		}
	} else if (next && next->start == start + size) {
		next->start = start;
	} else {
		/* Without memory for a node the range is lost, not corrupted. */
		struct range_span *s = span_new(start, start + size, next);

		if (s)
			*link = s;
	}
}

uint64_t range_largest(const struct range_alloc *ra)
{
	const struct range_span *s;
	uint64_t largest = 0;

	for (s = ra->free; s; s = s->next)
		if (s->end - s->start > largest)
			largest = s->end - s->start;
	return largest;
}
