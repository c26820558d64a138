/* SPDX-License-Identifier: MIT */
/*
 * Plans: the command buffers of a graph, kept for the next graph.
 *
 * ggml passes the whole graph every time.  A cached plan remembers what each
 * node looked like and where its commands stand: a graph that is the same is
 * submitted as it is, one that differs in a few nodes is patched, another one
 * makes a new plan.  A stream owns its cache; no locks.
 */
#ifndef LOOM_GGML_PLAN_H
#define LOOM_GGML_PLAN_H

#include "card.h"

#define PLAN_MAX_CMDBUFS	60

/** struct plan - recorded commands of a graph */
struct plan {
	/** @cmdbufs: command buffers, @num_cmdbufs of them in use */
	struct accel_cmdbuf *cmdbufs[PLAN_MAX_CMDBUFS];
	unsigned int num_cmdbufs;
	/** @point: of the last submission; 0: none */
	uint64_t point;
	/** @copies, @matmuls, @vectors: commands, by engine */
	uint64_t copies, matmuls, vectors;
	/* Private to plan.c: */
	struct plan_node *nodes;
	int num_nodes, max_nodes;
	uint64_t used, generation;
	bool valid;
};

struct plans;

/**
 * plans_create() - an empty cache
 * @card: the card
 * @queue: where the plans are submitted; waited for before a plan changes
 */
struct plans *plans_create(struct card *card, struct accel_queue *queue);
void plans_destroy(struct plans *plans);

/**
 * plans_get() - the plan of a graph, from the cache, patched or made
 * @plans: the cache
 * @graph: ggml's graph
 * @out: the plan; set @point after submitting it
 *
 * Return: 0 or a negative errno, reported.
 */
int plans_get(struct plans *plans, struct gg_cgraph *graph, struct plan **out);

#endif
