/*
 * Loom AI accelerator: the virtual clock, and the file for Perfetto
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

/*
 * A paced card completes its jobs from a timer of the virtual clock.  With
 * -icount that clock stands still while the timer's callback runs, so the
 * callback waits for the workers and delivers interrupts itself: what the guest
 * sees does not depend on the host.
 */

#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "qemu/host-utils.h"
#include "qemu/timer.h"
#include "qapi/error.h"
#include "system/cpu-timers.h"

#include "loom.h"
#include "trace.h"

#define LOOM_MAX_TIME_SCALE     1000

/*
 * The clock in device cycles, and a timer in them
 */

uint64_t loom_op_now(void *opaque)
{
    LoomState *s = opaque;

    return muldiv64(qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL), s->cfg.clock_khz,
                    1000000 * s->time_scale);
}

/* The first nanosecond at which loom_op_now() is @cycle or more. */
static int64_t loom_deadline(LoomState *s, uint64_t cycle)
{
    unsigned __int128 ns = (unsigned __int128)cycle * 1000000 * s->time_scale;

    ns = (ns + s->cfg.clock_khz - 1) / s->cfg.clock_khz;
    return MIN(ns, INT64_MAX);
}

void loom_op_arm(void *opaque, uint64_t cycle)
{
    LoomState *s = opaque;

    trace_loom_arm(loom_id(s), cycle);
    if (cycle == UINT64_MAX) {
        timer_del(s->timer);
    } else {
        timer_mod_ns(s->timer, loom_deadline(s, cycle));
    }
}

static void loom_call_tick(LoomCall *call)
{
    loom_core_tick(call->s->core, !call->s->num_workers);
}

static void loom_tick(void *opaque)
{
    LoomState *s = opaque;
    LoomCall call = { .s = s, .function = loom_call_tick };

    trace_loom_tick(loom_id(s));
    loom_call(&call);
    loom_core_deliver(s->core);
    loom_kick(s);
}

/*
 * Trace of commands
 */

void loom_op_trace_job(void *opaque, unsigned int queue, uint64_t seq,
                       uint32_t error, uint64_t start, uint64_t end)
{
    LoomState *s = opaque;

    trace_loom_job(loom_id(s), queue, seq, error, start, end);
    if (s->trace) {
        loom_trace_file_job(s->trace, queue, seq, error, start, end);
    }
}

void loom_op_trace_command(void *opaque, const struct loom_core_trace *t)
{
    LoomState *s = opaque;

    trace_loom_command(loom_id(s), t->queue, t->context,
                       t->fetch ? "fetch" : loom_op_name(t->opcode), t->index,
                       t->begin, t->start, t->end, t->row[0]);
    if (s->trace) {
        loom_trace_file_command(s->trace, t);
    }
}

/*
 * Life
 */

static bool loom_check_choice(const char *name, const char *value,
                              const char *const *choices, uint32_t *out,
                              Error **errp)
{
    if (!value) {
        return true;
    }
    for (uint32_t i = 0; choices[i]; i++) {
        if (!strcmp(choices[i], value)) {
            *out = i;
            return true;
        }
    }
    error_setg(errp, "%s is '%s'; it must be %s or %s", name, value,
               choices[0], choices[1]);
    return false;
}

bool loom_time_check(LoomState *s, Error **errp)
{
    static const char *const timings[] = { "free", "paced", NULL };
    static const char *const dataflows[] = { "ws", "os", NULL };

    if (!loom_check_choice("timing", s->timing_name, timings, &s->cfg.timing,
                           errp) ||
        !loom_check_choice("dataflow", s->dataflow_name, dataflows,
                           &s->cfg.dataflow, errp)) {
        return false;
    }
    if (s->cfg.timing != LOOM_TIMING_FREE && icount_enabled()) {
        s->cfg.timing = LOOM_TIMING_EXACT;
    }
    if (s->time_scale < 1 || s->time_scale > LOOM_MAX_TIME_SCALE) {
        error_setg(errp, "time-scale is %u; it must be a number from 1 to %d",
                   s->time_scale, LOOM_MAX_TIME_SCALE);
        return false;
    }
    return true;
}

bool loom_time_init(LoomState *s, Error **errp)
{
    int rc;

    s->trace = NULL;
    if (s->trace_path) {
        rc = loom_trace_file_open(s->trace_path, loom_id(s), s->cfg.clock_khz,
                                  s->trace_size, &s->trace);
        if (rc) {
            error_setg_errno(errp, -rc, "cannot write trace-file '%s'",
                             s->trace_path);
            return false;
        }
    }
    s->timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, loom_tick, s);
    return true;
}

void loom_time_fini(LoomState *s)
{
    int rc = loom_trace_file_close(s->trace);

    if (rc) {
        warn_report("%s: cannot write trace-file '%s': %s", loom_id(s),
                    s->trace_path, strerror(-rc));
    }
    timer_free(s->timer);
    s->timer = NULL;
    s->trace = NULL;
}
