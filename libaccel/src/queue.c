// SPDX-License-Identifier: MIT
/*
 * Queues, submission and waits.
 *
 * Jobs of a queue are numbered from 1; the timeline point of a submission is
 * the number of its last job.  A queue remembers the jobs that are not known to
 * have succeeded: which submission they belong to, to tell "it failed" from
 * "one before it failed", and their command buffers, to explain a fault.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "internal.h"

int64_t deadline_ns(int64_t timeout_ns)
{
	struct timespec ts;
	int64_t now;

	if (timeout_ns < 0)
		return INT64_MAX;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	now = ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
	return timeout_ns > INT64_MAX - now ? INT64_MAX : now + timeout_ns;
}

int accel_queue_create(struct accel_device *dev,
		       const struct accel_queue_desc *desc,
		       struct accel_queue **out)
{
	struct accel_queue_desc d = { .priority = ACCEL_PRIORITY_NORMAL };
	int rc;

	API_ENTER();
	if (!dev || !out)
		return error_set(-EINVAL, NULL, "the device or @out is NULL");
	rc = desc ? struct_in(&d, sizeof(d), desc) : 0;
	if (rc)
		return rc;
	if (d.priority > ACCEL_PRIORITY_HIGH)
		return error_set(-EINVAL, NULL, "priority %u is unknown",
				 d.priority);
	rc = dev->ops->queue_create(dev, d.priority, out);
	if (rc)
		return rc;
	(*out)->dev = dev;
	return 0;
}

/* ----------------------------------------------------------- unfinished jobs */

/* Forget the jobs up to and including number @job. */
static void retire(struct accel_queue *q, uint64_t job)
{
	uint64_t submitted = atomic_load(&q->submitted), i, n;

	if (job <= q->retired || job > submitted)
		return;
	n = job - q->retired;
	for (i = 0; i < n; i++)
		cmdbuf_put(q->jobs[i].cb);
	memmove(q->jobs, q->jobs + n, (submitted - job) * sizeof(*q->jobs));
	q->retired = job;
}

/* Make room for @num jobs more. */
static int reserve_jobs(struct accel_queue *q, unsigned int num)
{
	size_t used = atomic_load(&q->submitted) - q->retired, max;
	struct queue_fate fate = { 0 };
	struct queue_job *jobs;

	if (used + num <= q->jobs_max)
		return 0;
	/* Somebody submits without waiting: forget what has succeeded. */
	if (!q->dev->ops->fate(q, &fate) && !fate.status.failed)
		retire(q, fate.status.jobs_done);
	used = atomic_load(&q->submitted) - q->retired;
	if (used + num <= q->jobs_max / 2)
		return 0;

	max = 2 * (used + num) < 128 ? 128 : 2 * (used + num);
	jobs = realloc(q->jobs, max * sizeof(*jobs));
	if (!jobs)
		return error_set(-ENOMEM, NULL, "out of memory");
	q->jobs = jobs;
	q->jobs_max = max;
	return 0;
}

static void remember_jobs(struct accel_queue *q, struct accel_cmdbuf *const *cbs,
			  unsigned int num)
{
	uint64_t point = atomic_load(&q->submitted) + num;
	struct queue_job *job = q->jobs + (point - num - q->retired);
	unsigned int i;

	for (i = 0; i < num; i++, job++) {
		cmdbuf_get(cbs[i]);
		*job = (struct queue_job){ cbs[i], point };
	}
	atomic_store(&q->submitted, point);
}

void accel_queue_destroy(struct accel_queue *q)
{
	struct queue_job *jobs;
	uint64_t i, num;

	if (!q)
		return;
	jobs = q->jobs;
	num = atomic_load(&q->submitted) - q->retired;
	/* The card reads the command buffers until the transport is done. */
	q->dev->ops->queue_destroy(q);
	for (i = 0; i < num; i++)
		cmdbuf_put(jobs[i].cb);
	free(jobs);
}

/* --------------------------------------------------------------- submission */

static int check_cmdbufs(struct accel_queue *q,
			 const struct accel_submit_info *info,
			 struct transport_job *jobs)
{
	const struct accel_cmdbuf *cb;
	unsigned int i;

	if (!info->num_cmdbufs || info->num_cmdbufs > ACCEL_MAX_SUBMIT ||
	    !info->cmdbufs)
		return error_set(-EINVAL, NULL,
				 "%u command buffers, there must be 1..%d",
				 info->num_cmdbufs, ACCEL_MAX_SUBMIT);
	for (i = 0; i < info->num_cmdbufs; i++) {
		cb = info->cmdbufs[i];
		if (!cb || cb->dev != q->dev)
			return error_set(-EINVAL, NULL,
					 "command buffer %u is %s", i,
					 cb ? "of another device" : "NULL");
		if (!cb->size)
			return error_set(-EINVAL, NULL,
					 "command buffer %u is empty", i);
		jobs[i].cmd_va = cb->bo->va;
		jobs[i].cmd_size = cb->size;
		jobs[i].repeatable = info->flags & ACCEL_SUBMIT_REPEATABLE;
	}
	return 0;
}

static int check_waits(struct accel_queue *q,
		       const struct accel_submit_info *info)
{
	const struct accel_point *w;
	unsigned int i;

	if (info->num_waits > ACCEL_MAX_SUBMIT ||
	    (info->num_waits && !info->waits))
		return error_set(-EINVAL, NULL, "%u waits, there can be %d",
				 info->num_waits, ACCEL_MAX_SUBMIT);
	for (i = 0; i < info->num_waits; i++) {
		w = &info->waits[i];
		if (!w->queue || w->queue->dev != q->dev)
			return error_set(-EINVAL, NULL,
					 "the queue of wait %u is %s", i,
					 w->queue ? "of another device" : "NULL");
		if (w->value > atomic_load(&w->queue->submitted))
			return error_set(-EINVAL, "submit what is waited for first",
					 "wait %u is for point %llu, which was not submitted",
					 i, (unsigned long long)w->value);
	}
	return 0;
}

