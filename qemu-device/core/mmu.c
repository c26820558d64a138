// SPDX-License-Identifier: MIT
/*
 * DOC: Translation and memory access
 *
 * Page tables live in HBM, which the guest writes at any time, so an entry is
 * loaded once, checked, and used.
 *
 * Cache.  Each queue caches, for an aligned 2 MiB of addresses, either the
 * 2 MiB entry or a copy of the whole level 0 table (struct loom_tlb_slot).
 * Entries that are not valid or do not grant the access are never trusted:
 * they are looked up again before a fault is raised, so mapping more needs no
 * invalidation, and taking away does, as on real hardware.
 *
 * Invalidation.  loom_context.epoch grows; a queue that sees a new epoch
 * empties its cache.  A worker makes loom_mmu.access odd before it looks at the
 * epoch and even when it is done with the translation, and both sides use
 * sequentially consistent operations: either the worker sees the new epoch, or
 * the invalidator sees it at work and waits.  Pointers from loom_mem_map()
 * live until the command ends, which may be long.  Therefore they are recorded
 * (struct loom_pin), and the invalidator walks them again: nothing changed, no
 * need to wait; otherwise the command is made to fault and waited for.  So
 * nobody waits longer than an engine takes to notice an abort, and after the
 * invalidation memory that was unmapped is not touched.
 */
#include <stdlib.h>
#include <string.h>

#include "core_internal.h"

/* Bytes moved under one translation: bounds the wait of an invalidation. */
#define CHUNK		(256u << 10)
#define VA_LIMIT	(1ull << LOOM_VA_BITS)
#define PTE_KNOWN	(LOOM_PTE_VALID | LOOM_PTE_WRITE | LOOM_PTE_LEAF | \
			 LOOM_PTE_KIND | LOOM_PTE_ADDR)

int loom_mmu_init(struct loom_mmu *mmu)
{
	mmu->slot = calloc(LOOM_TLB_SLOTS, sizeof(*mmu->slot));
	mmu->pin = calloc(LOOM_MAX_PINS, sizeof(*mmu->pin));
	pthread_mutex_init(&mmu->pin_lock, NULL);
	return mmu->slot && mmu->pin ? 0 : -1;
}

void loom_mmu_fini(struct loom_mmu *mmu)
{
	pthread_mutex_destroy(&mmu->pin_lock);
	free(mmu->pin);
	free(mmu->slot);
}

/* Page tables ------------------------------------------------------------- */

