// SPDX-License-Identifier: MIT
/*
 * DOC: The vector engine
 *
 * An interpreter written from the words of loom_isa.h runs next to the card;
 * both must leave the same bytes.
 */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "arena.h"
#include "numerics.h"
#include "simd.h"
#include "vecprog.h"

/* The other interpreter --------------------------------------------------- */

struct ref {
	const struct t_prog *p;
	uint32_t row[3];
	uint32_t *v[LOOM_VEC_NUM_V];	/* dim[0] lanes each */
	uint32_t s[LOOM_VEC_NUM_S];
};

static uint8_t *ref_at(const struct ref *r, unsigned int operand, uint64_t i0,
		       bool wrap0)
{
	const struct loom_vec_operand *o = &r->p->operand[operand];
	uint64_t i[4] = { i0, r->row[0], r->row[1], r->row[2] }, addr = o->addr;
	unsigned int d;

	for (d = 0; d < 4; d++) {
		if (o->wrap[d] && (d || wrap0))
			i[d] %= o->wrap[d];
		addr += i[d] * (uint64_t)o->stride[d];
	}
	if (addr < arena || addr + t_type_size(o->type) > arena + ARENA_SIZE)
		ck_abort_msg("test program leaves its arena");
	return shadow + (addr - arena);
}

static uint32_t ref_read(const struct ref *r, uint8_t reg, uint32_t lane)
{
	return reg < 16 ? r->v[reg][lane] : r->s[reg - S(0)];
}

static void ref_write(struct ref *r, uint8_t reg, uint32_t lane, uint32_t x)
{
	if (reg < 16)
		r->v[reg][lane] = x;
	else
		r->s[reg - S(0)] = x;
}

/* The polynomials have a test of their own; here it matters that all agree. */
static uint32_t ref_function(uint8_t op, uint32_t a)
{
	union loom_lanes in = { .u = { a } }, out;
	struct loom_lane_src src[3] = { { &in, 0 }, { &in, 0 }, { &in, 0 } };

	loom_simd_base.lane[op](&out, src, 1);
	return out.u[0];
}

static uint32_t ref_f2i(float x)
{
	if (isnan(x))
		return 0;
	if (x >= 0x1p31f)
		return INT32_MAX;
	if (x < -0x1p31f)
		return 0x80000000u;
	return (uint32_t)(int32_t)x;
}

static uint32_t ref_float_op(uint8_t op, float a, float b, float c)
{
	switch (op) {
	case LOOM_VEC_ADD:
		return t_canonical(t_bits(a + b));
	case LOOM_VEC_SUB:
		return t_canonical(t_bits(a - b));
	case LOOM_VEC_MUL:
		return t_canonical(t_bits(a * b));
	case LOOM_VEC_DIV:
		return t_canonical(t_bits(a / b));
	case LOOM_VEC_FMA:
		return t_canonical(t_bits(fmaf(a, b, c)));
	case LOOM_VEC_SQRT:
		return t_canonical(t_bits(sqrtf(a)));
	case LOOM_VEC_RSQRT:
		return t_canonical(t_bits(1.0f / sqrtf(a)));
	case LOOM_VEC_FLOOR:
		return t_canonical(t_bits(floorf(a)));
	case LOOM_VEC_CEIL:
		return t_canonical(t_bits(ceilf(a)));
	case LOOM_VEC_RINT:
		return t_canonical(t_bits(rintf(a)));
	case LOOM_VEC_TRUNC:
		return t_canonical(t_bits(truncf(a)));
	case LOOM_VEC_F2I:
		return ref_f2i(a);
	case LOOM_VEC_FLT:
		return a < b ? ~0u : 0;
	case LOOM_VEC_FLE:
		return a <= b ? ~0u : 0;
	case LOOM_VEC_FEQ:
		return a == b ? ~0u : 0;
	default:
		return ref_function(op, t_bits(a));
	}
}

static uint32_t ref_op(uint8_t op, uint32_t a, uint32_t b, uint32_t c)
{
	int32_t ia = (int32_t)a, ib = (int32_t)b;

	switch (op) {
	case LOOM_VEC_MOV:
		return a;
	case LOOM_VEC_MIN:
		return t_float(a) < t_float(b) ? a : b;
	case LOOM_VEC_MAX:
		return t_float(a) > t_float(b) ? a : b;
	case LOOM_VEC_NEG:
		return a ^ 0x80000000u;
	case LOOM_VEC_ABS:
		return a & 0x7fffffffu;
	case LOOM_VEC_IADD:
		return a + b;
	case LOOM_VEC_ISUB:
		return a - b;
	case LOOM_VEC_IMUL:
		return (uint32_t)((uint64_t)a * b);
	case LOOM_VEC_UDIV:
		return b ? a / b : ~0u;
	case LOOM_VEC_UMOD:
		return b ? a % b : a;
	case LOOM_VEC_IMIN:
		return ia < ib ? a : b;
	case LOOM_VEC_IMAX:
		return ia > ib ? a : b;
	case LOOM_VEC_AND:
		return a & b;
	case LOOM_VEC_OR:
		return a | b;
	case LOOM_VEC_XOR:
		return a ^ b;
	case LOOM_VEC_SHL:
		return (uint32_t)((uint64_t)a << (b & 31));
	case LOOM_VEC_SHR:
		return a >> (b & 31);
	case LOOM_VEC_SAR:
		return (uint32_t)((int64_t)ia >> (b & 31));
	case LOOM_VEC_I2F:
		return t_bits((float)ia);
	case LOOM_VEC_ILT:
		return ia < ib ? ~0u : 0;
	case LOOM_VEC_ULT:
		return a < b ? ~0u : 0;
	case LOOM_VEC_IEQ:
		return a == b ? ~0u : 0;
	case LOOM_VEC_SEL:
		return a ? b : c;
	default:
		return ref_float_op(op, t_float(a), t_float(b), t_float(c));
	}
}

static uint32_t ref_load_int(uint32_t type, const void *p)
{
	uint32_t bits;

	if (type != LOOM_TYPE_F32)
		return (uint32_t)t_get_int(type, p);
	memcpy(&bits, p, sizeof(bits));
	return bits;
}

static void ref_memory_op(struct ref *r, const struct loom_vec_insn *in,
			  uint32_t lane)
{
	const struct loom_vec_operand *o = &r->p->operand[in->operand];
	uint8_t reg = in->op == LOOM_VEC_ST || in->op == LOOM_VEC_STI ?
		      in->a : in->dst;
	uint32_t index = reg < 16 ? lane : 0, a = ref_read(r, in->a, lane);

	switch (in->op) {
	case LOOM_VEC_LD:
		ref_write(r, reg, lane, t_load_f32(o->type,
			  ref_at(r, in->operand, index, true)));
		break;
	case LOOM_VEC_LDI:
		ref_write(r, reg, lane, ref_load_int(o->type,
			  ref_at(r, in->operand, index, true)));
		break;
	case LOOM_VEC_LDX:
		ref_write(r, reg, lane, a >= o->limit ? 0 : t_load_f32(o->type,
			  ref_at(r, in->operand, a, false)));
		break;
	case LOOM_VEC_ST:
		t_store_f32(o->type, ref_at(r, in->operand, index, true), a);
		break;
	default:
		if (o->type == LOOM_TYPE_F32)
			memcpy(ref_at(r, in->operand, index, true), &a, 4);
		else
			t_put_int(o->type, ref_at(r, in->operand, index, true),
				  (int32_t)a);
	}
}

