// SPDX-License-Identifier: MIT
/*
 * Problems for the MATMUL engine: operands of any layout with random contents,
 * the scalar reference over a whole command, and the comparison.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "matmul_problem.h"
#include "matmul_reference.h"
#include "numerics.h"

#define SCATTERED	0x40000000ull	/* where pages in disorder are mapped */

uint64_t t_seed;

/* Kernel sets ------------------------------------------------------------- */

/* Stands in for matmul_best.c, so that each command runs on each set. */
const struct loom_matmul_kernels *t_kernels;

const struct loom_matmul_kernels *loom_matmul_best(void)
{
	return t_kernels;
}

/* What tests/lib/avx512 makes of matmul_avx512.c. */
#if defined(__x86_64__)
extern const struct loom_matmul_kernels t_emulated_avx512;
extern const struct loom_matmul_kernels t_emulated_vnni;
extern const struct loom_matmul_kernels t_emulated_bf16;

static const struct loom_matmul_kernels *emulated(enum loom_matmul_level level)
{
	if (!loom_matmul_kernels(LOOM_MATMUL_AVX2))
		return NULL;
	switch (level) {
	case LOOM_MATMUL_AVX512:
		return &t_emulated_avx512;
	case LOOM_MATMUL_VNNI:
		return &t_emulated_vnni;
	case LOOM_MATMUL_BF16:
		return &t_emulated_bf16;
	default:
		return NULL;
	}
}
#else
static const struct loom_matmul_kernels *emulated(enum loom_matmul_level level)
{
	(void)level;
	return NULL;
}
#endif

const struct t_matmul_set *t_matmul_set(unsigned int n)
{
	static struct t_matmul_set set;

	for (int i = 0; i < LOOM_MATMUL_LEVELS; i++) {
		enum loom_matmul_level level = (enum loom_matmul_level)i;

		set.kernels = loom_matmul_kernels(level);
		set.emulated = !set.kernels;
		if (set.emulated)
			set.kernels = emulated(level);
		if (set.kernels && !n--)
			return &set;
	}
	return NULL;
}

/* Random numbers ---------------------------------------------------------- */

uint32_t t_rnd(void)
{
	t_seed = t_seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(t_seed >> 33);
}

uint32_t t_below(uint32_t n)
{
	return t_rnd() % n;
}

/* Operands in device memory ----------------------------------------------- */

bool t_is_block(uint32_t type)
{
	return type == LOOM_TYPE_Q8_0 || type == LOOM_TYPE_Q4_0;
}

/* Bytes of an element; of a whole line for blocks. */
static size_t element_bytes(uint32_t type, uint32_t k)
{
	if (t_is_block(type))
		return k / 32 * (type == LOOM_TYPE_Q8_0 ? 34 : 18);
	return loom_type_size(type);
}

uint32_t t_random_float(int flavour)
{
	static const uint32_t special[] = {
		0x00000000, 0x80000000, 0x7f800000, 0xff800000, 0x7fc00000,
		0xffa12345, 0x00000001, 0x807fffff, 0x00800000, 0x80800001,
		0x7f7fffff, 0xff7f0000, 0x3f800000, 0xbf800000,
	};
	uint32_t r = t_rnd() ^ t_rnd() << 16;

	switch (flavour) {
	case 0:	/* around 1 */
		return (r & 0x807fffff) | (120 + t_below(12)) << 23;
	case 1:	/* products and sums near the smallest normal number */
		return (r & 0x807fffff) | (52 + t_below(24)) << 23;
	case 2:	/* everything there is */
		return r;
	case 3:	/* small integers: exact sums, many zeros */
		return t_bits((float)((int)t_below(9) - 4));
	default:
		return t_below(4) ? (r & 0x807fffff) | (115 + t_below(20)) << 23 :
			special[t_below(sizeof(special) / sizeof(special[0]))];
	}
}

static void fill_float(struct t_operand *op, int flavour)
{
	size_t size = loom_type_size(op->type);

	for (size_t i = 0; i + size <= op->size; i += size) {
		uint32_t bits = t_random_float(flavour);

		if (op->type == LOOM_TYPE_F32)
			memcpy(op->bytes + i, &bits, 4);
		else if (op->type == LOOM_TYPE_BF16)
			memcpy(op->bytes + i, (uint8_t *)&bits + 2, 2);
		else
			t_ref_store(LOOM_TYPE_F16, bits, op->bytes + i);
	}
}

