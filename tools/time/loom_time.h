/* SPDX-License-Identifier: MIT */
/* DOC: loom-time, how long a card takes for a list of matrix products */
#ifndef LOOM_TIME_TOOL_H
#define LOOM_TIME_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "models.h"

#define TIME_TEXT	256	/* room for the text of an error */

enum { EXIT_GOOD, EXIT_FILE, EXIT_USAGE };

/** struct time_type - a type of elements by name */
struct time_type {
	const char *name;
	uint32_t type;
	uint32_t size;
};

/** struct setup - the card, and how products are run on it */
struct setup {
	struct loom_core_config cfg;
	enum model model;
	enum dataflow flow;
	/** @type: of A and B */
	const struct time_type *type;
	/** @out_type: of D */
	const struct time_type *out_type;
	/** @system: operands are in system memory */
	bool system;
	/** @arrays_set: somebody asked for this many arrays */
	bool arrays_set;
};

/** struct gemm - a line of the list */
struct gemm {
	char *name;
	uint32_t m, n, k;
};

struct gemm_list {
	struct gemm *gemm;
	size_t count;
};

/** struct times - cycles, and where they and the bytes went */
struct times {
	uint64_t cycles;
	/** @array: with the three below it sums to @cycles */
	uint64_t array;
	uint64_t stall_hbm;
	uint64_t stall_pcie;
	uint64_t front;
	uint64_t hbm_rd, hbm_wr;
	uint64_t pcie_rd, pcie_wr;
	uint64_t macs;
};

/** struct report - a list run as one job on one card */
struct report {
	const struct setup *setup;
	const struct gemm_list *list;
	/** @layer: one per product */
	struct times *layer;
	/** @job: before the first */
	struct times job;
	struct times total;
};

/** struct sweep - the same list on several cards */
struct sweep {
	/** @key: what differs */
	const char *key;
	/** @value: as text */
	char **value;
	struct setup *setup;
	struct report *report;
	size_t count;
};

/* setup.c ----------------------------------------------------------------- */

void setup_init(struct setup *s);

/**
 * setup_set() - set a parameter of the card
 * @s: the setup
 * @key: a member of struct loom_core_config, the short name of one, or "array"
 * @value: a number, sizes with K, M or G; RxC for "array"
 * @err: TIME_TEXT bytes for what is wrong
 *
 * Return: 0 or -1.
 */
int setup_set(struct setup *s, const char *key, const char *value, char *err);

/** setup_load() - set parameters from a file of "key = value" lines */
int setup_load(struct setup *s, const char *path, char *err);

/** setup_check() - settle what depends on more than one option; 0 or -1 */
int setup_check(struct setup *s, char *err);

/** setup_write_json() - the parameters as members of an object */
void setup_write_json(const struct setup *s, FILE *f);

/** type_find() - a type by its name, or NULL */
const struct time_type *type_find(const char *name);
const char *model_name(enum model model);
const char *dataflow_name(enum dataflow flow);
/** name_index() - where @name is among @count @names, or -1 */
int name_index(const char *const *names, int count, const char *name);
extern const char *const model_names[NUM_MODELS];
extern const char *const dataflow_names[NUM_DATAFLOWS];

/* text.c ------------------------------------------------------------------ */

/** text_trim() - without space at both ends, in place */
char *text_trim(char *s);

/** text_u64() - a whole number from @min to @max and nothing else; 0 or -1 */
int text_u64(const char *s, uint64_t min, uint64_t max, bool suffix,
	     uint64_t *out);

/**
 * text_lines() - call @fn for every line of a file, without its end
 * @path: the file, "-" for standard input
 * @fn: 0, or -1 after writing to @err, which gets path and line put before
 * @opaque: for @fn
 * @err: TIME_TEXT bytes
 */
int text_lines(const char *path,
	       int (*fn)(void *opaque, char *line, unsigned int number,
			 char *err),
	       void *opaque, char *err);

/* gemms.c ----------------------------------------------------------------- */

/** gemms_load() - read a list in the form of SCALE-Sim; 0 or -1 */
int gemms_load(const char *path, struct gemm_list *list, char *err);
void gemms_free(struct gemm_list *list);

/* report.c ---------------------------------------------------------------- */

/** times_of() - one product */
void times_of(const struct setup *s, const struct gemm *g, struct times *t);

/** report_make() - run the list; 0, or -1 without memory */
int report_make(struct report *r, const struct setup *s,
		const struct gemm_list *list);
void report_free(struct report *r);

/* output.c ---------------------------------------------------------------- */

void output_csv(const struct report *r, FILE *f);
void output_json(const struct report *r, FILE *f);
void output_sweep_csv(const struct sweep *s, FILE *f);
void output_sweep_json(const struct sweep *s, FILE *f);

/* plot.c, svg.c ----------------------------------------------------------- */

void plot_roofline(const struct report *r, FILE *f);
void plot_sweep(const struct sweep *s, FILE *f);

#endif