static uint32_t ref_sum(const struct ref *r, uint8_t a)
{
	float p[64] = { 0 };
	uint32_t i, half;

	for (i = 0; i < r->p->cmd.dim[0]; i++)
		p[i % 64] += t_float(ref_read(r, a, i));
	for (half = 32; half; half /= 2)
		for (i = 0; i < half; i++)
			p[i] += p[i + half];
	return t_canonical(t_bits(p[0]));
}

/* Is a greater than b, with -0 below +0 if @zeros_differ? */
static bool ref_greater(float a, float b, bool zeros_differ)
{
	if (zeros_differ && a == 0 && b == 0)
		return !signbit(a) && signbit(b);
	return a > b;
}

static uint32_t ref_best(const struct ref *r, const struct loom_vec_insn *in)
{
	float best = in->op == LOOM_VEC_RMIN ? INFINITY : -INFINITY, x;
	bool arg = in->op == LOOM_VEC_RARGMAX, any = false;
	uint32_t i, where = 0;

	for (i = 0; i < r->p->cmd.dim[0]; i++) {
		x = t_float(ref_read(r, in->a, i));
		if (isnan(x) ||
		    (any && !(in->op == LOOM_VEC_RMIN ?
				ref_greater(best, x, true) :
				ref_greater(x, best, !arg))))
			continue;
		best = x;
		where = i;
		any = true;
	}
	return arg ? where : t_bits(best);
}

static void ref_insn(struct ref *r, const struct loom_vec_insn *in,
		     uint32_t lane)
{
	uint32_t x;

	switch (in->op) {
	case LOOM_VEC_LD:
	case LOOM_VEC_LDI:
	case LOOM_VEC_LDX:
	case LOOM_VEC_ST:
	case LOOM_VEC_STI:
		ref_memory_op(r, in, lane);
		return;
	case LOOM_VEC_IMM:
		x = in->imm;
		break;
	case LOOM_VEC_PARAM:
		x = r->p->cmd.param[in->imm];
		break;
	case LOOM_VEC_LANE:
		x = lane;
		break;
	case LOOM_VEC_INDEX:
		x = r->row[in->imm - 1];
		break;
	case LOOM_VEC_DIM:
		x = r->p->cmd.dim[in->imm];
		break;
	default:
		x = ref_op(in->op, ref_read(r, in->a, lane),
			   ref_read(r, in->b, lane), ref_read(r, in->c, lane));
	}
	ref_write(r, in->dst, lane, x);
}

/* Whole rows, instruction by instruction. */
static void ref_row(struct ref *r)
{
	uint32_t i, lane, lanes = 1;

	memset(r->s, 0, sizeof(r->s));
	for (i = 0; i < r->p->cmd.num_insns; i++) {
		const struct loom_vec_insn *in = &r->p->insn[i];
		bool store = in->op == LOOM_VEC_ST || in->op == LOOM_VEC_STI;
		bool scalar = (store ? in->a : in->dst) >= S(0);

		if (in->op == LOOM_VEC_LOOP)
			lanes = r->p->cmd.dim[0];
		else if (in->op == LOOM_VEC_END)
			lanes = 1;
		else if (in->op == LOOM_VEC_RSUM)
			r->s[in->dst - S(0)] = ref_sum(r, in->a);
		else if (in->op >= LOOM_VEC_RMAX)
			r->s[in->dst - S(0)] = ref_best(r, in);
		else
			for (lane = 0; lane < (scalar ? 1 : lanes); lane++)
				ref_insn(r, in, lane);
	}
}

static void ref_run(const struct t_prog *p)
{
	const uint32_t *dim = p->cmd.dim;
	struct ref r = { .p = p };
	unsigned int i;

	for (i = 0; i < LOOM_VEC_NUM_V; i++)
		r.v[i] = calloc(dim[0] + 1, sizeof(uint32_t));
	for (r.row[2] = 0; r.row[2] < dim[3]; r.row[2]++)
		for (r.row[1] = 0; r.row[1] < dim[2]; r.row[1]++)
			for (r.row[0] = 0; r.row[0] < dim[1]; r.row[0]++)
				if (dim[0])
					ref_row(&r);
	for (i = 0; i < LOOM_VEC_NUM_V; i++)
		free(r.v[i]);
}

/* Comparing --------------------------------------------------------------- */

static void describe(const struct t_prog *p)
{
	unsigned int i;

	fprintf(stderr, "dim %u %u %u %u\n", p->cmd.dim[0], p->cmd.dim[1],
		p->cmd.dim[2], p->cmd.dim[3]);
	for (i = 0; i < p->cmd.num_operands; i++)
		fprintf(stderr, "o%u: +%#lx type %u limit %u stride %ld %ld %ld %ld wrap %u %u %u %u\n",
			i, (long)(p->operand[i].addr - arena),
			p->operand[i].type, p->operand[i].limit,
			(long)p->operand[i].stride[0],
			(long)p->operand[i].stride[1],
			(long)p->operand[i].stride[2],
			(long)p->operand[i].stride[3], p->operand[i].wrap[0],
			p->operand[i].wrap[1], p->operand[i].wrap[2],
			p->operand[i].wrap[3]);
	for (i = 0; i < p->cmd.num_insns; i++)
		fprintf(stderr, "%#x dst %#x a %#x b %#x c %#x o%u imm %#x\n",
			p->insn[i].op, p->insn[i].dst, p->insn[i].a,
			p->insn[i].b, p->insn[i].c, p->insn[i].operand,
			p->insn[i].imm);
}

/* Run on both, from the contents of shadow, and compare the whole arena. */
static void run_both(const struct t_prog *p)
{
	struct loom_completion done;
	unsigned int i;

	copy_pages(shadow, true);
	done = t_prog_run(card, p);
	if (done.error) {
		describe(p);
		ck_abort_msg("error %u, field %u", done.error, done.field);
	}
	ref_run(p);
	copy_pages(found, false);
	i = first_difference();
	if (i != ARENA_SIZE) {
		describe(p);
		ck_abort_msg("byte %#x is %#x instead of %#x", i, found[i],
			     shadow[i]);
	}
}

static void run(const struct t_prog *p)
{
	struct loom_completion done = t_prog_run(card, p);

	ck_assert_uint_eq(done.error, LOOM_ERR_NONE);
}

/* Tests ------------------------------------------------------------------- */

/* Elementwise opcodes: those with a form of registers only. */
static bool is_elementwise(const char *form)
{
	return form[0] == 'D' && form[1] == 'A' && !strchr(form, 'O');
}

#define OPCODE(name, number, form, doc) { number, form },
static const struct {
	uint8_t op;
	const char *form;
} opcodes[] = { LOOM_VEC_LIST(OPCODE) };
#define NUM_OPCODES	(sizeof(opcodes) / sizeof(opcodes[0]))

/* Apply instruction @k to operands 0..2, in registers from @reg on. */
static void try_instruction(struct t_prog *p, unsigned int k, uint8_t reg)
{
	const char *form = opcodes[k].form;
	unsigned int i;

	for (i = 0; i < 3; i++)
		t_mem(p, LOOM_VEC_LDI, reg + i, i);
	t_op(p, opcodes[k].op, reg + 3, reg, strchr(form, 'B') ? reg + 1 : 0,
	     strchr(form, 'C') ? reg + 2 : 0);
	t_mem(p, LOOM_VEC_STI, reg + 3, 3);
}

