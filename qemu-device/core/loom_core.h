/* SPDX-License-Identifier: MIT */
/*
 * DOC: The accelerator as a library
 *
 * What an owner (the QEMU device, libaccel's sim: transport, a test, a fuzzer)
 * needs to run a card.  Several cards may live in one process; there are no
 * globals.  Nothing a guest does makes any of this abort, assert or block for
 * long; a guest mistake becomes an error of its queue and a log line.
 *
 * Threads and locks
 *   All functions may be called from any thread unless said otherwise.  The
 *   core has one lock of its own, never held over an ops callback except
 *   @log, so callbacks may take the owner's locks.
 *
 *   The core creates no thread.  The owner either gives it some (each loops on
 *   loom_core_work()), or none and calls loom_core_run() when convenient.
 *   Work is done on those threads without the owner's locks.  Interrupts are
 *   collected and delivered only from loom_core_deliver(), which the owner
 *   calls, on its own terms, after @notify.
 *
 *   Functions that must see the engines quiet (writes of LOOM_CTRL_RESET,
 *   queue RESET, TLB_INVALIDATE and CTX_ROOT, loom_core_reset()) wait until the
 *   worker has left the queue or the memory; engines look for that every few
 *   hundred microseconds.  Callbacks other than @irq must therefore not need a
 *   lock that the caller of those holds.
 */
#ifndef LOOM_CORE_H
#define LOOM_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loom_core;
struct loom_inject_spec;

/** enum loom_log_level - who is to blame */
enum loom_log_level {
	/** @LOOM_LOG_GUEST: the guest did something wrong */
	LOOM_LOG_GUEST,
	/** @LOOM_LOG_HOST: the host is short of something */
	LOOM_LOG_HOST,
};

/** struct loom_core_trace - a command, or the fetch of a job, that was counted */
struct loom_core_trace {
	/** @queue, @context: whose it is */
	unsigned int queue;
	unsigned int context;
	/** @fetch: no command but the arrival of the job's ring entry */
	bool fetch;
	/** @opcode: LOOM_OP_* */
	uint32_t opcode;
	/** @index: of the command in its job */
	uint32_t index;
	/** @seq: of the job; 0 with @fetch, for nobody has read it yet */
	uint64_t seq;
	/**
	 * @begin: the front end takes it; @issued: it is decoded; @start: its
	 * engine begins; @computed: the engine is done; @end: memory is, too.
	 * Modelled cycles, in this order.
	 */
	uint64_t begin, issued, start, computed, end;
	/** @engine: LOOM_PERF_CYC_* of the engine, if @start is not @computed */
	unsigned int engine;
	/** @wait: LOOM_PERF_CYC_* of the memory waited for after @computed */
	unsigned int wait;
	/** @charged: cycle from which on it is charged; the rest was hidden */
	uint64_t charged;
	/** @row: what it added to LOOM_PERF_CYC_*, the total first */
	uint64_t row[8];
	/** @hbm_rd, @hbm_wr, @pcie_rd, @pcie_wr: bytes */
	uint64_t hbm_rd, hbm_wr, pcie_rd, pcie_wr;
	/** @macs: multiply-accumulates */
	uint64_t macs;
	/** @vector_ops: instruction x lane */
	uint64_t vector_ops;
};

