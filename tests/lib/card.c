// SPDX-License-Identifier: MIT
/*
 * DOC: A card on the test bench
 *
 * See card.h.  Page tables are taken from the top of HBM downwards, what
 * t_hbm_alloc() returns from T_HBM_FIRST upwards.
 */
#include "card.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 1, 2), noreturn))
static void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "card: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\n");
	va_end(ap);
	abort();
}

static uint64_t page_up(uint64_t size)
{
	return (size + LOOM_PAGE_SIZE - 1) & ~(uint64_t)(LOOM_PAGE_SIZE - 1);
}

/* Callbacks --------------------------------------------------------------- */

static void *sys_at(struct t_card *card, uint64_t addr, size_t len)
{
	if (addr < T_SYS_BASE || addr - T_SYS_BASE > T_SYS_SIZE ||
	    len > T_SYS_SIZE - (addr - T_SYS_BASE))
		return NULL;
	return card->sys + (addr - T_SYS_BASE);
}

static int on_dma_read(void *opaque, uint64_t addr, void *buf, size_t len)
{
	struct t_card *card = opaque;
	void *p = sys_at(card, addr, len);

	if (card->dma_hook && card->dma_hook(card, addr, len, false))
		return -1;
	if (!p)
		return -1;
	memcpy(buf, p, len);
	return 0;
}

/* The host reads sequence numbers while the card writes them. */
static int on_dma_write(void *opaque, uint64_t addr, const void *buf,
			size_t len)
{
	struct t_card *card = opaque;
	void *p = sys_at(card, addr, len);
	uint64_t word;

	if (card->dma_hook && card->dma_hook(card, addr, len, true))
		return -1;
	if (!p)
		return -1;
	if (len == sizeof(word) && addr % sizeof(word) == 0) {
		memcpy(&word, buf, sizeof(word));
		__atomic_store_n((uint64_t *)p, word, __ATOMIC_RELEASE);
	} else {
		memcpy(p, buf, len);
	}
	return 0;
}

static void on_irq(void *opaque, unsigned int vector)
{
	struct t_card *card = opaque;

	if (vector >= card->cfg.num_vectors)
		die("interrupt %u of %u", vector, card->cfg.num_vectors);
	atomic_fetch_add(&card->irqs[vector], 1);
}

static void on_notify(void *opaque)
{
	(void)opaque;
}

static void on_dirty(void *opaque, uint64_t offset, uint64_t len)
{
	struct t_card *card = opaque;

	if (offset > card->cfg.hbm_size || len > card->cfg.hbm_size - offset)
		die("dirty range outside HBM");
	atomic_fetch_add(&card->dirty_bytes, len);
}

static void on_log(void *opaque, enum loom_log_level level, const char *line)
{
	struct t_card *card = opaque;

	(void)level;
	if (getenv("T_VERBOSE"))
		fprintf(stderr, "card: %s\n", line);
	if (!card->num_workers)
		snprintf(card->last_log, sizeof(card->last_log), "%s", line);
	atomic_fetch_add(&card->log_lines, 1);
}

static uint64_t on_now(void *opaque)
{
	struct t_card *card = opaque;

	return atomic_load(&card->now);
}

static void on_arm(void *opaque, uint64_t cycle)
{
	struct t_card *card = opaque;

	atomic_store(&card->armed, cycle);
}

static void on_trace(void *opaque, const struct loom_core_trace *t)
{
	struct t_card *card = opaque;

	if (card->on_command)
		card->on_command(card, t);
}

/* Registers --------------------------------------------------------------- */

uint32_t t_read32(struct t_card *card, uint64_t reg)
{
	return loom_core_mmio_read(card->core, reg, 4);
}

uint64_t t_read64(struct t_card *card, uint64_t reg)
{
	return loom_core_mmio_read(card->core, reg, 8);
}

void t_write32(struct t_card *card, uint64_t reg, uint32_t value)
{
	loom_core_mmio_write(card->core, reg, value, 4);
}

