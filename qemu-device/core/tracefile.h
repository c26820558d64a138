/* SPDX-License-Identifier: MIT */
/*
 * DOC: What a card did, as a file for Perfetto and chrome://tracing
 *
 * Owners of a card pass on what the core traces.  Documentation/timing.rst says
 * what is in the file.
 */
#ifndef LOOM_TRACEFILE_H
#define LOOM_TRACEFILE_H

#include "loom_core.h"

struct loom_trace_file;

/**
 * loom_trace_file_open() - create a file, or empty it
 * @path: a file that can be written at any place, no pipe
 * @card: the card's name, shown above its tracks
 * @clock_khz: its clock
 * @max_bytes: the file gets no larger; the rest is left out, and it says so
 * @out: the file
 *
 * Return: 0 or -errno.
 */
int loom_trace_file_open(const char *path, const char *card, uint32_t clock_khz,
			 uint64_t max_bytes, struct loom_trace_file **out);

/** loom_trace_file_command() - for ops.trace_command; any thread */
void loom_trace_file_command(struct loom_trace_file *f,
			     const struct loom_core_trace *t);

/** loom_trace_file_job() - for ops.trace_job; any thread */
void loom_trace_file_job(struct loom_trace_file *f, unsigned int queue,
			 uint64_t seq, uint32_t error, uint64_t start,
			 uint64_t end);

/**
 * loom_trace_file_close() - write what is left; @f may be NULL
 *
 * Return: 0, or -errno of the first write that failed.
 */
int loom_trace_file_close(struct loom_trace_file *f);

#endif
