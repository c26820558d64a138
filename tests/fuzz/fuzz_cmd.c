// SPDX-License-Identifier: MIT
/*
 * Fuzz target: the commands of a job.
 *
 * The input is decoded into commands that are mostly valid (fuzz_commands.c)
 * and run with the image's page tables.
 */
#include "fuzz.h"

/* Bits of the first byte. */
#define ANSWERS		1u	/* system memory changes between reads */

static uint8_t buf[16384];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = { data, data + size };
	bool answers = fuzz_u8(&in) & ANSWERS;
	struct fuzz_in cmds = fuzz_part(&in, answers);
	uint32_t len = fuzz_commands(&cmds, buf, sizeof(buf));

	fuzz_job(&in, buf, len, answers);
	return 0;
}
