// SPDX-License-Identifier: MIT
/*
 * The vector engine: running a decoded program over its rows.
 */
#include <stdlib.h>
#include <string.h>

#include "timing.h"
#include "types.h"
#include "vector.h"

static size_t chunks(size_t lanes)
{
	return (lanes + LOOM_CHUNK - 1) / LOOM_CHUNK;
}

int loom_vec_do_lane(struct loom_vec_run *run, struct loom_vec_step *step)
{
	step->lane(step->d, step->s, step->once ? 1 : chunks(run->n));
	return 0;
}

int loom_vec_do_lane_number(struct loom_vec_run *run,
			    struct loom_vec_step *step)
{
	uint32_t first = (uint32_t)run->first;
	size_t k, j;

	for (k = 0; k < chunks(run->n); k++) {
		for (j = 0; j < LOOM_CHUNK; j++)
			step->d[k].u[j] = first + (uint32_t)j;
		first += LOOM_CHUNK;
	}
	return 0;
}

int loom_vec_do_index(struct loom_vec_run *run, struct loom_vec_step *step)
{
	loom_splat(step->d, &run->i[step->imm - 1], LOOM_CHUNK,
		   sizeof(uint32_t));
	return 0;
}

/* Each LOOP goes through its operands from the beginning of the row. */
static void rewind_row(struct loom_vec_run *run, struct loom_vec_step *step)
{
	if (!run->first)
		loom_stream_rewind(&step->stream, run->base[step->operand]);
}

/* Lanes that do not exist are zero, scalars the same in all lanes. */
static void complete_chunk(union loom_lanes *d, size_t n, bool uniform)
{
	uint32_t zero = 0, *lane = &d[n / LOOM_CHUNK].u[n % LOOM_CHUNK];

	if (uniform)
		loom_splat(d, d, LOOM_CHUNK, sizeof(uint32_t));
	else if (n % LOOM_CHUNK)
		loom_splat(lane, &zero, LOOM_CHUNK - n % LOOM_CHUNK,
			   sizeof(uint32_t));
}

int loom_vec_do_load(struct loom_vec_run *run, struct loom_vec_step *step)
{
	size_t n = step->once ? 1 : run->n;
	const void *p;

	rewind_row(run, step);
	p = loom_stream_read(&step->stream, run->raw, n);
	if (!p)
		return -1;
	step->convert(step->d, p, n);
	complete_chunk(step->d, n, step->once);
	return 0;
}

/* The first @n lanes of a source, side by side */
static const union loom_lanes *side_by_side(struct loom_vec_run *run,
					    const struct loom_lane_src *s,
					    size_t n)
{
	if (s->step || n == 1)
		return s->p;
	loom_splat(run->copy, s->p, n, sizeof(uint32_t));
	return run->copy;
}

int loom_vec_do_load_indexed(struct loom_vec_run *run,
			     struct loom_vec_step *step)
{
	const struct loom_vec_operand *o = &run->operand[step->operand];
	size_t i, n = step->once ? 1 : run->n;
	const uint32_t *index = side_by_side(run, &step->s[0], n)->u;
	unsigned int esize = step->stream.esize;
	uint8_t *raw = (uint8_t *)run->raw;
	uint64_t addr;

	for (i = 0; i < n; i++, raw += esize) {
		if (index[i] >= o->limit) {
			memset(raw, 0, esize);
			continue;
		}
		addr = run->base[step->operand] +
		       index[i] * (uint64_t)o->stride[0];
		if (loom_stream_peek(&step->stream, addr, raw))
			return -1;
	}
	step->convert(step->d, run->raw, n);
	complete_chunk(step->d, n, step->once);
	return 0;
}

int loom_vec_do_store(struct loom_vec_run *run, struct loom_vec_step *step)
{
	size_t n = step->once ? 1 : run->n;
	void *room;

	rewind_row(run, step);
	room = loom_stream_room(&step->stream, run->raw, n);
	step->convert(room, side_by_side(run, &step->s[0], n), n);
	return loom_stream_write(&step->stream, room, n);
}

