/* SPDX-License-Identifier: MIT */
/*
 * What programs must leave as it was, for those that run very many of them: in the
 * guest, as root, with one card.
 */
#ifndef TESTS_CARD_USE_H
#define TESTS_CARD_USE_H

#include <stdbool.h>

/** struct card_use - what is in use of the card and, for its sake, of the kernel */
struct card_use {
	/* debugfs: slots of queues and contexts, jobs that are not over. */
	long queues;
	long contexts;
	long jobs;
	/* DRM_LOOM_QUERY_MEMORY, bytes. */
	long hbm;
	long system;
	/* Of the whole machine; threads are the kernel's only. */
	long clients;
	long dma_bufs;
	long threads;
};

/* card_use_get() - fill @use; false, and a comment why, without card or debugfs */
bool card_use_get(struct card_use *use);

/*
 * card_use_returned() - wait until no more is in use than in @start: the kernel takes
 * things apart after the programs ended.  After @seconds say what is left, and false.
 */
bool card_use_returned(const struct card_use *start, unsigned int seconds);

/* card_use_memory() - KiB of memory that the kernel cannot take back */
long card_use_memory(void);

#endif
