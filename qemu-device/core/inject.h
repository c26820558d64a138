/* SPDX-License-Identifier: MIT */
/*
 * DOC: Faults on demand and memory errors, for the core's own files
 *
 * inject.c   armed faults and the points of the core where they strike
 * inject_parse.c  the words for them
 * ras.c      poisoned pages, error counters, scrubbing
 * sensors.c  energy, power, temperature
 * fault_state.c  all of that in a saved state
 *
 * What is armed and which pages are poisoned is protected by
 * loom_inject.lock, a leaf that may be taken with or without the core's lock.
 * Code on a hot path looks at loom_core.trouble first: a single relaxed load
 * and a branch while nothing is armed and nothing poisoned.
 */
#ifndef LOOM_INJECT_H
#define LOOM_INJECT_H

#include <pthread.h>
#include <stdatomic.h>

#include "engine.h"
#include "loom_core.h"

struct loom_archive;
struct loom_completion;
struct loom_queue;
struct loom_run;

/** enum loom_hook - points of the core where faults strike */
enum loom_hook {
	/** @LOOM_HOOK_COMMAND: a command is about to run */
	LOOM_HOOK_COMMAND,
	/** @LOOM_HOOK_READ: an engine reads a piece of HBM */
	LOOM_HOOK_READ,
	/** @LOOM_HOOK_IRQ: a vector is raised */
	LOOM_HOOK_IRQ,
	/** @LOOM_HOOK_COMPLETION: a completion record is about to be written */
	LOOM_HOOK_COMPLETION,
	/** @LOOM_HOOK_DOORBELL: a doorbell was written */
	LOOM_HOOK_DOORBELL,
	/** @LOOM_HOOK_DMA: a transfer to or from system memory */
	LOOM_HOOK_DMA,
	/** @LOOM_HOOK_QUEUE_RESET: the host resets one queue */
	LOOM_HOOK_QUEUE_RESET,
	/** @LOOM_HOOK_FLR: function-level reset */
	LOOM_HOOK_FLR,
	LOOM_NUM_HOOKS,
};

/** LOOM_TROUBLE_POISON - bit of loom_core.trouble beside those of the hooks */
#define LOOM_TROUBLE_POISON	LOOM_NUM_HOOKS
/** LOOM_MAX_POISON - pages that can be poisoned at a time */
#define LOOM_MAX_POISON		1024
/** LOOM_EVENT_NEVER - what a queue waits for that hangs: no event's number */
#define LOOM_EVENT_NEVER	LOOM_NUM_EVENTS
/** LOOM_NO_QUEUE - not on behalf of a queue, as in struct loom_event */
#define LOOM_NO_QUEUE		(~0u)

/** struct loom_armed - an armed fault */
struct loom_armed {
	/** @spec: what was asked for */
	struct loom_inject_spec spec;
	/** @seen: occurrences that matched */
	uint64_t seen;
	/** @fired: how often it struck */
	uint64_t fired;
	/** @random: state of its generator */
	uint64_t random;
	/** @last_seen, @last_queue, @last_addr: where it struck last */
	uint64_t last_seen;
	uint32_t last_queue;
	uint64_t last_addr;
};

/** struct loom_inject - armed faults and poisoned pages */
struct loom_inject {
	/** @lock: of everything here and of loom_core.trouble; a leaf */
	pthread_mutex_t lock;
	/** @armed: in the order of arming */
	struct loom_armed armed[LOOM_INJECT_MAX];
	unsigned int num_armed;
	/** @poison: offsets of poisoned pages, ascending */
	uint64_t poison[LOOM_MAX_POISON];
	unsigned int num_poison;
	/** @later: vectors to deliver @delay_ms late (under the core's lock), atomic */
	atomic_ullong later;
	uint32_t delay_ms[LOOM_MAX_VECTORS];
};

/** struct loom_ras - error registers; under the core's lock */
struct loom_ras {
	uint64_t ce_count;
	uint64_t ue_count;
	uint64_t ce_addr;
	uint64_t ue_addr;
};

/** LOOM_POWER_BUCKETS - parts of the millisecond that power is averaged over */
#define LOOM_POWER_BUCKETS	16

/** struct loom_sensors - energy, power, temperature; under the core's lock */
struct loom_sensors {
	/** @energy_uj: since power-on; @energy_rest: fJ beyond that */
	uint64_t energy_uj;
	uint64_t energy_rest;
	/** @bucket: fJ spent in each part of the last millisecond */
	uint64_t bucket[LOOM_POWER_BUCKETS];
	/** @current: the part that is being filled, @filled: its cycles so far */
	uint32_t current;
	uint64_t filled;
	/** @carry: fJ of commands that took no time of their own */
	uint64_t carry;
	/** @temp: nanodegrees Celsius */
	int64_t temp;
	/** @warned: LOOM_EVENT_THERMAL was sent and it has not cooled since */
	bool warned;
};

