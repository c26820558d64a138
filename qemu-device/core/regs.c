// SPDX-License-Identifier: MIT
/*
 * DOC: Register file
 *
 * One table says everything about BAR 0's registers: where, how wide, how many,
 * which bits can be written, and what reading and writing does.  Handlers are
 * called with the lock held; some release it to wait for a worker.
 */
#include "core_internal.h"

/**
 * struct reg - a register, or @count of them @stride bytes apart
 *
 * A register without @read is @constant, or else the member of struct loom_core
 * at @member.
 * Handlers of 64-bit registers get whole values; halves are merged before.
 */
struct reg {
	uint32_t offset;
	uint8_t width;
	uint16_t count;
	uint16_t stride;
	/** @mask: bits that a write can change; 0: read only */
	uint64_t mask;
	uint64_t (*read)(struct loom_core *core, unsigned int i);
	void (*write)(struct loom_core *core, unsigned int i, uint64_t value);
	/** @member: offset in struct loom_core */
	size_t member;
	/** @constant: what it reads, if not 0 */
	uint32_t constant;
};

/* Reads ------------------------------------------------------------------- */

static uint64_t zero_read(struct loom_core *core, unsigned int i)
{
	(void)core;
	(void)i;
	return 0;
}

static uint64_t features_read(struct loom_core *core, unsigned int i)
{
	(void)i;
	return LOOM_FEATURE_MATMUL | LOOM_FEATURE_VECTOR | LOOM_FEATURE_RAS |
	       LOOM_FEATURE_SENSORS | LOOM_FEATURE_HBM_WINDOW |
	       LOOM_FEATURE_CTX_PERF |
	       (loom_is_paced(core) ? LOOM_FEATURE_PACED : 0);
}

static uint64_t time_read(struct loom_core *core, unsigned int i)
{
	(void)i;
	return loom_pace_now(core);
}

static uint64_t hbm_mbps_read(struct loom_core *core, unsigned int i)
{
	(void)i;
	return core->cfg.hbm_channels * core->cfg.hbm_channel_mbps;
}

static uint64_t temp_read(struct loom_core *core, unsigned int i)
{
	(void)i;
	return loom_sensors_temp(core);
}

static uint64_t power_read(struct loom_core *core, unsigned int i)
{
	(void)i;
	return loom_sensors_power(core);
}

static uint64_t perf_read(struct loom_core *core, unsigned int i)
{
	return core->latched[i];
}

static uint64_t ctx_root_read(struct loom_core *core, unsigned int i)
{
	return atomic_load(&core->ctx[i].root);
}

static uint64_t queue_ctrl_read(struct loom_core *core, unsigned int i)
{
	return core->queue[i].state == LOOM_QUEUE_STATE_DISABLED ?
	       0 : LOOM_QUEUE_CTRL_ENABLE;
}

static uint64_t queue_state_read(struct loom_core *core, unsigned int i)
{
	return loom_queue_state(&core->queue[i]);
}

/* Writes ------------------------------------------------------------------ */

static void ctrl_write(struct loom_core *core, unsigned int i, uint64_t value)
{
	(void)i;
	if (value & LOOM_CTRL_RESET)
		loom_device_reset(core);
	core->ctrl = value & LOOM_CTRL_ENABLE;
	if (core->ctrl)
		pthread_cond_broadcast(&core->work);
}

static void irq_test_write(struct loom_core *core, unsigned int i,
			   uint64_t value)
{
	(void)i;
	if (value >= core->cfg.num_vectors)
		loom_log(core, LOOM_LOG_GUEST, "IRQ_TEST: no vector %llu",
			 (unsigned long long)value);
	else
		loom_irq_raise(core, value);
}

static void event_base_write(struct loom_core *core, unsigned int i,
			     uint64_t value)
{
	(void)i;
	core->events.base = value;
	loom_event_ring_setup(core);
}

