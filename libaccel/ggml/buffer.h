/* SPDX-License-Identifier: MIT */
/* Buffers: memory of the card, and memory of the host that the card reaches. */
#ifndef LOOM_GGML_BUFFER_H
#define LOOM_GGML_BUFFER_H

#include "card.h"

/** buffer_types_init() - fill the card's two buffer types */
void buffer_types_init(struct card *card);

/** buffer_is_on() - is @buffer memory of @card's HBM? */
bool buffer_is_on(const struct gg_buffer *buffer, const struct card *card);

/** buffer_map() - the CPU's address of byte @offset of a tensor on the card */
uint8_t *buffer_map(const struct gg_tensor *t, size_t offset);

/**
 * buffer_changes() - the CPU or a transfer is about to write to a tensor on the card
 *
 * Return: it is in a buffer of weights.
 */
bool buffer_changes(const struct gg_tensor *t, size_t offset, size_t size);

/**
 * buffer_host_va() - address at which the card reaches host memory
 * @card: the card
 * @p: pointer, perhaps into one of the card's host buffers
 * @len: bytes from there
 *
 * Return: the address, or 0 if it is other memory.
 */
uint64_t buffer_host_va(struct card *card, const void *p, size_t len);

#endif