static void start_reduction(struct loom_vec_step *step)
{
	union loom_lanes *v = step->acc.v;
	uint32_t start = 0;

	if (step->op == LOOM_VEC_RMAX)
		start = (uint32_t)LOOM_KEY_MINUS_INF;
	else if (step->op == LOOM_VEC_RMIN)
		start = LOOM_KEY_PLUS_INF;
	else if (step->op == LOOM_VEC_RARGMAX)
		start = loom_order_bits(LOOM_KEY_MINUS_INF);
	loom_splat(v, &start, 4 * LOOM_CHUNK, sizeof(start));
	start = ~0u;
	loom_splat(&step->acc.index, &start, LOOM_CHUNK, sizeof(start));
}

int loom_vec_do_reduce(struct loom_vec_run *run, struct loom_vec_step *step)
{
	if (!run->first)
		start_reduction(step);
	step->reduce(&step->acc, step->s, (uint32_t)run->first, run->n);
	return 0;
}

/* Partial sums l and l + 32, then l + 16, ... */
static uint32_t finish_sum(struct loom_acc *acc)
{
	float *p = acc->v[0].f;
	unsigned int half, l;

	for (half = 2 * LOOM_CHUNK; half; half /= 2) {
		for (l = 0; l < half; l++)
			p[l] += p[l + half];
	}
	return p[0] == p[0] ? acc->v[0].u[0] : 0x7fc00000u;
}

static uint32_t finish_key(const struct loom_acc *acc, bool max)
{
	int32_t best = acc->v[0].i[0];
	unsigned int j;

	for (j = 1; j < LOOM_CHUNK; j++) {
		if (max ? acc->v[0].i[j] > best : acc->v[0].i[j] < best)
			best = acc->v[0].i[j];
	}
	return loom_order_bits(best);
}

/* Of equal maxima the lowest lane; all ones where a column saw only NaN. */
static uint32_t finish_argmax(const struct loom_acc *acc)
{
	const union loom_lanes *v = &acc->v[0], *index = &acc->index;
	unsigned int j, best = 0;

	for (j = 1; j < LOOM_CHUNK; j++) {
		if (v->f[j] > v->f[best] ||
		    (v->f[j] == v->f[best] && index->u[j] < index->u[best]))
			best = j;
	}
	return index->u[best] == ~0u ? 0 : index->u[best];
}

static void finish_reduction(struct loom_vec_step *step)
{
	uint32_t bits;

	switch (step->op) {
	case LOOM_VEC_RSUM:
		bits = finish_sum(&step->acc);
		break;
	case LOOM_VEC_RARGMAX:
		bits = finish_argmax(&step->acc);
		break;
	default:
		bits = finish_key(&step->acc, step->op == LOOM_VEC_RMAX);
	}
	loom_splat(step->d, &bits, LOOM_CHUNK, sizeof(bits));
}

static int run_block(struct loom_vec_run *run, struct loom_vec_step *step,
		     const struct loom_vec_step *end)
{
	if (loom_exec_aborted(run->ex))
		return loom_fail(run->ex, LOOM_ERR_ABORTED, 0);
	for (; step < end; step++) {
		if (step->once && run->first)
			continue;
		if (step->fn(run, step))
			return -1;
	}
	return 0;
}

static int run_loop(struct loom_vec_run *run, struct loom_vec_step *step,
		    const struct loom_vec_step *end)
{
	uint64_t left = run->lanes;

	for (run->first = 0; left; run->first += run->n, left -= run->n) {
		run->n = left < LOOM_VEC_BLOCK ? (size_t)left : LOOM_VEC_BLOCK;
		if (run_block(run, step, end))
			return -1;
	}
	for (; step < end; step++) {
		if (step->reduce)
			finish_reduction(step);
	}
	return 0;
}

static int run_row(struct loom_vec_run *run)
{
	uint32_t i;

	for (i = 0; i < run->num_steps; i++) {
		struct loom_vec_step *step = &run->step[i];

		if (!step->fn) {
			if (run_loop(run, step + 1, run->step + step->end))
				return -1;
			i = step->end - 1;
			continue;
		}
		run->first = 0;
		run->n = 1;
		if (step->fn(run, step))
			return -1;
	}
	return 0;
}

static void set_bases(struct loom_vec_run *run)
{
	const struct loom_vec_operand *o = run->operand;
	unsigned int n, d;
	uint32_t i;

	for (n = 0; n < run->cmd->num_operands; n++, o++) {
		run->base[n] = o->addr;
		for (d = 1; d < 4; d++) {
			i = run->i[d - 1];
			if (o->wrap[d])
				i %= o->wrap[d];
			run->base[n] += i * (uint64_t)o->stride[d];
		}
	}
}