/** struct loom_core_ops - what the core needs from its owner */
struct loom_core_ops {
	/** @dma_read: read system memory; 0, or -1 when it is not all RAM */
	int (*dma_read)(void *opaque, uint64_t addr, void *buf, size_t len);
	/** @dma_write: write system memory; 0, or -1 when it is not all RAM */
	int (*dma_write)(void *opaque, uint64_t addr, const void *buf, size_t len);
	/** @irq: raise MSI-X @vector (< num_vectors); only inside loom_core_deliver() */
	void (*irq)(void *opaque, unsigned int vector);
	/** @notify: interrupts wait; arrange a call of loom_core_deliver().  Any thread. */
	void (*notify)(void *opaque);
	/** @hbm_dirty: the card wrote HBM (dirty tracking); may be NULL */
	void (*hbm_dirty)(void *opaque, uint64_t offset, uint64_t len);
	/** @log: one line without newline; may be NULL */
	void (*log)(void *opaque, enum loom_log_level level, const char *line);
	/** @trace_job: a job is over; may be NULL */
	void (*trace_job)(void *opaque, unsigned int queue, uint64_t seq,
			  uint32_t error, uint64_t start, uint64_t end);
	/**
	 * @irq_later: raise MSI-X @vector in @delay_ms of the guest's time, by
	 * loom_core_raise(); only inside loom_core_deliver().  NULL: raised at
	 * once.
	 */
	void (*irq_later)(void *opaque, unsigned int vector, uint32_t delay_ms);
	/**
	 * @inject: one of the owner's own faults struck (LOOM_INJECT_AER_*,
	 * LINK_DOWN, REMOVAL).  Any thread; may be NULL.
	 */
	void (*inject)(void *opaque, const struct loom_inject_spec *spec);
	/** @trace_command: a command was counted; may be NULL */
	void (*trace_command)(void *opaque, const struct loom_core_trace *t);
	/**
	 * @now: the owner's clock in device cycles, which never goes back.
	 * Called with the core's lock held, so it must not wait.  May be NULL
	 * unless the card is paced, as @arm.
	 */
	uint64_t (*now)(void *opaque);
	/**
	 * @arm: call loom_core_tick() once @now says @cycle, or UINT64_MAX: not
	 * at all; replaces what was asked for before.  As @now.
	 */
	void (*arm)(void *opaque, uint64_t cycle);
};

/** enum loom_timing - when jobs complete; Documentation/timing.rst */
enum loom_timing {
	/** @LOOM_TIMING_FREE: when the host has done the work */
	LOOM_TIMING_FREE,
	/** @LOOM_TIMING_PACED: not before their modelled end on the owner's clock */
	LOOM_TIMING_PACED,
	/**
	 * @LOOM_TIMING_EXACT: at their modelled end; loom_core_tick() waits for
	 * the work, so the owner's clock must stand still meanwhile
	 */
	LOOM_TIMING_EXACT,
};

/** enum loom_dataflow - what stays in the cells of an array */
enum loom_dataflow {
	/** @LOOM_DATAFLOW_WS: weights, the B operand */
	LOOM_DATAFLOW_WS,
	/** @LOOM_DATAFLOW_OS: outputs, the sums */
	LOOM_DATAFLOW_OS,
};

/** struct loom_core_config - the card to build; loom_core_config_default() fills it */
struct loom_core_config {
	/** @hbm_size: bytes, a multiple of 2 MiB, 16 MiB..64 GiB */
	uint64_t hbm_size;
	/** @sram_size: bytes, a multiple of 2 MiB, 2 MiB..1 GiB */
	uint64_t sram_size;
	/** @serial: serial number */
	uint64_t serial;
	/** @num_arrays: systolic arrays, 1..64 */
	uint32_t num_arrays;
	/** @array_rows: 8..512, a power of two */
	uint32_t array_rows;
	/** @array_cols: 8..512, a power of two */
	uint32_t array_cols;
	/** @clock_khz: device clock, 1000..10000000 */
	uint32_t clock_khz;
	/** @vector_lanes: 32-bit lanes per cycle, 16..65536 */
	uint32_t vector_lanes;
	/** @hbm_channels: 1..256 */
	uint32_t hbm_channels;
	/** @hbm_channel_mbps: peak of one channel, 10^6 bytes/s, 1..1000000 */
	uint32_t hbm_channel_mbps;
	/** @pcie_mbps: peak of one direction, 10^6 bytes/s, 1..1000000 */
	uint32_t pcie_mbps;
	/** @num_queues: 1..64 */
	uint32_t num_queues;
	/** @num_contexts: 1..256 */
	uint32_t num_contexts;
	/** @num_vectors: MSI-X vectors, 1..33 */
	uint32_t num_vectors;
	/** @static_mw: power of a card that does nothing, mW, 0..1000000 */
	uint32_t static_mw;
	/** @mac_fj: energy of a multiply-accumulate, fJ, 0..1000000 */
	uint32_t mac_fj;
	/** @vector_op_fj: of a vector instruction on one lane, fJ, 0..1000000 */
	uint32_t vector_op_fj;
	/** @hbm_byte_fj: of a byte from or to HBM, fJ, 0..1000000 */
	uint32_t hbm_byte_fj;
	/** @pcie_byte_fj: of a byte over PCIe, fJ, 0..1000000 */
	uint32_t pcie_byte_fj;
	/** @ambient_mc: air temperature, millidegrees Celsius, 0..100000 */
	uint32_t ambient_mc;
	/** @thermal_mc_per_w: by which a watt heats in the long run, 0..10000 */
	uint32_t thermal_mc_per_w;
	/** @thermal_tau_us: time constant of that, modelled time, 1..60000000 */
	uint32_t thermal_tau_us;
	/** @temp_crit_mc: trip point, millidegrees Celsius, 1..200000 */
	uint32_t temp_crit_mc;
	/** @timing: enum loom_timing */
	uint32_t timing;
	/** @dataflow: enum loom_dataflow; changes modelled time, never results */
	uint32_t dataflow;
};

