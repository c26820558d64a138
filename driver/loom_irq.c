// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: Interrupts
 *
 * Vector 0 tells of events, the others of completions: queue q is on vector
 * 1 + q mod (n - 1).  With a single vector everything is on it.
 */
#include <linux/interrupt.h>
#include <linux/pci.h>

#include <drm/drm_managed.h>

#include "loom_device.h"
#include "loom_event.h"
#include "loom_irq.h"
#include "loom_ring.h"

/**
 * struct loom_irq_vector - one MSI-X vector
 */
struct loom_irq_vector {
	/** @ldev: the card */
	struct loom_device *ldev;
	/** @index: its number */
	unsigned int index;
};

/**
 * struct loom_irq - all vectors
 */
struct loom_irq {
	/** @num: vectors in use */
	unsigned int num;
	/** @vector: one each */
	struct loom_irq_vector vector[LOOM_MAX_VECTORS];
};

unsigned int loom_irq_vector(struct loom_device *ldev, unsigned int queue)
{
	unsigned int num = ldev->irq->num;

	return num > 1 ? 1 + queue % (num - 1) : 0;
}

static irqreturn_t loom_irq_queues(int irq, void *data)
{
	struct loom_irq_vector *vector = data;
	struct loom_device *ldev = vector->ldev;
	unsigned int q;

	for (q = vector->index - 1; q < ldev->hw.num_queues;
	     q += ldev->irq->num - 1)
		loom_ring_irq(ldev->rings[q]);
	return IRQ_HANDLED;
}

static irqreturn_t loom_irq_events(int irq, void *data)
{
	struct loom_irq_vector *vector = data;
	struct loom_device *ldev = vector->ldev;
	unsigned int q;

	loom_events_irq(ldev);
	for (q = 0; ldev->irq->num == 1 && q < ldev->hw.num_queues; q++)
		loom_ring_irq(ldev->rings[q]);
	return IRQ_HANDLED;
}

static int loom_irq_request(struct loom_device *ldev, unsigned int index)
{
	struct loom_irq_vector *vector = &ldev->irq->vector[index];
	struct pci_dev *pdev = to_pci_dev(ldev->drm.dev);

	vector->ldev = ldev;
	vector->index = index;
	return devm_request_irq(&pdev->dev, pci_irq_vector(pdev, index),
				index ? loom_irq_queues : loom_irq_events, 0,
				"loom", vector);
}

/* The vectors themselves are freed by pcim_enable_device()'s bookkeeping. */
int loom_irq_init(struct loom_device *ldev)
{
	struct pci_dev *pdev = to_pci_dev(ldev->drm.dev);
	unsigned int i;
	int ret;

	ldev->irq = drmm_kzalloc(&ldev->drm, sizeof(*ldev->irq), GFP_KERNEL);
	if (!ldev->irq)
		return -ENOMEM;
	ret = pci_alloc_irq_vectors(pdev, 1, min(ldev->hw.num_vectors,
						 LOOM_MAX_VECTORS),
				    PCI_IRQ_MSIX);
	if (ret < 0)
		return ret;
	ldev->irq->num = ret;
	for (i = 0; i < ldev->irq->num; i++) {
		ret = loom_irq_request(ldev, i);
		if (ret)
			return ret;
	}
	return 0;
}
