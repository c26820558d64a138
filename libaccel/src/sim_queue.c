// SPDX-License-Identifier: MIT
/*
 * The "sim:" transport: queues, jobs, waits.
 *
 * A job goes from a queue's list to its ring once what it waits for is reached
 * and there is room; sim_queues_update() moves them on whenever something
 * completes.  A queue with a failed job is banned: its jobs count as over.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "sim.h"

#define RING_LOG2	8
#define RING_SIZE	(1u << RING_LOG2)
#define RING_BYTES	(RING_SIZE * sizeof(struct loom_ring_entry))
#define COMPL_BYTES	(RING_SIZE * sizeof(struct loom_completion))
/* How often a waiter looks whether the card still makes progress. */
#define WATCH_NS	INT64_C(100000000)

/** struct sim_job - a job that is not in the ring yet */
struct sim_job {
	struct sim_job *next;
	uint64_t cmd_va;
	uint32_t cmd_size;
	/** @irq: it is the last of a submission */
	bool irq;
	unsigned int num_waits;
	struct accel_point waits[];
};

/** struct sim_queue - all protected by sim.lock */
struct sim_queue {
	struct accel_queue base;
	struct sim *sim;
	/** @hw: number of the hardware queue */
	unsigned int hw;
	/** @mem: the ring, then the completions */
	uint8_t *mem;
	uint64_t bus;
	/** @first, @last: jobs that are not in the ring */
	struct sim_job *first;
	struct sim_job *last;
	/** @ringed: jobs put into the ring so far; job n is number n - 1 there */
	uint64_t ringed;
	/** @done: jobs whose completion has been seen */
	uint64_t done;
	struct queue_fate fate;
	/** @times: of job n in entry (n - 1) % ACCEL_MAX_JOB_TIMES */
	struct accel_job_time times[ACCEL_MAX_JOB_TIMES];
};

static struct sim_queue *to_sim_queue(struct accel_queue *q)
{
	return container_of(q, struct sim_queue, base);
}

static uint64_t queue_reg(const struct sim_queue *q, uint32_t reg)
{
	return LOOM_REG_QUEUE(q->hw, reg);
}

static bool reached(const struct sim_queue *q, uint64_t point)
{
	return q->done >= point || q->fate.status.failed;
}

/* -------------------------------------------------------------------- jobs */

static void list_drop(struct sim_queue *q)
{
	struct sim_job *job, *next;

	for (job = q->first; job; job = next) {
		next = job->next;
		free(job);
	}
	q->first = NULL;
	q->last = NULL;
}

static bool job_ready(const struct sim_job *job)
{
	unsigned int i;

	for (i = 0; i < job->num_waits; i++)
		if (job->waits[i].queue &&
		    !reached(to_sim_queue(job->waits[i].queue),
			     job->waits[i].value))
			return false;
	return true;
}

static void ring_put(struct sim_queue *q, const struct sim_job *job)
{
	struct loom_ring_entry *entry = (struct loom_ring_entry *)q->mem +
					q->ringed % RING_SIZE;

	*entry = (struct loom_ring_entry){
		.type = LOOM_RING_EXEC,
		.flags = job->irq ? LOOM_RING_F_IRQ : 0,
		.cmd_va = job->cmd_va,
		.cmd_size = job->cmd_size,
		.seq = ++q->ringed,
	};
}

/* Fill the ring as far as it goes. */
static void feed(struct sim_queue *q)
{
	struct sim_job *job;
	bool any = false;

	while ((job = q->first) && q->ringed - q->done < RING_SIZE &&
	       job_ready(job)) {
		/* An interrupt is needed to go on when the ring is full. */
		if (q->ringed - q->done == RING_SIZE - 1)
			job->irq = true;
		ring_put(q, job);
		q->first = job->next;
		if (!q->first)
			q->last = NULL;
		free(job);
		any = true;
	}
	if (any)
		loom_core_doorbell_write(q->sim->core,
					 (uint64_t)q->hw * LOOM_DOORBELL_STRIDE,
					 (uint32_t)q->ringed, 4);
}

static void ban(struct sim_queue *q)
{
	q->fate.status.failed = 1;
	q->fate.status.job = q->done + 1;
	list_drop(q);
}

