// SPDX-License-Identifier: MIT
/*
 * Training is a ring of slots.  A slot is a command buffer of some steps that
 * is recorded once; before it is submitted again its steps get their places in
 * the list of images and their learning rates.  While the card works on some
 * slots the host prepares the next.
 *
 * An epoch that is no multiple of SLOT_STEPS ends with the short slot.
 */
#include <stdlib.h>
#include <string.h>

#include "train.h"

struct slot {
	struct accel_cmdbuf *cb;
	uint32_t num_steps;
	struct step_offsets step[SLOT_STEPS];
	/** @losses: where the card puts the steps' losses */
	struct accel_tensor losses;
	/** @point: of its last submission, 0 when it is not under way */
	uint64_t point;
};

struct runner {
	struct model *m;
	struct rng rng;
	struct slot slot[NUM_SLOTS];
	struct slot tail;
	/** @num_images: of the training set */
	uint32_t num_images;
	/** @order: permutation of the images */
	uint32_t *order;
	/** @host: CPU address of m->host */
	uint8_t *host;
	uint32_t steps_per_epoch;
	/** @steps: submitted so far, all epochs */
	uint32_t steps;
};

/* The learning rate falls linearly to 0 after the last step. */
static struct accel_adamw_desc adamw_desc(const struct runner *r, uint32_t step)
{
	const struct options *opt = r->m->opt;
	double total = (double)opt->epochs * r->steps_per_epoch;

	return (struct accel_adamw_desc){
		.size = sizeof(struct accel_adamw_desc),
		.step = step + 1,
		.lr = (float)(opt->lr * (1 - step / total)),
		.beta1 = 0.9f,
		.beta2 = 0.999f,
		.eps = 1e-8f,
		.weight_decay = 0.01f,
	};
}

static int slot_record(struct runner *r, struct slot *s, uint32_t num_steps)
{
	struct accel_adamw_desc desc = adamw_desc(r, 0);
	struct accel_tensor loss;
	uint32_t i;

	if (accel_cmdbuf_create(r->m->dev, &s->cb))
		return die_accel("making a command buffer");
	s->num_steps = num_steps;
	for (i = 0; i < num_steps; i++) {
		loss = accel_tensor_columns(&s->losses, i, 1);
		if (model_record_step(r->m, s->cb, &loss, &desc, &s->step[i]))
			return die_accel("recording a step");
	}
	return 0;
}

static int record_all(struct runner *r)
{
	uint32_t i, full = r->steps_per_epoch / SLOT_STEPS;
	uint32_t rest = r->steps_per_epoch % SLOT_STEPS;
	int rc = 0;

	for (i = 0; i < NUM_SLOTS; i++)
		r->slot[i].losses = accel_tensor_rows(&r->m->losses, i, 1);
	/* The short slot follows the last full one and takes over its place. */
	r->tail.losses = accel_tensor_rows(&r->m->losses, full % NUM_SLOTS, 1);
	for (i = 0; !rc && i < NUM_SLOTS && i < full; i++)
		rc = slot_record(r, &r->slot[i], SLOT_STEPS);
	if (!rc && rest)
		rc = slot_record(r, &r->tail, rest);
	return rc;
}

int runner_create(struct model *m, const struct dataset *ds,
		  struct runner **out)
{
	struct runner *r = calloc(1, sizeof(*r));
	void *host;
	uint32_t i;
	int rc;

	if (!r)
		return die(EXIT_MEMORY, "no memory");
	r->m = m;
	r->num_images = ds->num_train;
	r->steps_per_epoch = ds->num_train / m->opt->batch;
	/* Another stream than that of the weights. */
	rng_init(&r->rng, ~m->opt->seed);
	r->order = malloc(r->num_images * sizeof(*r->order));
	if (!r->order)
		rc = die(EXIT_MEMORY, "no memory");
	else if (accel_bo_map(m->host, &host))
		rc = die_accel("mapping memory");
	else
		rc = record_all(r);
	if (rc) {
		runner_destroy(r);
		return rc;
	}
	for (i = 0; i < r->num_images; i++)
		r->order[i] = i;
	r->host = host;
	*out = r;
	return 0;
}

/* After an error slots may be under way; a failed queue does not make us wait. */
static void slot_destroy(struct runner *r, struct slot *s)
{
	if (s->point)
		accel_wait(r->m->queue, s->point, -1);
	accel_cmdbuf_destroy(s->cb);
}

void runner_destroy(struct runner *r)
{
	uint32_t i;

	if (!r)
		return;
	for (i = 0; i < NUM_SLOTS; i++)
		slot_destroy(r, &r->slot[i]);
	slot_destroy(r, &r->tail);
	free(r->order);
	free(r);
}

/* CPU address of a tensor in m->host. */
static void *host_ptr(const struct runner *r, const struct accel_tensor *t)
{
	return r->host + (t->va - accel_bo_va(r->m->host));
}

