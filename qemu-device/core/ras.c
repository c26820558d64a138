// SPDX-License-Identifier: MIT
/*
 * DOC: Memory errors
 *
 * A poisoned page is one with a word that ECC cannot correct.  Whoever reads it
 * through the card - an engine, a fetch of commands, a walk through page tables
 * - gets LOOM_ERR_HBM_ECC; writing does not help, for a word is more than most
 * writes.  Only a scrub does, which zeroes the page.  Resets change nothing,
 * just as the counters go on from power-on.
 *
 * Locks: see inject.h.  The list of pages is searched while a translation is in
 * use; reports take the core's lock and write events, so they wait until it is
 * not (loom_exec.ecc).
 */
#include <string.h>

#include "core_internal.h"

/* Pages ------------------------------------------------------------------- */

/* Index of the first poisoned page at or behind @addr.  Locked. */
static unsigned int poison_find(const struct loom_inject *in, uint64_t addr)
{
	unsigned int low = 0, high = in->num_poison, middle;

	while (low < high) {
		middle = (low + high) / 2;
		if (in->poison[middle] + LOOM_PAGE_SIZE <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool loom_ras_poisoned(struct loom_core *core, uint64_t addr, uint64_t len,
		       uint64_t *page)
{
	struct loom_inject *in = &core->inject;
	unsigned int i;
	bool found;

	pthread_mutex_lock(&in->lock);
	i = poison_find(in, addr);
	found = i < in->num_poison && in->poison[i] < addr + len;
	if (found)
		*page = in->poison[i];
	pthread_mutex_unlock(&in->lock);
	return found;
}

bool loom_ras_poison(struct loom_core *core, uint64_t page)
{
	struct loom_inject *in = &core->inject;
	unsigned int i;
	bool ok = true;

	pthread_mutex_lock(&in->lock);
	i = poison_find(in, page);
	if (i == in->num_poison || in->poison[i] != page)
		ok = in->num_poison < LOOM_MAX_POISON;
	if (ok && (i == in->num_poison || in->poison[i] != page)) {
		memmove(&in->poison[i + 1], &in->poison[i],
			(in->num_poison - i) * sizeof(in->poison[0]));
		in->poison[i] = page;
		in->num_poison++;
		loom_inject_refresh(core);
	}
	pthread_mutex_unlock(&in->lock);
	return ok;
}

static void poison_remove(struct loom_core *core, uint64_t page)
{
	struct loom_inject *in = &core->inject;
	unsigned int i;

	pthread_mutex_lock(&in->lock);
	i = poison_find(in, page);
	if (i < in->num_poison && in->poison[i] == page) {
		in->num_poison--;
		memmove(&in->poison[i], &in->poison[i + 1],
			(in->num_poison - i) * sizeof(in->poison[0]));
		loom_inject_refresh(core);
	}
	pthread_mutex_unlock(&in->lock);
}

unsigned int loom_core_poison(struct loom_core *core, uint64_t *page,
			      unsigned int max)
{
	struct loom_inject *in = &core->inject;
	unsigned int n;

	pthread_mutex_lock(&in->lock);
	n = loom_min(in->num_poison, max);
	memcpy(page, in->poison, n * sizeof(page[0]));
	pthread_mutex_unlock(&in->lock);
	return n;
}

/* Reads ------------------------------------------------------------------- */

/* Does a fault strike this read?  A poisoned page is found below. */
static void read_occurs(struct loom_exec *ex, uint64_t addr, uint64_t len)
{
	uint64_t at = 0, page;

	switch (loom_inject_read(ex->core, ex->queue->index, addr, len, &at)) {
	case LOOM_INJECT_ECC_CORRECTED:
		ex->ecc.corrected = true;
		ex->ecc.ce = at;
		break;
	case LOOM_INJECT_ECC_UNCORRECTED:
		page = at & ~(uint64_t)(LOOM_PAGE_SIZE - 1);
		if (!loom_ras_poison(ex->core, page))
			loom_log(ex->core, LOOM_LOG_HOST,
				 "more than %u poisoned pages: one ignored",
				 LOOM_MAX_POISON);
		break;
	default:
		break;
	}
}

uint32_t loom_ras_read(struct loom_exec *ex, uint64_t addr, uint64_t *len)
{
	uint64_t page;

	if (loom_troubled(ex->core, LOOM_HOOK_READ))
		read_occurs(ex, addr, *len);
	if (!loom_ras_poisoned(ex->core, addr, *len, &page))
		return LOOM_ERR_NONE;
	if (page > addr) {
		*len = page - addr;
		return LOOM_ERR_NONE;
	}
	ex->ecc.ue = page;
	return LOOM_ERR_HBM_ECC;
}

/* Reports ----------------------------------------------------------------- */

void loom_ras_report_ce(struct loom_exec *ex)
{
	struct loom_core *core = ex->core;

	ex->ecc.corrected = false;
	loom_lock(core);
	core->ras.ce_count++;
	core->ras.ce_addr = ex->ecc.ce;
	loom_event_post(core, &(struct loom_event) {
		.type = LOOM_EVENT_ECC_CORRECTED, .queue = LOOM_NO_QUEUE,
		.context = LOOM_NO_QUEUE, .addr = ex->ecc.ce,
	});
	loom_unlock(core);
	loom_event_flush(core);
}

/* Locked. */
static void report_ue(struct loom_core *core, const struct loom_queue *q,
		      uint64_t page)
{
	core->ras.ue_count++;
	core->ras.ue_addr = page;
	loom_event_post(core, &(struct loom_event) {
		.type = LOOM_EVENT_ECC_UNCORRECTED,
		.queue = q ? q->index : LOOM_NO_QUEUE,
		.error = LOOM_ERR_HBM_ECC,
		.context = q ? q->ctx : LOOM_NO_QUEUE, .addr = page,
		.cmd_index = q ? q->exec.index : 0,
	});
}

void loom_ras_report_ue(struct loom_exec *ex)
{
	struct loom_core *core = ex->core;

	loom_lock(core);
	report_ue(core, ex->queue, ex->ecc.ue);
	loom_unlock(core);
	loom_event_flush(core);
}

void loom_ras_patrol(struct loom_core *core, uint64_t page)
{
	if (!loom_ras_poison(core, page))
		return;
	loom_lock(core);
	report_ue(core, NULL, page);
	loom_unlock(core);
	loom_event_flush(core);
}

/* Repair ------------------------------------------------------------------ */

void loom_ras_scrub(struct loom_core *core, uint64_t offset)
{
	uint64_t page = offset & ~(uint64_t)(LOOM_PAGE_SIZE - 1);

	if (page >= core->cfg.hbm_size) {
		loom_log(core, LOOM_LOG_GUEST, "RAS_SCRUB: 0x%llx is beyond HBM",
			 (unsigned long long)offset);
		return;
	}
	memset(core->hbm + page, 0, LOOM_PAGE_SIZE);
	poison_remove(core, page);
	if (!core->ops.hbm_dirty)
		return;
	loom_unlock(core);
	core->ops.hbm_dirty(core->opaque, page, LOOM_PAGE_SIZE);
	loom_lock(core);
}
