/* SPDX-License-Identifier: MIT */
/*
 * What the engines (copy.c, matmul.c, vector.c) and the control side (queue.c,
 * exec.c, mmu.c, timing.c) know of each other.
 *
 * An engine gets a command that was copied in once, checks it, does it, and
 * returns 0, or -1 after loom_fail().  It reaches memory only through the
 * loom_mem_* functions, which translate.  No lock is held while it runs.
 */
#ifndef LOOM_ENGINE_H
#define LOOM_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <loom/loom_isa.h>
#include <loom/loom_regs.h>

#include "loom_core.h"

struct loom_exec;

/**
 * struct loom_fault - what a command did wrong; the first one stays
 */
struct loom_fault {
	/** @error: LOOM_ERR_*, 0 for none */
	uint32_t error;
	/** @field: byte offset of the field in the command */
	uint32_t field;
	/** @addr: faulting address, or 0 */
	uint64_t addr;
	/** @access: LOOM_ACCESS_* */
	uint32_t access;
};

/**
 * struct loom_cost - the modelled cost of one command, filled by the engine
 *
 * Engines report work and traffic; timing.c turns them into cycles, so the
 * model stands in one file.  Traffic is what the modelled hardware moves, not
 * what the host did to get the result.
 */
struct loom_cost {
	/** @array_cycles: systolic array busy, all arrays working in parallel */
	uint64_t array_cycles;
	/** @vector_cycles: vector engine busy */
	uint64_t vector_cycles;
	/** @copy_bytes: bytes through the copy engine */
	uint64_t copy_bytes;
	/** @hbm_rd: bytes read from HBM */
	uint64_t hbm_rd;
	/** @hbm_wr: bytes written to HBM */
	uint64_t hbm_wr;
	/** @pcie_rd: bytes read from system memory */
	uint64_t pcie_rd;
	/** @pcie_wr: bytes written to system memory */
	uint64_t pcie_wr;
	/** @macs: useful multiply-accumulates */
	uint64_t macs;
	/** @vector_ops: instruction x lane */
	uint64_t vector_ops;
};

/* exec.c ------------------------------------------------------------------ */

/** loom_fail() - record the first fault of the running command; returns -1 */
int loom_fail(struct loom_exec *ex, uint32_t error, uint32_t field);

/** loom_fail_addr() - the same for a memory access; returns -1 */
int loom_fail_addr(struct loom_exec *ex, uint32_t error, uint64_t addr,
		   uint32_t access);

/**
 * loom_exec_aborted() - was the queue reset under us?  Engines ask at least
 * every few hundred microseconds and then return -1 (after
 * loom_fail(LOOM_ERR_ABORTED)).  Cheap: one relaxed atomic load.
 */
bool loom_exec_aborted(const struct loom_exec *ex);

/** loom_exec_config() - the card's parameters */
const struct loom_core_config *loom_exec_config(const struct loom_exec *ex);

/** loom_exec_cost() - where the running command reports its cost */
struct loom_cost *loom_exec_cost(struct loom_exec *ex);

/* mmu.c ------------------------------------------------------------------- */

/*
 * All take device virtual addresses of the context of @ex.  The ranges may
 * cross pages and memory kinds; wrapping around 2^48 is LOOM_ERR_CMD_RANGE.
 * 0, or -1 after loom_fail_addr(); a failed write may have written a prefix.
 */
int loom_mem_read(struct loom_exec *ex, uint64_t va, void *buf, size_t len);
int loom_mem_write(struct loom_exec *ex, uint64_t va, const void *buf,
		   size_t len);

/**
 * loom_mem_map() - a host pointer to [va, va + len), if there is one
 *
 * Return: a pointer valid until the command ends when the whole range is
 * mapped with @access rights and lies contiguously in HBM or in SRAM; NULL
 * without any fault otherwise (use loom_mem_read/write then, which say why).
 * A mapping for write marks the range dirty at once.
 */
void *loom_mem_map(struct loom_exec *ex, uint64_t va, uint64_t len,
		   uint32_t access);

/**
 * loom_mem_traffic() - add @bytes of modelled traffic at @va to the cost
 *
 * The kind of the page at @va decides whether it is HBM, SRAM (free) or PCIe.
 */
void loom_mem_traffic(struct loom_exec *ex, uint64_t va, uint64_t bytes,
		      uint32_t access);

/* engines ------------------------------------------------------------------ */

int loom_copy_exec(struct loom_exec *ex, const struct loom_cmd_copy *cmd);
int loom_matmul_exec(struct loom_exec *ex, const struct loom_cmd_matmul *cmd);

/**
 * loom_vector_exec() - @cmd is followed by its operands and instructions;
 * @len is the whole length (a multiple of 64), already copied in.
 */
int loom_vector_exec(struct loom_exec *ex, const struct loom_cmd_vector *cmd,
		     size_t len);

/* types.c ------------------------------------------------------------------ */

/** loom_type_size() - bytes of an element; 0 for NONE, block and unknown types */
unsigned int loom_type_size(uint32_t type);
bool loom_type_is_float(uint32_t type);

/*
 * Conversions of n contiguous elements, with the rules of loom_cmd_copy.
 * to_f32: any non-block type; from_f32 likewise.  i32 variants: LDI and STI.
 */
void loom_to_f32(uint32_t type, const void *src, float *dst, size_t n);
void loom_from_f32(uint32_t type, const float *src, void *dst, size_t n);
void loom_to_i32(uint32_t type, const void *src, int32_t *dst, size_t n);
void loom_from_i32(uint32_t type, const int32_t *src, void *dst, size_t n);

#endif
