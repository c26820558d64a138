// SPDX-License-Identifier: MIT
/* DOC: Options, and the order of things: read, compute, print, draw */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "loom_time.h"

#define MAX_POINTS	32

static const char help[] =
"usage: loom-time [options] GEMMS.csv\n"
"\n"
"How long a card takes for a list of matrix products (SCALE-Sim's form: a header,\n"
"then lines of layer, M, N, K), by the model that the card itself counts with.\n"
"\"-\" reads standard input.  Options take effect in their order.\n"
"\n"
"the card (as built without options)\n"
"      --config FILE          parameters as lines of key = value; the keys are the\n"
"                             members of struct loom_core_config\n"
"      --array RxC            cells of an array, rows along K (128x128)\n"
"      --arrays N             arrays (4)\n"
"      --sram SIZE            bytes, or with K, M or G (32M)\n"
"      --hbm-channels N       channels of HBM (16)\n"
"      --hbm-channel-mbps N   of each, 10^6 bytes/s (102400)\n"
"      --pcie-mbps N          of a direction, 10^6 bytes/s (63000)\n"
"      --clock-khz N          clock (1400000)\n"
"\n"
"the work\n"
"      --type T               elements of A and B: i8, f8e4m3, f8e5m2, bf16, f16 or\n"
"                             f32 (bf16)\n"
"      --out-type T           elements of D: bf16, f16, f32, i32 (f32; i32 for i8)\n"
"      --memory M             where A, B and D are: hbm or system (hbm)\n"
"      --dataflow D           what stays in the cells: weights (ws), sums (os) or, for\n"
"                             comparison, inputs (is) (ws)\n"
"      --model M              loom, or for comparison scalesim or ispass: one array,\n"
"                             no memory (loom)\n"
"\n"
"the output\n"
"      --json                 JSON instead of CSV\n"
"      --sweep KEY=V,V,...    the totals for several cards, for instance\n"
"                             array=32x32,64x64 or num_arrays=1,2,4\n"
"      --plot FILE.svg        draw the roofline, or the sweep\n"
"      --help                 this text\n"
"\n"
"exit status\n"
"  0  good\n"
"  1  a file cannot be read or written, or is not what it should be\n"
"  2  bad usage, or no such card can be built\n";

struct options {
	struct setup setup;
	const char *file;
	const char *plot;
	/** @sweep_key: owned; the values point behind it */
	char *sweep_key;
	char *sweep_value[MAX_POINTS];
	size_t sweep_count;
	bool json;
	bool help;
};

