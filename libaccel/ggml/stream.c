// SPDX-License-Identifier: MIT
/*
 * A stream: ggml's backend object, a queue of the card.
 *
 * Work is recorded and submitted without waiting.  Uploads and downloads are
 * commands of the same queue through staging memory, or straight from and to a
 * host buffer of ours, so they stand in order with the graphs.
 *
 * ggml's synchronize cannot fail.  When work fails the reason is reported, the
 * stream refuses further graphs, and what was to be downloaded is filled with
 * ones (NaN), so that nobody takes old memory for results.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "emit.h"
#include "plan.h"
#include "stream.h"
#include "transfer.h"

/** struct stream - a queue and what is on its way there */
struct stream {
	struct gg_backend backend;
	struct card *card;
	struct accel_queue *queue;
	struct plans *plans;
	struct transfer *transfer;
	/** @point: last point submitted; 0: nothing yet */
	uint64_t point;
	/** @done: last point known to be reached */
	uint64_t done;
	/** @wait: a point of another stream that the next submission waits for */
	struct accel_point wait;
	/** @weights: weights may be on their way */
	bool weights;
	/** @failed: work has failed; nothing more is accepted */
	bool failed;
};

static struct stream *stream_of(struct gg_backend *backend)
{
	return backend->context;
}

static const char *get_name(struct gg_backend *backend)
{
	return stream_of(backend)->card->name;
}

/* -------------------------------------------------------------- submission */

static void fail(struct stream *s)
{
	struct accel_queue_status status = { .size = sizeof(status) };

	if (!s->failed && !accel_queue_status(s->queue, &status) &&
	    status.failed)
		report("%s has failed: %s", s->card->name, status.text);
	s->failed = true;
}

static int finish(struct stream *s);

/* Submit pending transfers, if any, and @plan, if not NULL, as one. */
static int submit(struct stream *s, struct plan *plan)
{
	struct accel_cmdbuf *cmdbufs[1 + PLAN_MAX_CMDBUFS];
	struct accel_submit_info info = {
		.size = sizeof(info), .cmdbufs = cmdbufs,
	};
	unsigned int i;
	int rc;

	if (plan && !transfer_stage_downloads(s->transfer)) {
		rc = finish(s);
		if (rc)
			return rc;
	}
	cmdbufs[0] = transfer_pending(s->transfer);
	if (cmdbufs[0])
		info.num_cmdbufs = 1;
	for (i = 0; plan && i < plan->num_cmdbufs; i++)
		cmdbufs[info.num_cmdbufs++] = plan->cmdbufs[i];
	if (!info.num_cmdbufs)
		return 0;
	if (s->wait.queue) {
		info.waits = &s->wait;
		info.num_waits = 1;
	}
	rc = accel_submit_ex(s->queue, &info, &s->point);
	if (rc) {
		report_error("submitting");
		fail(s);
		return rc;
	}
	s->wait.queue = NULL;
	transfer_submitted(s->transfer, s->point);
	atomic_fetch_add(&s->card->stats.submits, 1);
	return 0;
}

/* All that was submitted and all transfers are over. */
static int finish(struct stream *s)
{
	int rc = s->failed ? -EIO : submit(s, NULL);

	if (!rc && s->point != s->done) {
		rc = accel_wait(s->queue, s->point, -1);
		if (rc) {
			report_error(s->card->name);
			fail(s);
		}
		s->done = s->point;
		atomic_store(&s->card->stats.last_ns, stats_now());
	}
	transfer_finish(s->transfer, rc == 0);
	return rc;
}

static void synchronize(struct gg_backend *backend)
{
	finish(stream_of(backend));
}

/* ------------------------------------------------------------------ graphs */

static void count_nodes(struct stream *s, struct gg_cgraph *graph)
{
	int i, n = ggml_graph_n_nodes(graph);

	for (i = 0; i < n; i++) {
		const struct gg_tensor *t = ggml_graph_node(graph, i);

		if (t->flags & GG_FLAG_COMPUTE)
			atomic_fetch_add(&s->card->stats.taken[t->op], 1);
	}
}

