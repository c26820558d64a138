/* SPDX-License-Identifier: MIT */
/*
 * A card as ggml's device.
 *
 * Cards are made when the backend is loaded and live as long as the process.
 * @lock guards @probe, which supports_op() of any thread uses, and @stats.
 */
#ifndef LOOM_GGML_CARD_H
#define LOOM_GGML_CARD_H

#include <pthread.h>

#include "abi.h"
#include "stats.h"

#include <accel/accel_cmd.h>

struct card {
	struct gg_device dev;
	/** @buft: memory of the card */
	struct gg_buft buft;
	/** @host_buft: memory of the host that the card reaches */
	struct gg_buft host_buft;
	struct accel_device *accel;
	/** @scratch_limit: most bytes of intermediate results of a node */
	uint64_t scratch_limit;
	pthread_mutex_t lock;
	/** @repacked: copies of weights; @repack_generation: how many have gone; guarded by @repack_lock */
	struct repacked *repacked;
	uint64_t repack_generation;
	pthread_mutex_t repack_lock;
	/** @repacks: copies are made */
	_Atomic bool repacks;
	/** @probe: where supports_op() emits to */
	struct accel_cmdbuf *probe;
	struct stats stats;
	/** @start: the card's counters when it was opened */
	struct accel_counters start;
	/** @clock_khz: cycles per millisecond of modelled time */
	uint32_t clock_khz;
	/** @name: "LOOM0" */
	char name[16];
	char host_name[24];
	char description[192];
	/** @bus: PCI address, "" for sim: */
	char bus[32];
};

/**
 * card_open() - make ggml's device of the card @spec
 * @reg: whose device it becomes
 * @index: its number
 * @spec: for accel_device_open()
 * @bus: PCI address or ""
 *
 * Return: the card, or NULL (accel_last_error() says why).
 */
struct card *card_open(struct gg_reg *reg, unsigned int index, const char *spec,
		       const char *bus);

/** card_of() - the card behind ggml's device */
static inline struct card *card_of(struct gg_device *dev)
{
	return dev->context;
}

/** report() - a line on stderr: "loom: ..." */
void report(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** report_error() - what failed, and libaccel's reason and hint */
void report_error(const char *what);

#endif
