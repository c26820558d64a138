// SPDX-License-Identifier: MIT
/*
 * Fuzz target: the saved state of a card, as a migration stream brings it.
 *
 * The input starts some jobs, runs them a little and saves the card; then it
 * changes the saved state, or is itself one, and has a card load it.  What is
 * refused must leave the card as new; what is accepted must be saved as it was
 * loaded, and run without harm.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

/* Bits of the first byte; the lowest start queues. */
#define RAW		0x80u	/* the rest of the input is the state */
#define CUT		0x40u	/* the state ends early */
#define MAX_CHANGES	8
#define MAX_RUNS	100

struct state {
	uint8_t *data;
	size_t len;
};

static char why[256];

static struct state save(void)
{
	struct state s;

	s.data = loom_core_save(fuzz_card.core, &s.len);
	FUZZ_CHECK(s.data && s.len, "a quiet card cannot be saved");
	return s;
}

static bool load(const struct state *s)
{
	return !loom_core_load(fuzz_card.core, s->data, s->len, why,
			       sizeof(why));
}

/* A card with some jobs, most of them under way. */
static void make_card(struct fuzz_in *in, uint8_t queues)
{
	static uint8_t buf[2048];
	struct fuzz_in part = { in->front, in->front + (in->back - in->front) / 2 };
	uint32_t len = fuzz_commands(&part, buf, sizeof(buf));
	unsigned int i;

	in->front = part.back;
	fuzz_poke(FUZZ_CMDS, buf, len);
	fuzz_card_start();
	for (i = 0; i < FUZZ_QUEUES; i++) {
		if (!(queues & 1u << i))
			continue;
		fuzz_queue_start(i, i);
		fuzz_push(i, FUZZ_CMDS, len);
		fuzz_push(i, FUZZ_CMDS, len);
		fuzz_doorbell(i);
	}
	fuzz_run(fuzz_u8(in) % 32);
}

/* Values that matter more than others. */
static uint64_t any_value(struct fuzz_in *in)
{
	static const uint64_t some[] = {
		0, 1, 2, 3, 4, 5, 63, 64, 255, 256, 1024, 4096, 0x7fffffff,
		0x80000000, 0xffffffff, 1ull << 62, ~0ull, FUZZ_HBM_SIZE,
		FUZZ_SYS_BASE,
	};
	uint8_t sel = fuzz_u8(in);

	return sel < 0xc0 ? some[sel % (sizeof(some) / sizeof(some[0]))] :
			    fuzz_u64(in);
}

static void change(struct fuzz_in *in, struct state *s)
{
	unsigned int changes = 1 + fuzz_u8(in) % MAX_CHANGES;
	size_t at, size;
	uint64_t value;

	while (changes-- && fuzz_more(in)) {
		at = fuzz_u16(in) % s->len;
		size = 1u << fuzz_u8(in) % 4;
		value = any_value(in);
		if (size <= s->len - at)
			memcpy(s->data + at, &value, size);
	}
}

/* What the card is now must be what it saves and loads. */
static void check_round_trip(void)
{
	struct state first = save(), second;

	FUZZ_CHECK(load(&first), "its own state: %s", why);
	second = save();
	FUZZ_CHECK(first.len == second.len &&
		   !memcmp(first.data, second.data, first.len),
		   "a state changes on the way");
	free(second.data);
	free(first.data);
}

static void run_on(void)
{
	unsigned int i;

	loom_core_resume(fuzz_card.core);
	for (i = 0; i < MAX_RUNS && fuzz_run(100); i++)
		;
	loom_core_deliver(fuzz_card.core);
}

static void try_state(struct fuzz_in *in, struct state *s, uint8_t sel)
{
	bool changed = fuzz_more(in);

	if (changed && (sel & CUT))
		s->len -= fuzz_u16(in) % s->len;
	if (fuzz_more(in))
		change(in, s);
	if (load(s)) {
		check_round_trip();
		run_on();
	} else {
		FUZZ_CHECK(changed, "a good state: %s", why);
		fuzz_check_reset();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = { data, data + size };
	uint8_t sel = fuzz_u8(&in);
	struct state before, s;

	fuzz_begin(&in);
	before = save();
	if (sel & RAW) {
		s.len = (size_t)(in.back - in.front);
		s.data = (uint8_t *)in.front;
		if (load(&s))
			run_on();
	} else {
		make_card(&in, sel);
		s = save();
		try_state(&in, &s, sel);
		free(s.data);
	}
	/* Counters and time are now anything. */
	loom_core_reset(fuzz_card.core);
	FUZZ_CHECK(load(&before), "the first state: %s", why);
	free(before.data);
	fuzz_end();
	return 0;
}
