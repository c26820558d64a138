// SPDX-License-Identifier: MIT
/*
 * Copies of weights in q8_0.  A card has one list of them; its repack_lock guards
 * the list and the generation, and is held while a copy is made.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "pack.h"
#include "quant.h"
#include "repack.h"

#define ENV		"LOOM_GGML_REPACK"
/* Values between unpacking and packing. */
#define PIECE_BYTES	(UINT64_C(16) << 20)
/* This part of the card's memory stays free for what else there is. */
#define RESERVE(total)	((total) / 8)
#define SAY_AGAIN_NS	(UINT64_C(10) * 1000 * 1000 * 1000)

/** struct repacked - a copy */
struct repacked {
	struct repacked *next;
	/** @va, @size: bytes of the weights */
	uint64_t va, size;
	int32_t type;
	int64_t ne[4];
	struct accel_bo *bo;
};

void repack_init(struct card *card)
{
	const char *env = getenv(ENV);

	pthread_mutex_init(&card->repack_lock, NULL);
	card->repacks = !env || strcmp(env, "0");
}

uint64_t repack_generation(struct card *card)
{
	uint64_t generation;

	pthread_mutex_lock(&card->repack_lock);
	generation = card->repack_generation;
	pthread_mutex_unlock(&card->repack_lock);
	return generation;
}

void repack_drop(struct card *card, uint64_t va, uint64_t size)
{
	struct repacked **link = &card->repacked, *copy;

	pthread_mutex_lock(&card->repack_lock);
	while ((copy = *link)) {
		if (copy->va >= va + size || va >= copy->va + copy->size) {
			link = &copy->next;
			continue;
		}
		*link = copy->next;
		accel_bo_destroy(copy->bo);
		free(copy);
		card->repack_generation++;
	}
	pthread_mutex_unlock(&card->repack_lock);
}

/* ------------------------------------------------------------------- making */

static uint64_t va_of(const struct gg_tensor *w)
{
	return (uint64_t)(uintptr_t)w->data;
}

static uint64_t rows_of(const struct gg_tensor *w)
{
	return (uint64_t)(w->ne[1] * w->ne[2] * w->ne[3]);
}

/* Weights that the arrays do not read. */
static bool is_foreign(const struct card *card, const struct gg_tensor *w)
{
	const struct gg_tensor *base = w->view_src ? w->view_src : w;
	const struct gg_type_info *info = gg_type_info(w->type);

	return info->block > 1 && info->type == LOOM_TYPE_NONE &&
	       buffer_is_on(base->buffer, card) &&
	       base->buffer->usage == GG_USAGE_WEIGHTS;
}

static bool needs_copy(const struct card *card, const struct gg_tensor *w)
{
	return card->repacks && is_foreign(card, w) && gg_contiguous(w) &&
	       rows_of(w) <= INT32_MAX;
}

void repack_writes(struct repacker *r, const struct gg_tensor *t)
{
	if (!r || !r->card->repacks || !is_foreign(r->card, t))
		return;
	r->card->repacks = false;
	repack_drop(r->card, 0, UINT64_MAX);
}

static bool has_room(struct card *card, uint64_t bytes)
{
	struct accel_memory_info info = { .size = sizeof(info) };

	return !accel_device_memory(card->accel, &info) &&
	       info.hbm_total - info.hbm_used >= bytes + RESERVE(info.hbm_total);
}

/* Packing a large model takes a while. */
static void say(struct repacker *r, const struct gg_tensor *w, uint64_t bytes)
{
	uint64_t now = stats_now();

	if (!r->bytes)
		report("%s: packing weights (%s) to q8_0, once; " ENV "=0 leaves them",
		       r->card->name, gg_type_info(w->type)->name);
	else if (now - r->said_ns >= SAY_AGAIN_NS)
		report("%s: %llu MiB of weights packed", r->card->name,
		       (unsigned long long)(r->bytes >> 20));
	else
		now = r->said_ns;
	r->said_ns = now;
	r->bytes += bytes;
}

