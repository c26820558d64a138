/* SPDX-License-Identifier: MIT */
/*
 * DOC: The control side of the core, for its own files only
 *
 * core.c   create, destroy, configuration, reset, log
 * regs.c   register file
 * queue.c  rings, doorbells, scheduling, completions, queue reset
 * exec.c   commands of one job
 * mmu.c    translation and memory access
 * event.c  event ring, interrupts, events of contexts
 * perf.c   counters, trace of commands
 * pace.c   jobs that complete at their modelled end
 * timing.c modelled cycles
 * state.c  save and load (archive.c), pause
 * inject.h faults on demand, memory errors, sensors
 *
 * Ownership.  There is one lock, loom_core.lock.  A field is protected by it
 * unless its comment says otherwise.  A queue that is @busy belongs to one
 * worker, which alone may touch the fields marked "worker"; when it is not
 * busy those belong to the holder of the lock.  The only other locks are
 * loom_mmu.pin_lock and loom_inject.lock, both leaves.  No lock is held over an ops callback, but for
 * ops.log.
 */
#ifndef LOOM_CORE_INTERNAL_H
#define LOOM_CORE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "archive.h"
#include "engine.h"
#include "inject.h"
#include "timing.h"

#define LOOM_PRIORITIES		4
#define LOOM_TLB_SLOTS		32
#define LOOM_MAX_PINS		1024
/* The longest command: a VECTOR with all operands and instructions. */
#define LOOM_MAX_CMD_SIZE	(sizeof(struct loom_cmd_vector) + \
				 LOOM_VEC_MAX_OPERANDS * \
				 sizeof(struct loom_vec_operand) + \
				 LOOM_VEC_MAX_INSNS * \
				 sizeof(struct loom_vec_insn))
/* One command, and what is left of the page behind it. */
#define LOOM_FETCH_SIZE		(LOOM_MAX_CMD_SIZE + LOOM_PAGE_SIZE)

/** enum loom_abort - why a worker should leave its command early */
enum loom_abort {
	LOOM_ABORT_NONE,
	/** @LOOM_ABORT_DROP: reset; write nothing any more */
	LOOM_ABORT_DROP,
	/** @LOOM_ABORT_STOP: the queue stopped by loom_queue.error; report it */
	LOOM_ABORT_STOP,
	/** @LOOM_ABORT_REVOKED: memory in use was unmapped; the command faults */
	LOOM_ABORT_REVOKED,
};

/* timing.c ----------------------------------------------------------------- */

enum loom_engine {
	LOOM_ENGINE_ARRAY,
	LOOM_ENGINE_VECTOR,
	LOOM_ENGINE_COPY,
	LOOM_NUM_ENGINES,
};

/** struct loom_window - modelled time of one job */
struct loom_window {
	/** @front: when the front end can take the next command */
	uint64_t front;
	/** @barrier: relaxed commands start no earlier (FENCE, events) */
	uint64_t barrier;
	/** @end: when all commands so far are over */
	uint64_t end;
};

/** struct loom_units - what commands take turns at, on the same axis of time */
struct loom_units {
	/** @engine: when each engine is free */
	uint64_t engine[LOOM_NUM_ENGINES];
	/** @hbm: when HBM has served everything asked of it */
	uint64_t hbm;
	/** @pcie: likewise */
	uint64_t pcie;
};

/** struct loom_span - a command, or the fetch of a job, on the axis of time */
struct loom_span {
	/** @begin: the front end takes it */
	uint64_t begin;
	/** @issued: it is decoded and waits for its engine */
	uint64_t issued;
	/** @start: its engine begins, the memories stream */
	uint64_t start;
	/** @computed: its engine is done and waits for memory */
	uint64_t computed;
	/** @end: it is over */
	uint64_t end;
	/** @engine: the one that computes, if @computed is after @start */
	enum loom_engine engine;
	/** @wait: LOOM_PERF_CYC_* of the memory that it waits for */
	unsigned int wait;
};

/** struct loom_charge - cycles by which a step advances modelled time */
struct loom_charge {
	/** @row: LOOM_PERF_CYC_TOTAL..LOOM_PERF_CYC_IDLE; the rest sum to the first */
	uint64_t row[LOOM_PERF_CYC_IDLE + 1];
};

