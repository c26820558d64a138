// SPDX-License-Identifier: MIT
/*
 * DOC: A card: configuration, creation, reset, and what all files use
 *
 * Owns the lock (loom_core.lock) and the way out to the owner's callbacks.
 */
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core_internal.h"

/* Lines a guest may cause per second. */
#define LOG_PER_SECOND	100

/* Configuration ----------------------------------------------------------- */

void loom_core_config_default(struct loom_core_config *cfg)
{
	*cfg = (struct loom_core_config) {
		.hbm_size = 1ull << 30,
		.sram_size = 32ull << 20,
		.serial = 1,
		.num_arrays = 4,
		.array_rows = 128,
		.array_cols = 128,
		.clock_khz = 1400000,
		.vector_lanes = 1024,
		.hbm_channels = 16,		/* two HBM3 stacks */
		.hbm_channel_mbps = 102400,
		.pcie_mbps = 63000,		/* PCIe 5.0 x16 */
		.num_queues = LOOM_MAX_QUEUES,
		.num_contexts = LOOM_MAX_CONTEXTS,
		.num_vectors = LOOM_MAX_VECTORS,
		.static_mw = 60000,
		.mac_fj = 500,
		.vector_op_fj = 1000,
		.hbm_byte_fj = 31000,
		.pcie_byte_fj = 40000,
		.ambient_mc = 35000,
		.thermal_mc_per_w = 150,
		.thermal_tau_us = 5000000,
		.temp_crit_mc = 105000,
	};
}

/** struct limit - what one member of the configuration may be */
struct limit {
	const char *name;
	size_t offset;
	size_t size;
	uint64_t min;
	uint64_t max;
	/** @step: it must be a multiple of this */
	uint64_t step;
	/** @power: it must be a power of two */
	bool power;
};

#define MEMBER(m)							       \
	.name = #m, .offset = offsetof(struct loom_core_config, m),	       \
	.size = sizeof(((struct loom_core_config *)0)->m)

static const struct limit limits[] = {
	{ MEMBER(hbm_size), 16ull << 20, 64ull << 30, LOOM_HUGE_SIZE, false },
	{ MEMBER(sram_size), 2ull << 20, 1ull << 30, LOOM_HUGE_SIZE, false },
	{ MEMBER(serial), 0, UINT64_MAX, 1, false },
	{ MEMBER(num_arrays), 1, 64, 1, false },
	{ MEMBER(array_rows), 8, 512, 1, true },
	{ MEMBER(array_cols), 8, 512, 1, true },
	{ MEMBER(clock_khz), 1000, 10000000, 1, false },
	{ MEMBER(vector_lanes), 16, 65536, 1, false },
	{ MEMBER(hbm_channels), 1, 256, 1, false },
	{ MEMBER(hbm_channel_mbps), 1, 1000000, 1, false },
	{ MEMBER(pcie_mbps), 1, 1000000, 1, false },
	{ MEMBER(num_queues), 1, LOOM_MAX_QUEUES, 1, false },
	{ MEMBER(num_contexts), 1, LOOM_MAX_CONTEXTS, 1, false },
	{ MEMBER(num_vectors), 1, LOOM_MAX_VECTORS, 1, false },
	{ MEMBER(static_mw), 0, 1000000, 1, false },
	{ MEMBER(mac_fj), 0, 1000000, 1, false },
	{ MEMBER(vector_op_fj), 0, 1000000, 1, false },
	{ MEMBER(hbm_byte_fj), 0, 1000000, 1, false },
	{ MEMBER(pcie_byte_fj), 0, 1000000, 1, false },
	{ MEMBER(ambient_mc), 0, 100000, 1, false },
	{ MEMBER(thermal_mc_per_w), 0, 10000, 1, false },
	{ MEMBER(thermal_tau_us), 1, 60000000, 1, false },
	{ MEMBER(temp_crit_mc), 1, 200000, 1, false },
	{ MEMBER(timing), LOOM_TIMING_FREE, LOOM_TIMING_EXACT, 1, false },
	{ MEMBER(dataflow), LOOM_DATAFLOW_WS, LOOM_DATAFLOW_OS, 1, false },
};

static uint64_t limit_value(const struct loom_core_config *cfg,
			    const struct limit *l)
{
	const uint8_t *p = (const uint8_t *)cfg + l->offset;
	uint64_t v64;
	uint32_t v32;

	if (l->size == sizeof(v64)) {
		memcpy(&v64, p, sizeof(v64));
		return v64;
	}
	memcpy(&v32, p, sizeof(v32));
	return v32;
}

const char *loom_core_config_check(const struct loom_core_config *cfg,
				   char *buf, size_t len)
{
	const struct limit *l;
	uint64_t v;

	for (l = limits; l < limits + sizeof(limits) / sizeof(limits[0]); l++) {
		v = limit_value(cfg, l);
		if (v >= l->min && v <= l->max && v % l->step == 0 &&
		    !(l->power && (v & (v - 1))))
			continue;
		snprintf(buf, len,
			 "%s is %llu; it must be %s from %llu to %llu",
			 l->name, (unsigned long long)v,
			 l->power ? "a power of two" :
			 l->step > 1 ? "a multiple of 2 MiB" : "a number",
			 (unsigned long long)l->min,
			 (unsigned long long)l->max);
		return buf;
	}
	return NULL;
}

