// SPDX-License-Identifier: MIT
/* DOC: Tables for programs: CSV and JSON */
#include <inttypes.h>

#include "loom_time.h"

/** struct column - a number of struct times */
struct column {
	const char *name;
	size_t offset;
	/** @card: only the card's own model knows it */
	bool card;
};

#define COLUMN(name, member, card)	\
	{ name, offsetof(struct times, member), card }

/* After cycles and utilisation. */
static const struct column columns[] = {
	COLUMN("bytes_hbm_read", hbm_rd, true),
	COLUMN("bytes_hbm_write", hbm_wr, true),
	COLUMN("stall_hbm", stall_hbm, true),
	COLUMN("stall_pcie", stall_pcie, true),
	COLUMN("front", front, true),
	COLUMN("array_cycles", array, false),
	COLUMN("bytes_pcie_read", pcie_rd, true),
	COLUMN("bytes_pcie_write", pcie_wr, true),
	COLUMN("macs", macs, false),
};

#define NUM_COLUMNS	(sizeof(columns) / sizeof(columns[0]))

static uint64_t value_of(const struct times *t, const struct column *c)
{
	return *(const uint64_t *)((const char *)t + c->offset);
}

static bool is_known(const struct setup *s, const struct column *c)
{
	return s->model == MODEL_LOOM || !c->card;
}

static double utilisation(const struct setup *s, const struct times *t)
{
	return model_utilisation(&s->cfg, t->macs, t->cycles);
}

/* CSV --------------------------------------------------------------------- */

static void csv_head(const char *first, FILE *f)
{
	size_t i;

	fprintf(f, "%s,cycles,utilisation", first);
	for (i = 0; i < NUM_COLUMNS; i++)
		fprintf(f, ",%s", columns[i].name);
}

static void csv_times(const char *name, const struct setup *s,
		      const struct times *t, FILE *f)
{
	size_t i;

	fprintf(f, "%s,%" PRIu64 ",%.6f", name, t->cycles, utilisation(s, t));
	for (i = 0; i < NUM_COLUMNS; i++) {
		fputc(',', f);
		if (is_known(s, &columns[i]))
			fprintf(f, "%" PRIu64, value_of(t, &columns[i]));
	}
}

void output_csv(const struct report *r, FILE *f)
{
	const struct gemm *g = r->list->gemm;
	size_t i;

	csv_head("layer", f);
	fputs(",m,n,k\n", f);
	for (i = 0; i < r->list->count; i++, g++) {
		csv_times(g->name, r->setup, &r->layer[i], f);
		fprintf(f, ",%u,%u,%u\n", g->m, g->n, g->k);
	}
	if (r->setup->model == MODEL_LOOM) {
		csv_times("(job)", r->setup, &r->job, f);
		fputs(",,,\n", f);
	}
	csv_times("(total)", r->setup, &r->total, f);
	fputs(",,,\n", f);
}

void output_sweep_csv(const struct sweep *s, FILE *f)
{
	size_t i;

	csv_head(s->key, f);
	fputc('\n', f);
	for (i = 0; i < s->count; i++) {
		csv_times(s->value[i], &s->setup[i], &s->report[i].total, f);
		fputc('\n', f);
	}
}

/* JSON -------------------------------------------------------------------- */

static void json_string(const char *s, FILE *f)
{
	fputc('"', f);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fprintf(f, "\\%c", *s);
		else if ((unsigned char)*s < 0x20)
			fprintf(f, "\\u%04x", (unsigned char)*s);
		else
			fputc(*s, f);
	}
	fputc('"', f);
}

static void json_times(const struct setup *s, const struct times *t, FILE *f)
{
	size_t i;

	fprintf(f, "\"cycles\": %" PRIu64 ", \"utilisation\": %.6f", t->cycles,
		utilisation(s, t));
	for (i = 0; i < NUM_COLUMNS; i++) {
		fprintf(f, ", \"%s\": ", columns[i].name);
		if (is_known(s, &columns[i]))
			fprintf(f, "%" PRIu64, value_of(t, &columns[i]));
		else
			fputs("null", f);
	}
}

void output_json(const struct report *r, FILE *f)
{
	const struct gemm *g = r->list->gemm;
	size_t i;

	fputs("{\n", f);
	setup_write_json(r->setup, f);
	fputs("  \"layers\": [", f);
	for (i = 0; i < r->list->count; i++, g++) {
		fprintf(f, "%s\n    {\"layer\": ", i ? "," : "");
		json_string(g->name, f);
		fprintf(f, ", \"m\": %u, \"n\": %u, \"k\": %u, ", g->m, g->n,
			g->k);
		json_times(r->setup, &r->layer[i], f);
		fputc('}', f);
	}
	fputs("\n  ],\n  \"job\": {", f);
	json_times(r->setup, &r->job, f);
	fputs("},\n  \"total\": {", f);
	json_times(r->setup, &r->total, f);
	fputs("}\n}\n", f);
}

void output_sweep_json(const struct sweep *s, FILE *f)
{
	size_t i;

	fputs("{\n  \"key\": ", f);
	json_string(s->key, f);
	fputs(",\n  \"points\": [", f);
	for (i = 0; i < s->count; i++) {
		fprintf(f, "%s\n    {\"value\": ", i ? "," : "");
		json_string(s->value[i], f);
		fputs(", ", f);
		json_times(&s->setup[i], &s->report[i].total, f);
		fputc('}', f);
	}
	fputs("\n  ]\n}\n", f);
}
