// SPDX-License-Identifier: MIT
/*
 * Fuzz target: registers, doorbells and DMA.
 *
 * The input is a program of one-byte operations with operands.  DMA answers
 * come from its end and differ from read to read; operations may also run
 * inside a DMA callback, as when a guest makes the card talk to itself.
 */
#include <string.h>

#include "fuzz.h"

/* Operations that one input may do, inside and outside callbacks. */
#define MAX_OPS		200

static struct fuzz_in in;
static unsigned int nested;	/* operations to do in callbacks */
static unsigned int ops_left;

static const uint32_t some_regs[] = {
	LOOM_REG_ID, LOOM_REG_HBM_SIZE, LOOM_REG_CTRL, LOOM_REG_STATUS,
	LOOM_REG_SCRATCH, LOOM_REG_IRQ_TEST, LOOM_REG_EVENT_BASE,
	LOOM_REG_EVENT_BASE + 4, LOOM_REG_EVENT_SIZE_LOG2, LOOM_REG_EVENT_HEAD,
	LOOM_REG_TLB_INVALIDATE, LOOM_REG_TIME, LOOM_REG_PERF_CTRL,
	LOOM_REG_PERF(0), LOOM_REG_PERF(LOOM_PERF_COUNT - 1),
	LOOM_REG_CTX_ROOT(0), LOOM_REG_CTX_ROOT(FUZZ_CTX),
	LOOM_REG_CTX_ROOT(FUZZ_CONTEXTS), LOOM_REG_CTX_ROOT(FUZZ_CTX) + 4,
};

static const uint64_t some_values[] = {
	0, 1, 2, 3, 4, 5, FUZZ_RING_LOG2, LOOM_MAX_RING_LOG2,
	LOOM_MAX_RING_LOG2 + 1, 63, 64, 0x7fffffff, 0x80000000, 0xffffffff,
	FUZZ_ROOT | LOOM_CTX_ROOT_VALID, FUZZ_HBM_SIZE, FUZZ_HBM_SIZE - 4096,
	FUZZ_SYS_BASE, FUZZ_SYS_BASE + FUZZ_SYS_SIZE - 64,
	FUZZ_SYS_BASE + FUZZ_SYS_SIZE, ~0ull, ~63ull,
};

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

static uint64_t any_offset(void)
{
	uint8_t sel = fuzz_u8(&in);

	if (sel < 0x40)
		return some_regs[sel % COUNT(some_regs)];
	if (sel < 0xc0)
		return LOOM_REG_QUEUE(sel % FUZZ_QUEUES,
				      sel / FUZZ_QUEUES % 16 * 4);
	return fuzz_u16(&in) * (sel & 1 ? 4ull : 1ull);
}

static uint64_t any_value(void)
{
	uint8_t sel = fuzz_u8(&in);

	if (sel < 0x80)
		return some_values[sel % COUNT(some_values)];
	return sel < 0xc0 ? fuzz_u32(&in) : fuzz_u64(&in);
}

static unsigned int any_size(void)
{
	uint8_t sel = fuzz_u8(&in);

	return sel < 0x80 ? 4 : sel < 0xf0 ? 8 : sel & 15;
}

/* Operations -------------------------------------------------------------- */

static void op_write(void)
{
	uint64_t offset = any_offset(), value = any_value();

	loom_core_mmio_write(fuzz_card.core, offset, value, any_size());
}

static void op_read(void)
{
	uint64_t offset = any_offset();

	loom_core_mmio_read(fuzz_card.core, offset, any_size());
}

static void op_doorbell(void)
{
	uint64_t offset = fuzz_u16(&in);

	loom_core_doorbell_write(fuzz_card.core, offset, any_value(),
				 any_size());
}

static void op_start(void)
{
	uint8_t sel = fuzz_u8(&in);

	fuzz_card_start();
	fuzz_queue_start(sel % FUZZ_QUEUES, sel / FUZZ_QUEUES % 4);
}

static void op_submit(void)
{
	uint8_t sel = fuzz_u8(&in);

	fuzz_push(sel % FUZZ_QUEUES, FUZZ_CMDS + sel / FUZZ_QUEUES * 64,
		  fuzz_u8(&in) * 64u);
	fuzz_doorbell(sel % FUZZ_QUEUES);
}

/* Commands where op_submit() finds them. */
static void op_commands(void)
{
	uint8_t buf[1024];
	uint8_t slot = fuzz_u8(&in);
	struct fuzz_in part = { in.front, in.front };

	part.back += fuzz_u8(&in);
	if (part.back > in.back)
		part.back = in.back;
	in.front = part.back;
	fuzz_poke(FUZZ_CMDS + slot % 64 * 64, buf,
		  fuzz_commands(&part, buf, sizeof(buf)));
}

static void op_poke(void)
{
	uint64_t offset = fuzz_u32(&in) % FUZZ_HBM_SIZE & ~7ull;
	uint64_t value = fuzz_u64(&in);

	fuzz_poke(offset, &value, sizeof(value));
}

static void op_nest(void)
{
	nested += fuzz_u8(&in) % 8;
}

static void op_bus_master(void)
{
	loom_core_set_bus_master(fuzz_card.core, fuzz_u8(&in) & 1);
}

static void op_deliver(void)
{
	loom_core_deliver(fuzz_card.core);
}

static void op_reset(void)
{
	loom_core_reset(fuzz_card.core);
}

static void op_arm(void)
{
	fuzz_arm(&in);
}

static void op_scrub(void)
{
	fuzz_write64(LOOM_REG_RAS_SCRUB, fuzz_u16(&in) * 4096ull);
}

/* As op_reset(), but as a function-level reset asks for a fault before. */
static void op_function_reset(void)
{
	struct loom_inject_spec spec = { .kind = LOOM_INJECT_FLR_TIMEOUT };

	loom_core_inject_flr(fuzz_card.core, &spec);
	FUZZ_CHECK(spec.kind == LOOM_INJECT_FLR_TIMEOUT,
		   "fault %u at a function-level reset", spec.kind);
	loom_core_reset(fuzz_card.core);
}

static void op_run(void)
{
	fuzz_run(1 + fuzz_u8(&in));
	fuzz_check_card();
}

/* Those up to NESTED_OPS may be done in a callback. */
static void (*const operations[])(void) = {
	op_write, op_read, op_doorbell, op_start, op_submit, op_commands,
	op_poke, op_bus_master, op_nest, op_deliver, op_reset, op_run, op_run,
};
#define NESTED_OPS	(COUNT(operations) - 3)

/* Numbers from FIRST_FAULT_OP; a callback may do those before the last. */
static void (*const fault_operations[])(void) = {
	op_arm, op_arm, fuzz_disarm, op_scrub, op_function_reset,
};
#define FIRST_FAULT_OP	0xf0

static void do_op(bool nested_op)
{
	uint8_t sel;

	if (!ops_left || !fuzz_more(&in))
		return;
	ops_left--;
	sel = fuzz_u8(&in);
	if (sel >= FIRST_FAULT_OP)
		fault_operations[sel % (COUNT(fault_operations) - nested_op)]();
	else
		operations[sel % (nested_op ? NESTED_OPS : COUNT(operations))]();
}

static void in_callback(void)
{
	if (!nested)
		return;
	nested--;
	do_op(true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	in = (struct fuzz_in) { data, data + size };
	nested = 0;
	ops_left = MAX_OPS;
	fuzz_begin(&in);
	fuzz_card.answers = true;
	fuzz_card.on_dma = in_callback;
	while (ops_left && fuzz_more(&in))
		do_op(false);
	fuzz_end();
	return 0;
}
