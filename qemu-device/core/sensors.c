// SPDX-License-Identifier: MIT
/*
 * DOC: Energy, power and temperature
 *
 * All of it follows from modelled work in modelled time, in integers; nothing
 * is measured on the host.  A command costs so much energy per
 * multiply-accumulate, vector operation and byte moved, and the card so much
 * power by being on.  Power is the mean of the last modelled millisecond, kept
 * as LOOM_POWER_BUCKETS sums.  Temperature approaches
 *
 *	ambient + power x thermal resistance
 *
 * with a time constant, by one implicit Euler step per command, which is stable
 * for steps of any length.  While nothing runs no modelled time passes, so an
 * idle card does not cool; a reset cools it.
 *
 * At the trip point the card stops by itself: LOOM_STATUS_FATAL, and no queue
 * runs until the card is reset.
 *
 * Everything is protected by the core's lock.
 */
#include <string.h>

#include "core_internal.h"

#define FJ_PER_UJ	1000000000ull
#define NANO_PER_MILLI	1000000ll
/* A warning comes so far below the trip point, and again after cooling more. */
#define WARN_MC		5000u
#define REARM_MC	10000u

typedef unsigned __int128 u128;

static uint64_t clamp(u128 value)
{
	return value < UINT64_MAX ? (uint64_t)value : UINT64_MAX;
}

/* fJ that @mw spend in @cycles: 1 mW for 1/kHz is 10^9 fJ. */
static uint64_t power_to_fj(const struct loom_core *core, uint64_t mw,
			    uint64_t cycles)
{
	return clamp((u128)mw * cycles * FJ_PER_UJ / core->cfg.clock_khz);
}

static uint64_t fj_to_power(const struct loom_core *core, uint64_t fj,
			    uint64_t cycles)
{
	return cycles ? clamp((u128)fj * core->cfg.clock_khz / FJ_PER_UJ /
			      cycles) : 0;
}

static uint64_t work_fj(const struct loom_core_config *cfg,
			const struct loom_cost *c)
{
	u128 fj = (u128)c->macs * cfg->mac_fj +
		  (u128)c->vector_ops * cfg->vector_op_fj +
		  ((u128)c->hbm_rd + c->hbm_wr) * cfg->hbm_byte_fj +
		  ((u128)c->pcie_rd + c->pcie_wr) * cfg->pcie_byte_fj;

	return clamp(fj);
}

static void energy_add(struct loom_sensors *s, uint64_t fj)
{
	u128 sum = (u128)s->energy_rest + fj;

	s->energy_uj += (uint64_t)(sum / FJ_PER_UJ);
	s->energy_rest = sum % FJ_PER_UJ;
}

/* Power ------------------------------------------------------------------- */

static uint64_t bucket_cycles(const struct loom_core *core)
{
	return loom_max(core->cfg.clock_khz / LOOM_POWER_BUCKETS, 1);
}

/* Spread @fj over @cycles; what is older than the window falls out. */
static void power_add(struct loom_core *core, uint64_t cycles, uint64_t fj)
{
	struct loom_sensors *s = &core->sensors;
	uint64_t width = bucket_cycles(core), part, share;

	if (cycles > LOOM_POWER_BUCKETS * width) {
		share = clamp((u128)fj * LOOM_POWER_BUCKETS * width / cycles);
		fj = share;
		cycles = LOOM_POWER_BUCKETS * width;
	}
	while (cycles) {
		part = loom_min(cycles, width - s->filled);
		share = (uint64_t)((u128)fj * part / cycles);
		s->bucket[s->current] = clamp((u128)s->bucket[s->current] +
					      share);
		fj -= share;
		cycles -= part;
		s->filled += part;
		if (s->filled < width)
			break;
		s->filled = 0;
		s->current = (s->current + 1) % LOOM_POWER_BUCKETS;
		s->bucket[s->current] = 0;
	}
}