/** struct loom_step - one command as timing.c sees it */
struct loom_step {
	/** @cost: what the engine reported */
	const struct loom_cost *cost;
	/** @fetch_hbm: bytes of the command itself, read from HBM */
	uint64_t fetch_hbm;
	/** @fetch_pcie: likewise from system memory */
	uint64_t fetch_pcie;
	/** @relaxed: it may overlap earlier commands */
	bool relaxed;
	/** @barrier: later relaxed commands may not overlap it */
	bool barrier;
};

/* A job that begins at @start: its ring entry arrives. */
void loom_time_job(const struct loom_core_config *cfg, uint64_t start,
		   struct loom_window *w, struct loom_span *span);
/* When the front end can take a command that does or does not overlap others. */
uint64_t loom_time_ready(const struct loom_window *w, bool relaxed);
/* The next command of the job. */
void loom_time_step(const struct loom_core_config *cfg, struct loom_window *w,
		    struct loom_units *u, const struct loom_step *step,
		    struct loom_span *span);
/* What @span adds behind @edge, and to which row. */
void loom_time_charge(const struct loom_span *span, uint64_t edge,
		      struct loom_charge *charge);

/* mmu.c -------------------------------------------------------------------- */

/** struct loom_context - an address space */
struct loom_context {
	/** @root: LOOM_REG_CTX_ROOT; written under the lock, read without */
	atomic_ullong root;
	/** @epoch: grows with every invalidation; written after @root */
	atomic_uint epoch;
	/** @event: LOOM_OP_EVENT */
	uint32_t event[LOOM_NUM_EVENTS];
	/** @event_at: modelled cycle at which it got there; paced */
	uint64_t event_at[LOOM_NUM_EVENTS];
	/** @perf: what its jobs took, LOOM_PERF_* */
	uint64_t perf[LOOM_PERF_COUNT];
};

/** struct loom_tlb_slot - the translations of one aligned 2 MiB */
struct loom_tlb_slot {
	/** @tag: va >> LOOM_HUGE_SHIFT, plus 1; 0: empty */
	uint64_t tag;
	/** @huge: the entry of a 2 MiB page, or 0 */
	uint64_t huge;
	/** @pte: else a copy of the level 0 table */
	uint64_t pte[LOOM_PT_ENTRIES];
};

/** struct loom_run - a piece of memory contiguous behind the MMU */
struct loom_run {
	/** @kind: LOOM_KIND_* */
	unsigned int kind;
	/** @addr: where in it */
	uint64_t addr;
	/** @len: bytes */
	uint64_t len;
};

/** struct loom_pin - a range the running command holds a pointer to */
struct loom_pin {
	/** @va: its start */
	uint64_t va;
	/** @access: LOOM_ACCESS_* */
	uint32_t access;
	/** @run: what it translated to */
	struct loom_run run;
};

/** struct loom_mmu - the translations one queue uses */
struct loom_mmu {
	/** @epoch: worker; loom_context.epoch that @slot belongs to */
	unsigned int epoch;
	/** @root: worker; root that @slot belongs to */
	uint64_t root;
	/** @slot: worker; NULL until the queue first runs */
	struct loom_tlb_slot *slot;
	/** @access: odd while a translation is being used */
	atomic_uint access;
	/** @pin_lock: protects @pin and @num_pins */
	pthread_mutex_t pin_lock;
	/** @pin: what loom_mem_map() gave the running command */
	struct loom_pin *pin;
	/** @num_pins: how many */
	unsigned int num_pins;
	/** @pinned: bytes in all of them */
	uint64_t pinned;
	/** @revoked: pinned address that was unmapped, set before the abort flag */
	uint64_t revoked;
};

int loom_mmu_init(struct loom_mmu *mmu);
void loom_mmu_fini(struct loom_mmu *mmu);
/* Forget all translations of a context; waits for those in use.  Locked. */
void loom_mmu_invalidate(struct loom_core *core, unsigned int ctx);
/* The queue changed its context: forget everything at the next access. */
void loom_mmu_switch(struct loom_exec *ex);
/* The command is over: its pointers are void. */
void loom_mmu_unpin(struct loom_exec *ex);
/* Memory kind of the page at va, or -1.  Worker. */
int loom_mmu_kind(struct loom_exec *ex, uint64_t va);