static void event_size_write(struct loom_core *core, unsigned int i,
			     uint64_t value)
{
	(void)i;
	core->events.size_log2 = value;
	loom_event_ring_setup(core);
}

static void tlb_write(struct loom_core *core, unsigned int i, uint64_t value)
{
	(void)i;
	if (value >= core->cfg.num_contexts)
		loom_log(core, LOOM_LOG_GUEST,
			 "TLB_INVALIDATE: no context %llu",
			 (unsigned long long)value);
	else
		loom_mmu_invalidate(core, value);
}

static void hbm_window_write(struct loom_core *core, unsigned int i,
			     uint64_t value)
{
	(void)i;
	if (value < core->cfg.hbm_size)
		core->hbm_window = value & ~(core->hbm_bar - 1);
	else
		loom_log(core, LOOM_LOG_GUEST,
			 "HBM_WINDOW: 0x%llx is beyond HBM",
			 (unsigned long long)value);
}

static void scrub_write(struct loom_core *core, unsigned int i, uint64_t value)
{
	(void)i;
	loom_ras_scrub(core, value);
}

static void perf_ctrl_write(struct loom_core *core, unsigned int i,
			    uint64_t value)
{
	(void)i;
	loom_perf_ctrl(core, value);
}

static void perf_select_write(struct loom_core *core, unsigned int i,
			      uint64_t value)
{
	(void)i;
	loom_perf_select(core, value);
}

static void ctx_root_write(struct loom_core *core, unsigned int i,
			   uint64_t value)
{
	unsigned int n;

	atomic_store(&core->ctx[i].root, value);
	for (n = 0; n < LOOM_NUM_EVENTS; n++)
		core->ctx[i].event[n] = 0;
	loom_mmu_invalidate(core, i);
}

static void queue_ctrl_write(struct loom_core *core, unsigned int i,
			     uint64_t value)
{
	struct loom_queue *q = &core->queue[i];
	bool enabled = q->state != LOOM_QUEUE_STATE_DISABLED;
	bool enable = value & LOOM_QUEUE_CTRL_ENABLE;

	if (enabled && loom_troubled(core, LOOM_HOOK_QUEUE_RESET) &&
	    ((value & LOOM_QUEUE_CTRL_RESET) || !enable) &&
	    loom_inject_queue_reset(core, i))
		return;
	/* 1->0 must leave nothing running either: the ring may be freed next. */
	if ((value & LOOM_QUEUE_CTRL_RESET) || (enabled && !enable)) {
		loom_queue_reset(core, q);
		enabled = false;
	}
	if (enable && !enabled)
		loom_queue_enable(core, q);
}

/* True if the registers of a queue may be changed. */
static bool queue_is_open(struct loom_core *core, const struct loom_queue *q)
{
	if (q->state == LOOM_QUEUE_STATE_DISABLED && !q->busy && !q->resetting)
		return true;
	loom_log(core, LOOM_LOG_GUEST, "queue %u: set up while enabled",
		 q->index);
	return false;
}

#define QUEUE_FIELD(name, type)						       \
static uint64_t queue_##name##_read(struct loom_core *core, unsigned int i)   \
{									       \
	return core->queue[i].name;					       \
}									       \
static void queue_##name##_write(struct loom_core *core, unsigned int i,       \
				 uint64_t value)			       \
{									       \
	if (queue_is_open(core, &core->queue[i]))			       \
		core->queue[i].name = (type)value;			       \
}

#define QUEUE_READ(name)						       \
static uint64_t queue_##name##_read(struct loom_core *core, unsigned int i)   \
{									       \
	return core->queue[i].name;					       \
}

QUEUE_FIELD(ring_base, uint64_t)
QUEUE_FIELD(ring_size_log2, uint32_t)
QUEUE_FIELD(ctx, uint32_t)
QUEUE_FIELD(compl_base, uint64_t)
QUEUE_FIELD(vector, uint32_t)
QUEUE_FIELD(priority, uint32_t)
QUEUE_READ(head)
QUEUE_READ(tail)
QUEUE_READ(error)
QUEUE_READ(progress)