START_TEST(test_every_instruction_on_vectors)
{
	const uint32_t n = 2000;
	unsigned int i, k;

	for (k = 0; k < NUM_OPCODES; k++) {
		struct t_prog p = t_prog(n, 1, 1, 1);

		if (!is_elementwise(opcodes[k].form))
			continue;
		for (i = 0; i < 4; i++)
			t_tensor(&p, arena + i * 4 * n, LOOM_TYPE_F32, 4, 0, 0,
				 0);
		t_op(&p, LOOM_VEC_LOOP, 0);
		try_instruction(&p, k, V(4));
		t_op(&p, LOOM_VEC_END, 0);
		randomize(0, 3 * n);
		run_both(&p);
	}
}
END_TEST

START_TEST(test_every_instruction_on_scalars)
{
	const uint32_t rows = 300;
	unsigned int i, k;

	for (k = 0; k < NUM_OPCODES; k++) {
		struct t_prog p = t_prog(1, rows, 1, 1);

		if (!is_elementwise(opcodes[k].form))
			continue;
		for (i = 0; i < 4; i++)
			t_tensor(&p, arena + i * 4 * rows, LOOM_TYPE_F32, 4, 4,
				 0, 0);
		try_instruction(&p, k, S(28));
		randomize(0, 3 * rows);
		run_both(&p);
	}
}
END_TEST

START_TEST(test_all_builds_of_the_loops_agree)
{
	enum { CHUNKS = 200 };
	static union loom_lanes in[3 * CHUNKS], out[2][CHUNKS];
	struct loom_lane_src src[3] = { { in, 1 }, { in + CHUNKS, 1 },
					{ in + 2 * CHUNKS, 1 } };
	const struct loom_simd *set = loom_simd_get((unsigned int)_i);
	unsigned int i;

	if (!set)
		return;
	for (i = 0; i < 3 * CHUNKS * LOOM_CHUNK; i++)
		in[i / LOOM_CHUNK].u[i % LOOM_CHUNK] = random_bits();
	for (i = 0; i < NUM_OPCODES; i++) {
		if (!set->lane[opcodes[i].op])
			continue;
		loom_simd_base.lane[opcodes[i].op](out[0], src, CHUNKS);
		set->lane[opcodes[i].op](out[1], src, CHUNKS);
		ck_assert_mem_eq(out[0], out[1], sizeof(out[0]));
	}
}
END_TEST

/* Products that put the sum just beside the middle of two f32. */
START_TEST(test_fma_rounds_once)
{
	const struct loom_simd *set = loom_simd_get((unsigned int)_i);
	union loom_lanes a, b, c, out;
	struct loom_lane_src src[3] = { { &a, 1 }, { &b, 1 }, { &c, 1 } };
	unsigned int n, j;

	for (n = 0; set && n < 20000; n++) {
		for (j = 0; j < LOOM_CHUNK; j++) {
			float delta = ldexpf(1 + 2 * (float)pick(4),
					     -13 - (int)pick(11));
			int e = (int)pick(40) - 20;

			a.f[j] = (1 + delta) * (pick(2) ? 1 : -1);
			b.f[j] = ldexpf(1 - delta, e - 24 + (int)pick(3));
			c.f[j] = ldexpf(1 + (float)pick(1 << 23) * 0x1p-23f, e);
		}
		set->lane[LOOM_VEC_FMA](&out, src, 1);
		for (j = 0; j < LOOM_CHUNK; j++) {
			if (out.f[j] != fmaf(a.f[j], b.f[j], c.f[j]))
				ck_abort_msg("fma(%a, %a, %a) = %a", a.f[j],
					     b.f[j], c.f[j], out.f[j]);
		}
	}
}
END_TEST

/* Random programs --------------------------------------------------------- */

static uint32_t pick_extent(uint32_t room)
{
	static const uint32_t sizes[] = { 1, 2, 3, 5, 16, 17, 64, 65, 100, 511,
					  512, 513, 1000, 1300 };
	uint32_t n = sizes[pick(sizeof(sizes) / sizeof(*sizes))];

	return n < room ? n : 1 + pick(room);
}

static void pick_dims(struct t_prog *p)
{
	uint32_t room = 1200, d, order = pick(4);

	for (d = 0; d < 4; d++) {
		uint32_t *dim = &p->cmd.dim[(d + order) % 4];

		*dim = pick(3) ? pick_extent(room) : 1;
		room /= *dim;
	}
	if (!pick(30))
		p->cmd.dim[pick(4)] = 0;
}

/*
 * An operand in a window of the arena.  Its dimensions are nested in random
 * order, with gaps, some of them backwards, repeated or left out.
 */
static void pick_operand(struct t_prog *p, uint64_t base, uint32_t type,
			 bool lanes_distinct)
{
	bool plain = pick(2);
	uint32_t first = plain ? 0 : pick(4), k, d, extent;
	uint32_t size = t_type_size(type);
	unsigned int n = t_tensor(p, arena + base, type, 0, 0, 0, 0);
	struct loom_vec_operand *o = &p->operand[n];
	uint64_t step = size * (pick(3) ? 1 : 1 + pick(3));

	for (k = 0; k < 4; k++) {
		d = (first + k) % 4;
		extent = p->cmd.dim[d];
		if (plain || (d == 0 && lanes_distinct)) {
			o->stride[d] = (int64_t)step;
		} else if (!pick(4)) {
			continue;	/* broadcast */
		} else {
			o->stride[d] = (int64_t)step;
			if (!pick(4) && extent)
				extent = o->wrap[d] = 1 + pick(extent);
		}
		step *= extent ? extent : 1;
		if (!pick(4))
			step += size;
		if (!pick(5) && extent) {
			o->addr += (extent - 1) * (uint64_t)o->stride[d];
			o->stride[d] = -o->stride[d];
		}
	}
	o->limit = o->stride[0] > 0 ? pick(p->cmd.dim[0] + 1) : 1;
}

#define IN_WINDOW	0x10000
#define NUM_IN		4
#define OUT_START	0x80000
#define NUM_OUT		4

/* Operands 0..3 are only read, 4..7 also written. */
static void pick_operands(struct t_prog *p, bool integers)
{
	unsigned int i;
	uint32_t type;

	for (i = 0; i < NUM_IN + NUM_OUT; i++) {
		do {
			type = LOOM_TYPE_F32 + pick(10);
		} while (integers && t_is_small_float(type));
		if (i < NUM_IN)
			pick_operand(p, i * IN_WINDOW, type, false);
		else
			pick_operand(p, OUT_START + (i - NUM_IN) * IN_WINDOW,
				     type, pick(4));
	}
}

struct generator {
	struct t_prog *p;
	bool in_loop;
	uint32_t written;	/* vector registers */
	uint32_t reducible;	/* scalars that this LOOP's reductions may use */
	bool ignore_rows;	/* try to make rows interchangeable */
};

/* S16 and up are for reductions inside the current LOOP. */
static uint8_t pick_scalar(const struct generator *g)
{
	return S(pick(g->in_loop ? 16 : 32));
}

static uint8_t pick_source(const struct generator *g, bool scalar)
{
	uint8_t v;

	if (scalar || !g->in_loop || !g->written || !pick(5))
		return pick_scalar(g);
	do {
		v = V(pick(16));
	} while (!(g->written & (1u << v)));
	return v;
}

static bool fits_int(uint32_t type)
{
	return !t_is_small_float(type);
}

