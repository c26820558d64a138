// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: Events
 *
 * What the card reports that is not the completion of a job.  A queue that
 * stopped is taken down by its ring's recovery, which looks at completions
 * first; so an event that comes late or twice does no harm.
 *
 * Only the handler of vector 0 touches the ring: no lock.
 */
#include <linux/dma-mapping.h>

#include <drm/drm_managed.h>
#include <drm/drm_print.h>

#include "loom_device.h"
#include "loom_event.h"
#include "loom_ring.h"

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
	/** @seen: events consumed */
	u64 seen;
	/** @fatal: gives the card up, where one may sleep */
	struct work_struct fatal;
	/** @ldev: the card */
	struct loom_device *ldev;
};

static void loom_events_fatal_work(struct work_struct *work)
{
	struct loom_events *events = container_of(work, struct loom_events, fatal);

	loom_device_wedge(events->ldev, "fatal event");
}

static void loom_events_queue_error(struct loom_device *ldev,
				    const struct loom_event *event)
{
	drm_dbg(&ldev->drm, "queue %u: error %u, context %u, address %#llx\n",
		event->queue, event->error, event->context, event->addr);
	if (event->queue < ldev->hw.num_queues)
		loom_ring_recover(ldev->rings[event->queue]);
}

static void loom_events_handle(struct loom_device *ldev,
			       const struct loom_event *event)
{
	/* What was lost may be the error of any queue. */
	if (event->flags & LOOM_EVENT_F_LOST)
		loom_ring_recover_all(ldev);
	switch (event->type) {
	case LOOM_EVENT_QUEUE_ERROR:
		loom_events_queue_error(ldev, event);
		break;
	case LOOM_EVENT_DEVICE_FATAL:
		queue_work(ldev->reset_wq, &ldev->events->fatal);
		break;
	default:
		drm_dbg(&ldev->drm, "event of unknown type %u\n", event->type);
		break;
	}
}

/* The card raised vector 0. */
void loom_events_irq(struct loom_device *ldev)
{
	struct loom_events *events = ldev->events;
	struct loom_event *event;
	u64 before = events->seen;

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
	INIT_WORK(&events->fatal, loom_events_fatal_work);
	events->ring = dmam_alloc_coherent(ldev->drm.dev,
					   LOOM_EVENTS_SIZE * sizeof(*events->ring),
					   &events->dma, GFP_KERNEL);
	if (!events->ring)
		return -ENOMEM;
	ldev->events = events;
	loom_write32(ldev, LOOM_REG_EVENT_SIZE_LOG2, LOOM_EVENTS_LOG2);
	loom_write32(ldev, LOOM_REG_EVENT_HEAD, 0);
	loom_write64(ldev, LOOM_REG_EVENT_BASE, events->dma);
	return devm_add_action_or_reset(ldev->drm.dev, loom_events_stop, events);
}
