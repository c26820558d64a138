/* SPDX-License-Identifier: MIT */
/*
 * loom-train: a classifier of Fashion-MNIST, trained on the card.
 *
 *	main.c		options, the order of things
 *	mnist.c		the data set's files
 *	rng.c		random numbers, the same everywhere
 *	model.c		the network in the card's memory and as commands
 *	run.c		submitting it: epochs, prediction
 *	progress.c	one line per epoch
 *	report.c	the closing report; json.c: the same for machines
 */
#ifndef TRAIN_H
#define TRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <accel/accel_ops.h>
#include <loom/loom_regs.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define IMAGE_SIZE	784
#define NUM_CLASSES	10
#define NUM_LAYERS	3

/* Exit status; main.c documents them in --help. */
enum {
	EXIT_OK = 0,
	EXIT_OTHER = 1,
	EXIT_USAGE = 2,
	EXIT_CARD = 3,
	EXIT_DATA = 4,
	EXIT_MEMORY = 5,
	EXIT_JOB = 6,
	EXIT_ACCURACY = 7,
};

struct options {
	const char *device;
	const char *data;
	const char *json;
	uint32_t epochs;
	uint32_t batch;
	/** @limit: most training images; 0 for all */
	uint32_t limit;
	uint64_t seed;
	float lr;
	/** @f32: matrix products in f32 instead of bf16 */
	bool f32;
	bool no_color;
	/** @hash: print the hash of weights and predictions */
	bool hash;
	/** @min_accuracy: per cent, or 0 */
	double min_accuracy;
};

/* Functions that return int give 0, or a negative exit status after these. */

