// SPDX-License-Identifier: MIT
/*
 * DOC: The commands of one job
 *
 * The command buffer is copied into loom_exec.buf a piece at a time, each byte
 * once; a command is checked and run from there, so nothing the guest does to
 * its buffer meanwhile matters.  Heads are checked in one place, by one table.
 * A job can stop before any command and go on later on another worker.
 *
 * Everything here belongs to the worker that runs the queue; the lock is taken
 * to retire a command and for events.
 */
#include <string.h>
#include <time.h>

#include "core_internal.h"

/* Faults ------------------------------------------------------------------ */

static int fail(struct loom_exec *ex, struct loom_fault fault)
{
	unsigned int abort = atomic_load(&ex->abort);

	if (ex->fault.error)
		return -1;
	if (fault.error == LOOM_ERR_ABORTED && abort == LOOM_ABORT_REVOKED) {
		fault.error = LOOM_ERR_FAULT_UNMAPPED;
		fault.addr = ex->mmu.revoked;
	}
	if (fault.error == LOOM_ERR_ABORTED && abort == LOOM_ABORT_NONE)
		fault.error = LOOM_ERR_INTERNAL;	/* out of time */
	ex->fault = fault;
	return -1;
}

int loom_fail(struct loom_exec *ex, uint32_t error, uint32_t field)
{
	return fail(ex, (struct loom_fault) { .error = error, .field = field });
}

int loom_fail_addr(struct loom_exec *ex, uint32_t error, uint64_t addr,
		   uint32_t access)
{
	return fail(ex, (struct loom_fault) {
		.error = error, .addr = addr, .access = access,
	});
}