static void gen_memory(struct generator *g, struct loom_vec_insn *in,
		       bool scalar)
{
	const struct loom_vec_operand *o = g->p->operand;
	bool store = in->op == LOOM_VEC_ST || in->op == LOOM_VEC_STI;

	do {
		in->operand = store ? NUM_IN + pick(NUM_OUT) :
				      pick(NUM_IN + NUM_OUT);
	} while (in->operand >= NUM_IN && !store &&
		 (!o[in->operand].stride[0] || o[in->operand].wrap[0] ||
		  in->op == LOOM_VEC_LDX));
	if (!fits_int(o[in->operand].type)) {
		if (in->op == LOOM_VEC_LDI)
			in->op = LOOM_VEC_LD;
		if (in->op == LOOM_VEC_STI)
			in->op = LOOM_VEC_ST;
	}
	if (store)
		in->a = pick_source(g, scalar);
	else if (in->op == LOOM_VEC_LDX)
		in->a = pick_source(g, scalar);
}

static void gen_insn(struct generator *g)
{
	unsigned int k = pick(NUM_OPCODES);
	struct loom_vec_insn *in;
	const char *form;
	bool scalar = !g->in_loop || (!g->ignore_rows && !pick(8));

	/* Loads are what makes the rest interesting. */
	if (!pick(4))
		k = 2 + pick(5);
	form = opcodes[k].form;
	if (opcodes[k].op <= LOOM_VEC_END ||
	    (opcodes[k].op == LOOM_VEC_LANE && (scalar || g->ignore_rows)) ||
	    (opcodes[k].op == LOOM_VEC_INDEX && g->ignore_rows) ||
	    (strchr(form, 'd') && (!g->in_loop || g->ignore_rows)) ||
	    (strchr(form, 'O') && scalar && g->ignore_rows))
		return;
	in = t_insn(g->p, opcodes[k].op);
	if (strchr(form, 'O'))
		gen_memory(g, in, scalar);
	if (strchr(form, 'A') && !strchr(form, 'O'))
		in->a = pick_source(g, scalar);
	if (strchr(form, 'B'))
		in->b = pick_source(g, scalar);
	if (strchr(form, 'C'))
		in->c = pick_source(g, scalar);
	if (in->op == LOOM_VEC_IMM)
		in->imm = random_bits();
	else if (strchr(form, 'I'))
		in->imm = 1 + pick(3);
	if (strchr(form, 'd'))
		in->dst = S(16 + pick(16));
	if (!strchr(form, 'D'))
		return;
	in->dst = scalar ? pick_scalar(g) : V(pick(16));
	if (!scalar)
		g->written |= 1u << in->dst;
}

static void gen_program(struct t_prog *p)
{
	struct generator g = { .p = p, .ignore_rows = pick(2) };
	unsigned int part, i, parts = g.ignore_rows ? 1 : 1 + pick(3);

	for (part = 0; part < parts; part++) {
		for (i = pick(5); i > 0; i--)
			gen_insn(&g);
		t_op(p, LOOM_VEC_LOOP, 0);
		g.in_loop = true;
		g.written = 0;
		for (i = 2 + pick(25); i > 0; i--)
			gen_insn(&g);
		t_op(p, LOOM_VEC_END, 0);
		g.in_loop = false;
	}
	for (i = pick(5); i > 0; i--)
		gen_insn(&g);
}

START_TEST(test_random_programs_do_as_their_words_say)
{
	unsigned int i;

	seed = 1000 + (uint64_t)_i;
	for (i = 0; i < 100; i++) {
		struct t_prog p = t_prog(1, 1, 1, 1);

		pick_dims(&p);
		pick_operands(&p, pick(2));
		gen_program(&p);
		randomize(0, ARENA_SIZE / 4);
		run_both(&p);
	}
}
END_TEST

/* Reductions -------------------------------------------------------------- */

static void reduce_rows(uint32_t lanes, uint32_t rows)
{
	struct t_prog p = t_prog(lanes, rows, 1, 1);
	unsigned int i;

	t_tensor(&p, arena, LOOM_TYPE_F32, 4, 4 * lanes, 0, 0);
	for (i = 1; i < 5; i++)
		t_tensor(&p, arena + ARENA_SIZE / 2 + 0x1000 * i,
			 LOOM_TYPE_F32, 4, 4, 0, 0);
	t_op(&p, LOOM_VEC_LOOP, 0);
	t_mem(&p, LOOM_VEC_LDI, V(0), 0);
	t_op(&p, LOOM_VEC_RSUM, S(1), V(0));
	t_op(&p, LOOM_VEC_RMAX, S(2), V(0));
	t_op(&p, LOOM_VEC_RMIN, S(3), V(0));
	t_op(&p, LOOM_VEC_RARGMAX, S(4), V(0));
	t_op(&p, LOOM_VEC_END, 0);
	for (i = 1; i < 5; i++)
		t_mem(&p, LOOM_VEC_STI, S(i), i);
	run_both(&p);
}

START_TEST(test_reductions_follow_the_documented_order)
{
	uint32_t n;

	randomize(0, ARENA_SIZE / 8);
	for (n = 0; n < 20000; n++)	/* finite: sums that round */
		((float *)shadow)[n] = (float)(int32_t)random_bits() / 3;
	for (n = 1; n <= 130; n++)
		reduce_rows(n, 7);
	for (n = 505; n <= 520; n++)
		reduce_rows(n, 3);
	reduce_rows(1024, 2);
	reduce_rows(5000, 2);
}
END_TEST

START_TEST(test_reductions_of_special_values)
{
	static const uint32_t values[] = {
		0, 0x80000000, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00000,
		0x3f800000, 0xbf800000,
	};
	uint32_t n, i, k;

	for (n = 1; n <= 40; n++) {
		for (i = 0; i < n * 20; i++) {
			k = pick(1 + i / n % 8);	/* rows get more varied */
			((uint32_t *)shadow)[i] = values[(k + i / n) % 8];
		}
		reduce_rows(n, 20);
	}
}
END_TEST

/* What programs may rely on ------------------------------------------------ */

static float *floats(uint64_t offset)
{
	return (float *)(shadow + offset);
}

static void random_normalish(float *p, uint32_t n, float scale)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		p[i] = ((float)pick(1 << 20) / (1 << 19) - 1.0f) * scale;
}

static void assert_close(float x, double expect, double tolerance)
{
	if (!(fabs(x - expect) <= tolerance * (fabs(expect) + 1e-3)))
		ck_abort_msg("%.9g is not %.9g", x, expect);
}

START_TEST(test_softmax)
{
	const uint32_t n = 200, rows = 30;
	struct t_prog p = t_prog(n, rows, 1, 1);
	float *x = floats(0), *y = (float *)found;
	uint32_t i, r;

	t_tensor(&p, arena, LOOM_TYPE_F32, 4, 4 * n, 0, 0);
	t_op(&p, LOOM_VEC_LOOP, 0);
	t_mem(&p, LOOM_VEC_LD, V(0), 0);
	t_op(&p, LOOM_VEC_RMAX, S(0), V(0));
	t_op(&p, LOOM_VEC_END, 0);
	t_op(&p, LOOM_VEC_LOOP, 0);
	t_mem(&p, LOOM_VEC_LD, V(0), 0);
	t_op(&p, LOOM_VEC_SUB, V(0), V(0), S(0));
	t_op(&p, LOOM_VEC_EXP, V(0), V(0));
	t_op(&p, LOOM_VEC_RSUM, S(1), V(0));
	t_mem(&p, LOOM_VEC_ST, V(0), 0);
	t_op(&p, LOOM_VEC_END, 0);
	t_op(&p, LOOM_VEC_LOOP, 0);
	t_mem(&p, LOOM_VEC_LD, V(0), 0);
	t_op(&p, LOOM_VEC_DIV, V(0), V(0), S(1));
	t_mem(&p, LOOM_VEC_ST, V(0), 0);
	t_op(&p, LOOM_VEC_END, 0);
	random_normalish(x, n * rows, 30);
	copy_pages(shadow, true);
	run(&p);
	copy_pages(found, false);
	for (r = 0; r < rows; r++, x += n, y += n) {
		double sum = 0;

		for (i = 0; i < n; i++)
			sum += exp(x[i]);
		for (i = 0; i < n; i++)
			assert_close(y[i], exp(x[i]) / sum, 3e-6);
	}
}
END_TEST