/* Step @i of the slot is step @number of the epoch. */
static int step_patch(struct runner *r, struct slot *s, uint32_t i,
		      uint32_t number)
{
	const struct step_offsets *at = &s->step[i];
	const uint32_t field = offsetof(struct loom_cmd_copy, index);
	struct accel_adamw_desc desc = adamw_desc(r, r->steps + i);
	uint64_t va = r->m->index.va +
		      (uint64_t)number * r->m->opt->batch * sizeof(uint32_t);

	if (accel_cmdbuf_patch(s->cb, at->images + field, &va, sizeof(va)) ||
	    accel_cmdbuf_patch(s->cb, at->labels + field, &va, sizeof(va)) ||
	    accel_op_adamw_patch(s->cb, at->adamw, &desc))
		return die_accel("patching a step");
	return 0;
}

static int slot_submit(struct runner *r, struct slot *s, uint32_t number)
{
	uint32_t i;
	int rc;

	for (i = 0; i < s->num_steps; i++) {
		rc = step_patch(r, s, i, number + i);
		if (rc)
			return rc;
	}
	if (accel_submit(r->m->queue, s->cb, &s->point))
		return die_accel("submitting a step");
	r->steps += s->num_steps;
	return 0;
}

/* Wait for a slot and account for its losses. */
static int slot_finish(struct runner *r, struct slot *s,
		       struct epoch_stats *stats)
{
	const float *loss = host_ptr(r, &s->losses);
	double sum = stats->loss * stats->steps;
	uint32_t i;

	if (!s->point)
		return 0;
	if (accel_wait(r->m->queue, s->point, -1))
		return die_accel("training");
	s->point = 0;
	for (i = 0; i < s->num_steps; i++)
		sum += loss[i];
	stats->steps += s->num_steps;
	stats->loss = sum / stats->steps;
	stats->images = stats->steps * r->m->opt->batch;
	return 0;
}

/* The slot for the @n-th submission of an epoch. */
static struct slot *slot_at(struct runner *r, uint32_t n)
{
	if (n == r->steps_per_epoch / SLOT_STEPS)
		return &r->tail;
	return &r->slot[n % NUM_SLOTS];
}

static int read_cycles(const struct model *m, uint64_t *cycles)
{
	struct accel_counters counters = { .size = sizeof(counters) };

	if (accel_device_counters(m->dev, &counters))
		return die_accel("reading the counters");
	*cycles = busy_cycles(&counters);
	return 0;
}

uint64_t busy_cycles(const struct accel_counters *counters)
{
	return counters->value[LOOM_PERF_CYC_TOTAL] -
	       counters->value[LOOM_PERF_CYC_IDLE];
}

int runner_epoch(struct runner *r, struct epoch_stats *stats,
		 void (*tick)(void *opaque, const struct epoch_stats *stats),
		 void *opaque)
{
	uint32_t n, num = (r->steps_per_epoch + SLOT_STEPS - 1) / SLOT_STEPS;
	double start = now_seconds();
	uint64_t before, after;
	int rc;

	*stats = (struct epoch_stats){ .total_steps = r->steps_per_epoch };
	rng_shuffle(&r->rng, r->order, r->num_images);
	memcpy(host_ptr(r, &r->m->index), r->order,
	       r->num_images * sizeof(*r->order));
	rc = read_cycles(r->m, &before);
	/* Submission n waits for n - NUM_SLOTS, and at the end for the last. */
	for (n = 0; !rc && n < num + NUM_SLOTS; n++) {
		if (n >= NUM_SLOTS) {
			rc = slot_finish(r, slot_at(r, n - NUM_SLOTS), stats);
			if (!rc)
				rc = read_cycles(r->m, &after);
			if (rc)
				return rc;
			stats->cycles = after - before;
			stats->seconds = now_seconds() - start;
			tick(opaque, stats);
		}
		if (n < num)
			rc = slot_submit(r, slot_at(r, n), n * SLOT_STEPS);
	}
	return rc;
}

/* ---------------------------------------------------------------- prediction */

static int record_predict(struct model *m, struct accel_cmdbuf *cb)
{
	uint32_t first, count, total = m->test_images.dim[1];

	for (first = 0; first < total; first += count) {
		count = total - first;
		if (count > m->opt->batch)
			count = m->opt->batch;
		if (model_record_predict(m, cb, first, count))
			return die_accel("recording the test");
	}
	return 0;
}

int runner_predict(struct runner *r, uint8_t *predictions)
{
	struct model *m = r->m;
	struct accel_cmdbuf *cb;
	int rc;

	if (accel_cmdbuf_create(m->dev, &cb))
		return die_accel("making a command buffer");
	rc = record_predict(m, cb);
	if (!rc)
		rc = model_run(m, cb);
	if (!rc)
		memcpy(predictions, host_ptr(r, &m->predictions),
		       m->test_images.dim[1]);
	accel_cmdbuf_destroy(cb);
	return rc;
}
