// SPDX-License-Identifier: MIT
/*
 * The models of time against what others measured or simulated: every row of
 * the tables in ../shared/data/timing (or $LOOM_TIMING_DATA) about arrays and
 * memory.  The numbers come from the functions that loom-time and the card use.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loom_time.h"
#include "tap.h"

#define MAX_ROWS	256
#define MAX_COLUMNS	32

/* Tables ------------------------------------------------------------------ */

struct table {
	char *cell[MAX_ROWS][MAX_COLUMNS];
	/** @rows: with the header, which is row 0 */
	unsigned int rows;
};

/* The next field; quotes may hold commas. */
static char *next_field(char **rest)
{
	char *field = *rest, *p = field;
	bool quoted = false;

	if (!p)
		return NULL;
	for (; *p && (*p != ',' || quoted); p++)
		quoted ^= *p == '"';
	*rest = *p ? p + 1 : NULL;
	*p = '\0';
	return field;
}

static int add_row(void *opaque, char *line, unsigned int number, char *err)
{
	struct table *t = opaque;
	char *rest, *field;
	unsigned int i = 0;

	(void)number;
	(void)err;
	if (*line == '#' || !*line)
		return 0;
	EXPECT(t->rows < MAX_ROWS);
	rest = strdup(line);
	while ((field = next_field(&rest)) && i < MAX_COLUMNS)
		t->cell[t->rows][i++] = field;
	t->rows++;
	return 0;
}

static const struct table *load(const char *name)
{
	const char *dir = getenv("LOOM_TIMING_DATA");
	char path[512], err[TIME_TEXT];
	static struct table t;

	snprintf(path, sizeof(path), "%s/%s",
		 dir ? dir : "../shared/data/timing", name);
	if (access(path, R_OK))
		tap_skip("shared data is not here");
	memset(&t, 0, sizeof(t));
	if (text_lines(path, add_row, &t, err))
		tap_fail(__FILE__, __LINE__, "%s", err);
	EXPECT(t.rows > 1);
	return &t;
}

static const char *text(const struct table *t, unsigned int row,
			const char *column)
{
	unsigned int i;

	for (i = 0; i < MAX_COLUMNS && t->cell[0][i]; i++)
		if (!strcmp(t->cell[0][i], column))
			return t->cell[row][i] ? t->cell[row][i] : "";
	tap_fail(__FILE__, __LINE__, "no column %s", column);
}

static double number(const struct table *t, unsigned int row,
		     const char *column)
{
	const char *s = text(t, row, column);
	char *end;
	double value = strtod(s, &end);

	return end == s ? NAN : value;
}

static unsigned int find_row(const struct table *t, const char *name)
{
	unsigned int i;

	for (i = 1; i < t->rows; i++)
		if (!strcmp(t->cell[i][0], name))
			return i;
	tap_fail(__FILE__, __LINE__, "no row %s", name);
}

/* Errors ------------------------------------------------------------------ */

/** struct worst - the largest relative error of a table */
struct worst {
	unsigned int rows;
	double error;
	char name[64];
};

static void compare(struct worst *w, const char *name, double ours,
		    double theirs)
{
	double error = ours / theirs - 1;

	EXPECT(isfinite(error));
	w->rows++;
	if (fabs(error) < fabs(w->error))
		return;
	w->error = error;
	snprintf(w->name, sizeof(w->name), "%s", name);
}

static void conclude(const struct worst *w, const char *what, double limit)
{
	tap_note("%s: %u rows, largest error %+.2f %% (%s)", what, w->rows,
		 100 * w->error, w->rows ? w->name : "none");
	EXPECT(w->rows);
	EXPECT(fabs(w->error) <= limit);
}

/* Arrays ------------------------------------------------------------------ */

/* The array and the product of a row of scalesim_v3_per_layer.csv. */
static struct setup setup_of(const struct table *t, unsigned int row,
			     struct loom_time_gemm *g)
{
	struct setup s;
	int flow;

	setup_init(&s);
	s.cfg.num_arrays = 1;
	s.cfg.array_rows = (uint32_t)number(t, row, "R");
	s.cfg.array_cols = (uint32_t)number(t, row, "C");
	flow = name_index(dataflow_names, NUM_DATAFLOWS,
			  text(t, row, "dataflow"));
	EXPECT(flow >= 0);
	s.flow = (enum dataflow)flow;
	*g = (struct loom_time_gemm) {
		.m = (uint64_t)number(t, row, "M"),
		.n = (uint64_t)number(t, row, "N"),
		.k = (uint64_t)number(t, row, "K"),
		.a_type = LOOM_TYPE_I8, .in_size = 1, .out_size = 4,
	};
	return s;
}