uint64_t loom_exec_time(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

bool loom_exec_aborted(const struct loom_exec *ex)
{
	return atomic_load_explicit(&ex->abort, memory_order_relaxed) !=
		       LOOM_ABORT_NONE ||
	       (ex->deadline && loom_exec_time() > ex->deadline);
}

const struct loom_core_config *loom_exec_config(const struct loom_exec *ex)
{
	return &ex->core->cfg;
}

struct loom_cost *loom_exec_cost(struct loom_exec *ex)
{
	return &ex->cost;
}

/* Fetch ------------------------------------------------------------------- */

/* The next command's bytes, as far as they have been fetched. */
static uint8_t *fetched(struct loom_exec *ex)
{
	return ex->buf + (ex->offset - ex->buf_at);
}

/*
 * Have at least @len bytes of the next command in buf.  Reads on to the end of
 * the page, which is mapped if the bytes themselves are.
 */
static int fetch(struct loom_exec *ex, uint32_t len)
{
	uint32_t have = ex->buf_at + ex->buf_len - ex->offset;
	uint64_t va = ex->entry.cmd_va + ex->offset, end;

	if (have >= len)
		return 0;
	memmove(ex->buf, fetched(ex), have);
	ex->buf_at = ex->offset;
	ex->buf_len = have;
	end = (va + len + LOOM_PAGE_SIZE - 1) & ~(uint64_t)(LOOM_PAGE_SIZE - 1);
	end = loom_min(end, ex->entry.cmd_va + ex->entry.cmd_size);
	if (loom_mem_read(ex, va + have, ex->buf + have, end - va - have)) {
		if (ex->fault.error != LOOM_ERR_ABORTED &&
		    ex->fault.error != LOOM_ERR_HBM_ECC)
			ex->fault.error = LOOM_ERR_CMD_FETCH;
		return -1;
	}
	ex->buf_len = end - va;
	return 0;
}

/* Commands ---------------------------------------------------------------- */

/* The first set byte of [from, to) that must be zero fails the command. */
static int check_zero(struct loom_exec *ex, const void *cmd, size_t from,
		      size_t to)
{
	const uint8_t *p = cmd;

	for (; from < to; from++)
		if (p[from])
			return loom_fail(ex, LOOM_ERR_CMD_RESERVED, from);
	return 0;
}

static int nop_exec(struct loom_exec *ex, const void *cmd, size_t len)
{
	return check_zero(ex, cmd, offsetof(struct loom_cmd_nop, reserved),
			  len);
}

/* Returns 1 instead of 0 if the queue has to wait. */
static int event_exec(struct loom_exec *ex, const void *p, size_t len)
{
	const struct loom_cmd_event *cmd = p;
	int wait = 0;

	if (check_zero(ex, cmd, offsetof(struct loom_cmd_event, reserved), len))
		return -1;
	if (cmd->op > LOOM_EVENT_OP_WAIT_GE)
		return loom_fail(ex, LOOM_ERR_CMD_FIELD,
				 offsetof(struct loom_cmd_event, op));
	if (cmd->event >= LOOM_NUM_EVENTS)
		return loom_fail(ex, LOOM_ERR_EVENT,
				 offsetof(struct loom_cmd_event, event));
	if (cmd->op == LOOM_EVENT_OP_WAIT_GE) {
		loom_lock(ex->core);
		wait = !loom_ctx_event_wait(ex->core, ex->queue, cmd->event,
					    cmd->value);
		loom_unlock(ex->core);
	} else {
		ex->effect = (struct loom_effect) {
			true, cmd->op, cmd->event, cmd->value,
		};
	}
	return wait;
}

static int timestamp_exec(struct loom_exec *ex, const void *p, size_t len)
{
	const struct loom_cmd_timestamp *cmd = p;
	uint64_t now;

	if (check_zero(ex, cmd, offsetof(struct loom_cmd_timestamp, reserved),
		       len))
		return -1;
	if (cmd->addr % sizeof(now))
		return loom_fail(ex, LOOM_ERR_CMD_ALIGN,
				 offsetof(struct loom_cmd_timestamp, addr));
	if (cmd->addr >> LOOM_VA_BITS)
		return loom_fail(ex, LOOM_ERR_CMD_RANGE,
				 offsetof(struct loom_cmd_timestamp, addr));
	loom_lock(ex->core);
	now = loom_time_of_job(ex);
	loom_unlock(ex->core);
	loom_mem_traffic(ex, cmd->addr, sizeof(now), LOOM_ACCESS_WRITE);
	return loom_mem_write(ex, cmd->addr, &now, sizeof(now));
}

static int copy_exec(struct loom_exec *ex, const void *cmd, size_t len)
{
	(void)len;
	return loom_copy_exec(ex, cmd);
}

static int matmul_exec(struct loom_exec *ex, const void *cmd, size_t len)
{
	(void)len;
	return loom_matmul_exec(ex, cmd);
}

static int vector_exec(struct loom_exec *ex, const void *cmd, size_t len)
{
	return loom_vector_exec(ex, cmd, len);
}

/** struct op - one row per opcode */
struct op {
	uint8_t opcode;
	/** @name: for people */
	const char *name;
	/** @barrier: later relaxed commands wait for it */
	bool barrier;
	/** @min, @max: size of the command in bytes */
	uint16_t min;
	uint16_t max;
	/** @exec: 0; -1 after loom_fail(); 1: not yet, the queue is blocked */
	int (*exec)(struct loom_exec *ex, const void *cmd, size_t len);
};

#define FIXED(type)	.min = sizeof(struct type), .max = sizeof(struct type)

static const struct op ops[] = {
	{ LOOM_OP_NOP, "NOP", false, FIXED(loom_cmd_nop), .exec = nop_exec },
	{ LOOM_OP_FENCE, "FENCE", true, FIXED(loom_cmd_nop),
	  .exec = nop_exec },
	{ LOOM_OP_EVENT, "EVENT", true, FIXED(loom_cmd_event),
	  .exec = event_exec },
	{ LOOM_OP_TIMESTAMP, "TIMESTAMP", false, FIXED(loom_cmd_timestamp),
	  .exec = timestamp_exec },
	{ LOOM_OP_COPY, "COPY", false, FIXED(loom_cmd_copy),
	  .exec = copy_exec },
	{ LOOM_OP_MATMUL, "MATMUL", false, FIXED(loom_cmd_matmul),
	  .exec = matmul_exec },
	{ LOOM_OP_VECTOR, "VECTOR", false, .min = sizeof(struct loom_cmd_vector),
	  .max = LOOM_MAX_CMD_SIZE, .exec = vector_exec },
};

static const struct op *op_find(unsigned int opcode)
{
	unsigned int i;

	for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		if (ops[i].opcode == opcode)
			return &ops[i];
	return NULL;
}

const char *loom_op_name(uint32_t opcode)
{
	const struct op *op = op_find(opcode);

	return op ? op->name : "unknown";
}

#define FIELD(member)	offsetof(struct loom_cmd, member)

/* Everything about a head that does not depend on the opcode's own fields. */
static const struct op *head_check(struct loom_exec *ex,
				   const struct loom_cmd *hdr)
{
	uint32_t size = hdr->size64 * LOOM_CMD_ALIGN;
	const struct op *op = op_find(hdr->opcode);
	uint32_t error = LOOM_ERR_NONE, field = 0;

	if (!op) {
		error = LOOM_ERR_CMD_OPCODE;
	} else if (hdr->version != LOOM_ISA_VERSION) {
		error = LOOM_ERR_CMD_VERSION;
		field = FIELD(version);
	} else if (size < op->min || size > op->max ||
		   size > ex->entry.cmd_size - ex->offset) {
		error = LOOM_ERR_CMD_SIZE;
		field = FIELD(size64);
	} else if (hdr->flags & ~LOOM_CMD_F_MASK) {
		error = LOOM_ERR_CMD_RESERVED;
		field = FIELD(flags);
	} else if (hdr->wait_event >= LOOM_NUM_EVENTS) {
		error = LOOM_ERR_EVENT;
		field = FIELD(wait_event);
	} else if (hdr->signal_event >= LOOM_NUM_EVENTS) {
		error = LOOM_ERR_EVENT;
		field = FIELD(signal_event);
	}
	if (error)
		loom_fail(ex, error, field);
	return error ? NULL : op;
}

/* Copy in and check the next command. */
static const struct op *command_decode(struct loom_exec *ex)
{
	const struct loom_cmd *hdr;
	const struct op *op;

	ex->opcode = 0;
	if (fetch(ex, LOOM_CMD_ALIGN))
		return NULL;
	hdr = (const struct loom_cmd *)fetched(ex);
	ex->opcode = hdr->opcode;
	ex->fetch_kind = loom_mmu_kind(ex, ex->entry.cmd_va + ex->offset);
	op = head_check(ex, hdr);
	if (!op || fetch(ex, hdr->size64 * LOOM_CMD_ALIGN))
		return NULL;
	return op;
}

/* May the command start, as far as hdr.wait_event goes?  Else parks. */
static bool command_may_start(struct loom_exec *ex, const struct loom_cmd *hdr)
{
	bool ok;

	if (!hdr->wait_event)
		return true;
	loom_lock(ex->core);
	ok = loom_ctx_event_wait(ex->core, ex->queue, hdr->wait_event, 1);
	loom_unlock(ex->core);
	return ok;
}

/* Modelled time as far as this job is concerned.  Locked. */
uint64_t loom_time_of_job(const struct loom_exec *ex)
{
	return loom_is_paced(ex->core) ? ex->window.end : ex->core->clock;
}

/* Events that the command sets once it is over.  Locked. */
static void signal_events(struct loom_exec *ex)
{
	const struct loom_effect *e = &ex->effect;
	uint32_t value = e->value;
	unsigned int event;

	if (e->any) {
		if (e->op == LOOM_EVENT_OP_ADD)
			value += ex->ctx->event[e->event];
		loom_ctx_event_set(ex->core, ex->ctx, e->event, value,
				   ex->window.end);
	}
	event = ex->signal_event;
	if (event)
		loom_ctx_event_set(ex->core, ex->ctx, event,
				   ex->ctx->event[event] + 1, ex->window.end);
}

/* Cycles that the sensors see pass now; a paced card's clock does that. */
static uint64_t sensed(const struct loom_exec *ex)
{
	return loom_is_paced(ex->core) ? 0 : ex->trace.row[LOOM_PERF_CYC_TOTAL];
}

void loom_exec_account(struct loom_exec *ex)
{
	struct loom_core *core = ex->core;
	uint64_t edge = ex->window.end;
	struct loom_span span;

	loom_time_step(&core->cfg, &ex->window,
		       loom_is_paced(core) ? &core->pacer.units : &ex->units,
		       &ex->step, &span);
	loom_perf_span(ex, &span, edge);
	loom_perf_step(core, ex->ctx, &ex->step);
	loom_trace_step(ex);
	loom_sensors_step(core, sensed(ex), ex->step.cost);
	ex->queue->progress++;
	signal_events(ex);
	ex->offset += ex->size;
	ex->index++;
	ex->gates_passed = 0;
}

/* Modelled time, counters, signals: now, or when the pacer says so. */
static void command_retire(struct loom_exec *ex, const struct op *op,
			   const struct loom_cmd *hdr)
{
	uint32_t size = hdr->size64 * LOOM_CMD_ALIGN;
	struct loom_core *core = ex->core;

	ex->size = size;
	ex->signal_event = hdr->signal_event;
	ex->step = (struct loom_step) {
		.cost = &ex->cost,
		.fetch_hbm = ex->fetch_kind == LOOM_KIND_HBM ? size : 0,
		.fetch_pcie = ex->fetch_kind == LOOM_KIND_SYSTEM ? size : 0,
		.relaxed = hdr->flags & LOOM_CMD_F_RELAXED,
		.barrier = op->barrier || hdr->wait_event,
	};
	bool events;

	loom_lock(core);
	if (loom_is_paced(core))
		loom_pace_park(ex->queue, LOOM_PACE_STEP);
	else
		loom_exec_account(ex);
	events = core->events.num_pending;
	loom_unlock(core);
	if (events)
		loom_event_flush(core);
	if (!loom_is_paced(core))
		loom_trace_send(ex);
}

/* The command is over one way or the other: nothing points to memory. */
static void command_end(struct loom_exec *ex)
{
	unsigned int revoked = LOOM_ABORT_REVOKED;

	loom_mmu_unpin(ex);
	loom_lock(ex->core);
	ex->ended++;
	atomic_compare_exchange_strong(&ex->abort, &revoked, LOOM_ABORT_NONE);
	loom_quiet_wake(ex->core);
	loom_unlock(ex->core);
}

void loom_exec_begin(struct loom_exec *ex)
{
	struct loom_core *core = ex->core;

	ex->active = true;
	ex->offset = 0;
	ex->index = 0;
	ex->opcode = 0;
	ex->buf_at = 0;
	ex->buf_len = 0;
	ex->struck = 0;
	ex->gates_passed = 0;
	memset(&ex->fault, 0, sizeof(ex->fault));
	if (loom_is_paced(core))
		return;
	loom_lock(core);
	loom_exec_fetch(ex, 0);
	ex->start = core->clock - ex->window.end;
	loom_unlock(core);
	loom_trace_send(ex);
}

void loom_exec_fetch(struct loom_exec *ex, uint64_t start)
{
	struct loom_span span;

	memset(&ex->units, 0, sizeof(ex->units));
	loom_time_job(&ex->core->cfg, start, &ex->window, &span);
	ex->start = start;
	loom_perf_span(ex, &span, start);
	loom_perf_add(ex->core, ex->ctx, LOOM_PERF_PCIE_RD_BYTES,
		      sizeof(ex->entry));
	loom_trace_fetch(ex);
	loom_sensors_step(ex->core, sensed(ex), NULL);
}

enum loom_progress loom_exec_step(struct loom_exec *ex)
{
	const struct loom_cmd *hdr;
	const struct op *op;
	int result;

	if (ex->offset == ex->entry.cmd_size)
		return LOOM_STEP_END;
	memset(&ex->cost, 0, sizeof(ex->cost));
	ex->effect.any = false;
	ex->gates_seen = 0;
	op = command_decode(ex);
	if (!op)
		return LOOM_STEP_FAILED;
	hdr = (const struct loom_cmd *)fetched(ex);
	ex->relaxed = hdr->flags & LOOM_CMD_F_RELAXED;
	if (!command_may_start(ex, hdr))
		return LOOM_STEP_BLOCKED;
	if (loom_troubled(ex->core, LOOM_HOOK_COMMAND) &&
	    loom_inject_command(ex))
		return LOOM_STEP_BLOCKED;
	result = op->exec(ex, hdr, hdr->size64 * LOOM_CMD_ALIGN);
	if (!result)
		command_retire(ex, op, hdr);
	command_end(ex);
	if (result < 0)
		return LOOM_STEP_FAILED;
	if (result || loom_is_paced(ex->core))
		return LOOM_STEP_BLOCKED;
	return LOOM_STEP_RETIRED;
}