/* The guest may write it this very moment: one load, no tearing. */
static uint64_t pte_load(const struct loom_core *core, uint64_t table,
			 unsigned int index)
{
	const uint64_t *p = (const uint64_t *)(core->hbm + table) + index;

	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static unsigned int pte_kind(uint64_t pte)
{
	return (pte & LOOM_PTE_KIND) >> LOOM_PTE_KIND_SHIFT;
}

static unsigned int va_index(uint64_t va, unsigned int level)
{
	return (va >> LOOM_PT_SHIFT(level)) % LOOM_PT_ENTRIES;
}

static bool table_ok(const struct loom_core *core, uint64_t pte)
{
	return !(pte & ~PTE_KNOWN) && !(pte & LOOM_PTE_LEAF) &&
	       pte_kind(pte) == LOOM_KIND_HBM &&
	       loom_range_ok(pte & LOOM_PTE_ADDR, LOOM_PAGE_SIZE,
			     core->cfg.hbm_size);
}

/* Is a table unreadable?  Then @page is where. */
static bool table_poisoned(struct loom_core *core, uint64_t table,
			   uint64_t *page)
{
	return loom_read_troubled(core) &&
	       loom_ras_poisoned(core, table, LOOM_PAGE_SIZE, page);
}

/*
 * Walk down to the entry of level 1; if it is a table, it has been checked.
 * After LOOM_ERR_HBM_ECC @entry is the page at fault instead.
 */
static uint32_t walk(struct loom_core *core, uint64_t root, uint64_t va,
		     uint64_t *entry)
{
	uint64_t table = root & LOOM_CTX_ROOT_ADDR, pte = 0;
	int level;

	if (!(root & LOOM_CTX_ROOT_VALID))
		return LOOM_ERR_FAULT_CTX;
	if (!loom_range_ok(table, LOOM_PAGE_SIZE, core->cfg.hbm_size))
		return LOOM_ERR_FAULT_PTE;
	for (level = LOOM_PT_LEVELS - 1; level >= 1; level--) {
		if (table_poisoned(core, table, entry))
			return LOOM_ERR_HBM_ECC;
		pte = pte_load(core, table, va_index(va, level));
		if (!(pte & LOOM_PTE_VALID))
			return LOOM_ERR_FAULT_UNMAPPED;
		if (level == 1 && (pte & LOOM_PTE_LEAF))
			break;
		if (!table_ok(core, pte))
			return LOOM_ERR_FAULT_PTE;
		table = pte & LOOM_PTE_ADDR;
	}
	*entry = pte;
	return LOOM_ERR_NONE;
}

static bool leaf_in_memory(const struct loom_core *core, uint64_t pte,
			   uint64_t size)
{
	uint64_t addr = pte & LOOM_PTE_ADDR;

	switch (pte_kind(pte)) {
	case LOOM_KIND_HBM:
		return loom_range_ok(addr, size, core->cfg.hbm_size);
	case LOOM_KIND_SRAM:
		return loom_range_ok(addr, size, core->cfg.sram_size);
	case LOOM_KIND_SYSTEM:
		return true;
	default:
		return false;
	}
}

/* May a leaf entry for @size bytes be used for @access? */
static uint32_t leaf_check(const struct loom_core *core, uint64_t pte,
			   uint64_t size, uint32_t access)
{
	if (!(pte & LOOM_PTE_VALID))
		return LOOM_ERR_FAULT_UNMAPPED;
	if ((pte & ~PTE_KNOWN) || (pte & LOOM_PTE_ADDR & (size - 1)) ||
	    !leaf_in_memory(core, pte, size))
		return LOOM_ERR_FAULT_PTE;
	if (access == LOOM_ACCESS_WRITE && !(pte & LOOM_PTE_WRITE))
		return LOOM_ERR_FAULT_PERM;
	return LOOM_ERR_NONE;
}

/* What [va, end of its page) is, given its leaf entry. */
static struct loom_run leaf_run(uint64_t pte, uint64_t size, uint64_t va)
{
	uint64_t inside = va & (size - 1);

	return (struct loom_run) {
		.kind = pte_kind(pte),
		.addr = (pte & LOOM_PTE_ADDR) + inside,
		.len = size - inside,
	};
}

/* The cache --------------------------------------------------------------- */

static struct loom_tlb_slot *slot_of(struct loom_mmu *mmu, uint64_t va)
{
	uint64_t region = va >> LOOM_HUGE_SHIFT;

	/* Fold the upper bits in: big tensors tend to be far apart alike. */
	return &mmu->slot[(region ^ (region >> 5) ^ (region >> 10)) %
			  LOOM_TLB_SLOTS];
}

static uint32_t slot_fill(struct loom_exec *ex, struct loom_tlb_slot *slot,
			  uint64_t va)
{
	struct loom_core *core = ex->core;
	uint64_t entry;
	uint32_t error;
	unsigned int i;

	slot->tag = 0;
	error = walk(core, ex->mmu.root, va, &entry);
	if (!error && !(entry & LOOM_PTE_LEAF) &&
	    table_poisoned(core, entry & LOOM_PTE_ADDR, &entry))
		error = LOOM_ERR_HBM_ECC;
	if (error == LOOM_ERR_HBM_ECC)
		ex->ecc.ue = entry;
	if (error)
		return error;
	slot->huge = entry & LOOM_PTE_LEAF ? entry : 0;
	if (!slot->huge)
		for (i = 0; i < LOOM_PT_ENTRIES; i++)
			slot->pte[i] = pte_load(core, entry & LOOM_PTE_ADDR, i);
	slot->tag = (va >> LOOM_HUGE_SHIFT) + 1;
	return LOOM_ERR_NONE;
}

/* Without a branch for each: compilers make vector code of it. */
static bool eight_follow(const uint64_t *pte)
{
	uint64_t other = 0;
	unsigned int i;

	for (i = 0; i < 8; i++)
		other |= (pte[i + 1] - pte[i]) ^ LOOM_PAGE_SIZE;
	return !other;
}

/*
 * How many of the next @max pages follow page @i in memory, with the same
 * rights.  If the last one is all right, so are those before it.
 */
static uint64_t pages_in_order(const struct loom_core *core,
			       const struct loom_tlb_slot *slot, unsigned int i,
			       uint64_t max, uint32_t access)
{
	uint64_t n = 0, end = loom_min(max, LOOM_PT_ENTRIES - 1ull - i);

	while (n + 8 <= end && eight_follow(&slot->pte[i + n]))
		n += 8;
	while (n < end &&
	       slot->pte[i + n + 1] == slot->pte[i + n] + LOOM_PAGE_SIZE)
		n++;
	return leaf_check(core, slot->pte[i + n], LOOM_PAGE_SIZE, access) ? 0 :
									    n;
}

/* Translate va up to the end of its page, or of more up to @len bytes. */
static uint32_t slot_lookup(const struct loom_core *core,
			    const struct loom_tlb_slot *slot, uint64_t va,
			    uint64_t len, uint32_t access, struct loom_run *run)
{
	uint64_t size = slot->huge ? LOOM_HUGE_SIZE : LOOM_PAGE_SIZE;
	unsigned int i = va_index(va, 0);
	uint64_t pte = slot->huge ? slot->huge : slot->pte[i];
	uint32_t error = leaf_check(core, pte, size, access);

	if (error)
		return error;
	*run = leaf_run(pte, size, va);
	if (!slot->huge && run->len < len)
		run->len += LOOM_PAGE_SIZE *
			    pages_in_order(core, slot, i,
					   (len - run->len + LOOM_PAGE_SIZE - 1) /
					   LOOM_PAGE_SIZE, access);
	return LOOM_ERR_NONE;
}

/* Translate va up to the end of its page at least; more only up to @len. */
static uint32_t page_lookup(struct loom_exec *ex, uint64_t va, uint64_t len,
			    uint32_t access, struct loom_run *run)
{
	struct loom_tlb_slot *slot = slot_of(&ex->mmu, va);
	uint32_t error;

	if (slot->tag == (va >> LOOM_HUGE_SHIFT) + 1) {
		error = slot_lookup(ex->core, slot, va, len, access, run);
		if (!error)
			return LOOM_ERR_NONE;
	}
	error = slot_fill(ex, slot, va);
	if (error)
		return error;
	return slot_lookup(ex->core, slot, va, len, access, run);
}

/*
 * The longest contiguous piece from va on, at most len bytes.  A fault behind
 * the first page just ends it.
 */
static uint32_t run_lookup(struct loom_exec *ex, uint64_t va, uint64_t len,
			   uint32_t access, struct loom_run *run)
{
	struct loom_run next;
	uint32_t error = page_lookup(ex, va, len, access, run);

	if (error)
		return error;
	while (run->len < len) {
		if (page_lookup(ex, va + run->len, len - run->len, access,
				&next))
			break;
		if (next.kind != run->kind || next.addr != run->addr + run->len)
			break;
		run->len += next.len;
	}
	run->len = loom_min(run->len, len);
	return LOOM_ERR_NONE;
}

void loom_mmu_switch(struct loom_exec *ex)
{
	ex->mmu.epoch = atomic_load(&ex->ctx->epoch) - 1;
}

static void slots_empty(struct loom_mmu *mmu)
{
	unsigned int i;

	for (i = 0; i < LOOM_TLB_SLOTS; i++)
		mmu->slot[i].tag = 0;
}

/* From here to access_end() invalidations of the context wait for us. */
static void access_begin(struct loom_exec *ex)
{
	struct loom_mmu *mmu = &ex->mmu;
	unsigned int epoch;

	atomic_fetch_add(&mmu->access, 1);
	epoch = atomic_load(&ex->ctx->epoch);
	if (epoch == mmu->epoch)
		return;
	mmu->epoch = epoch;
	mmu->root = atomic_load(&ex->ctx->root);
	slots_empty(mmu);
}

static void access_end(struct loom_exec *ex)
{
	atomic_fetch_add(&ex->mmu.access, 1);
	if (ex->ecc.corrected)
		loom_ras_report_ce(ex);
}

/*
 * Access ------------------------------------------------------------------
 *
 * An engine's buffer may itself be a pointer from loom_mem_map(), and the guest
 * decides what overlaps: hence memmove().
 */

static uint8_t *run_host(struct loom_core *core, const struct loom_run *run)
{
	switch (run->kind) {
	case LOOM_KIND_HBM:
		return core->hbm + run->addr;
	case LOOM_KIND_SRAM:
		return core->sram + run->addr;
	default:
		return NULL;
	}
}

static void run_dirty(struct loom_core *core, const struct loom_run *run)
{
	if (run->kind == LOOM_KIND_HBM && core->ops.hbm_dirty)
		core->ops.hbm_dirty(core->opaque, run->addr, run->len);
}

/* Can it be read?  Ends @run in front of what cannot. */
static uint32_t run_check(struct loom_exec *ex, struct loom_run *run)
{
	if (run->kind != LOOM_KIND_HBM || !loom_read_troubled(ex->core))
		return LOOM_ERR_NONE;
	return loom_ras_read(ex, run->addr, &run->len);
}

static uint32_t run_read(struct loom_exec *ex, struct loom_run *run, void *buf)
{
	const uint8_t *host = run_host(ex->core, run);
	uint32_t error = run_check(ex, run);

	if (error)
		return error;
	if (host)
		memmove(buf, host, run->len);
	else if (loom_dma_read(ex->core, ex->queue->index, run->addr, buf,
			       run->len))
		return LOOM_ERR_DMA;
	return LOOM_ERR_NONE;
}

static uint32_t run_write(struct loom_exec *ex, const struct loom_run *run,
			  const void *buf)
{
	struct loom_core *core = ex->core;
	uint8_t *host = run_host(core, run);

	if (host) {
		memmove(host, buf, run->len);
		run_dirty(core, run);
	} else if (loom_dma_write(core, ex->queue->index, run->addr, buf,
				  run->len)) {
		return LOOM_ERR_DMA;
	}
	return LOOM_ERR_NONE;
}

int loom_mem_read(struct loom_exec *ex, uint64_t va, void *buf, size_t len)
{
	struct loom_run run;
	uint32_t error;

	if (!loom_range_ok(va, len, VA_LIMIT))
		return loom_fail_addr(ex, LOOM_ERR_CMD_RANGE, va,
				      LOOM_ACCESS_READ);
	while (len) {
		if (loom_exec_aborted(ex))
			return loom_fail(ex, LOOM_ERR_ABORTED, 0);
		access_begin(ex);
		error = run_lookup(ex, va, loom_min(len, CHUNK),
				   LOOM_ACCESS_READ, &run);
		if (!error)
			error = run_read(ex, &run, buf);
		access_end(ex);
		if (error == LOOM_ERR_HBM_ECC)
			loom_ras_report_ue(ex);
		if (error)
			return loom_fail_addr(ex, error, va, LOOM_ACCESS_READ);
		va += run.len;
		buf = (uint8_t *)buf + run.len;
		len -= run.len;
	}
	return 0;
}

int loom_mem_write(struct loom_exec *ex, uint64_t va, const void *buf,
		   size_t len)
{
	struct loom_run run;
	uint32_t error;

	if (!loom_range_ok(va, len, VA_LIMIT))
		return loom_fail_addr(ex, LOOM_ERR_CMD_RANGE, va,
				      LOOM_ACCESS_WRITE);
	while (len) {
		if (loom_exec_aborted(ex))
			return loom_fail(ex, LOOM_ERR_ABORTED, 0);
		access_begin(ex);
		error = run_lookup(ex, va, loom_min(len, CHUNK),
				   LOOM_ACCESS_WRITE, &run);
		if (!error)
			error = run_write(ex, &run, buf);
		access_end(ex);
		if (error == LOOM_ERR_HBM_ECC)
			loom_ras_report_ue(ex);
		if (error)
			return loom_fail_addr(ex, error, va, LOOM_ACCESS_WRITE);
		va += run.len;
		buf = (const uint8_t *)buf + run.len;
		len -= run.len;
	}
	return 0;
}

static bool pin_covers(const struct loom_pin *pin, uint64_t va, uint64_t len,
		       uint32_t access)
{
	return pin->access == access && va >= pin->va &&
	       loom_range_ok(va - pin->va, len, pin->run.len);
}

/* Remember a range for invalidations; false when there are too many. */
static bool pin_add(struct loom_exec *ex, uint64_t va, uint32_t access,
		    const struct loom_run *run)
{
	struct loom_mmu *mmu = &ex->mmu;
	uint64_t limit = 2 * (ex->core->cfg.hbm_size + ex->core->cfg.sram_size);
	bool ok;

	pthread_mutex_lock(&mmu->pin_lock);
	ok = mmu->num_pins && pin_covers(&mmu->pin[mmu->num_pins - 1], va,
					 run->len, access);
	if (!ok && mmu->num_pins < LOOM_MAX_PINS &&
	    loom_range_ok(mmu->pinned, run->len, limit)) {
		mmu->pin[mmu->num_pins++] = (struct loom_pin) {
			.va = va, .access = access, .run = *run,
		};
		mmu->pinned += run->len;
		ok = true;
	}
	pthread_mutex_unlock(&mmu->pin_lock);
	return ok;
}

/*
 * May an engine have a pointer to read all of it?  If not it reads piece by
 * piece, and meets the error only if it needs that very page.
 */
static bool map_readable(struct loom_exec *ex, struct loom_run *run)
{
	uint64_t len = run->len;

	return !run_check(ex, run) && run->len == len;
}

void *loom_mem_map(struct loom_exec *ex, uint64_t va, uint64_t len,
		   uint32_t access)
{
	struct loom_run run;
	void *host = NULL;

	if (!len || !loom_range_ok(va, len, VA_LIMIT))
		return NULL;
	/* Walks no further than there is memory to point to. */
	if (len > ex->core->cfg.hbm_size && len > ex->core->cfg.sram_size)
		return NULL;
	access_begin(ex);
	if (!run_lookup(ex, va, len, access, &run) && run.len == len)
		host = run_host(ex->core, &run);
	if (host && access == LOOM_ACCESS_READ && !map_readable(ex, &run))
		host = NULL;
	if (host && !pin_add(ex, va, access, &run))
		host = NULL;
	access_end(ex);
	if (host && access == LOOM_ACCESS_WRITE)
		run_dirty(ex->core, &run);
	return host;
}

int loom_mmu_kind(struct loom_exec *ex, uint64_t va)
{
	struct loom_run run;
	uint32_t error;

	if (va >= VA_LIMIT)
		return -1;
	access_begin(ex);
	error = page_lookup(ex, va, 1, LOOM_ACCESS_READ, &run);
	access_end(ex);
	return error ? -1 : (int)run.kind;
}

void loom_mem_traffic(struct loom_exec *ex, uint64_t va, uint64_t bytes,
		      uint32_t access)
{
	bool is_write = access == LOOM_ACCESS_WRITE;

	switch (loom_mmu_kind(ex, va)) {
	case LOOM_KIND_HBM:
		*(is_write ? &ex->cost.hbm_wr : &ex->cost.hbm_rd) += bytes;
		break;
	case LOOM_KIND_SYSTEM:
		*(is_write ? &ex->cost.pcie_wr : &ex->cost.pcie_rd) += bytes;
		break;
	default:
		break;
	}
}

/* Invalidation ------------------------------------------------------------ */

/*
 * What was written through the pointers is dirty, again: an owner that copied
 * and cleared a page since loom_mem_map() must copy it once more.
 */
void loom_mmu_unpin(struct loom_exec *ex)
{
	struct loom_mmu *mmu = &ex->mmu;
	unsigned int i;

	for (i = 0; i < mmu->num_pins; i++)
		if (mmu->pin[i].access == LOOM_ACCESS_WRITE)
			run_dirty(ex->core, &mmu->pin[i].run);
	pthread_mutex_lock(&mmu->pin_lock);
	mmu->num_pins = 0;
	mmu->pinned = 0;
	pthread_mutex_unlock(&mmu->pin_lock);
}

/* Does the page of va still translate to the same as in @pin?  No cache. */
static bool pin_page_holds(struct loom_core *core, uint64_t root,
			   const struct loom_pin *pin, uint64_t at,
			   uint64_t *len)
{
	uint64_t va = pin->va + at, size = LOOM_HUGE_SIZE, pte;
	struct loom_run run;

	if (walk(core, root, va, &pte))
		return false;
	if (!(pte & LOOM_PTE_LEAF)) {
		size = LOOM_PAGE_SIZE;
		pte = pte_load(core, pte & LOOM_PTE_ADDR, va_index(va, 0));
	}
	if (leaf_check(core, pte, size, pin->access))
		return false;
	run = leaf_run(pte, size, va);
	*len = run.len;
	return run.kind == pin->run.kind && run.addr == pin->run.addr + at;
}

static bool pin_holds(struct loom_core *core, uint64_t root,
		      const struct loom_pin *pin, uint64_t *va)
{
	uint64_t at, len;

	for (at = 0; at < pin->run.len; at += len) {
		*va = pin->va + at;
		if (!pin_page_holds(core, root, pin, at, &len))
			return false;
	}
	return true;
}

/* Make the command of @ex fault if memory it points to was unmapped. */
static bool revoke(struct loom_core *core, struct loom_exec *ex)
{
	uint64_t root = atomic_load(&ex->ctx->root), va = 0;
	unsigned int none = LOOM_ABORT_NONE, i;
	bool holds = true;

	pthread_mutex_lock(&ex->mmu.pin_lock);
	for (i = 0; holds && i < ex->mmu.num_pins; i++)
		holds = pin_holds(core, root, &ex->mmu.pin[i], &va);
	if (!holds) {
		ex->mmu.revoked = va;
		atomic_compare_exchange_strong(&ex->abort, &none,
					       LOOM_ABORT_REVOKED);
	}
	pthread_mutex_unlock(&ex->mmu.pin_lock);
	return !holds;
}

/* Wait until the worker in @q uses no translation of before the new epoch. */
static void settle(struct loom_core *core, struct loom_queue *q)
{
	struct loom_exec *ex = &q->exec;
	unsigned int access = atomic_load(&ex->mmu.access);
	uint64_t ended;

	while (q->busy && (access & 1) &&
	       atomic_load(&ex->mmu.access) == access)
		loom_quiet_yield(core);
	if (!q->busy || !revoke(core, ex))
		return;
	ended = ex->ended;
	while (q->busy && ex->ended == ended)
		loom_quiet_wait(core);
}

void loom_mmu_invalidate(struct loom_core *core, unsigned int ctx)
{
	struct loom_queue *q;
	unsigned int i;

	atomic_fetch_add(&core->ctx[ctx].epoch, 1);
	for (i = 0; i < core->cfg.num_queues; i++) {
		q = &core->queue[i];
		if (q->busy && q->ctx == ctx && !loom_queue_is_mine(q))
			settle(core, q);
	}
}