void t_write64(struct t_card *card, uint64_t reg, uint64_t value)
{
	loom_core_mmio_write(card->core, reg, value, 8);
}

uint64_t t_perf(struct t_card *card, unsigned int counter)
{
	return loom_core_perf(card->core, counter);
}

/* Memory ------------------------------------------------------------------ */

static void *table_at(struct t_card *card, uint64_t offset)
{
	return card->hbm + offset;
}

static uint64_t table_alloc(struct t_card *card)
{
	card->table_next -= LOOM_PAGE_SIZE;
	if (card->table_next < card->hbm_next)
		die("no HBM left for page tables");
	memset(table_at(card, card->table_next), 0, LOOM_PAGE_SIZE);
	return card->table_next;
}

static void ctx_init(struct t_card *card, unsigned int ctx)
{
	if (ctx >= card->cfg.num_contexts)
		die("no context %u", ctx);
	if (card->root[ctx])
		return;
	card->root[ctx] = table_alloc(card);
	t_write64(card, LOOM_REG_CTX_ROOT(ctx),
		  card->root[ctx] | LOOM_CTX_ROOT_VALID);
}

/* Workers may be walking the tables. */
static void pte_store(uint64_t *pte, uint64_t value)
{
	__atomic_store_n(pte, value, __ATOMIC_RELEASE);
}

uint64_t *t_pte(struct t_card *card, unsigned int ctx, uint64_t va,
		unsigned int level)
{
	uint64_t table, *pte;
	unsigned int l;

	ctx_init(card, ctx);
	table = card->root[ctx];
	for (l = LOOM_PT_LEVELS - 1; ; l--) {
		pte = (uint64_t *)table_at(card, table) +
		      (va >> LOOM_PT_SHIFT(l)) % LOOM_PT_ENTRIES;
		if (l == level)
			return pte;
		if (!(*pte & LOOM_PTE_VALID))
			pte_store(pte, table_alloc(card) | LOOM_PTE_VALID);
		table = *pte & LOOM_PTE_ADDR;
	}
}

static void map(struct t_card *card, unsigned int ctx, uint64_t va,
		unsigned int kind, uint64_t phys, uint64_t size, bool writable,
		unsigned int level)
{
	uint64_t step = 1ull << LOOM_PT_SHIFT(level), at;
	uint64_t flags = LOOM_PTE_VALID | (uint64_t)kind << LOOM_PTE_KIND_SHIFT;

	if ((va | phys | size) % step)
		die("map of 0x%llx is not aligned", (unsigned long long)va);
	flags |= writable ? LOOM_PTE_WRITE : 0;
	flags |= level ? LOOM_PTE_LEAF : 0;
	for (at = 0; at < size; at += step)
		pte_store(t_pte(card, ctx, va + at, level),
			  (phys + at) | flags);
}

void t_map(struct t_card *card, unsigned int ctx, uint64_t va,
	   unsigned int kind, uint64_t phys, uint64_t size, bool writable)
{
	map(card, ctx, va, kind, phys, size, writable, 0);
}

void t_map_huge(struct t_card *card, unsigned int ctx, uint64_t va,
		unsigned int kind, uint64_t phys, uint64_t size, bool writable)
{
	map(card, ctx, va, kind, phys, size, writable, 1);
}

void t_unmap(struct t_card *card, unsigned int ctx, uint64_t va, uint64_t size)
{
	uint64_t at;

	for (at = 0; at < size; at += LOOM_PAGE_SIZE)
		pte_store(t_pte(card, ctx, va + at, 0), 0);
}

void t_invalidate(struct t_card *card, unsigned int ctx)
{
	t_write32(card, LOOM_REG_TLB_INVALIDATE, ctx);
}

