/* SPDX-License-Identifier: MIT */
/*
 * DOC: What the fuzz targets share
 *
 * A target is LLVMFuzzerTestOneInput() of fuzz_<name>.c.  It decodes its input
 * with struct fuzz_in and drives the one card of the process:
 *
 *	fuzz_begin(&in);	the card as it was built, DMA answers from @in
 *	...			registers, doorbells, fuzz_run()
 *	fuzz_end();		checks, reset, a job whose result is known
 *
 * The card is small: 16 MiB of HBM, 2 MiB of SRAM, 4 queues, 4 contexts.  Its
 * HBM begins as an image with page tables (root FUZZ_ROOT) that map
 * fuzz_windows[].  A broken promise of the card prints a line and aborts.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <loom/loom_isa.h>
#include <loom/loom_regs.h>

#include "loom_core.h"

#define FUZZ_HBM_SIZE	(16ull << 20)
#define FUZZ_SRAM_SIZE	(2ull << 20)
#define FUZZ_SYS_BASE	0x100000000ull	/* bus address of system memory */
#define FUZZ_SYS_SIZE	(1ull << 20)
#define FUZZ_QUEUES	4u
#define FUZZ_CONTEXTS	4u
#define FUZZ_VECTORS	5u

#define FUZZ_ROOT	0x0ull		/* HBM offset of the page table's root */
#define FUZZ_TABLES_END	0x100000ull	/* tables lie below */
#define FUZZ_CMDS	0x100000ull	/* command buffers: address and HBM offset */
#define FUZZ_CMDS_SIZE	0x40000ull
#define FUZZ_CTX	1u
#define FUZZ_RING_LOG2	3u

/** struct fuzz_in - an input: operations from the front, answers from the back */
struct fuzz_in {
	const uint8_t *front;
	const uint8_t *back;
};

static inline bool fuzz_more(const struct fuzz_in *in)
{
	return in->front < in->back;
}

/* What is no longer there reads as zero. */
static inline uint8_t fuzz_u8(struct fuzz_in *in)
{
	return fuzz_more(in) ? *in->front++ : 0;
}

static inline uint16_t fuzz_u16(struct fuzz_in *in)
{
	uint16_t low = fuzz_u8(in);

	return (uint16_t)(low | fuzz_u8(in) << 8);
}

static inline uint32_t fuzz_u32(struct fuzz_in *in)
{
	uint32_t low = fuzz_u16(in);

	return low | (uint32_t)fuzz_u16(in) << 16;
}

static inline uint64_t fuzz_u64(struct fuzz_in *in)
{
	uint64_t low = fuzz_u32(in);

	return low | (uint64_t)fuzz_u32(in) << 32;
}

static inline uint8_t fuzz_answer(struct fuzz_in *in)
{
	return fuzz_more(in) ? *--in->back : 0;
}

/** struct fuzz_window - a piece of the address space that the image maps */
struct fuzz_window {
	uint64_t va;
	uint64_t size;
	bool writable;
};

#define FUZZ_WINDOWS	8
extern const struct fuzz_window fuzz_windows[FUZZ_WINDOWS];

/** struct fuzz_card - the card and the machine around it */
struct fuzz_card {
	struct loom_core *core;
	uint8_t *hbm;
	uint8_t *sys;
	/** @answers: DMA reads may differ from what memory holds */
	bool answers;
	/** @interrupted: a run took long, and the card was reset */
	bool interrupted;
	/** @faults: some were armed, so the card may have overheated */
	bool faults;
	/** @in: the input */
	struct fuzz_in *in;
	/** @on_dma: called before each DMA; may use registers and doorbells */
	void (*on_dma)(void);
	/** @tail: of the rings of fuzz_queue_start() */
	uint32_t tail[FUZZ_QUEUES];
	/** @num_tables: pages of page tables in the image */
	unsigned int num_tables;
};

extern struct fuzz_card fuzz_card;

void fuzz_begin(struct fuzz_in *in);
void fuzz_end(void);

/* The registers are those of a card that was just made. */
void fuzz_check_reset(void);
/* What holds at any time outside a callback. */
void fuzz_check_card(void);

/* loom_core_run(), watched: what takes long is stopped by a reset. */
bool fuzz_run(unsigned int budget);

/* Registers. */
uint32_t fuzz_read32(uint64_t reg);
uint64_t fuzz_read64(uint64_t reg);
void fuzz_write32(uint64_t reg, uint32_t value);
void fuzz_write64(uint64_t reg, uint64_t value);

/* Write HBM as a guest does through its BAR; beyond the end is ignored. */
void fuzz_poke(uint64_t offset, const void *data, size_t len);

/* Page @n of HBM or of system memory changed since fuzz_begin(). */
bool fuzz_hbm_changed(uint64_t page);
bool fuzz_sys_changed(uint64_t page);

/* Context FUZZ_CTX gets the image's tables, and the queues may run. */
void fuzz_card_start(void);
/* A queue with rings of its own. */
void fuzz_queue_start(unsigned int queue, unsigned int priority);
/* Write a ring entry; no doorbell. */
void fuzz_push(unsigned int queue, uint64_t va, uint32_t bytes);
void fuzz_doorbell(unsigned int queue);
/* The completion record of the last fuzz_push(), or NULL if it is not there. */
const struct loom_completion *fuzz_completion(unsigned int queue);

/* Arm faults, or try to, with specifications made from the input. */
void fuzz_arm(struct fuzz_in *in);
/* Disarm all. */
void fuzz_disarm(void);
/* Disarm all and scrub what is poisoned; what a trip stopped needs a reset. */
void fuzz_repair(void);

/* A valid head. */
struct loom_cmd fuzz_head(uint8_t opcode, size_t bytes);

/**
 * fuzz_commands() - decode commands, mostly valid ones, until @in or @size ends
 *
 * Return: bytes written to @buf.
 */
uint32_t fuzz_commands(struct fuzz_in *in, uint8_t *buf, uint32_t size);

/*
 * fuzz_part() - take from @in what commands are made of: all, or with answers
 * the first three quarters.
 */
struct fuzz_in fuzz_part(struct fuzz_in *in, bool answers);
/* Run commands as a job between fuzz_begin() and fuzz_end(), with checks. */
void fuzz_job(struct fuzz_in *in, const void *cmds, uint32_t len, bool answers);

/* A check that does not depend on NDEBUG. */
#define FUZZ_CHECK(cond, ...)						\
	do {								\
		if (!(cond))						\
			fuzz_fail(#cond, __VA_ARGS__);			\
	} while (0)

__attribute__((format(printf, 2, 3), noreturn))
void fuzz_fail(const char *what, const char *fmt, ...);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