/* exec.c ------------------------------------------------------------------- */

/** enum loom_progress - what loom_exec_step() got done */
enum loom_progress {
	/** @LOOM_STEP_RETIRED: one command */
	LOOM_STEP_RETIRED,
	/** @LOOM_STEP_END: nothing; the job has no more commands */
	LOOM_STEP_END,
	/** @LOOM_STEP_BLOCKED: nothing; the queue is parked on an event */
	LOOM_STEP_BLOCKED,
	/** @LOOM_STEP_FAILED: loom_exec.fault says why */
	LOOM_STEP_FAILED,
};

/** struct loom_effect - what a LOOM_OP_EVENT does */
struct loom_effect {
	bool any;
	/** @op: LOOM_EVENT_OP_SET or ADD */
	uint32_t op;
	uint32_t event;
	uint32_t value;
};

/** struct loom_exec - a job being executed; worker unless said otherwise */
struct loom_exec {
	/** @core: the card, constant */
	struct loom_core *core;
	/** @queue: the queue, constant */
	struct loom_queue *queue;
	/** @ctx: its context, set while DISABLED */
	struct loom_context *ctx;
	/** @abort: enum loom_abort; written under the lock, read without */
	atomic_uint abort;
	/** @last_start: processor time after which it starts no command; 0: any */
	uint64_t last_start;
	/** @deadline: processor time at which the running command fails; 0: none */
	uint64_t deadline;
	/** @ended: commands that ended, well or not; written under the lock */
	uint64_t ended;
	/** @fault: of the running command */
	struct loom_fault fault;
	/** @cost: of the running command */
	struct loom_cost cost;
	/** @active: there is a job */
	bool active;
	/** @entry: its ring entry */
	struct loom_ring_entry entry;
	/** @offset: of the running command in the command buffer */
	uint32_t offset;
	/** @index: of the running command */
	uint32_t index;
	/** @opcode: of the running command, 0 before it is known */
	uint32_t opcode;
	/** @fetch_kind: memory it came from, or -1 */
	int fetch_kind;
	/** @start: modelled cycle of the job's start */
	uint64_t start;
	/** @window: modelled time within the job, from 0 at its start */
	struct loom_window window;
	/** @units: what its commands take turns at; unused when paced */
	struct loom_units units;
	/** @step: the running command for timing.c, once it is done */
	struct loom_step step;
	/** @size: its size in bytes */
	uint32_t size;
	/** @signal_event: of its head */
	uint32_t signal_event;
	/** @effect: what it does to an event when it is over */
	struct loom_effect effect;
	/** @relaxed: LOOM_CMD_F_RELAXED of the running command */
	bool relaxed;
	/** @gates_passed: its waits for events that are over; pacer */
	unsigned int gates_passed;
	/** @gates_seen: its waits so far in this attempt to run it */
	unsigned int gates_seen;
	/** @trace: of the last thing counted */
	struct loom_core_trace trace;
	/** @trace_pending: it was not sent yet; pacer */
	bool trace_pending;
	/** @mmu: translations */
	struct loom_mmu mmu;
	/** @struck: commands that loom_inject_command() has seen of this job */
	uint64_t struck;
	/** @ecc: memory errors to be reported */
	struct loom_ecc ecc;
	/** @buf_at: offset in the command buffer of buf[0] */
	uint32_t buf_at;
	/** @buf_len: bytes in @buf */
	uint32_t buf_len;
	/** @buf: private copy of a part of the command buffer */
	_Alignas(64) uint8_t buf[LOOM_FETCH_SIZE];
};

/* Set up for the commands of ex->entry.  Worker. */
void loom_exec_begin(struct loom_exec *ex);
/* Processor time of this thread, ns. */
uint64_t loom_exec_time(void);
/* Count the arrival of a ring entry from @start on; opens the window.  Locked. */
void loom_exec_fetch(struct loom_exec *ex, uint64_t start);
/* Count the command in ex->step.  Locked. */
void loom_exec_account(struct loom_exec *ex);
/* Modelled time as far as the job is concerned.  Locked. */
uint64_t loom_time_of_job(const struct loom_exec *ex);
/* Run the next command.  Worker, no lock. */
enum loom_progress loom_exec_step(struct loom_exec *ex);

/* pace.c ------------------------------------------------------------------- */

