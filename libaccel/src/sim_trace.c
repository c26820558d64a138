// SPDX-License-Identifier: MIT
/*
 * $ACCEL_TRACE: what a "sim:" card does, as a file for Perfetto.
 *
 * The first card of a process writes to that file, further ones add .1, .2, ...
 * to its name.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tracefile.h>

#include "sim.h"

#define TRACE_MAX	(UINT64_C(256) << 20)

int sim_trace_open(struct sim *sim, uint32_t clock_khz)
{
	static atomic_uint cards;
	const char *path = getenv("ACCEL_TRACE");
	unsigned int number;
	char name[4096];
	int rc;

	if (!path || !*path)
		return 0;
	number = atomic_fetch_add(&cards, 1);
	if (number)
		snprintf(name, sizeof(name), "%s.%u", path, number);
	else
		snprintf(name, sizeof(name), "%s", path);
	rc = loom_trace_file_open(name, "sim:", clock_khz, TRACE_MAX,
				  &sim->trace);
	if (rc)
		return error_set(rc, "unset ACCEL_TRACE, or set it to a file",
				 "ACCEL_TRACE: cannot write %s: %s", name,
				 strerror(-rc));
	return 0;
}

void sim_trace_close(struct sim *sim)
{
	int rc = loom_trace_file_close(sim->trace);

	if (rc)
		debug_print(&sim->dev, DEBUG_SIM, "ACCEL_TRACE: %s",
			    strerror(-rc));
	sim->trace = NULL;
}

void sim_trace_job(void *opaque, unsigned int queue, uint64_t seq,
		   uint32_t error, uint64_t start, uint64_t end)
{
	struct sim *sim = opaque;

	if (sim->trace)
		loom_trace_file_job(sim->trace, queue, seq, error, start, end);
}

void sim_trace_command(void *opaque, const struct loom_core_trace *t)
{
	struct sim *sim = opaque;

	if (sim->trace)
		loom_trace_file_command(sim->trace, t);
}