void t_fill_operand(struct t_operand *op, int flavour)
{
	bool wide = op->type == LOOM_TYPE_F32 || op->type == LOOM_TYPE_BF16 ||
		    op->type == LOOM_TYPE_F16;

	for (size_t i = 0; i < op->size; i++)
		op->bytes[i] = (uint8_t)t_rnd();
	if (wide && t_below(8))
		fill_float(op, flavour);
	/* A scale in the middle of the range, most of the time. */
	if (t_is_block(op->type) && flavour != 2) {
		for (size_t i = 1; i < op->size; i += 2)
			op->bytes[i] = (op->bytes[i] & 0x83) | 0x38;
	}
}

static void map_mixed(struct t_card *card, struct t_operand *op)
{
	size_t pages = op->size / LOOM_PAGE_SIZE;
	uint64_t hbm = t_hbm_alloc(card, op->size);
	uint64_t sys = t_sys_alloc(card, op->size);

	op->va = SCATTERED + hbm;
	for (size_t i = 0; i < pages; i++) {
		uint64_t at = (pages - 1 - i) * LOOM_PAGE_SIZE;

		t_map(card, T_CTX, op->va + i * LOOM_PAGE_SIZE,
		      i % 2 ? LOOM_KIND_SYSTEM : LOOM_KIND_HBM,
		      (i % 2 ? sys : hbm) + at, LOOM_PAGE_SIZE, true);
	}
}

void t_copy_pages(struct t_card *card, const struct t_operand *op,
		       uint8_t *bytes, bool to_card)
{
	for (size_t i = 0; i < op->size; i += LOOM_PAGE_SIZE) {
		uint8_t *p = t_ptr(card, op->va + i);

		if (!p)
			ck_abort_msg("page %zu is not mapped", i);
		if (to_card)
			memcpy(p, bytes + i, LOOM_PAGE_SIZE);
		else
			memcpy(bytes + i, p, LOOM_PAGE_SIZE);
	}
}

/* Give the dimensions strides in random order of nesting. */
static void random_strides(struct t_operand *op, size_t bytes, bool plain,
			   bool turned, bool may_repeat)
{
	int order[4] = { !turned, turned, 2, 3 };
	size_t align = t_is_block(op->type) ? 2 : bytes;
	int64_t next = (int64_t)bytes;

	for (int i = 3; i > 0 && !plain; i--) {
		int j = (int)t_below((uint32_t)i + 1), t = order[i];

		order[i] = order[j];
		order[j] = t;
	}
	for (int i = 0; i < 4; i++) {
		int d = order[i];

		if (!plain && t_below(4) == 0)
			next += (int64_t)(align * t_below(5));
		op->stride[d] = next;
		if (t_is_block(op->type) && d == op->along)
			op->stride[d] = 0;
		else if (!plain && may_repeat && t_below(8) == 0)
			op->stride[d] = 0;
		else
			next *= (int64_t)op->extent[d];
		if (!plain && t_below(6) == 0)
			op->stride[d] = -op->stride[d];
	}
}

/* Put the operand's bytes at the very end of its pages, or at the start. */
void t_place_operand(struct t_problem *p, struct t_operand *op, size_t bytes,
			  enum placing placing, bool at_end)
{
	int64_t lo = 0, hi = (int64_t)bytes;

	for (int d = 0; d < 4; d++) {
		int64_t far = ((int64_t)op->extent[d] - 1) * op->stride[d];

		if (!op->extent[d])
			continue;
		lo += far < 0 ? far : 0;
		hi += far > 0 ? far : 0;
	}
	op->size = ((size_t)(hi - lo) + LOOM_PAGE_SIZE - 1) &
		   ~(size_t)(LOOM_PAGE_SIZE - 1);
	op->first = (size_t)-lo;
	if (at_end)
		op->first = op->size - (size_t)hi;
	if (at_end && t_is_block(op->type))
		op->first &= ~(size_t)1;
	op->bytes = malloc(op->size);
	ck_assert_ptr_nonnull(op->bytes);
	if (placing == PLACE_HBM)
		op->va = t_hbm_alloc(p->card, op->size);
	else
		map_mixed(p->card, op);
}

