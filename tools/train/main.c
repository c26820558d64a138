// SPDX-License-Identifier: MIT
/* Options, and the order of things: load, train, test, report. */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "train.h"

static const char help[] =
"usage: loom-train [options]\n"
"\n"
"Trains a classifier (784-256-128-10, ReLU, cross entropy, AdamW) of the images\n"
"of Fashion-MNIST on a Loom card, tests it there, and tells where the card's\n"
"modelled time went.\n"
"\n"
"  -d, --device DEVICE    card: index, node, PCI address or \"sim:\"\n"
"                         (default: $ACCEL_DEVICE, else the first card)\n"
"      --epochs N         times every image is seen (default 10)\n"
"      --batch N          images per step (default 200)\n"
"      --lr X             learning rate of the first step; falls linearly to 0\n"
"                         (default 0.002)\n"
"      --seed N           of weights and order; the same seed gives the same bits\n"
"                         (default 1)\n"
"      --data DIR         the data set's four IDX files\n"
"                         (default /usr/share/datasets/fashion-mnist)\n"
"      --limit N          use the first N training images only\n"
"      --precision P      of the matrix products: bf16 (default) or f32\n"
"      --json FILE        write a summary; \"-\" for standard output, without report\n"
"      --min-accuracy P   fail below P per cent of the test set\n"
"      --hash             print a hash of weights and predictions\n"
"      --no-color         plain text; so does $NO_COLOR\n"
"      --help             this text\n"
"\n"
"exit status\n"
"  0  trained and tested\n"
"  1  another error\n"
"  2  bad usage\n"
"  3  no card, or no permission to use it\n"
"  4  the data set is missing or damaged\n"
"  5  not enough memory on the card or in the system\n"
"  6  the card refused or failed a job\n"
"  7  accuracy below --min-accuracy\n";

int die(int status, const char *fmt, ...)
{
	va_list args;

	/* The progress bar may stand there. */
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	va_start(args, fmt);
	fputs("loom-train: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	va_end(args);
	return -status;
}

static int status_of(int code)
{
	switch (code) {
	case -ENODEV:
	case -ENOENT:
	case -EACCES:
	case -EPROTO:
		return EXIT_CARD;
	case -ENOSPC:
	case -ENOMEM:
		return EXIT_MEMORY;
	case -EIO:
	case -ETIMEDOUT:
	case -ECANCELED:
		return EXIT_JOB;
	}
	return EXIT_OTHER;
}

int die_accel(const char *doing)
{
	const struct accel_error *e = accel_last_error();

	if (e->hint[0])
		return die(status_of(e->code), "%s: %s; %s", doing, e->message,
			   e->hint);
	return die(status_of(e->code), "%s: %s", doing, e->message);
}

double now_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ----------------------------------------------------------------- options */

static int parse_u64(const char *name, const char *text, uint64_t min,
		     uint64_t max, uint64_t *out)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno || end == text || *end || strchr(text, '-') ||
	    value < min || value > max)
		return die(EXIT_USAGE, "--%s %s: expected %llu to %llu", name,
			   text, (unsigned long long)min,
			   (unsigned long long)max);
	*out = value;
	return 0;
}

static int parse_u32(const char *name, const char *text, uint32_t max,
		     uint32_t *out)
{
	uint64_t value;
	int rc = parse_u64(name, text, 1, max, &value);

	if (!rc)
		*out = (uint32_t)value;
	return rc;
}

static int parse_double(const char *name, const char *text, double max,
			double *out)
{
	char *end;

	*out = strtod(text, &end);
	if (end == text || *end || !(*out > 0) || *out > max)
		return die(EXIT_USAGE, "--%s %s: expected a number above 0, up to %g",
			   name, text, max);
	return 0;
}

static int parse_precision(struct options *opt, const char *text)
{
	opt->f32 = !strcmp(text, "f32");
	if (opt->f32 || !strcmp(text, "bf16"))
		return 0;
	return die(EXIT_USAGE, "--precision %s: expected bf16 or f32", text);
}

enum {
	OPT_EPOCHS = 256, OPT_BATCH, OPT_LR, OPT_SEED, OPT_DATA, OPT_LIMIT,
	OPT_PRECISION, OPT_JSON, OPT_MIN_ACCURACY, OPT_HASH, OPT_NO_COLOR,
	OPT_HELP,
};

