// SPDX-License-Identifier: MIT
/*
 * From a checked VECTOR command to steps.
 */
#include <string.h>

#include "vector.h"

/**
 * struct decode - where the program's values are
 */
struct decode {
	/** @run: what is being filled */
	struct loom_vec_run *run;
	/** @simd: loops of this host */
	const struct loom_simd *simd;
	/** @v: value of each vector register */
	struct loom_lane_src v[LOOM_VEC_NUM_V];
	/** @s: value of each scalar register */
	struct loom_lane_src s[LOOM_VEC_NUM_S];
	/** @in_loop: between LOOP and END */
	bool in_loop;
	/** @loop: number of the step that is its LOOP */
	uint32_t loop;
};

static void fill_chunk(union loom_lanes *d, uint32_t bits)
{
	loom_splat(d, &bits, LOOM_CHUNK, sizeof(bits));
}

static struct loom_lane_src *reg(struct decode *d, uint8_t n)
{
	return loom_vec_is_vector(n) ? &d->v[n] : &d->s[n - LOOM_VEC_S(0)];
}

/* The program, apart from its operands, does not ask which row it is in. */
static bool insns_ignore_rows(const struct loom_cmd_vector *cmd)
{
	const struct loom_vec_insn *insn = loom_vec_insns(cmd);
	unsigned int i, loops = 0;
	uint8_t value;

	for (i = 0; i < cmd->num_insns; i++, insn++) {
		loops += insn->op == LOOM_VEC_LOOP;
		if (loom_vec_uses(insn->op, 'd') ||
		    insn->op == LOOM_VEC_LANE || insn->op == LOOM_VEC_INDEX)
			return false;
		if (!loom_vec_uses(insn->op, 'O'))
			continue;
		value = loom_vec_uses(insn->op, 'D') ? insn->dst : insn->a;
		if (!loom_vec_is_vector(value))
			return false;
	}
	return loops == 1;
}

/* Does the operand repeat at most in whole dimensions? */
static bool wraps_evenly(const struct loom_cmd_vector *cmd,
			 const struct loom_vec_operand *o)
{
	unsigned int d;

	for (d = 0; d < 4; d++) {
		if (o->wrap[d] && o->wrap[d] < cmd->dim[d] &&
		    cmd->dim[d] % o->wrap[d])
			return false;
	}
	return true;
}

/* Dimension d of the operand: @extent elements, again and again. */
static void add_dim(struct loom_stream *s, uint64_t lanes, int64_t stride,
		    uint32_t wrap)
{
	if (!wrap || wrap >= lanes) {
		loom_stream_add(s, lanes, stride);
		return;
	}
	loom_stream_add(s, wrap, stride);
	loom_stream_add(s, (lanes + wrap - 1) / wrap, 0);
}

static void init_stream(struct loom_vec_run *run, struct loom_stream *s,
			unsigned int operand, bool flat)
{
	const struct loom_vec_operand *o = &run->operand[operand];
	unsigned int d;

	loom_stream_init(s, run->ex, &run->span[operand],
			 loom_type_size(o->type));
	for (d = 0; d < (flat ? 4 : 1); d++)
		add_dim(s, run->cmd->dim[d], o->stride[d], o->wrap[d]);
}

static bool same_elements(const struct loom_vec_operand *a,
			  const struct loom_vec_operand *b)
{
	return a->addr == b->addr &&
	       loom_type_size(a->type) == loom_type_size(b->type) &&
	       !memcmp(a->stride, b->stride, sizeof(a->stride)) &&
	       !memcmp(a->wrap, b->wrap, sizeof(a->wrap));
}

/*
 * May the rows be mixed if operand @n is stored?  Only if no row can see or
 * overwrite what another one stored.
 */
static bool store_allows_mixing(struct loom_vec_run *run, unsigned int n)
{
	const struct loom_vec_operand *o = run->operand;
	struct loom_stream s;
	unsigned int i;

	init_stream(run, &s, n, true);
	if (!loom_stream_distinct(&s))
		return false;
	for (i = 0; i < run->cmd->num_operands; i++) {
		if (!loom_span_disjoint(&run->span[i], &run->span[n]) &&
		    !same_elements(&o[i], &o[n]))
			return false;
	}
	return true;
}

