// SPDX-License-Identifier: MIT
/*
 * DOC: Trace file
 *
 * An array of events in Chrome's JSON.  Whole events are collected and written
 * together with the closing bracket, which the next write replaces: the file is
 * complete whenever one looks, also after a crash.
 *
 * Tracks.  The card's own (process 1) hold what was charged to each of its
 * counters, so nothing overlaps and the sums are those of the counters.  Every
 * queue (process 2 + q) has its jobs and, by engine, its commands from start to
 * end, hidden or not.
 *
 * One lock per file, for all of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <loom/loom_regs.h>

#include "tracefile.h"

#define BUFFER		65536
/* Room for any event, and for the last one. */
#define EVENT_MAX	1024
#define TAIL		"\n]\n"
/* How long a job may be over before the file shows it. */
#define FLUSH_NS	200000000

#define PID_CARD	1
#define PID_QUEUE(q)	(2 + (q))
#define TID_JOBS	0	/* the others are LOOM_PERF_CYC_* */

struct loom_trace_file {
	pthread_mutex_t lock;
	int fd;
	uint32_t clock_khz;
	uint64_t max_bytes;
	/** @size: of the file without its tail */
	uint64_t size;
	/** @error: errno of a write; nothing is written any more */
	int error;
	/** @full: max_bytes is reached */
	bool full;
	/** @named: queues whose tracks have names */
	uint64_t named;
	/** @flushed: CLOCK_MONOTONIC of the last write */
	int64_t flushed;
	size_t len;
	char buf[BUFFER];
};

static const char *const rows[] = {
	[LOOM_PERF_CYC_ARRAY] = "arrays",
	[LOOM_PERF_CYC_VECTOR] = "vector engine",
	[LOOM_PERF_CYC_COPY] = "copy engine",
	[LOOM_PERF_CYC_HBM] = "waiting for HBM",
	[LOOM_PERF_CYC_PCIE] = "waiting for PCIe",
	[LOOM_PERF_CYC_FRONT] = "front end",
};

