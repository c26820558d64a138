/* SPDX-License-Identifier: MIT */
/*
 * DOC: Problems for the MATMUL engine
 *
 * A problem is a command with operands on a card and a copy of them here; the
 * scalar reference turns the copy of D into what the card must come to.  Made
 * from options, or at random from t_seed.
 *
 * The program's loom_matmul_best() is the one of this file: t_kernels.
 */
#ifndef T_MATMUL_PROBLEM_H
#define T_MATMUL_PROBLEM_H

#include "card.h"
#include "matmul.h"

#define ALPHA_ONE	0x3f800000u

enum { A, B, C, D, OPERANDS };

enum placing {
	PLACE_HBM,	/* in one piece, pages and all */
	PLACE_MIXED,	/* pages backwards, every other one system memory */
	PLACINGS
};

/** struct t_operand - a tensor on the card and a copy of it here */
struct t_operand {
	uint32_t type;
	/** @along: the dimension that blocks run along, if it has them */
	int along;
	uint64_t extent[4];
	int64_t stride[4];
	/** @first: offset of element 0 in @bytes */
	size_t first;
	/** @size: bytes of the region that holds it, whole pages */
	size_t size;
	uint8_t *bytes;
	uint64_t va;
};

/** struct t_problem - a command and all it works on */
struct t_problem {
	struct t_card *card;
	struct loom_cmd_matmul cmd;
	/** @op: the operands; D's bytes are what t_reference() makes of them */
	struct t_operand op[OPERANDS];
	/** @rows: of the card's arrays, that is k of a K-tile */
	uint32_t rows;
};

/** struct t_options - what to make a problem of */
struct t_options {
	uint32_t a, b, c, d;
	uint32_t m, n, k;
	uint32_t batch[2];
	uint32_t alpha;
	/** @flavour: of numbers, 0..4: see t_random_float() */
	int flavour;
	/** @plain: dense rows one after the other */
	bool plain;
	/** @turned: B is the transpose of a plain one, if @plain */
	bool turned;
	enum placing placing;
};

/** struct t_matmul_set - a kernel set that this host can run */
struct t_matmul_set {
	const struct loom_matmul_kernels *kernels;
	/** @emulated: the host lacks the instructions (tests/lib/avx512) */
	bool emulated;
};

/* Pairs of types of A and B: all there is to multiply. */
#define T_NUM_PAIRS	12
extern const uint32_t t_type_pair[T_NUM_PAIRS][2];

extern const struct loom_matmul_kernels *t_kernels;
extern uint64_t t_seed;

/** t_matmul_set() - set number @n, or NULL after the last one */
const struct t_matmul_set *t_matmul_set(unsigned int n);

uint32_t t_rnd(void);
uint32_t t_below(uint32_t n);

/**
 * t_random_float() - an f32
 * @flavour: 0 around 1; 1 such that products are near the smallest normal
 * number; 2 any bits; 3 small integers; 4 with NaN, infinities, denormals and
 * zeros among the others
 */
uint32_t t_random_float(int flavour);

/** t_matmul_card() - a card with arrays of @rows rows */
struct t_card *t_matmul_card(uint32_t rows);

bool t_is_block(uint32_t type);

/** t_plain_options() - the pair of types and nothing else unusual */
struct t_options t_plain_options(int pair);
/** t_random_options() - any shape, layout, flavour, C and D */
struct t_options t_random_options(int pair);

struct t_problem *t_make_problem(struct t_card *card,
				 const struct t_options *o);
void t_free_problem(struct t_problem *p);
/** t_place_operand() - allocate what @bytes an element and the strides span */
void t_place_operand(struct t_problem *p, struct t_operand *op, size_t bytes,
		     enum placing placing, bool at_end);
/** t_fill_operand() - numbers of @flavour into the copy */
void t_fill_operand(struct t_operand *op, int flavour);
/** t_copy_pages() - copy all pages of an operand to the card or back */
void t_copy_pages(struct t_card *card, const struct t_operand *op,
		  uint8_t *bytes, bool to_card);

/** t_reference() - change the copy of D into what must come out */
void t_reference(struct t_problem *p);
/** t_compare() - the card's D (with @after for room) must be like the copy */
void t_compare(const struct t_problem *p, uint8_t *after);
/** t_describe() - print a problem */
void t_describe(const struct t_problem *p);
/** t_check_problem() - compare every kernel set with the reference */
void t_check_problem(struct t_problem *p);
/** t_run_options() - make a problem and check it */
void t_run_options(struct t_card *card, const struct t_options *o);

#endif