/** enum loom_pace - what a queue of a paced card waits for, parked */
enum loom_pace {
	/** @LOOM_PACE_NONE: nothing; it has no job or a worker has to go on */
	LOOM_PACE_NONE,
	/** @LOOM_PACE_STEP: to have the command that ran counted */
	LOOM_PACE_STEP,
	/** @LOOM_PACE_GATE: to look at the event it wants to wait for */
	LOOM_PACE_GATE,
	/** @LOOM_PACE_END: to have its job completed */
	LOOM_PACE_END,
};

/** struct loom_pacer - modelled time of a paced card; see pace.c */
struct loom_pacer {
	/** @units: what the commands of all queues take turns at */
	struct loom_units units;
	/** @edge: up to here the charges go; loom_core.clock is behind it */
	uint64_t edge;
	/** @row: what is charged between the clock and @edge */
	uint64_t row[LOOM_TIME_ROWS];
	/** @ticking: a thread is in loom_core_tick() */
	bool ticking;
};

/* All locked.  The worker that leaves @q parks it. */
void loom_pace_park(struct loom_queue *q, enum loom_pace what);
/* There is a job in the ring that the model has not begun; from @start on. */
void loom_pace_begin(struct loom_core *core, struct loom_queue *q,
		     uint64_t start);
/* Ask for the next tick. */
void loom_pace_arm(struct loom_core *core);
/* Bring clock and counters up to now. */
void loom_pace_settle(struct loom_core *core);
/* The charge of a command, between the clock and the new edge. */
void loom_pace_charge(struct loom_core *core, const struct loom_charge *charge);
/* The pacer in a saved state: its part of a queue, the parked command, itself. */
void loom_pace_queue_state(struct loom_archive *a, struct loom_queue *q);
void loom_pace_step_state(struct loom_archive *a, struct loom_exec *ex);
void loom_pacer_state(struct loom_archive *a);
/* The card's own clock, LOOM_REG_TIME. */
uint64_t loom_pace_now(struct loom_core *core);

/* queue.c ------------------------------------------------------------------ */

/** struct loom_queue - a hardware queue */
struct loom_queue {
	/** @index: number, constant */
	unsigned int index;
	/* Registers; the first group changes only while DISABLED. */
	uint64_t ring_base;
	uint64_t compl_base;
	uint32_t ring_size_log2;
	uint32_t ctx;
	uint32_t vector;
	uint32_t priority;
	uint32_t state;
	uint32_t head;
	uint32_t tail;
	uint32_t error;
	uint32_t progress;
	/** @busy: a worker has it */
	bool busy;
	/** @owner: that worker, valid while @busy */
	pthread_t owner;
	/** @failing: stopped from outside; a worker must still report it */
	bool failing;
	/** @blocked: waits for @wait_event >= @wait_value */
	bool blocked;
	uint32_t wait_event;
	uint32_t wait_value;
	/** @resetting: threads inside loom_queue_reset() */
	unsigned int resetting;
	/** @served: value of loom_core.picks when it last ran */
	uint64_t served;
	/** @pace: what it waits for the pacer to do */
	enum loom_pace pace;
	/** @begun: the model has begun the job at @head; paced */
	bool begun;
	/** @late: the host was too slow; the pacer does not wait for it */
	bool late;
	/** @exec: its job */
	struct loom_exec exec;
};

/* Have the calling thread run a slice of @q, or complete its job.  Locked. */
void loom_queue_slice(struct loom_core *core, struct loom_queue *q);
void loom_queue_complete(struct loom_core *core, struct loom_queue *q);
/* A thread that began at @start, a loom_exec_time(), should come to an end. */
bool loom_out_of_patience(const struct loom_core *core, uint64_t start);
/* Whoever had it busy is out of it.  Locked. */
void loom_queue_leave(struct loom_core *core, struct loom_queue *q);
/* Could a worker go on with it? */
bool loom_queue_can_run(const struct loom_queue *q);
void loom_queue_doorbell(struct loom_core *core, struct loom_queue *q,
			 uint32_t tail);
