/* SPDX-License-Identifier: MIT */
/*
 * DOC: A saved state being written or read
 *
 * One function per kind of state serves both directions: it names each field
 * once, and what it says of good values (loom_state_require()) holds both ways.
 *
 *	static void thing_state(struct loom_archive *a, struct thing *t)
 *	{
 *		loom_state_u32(a, &t->index);
 *		loom_state_require(a, t->index < MAX, "index %u", t->index);
 *	}
 *
 * When reading, the data is hostile.  After the first failure everything reads
 * as zero and nothing else is reported, so fields need not be tested one by one;
 * but a field that is used to reach another must be required to be good before.
 *
 * An archive belongs to the thread that uses it.
 */
#ifndef LOOM_ARCHIVE_H
#define LOOM_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loom_core;

#define LOOM_STATE_TAG	8	/* bytes of a section's name, padded with NUL */
#define LOOM_STATE_WHY	200	/* bytes of a sentence that says what is wrong */

struct loom_archive {
	/** @core: the card whose state it is */
	struct loom_core *core;
	/** @load: reading; else writing */
	bool load;
	/** @data: the bytes; while writing, allocated */
	uint8_t *data;
	/** @at: next byte */
	size_t at;
	/** @end: while reading: of the section; while writing: of @data */
	size_t end;
	/** @section: name of the section, for messages */
	const char *section;
	/** @failed: it is no use any more, @why says why */
	bool failed;
	char why[LOOM_STATE_WHY];
};

/* Fields, little-endian.  A bool is one byte, 0 or 1. */
void loom_state_bytes(struct loom_archive *a, void *p, size_t len);
void loom_state_u32(struct loom_archive *a, uint32_t *p);
void loom_state_u64(struct loom_archive *a, uint64_t *p);
void loom_state_bool(struct loom_archive *a, bool *p);

/**
 * loom_state_require() - fail, with a sentence, unless @good
 *
 * Return: false if the archive failed, now or before.
 */
__attribute__((format(printf, 3, 4)))
bool loom_state_require(struct loom_archive *a, bool good, const char *fmt, ...);

/**
 * loom_state_section() - one section: its name, its length, its contents
 * @contents: as thing_state() above; it must use up the section when reading
 */
void loom_state_section(struct loom_archive *a, const char *name,
			void (*contents)(struct loom_archive *a));

#endif