void loom_core_config_default(struct loom_core_config *cfg);

/**
 * loom_core_config_check() - is this a card that can be built?
 *
 * Return: NULL, or a sentence that names the member, its value and the allowed
 * range (in @buf).
 */
const char *loom_core_config_check(const struct loom_core_config *cfg,
				   char *buf, size_t len);

/**
 * loom_core_create() - build a card in its reset state
 * @cfg: checked by the caller with loom_core_config_check()
 * @ops: callbacks, copied
 * @opaque: first argument of each
 * @hbm: cfg->hbm_size bytes that the owner keeps until loom_core_destroy()
 *
 * Return: the card, or NULL without memory.
 */
struct loom_core *loom_core_create(const struct loom_core_config *cfg,
				   const struct loom_core_ops *ops,
				   void *opaque, void *hbm);

/** loom_core_destroy() - needs loom_core_stop() before, and no thread inside */
void loom_core_destroy(struct loom_core *core);

/* BAR accesses; size is 4 or 8, other sizes and unaligned ones are guest mistakes. */
uint64_t loom_core_mmio_read(struct loom_core *core, uint64_t offset,
			     unsigned int size);
void loom_core_mmio_write(struct loom_core *core, uint64_t offset,
			  uint64_t value, unsigned int size);
/* Offset within LOOM_BAR_DOORBELL. */
void loom_core_doorbell_write(struct loom_core *core, uint64_t offset,
			      uint64_t value, unsigned int size);

/**
 * loom_core_reset() - function-level or bus reset
 *
 * Aborts all work without completions, forgets queues, contexts, events and
 * pending interrupts, zeroes SRAM.  HBM keeps its contents; the modelled clock
 * goes on.
 */
void loom_core_reset(struct loom_core *core);

/**
 * loom_core_set_bus_master() - may the card use the bus?  Off at first, as on PCI.
 *
 * Without, DMA fails and interrupts stay pending.
 */
void loom_core_set_bus_master(struct loom_core *core, bool on);

/**
 * loom_core_work() - body of a worker thread: wait for work, do one slice of it
 *
 * Return: false after loom_core_stop(); the thread then ends.
 */
bool loom_core_work(struct loom_core *core);

/**
 * loom_core_run() - without worker threads: do up to @budget commands now
 *
 * Return: true if work remains.
 */
bool loom_core_run(struct loom_core *core, unsigned int budget);

/**
 * loom_core_set_patience() - how much processor time a loom_core_run() may take
 * @ns: nanoseconds; 0, as at first: no limit
 *
 * For an owner whose thread has other things to do.  loom_core_run() starts no
 * command after a quarter of @ns, and one that is not over at the end of it
 * fails with LOOM_ERR_INTERNAL.  Call it before there is work.
 */
void loom_core_set_patience(struct loom_core *core, uint64_t ns);

/**
 * loom_core_pause() - let no command begin any more
 * @timeout_ms: how long to wait for the commands that run
 *
 * Registers can be used and resets work while paused.
 *
 * Return: true if nothing runs; false if commands still do (they go on).
 */
bool loom_core_pause(struct loom_core *core, unsigned int timeout_ms);

/** loom_core_resume() - end a pause; without worker threads, loom_core_run() */
void loom_core_resume(struct loom_core *core);

/**
 * loom_core_save() - everything a card is, but for HBM and bus mastering
 * @len: set to the length
 *
 * The card must be paused, or have no worker threads.  The state is a sequence of
 * bytes that only loom_core_load() of the same version understands.
 *
 * Return: the state, for the caller to free(); NULL while commands run or
 * without memory.
 */
void *loom_core_save(struct loom_core *core, size_t *len);

