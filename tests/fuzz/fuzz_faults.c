// SPDX-License-Identifier: MIT
/*
 * Faults on demand for the fuzz targets.
 *
 * Specifications are written out as a user would, from the input: mostly words
 * that fit together, now and then any text.  One that is refused must change
 * nothing and say why.
 */
#include <stdio.h>
#include <string.h>

#include "fuzz.h"

#define MAX_TEXT	256
#define MAX_LIST	3
#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

/** struct text - what is written so far */
struct text {
	char buf[MAX_TEXT];
	size_t len;
};

static void put(struct text *t, const char *word)
{
	size_t len = strlen(word);

	if (len >= sizeof(t->buf) - t->len)
		return;
	memcpy(t->buf + t->len, word, len + 1);
	t->len += len;
}

static void put_key(struct text *t, const char *key, uint64_t value)
{
	char word[48];

	snprintf(word, sizeof(word), ",%s=%llu", key,
		 (unsigned long long)value);
	put(t, word);
}

/* An address that something of the card uses. */
static uint64_t any_addr(struct fuzz_in *in)
{
	uint8_t sel = fuzz_u8(in);
	uint64_t page = fuzz_u16(in) * (uint64_t)LOOM_PAGE_SIZE;

	if (sel < 0x80)
		return page % FUZZ_HBM_SIZE + sel;
	return sel < 0xf0 ? FUZZ_SYS_BASE + page % FUZZ_SYS_SIZE :
			    fuzz_u64(in);
}

static void put_fault(struct fuzz_in *in, struct text *t)
{
	uint8_t kind = fuzz_u8(in), keys = fuzz_u8(in);

	put(t, loom_inject_name(1 + kind % (LOOM_INJECT_KINDS - 1)));
	if (keys & 0x01)
		put_key(t, "after", fuzz_u8(in));
	if (keys & 0x02)
		put_key(t, "count", fuzz_u8(in) % 8);
	if (keys & 0x04)
		put_key(t, "chance", fuzz_u8(in) % 8);
	if (keys & 0x08)
		put_key(t, "seed", fuzz_u16(in));
	if (keys & 0x10)
		put_key(t, "queue", fuzz_u8(in) % (FUZZ_QUEUES + 1));
	if (keys & 0x20)
		put_key(t, "addr", any_addr(in));
	if (keys & 0x40)
		put_key(t, "vector", fuzz_u8(in) % (FUZZ_VECTORS + 1));
	if (keys & 0x80)
		put_key(t, "delay", fuzz_u16(in));
}

static void put_anything(struct fuzz_in *in, struct text *t)
{
	unsigned int n = fuzz_u8(in) % 32;
	char word[2] = "";

	while (n-- && fuzz_more(in)) {
		word[0] = (char)fuzz_u8(in);
		put(t, word);
	}
}

static unsigned int num_armed(void)
{
	struct loom_inject_state state[LOOM_INJECT_MAX];

	return loom_core_inject_state(fuzz_card.core, state, COUNT(state));
}

void fuzz_arm(struct fuzz_in *in)
{
	uint8_t sel = fuzz_u8(in);
	unsigned int n = 1 + sel % MAX_LIST, before = num_armed();
	struct text t = { .len = 0 };
	char why[512] = "";

	while (n--) {
		if (t.len)
			put(&t, ";");
		put_fault(in, &t);
	}
	if (sel >= 0xe0)
		put_anything(in, &t);
	fuzz_card.faults = true;
	if (!loom_core_inject(fuzz_card.core, t.buf, why, sizeof(why)))
		return;
	FUZZ_CHECK(*why, "'%s' is refused without a word", t.buf);
	/* What had done its work may have made room. */
	FUZZ_CHECK(num_armed() <= before, "'%s' is refused but armed in part",
		   t.buf);
}

void fuzz_disarm(void)
{
	loom_core_inject_clear(fuzz_card.core);
	FUZZ_CHECK(!num_armed(), "faults stay armed");
}

void fuzz_repair(void)
{
	uint64_t page[64];
	unsigned int n, i;

	fuzz_disarm();
	do {
		n = loom_core_poison(fuzz_card.core, page, COUNT(page));
		for (i = 0; i < n; i++)
			fuzz_write64(LOOM_REG_RAS_SCRUB, page[i]);
	} while (n == COUNT(page));
	n = loom_core_poison(fuzz_card.core, page, COUNT(page));
	FUZZ_CHECK(!n, "0x%llx is poisoned after a scrub",
		   (unsigned long long)page[0]);
	fuzz_card.faults = false;
}