static int die(int status, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static int die(int status, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fputs("loom-time: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	va_end(args);
	return status;
}

/* ----------------------------------------------------------------- options */

enum {
	OPT_PARAMETER = 256,	/* its name is a key of setup_set() */
	OPT_CONFIG,
	OPT_TYPE,
	OPT_OUT_TYPE,
	OPT_MEMORY,
	OPT_MODEL,
	OPT_JSON,
	OPT_SWEEP,
	OPT_PLOT,
	OPT_HELP,
};

static const struct option long_options[] = {
	{ "array", required_argument, NULL, OPT_PARAMETER },
	{ "arrays", required_argument, NULL, OPT_PARAMETER },
	{ "sram", required_argument, NULL, OPT_PARAMETER },
	{ "hbm-channels", required_argument, NULL, OPT_PARAMETER },
	{ "hbm-channel-mbps", required_argument, NULL, OPT_PARAMETER },
	{ "pcie-mbps", required_argument, NULL, OPT_PARAMETER },
	{ "clock-khz", required_argument, NULL, OPT_PARAMETER },
	{ "config", required_argument, NULL, OPT_CONFIG },
	{ "type", required_argument, NULL, OPT_TYPE },
	{ "out-type", required_argument, NULL, OPT_OUT_TYPE },
	{ "memory", required_argument, NULL, OPT_MEMORY },
	{ "dataflow", required_argument, NULL, OPT_PARAMETER },
	{ "model", required_argument, NULL, OPT_MODEL },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "sweep", required_argument, NULL, OPT_SWEEP },
	{ "plot", required_argument, NULL, OPT_PLOT },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static int no_such(const char *option, const char *value, const char *names)
{
	return die(EXIT_USAGE, "--%s %s: expected one of %s", option, value,
		   names);
}

static int set_type(struct options *o, const char *value)
{
	o->setup.type = type_find(value);
	if (!o->setup.type || o->setup.type->type == LOOM_TYPE_I32)
		return no_such("type", value,
			       "i8, f8e4m3, f8e5m2, bf16, f16, f32");
	return 0;
}

static int set_out_type(struct options *o, const char *value)
{
	o->setup.out_type = type_find(value);
	if (!o->setup.out_type || o->setup.out_type->size == 1)
		return no_such("out-type", value, "bf16, f16, f32, i32");
	return 0;
}

static int set_memory(struct options *o, const char *value)
{
	static const char *const names[] = { "hbm", "system" };
	int i = name_index(names, 2, value);

	o->setup.system = i == 1;
	return i < 0 ? no_such("memory", value, "hbm, system") : 0;
}

static int set_model(struct options *o, const char *value)
{
	int i = name_index(model_names, NUM_MODELS, value);

	if (i < 0)
		return no_such("model", value, "loom, scalesim, ispass");
	o->setup.model = (enum model)i;
	return 0;
}

/* KEY=V,V,...; what the values mean is known once the other options are. */
static int set_sweep(struct options *o, const char *text)
{
	char *rest, *value;

	free(o->sweep_key);
	o->sweep_count = 0;
	o->sweep_key = strdup(text);
	if (!o->sweep_key)
		return die(EXIT_FILE, "out of memory");
	rest = strchr(o->sweep_key, '=');
	if (!rest)
		return die(EXIT_USAGE, "--sweep %s: expected KEY=VALUE,VALUE,...",
			   text);
	*rest++ = '\0';
	while ((value = strsep(&rest, ","))) {
		if (o->sweep_count == MAX_POINTS)
			return die(EXIT_USAGE, "--sweep: more than %d values",
				   MAX_POINTS);
		o->sweep_value[o->sweep_count++] = text_trim(value);
	}
	return 0;
}

static int set_parameter(struct options *o, const char *name, const char *value)
{
	char err[TIME_TEXT];

	if (setup_set(&o->setup, name, value, err))
		return die(EXIT_USAGE, "--%s: %s", name, err);
	return 0;
}

static int load_config(struct options *o, const char *path)
{
	char err[TIME_TEXT];

	return setup_load(&o->setup, path, err) ? die(EXIT_FILE, "%s", err) : 0;
}

static int set_option(struct options *o, int opt, int index)
{
	switch (opt) {
	case OPT_PARAMETER:
		return set_parameter(o, long_options[index].name, optarg);
	case OPT_CONFIG:
		return load_config(o, optarg);
	case OPT_TYPE:
		return set_type(o, optarg);
	case OPT_OUT_TYPE:
		return set_out_type(o, optarg);
	case OPT_MEMORY:
		return set_memory(o, optarg);
	case OPT_MODEL:
		return set_model(o, optarg);
	case OPT_SWEEP:
		return set_sweep(o, optarg);
	case OPT_JSON:
		o->json = true;
		return 0;
	case OPT_PLOT:
		o->plot = optarg;
		return 0;
	case OPT_HELP:
		o->help = true;
		return 0;
	}
	fputs("try loom-time --help\n", stderr);
	return EXIT_USAGE;
}

static int check_options(struct options *o, int argc, char **argv)
{
	char err[TIME_TEXT];

	if (argc - optind != 1)
		return die(EXIT_USAGE, "expected one list of products; try loom-time --help");
	o->file = argv[optind];
	if (o->plot && !o->sweep_key && o->setup.model != MODEL_LOOM)
		return die(EXIT_USAGE, "the model %s has no memory, so no roofline; --plot needs --model loom or --sweep",
			   model_name(o->setup.model));
	/* With a sweep each of its cards is checked by itself. */
	if (!o->sweep_key && setup_check(&o->setup, err))
		return die(EXIT_USAGE, "%s", err);
	return 0;
}

static int parse(struct options *o, int argc, char **argv)
{
	int opt, index = 0, rc;

	setup_init(&o->setup);
	while ((opt = getopt_long(argc, argv, "", long_options, &index)) >= 0) {
		rc = set_option(o, opt, index);
		if (rc)
			return rc;
	}
	return o->help ? 0 : check_options(o, argc, argv);
}

/* ------------------------------------------------------------------ output */

static int close_output(FILE *f, const char *name)
{
	bool bad = fflush(f) || ferror(f);

	if (f != stdout)
		bad |= fclose(f) != 0;
	return bad ? die(EXIT_FILE, "cannot write %s: %s", name,
			 strerror(errno)) : 0;
}

static FILE *open_plot(const struct options *o)
{
	FILE *f = fopen(o->plot, "w");

	if (!f)
		die(EXIT_FILE, "cannot write %s: %s", o->plot, strerror(errno));
	return f;
}

static int run_one(const struct options *o, const struct gemm_list *list)
{
	struct report r;
	FILE *plot;
	int rc;

	if (report_make(&r, &o->setup, list))
		return die(EXIT_FILE, "out of memory");
	(o->json ? output_json : output_csv)(&r, stdout);
	rc = close_output(stdout, "standard output");
	if (!rc && o->plot) {
		plot = open_plot(o);
		if (plot)
			plot_roofline(&r, plot);
		rc = plot ? close_output(plot, o->plot) : EXIT_FILE;
	}
	report_free(&r);
	return rc;
}

static int make_points(const struct options *o, const struct gemm_list *list,
		       struct sweep *s)
{
	char err[TIME_TEXT];
	size_t i;

	for (i = 0; i < o->sweep_count; i++) {
		s->setup[i] = o->setup;
		if (setup_set(&s->setup[i], s->key, s->value[i], err) ||
		    setup_check(&s->setup[i], err))
			return die(EXIT_USAGE, "--sweep: %s", err);
		if (report_make(&s->report[i], &s->setup[i], list))
			return die(EXIT_FILE, "out of memory");
		s->count = i + 1;
	}
	return 0;
}

static int run_sweep(struct options *o, const struct gemm_list *list)
{
	struct setup setup[MAX_POINTS];
	struct report report[MAX_POINTS];
	struct sweep s = {
		.key = o->sweep_key, .value = o->sweep_value,
		.setup = setup, .report = report,
	};
	FILE *plot;
	int rc;

	rc = make_points(o, list, &s);
	if (!rc) {
		(o->json ? output_sweep_json : output_sweep_csv)(&s, stdout);
		rc = close_output(stdout, "standard output");
	}
	if (!rc && o->plot) {
		plot = open_plot(o);
		if (plot)
			plot_sweep(&s, plot);
		rc = plot ? close_output(plot, o->plot) : EXIT_FILE;
	}
	while (s.count)
		report_free(&report[--s.count]);
	return rc;
}

int main(int argc, char **argv)
{
	struct options o = { .json = false };
	char err[TIME_TEXT];
	struct gemm_list list;
	int rc;

	rc = parse(&o, argc, argv);
	if (!rc && o.help) {
		fputs(help, stdout);
		rc = close_output(stdout, "standard output");
	} else if (!rc && gemms_load(o.file, &list, err)) {
		rc = die(EXIT_FILE, "%s", err);
	} else if (!rc) {
		rc = o.sweep_key ? run_sweep(&o, &list) : run_one(&o, &list);
		gemms_free(&list);
	}
	free(o.sweep_key);
	return rc;
}