/* bf16 in and out, statistics in f32 */
START_TEST(test_layer_norm)
{
	const uint32_t n = 768, rows = 20;
	struct t_prog p = t_prog(n, rows, 1, 1);
	uint16_t *x = (uint16_t *)shadow, *y = (uint16_t *)(found + 0x10000);
	uint32_t i, r;

	t_tensor(&p, arena, LOOM_TYPE_BF16, 2, 2 * n, 0, 0);
	t_tensor(&p, arena + 0x10000, LOOM_TYPE_BF16, 2, 2 * n, 0, 0);
	t_imm(&p, LOOM_VEC_DIM, S(0), 0);
	t_op(&p, LOOM_VEC_I2F, S(0), S(0));
	t_const(&p, S(5), 1e-5f);
	t_op(&p, LOOM_VEC_LOOP, 0);
	t_mem(&p, LOOM_VEC_LD, V(0), 0);
	t_op(&p, LOOM_VEC_RSUM, S(1), V(0));
	t_op(&p, LOOM_VEC_END, 0);
	t_op(&p, LOOM_VEC_DIV, S(1), S(1), S(0));
	t_op(&p, LOOM_VEC_LOOP, 0);
	t_mem(&p, LOOM_VEC_LD, V(0), 0);
	t_op(&p, LOOM_VEC_SUB, V(0), V(0), S(1));
	t_op(&p, LOOM_VEC_MUL, V(0), V(0), V(0));
	t_op(&p, LOOM_VEC_RSUM, S(2), V(0));
	t_op(&p, LOOM_VEC_END, 0);
	t_op(&p, LOOM_VEC_DIV, S(2), S(2), S(0));
	t_op(&p, LOOM_VEC_ADD, S(2), S(2), S(5));
	t_op(&p, LOOM_VEC_RSQRT, S(2), S(2));
	t_op(&p, LOOM_VEC_LOOP, 0);
	t_mem(&p, LOOM_VEC_LD, V(0), 0);
	t_op(&p, LOOM_VEC_SUB, V(0), V(0), S(1));
	t_op(&p, LOOM_VEC_MUL, V(0), V(0), S(2));
	t_mem(&p, LOOM_VEC_ST, V(0), 1);
	t_op(&p, LOOM_VEC_END, 0);
	for (i = 0; i < n * rows; i++)
		x[i] = (uint16_t)t_encode(LOOM_TYPE_BF16,
					  (float)pick(1000) / 100);
	copy_pages(shadow, true);
	run(&p);
	copy_pages(found, false);
	for (r = 0; r < rows; r++, x += n, y += n) {
		double mean = 0, var = 0, v;

		for (i = 0; i < n; i++)
			mean += t_decode(LOOM_TYPE_BF16, x[i]) / (double)n;
		for (i = 0; i < n; i++) {
			v = t_decode(LOOM_TYPE_BF16, x[i]) - mean;
			var += v * v / n;
		}
		for (i = 0; i < n; i++) {
			v = t_decode(LOOM_TYPE_BF16, x[i]) - mean;
			assert_close(t_decode(LOOM_TYPE_BF16, y[i]),
				     v / sqrt(var + 1e-5), 0.004);
		}
	}
}
END_TEST

START_TEST(test_adamw_step)
{
	const uint32_t n = 3000;
	const float beta1 = 0.9f, beta2 = 0.999f, eps = 1e-8f, lr = 1e-3f;
	struct t_prog p = t_prog(n, 1, 1, 1);
	float *in[4], *out[4];
	uint32_t i;

	for (i = 0; i < 4; i++) {
		t_tensor(&p, arena + 0x10000 * i, LOOM_TYPE_F32, 4, 0, 0, 0);
		in[i] = floats(0x10000 * i);
		out[i] = (float *)(found + 0x10000 * i);
		random_normalish(in[i], n, 1);
	}
	for (i = 0; i < n; i++)
		in[3][i] = fabsf(in[3][i]);
	p.cmd.param[0] = t_bits(beta1);
	p.cmd.param[1] = t_bits(1 - beta1);
	p.cmd.param[2] = t_bits(beta2);
	p.cmd.param[3] = t_bits(1 - beta2);
	p.cmd.param[4] = t_bits(eps);
	p.cmd.param[5] = t_bits(lr);
	p.cmd.param[6] = t_bits(1 - lr * 0.01f);
	for (i = 0; i < 7; i++)
		t_imm(&p, LOOM_VEC_PARAM, S(i), i);
	t_op(&p, LOOM_VEC_LOOP, 0);
	for (i = 0; i < 4; i++)		/* weight, gradient, m, v */
		t_mem(&p, LOOM_VEC_LD, V(i), i);
	t_op(&p, LOOM_VEC_MUL, V(4), V(1), S(1));
	t_op(&p, LOOM_VEC_FMA, V(2), V(2), S(0), V(4));
	t_op(&p, LOOM_VEC_MUL, V(5), V(1), V(1));
	t_op(&p, LOOM_VEC_MUL, V(5), V(5), S(3));
	t_op(&p, LOOM_VEC_FMA, V(3), V(3), S(2), V(5));
	t_op(&p, LOOM_VEC_SQRT, V(6), V(3));
	t_op(&p, LOOM_VEC_ADD, V(6), V(6), S(4));
	t_op(&p, LOOM_VEC_DIV, V(6), V(2), V(6));
	t_op(&p, LOOM_VEC_MUL, V(6), V(6), S(5));
	t_op(&p, LOOM_VEC_MUL, V(0), V(0), S(6));
	t_op(&p, LOOM_VEC_SUB, V(0), V(0), V(6));
	t_mem(&p, LOOM_VEC_ST, V(0), 0);
	t_mem(&p, LOOM_VEC_ST, V(2), 2);
	t_mem(&p, LOOM_VEC_ST, V(3), 3);
	t_op(&p, LOOM_VEC_END, 0);
	copy_pages(shadow, true);
	run(&p);
	copy_pages(found, false);
	for (i = 0; i < n; i++) {
		double g = in[1][i], m, v;

		m = beta1 * (double)in[2][i] + (1 - beta1) * g;
		v = beta2 * (double)in[3][i] + (1 - beta2) * g * g;
		assert_close(out[2][i], m, 1e-6);
		assert_close(out[3][i], v, 1e-6);
		assert_close(out[0][i], in[0][i] * (1 - lr * 0.01) -
			     lr * m / (sqrt(v) + eps), 1e-6);
	}
}
END_TEST