/* Every row must be the same to the cycle, and its utilisation as printed. */
static void check_cycles(enum model model, const char *cycles_column,
			 const char *share_column)
{
	const struct table *t = load("scalesim_v3_per_layer.csv");
	struct worst w = { 0 };
	struct loom_time_gemm g;
	struct setup s;
	uint64_t cycles;
	unsigned int i;
	double share;

	for (i = 1; i < t->rows; i++) {
		s = setup_of(t, i, &g);
		cycles = model_array_cycles(&s.cfg, model, s.flow, &g);
		compare(&w, text(t, i, "layer"), (double)cycles,
			number(t, i, cycles_column));
		if (!share_column)
			continue;
		share = 100 * model_utilisation(&s.cfg, g.m * g.n * g.k,
						cycles);
		EXPECT(fabs(share - number(t, i, share_column)) < 6e-4);
	}
	conclude(&w, cycles_column, 0);
}

TEST(scalesim_rows_are_exact_in_its_own_form)
{
	check_cycles(MODEL_SCALESIM, "scalesim_total_cycles",
		     "scalesim_util_pct");
}

TEST(rows_are_exact_in_the_form_of_ispass_2020)
{
	check_cycles(MODEL_ISPASS, "closed_form_ispass20_with_drain", NULL);
}

TEST(rows_are_exact_with_a_shadow_tile)
{
	check_cycles(MODEL_LOOM, "loom_double_buffered_cycles",
		     "loom_double_buffered_util_pct");
}

TEST(peak_is_the_published_one)
{
	const struct table *t = load("systolic_peak_check.csv");
	struct loom_core_config cfg;
	struct worst w = { 0 };
	unsigned int i;
	double tops;

	loom_core_config_default(&cfg);
	for (i = 1; i < t->rows; i++) {
		cfg.num_arrays = (uint32_t)number(t, i, "arrays");
		cfg.array_rows = cfg.array_cols = (uint32_t)number(t, i, "dim");
		cfg.clock_khz = (uint32_t)lround(1e6 * number(t, i, "GHz"));
		tops = model_peak_ops(&cfg) * 1e-12;
		compare(&w, t->cell[i][0], tops,
			number(t, i, "published_TOPS"));
		EXPECT(fabs(tops - number(t, i, "formula_TOPS=2*n*dim^2*f")) <
		       0.06);
	}
	conclude(&w, "published_TOPS", 0.003);
}

/* HBM --------------------------------------------------------------------- */

/* DRAMsim3's HBM2_8Gb_x128 at 1 GHz, one channel; nanoseconds. */
static const struct model_hbm hbm2 = { 260, 3900, 30, 32 };

TEST(hbm_closed_form_is_within_3_percent_of_dramsim3)
{
	const struct table *t = load("hbm_closed_form_check.csv");
	struct worst w = { 0 };
	unsigned int i;
	double eff;

	for (i = 1; i < t->rows; i++) {
		eff = model_hbm_efficiency(&hbm2,
					   number(t, i, "bytes_per_activate"));
		EXPECT(fabs(eff - number(t, i, "model_eff")) < 6e-4);
		compare(&w, t->cell[i][0], eff, number(t, i, "dramsim3_eff"));
	}
	conclude(&w, "dramsim3_eff", 0.03);
}

/* What the card's own model lets HBM do, of its peak. */
static double card_hbm_share(void)
{
	const uint64_t bytes = 1ull << 40;
	struct loom_core_config cfg;
	double peak;

	loom_core_config_default(&cfg);
	peak = (double)cfg.hbm_channels * cfg.hbm_channel_mbps * 1e6 /
	       (cfg.clock_khz * 1e3);
	return (double)bytes / peak / (double)loom_time_hbm(&cfg, bytes);
}

/* Rows at least 256 bytes of which are used, in one direction. */
static bool is_stream(const struct table *t, unsigned int row)
{
	const char *trace = text(t, row, "trace");
	unsigned int bytes = 0;

	if (strcmp(t->cell[row][0], "HBM2_1ch"))
		return false;
	return !strncmp(trace, "seq_", 4) ||
	       (sscanf(trace, "rand_read_%uB", &bytes) == 1 && bytes >= 256);
}

TEST(the_cards_hbm_is_within_3_percent_of_dramsim3_for_streams)
{
	const struct table *t = load("dramsim3_hbm2_efficiency.csv");
	struct worst w = { 0 }, other = { 0 };
	unsigned int i;

	for (i = 1; i < t->rows; i++)
		compare(is_stream(t, i) ? &w : &other, text(t, i, "trace"),
			card_hbm_share(), number(t, i, "efficiency"));
	tap_note("not streams (small random reads, turnarounds, another address map): %u rows, up to %+.0f %% (%s)",
		 other.rows, 100 * other.error, other.name);
	conclude(&w, "efficiency", 0.03);
}

TEST(hbm_peaks_are_the_published_ones)
{
	const struct table *t = load("hbm_links_reference.csv");
	struct loom_core_config cfg;
	struct worst w = { 0 };
	unsigned int i;
	double peak;

	loom_core_config_default(&cfg);
	cfg.clock_khz = 1000000;	/* bytes per cycle are GB/s */
	for (i = 1; i < t->rows; i++) {
		if (strcmp(text(t, i, "kind"), "HBM"))
			continue;
		cfg.hbm_channels = (uint32_t)number(t, i,
						    "width_bits_or_links") / 64;
		cfg.hbm_channel_mbps = (uint32_t)lround(8e3 *
							number(t, i, "rate"));
		peak = 1e12 / (double)loom_time_hbm(&cfg, 1000000000000) /
		       card_hbm_share();
		compare(&w, text(t, i, "name"), peak,
			number(t, i, "peak_GBps_per_unit_one_dir"));
	}
	conclude(&w, "peak_GBps_per_unit_one_dir", 0.005);
}

