// SPDX-License-Identifier: MIT
/* The summary for machines. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "train.h"

static void put_string(FILE *f, const char *s)
{
	fputc('"', f);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fprintf(f, "\\%c", *s);
		else if ((unsigned char)*s < 0x20)
			fprintf(f, "\\u%04x", *s);
		else
			fputc(*s, f);
	}
	fputc('"', f);
}

static void put_epochs(FILE *f, const struct results *res)
{
	const struct epoch_stats *s;
	uint32_t i;

	fputs("  \"epochs\": [\n", f);
	for (i = 0; i < res->epochs; i++) {
		s = &res->epoch[i];
		fprintf(f, "    {\"loss\": %.6f, \"images\": %u, \"seconds\": %.3f, \"cycles\": %" PRIu64 "}%s\n",
			s->loss, s->images, s->seconds, s->cycles,
			i + 1 < res->epochs ? "," : "");
	}
	fputs("  ],\n", f);
}

static void put_confusion(FILE *f, const struct results *res)
{
	unsigned int i, j;

	fputs("  \"confusion\": [\n", f);
	for (i = 0; i < NUM_CLASSES; i++) {
		fputs("    [", f);
		for (j = 0; j < NUM_CLASSES; j++)
			fprintf(f, "%s%u", j ? ", " : "", res->confusion[i][j]);
		fprintf(f, "]%s\n", i + 1 < NUM_CLASSES ? "," : "");
	}
	fputs("  ],\n", f);
}

static void put_time(FILE *f, const struct results *res)
{
	const uint64_t *c = res->counters;
	unsigned int i, shares[NUM_SHARES];

	time_shares(c, shares);
	fprintf(f, "  \"clock_khz\": %u,\n  \"cycles\": {\"total\": %" PRIu64,
		res->model->info.clock_khz, c[LOOM_PERF_CYC_TOTAL]);
	for (i = 0; i < NUM_SHARES; i++)
		fprintf(f, ", \"%s\": %" PRIu64, time_share_key(i),
			c[LOOM_PERF_CYC_ARRAY + i]);
	fputs("},\n  \"percent\": {", f);
	for (i = 0; i < NUM_SHARES; i++)
		fprintf(f, "%s\"%s\": %u.%u", i ? ", " : "", time_share_key(i),
			shares[i] / 10, shares[i] % 10);
	fprintf(f, "},\n  \"macs\": %" PRIu64 ",\n  \"jobs\": %" PRIu64 ",\n",
		c[LOOM_PERF_MACS], c[LOOM_PERF_JOBS]);
}

static void put_all(FILE *f, const struct results *res)
{
	const struct options *opt = res->opt;

	fputs("{\n  \"device\": ", f);
	put_string(f, res->model->info.name);
	fprintf(f, ",\n  \"precision\": \"%s\",\n  \"batch\": %u,\n  \"lr\": %g,\n  \"seed\": %" PRIu64 ",\n",
		opt->f32 ? "f32" : "bf16", opt->batch, (double)opt->lr,
		opt->seed);
	fprintf(f, "  \"train_images\": %u,\n  \"test_images\": %u,\n",
		res->num_train, res->num_test);
	put_epochs(f, res);
	fprintf(f, "  \"test_accuracy\": %.4f,\n", results_accuracy(res) / 100);
	put_confusion(f, res);
	put_time(f, res);
	fprintf(f, "  \"seconds\": %.3f,\n  \"hash\": \"%016" PRIx64 "\"\n}\n",
		res->seconds, res->hash);
}

int json_write(const struct results *res, const char *path)
{
	bool to_stdout = !strcmp(path, "-");
	FILE *f = to_stdout ? stdout : fopen(path, "w");
	bool failed;

	if (!f)
		return die(EXIT_OTHER, "%s: %s", path, strerror(errno));
	put_all(f, res);
	failed = fflush(f) || ferror(f);
	if (!to_stdout && fclose(f))
		failed = true;
	return failed ? die(EXIT_OTHER, "%s: cannot write", path) : 0;
}