/* Rows see what earlier rows stored, so columns can be summed row by row. */
START_TEST(test_rows_run_in_order)
{
	const uint32_t n = 20, rows = 50;
	struct t_prog p = t_prog(n, rows, 1, 1);
	uint32_t i, r, sum;

	t_tensor(&p, arena, LOOM_TYPE_I32, 4, 4 * n, 0, 0);
	t_tensor(&p, arena + 0x10000, LOOM_TYPE_I32, 4, 0, 0, 0);
	t_op(&p, LOOM_VEC_LOOP, 0);
	t_mem(&p, LOOM_VEC_LDI, V(0), 0);
	t_mem(&p, LOOM_VEC_LDI, V(1), 1);
	t_op(&p, LOOM_VEC_IADD, V(0), V(0), V(1));
	t_mem(&p, LOOM_VEC_STI, V(0), 1);
	t_op(&p, LOOM_VEC_END, 0);
	randomize(0, n * rows);
	memset(shadow + 0x10000, 0, 4 * n);
	run_both(&p);
	for (i = 0; i < n; i++) {
		for (r = sum = 0; r < rows; r++)
			sum += ((uint32_t *)found)[r * n + i];
		ck_assert_uint_eq(((uint32_t *)(found + 0x10000))[i], sum);
	}
}
END_TEST

/* Each row is loaded where the one before was stored. */
START_TEST(test_rows_see_what_earlier_rows_stored)
{
	const uint32_t n = 20, rows = 50;
	struct t_prog p = t_prog(n, rows, 1, 1);

	t_tensor(&p, arena, LOOM_TYPE_I32, 4, 4 * n, 0, 0);
	t_tensor(&p, arena + 4 * n, LOOM_TYPE_I32, 4, 4 * n, 0, 0);
	t_imm(&p, LOOM_VEC_IMM, S(0), 3);
	t_op(&p, LOOM_VEC_LOOP, 0);
	t_mem(&p, LOOM_VEC_LDI, V(0), 0);
	t_op(&p, LOOM_VEC_IADD, V(0), V(0), S(0));
	t_mem(&p, LOOM_VEC_STI, V(0), 1);
	t_op(&p, LOOM_VEC_END, 0);
	randomize(0, n * (rows + 1));
	run_both(&p);
	ck_assert_uint_eq(((uint32_t *)found)[n * rows],
			  ((uint32_t *)found)[0] + 3 * rows);
}
END_TEST

/* Rows that could be run as one but for one thing */
START_TEST(test_rows_know_who_they_are)
{
	static const struct loom_vec_insn ask[] = {
		{ .op = LOOM_VEC_LANE, .dst = V(0) },
		{ .op = LOOM_VEC_INDEX, .dst = V(0), .imm = 1 },
		{ .op = LOOM_VEC_INDEX, .dst = V(0), .imm = 2 },
		{ .op = LOOM_VEC_LD, .dst = S(0), .operand = 0 },
		{ .op = LOOM_VEC_ST, .a = S(1), .operand = 2 },
	};
	struct t_prog p;
	unsigned int i;

	for (i = 0; i < sizeof(ask) / sizeof(*ask); i++) {
		p = t_prog(30, 40, 3, 1);
		t_tensor(&p, arena, LOOM_TYPE_I32, 4, 120, 4800, 0);
		t_tensor(&p, arena + 0x10000, LOOM_TYPE_I32, 4, 120, 4800, 0);
		t_tensor(&p, arena + 0x20000, LOOM_TYPE_I32, 4, 120, 4800, 0);
		t_imm(&p, LOOM_VEC_IMM, S(1), 0x40000000);
		t_op(&p, LOOM_VEC_LOOP, 0);
		t_mem(&p, LOOM_VEC_LDI, V(0), 0);
		*t_insn(&p, 0) = ask[i];
		t_op(&p, LOOM_VEC_IADD, V(0), V(0), S(0));
		t_mem(&p, LOOM_VEC_STI, V(0), 1);
		t_op(&p, LOOM_VEC_END, 0);
		randomize(0, 30 * 40 * 3);
		run_both(&p);
	}
}
END_TEST

START_TEST(test_tensors_repeat_with_any_period)
{
	unsigned int d, period;
	struct t_prog p;

	for (d = 0; d < 4; d++) {
		for (period = 1; period < 12; period++) {
			p = t_prog(10, 7, 9, 8);
			t_tensor(&p, arena, LOOM_TYPE_F32, 4, 40, 280, 2520);
			t_tensor(&p, arena + 0x10000, LOOM_TYPE_F32, 4, 40,
				 280, 2520);
			p.operand[0].wrap[d] = period;
			t_op(&p, LOOM_VEC_LOOP, 0);
			t_mem(&p, LOOM_VEC_LD, V(0), 0);
			t_mem(&p, LOOM_VEC_ST, V(0), 1);
			t_op(&p, LOOM_VEC_END, 0);
			randomize(0, 10 * 7 * 9 * 8);
			run_both(&p);
		}
	}
}
END_TEST

START_TEST(test_indexed_loads_read_zero_beyond_the_limit)
{
	const uint32_t n = 1000;
	struct t_prog p = t_prog(n, 2, 1, 1);
	unsigned int type;

	for (type = LOOM_TYPE_F32; type <= LOOM_TYPE_I64; type++) {
		p = t_prog(n, 2, 1, 1);
		t_tensor(&p, arena, LOOM_TYPE_I32, 4, 0, 0, 0);
		t_tensor(&p, arena + 0x10000, type, -8, 0, 0, 0);
		t_tensor(&p, arena + 0x20000, LOOM_TYPE_F32, 4, 4 * n, 0, 0);
		p.operand[1].limit = type == LOOM_TYPE_I8 ? 0 : n / 2;
		t_op(&p, LOOM_VEC_LOOP, 0);
		t_mem(&p, LOOM_VEC_LDI, V(0), 0);
		t_op(&p, LOOM_VEC_LDX, V(1), V(0));
		p.insn[p.cmd.num_insns - 1].operand = 1;
		t_mem(&p, LOOM_VEC_ST, V(1), 2);
		t_op(&p, LOOM_VEC_END, 0);
		randomize(0, ARENA_SIZE / 4);
		for (uint32_t i = 0; i < n; i++)
			((uint32_t *)shadow)[i] = pick(4) ? pick(n) :
							    random_bits();
		run_both(&p);
	}
}
END_TEST

START_TEST(test_extent_zero_does_nothing)
{
	unsigned int d;

	for (d = 0; d < 4; d++) {
		struct t_prog p = t_prog(3, 3, 3, 3);

		p.cmd.dim[d] = 0;
		t_tensor(&p, 0xdead0000, LOOM_TYPE_F32, 4, 12, 36, 108);
		t_op(&p, LOOM_VEC_LOOP, 0);
		t_mem(&p, LOOM_VEC_LD, V(0), 0);
		t_mem(&p, LOOM_VEC_ST, V(0), 0);
		t_op(&p, LOOM_VEC_END, 0);
		run(&p);
	}
}
END_TEST

START_TEST(test_work_is_counted)
{
	struct t_prog p = t_prog(100, 7, 3, 1);
	uint64_t ops = t_perf(card, LOOM_PERF_VECTOR_OPS);
	uint64_t cycles = t_perf(card, LOOM_PERF_CYC_VECTOR);
	uint64_t wr = t_perf(card, LOOM_PERF_HBM_WR_BYTES);

	t_tensor(&p, arena, LOOM_TYPE_BF16, 2, 200, 1400, 0);
	t_const(&p, S(0), 2);
	t_op(&p, LOOM_VEC_LOOP, 0);
	t_mem(&p, LOOM_VEC_LD, V(0), 0);
	t_op(&p, LOOM_VEC_MUL, V(0), V(0), S(0));
	t_mem(&p, LOOM_VEC_ST, V(0), 0);
	t_op(&p, LOOM_VEC_END, 0);
	run(&p);
	ck_assert_uint_eq(t_perf(card, LOOM_PERF_VECTOR_OPS) - ops,
			  7 * 3 * (100 * 3 + 1));
	ck_assert_uint_ge(t_perf(card, LOOM_PERF_HBM_WR_BYTES) - wr,
			  7 * 3 * 200);
	ck_assert_uint_gt(t_perf(card, LOOM_PERF_CYC_VECTOR), cycles);
}
END_TEST

