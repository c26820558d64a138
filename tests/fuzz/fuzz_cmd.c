// SPDX-License-Identifier: MIT
/*
 * Fuzz target: the commands of a job.
 *
 * The input is decoded into commands that are mostly valid (fuzz_commands.c)
 * and run with the image's page tables.  Whatever they do, they may write only
 * to what is mapped as writable.
 */
#include "fuzz.h"

/* Bits of the first byte. */
#define ANSWERS		1u	/* system memory changes between reads */

static uint8_t buf[16384];

/* HBM that fuzz_windows[] map writable, and the good job's pages. */
static bool may_change(uint64_t page)
{
	uint64_t at = page * LOOM_PAGE_SIZE;

	return at < 0x600000 ? at >= 0x200000 :
	       (at >= 0x700000 && at < 0x740000) || at >= 0xc00000 ||
	       at == 0xa03000;
}

static void check_isolation(void)
{
	uint64_t page, first = FUZZ_CMDS + FUZZ_CMDS_SIZE;

	for (page = first / LOOM_PAGE_SIZE;
	     page < FUZZ_HBM_SIZE / LOOM_PAGE_SIZE; page++)
		FUZZ_CHECK(!fuzz_hbm_changed(page) || may_change(page),
			   "page %llu was written", (unsigned long long)page);
	for (page = 0; page < FUZZ_TABLES_END / LOOM_PAGE_SIZE; page++)
		FUZZ_CHECK(!fuzz_hbm_changed(page), "table %llu was written",
			   (unsigned long long)page);
}

static void check_completion(void)
{
	const struct loom_completion *c = fuzz_completion(0);
	uint32_t state = fuzz_read32(LOOM_REG_QUEUE(0, LOOM_QUEUE_STATE));
	uint32_t error = fuzz_read32(LOOM_REG_QUEUE(0, LOOM_QUEUE_ERROR));

	if (!c) {
		FUZZ_CHECK(state != LOOM_QUEUE_STATE_IDLE, "a job is lost");
		return;
	}
	FUZZ_CHECK(c->error == error, "job says %u, queue %u", c->error, error);
	FUZZ_CHECK(c->start <= c->end, "a job goes backwards");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = { data, data + size };
	bool answers = fuzz_u8(&in) & ANSWERS;
	struct fuzz_in cmds = in;
	uint32_t len;

	/* With answers, commands come from the first three quarters. */
	if (answers)
		cmds.back -= (in.back - in.front) / 4;
	len = fuzz_commands(&cmds, buf, sizeof(buf));
	in.front = cmds.back;
	fuzz_begin(&in);
	fuzz_poke(FUZZ_CMDS, buf, len);
	fuzz_card_start();
	fuzz_queue_start(0, 0);
	fuzz_push(0, FUZZ_CMDS, len);
	fuzz_card.answers = answers;
	fuzz_doorbell(0);
	while (fuzz_run(100))
		;
	loom_core_deliver(fuzz_card.core);
	if (!answers && !fuzz_card.interrupted)
		check_completion();
	check_isolation();
	fuzz_end();
	return 0;
}