/* die() - "loom-train: ..." to stderr; returns -@status */
int die(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* die_accel() - the same for libaccel's last error, whose code is the status */
int die_accel(const char *doing);

double now_seconds(void);

/* ------------------------------------------------------------------ mnist.c */

/** struct dataset - images of IMAGE_SIZE bytes and their labels */
struct dataset {
	uint32_t num_train;
	uint32_t num_test;
	uint8_t *train_images;
	uint8_t *train_labels;
	uint8_t *test_images;
	uint8_t *test_labels;
};

extern const char *const class_names[NUM_CLASSES];

int dataset_load(struct dataset *ds, const struct options *opt);
void dataset_free(struct dataset *ds);

/* -------------------------------------------------------------------- rng.c */

struct rng {
	uint64_t state;
};

void rng_init(struct rng *rng, uint64_t seed);
uint64_t rng_next(struct rng *rng);
/* rng_below() - uniform in [0, n) */
uint32_t rng_below(struct rng *rng, uint32_t n);
/* rng_symmetric() - uniform in [-1, 1), a multiple of 2^-23 */
float rng_symmetric(struct rng *rng);
/* rng_shuffle() - a permutation of what is there */
void rng_shuffle(struct rng *rng, uint32_t *list, uint32_t n);

/* ------------------------------------------------------------------ model.c */

/**
 * struct layer - out = in x weight + bias
 *
 * The bias is one more row of the weights, and every layer's input has one
 * more column of ones, so that the gradient of both is one matrix product.
 */
struct layer {
	uint32_t in;
	uint32_t out;
	/** @alpha: 1 / what stands for 1 in the input */
	float alpha;
	/** @weight: { out, in }, as the matmul reads it */
	struct accel_tensor weight;
	/** @bias: { out, 1 }, f32 */
	struct accel_tensor bias;
	/** @grad: { out, in + 1 }, f32 */
	struct accel_tensor grad;
	/** @input: { in + 1, batch } */
	struct accel_tensor input;
	/** @output: { out, batch } */
	struct accel_tensor output;
	/** @delta: gradient of the output, { out, batch } */
	struct accel_tensor delta;
};

struct model {
	const struct options *opt;
	struct accel_device *dev;
	struct accel_device_info info;
	struct accel_queue *queue;
	/** @hbm: all that is on the card */
	struct accel_bo *hbm;
	/** @host: what the host writes and reads while training */
	struct accel_bo *host;
	struct layer layer[NUM_LAYERS];
	/** @num_params: elements of the following */
	uint32_t num_params;
	struct accel_tensor weight, m, v, grad;
	/** @weight16: the weights in bf16, for the matmuls; not with opt->f32 */
	struct accel_tensor weight16;
	struct accel_tensor train_images, train_labels, test_images;
	/** @label: { 1, batch }, of the running step */
	struct accel_tensor label;
	/** @loss: { batch }, of the running step */
	struct accel_tensor loss;
	/** @index: in @host: the order of the images of an epoch */
	struct accel_tensor index;
	/** @losses: in @host: mean loss of each step of a slot */
	struct accel_tensor losses;
	/** @predictions: in @host: { 1, num_test } */
	struct accel_tensor predictions;
};

int model_create(struct model *m, const struct options *opt,
		 const struct dataset *ds);
void model_destroy(struct model *m);

/** struct step_offsets - where a recorded step can be patched */
struct step_offsets {
	uint32_t images;
	uint32_t labels;
	uint32_t adamw;
};

/* model_record_step() - a training step; the mean loss goes to @loss */
int model_record_step(struct model *m, struct accel_cmdbuf *cb,
		      const struct accel_tensor *loss,
		      const struct accel_adamw_desc *desc,
		      struct step_offsets *offsets);
/* model_record_predict() - classify test images first .. first + count - 1 */
int model_record_predict(struct model *m, struct accel_cmdbuf *cb,
			 uint32_t first, uint32_t count);
/* model_run() - submit and wait */
int model_run(struct model *m, struct accel_cmdbuf *cb);
/* model_hash() - FNV-1a of the weights' bits, then the predictions */
int model_hash(struct model *m, uint64_t *out);

/* -------------------------------------------------------------------- run.c */

/* Steps of one submission, and submissions that may be under way. */
#define SLOT_STEPS	25
#define NUM_SLOTS	3

struct runner;

struct epoch_stats {
	/** @loss: mean over the epoch so far */
	double loss;
	uint32_t steps;
	uint32_t total_steps;
	uint32_t images;
	/** @seconds: on the wall */
	double seconds;
	/** @cycles: modelled */
	uint64_t cycles;
};

int runner_create(struct model *m, const struct dataset *ds,
		  struct runner **out);
void runner_destroy(struct runner *r);
/* runner_epoch() - train with every image once; @tick is called now and then */
int runner_epoch(struct runner *r, struct epoch_stats *stats,
		 void (*tick)(void *opaque, const struct epoch_stats *stats),
		 void *opaque);
int runner_predict(struct runner *r, uint8_t *predictions);

/* busy_cycles() - modelled time without idle time */
uint64_t busy_cycles(const struct accel_counters *counters);

/* --------------------------------------------------------------- progress.c */

struct results;

struct progress {
	FILE *out;
	bool tty;
	bool color;
	uint32_t epoch;
	uint32_t epochs;
	uint32_t clock_khz;
	double last_drawn;
};

void progress_init(struct progress *p, const struct model *m, FILE *out);
/* progress_head() - what is about to be done, on what */
void progress_head(const struct progress *p, const struct model *m,
		   const struct results *res);
void progress_tick(void *opaque, const struct epoch_stats *stats);
/* use_color() - a terminal, and nobody asked for plain text */
bool use_color(const struct options *opt, FILE *out);
void progress_epoch(struct progress *p, const struct epoch_stats *stats);

/* ----------------------------------------------------------------- report.c */

#define NUM_SHARES	(LOOM_PERF_CYC_IDLE - LOOM_PERF_CYC_ARRAY + 1)

struct results {
	const struct options *opt;
	const struct model *model;
	uint32_t epochs;
	struct epoch_stats *epoch;
	/** @confusion: [truth][prediction] */
	uint32_t confusion[NUM_CLASSES][NUM_CLASSES];
	uint32_t correct;
	uint32_t num_test;
	uint32_t num_train;
	/** @seconds: training and test, on the wall */
	double seconds;
	/** @counters: of the card, from the first step to the last prediction */
	uint64_t counters[LOOM_PERF_COUNT];
	uint64_t hash;
};

void results_count(struct results *res, const uint8_t *labels,
		   const uint8_t *predictions, uint32_t n);
double results_accuracy(const struct results *res);
/* time_share_key() - of LOOM_PERF_CYC_ARRAY + @i, for machines */
const char *time_share_key(unsigned int i);
/* time_shares() - tenths of a per cent that sum to 1000 (or are all 0) */
void time_shares(const uint64_t *counters, unsigned int shares[NUM_SHARES]);
void report_print(const struct results *res, FILE *out);
int json_write(const struct results *res, const char *path);

#endif
