// SPDX-License-Identifier: MIT
/* accel-smi - the cards of this machine, what they do, and whether they work. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <loom/loom_regs.h>

#include "smi.h"

#define MAX_CARDS	64

/** struct card - one line of the table */
struct card {
	struct accel_device_entry entry;
	/** @problem: why the rest is empty, "" if it is not */
	char problem[400];
	struct accel_device_info info;
	struct accel_memory_info mem;
	struct accel_counters counters;
	struct smi_health health;
};

/* Rows that add up to LOOM_PERF_CYC_TOTAL. */
static const struct {
	const char *name;
	const char *key;
	unsigned int counter;
} rows[] = {
	{ "arrays computing", "array", LOOM_PERF_CYC_ARRAY },
	{ "vector engine computing", "vector", LOOM_PERF_CYC_VECTOR },
	{ "copy engine", "copy", LOOM_PERF_CYC_COPY },
	{ "waiting for HBM", "hbm", LOOM_PERF_CYC_HBM },
	{ "waiting for PCIe", "pcie", LOOM_PERF_CYC_PCIE },
	{ "fetch and decode", "front", LOOM_PERF_CYC_FRONT },
	{ "idle", "idle", LOOM_PERF_CYC_IDLE },
};

static const struct {
	const char *key;
	unsigned int counter;
} totals[] = {
	{ "hbm_read_bytes", LOOM_PERF_HBM_RD_BYTES },
	{ "hbm_write_bytes", LOOM_PERF_HBM_WR_BYTES },
	{ "pcie_read_bytes", LOOM_PERF_PCIE_RD_BYTES },
	{ "pcie_write_bytes", LOOM_PERF_PCIE_WR_BYTES },
	{ "macs", LOOM_PERF_MACS },
	{ "vector_ops", LOOM_PERF_VECTOR_OPS },
	{ "commands", LOOM_PERF_COMMANDS },
	{ "jobs", LOOM_PERF_JOBS },
	{ "faults", LOOM_PERF_FAULTS },
};

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

int smi_error(const char *what)
{
	const struct accel_error *e = accel_last_error();

	fprintf(stderr, "accel-smi: %s: %s\n", what, e->message);
	if (*e->hint)
		fprintf(stderr, "accel-smi: %s\n", e->hint);
	return e->code == -ENODEV ? SMI_NO_CARD : SMI_FAILED;
}

/* --------------------------------------------------------------------- facts */

static int query(struct accel_device *dev, struct card *c)
{
	int rc;

	c->info.size = sizeof(c->info);
	c->mem.size = sizeof(c->mem);
	c->counters.size = sizeof(c->counters);
	rc = accel_device_query(dev, &c->info);
	if (!rc)
		rc = accel_device_memory(dev, &c->mem);
	if (!rc)
		rc = accel_device_counters(dev, &c->counters);
	return rc;
}

/* Open a card, ask it everything, close it. */
static int examine(const char *spec, struct card *c)
{
	struct accel_device *dev;
	int rc;

	rc = accel_device_open(spec, &dev);
	if (!rc) {
		rc = query(dev, c);
		accel_device_close(dev);
	}
	if (rc)
		snprintf(c->problem, sizeof(c->problem), "%s%s%s",
			 accel_last_error()->message,
			 *accel_last_error()->hint ? "; " : "",
			 accel_last_error()->hint);
	return rc;
}

/* The entry of an open card; "sim:" has none. */
static void find_entry(struct card *c, const struct accel_device_entry *entries,
		       int num)
{
	int i;

	snprintf(c->entry.node, sizeof(c->entry.node), "%s", c->info.name);
	for (i = 0; i < num; i++)
		if (!strcmp(entries[i].node, c->info.name))
			c->entry = entries[i];
}

/* All cards, or the one that was asked for. */
static int examine_all(const struct smi_options *opt, struct card *cards,
		       int *num)
{
	static struct accel_device_entry entries[MAX_CARDS];
	int i, count;

	count = accel_device_list(entries, MAX_CARDS);
	if (count < 0)
		return smi_error("looking for cards");
	*num = count < MAX_CARDS ? count : MAX_CARDS;
	if (opt->spec) {
		if (examine(opt->spec, &cards[0]))
			return smi_error(opt->spec);
		find_entry(&cards[0], entries, *num);
		smi_health_read(cards[0].entry.bus, &cards[0].health);
		*num = 1;
		return SMI_OK;
	}
	for (i = 0; i < *num; i++) {
		cards[i].entry = entries[i];
		examine(entries[i].node, &cards[i]);
		smi_health_read(entries[i].bus, &cards[i].health);
	}
	return SMI_OK;
}