static void init_operand(struct t_problem *p, int which, uint32_t type,
			 uint32_t rows, uint32_t cols)
{
	struct t_operand *op = &p->op[which];

	op->type = type;
	op->along = which == A;
	op->extent[0] = rows;
	op->extent[1] = cols;
	if (t_is_block(type))
		op->extent[op->along] = 1;
	op->extent[2] = p->cmd.batch[0];
	op->extent[3] = p->cmd.batch[1];
}

struct t_problem *t_make_problem(struct t_card *card,
				    const struct t_options *o)
{
	struct t_problem *p = calloc(1, sizeof(*p));
	__s64 *stride[OPERANDS];
	__u64 *va[OPERANDS];

	ck_assert_ptr_nonnull(p);
	p->card = card;
	p->rows = card->cfg.array_rows;
	p->cmd = (struct loom_cmd_matmul) {
		.hdr = t_cmd(LOOM_OP_MATMUL, sizeof(p->cmd)),
		.a_type = o->a, .b_type = o->b, .c_type = o->c, .d_type = o->d,
		.alpha = o->alpha, .m = o->m, .n = o->n, .k = o->k,
		.batch = { o->batch[0], o->batch[1] },
	};
	init_operand(p, A, o->a, o->m, o->k);
	init_operand(p, B, o->b, o->k, o->n);
	init_operand(p, C, o->c, o->m, o->n);
	init_operand(p, D, o->d, o->m, o->n);
	stride[A] = p->cmd.a_stride;
	stride[B] = p->cmd.b_stride;
	stride[C] = p->cmd.c_stride;
	stride[D] = p->cmd.d_stride;
	va[A] = &p->cmd.a;
	va[B] = &p->cmd.b;
	va[C] = &p->cmd.c;
	va[D] = &p->cmd.d;
	for (int i = 0; i < OPERANDS; i++) {
		struct t_operand *op = &p->op[i];
		size_t bytes = element_bytes(op->type, o->k);

		if (op->type == LOOM_TYPE_NONE)
			continue;
		random_strides(op, bytes, o->plain, o->turned && i == B,
			       i != D);
		t_place_operand(p, op, bytes, o->placing, t_below(2));
		t_fill_operand(op, o->flavour);
		t_copy_pages(card, op, op->bytes, true);
		for (int d = 0; d < 4; d++)
			stride[i][d] = op->stride[d];
		*va[i] = op->va + op->first;
	}
	return p;
}

void t_free_problem(struct t_problem *p)
{
	for (int i = 0; i < OPERANDS; i++)
		free(p->op[i].bytes);
	free(p);
}

/* The reference ----------------------------------------------------------- */

static uint8_t *at(const struct t_operand *op, uint32_t i, uint32_t j,
		   const uint32_t b[2])
{
	return op->bytes + ((int64_t)op->first + i * op->stride[0] +
			    j * op->stride[1] + b[0] * op->stride[2] +
			    b[1] * op->stride[3]);
}

static uint32_t load_b(const struct t_problem *p, uint32_t k, uint32_t j,
		       const uint32_t b[2])
{
	const struct t_operand *op = &p->op[B];

	if (t_is_block(op->type))
		return t_ref_load_block(op->type, at(op, 0, j, b), k);
	return t_ref_load(op->type, at(op, k, j, b));
}

/* acc + a(i,k) * b(k,j); beyond K there is +0 */
static uint32_t ref_step(const struct t_problem *p, uint32_t i, uint32_t j,
			 uint32_t k, const uint32_t b[2], uint32_t acc)
{
	if (k >= p->cmd.k)
		return t_ref_fma(0, 0, acc);
	return t_ref_fma(t_ref_load(p->op[A].type, at(&p->op[A], i, k, b)),
		       load_b(p, k, j, b), acc);
}

static bool in_pairs(uint32_t type)
{
	return type == LOOM_TYPE_BF16 || type == LOOM_TYPE_F8E4M3 ||
	       type == LOOM_TYPE_F8E5M2;
}

static uint32_t ref_sum(const struct t_problem *p, uint32_t i, uint32_t j,
			const uint32_t b[2])
{
	uint32_t acc = 0;

	for (uint32_t first = 0; first < p->cmd.k; first += p->rows) {
		uint32_t tile = 0;

		for (uint32_t k = first;
		     k < first + p->rows && k < p->cmd.k; k++) {
			if (!in_pairs(p->cmd.a_type)) {
				tile = ref_step(p, i, j, k, b, tile);
			} else if (k % 2 == 0) {
				tile = ref_step(p, i, j, k + 1, b, tile);
				tile = ref_step(p, i, j, k, b, tile);
			}
		}
		acc = t_ref_add(acc, tile);
	}
	return acc;
}

