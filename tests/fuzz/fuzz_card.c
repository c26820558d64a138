// SPDX-License-Identifier: MIT
/*
 * DOC: The card of the fuzz targets
 *
 * One card serves all inputs of a process.  Between two inputs the pages that
 * changed get back the contents of the image.  Which ones changed is what the
 * card itself reports (hbm_dirty), and now and then all of HBM is compared, so
 * a write that was not reported is found.
 *
 * A thread of its own resets the card when a run takes much processor time.
 * That is what a driver does, and it makes huge tensors harmless: engines must
 * notice.
 */
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fuzz.h"

#if defined(__has_feature) && __has_feature(memory_sanitizer)
#include <sanitizer/msan_interface.h>
#define CHECK_INITIALIZED(p, len)	__msan_check_mem_is_initialized(p, len)
#else
#define CHECK_INITIALIZED(p, len)	((void)0)
#endif

#define HBM_PAGES	(FUZZ_HBM_SIZE / LOOM_PAGE_SIZE)
#define SYS_PAGES	(FUZZ_SYS_SIZE / LOOM_PAGE_SIZE)
#define GOOD_VA		0xa00000ull	/* the good job: commands and data */
#define GOOD_SYS	0x00c00000ull	/* address of its result */
#define WATCH_MS	10		/* between two looks */
#define LONG_RUN_NS	30000000ll
#define COMPARE_EVERY	256

/* Rings and records lie at the start of system memory, a page per queue. */
#define RING(q)		(FUZZ_SYS_BASE + (q) * 2ull * LOOM_PAGE_SIZE)
#define COMPL(q)	(RING(q) + LOOM_PAGE_SIZE)
#define EVENTS		(RING(FUZZ_QUEUES))
#define SYS_WINDOW	0x80000ull	/* offset of what windows map */

const struct fuzz_window fuzz_windows[FUZZ_WINDOWS] = {
	{ 0x200000, LOOM_HUGE_SIZE, true },	/* a 2 MiB page of HBM */
	{ 0x400000, 0x40000, true },		/* HBM */
	{ 0x500000, 0x40000, true },		/* HBM, pages in reverse order */
	{ 0x600000, 0x40000, false },		/* HBM */
	{ 0x700000, 0x40000, true },		/* pages of each kind */
	{ 0x800000, 0x40000, true },		/* SRAM */
	{ 0x900000, 0x40000, true },		/* system memory */
	{ 0xfffffffc0000, 0x40000, true },	/* HBM, up to the end */
};

struct fuzz_card fuzz_card;

static uint8_t *image;
static bool hbm_dirty[HBM_PAGES];
static bool sys_dirty[SYS_PAGES];
static uint64_t last_time;
static uint64_t next_seq;

static pthread_mutex_t watch_lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_llong deadline;	/* of the run, on run_clock; or 0 */
static clockid_t run_clock;	/* processor time of the running thread */

void fuzz_fail(const char *what, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "fuzz: not so: %s: ", what);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}

/* Callbacks --------------------------------------------------------------- */

static uint8_t *sys_at(uint64_t addr, size_t len)
{
	if (addr < FUZZ_SYS_BASE || len > FUZZ_SYS_SIZE ||
	    addr - FUZZ_SYS_BASE > FUZZ_SYS_SIZE - len)
		return NULL;
	return fuzz_card.sys + (addr - FUZZ_SYS_BASE);
}

/* Callbacks of callbacks are left alone. */
static void dma_hook(void)
{
	static bool inside;

	if (!fuzz_card.on_dma || inside)
		return;
	inside = true;
	fuzz_card.on_dma();
	inside = false;
}

/* A ring entry as a driver might write it. */
static void answer_entry(struct fuzz_in *in, uint8_t *buf)
{
	struct loom_ring_entry e = {
		.type = LOOM_RING_EXEC,
		.flags = fuzz_answer(in) & LOOM_RING_F_IRQ,
		.cmd_va = FUZZ_CMDS + fuzz_answer(in) * 64ull,
		.cmd_size = fuzz_answer(in) * 64u,
		.seq = ++next_seq,
	};

	memcpy(buf, &e, sizeof(e));
}

