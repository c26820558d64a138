// SPDX-License-Identifier: MIT
/* DOC: The roofline of a list, and the totals of a sweep, as SVG */
#include <math.h>
#include <string.h>

#include "svg.h"
#include "loom_time.h"

#define LEGEND_X	(SVG_RIGHT + 24)
#define LEGEND_STEP	17
#define LEGEND_LINES	23

static double seconds(const struct setup *s, uint64_t cycles)
{
	return (double)cycles / (s->cfg.clock_khz * 1e3);
}

static void describe(const struct setup *s, char *buf, size_t len)
{
	const struct loom_core_config *c = &s->cfg;

	snprintf(buf, len, "%u array%s of %ux%u at %.4g GHz, %s, model %s; HBM %u x %.4g GB/s, SRAM %.4g MiB",
		 c->num_arrays, c->num_arrays > 1 ? "s" : "", c->array_rows,
		 c->array_cols, c->clock_khz * 1e-6, s->type->name,
		 model_name(s->model), c->hbm_channels,
		 c->hbm_channel_mbps * 1e-3, (double)c->sram_size / (1 << 20));
}

/* How many bytes of a name to show: at most @max, no half characters. */
static int shown(const char *name, size_t max)
{
	size_t len = strnlen(name, max + 1);

	if (len <= max)
		return (int)len;
	len = max;
	while (len && ((unsigned char)name[len] & 0xc0) == 0x80)
		len--;
	return (int)len;
}

/* Roofline ---------------------------------------------------------------- */

/** struct axis - a logarithmic one, in whole decades */
struct axis {
	double low, high;	/* powers of ten */
	double from, to;	/* on the page */
};

static double place(const struct axis *a, double value)
{
	double share = (log10(value) - a->low) / (a->high - a->low);

	return a->from + share * (a->to - a->from);
}

static void widen(struct axis *a, double value)
{
	a->low = fmin(a->low, floor(log10(value)));
	a->high = fmax(a->high, ceil(log10(value)));
}

/** struct roofline - what it draws */
struct roofline {
	const struct report *report;
	struct axis x, y;
	double peak;		/* operations/s */
	double memory;		/* bytes/s, as the model lets streams have */
};

/* Operations per byte of the memory that holds the operands. */
static double intensity(const struct report *r, const struct times *t)
{
	uint64_t bytes = r->setup->system ? (t->pcie_rd > t->pcie_wr ?
					     t->pcie_rd : t->pcie_wr) :
					    t->hbm_rd + t->hbm_wr;

	return 2.0 * (double)t->macs / (double)bytes;
}

static double speed(const struct report *r, const struct times *t)
{
	return 2.0 * (double)t->macs / seconds(r->setup, t->cycles);
}

static void find_extents(struct roofline *p)
{
	const struct report *r = p->report;
	double ridge = p->peak / p->memory;
	size_t i;

	p->x = (struct axis) { floor(log10(ridge)), ceil(log10(ridge * 10)),
			       SVG_LEFT, SVG_RIGHT };
	p->y = (struct axis) { floor(log10(p->peak / 10)), ceil(log10(p->peak)),
			       SVG_BOTTOM, SVG_TOP };
	for (i = 0; i < r->list->count; i++) {
		widen(&p->x, intensity(r, &r->layer[i]));
		widen(&p->y, speed(r, &r->layer[i]));
	}
}

static void draw_ticks(const struct roofline *p, FILE *f)
{
	char text[32];
	double e, at;

	for (e = p->x.low; e <= p->x.high; e++) {
		at = place(&p->x, pow(10, e));
		svg_line(f, at, SVG_TOP, at, SVG_BOTTOM, SVG_LIGHT, 1);
		svg_number(text, sizeof(text), pow(10, e));
		svg_text(f, at, SVG_BOTTOM + 18, SVG_MIDDLE, text);
	}
	for (e = p->y.low; e <= p->y.high; e++) {
		at = place(&p->y, pow(10, e));
		svg_line(f, SVG_LEFT, at, SVG_RIGHT, at, SVG_LIGHT, 1);
		svg_number(text, sizeof(text), pow(10, e));
		svg_text(f, SVG_LEFT - 8, at + 4, SVG_END, text);
	}
}