void loom_config_state(struct loom_archive *a)
{
	const struct limit *l;
	uint64_t mine, saved;

	for (l = limits; l < limits + sizeof(limits) / sizeof(limits[0]); l++) {
		mine = saved = limit_value(&a->core->cfg, l);
		loom_state_u64(a, &saved);
		loom_state_require(a, saved == mine,
				   "%s is %llu in the saved state and %llu here",
				   l->name, (unsigned long long)saved,
				   (unsigned long long)mine);
	}
}

/* Lock -------------------------------------------------------------------- */

void loom_lock(struct loom_core *core)
{
	pthread_mutex_lock(&core->lock);
}

void loom_unlock(struct loom_core *core)
{
	bool notify = core->notify;

	core->notify = false;
	pthread_mutex_unlock(&core->lock);
	if (notify)
		core->ops.notify(core->opaque);
}

void loom_quiet_wait(struct loom_core *core)
{
	core->waiters++;
	pthread_cond_wait(&core->quiet, &core->lock);
	core->waiters--;
}

bool loom_quiet_wait_until(struct loom_core *core,
			   const struct timespec *until)
{
	int rc;

	core->waiters++;
	rc = pthread_cond_timedwait(&core->quiet, &core->lock, until);
	core->waiters--;
	return rc == 0;
}

void loom_quiet_yield(struct loom_core *core)
{
	loom_unlock(core);
	sched_yield();
	loom_lock(core);
}

void loom_quiet_wake(struct loom_core *core)
{
	if (core->waiters)
		pthread_cond_broadcast(&core->quiet);
}

/* The way out ------------------------------------------------------------- */

static bool dma_fails(struct loom_core *core, unsigned int queue,
		      uint64_t addr, size_t len)
{
	return !atomic_load(&core->bus_master) ||
	       (loom_troubled(core, LOOM_HOOK_DMA) &&
		loom_inject_dma(core, queue, addr, len));
}

int loom_dma_read(struct loom_core *core, unsigned int queue, uint64_t addr,
		  void *buf, size_t len)
{
	if (dma_fails(core, queue, addr, len))
		return -1;
	return core->ops.dma_read(core->opaque, addr, buf, len);
}

int loom_dma_write(struct loom_core *core, unsigned int queue, uint64_t addr,
		   const void *buf, size_t len)
{
	if (dma_fails(core, queue, addr, len))
		return -1;
	return core->ops.dma_write(core->opaque, addr, buf, len);
}

/* A guest must not be able to fill the host's disk. */
static bool log_allowed(struct loom_core *core)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (atomic_exchange(&core->log_second, now.tv_sec) != now.tv_sec)
		atomic_store(&core->log_count, 0);
	return atomic_fetch_add(&core->log_count, 1) < LOG_PER_SECOND;
}

void loom_log(struct loom_core *core, enum loom_log_level level,
	      const char *fmt, ...)
{
	char line[240];
	va_list ap;

	if (!core->ops.log || !log_allowed(core))
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	core->ops.log(core->opaque, level, line);
}

/* Life -------------------------------------------------------------------- */

static int queues_init(struct loom_core *core)
{
	struct loom_queue *q;
	unsigned int i;

	for (i = 0; i < LOOM_MAX_QUEUES; i++) {
		q = &core->queue[i];
		q->index = i;
		q->exec.core = core;
		q->exec.queue = q;
		if (loom_mmu_init(&q->exec.mmu))
			return -1;
	}
	return 0;
}

/* Registers and contexts; queues are quiet. */
static void state_reset(struct loom_core *core)
{
	unsigned int i;

	for (i = 0; i < LOOM_MAX_CONTEXTS; i++) {
		atomic_store(&core->ctx[i].root, 0);
		atomic_fetch_add(&core->ctx[i].epoch, 1);
		memset(core->ctx[i].event, 0, sizeof(core->ctx[i].event));
		memset(core->ctx[i].event_at, 0, sizeof(core->ctx[i].event_at));
	}
	for (i = 0; i < LOOM_MAX_QUEUES; i++)
		loom_queue_forget(&core->queue[i]);
	core->events.base = 0;
	core->events.size_log2 = 0;
	loom_event_ring_setup(core);
	core->ctrl = 0;
	core->scratch = 0;
	core->perf_select = 0;
	core->status = LOOM_STATUS_READY;
	core->notify = false;
	core->hbm_window = 0;
	atomic_store(&core->irqs, 0);
	loom_inject_reset(core);
	loom_sensors_reset(core);
	memset(core->sram, 0, core->cfg.sram_size);
}

/* Waits at @quiet may have an end in time. */
static void quiet_init(struct loom_core *core)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&core->quiet, &attr);
	pthread_condattr_destroy(&attr);
}

