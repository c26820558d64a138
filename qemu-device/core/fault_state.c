// SPDX-License-Identifier: MIT
/*
 * DOC: Faults, memory errors and sensors in a saved state
 *
 * See state.c.  loom_core.trouble follows from what is armed and poisoned.
 */
#include <string.h>

#include "core_internal.h"

static void spec_state(struct loom_archive *a, struct loom_inject_spec *s)
{
	char why[160];

	loom_state_u32(a, &s->kind);
	loom_state_u32(a, &s->delay_ms);
	loom_state_u64(a, &s->after);
	loom_state_u64(a, &s->count);
	loom_state_u64(a, &s->chance);
	loom_state_u64(a, &s->seed);
	loom_state_u64(a, &s->queue);
	loom_state_u64(a, &s->vector);
	loom_state_u64(a, &s->addr);
	loom_state_u32(a, &s->status);
	loom_state_u32(a, &s->has_header);
	loom_state_bytes(a, s->header, sizeof(s->header));
	if (!loom_state_require(a, loom_inject_name(s->kind), "fault %u",
				s->kind))
		return;
	loom_state_require(a, s->chance && s->has_header <= 1,
			   "a fault %s with chance 0",
			   loom_inject_name(s->kind));
	loom_state_require(a, !loom_inject_check(a->core, s, why, sizeof(why)),
			   "%s", why);
}

static void armed_state(struct loom_archive *a, struct loom_armed *f)
{
	spec_state(a, &f->spec);
	loom_state_u64(a, &f->seen);
	loom_state_u64(a, &f->fired);
	loom_state_u64(a, &f->random);
	loom_state_u64(a, &f->last_seen);
	loom_state_u32(a, &f->last_queue);
	loom_state_u64(a, &f->last_addr);
	loom_state_require(a, f->fired <= f->seen && f->last_seen <= f->seen,
			   "a fault that struck more than it has seen");
}

void loom_inject_state(struct loom_archive *a)
{
	struct loom_inject *in = &a->core->inject;
	uint64_t vectors = (1ull << a->core->cfg.num_vectors) - 1;
	uint64_t later = atomic_load(&in->later);
	uint32_t n = in->num_armed, i;

	loom_state_u32(a, &n);
	if (!loom_state_require(a, n <= LOOM_INJECT_MAX, "%u faults", n))
		return;
	for (i = 0; i < n; i++)
		armed_state(a, &in->armed[i]);
	loom_state_u64(a, &later);
	loom_state_bytes(a, in->delay_ms, sizeof(in->delay_ms));
	loom_state_require(a, !(later & ~vectors), "late vectors 0x%llx",
			   (unsigned long long)later);
	if (!a->load || a->failed)
		return;
	in->num_armed = n;
	atomic_store(&in->later, later);
	loom_inject_refresh(a->core);
}

static void poison_state(struct loom_archive *a)
{
	struct loom_inject *in = &a->core->inject;
	uint32_t n = in->num_poison, i;

	loom_state_u32(a, &n);
	if (!loom_state_require(a, n <= LOOM_MAX_POISON, "%u poisoned pages", n))
		return;
	for (i = 0; i < n; i++) {
		loom_state_u64(a, &in->poison[i]);
		loom_state_require(a, in->poison[i] < a->core->cfg.hbm_size &&
				   in->poison[i] % LOOM_PAGE_SIZE == 0 &&
				   (!i || in->poison[i] > in->poison[i - 1]),
				   "poisoned page 0x%llx",
				   (unsigned long long)in->poison[i]);
	}
	if (!a->load || a->failed)
		return;
	in->num_poison = n;
	loom_inject_refresh(a->core);
}

static void sensors_state(struct loom_archive *a)
{
	struct loom_sensors *s = &a->core->sensors;
	uint64_t temp = (uint64_t)s->temp;
	unsigned int i;

	loom_state_u64(a, &s->energy_uj);
	loom_state_u64(a, &s->energy_rest);
	for (i = 0; i < LOOM_POWER_BUCKETS; i++)
		loom_state_u64(a, &s->bucket[i]);
	loom_state_u32(a, &s->current);
	loom_state_u64(a, &s->filled);
	loom_state_u64(a, &s->carry);
	loom_state_u64(a, &temp);
	loom_state_bool(a, &s->warned);
	loom_state_require(a, s->current < LOOM_POWER_BUCKETS &&
			   s->filled <= a->core->cfg.clock_khz / LOOM_POWER_BUCKETS &&
			   temp <= LOOM_TEMP_MAX,
			   "sensors: part %u of a millisecond, %llu nanodegrees",
			   s->current, (unsigned long long)temp);
	if (a->load)
		s->temp = (int64_t)temp;
	if (a->failed)
		*s = (struct loom_sensors) { 0 };
}

void loom_ras_state(struct loom_archive *a)
{
	struct loom_core *core = a->core;

	loom_state_u64(a, &core->ras.ce_count);
	loom_state_u64(a, &core->ras.ue_count);
	loom_state_u64(a, &core->ras.ce_addr);
	loom_state_u64(a, &core->ras.ue_addr);
	loom_state_u64(a, &core->hbm_window);
	loom_state_require(a, core->hbm_window < core->cfg.hbm_size &&
			   core->hbm_window % LOOM_PAGE_SIZE == 0,
			   "HBM_WINDOW is 0x%llx",
			   (unsigned long long)core->hbm_window);
	poison_state(a);
	sensors_state(a);
}

void loom_fault_forget(struct loom_core *core)
{
	core->inject.num_armed = 0;
	core->inject.num_poison = 0;
	loom_inject_refresh(core);
	core->ras = (struct loom_ras) { 0 };
	core->sensors = (struct loom_sensors) { 0 };
	loom_sensors_reset(core);
}
