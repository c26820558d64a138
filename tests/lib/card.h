/* SPDX-License-Identifier: MIT */
/*
 * DOC: A card on the test bench
 *
 * A loom core with its HBM, a piece of fake system memory, page tables and
 * queues, for tests that want to run commands and look at the results.
 *
 *	struct t_card *card = t_card_create(NULL);
 *	uint64_t a = t_hbm_alloc(card, 4096);
 *	float *p = t_ptr(card, a);
 *	... fill *p, build struct loom_cmd_copy cmd ...
 *	struct loom_completion done = t_run_cmds(card, &cmd, sizeof(cmd));
 *	ck_assert_uint_eq(done.error, LOOM_ERR_NONE);
 *	t_card_destroy(card);
 *
 * Queue 0 is ready and runs in context T_CTX.  In T_CTX device virtual address
 * X is offset X in HBM for everything from t_hbm_alloc().  Nothing runs by
 * itself: t_submit() and t_run_cmds() drive the core from the calling thread,
 * unless t_workers_start() was called.
 *
 * Anything the fixture itself cannot do (no memory, bad argument) prints a
 * line and aborts the test program.
 */
#ifndef T_CARD_H
#define T_CARD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <loom/loom_isa.h>
#include <loom/loom_regs.h>

#include "loom_core.h"

#define T_CTX		1u			/* context of t_hbm_alloc() */
#define T_HBM_FIRST	0x100000ull		/* first address it returns */
#define T_SYS_BASE	0x100000000ull		/* bus address of sys[0] */
#define T_SYS_SIZE	(16ull << 20)
#define T_RING_LOG2	4u			/* entries of every t_ ring */
#define T_MAX_WORKERS	8

/** struct t_queue - the host's side of one ring */
struct t_queue {
	/** @ring: bus address of the entries */
	uint64_t ring;
	/** @compl: bus address of the completions */
	uint64_t compl;
	/** @tail: entries submitted so far */
	uint32_t tail;
};

struct t_card {
	/** @core: the card under test */
	struct loom_core *core;
	/** @cfg: what it was built from */
	struct loom_core_config cfg;
	/** @hbm: its HBM, cfg.hbm_size bytes */
	uint8_t *hbm;
	/** @sys: system memory, bus addresses T_SYS_BASE onwards */
	uint8_t *sys;
	/** @hbm_next: next free byte for t_hbm_alloc(), grows */
	uint64_t hbm_next;
	/** @table_next: end of the space left for page tables, shrinks */
	uint64_t table_next;
	/** @sys_next: next free byte of @sys */
	uint64_t sys_next;
	/** @root: HBM offset of each context's page table, 0 for none */
	uint64_t root[LOOM_MAX_CONTEXTS];
	/** @queue: the rings */
	struct t_queue queue[LOOM_MAX_QUEUES];
	/** @events: bus address of the event ring, 2^T_RING_LOG2 entries */
	uint64_t events;
	/** @next_seq: for ring entries */
	uint64_t next_seq;
	/** @irqs: interrupts delivered, by vector */
	atomic_uint irqs[LOOM_MAX_VECTORS];
	/** @dirty_bytes: sum of all hbm_dirty() calls */
	atomic_ullong dirty_bytes;
	/** @log_lines: lines logged so far */
	atomic_uint log_lines;
	/** @last_log: the last one (single-threaded tests only) */
	char last_log[256];
	/** @dma_hook: if set, called before every DMA; non-zero fails it */
	int (*dma_hook)(struct t_card *card, uint64_t addr, size_t len,
			bool is_write);
	/** @hook_data: for the hook */
	void *hook_data;
	/** @cmds, @cmds_size: where t_run_cmds() puts command buffers */
	uint64_t cmds;
	uint64_t cmds_size;
	/** @workers: threads of t_workers_start() */
	pthread_t workers[T_MAX_WORKERS];
	/** @num_workers: how many */
	unsigned int num_workers;
	/** @now: what the card takes for time when it is paced, cycles */
	atomic_ullong now;
	/** @armed: when it wants loom_core_tick() */
	atomic_ullong armed;
	/** @on_command: if set, gets every command that is counted */
	void (*on_command)(struct t_card *card,
			   const struct loom_core_trace *t);
	/** @commands: for it */
	void *commands;
};

/* NULL: 64 MiB of HBM, 2 MiB of SRAM, all else as loom_core_config_default(). */
struct t_card *t_card_create(const struct loom_core_config *cfg);
void t_card_destroy(struct t_card *card);