static int refuse_failed(struct accel_queue *q)
{
	error_set(-ECANCELED,
		  "destroy the queue and make another; others are not affected",
		  "the queue has failed before: %s", q->fate.status.text);
	return -ECANCELED;
}

/* Ask how the queue fares, until it is known to have failed. */
static int update_fate(struct accel_queue *q)
{
	int rc;

	if (q->fate.status.failed)
		return 0;
	q->fate = (struct queue_fate){ 0 };
	rc = q->dev->ops->fate(q, &q->fate);
	if (!rc && q->fate.status.failed)
		explain_fate(q, &q->fate);
	return rc;
}

static int submit(struct accel_queue *q, const struct accel_submit_info *info,
		  uint64_t *point)
{
	struct transport_job jobs[ACCEL_MAX_SUBMIT];
	uint64_t target;
	int rc;

	if (!q)
		return error_set(-EINVAL, NULL, "the queue is NULL");
	rc = check_cmdbufs(q, info, jobs);
	if (!rc)
		rc = check_waits(q, info);
	if (rc)
		return rc;
	if (q->fate.status.failed)
		return refuse_failed(q);
	rc = reserve_jobs(q, info->num_cmdbufs);
	if (rc)
		return rc;

	target = atomic_load(&q->submitted) + info->num_cmdbufs;
	rc = q->dev->ops->submit(q, jobs, info->num_cmdbufs, info->waits,
				 info->num_waits, target);
	if (rc == -ECANCELED && !update_fate(q) && q->fate.status.failed)
		return refuse_failed(q);
	if (rc)
		return rc;
	remember_jobs(q, info->cmdbufs, info->num_cmdbufs);
	debug_print(q->dev, DEBUG_SUBMIT,
		    "queue %p: %u command buffers, the first of %u bytes, %u waits: point %llu",
		    (void *)q, info->num_cmdbufs, jobs[0].cmd_size,
		    info->num_waits, (unsigned long long)target);
	if (point)
		*point = target;
	return 0;
}

int accel_submit(struct accel_queue *q, struct accel_cmdbuf *cb,
		 uint64_t *point)
{
	const struct accel_submit_info info = {
		.size = sizeof(info), .num_cmdbufs = 1, .cmdbufs = &cb,
	};

	API_ENTER();
	return submit(q, &info, point);
}

int accel_submit_ex(struct accel_queue *q, const struct accel_submit_info *info,
		    uint64_t *point)
{
	struct accel_submit_info known;
	int rc;

	API_ENTER();
	rc = struct_in(&known, sizeof(known), info);
	if (rc)
		return rc;
	if (known.flags & ~ACCEL_SUBMIT_REPEATABLE)
		return error_set(-EINVAL, NULL, "flags %#x are unknown",
				 known.flags & ~ACCEL_SUBMIT_REPEATABLE);
	return submit(q, &known, point);
}

/* -------------------------------------------------------------------- waits */

/* The work up to @point is over: did it succeed? */
static int outcome(struct accel_queue *q, uint64_t point)
{
	const struct accel_queue_status *st = &q->fate.status;
	const struct queue_job *job;
	int rc;

	rc = update_fate(q);
	if (rc)
		return rc;
	if (!st->failed) {
		retire(q, point);
		return 0;
	}
	if (point < st->job)
		return 0;

	job = &q->jobs[st->job - q->retired - 1];
	if (st->job > q->retired && job->point != point)
		rc = error_set(-ECANCELED, NULL, "work before it failed: job %llu: %s",
			       (unsigned long long)st->job, st->text);
	else
		rc = error_set(q->fate.timedout ? -ETIMEDOUT : -EIO, NULL,
			       "%s", st->text);
	explain_hint(q, &q->fate);
	return rc;
}

int accel_wait(struct accel_queue *q, uint64_t point, int64_t timeout_ns)
{
	uint64_t submitted;
	int rc;

	API_ENTER();
	if (!q)
		return error_set(-EINVAL, NULL, "the queue is NULL");
	submitted = atomic_load(&q->submitted);
	if (point > submitted)
		return error_set(-EINVAL, NULL,
				 "point %llu was not submitted, the last is %llu",
				 (unsigned long long)point,
				 (unsigned long long)submitted);
	if (point <= q->retired)
		return 0;
	rc = q->dev->ops->wait(q, point, timeout_ns);
	if (rc == -ETIME)
		return error_set(rc, "wait again, or longer",
				 "point %llu was not reached in %lld ns",
				 (unsigned long long)point,
				 (long long)timeout_ns);
	return rc ? rc : outcome(q, point);
}

int accel_queue_status(struct accel_queue *q, struct accel_queue_status *out)
{
	int rc;

	API_ENTER();
	if (!q)
		return error_set(-EINVAL, NULL, "the queue is NULL");
	rc = update_fate(q);
	return rc ? rc : struct_out(out, &q->fate.status,
				    sizeof(q->fate.status));
}

int accel_queue_times(struct accel_queue *q, uint64_t first,
		      struct accel_job_time *times, unsigned int max)
{
	unsigned int count = max;
	int rc;

	API_ENTER();
	if (!q || !times)
		return error_set(-EINVAL, NULL, "the queue or @times is NULL");
	if (!max || max > ACCEL_MAX_JOB_TIMES)
		return error_set(-EINVAL, NULL, "room for %u times, there must be 1..%d",
				 max, ACCEL_MAX_JOB_TIMES);
	rc = q->dev->ops->times(q, first, times, &count);
	return rc ? rc : (int)count;
}
