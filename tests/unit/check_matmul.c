// SPDX-License-Identifier: MIT
/*
 * The MATMUL engine against a scalar reference, bit for bit, with every kernel
 * set that this host can run.
 *
 * The reference follows the definition in Documentation/numerics.rst one
 * element at a time; its arithmetic is integer, so it owes nothing to the
 * host's floating point.
 */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "card.h"
#include "matmul.h"

#define ALPHA_ONE	0x3f800000u
#define SCATTERED	0x40000000ull	/* where pages in disorder are mapped */

/* Stands in for matmul_best.c, so that each command runs on each set. */
static const struct loom_matmul_kernels *kernels;

const struct loom_matmul_kernels *loom_matmul_best(void)
{
	return kernels;
}

/* Random numbers ---------------------------------------------------------- */

static uint64_t seed;

static uint32_t rnd(void)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(seed >> 33);
}

static uint32_t below(uint32_t n)
{
	return rnd() % n;
}

/* Reference arithmetic ---------------------------------------------------- */

static uint32_t bits_of(float f)
{
	uint32_t bits;

	memcpy(&bits, &f, sizeof(bits));
	return bits;
}

static float float_of(uint32_t bits)
{
	float f;

	memcpy(&f, &bits, sizeof(f));
	return f;
}

/* Sign, 24-bit significand and exponent: value = man * 2^exp. */
struct parts {
	bool negative;
	uint64_t man;
	int exp;
};

static bool is_special(uint32_t bits)
{
	return (bits >> 23 & 0xff) == 0xff;
}

/* Denormals are zero. */
static struct parts parts_of(uint32_t bits)
{
	struct parts p = { bits >> 31, 0, 0 };
	int exp = bits >> 23 & 0xff;

	if (exp) {
		p.man = (bits & 0x7fffff) | 0x800000;
		p.exp = exp - 150;
	}
	return p;
}

/* How many bits a number has. */
static int length_of(unsigned __int128 x)
{
	uint64_t high = (uint64_t)(x >> 64), low = (uint64_t)x;

	if (high)
		return 128 - __builtin_clzll(high);
	return low ? 64 - __builtin_clzll(low) : 0;
}

/*
 * Round to nearest even as f32, as if there were no end to the exponent; then
 * what is below the normal numbers becomes zero.  An exact zero is +0.
 */
static uint32_t round_parts(bool negative, unsigned __int128 man, int exp)
{
	uint32_t sign = negative ? 0x80000000 : 0;
	int drop = length_of(man) - 24;

	if (!man)
		return 0;
	if (drop > 0) {
		unsigned __int128 half = (unsigned __int128)1 << (drop - 1);
		unsigned __int128 rest = man & (2 * half - 1);

		man >>= drop;
		man += rest > half || (rest == half && (man & 1));
	} else {
		man <<= -drop;
	}
	exp += drop + 150;
	if (man == 0x1000000) {
		man >>= 1;
		exp++;
	}
	if (exp >= 255)
		return sign | 0x7f800000;
	if (exp < 1)
		return sign;
	return sign | (uint32_t)exp << 23 | ((uint32_t)man & 0x7fffff);
}

/* Shift right; what falls off is remembered in the lowest bit. */
static unsigned __int128 shift_sticky(unsigned __int128 x, int n)
{
	if (n > 120)
		return x != 0;
	return x >> n | ((x & (((unsigned __int128)1 << n) - 1)) != 0);
}

/* Bring the top bit of @man to bit 110. */
static void normalise(unsigned __int128 *man, int *exp)
{
	int shift = 111 - length_of(*man);

	*man <<= shift;
	*exp -= shift;
}

static uint32_t add_parts(struct parts a, struct parts b)
{
	unsigned __int128 x = a.man, y = b.man;

	normalise(&x, &a.exp);
	normalise(&y, &b.exp);
	if (a.exp < b.exp || (a.exp == b.exp && x < y)) {
		struct parts p = a;
		unsigned __int128 z = x;

		a = b;
		b = p;
		x = y;
		y = z;
	}
	y = shift_sticky(y, a.exp - b.exp);
	if (a.negative == b.negative)
		return round_parts(a.negative, x + y, a.exp);
	return round_parts(a.negative, x - y, a.exp);
}

/* a * b + c, rounded once, DAZ and FTZ */
static uint32_t ref_fma(uint32_t a, uint32_t b, uint32_t c)
{
	struct parts pa = parts_of(a), pb = parts_of(b), pc = parts_of(c);
	struct parts p = {
		.negative = pa.negative ^ pb.negative,
		.man = pa.man * pb.man,
		.exp = pa.exp + pb.exp,
	};

	if (is_special(a) || is_special(b) || is_special(c)) {
		/* In double no finite product overflows. */
		double x = pa.man || is_special(a) ? (double)float_of(a) : 0;
		double y = pb.man || is_special(b) ? (double)float_of(b) : 0;

		return bits_of((float)(x * y + (double)float_of(c)));
	}
	if (p.man && pc.man)
		return add_parts(p, pc);
	if (p.man)
		return round_parts(p.negative, p.man, p.exp);
	if (pc.man)
		return c;
	return p.negative && pc.negative ? 0x80000000 : 0;
}

static uint32_t ref_add(uint32_t a, uint32_t b)
{
	return ref_fma(a, ALPHA_ONE, b);
}

/* Adding a zero of the product's sign changes nothing. */
static uint32_t ref_mul(uint32_t a, uint32_t b)
{
	return ref_fma(a, b, (a ^ b) & 0x80000000);
}