/* Mistakes ----------------------------------------------------------------- */

#define CMD_AT(member)	offsetof(struct loom_cmd_vector, member)
#define OPERAND_AT(n, member) \
	(sizeof(struct loom_cmd_vector) + (n) * sizeof(struct loom_vec_operand) + \
	 offsetof(struct loom_vec_operand, member))
/* All programs here have two operands. */
#define INSN_AT(n, member) \
	(sizeof(struct loom_cmd_vector) + 2 * sizeof(struct loom_vec_operand) + \
	 (n) * sizeof(struct loom_vec_insn) + offsetof(struct loom_vec_insn, member))

/* 0 LOOP, 1 LD, 2 ADD, 3 RSUM, 4 LDX, 5 ST, 6 END, 7 IMM */
static struct t_prog valid_program(void)
{
	struct t_prog p = t_prog(100, 2, 2, 2);

	t_tensor(&p, arena, LOOM_TYPE_F32, 4, 400, 800, 1600);
	t_tensor(&p, arena + 0x10000, LOOM_TYPE_F16, 2, 200, 400, 800);
	t_op(&p, LOOM_VEC_LOOP, 0);
	t_mem(&p, LOOM_VEC_LD, V(0), 0);
	t_op(&p, LOOM_VEC_ADD, V(1), V(0), S(1));
	t_op(&p, LOOM_VEC_RSUM, S(0), V(1));
	t_op(&p, LOOM_VEC_LDX, V(2), V(1));
	t_mem(&p, LOOM_VEC_ST, V(1), 1);
	t_op(&p, LOOM_VEC_END, 0);
	t_const(&p, S(2), 1);
	return p;
}

static void expect(const struct t_prog *p, uint32_t error, size_t field)
{
	struct loom_completion done = t_prog_run(card, p);

	if (done.error != error || done.field != field)
		ck_abort_msg("error %u field %u instead of error %u field %zu",
			     done.error, done.field, error, field);
}

