// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: Events
 *
 * What the card reports that is not the completion of a job.  A queue that
 * stopped is taken down by its ring's recovery, which looks at completions
 * first; so an event that comes late or twice does no harm.
 *
 * Locking: loom_events.lock protects the ring; the handler of vector 0 and resets
 * take it.
 */
#include <linux/dma-mapping.h>

#include <drm/drm_managed.h>
#include <drm/drm_print.h>

#include "loom_device.h"
#include "loom_event.h"
#include "loom_ras.h"
#include "loom_reset.h"
#include "loom_ring.h"
#include "loom_trace.h"

#define LOOM_EVENTS_LOG2	8
#define LOOM_EVENTS_SIZE	(1u << LOOM_EVENTS_LOG2)

/**
 * struct loom_events - the event ring
 */
struct loom_events {
	/** @ring: written by the card, devm-managed */
	struct loom_event *ring;
	/** @dma: the card's address of @ring */
	dma_addr_t dma;
	/** @lock: protects the ring and all that follows */
	spinlock_t lock;
	/** @seen: events consumed */
	u64 seen;
	/** @fatal: resets the card, where one may sleep */
	struct work_struct fatal;
	/** @thermal: temperature of the last warning, millidegrees */
	u32 thermal;
	/** @fatal_queue: queue that broke the card, or ~0 */
	u32 fatal_queue;
	/** @fatal_error: LOOM_ERR_* of it */
	u32 fatal_error;
	/** @ldev: the card */
	struct loom_device *ldev;
};

static void loom_events_fatal_work(struct work_struct *work)
{
	struct loom_events *events = container_of(work, struct loom_events, fatal);
	u32 queue = READ_ONCE(events->fatal_queue);
	struct loom_device *ldev = events->ldev;

	if (queue < ldev->hw.num_queues)
		loom_ring_fatal(ldev->rings[queue], READ_ONCE(events->fatal_error));
	else
		loom_reset_device(ldev, loom_reset_count(ldev), "fatal event");
}

static void loom_events_fatal(struct loom_device *ldev,
			      const struct loom_event *event)
{
	WRITE_ONCE(ldev->events->fatal_queue, event->queue);
	WRITE_ONCE(ldev->events->fatal_error, event->error);
	queue_work(ldev->reset_wq, &ldev->events->fatal);
}

static void loom_events_queue_error(struct loom_device *ldev,
				    const struct loom_event *event)
{
	drm_dbg(&ldev->drm, "queue %u: error %u, context %u, address %#llx\n",
		event->queue, event->error, event->context, event->addr);
	if (event->queue < ldev->hw.num_queues)
		loom_ring_recover(ldev->rings[event->queue]);
}

static void loom_events_poisoned(struct loom_device *ldev,
				 const struct loom_event *event)
{
	dev_err_ratelimited(ldev->drm.dev, "HBM %#llx: error that ECC cannot correct, the page is poisoned\n",
			    event->addr);
	loom_ras_page_failed(ldev, event->addr);
}

static void loom_events_thermal(struct loom_device *ldev,
				const struct loom_event *event)
{
	WRITE_ONCE(ldev->events->thermal, event->addr);
	dev_warn_ratelimited(ldev->drm.dev, "%llu millidegrees: the card is close to its trip point\n",
			     event->addr);
}

static void loom_events_handle(struct loom_device *ldev,
			       const struct loom_event *event)
{
	trace_loom_event(ldev->drm.dev, event);
	/* What was lost may be the error of any queue. */
	if (event->flags & LOOM_EVENT_F_LOST)
		loom_ring_recover_all(ldev);
	switch (event->type) {
	case LOOM_EVENT_QUEUE_ERROR:
		loom_events_queue_error(ldev, event);
		break;
	case LOOM_EVENT_DEVICE_FATAL:
		loom_events_fatal(ldev, event);
		break;
	case LOOM_EVENT_ECC_CORRECTED:
		drm_dbg(&ldev->drm, "HBM %#llx: corrected an error\n", event->addr);
		break;
	case LOOM_EVENT_ECC_UNCORRECTED:
		loom_events_poisoned(ldev, event);
		break;
	case LOOM_EVENT_THERMAL:
		loom_events_thermal(ldev, event);
		break;
	default:
		drm_dbg(&ldev->drm, "event of unknown type %u\n", event->type);
		break;
	}
}

