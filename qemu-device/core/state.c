// SPDX-License-Identifier: MIT
/*
 * DOC: Save and load the whole state of a card; pause and resume
 *
 * A card is saved while nothing runs (loom_core_pause()): every queue is then
 * between two jobs or between two commands of one.  The saved state is a head
 * and the sections of sections[], in that order (archive.h).  HBM is the owner's
 * memory and not part of it, nor is what the owner tells the card anew (bus
 * mastering).
 *
 * To add state: write a function like scheduler_state() below, which may stand in
 * a file of its own and be declared in core_internal.h; add a row to sections[];
 * add one to LOOM_STATE_VERSION.  State that follows from other state is put
 * right in restart() instead, and listed here; tests/host/test-state.sh tells
 * when a member is neither here nor there:
 *
 *	loom_core	ops opaque hbm lock work quiet waiters stopped paused
 *			patience ready notify bus_master log_second log_count
 *			trouble hbm_bar
 *	loom_event_ring	writing generation
 *	loom_context	epoch
 *	loom_queue	index busy owner resetting
 *	loom_pacer	ticking
 *	loom_exec	core queue ctx abort last_start deadline ended
 *			fetch_kind mmu buf_at ecc gates_seen trace
 *			trace_pending
 *
 * Loading is parsing hostile data: each field is required to be what a card may
 * hold, before it is used; a card that refuses is as after its creation.
 *
 * The lock is held throughout, and no queue is busy.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core_internal.h"

#define LOOM_STATE_MAGIC	0x54534d4cu	/* "LMST" */
#define LOOM_STATE_VERSION	3u
#define NO_PAGE			(~0u)

/* Sections ---------------------------------------------------------------- */

static void scheduler_state(struct loom_archive *a)
{
	struct loom_core *core = a->core;
	uint64_t vectors = (1ull << core->cfg.num_vectors) - 1;
	uint64_t irqs = atomic_load(&core->irqs);

	loom_state_u32(a, &core->ctrl);
	loom_state_u32(a, &core->status);
	loom_state_u32(a, &core->scratch);
	loom_state_u64(a, &core->clock);
	loom_state_u64(a, &core->picks);
	loom_state_u64(a, &irqs);
	loom_state_require(a, !(core->ctrl & ~LOOM_CTRL_ENABLE), "CTRL is 0x%x",
			   core->ctrl);
	loom_state_require(a, (core->status & ~LOOM_STATUS_FATAL) ==
			   LOOM_STATUS_READY, "STATUS is 0x%x", core->status);
	loom_state_require(a, core->clock < LOOM_STATE_TIME_MAX, "the clock is 0x%llx",
			   (unsigned long long)core->clock);
	loom_state_require(a, !(irqs & ~vectors), "pending vectors 0x%llx",
			   (unsigned long long)irqs);
	if (a->load)
		atomic_store(&core->irqs, irqs);
}

static void counters_state(struct loom_archive *a)
{
	unsigned int i;

	for (i = 0; i < LOOM_PERF_COUNT; i++) {
		loom_state_u64(a, &a->core->perf[i]);
		loom_state_u64(a, &a->core->latched[i]);
	}
	loom_state_u32(a, &a->core->perf_select);
	loom_state_require(a, a->core->perf_select <= a->core->cfg.num_contexts,
			   "PERF_SELECT is %u", a->core->perf_select);
}

static void contexts_state(struct loom_archive *a)
{
	struct loom_context *ctx = a->core->ctx;
	uint64_t root;
	unsigned int i, n;

	for (i = 0; i < a->core->cfg.num_contexts; i++, ctx++) {
		root = atomic_load(&ctx->root);
		loom_state_u64(a, &root);
		loom_state_require(a, !(root & ~(LOOM_CTX_ROOT_VALID |
						 LOOM_CTX_ROOT_ADDR)),
				   "CTX_ROOT(%u) is 0x%llx", i,
				   (unsigned long long)root);
		if (a->load)
			atomic_store(&ctx->root, root);
		for (n = 0; n < LOOM_NUM_EVENTS; n++) {
			loom_state_u32(a, &ctx->event[n]);
			loom_state_time(a, &ctx->event_at[n]);
		}
		for (n = 0; n < LOOM_PERF_COUNT; n++)
			loom_state_u64(a, &ctx->perf[n]);
	}
}

void loom_state_time(struct loom_archive *a, uint64_t *t)
{
	loom_state_u64(a, t);
	loom_state_require(a, *t < LOOM_STATE_TIME_MAX, "a time of 0x%llx",
			   (unsigned long long)*t);
}