static void fail(struct sim_queue *q, const struct loom_completion *c)
{
	struct accel_queue_status *st = &q->fate.status;

	ban(q);
	st->error = c->error;
	st->opcode = c->opcode;
	st->cmd_index = c->cmd_index;
	st->cmd_offset = c->cmd_offset;
	st->field = c->field;
	st->access = c->access;
	st->fault_addr = c->fault_addr;
}

static void note_time(struct sim_queue *q, const struct loom_completion *c)
{
	struct accel_usage *usage = &q->sim->usage;

	q->fate.status.last_start = c->start;
	q->fate.status.last_end = c->end;
	q->times[q->done % ACCEL_MAX_JOB_TIMES] = (struct accel_job_time){
		.job = q->done + 1, .start = c->start, .end = c->end,
	};
	usage->jobs++;
	usage->failed += c->error != 0;
	usage->cycles += c->end - c->start;
}

static void reap(struct sim_queue *q)
{
	const struct loom_completion *ring = (const void *)(q->mem + RING_BYTES);
	struct loom_completion c;

	while (q->done < q->ringed && !q->fate.status.failed) {
		/* The card writes with the lock held for reading. */
		pthread_rwlock_wrlock(&q->sim->dma_lock);
		c = ring[q->done % RING_SIZE];
		pthread_rwlock_unlock(&q->sim->dma_lock);
		if (c.seq != q->done + 1)
			return;
		note_time(q, &c);
		if (c.error)
			fail(q, &c);
		q->done++;
	}
}

void sim_queues_update(struct sim *sim)
{
	unsigned int i;

	for (i = 0; i < LOOM_MAX_QUEUES; i++)
		if (sim->queue[i])
			reap(sim->queue[i]);
	for (i = 0; i < LOOM_MAX_QUEUES; i++)
		if (sim->queue[i])
			feed(sim->queue[i]);
}

/* ------------------------------------------------------------------ queues */

static void queue_disable(struct sim_queue *q)
{
	sim_write32(q->sim, queue_reg(q, LOOM_QUEUE_CTRL),
		    LOOM_QUEUE_CTRL_RESET);
}

static int queue_enable(struct sim_queue *q, uint32_t priority)
{
	struct sim *sim = q->sim;
	uint32_t vectors = sim_read32(sim, LOOM_REG_NUM_VECTORS), state;

	sim_write64(sim, queue_reg(q, LOOM_QUEUE_RING_BASE), q->bus);
	sim_write32(sim, queue_reg(q, LOOM_QUEUE_RING_SIZE_LOG2), RING_LOG2);
	sim_write32(sim, queue_reg(q, LOOM_QUEUE_CTX), SIM_CTX);
	sim_write64(sim, queue_reg(q, LOOM_QUEUE_COMPL_BASE),
		    q->bus + RING_BYTES);
	sim_write32(sim, queue_reg(q, LOOM_QUEUE_VECTOR),
		    vectors > 1 ? 1 + q->hw % (vectors - 1) : 0);
	sim_write32(sim, queue_reg(q, LOOM_QUEUE_PRIORITY), priority);
	sim_write32(sim, queue_reg(q, LOOM_QUEUE_CTRL), LOOM_QUEUE_CTRL_ENABLE);
	state = sim_read32(sim, queue_reg(q, LOOM_QUEUE_STATE));
	if (state != LOOM_QUEUE_STATE_IDLE)
		return error_set(-EIO, NULL, "the card refused the queue: %s",
				 loom_strerror(sim_read32(sim,
					queue_reg(q, LOOM_QUEUE_ERROR))));
	return 0;
}

static int find_hw(struct sim *sim, unsigned int *hw)
{
	for (*hw = 0; *hw < sim->dev.info.num_queues; ++*hw)
		if (!sim->queue[*hw])
			return 0;
	return error_set(-ENOSPC, "destroy a queue",
			 "all %u hardware queues are taken",
			 sim->dev.info.num_queues);
}

/* Memory, hardware queue, registers; sim.lock is held. */
static int queue_setup(struct sim_queue *q, uint32_t priority)
{
	struct sim *sim = q->sim;
	int rc;

	rc = find_hw(sim, &q->hw);
	if (rc)
		return rc;
	rc = sim_range_add(sim, q->mem, RING_BYTES + COMPL_BYTES, &q->bus);
	if (rc)
		return rc;
	rc = queue_enable(q, priority);
	if (rc) {
		sim_range_del(sim, q->bus);
		return rc;
	}
	sim->queue[q->hw] = q;
	return 0;
}