/* TPUv1 ------------------------------------------------------------------- */

/*
 * The published 34 GB/s is what its counters show the memory to deliver, so the
 * channel's peak is set such that the model's 92 % of it is that.
 */
static struct loom_core_config tpu_v1(uint32_t dim)
{
	struct loom_core_config cfg;

	loom_core_config_default(&cfg);
	cfg.num_arrays = 1;
	cfg.array_rows = cfg.array_cols = dim;
	cfg.clock_khz = 700000;
	cfg.hbm_channels = 1;
	cfg.hbm_channel_mbps = 36957;
	return cfg;
}

/* Cycles until a tile of 8-bit weights is there. */
static double tile_cycles(const struct loom_core_config *cfg)
{
	return (double)loom_time_hbm(cfg, (uint64_t)cfg->array_rows *
				     cfg->array_cols);
}

/* From the counters: all cycles of the matrix unit per 256 of shifting. */
static double measured_tile(const struct table *t, const char *app)
{
	double active = number(t, find_row(t, "array_active_pct"), app);
	double stall = number(t, find_row(t, "weight_stall_pct"), app);
	double shift = number(t, find_row(t, "weight_shift_pct"), app);

	return 256 * (active + stall + shift) / shift;
}

TEST(tpu_v1_tile_time_is_within_4_percent_of_its_counters)
{
	static const char *const apps[] = { "MLP0", "MLP1", "LSTM0", "LSTM1" };
	const struct table *t = load("tpu_v1_table3.csv");
	struct loom_core_config cfg = tpu_v1(256);
	struct worst w = { 0 };
	unsigned int i;

	for (i = 0; i < sizeof(apps) / sizeof(apps[0]); i++)
		compare(&w, apps[i], tile_cycles(&cfg),
			measured_tile(t, apps[i]));
	conclude(&w, "cycles per tile, raw counters", 0.04);
	w = (struct worst) { 0 };
	t = load("tpu_v1_model_check.csv");
	for (i = 0; i < sizeof(apps) / sizeof(apps[0]); i++)
		compare(&w, apps[i], tile_cycles(&cfg),
			number(t, find_row(t, apps[i]),
			       "matrix_cycles_per_tile_from_counters"));
	tap_note("CNN0 and CNN1 do not wait for weights only; no row for them");
	cfg.hbm_channel_mbps = 34000;
	tap_note("with 34 GB/s taken as peak: %.0f cycles, %+.1f %% for MLP1",
		 tile_cycles(&cfg), 100 * (tile_cycles(&cfg) / 1303 - 1));
	conclude(&w, "matrix_cycles_per_tile_from_counters", 0.04);
}

TEST(tpu_v1_matrix_of_an_lstm_takes_what_the_paper_says)
{
	/* Microseconds for 600 x 600 weights with both sizes of array. */
	static const struct { uint32_t dim; double us; } paper[] = {
		{ 256, 18 }, { 512, 32 },
	};
	struct worst w = { 0 };
	unsigned int i, side;

	for (i = 0; i < 2; i++) {
		struct loom_core_config cfg = tpu_v1(paper[i].dim);

		side = (600 + paper[i].dim - 1) / paper[i].dim;
		compare(&w, i ? "512x512" : "256x256",
			side * side * tile_cycles(&cfg) / 700, paper[i].us);
	}
	conclude(&w, "600 x 600 weights", 0.04);
}

TEST(tpu_v1_roofline_is_above_what_was_measured)
{
	const struct table *t = load("tpu_v1_model_check.csv");
	const struct table copy = *t;
	const struct table *apps = load("tpu_v1_table1.csv");
	struct loom_core_config cfg = tpu_v1(256);
	const char *column = "roofline_TOPS=2*ops*34e9_capped_91.75";
	struct worst w = { 0 }, measured = { 0 };
	unsigned int i;
	double roof;

	for (i = 1; i < copy.rows; i++) {
		roof = 1e-12 * model_roofline(model_peak_ops(&cfg), 34e9,
			2 * number(apps, find_row(apps, copy.cell[i][0]),
				   "ops_per_weight_byte"));
		compare(&w, copy.cell[i][0], roof, number(&copy, i, column));
		compare(&measured, copy.cell[i][0], roof,
			number(&copy, i, "measured_TOPS"));
		EXPECT(roof > number(&copy, i, "measured_TOPS"));
	}
	tap_note("measured is below the roof, most of all %s: by a factor of %.2f",
		 measured.name, 1 + measured.error);
	conclude(&w, "roofline_TOPS", 0.001);
}

TAP_MAIN()
