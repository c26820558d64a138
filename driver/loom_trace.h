/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * DOC: Trace events
 *
 * What the driver and the card do, for perf, ftrace and bpftrace: events/loom in
 * tracefs.  Documentation/tracing.rst describes them; they may change.
 *
 * Times are the card's, in cycles of its modelled clock.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM loom

#if !defined(LOOM_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define LOOM_TRACE_H

#include <linux/device.h>
#include <linux/tracepoint.h>

#include <loom/loom_regs.h>

/* A job is on the ring; the doorbell follows unless it leaves that to the next. */
TRACE_EVENT(loom_job_emit,
	    TP_PROTO(const struct device *dev, u32 queue, u64 job, u64 cmd_va,
		     u32 cmd_size, bool more),
	    TP_ARGS(dev, queue, job, cmd_va, cmd_size, more),
	    TP_STRUCT__entry(__string(dev, dev_name(dev))
			     __field(u32, queue)
			     __field(u64, job)
			     __field(u64, cmd_va)
			     __field(u32, cmd_size)
			     __field(bool, more)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->queue = queue;
			   __entry->job = job;
			   __entry->cmd_va = cmd_va;
			   __entry->cmd_size = cmd_size;
			   __entry->more = more;),
	    TP_printk("%s queue=%u job=%llu cmd_va=%#llx cmd_size=%u more=%d",
		      __get_str(dev), __entry->queue, __entry->job, __entry->cmd_va,
		      __entry->cmd_size, __entry->more));

/* A job is over: its fence signals.  Without times it has not run. */
TRACE_EVENT(loom_job_done,
	    TP_PROTO(const struct device *dev, u32 queue, u64 job, u64 start,
		     u64 end, int error),
	    TP_ARGS(dev, queue, job, start, end, error),
	    TP_STRUCT__entry(__string(dev, dev_name(dev))
			     __field(u32, queue)
			     __field(u64, job)
			     __field(u64, start)
			     __field(u64, end)
			     __field(int, error)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->queue = queue;
			   __entry->job = job;
			   __entry->start = start;
			   __entry->end = end;
			   __entry->error = error;),
	    TP_printk("%s queue=%u job=%llu start=%llu end=%llu error=%d",
		      __get_str(dev), __entry->queue, __entry->job, __entry->start,
		      __entry->end, __entry->error));

/* A queue takes no jobs any more: it failed, or is destroyed.  state is DRM_LOOM_QUEUE_*. */
TRACE_EVENT(loom_queue_stop,
	    TP_PROTO(const struct device *dev, u32 queue, u32 state),
	    TP_ARGS(dev, queue, state),
	    TP_STRUCT__entry(__string(dev, dev_name(dev))
			     __field(u32, queue)
			     __field(u32, state)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->queue = queue;
			   __entry->state = state;),
	    TP_printk("%s queue=%u state=%#x", __get_str(dev), __entry->queue,
		      __entry->state));

/* The card's event ring had one. */
TRACE_EVENT(loom_event,
	    TP_PROTO(const struct device *dev, const struct loom_event *event),
	    TP_ARGS(dev, event),
	    TP_STRUCT__entry(__string(dev, dev_name(dev))
			     __field(u32, type)
			     __field(u32, queue)
			     __field(u32, error)
			     __field(u64, addr)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->type = event->type;
			   __entry->queue = event->queue;
			   __entry->error = event->error;
			   __entry->addr = event->addr;),
	    TP_printk("%s type=%s queue=%d error=%u addr=%#llx", __get_str(dev),
		      __print_symbolic(__entry->type,
				       { LOOM_EVENT_QUEUE_ERROR, "queue-error" },
				       { LOOM_EVENT_DEVICE_FATAL, "fatal" },
				       { LOOM_EVENT_ECC_CORRECTED, "ecc-corrected" },
				       { LOOM_EVENT_ECC_UNCORRECTED, "ecc-uncorrected" },
				       { LOOM_EVENT_THERMAL, "thermal" }),
		      (int)__entry->queue, __entry->error, __entry->addr));

/* The card was reset, by whomever, or is given up. */
TRACE_EVENT(loom_reset,
	    TP_PROTO(const struct device *dev, u32 count, bool ok),
	    TP_ARGS(dev, count, ok),
	    TP_STRUCT__entry(__string(dev, dev_name(dev))
			     __field(u32, count)
			     __field(bool, ok)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->count = count;
			   __entry->ok = ok;),
	    TP_printk("%s count=%u ok=%d", __get_str(dev), __entry->count,
		      __entry->ok));

/* An object has changed its place; the card may copy it later. */
TRACE_EVENT(loom_bo_move,
	    TP_PROTO(const struct device *dev, u64 size, bool to_hbm, bool evict),
	    TP_ARGS(dev, size, to_hbm, evict),
	    TP_STRUCT__entry(__string(dev, dev_name(dev))
			     __field(u64, size)
			     __field(bool, to_hbm)
			     __field(bool, evict)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->size = size;
			   __entry->to_hbm = to_hbm;
			   __entry->evict = evict;),
	    TP_printk("%s size=%llu to=%s evict=%d", __get_str(dev), __entry->size,
		      __entry->to_hbm ? "hbm" : "system", __entry->evict));

/* The tree of mappings changes; the page table follows. */
TRACE_EVENT(loom_vm_bind,
	    TP_PROTO(const struct device *dev, u32 ctx, bool map, u64 va, u64 end),
	    TP_ARGS(dev, ctx, map, va, end),
	    TP_STRUCT__entry(__string(dev, dev_name(dev))
			     __field(u32, ctx)
			     __field(bool, map)
			     __field(u64, va)
			     __field(u64, end)),
	    TP_fast_assign(__assign_str(dev);
			   __entry->ctx = ctx;
			   __entry->map = map;
			   __entry->va = va;
			   __entry->end = end;),
	    TP_printk("%s ctx=%u %s va=%#llx end=%#llx", __get_str(dev),
		      __entry->ctx, __entry->map ? "map" : "unmap", __entry->va,
		      __entry->end));

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE loom_trace
#include <trace/define_trace.h>