uint64_t t_hbm_alloc(struct t_card *card, uint64_t size)
{
	uint64_t va = card->hbm_next;

	size = page_up(size);
	if (size > card->table_next ||
	    va > card->table_next - size - LOOM_PAGE_SIZE)
		die("no HBM left for %llu bytes", (unsigned long long)size);
	card->hbm_next += size + LOOM_PAGE_SIZE;
	memset(card->hbm + va, 0, size);
	t_map(card, T_CTX, va, LOOM_KIND_HBM, va, size, true);
	return va;
}

uint64_t t_sys_alloc(struct t_card *card, uint64_t size)
{
	uint64_t at = card->sys_next;

	size = page_up(size);
	if (size > T_SYS_SIZE - at)
		die("no system memory left");
	card->sys_next += size;
	memset(card->sys + at, 0, size);
	return T_SYS_BASE + at;
}

void *t_sys_ptr(struct t_card *card, uint64_t bus)
{
	void *p = sys_at(card, bus, 1);

	if (!p)
		die("0x%llx is not system memory", (unsigned long long)bus);
	return p;
}

void *t_ptr(struct t_card *card, uint64_t va)
{
	uint64_t table = card->root[T_CTX], pte, page = LOOM_PAGE_SIZE, at;
	int level;

	for (level = LOOM_PT_LEVELS - 1; ; level--) {
		memcpy(&pte, card->hbm + table +
		       8 * ((va >> (12 + 9 * level)) & 511), sizeof(pte));
		if (!(pte & LOOM_PTE_VALID))
			return NULL;
		if (!level)
			break;
		if (level == 1 && (pte & LOOM_PTE_LEAF)) {
			page = LOOM_HUGE_SIZE;
			break;
		}
		table = pte & LOOM_PTE_ADDR;
	}
	at = (pte & LOOM_PTE_ADDR) + va % page;
	switch ((pte & LOOM_PTE_KIND) >> LOOM_PTE_KIND_SHIFT) {
	case LOOM_KIND_HBM:
		return card->hbm + at;
	case LOOM_KIND_SYSTEM:
		return sys_at(card, at, 1);
	default:
		return NULL;
	}
}

/* Queues ------------------------------------------------------------------ */

void t_queue_init(struct t_card *card, unsigned int queue, unsigned int ctx,
		  unsigned int priority)
{
	struct t_queue *q = &card->queue[queue];
	uint64_t bytes = sizeof(struct loom_ring_entry) << T_RING_LOG2;
	uint64_t r = LOOM_REG_QUEUE(queue, 0);

	ctx_init(card, ctx);
	if (!q->ring) {
		q->ring = t_sys_alloc(card, bytes);
		q->compl = t_sys_alloc(card, bytes);
	}
	t_write32(card, r + LOOM_QUEUE_CTRL, LOOM_QUEUE_CTRL_RESET);
	memset(t_sys_ptr(card, q->ring), 0, bytes);
	memset(t_sys_ptr(card, q->compl), 0, bytes);
	q->tail = 0;
	t_write64(card, r + LOOM_QUEUE_RING_BASE, q->ring);
	t_write64(card, r + LOOM_QUEUE_COMPL_BASE, q->compl);
	t_write32(card, r + LOOM_QUEUE_RING_SIZE_LOG2, T_RING_LOG2);
	t_write32(card, r + LOOM_QUEUE_CTX, ctx);
	t_write32(card, r + LOOM_QUEUE_VECTOR, 1 + queue % 32);
	t_write32(card, r + LOOM_QUEUE_PRIORITY, priority);
	t_write32(card, r + LOOM_QUEUE_CTRL, LOOM_QUEUE_CTRL_ENABLE);
}

struct loom_ring_entry *t_entry(struct t_card *card, unsigned int queue,
				uint32_t index)
{
	struct loom_ring_entry *e = t_sys_ptr(card, card->queue[queue].ring);

	return &e[index % (1u << T_RING_LOG2)];
}

struct loom_completion *t_completion(struct t_card *card, unsigned int queue,
				     uint32_t index)
{
	struct loom_completion *c = t_sys_ptr(card, card->queue[queue].compl);

	return &c[index % (1u << T_RING_LOG2)];
}

