/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The numbers of a ring's jobs: arithmetic only, see "Numbers" in loom_ring.c.
 */
#ifndef LOOM_RING_INDEX_H
#define LOOM_RING_INDEX_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdbool.h>
#endif

#include <loom/loom_regs.h>

#define LOOM_RING_LOG2		8
#define LOOM_RING_SIZE		(1u << LOOM_RING_LOG2)

/* Where the card looks for job @number, when job @base + 1 was its entry 0. */
static inline unsigned int loom_ring_index(__u64 number, __u64 base)
{
	return (number - 1 - base) % LOOM_RING_SIZE;
}

/* What the doorbell says when @emitted is the newest job. */
static inline __u32 loom_ring_tail(__u64 emitted, __u64 base)
{
	return (emitted - base) & 0xffffffff;
}

/*
 * May a completion record carry @seq while job @due, whose record it is, is not
 * over?  Yes: nothing, or its last user.
 */
static inline bool loom_ring_seq_is_stale(__u64 seq, __u64 due)
{
	return !seq || seq + LOOM_RING_SIZE == due;
}

/* The oldest job that a ring still knows when @emitted is the newest. */
static inline __u64 loom_ring_oldest(__u64 emitted)
{
	return emitted > LOOM_RING_SIZE ? emitted - LOOM_RING_SIZE + 1 : 1;
}

#endif