/* Change what the card gets to see; false: the read fails. */
static bool answer(struct fuzz_in *in, uint8_t *buf, size_t len)
{
	size_t i;

	switch (fuzz_answer(in) & 7) {
	case 4:
		for (i = 0; i < len && fuzz_more(in); i++)
			buf[i] = fuzz_answer(in);
		return true;
	case 5:
		i = fuzz_answer(in);
		buf[i % len] = fuzz_answer(in);
		return true;
	case 6:
		if (len == sizeof(struct loom_ring_entry))
			answer_entry(in, buf);
		return true;
	case 7:
		return false;
	default:
		return true;
	}
}

static int on_dma_read(void *opaque, uint64_t addr, void *buf, size_t len)
{
	const uint8_t *p = sys_at(addr, len);

	(void)opaque;
	FUZZ_CHECK(len, "a read of nothing");
	dma_hook();
	if (!p)
		return -1;
	memcpy(buf, p, len);
	return !fuzz_card.answers || answer(fuzz_card.in, buf, len) ? 0 : -1;
}

static void mark(bool *pages, uint64_t offset, uint64_t len)
{
	uint64_t page, last = (offset + len - 1) / LOOM_PAGE_SIZE;

	for (page = offset / LOOM_PAGE_SIZE; len && page <= last; page++)
		pages[page] = true;
}

static int on_dma_write(void *opaque, uint64_t addr, const void *buf,
			size_t len)
{
	uint8_t *p = sys_at(addr, len);

	(void)opaque;
	CHECK_INITIALIZED(buf, len);
	FUZZ_CHECK(len, "a write of nothing");
	dma_hook();
	if (!p)
		return -1;
	memcpy(p, buf, len);
	mark(sys_dirty, addr - FUZZ_SYS_BASE, len);
	return 0;
}

static void on_irq(void *opaque, unsigned int vector)
{
	(void)opaque;
	FUZZ_CHECK(vector < FUZZ_VECTORS, "vector %u", vector);
	dma_hook();
}

static void on_irq_later(void *opaque, unsigned int vector, uint32_t delay_ms)
{
	(void)opaque;
	FUZZ_CHECK(vector < FUZZ_VECTORS && delay_ms <= 3600000,
		   "vector %u, %u ms late", vector, delay_ms);
	loom_core_raise(fuzz_card.core, vector);
}

static void on_inject(void *opaque, const struct loom_inject_spec *spec)
{
	(void)opaque;
	FUZZ_CHECK(spec->kind >= LOOM_INJECT_AER_CORRECTABLE &&
		   spec->kind <= LOOM_INJECT_REMOVAL,
		   "the owner shall do fault %u", spec->kind);
	dma_hook();
}

static void on_notify(void *opaque)
{
	(void)opaque;
}

static void on_hbm_dirty(void *opaque, uint64_t offset, uint64_t len)
{
	(void)opaque;
	FUZZ_CHECK(len <= FUZZ_HBM_SIZE && offset <= FUZZ_HBM_SIZE - len,
		   "0x%llx bytes at 0x%llx", (unsigned long long)len,
		   (unsigned long long)offset);
	mark(hbm_dirty, offset, len);
}

static void on_log(void *opaque, enum loom_log_level level, const char *line)
{
	(void)opaque;
	if (getenv("FUZZ_VERBOSE"))
		fprintf(stderr, "fuzz: card: %d: %s\n", level, line);
}

static void on_job(void *opaque, unsigned int queue, uint64_t seq,
		   uint32_t error, uint64_t start, uint64_t end)
{
	(void)opaque;
	(void)seq;
	FUZZ_CHECK(queue < FUZZ_QUEUES && error < LOOM_ERR_COUNT,
		   "queue %u, error %u", queue, error);
	FUZZ_CHECK(start <= end, "a job goes backwards");
}

static const struct loom_core_ops ops = {
	.dma_read = on_dma_read,
	.dma_write = on_dma_write,
	.irq = on_irq,
	.irq_later = on_irq_later,
	.inject = on_inject,
	.notify = on_notify,
	.hbm_dirty = on_hbm_dirty,
	.log = on_log,
	.trace_job = on_job,
};