static int32_t graph_compute(struct gg_backend *backend,
			     struct gg_cgraph *graph)
{
	struct stream *s = stream_of(backend);
	struct stats *stats = &s->card->stats;
	struct plan *plan;
	int rc;

	if (s->failed)
		return GG_STATUS_FAILED;
	if (!stats->first_ns)
		atomic_store(&stats->first_ns, stats_now());
	/* Copies of weights are made from what is in memory. */
	if (s->weights && finish(s))
		return GG_STATUS_FAILED;
	s->weights = false;
	rc = plans_get(s->plans, graph, &plan);
	if (rc == -ENOMEM || rc == -ENOSPC)
		return GG_STATUS_ALLOC_FAILED;
	if (rc)
		return GG_STATUS_FAILED;
	if (submit(s, plan))
		return GG_STATUS_FAILED;
	if (plan->num_cmdbufs)
		plan->point = s->point;
	count_nodes(s, graph);
	atomic_fetch_add(&stats->graphs, 1);
	atomic_fetch_add(&stats->copies, plan->copies);
	atomic_fetch_add(&stats->matmuls, plan->matmuls);
	atomic_fetch_add(&stats->vectors, plan->vectors);
	return GG_STATUS_SUCCESS;
}

/* --------------------------------------------------------------- transfers */

static uint64_t tensor_va(const struct gg_tensor *t, size_t offset)
{
	return (uint64_t)(uintptr_t)t->data + offset;
}

/* Nothing is on its way: the CPU may touch the card's memory by itself. */
static bool idle(struct stream *s)
{
	return s->point == s->done && !s->wait.queue &&
	       !transfer_pending(s->transfer);
}

/* Room is made by submitting what is pending and waiting for it. */
static int upload(struct stream *s, const struct gg_tensor *t,
		  const void *data, size_t offset, size_t size)
{
	uint64_t va = tensor_va(t, offset);
	int rc;

	stats_bytes(&s->card->stats, size, 0);
	s->weights |= buffer_changes(t, offset, size);
	if (idle(s)) {
		memcpy(buffer_map(t, offset), data, size);
		return 0;
	}
	rc = transfer_upload(s->transfer, va, data, size);
	if (rc != -EAGAIN)
		return rc;
	rc = finish(s);
	return rc ? rc : transfer_upload(s->transfer, va, data, size);
}

static void set_tensor_async(struct gg_backend *backend, struct gg_tensor *t,
			     const void *data, size_t offset, size_t size)
{
	struct stream *s = stream_of(backend);

	if (!s->failed && upload(s, t, data, offset, size)) {
		report_error("upload");
		fail(s);
	}
}

static void get_tensor_async(struct gg_backend *backend,
			     const struct gg_tensor *t, void *data,
			     size_t offset, size_t size)
{
	struct stream *s = stream_of(backend);
	const void *map = buffer_map(t, offset);
	uint64_t va = tensor_va(t, offset);
	int rc = s->failed ? -EIO : 0;

	stats_bytes(&s->card->stats, 0, size);
	if (!rc && idle(s)) {
		memcpy(data, map, size);
		return;
	}
	if (!rc)
		rc = transfer_download(s->transfer, data, va, map, size);
	if (rc == -EAGAIN) {
		rc = finish(s);
		if (!rc)
			memcpy(data, map, size);
	}
	if (rc) {
		memset(data, 0xff, size);
		fail(s);
	}
}

