// SPDX-License-Identifier: MIT
/*
 * DOC: Modelled time
 *
 * From what an engine reports (struct loom_cost) to cycles.  Pure functions,
 * no lock.
 *
 * One command.  The front end fetches and decodes it: LOOM_T_COMMAND cycles
 * and the transfer of its bytes.  Then its engine computes while HBM and PCIe
 * stream operands through double buffers in SRAM, so that the command takes
 *
 *	front + max(engine cycles, HBM time, PCIe time)
 *
 * and what the slower of the two memories takes beyond the engine counts as
 * waiting for it.  HBM time is bytes / (channels x channel rate x 0.92): what
 * DRAMsim3 gives streams of HBM2, which is what coarse commands make.  PCIe loses LOOM_T_PCIE_PERMILLE to packet heads
 * and is full duplex.  Translation is hidden behind the streams; SRAM is as
 * fast as the engines.
 *
 * One job.  Modelled time within it starts at 0 (struct loom_window).  A
 * command starts when all before it are over; a relaxed one starts when the
 * front end has it, its engine is free, and the last FENCE or event is over.
 * HBM and PCIe serve commands in order, so overlap does not multiply their
 * bandwidth.  A command that ends later than all before it moves the job's end,
 * and the cycles of that move are charged to what the command did last: they
 * are cut from the tail of (front, engine, memory).  Hidden cycles are charged
 * to nobody.  Hence the charges of a job sum to its length.
 *
 * The card.  Its clock and its counters advance by the charges, in whichever
 * order jobs of several queues run: CYC_TOTAL and every row are sums over
 * jobs, the same for every interleaving, host and number of workers, and the
 * rows sum to the total at all times.  Jobs of different queues do not overlap
 * in modelled time; overlap of engines is had with LOOM_CMD_F_RELAXED.  With
 * timing=free nothing passes while the card has nothing to do, so CYC_IDLE
 * stays 0.
 */
#include <string.h>

#include "core_internal.h"

/* Decoding, dependency check and issue of one command. */
#define LOOM_T_COMMAND		32
/* Doorbell to ring entry: a read round trip over PCIe. */
#define LOOM_T_JOB_NS		600
/* Share of the peak rate that streams get, in thousandths. */
#define LOOM_T_HBM_PERMILLE	920
#define LOOM_T_PCIE_PERMILLE	900	/* 256 bytes in a packet of 284 */
/* Bytes per cycle through the copy engine. */
#define LOOM_T_COPY_WIDTH	1024

typedef unsigned __int128 u128;

static uint64_t clamp(u128 cycles)
{
	return cycles < LOOM_TIME_MAX ? (uint64_t)cycles : LOOM_TIME_MAX;
}

static uint64_t div_up(uint64_t a, uint64_t b)
{
	return a / b + (a % b != 0);
}

/* a * b / c, rounded up. */
static uint64_t mul_div_up(uint64_t a, uint64_t b, uint64_t c)
{
	return clamp(((u128)a * b + c - 1) / c);
}

/*
 * Weight stationary with a shadow tile: the first weights take R cycles, then
 * every tile streams M rows while the next one is loaded behind it, and the
 * last result leaves M + R + C - 2 cycles after its tile started.  One row of
 * weights is loaded per cycle.  Tiles are R of K by C of N; the strips of N of
 * all products are dealt out over the arrays, and the busiest one counts.
 */
static u128 weight_stationary(const struct loom_core_config *cfg,
			      uint64_t batch, uint64_t m, uint64_t n,
			      uint64_t k)
{
	uint64_t rows = cfg->array_rows, cols = cfg->array_cols;
	u128 strips, tiles;

	strips = (u128)batch * div_up(n, cols);
	strips = (strips + cfg->num_arrays - 1) / cfg->num_arrays;
	tiles = (u128)clamp(strips) * div_up(k, rows);
	return rows + (u128)clamp(tiles - 1) * loom_max(m, rows) +
	       m + rows + cols - 2;
}

/*
 * Output stationary with a second accumulator per cell: a tile of R of M by C
 * of N sums K steps while the one before drains through R rows; the last one
 * fills and drains by itself.  Tiles are dealt out over the arrays.
 */
static u128 output_stationary(const struct loom_core_config *cfg,
			      uint64_t batch, uint64_t m, uint64_t n,
			      uint64_t k)
{
	uint64_t rows = cfg->array_rows, cols = cfg->array_cols;
	u128 tiles = (u128)clamp((u128)div_up(m, rows) * div_up(n, cols)) *
		     batch;

	tiles = (tiles + cfg->num_arrays - 1) / cfg->num_arrays;
	return (u128)clamp(tiles - 1) * loom_max(k, rows) + k + 2 * rows +
	       cols - 2;
}