uint32_t t_queue_push(struct t_card *card, unsigned int queue, uint64_t va,
		      uint32_t bytes)
{
	uint32_t index = card->queue[queue].tail++;
	struct loom_completion *c = t_completion(card, queue, index);

	memset(c, 0, sizeof(*c));
	c->error = ~0u;
	*t_entry(card, queue, index) = (struct loom_ring_entry) {
		.type = LOOM_RING_EXEC,
		.flags = LOOM_RING_F_IRQ,
		.cmd_va = va,
		.cmd_size = bytes,
		.seq = ++card->next_seq,
	};
	return index;
}

void t_doorbell(struct t_card *card, unsigned int queue)
{
	loom_core_doorbell_write(card->core,
				 (uint64_t)queue * LOOM_DOORBELL_STRIDE,
				 card->queue[queue].tail, 4);
}

bool t_is_done(struct t_card *card, unsigned int queue, uint32_t index)
{
	const __u64 *seq = &t_completion(card, queue, index)->seq;

	return __atomic_load_n(seq, __ATOMIC_ACQUIRE) != 0;
}

void t_run(struct t_card *card)
{
	while (loom_core_run(card->core, 1000))
		;
	loom_core_deliver(card->core);
}

struct loom_completion t_submit(struct t_card *card, unsigned int queue,
				uint64_t va, uint32_t bytes)
{
	uint32_t index = t_queue_push(card, queue, va, bytes);

	t_doorbell(card, queue);
	t_run(card);
	return *t_completion(card, queue, index);
}

struct loom_completion t_run_cmds(struct t_card *card, const void *buf,
				  uint32_t bytes)
{
	if (t_read32(card, LOOM_REG_QUEUE(0, LOOM_QUEUE_STATE)) !=
	    LOOM_QUEUE_STATE_IDLE)
		t_queue_init(card, 0, T_CTX, 1);
	if (bytes > card->cmds_size) {
		card->cmds_size = page_up(bytes);
		card->cmds = t_hbm_alloc(card, card->cmds_size);
	}
	memcpy(card->hbm + card->cmds, buf, bytes);
	return t_submit(card, 0, card->cmds, bytes);
}

struct loom_cmd t_cmd(uint8_t opcode, size_t bytes)
{
	return (struct loom_cmd) {
		.opcode = opcode,
		.version = LOOM_ISA_VERSION,
		.size64 = bytes / LOOM_CMD_ALIGN,
	};
}

struct loom_cmd_nop t_nop(void)
{
	return (struct loom_cmd_nop) {
		.hdr = t_cmd(LOOM_OP_NOP, sizeof(struct loom_cmd_nop)),
	};
}

struct loom_cmd_event t_event(uint32_t op, uint32_t event, uint32_t value)
{
	return (struct loom_cmd_event) {
		.hdr = t_cmd(LOOM_OP_EVENT, sizeof(struct loom_cmd_event)),
		.op = op, .event = event, .value = value,
	};
}

struct loom_cmd_timestamp t_timestamp(uint64_t va)
{
	return (struct loom_cmd_timestamp) {
		.hdr = t_cmd(LOOM_OP_TIMESTAMP,
			     sizeof(struct loom_cmd_timestamp)),
		.addr = va,
	};
}

struct loom_cmd_copy t_copy_bytes(uint64_t dst, uint64_t src, uint32_t bytes)
{
	return (struct loom_cmd_copy) {
		.hdr = t_cmd(LOOM_OP_COPY, sizeof(struct loom_cmd_copy)),
		.mode = LOOM_COPY_COPY,
		.src_type = LOOM_TYPE_U8, .dst_type = LOOM_TYPE_U8,
		.dim = { bytes, 1, 1, 1 },
		.src = src, .src_stride = { 1 },
		.dst = dst, .dst_stride = { 1 },
	};
}