void loom_queue_enable(struct loom_core *core, struct loom_queue *q);
void loom_queue_reset(struct loom_core *core, struct loom_queue *q);
void loom_queue_reset_all(struct loom_core *core);
/* Registers back to zero; DISABLED. */
void loom_queue_forget(struct loom_queue *q);
uint32_t loom_queue_state(const struct loom_queue *q);
/* Has a command of the current job begun? */
bool loom_queue_has_started(const struct loom_queue *q);
/* Something about @q changed: may it run now? */
void loom_queue_update(struct loom_core *core, struct loom_queue *q);
/* Byte offset of the first bad field of a ring entry, or -1. */
int loom_ring_entry_check(const struct loom_ring_entry *e);
/* What keeps a queue from being enabled, or NULL. */
const char *loom_queue_config_error(const struct loom_core *core,
				    const struct loom_queue *q);
/* loom_queue_update() when a thread that is no worker had it busy. */
void loom_queue_wake(struct loom_core *core, struct loom_queue *q);
/* True if the calling thread is the worker inside @q. */
bool loom_queue_is_mine(const struct loom_queue *q);

/* event.c ------------------------------------------------------------------ */

/** struct loom_event_ring - the card's side of the event ring */
struct loom_event_ring {
	uint64_t base;
	uint32_t size_log2;
	uint32_t head;
	/** @next: number of the next event */
	uint32_t next;
	/** @lost: events were lost since the last one written */
	bool lost;
	/** @writing: a worker is in loom_event_flush() */
	bool writing;
	/** @generation: grows when the ring is set up anew */
	unsigned int generation;
	/** @pending: events not yet in memory, first in first out */
	struct loom_event pending[LOOM_MAX_QUEUES];
	unsigned int num_pending;
};

/* A record that starts with its seq, which is written last.  Not locked. */
int loom_record_write(struct loom_core *core, unsigned int queue, uint64_t addr,
		      const void *record, size_t len);
void loom_event_ring_setup(struct loom_core *core);
/* Queue an event (locked), then write what is queued (not locked). */
void loom_event_post(struct loom_core *core, const struct loom_event *event);
void loom_event_flush(struct loom_core *core);
/* Mark a vector pending; the lock's release notifies the owner.  Locked. */
void loom_irq_raise(struct loom_core *core, unsigned int vector);
/* Events of a context.  Locked. */
void loom_ctx_event_set(struct loom_core *core, struct loom_context *ctx,
			unsigned int event, uint32_t value, uint64_t when);
bool loom_ctx_event_wait(struct loom_core *core, struct loom_queue *q,
			 unsigned int event, uint32_t value);

/* perf.c ------------------------------------------------------------------- */

/* All locked; @ctx is the context of the job. */
/* Charge the card and the context for @span; the job counted up to @edge. */
void loom_perf_span(struct loom_exec *ex, const struct loom_span *span,
		    uint64_t edge);
void loom_perf_step(struct loom_core *core, struct loom_context *ctx,
		    const struct loom_step *step);
void loom_perf_add(struct loom_core *core, struct loom_context *ctx,
		   unsigned int counter, uint64_t n);
/* ex->trace after loom_perf_span(); locked.  Send it; not locked. */
void loom_trace_step(struct loom_exec *ex);
void loom_trace_fetch(struct loom_exec *ex);
void loom_trace_send(const struct loom_exec *ex);
/* LOOM_REG_PERF_SELECT and LOOM_REG_PERF_CTRL. */
void loom_perf_select(struct loom_core *core, uint64_t what);
void loom_perf_ctrl(struct loom_core *core, uint64_t value);

/* core.c ------------------------------------------------------------------- */