/* From block to block: the product of the scales times an integer. */
static uint32_t ref_sum_blocks(const struct t_problem *p, uint32_t i,
			       uint32_t j, const uint32_t b[2])
{
	const struct t_operand *x = &p->op[A], *y = &p->op[B];
	const uint8_t *a = at(x, i, 0, b), *w = at(y, 0, j, b);
	uint32_t acc = 0, scale;

	for (uint32_t k = 0; k < p->cmd.k; k += 32) {
		int sum = 0;

		for (uint32_t e = k; e < k + 32; e++)
			sum += t_ref_block_value(x->type, a, e) *
			       t_ref_block_value(y->type, w, e);
		scale = t_ref_mul(t_ref_block_scale(x->type, a, k),
				  t_ref_block_scale(y->type, w, k));
		acc = t_ref_fma(scale, t_bits((float)sum), acc);
	}
	return acc;
}

static void ref_float(const struct t_problem *p, uint32_t i, uint32_t j,
		      const uint32_t b[2])
{
	uint32_t t = t_is_block(p->cmd.a_type) ? ref_sum_blocks(p, i, j, b) :
						 ref_sum(p, i, j, b);

	if (p->cmd.alpha != ALPHA_ONE)
		t = t_ref_mul(p->cmd.alpha, t);
	if (p->cmd.c_type != LOOM_TYPE_NONE)
		t = t_ref_add(t, t_ref_load(p->cmd.c_type,
					  at(&p->op[C], i, j, b)));
	t_ref_store(p->cmd.d_type, t, at(&p->op[D], i, j, b));
}

static void ref_int(const struct t_problem *p, uint32_t i, uint32_t j,
		    const uint32_t b[2])
{
	uint32_t sum = 0, c = 0;

	for (uint32_t k = 0; k < p->cmd.k; k++)
		sum += (uint32_t)((int8_t)*at(&p->op[A], i, k, b) *
				  (int8_t)*at(&p->op[B], k, j, b));
	if (p->cmd.c_type != LOOM_TYPE_NONE)
		memcpy(&c, at(&p->op[C], i, j, b), 4);
	sum += c;
	memcpy(at(&p->op[D], i, j, b), &sum, 4);
}

void t_reference(struct t_problem *p)
{
	uint32_t b[2];

	for (b[1] = 0; b[1] < p->cmd.batch[1]; b[1]++)
		for (b[0] = 0; b[0] < p->cmd.batch[0]; b[0]++)
			for (uint32_t i = 0; i < p->cmd.m; i++)
				for (uint32_t j = 0; j < p->cmd.n; j++)
					if (p->cmd.a_type == LOOM_TYPE_I8)
						ref_int(p, i, j, b);
					else
						ref_float(p, i, j, b);
}

/* Running ----------------------------------------------------------------- */

void t_describe(const struct t_problem *p)
{
	const struct loom_cmd_matmul *c = &p->cmd;

	printf("%s: types %u %u %u %u, %u x %u x %u, batch %u %u, rows %u\n",
	       t_kernels->name, c->a_type, c->b_type, c->c_type, c->d_type,
	       c->m, c->n, c->k, c->batch[0], c->batch[1], p->rows);
	for (int i = 0; i < OPERANDS; i++)
		printf("  %c va 0x%llx stride %lld %lld %lld %lld\n", "ABCD"[i],
		       (unsigned long long)p->op[i].va,
		       (long long)p->op[i].stride[0],
		       (long long)p->op[i].stride[1],
		       (long long)p->op[i].stride[2],
		       (long long)p->op[i].stride[3]);
}

/* All bytes of D's pages must be as expected, not only those of D. */
void t_compare(const struct t_problem *p, uint8_t *after)
{
	const struct t_operand *d = &p->op[D];

	t_copy_pages(p->card, d, after, false);
	if (!memcmp(d->bytes, after, d->size))
		return;
	t_describe(p);
	for (size_t i = 0; i < d->size; i++) {
		if (d->bytes[i] != after[i])
			ck_abort_msg("byte %lld of D: 0x%02x, not 0x%02x",
				     (long long)i - (long long)d->first,
				     after[i], d->bytes[i]);
	}
}