static void window_state(struct loom_archive *a, struct loom_window *w)
{
	loom_state_time(a, &w->front);
	loom_state_time(a, &w->barrier);
	loom_state_time(a, &w->end);
	loom_state_require(a, w->front <= w->end, "a job's front end at 0x%llx, "
			   "behind its end at 0x%llx",
			   (unsigned long long)w->front,
			   (unsigned long long)w->end);
}

void loom_units_state(struct loom_archive *a, struct loom_units *u)
{
	unsigned int i;

	for (i = 0; i < LOOM_NUM_ENGINES; i++)
		loom_state_time(a, &u->engine[i]);
	loom_state_time(a, &u->hbm);
	loom_state_time(a, &u->pcie);
}

/* The part of the command buffer that was fetched and not used up. */
static void fetched_state(struct loom_archive *a, struct loom_exec *ex)
{
	uint32_t have = ex->buf_at + ex->buf_len - ex->offset;

	loom_state_u32(a, &have);
	if (!loom_state_require(a, have <= sizeof(ex->buf) &&
				have <= ex->entry.cmd_size - ex->offset,
				"%u bytes fetched", have))
		return;
	if (a->load) {
		ex->buf_at = ex->offset;
		ex->buf_len = have;
	}
	loom_state_bytes(a, ex->buf + (ex->offset - ex->buf_at), have);
}

static void job_state(struct loom_archive *a, struct loom_exec *ex)
{
	loom_state_bytes(a, &ex->entry, sizeof(ex->entry));
	loom_state_u32(a, &ex->offset);
	loom_state_u32(a, &ex->index);
	loom_state_u32(a, &ex->opcode);
	loom_state_u64(a, &ex->struck);
	/* A bad one is only there to be reported, which is paced. */
	loom_state_require(a, loom_ring_entry_check(&ex->entry) < 0 ||
			   ex->queue->pace == LOOM_PACE_END,
			   "a job with a bad ring entry");
	loom_state_require(a, ex->offset <= ex->entry.cmd_size &&
			   ex->offset % LOOM_CMD_ALIGN == 0,
			   "a job at 0x%x of 0x%x", ex->offset,
			   ex->entry.cmd_size);
	loom_units_state(a, &ex->units);
	if (!a->failed)
		fetched_state(a, ex);
}

/* What can be said of a queue without its job. */
static bool queue_is_sane(const struct loom_core *core,
			  const struct loom_queue *q)
{
	bool runs = q->state == LOOM_QUEUE_STATE_IDLE;

	if (q->error >= LOOM_ERR_COUNT)
		return false;
	if (q->state == LOOM_QUEUE_STATE_DISABLED)
		return !q->head && !q->tail && !q->error && !q->progress &&
		       !q->failing && !q->blocked && !q->exec.active;
	if (!runs && (q->state != LOOM_QUEUE_STATE_ERROR || !q->error))
		return false;
	if (runs && (q->error || q->failing))
		return false;
	if (q->blocked && runs && !q->exec.active)
		return false;
	/* Enabled in vain, it has done nothing. */
	if (q->error == LOOM_ERR_QUEUE_CONFIG)
		return !q->exec.active && !q->failing && q->head == q->tail;
	return !loom_queue_config_error(core, q) &&
	       q->tail - q->head <= 1u << q->ring_size_log2 &&
	       (!q->exec.active || ((runs || q->failing) && q->tail != q->head));
}

static void queue_state(struct loom_archive *a, struct loom_queue *q)
{
	uint32_t *const registers[] = {
		&q->ring_size_log2, &q->ctx, &q->vector, &q->priority,
		&q->state, &q->head, &q->tail, &q->error, &q->progress,
		&q->wait_event, &q->wait_value,
	};
	unsigned int i;

	loom_state_u64(a, &q->ring_base);
	loom_state_u64(a, &q->compl_base);
	loom_state_u64(a, &q->served);
	for (i = 0; i < sizeof(registers) / sizeof(registers[0]); i++)
		loom_state_u32(a, registers[i]);
	loom_state_bool(a, &q->failing);
	loom_state_bool(a, &q->blocked);
	loom_state_bool(a, &q->exec.active);
	loom_state_require(a, !((q->ring_base | q->compl_base) % LOOM_CMD_ALIGN),
			   "queue %u: a misaligned ring", q->index);
	loom_state_require(a, q->wait_event < LOOM_NUM_EVENTS ||
			   q->wait_event == LOOM_EVENT_NEVER,
			   "queue %u waits for event %u", q->index,
			   q->wait_event);
	loom_state_require(a, queue_is_sane(a->core, q),
			   "queue %u: no queue is like that (state %u, error %u)",
			   q->index, q->state, q->error);
	loom_state_time(a, &q->exec.start);
	window_state(a, &q->exec.window);
	loom_pace_queue_state(a, q);
	loom_state_require(a, !(q->exec.active || q->begun) ||
			   q->exec.start <= loom_time_of_job(&q->exec),
			   "queue %u: a job that starts at 0x%llx, after now",
			   q->index, (unsigned long long)q->exec.start);
	if (q->exec.active && !a->failed)
		job_state(a, &q->exec);
	if (q->pace == LOOM_PACE_STEP && !a->failed)
		loom_pace_step_state(a, &q->exec);
}