struct loom_core {
	/** @cfg, @ops, @opaque, @hbm, @sram: constant */
	struct loom_core_config cfg;
	struct loom_core_ops ops;
	void *opaque;
	uint8_t *hbm;
	uint8_t *sram;
	/** @lock: see the head of this file */
	pthread_mutex_t lock;
	/** @work: workers wait here for a queue to become ready */
	pthread_cond_t work;
	/** @quiet: resets and invalidations wait here for a worker */
	pthread_cond_t quiet;
	/** @waiters: threads at @quiet */
	unsigned int waiters;
	/** @patience: loom_core_set_patience(), constant once there is work */
	uint64_t patience;
	/** @stopped: loom_core_stop() was called */
	bool stopped;
	/** @paused: loom_core_pause() was called */
	bool paused;
	/** @ready: queues that could run, by priority; bit per queue */
	uint64_t ready[LOOM_PRIORITIES];
	/** @picks: slices given out */
	uint64_t picks;
	/** @notify: interrupts became pending under the lock */
	bool notify;
	/** @irqs: pending vectors, atomic */
	atomic_ullong irqs;
	/** @bus_master: atomic */
	atomic_bool bus_master;
	/** @ctrl, @status, @scratch: registers */
	uint32_t ctrl;
	uint32_t status;
	uint32_t scratch;
	/** @clock: modelled time up to which the counters go, cycles */
	uint64_t clock;
	/** @pacer: unused unless cfg.timing says so */
	struct loom_pacer pacer;
	/** @perf: live counters of the card; @latched: the last snapshot */
	uint64_t perf[LOOM_PERF_COUNT];
	/** @perf_select: LOOM_REG_PERF_SELECT */
	uint32_t perf_select;
	uint64_t latched[LOOM_PERF_COUNT];
	struct loom_event_ring events;
	/** @trouble: hooks where faults are armed, LOOM_TROUBLE_POISON; atomic */
	atomic_uint trouble;
	struct loom_inject inject;
	struct loom_ras ras;
	struct loom_sensors sensors;
	/** @hbm_window: LOOM_REG_HBM_WINDOW; @hbm_bar: size of the BAR */
	uint64_t hbm_window;
	uint64_t hbm_bar;
	/** @log_second, @log_count: rate limit of ops.log, atomic */
	atomic_llong log_second;
	atomic_uint log_count;
	struct loom_context ctx[LOOM_MAX_CONTEXTS];
	struct loom_queue queue[LOOM_MAX_QUEUES];
};

void loom_lock(struct loom_core *core);
/* Also tells the owner of interrupts raised meanwhile. */
void loom_unlock(struct loom_core *core);
/* Release the lock until a worker ended a command or left a queue. */
void loom_quiet_wait(struct loom_core *core);
/* The same, at most until @until of CLOCK_MONOTONIC; false when it came. */
bool loom_quiet_wait_until(struct loom_core *core,
			   const struct timespec *until);
/* Release the lock for a moment. */
void loom_quiet_yield(struct loom_core *core);
/* A command ended or a worker left its queue.  Locked. */
void loom_quiet_wake(struct loom_core *core);

/* state.c ------------------------------------------------------------------ */

/* Cycles: far from where sums of a card's life would wrap. */
#define LOOM_STATE_TIME_MAX	(1ull << 62)

/* A modelled cycle. */
void loom_state_time(struct loom_archive *a, uint64_t *t);
void loom_units_state(struct loom_archive *a, struct loom_units *u);
/* The configuration in a saved state: must be that of the card. */
void loom_config_state(struct loom_archive *a);

/* LOOM_CTRL_RESET and loom_core_reset().  Locked; waits. */
void loom_device_reset(struct loom_core *core);

/* On behalf of a queue, or of LOOM_NO_QUEUE. */
int loom_dma_read(struct loom_core *core, unsigned int queue, uint64_t addr,
		  void *buf, size_t len);
int loom_dma_write(struct loom_core *core, unsigned int queue, uint64_t addr,
		   const void *buf, size_t len);

/* Is a fault armed at this hook?  All that it costs when none is. */
static inline bool loom_troubled(const struct loom_core *core,
				 enum loom_hook hook)
{
	return atomic_load_explicit(&core->trouble, memory_order_relaxed) &
	       1u << hook;
}

/* Can a read of HBM go wrong? */
static inline bool loom_read_troubled(const struct loom_core *core)
{
	return atomic_load_explicit(&core->trouble, memory_order_relaxed) &
	       (1u << LOOM_HOOK_READ | 1u << LOOM_TROUBLE_POISON);
}

__attribute__((format(printf, 3, 4)))
void loom_log(struct loom_core *core, enum loom_log_level level,
	      const char *fmt, ...);

static inline bool loom_is_paced(const struct loom_core *core)
{
	return core->cfg.timing != LOOM_TIMING_FREE;
}

/* The overflow-safe form of "[base, base + len) lies in [0, limit)". */
static inline bool loom_range_ok(uint64_t base, uint64_t len, uint64_t limit)
{
	return len <= limit && base <= limit - len;
}

static inline uint64_t loom_min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t loom_max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

#endif