/* Commands that unpack and pack all rows, some at a time. */
static int record(struct emit *e, const struct gg_tensor *w, uint64_t to)
{
	uint32_t k = (uint32_t)w->ne[0], rows = (uint32_t)rows_of(w), first, n;
	uint32_t piece = (uint32_t)(PIECE_BYTES / (k * UINT64_C(4))) + 1;
	struct accel_tensor values, from, in, out;
	int rc = 0;

	piece = piece < rows ? piece : rows;
	values = emit_temp(e, LOOM_TYPE_F32, (const uint32_t[]){ k, piece, 1, 1 });
	in = accel_tensor_2d(va_of(w), LOOM_TYPE_U8, (uint32_t)gg_row_bytes(w), rows);
	out = accel_tensor_2d(to, LOOM_TYPE_U8, (uint32_t)gg_type_row_bytes(GG_Q8_0, k), rows);
	for (first = 0; !rc && first < rows; first += n) {
		struct accel_tensor some, packed;

		n = rows - first < piece ? rows - first : piece;
		some = accel_tensor_rows(&values, 0, n);
		from = accel_tensor_rows(&in, first, n);
		packed = accel_tensor_rows(&out, first, n);
		rc = quant_unpack(e, &some, w->type, &from);
		if (!rc)
			rc = pack_rows(e, &packed, GG_Q8_0, &some);
	}
	return rc;
}

static int run(struct repacker *r, const struct gg_tensor *w, uint64_t to)
{
	struct accel_device *accel = r->card->accel;
	struct accel_bo *scratch = NULL;
	struct accel_cmdbuf *cb = NULL;
	uint64_t row = (uint64_t)w->ne[0] * 4, point;
	struct emit e;
	int rc;

	rc = accel_bo_create(accel, PIECE_BYTES + row, ACCEL_HBM, &scratch);
	if (!rc)
		rc = accel_cmdbuf_create(accel, &cb);
	if (!rc) {
		emit_init(&e, cb, accel_bo_va(scratch));
		rc = record(&e, w, to);
	}
	if (!rc)
		rc = accel_submit(r->queue, cb, &point);
	if (!rc)
		rc = accel_wait(r->queue, point, -1);
	accel_cmdbuf_destroy(cb);
	accel_bo_destroy(scratch);
	return rc;
}

static struct repacked *make(struct repacker *r, const struct gg_tensor *w)
{
	uint64_t bytes = rows_of(w) * gg_type_row_bytes(GG_Q8_0, w->ne[0]);
	struct repacked *copy;

	if (!has_room(r->card, bytes + PIECE_BYTES))
		return NULL;
	copy = calloc(1, sizeof(*copy));
	if (!copy)
		return NULL;
	say(r, w, bytes);
	if (accel_bo_create(r->card->accel, bytes, ACCEL_HBM, &copy->bo) ||
	    run(r, w, accel_bo_va(copy->bo))) {
		accel_bo_destroy(copy->bo);
		free(copy);
		return NULL;
	}
	copy->va = va_of(w);
	copy->size = rows_of(w) * gg_row_bytes(w);
	copy->type = w->type;
	memcpy(copy->ne, w->ne, sizeof(copy->ne));
	copy->next = r->card->repacked;
	r->card->repacked = copy;
	return copy;
}

static struct repacked *find(struct card *card, const struct gg_tensor *w)
{
	struct repacked *copy = card->repacked;

	while (copy && (copy->va != va_of(w) || copy->type != w->type ||
			memcmp(copy->ne, w->ne, sizeof(copy->ne))))
		copy = copy->next;
	return copy;
}

const struct gg_tensor *repack_weights(struct repacker *r,
				       const struct gg_tensor *w,
				       struct gg_tensor *room)
{
	struct repacked *copy;
	unsigned int d;

	if (!r || !needs_copy(r->card, w))
		return w;
	pthread_mutex_lock(&r->card->repack_lock);
	copy = find(r->card, w);
	/* Perhaps another thread's graph has just written to weights. */
	if (!copy && r->card->repacks)
		copy = make(r, w);
	pthread_mutex_unlock(&r->card->repack_lock);
	if (!copy)
		return w;
	*room = *w;
	room->type = GG_Q8_0;
	room->data = (void *)(uintptr_t)accel_bo_va(copy->bo);
	room->nb[0] = gg_type_info(GG_Q8_0)->bytes;
	room->nb[1] = gg_row_bytes(room);
	for (d = 2; d < 4; d++)
		room->nb[d] = room->nb[d - 1] * (size_t)w->ne[d - 1];
	return room;
}
