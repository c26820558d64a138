// SPDX-License-Identifier: MIT
/*
 * Buffers: memory of the card, and memory of the host that the card reaches.
 *
 * A tensor in a buffer of the card has an address of the card as its data; only
 * libaccel's mapping of the buffer object is touched by the CPU.
 */
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "repack.h"

#define ALIGNMENT	256

/** struct memory - what a buffer of ours owns */
struct memory {
	struct card *card;
	struct accel_bo *bo;
	/** @map: CPU address */
	uint8_t *map;
	/** @next: next of the host buffers; guarded by hosts_lock */
	struct memory *next;
};

/* All host buffers of the process. */
static pthread_mutex_t hosts_lock = PTHREAD_MUTEX_INITIALIZER;
static struct memory *hosts;

static struct memory *memory_create(struct card *card, size_t size,
				    enum accel_placement where)
{
	struct memory *m = calloc(1, sizeof(*m));
	void *map;

	if (!m)
		return NULL;
	m->card = card;
	if (accel_bo_create(card->accel, size, where, &m->bo) ||
	    accel_bo_map(m->bo, &map)) {
		report("%s: cannot allocate %zu MiB of %s: %s", card->name,
		       size >> 20, where == ACCEL_HBM ? "HBM" : "host memory",
		       accel_last_error()->message);
		accel_bo_destroy(m->bo);
		free(m);
		return NULL;
	}
	m->map = map;
	return m;
}

static void memory_destroy(struct memory *m)
{
	accel_bo_destroy(m->bo);
	free(m);
}

/* ------------------------------------------------------------ on the card */

static void free_buffer(struct gg_buffer *buffer)
{
	struct memory *m = buffer->context;

	repack_drop(m->card, accel_bo_va(m->bo), buffer->size);
	memory_destroy(m);
}

static void *get_base(struct gg_buffer *buffer)
{
	struct memory *m = buffer->context;

	return (void *)(uintptr_t)accel_bo_va(m->bo);
}

/* The buffer of a view may only stand in the tensor that it looks at. */
static struct gg_buffer *buffer_of(const struct gg_tensor *t)
{
	return t->view_src ? t->view_src->buffer : t->buffer;
}

uint8_t *buffer_map(const struct gg_tensor *t, size_t offset)
{
	struct memory *m = buffer_of(t)->context;

	return m->map + ((uint64_t)(uintptr_t)t->data - accel_bo_va(m->bo)) +
	       offset;
}

bool buffer_changes(const struct gg_tensor *t, size_t offset, size_t size)
{
	struct gg_buffer *buffer = buffer_of(t);
	struct memory *m = buffer->context;

	if (buffer->usage != GG_USAGE_WEIGHTS)
		return false;
	repack_drop(m->card, (uint64_t)(uintptr_t)t->data + offset, size);
	return true;
}

static void memset_tensor(struct gg_buffer *buffer, struct gg_tensor *t,
			  uint8_t value, size_t offset, size_t size)
{
	(void)buffer;
	buffer_changes(t, offset, size);
	memset(buffer_map(t, offset), value, size);
}

static void set_tensor(struct gg_buffer *buffer, struct gg_tensor *t,
		       const void *data, size_t offset, size_t size)
{
	struct memory *m = buffer->context;

	buffer_changes(t, offset, size);
	memcpy(buffer_map(t, offset), data, size);
	stats_bytes(&m->card->stats, size, 0);
}

static void get_tensor(struct gg_buffer *buffer, const struct gg_tensor *t,
		       void *data, size_t offset, size_t size)
{
	struct memory *m = buffer->context;

	memcpy(data, buffer_map(t, offset), size);
	stats_bytes(&m->card->stats, 0, size);
}

static void clear(struct gg_buffer *buffer, uint8_t value)
{
	struct memory *m = buffer->context;

	repack_drop(m->card, accel_bo_va(m->bo), buffer->size);
	memset(m->map, value, buffer->size);
}