static void queues_state(struct loom_archive *a)
{
	unsigned int i;

	for (i = 0; i < a->core->cfg.num_queues; i++)
		queue_state(a, &a->core->queue[i]);
}

static void events_state(struct loom_archive *a)
{
	struct loom_event_ring *r = &a->core->events;
	uint32_t pending = r->num_pending;
	unsigned int i;

	loom_state_u64(a, &r->base);
	loom_state_u32(a, &r->size_log2);
	loom_state_u32(a, &r->head);
	loom_state_u32(a, &r->next);
	loom_state_bool(a, &r->lost);
	loom_state_u32(a, &pending);
	loom_state_require(a, r->base % LOOM_CMD_ALIGN == 0,
			   "a misaligned ring");
	if (!loom_state_require(a, pending <= LOOM_MAX_QUEUES, "%u pending",
				pending))
		return;
	for (i = 0; i < pending; i++)
		loom_state_bytes(a, &r->pending[i], sizeof(r->pending[i]));
	if (a->load && !a->failed)
		r->num_pending = pending;
}

static bool page_is_zero(const uint8_t *page)
{
	return !page[0] && !memcmp(page, page + 1, LOOM_PAGE_SIZE - 1);
}

/* The first page from @page on that is not zero, or NO_PAGE. */
static uint32_t sram_next(const struct loom_core *core, uint32_t page)
{
	for (; page < core->cfg.sram_size / LOOM_PAGE_SIZE; page++)
		if (!page_is_zero(core->sram + (size_t)page * LOOM_PAGE_SIZE))
			return page;
	return NO_PAGE;
}

/* Pages that are not zero, in order, each behind its number. */
static void sram_state(struct loom_archive *a)
{
	struct loom_core *core = a->core;
	uint32_t first = 0, page;

	for (;; first = page + 1) {
		page = a->load ? 0 : sram_next(core, first);
		loom_state_u32(a, &page);
		if (a->failed || page == NO_PAGE)
			return;
		if (!loom_state_require(a, page >= first && page <
					core->cfg.sram_size / LOOM_PAGE_SIZE,
					"page %u", page))
			return;
		loom_state_bytes(a, core->sram + (size_t)page * LOOM_PAGE_SIZE,
				 LOOM_PAGE_SIZE);
	}
}

static const struct {
	const char *name;
	void (*contents)(struct loom_archive *a);
} sections[] = {
	{ "config", loom_config_state },
	{ "sched", scheduler_state },
	{ "counters", counters_state },
	{ "contexts", contexts_state },
	{ "queues", queues_state },
	{ "pacer", loom_pacer_state },
	{ "events", events_state },
	{ "sram", sram_state },
	{ "faults", loom_inject_state },
	{ "ras", loom_ras_state },
};

static void head_state(struct loom_archive *a)
{
	uint32_t magic = LOOM_STATE_MAGIC, version = LOOM_STATE_VERSION;

	a->section = "head";
	loom_state_u32(a, &magic);
	loom_state_u32(a, &version);
	loom_state_require(a, magic == LOOM_STATE_MAGIC,
			   "this is not the state of a Loom card");
	loom_state_require(a, version == LOOM_STATE_VERSION,
			   "format %u, of another version of the card; "
			   "this one reads %u", version, LOOM_STATE_VERSION);
}

#define ALL_SECTIONS	(sizeof(sections) / sizeof(sections[0]))
#define CONFIG_ONLY	1

static void whole_state(struct loom_archive *a, unsigned int count)
{
	unsigned int i;

	head_state(a);
	for (i = 0; i < count && !a->failed; i++)
		loom_state_section(a, sections[i].name, sections[i].contents);
	if (a->load)
		loom_state_require(a, a->at == a->end,
				   "%zu bytes follow the last one",
				   a->end - a->at);
}

/* Save -------------------------------------------------------------------- */