#define REJECT(edit, error, field)				\
	do {							\
		struct t_prog p = valid_program();		\
		edit;						\
		expect(&p, LOOM_ERR_##error, field);		\
	} while (0)

START_TEST(test_bad_heads_are_rejected)
{
	REJECT(p.cmd.num_operands = 17, CMD_FIELD, CMD_AT(num_operands));
	REJECT(p.cmd.num_insns = 0, CMD_FIELD, CMD_AT(num_insns));
	REJECT(p.cmd.num_insns = 257, CMD_FIELD, CMD_AT(num_insns));
	REJECT(p.cmd.hdr = t_cmd(LOOM_OP_VECTOR, 320), CMD_SIZE,
	       CMD_AT(hdr.size64));
	REJECT(p.cmd.reserved0 = 1, CMD_RESERVED, CMD_AT(reserved0));
	REJECT(p.cmd.reserved[5] = 1, CMD_RESERVED, CMD_AT(reserved[5]));
}
END_TEST

START_TEST(test_bad_operands_are_rejected)
{
	REJECT(p.operand[0].type = LOOM_TYPE_NONE, CMD_TYPE,
	       OPERAND_AT(0, type));
	REJECT(p.operand[1].type = LOOM_TYPE_Q8_0, CMD_TYPE,
	       OPERAND_AT(1, type));
	REJECT(p.operand[1].type = 255, CMD_TYPE, OPERAND_AT(1, type));
	REJECT(p.operand[1].reserved0[2] = 1, CMD_RESERVED,
	       OPERAND_AT(1, reserved0[2]));
	REJECT(p.operand[0].addr += 2, CMD_ALIGN, OPERAND_AT(0, addr));
	REJECT(p.operand[1].stride[3] = 7, CMD_ALIGN,
	       OPERAND_AT(1, stride[3]));
	REJECT(p.insn[1].op = LOOM_VEC_LDI; p.insn[1].operand = 1, CMD_TYPE,
	       OPERAND_AT(1, type));
	REJECT(p.insn[5].op = LOOM_VEC_STI, CMD_TYPE, OPERAND_AT(1, type));
}
END_TEST

START_TEST(test_operands_outside_the_address_space_are_rejected)
{
	REJECT(p.operand[0].addr = 1ull << 48, CMD_RANGE, OPERAND_AT(0, addr));
	REJECT(p.operand[0].addr = (1ull << 48) - 396, CMD_RANGE,
	       OPERAND_AT(0, addr));
	REJECT(p.operand[1].addr = ~1ull, CMD_RANGE, OPERAND_AT(1, addr));
	REJECT(p.operand[0].stride[3] = INT64_MIN, CMD_RANGE,
	       OPERAND_AT(0, addr));
	REJECT(p.operand[0].stride[2] = INT64_MAX - 3, CMD_RANGE,
	       OPERAND_AT(0, addr));
	REJECT(p.operand[0].stride[0] = -(int64_t)arena, CMD_RANGE,
	       OPERAND_AT(0, addr));
	REJECT(p.operand[0].limit = ~0u; p.operand[0].stride[0] = 1 << 20,
	       CMD_RANGE, OPERAND_AT(0, addr));
}
END_TEST

START_TEST(test_bad_instructions_are_rejected)
{
	REJECT(p.insn[1].op = 0, VEC_OPCODE, INSN_AT(1, op));
	REJECT(p.insn[1].op = 0xff, VEC_OPCODE, INSN_AT(1, op));
	REJECT(p.insn[0].dst = 1, CMD_RESERVED, INSN_AT(0, dst));
	REJECT(p.insn[1].a = 1, CMD_RESERVED, INSN_AT(1, a));
	REJECT(p.insn[3].b = 1, CMD_RESERVED, INSN_AT(3, b));
	REJECT(p.insn[2].c = 1, CMD_RESERVED, INSN_AT(2, c));
	REJECT(p.insn[2].operand = 1, CMD_RESERVED, INSN_AT(2, operand));
	REJECT(p.insn[2].reserved0 = 1, CMD_RESERVED, INSN_AT(2, reserved0));
	REJECT(p.insn[2].imm = 1, CMD_RESERVED, INSN_AT(2, imm));
	REJECT(p.insn[2].reserved1 = 1, CMD_RESERVED, INSN_AT(2, reserved1));
	REJECT(p.insn[7].op = LOOM_VEC_PARAM; p.insn[7].imm = 16, CMD_FIELD,
	       INSN_AT(7, imm));
	REJECT(p.insn[7].op = LOOM_VEC_INDEX; p.insn[7].imm = 0, CMD_FIELD,
	       INSN_AT(7, imm));
	REJECT(p.insn[7].op = LOOM_VEC_INDEX; p.insn[7].imm = 4, CMD_FIELD,
	       INSN_AT(7, imm));
	REJECT(p.insn[7].op = LOOM_VEC_DIM; p.insn[7].imm = 4, CMD_FIELD,
	       INSN_AT(7, imm));
}
END_TEST

START_TEST(test_bad_registers_are_rejected)
{
	REJECT(p.insn[1].dst = 16, VEC_OPERAND, INSN_AT(1, dst));
	REJECT(p.insn[1].dst = 0x40, VEC_OPERAND, INSN_AT(1, dst));
	REJECT(p.insn[2].b = 0x1f, VEC_OPERAND, INSN_AT(2, b));
	REJECT(p.insn[1].operand = 2, VEC_OPERAND, INSN_AT(1, operand));
	/* read before written, in this LOOP */
	REJECT(p.insn[2].a = V(3), VEC_OPERAND, INSN_AT(2, a));
	REJECT(p.insn[1] = p.insn[0]; p.insn[0] = p.insn[7], VEC_OPERAND,
	       INSN_AT(2, a));
	/* scalar destination, vector source */
	REJECT(p.insn[2].dst = S(3), VEC_OPERAND, INSN_AT(2, a));
	REJECT(p.insn[2] = ((struct loom_vec_insn){ .op = LOOM_VEC_LANE,
						    .dst = S(3) }),
	       VEC_OPERAND, INSN_AT(2, dst));
	/* vectors outside of a LOOP */
	REJECT(p.insn[7].dst = V(0), VEC_OPERAND, INSN_AT(7, dst));
	REJECT(p.insn[7] = p.insn[2], VEC_OPERAND, INSN_AT(7, a));
	/* a reduction's result, in its own LOOP */
	REJECT(p.insn[2].b = S(0), VEC_OPERAND, INSN_AT(2, b));
	REJECT(p.insn[5].a = S(0), VEC_OPERAND, INSN_AT(5, a));
	REJECT(p.insn[3].dst = V(0), VEC_OPERAND, INSN_AT(3, dst));
}
END_TEST

START_TEST(test_bad_loops_are_rejected)
{
	REJECT(p.insn[3] = p.insn[0], VEC_LOOP, INSN_AT(3, op));
	REJECT(p.insn[7] = p.insn[6], VEC_LOOP, INSN_AT(7, op));
	REJECT(p.insn[6] = p.insn[7], VEC_LOOP, INSN_AT(0, op));
	REJECT(p.insn[7] = p.insn[3]; p.insn[7].a = S(2), VEC_LOOP,
	       INSN_AT(7, op));
}
END_TEST

START_TEST(test_faults_name_the_address)
{
	uint64_t va = 0x600000000000, hbm = t_hbm_alloc(card, 8192);
	struct t_prog p = t_prog(3000, 1, 1, 1);
	struct loom_completion done;

	t_map(card, T_CTX, va, LOOM_KIND_HBM, hbm, 4096, true);
	t_map(card, T_CTX, va + 4096, LOOM_KIND_HBM, hbm + 4096, 4096, false);
	t_tensor(&p, va, LOOM_TYPE_F32, 4, 0, 0, 0);
	t_tensor(&p, arena, LOOM_TYPE_F32, 4, 0, 0, 0);
	t_op(&p, LOOM_VEC_LOOP, 0);
	t_mem(&p, LOOM_VEC_LD, V(0), 0);
	t_mem(&p, LOOM_VEC_ST, V(0), 1);
	t_op(&p, LOOM_VEC_END, 0);
	done = t_prog_run(card, &p);
	ck_assert_uint_eq(done.error, LOOM_ERR_FAULT_UNMAPPED);
	ck_assert_uint_eq(done.fault_addr, va + 8192);
	ck_assert_uint_eq(done.access, LOOM_ACCESS_READ);

	p.operand[0].stride[0] = 24;
	done = t_prog_run(card, &p);
	ck_assert_uint_eq(done.error, LOOM_ERR_FAULT_UNMAPPED);
	ck_assert_uint_eq(done.fault_addr, va + 8208);

	p.operand[0].addr = arena;
	p.operand[1].addr = va;
	p.operand[1].stride[0] = 12;
	done = t_prog_run(card, &p);
	ck_assert_uint_eq(done.error, LOOM_ERR_FAULT_PERM);
	ck_assert_uint_eq(done.fault_addr, va + 4104);
	ck_assert_uint_eq(done.access, LOOM_ACCESS_WRITE);
}
END_TEST

START_TEST(test_endless_programs_can_be_aborted)
{
	struct t_prog p = t_prog(~0u, ~0u, ~0u, ~0u);
	uint8_t buf[sizeof(p)];
	uint64_t va = t_hbm_alloc(card, sizeof(p));
	uint32_t len;

	t_tensor(&p, arena, LOOM_TYPE_F32, 0, 0, 0, 0);
	t_op(&p, LOOM_VEC_LOOP, 0);
	t_mem(&p, LOOM_VEC_LD, V(0), 0);
	t_mem(&p, LOOM_VEC_ST, V(0), 0);
	t_op(&p, LOOM_VEC_END, 0);
	len = t_prog_encode(&p, buf);
	memcpy(t_ptr(card, va), buf, len);

	t_workers_start(card, 1);
	t_queue_push(card, 0, va, len);
	t_doorbell(card, 0);
	while (t_read32(card, LOOM_REG_QUEUE(0, LOOM_QUEUE_STATE)) !=
	       LOOM_QUEUE_STATE_RUNNING)
		;
	t_write32(card, LOOM_REG_QUEUE(0, LOOM_QUEUE_CTRL),
		  LOOM_QUEUE_CTRL_RESET);
	ck_assert_uint_eq(t_read32(card, LOOM_REG_QUEUE(0, LOOM_QUEUE_STATE)),
			  LOOM_QUEUE_STATE_DISABLED);
	t_workers_stop(card);
}
END_TEST

static Suite *vector_suite(void)
{
	Suite *s = suite_create("vector");
	TCase *tc = tcase_create("instructions");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_every_instruction_on_vectors);
	tcase_add_test(tc, test_every_instruction_on_scalars);
	tcase_add_loop_test(tc, test_all_builds_of_the_loops_agree, 0, 3);
	tcase_add_loop_test(tc, test_fma_rounds_once, 0, 3);
	tcase_add_test(tc, test_reductions_follow_the_documented_order);
	tcase_add_test(tc, test_reductions_of_special_values);
	tcase_add_test(tc, test_indexed_loads_read_zero_beyond_the_limit);
	suite_add_tcase(s, tc);

	tc = tcase_create("programs");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_random_programs_do_as_their_words_say,
			    0, 5);
	tcase_add_test(tc, test_softmax);
	tcase_add_test(tc, test_layer_norm);
	tcase_add_test(tc, test_adamw_step);
	tcase_add_test(tc, test_rows_run_in_order);
	tcase_add_test(tc, test_rows_see_what_earlier_rows_stored);
	tcase_add_test(tc, test_rows_know_who_they_are);
	tcase_add_test(tc, test_tensors_repeat_with_any_period);
	tcase_add_test(tc, test_extent_zero_does_nothing);
	tcase_add_test(tc, test_work_is_counted);
	suite_add_tcase(s, tc);

	tc = tcase_create("mistakes");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_bad_heads_are_rejected);
	tcase_add_test(tc, test_bad_operands_are_rejected);
	tcase_add_test(tc, test_operands_outside_the_address_space_are_rejected);
	tcase_add_test(tc, test_bad_instructions_are_rejected);
	tcase_add_test(tc, test_bad_registers_are_rejected);
	tcase_add_test(tc, test_bad_loops_are_rejected);
	tcase_add_test(tc, test_faults_name_the_address);
	tcase_add_test(tc, test_endless_programs_can_be_aborted);
	suite_add_tcase(s, tc);

	tc = tcase_create("scattered memory");
	tcase_add_checked_fixture(tc, setup_scattered, teardown);
	tcase_add_loop_test(tc, test_random_programs_do_as_their_words_say,
			    5, 7);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(vector_suite());
	int failed;

	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
