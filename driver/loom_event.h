/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The event ring.
 */
#ifndef LOOM_EVENT_H
#define LOOM_EVENT_H

struct drm_printer;
struct loom_device;

int loom_events_init(struct loom_device *ldev);
void loom_events_print(struct loom_device *ldev, struct drm_printer *p);
void loom_events_irq(struct loom_device *ldev);
void loom_events_pre_reset(struct loom_device *ldev);
void loom_events_post_reset(struct loom_device *ldev);

#endif
