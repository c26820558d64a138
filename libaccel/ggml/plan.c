// SPDX-License-Identifier: MIT
/* Plans: the command buffers of a graph, kept for the next graph. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ops.h"
#include "plan.h"
#include "repack.h"

/* Graphs of a program that are alive at once: prompt and token, of a few contexts. */
#define NUM_PLANS	8
/* Nodes have at most so many sources, or are not for us. */
#define MAX_SRC		6
/* A command buffer that is longer is followed by another. */
#define CMDBUF_BYTES	(8u << 20)
#define FIRST_SCRATCH	(UINT64_C(1) << 20)

/** struct plan_tensor - all of a tensor that commands depend on */
struct plan_tensor {
	void *data;
	int64_t ne[4];
	size_t nb[4];
	int32_t type;
};

/** struct plan_node - a node when its commands were recorded */
struct plan_node {
	int32_t op, op_params[16];
	bool compute;
	struct plan_tensor dst, src[MAX_SRC];
	/** @has_src: bit per source that is there */
	uint32_t has_src;
	/** @cmdbuf, @offset, @size: where the commands are */
	unsigned int cmdbuf;
	uint32_t offset, size;
};

struct plans {
	struct card *card;
	struct accel_queue *queue;
	struct plan plan[NUM_PLANS];
	/** @repacker: packs weights when their product is recorded */
	struct repacker repacker;
	/** @clock: counts graphs, for the choice of the oldest plan */
	uint64_t clock;
	/** @scratch: intermediate results; all plans use the same */
	struct accel_bo *scratch;
	/** @patch: where a changed node is recorded first */
	struct accel_cmdbuf *patch;
};

/* ------------------------------------------------------- what a node was */

static void remember_tensor(struct plan_tensor *p, const struct gg_tensor *t)
{
	p->data = t->data;
	p->type = t->type;
	memcpy(p->ne, t->ne, sizeof(p->ne));
	memcpy(p->nb, t->nb, sizeof(p->nb));
}

static void remember(struct plan_node *n, const struct gg_tensor *t)
{
	unsigned int i;

	n->op = t->op;
	n->compute = t->flags & GG_FLAG_COMPUTE;
	memcpy(n->op_params, t->op_params, sizeof(n->op_params));
	remember_tensor(&n->dst, t);
	n->has_src = 0;
	for (i = 0; i < MAX_SRC; i++)
		if (t->src[i]) {
			n->has_src |= 1u << i;
			remember_tensor(&n->src[i], t->src[i]);
		}
}

static bool same_tensor(const struct plan_tensor *p, const struct gg_tensor *t)
{
	return p->data == t->data && p->type == t->type &&
	       !memcmp(p->ne, t->ne, sizeof(p->ne)) &&
	       !memcmp(p->nb, t->nb, sizeof(p->nb));
}

static bool has_commands(const struct gg_tensor *t)
{
	return t->flags & GG_FLAG_COMPUTE && t->op != GG_NONE &&
	       t->op != GG_VIEW && t->op != GG_RESHAPE &&
	       t->op != GG_PERMUTE && t->op != GG_TRANSPOSE;
}

static bool same_node(const struct plan_node *n, const struct gg_tensor *t)
{
	unsigned int i;

	if (n->op != t->op || n->compute != !!(t->flags & GG_FLAG_COMPUTE))
		return false;
	/* Nodes without commands only have to stay without. */
	if (!has_commands(t))
		return true;
	if (!same_tensor(&n->dst, t) ||
	    memcmp(n->op_params, t->op_params, sizeof(n->op_params)))
		return false;
	for (i = 0; i < MAX_SRC; i++) {
		if (!(n->has_src >> i & 1) != !t->src[i])
			return false;
		if (t->src[i] && !same_tensor(&n->src[i], t->src[i]))
			return false;
	}
	return true;
}

/* --------------------------------------------------------------- recording */

static uint64_t scratch_va(const struct plans *plans)
{
	return plans->scratch ? accel_bo_va(plans->scratch) : 0;
}

/* Commands of one node. */
static int record_node(struct emit *e, const struct gg_tensor *t)
{
	int rc;

	if (!(t->flags & GG_FLAG_COMPUTE))
		return 0;
	if (has_commands(t))
		repack_writes(e->repack, t);
	rc = ops_emit(e, t);
	if (rc)
		report("%s \"%s\" cannot be recorded: %s", ggml_op_name(t->op),
		       t->name, e->why);
	return rc;
}

/* Work that uses the plans must be over before they or the scratch change. */
static int wait_for(struct plans *plans, uint64_t point)
{
	int rc = point ? accel_wait(plans->queue, point, -1) : 0;

	if (rc)
		report_error("the work before failed");
	return rc;
}