static bool is_busy(const struct loom_core *core)
{
	unsigned int i;

	for (i = 0; i < core->cfg.num_queues; i++)
		if (core->queue[i].busy)
			return true;
	return false;
}

static void *save(struct loom_core *core, unsigned int count, size_t *len)
{
	struct loom_archive a = { .core = core };

	whole_state(&a, count);
	if (a.failed) {
		loom_log(core, LOOM_LOG_HOST, "cannot save: %s", a.why);
		free(a.data);
		return NULL;
	}
	*len = a.at;
	return a.data;
}

void *loom_core_save(struct loom_core *core, size_t *len)
{
	void *data = NULL;

	loom_lock(core);
	if (!is_busy(core))
		data = save(core, ALL_SECTIONS, len);
	loom_unlock(core);
	return data;
}

void *loom_core_save_config(struct loom_core *core, size_t *len)
{
	return save(core, CONFIG_ONLY, len);
}

size_t loom_core_state_max(const struct loom_core_config *cfg)
{
	size_t page = LOOM_PAGE_SIZE + sizeof(uint32_t);

	/* Everything else takes no less in memory, but for heads and tags. */
	return sizeof(struct loom_core) + LOOM_PAGE_SIZE +
	       cfg->sram_size / LOOM_PAGE_SIZE * page;
}

/* Load -------------------------------------------------------------------- */

/* As after loom_core_create(). */
static void forget(struct loom_core *core)
{
	unsigned int i;

	loom_device_reset(core);
	core->clock = 0;
	core->pacer = (struct loom_pacer) { .ticking = core->pacer.ticking };
	core->picks = 0;
	memset(core->perf, 0, sizeof(core->perf));
	memset(core->latched, 0, sizeof(core->latched));
	loom_fault_forget(core);
	for (i = 0; i < LOOM_MAX_CONTEXTS; i++)
		memset(core->ctx[i].perf, 0, sizeof(core->ctx[i].perf));
}

/* What follows from the state, and goes on from it. */
static void restart(struct loom_core *core)
{
	struct loom_queue *q;
	unsigned int i;

	for (i = 0; i < core->cfg.num_queues; i++) {
		q = &core->queue[i];
		atomic_store(&q->exec.abort, q->failing ? LOOM_ABORT_STOP :
							  LOOM_ABORT_NONE);
		q->exec.trace_pending = false;
		if (q->ctx < core->cfg.num_contexts) {
			q->exec.ctx = &core->ctx[q->ctx];
			loom_mmu_switch(&q->exec);
		}
		loom_queue_update(core, q);
	}
	core->notify = atomic_load(&core->irqs) ||
		       atomic_load(&core->inject.later);
	loom_pace_arm(core);
}

static const char *outcome(const struct loom_archive *a, char *why, size_t len)
{
	if (!a->failed)
		return NULL;
	snprintf(why, len, "%s", a->why);
	return why;
}

const char *loom_core_check_config(struct loom_core *core, const void *data,
				   size_t len, char *why, size_t why_len)
{
	struct loom_archive a = {
		.core = core, .load = true, .data = (uint8_t *)data, .end = len,
	};

	whole_state(&a, CONFIG_ONLY);
	return outcome(&a, why, why_len);
}

const char *loom_core_load(struct loom_core *core, const void *data, size_t len,
			   char *why, size_t why_len)
{
	struct loom_archive a = {
		.core = core, .load = true, .data = (uint8_t *)data, .end = len,
	};

	loom_lock(core);
	forget(core);
	whole_state(&a, ALL_SECTIONS);
	if (a.failed)
		forget(core);
	else
		restart(core);
	loom_unlock(core);
	return outcome(&a, why, why_len);
}

/* Pause ------------------------------------------------------------------- */

static struct timespec deadline(unsigned int ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += ms % 1000 * 1000000L;
	if (t.tv_nsec >= 1000000000L) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000L;
	}
	return t;
}

bool loom_core_pause(struct loom_core *core, unsigned int timeout_ms)
{
	struct timespec end = deadline(timeout_ms);
	bool quiet;

	loom_lock(core);
	core->paused = true;
	core->waiters++;
	while (is_busy(core) &&
	       !pthread_cond_timedwait(&core->quiet, &core->lock, &end))
		;
	core->waiters--;
	quiet = !is_busy(core);
	loom_unlock(core);
	return quiet;
}

void loom_core_resume(struct loom_core *core)
{
	loom_lock(core);
	core->paused = false;
	pthread_cond_broadcast(&core->work);
	loom_pace_arm(core);
	core->notify = core->notify || atomic_load(&core->irqs);
	loom_unlock(core);
	loom_event_flush(core);
}