static uint64_t queue_started_read(struct loom_core *core, unsigned int i)
{
	return loom_queue_has_started(&core->queue[i]);
}

/* Table ------------------------------------------------------------------- */

#define ALL32		0xffffffffull
#define ALIGN64		(~63ull)
#define ALIGN4K		(~(uint64_t)(LOOM_PAGE_SIZE - 1))
#define MEMBER(m)	.member = offsetof(struct loom_core, m)
#define ONE(reg, bytes)	.offset = LOOM_REG_##reg, .width = bytes, .count = 1
#define MANY(reg, bytes, number, step)					       \
	.offset = reg, .width = bytes, .count = number, .stride = step
#define QUEUE(reg, bytes)						       \
	MANY(LOOM_QUEUE_REGS_BASE + LOOM_QUEUE_##reg, bytes, LOOM_MAX_QUEUES,  \
	     LOOM_QUEUE_REGS_STRIDE)
#define QUEUE_RW(name)							       \
	.read = queue_##name##_read, .write = queue_##name##_write
#define QUEUE_RO(name)	.read = queue_##name##_read

static const struct reg regs[] = {
	{ ONE(ID, 4), .constant = LOOM_ID_MAGIC },
	{ ONE(HW_VERSION, 4), .constant = LOOM_HW_VERSION_MAJOR << 16 |
					  LOOM_HW_VERSION_MINOR },
	{ ONE(ISA_VERSION, 4), .constant = LOOM_ISA_VERSION },
	{ ONE(FEATURES, 4), .read = features_read },
	{ ONE(NUM_QUEUES, 4), MEMBER(cfg.num_queues) },
	{ ONE(NUM_CONTEXTS, 4), MEMBER(cfg.num_contexts) },
	{ ONE(NUM_VECTORS, 4), MEMBER(cfg.num_vectors) },
	{ ONE(NUM_ARRAYS, 4), MEMBER(cfg.num_arrays) },
	{ ONE(ARRAY_ROWS, 4), MEMBER(cfg.array_rows) },
	{ ONE(ARRAY_COLS, 4), MEMBER(cfg.array_cols) },
	{ ONE(CLOCK_KHZ, 4), MEMBER(cfg.clock_khz) },
	{ ONE(VECTOR_LANES, 4), MEMBER(cfg.vector_lanes) },
	{ ONE(HBM_SIZE, 8), MEMBER(cfg.hbm_size) },
	{ ONE(SRAM_SIZE, 8), MEMBER(cfg.sram_size) },
	{ ONE(HBM_MBPS, 4), .read = hbm_mbps_read },
	{ ONE(PCIE_MBPS, 4), MEMBER(cfg.pcie_mbps) },
	{ ONE(HBM_CHANNELS, 4), MEMBER(cfg.hbm_channels) },
	{ ONE(SERIAL, 8), MEMBER(cfg.serial) },

	{ ONE(CTRL, 4), .mask = LOOM_CTRL_ENABLE | LOOM_CTRL_RESET,
	  .write = ctrl_write, MEMBER(ctrl) },
	{ ONE(STATUS, 4), MEMBER(status) },
	{ ONE(SCRATCH, 4), .mask = ALL32, MEMBER(scratch) },
	{ ONE(IRQ_TEST, 4), .mask = ALL32, .read = zero_read,
	  .write = irq_test_write },
	{ ONE(EVENT_BASE, 8), .mask = ALIGN64, .write = event_base_write,
	  MEMBER(events.base) },
	{ ONE(EVENT_SIZE_LOG2, 4), .mask = ALL32, .write = event_size_write,
	  MEMBER(events.size_log2) },
	{ ONE(EVENT_HEAD, 4), .mask = ALL32, MEMBER(events.head) },
	{ ONE(TLB_INVALIDATE, 4), .mask = ALL32, .read = zero_read,
	  .write = tlb_write },
	{ ONE(TIME, 8), .read = time_read },
	{ ONE(HBM_WINDOW, 8), .mask = ALIGN4K, .write = hbm_window_write,
	  MEMBER(hbm_window) },
	{ ONE(RAS_CE_COUNT, 8), MEMBER(ras.ce_count) },
	{ ONE(RAS_UE_COUNT, 8), MEMBER(ras.ue_count) },
	{ ONE(RAS_CE_ADDR, 8), MEMBER(ras.ce_addr) },
	{ ONE(RAS_UE_ADDR, 8), MEMBER(ras.ue_addr) },
	{ ONE(RAS_SCRUB, 8), .mask = ALIGN4K, .read = zero_read,
	  .write = scrub_write },
	{ ONE(SENSOR_TEMP, 4), .read = temp_read },
	{ ONE(SENSOR_TEMP_CRIT, 4), MEMBER(cfg.temp_crit_mc) },
	{ ONE(SENSOR_POWER, 4), .read = power_read },
	{ ONE(SENSOR_ENERGY, 8), MEMBER(sensors.energy_uj) },

	{ ONE(PERF_CTRL, 4),
	  .mask = LOOM_PERF_CTRL_SNAPSHOT | LOOM_PERF_CTRL_RESET,
	  .read = zero_read, .write = perf_ctrl_write },
	{ ONE(PERF_SELECT, 4), .mask = ALL32, .write = perf_select_write,
	  MEMBER(perf_select) },
	{ MANY(LOOM_REG_PERF(0), 8, LOOM_PERF_COUNT, 8), .read = perf_read },

	{ MANY(LOOM_REG_CTX_ROOT(0), 8, LOOM_MAX_CONTEXTS, 8),
	  .mask = LOOM_CTX_ROOT_VALID | LOOM_CTX_ROOT_ADDR,
	  .read = ctx_root_read, .write = ctx_root_write },

	{ QUEUE(RING_BASE, 8), .mask = ALIGN64, QUEUE_RW(ring_base) },
	{ QUEUE(RING_SIZE_LOG2, 4), .mask = ALL32, QUEUE_RW(ring_size_log2) },
	{ QUEUE(CTX, 4), .mask = ALL32, QUEUE_RW(ctx) },
	{ QUEUE(COMPL_BASE, 8), .mask = ALIGN64, QUEUE_RW(compl_base) },
	{ QUEUE(VECTOR, 4), .mask = ALL32, QUEUE_RW(vector) },
	{ QUEUE(PRIORITY, 4), .mask = ALL32, QUEUE_RW(priority) },
	{ QUEUE(CTRL, 4),
	  .mask = LOOM_QUEUE_CTRL_ENABLE | LOOM_QUEUE_CTRL_RESET,
	  QUEUE_RW(ctrl) },
	{ QUEUE(STATE, 4), QUEUE_RO(state) },
	{ QUEUE(HEAD, 4), QUEUE_RO(head) },
	{ QUEUE(TAIL, 4), QUEUE_RO(tail) },
	{ QUEUE(ERROR, 4), QUEUE_RO(error) },
	{ QUEUE(PROGRESS, 4), QUEUE_RO(progress) },
	{ QUEUE(STARTED, 4), QUEUE_RO(started) },
};

