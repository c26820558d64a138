// SPDX-License-Identifier: MIT
/*
 * DOC: Faults on demand
 *
 * A fault is armed with a specification (inject_parse.c).  Each kind strikes at
 * one hook; an occurrence at that hook which passes the fault's filters counts,
 * and the fault strikes those that follow the first @after of them, @count
 * times, one in @chance by its own generator.  If several could strike the same
 * occurrence the one that was armed first does.  So what happens is a function
 * of the specification and of the order of occurrences: the same seed and the
 * same commands on one queue strike at the same place, whatever the host does.
 * Without a filter for a queue that holds for one worker; several interleave.
 *
 * Locks: see inject.h.
 */
#include <stdio.h>
#include <string.h>

#include "core_internal.h"

static const enum loom_hook hook_of[LOOM_INJECT_KINDS] = {
	[LOOM_INJECT_ECC_CORRECTED] = LOOM_HOOK_READ,
	[LOOM_INJECT_ECC_UNCORRECTED] = LOOM_HOOK_READ,
	[LOOM_INJECT_POISON] = LOOM_HOOK_COMMAND,
	[LOOM_INJECT_HANG] = LOOM_HOOK_COMMAND,
	[LOOM_INJECT_RESET_STUCK] = LOOM_HOOK_QUEUE_RESET,
	[LOOM_INJECT_IRQ_LOST] = LOOM_HOOK_IRQ,
	[LOOM_INJECT_IRQ_DUPLICATE] = LOOM_HOOK_IRQ,
	[LOOM_INJECT_IRQ_LATE] = LOOM_HOOK_IRQ,
	[LOOM_INJECT_WRONG_SEQ] = LOOM_HOOK_COMPLETION,
	[LOOM_INJECT_STUCK_DOORBELL] = LOOM_HOOK_DOORBELL,
	[LOOM_INJECT_DMA_ERROR] = LOOM_HOOK_DMA,
	[LOOM_INJECT_THERMAL_TRIP] = LOOM_HOOK_COMMAND,
	[LOOM_INJECT_AER_CORRECTABLE] = LOOM_HOOK_COMMAND,
	[LOOM_INJECT_AER_NONFATAL] = LOOM_HOOK_COMMAND,
	[LOOM_INJECT_AER_FATAL] = LOOM_HOOK_COMMAND,
	[LOOM_INJECT_LINK_DOWN] = LOOM_HOOK_COMMAND,
	[LOOM_INJECT_REMOVAL] = LOOM_HOOK_COMMAND,
	[LOOM_INJECT_FLR_TIMEOUT] = LOOM_HOOK_FLR,
};

/** struct strike - what a fault that strikes needs to know */
struct strike {
	struct loom_inject_spec spec;
	/** @random: a number of its own for this strike */
	uint64_t random;
};

/* Armed faults ------------------------------------------------------------ */

void loom_inject_init(struct loom_core *core)
{
	pthread_mutex_init(&core->inject.lock, NULL);
}

void loom_inject_fini(struct loom_core *core)
{
	pthread_mutex_destroy(&core->inject.lock);
}

void loom_inject_reset(struct loom_core *core)
{
	atomic_store(&core->inject.later, 0);
}