void t_check_problem(struct t_problem *p)
{
	struct t_operand *d = &p->op[D];
	uint8_t *before = malloc(d->size), *after = malloc(d->size);
	const struct t_matmul_set *set;

	memcpy(before, d->bytes, d->size);
	t_reference(p);
	for (unsigned int n = 0; (set = t_matmul_set(n)); n++) {
		struct loom_completion done;

		t_kernels = set->kernels;
		t_copy_pages(p->card, d, before, true);
		done = t_run_cmds(p->card, &p->cmd, sizeof(p->cmd));
		if (done.error)
			t_describe(p);
		ck_assert_uint_eq(done.error, LOOM_ERR_NONE);
		t_compare(p, after);
	}
	free(before);
	free(after);
}

void t_run_options(struct t_card *card, const struct t_options *o)
{
	struct t_problem *p = t_make_problem(card, o);

	t_check_problem(p);
	t_free_problem(p);
}

struct t_card *t_matmul_card(uint32_t rows)
{
	struct loom_core_config cfg;

	loom_core_config_default(&cfg);
	cfg.hbm_size = 64ull << 20;
	cfg.sram_size = 2ull << 20;
	cfg.array_rows = rows;
	cfg.array_cols = rows;
	return t_card_create(&cfg);
}

const uint32_t t_type_pair[T_NUM_PAIRS][2] = {
	{ LOOM_TYPE_I8, LOOM_TYPE_I8 },
	{ LOOM_TYPE_BF16, LOOM_TYPE_BF16 },
	{ LOOM_TYPE_F8E4M3, LOOM_TYPE_F8E4M3 },
	{ LOOM_TYPE_F8E5M2, LOOM_TYPE_F8E5M2 },
	{ LOOM_TYPE_F8E4M3, LOOM_TYPE_F8E5M2 },
	{ LOOM_TYPE_F8E5M2, LOOM_TYPE_F8E4M3 },
	{ LOOM_TYPE_F16, LOOM_TYPE_F16 },
	{ LOOM_TYPE_F32, LOOM_TYPE_F32 },
	{ LOOM_TYPE_F32, LOOM_TYPE_Q8_0 },
	{ LOOM_TYPE_F32, LOOM_TYPE_Q4_0 },
	{ LOOM_TYPE_Q8_0, LOOM_TYPE_Q8_0 },
	{ LOOM_TYPE_Q8_0, LOOM_TYPE_Q4_0 },
};

static const uint32_t float_out[] = {
	LOOM_TYPE_F32, LOOM_TYPE_F16, LOOM_TYPE_BF16,
};

struct t_options t_plain_options(int pair)
{
	bool is_int = t_type_pair[pair][0] == LOOM_TYPE_I8;

	return (struct t_options) {
		.a = t_type_pair[pair][0], .b = t_type_pair[pair][1],
		.d = is_int ? LOOM_TYPE_I32 : LOOM_TYPE_F32,
		.batch = { 1, 1 }, .alpha = ALPHA_ONE, .plain = true,
	};
}

static uint32_t random_extent(uint32_t budget)
{
	static const uint32_t likely[] = { 1, 2, 3, 6, 7, 16, 17, 63, 64, 65 };
	uint32_t e = likely[t_below(sizeof(likely) / sizeof(likely[0]))];

	if (t_below(2))
		e = 1 + t_below(budget);
	return e < budget ? e : budget;
}

static void random_types(struct t_options *o)
{
	if (o->a == LOOM_TYPE_I8) {
		o->c = t_below(2) ? LOOM_TYPE_I32 : LOOM_TYPE_NONE;
		return;
	}
	o->c = t_below(2) ? float_out[t_below(3)] : LOOM_TYPE_NONE;
	o->d = float_out[t_below(3)];
	if (t_below(2))
		o->alpha = t_random_float(t_below(4) ? 0 : 4);
}

struct t_options t_random_options(int pair)
{
	struct t_options o = t_plain_options(pair);

	o.m = random_extent(150);
	o.n = random_extent(150);
	o.k = random_extent(o.m * o.n < 2000 ? 300 : 40);
	if (t_is_block(o.b))
		o.k = 32 * (1 + o.k / 32);
	if (o.m * o.n < 600) {
		o.batch[0] = 1 + t_below(3);
		o.batch[1] = 1 + t_below(3);
	}
	o.plain = t_below(4) == 0;
	o.flavour = (int)t_below(5);
	random_types(&o);
	return o;
}