/* From host memory, or within the card; ggml does the rest. */
static bool cpy_tensor_async(struct gg_backend *src_backend,
			     struct gg_backend *dst_backend,
			     const struct gg_tensor *src, struct gg_tensor *dst)
{
	struct stream *s = stream_of(dst_backend);
	const struct gg_buffer *from = src->view_src ? src->view_src->buffer :
						       src->buffer;
	uint64_t size = (uint64_t)src->ne[3] * src->nb[3];

	if (s->failed || !from || !gg_contiguous(src) || !gg_contiguous(dst))
		return false;
	if (from->buft->ops.is_host && from->buft->ops.is_host(from->buft))
		return !upload(s, dst, src->data, 0, size);
	if (src_backend != dst_backend || !buffer_is_on(from, s->card))
		return false;
	s->weights |= buffer_changes(dst, 0, size);
	return !transfer_copy(s->transfer, tensor_va(dst, 0), tensor_va(src, 0),
			      size);
}

/* ------------------------------------------------------------------ events */

/** struct mark - an event: a point of a stream's queue */
struct mark {
	struct gg_event event;
	struct accel_point point;
};

struct gg_event *stream_event_new(struct gg_device *dev)
{
	struct mark *mark = calloc(1, sizeof(*mark));

	if (!mark)
		return NULL;
	mark->event.device = dev;
	mark->event.context = mark;
	return &mark->event;
}

void stream_event_free(struct gg_device *dev, struct gg_event *event)
{
	(void)dev;
	free(event->context);
}

void stream_event_synchronize(struct gg_device *dev, struct gg_event *event)
{
	struct mark *mark = event->context;

	(void)dev;
	if (mark->point.queue &&
	    accel_wait(mark->point.queue, mark->point.value, -1))
		report_error("waiting for an event");
}

static void event_record(struct gg_backend *backend, struct gg_event *event)
{
	struct stream *s = stream_of(backend);
	struct mark *mark = event->context;

	if (s->failed || submit(s, NULL) || !s->point)
		return;
	mark->point.queue = s->queue;
	mark->point.value = s->point;
}

static void event_wait(struct gg_backend *backend, struct gg_event *event)
{
	struct stream *s = stream_of(backend);
	struct mark *mark = event->context;

	if (!mark->point.queue || mark->point.queue == s->queue)
		return;
	/* One wait is kept; another one is waited for here and now. */
	if (s->wait.queue)
		accel_wait(s->wait.queue, s->wait.value, -1);
	s->wait = mark->point;
}

/* ----------------------------------------------------------- life of a stream */

static void destroy(struct stream *s)
{
	if (s->plans)
		plans_destroy(s->plans);
	transfer_destroy(s->transfer);
	accel_queue_destroy(s->queue);
	free(s);
}

static void free_stream(struct gg_backend *backend)
{
	struct stream *s = stream_of(backend);

	finish(s);
	destroy(s);
}

static const struct gg_backend_ops backend_ops = {
	.get_name = get_name,
	.free = free_stream,
	.set_tensor_async = set_tensor_async,
	.get_tensor_async = get_tensor_async,
	.cpy_tensor_async = cpy_tensor_async,
	.synchronize = synchronize,
	.graph_compute = graph_compute,
	.event_record = event_record,
	.event_wait = event_wait,
};

static const uint8_t guid[16] = {
	0x4c, 0x6f, 0x6f, 0x6d, 0x61, 0x63, 0x63, 0x65,
	0x6c, 0x67, 0x67, 0x6d, 0x6c, 0x00, 0x00, 0x01,
};

struct gg_backend *stream_open(struct gg_device *dev, const char *params)
{
	struct stream *s = calloc(1, sizeof(*s));

	(void)params;
	if (!s)
		return NULL;
	s->card = card_of(dev);
	if (accel_queue_create(s->card->accel, NULL, &s->queue)) {
		report_error("a queue of the card");
		free(s);
		return NULL;
	}
	s->plans = plans_create(s->card, s->queue);
	s->transfer = transfer_create(s->card, s->queue);
	if (!s->plans || !s->transfer) {
		report_error("a stream");
		destroy(s);
		return NULL;
	}
	s->backend = (struct gg_backend){
		.guid = guid, .ops = backend_ops, .device = dev, .context = s,
	};
	return &s->backend;
}
