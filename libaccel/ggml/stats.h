/* SPDX-License-Identifier: MIT */
/*
 * What the card did for ggml: nodes taken and refused and why, commands, bytes,
 * modelled time.  $LOOM_GGML_STATS names a file that gets it as text when the
 * process ends ("-": stderr).
 */
#ifndef LOOM_GGML_STATS_H
#define LOOM_GGML_STATS_H

#include <stdatomic.h>
#include <stdint.h>

#include "abi.h"

/** struct stats - of one card; counters only grow */
struct stats {
	/** @taken: nodes computed on the card */
	_Atomic uint64_t taken[GG_OP_COUNT];
	/** @refused: times that supports_op() said no */
	_Atomic uint64_t refused[GG_OP_COUNT];
	/** @why: reason of the last refusal; guarded by the card's lock */
	char why[GG_OP_COUNT][96];
	/** @uploaded, @downloaded: bytes to and from the card's memory */
	_Atomic uint64_t uploaded, downloaded;
	/** @first_ns, @last_ns: when the first graph began and the last was over */
	_Atomic uint64_t first_ns, last_ns;
	/** @graphs: graphs computed; @submits: submissions to the card */
	_Atomic uint64_t graphs, submits;
	/** @copies, @matmuls, @vectors: commands submitted, by engine */
	_Atomic uint64_t copies, matmuls, vectors;
	/** @built, @patched, @reused: command buffers of graphs */
	_Atomic uint64_t built, patched, reused;
};

void stats_refused(struct stats *s, int op, const char *why);
void stats_bytes(struct stats *s, uint64_t up, uint64_t down);

/** stats_now() - a clock in nanoseconds */
uint64_t stats_now(void);

struct card;

/** stats_print() - to where $LOOM_GGML_STATS says, if it is set */
void stats_print(struct card *card);

#endif