/** struct loom_at - an occurrence */
struct loom_at {
	/** @queue: whose, or LOOM_NO_QUEUE */
	uint32_t queue;
	/** @vector: LOOM_HOOK_IRQ only */
	uint32_t vector;
	/** @addr, @len: what is accessed; HBM offsets or bus addresses */
	uint64_t addr;
	uint64_t len;
};

struct loom_charge;

void loom_inject_init(struct loom_core *core);
void loom_inject_fini(struct loom_core *core);
/* Vectors on their way are lost with a reset; faults stay armed. */
void loom_inject_reset(struct loom_core *core);

/*
 * The hooks.  Call them only after loom_troubled(); they count the occurrence
 * and do what the fault that strikes wants.
 */
/* Before a command; true: the queue is parked, as if it hung.  Not locked. */
bool loom_inject_command(struct loom_exec *ex);
/* Locked; the fault that strikes, or LOOM_INJECT_NONE. */
enum loom_inject_kind loom_inject_irq(struct loom_core *core,
				      unsigned int vector);
/* Deliver what is due later.  Not locked. */
void loom_inject_deliver(struct loom_core *core);
void loom_inject_completion(struct loom_core *core, unsigned int queue,
			    struct loom_completion *c);
/* True: the doorbell does not arrive, the reset does not happen. */
bool loom_inject_doorbell(struct loom_core *core, unsigned int queue);
bool loom_inject_queue_reset(struct loom_core *core, unsigned int queue);
/* True: the transfer fails. */
bool loom_inject_dma(struct loom_core *core, unsigned int queue, uint64_t addr,
		     size_t len);
/* An engine reads HBM: LOOM_INJECT_ECC_* with the byte at fault, or NONE. */
enum loom_inject_kind loom_inject_read(struct loom_core *core,
				       unsigned int queue, uint64_t addr,
				       uint64_t len, uint64_t *at);
/* Can it be armed on this card?  NULL, or why not, a sentence in @buf. */
const char *loom_inject_check(const struct loom_core *core,
			      const struct loom_inject_spec *spec, char *buf,
			      size_t len);
/* Recompute loom_core.trouble.  loom_inject.lock is held, or nothing runs. */
void loom_inject_refresh(struct loom_core *core);

/* ras.c -------------------------------------------------------------------- */

/** struct loom_ecc - what a read found, until it can be reported */
struct loom_ecc {
	/** @corrected: an error at @ce, an HBM offset */
	bool corrected;
	uint64_t ce;
	/** @ue: page of the last access that LOOM_ERR_HBM_ECC ended */
	uint64_t ue;
};

/*
 * loom_ras_read() - an engine is about to read a piece of HBM
 *
 * Cuts @len where a poisoned page begins.  Returns LOOM_ERR_HBM_ECC if that is
 * at once.  Call it after loom_read_troubled(); report when no translation is
 * in use any more, the uncorrected one only if it makes a command fail.
 */
uint32_t loom_ras_read(struct loom_exec *ex, uint64_t addr, uint64_t *len);
/* Is there a poisoned page in the range?  Any thread. */
bool loom_ras_poisoned(struct loom_core *core, uint64_t addr, uint64_t len,
		       uint64_t *page);
/* Count and tell the host what loom_exec.ecc holds.  Not locked. */
void loom_ras_report_ce(struct loom_exec *ex);
void loom_ras_report_ue(struct loom_exec *ex);
/* Poison a page; false if there are too many.  Any thread. */
bool loom_ras_poison(struct loom_core *core, uint64_t page);
/* The patrol found an error no queue has met.  Not locked. */
void loom_ras_patrol(struct loom_core *core, uint64_t page);
/* LOOM_REG_RAS_SCRUB.  Locked, but releases the lock for a moment. */
void loom_ras_scrub(struct loom_core *core, uint64_t offset);

/* sensors.c ---------------------------------------------------------------- */

/** LOOM_TEMP_MAX - the hottest it can get, nanodegrees */
#define LOOM_TEMP_MAX	10000000000000ll

/* Power-on and resets: cold, idle. */
void loom_sensors_reset(struct loom_core *core);
/* Modelled time passed and, if @cost, work was done.  Locked. */
void loom_sensors_step(struct loom_core *core, uint64_t cycles,
		       const struct loom_cost *cost);
/* Heat the card over its trip point.  Locked. */
void loom_sensors_trip(struct loom_core *core);
uint32_t loom_sensors_temp(const struct loom_core *core);
uint32_t loom_sensors_power(const struct loom_core *core);

/* fault_state.c ------------------------------------------------------------ */

void loom_inject_state(struct loom_archive *a);
void loom_ras_state(struct loom_archive *a);
/* As after loom_core_create(); nothing runs. */
void loom_fault_forget(struct loom_core *core);

#endif