/**
 * loom_core_load() - become the card that was saved
 * @data: of loom_core_save(), or anything
 *
 * The card must be paused, or have no worker threads.  HBM should have the
 * contents of that moment before anything runs.
 *
 * Return: NULL, or a sentence (in @why) that says what is wrong; the card is then
 * as after its creation.
 */
const char *loom_core_load(struct loom_core *core, const void *data, size_t len,
			   char *why, size_t why_len);

/*
 * The configuration alone, for who wants to know early whether a state will fit:
 * as loom_core_save() and loom_core_load(), but nothing changes.
 */
void *loom_core_save_config(struct loom_core *core, size_t *len);
const char *loom_core_check_config(struct loom_core *core, const void *data,
				   size_t len, char *why, size_t why_len);

/** loom_core_state_max() - an upper bound of the length of a saved state */
size_t loom_core_state_max(const struct loom_core_config *cfg);

/**
 * loom_core_tick() - bring a paced card's model up to the owner's clock
 * @run: there are no worker threads, so do the work that is late here
 *
 * Completes the jobs whose time has come; loom_core_deliver() should follow.
 * With LOOM_TIMING_EXACT it waits for work that is late, at most a second.
 */
void loom_core_tick(struct loom_core *core, bool run);

/** loom_core_deliver() - call ops.irq for every pending vector */
void loom_core_deliver(struct loom_core *core);

/** loom_core_stop() - abort everything and make loom_core_work() return false */
void loom_core_stop(struct loom_core *core);

/**
 * loom_core_raise() - raise a vector of ops.irq_later whose time has come
 */
void loom_core_raise(struct loom_core *core, unsigned int vector);

/**
 * loom_core_set_hbm_bar() - the size of LOOM_BAR_HBM, a power of two
 *
 * LOOM_REG_HBM_WINDOW is a multiple of it.  At first it is all of HBM.
 */
void loom_core_set_hbm_bar(struct loom_core *core, uint64_t size);

/** loom_core_hbm_window() - the HBM offset that the BAR has to show */
uint64_t loom_core_hbm_window(struct loom_core *core);

/*
 * Faults on demand.  They stay armed over every reset.
 */

/** enum loom_inject_kind - what can be made to fail; Documentation/faults.rst */
enum loom_inject_kind {
	LOOM_INJECT_NONE,
	/** @LOOM_INJECT_ECC_CORRECTED: an engine's read meets a bit error */
	LOOM_INJECT_ECC_CORRECTED,
	/** @LOOM_INJECT_ECC_UNCORRECTED: an engine's read meets two */
	LOOM_INJECT_ECC_UNCORRECTED,
	/** @LOOM_INJECT_POISON: the patrol finds a page it cannot correct */
	LOOM_INJECT_POISON,
	/** @LOOM_INJECT_HANG: a command never ends */
	LOOM_INJECT_HANG,
	/** @LOOM_INJECT_RESET_STUCK: the reset of a queue does nothing */
	LOOM_INJECT_RESET_STUCK,
	/** @LOOM_INJECT_IRQ_LOST: an interrupt does not arrive */
	LOOM_INJECT_IRQ_LOST,
	/** @LOOM_INJECT_IRQ_DUPLICATE: an interrupt comes again later */
	LOOM_INJECT_IRQ_DUPLICATE,
	/** @LOOM_INJECT_IRQ_LATE: an interrupt comes later */
	LOOM_INJECT_IRQ_LATE,
	/** @LOOM_INJECT_WRONG_SEQ: a completion has a wrong sequence number */
	LOOM_INJECT_WRONG_SEQ,
	/** @LOOM_INJECT_STUCK_DOORBELL: a doorbell has no effect */
	LOOM_INJECT_STUCK_DOORBELL,
	/** @LOOM_INJECT_DMA_ERROR: system memory does not answer */
	LOOM_INJECT_DMA_ERROR,
	/** @LOOM_INJECT_THERMAL_TRIP: the card overheats */
	LOOM_INJECT_THERMAL_TRIP,
	/** @LOOM_INJECT_AER_CORRECTABLE: the owner reports a PCIe error */
	LOOM_INJECT_AER_CORRECTABLE,
	LOOM_INJECT_AER_NONFATAL,
	LOOM_INJECT_AER_FATAL,
	/** @LOOM_INJECT_LINK_DOWN: the card is off the bus for some time */
	LOOM_INJECT_LINK_DOWN,
	/** @LOOM_INJECT_REMOVAL: the card is pulled out */
	LOOM_INJECT_REMOVAL,
	/** @LOOM_INJECT_FLR_TIMEOUT: the card is long in coming back from FLR */
	LOOM_INJECT_FLR_TIMEOUT,
	LOOM_INJECT_KINDS,
};

