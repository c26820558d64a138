// SPDX-License-Identifier: MIT
/*
 * What $ACCEL_DEVICE does for a program: matrix products, element-wise work,
 * copies, and how long a submission takes.
 *
 * A sample is one command buffer that repeats the same command, timed from
 * submission to the end of the wait.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <accel/accel_ops.h>
#include <loom_core.h>

#include "bench.h"

#define PAGE	4096ull

enum work { GEMM, VECTOR, COPY, SUBMIT, PIPE };

static struct {
	struct accel_device *dev;
	struct accel_queue *queue;
	struct accel_cmdbuf *cb;
	/** @reps: commands in @cb */
	unsigned int reps;
	enum work work;
	/** @op: name of the operation: "add", "h2d" */
	char op[16];
	/** @bo: first operand and destination may be in different memory */
	struct accel_bo *bo[2];
	/** @t: destination, then sources */
	struct accel_tensor t[3];
} b;

static void check(int rc)
{
	const struct accel_error *e = accel_last_error();

	if (rc >= 0)
		return;
	fprintf(stderr, "bench_device: %s: %s %s\n", e->function, e->message,
		e->hint);
	exit(1);
}

/* Counting ---------------------------------------------------------------- */

/* The linker puts these between libaccel and the core of a "sim:" card. */
uint64_t __real_loom_core_mmio_read(struct loom_core *core, uint64_t offset,
				    unsigned int size);
void __real_loom_core_mmio_write(struct loom_core *core, uint64_t offset,
				 uint64_t value, unsigned int size);
void __real_loom_core_doorbell_write(struct loom_core *core, uint64_t offset,
				     uint64_t value, unsigned int size);
struct loom_core *__real_loom_core_create(const struct loom_core_config *cfg,
					  const struct loom_core_ops *ops,
					  void *opaque, uint8_t *hbm);
uint64_t __wrap_loom_core_mmio_read(struct loom_core *core, uint64_t offset,
				    unsigned int size);
void __wrap_loom_core_mmio_write(struct loom_core *core, uint64_t offset,
				 uint64_t value, unsigned int size);
void __wrap_loom_core_doorbell_write(struct loom_core *core, uint64_t offset,
				     uint64_t value, unsigned int size);
struct loom_core *__wrap_loom_core_create(const struct loom_core_config *cfg,
					  const struct loom_core_ops *ops,
					  void *opaque, uint8_t *hbm);

static const struct loom_core_ops *sim_ops;

uint64_t __wrap_loom_core_mmio_read(struct loom_core *core, uint64_t offset,
				    unsigned int size)
{
	__atomic_fetch_add(&bench_counts.mmio, 1, __ATOMIC_RELAXED);
	return __real_loom_core_mmio_read(core, offset, size);
}

void __wrap_loom_core_mmio_write(struct loom_core *core, uint64_t offset,
				 uint64_t value, unsigned int size)
{
	__atomic_fetch_add(&bench_counts.mmio, 1, __ATOMIC_RELAXED);
	__real_loom_core_mmio_write(core, offset, value, size);
}

void __wrap_loom_core_doorbell_write(struct loom_core *core, uint64_t offset,
				     uint64_t value, unsigned int size)
{
	__atomic_fetch_add(&bench_counts.mmio, 1, __ATOMIC_RELAXED);
	__real_loom_core_doorbell_write(core, offset, value, size);
}

static void count_irq(void *opaque, unsigned int vector)
{
	__atomic_fetch_add(&bench_counts.irqs, 1, __ATOMIC_RELAXED);
	sim_ops->irq(opaque, vector);
}

struct loom_core *__wrap_loom_core_create(const struct loom_core_config *cfg,
					  const struct loom_core_ops *ops,
					  void *opaque, uint8_t *hbm)
{
	static struct loom_core_ops counting;

	sim_ops = ops;
	counting = *ops;
	counting.irq = count_irq;
	return __real_loom_core_create(cfg, &counting, opaque, hbm);
}

/* Cases ------------------------------------------------------------------- */

/* A buffer object with numbers in it. */
static struct accel_bo *make_bo(uint64_t bytes, enum accel_placement placement)
{
	struct accel_bo *bo;
	void *map;

	check(accel_bo_create(b.dev, bytes, placement, &bo));
	check(accel_bo_map(bo, &map));
	bench_fill(map, bytes);
	return bo;
}

static uint64_t pages(uint64_t bytes)
{
	return (bytes + PAGE - 1) / PAGE * PAGE;
}

/*
 * Few rows of A mean weights, which can be laid out as the card likes them: k
 * innermost, but for a single row of bf16 n.
 */
static void begin_gemm(const struct bench_gemm *g)
{
	const uint32_t in = g->bf16 ? LOOM_TYPE_BF16 : LOOM_TYPE_I8;
	const uint32_t out = g->bf16 ? LOOM_TYPE_F32 : LOOM_TYPE_I32;
	struct accel_tensor *d = &b.t[0], *a = &b.t[1], *w = &b.t[2];

	*a = accel_tensor_2d(PAGE, in, g->k, g->m);
	*w = accel_tensor_2d(a->va + pages(accel_tensor_bytes(a)), in, g->n,
			     g->k);
	if (g->m < g->n && !(g->m == 1 && g->bf16)) {
		*w = accel_tensor_2d(w->va, in, g->k, g->n);
		*w = accel_tensor_transpose(w);
	}
	*d = accel_tensor_2d(w->va + pages(accel_tensor_bytes(w)), out, g->n,
			     g->m);
	b.work = GEMM;
	b.bo[0] = make_bo(d->va + accel_tensor_bytes(d), ACCEL_HBM);
	for (int i = 0; i < 3; i++)
		b.t[i].va += accel_bo_va(b.bo[0]);
}