static void draw_roof(const struct roofline *p, FILE *f)
{
	double ridge = p->peak / p->memory, x = pow(10, p->x.low), y;

	y = model_roofline(p->peak, p->memory, x);
	if (y < pow(10, p->y.low)) {
		y = pow(10, p->y.low);
		x = y / p->memory;
	}
	svg_line(f, place(&p->x, x), place(&p->y, y), place(&p->x, ridge),
		 place(&p->y, p->peak), SVG_ORANGE, 2);
	svg_line(f, place(&p->x, ridge), place(&p->y, p->peak), SVG_RIGHT,
		 place(&p->y, p->peak), SVG_BLUE, 2);
}

static void draw_legend_head(const struct roofline *p, FILE *f)
{
	char text[96], number[32];

	svg_number(number, sizeof(number), p->memory);
	snprintf(text, sizeof(text), "%s: %sB/s for streams",
		 p->report->setup->system ? "PCIe" : "HBM", number);
	svg_line(f, LEGEND_X, SVG_TOP, LEGEND_X + 16, SVG_TOP, SVG_ORANGE, 2);
	svg_text(f, LEGEND_X + 22, SVG_TOP + 4, SVG_START, text);
	svg_line(f, LEGEND_X, SVG_TOP + LEGEND_STEP, LEGEND_X + 16,
		 SVG_TOP + LEGEND_STEP, SVG_BLUE, 2);
	svg_number(number, sizeof(number), p->peak);
	snprintf(text, sizeof(text), "arrays: %sop/s", number);
	svg_text(f, LEGEND_X + 22, SVG_TOP + LEGEND_STEP + 4, SVG_START, text);
}

static void draw_legend_line(const struct roofline *p, size_t i, FILE *f)
{
	const size_t count = p->report->list->count;
	const char *name = p->report->list->gemm[i].name;
	double y = SVG_TOP + ((double)i + 2.5) * LEGEND_STEP;
	char text[64];

	if (i >= LEGEND_LINES)
		return;
	if (i == LEGEND_LINES - 1 && count > LEGEND_LINES)
		snprintf(text, sizeof(text), "and %zu more", count - i);
	else
		snprintf(text, sizeof(text), "%zu  %.*s", i + 1, shown(name, 30),
			 name);
	svg_text(f, LEGEND_X, y, SVG_START, text);
}

static void draw_points(const struct roofline *p, FILE *f)
{
	const struct report *r = p->report;
	char title[160], number[32];
	const struct times *t;
	const char *name;
	size_t i;

	for (i = 0; i < r->list->count; i++) {
		t = &r->layer[i];
		name = r->list->gemm[i].name;
		svg_number(number, sizeof(number), speed(r, t));
		snprintf(title, sizeof(title), "%.*s: %sop/s at %.4g op/byte",
			 shown(name, 60), name, number, intensity(r, t));
		svg_dot(f, place(&p->x, intensity(r, t)),
			place(&p->y, speed(r, t)), (unsigned int)(i + 1),
			SVG_GREEN, title);
		draw_legend_line(p, i, f);
	}
}

void plot_roofline(const struct report *r, FILE *f)
{
	const struct loom_core_config *cfg = &r->setup->cfg;
	const uint64_t bytes = 1000000000;
	struct roofline p = { .report = r, .peak = model_peak_ops(cfg) };
	char text[200];

	if (r->setup->type->type == LOOM_TYPE_F32)
		p.peak /= LOOM_TIME_F32_PASSES;
	p.memory = (double)bytes /
		   seconds(r->setup, (r->setup->system ? loom_time_pcie :
						loom_time_hbm)(cfg, bytes));
	find_extents(&p);
	describe(r->setup, text, sizeof(text));
	svg_begin(f, "Roofline of the card, modelled", text);
	draw_ticks(&p, f);
	svg_frame(f, r->setup->system ?
		  "operations per byte over PCIe (a MAC is two)" :
		  "operations per byte of HBM traffic (a MAC is two)",
		  "operations per second");
	draw_roof(&p, f);
	draw_legend_head(&p, f);
	draw_points(&p, f);
	svg_end(f);
}

