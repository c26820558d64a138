// SPDX-License-Identifier: MIT
/* Transfers of a stream, through staging memory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <accel/accel_ops.h>

#include "buffer.h"
#include "transfer.h"

#define STAGING_BYTES	(UINT64_C(4) << 20)
#define STAGING_ALIGN	64
#define MAX_DOWNLOADS	256
/* Command buffers in turn: one is filled while others are on their way. */
#define NUM_CMDBUFS	4

/** struct download - bytes that a caller waits for */
struct download {
	void *data;
	/** @from: CPU address: of the card's memory, or of the staging memory */
	const uint8_t *from;
	/** @va: address on the card; 0 once the bytes are staged */
	uint64_t va;
	size_t size;
};

struct transfer {
	struct card *card;
	struct accel_queue *queue;
	struct accel_bo *staging;
	uint8_t *map;
	/** @used: bytes of @staging taken */
	uint64_t used;
	struct download downloads[MAX_DOWNLOADS];
	unsigned int num_downloads;
	struct accel_cmdbuf *cmdbufs[NUM_CMDBUFS];
	/** @points: when each of @cmdbufs is free again; 0: now */
	uint64_t points[NUM_CMDBUFS];
	/** @current: the one being filled */
	unsigned int current;
};

struct transfer *transfer_create(struct card *card, struct accel_queue *queue)
{
	struct transfer *t = calloc(1, sizeof(*t));
	unsigned int i;
	void *map;
	int rc;

	if (!t)
		return NULL;
	t->card = card;
	t->queue = queue;
	rc = accel_bo_create(card->accel, STAGING_BYTES, ACCEL_HOST,
			     &t->staging);
	if (!rc)
		rc = accel_bo_map(t->staging, &map);
	for (i = 0; !rc && i < NUM_CMDBUFS; i++)
		rc = accel_cmdbuf_create(card->accel, &t->cmdbufs[i]);
	if (rc) {
		transfer_destroy(t);
		return NULL;
	}
	t->map = map;
	return t;
}

void transfer_destroy(struct transfer *t)
{
	unsigned int i;

	if (!t)
		return;
	for (i = 0; i < NUM_CMDBUFS; i++)
		accel_cmdbuf_destroy(t->cmdbufs[i]);
	accel_bo_destroy(t->staging);
	free(t);
}

int transfer_copy(struct transfer *t, uint64_t to, uint64_t from, size_t size)
{
	struct accel_tensor dst, src;
	uint32_t rows = 1, row = (uint32_t)size;

	/* Extents have 32 bits. */
	if (size > INT32_MAX) {
		if (size % 4096)
			return -EAGAIN;
		row = 4096;
		rows = (uint32_t)(size / 4096);
	}
	dst = accel_tensor_2d(to, LOOM_TYPE_U8, row, rows);
	src = accel_tensor_2d(from, LOOM_TYPE_U8, row, rows);
	return accel_op_copy(t->cmdbufs[t->current], &dst, &src);
}

/* Larger pieces than the staging memory go part by part. */
static int stage(struct transfer *t, size_t size, uint64_t *offset)
{
	if (t->used + size > STAGING_BYTES)
		return -EAGAIN;
	*offset = t->used;
	t->used += (size + STAGING_ALIGN - 1) / STAGING_ALIGN * STAGING_ALIGN;
	return 0;
}

/* Submit what is pending by itself and wait. */
static int drain(struct transfer *t)
{
	struct accel_cmdbuf *cb = transfer_pending(t);
	uint64_t point;
	int rc;

	if (!cb)
		return 0;
	rc = accel_submit(t->queue, cb, &point);
	if (!rc)
		rc = accel_wait(t->queue, point, -1);
	accel_cmdbuf_reset(cb);
	t->used = 0;
	return rc;
}

static int upload_in_parts(struct transfer *t, uint64_t va,
			   const uint8_t *data, size_t size)
{
	size_t n;
	int rc = 0;

	while (!rc && size) {
		n = size < STAGING_BYTES ? size : STAGING_BYTES;
		memcpy(t->map, data, n);
		rc = transfer_copy(t, va, accel_bo_va(t->staging), n);
		if (!rc)
			rc = drain(t);
		va += n;
		data += n;
		size -= n;
	}
	return rc;
}

int transfer_upload(struct transfer *t, uint64_t va, const void *data,
		    size_t size)
{
	uint64_t offset;
	int rc;

	if (size > STAGING_BYTES)
		return t->used ? -EAGAIN : upload_in_parts(t, va, data, size);
	rc = stage(t, size, &offset);
	if (rc)
		return rc;
	memcpy(t->map + offset, data, size);
	return transfer_copy(t, va, accel_bo_va(t->staging) + offset, size);
}

int transfer_download(struct transfer *t, void *data, uint64_t va,
		      const void *map, size_t size)
{
	if (t->num_downloads == MAX_DOWNLOADS)
		return -EAGAIN;
	t->downloads[t->num_downloads++] =
		(struct download){ data, map, va, size };
	return 0;
}

/* Work follows: take the bytes out of its way. */
static int stage_download(struct transfer *t, struct download *d)
{
	uint64_t to = buffer_host_va(t->card, d->data, d->size), offset = 0;
	const uint8_t *from = d->data;
	int rc = 0;

	if (!to) {
		rc = stage(t, d->size, &offset);
		to = accel_bo_va(t->staging) + offset;
		from = t->map + offset;
	}
	if (!rc)
		rc = transfer_copy(t, to, d->va, d->size);
	if (rc)
		return rc;
	d->from = from;
	d->va = 0;
	return 0;
}

struct accel_cmdbuf *transfer_pending(struct transfer *t)
{
	struct accel_cmdbuf *cb = t->cmdbufs[t->current];

	return accel_cmdbuf_size(cb) ? cb : NULL;
}

bool transfer_stage_downloads(struct transfer *t)
{
	unsigned int i;

	for (i = 0; i < t->num_downloads; i++)
		if (t->downloads[i].va && stage_download(t, &t->downloads[i]))
			return false;
	return true;
}

void transfer_submitted(struct transfer *t, uint64_t point)
{
	if (!transfer_pending(t))
		return;
	t->points[t->current] = point;
	t->current = (t->current + 1) % NUM_CMDBUFS;
	if (t->points[t->current])
		accel_wait(t->queue, t->points[t->current], -1);
	t->points[t->current] = 0;
	accel_cmdbuf_reset(t->cmdbufs[t->current]);
}

void transfer_finish(struct transfer *t, bool ok)
{
	unsigned int i;

	for (i = 0; i < t->num_downloads; i++) {
		const struct download *d = &t->downloads[i];

		if (!ok)
			memset(d->data, 0xff, d->size);
		else if (d->data != d->from)
			memcpy(d->data, d->from, d->size);
	}
	t->num_downloads = 0;
	t->used = 0;
	if (!ok)
		accel_cmdbuf_reset(t->cmdbufs[t->current]);
}
