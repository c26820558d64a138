/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What belongs to the module and not to a card.
 */
#ifndef LOOM_DRV_H
#define LOOM_DRV_H

struct workqueue_struct;

/* Ends of VMs and queues; outlives every card. */
extern struct workqueue_struct *loom_release_wq;

#endif