/* Sweep ------------------------------------------------------------------- */

/** struct part - a part of the time, and how it looks */
struct part {
	const char *name;
	const char *colour;
	size_t offset;
};

static const struct part parts[] = {
	{ "arrays", SVG_BLUE, offsetof(struct times, array) },
	{ "waiting for HBM", SVG_ORANGE, offsetof(struct times, stall_hbm) },
	{ "waiting for PCIe", "#7b3294", offsetof(struct times, stall_pcie) },
	{ "front end", SVG_GREY, offsetof(struct times, front) },
};

#define NUM_PARTS	(sizeof(parts) / sizeof(parts[0]))

/* A round number of seconds at or above @value, and five steps to it. */
static double round_up(double value)
{
	static const double steps[] = { 1, 1.5, 2, 2.5, 3, 4, 5, 7.5, 10 };
	double decade = pow(10, floor(log10(value)));
	unsigned int i = 0;

	while (i < 8 && steps[i] * decade < value)
		i++;
	return steps[i] * decade;
}

static void draw_scale(double top, FILE *f)
{
	const char *unit = top >= 1 ? "s" : top >= 1e-3 ? "ms" : "us";
	double scale = top >= 1 ? 1 : top >= 1e-3 ? 1e3 : 1e6, y;
	char text[48];
	int i;

	for (i = 0; i <= 5; i++) {
		y = SVG_BOTTOM - i * (SVG_BOTTOM - SVG_TOP) / 5.0;
		svg_line(f, SVG_LEFT, y, SVG_RIGHT, y, SVG_LIGHT, 1);
		snprintf(text, sizeof(text), "%.3g %s", top * scale * i / 5,
			 unit);
		svg_text(f, SVG_LEFT - 8, y + 4, SVG_END, text);
	}
}

static void draw_bar(const struct sweep *s, size_t i, double top, FILE *f)
{
	const double slot = (SVG_RIGHT - SVG_LEFT) / (double)s->count;
	const struct times *t = &s->report[i].total;
	double x = SVG_LEFT + slot * ((double)i + 0.5), y = SVG_BOTTOM, height;
	double wide = fmin(slot * 0.7, 70);
	char text[48];
	uint64_t value;
	size_t part;

	for (part = 0; part < NUM_PARTS; part++) {
		value = *(const uint64_t *)((const char *)t +
					    parts[part].offset);
		height = seconds(&s->setup[i], value) / top *
			 (SVG_BOTTOM - SVG_TOP);
		y -= height;
		svg_box(f, x - wide / 2, y, wide, height, parts[part].colour);
	}
	svg_text(f, x, SVG_BOTTOM + 18, SVG_MIDDLE, s->value[i]);
	snprintf(text, sizeof(text), "%.1f %%",
		 100 * model_utilisation(&s->setup[i].cfg, t->macs, t->cycles));
	svg_text(f, x, y - 6, SVG_MIDDLE, text);
}

static void draw_parts(FILE *f)
{
	double y = SVG_TOP;
	size_t i;

	/* The uppermost of the bars comes first. */
	for (i = NUM_PARTS; i-- > 0; y += LEGEND_STEP) {
		svg_box(f, LEGEND_X, y - 9, 16, 11, parts[i].colour);
		svg_text(f, LEGEND_X + 22, y, SVG_START, parts[i].name);
	}
	svg_text(f, LEGEND_X, y + 8, SVG_START, "above the bars: utilisation");
}

void plot_sweep(const struct sweep *s, FILE *f)
{
	char text[240] = "the first: ";
	const size_t len = strlen(text);
	double top = 0;
	size_t i;

	for (i = 0; i < s->count; i++)
		top = fmax(top, seconds(&s->setup[i],
					s->report[i].total.cycles));
	top = round_up(top * 1.05);
	describe(&s->setup[0], text + len, sizeof(text) - len);
	svg_begin(f, "Where the modelled time goes", text);
	draw_scale(top, f);
	for (i = 0; i < s->count; i++)
		draw_bar(s, i, top, f);
	svg_frame(f, s->key, "modelled time of the whole list");
	draw_parts(f);
	svg_end(f);
}