static double percent(const struct accel_counters *c, unsigned int counter)
{
	uint64_t total = c->value[LOOM_PERF_CYC_TOTAL];

	return total ? 100.0 * c->value[counter] / total : 0;
}

/* --------------------------------------------------------------------- table */

static void show_card(const struct card *c, int index)
{
	const struct accel_device_info *i = &c->info;
	char hbm[40], arrays[32], version[32];

	if (*c->problem) {
		printf("%-5d%-20s%-14s%s\n", index, c->entry.node, c->entry.bus,
		       c->problem);
		return;
	}
	snprintf(hbm, sizeof(hbm), "%llu / %llu MiB",
		 (unsigned long long)(c->mem.hbm_used >> 20),
		 (unsigned long long)(c->mem.hbm_total >> 20));
	snprintf(arrays, sizeof(arrays), "%u of %ux%u", i->num_arrays,
		 i->array_rows, i->array_cols);
	snprintf(version, sizeof(version), "%u.%u/%u", i->hw_version >> 16,
		 i->hw_version & 0xffff, i->isa_version);
	printf("%-5d%-20s%-14s%-18s%-14s%-7u%-8u%-10u%s\n", index,
	       c->entry.node, *c->entry.bus ? c->entry.bus : "-", hbm, arrays,
	       i->vector_lanes, i->num_queues, i->clock_khz / 1000, version);
}

static void show_time(const struct card *c, int index)
{
	const uint64_t *v = c->counters.value;
	double share;
	unsigned int i;

	if (*c->problem)
		return;
	printf("\nCard %d: %.3f ms of modelled time, %llu jobs, %llu commands, %llu faults\n",
	       index, (double)v[LOOM_PERF_CYC_TOTAL] / c->info.clock_khz,
	       (unsigned long long)v[LOOM_PERF_JOBS],
	       (unsigned long long)v[LOOM_PERF_COMMANDS],
	       (unsigned long long)v[LOOM_PERF_FAULTS]);
	if (!v[LOOM_PERF_CYC_TOTAL])
		return;
	for (i = 0; i < COUNT(rows); i++) {
		share = percent(&c->counters, rows[i].counter);
		printf("  %-24s%6.1f %%  %.*s\n", rows[i].name, share,
		       (int)(share / 2.5 + 0.5),
		       "########################################");
	}
}

static void show_table(const struct card *cards, int num)
{
	int i;

	printf("accel-smi %s\n\n", accel_version());
	printf("%-5s%-20s%-14s%-18s%-14s%-7s%-8s%-10s%s\n", "Card", "Node",
	       "Bus", "HBM used / total", "Arrays", "Lanes", "Queues",
	       "MHz", "Version");
	for (i = 0; i < num; i++)
		show_card(&cards[i], i);
	for (i = 0; i < num; i++) {
		show_time(&cards[i], i);
		smi_health_show(&cards[i].health);
	}
}

/* ---------------------------------------------------------------------- JSON */

void smi_json_quote(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			printf("\\%c", *text);
		else if ((unsigned char)*text < ' ')
			printf("\\u%04x", *text);
		else
			putchar(*text);
	}
	putchar('"');
}

static void json_string(const char *key, const char *value)
{
	printf("      \"%s\": ", key);
	smi_json_quote(value);
	printf(",\n");
}

static void json_number(const char *key, uint64_t value)
{
	printf("      \"%s\": %llu,\n", key, (unsigned long long)value);
}

static void json_counters(const struct accel_counters *c)
{
	unsigned int i;

	printf("      \"cycles\": {\n        \"total\": %llu",
	       (unsigned long long)c->value[LOOM_PERF_CYC_TOTAL]);
	for (i = 0; i < COUNT(rows); i++)
		printf(",\n        \"%s\": %llu", rows[i].key,
		       (unsigned long long)c->value[rows[i].counter]);
	printf("\n      },\n      \"totals\": {");
	for (i = 0; i < COUNT(totals); i++)
		printf("%s\n        \"%s\": %llu", i ? "," : "", totals[i].key,
		       (unsigned long long)c->value[totals[i].counter]);
	printf("\n      }\n");
}