struct loom_cmd_copy t_fill_for_ever(uint64_t dst)
{
	return (struct loom_cmd_copy) {
		.hdr = t_cmd(LOOM_OP_COPY, sizeof(struct loom_cmd_copy)),
		.mode = LOOM_COPY_FILL, .dst_type = LOOM_TYPE_U8,
		.dim = { LOOM_PAGE_SIZE, 1u << 30, 1u << 30, 1 },
		.dst = dst, .dst_stride = { 1 },
		.fill = 0xa5,
	};
}

/* Workers ----------------------------------------------------------------- */

static void *work(void *opaque)
{
	struct t_card *card = opaque;

	while (loom_core_work(card->core))
		;
	return NULL;
}

void t_workers_start(struct t_card *card, unsigned int count)
{
	unsigned int i;

	if (card->num_workers + count > T_MAX_WORKERS)
		die("too many workers");
	for (i = 0; i < count; i++)
		if (pthread_create(&card->workers[card->num_workers++], NULL,
				   work, card))
			die("no thread");
}

void t_workers_stop(struct t_card *card)
{
	unsigned int i;

	loom_core_stop(card->core);
	for (i = 0; i < card->num_workers; i++)
		pthread_join(card->workers[i], NULL);
	card->num_workers = 0;
}

/* Life -------------------------------------------------------------------- */

static const struct loom_core_ops ops = {
	.dma_read = on_dma_read,
	.dma_write = on_dma_write,
	.irq = on_irq,
	.notify = on_notify,
	.hbm_dirty = on_dirty,
	.log = on_log,
	.trace_command = on_trace,
	.now = on_now,
	.arm = on_arm,
};

void t_advance(struct t_card *card, uint64_t cycle)
{
	uint64_t armed;

	while ((armed = atomic_load(&card->armed)) <= cycle) {
		if (armed > atomic_load(&card->now))
			atomic_store(&card->now, armed);
		/* What is late arms anew, so do not find the old value again. */
		atomic_store(&card->armed, UINT64_MAX);
		loom_core_tick(card->core, !card->num_workers);
		loom_core_deliver(card->core);
	}
	if (cycle > atomic_load(&card->now))
		atomic_store(&card->now, cycle);
}

struct t_card *t_card_create(const struct loom_core_config *cfg)
{
	struct t_card *card = calloc(1, sizeof(*card));
	char why[160];
	void *hbm;

	if (!card)
		die("no memory");
	loom_core_config_default(&card->cfg);
	card->cfg.hbm_size = 64ull << 20;
	card->cfg.sram_size = 2ull << 20;
	if (cfg)
		card->cfg = *cfg;
	if (loom_core_config_check(&card->cfg, why, sizeof(why)))
		die("%s", why);
	if (posix_memalign(&hbm, LOOM_HUGE_SIZE, card->cfg.hbm_size) ||
	    !(card->sys = calloc(1, T_SYS_SIZE)))
		die("no memory");
	card->hbm = hbm;
	atomic_store(&card->armed, UINT64_MAX);
	card->core = loom_core_create(&card->cfg, &ops, card, card->hbm);
	if (!card->core)
		die("loom_core_create() failed");
	card->hbm_next = T_HBM_FIRST;
	card->table_next = card->cfg.hbm_size;
	loom_core_set_bus_master(card->core, true);
	card->events = t_sys_alloc(card, sizeof(struct loom_event) <<
				   T_RING_LOG2);
	t_write64(card, LOOM_REG_EVENT_BASE, card->events);
	t_write32(card, LOOM_REG_EVENT_SIZE_LOG2, T_RING_LOG2);
	t_write32(card, LOOM_REG_CTRL, LOOM_CTRL_ENABLE);
	t_queue_init(card, 0, T_CTX, 1);
	return card;
}

void t_card_destroy(struct t_card *card)
{
	if (!card)
		return;
	t_workers_stop(card);
	loom_core_destroy(card->core);
	free(card->hbm);
	free(card->sys);
	free(card);
}