/* The part being filled and all whole ones: up to a millisecond. */
uint32_t loom_sensors_power(const struct loom_core *core)
{
	const struct loom_sensors *s = &core->sensors;
	uint64_t cycles = (LOOM_POWER_BUCKETS - 1) * bucket_cycles(core) +
			  s->filled;
	u128 fj = 0;
	unsigned int i;

	for (i = 0; i < LOOM_POWER_BUCKETS; i++)
		fj += s->bucket[i];
	return loom_min(fj_to_power(core, clamp(fj), cycles), UINT32_MAX);
}

/* Temperature ------------------------------------------------------------- */

/* Where it ends up at @mw, nanodegrees; far hotter than any sensor at most. */
static int64_t temp_target(const struct loom_core_config *cfg, uint64_t mw)
{
	uint64_t mc = cfg->ambient_mc +
		      loom_min(mw, UINT32_MAX) * cfg->thermal_mc_per_w / 1000;

	return (int64_t)loom_min(mc, LOOM_TEMP_MAX / NANO_PER_MILLI) *
	       NANO_PER_MILLI;
}

static void temp_step(struct loom_core *core, uint64_t cycles, uint64_t mw)
{
	int64_t *temp = &core->sensors.temp;
	u128 tau = (u128)core->cfg.thermal_tau_us * core->cfg.clock_khz / 1000;
	int64_t diff = temp_target(&core->cfg, mw) - *temp;

	*temp += (int64_t)((__int128)diff * cycles / (__int128)(tau + cycles));
}

uint32_t loom_sensors_temp(const struct loom_core *core)
{
	return core->sensors.temp / NANO_PER_MILLI;
}

static void trip(struct loom_core *core)
{
	core->status |= LOOM_STATUS_FATAL;
	loom_event_post(core, &(struct loom_event) {
		.type = LOOM_EVENT_DEVICE_FATAL, .error = LOOM_ERR_THERMAL,
		.queue = LOOM_NO_QUEUE, .context = LOOM_NO_QUEUE,
		.addr = loom_sensors_temp(core),
	});
	loom_log(core, LOOM_LOG_GUEST, "%u millidegrees: the card stops",
		 loom_sensors_temp(core));
}

/* Look whether it has become too hot. */
static void temp_judge(struct loom_core *core)
{
	struct loom_sensors *s = &core->sensors;
	uint32_t temp = loom_sensors_temp(core), crit = core->cfg.temp_crit_mc;

	if ((uint64_t)temp + REARM_MC < crit)
		s->warned = false;
	if (!s->warned && (uint64_t)temp + WARN_MC >= crit) {
		s->warned = true;
		loom_event_post(core, &(struct loom_event) {
			.type = LOOM_EVENT_THERMAL, .queue = LOOM_NO_QUEUE,
			.context = LOOM_NO_QUEUE, .addr = temp,
		});
	}
	if (temp >= crit && !(core->status & LOOM_STATUS_FATAL))
		trip(core);
}

/* Together ---------------------------------------------------------------- */

void loom_sensors_reset(struct loom_core *core)
{
	struct loom_sensors *s = &core->sensors;
	uint64_t idle = power_to_fj(core, core->cfg.static_mw,
				    bucket_cycles(core));
	unsigned int i;

	for (i = 0; i < LOOM_POWER_BUCKETS; i++)
		s->bucket[i] = idle;
	s->bucket[s->current] = power_to_fj(core, core->cfg.static_mw,
					    s->filled);
	s->temp = temp_target(&core->cfg, core->cfg.static_mw);
	s->warned = false;
}

void loom_sensors_step(struct loom_core *core, uint64_t cycles,
		       const struct loom_cost *cost)
{
	uint64_t fj = power_to_fj(core, core->cfg.static_mw, cycles);

	if (cost)
		fj = clamp((u128)fj + work_fj(&core->cfg, cost));
	energy_add(&core->sensors, fj);
	fj = clamp((u128)fj + core->sensors.carry);
	core->sensors.carry = cycles ? 0 : fj;
	if (!cycles)
		return;
	power_add(core, cycles, fj);
	temp_step(core, cycles, fj_to_power(core, fj, cycles));
	temp_judge(core);
}

void loom_sensors_trip(struct loom_core *core)
{
	core->sensors.temp = (int64_t)core->cfg.temp_crit_mc * NANO_PER_MILLI;
	temp_judge(core);
}