/* Access ------------------------------------------------------------------ */

/* How many of an array of registers this card has. */
static unsigned int reg_count(const struct loom_core *core, const struct reg *r)
{
	if (r->offset >= LOOM_QUEUE_REGS_BASE)
		return core->cfg.num_queues;
	if (r->offset == LOOM_REG_CTX_ROOT(0))
		return core->cfg.num_contexts;
	return r->count;
}

/* The register that holds byte @offset; its number in the array in @index. */
static const struct reg *reg_find(const struct loom_core *core,
				  uint64_t offset, unsigned int *index)
{
	const struct reg *r;
	uint64_t at;

	if (offset >= LOOM_REGS_SIZE)
		return NULL;
	for (r = regs; r < regs + sizeof(regs) / sizeof(regs[0]); r++) {
		if (offset < r->offset)
			continue;
		at = offset - r->offset;
		*index = r->stride ? at / r->stride : 0;
		if (*index < reg_count(core, r) &&
		    at - (uint64_t)*index * r->stride < r->width)
			return r;
	}
	return NULL;
}

static uint64_t reg_read(struct loom_core *core, const struct reg *r,
			 unsigned int index)
{
	const void *p = (const uint8_t *)core + r->member;

	if (r->read)
		return r->read(core, index);
	if (r->constant)
		return r->constant;
	return r->width == 8 ? *(const uint64_t *)p : *(const uint32_t *)p;
}

