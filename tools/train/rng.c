// SPDX-License-Identifier: MIT
/*
 * SplitMix64 (Steele, Lea, Flood 2014): integers only, so that a seed means
 * the same weights and the same order of images on every machine.
 */
#include "train.h"

void rng_init(struct rng *rng, uint64_t seed)
{
	rng->state = seed;
}

uint64_t rng_next(struct rng *rng)
{
	uint64_t z = rng->state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

uint32_t rng_below(struct rng *rng, uint32_t n)
{
	return (uint32_t)((rng_next(rng) >> 32) * n >> 32);
}

float rng_symmetric(struct rng *rng)
{
	int32_t i = (int32_t)(rng_next(rng) >> 40) - (1 << 23);

	return (float)i * 0x1p-23f;
}

void rng_shuffle(struct rng *rng, uint32_t *list, uint32_t n)
{
	uint32_t i, j, t;

	for (i = n; i > 1; i--) {
		j = rng_below(rng, i);
		t = list[i - 1];
		list[i - 1] = list[j];
		list[j] = t;
	}
}