static bool operands_ignore_rows(struct loom_vec_run *run)
{
	const struct loom_vec_insn *insn = loom_vec_insns(run->cmd);
	const struct loom_vec_operand *o;
	unsigned int i, d;

	for (i = 0; i < run->cmd->num_insns; i++, insn++) {
		if (!loom_vec_uses(insn->op, 'O'))
			continue;
		o = &run->operand[insn->operand];
		if (insn->op != LOOM_VEC_LDX && !wraps_evenly(run->cmd, o))
			return false;
		for (d = 1; d < 4 && insn->op == LOOM_VEC_LDX; d++) {
			if (o->stride[d] && run->cmd->dim[d] > 1)
				return false;
		}
		if (!loom_vec_uses(insn->op, 'D') &&
		    !store_allows_mixing(run, insn->operand))
			return false;
	}
	return true;
}

static void choose_rows(struct loom_vec_run *run)
{
	const uint32_t *dim = run->cmd->dim;
	uint64_t all = dim[0];
	unsigned int d;

	run->flat = false;
	run->lanes = dim[0];
	for (d = 1; d < 4; d++) {
		if (__builtin_mul_overflow(all, dim[d], &all))
			return;
	}
	if (insns_ignore_rows(run->cmd) && operands_ignore_rows(run)) {
		run->flat = true;
		run->lanes = all;
	}
}

/* A vector buffer that holds no register. */
static union loom_lanes *free_buffer(const struct decode *d)
{
	uint32_t used = 0;
	unsigned int i;

	for (i = 0; i < LOOM_VEC_NUM_V; i++) {
		if (d->v[i].step)
			used |= 1u << ((d->v[i].p - d->run->buffer[0]) /
				       LOOM_VEC_CHUNKS);
	}
	return d->run->buffer[__builtin_ctz(~used)];
}

/*
 * Where the result of @insn goes, and from now on the value of its register.
 * @uniform: all lanes are equal, one chunk is enough
 */
static union loom_lanes *new_value(struct decode *d,
				   const struct loom_vec_insn *insn,
				   bool uniform)
{
	size_t n = (size_t)(insn - loom_vec_insns(d->run->cmd));
	union loom_lanes *p = uniform ? &d->run->slot[n] : free_buffer(d);

	*reg(d, insn->dst) = (struct loom_lane_src){ p, !uniform };
	return p;
}

static struct loom_vec_step *new_step(struct decode *d, loom_vec_step_fn *fn)
{
	struct loom_vec_step *s = &d->run->step[d->run->num_steps++];

	s->fn = fn;
	s->once = false;
	s->reduce = NULL;
	return s;
}

static void set_sources(struct decode *d, struct loom_vec_step *s,
			const struct loom_vec_insn *insn)
{
	const struct loom_lane_src none = { &d->run->zero, 0 };

	s->s[0] = loom_vec_uses(insn->op, 'A') ? *reg(d, insn->a) : none;
	s->s[1] = loom_vec_uses(insn->op, 'B') ? *reg(d, insn->b) : none;
	s->s[2] = loom_vec_uses(insn->op, 'C') ? *reg(d, insn->c) : none;
}

static bool all_uniform(const struct loom_vec_step *s)
{
	return !s->s[0].step && !s->s[1].step && !s->s[2].step;
}

/* What is the same for all lanes is computed once per row. */
static void decode_lane(struct decode *d, const struct loom_vec_insn *insn)
{
	struct loom_vec_step *s = new_step(d, loom_vec_do_lane);

	s->lane = d->simd->lane[insn->op];
	set_sources(d, s, insn);
	s->once = all_uniform(s);
	s->d = new_value(d, insn, s->once);
}

static void decode_reduce(struct decode *d, const struct loom_vec_insn *insn)
{
	struct loom_vec_step *s = new_step(d, loom_vec_do_reduce);

	s->reduce = d->simd->reduce[insn->op];
	s->op = insn->op;
	set_sources(d, s, insn);
	s->d = new_value(d, insn, true);
}

static struct loom_vec_step *memory_step(struct decode *d,
					 const struct loom_vec_insn *insn,
					 loom_vec_step_fn *fn)
{
	struct loom_vec_step *s = new_step(d, fn);

	s->operand = insn->operand;
	init_stream(d->run, &s->stream, insn->operand, d->run->flat);
	return s;
}

static void decode_load(struct decode *d, const struct loom_vec_insn *insn)
{
	struct loom_vec_step *s = memory_step(d, insn, loom_vec_do_load);
	uint8_t type = d->run->operand[insn->operand].type;

	s->convert = insn->op == LOOM_VEC_LDI ? d->simd->to_i32[type] :
						d->simd->to_f32[type];
	s->once = !loom_vec_is_vector(insn->dst) ||
		  (s->stream.dims == 1 && !s->stream.stride[0]);
	s->d = new_value(d, insn, s->once);
}