static const struct option long_options[] = {
	{ "device", required_argument, NULL, 'd' },
	{ "epochs", required_argument, NULL, OPT_EPOCHS },
	{ "batch", required_argument, NULL, OPT_BATCH },
	{ "lr", required_argument, NULL, OPT_LR },
	{ "seed", required_argument, NULL, OPT_SEED },
	{ "data", required_argument, NULL, OPT_DATA },
	{ "limit", required_argument, NULL, OPT_LIMIT },
	{ "precision", required_argument, NULL, OPT_PRECISION },
	{ "json", required_argument, NULL, OPT_JSON },
	{ "min-accuracy", required_argument, NULL, OPT_MIN_ACCURACY },
	{ "hash", no_argument, NULL, OPT_HASH },
	{ "no-color", no_argument, NULL, OPT_NO_COLOR },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static int parse_one(struct options *opt, int c, const char *arg)
{
	double value;
	int rc;

	switch (c) {
	case 'd':
		opt->device = arg;
		return 0;
	case OPT_EPOCHS:
		return parse_u32("epochs", arg, 1000, &opt->epochs);
	case OPT_BATCH:
		return parse_u32("batch", arg, 10000, &opt->batch);
	case OPT_LR:
		rc = parse_double("lr", arg, 1, &value);
		opt->lr = (float)value;
		return rc;
	case OPT_SEED:
		return parse_u64("seed", arg, 0, UINT64_MAX, &opt->seed);
	case OPT_DATA:
		opt->data = arg;
		return 0;
	case OPT_LIMIT:
		return parse_u32("limit", arg, UINT32_MAX, &opt->limit);
	case OPT_PRECISION:
		return parse_precision(opt, arg);
	case OPT_JSON:
		opt->json = arg;
		return 0;
	case OPT_MIN_ACCURACY:
		return parse_double("min-accuracy", arg, 100,
				    &opt->min_accuracy);
	case OPT_HASH:
		opt->hash = true;
		return 0;
	case OPT_NO_COLOR:
		opt->no_color = true;
		return 0;
	}
	return -EXIT_USAGE;
}

/* 0, a negative exit status, or 1 when --help was all that was wanted. */
static int parse_options(struct options *opt, int argc, char **argv)
{
	int c, rc;

	while ((c = getopt_long(argc, argv, "d:", long_options, NULL)) != -1) {
		if (c == OPT_HELP) {
			fputs(help, stdout);
			return 1;
		}
		rc = parse_one(opt, c, optarg);
		if (rc)
			return rc;
	}
	if (optind < argc)
		return die(EXIT_USAGE, "unexpected argument \"%s\"; see --help",
			   argv[optind]);
	return 0;
}

/* -------------------------------------------------------------------- main */

/* JSON on standard output must stand there alone. */
static FILE *report_stream(const struct options *opt)
{
	return opt->json && !strcmp(opt->json, "-") ? stderr : stdout;
}

static int read_counters(const struct model *m,
			 struct accel_counters *counters)
{
	*counters = (struct accel_counters){ .size = sizeof(*counters) };
	if (accel_device_counters(m->dev, counters))
		return die_accel("reading the counters");
	return 0;
}

static int train(struct runner *r, const struct model *m, struct results *res)
{
	struct progress progress;
	uint32_t i;
	int rc = 0;

	progress_init(&progress, m, report_stream(m->opt));
	progress_head(&progress, m, res);
	for (i = 0; !rc && i < m->opt->epochs; i++) {
		progress.epoch = i + 1;
		rc = runner_epoch(r, &res->epoch[i], progress_tick, &progress);
		if (!rc)
			progress_epoch(&progress, &res->epoch[i]);
	}
	return rc;
}

static int test(struct runner *r, const struct dataset *ds,
		struct results *res)
{
	uint8_t *predictions = malloc(ds->num_test);
	int rc;

	if (!predictions)
		return die(EXIT_MEMORY, "no memory");
	rc = runner_predict(r, predictions);
	if (!rc)
		results_count(res, ds->test_labels, predictions, ds->num_test);
	free(predictions);
	return rc;
}

static int train_and_test(struct runner *r, struct model *m,
			  const struct dataset *ds, struct results *res)
{
	struct accel_counters before, after;
	double start = now_seconds();
	unsigned int i;
	int rc;

	rc = read_counters(m, &before);
	if (!rc)
		rc = train(r, m, res);
	if (!rc)
		rc = test(r, ds, res);
	if (!rc)
		rc = read_counters(m, &after);
	if (!rc)
		rc = model_hash(m, &res->hash);
	if (rc)
		return rc;
	res->seconds = now_seconds() - start;
	for (i = 0; i < LOOM_PERF_COUNT; i++)
		res->counters[i] = after.value[i] - before.value[i];
	return 0;
}

static int finish(const struct results *res)
{
	const struct options *opt = res->opt;
	double accuracy = results_accuracy(res);
	int rc = 0;

	report_print(res, report_stream(opt));
	if (opt->json)
		rc = json_write(res, opt->json);
	if (!rc && accuracy < opt->min_accuracy)
		rc = die(EXIT_ACCURACY, "test accuracy %.2f %% is below %.2f %%",
			 accuracy, opt->min_accuracy);
	return rc;
}

static int run(const struct options *opt, const struct dataset *ds)
{
	struct results res = { .opt = opt, .epochs = opt->epochs };
	struct runner *r = NULL;
	struct model m;
	int rc;

	if (ds->num_train < opt->batch)
		return die(EXIT_USAGE, "--batch %u is more than the %u training images",
			   opt->batch, ds->num_train);
	rc = model_create(&m, opt, ds);
	if (rc)
		return rc;
	res.model = &m;
	res.num_train = ds->num_train;
	res.num_test = ds->num_test;
	res.epoch = calloc(opt->epochs, sizeof(*res.epoch));
	if (!res.epoch)
		rc = die(EXIT_MEMORY, "no memory");
	if (!rc)
		rc = runner_create(&m, ds, &r);
	if (!rc)
		rc = train_and_test(r, &m, ds, &res);
	if (!rc)
		rc = finish(&res);
	runner_destroy(r);
	model_destroy(&m);
	free(res.epoch);
	return rc;
}

int main(int argc, char **argv)
{
	struct options opt = {
		.epochs = 10,
		.batch = 200,
		.seed = 1,
		.lr = 0.002f,
	};
	struct dataset ds;
	int rc;

	rc = parse_options(&opt, argc, argv);
	if (rc)
		return rc > 0 ? 0 : -rc;
	rc = dataset_load(&ds, &opt);
	if (rc)
		return -rc;
	rc = run(&opt, &ds);
	dataset_free(&ds);
	return -rc;
}