uint64_t loom_time_matmul(const struct loom_core_config *cfg, uint32_t a_type,
			  uint64_t batch, uint64_t m, uint64_t n, uint64_t k)
{
	u128 cycles;

	if (!batch || !m || !n || !k)
		return 0;
	cycles = cfg->dataflow == LOOM_DATAFLOW_OS ?
		 output_stationary(cfg, batch, m, n, k) :
		 weight_stationary(cfg, batch, m, n, k);
	if (a_type == LOOM_TYPE_F32)
		cycles = (u128)clamp(cycles) * LOOM_TIME_F32_PASSES;
	return clamp(cycles);
}

/*
 * One instruction over vector_lanes lanes per cycle.  Rows shorter than that
 * are packed side by side.  What stands outside the loops is done once per
 * row, one instruction per cycle.
 */
uint64_t loom_time_vector(const struct loom_core_config *cfg, uint64_t rows,
			  uint64_t lanes, uint32_t insns_in_loop,
			  uint32_t insns_outside)
{
	u128 passes;

	if (!rows || !lanes)
		return 0;
	if (lanes < cfg->vector_lanes)
		passes = div_up(rows, cfg->vector_lanes / lanes);
	else
		passes = (u128)rows * div_up(lanes, cfg->vector_lanes);
	return clamp((u128)clamp(passes) * insns_in_loop +
		     (u128)rows * insns_outside);
}

uint64_t loom_time_hbm(const struct loom_core_config *cfg, uint64_t bytes)
{
	return mul_div_up(bytes, cfg->clock_khz,
			  (uint64_t)cfg->hbm_channels * cfg->hbm_channel_mbps *
			  LOOM_T_HBM_PERMILLE);
}

uint64_t loom_time_pcie(const struct loom_core_config *cfg, uint64_t bytes)
{
	return mul_div_up(bytes, cfg->clock_khz,
			  (uint64_t)cfg->pcie_mbps * LOOM_T_PCIE_PERMILLE);
}

static uint64_t add_sat(uint64_t a, uint64_t b)
{
	return a + b < a ? UINT64_MAX : a + b;
}

/* Cycles of one command, apart from what it has to wait for. */
struct parts {
	uint64_t front;
	uint64_t compute;
	uint64_t hbm;
	uint64_t pcie;
	enum loom_engine engine;
};

static void parts_of(const struct loom_core_config *cfg,
		     const struct loom_step *step, struct parts *p)
{
	const struct loom_cost *c = step->cost;
	uint64_t copy = div_up(c->copy_bytes, LOOM_T_COPY_WIDTH);

	p->front = LOOM_T_COMMAND + loom_time_hbm(cfg, step->fetch_hbm) +
		   loom_time_pcie(cfg, step->fetch_pcie);
	p->engine = LOOM_ENGINE_COPY;
	p->compute = clamp(copy);
	if (c->vector_cycles > p->compute) {
		p->engine = LOOM_ENGINE_VECTOR;
		p->compute = clamp(c->vector_cycles);
	}
	if (c->array_cycles > p->compute) {
		p->engine = LOOM_ENGINE_ARRAY;
		p->compute = clamp(c->array_cycles);
	}
	p->hbm = loom_time_hbm(cfg, add_sat(c->hbm_rd, c->hbm_wr));
	p->pcie = loom_time_pcie(cfg, loom_max(c->pcie_rd, c->pcie_wr));
}

/* When a memory that is free at @*free has served @cycles from @start on. */
static uint64_t serve(uint64_t *free, uint64_t start, uint64_t cycles)
{
	if (!cycles)
		return start;
	*free = loom_max(*free, start) + cycles;
	return *free;
}

/* Take up to @cycles of @*left and charge them to @row. */
static void take(struct loom_charge *charge, unsigned int row, uint64_t cycles,
		 uint64_t *left)
{
	cycles = loom_min(cycles, *left);
	charge->row[row] += cycles;
	*left -= cycles;
}

void loom_time_job(const struct loom_core_config *cfg, uint64_t start,
		   struct loom_window *w, struct loom_span *span)
{
	uint64_t end = start + mul_div_up(LOOM_T_JOB_NS, cfg->clock_khz,
					  1000000);

