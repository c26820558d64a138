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

/** struct download - staged bytes that a caller waits for */
struct download {
	void *data;
	size_t offset, size;
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

static int download_in_parts(struct transfer *t, uint8_t *data, uint64_t va,
			     size_t size)
{
	size_t n;
	int rc = 0;

	while (!rc && size) {
		n = size < STAGING_BYTES ? size : STAGING_BYTES;
		rc = transfer_copy(t, accel_bo_va(t->staging), va, n);
		if (!rc)
			rc = drain(t);
		if (!rc)
			memcpy(data, t->map, n);
		va += n;
		data += n;
		size -= n;
	}
	return rc;
}

int transfer_download(struct transfer *t, void *data, uint64_t va, size_t size)
{
	uint64_t host = buffer_host_va(t->card, data, size), offset;
	int rc;

	if (host)
		return transfer_copy(t, host, va, size);
	if (size > STAGING_BYTES)
		return t->used ? -EAGAIN : download_in_parts(t, data, va, size);
	if (t->num_downloads == MAX_DOWNLOADS)
		return -EAGAIN;
	rc = stage(t, size, &offset);
	if (rc)
		return rc;
	t->downloads[t->num_downloads++] =
		(struct download){ data, offset, size };
	return transfer_copy(t, accel_bo_va(t->staging) + offset, va, size);
}

struct accel_cmdbuf *transfer_pending(struct transfer *t)
{
	struct accel_cmdbuf *cb = t->cmdbufs[t->current];

	return accel_cmdbuf_size(cb) ? cb : NULL;
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

		if (ok)
			memcpy(d->data, t->map + d->offset, d->size);
		else
			memset(d->data, 0xff, d->size);
	}
	t->num_downloads = 0;
	t->used = 0;
	if (!ok)
		accel_cmdbuf_reset(t->cmdbufs[t->current]);
}
