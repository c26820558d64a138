// SPDX-License-Identifier: MIT
/* Accuracy, the confusion matrix, and where modelled time went. */
#include <inttypes.h>

#include "train.h"

#define BAR_WIDTH	40

static const struct {
	const char *name;
	const char *json;
} shares_info[NUM_SHARES] = {
	[LOOM_PERF_CYC_ARRAY - LOOM_PERF_CYC_ARRAY] = { "systolic arrays", "array" },
	[LOOM_PERF_CYC_VECTOR - LOOM_PERF_CYC_ARRAY] = { "vector engine", "vector" },
	[LOOM_PERF_CYC_COPY - LOOM_PERF_CYC_ARRAY] = { "copy engine", "copy" },
	[LOOM_PERF_CYC_HBM - LOOM_PERF_CYC_ARRAY] = { "waiting for HBM", "hbm" },
	[LOOM_PERF_CYC_PCIE - LOOM_PERF_CYC_ARRAY] = { "waiting for PCIe", "pcie" },
	[LOOM_PERF_CYC_FRONT - LOOM_PERF_CYC_ARRAY] = { "front end", "front_end" },
	[LOOM_PERF_CYC_IDLE - LOOM_PERF_CYC_ARRAY] = { "idle", "idle" },
};

const char *time_share_key(unsigned int i)
{
	return shares_info[i].json;
}

void results_count(struct results *res, const uint8_t *labels,
		   const uint8_t *predictions, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		if (predictions[i] < NUM_CLASSES)
			res->confusion[labels[i]][predictions[i]]++;
		res->correct += labels[i] == predictions[i];
	}
}

double results_accuracy(const struct results *res)
{
	return 100.0 * res->correct / res->num_test;
}

/*
 * Largest remainder: what rounding down leaves over goes to the shares that
 * lost most, so that the column sums to 100.0.
 */
void time_shares(const uint64_t *counters, unsigned int shares[NUM_SHARES])
{
	const uint64_t *cycles = counters + LOOM_PERF_CYC_ARRAY;
	uint64_t rest[NUM_SHARES], total = 0;
	unsigned int i, most, left = 1000;

	for (i = 0; i < NUM_SHARES; i++)
		total += cycles[i];
	for (i = 0; i < NUM_SHARES; i++) {
		shares[i] = total ? (unsigned int)(cycles[i] * 1000 / total) : 0;
		rest[i] = total ? cycles[i] * 1000 % total : 0;
		left -= shares[i];
	}
	for (; total && left; left--) {
		for (most = 0, i = 1; i < NUM_SHARES; i++)
			if (rest[i] > rest[most])
				most = i;
		shares[most]++;
		rest[most] = 0;
	}
}

/* ------------------------------------------------------------- on the screen */

/* class_names, cut to the width of a column. */
static const char *const class_columns[NUM_CLASSES] = {
	"Tshrt", "Trous", "Pullv", "Dress", "Coat",
	"Sandl", "Shirt", "Sneak", "Bag", "Boot",
};

struct style {
	const char *good;
	const char *bad;
	const char *dim;
	const char *bold;
	const char *off;
};

static const struct style plain = { "", "", "", "", "" };
static const struct style colored = {
	"\033[32m", "\033[31m", "\033[2m", "\033[1m", "\033[0m"
};

/* An error is shown as bad when it takes more than this share of a class. */
#define BAD_PERCENT	5

static void print_cell(FILE *out, const struct style *st, uint32_t n,
		       uint32_t row_total, bool diagonal)
{
	const char *color = st->off;

	if (diagonal)
		color = st->good;
	else if (n * 100 > row_total * BAD_PERCENT)
		color = st->bad;
	if (n)
		fprintf(out, " %s%5u%s", color, n, st->off);
	else
		fprintf(out, " %s%5s%s", st->dim, ".", st->off);
}

static void print_row(FILE *out, const struct style *st,
		      const uint32_t row[NUM_CLASSES], unsigned int truth)
{
	uint32_t total = 0;
	unsigned int i;

	fprintf(out, "  %-8s", class_names[truth]);
	for (i = 0; i < NUM_CLASSES; i++)
		total += row[i];
	for (i = 0; i < NUM_CLASSES; i++)
		print_cell(out, st, row[i], total, i == truth);
	fprintf(out, "  %5.1f %%\n", total ? 100.0 * row[truth] / total : 0);
}

static void print_confusion(FILE *out, const struct style *st,
			    const struct results *res)
{
	unsigned int i;

	fprintf(out, "\n%sconfusion%s  rows: what it is, columns: what the card said\n",
		st->bold, st->off);
	fprintf(out, "  %-8s", "");
	for (i = 0; i < NUM_CLASSES; i++)
		fprintf(out, " %5s", class_columns[i]);
	fprintf(out, "  %7s\n", "right");
	for (i = 0; i < NUM_CLASSES; i++)
		print_row(out, st, res->confusion[i], i);
}

static void print_share(FILE *out, const struct style *st, const char *name,
			uint64_t cycles, uint32_t clock_khz, unsigned int share)
{
	unsigned int i, full = (share * BAR_WIDTH + 500) / 1000;

	fprintf(out, "  %-17s %5u.%u %%  %10.3f ms  %s", name, share / 10,
		share % 10, (double)cycles / clock_khz, st->good);
	for (i = 0; i < full; i++)
		fputc('#', out);
	fprintf(out, "%s\n", st->off);
}

static void print_time(FILE *out, const struct style *st,
		       const struct results *res)
{
	uint32_t khz = res->model->info.clock_khz;
	const uint64_t *c = res->counters;
	unsigned int i, shares[NUM_SHARES];

	fprintf(out, "\n%smodelled time%s  of a card at %.0f MHz\n", st->bold,
		st->off, khz / 1000.0);
	time_shares(c, shares);
	for (i = 0; i < NUM_SHARES; i++)
		print_share(out, st, shares_info[i].name,
			    c[LOOM_PERF_CYC_ARRAY + i], khz, shares[i]);
	fprintf(out, "  %-17s 100.0 %%  %10.3f ms\n", "total",
		(double)c[LOOM_PERF_CYC_TOTAL] / khz);
}

static void print_accuracy(FILE *out, const struct style *st,
			   const struct results *res)
{
	const uint64_t *c = res->counters;
	double modelled = (double)c[LOOM_PERF_CYC_TOTAL] /
			  res->model->info.clock_khz / 1000;

	fprintf(out, "\n%stest accuracy %.2f %%%s  (%u of %u images)\n",
		st->bold, results_accuracy(res), st->off, res->correct,
		res->num_test);
	fprintf(out, "%.1f s here, %.3f s modelled: %.1f GMAC",
		res->seconds, modelled, (double)c[LOOM_PERF_MACS] * 1e-9);
	if (modelled > 0)
		fprintf(out, ", %.2f TFLOP/s on the modelled card",
			2e-12 * (double)c[LOOM_PERF_MACS] / modelled);
	fputc('\n', out);
}

void report_print(const struct results *res, FILE *out)
{
	const struct style *st = use_color(res->opt, out) ? &colored : &plain;

	print_confusion(out, st, res);
	print_time(out, st, res);
	print_accuracy(out, st, res);
	if (res->opt->hash)
		fprintf(out, "hash %016" PRIx64 "\n", res->hash);
}
