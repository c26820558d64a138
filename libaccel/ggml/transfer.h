/* SPDX-License-Identifier: MIT */
/*
 * Transfers of a stream: copies to, from and within the card as commands of
 * its queue.  They collect in a command buffer that goes out with the next
 * submission.  A stream owns its transfers; no locks.
 */
#ifndef LOOM_GGML_TRANSFER_H
#define LOOM_GGML_TRANSFER_H

#include "card.h"

struct transfer;

struct transfer *transfer_create(struct card *card, struct accel_queue *queue);
void transfer_destroy(struct transfer *t);

/*
 * Record a copy.  Return: 0; -EAGAIN the staging memory is full: submit, wait,
 * transfer_finish() and try again; or another errno.
 */

/** transfer_upload() - host to card; @data may change afterwards */
int transfer_upload(struct transfer *t, uint64_t va, const void *data,
		    size_t size);
/**
 * transfer_download() - card to host; @data is there after transfer_finish()
 * @t: transfers
 * @data: where to
 * @va: address of the bytes on the card
 * @map: the CPU's address of the same bytes
 * @size: bytes
 *
 * Nothing is recorded unless more work follows: the CPU reads the memory then.
 */
int transfer_download(struct transfer *t, void *data, uint64_t va,
		      const void *map, size_t size);
/** transfer_copy() - within the card */
int transfer_copy(struct transfer *t, uint64_t to, uint64_t from, size_t size);

/** transfer_pending() - what must go out before anything else, or NULL */
struct accel_cmdbuf *transfer_pending(struct transfer *t);
/**
 * transfer_stage_downloads() - work follows that may overwrite what is still to
 * be downloaded: record copies of it
 *
 * Return: false if they do not fit; then wait, and transfer_finish(), first.
 */
bool transfer_stage_downloads(struct transfer *t);
/** transfer_submitted() - it went out and is done at @point */
void transfer_submitted(struct transfer *t, uint64_t point);
/** transfer_finish() - all work is over: deliver downloads, @ok or not; staging is empty */
void transfer_finish(struct transfer *t, bool ok);

#endif
