// SPDX-License-Identifier: MIT
/*
 * DOC: One job, and what must hold when it is over
 *
 * Whatever the commands do, they may write only to what is mapped as writable,
 * and the job completes or its queue is in error.
 */
#include "fuzz.h"

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

struct fuzz_in fuzz_part(struct fuzz_in *in, bool answers)
{
	struct fuzz_in part = *in;

	if (answers)
		part.back -= (in->back - in->front) / 4;
	in->front = part.back;
	return part;
}

void fuzz_job(struct fuzz_in *in, const void *cmds, uint32_t len, bool answers)
{
	fuzz_begin(in);
	fuzz_poke(FUZZ_CMDS, cmds, len);
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
}