/* Registers: 32 bits or 64 bits. */
uint32_t t_read32(struct t_card *card, uint64_t reg);
uint64_t t_read64(struct t_card *card, uint64_t reg);
void t_write32(struct t_card *card, uint64_t reg, uint32_t value);
void t_write64(struct t_card *card, uint64_t reg, uint64_t value);
/* A live performance counter. */
uint64_t t_perf(struct t_card *card, unsigned int counter);

/*
 * t_map() - map [va, va + size) to @kind memory from @phys on, page by page
 *
 * kind is LOOM_KIND_*; va, phys and size are multiples of 4 KiB.  t_map_huge()
 * uses 2 MiB pages.  Contexts get their page table when first used.
 */
void t_map(struct t_card *card, unsigned int ctx, uint64_t va,
	   unsigned int kind, uint64_t phys, uint64_t size, bool writable);
void t_map_huge(struct t_card *card, unsigned int ctx, uint64_t va,
		unsigned int kind, uint64_t phys, uint64_t size, bool writable);
void t_unmap(struct t_card *card, unsigned int ctx, uint64_t va, uint64_t size);

/*
 * t_pte() - where the entry of @level (0..3) for @va lives, for tests that
 * break it; tables above it are made as needed.
 */
uint64_t *t_pte(struct t_card *card, unsigned int ctx, uint64_t va,
		unsigned int level);
/* Tell the card to forget the translations of @ctx. */
void t_invalidate(struct t_card *card, unsigned int ctx);

/*
 * t_hbm_alloc() - @size bytes of zeroed HBM, mapped writable in T_CTX at the
 * address that is also its HBM offset; page aligned, contiguous, with an
 * unmapped page behind it.
 */
uint64_t t_hbm_alloc(struct t_card *card, uint64_t size);
/* t_sys_alloc() - @size bytes of zeroed system memory; its bus address. */
uint64_t t_sys_alloc(struct t_card *card, uint64_t size);
/* Host pointer to system memory. */
void *t_sys_ptr(struct t_card *card, uint64_t bus);
/*
 * t_ptr() - host pointer to device virtual address @va of T_CTX; NULL when it
 * is not mapped or lies in SRAM.  Walks the tables with code of its own.
 */
void *t_ptr(struct t_card *card, uint64_t va);

/* Set up and enable a queue (again), with rings of its own and vector 1 + q. */
void t_queue_init(struct t_card *card, unsigned int queue, unsigned int ctx,
		  unsigned int priority);

/*
 * t_queue_push() - write one ring entry for a command buffer, no doorbell;
 * returns its index.  t_doorbell() tells the card about all entries so far.
 */
uint32_t t_queue_push(struct t_card *card, unsigned int queue, uint64_t va,
		      uint32_t bytes);
void t_doorbell(struct t_card *card, unsigned int queue);
/* The raw ring entry and completion record number @index. */
struct loom_ring_entry *t_entry(struct t_card *card, unsigned int queue,
				uint32_t index);
struct loom_completion *t_completion(struct t_card *card, unsigned int queue,
				     uint32_t index);
/* Has the record of entry @index been written?  (its seq, with acquire) */
bool t_is_done(struct t_card *card, unsigned int queue, uint32_t index);

/* Run everything that can run, deliver interrupts. */
void t_run(struct t_card *card);

/*
 * t_submit() - run a command buffer that is in device memory and return what
 * became of it.  If nothing was written the record is all zero but for error
 * == ~0 (a job that waits for ever, or an unreadable ring).
 */
struct loom_completion t_submit(struct t_card *card, unsigned int queue,
				uint64_t va, uint32_t bytes);
/*
 * t_run_cmds() - copy a command buffer into HBM and run it on queue 0.
 *
 * A queue that the last one left in ERROR is reset first.
 */
struct loom_completion t_run_cmds(struct t_card *card, const void *buf,
				  uint32_t bytes);

/*
 * t_advance() - let the clock of a paced card run until it says @cycle
 *
 * Ticks whenever the card asked for it, on time; does the work itself if there
 * are no workers.
 */
void t_advance(struct t_card *card, uint64_t cycle);

/* Worker threads, or more of them; t_card_destroy() stops them for good. */
void t_workers_start(struct t_card *card, unsigned int count);
void t_workers_stop(struct t_card *card);

/* A valid command header, and whole commands. */
struct loom_cmd t_cmd(uint8_t opcode, size_t bytes);
struct loom_cmd_nop t_nop(void);
struct loom_cmd_event t_event(uint32_t op, uint32_t event, uint32_t value);
struct loom_cmd_timestamp t_timestamp(uint64_t va);
struct loom_cmd_copy t_copy_bytes(uint64_t dst, uint64_t src, uint32_t bytes);
/* A fill of one page at @dst that goes on for hours, until aborted. */
struct loom_cmd_copy t_fill_for_ever(uint64_t dst);

#endif