/* SplitMix64: any seed is good, and so are seeds next to each other. */
static uint64_t next_random(struct loom_armed *f)
{
	uint64_t z = f->random += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static bool is_spent(const struct loom_armed *f)
{
	return f->spec.count && f->fired >= f->spec.count;
}

void loom_inject_refresh(struct loom_core *core)
{
	struct loom_inject *in = &core->inject;
	unsigned int i, trouble = 0;

	for (i = 0; i < in->num_armed; i++)
		if (!is_spent(&in->armed[i]))
			trouble |= 1u << hook_of[in->armed[i].spec.kind];
	if (in->num_poison)
		trouble |= 1u << LOOM_TROUBLE_POISON;
	atomic_store(&core->trouble, trouble);
}

/* The vector of the queue that a fault is meant for, as it is now. */
static bool queue_uses(const struct loom_core *core, uint64_t queue,
		       uint32_t vector)
{
	return queue < LOOM_MAX_QUEUES &&
	       core->queue[queue].state != LOOM_QUEUE_STATE_DISABLED &&
	       core->queue[queue].vector == vector;
}

static bool matches(const struct loom_core *core, const struct loom_armed *f,
		    enum loom_hook hook, const struct loom_at *at)
{
	const struct loom_inject_spec *s = &f->spec;

	if (hook_of[s->kind] != hook)
		return false;
	if (s->addr != LOOM_INJECT_ANY &&
	    hook_of[s->kind] != LOOM_HOOK_COMMAND &&
	    (s->addr < at->addr || s->addr - at->addr >= at->len))
		return false;
	if (s->vector != LOOM_INJECT_ANY && s->vector != at->vector)
		return false;
	if (s->queue == LOOM_INJECT_ANY)
		return true;
	return hook == LOOM_HOOK_IRQ ? queue_uses(core, s->queue, at->vector) :
				       s->queue == at->queue;
}

/* Count an occurrence; true if @f is to strike it. */
static bool is_due(struct loom_armed *f)
{
	if (is_spent(f) || f->seen++ < f->spec.after)
		return false;
	return f->spec.chance == 1 || next_random(f) % f->spec.chance == 0;
}

static void take_note(struct loom_armed *f, const struct loom_at *at,
		      struct strike *strike)
{
	f->fired++;
	f->last_seen = f->seen;
	f->last_queue = at->queue;
	f->last_addr = at->addr;
	strike->spec = f->spec;
	strike->random = next_random(f);
}

/* An occurrence: which fault strikes, if any? */
static enum loom_inject_kind occur(struct loom_core *core, enum loom_hook hook,
				   const struct loom_at *at,
				   struct strike *strike)
{
	struct loom_inject *in = &core->inject;
	struct loom_armed *f, *found = NULL;

	pthread_mutex_lock(&in->lock);
	for (f = in->armed; f < in->armed + in->num_armed; f++)
		if (matches(core, f, hook, at) && is_due(f) && !found)
			found = f;
	if (found) {
		take_note(found, at, strike);
		loom_inject_refresh(core);
	}
	pthread_mutex_unlock(&in->lock);
	return found ? (enum loom_inject_kind)strike->spec.kind :
		       LOOM_INJECT_NONE;
}

/* Hooks ------------------------------------------------------------------- */

/* Parks the queue until it is reset: no event has this number. */
static void hang(struct loom_exec *ex)
{
	loom_lock(ex->core);
	ex->queue->wait_event = LOOM_EVENT_NEVER;
	ex->queue->wait_value = 0;
	ex->queue->blocked = true;
	loom_unlock(ex->core);
}

static uint64_t poison_page(const struct loom_core *core,
			    const struct strike *strike)
{
	uint64_t page = strike->spec.addr;

	if (page == LOOM_INJECT_ANY)
		page = strike->random % (core->cfg.hbm_size / LOOM_PAGE_SIZE) *
		       LOOM_PAGE_SIZE;
	return page & ~(uint64_t)(LOOM_PAGE_SIZE - 1);
}

/* What a fault does to the card when it strikes, but for a hang.  Not locked. */
static void strike_card(struct loom_core *core, const struct strike *strike)
{
	switch (strike->spec.kind) {
	case LOOM_INJECT_POISON:
		loom_ras_patrol(core, poison_page(core, strike));
		break;
	case LOOM_INJECT_THERMAL_TRIP:
		loom_lock(core);
		loom_sensors_trip(core);
		loom_unlock(core);
		loom_event_flush(core);
		break;
	default:
		if (core->ops.inject)
			core->ops.inject(core->opaque, &strike->spec);
	}
}

bool loom_inject_command(struct loom_exec *ex)
{
	struct loom_at at = { .queue = ex->queue->index };
	struct strike strike;

	/* A command that waited comes here again and is the same occurrence. */
	if (ex->struck == ex->index + 1ull)
		return false;
	ex->struck = ex->index + 1ull;
	switch (occur(ex->core, LOOM_HOOK_COMMAND, &at, &strike)) {
	case LOOM_INJECT_NONE:
		return false;
	case LOOM_INJECT_HANG:
		hang(ex);
		return true;
	default:
		strike_card(ex->core, &strike);
		return false;
	}
}

enum loom_inject_kind loom_inject_irq(struct loom_core *core,
				      unsigned int vector)
{
	struct loom_at at = { .queue = LOOM_NO_QUEUE, .vector = vector };
	struct strike strike;
	enum loom_inject_kind kind = occur(core, LOOM_HOOK_IRQ, &at, &strike);

	if (kind == LOOM_INJECT_IRQ_DUPLICATE || kind == LOOM_INJECT_IRQ_LATE) {
		core->inject.delay_ms[vector] = strike.spec.delay_ms;
		atomic_fetch_or(&core->inject.later, 1ull << vector);
	}
	return kind;
}

void loom_inject_deliver(struct loom_core *core)
{
	unsigned long long later = atomic_exchange(&core->inject.later, 0);
	unsigned int vector;
	uint32_t delay;

	for (; later; later &= later - 1) {
		vector = __builtin_ctzll(later);
		loom_lock(core);
		delay = core->inject.delay_ms[vector];
		loom_unlock(core);
		if (core->ops.irq_later)
			core->ops.irq_later(core->opaque, vector, delay);
		else
			core->ops.irq(core->opaque, vector);
	}
}

void loom_inject_completion(struct loom_core *core, unsigned int queue,
			    struct loom_completion *c)
{
	struct loom_at at = { .queue = queue };
	struct strike strike;

	/* Any other number, and not that of an empty slot. */
	if (occur(core, LOOM_HOOK_COMPLETION, &at, &strike))
		do
			c->seq += strike.random | 1;
		while (!c->seq);
}

bool loom_inject_doorbell(struct loom_core *core, unsigned int queue)
{
	struct loom_at at = { .queue = queue };
	struct strike strike;

	return occur(core, LOOM_HOOK_DOORBELL, &at, &strike);
}

bool loom_inject_queue_reset(struct loom_core *core, unsigned int queue)
{
	struct loom_at at = { .queue = queue };
	struct strike strike;

	return occur(core, LOOM_HOOK_QUEUE_RESET, &at, &strike);
}

bool loom_inject_dma(struct loom_core *core, unsigned int queue, uint64_t addr,
		     size_t len)
{
	struct loom_at at = { .queue = queue, .addr = addr, .len = len };
	struct strike strike;

	return occur(core, LOOM_HOOK_DMA, &at, &strike);
}

enum loom_inject_kind loom_inject_read(struct loom_core *core,
				       unsigned int queue, uint64_t addr,
				       uint64_t len, uint64_t *where)
{
	struct loom_at at = { .queue = queue, .addr = addr, .len = len };
	struct strike strike;
	enum loom_inject_kind kind = occur(core, LOOM_HOOK_READ, &at, &strike);

	if (kind && strike.spec.addr != LOOM_INJECT_ANY)
		*where = strike.spec.addr;
	else if (kind)
		*where = addr + strike.random % len;
	return kind;
}

bool loom_core_inject_flr(struct loom_core *core, struct loom_inject_spec *spec)
{
	struct loom_at at = { .queue = LOOM_NO_QUEUE };
	struct strike strike;

	if (!loom_troubled(core, LOOM_HOOK_FLR) ||
	    !occur(core, LOOM_HOOK_FLR, &at, &strike))
		return false;
	*spec = strike.spec;
	return true;
}

/* Control ----------------------------------------------------------------- */

/* Does it strike without waiting for an occurrence? */
static bool is_immediate(const struct loom_inject_spec *s)
{
	return hook_of[s->kind] == LOOM_HOOK_COMMAND &&
	       s->kind != LOOM_INJECT_HANG && !s->after && s->chance == 1 &&
	       s->queue == LOOM_INJECT_ANY && s->count == 1;
}

const char *loom_inject_check(const struct loom_core *core,
			      const struct loom_inject_spec *s, char *buf,
			      size_t len)
{
	const char *name = loom_inject_name(s->kind);

	if (s->addr != LOOM_INJECT_ANY && s->kind != LOOM_INJECT_DMA_ERROR &&
	    s->addr >= core->cfg.hbm_size)
		snprintf(buf, len, "fault %s: addr 0x%llx is beyond the %llu MiB of HBM",
			 name, (unsigned long long)s->addr,
			 (unsigned long long)core->cfg.hbm_size >> 20);
	else if (s->queue != LOOM_INJECT_ANY &&
		 s->queue >= core->cfg.num_queues)
		snprintf(buf, len, "fault %s: the card has no queue %llu, only %u",
			 name, (unsigned long long)s->queue,
			 core->cfg.num_queues);
	else if (s->vector != LOOM_INJECT_ANY &&
		 s->vector >= core->cfg.num_vectors)
		snprintf(buf, len, "fault %s: the card has no vector %llu, only %u",
			 name, (unsigned long long)s->vector,
			 core->cfg.num_vectors);
	else
		return NULL;
	return buf;
}

/* Forget what has done its work, so that there is room for more. */
static void drop_spent(struct loom_inject *in)
{
	unsigned int i, kept = 0;

	for (i = 0; i < in->num_armed; i++)
		if (!is_spent(&in->armed[i]))
			in->armed[kept++] = in->armed[i];
	in->num_armed = kept;
}

/* False if there is no room for @n more.  loom_inject.lock is held. */
static bool make_room(struct loom_inject *in, unsigned int n)
{
	if (in->num_armed + n > LOOM_INJECT_MAX)
		drop_spent(in);
	return in->num_armed + n <= LOOM_INJECT_MAX;
}

/*
 * There is room.  True if it strikes without waiting for an occurrence; that is
 * left to the caller.  loom_inject.lock is held.
 */
static bool arm(struct loom_inject *in, const struct loom_inject_spec *spec,
		struct strike *strike)
{
	struct loom_armed *f = &in->armed[in->num_armed++];
	struct loom_at at = { .queue = LOOM_NO_QUEUE };

	*f = (struct loom_armed) {
		.spec = *spec, .random = spec->seed,
		.last_queue = LOOM_NO_QUEUE,
	};
	if (!is_immediate(spec))
		return false;
	f->seen++;
	take_note(f, &at, strike);
	return true;
}

/* All of them, or none for lack of room: NULL or what is wrong. */
static const char *arm_all(struct loom_core *core,
			   const struct loom_inject_spec *spec, unsigned int n,
			   char *buf, size_t len)
{
	struct loom_inject *in = &core->inject;
	struct strike strike[LOOM_INJECT_MAX];
	unsigned int i, strikes = 0;
	bool ok;

	pthread_mutex_lock(&in->lock);
	ok = make_room(in, n);
	for (i = 0; ok && i < n; i++)
		strikes += arm(in, &spec[i], &strike[strikes]);
	loom_inject_refresh(core);
	pthread_mutex_unlock(&in->lock);
	if (!ok) {
		snprintf(buf, len, "at most %u faults can be armed, and there is no room for %u more: clear some",
			 LOOM_INJECT_MAX, n);
		return buf;
	}
	for (i = 0; i < strikes; i++)
		strike_card(core, &strike[i]);
	return NULL;
}

/* Parse the next of a list, advance @text; NULL or what is wrong. */
static const char *parse_next(const struct loom_core *core, const char **text,
			      struct loom_inject_spec *spec, char *buf,
			      size_t len)
{
	size_t n = strcspn(*text, ";");
	const char *error;
	char one[256];

	if (n >= sizeof(one)) {
		snprintf(buf, len, "a fault of %zu characters is too long", n);
		return buf;
	}
	memcpy(one, *text, n);
	one[n] = '\0';
	*text += n;
	*text += **text == ';';
	error = loom_inject_parse(one, spec, buf, len);
	return error ? error : loom_inject_check(core, spec, buf, len);
}

const char *loom_core_inject(struct loom_core *core, const char *text,
			     char *buf, size_t len)
{
	struct loom_inject_spec spec[LOOM_INJECT_MAX];
	const char *error = NULL;
	unsigned int n = 0;

	while (*text && !error) {
		if (n == LOOM_INJECT_MAX) {
			snprintf(buf, len, "more than %u faults at once",
				 LOOM_INJECT_MAX);
			return buf;
		}
		error = parse_next(core, &text, &spec[n++], buf, len);
	}
	return error ? error : arm_all(core, spec, n, buf, len);
}

void loom_core_inject_clear(struct loom_core *core)
{
	pthread_mutex_lock(&core->inject.lock);
	core->inject.num_armed = 0;
	loom_inject_refresh(core);
	pthread_mutex_unlock(&core->inject.lock);
}

unsigned int loom_core_inject_state(struct loom_core *core,
				    struct loom_inject_state *state,
				    unsigned int max)
{
	struct loom_inject *in = &core->inject;
	unsigned int i;

	pthread_mutex_lock(&in->lock);
	for (i = 0; i < in->num_armed && i < max; i++) {
		const struct loom_armed *f = &in->armed[i];

		state[i] = (struct loom_inject_state) {
			.spec = f->spec, .seen = f->seen, .fired = f->fired,
			.last_seen = f->last_seen,
			.last_queue = f->last_queue,
			.last_addr = f->last_addr,
		};
	}
	pthread_mutex_unlock(&in->lock);
	return i;
}