static void begin_vector(uint32_t n)
{
	b.work = VECTOR;
	b.bo[0] = make_bo(3 * pages(4ull * n), ACCEL_HBM);
	for (int i = 0; i < 3; i++)
		b.t[i] = accel_tensor_1d(accel_bo_va(b.bo[0]) +
					 i * pages(4ull * n), LOOM_TYPE_F32, n);
	if (!strcmp(b.op, "sum"))
		b.t[0] = accel_tensor_1d(b.t[0].va, LOOM_TYPE_F32, 1);
}

/* "h2d" is from system memory to HBM. */
static void begin_copy(uint32_t kib)
{
	b.work = COPY;
	for (int i = 0; i < 2; i++) {
		char side = b.op[i ? 0 : 2];

		b.bo[i] = make_bo(1024ull * kib,
				  side == 'h' ? ACCEL_HOST : ACCEL_HBM);
		b.t[i] = accel_tensor_1d(accel_bo_va(b.bo[i]), LOOM_TYPE_I32,
					 256 * kib);
	}
}

static bool begin(const char *name)
{
	struct bench_gemm gemm;
	uint32_t n;

	b.reps = 0;
	if (bench_gemm_parse(name, &gemm))
		begin_gemm(&gemm);
	else if (sscanf(name, "vector/%15[^/]/%u", b.op, &n) == 2)
		begin_vector(n);
	else if (sscanf(name, "copy/%15[^/]/%u", b.op, &n) == 2)
		begin_copy(n);
	else if (!strcmp(name, "submit/nop"))
		b.work = SUBMIT;
	else if (!strcmp(name, "pipe"))
		b.work = PIPE;
	else
		return false;
	return true;
}

static void end(void)
{
	for (int i = 0; i < 2; i++) {
		accel_bo_destroy(b.bo[i]);
		b.bo[i] = NULL;
	}
}

/* Samples ----------------------------------------------------------------- */

static int record_one(void)
{
	if (b.work == GEMM)
		return accel_op_matmul(b.cb, &b.t[0], &b.t[1], &b.t[2], NULL, 1);
	if (b.work == COPY)
		return accel_op_copy(b.cb, &b.t[0], &b.t[1]);
	if (b.work == SUBMIT)
		return accel_cmd_nop(b.cb);
	if (!strcmp(b.op, "add"))
		return accel_op_add(b.cb, &b.t[0], &b.t[1], &b.t[2]);
	if (!strcmp(b.op, "exp"))
		return accel_op_exp(b.cb, &b.t[0], &b.t[1]);
	return accel_op_sum(b.cb, &b.t[0], &b.t[1], 0);
}

static void record(unsigned int reps)
{
	accel_cmdbuf_reset(b.cb);
	for (unsigned int i = 0; i < reps; i++)
		check(record_one());
	b.reps = reps;
}

static double submit_and_wait(unsigned int times)
{
	double start = bench_now();
	uint64_t point;

	for (unsigned int i = 0; i < times; i++) {
		check(accel_submit(b.queue, b.cb, &point));
		check(accel_wait(b.queue, point, -1));
	}
	return bench_now() - start;
}

/* The yardstick of a submission: a byte to another process and back. */
static double ping_pong(unsigned int times)
{
	int there[2], back[2];
	double seconds;
	char byte = 0;

	if (pipe(there) || pipe(back))
		exit(1);
	if (!fork()) {
		close(there[1]);
		while (read(there[0], &byte, 1) == 1 &&
		       write(back[1], &byte, 1) == 1)
			;
		_exit(0);
	}
	seconds = bench_now();
	for (unsigned int i = 0; i < times; i++) {
		if (write(there[1], &byte, 1) != 1 ||
		    read(back[0], &byte, 1) != 1)
			exit(1);
	}
	seconds = bench_now() - seconds;
	for (int i = 0; i < 2; i++) {
		close(there[i]);
		close(back[i]);
	}
	wait(NULL);
	return seconds;
}

static double run(unsigned int reps)
{
	if (b.work == PIPE)
		return ping_pong(reps);
	if (b.work == SUBMIT) {
		record(1);
		return submit_and_wait(reps);
	}
	if (reps != b.reps)
		record(reps);
	return submit_and_wait(1);
}

int main(void)
{
	static const struct bench_ops ops = { begin, run, end };
	int status;

	check(accel_device_open(NULL, &b.dev));
	check(accel_queue_create(b.dev, NULL, &b.queue));
	check(accel_cmdbuf_create(b.dev, &b.cb));
	status = bench_serve(&ops);
	accel_cmdbuf_destroy(b.cb);
	accel_queue_destroy(b.queue);
	accel_device_close(b.dev);
	return status;
}