/* As large as it takes to show all of HBM. */
static uint64_t bar_size(uint64_t hbm_size)
{
	return hbm_size & (hbm_size - 1) ?
	       1ull << (64 - __builtin_clzll(hbm_size)) : hbm_size;
}

struct loom_core *loom_core_create(const struct loom_core_config *cfg,
				   const struct loom_core_ops *ops,
				   void *opaque, void *hbm)
{
	struct loom_core *core;
	void *mem;

	if (posix_memalign(&mem, 64, sizeof(*core)))
		return NULL;
	core = memset(mem, 0, sizeof(*core));
	core->cfg = *cfg;
	core->ops = *ops;
	core->opaque = opaque;
	core->hbm = hbm;
	core->hbm_bar = bar_size(cfg->hbm_size);
	pthread_mutex_init(&core->lock, NULL);
	loom_inject_init(core);
	pthread_cond_init(&core->work, NULL);
	quiet_init(core);
	if (queues_init(core) ||
	    posix_memalign(&mem, LOOM_PAGE_SIZE, cfg->sram_size)) {
		loom_core_destroy(core);
		return NULL;
	}
	core->sram = mem;
	state_reset(core);
	return core;
}

void loom_core_destroy(struct loom_core *core)
{
	unsigned int i;

	if (!core)
		return;
	for (i = 0; i < LOOM_MAX_QUEUES; i++)
		loom_mmu_fini(&core->queue[i].exec.mmu);
	pthread_cond_destroy(&core->quiet);
	pthread_cond_destroy(&core->work);
	loom_inject_fini(core);
	pthread_mutex_destroy(&core->lock);
	free(core->sram);
	free(core);
}

void loom_device_reset(struct loom_core *core)
{
	core->status = 0;
	core->ctrl = 0;
	loom_queue_reset_all(core);
	memset(&core->pacer.units, 0, sizeof(core->pacer.units));
	state_reset(core);
}

void loom_core_reset(struct loom_core *core)
{
	loom_lock(core);
	loom_device_reset(core);
	loom_unlock(core);
}

void loom_core_set_bus_master(struct loom_core *core, bool on)
{
	atomic_store(&core->bus_master, on);
	if (on && atomic_load(&core->irqs))
		core->ops.notify(core->opaque);
}

void loom_core_set_hbm_bar(struct loom_core *core, uint64_t size)
{
	loom_lock(core);
	core->hbm_bar = size;
	core->hbm_window &= ~(size - 1);
	loom_unlock(core);
}

uint64_t loom_core_hbm_window(struct loom_core *core)
{
	uint64_t window;

	loom_lock(core);
	window = core->hbm_window;
	loom_unlock(core);
	return window;
}

const char *loom_strerror(uint32_t error)
{
	static const char *const text[LOOM_ERR_COUNT] = {
		[LOOM_ERR_NONE] = "no error",
		[LOOM_ERR_DOORBELL] = "doorbell outside the ring",
		[LOOM_ERR_RING_DMA] = "ring entry not readable",
		[LOOM_ERR_RING_ENTRY] = "malformed ring entry",
		[LOOM_ERR_COMPL_DMA] = "completion record not writable",
		[LOOM_ERR_CMD_FETCH] = "command buffer not readable",
		[LOOM_ERR_CMD_OPCODE] = "unknown opcode",
		[LOOM_ERR_CMD_VERSION] = "command version not supported",
		[LOOM_ERR_CMD_SIZE] = "wrong command size",
		[LOOM_ERR_CMD_RESERVED] = "reserved bits set",
		[LOOM_ERR_CMD_FIELD] = "value out of range",
		[LOOM_ERR_CMD_TYPE] = "data type not supported there",
		[LOOM_ERR_CMD_ALIGN] = "address or stride not aligned",
		[LOOM_ERR_CMD_RANGE] = "tensor leaves the address space",
		[LOOM_ERR_VEC_OPCODE] = "unknown vector instruction",
		[LOOM_ERR_VEC_OPERAND] = "bad vector register or operand",
		[LOOM_ERR_VEC_LOOP] = "vector LOOP and END do not match",
		[LOOM_ERR_INDEX] = "gather or scatter index out of range",
		[LOOM_ERR_FAULT_UNMAPPED] = "page fault: not mapped",
		[LOOM_ERR_FAULT_PERM] = "page fault: read-only",
		[LOOM_ERR_FAULT_PTE] = "page fault: malformed entry",
		[LOOM_ERR_FAULT_CTX] = "page fault: context without page table",
		[LOOM_ERR_DMA] = "system memory did not answer",
		[LOOM_ERR_EVENT] = "event out of range",
		[LOOM_ERR_ABORTED] = "aborted by a reset",
		[LOOM_ERR_HBM_ECC] = "uncorrectable memory error",
		[LOOM_ERR_INTERNAL] = "out of host resources",
		[LOOM_ERR_QUEUE_CONFIG] = "queue enabled with bad settings",
		[LOOM_ERR_THERMAL] = "too hot",
	};

	return error < LOOM_ERR_COUNT ? text[error] : "unknown error";
}