/* Running ----------------------------------------------------------------- */

static long long run_time(void)
{
	struct timespec t;

	clock_gettime(run_clock, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static void *watch(void *arg)
{
	struct timespec pause = { .tv_nsec = WATCH_MS * 1000000l };
	long long end;

	for (;;) {
		nanosleep(&pause, NULL);
		pthread_mutex_lock(&watch_lock);
		end = atomic_load(&deadline);
		if (end && run_time() > end) {
			fuzz_card.interrupted = true;
			loom_core_reset(fuzz_card.core);
		}
		pthread_mutex_unlock(&watch_lock);
	}
	return arg;
}

bool fuzz_run(unsigned int budget)
{
	bool more;

	atomic_store(&deadline, run_time() + LONG_RUN_NS);
	more = loom_core_run(fuzz_card.core, budget);
	atomic_store(&deadline, 0);
	/* A reset that has begun ends first. */
	pthread_mutex_lock(&watch_lock);
	pthread_mutex_unlock(&watch_lock);
	return more;
}

uint32_t fuzz_read32(uint64_t reg)
{
	return (uint32_t)loom_core_mmio_read(fuzz_card.core, reg, 4);
}

uint64_t fuzz_read64(uint64_t reg)
{
	return loom_core_mmio_read(fuzz_card.core, reg, 8);
}

void fuzz_write32(uint64_t reg, uint32_t value)
{
	loom_core_mmio_write(fuzz_card.core, reg, value, 4);
}

void fuzz_write64(uint64_t reg, uint64_t value)
{
	loom_core_mmio_write(fuzz_card.core, reg, value, 8);
}

void fuzz_poke(uint64_t offset, const void *data, size_t len)
{
	if (len > FUZZ_HBM_SIZE || offset > FUZZ_HBM_SIZE - len)
		return;
	memcpy(fuzz_card.hbm + offset, data, len);
	mark(hbm_dirty, offset, len);
}

bool fuzz_hbm_changed(uint64_t page)
{
	return hbm_dirty[page];
}

bool fuzz_sys_changed(uint64_t page)
{
	return sys_dirty[page];
}

void fuzz_card_start(void)
{
	loom_core_set_bus_master(fuzz_card.core, true);
	fuzz_write64(LOOM_REG_EVENT_BASE, EVENTS);
	fuzz_write32(LOOM_REG_EVENT_SIZE_LOG2, FUZZ_RING_LOG2);
	fuzz_write64(LOOM_REG_CTX_ROOT(FUZZ_CTX),
		     FUZZ_ROOT | LOOM_CTX_ROOT_VALID);
	fuzz_write32(LOOM_REG_CTRL, LOOM_CTRL_ENABLE);
}

void fuzz_queue_start(unsigned int queue, unsigned int priority)
{
	uint64_t r = LOOM_REG_QUEUE(queue, 0);

	fuzz_write32(r + LOOM_QUEUE_CTRL, LOOM_QUEUE_CTRL_RESET);
	fuzz_write64(r + LOOM_QUEUE_RING_BASE, RING(queue));
	fuzz_write64(r + LOOM_QUEUE_COMPL_BASE, COMPL(queue));
	fuzz_write32(r + LOOM_QUEUE_RING_SIZE_LOG2, FUZZ_RING_LOG2);
	fuzz_write32(r + LOOM_QUEUE_CTX, FUZZ_CTX);
	fuzz_write32(r + LOOM_QUEUE_VECTOR, 1 + queue);
	fuzz_write32(r + LOOM_QUEUE_PRIORITY, priority);
	fuzz_write32(r + LOOM_QUEUE_CTRL, LOOM_QUEUE_CTRL_ENABLE);
	fuzz_card.tail[queue] = 0;
}

static uint64_t slot_offset(uint64_t base, uint32_t index)
{
	return base - FUZZ_SYS_BASE + 64 * (index % (1u << FUZZ_RING_LOG2));
}

void fuzz_push(unsigned int queue, uint64_t va, uint32_t bytes)
{
	uint64_t at = slot_offset(RING(queue), fuzz_card.tail[queue]++);
	struct loom_ring_entry e = {
		.type = LOOM_RING_EXEC, .flags = LOOM_RING_F_IRQ,
		.cmd_va = va, .cmd_size = bytes, .seq = ++next_seq,
	};

	memcpy(fuzz_card.sys + at, &e, sizeof(e));
	mark(sys_dirty, at, sizeof(e));
}

void fuzz_doorbell(unsigned int queue)
{
	loom_core_doorbell_write(fuzz_card.core,
				 (uint64_t)queue * LOOM_DOORBELL_STRIDE,
				 fuzz_card.tail[queue], 4);
}

const struct loom_completion *fuzz_completion(unsigned int queue)
{
	uint32_t last = fuzz_card.tail[queue] - 1;
	uint8_t *e = fuzz_card.sys + slot_offset(RING(queue), last);
	uint8_t *c = fuzz_card.sys + slot_offset(COMPL(queue), last);

	return ((struct loom_ring_entry *)e)->seq ==
	       ((struct loom_completion *)c)->seq ?
	       (struct loom_completion *)c : NULL;
}

struct loom_cmd fuzz_head(uint8_t opcode, size_t bytes)
{
	return (struct loom_cmd) {
		.opcode = opcode,
		.version = LOOM_ISA_VERSION,
		.size64 = (uint16_t)(bytes / LOOM_CMD_ALIGN),
	};
}

/* Checks ------------------------------------------------------------------ */

static void check_counters(void)
{
	uint64_t total = loom_core_perf(fuzz_card.core, LOOM_PERF_CYC_TOTAL);
	uint64_t time = fuzz_read64(LOOM_REG_TIME), sum = 0;
	unsigned int i;

	for (i = LOOM_PERF_CYC_ARRAY; i <= LOOM_PERF_CYC_IDLE; i++)
		sum += loom_core_perf(fuzz_card.core, i);
	FUZZ_CHECK(sum == total, "%llu of %llu cycles",
		   (unsigned long long)sum, (unsigned long long)total);
	FUZZ_CHECK(time >= last_time, "time goes backwards");
	last_time = time;
}

static void check_queue(unsigned int queue)
{
	uint64_t r = LOOM_REG_QUEUE(queue, 0);
	uint32_t state = fuzz_read32(r + LOOM_QUEUE_STATE);
	uint32_t error = fuzz_read32(r + LOOM_QUEUE_ERROR);
	uint32_t size = fuzz_read32(r + LOOM_QUEUE_RING_SIZE_LOG2);
	uint32_t used = fuzz_read32(r + LOOM_QUEUE_TAIL) -
			fuzz_read32(r + LOOM_QUEUE_HEAD);

	FUZZ_CHECK(state <= LOOM_QUEUE_STATE_ERROR, "state %u", state);
	FUZZ_CHECK((state == LOOM_QUEUE_STATE_ERROR) == (error != 0),
		   "state %u, error %u", state, error);
	FUZZ_CHECK(error < LOOM_ERR_COUNT, "error %u", error);
	FUZZ_CHECK(!used || (size <= LOOM_MAX_RING_LOG2 && used <= 1u << size),
		   "%u entries in a ring of 2^%u", used, size);
	FUZZ_CHECK(!used || state != LOOM_QUEUE_STATE_DISABLED,
		   "%u entries of a disabled queue", used);
}

void fuzz_check_card(void)
{
	uint32_t status = fuzz_read32(LOOM_REG_STATUS);
	unsigned int i;

	check_counters();
	for (i = 0; i < FUZZ_QUEUES; i++)
		check_queue(i);
	FUZZ_CHECK(status == LOOM_STATUS_READY ||
		   (fuzz_card.faults &&
		    status == (LOOM_STATUS_READY | LOOM_STATUS_FATAL)),
		   "status 0x%x", status);
}

void fuzz_check_reset(void)
{
	unsigned int i;

	for (i = 0; i < FUZZ_QUEUES; i++)
		FUZZ_CHECK(!fuzz_read32(LOOM_REG_QUEUE(i, LOOM_QUEUE_STATE)),
			   "queue %u is enabled", i);
	for (i = 0; i < FUZZ_CONTEXTS; i++)
		FUZZ_CHECK(!fuzz_read64(LOOM_REG_CTX_ROOT(i)),
			   "context %u has a root", i);
	FUZZ_CHECK(!fuzz_read32(LOOM_REG_CTRL), "the card is enabled");
	FUZZ_CHECK(!fuzz_read64(LOOM_REG_EVENT_BASE), "events are on");
}

/* What was not reported as written must not have changed. */
static void check_clean_pages(void)
{
	uint64_t page, at;

	for (page = 0; page < HBM_PAGES; page++) {
		at = page * LOOM_PAGE_SIZE;
		FUZZ_CHECK(hbm_dirty[page] ||
			   !memcmp(fuzz_card.hbm + at, image + at,
				   LOOM_PAGE_SIZE),
			   "HBM changed at 0x%llx", (unsigned long long)at);
	}
}

/* The image --------------------------------------------------------------- */

static uint64_t *pte_of(uint64_t va, unsigned int level)
{
	uint64_t table = FUZZ_ROOT, *pte;
	unsigned int l;

	for (l = LOOM_PT_LEVELS - 1; ; l--) {
		pte = (uint64_t *)(image + table) +
		      (va >> LOOM_PT_SHIFT(l)) % LOOM_PT_ENTRIES;
		if (l == level)
			return pte;
		if (!*pte)
			*pte = fuzz_card.num_tables++ * LOOM_PAGE_SIZE |
			       LOOM_PTE_VALID;
		table = *pte & LOOM_PTE_ADDR;
	}
}

static void map(uint64_t va, uint64_t kind, uint64_t phys, bool writable)
{
	*pte_of(va, 0) = phys | kind << LOOM_PTE_KIND_SHIFT | LOOM_PTE_VALID |
			 (writable ? LOOM_PTE_WRITE : 0);
}

static void map_window(unsigned int w)
{
	const struct fuzz_window *win = &fuzz_windows[w];
	uint64_t hbm = w == FUZZ_WINDOWS - 1 ? 0xc00000 : win->va;
	uint64_t at, kind, phys;

	if (!w) {
		*pte_of(win->va, 1) = win->va | LOOM_PTE_VALID |
				      LOOM_PTE_WRITE | LOOM_PTE_LEAF;
		return;
	}
	for (at = 0; at < win->size; at += LOOM_PAGE_SIZE) {
		kind = w == 4 ? at / LOOM_PAGE_SIZE % 3 :
		       w == 5 ? LOOM_KIND_SRAM :
		       w == 6 ? LOOM_KIND_SYSTEM : LOOM_KIND_HBM;
		phys = hbm + (w == 2 ? win->size - LOOM_PAGE_SIZE - at : at);
		if (kind == LOOM_KIND_SRAM)
			phys = (w == 4 ? win->size : 0) + at;
		else if (kind == LOOM_KIND_SYSTEM)
			phys = FUZZ_SYS_BASE + SYS_WINDOW + at;
		map(win->va + at, kind, phys, win->writable);
	}
}

/* Small numbers as f32, i32 and f16, and bits of all kinds. */
static void fill_image(void)
{
	uint32_t *p = (uint32_t *)(image + 0x200000), x = 1;
	uint32_t *end = (uint32_t *)(image + 0xd00000);
	float value;

	for (; p < end; p++) {
		x = x * 1664525 + 1013904223;
		value = (float)((int32_t)x >> 24) / 8;
		if (x & 0x100)
			memcpy(p, &value, sizeof(value));
		else
			*p = x & 0x200 ? x >> 20 : x & 0x400 ? 0x3c003800 : x;
	}
}

/* The good job ------------------------------------------------------------ */

#define GOOD_N		8u		/* matrices are GOOD_N by GOOD_N */
#define GOOD_LEN	(GOOD_N * GOOD_N)
#define GOOD_A		(GOOD_VA + 0x1000)
#define GOOD_B		(GOOD_VA + 0x2000)
#define GOOD_D		(GOOD_VA + 0x3000)

/** struct good_job - D = A x B, then 2 * D + 1 to system memory */
struct good_job {
	struct loom_cmd_matmul matmul;
	struct loom_cmd_vector vector;
	struct loom_vec_operand operand[2];
	struct loom_vec_insn insn[8];
};

static float good_result[GOOD_LEN];

static uint32_t f32(float x)
{
	uint32_t bits;

	memcpy(&bits, &x, sizeof(bits));
	return bits;
}

static struct good_job good_job(void)
{
	const uint8_t v0 = LOOM_VEC_V(0), two = LOOM_VEC_S(0),
		      one = LOOM_VEC_S(1);

	return (struct good_job) {
		.matmul = {
			.hdr = fuzz_head(LOOM_OP_MATMUL, 256),
			.a_type = LOOM_TYPE_F32, .b_type = LOOM_TYPE_F32,
			.d_type = LOOM_TYPE_F32, .alpha = f32(1),
			.m = GOOD_N, .n = GOOD_N, .k = GOOD_N,
			.batch = { 1, 1 },
			.a = GOOD_A, .b = GOOD_B, .d = GOOD_D,
			.a_stride = { 4 * GOOD_N, 4 },
			.b_stride = { 4 * GOOD_N, 4 },
			.d_stride = { 4 * GOOD_N, 4 },
		},
		.vector = {
			.hdr = fuzz_head(LOOM_OP_VECTOR,
					 sizeof(struct good_job) - 256),
			.num_operands = 2, .num_insns = 7,
			.dim = { GOOD_LEN, 1, 1, 1 },
		},
		.operand = {
			{ .addr = GOOD_D, .type = LOOM_TYPE_F32, .stride = { 4 } },
			{ .addr = GOOD_SYS, .type = LOOM_TYPE_F32, .stride = { 4 } },
		},
		.insn = {
			{ .op = LOOM_VEC_IMM, .dst = two, .imm = f32(2) },
			{ .op = LOOM_VEC_IMM, .dst = one, .imm = f32(1) },
			{ .op = LOOM_VEC_LOOP },
			{ .op = LOOM_VEC_LD, .dst = v0 },
			{ .op = LOOM_VEC_FMA, .dst = v0, .a = v0, .b = two, .c = one },
			{ .op = LOOM_VEC_ST, .a = v0, .operand = 1 },
			{ .op = LOOM_VEC_END },
		},
	};
}

/* Its code and data into the image, and what it must compute. */
static void build_good_job(void)
{
	struct good_job job = good_job();
	float *a = (float *)(image + GOOD_A), *b = (float *)(image + GOOD_B);
	unsigned int i, j, k;
	uint64_t at;

	for (at = 0; at < 0x4000; at += LOOM_PAGE_SIZE)
		map(GOOD_VA + at, LOOM_KIND_HBM, GOOD_VA + at, at == 0x3000);
	map(GOOD_SYS, LOOM_KIND_SYSTEM, EVENTS + LOOM_PAGE_SIZE, true);
	memcpy(image + GOOD_VA, &job, sizeof(job));
	for (i = 0; i < GOOD_LEN; i++) {
		a[i] = (float)(i % 11) - 5;
		b[i] = (float)(i % 7) - 3;
	}
	for (i = 0; i < GOOD_N; i++) {
		for (j = 0; j < GOOD_N; j++) {
			float *d = &good_result[i * GOOD_N + j];

			for (k = 0; k < GOOD_N; k++)
				*d += a[i * GOOD_N + k] * b[k * GOOD_N + j];
			*d = 2 * *d + 1;
		}
	}
}

static void run_good_job(void)
{
	const float *found = (const float *)(fuzz_card.sys + EVENTS +
					     LOOM_PAGE_SIZE - FUZZ_SYS_BASE);
	const struct loom_completion *c;

	fuzz_card_start();
	fuzz_queue_start(0, 0);
	fuzz_push(0, GOOD_VA, sizeof(struct good_job));
	fuzz_doorbell(0);
	while (loom_core_run(fuzz_card.core, 100))
		;
	loom_core_deliver(fuzz_card.core);
	c = fuzz_completion(0);
	FUZZ_CHECK(c, "no completion");
	FUZZ_CHECK(!c->error, "the good job failed: %s, field %u, address 0x%llx",
		   loom_strerror(c->error), c->field,
		   (unsigned long long)c->fault_addr);
	FUZZ_CHECK(!memcmp(found, good_result, sizeof(good_result)),
		   "the good job's result is wrong");
	fuzz_check_card();
}

/* Life -------------------------------------------------------------------- */

static void build_image(void)
{
	unsigned int w;
	uint64_t at;

	fill_image();
	fuzz_card.num_tables = 1;
	for (w = 0; w < FUZZ_WINDOWS; w++)
		map_window(w);
	for (at = 0; at < FUZZ_CMDS_SIZE; at += LOOM_PAGE_SIZE)
		map(FUZZ_CMDS + at, LOOM_KIND_HBM, FUZZ_CMDS + at, false);
	build_good_job();
}

static void restore_pages(void)
{
	uint64_t page, at;

	for (page = 0; page < HBM_PAGES; page++) {
		at = page * LOOM_PAGE_SIZE;
		if (hbm_dirty[page])
			memcpy(fuzz_card.hbm + at, image + at, LOOM_PAGE_SIZE);
	}
	for (page = 0; page < SYS_PAGES; page++) {
		if (sys_dirty[page])
			memset(fuzz_card.sys + page * LOOM_PAGE_SIZE, 0,
			       LOOM_PAGE_SIZE);
	}
	memset(hbm_dirty, 0, sizeof(hbm_dirty));
	memset(sys_dirty, 0, sizeof(sys_dirty));
}

static void create(void)
{
	struct loom_core_config cfg;
	pthread_t watcher;
	char why[160];

	loom_core_config_default(&cfg);
	cfg.hbm_size = FUZZ_HBM_SIZE;
	cfg.sram_size = FUZZ_SRAM_SIZE;
	cfg.num_queues = FUZZ_QUEUES;
	cfg.num_contexts = FUZZ_CONTEXTS;
	cfg.num_vectors = FUZZ_VECTORS;
	FUZZ_CHECK(!loom_core_config_check(&cfg, why, sizeof(why)), "%s", why);
	image = calloc(1, FUZZ_HBM_SIZE);
	fuzz_card.hbm = calloc(1, FUZZ_HBM_SIZE);
	fuzz_card.sys = calloc(1, FUZZ_SYS_SIZE);
	FUZZ_CHECK(image && fuzz_card.hbm && fuzz_card.sys, "no memory");
	build_image();
	memcpy(fuzz_card.hbm, image, FUZZ_HBM_SIZE);
	fuzz_card.core = loom_core_create(&cfg, &ops, NULL, fuzz_card.hbm);
	FUZZ_CHECK(fuzz_card.core, "no memory");
	pthread_getcpuclockid(pthread_self(), &run_clock);
	FUZZ_CHECK(!pthread_create(&watcher, NULL, watch, NULL), "no thread");
}

void fuzz_begin(struct fuzz_in *in)
{
	if (!fuzz_card.core)
		create();
	fuzz_card.in = in;
	fuzz_card.answers = false;
	fuzz_card.interrupted = false;
	fuzz_card.faults = false;
	fuzz_card.on_dma = NULL;
	loom_core_set_bus_master(fuzz_card.core, false);
}

void fuzz_end(void)
{
	static unsigned int inputs;

	fuzz_check_card();
	if (inputs < 16 || inputs % COMPARE_EVERY == 0)
		check_clean_pages();
	inputs++;
	fuzz_card.answers = false;
	fuzz_card.on_dma = NULL;
	fuzz_repair();
	loom_core_reset(fuzz_card.core);
	restore_pages();
	run_good_job();
	loom_core_reset(fuzz_card.core);
	restore_pages();
}