static const struct gg_buffer_ops buffer_ops = {
	.free_buffer = free_buffer,
	.get_base = get_base,
	.memset_tensor = memset_tensor,
	.set_tensor = set_tensor,
	.get_tensor = get_tensor,
	.clear = clear,
};

static const char *get_name(struct gg_buft *buft)
{
	struct card *card = buft->context;

	return card->name;
}

static struct gg_buffer *alloc_buffer(struct gg_buft *buft, size_t size)
{
	struct memory *m = memory_create(buft->context, size, ACCEL_HBM);

	return m ? ggml_backend_buffer_init(buft, buffer_ops, m, size) : NULL;
}

static size_t get_alignment(struct gg_buft *buft)
{
	(void)buft;
	return ALIGNMENT;
}

static bool never_host(struct gg_buft *buft)
{
	(void)buft;
	return false;
}

bool buffer_is_on(const struct gg_buffer *buffer, const struct card *card)
{
	return buffer && buffer->buft == &card->buft;
}

/* ------------------------------------------------------------- on the host */

static void host_free(struct gg_buffer *buffer)
{
	struct memory *m = buffer->context, **link;

	pthread_mutex_lock(&hosts_lock);
	for (link = &hosts; *link; link = &(*link)->next)
		if (*link == m) {
			*link = m->next;
			break;
		}
	pthread_mutex_unlock(&hosts_lock);
	memory_destroy(m);
}

static void *host_base(struct gg_buffer *buffer)
{
	struct memory *m = buffer->context;

	return m->map;
}

static void host_memset(struct gg_buffer *buffer, struct gg_tensor *t,
			uint8_t value, size_t offset, size_t size)
{
	(void)buffer;
	memset((uint8_t *)t->data + offset, value, size);
}

static void host_set(struct gg_buffer *buffer, struct gg_tensor *t,
		     const void *data, size_t offset, size_t size)
{
	(void)buffer;
	memcpy((uint8_t *)t->data + offset, data, size);
}

static void host_get(struct gg_buffer *buffer, const struct gg_tensor *t,
		     void *data, size_t offset, size_t size)
{
	(void)buffer;
	memcpy(data, (const uint8_t *)t->data + offset, size);
}

static const struct gg_buffer_ops host_buffer_ops = {
	.free_buffer = host_free,
	.get_base = host_base,
	.memset_tensor = host_memset,
	.set_tensor = host_set,
	.get_tensor = host_get,
	.clear = clear,
};

static const char *host_name(struct gg_buft *buft)
{
	struct card *card = buft->context;

	return card->host_name;
}

static struct gg_buffer *host_alloc(struct gg_buft *buft, size_t size)
{
	struct memory *m = memory_create(buft->context, size, ACCEL_HOST);

	if (!m)
		return NULL;
	pthread_mutex_lock(&hosts_lock);
	m->next = hosts;
	hosts = m;
	pthread_mutex_unlock(&hosts_lock);
	return ggml_backend_buffer_init(buft, host_buffer_ops, m, size);
}

static bool always_host(struct gg_buft *buft)
{
	(void)buft;
	return true;
}

uint64_t buffer_host_va(struct card *card, const void *p, size_t len)
{
	const uint8_t *at = p;
	struct memory *m;
	uint64_t va = 0;

	pthread_mutex_lock(&hosts_lock);
	for (m = hosts; m && !va; m = m->next)
		if (m->card == card && at >= m->map &&
		    at + len <= m->map + accel_bo_size(m->bo))
			va = accel_bo_va(m->bo) + (uint64_t)(at - m->map);
	pthread_mutex_unlock(&hosts_lock);
	return va;
}

void buffer_types_init(struct card *card)
{
	card->buft = (struct gg_buft){
		.ops = { .get_name = get_name, .alloc_buffer = alloc_buffer,
			 .get_alignment = get_alignment, .is_host = never_host },
		.device = &card->dev,
		.context = card,
	};
	card->host_buft = (struct gg_buft){
		.ops = { .get_name = host_name, .alloc_buffer = host_alloc,
			 .get_alignment = get_alignment, .is_host = always_host },
		.device = &card->dev,
		.context = card,
	};
}