static void loom_events_consume(struct loom_device *ldev)
{
	struct loom_events *events = ldev->events;
	struct loom_event *event;
	u64 before = events->seen;

	lockdep_assert_held(&events->lock);
	for (;;) {
		event = &events->ring[events->seen % LOOM_EVENTS_SIZE];
		if (READ_ONCE(event->seq) != events->seen + 1)
			break;
		dma_rmb();	/* the number before the rest */
		loom_events_handle(ldev, event);
		events->seen++;
	}
	if (events->seen != before)
		loom_write32(ldev, LOOM_REG_EVENT_HEAD, events->seen);
}

/* The card raised vector 0. */
void loom_events_irq(struct loom_device *ldev)
{
	unsigned long flags;

	spin_lock_irqsave(&ldev->events->lock, flags);
	loom_events_consume(ldev);
	spin_unlock_irqrestore(&ldev->events->lock, flags);
}

static void loom_events_start(struct loom_events *events)
{
	struct loom_device *ldev = events->ldev;
	unsigned long flags;

	spin_lock_irqsave(&events->lock, flags);
	memset(events->ring, 0, LOOM_EVENTS_SIZE * sizeof(*events->ring));
	events->seen = 0;
	loom_write32(ldev, LOOM_REG_EVENT_SIZE_LOG2, LOOM_EVENTS_LOG2);
	loom_write32(ldev, LOOM_REG_EVENT_HEAD, 0);
	loom_write64(ldev, LOOM_REG_EVENT_BASE, events->dma);
	spin_unlock_irqrestore(&events->lock, flags);
}

/* For people. */
void loom_events_print(struct loom_device *ldev, struct drm_printer *p)
{
	struct loom_events *events = ldev->events;
	unsigned long flags;
	u32 thermal;
	u64 seen;

	spin_lock_irqsave(&events->lock, flags);
	seen = events->seen;
	thermal = events->thermal;
	spin_unlock_irqrestore(&events->lock, flags);
	drm_printf(p, "%llu events since the last reset\n", seen);
	if (thermal)
		drm_printf(p, "last thermal warning at %u millidegrees\n", thermal);
}

/* Take in what the card said last. */
void loom_events_pre_reset(struct loom_device *ldev)
{
	loom_events_irq(ldev);
}

void loom_events_post_reset(struct loom_device *ldev)
{
	loom_events_start(ldev->events);
}

static void loom_events_stop(void *data)
{
	struct loom_events *events = data;

	loom_write64(events->ldev, LOOM_REG_EVENT_BASE, 0);
	cancel_work_sync(&events->fatal);
}

/* Before the interrupts, so that their handler is gone when the ring stops. */
int loom_events_init(struct loom_device *ldev)
{
	struct loom_events *events;

	events = drmm_kzalloc(&ldev->drm, sizeof(*events), GFP_KERNEL);
	if (!events)
		return -ENOMEM;
	events->ldev = ldev;
	spin_lock_init(&events->lock);
	INIT_WORK(&events->fatal, loom_events_fatal_work);
	events->ring = dmam_alloc_coherent(ldev->drm.dev,
					   LOOM_EVENTS_SIZE * sizeof(*events->ring),
					   &events->dma, GFP_KERNEL);
	if (!events->ring)
		return -ENOMEM;
	ldev->events = events;
	loom_events_start(events);
	return devm_add_action_or_reset(ldev->drm.dev, loom_events_stop, events);
}