static int wait_for_all(struct plans *plans)
{
	unsigned int i;
	int rc = 0;

	for (i = 0; !rc && i < NUM_PLANS; i++)
		rc = wait_for(plans, plans->plan[i].point);
	return rc;
}

/*
 * Every plan holds addresses of the scratch memory.  It gets a quarter more than
 * it needs now, for graphs that grow with the text, unless the card is that full.
 */
static int grow_scratch(struct plans *plans, uint64_t size)
{
	struct accel_device *accel = plans->card->accel;
	unsigned int i;
	int rc = wait_for_all(plans);

	if (rc)
		return rc;
	for (i = 0; i < NUM_PLANS; i++)
		plans->plan[i].valid = false;
	accel_bo_destroy(plans->scratch);
	plans->scratch = NULL;
	rc = accel_bo_create(accel, size + size / 4, ACCEL_HBM, &plans->scratch);
	if (rc)
		rc = accel_bo_create(accel, size, ACCEL_HBM, &plans->scratch);
	if (rc)
		report_error("memory for intermediate results");
	return rc;
}

static int open_cmdbuf(struct plans *plans, struct plan *plan, unsigned int i)
{
	if (i == PLAN_MAX_CMDBUFS) {
		report("the graph has more than %u MiB of commands",
		       PLAN_MAX_CMDBUFS * (CMDBUF_BYTES >> 20));
		return -E2BIG;
	}
	if (plan->cmdbufs[i]) {
		accel_cmdbuf_reset(plan->cmdbufs[i]);
		return 0;
	}
	return accel_cmdbuf_create(plans->card->accel, &plan->cmdbufs[i]);
}

/* Count what a plan will do each time it is submitted. */
static void count_commands(struct plan *plan)
{
	unsigned int i;
	uint32_t at;

	plan->copies = plan->matmuls = plan->vectors = 0;
	for (i = 0; i < plan->num_cmdbufs; i++) {
		const uint8_t *data = accel_cmdbuf_data(plan->cmdbufs[i]);
		uint32_t size = accel_cmdbuf_size(plan->cmdbufs[i]);

		for (at = 0; at < size;) {
			const struct loom_cmd *cmd = (const void *)(data + at);

			plan->copies += cmd->opcode == LOOM_OP_COPY;
			plan->matmuls += cmd->opcode == LOOM_OP_MATMUL;
			plan->vectors += cmd->opcode == LOOM_OP_VECTOR;
			at += cmd->size64 * LOOM_CMD_ALIGN;
		}
	}
}

static int room_for_nodes(struct plan *plan, int n)
{
	struct plan_node *nodes;

	if (n <= plan->max_nodes)
		return 0;
	nodes = realloc(plan->nodes, (size_t)n * sizeof(*nodes));
	if (!nodes)
		return -ENOMEM;
	plan->nodes = nodes;
	plan->max_nodes = n;
	return 0;
}

/* Record all nodes; *peak becomes the scratch memory they take. */
static int record(struct plans *plans, struct plan *plan,
		  struct gg_cgraph *graph, uint64_t *peak)
{
	struct emit e;
	unsigned int c = 0;
	int i, rc;

	rc = open_cmdbuf(plans, plan, 0);
	if (rc)
		return rc;
	emit_init(&e, plan->cmdbufs[0], scratch_va(plans));
	e.repack = &plans->repacker;
	for (i = 0; i < plan->num_nodes; i++) {
		const struct gg_tensor *t = ggml_graph_node(graph, i);
		struct plan_node *n = &plan->nodes[i];

		if (accel_cmdbuf_size(e.cb) > CMDBUF_BYTES) {
			rc = open_cmdbuf(plans, plan, ++c);
			if (rc)
				return rc;
			e.cb = plan->cmdbufs[c];
		}
		n->cmdbuf = c;
		n->offset = accel_cmdbuf_size(e.cb);
		rc = record_node(&e, t);
		if (rc)
			return rc;
		n->size = accel_cmdbuf_size(e.cb) - n->offset;
		remember(n, t);
	}
	plan->num_cmdbufs = accel_cmdbuf_size(e.cb) ? c + 1 : c;
	*peak = e.scratch_peak;
	return 0;
}

static int build(struct plans *plans, struct plan *plan,
		 struct gg_cgraph *graph)
{
	uint64_t peak, have;
	int rc;

	plan->valid = false;
	plan->generation = repack_generation(plans->card);
	rc = wait_for(plans, plan->point);
	if (rc)
		return rc;
	plan->num_nodes = ggml_graph_n_nodes(graph);
	rc = room_for_nodes(plan, plan->num_nodes);
	if (!rc)
		rc = record(plans, plan, graph, &peak);
	if (rc)
		return rc;
	have = plans->scratch ? accel_bo_size(plans->scratch) : 0;
	if (peak > have) {
		rc = grow_scratch(plans, peak > FIRST_SCRATCH ? peak : FIRST_SCRATCH);
		if (!rc)
			rc = record(plans, plan, graph, &peak);
		if (rc)
			return rc;
	}
	count_commands(plan);
	plan->valid = true;
	atomic_fetch_add(&plans->card->stats.built, 1);
	return 0;
}