static void json_card(const struct card *c, bool last)
{
	const struct accel_device_info *i = &c->info;

	printf("    {\n");
	json_string("node", c->entry.node);
	json_string("bus", c->entry.bus);
	if (*c->problem) {
		json_string("problem", c->problem);
		printf("      \"usable\": false\n    }%s\n", last ? "" : ",");
		return;
	}
	printf("      \"usable\": true,\n");
	json_number("serial", i->serial);
	json_number("hw_version_major", i->hw_version >> 16);
	json_number("hw_version_minor", i->hw_version & 0xffff);
	json_number("isa_version", i->isa_version);
	json_number("hbm_total", c->mem.hbm_total);
	json_number("hbm_used", c->mem.hbm_used);
	json_number("system_used", c->mem.system_used);
	json_number("hbm_mbps", i->hbm_mbps);
	json_number("hbm_channels", i->hbm_channels);
	json_number("pcie_mbps", i->pcie_mbps);
	json_number("sram_size", i->sram_size);
	json_number("num_arrays", i->num_arrays);
	json_number("array_rows", i->array_rows);
	json_number("array_cols", i->array_cols);
	json_number("vector_lanes", i->vector_lanes);
	json_number("num_queues", i->num_queues);
	json_number("clock_khz", i->clock_khz);
	smi_health_json(&c->health);
	json_counters(&c->counters);
	printf("    }%s\n", last ? "" : ",");
}

static void show_json(const struct card *cards, int num)
{
	int i;

	printf("{\n  \"version\": \"%s\",\n  \"cards\": [\n", accel_version());
	for (i = 0; i < num; i++)
		json_card(&cards[i], i == num - 1);
	printf("  ]\n}\n");
}

/* ------------------------------------------------------------------ commands */

static int show(const struct smi_options *opt)
{
	static struct card cards[MAX_CARDS];
	struct accel_device *dev;
	int num = 0, i, usable = 0, rc;

	rc = examine_all(opt, cards, &num);
	if (rc)
		return rc;
	if (opt->json)
		show_json(cards, num);
	else if (num)
		show_table(cards, num);
	for (i = 0; i < num; i++)
		usable += !*cards[i].problem;
	if (usable)
		return SMI_OK;
	/* Let the library say why there is nothing to open. */
	if (!num && accel_device_open("0", &dev))
		return smi_error("no card");
	return SMI_NO_CARD;
}

static const struct command {
	const char *name;
	const char *help;
	int (*fn)(const struct smi_options *opt);
} commands[] = {
	{ "show", "the cards, their memory, where modelled time went (default)",
	  show },
	{ "validate", "run every engine and compare with results of the CPU",
	  smi_validate },
	{ "dump", "explain a device coredump of the driver (FILE)", smi_dump },
};

static const struct option long_options[] = {
	{ "device", required_argument, NULL, 'd' },
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static void usage(FILE *to)
{
	unsigned int i;

	fprintf(to, "usage: accel-smi [-d SPEC] [--json] [COMMAND [FILE]]\n\n");
	for (i = 0; i < COUNT(commands); i++)
		fprintf(to, "  %-14s%s\n", commands[i].name, commands[i].help);
	fprintf(to,
		"\n"
		"  -d, --device SPEC   index, node, PCI address or \"sim:\"; else $ACCEL_DEVICE\n"
		"      --json          show, dump: print JSON\n"
		"      --help          this text\n"
		"      --version       version of the library\n"
		"\n"
		"Exit status: 0 well, 1 something failed, 2 wrong usage, 3 no card.\n");
}

static int run(const char *name, const struct smi_options *opt)
{
	unsigned int i;

	for (i = 0; i < COUNT(commands); i++)
		if (!strcmp(commands[i].name, name))
			return commands[i].fn(opt);
	fprintf(stderr, "accel-smi: there is no command '%s'\n", name);
	usage(stderr);
	return SMI_USAGE;
}

int main(int argc, char **argv)
{
	struct smi_options opt = { .spec = getenv("ACCEL_DEVICE") };
	int c;

	while ((c = getopt_long(argc, argv, "d:h", long_options, NULL)) != -1) {
		switch (c) {
		case 'd':
			opt.spec = optarg;
			break;
		case 'j':
			opt.json = true;
			break;
		case 'h':
			usage(stdout);
			return SMI_OK;
		case 'V':
			printf("accel-smi %s\n", accel_version());
			return SMI_OK;
		default:
			usage(stderr);
			return SMI_USAGE;
		}
	}
	if (argc - optind > 1 && !strcmp(argv[optind], "dump"))
		opt.file = argv[optind + 1];
	if (argc - optind > (opt.file ? 2 : 1)) {
		usage(stderr);
		return SMI_USAGE;
	}
	return run(optind < argc ? argv[optind] : "show", &opt);
}
