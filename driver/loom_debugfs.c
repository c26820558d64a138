// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: debugfs
 *
 * /sys/kernel/debug/accel/<device>/: what the parts look like from inside, and a
 * file to reset the card with.  No interface: it may change at any time.
 */
#include <linux/debugfs.h>

#include <drm/drm_debugfs.h>
#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_print.h>

#include "loom_ctx.h"
#include "loom_debugfs.h"
#include "loom_device.h"
#include "loom_event.h"
#include "loom_pm.h"
#include "loom_reset.h"
#include "loom_ring.h"

static struct loom_device *loom_debugfs_device(struct seq_file *m)
{
	struct drm_debugfs_entry *entry = m->private;

	return to_loom_device(entry->dev);
}

static int loom_debugfs_rings(struct seq_file *m, void *unused)
{
	struct loom_device *ldev = loom_debugfs_device(m);
	struct drm_printer p = drm_seq_file_printer(m);
	unsigned int i;

	for (i = 0; i < ldev->hw.num_queues; i++)
		loom_ring_print(ldev->rings[i], &p);
	return 0;
}

static int loom_debugfs_contexts(struct seq_file *m, void *unused)
{
	struct loom_device *ldev = loom_debugfs_device(m);
	unsigned int i;

	for (i = 1; i < ldev->hw.num_contexts; i++)
		if (READ_ONCE(ldev->ctxs[i]->root))
			seq_printf(m, "context %u: root %#llx\n", i,
				   ldev->ctxs[i]->root & LOOM_CTX_ROOT_ADDR);
	return 0;
}

static int loom_debugfs_events(struct seq_file *m, void *unused)
{
	struct drm_printer p = drm_seq_file_printer(m);

	loom_events_print(loom_debugfs_device(m), &p);
	return 0;
}

static void loom_debugfs_print_slots(struct seq_file *m, const char *name,
				     struct loom_slots *slots)
{
	seq_printf(m, "%s: %u of %u taken, %d on their way back\n", name,
		   bitmap_weight(slots->taken, slots->num), slots->num,
		   atomic_read(&slots->leaving));
}

static int loom_debugfs_slots(struct seq_file *m, void *unused)
{
	struct loom_device *ldev = loom_debugfs_device(m);

	loom_debugfs_print_slots(m, "queues", &ldev->ring_slots);
	loom_debugfs_print_slots(m, "contexts", &ldev->ctx_slots);
	seq_printf(m, "jobs: %d\n", atomic_read(&ldev->num_jobs));
	return 0;
}

static const struct drm_debugfs_info loom_debugfs_files[] = {
	{ "contexts", loom_debugfs_contexts, 0 },
	{ "events", loom_debugfs_events, 0 },
	{ "rings", loom_debugfs_rings, 0 },
	{ "slots", loom_debugfs_slots, 0 },
};

/* Write anything but 0: reset the card as if a queue did not stop. */
static int loom_debugfs_reset(void *data, u64 value)
{
	struct loom_device *ldev = data;

	if (value && !loom_pm_get(ldev)) {
		loom_reset_device(ldev, loom_reset_count(ldev), "debugfs");
		loom_pm_put(ldev);
	}
	return loom_device_is_wedged(ldev) ? -EIO : 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(loom_debugfs_reset_fops, NULL, loom_debugfs_reset, "%llu\n");

/* Before the card is registered; the files go with it. */
void loom_debugfs_init(struct loom_device *ldev)
{
	drm_debugfs_add_files(&ldev->drm, loom_debugfs_files,
			      ARRAY_SIZE(loom_debugfs_files));
	debugfs_create_file_unsafe("reset", 0200, ldev->drm.debugfs_root, ldev,
				   &loom_debugfs_reset_fops);
}