/* Any small float format to f32; @inf: the top exponent is special. */
static uint32_t widen(uint32_t bits, int exp_bits, int man_bits, bool inf)
{
	int bias = (1 << (exp_bits - 1)) - 1;
	int exp = bits >> man_bits & ((1 << exp_bits) - 1);
	uint32_t man = bits & ((1u << man_bits) - 1);
	uint32_t sign = (bits >> (exp_bits + man_bits) & 1) << 31;

	if (inf && exp == (1 << exp_bits) - 1)
		return sign | 0x7f800000 | man << (23 - man_bits);
	if (!inf && (bits & 0x7f) == 0x7f)
		return 0x7fc00000;
	if (!exp)
		exp = 1;
	else
		man |= 1u << man_bits;
	return sign | bits_of(ldexpf((float)man, exp - bias - man_bits));
}

static uint32_t load_float(uint32_t type, const uint8_t *p)
{
	uint32_t word = 0;

	memcpy(&word, p, loom_type_size(type));
	switch (type) {
	case LOOM_TYPE_F16:
		return widen(word, 5, 10, true);
	case LOOM_TYPE_BF16:
		return word << 16;
	case LOOM_TYPE_F8E4M3:
		return widen(word, 4, 3, false);
	case LOOM_TYPE_F8E5M2:
		return widen(word, 5, 2, true);
	default:
		return word;
	}
}

/* Element @k of a column of blocks. */
static uint32_t load_block(uint32_t type, const uint8_t *column, uint32_t k)
{
	const uint8_t *block = column +
			       k / 32 * (type == LOOM_TYPE_Q8_0 ? 34 : 18);
	float scale = float_of(load_float(LOOM_TYPE_F16, block));
	int i = k % 32, value;

	if (type == LOOM_TYPE_Q8_0)
		value = (int8_t)block[2 + i];
	else
		value = (i < 16 ? block[2 + i] & 15 : block[2 + i - 16] >> 4) -
			8;
	return bits_of(scale * (float)value);
}

static uint16_t to_f16(uint32_t bits)
{
	uint16_t sign = bits >> 16 & 0x8000;
	double x = fabs((double)float_of(bits)), quantum;
	int exp;

	if (x >= 65520)
		return sign | 0x7c00;
	frexp(x, &exp);
	quantum = ldexp(1, (exp < -13 ? -13 : exp) - 11);
	x = nearbyint(x / quantum) * quantum;
	if (x < 0x1p-14)
		return sign | (uint16_t)(x * 0x1p24);
	frexp(x, &exp);
	return sign | (uint16_t)((exp + 14) << 10 |
				 ((uint32_t)ldexp(x, 11 - exp) & 0x3ff));
}

static uint16_t to_bf16(uint32_t bits)
{
	uint32_t rest = bits & 0xffff, high = bits >> 16;

	return (uint16_t)(high + (rest > 0x8000 ||
				  (rest == 0x8000 && (high & 1))));
}

static void store_float(uint32_t type, uint32_t bits, uint8_t *p)
{
	uint16_t half;

	if ((bits & 0x7fffffff) > 0x7f800000)
		half = type == LOOM_TYPE_F16 ? 0x7e00 : 0x7fc0;
	else
		half = type == LOOM_TYPE_F16 ? to_f16(bits) : to_bf16(bits);
	if ((bits & 0x7fffffff) > 0x7f800000)
		bits = 0x7fc00000;
	if (type == LOOM_TYPE_F32)
		memcpy(p, &bits, 4);
	else
		memcpy(p, &half, 2);
}

/* Operands in device memory ----------------------------------------------- */

enum { A, B, C, D, OPERANDS };

enum placing {
	PLACE_HBM,	/* in one piece, pages and all */
	PLACE_MIXED,	/* pages backwards, every other one system memory */
	PLACINGS
};

/** struct operand - a tensor on the card and a copy of it here */
struct operand {
	uint32_t type;
	uint64_t extent[4];
	int64_t stride[4];
	/** @first: offset of element 0 in @bytes */
	size_t first;
	/** @size: bytes of the region that holds it, whole pages */
	size_t size;
	uint8_t *bytes;
	uint64_t va;
};

/** struct problem - a command and all it works on */
struct problem {
	struct t_card *card;
	struct loom_cmd_matmul cmd;
	struct operand op[OPERANDS];
	uint32_t rows;
};

static bool is_block(uint32_t type)
{
	return type == LOOM_TYPE_Q8_0 || type == LOOM_TYPE_Q4_0;
}

/* Bytes of an element; of a whole column for blocks. */
static size_t element_bytes(uint32_t type, uint32_t k)
{
	if (is_block(type))
		return k / 32 * (type == LOOM_TYPE_Q8_0 ? 34 : 18);
	return loom_type_size(type);
}

static uint32_t random_float(int flavour)
{
	static const uint32_t special[] = {
		0x00000000, 0x80000000, 0x7f800000, 0xff800000, 0x7fc00000,
		0xffa12345, 0x00000001, 0x807fffff, 0x00800000, 0x80800001,
		0x7f7fffff, 0xff7f0000, 0x3f800000, 0xbf800000,
	};
	uint32_t r = rnd() ^ rnd() << 16;

	switch (flavour) {
	case 0:	/* around 1 */
		return (r & 0x807fffff) | (120 + below(12)) << 23;
	case 1:	/* products and sums near the smallest normal number */
		return (r & 0x807fffff) | (52 + below(24)) << 23;
	case 2:	/* everything there is */
		return r;
	case 3:	/* small integers: exact sums, many zeros */
		return bits_of((float)((int)below(9) - 4));
	default:
		return below(4) ? (r & 0x807fffff) | (115 + below(20)) << 23 :
			special[below(sizeof(special) / sizeof(special[0]))];
	}
}