int sim_queue_create(struct accel_device *dev, uint32_t priority,
		     struct accel_queue **out)
{
	struct sim *sim = to_sim(dev);
	struct sim_queue *q = calloc(1, sizeof(*q));
	int rc = -ENOMEM;

	if (!q)
		return error_set(-ENOMEM, NULL, "out of memory");
	q->sim = sim;
	q->mem = mmap(NULL, RING_BYTES + COMPL_BYTES, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (q->mem == MAP_FAILED) {
		error_set(rc, NULL, "out of memory");
		goto err_free;
	}
	pthread_mutex_lock(&sim->lock);
	rc = queue_setup(q, priority);
	pthread_mutex_unlock(&sim->lock);
	if (rc)
		goto err_unmap;
	*out = &q->base;
	return 0;

err_unmap:
	munmap(q->mem, RING_BYTES + COMPL_BYTES);
err_free:
	free(q);
	return rc;
}

/* Jobs of other queues that wait for @gone need to no longer. */
static void forget_waits(struct sim_queue *q, const struct sim_queue *gone)
{
	struct sim_job *job;
	unsigned int i;

	for (job = q->first; job; job = job->next)
		for (i = 0; i < job->num_waits; i++)
			if (job->waits[i].queue == &gone->base)
				job->waits[i].queue = NULL;
}

void sim_queue_destroy(struct accel_queue *base)
{
	struct sim_queue *q = to_sim_queue(base);
	struct sim *sim = q->sim;
	unsigned int i;

	pthread_mutex_lock(&sim->lock);
	sim->queue[q->hw] = NULL;
	list_drop(q);
	queue_disable(q);
	sim_range_del(sim, q->bus);
	for (i = 0; i < LOOM_MAX_QUEUES; i++)
		if (sim->queue[i])
			forget_waits(sim->queue[i], q);
	sim_queues_update(sim);
	pthread_mutex_unlock(&sim->lock);

	munmap(q->mem, RING_BYTES + COMPL_BYTES);
	free(q);
}

/* ------------------------------------------------------------------ submit */

static struct sim_job *job_new(const struct transport_job *job,
			       const struct accel_point *waits,
			       unsigned int num_waits)
{
	struct sim_job *j = malloc(sizeof(*j) + num_waits * sizeof(*waits));

	if (!j)
		return NULL;
	j->next = NULL;
	j->cmd_va = job->cmd_va;
	j->cmd_size = job->cmd_size;
	j->irq = false;
	j->num_waits = num_waits;
	if (num_waits)
		memcpy(j->waits, waits, num_waits * sizeof(*waits));
	return j;
}

/* A list of all jobs, or nothing: the waits come before the first. */
static int jobs_new(const struct transport_job *jobs, unsigned int num_jobs,
		    const struct accel_point *waits, unsigned int num_waits,
		    struct sim_job **first, struct sim_job **last)
{
	struct sim_job **link = first, *next;
	unsigned int i;

	for (i = 0; i < num_jobs; i++) {
		*link = job_new(&jobs[i], waits, i ? 0 : num_waits);
		if (!*link)
			goto err_free;
		*last = *link;
		link = &(*link)->next;
	}
	(*last)->irq = true;
	return 0;

err_free:
	for (; *first; *first = next) {
		next = (*first)->next;
		free(*first);
	}
	return error_set(-ENOMEM, NULL, "out of memory");
}

static void append(struct sim_queue *q, struct sim_job *first,
		   struct sim_job *last)
{
	if (q->last)
		q->last->next = first;
	else
		q->first = first;
	q->last = last;
}

int sim_queue_submit(struct accel_queue *base, const struct transport_job *jobs,
		     unsigned int num_jobs, const struct accel_point *waits,
		     unsigned int num_waits, uint64_t point)
{
	struct sim_queue *q = to_sim_queue(base);
	struct sim *sim = q->sim;
	struct sim_job *first = NULL, *last = NULL;
	int rc;

	/* The number of the last job, which counts itself here. */
	(void)point;
	rc = jobs_new(jobs, num_jobs, waits, num_waits, &first, &last);
	if (rc)
		return rc;
	pthread_mutex_lock(&sim->lock);
	append(q, first, last);
	if (q->fate.status.failed) {
		list_drop(q);
		rc = -ECANCELED;
	} else {
		feed(q);
	}
	pthread_mutex_unlock(&sim->lock);
	return rc;
}

/* -------------------------------------------------------------------- wait */

/* What all queues have done, as far as the card tells while it works. */
static uint64_t progress(struct sim *sim)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < LOOM_MAX_QUEUES; i++)
		if (sim->queue[i])
			sum += sim_read32(sim, LOOM_REG_QUEUE(i, LOOM_QUEUE_PROGRESS)) +
			       sim->queue[i]->ringed + sim->queue[i]->done;
	return sum;
}

