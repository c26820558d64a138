// SPDX-License-Identifier: MIT
/*
 * DOC: A saved state being written or read
 *
 * See archive.h.  No locks: an archive belongs to one thread.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive.h"

/* Space for @len more bytes when writing; false without memory. */
static bool grow(struct loom_archive *a, size_t len)
{
	size_t size = a->end ? a->end : 4096;
	uint8_t *data;

	if (a->end - a->at >= len)
		return true;
	while (size - a->at < len)
		size *= 2;
	data = realloc(a->data, size);
	if (!data)
		return loom_state_require(a, false, "no memory for it");
	a->data = data;
	a->end = size;
	return true;
}

void loom_state_bytes(struct loom_archive *a, void *p, size_t len)
{
	bool ok;

	if (a->load)
		ok = loom_state_require(a, len <= a->end - a->at, "ends early");
	else
		ok = !a->failed && grow(a, len);
	if (!ok) {
		if (a->load)
			memset(p, 0, len);
		return;
	}
	if (a->load)
		memcpy(p, a->data + a->at, len);
	else
		memcpy(a->data + a->at, p, len);
	a->at += len;
}

static void integer(struct loom_archive *a, uint64_t *value, size_t len)
{
	uint8_t bytes[8];
	size_t i;

	for (i = 0; i < len; i++)
		bytes[i] = (uint8_t)(*value >> (8 * i));
	loom_state_bytes(a, bytes, len);
	if (!a->load)
		return;
	*value = 0;
	for (i = 0; i < len; i++)
		*value |= (uint64_t)bytes[i] << (8 * i);
}

void loom_state_u32(struct loom_archive *a, uint32_t *p)
{
	uint64_t value = *p;

	integer(a, &value, sizeof(*p));
	*p = (uint32_t)value;
}

void loom_state_u64(struct loom_archive *a, uint64_t *p)
{
	integer(a, p, sizeof(*p));
}

void loom_state_bool(struct loom_archive *a, bool *p)
{
	uint64_t value = *p;

	integer(a, &value, 1);
	loom_state_require(a, value <= 1, "a yes or no is %u", (unsigned)value);
	*p = value == 1;
}

bool loom_state_require(struct loom_archive *a, bool good, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (good || a->failed)
		return !a->failed;
	a->failed = true;
	n = snprintf(a->why, sizeof(a->why), "section '%s': ", a->section);
	va_start(ap, fmt);
	vsnprintf(a->why + n, sizeof(a->why) - n, fmt, ap);
	va_end(ap);
	return false;
}

static void section_write(struct loom_archive *a,
			  void (*contents)(struct loom_archive *a))
{
	size_t head = a->at, next;
	uint32_t len = 0;

	loom_state_u32(a, &len);
	contents(a);
	if (a->failed)
		return;
	next = a->at;
	/* Known only now. */
	len = (uint32_t)(next - head - sizeof(len));
	a->at = head;
	loom_state_u32(a, &len);
	a->at = next;
}

static void section_read(struct loom_archive *a,
			 void (*contents)(struct loom_archive *a))
{
	size_t end = a->end;
	uint32_t len = 0;

	loom_state_u32(a, &len);
	if (!loom_state_require(a, len <= a->end - a->at,
				"%u bytes, of which %zu are there", len,
				a->end - a->at))
		return;
	a->end = a->at + len;
	contents(a);
	loom_state_require(a, a->at == a->end, "%zu bytes too long",
			   a->end - a->at);
	a->end = end;
}

void loom_state_section(struct loom_archive *a, const char *name,
			void (*contents)(struct loom_archive *a))
{
	char tag[LOOM_STATE_TAG] = "", found[LOOM_STATE_TAG + 1] = "";

	a->section = name;
	memcpy(tag, name, strnlen(name, sizeof(tag)));
	memcpy(found, tag, sizeof(tag));
	loom_state_bytes(a, found, sizeof(tag));
	if (!loom_state_require(a, !memcmp(tag, found, sizeof(tag)),
				"missing"))
		return;
	if (a->load)
		section_read(a, contents);
	else
		section_write(a, contents);
}