/* Writing ------------------------------------------------------------------ */

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static void flush(struct loom_trace_file *f)
{
	size_t done = 0, all = f->len + strlen(TAIL);
	ssize_t n;

	if (!f->len || f->error)
		return;
	memcpy(f->buf + f->len, TAIL, strlen(TAIL));
	while (done < all) {
		n = pwrite(f->fd, f->buf + done, all - done,
			   (off_t)(f->size + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			f->error = n ? errno : ENOSPC;
			return;
		}
		done += (size_t)n;
	}
	f->size += f->len;
	f->len = 0;
	f->flushed = now_ns();
}

static void put(struct loom_trace_file *f, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Append one event, given without its separator. */
static void put(struct loom_trace_file *f, const char *fmt, ...)
{
	const char *separator = f->size + f->len > 1 ? ",\n" : "\n";
	va_list args;

	if (f->len + EVENT_MAX > BUFFER)
		flush(f);
	if (f->error || f->full)
		return;
	f->len += (size_t)sprintf(f->buf + f->len, "%s", separator);
	va_start(args, fmt);
	f->len += (size_t)vsnprintf(f->buf + f->len, EVENT_MAX - 64, fmt, args);
	va_end(args);
}

/* The file gets its last event when there is no room for more. */
static void check_room(struct loom_trace_file *f, uint64_t us)
{
	if (f->full || f->size + f->len + 16 * EVENT_MAX <= f->max_bytes)
		return;
	put(f, "{\"ph\":\"i\",\"s\":\"g\",\"pid\":%d,\"tid\":0,\"ts\":%" PRIu64
	    ",\"name\":\"the trace ends here: the file has its size\"}",
	    PID_CARD, us);
	flush(f);
	f->full = true;
}

/* Events ------------------------------------------------------------------- */

/* Whole nanoseconds, so that what touches does not overlap. */
static uint64_t ns(const struct loom_trace_file *f, uint64_t cycle)
{
	return (uint64_t)((unsigned __int128)cycle * 1000000 / f->clock_khz);
}

/** struct slice - a stretch of a track */
struct slice {
	unsigned int pid;
	unsigned int tid;
	uint64_t from;
	uint64_t to;
	const char *name;
};

static void put_slice(struct loom_trace_file *f, const struct slice *s,
		      const char *args)
{
	uint64_t from = ns(f, s->from), length = ns(f, s->to) - from;

	put(f, "{\"ph\":\"X\",\"pid\":%u,\"tid\":%u,\"ts\":%" PRIu64 ".%03u,"
	    "\"dur\":%" PRIu64 ".%03u,\"name\":\"%s\",\"args\":{%s}}",
	    s->pid, s->tid, from / 1000, (unsigned int)(from % 1000),
	    length / 1000, (unsigned int)(length % 1000), s->name, args);
}

static void name_process(struct loom_trace_file *f, unsigned int pid,
			 const char *name)
{
	put(f, "{\"ph\":\"M\",\"pid\":%u,\"name\":\"process_name\","
	    "\"args\":{\"name\":\"%s\",\"clock_khz\":%" PRIu32 "}}",
	    pid, name, f->clock_khz);
	put(f, "{\"ph\":\"M\",\"pid\":%u,\"name\":\"process_sort_index\","
	    "\"args\":{\"sort_index\":%u}}", pid, pid);
}

static void name_track(struct loom_trace_file *f, unsigned int pid,
		       unsigned int tid, const char *name)
{
	put(f, "{\"ph\":\"M\",\"pid\":%u,\"tid\":%u,\"name\":\"thread_name\","
	    "\"args\":{\"name\":\"%s\"}}", pid, tid, name);
	put(f, "{\"ph\":\"M\",\"pid\":%u,\"tid\":%u,"
	    "\"name\":\"thread_sort_index\",\"args\":{\"sort_index\":%u}}",
	    pid, tid, tid);
}

static void name_card(struct loom_trace_file *f, const char *card)
{
	char name[128];
	size_t i, at = 0;

	for (i = 0; card[i] && at < sizeof(name) - 1; i++)
		if (card[i] >= ' ' && card[i] != '"' && card[i] != '\\')
			name[at++] = card[i];
	name[at] = '\0';
	name_process(f, PID_CARD, name);
	for (i = LOOM_PERF_CYC_ARRAY; i <= LOOM_PERF_CYC_FRONT; i++)
		name_track(f, PID_CARD, (unsigned int)i, rows[i]);
}

static void name_queue(struct loom_trace_file *f, unsigned int queue)
{
	char name[32];
	unsigned int i;

	if (f->named >> queue & 1)
		return;
	f->named |= UINT64_C(1) << queue;
	snprintf(name, sizeof(name), "queue %u", queue);
	name_process(f, PID_QUEUE(queue), name);
	name_track(f, PID_QUEUE(queue), TID_JOBS, "jobs");
	for (i = LOOM_PERF_CYC_ARRAY; i <= LOOM_PERF_CYC_COPY; i++)
		name_track(f, PID_QUEUE(queue), i, rows[i]);
	name_track(f, PID_QUEUE(queue), LOOM_PERF_CYC_FRONT,
		   rows[LOOM_PERF_CYC_FRONT]);
}

/* What the command added to the card's counters, one stretch per row. */
static void put_charges(struct loom_trace_file *f,
			const struct loom_core_trace *t, const char *name)
{
	const unsigned int order[] = {
		LOOM_PERF_CYC_FRONT, t->engine, t->wait,
	};
	uint64_t at = t->charged + t->row[LOOM_PERF_CYC_IDLE];
	struct slice s = { .pid = PID_CARD, .name = name };
	char args[160];
	unsigned int i;

	for (i = 0; i < 3; i++) {
		s.tid = order[i];
		s.from = at;
		s.to = at += t->row[s.tid];
		if (s.from == s.to)
			continue;
		snprintf(args, sizeof(args), "\"cycles\":%" PRIu64
			 ",\"queue\":%u,\"context\":%u,\"job\":%" PRIu64
			 ",\"command\":%" PRIu32, s.to - s.from, t->queue,
			 t->context, t->seq, t->index);
		put_slice(f, &s, args);
	}
}

static const char *waited_for(const struct loom_core_trace *t)
{
	if (t->end == t->computed)
		return "nothing";
	return t->wait == LOOM_PERF_CYC_HBM ? "HBM" : "PCIe";
}

/* The command itself, hidden behind others or not. */
static void put_command(struct loom_trace_file *f,
			const struct loom_core_trace *t, const char *name)
{
	struct slice s = {
		PID_QUEUE(t->queue), LOOM_PERF_CYC_FRONT, t->begin, t->issued,
		name,
	};
	char args[512];

	snprintf(args, sizeof(args),
		 "\"cycles\":%" PRIu64 ",\"context\":%u,\"job\":%" PRIu64
		 ",\"command\":%" PRIu32 ",\"charged\":%" PRIu64
		 ",\"waits_for\":\"%s\",\"wait\":%" PRIu64
		 ",\"hbm_read\":%" PRIu64 ",\"hbm_written\":%" PRIu64
		 ",\"pcie_read\":%" PRIu64 ",\"pcie_written\":%" PRIu64
		 ",\"macs\":%" PRIu64 ",\"vector_ops\":%" PRIu64,
		 t->end - t->begin, t->context, t->seq, t->index, t->row[0],
		 waited_for(t), t->end - t->computed, t->hbm_rd, t->hbm_wr,
		 t->pcie_rd, t->pcie_wr, t->macs, t->vector_ops);
	put_slice(f, &s, args);
	if (t->start == t->computed)
		return;
	s.tid = t->engine;
	s.from = t->start;
	s.to = t->end;
	put_slice(f, &s, args);
}

void loom_trace_file_command(struct loom_trace_file *f,
			     const struct loom_core_trace *t)
{
	const char *name = t->fetch ? "ring entry" : loom_op_name(t->opcode);

	pthread_mutex_lock(&f->lock);
	check_room(f, ns(f, t->begin) / 1000);
	name_queue(f, t->queue);
	put_charges(f, t, name);
	put_command(f, t, name);
	pthread_mutex_unlock(&f->lock);
}

void loom_trace_file_job(struct loom_trace_file *f, unsigned int queue,
			 uint64_t seq, uint32_t error, uint64_t start,
			 uint64_t end)
{
	struct slice s = {
		PID_QUEUE(queue), TID_JOBS, start, end,
		error ? "job that failed" : "job",
	};
	char args[160];

	snprintf(args, sizeof(args), "\"cycles\":%" PRIu64 ",\"job\":%" PRIu64
		 ",\"error\":\"%s\"", end - start, seq, loom_strerror(error));
	pthread_mutex_lock(&f->lock);
	check_room(f, ns(f, start) / 1000);
	name_queue(f, queue);
	put_slice(f, &s, args);
	if (now_ns() - f->flushed > FLUSH_NS)
		flush(f);
	pthread_mutex_unlock(&f->lock);
}

/* Life --------------------------------------------------------------------- */

int loom_trace_file_open(const char *path, const char *card, uint32_t clock_khz,
			 uint64_t max_bytes, struct loom_trace_file **out)
{
	struct loom_trace_file *f = calloc(1, sizeof(*f));
	int rc;

	if (!f)
		return -ENOMEM;
	f->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (f->fd < 0 || lseek(f->fd, 0, SEEK_CUR) < 0) {
		rc = -errno;
		if (f->fd >= 0)
			close(f->fd);
		free(f);
		return rc;
	}
	pthread_mutex_init(&f->lock, NULL);
	f->clock_khz = clock_khz;
	f->max_bytes = max_bytes;
	f->buf[f->len++] = '[';
	name_card(f, card);
	flush(f);
	rc = -f->error;
	if (rc)
		loom_trace_file_close(f);
	else
		*out = f;
	return rc;
}

int loom_trace_file_close(struct loom_trace_file *f)
{
	int rc;

	if (!f)
		return 0;
	flush(f);
	rc = -f->error;
	if (close(f->fd) && !rc)
		rc = -errno;
	pthread_mutex_destroy(&f->lock);
	free(f);
	return rc;
}