/** LOOM_INJECT_MAX - faults that can be armed at a time */
#define LOOM_INJECT_MAX		32
/** LOOM_INJECT_ANY - no filter */
#define LOOM_INJECT_ANY		(~0ull)

/** struct loom_inject_spec - one fault */
struct loom_inject_spec {
	/** @kind: enum loom_inject_kind */
	uint32_t kind;
	/** @delay_ms: for kinds that last or come later */
	uint32_t delay_ms;
	/** @after: occurrences to let pass before the first that may fail */
	uint64_t after;
	/** @count: how often it strikes, 0: for ever */
	uint64_t count;
	/** @chance: strikes one in so many occurrences, at random; 1: each */
	uint64_t chance;
	/** @seed: of everything random about it */
	uint64_t seed;
	/** @queue: only this queue's occurrences, or LOOM_INJECT_ANY */
	uint64_t queue;
	/** @vector: only this vector's, or LOOM_INJECT_ANY */
	uint64_t vector;
	/** @addr: only accesses of this address, or LOOM_INJECT_ANY */
	uint64_t addr;
	/** @status: AER status bit, 0: that usual for the kind */
	uint32_t status;
	/** @has_header: @header is the TLP that AER shall log */
	uint32_t has_header;
	uint32_t header[4];
};

/** struct loom_inject_state - an armed fault and what became of it */
struct loom_inject_state {
	struct loom_inject_spec spec;
	/** @seen: occurrences since it was armed that it was asked about */
	uint64_t seen;
	/** @fired: how often it struck */
	uint64_t fired;
	/** @last_seen: the occurrence at which it struck last, from 1; 0: never */
	uint64_t last_seen;
	/** @last_queue: whose that was, ~0: nobody's */
	uint32_t last_queue;
	/** @last_addr: the address that was concerned, or 0 */
	uint64_t last_addr;
};

/** loom_inject_name() - as in specifications, NULL if there is no such kind */
const char *loom_inject_name(uint32_t kind);
/** loom_inject_keys() - the keys it takes: "after, count, ..." in @buf */
const char *loom_inject_keys(uint32_t kind, char *buf, size_t len);

/**
 * loom_inject_parse() - read a specification: NAME[,KEY=VALUE]...
 *
 * Return: NULL, or what is wrong with it, a sentence in @buf.
 */
const char *loom_inject_parse(const char *text, struct loom_inject_spec *spec,
			      char *buf, size_t len);

/**
 * loom_core_inject() - arm the faults of @text, separated by ";"
 *
 * A fault that needs no command to strike (poison, thermal-trip, aer-*,
 * link-down, surprise-removal) does so at once when none of after, chance and
 * queue is given.  None is armed if one is wrong.
 *
 * Return: NULL, or what is wrong, a sentence in @buf.
 */
const char *loom_core_inject(struct loom_core *core, const char *text,
			     char *buf, size_t len);

/** loom_core_inject_clear() - disarm all; what already failed stays failed */
void loom_core_inject_clear(struct loom_core *core);

/** loom_core_inject_state() - the armed faults; returns how many, at most @max */
unsigned int loom_core_inject_state(struct loom_core *core,
				    struct loom_inject_state *state,
				    unsigned int max);

/**
 * loom_core_inject_flr() - does a fault strike this function-level reset?
 *
 * Return: whether; @spec is LOOM_INJECT_FLR_TIMEOUT's then.
 */
bool loom_core_inject_flr(struct loom_core *core, struct loom_inject_spec *spec);

/** loom_core_poison() - the poisoned pages; returns how many, at most @max */
unsigned int loom_core_poison(struct loom_core *core, uint64_t *page,
			      unsigned int max);

/** loom_core_perf() - a live performance counter, LOOM_PERF_* */
uint64_t loom_core_perf(struct loom_core *core, unsigned int counter);

/** loom_op_name() - LOOM_OP_* in letters */
const char *loom_op_name(uint32_t opcode);

/** loom_strerror() - LOOM_ERR_* in words */
const char *loom_strerror(uint32_t error);

#endif