static void decode_load_indexed(struct decode *d,
				const struct loom_vec_insn *insn)
{
	struct loom_vec_step *s = memory_step(d, insn,
					      loom_vec_do_load_indexed);

	s->convert = d->simd->to_f32[d->run->operand[insn->operand].type];
	set_sources(d, s, insn);
	s->once = all_uniform(s);
	s->d = new_value(d, insn, s->once);
}

static void decode_store(struct decode *d, const struct loom_vec_insn *insn)
{
	struct loom_vec_step *s = memory_step(d, insn, loom_vec_do_store);
	uint8_t type = d->run->operand[insn->operand].type;

	s->convert = insn->op == LOOM_VEC_STI ? d->simd->from_i32[type] :
						d->simd->from_f32[type];
	set_sources(d, s, insn);
	s->once = !loom_vec_is_vector(insn->a);
}

static void decode_constant(struct decode *d, const struct loom_vec_insn *insn)
{
	const struct loom_cmd_vector *cmd = d->run->cmd;
	uint32_t bits = insn->imm;

	if (insn->op == LOOM_VEC_PARAM)
		bits = cmd->param[insn->imm];
	else if (insn->op == LOOM_VEC_DIM)
		bits = cmd->dim[insn->imm];
	fill_chunk(new_value(d, insn, true), bits);
}

static void decode_insn(struct decode *d, const struct loom_vec_insn *insn)
{
	struct loom_vec_run *run = d->run;
	struct loom_vec_step *s;

	switch (insn->op) {
	case LOOM_VEC_LOOP:
		d->loop = run->num_steps;
		new_step(d, NULL);
		break;
	case LOOM_VEC_END:
		run->step[d->loop].end = run->num_steps;
		break;
	case LOOM_VEC_LD:
	case LOOM_VEC_LDI:
		decode_load(d, insn);
		break;
	case LOOM_VEC_LDX:
		decode_load_indexed(d, insn);
		break;
	case LOOM_VEC_ST:
	case LOOM_VEC_STI:
		decode_store(d, insn);
		break;
	case LOOM_VEC_MOV:
		*reg(d, insn->dst) = *reg(d, insn->a);
		break;
	case LOOM_VEC_IMM:
	case LOOM_VEC_PARAM:
	case LOOM_VEC_DIM:
		decode_constant(d, insn);
		break;
	case LOOM_VEC_LANE:
		s = new_step(d, loom_vec_do_lane_number);
		s->d = new_value(d, insn, false);
		break;
	case LOOM_VEC_INDEX:
		s = new_step(d, loom_vec_do_index);
		s->imm = (uint8_t)insn->imm;
		s->once = true;
		s->d = new_value(d, insn, true);
		break;
	default:
		if (d->simd->reduce[insn->op])
			decode_reduce(d, insn);
		else
			decode_lane(d, insn);
	}
}

static void map_operands(struct loom_vec_run *run)
{
	const struct loom_vec_insn *insn = loom_vec_insns(run->cmd);
	uint32_t stored = 0;
	unsigned int i;

	for (i = 0; i < run->cmd->num_insns; i++, insn++) {
		if (insn->op == LOOM_VEC_ST || insn->op == LOOM_VEC_STI)
			stored |= 1u << insn->operand;
	}
	for (i = 0; i < run->cmd->num_operands; i++)
		loom_span_map(&run->span[i], run->ex, stored & (1u << i) ?
			      LOOM_ACCESS_WRITE : LOOM_ACCESS_READ);
}

void loom_vec_decode(struct loom_vec_run *run)
{
	const struct loom_vec_insn *insn = loom_vec_insns(run->cmd);
	struct decode d = { .run = run, .simd = loom_simd_best() };
	unsigned int i;

	run->operand = loom_vec_operands(run->cmd);
	run->num_steps = 0;
	fill_chunk(&run->zero, 0);
	for (i = 0; i < LOOM_VEC_NUM_V; i++)
		d.v[i].p = &run->zero;
	for (i = 0; i < LOOM_VEC_NUM_S; i++)
		d.s[i].p = &run->zero;

	choose_rows(run);
	map_operands(run);
	for (i = 0; i < run->cmd->num_insns; i++)
		decode_insn(&d, &insn[i]);
}
