// SPDX-License-Identifier: MIT
/* A card as ggml's device. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "card.h"
#include "ops.h"
#include "repack.h"
#include "stream.h"

void report(const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	fprintf(stderr, "loom: %s\n", text);
}

void report_error(const char *what)
{
	const struct accel_error *err = accel_last_error();

	report("%s: %s%s%s", what, err->message, *err->hint ? "; " : "",
	       err->hint);
}

static const char *get_name(struct gg_device *dev)
{
	return card_of(dev)->name;
}

static const char *get_description(struct gg_device *dev)
{
	return card_of(dev)->description;
}

static void get_memory(struct gg_device *dev, size_t *free_bytes, size_t *total)
{
	struct accel_memory_info info = { .size = sizeof(info) };

	*free_bytes = *total = 0;
	if (accel_device_memory(card_of(dev)->accel, &info)) {
		report_error("reading the memory in use");
		return;
	}
	*total = info.hbm_total;
	*free_bytes = info.hbm_total - info.hbm_used;
}

static int32_t get_type(struct gg_device *dev)
{
	(void)dev;
	return GG_DEVICE_TYPE_GPU;
}

static void get_props(struct gg_device *dev, struct gg_device_props *props)
{
	struct card *card = card_of(dev);

	memset(props, 0, sizeof(*props));
	props->name = card->name;
	props->description = card->description;
	props->type = GG_DEVICE_TYPE_GPU;
	props->device_id = *card->bus ? card->bus : NULL;
	props->caps.async = true;
	props->caps.host_buffer = true;
	props->caps.events = true;
	/*
	 * Otherwise llama.cpp reads the file straight into a host buffer of
	 * ours, and 9p's reads without a copy cannot: EFAULT.
	 */
	props->caps.mmap_support = true;
	get_memory(dev, &props->memory_free, &props->memory_total);
}

static struct gg_buft *get_buffer_type(struct gg_device *dev)
{
	return &card_of(dev)->buft;
}

static struct gg_buft *get_host_buffer_type(struct gg_device *dev)
{
	return &card_of(dev)->host_buft;
}

/* Emit the node and forget it: what can be emitted is supported. */
static bool supports_op(struct gg_device *dev, const struct gg_tensor *t)
{
	struct card *card = card_of(dev);
	struct emit e;
	int rc;

	pthread_mutex_lock(&card->lock);
	accel_cmdbuf_reset(card->probe);
	emit_init(&e, card->probe, 0);
	rc = ops_emit(&e, t);
	if (!rc && e.scratch_peak > card->scratch_limit)
		rc = emit_refuse(&e, "needs %llu MiB of intermediate memory",
				 (unsigned long long)(e.scratch_peak >> 20));
	if (rc)
		stats_refused(&card->stats, t->op, e.why);
	pthread_mutex_unlock(&card->lock);
	return !rc;
}

static bool supports_buft(struct gg_device *dev, struct gg_buft *buft)
{
	return buft == &card_of(dev)->buft;
}

static const struct gg_device_ops device_ops = {
	.get_name = get_name,
	.get_description = get_description,
	.get_memory = get_memory,
	.get_type = get_type,
	.get_props = get_props,
	.init_backend = stream_open,
	.get_buffer_type = get_buffer_type,
	.get_host_buffer_type = get_host_buffer_type,
	.supports_op = supports_op,
	.supports_buft = supports_buft,
	.event_new = stream_event_new,
	.event_free = stream_event_free,
	.event_synchronize = stream_event_synchronize,
};

static int set_up(struct card *card, unsigned int index, const char *spec,
		  const char *bus)
{
	struct accel_device_info info = { .size = sizeof(info) };
	int rc = accel_device_open(spec, &card->accel);

	if (!rc)
		rc = accel_device_query(card->accel, &info);
	if (!rc)
		rc = accel_cmdbuf_create(card->accel, &card->probe);
	card->start.size = sizeof(card->start);
	if (!rc)
		rc = accel_device_counters(card->accel, &card->start);
	if (rc)
		return rc;
	card->clock_khz = info.clock_khz;
	card->scratch_limit = info.hbm_size / 4;
	snprintf(card->name, sizeof(card->name), "LOOM%u", index);
	snprintf(card->host_name, sizeof(card->host_name), "LOOM%u_Host", index);
	snprintf(card->description, sizeof(card->description),
		 "Loom accelerator (%s, %u arrays of %u x %u)",
		 info.name, info.num_arrays, info.array_rows, info.array_cols);
	snprintf(card->bus, sizeof(card->bus), "%s", bus);
	return 0;
}

struct card *card_open(struct gg_reg *reg, unsigned int index, const char *spec,
		       const char *bus)
{
	struct card *card = calloc(1, sizeof(*card));

	if (!card)
		return NULL;
	if (set_up(card, index, spec, bus)) {
		accel_device_close(card->accel);
		free(card);
		return NULL;
	}
	pthread_mutex_init(&card->lock, NULL);
	repack_init(card);
	card->dev = (struct gg_device){ device_ops, reg, card };
	buffer_types_init(card);
	return card;
}