static void reg_write(struct loom_core *core, const struct reg *r,
		      unsigned int index, uint64_t value)
{
	void *p = (uint8_t *)core + r->member;

	value &= r->mask;
	if (r->write)
		r->write(core, index, value);
	else if (r->width == 8)
		*(uint64_t *)p = value;
	else
		*(uint32_t *)p = value;
}

/* Find a register for an access of a legal shape; else logs, NULL. */
static const struct reg *access_find(struct loom_core *core, uint64_t offset,
				     unsigned int size, unsigned int *index,
				     const char *what)
{
	const struct reg *r = NULL;

	if ((size == 4 || size == 8) && offset % size == 0)
		r = reg_find(core, offset, index);
	if (r && size <= r->width)
		return r;
	loom_log(core, LOOM_LOG_GUEST, "%s of %u bytes at 0x%llx: no register",
		 what, size, (unsigned long long)offset);
	return NULL;
}

/* Shift of a 4-byte access within a register: 32 for the upper half. */
static unsigned int half_shift(const struct reg *r, uint64_t offset,
			       unsigned int size)
{
	/* Registers of 8 bytes are aligned to 8. */
	return r->width == 8 && size == 4 && (offset & 4) ? 32 : 0;
}

uint64_t loom_core_mmio_read(struct loom_core *core, uint64_t offset,
			     unsigned int size)
{
	const struct reg *r;
	uint64_t value = 0;
	unsigned int i;

	loom_lock(core);
	r = access_find(core, offset, size, &i, "read");
	if (r)
		value = reg_read(core, r, i) >> half_shift(r, offset, size);
	loom_unlock(core);
	return size == 8 ? value : (uint32_t)value;
}

void loom_core_mmio_write(struct loom_core *core, uint64_t offset,
			  uint64_t value, unsigned int size)
{
	const struct reg *r;
	unsigned int i, shift;
	uint64_t keep;

	loom_lock(core);
	r = access_find(core, offset, size, &i, "write");
	if (r && !r->mask) {
		loom_log(core, LOOM_LOG_GUEST, "write of read-only 0x%llx",
			 (unsigned long long)offset);
	} else if (r) {
		if (size == 4)
			value = (uint32_t)value;
		if (size < r->width) {
			shift = half_shift(r, offset, size);
			keep = reg_read(core, r, i) & ~(ALL32 << shift);
			value = keep | value << shift;
		}
		reg_write(core, r, i, value);
	}
	loom_unlock(core);
}

void loom_core_doorbell_write(struct loom_core *core, uint64_t offset,
			      uint64_t value, unsigned int size)
{
	uint64_t queue = offset / LOOM_DOORBELL_STRIDE;

	loom_lock(core);
	if (size == 4 && offset % LOOM_DOORBELL_STRIDE == 0 &&
	    queue < core->cfg.num_queues)
		loom_queue_doorbell(core, &core->queue[queue], value);
	else
		loom_log(core, LOOM_LOG_GUEST,
			 "doorbell of %u bytes at 0x%llx: no queue", size,
			 (unsigned long long)offset);
	loom_unlock(core);
}
