/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Interrupts.
 */
#ifndef LOOM_IRQ_H
#define LOOM_IRQ_H

struct loom_device;

int loom_irq_init(struct loom_device *ldev);
unsigned int loom_irq_vector(struct loom_device *ldev, unsigned int queue);

#endif
