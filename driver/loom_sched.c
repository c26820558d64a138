// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: Schedulers
 *
 * A finished fence may live on in somebody's sync file, and on some kernels
 * looks into its scheduler when asked for its name.  So the schedulers of a card
 * that went away are kept until the module goes, and used again by the next
 * card; each keeps its name, which is all that old fences look at.
 *
 * Job timeouts are loom_watchdog.c's, not the schedulers'.
 */
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/slab.h>

#include <drm/drm_managed.h>

#include "loom_compat.h"
#include "loom_device.h"
#include "loom_sched.h"

/**
 * struct loom_sched - a scheduler
 */
struct loom_sched {
	/** @base: base class */
	struct drm_gpu_scheduler base;
	/** @link: in loom_sched_unused while no card has it */
	struct list_head link;
	/** @name: of @base, never changes */
	char name[24];
};

/* Schedulers of cards that are gone. */
static LIST_HEAD(loom_sched_unused);
/* Protects loom_sched_unused. */
static DEFINE_MUTEX(loom_sched_lock);

static struct loom_sched *loom_sched_reuse(const char *name)
{
	struct loom_sched *sched;

	list_for_each_entry(sched, &loom_sched_unused, link) {
		if (!strcmp(sched->name, name)) {
			list_del(&sched->link);
			return sched;
		}
	}
	return NULL;
}

static struct loom_sched *loom_sched_get(const char *what, unsigned int id)
{
	struct loom_sched *sched;
	char name[24];

	snprintf(name, sizeof(name), "loom-%s%u", what, id);
	mutex_lock(&loom_sched_lock);
	sched = loom_sched_reuse(name);
	mutex_unlock(&loom_sched_lock);
	if (sched)
		return sched;
	sched = kzalloc(sizeof(*sched), GFP_KERNEL);
	if (sched)
		strscpy(sched->name, name, sizeof(sched->name));
	return sched;
}

static void loom_sched_put(struct loom_sched *sched)
{
	mutex_lock(&loom_sched_lock);
	list_add(&sched->link, &loom_sched_unused);
	mutex_unlock(&loom_sched_lock);
}

static void loom_sched_release(struct drm_device *drm, void *data)
{
	struct loom_sched *sched = data;

	drm_sched_fini(&sched->base);
	loom_sched_put(sched);
}

/**
 * loom_sched_create() - a scheduler that lives as long as the card
 * @ldev: the card
 * @ops: what it does with jobs
 * @credits: jobs it may have in flight
 * @what: what it is for
 * @id: number of that
 *
 * Return: the scheduler, or -ENOMEM.
 */
struct drm_gpu_scheduler *
loom_sched_create(struct loom_device *ldev, const struct drm_sched_backend_ops *ops,
		  u32 credits, const char *what, unsigned int id)
{
	struct drm_sched_init_args args = {
		.ops = ops,
		.submit_wq = ldev->sched_wq,
		.timeout_wq = ldev->reset_wq,
		.num_rqs = 1,
		.credit_limit = credits,
		.timeout = MAX_SCHEDULE_TIMEOUT,
		.dev = ldev->drm.dev,
	};
	struct loom_sched *sched;
	int ret;

	sched = loom_sched_get(what, id);
	if (!sched)
		return ERR_PTR(-ENOMEM);
	args.name = sched->name;
	ret = loom_sched_init(&sched->base, &args);
	if (ret) {
		loom_sched_put(sched);
		return ERR_PTR(ret);
	}
	ret = drmm_add_action_or_reset(&ldev->drm, loom_sched_release, sched);
	return ret ? ERR_PTR(ret) : &sched->base;
}

/* The module goes. */
void loom_sched_exit(void)
{
	struct loom_sched *sched, *next;

	list_for_each_entry_safe(sched, next, &loom_sched_unused, link)
		kfree(sched);
}