static void fill_float(struct operand *op, int flavour)
{
	size_t size = loom_type_size(op->type);

	for (size_t i = 0; i + size <= op->size; i += size) {
		uint32_t bits = random_float(flavour);

		if (op->type == LOOM_TYPE_F32)
			memcpy(op->bytes + i, &bits, 4);
		else if (op->type == LOOM_TYPE_BF16)
			memcpy(op->bytes + i, (uint8_t *)&bits + 2, 2);
		else
			store_float(LOOM_TYPE_F16, bits, op->bytes + i);
	}
}

static void fill_operand(struct operand *op, int flavour)
{
	bool wide = op->type == LOOM_TYPE_F32 || op->type == LOOM_TYPE_BF16 ||
		    op->type == LOOM_TYPE_F16;

	for (size_t i = 0; i < op->size; i++)
		op->bytes[i] = (uint8_t)rnd();
	if (wide && below(8))
		fill_float(op, flavour);
	/* A scale in the middle of the range, most of the time. */
	if (is_block(op->type) && flavour != 2) {
		for (size_t i = 1; i < op->size; i += 2)
			op->bytes[i] = (op->bytes[i] & 0x83) | 0x38;
	}
}

static void map_mixed(struct t_card *card, struct operand *op)
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

/* Copy all pages of an operand to the card or back. */
static void copy_pages(struct t_card *card, const struct operand *op,
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
static void random_strides(struct operand *op, size_t bytes, bool plain,
			   bool turned, bool may_repeat)
{
	int order[4] = { !turned, turned, 2, 3 };
	size_t align = is_block(op->type) ? 2 : bytes;
	int64_t next = (int64_t)bytes;

	for (int i = 3; i > 0 && !plain; i--) {
		int j = (int)below((uint32_t)i + 1), t = order[i];

		order[i] = order[j];
		order[j] = t;
	}
	for (int i = 0; i < 4; i++) {
		int d = order[i];

		if (!plain && below(4) == 0)
			next += (int64_t)(align * below(5));
		op->stride[d] = next;
		if (is_block(op->type) && d == 0)
			op->stride[d] = 0;
		else if (!plain && may_repeat && below(8) == 0)
			op->stride[d] = 0;
		else
			next *= (int64_t)op->extent[d];
		if (!plain && below(6) == 0)
			op->stride[d] = -op->stride[d];
	}
}

/* Put the operand's bytes at the very end of its pages, or at the start. */
static void place_operand(struct problem *p, struct operand *op, size_t bytes,
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
	if (at_end && is_block(op->type))
		op->first &= ~(size_t)1;
	op->bytes = malloc(op->size);
	ck_assert_ptr_nonnull(op->bytes);
	if (placing == PLACE_HBM)
		op->va = t_hbm_alloc(p->card, op->size);
	else
		map_mixed(p->card, op);
}

static void init_operand(struct problem *p, int which, uint32_t type,
			 uint32_t rows, uint32_t cols)
{
	struct operand *op = &p->op[which];

	op->type = type;
	op->extent[0] = is_block(type) ? 1 : rows;
	op->extent[1] = cols;
	op->extent[2] = p->cmd.batch[0];
	op->extent[3] = p->cmd.batch[1];
}

/* What make_problem() leaves open */
struct options {
	uint32_t a, b, c, d;
	uint32_t m, n, k;
	uint32_t batch[2];
	uint32_t alpha;
	int flavour;
	bool plain;
	/** @turned: B is the transpose of a plain one, if @plain */
	bool turned;
	enum placing placing;
};

static struct problem *make_problem(struct t_card *card,
				    const struct options *o)
{
	struct problem *p = calloc(1, sizeof(*p));
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
		struct operand *op = &p->op[i];
		size_t bytes = element_bytes(op->type, o->k);

		if (op->type == LOOM_TYPE_NONE)
			continue;
		random_strides(op, bytes, o->plain, o->turned && i == B,
			       i != D);
		place_operand(p, op, bytes, o->placing, below(2));
		fill_operand(op, o->flavour);
		copy_pages(card, op, op->bytes, true);
		for (int d = 0; d < 4; d++)
			stride[i][d] = op->stride[d];
		*va[i] = op->va + op->first;
	}
	return p;
}

static void free_problem(struct problem *p)
{
	for (int i = 0; i < OPERANDS; i++)
		free(p->op[i].bytes);
	free(p);
}

/* The reference ----------------------------------------------------------- */

static uint8_t *at(const struct operand *op, uint32_t i, uint32_t j,
		   const uint32_t b[2])
{
	return op->bytes + ((int64_t)op->first + i * op->stride[0] +
			    j * op->stride[1] + b[0] * op->stride[2] +
			    b[1] * op->stride[3]);
}

static uint32_t load_b(const struct problem *p, uint32_t k, uint32_t j,
		       const uint32_t b[2])
{
	const struct operand *op = &p->op[B];

	if (is_block(op->type))
		return load_block(op->type, at(op, 0, j, b), k);
	return load_float(op->type, at(op, k, j, b));
}

/* acc + a(i,k) * b(k,j); beyond K there is +0 */
static uint32_t ref_step(const struct problem *p, uint32_t i, uint32_t j,
			 uint32_t k, const uint32_t b[2], uint32_t acc)
{
	if (k >= p->cmd.k)
		return ref_fma(0, 0, acc);
	return ref_fma(load_float(p->op[A].type, at(&p->op[A], i, k, b)),
		       load_b(p, k, j, b), acc);
}

static bool in_pairs(uint32_t type)
{
	return type == LOOM_TYPE_BF16 || type == LOOM_TYPE_F8E4M3 ||
	       type == LOOM_TYPE_F8E5M2;
}

static uint32_t ref_sum(const struct problem *p, uint32_t i, uint32_t j,
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
		acc = ref_add(acc, tile);
	}
	return acc;
}