static void give_up(struct sim_queue *q)
{
	if (q->done == q->ringed || q->fate.status.failed)
		return;
	ban(q);
	q->fate.timedout = true;
	queue_disable(q);
}

/*
 * Nothing happens on its own account in a process without a timer thread, so
 * the waiters are the watchdog.  Queues share the workers; therefore a queue is
 * hung only if nothing at all moves.
 */
static void watch(struct sim *sim)
{
	int64_t now = deadline_ns(0);
	uint64_t sum;
	unsigned int i;

	pthread_mutex_lock(&sim->lock);
	sum = progress(sim);
	if (sum != sim->progress || !sim->progress_at) {
		sim->progress = sum;
		sim->progress_at = now;
	} else if (now - sim->progress_at > sim->job_timeout_ns) {
		for (i = 0; i < LOOM_MAX_QUEUES; i++)
			if (sim->queue[i])
				give_up(sim->queue[i]);
		sim->progress_at = 0;
		sim_queues_update(sim);
		sim_wake(sim);
	}
	pthread_mutex_unlock(&sim->lock);
}

static bool is_reached(struct sim_queue *q, uint64_t point)
{
	bool yes;

	pthread_mutex_lock(&q->sim->lock);
	yes = reached(q, point);
	pthread_mutex_unlock(&q->sim->lock);
	return yes;
}

/* Sleep until something happened since @seen, or @until. */
static void sleep_until(struct sim *sim, uint64_t seen, int64_t until)
{
	struct timespec ts = {
		.tv_sec = until / 1000000000, .tv_nsec = until % 1000000000,
	};

	pthread_mutex_lock(&sim->wake_lock);
	while (sim->wake_count == seen &&
	       pthread_cond_timedwait(&sim->wake, &sim->wake_lock, &ts) !=
	       ETIMEDOUT)
		;
	pthread_mutex_unlock(&sim->wake_lock);
}

static uint64_t wake_count(struct sim *sim)
{
	uint64_t count;

	pthread_mutex_lock(&sim->wake_lock);
	count = sim->wake_count;
	pthread_mutex_unlock(&sim->wake_lock);
	return count;
}

int sim_queue_wait(struct accel_queue *base, uint64_t point, int64_t timeout_ns)
{
	struct sim_queue *q = to_sim_queue(base);
	struct sim *sim = q->sim;
	int64_t deadline = deadline_ns(timeout_ns), until;
	uint64_t seen;

	for (;;) {
		seen = wake_count(sim);
		sim_service(sim);
		if (is_reached(q, point))
			return 0;
		if (deadline_ns(0) >= deadline)
			return -ETIME;
		watch(sim);
		until = deadline_ns(WATCH_NS);
		sleep_until(sim, seen, until < deadline ? until : deadline);
	}
}

int sim_queue_fate(struct accel_queue *base, struct queue_fate *out)
{
	struct sim_queue *q = to_sim_queue(base);

	sim_service(q->sim);
	pthread_mutex_lock(&q->sim->lock);
	*out = q->fate;
	out->status.size = sizeof(out->status);
	out->status.jobs_done = q->done;
	pthread_mutex_unlock(&q->sim->lock);
	return 0;
}

int sim_queue_times(struct accel_queue *base, uint64_t first,
		    struct accel_job_time *times, unsigned int *count)
{
	struct sim_queue *q = to_sim_queue(base);
	unsigned int n = 0;
	uint64_t job;

	sim_service(q->sim);
	pthread_mutex_lock(&q->sim->lock);
	job = q->done > ACCEL_MAX_JOB_TIMES ? q->done - ACCEL_MAX_JOB_TIMES : 0;
	if (first && first - 1 > job)
		job = first - 1;
	for (; job < q->done && n < *count; job++)
		times[n++] = q->times[job % ACCEL_MAX_JOB_TIMES];
	pthread_mutex_unlock(&q->sim->lock);
	*count = n;
	return 0;
}