	*w = (struct loom_window) { end, start, end };
	*span = (struct loom_span) {
		.begin = start, .issued = end, .start = end, .computed = end,
		.end = end, .wait = LOOM_PERF_CYC_PCIE,
	};
}

uint64_t loom_time_ready(const struct loom_window *w, bool relaxed)
{
	return loom_max(relaxed ? w->front : w->end, w->barrier);
}

void loom_time_step(const struct loom_core_config *cfg, struct loom_window *w,
		    struct loom_units *u, const struct loom_step *step,
		    struct loom_span *span)
{
	uint64_t hbm, pcie;
	struct parts p;

	parts_of(cfg, step, &p);
	span->begin = loom_time_ready(w, step->relaxed);
	span->issued = span->begin + p.front;
	span->start = span->issued;
	span->engine = p.engine;
	if (p.compute)
		span->start = loom_max(span->start, u->engine[p.engine]);
	span->computed = span->start + p.compute;
	hbm = serve(&u->hbm, span->start, p.hbm);
	pcie = serve(&u->pcie, span->start, p.pcie);
	span->wait = hbm >= pcie ? LOOM_PERF_CYC_HBM : LOOM_PERF_CYC_PCIE;
	span->end = loom_max(span->computed, loom_max(hbm, pcie));
	if (p.compute)
		u->engine[p.engine] = span->end;
	w->front = span->issued;
	w->end = loom_max(w->end, span->end);
	if (step->barrier)
		w->barrier = w->end;
}

void loom_time_charge(const struct loom_span *span, uint64_t edge,
		      struct loom_charge *charge)
{
	uint64_t left = span->end > edge ? span->end - edge : 0;

	*charge = (struct loom_charge) { { 0 } };
	charge->row[LOOM_PERF_CYC_TOTAL] = left;
	take(charge, span->wait, span->end - span->computed, &left);
	take(charge, LOOM_PERF_CYC_ARRAY + span->engine,
	     span->computed - span->start, &left);
	take(charge, LOOM_PERF_CYC_IDLE, span->start - span->issued, &left);
	take(charge, LOOM_PERF_CYC_FRONT, span->issued - span->begin, &left);
	take(charge, LOOM_PERF_CYC_IDLE, left, &left);
}

uint64_t loom_time_gemm_passes(const struct loom_core_config *cfg,
			       uint64_t a_bytes, uint64_t b_bytes)
{
	return div_up(loom_min(a_bytes, b_bytes), cfg->sram_size / 2);
}

/* Without a card ----------------------------------------------------------- */

static uint64_t saturate(u128 value)
{
	return value < UINT64_MAX ? (uint64_t)value : UINT64_MAX;
}

void loom_time_gemm_cost(const struct loom_core_config *cfg,
			 const struct loom_time_gemm *g, struct loom_cost *cost)
{
	uint64_t a = saturate((u128)g->m * g->k * g->in_size);
	uint64_t b = saturate((u128)g->k * g->n * g->in_size);
	uint64_t d = saturate((u128)g->m * g->n * g->out_size);
	uint64_t passes = loom_time_gemm_passes(cfg, a, b);
	uint64_t in = saturate((u128)loom_max(a, b) * passes +
			       loom_min(a, b));

	*cost = (struct loom_cost) {
		.array_cycles = loom_time_matmul(cfg, g->a_type, 1, g->m, g->n,
						 g->k),
		.macs = saturate((u128)saturate((u128)g->m * g->n) * g->k),
	};
	*(g->system ? &cost->pcie_rd : &cost->hbm_rd) = in;
	*(g->system ? &cost->pcie_wr : &cost->hbm_wr) = d;
}

void loom_time_command(const struct loom_core_config *cfg,
		       const struct loom_cost *cost, uint64_t fetch,
		       uint64_t row[LOOM_TIME_ROWS])
{
	struct loom_step step = { .cost = cost, .fetch_pcie = fetch };
	struct loom_window window = { 0 };
	struct loom_units units = { 0 };
	struct loom_charge charge;
	struct loom_span span;

	loom_time_step(cfg, &window, &units, &step, &span);
	loom_time_charge(&span, 0, &charge);
	memcpy(row, charge.row, sizeof(charge.row));
}

void loom_time_job_start(const struct loom_core_config *cfg,
			 uint64_t row[LOOM_TIME_ROWS])
{
	struct loom_window window;
	struct loom_charge charge;
	struct loom_span span;

	loom_time_job(cfg, 0, &window, &span);
	loom_time_charge(&span, 0, &charge);
	memcpy(row, charge.row, sizeof(charge.row));
}