/* ---------------------------------------------------------------- patching */

/* How many nodes differ; more than all of them if it is another graph. */
static int differences(const struct plans *plans, const struct plan *plan,
		       struct gg_cgraph *graph)
{
	int i, n = ggml_graph_n_nodes(graph), count = 0;

	if (!plan->valid || plan->num_nodes != n ||
	    plan->generation != repack_generation(plans->card))
		return n + 1;
	for (i = 0; i < n; i++)
		count += !same_node(&plan->nodes[i], ggml_graph_node(graph, i));
	return count;
}

/* Replace a node's commands; 1 if they do not fit. */
static int patch_node(struct plans *plans, struct plan *plan,
		      struct plan_node *n, const struct gg_tensor *t)
{
	struct emit e;
	int rc;

	accel_cmdbuf_reset(plans->patch);
	emit_init(&e, plans->patch, scratch_va(plans));
	e.repack = &plans->repacker;
	rc = record_node(&e, t);
	if (rc)
		return rc;
	if (accel_cmdbuf_size(plans->patch) != n->size ||
	    (e.scratch_peak && (!plans->scratch ||
				e.scratch_peak > accel_bo_size(plans->scratch))))
		return 1;
	remember(n, t);
	return accel_cmdbuf_patch(plan->cmdbufs[n->cmdbuf], n->offset,
				  accel_cmdbuf_data(plans->patch), n->size);
}

/* Change the nodes that differ; 1 if the plan must be made anew. */
static int patch(struct plans *plans, struct plan *plan,
		 struct gg_cgraph *graph)
{
	int i, rc = wait_for(plans, plan->point);

	for (i = 0; !rc && i < plan->num_nodes; i++) {
		const struct gg_tensor *t = ggml_graph_node(graph, i);

		if (!same_node(&plan->nodes[i], t))
			rc = patch_node(plans, plan, &plan->nodes[i], t);
	}
	if (rc)
		plan->valid = false;
	else
		atomic_fetch_add(&plans->card->stats.patched, 1);
	return rc;
}

/* A plan that is free, or the one unused for the longest time. */
static struct plan *oldest(struct plans *plans)
{
	struct plan *best = &plans->plan[0];
	unsigned int i;

	for (i = 0; i < NUM_PLANS; i++) {
		if (!plans->plan[i].valid)
			return &plans->plan[i];
		if (plans->plan[i].used < best->used)
			best = &plans->plan[i];
	}
	return best;
}

static int find(struct plans *plans, struct gg_cgraph *graph,
		struct plan **out)
{
	int i, count, nodes = ggml_graph_n_nodes(graph), least = nodes + 1;
	struct plan *best = NULL;

	for (i = 0; i < NUM_PLANS && least; i++) {
		count = differences(plans, &plans->plan[i], graph);
		if (count < least) {
			least = count;
			best = &plans->plan[i];
		}
	}
	*out = best;
	if (!least) {
		atomic_fetch_add(&plans->card->stats.reused, 1);
		return 0;
	}
	if (least <= nodes / 2) {
		int rc = patch(plans, best, graph);

		if (rc <= 0)
			return rc;
	} else {
		*out = oldest(plans);
	}
	return build(plans, *out, graph);
}

int plans_get(struct plans *plans, struct gg_cgraph *graph, struct plan **out)
{
	int rc = find(plans, graph, out);

	if (rc)
		return rc;
	(*out)->used = ++plans->clock;
	return 0;
}

struct plans *plans_create(struct card *card, struct accel_queue *queue)
{
	struct plans *plans = calloc(1, sizeof(*plans));

	if (!plans)
		return NULL;
	plans->card = card;
	plans->queue = queue;
	plans->repacker.card = card;
	plans->repacker.queue = queue;
	if (accel_cmdbuf_create(card->accel, &plans->patch)) {
		free(plans);
		return NULL;
	}
	return plans;
}

void plans_destroy(struct plans *plans)
{
	unsigned int i, c;

	for (i = 0; i < NUM_PLANS; i++) {
		for (c = 0; c < PLAN_MAX_CMDBUFS; c++)
			accel_cmdbuf_destroy(plans->plan[i].cmdbufs[c]);
		free(plans->plan[i].nodes);
	}
	accel_cmdbuf_destroy(plans->patch);
	accel_bo_destroy(plans->scratch);
	free(plans);
}