static void ref_float(const struct problem *p, uint32_t i, uint32_t j,
		      const uint32_t b[2])
{
	uint32_t t = ref_sum(p, i, j, b);

	if (p->cmd.alpha != ALPHA_ONE)
		t = ref_mul(p->cmd.alpha, t);
	if (p->cmd.c_type != LOOM_TYPE_NONE)
		t = ref_add(t, load_float(p->cmd.c_type,
					  at(&p->op[C], i, j, b)));
	store_float(p->cmd.d_type, t, at(&p->op[D], i, j, b));
}

static void ref_int(const struct problem *p, uint32_t i, uint32_t j,
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

/* Change our copy of D into what must come out. */
static void reference(struct problem *p)
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

static void describe(const struct problem *p)
{
	const struct loom_cmd_matmul *c = &p->cmd;

	printf("%s: types %u %u %u %u, %u x %u x %u, batch %u %u, rows %u\n",
	       kernels->name, c->a_type, c->b_type, c->c_type, c->d_type,
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
static void compare(const struct problem *p, const uint8_t *after)
{
	const struct operand *d = &p->op[D];

	if (!memcmp(d->bytes, after, d->size))
		return;
	describe(p);
	for (size_t i = 0; i < d->size; i++) {
		if (d->bytes[i] != after[i])
			ck_abort_msg("byte %lld of D: 0x%02x, not 0x%02x",
				     (long long)i - (long long)d->first,
				     after[i], d->bytes[i]);
	}
}

/* Run on every kernel set there is. */
static void check_problem(struct problem *p)
{
	struct operand *d = &p->op[D];
	uint8_t *before = malloc(d->size), *after = malloc(d->size);

	memcpy(before, d->bytes, d->size);
	reference(p);
	for (int level = 0; level < LOOM_MATMUL_LEVELS; level++) {
		struct loom_completion done;

		kernels = loom_matmul_kernels((enum loom_matmul_level)level);
		if (!kernels)
			continue;
		copy_pages(p->card, d, before, true);
		done = t_run_cmds(p->card, &p->cmd, sizeof(p->cmd));
		if (done.error)
			describe(p);
		ck_assert_uint_eq(done.error, LOOM_ERR_NONE);
		copy_pages(p->card, d, after, false);
		compare(p, after);
	}
	free(before);
	free(after);
}

static void run_options(struct t_card *card, const struct options *o)
{
	struct problem *p = make_problem(card, o);

	check_problem(p);
	free_problem(p);
}

static struct t_card *make_card(uint32_t rows)
{
	struct loom_core_config cfg;

	loom_core_config_default(&cfg);
	cfg.hbm_size = 64ull << 20;
	cfg.sram_size = 2ull << 20;
	cfg.array_rows = rows;
	cfg.array_cols = rows;
	return t_card_create(&cfg);
}

/* All there is to multiply */
static const uint32_t type_pair[][2] = {
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
};

#define NUM_PAIRS	((int)(sizeof(type_pair) / sizeof(type_pair[0])))

static const uint32_t float_out[] = {
	LOOM_TYPE_F32, LOOM_TYPE_F16, LOOM_TYPE_BF16,
};

/* Options with the pair of types and nothing else unusual. */
static struct options plain_options(int pair)
{
	bool is_int = type_pair[pair][0] == LOOM_TYPE_I8;

	return (struct options) {
		.a = type_pair[pair][0], .b = type_pair[pair][1],
		.d = is_int ? LOOM_TYPE_I32 : LOOM_TYPE_F32,
		.batch = { 1, 1 }, .alpha = ALPHA_ONE, .plain = true,
	};
}

static uint32_t random_extent(uint32_t budget)
{
	static const uint32_t likely[] = { 1, 2, 3, 6, 7, 16, 17, 63, 64, 65 };
	uint32_t e = likely[below(sizeof(likely) / sizeof(likely[0]))];

	if (below(2))
		e = 1 + below(budget);
	return e < budget ? e : budget;
}

static void random_types(struct options *o)
{
	if (o->a == LOOM_TYPE_I8) {
		o->c = below(2) ? LOOM_TYPE_I32 : LOOM_TYPE_NONE;
		return;
	}
	o->c = below(2) ? float_out[below(3)] : LOOM_TYPE_NONE;
	o->d = float_out[below(3)];
	if (below(2))
		o->alpha = random_float(below(4) ? 0 : 4);
}

static struct options random_options(int pair)
{
	struct options o = plain_options(pair);

	o.m = random_extent(150);
	o.n = random_extent(150);
	o.k = random_extent(o.m * o.n < 2000 ? 300 : 40);
	if (is_block(o.b))
		o.k = 32 * (1 + o.k / 32);
	if (o.m * o.n < 600) {
		o.batch[0] = 1 + below(3);
		o.batch[1] = 1 + below(3);
	}
	o.plain = below(4) == 0;
	o.flavour = (int)below(5);
	random_types(&o);
	return o;
}

/* Tests ------------------------------------------------------------------- */

START_TEST(test_random_problems_match_the_reference)
{
	static const uint32_t rows[] = { 8, 16, 128 };

	seed = 1000 + (uint64_t)_i;
	for (int round = 0; round < 12; round++) {
		struct t_card *card = make_card(rows[round % 3]);

		for (int i = 0; i < 3; i++) {
			struct options o = random_options(_i);

			run_options(card, &o);
		}
		t_card_destroy(card);
	}
}
END_TEST

START_TEST(test_scattered_pages_match_the_reference)
{
	seed = 2000 + (uint64_t)_i;
	for (int round = 0; round < 4; round++) {
		struct t_card *card = make_card(16);
		struct options o = random_options(_i);

		o.placing = PLACE_MIXED;
		run_options(card, &o);
		t_card_destroy(card);
	}
}
END_TEST

START_TEST(test_blocks_of_every_dimension_match_the_reference)
{
	/* Beyond the lines, the panels and the k of a block, by a little. */
	static const uint32_t shape[][3] = {
		{ 530, 70, 9 }, { 2, 1040, 70 }, { 3, 5, 4200 },
		{ 9, 130, 1030 }, { 1, 300, 520 }, { 300, 1, 520 },
	};
	struct t_card *card = make_card(128);

	seed = 3000 + (uint64_t)_i;
	for (size_t i = 0; i < sizeof(shape) / sizeof(shape[0]); i++) {
		struct options o = plain_options(_i);

		o.m = shape[i][0];
		o.n = shape[i][1];
		o.k = is_block(o.b) ? (shape[i][2] + 31) / 32 * 32 :
		      shape[i][2];
		run_options(card, &o);
		o.plain = false;
		run_options(card, &o);
	}
	t_card_destroy(card);
}
END_TEST

START_TEST(test_few_lines_match_the_reference)
{
	/* B is used where it lies, but for what is left at the edges. */
	static const uint32_t shape[][3] = {
		{ 1, 128, 256 }, { 2, 64, 514 }, { 3, 100, 320 }, { 4, 192, 135 },
		{ 5, 64, 128 }, { 1, 4170, 136 }, { 64, 4, 576 },
	};
	static const uint32_t rows[] = { 8, 128, 512 };

	seed = 3500 + (uint64_t)_i;
	for (size_t i = 0; i < sizeof(shape) / sizeof(shape[0]); i++) {
		struct t_card *card = make_card(rows[i % 3]);
		struct options o = plain_options(_i);

		o.m = shape[i][0];
		o.n = shape[i][1];
		o.k = is_block(o.b) ? (shape[i][2] + 31) / 32 * 32 :
		      shape[i][2];
		run_options(card, &o);
		o.turned = true;
		run_options(card, &o);
		t_card_destroy(card);
	}
}
END_TEST

START_TEST(test_long_sums_with_many_lines_match_the_reference)
{
	/* Packed lines that do not hold all of k, several panels wide. */
	struct options o = plain_options(6);
	struct t_card *card = make_card(512);

	seed = 4;
	o.m = 2;
	o.n = 140;
	o.k = 4100;
	run_options(card, &o);
	o = plain_options(0);
	o.m = 3;
	o.n = 150;
	o.k = 4111;
	run_options(card, &o);
	t_card_destroy(card);
}
END_TEST

START_TEST(test_int8_sums_wrap)
{
	struct options o = plain_options(0);
	struct t_card *card = make_card(128);
	struct problem *p;

	o.m = 2;
	o.n = 3;
	o.k = 140000;
	p = make_problem(card, &o);
	memset(p->op[A].bytes, 0x80, p->op[A].size);
	memset(p->op[B].bytes, 0x80, p->op[B].size);
	copy_pages(card, &p->op[A], p->op[A].bytes, true);
	copy_pages(card, &p->op[B], p->op[B].bytes, true);
	check_problem(p);
	ck_assert_int_eq(*(int32_t *)(p->op[D].bytes + p->op[D].first),
			 (int32_t)(140000u * 16384u));
	free_problem(p);
	t_card_destroy(card);
}
END_TEST

START_TEST(test_without_k_the_result_is_c)
{
	struct options o = plain_options(_i);
	struct t_card *card = make_card(128);

	seed = 5000 + (uint64_t)_i;
	o.m = 7;
	o.n = 70;
	run_options(card, &o);
	o.c = o.d;
	run_options(card, &o);
	t_card_destroy(card);
}
END_TEST

START_TEST(test_empty_problem_touches_nothing)
{
	struct options o = plain_options(1);
	struct t_card *card = make_card(128);
	uint32_t *extent[4];

	o.m = o.n = o.k = 4;
	for (int i = 0; i < 4; i++) {
		struct problem *p = make_problem(card, &o);
		struct loom_completion done;

		extent[0] = &p->cmd.m;
		extent[1] = &p->cmd.n;
		extent[2] = &p->cmd.batch[0];
		extent[3] = &p->cmd.batch[1];
		*extent[i] = 0;
		p->cmd.a = p->cmd.b = p->cmd.d = 0x7fff00000000;
		kernels = loom_matmul_kernels(LOOM_MATMUL_PORTABLE);
		done = t_run_cmds(card, &p->cmd, sizeof(p->cmd));
		ck_assert_uint_eq(done.error, LOOM_ERR_NONE);
		free_problem(p);
	}
	ck_assert_uint_eq(t_perf(card, LOOM_PERF_MACS), 0);
	t_card_destroy(card);
}
END_TEST

START_TEST(test_d_may_be_c)
{
	struct options o = plain_options(1);
	struct t_card *card = make_card(128);
	struct problem *p;

	seed = 6;
	o.m = 20;
	o.n = 70;
	o.k = 30;
	o.d = o.c = LOOM_TYPE_BF16;
	p = make_problem(card, &o);
	free(p->op[D].bytes);
	p->op[D] = p->op[C];
	p->op[C].bytes = malloc(p->op[D].size);
	memcpy(p->op[C].bytes, p->op[D].bytes, p->op[D].size);
	p->cmd.d = p->cmd.c;
	memcpy(p->cmd.d_stride, p->cmd.c_stride, sizeof(p->cmd.d_stride));
	check_problem(p);
	free_problem(p);
	t_card_destroy(card);
}
END_TEST

/* Every value of each 8-bit type, and all of f16 and bf16, times one. */
START_TEST(test_all_values_of_a_type_convert)
{
	static const int pair[] = { 1, 2, 3, 6 };
	struct options o = plain_options(pair[_i]);
	uint32_t size = loom_type_size(o.a), one, count = 1u << 8 * size;
	struct t_card *card = make_card(128);
	struct problem *p;

	o.m = 1;
	o.n = count;
	o.k = 1;
	p = make_problem(card, &o);
	for (uint32_t i = 0; i < count; i++)
		memcpy(p->op[B].bytes + p->op[B].first + i * size, &i, size);
	one = o.a == LOOM_TYPE_BF16 ? 0x3f80 : o.a == LOOM_TYPE_F8E4M3 ? 0x38 :
	      0x3c00 >> (16 - 8 * size);
	memcpy(p->op[A].bytes + p->op[A].first, &one, size);
	copy_pages(card, &p->op[A], p->op[A].bytes, true);
	copy_pages(card, &p->op[B], p->op[B].bytes, true);
	check_problem(p);
	free_problem(p);
	t_card_destroy(card);
}
END_TEST

START_TEST(test_cost_counts_work_and_traffic)
{
	struct options o = plain_options(1);
	struct t_card *card = make_card(128);
	struct problem *p;

	o.m = 10;
	o.n = 20;
	o.k = 30;
	o.batch[0] = 3;
	p = make_problem(card, &o);
	p->cmd.b_stride[2] = 0;
	kernels = loom_matmul_kernels(LOOM_MATMUL_PORTABLE);
	t_run_cmds(card, &p->cmd, sizeof(p->cmd));
	ck_assert_uint_eq(t_perf(card, LOOM_PERF_MACS), 3 * 10 * 20 * 30);
	ck_assert_uint_ge(t_perf(card, LOOM_PERF_HBM_RD_BYTES),
			  2 * (3 * 10 * 30 + 30 * 20));
	ck_assert_uint_lt(t_perf(card, LOOM_PERF_HBM_RD_BYTES),
			  2 * (3 * 10 * 30 + 30 * 20) + 4096);
	ck_assert_uint_ge(t_perf(card, LOOM_PERF_HBM_WR_BYTES),
			  4 * 3 * 10 * 20);
	ck_assert_uint_gt(t_perf(card, LOOM_PERF_CYC_ARRAY), 0);
	free_problem(p);
	t_card_destroy(card);
}
END_TEST

/* Errors ------------------------------------------------------------------ */

#define FIELD(name)	offsetof(struct loom_cmd_matmul, name)
#define SET(width, name, v) width, FIELD(name), v
#define BEYOND		0x80000000ull

/* One wrong value in an otherwise good command, and what must be said. */
static const struct mistake {
	int pair;
	int width;
	size_t offset;
	uint64_t value;
	uint32_t error;
	size_t field;
} mistakes[] = {
	{ 1, SET(4, reserved0, 1), LOOM_ERR_CMD_RESERVED, FIELD(reserved0) },
	{ 1, SET(4, reserved[0], 1), LOOM_ERR_CMD_RESERVED, FIELD(reserved) },
	{ 1, SET(4, reserved[11], 1), LOOM_ERR_CMD_RESERVED,
	  FIELD(reserved[11]) },
	{ 1, SET(1, a_type, LOOM_TYPE_I32), LOOM_ERR_CMD_TYPE, FIELD(a_type) },
	{ 1, SET(1, a_type, LOOM_TYPE_NONE), LOOM_ERR_CMD_TYPE, FIELD(a_type) },
	{ 1, SET(1, a_type, LOOM_TYPE_U8), LOOM_ERR_CMD_TYPE, FIELD(a_type) },
	{ 1, SET(1, a_type, 0xff), LOOM_ERR_CMD_TYPE, FIELD(a_type) },
	{ 8, SET(1, a_type, LOOM_TYPE_Q8_0), LOOM_ERR_CMD_TYPE, FIELD(a_type) },
	{ 1, SET(1, b_type, LOOM_TYPE_F32), LOOM_ERR_CMD_TYPE, FIELD(b_type) },
	{ 6, SET(1, b_type, LOOM_TYPE_Q4_0), LOOM_ERR_CMD_TYPE, FIELD(b_type) },
	{ 2, SET(1, b_type, LOOM_TYPE_BF16), LOOM_ERR_CMD_TYPE, FIELD(b_type) },
	{ 1, SET(1, c_type, LOOM_TYPE_I32), LOOM_ERR_CMD_TYPE, FIELD(c_type) },
	{ 0, SET(1, c_type, LOOM_TYPE_F32), LOOM_ERR_CMD_TYPE, FIELD(c_type) },
	{ 1, SET(1, d_type, LOOM_TYPE_NONE), LOOM_ERR_CMD_TYPE, FIELD(d_type) },
	{ 1, SET(1, d_type, LOOM_TYPE_F8E5M2), LOOM_ERR_CMD_TYPE,
	  FIELD(d_type) },
	{ 0, SET(1, d_type, LOOM_TYPE_F32), LOOM_ERR_CMD_TYPE, FIELD(d_type) },
	{ 0, SET(4, alpha, 0x40000000), LOOM_ERR_CMD_FIELD, FIELD(alpha) },
	{ 1, SET(4, m, BEYOND), LOOM_ERR_CMD_FIELD, FIELD(m) },
	{ 1, SET(4, n, BEYOND), LOOM_ERR_CMD_FIELD, FIELD(n) },
	{ 1, SET(4, k, BEYOND), LOOM_ERR_CMD_FIELD, FIELD(k) },
	{ 8, SET(4, k, 33), LOOM_ERR_CMD_FIELD, FIELD(k) },
	{ 1, SET(4, batch[0], BEYOND), LOOM_ERR_CMD_FIELD, FIELD(batch[0]) },
	{ 1, SET(4, batch[1], BEYOND), LOOM_ERR_CMD_FIELD, FIELD(batch[1]) },
	{ 1, SET(8, c, 64), LOOM_ERR_CMD_FIELD, FIELD(c) },
	{ 8, SET(8, b_stride[0], 34), LOOM_ERR_CMD_FIELD, FIELD(b_stride) },
	{ 1, SET(8, a, 0x100001), LOOM_ERR_CMD_ALIGN, FIELD(a) },
	{ 7, SET(8, b, 0x100002), LOOM_ERR_CMD_ALIGN, FIELD(b) },
	{ 8, SET(8, b, 0x100001), LOOM_ERR_CMD_ALIGN, FIELD(b) },
	{ 1, SET(8, d, 0x100002), LOOM_ERR_CMD_ALIGN, FIELD(d) },
	{ 1, SET(8, a_stride[0], 3), LOOM_ERR_CMD_ALIGN, FIELD(a_stride[0]) },
	{ 1, SET(8, a_stride[3], -1ull), LOOM_ERR_CMD_ALIGN,
	  FIELD(a_stride[3]) },
	{ 9, SET(8, b_stride[1], 17), LOOM_ERR_CMD_ALIGN, FIELD(b_stride[1]) },
	{ 1, SET(8, d_stride[1], 2), LOOM_ERR_CMD_ALIGN, FIELD(d_stride[1]) },
	{ 1, SET(8, a, 1ull << 48), LOOM_ERR_CMD_RANGE, FIELD(a) },
	{ 1, SET(8, b, -64ull), LOOM_ERR_CMD_RANGE, FIELD(b) },
	{ 1, SET(8, d, (1ull << 48) - 64), LOOM_ERR_CMD_RANGE, FIELD(d) },
	{ 1, SET(8, a_stride[0], 1ull << 46), LOOM_ERR_CMD_RANGE, FIELD(a) },
	{ 1, SET(8, a_stride[1], 1ull << 63), LOOM_ERR_CMD_RANGE, FIELD(a) },
	{ 1, SET(8, b_stride[0], -(1ull << 40)), LOOM_ERR_CMD_RANGE, FIELD(b) },
	{ 1, SET(8, d_stride[0], 1ull << 62), LOOM_ERR_CMD_RANGE, FIELD(d) },
	{ 1, SET(4, m, BEYOND - 1), LOOM_ERR_FAULT_UNMAPPED, 0 },
};

#define NUM_MISTAKES	((int)(sizeof(mistakes) / sizeof(mistakes[0])))

START_TEST(test_mistake_is_reported_with_its_field)
{
	const struct mistake *bad = &mistakes[_i];
	struct options o = plain_options(bad->pair);
	struct t_card *card = make_card(128);
	struct loom_completion done;
	struct problem *p;

	o.m = 8;
	o.n = 8;
	o.k = 64;
	p = make_problem(card, &o);
	memcpy((uint8_t *)&p->cmd + bad->offset, &bad->value,
	       (size_t)bad->width);
	kernels = loom_matmul_kernels(LOOM_MATMUL_PORTABLE);
	done = t_run_cmds(card, &p->cmd, sizeof(p->cmd));
	ck_assert_uint_eq(done.error, bad->error);
	ck_assert_uint_eq(done.field, bad->field);
	ck_assert_uint_eq(done.opcode, LOOM_OP_MATMUL);
	free_problem(p);
	t_card_destroy(card);
}
END_TEST

/* A hole in operand @which, in the second page of the three it has. */
static void check_fault(struct t_card *card, struct problem *p, int which,
			bool read_only)
{
	const struct operand *op = &p->op[which];
	uint64_t hole = op->va + LOOM_PAGE_SIZE;
	uint64_t *pte = t_pte(card, T_CTX, hole, 0), good = *pte;
	struct loom_completion done;

	*pte = read_only ? good & ~LOOM_PTE_WRITE : 0;
	t_invalidate(card, T_CTX);
	done = t_run_cmds(card, &p->cmd, sizeof(p->cmd));
	ck_assert_uint_eq(done.error, read_only ? LOOM_ERR_FAULT_PERM :
			  LOOM_ERR_FAULT_UNMAPPED);
	ck_assert_uint_eq(done.fault_addr & ~0xfffull, hole);
	ck_assert_uint_eq(done.access, which == D ? LOOM_ACCESS_WRITE :
			  LOOM_ACCESS_READ);
	*pte = good;
	t_invalidate(card, T_CTX);
}

START_TEST(test_hole_in_an_operand_is_a_fault)
{
	struct options o = plain_options(_i);
	struct t_card *card = make_card(128);
	struct problem *p;

	o.m = 128;
	o.n = 128;
	o.k = 128;
	o.c = o.d;
	p = make_problem(card, &o);
	for (int level = 0; level < LOOM_MATMUL_LEVELS; level++) {
		kernels = loom_matmul_kernels((enum loom_matmul_level)level);
		for (int which = 0; kernels && which < OPERANDS; which++)
			check_fault(card, p, which, false);
		if (kernels)
			check_fault(card, p, D, true);
	}
	check_problem(p);
	free_problem(p);
	t_card_destroy(card);
}
END_TEST

/* A read-only operand is no reason to complain, nor is a gap between rows. */
START_TEST(test_what_is_not_touched_need_not_be_mapped)
{
	struct options o = plain_options(7);
	struct t_card *card = make_card(128);
	struct problem *p;
	uint64_t *pte;

	seed = 7;
	o.m = 2;
	o.n = 2000;
	o.k = 2;
	p = make_problem(card, &o);
	for (int i = 0; i < OPERANDS; i++) {
		struct operand *op = &p->op[i];

		if (i == C)
			continue;
		free(op->bytes);
		op->stride[0] = 5 * LOOM_PAGE_SIZE;
		place_operand(p, op, 4, PLACE_HBM, false);
		fill_operand(op, 0);
		copy_pages(card, op, op->bytes, true);
		pte = t_pte(card, T_CTX, op->va, 0);
		if (i != D)
			*pte &= ~LOOM_PTE_WRITE;
	}
	p->cmd.a = p->op[A].va;
	p->cmd.b = p->op[B].va;
	p->cmd.d = p->op[D].va;
	p->cmd.a_stride[0] = p->cmd.b_stride[0] = p->cmd.d_stride[0] =
		5 * LOOM_PAGE_SIZE;
	t_invalidate(card, T_CTX);
	check_problem(p);
	for (int i = 0; i < OPERANDS; i++)
		if (i != C)
			t_unmap(card, T_CTX,
				p->op[i].va + 3 * LOOM_PAGE_SIZE,
				LOOM_PAGE_SIZE);
	t_invalidate(card, T_CTX);
	for (int level = 0; level < LOOM_MATMUL_LEVELS; level++) {
		struct loom_completion done;

		kernels = loom_matmul_kernels((enum loom_matmul_level)level);
		if (!kernels)
			continue;
		done = t_run_cmds(card, &p->cmd, sizeof(p->cmd));
		ck_assert_uint_eq(done.error, LOOM_ERR_NONE);
	}
	free_problem(p);
	t_card_destroy(card);
}
END_TEST

/* A product that would take years gives way to a reset. */
START_TEST(test_reset_stops_an_endless_product)
{
	struct options o = plain_options(_i);
	struct t_card *card = make_card(128);
	struct problem *p;
	uint64_t va;

	kernels = loom_matmul_kernels(LOOM_MATMUL_PORTABLE);
	o.m = o.n = o.k = 32;
	p = make_problem(card, &o);
	p->cmd.m = p->cmd.n = p->cmd.k = 0x7fffffe0;
	memset(p->cmd.a_stride, 0, sizeof(p->cmd.a_stride));
	memset(p->cmd.b_stride, 0, sizeof(p->cmd.b_stride));
	memset(p->cmd.d_stride, 0, sizeof(p->cmd.d_stride));
	if (is_block(o.b))
		p->cmd.k = 4096;
	va = t_hbm_alloc(card, sizeof(p->cmd));
	memcpy(t_ptr(card, va), &p->cmd, sizeof(p->cmd));
	t_queue_init(card, 0, T_CTX, 1);
	t_queue_push(card, 0, va, sizeof(p->cmd));
	t_workers_start(card, 1);
	t_doorbell(card, 0);
	while (t_read32(card, LOOM_REG_QUEUE(0, LOOM_QUEUE_STATE)) !=
	       LOOM_QUEUE_STATE_RUNNING)
		;
	t_write32(card, LOOM_REG_QUEUE(0, LOOM_QUEUE_CTRL),
		  LOOM_QUEUE_CTRL_RESET);
	ck_assert_uint_eq(t_read32(card,
				   LOOM_REG_QUEUE(0, LOOM_QUEUE_STATE)),
			  LOOM_QUEUE_STATE_DISABLED);
	t_workers_stop(card);
	free_problem(p);
	t_card_destroy(card);
}
END_TEST

#if defined(__x86_64__)
START_TEST(test_the_host_keeps_its_rounding_mode)
{
	struct options o = plain_options(1);
	struct t_card *card = make_card(128);
	unsigned int before = __builtin_ia32_stmxcsr();

	o.m = o.n = o.k = 8;
	run_options(card, &o);
	ck_assert_uint_eq(__builtin_ia32_stmxcsr() & 0xffc0, before & 0xffc0);
	t_card_destroy(card);
}
END_TEST
#endif

static Suite *matmul_suite(void)
{
	Suite *suite = suite_create("matmul");
	TCase *numbers = tcase_create("numbers");
	TCase *errors = tcase_create("errors");

	tcase_set_timeout(numbers, 60);
	tcase_add_loop_test(numbers, test_random_problems_match_the_reference,
			    0, NUM_PAIRS);
	tcase_add_loop_test(numbers, test_scattered_pages_match_the_reference,
			    0, NUM_PAIRS);
	tcase_add_loop_test(numbers,
			    test_blocks_of_every_dimension_match_the_reference,
			    0, NUM_PAIRS);
	tcase_add_loop_test(numbers, test_few_lines_match_the_reference, 0,
			    NUM_PAIRS);
	tcase_add_test(numbers,
		       test_long_sums_with_many_lines_match_the_reference);
	tcase_add_test(numbers, test_int8_sums_wrap);
	tcase_add_loop_test(numbers, test_without_k_the_result_is_c, 0,
			    NUM_PAIRS);
	tcase_add_test(numbers, test_empty_problem_touches_nothing);
	tcase_add_test(numbers, test_d_may_be_c);
	tcase_add_loop_test(numbers, test_all_values_of_a_type_convert, 0, 4);
	tcase_add_test(numbers, test_cost_counts_work_and_traffic);
#if defined(__x86_64__)
	tcase_add_test(numbers, test_the_host_keeps_its_rounding_mode);
#endif
	suite_add_tcase(suite, numbers);

	tcase_add_loop_test(errors, test_mistake_is_reported_with_its_field, 0,
			    NUM_MISTAKES);
	tcase_add_loop_test(errors, test_hole_in_an_operand_is_a_fault, 0,
			    NUM_PAIRS);
	tcase_add_test(errors, test_what_is_not_touched_need_not_be_mapped);
	tcase_add_loop_test(errors, test_reset_stops_an_endless_product, 0,
			    NUM_PAIRS);
	suite_add_tcase(suite, errors);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(matmul_suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
