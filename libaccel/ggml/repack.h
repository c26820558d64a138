/* SPDX-License-Identifier: MIT */
/*
 * Weights in formats that the arrays do not read (K-quants, q4_1, q5_0 ...) are
 * packed to q8_0 when a graph first multiplies by them, and the copy is kept
 * beside them in the card's memory.  Without it they would be unpacked for every
 * token.  $LOOM_GGML_REPACK=0 leaves them as they are.
 */
#ifndef LOOM_GGML_REPACK_H
#define LOOM_GGML_REPACK_H

#include "card.h"

/** struct repacker - what packing needs; of a stream */
struct repacker {
	struct card *card;
	/** @queue: where the work is done; nothing of the weights may be on its way */
	struct accel_queue *queue;
	/** @bytes, @said_ns: bytes of copies made, when that was reported last */
	uint64_t bytes, said_ns;
};

/** repack_init() - prepare a card; before its first buffer */
void repack_init(struct card *card);

/**
 * repack_weights() - weights as the arrays read them
 * @r: NULL: as they are
 * @w: weights of a product
 * @room: where the copy is described
 *
 * Return: @room, a q8_0 tensor of the same shape, or @w: it needs no copy, may
 * change (it is not in a buffer of weights), or the card has no room.
 */
const struct gg_tensor *repack_weights(struct repacker *r,
				       const struct gg_tensor *w,
				       struct gg_tensor *room);

/** repack_drop() - bytes of the card's memory change or go: so do copies of them */
void repack_drop(struct card *card, uint64_t va, uint64_t size);

/**
 * repack_writes() - a graph writes to @t
 *
 * If that is weights of which there may be copies, the card has none from now on:
 * they would not follow each time the graph runs.
 */
void repack_writes(struct repacker *r, const struct gg_tensor *t);

/** repack_generation() - changes when a copy goes, whose address commands may hold */
uint64_t repack_generation(struct card *card);

#endif
