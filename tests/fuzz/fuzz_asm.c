// SPDX-License-Identifier: MIT
/*
 * Fuzz target: what libaccel reads from its user.
 *
 * The first byte picks a parser.  Programs that the assembler accepts are run:
 * the card must accept them too.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <accel/accel_cmd.h>

#include "fuzz.h"

static void on_line(void *opaque, const char *line)
{
	unsigned int *lines = opaque;

	FUZZ_CHECK(!strchr(line, '\n'), "two lines in one");
	++*lines;
}

static int disassemble(const void *data, size_t len)
{
	unsigned int lines = 0;
	int n = accel_disasm(data, len, on_line, &lines);

	FUZZ_CHECK(n >= 0 || n == -EINVAL, "it says %d", n);
	FUZZ_CHECK(n <= (int)lines, "%d commands on %u lines", n, lines);
	return n;
}

/* The program as a command: 5 lanes, 3 rows, all operands f32. */
static uint32_t encode(const struct accel_vprog *prog, uint8_t *buf)
{
	unsigned int operands = accel_vprog_num_operands(prog), i;
	size_t insns = accel_vprog_num_insns(prog) *
		       sizeof(struct loom_vec_insn);
	size_t len = sizeof(struct loom_cmd_vector) +
		     operands * sizeof(struct loom_vec_operand);
	size_t size = (len + insns + 63) & ~(size_t)63;
	struct loom_cmd_vector cmd = {
		.hdr = fuzz_head(LOOM_OP_VECTOR, size),
		.num_operands = (__u16)operands,
		.num_insns = (__u16)accel_vprog_num_insns(prog),
		.dim = { 5, 3, 1, 1 },
	};
	struct loom_vec_operand *o = (void *)(buf + sizeof(cmd));

	memset(buf, 0, size);
	memcpy(buf, &cmd, sizeof(cmd));
	for (i = 0; i < operands; i++)
		o[i] = (struct loom_vec_operand) {
			.addr = fuzz_windows[1].va + i * LOOM_PAGE_SIZE,
			.type = LOOM_TYPE_F32, .limit = 5, .stride = { 4, 20 },
		};
	memcpy(buf + len, accel_vprog_insns(prog), insns);
	return (uint32_t)size;
}

static void run_program(const uint8_t *buf, uint32_t len)
{
	const struct loom_completion *c;
	struct fuzz_in none = { NULL, NULL };

	fuzz_begin(&none);
	fuzz_poke(FUZZ_CMDS, buf, len);
	fuzz_card_start();
	fuzz_queue_start(0, 0);
	fuzz_push(0, FUZZ_CMDS, len);
	fuzz_doorbell(0);
	while (fuzz_run(100))
		;
	c = fuzz_completion(0);
	FUZZ_CHECK(fuzz_card.interrupted || (c && !c->error), "the card says %s, field %u",
		   loom_strerror(c ? c->error : 0), c ? c->field : 0);
	fuzz_end();
}

static void try_assembler(const char *text)
{
	static _Alignas(64) uint8_t buf[8192];
	struct accel_vprog *prog;
	uint32_t len;
	int rc = accel_vprog_assemble(text, &prog);

	if (rc) {
		FUZZ_CHECK(rc == -EINVAL && accel_last_error()->message[0],
			   "it says %d", rc);
		return;
	}
	if (!accel_vprog_num_insns(prog)) {
		accel_vprog_destroy(prog);
		return;
	}
	len = encode(prog, buf);
	accel_vprog_destroy(prog);
	FUZZ_CHECK(disassemble(buf, len) == 1, "it cannot be disassembled");
	run_program(buf, len);
}

/* The size and the threads that a good one gets in the end are small. */
static void try_spec(const char *text)
{
	struct accel_device *dev = NULL;
	char spec[512];

	snprintf(spec, sizeof(spec), "sim:%.400s,hbm=16M,sram=2M,workers=1",
		 text);
	if (!accel_device_open(spec, &dev))
		accel_device_close(dev);
	else
		FUZZ_CHECK(accel_last_error()->message[0], "no reason");
}

static void try_disassembler(struct fuzz_in *in)
{
	static _Alignas(64) uint8_t buf[4096];

	disassemble(buf, fuzz_commands(in, buf, sizeof(buf)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = { data, data + size };
	uint8_t what = fuzz_u8(&in) % 8;
	size_t len = (size_t)(in.back - in.front);
	char *text;

	/* Exact copies: the sanitizer sees a read too far. */
	text = malloc(len + 1);
	if (!text)
		return 0;
	if (len)
		memcpy(text, in.front, len);
	text[len] = 0;
	if (what == 0)
		try_spec(text);
	else if (what == 1)
		disassemble(text, len);
	else if (what == 2)
		try_disassembler(&in);
	else
		try_assembler(text);
	free(text);
	return 0;
}
