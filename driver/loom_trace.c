// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The code behind the events of loom_trace.h.
 */
#define CREATE_TRACE_POINTS
#include "loom_trace.h"
