// SPDX-License-Identifier: MIT
/* What the card did for ggml, as text. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <loom/loom_regs.h>

#include "card.h"

void stats_refused(struct stats *s, int op, const char *why)
{
	if (op < 0 || op >= GG_OP_COUNT)
		return;
	atomic_fetch_add(&s->refused[op], 1);
	snprintf(s->why[op], sizeof(s->why[op]), "%.*s",
		 (int)sizeof(s->why[op]) - 1, why);
}

void stats_bytes(struct stats *s, uint64_t up, uint64_t down)
{
	atomic_fetch_add(&s->uploaded, up);
	atomic_fetch_add(&s->downloaded, down);
}

uint64_t stats_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

static void print_ops(FILE *f, const struct stats *s)
{
	int op;

	fprintf(f, "%-24s %12s %8s  %s\n", "operation", "on the card",
		"refused", "why (the last time)");
	for (op = 0; op < GG_OP_COUNT; op++)
		if (s->taken[op] || s->refused[op])
			fprintf(f, "%-24s %12" PRIu64 " %8" PRIu64 "  %s\n",
				ggml_op_name(op), s->taken[op], s->refused[op],
				s->why[op]);
}

static void print_totals(FILE *f, const struct stats *s, const char *name)
{
	fprintf(f, "card                     %s\n", name);
	fprintf(f, "graphs                   %" PRIu64 "\n", s->graphs);
	if (s->last_ns > s->first_ns)
		fprintf(f, "from first to last       %.3f s, %.2f graphs per second\n",
			(double)(s->last_ns - s->first_ns) / 1e9,
			(double)s->graphs * 1e9 /
				(double)(s->last_ns - s->first_ns));
	fprintf(f, "submissions              %" PRIu64 "\n", s->submits);
	fprintf(f, "command buffers          %" PRIu64 " built, %" PRIu64
		" patched, %" PRIu64 " reused\n", s->built, s->patched,
		s->reused);
	fprintf(f, "commands of graphs       %" PRIu64 " copy, %" PRIu64
		" matmul, %" PRIu64 " vector\n", s->copies, s->matmuls,
		s->vectors);
	fprintf(f, "bytes                    %" PRIu64 " to the card, %" PRIu64
		" back\n", s->uploaded, s->downloaded);
}

/* What the card itself counted since it was opened. */
static void print_counters(FILE *f, const struct card *card)
{
	static const struct { unsigned int counter; const char *name; } parts[] = {
		{ LOOM_PERF_CYC_ARRAY, "arrays" },
		{ LOOM_PERF_CYC_VECTOR, "vector" },
		{ LOOM_PERF_CYC_COPY, "copy" },
		{ LOOM_PERF_CYC_HBM, "HBM" },
		{ LOOM_PERF_CYC_PCIE, "PCIe" },
		{ LOOM_PERF_CYC_FRONT, "front end" },
	};
	uint64_t graphs = card->stats.graphs ? card->stats.graphs : 1, cycles = 0;
	struct accel_counters now = { .size = sizeof(now) };
	unsigned int i;

	if (accel_device_counters(card->accel, &now)) {
		report_error("reading the card's counters");
		return;
	}
	for (i = 0; i < LOOM_PERF_COUNT; i++)
		now.value[i] -= card->start.value[i];
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		cycles += now.value[parts[i].counter];
	fprintf(f, "commands the card ran    %" PRIu64 "\n",
		now.value[LOOM_PERF_COMMANDS]);
	fprintf(f, "multiply-accumulates     %" PRIu64 "\n",
		now.value[LOOM_PERF_MACS]);
	fprintf(f, "modelled time            %.3f ms, %.4f ms per graph:",
		(double)cycles / card->clock_khz,
		(double)cycles / card->clock_khz / (double)graphs);
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		fprintf(f, " %s %.1f %%%s", parts[i].name,
			cycles ? 100.0 * (double)now.value[parts[i].counter] /
				 (double)cycles : 0,
			i + 1 < sizeof(parts) / sizeof(parts[0]) ? "," : "\n");
}

void stats_print(struct card *card)
{
	const char *path = getenv("LOOM_GGML_STATS");
	FILE *f;

	if (!path || !*path)
		return;
	f = strcmp(path, "-") ? fopen(path, "a") : stderr;
	if (!f) {
		report("LOOM_GGML_STATS: cannot write %s: %m", path);
		return;
	}
	print_totals(f, &card->stats, card->name);
	print_counters(f, card);
	print_ops(f, &card->stats);
	if (f != stderr)
		fclose(f);
}