/* To the next row; false after the last one. */
static bool next_row(struct loom_vec_run *run)
{
	unsigned int d;

	for (d = 0; d < 3; d++) {
		if (++run->i[d] < run->cmd->dim[d + 1])
			return true;
		run->i[d] = 0;
	}
	return false;
}

static int run_rows(struct loom_vec_run *run)
{
	memset(run->i, 0, sizeof(run->i));
	do {
		if (loom_exec_aborted(run->ex))
			return loom_fail(run->ex, LOOM_ERR_ABORTED, 0);
		set_bases(run);
		if (run_row(run))
			return -1;
	} while (!run->flat && next_row(run));
	return 0;
}

/* The modelled cost.  None of it can be too large to have been computed. */

static bool has_lanes(const struct loom_cmd_vector *cmd)
{
	return cmd->dim[0] && cmd->dim[1] && cmd->dim[2] && cmd->dim[3];
}

static uint64_t num_rows(const struct loom_cmd_vector *cmd)
{
	return (uint64_t)cmd->dim[1] * cmd->dim[2] * cmd->dim[3];
}

/*
 * A tensor that does not change along a row is fetched once per row, one that
 * never changes once.
 */
static void account_access(struct loom_exec *ex,
			   const struct loom_cmd_vector *cmd,
			   const struct loom_vec_insn *insn)
{
	const struct loom_vec_operand *o =
		&loom_vec_operands(cmd)[insn->operand];
	bool load = loom_vec_uses(insn->op, 'D');
	uint8_t value = load ? insn->dst : insn->a;
	uint64_t n = loom_type_size(o->type);
	bool fixed = !o->stride[0] && !o->stride[1] && !o->stride[2] &&
		     !o->stride[3];

	if (!fixed)
		n *= num_rows(cmd);
	if (o->stride[0] && loom_vec_is_vector(value))
		n *= cmd->dim[0];
	loom_mem_traffic(ex, o->addr, n,
			 load ? LOOM_ACCESS_READ : LOOM_ACCESS_WRITE);
}

static void account(struct loom_exec *ex, const struct loom_cmd_vector *cmd)
{
	const struct loom_vec_insn *insn = loom_vec_insns(cmd);
	struct loom_cost *cost = loom_exec_cost(ex);
	uint32_t inside = 0, outside = 0;
	bool in_loop = false;
	unsigned int i;

	for (i = 0; i < cmd->num_insns; i++, insn++) {
		if (insn->op == LOOM_VEC_LOOP || insn->op == LOOM_VEC_END) {
			in_loop = insn->op == LOOM_VEC_LOOP;
			continue;
		}
		inside += in_loop;
		outside += !in_loop;
		if (loom_vec_uses(insn->op, 'O'))
			account_access(ex, cmd, insn);
	}
	cost->vector_cycles += loom_time_vector(loom_exec_config(ex),
						num_rows(cmd), cmd->dim[0],
						inside, outside);
	cost->vector_ops += num_rows(cmd) *
			    ((uint64_t)cmd->dim[0] * inside + outside);
}

static int run_command(struct loom_vec_run *run)
{
	size_t n = run->cmd->num_insns;
	int ret;

	run->step = aligned_alloc(64, n * (sizeof(*run->step) +
					   sizeof(*run->slot)));
	if (!run->step)
		return loom_fail(run->ex, LOOM_ERR_INTERNAL, 0);
	run->slot = (union loom_lanes *)(run->step + n);
	loom_vec_decode(run);
	ret = run_rows(run);
	free(run->step);
	return ret;
}

int loom_vector_exec(struct loom_exec *ex, const struct loom_cmd_vector *cmd,
		     size_t len)
{
	LOOM_SCRATCH struct loom_vec_run run;	/* 40 KiB, mostly registers */

	run.ex = ex;
	run.cmd = cmd;
	if (loom_vec_check(ex, cmd, len, run.span))
		return -1;
	if (!has_lanes(cmd))
		return 0;
	if (run_command(&run))
		return -1;
	account(ex, cmd);
	return 0;
}
