// SPDX-License-Identifier: MIT
/* A bar that moves on a terminal; a line per epoch elsewhere. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "train.h"

#define BAR_WIDTH	24
/* Seconds between two drawings of the bar. */
#define REDRAW		0.1

void progress_init(struct progress *p, const struct model *m, FILE *out)
{
	*p = (struct progress){
		.out = out,
		.tty = isatty(fileno(out)),
		.color = use_color(m->opt, out),
		.epochs = m->opt->epochs,
		.clock_khz = m->info.clock_khz,
	};
}

bool use_color(const struct options *opt, FILE *out)
{
	const char *no_color = getenv("NO_COLOR");

	return !opt->no_color && !(no_color && *no_color) &&
	       isatty(fileno(out));
}

void progress_head(const struct progress *p, const struct model *m,
		   const struct results *res)
{
	const struct accel_device_info *info = &m->info;

	fprintf(p->out, "card   %s, %u arrays of %u x %u at %u MHz, %u MiB of HBM\n",
		info->name, info->num_arrays, info->array_rows,
		info->array_cols, info->clock_khz / 1000,
		(unsigned int)(info->hbm_size >> 20));
	fprintf(p->out, "data   Fashion-MNIST, %u images and %u for the test\n",
		res->num_train, res->num_test);
	fprintf(p->out, "model  784-256-128-10 in %s, %u parameters, batch %u\n\n",
		m->opt->f32 ? "f32" : "bf16", m->num_params, m->opt->batch);
	fflush(p->out);
}

static void print_numbers(const struct progress *p,
			  const struct epoch_stats *s)
{
	fprintf(p->out, "loss %.4f  %7.0f images/s  modelled %.3f ms", s->loss,
		s->seconds > 0 ? s->images / s->seconds : 0,
		(double)s->cycles / p->clock_khz);
}

static void print_bar(const struct progress *p, const struct epoch_stats *s)
{
	unsigned int i, full = s->steps * BAR_WIDTH / s->total_steps;

	fprintf(p->out, "%s[", p->color ? "\033[32m" : "");
	for (i = 0; i < BAR_WIDTH; i++)
		fputc(i < full ? '#' : '.', p->out);
	fprintf(p->out, "]%s", p->color ? "\033[0m" : "");
}

static void draw(const struct progress *p, const struct epoch_stats *s)
{
	fprintf(p->out, "\repoch %*u/%u  ", p->epochs > 9 ? 2 : 1, p->epoch,
		p->epochs);
	print_bar(p, s);
	fprintf(p->out, " %3u %%  ", s->steps * 100 / s->total_steps);
	print_numbers(p, s);
	fputs("\033[K", p->out);
	fflush(p->out);
}

void progress_tick(void *opaque, const struct epoch_stats *stats)
{
	struct progress *p = opaque;
	double now = now_seconds();

	if (!p->tty || now - p->last_drawn < REDRAW)
		return;
	p->last_drawn = now;
	draw(p, stats);
}

void progress_epoch(struct progress *p, const struct epoch_stats *stats)
{
	if (p->tty) {
		draw(p, stats);
	} else {
		fprintf(p->out, "epoch %*u/%u  ", p->epochs > 9 ? 2 : 1,
			p->epoch, p->epochs);
		print_numbers(p, stats);
	}
	fputc('\n', p->out);
	fflush(p->out);
}
