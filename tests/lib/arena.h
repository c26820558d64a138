/* SPDX-License-Identifier: MIT */
/*
 * DOC: A megabyte of device memory and what should be in it
 *
 * Tests fill @shadow, copy it to the card, run a command there and its
 * definition on @shadow, copy the card's memory to @found and compare.
 */
#ifndef T_ARENA_H
#define T_ARENA_H

#include "card.h"
#include "numerics.h"

#define ARENA_SIZE	(1u << 20)

static struct t_card *card;
static uint64_t arena;		/* device memory all programs here work in */
static uint8_t shadow[ARENA_SIZE];	/* what should be there */
static uint8_t found[ARENA_SIZE];	/* what is there */
static uint64_t seed;

static inline void setup(void)
{
	card = t_card_create(NULL);
	arena = t_hbm_alloc(card, ARENA_SIZE);
	seed = 1;
}

/* The same in pages of HBM and system memory that do not follow each other. */
static inline void setup_scattered(void)
{
	uint64_t va = 0x7f0000000000, hbm, sys, i;

	setup();
	hbm = t_hbm_alloc(card, ARENA_SIZE);
	sys = t_sys_alloc(card, ARENA_SIZE);
	for (i = 0; i < ARENA_SIZE; i += LOOM_PAGE_SIZE) {
		bool in_hbm = i / LOOM_PAGE_SIZE % 3;

		t_map(card, T_CTX, va + i,
		      in_hbm ? LOOM_KIND_HBM : LOOM_KIND_SYSTEM,
		      (in_hbm ? hbm : sys) + ARENA_SIZE - LOOM_PAGE_SIZE - i,
		      LOOM_PAGE_SIZE, true);
	}
	arena = va;
}

static inline void copy_pages(uint8_t *buf, bool to_card)
{
	uint32_t i;

	for (i = 0; i < ARENA_SIZE; i += LOOM_PAGE_SIZE) {
		void *page = t_ptr(card, arena + i);

		memcpy(to_card ? page : buf + i, to_card ? buf + i : page,
		       LOOM_PAGE_SIZE);
	}
}

static inline void teardown(void)
{
	t_card_destroy(card);
}

static inline uint32_t pick(uint32_t n)
{
	return (uint32_t)(t_random(&seed) % n);
}

/* Bits that are interesting as f32 and as integers. */
static inline uint32_t random_bits(void)
{
	static const uint32_t special[] = {
		0, 0x80000000, 1, 0x7fffffff, 0xffffffff, 0x3f800000,
		0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00001,
		0x7f800001, 0x00800000, 0x4f000000, 0xcf000000, 0x3f000000,
		0x4b000000, 0x7f7fffff,
	};

	switch (pick(4)) {
	case 0:
		return special[pick(sizeof(special) / sizeof(*special))];
	case 1:
		return (uint32_t)t_random(&seed);
	case 2:
		return pick(200) - 100;
	default:
		return t_bits((float)(int32_t)(pick(20000) - 10000) / 64);
	}
}

static inline void randomize(uint64_t offset, size_t words)
{
	uint32_t *p = (uint32_t *)(shadow + offset);
	size_t i;

	for (i = 0; i < words; i++)
		p[i] = random_bits();
}

static inline uint32_t first_difference(void)
{
	uint32_t i;

	for (i = 0; i < ARENA_SIZE && found[i] == shadow[i]; i++)
		;
	return i;
}

#endif
