// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: Files
 *
 * A file owns handles of VMs and queues; GEM handles and syncobjs are the DRM
 * core's.  Closing it stops its queues on the card before it returns, so that
 * none of the client's jobs runs any more.
 */
#include <linux/slab.h>

#include "loom_device.h"
#include "loom_file.h"
#include "loom_pm.h"
#include "loom_queue.h"
#include "loom_vm.h"

static void loom_client_free(struct kref *ref)
{
	kfree(container_of(ref, struct loom_client, ref));
}

struct loom_client *loom_client_get(struct loom_client *client)
{
	kref_get(&client->ref);
	return client;
}

void loom_client_put(struct loom_client *client)
{
	kref_put(&client->ref, loom_client_free);
}

struct loom_client *loom_client_create(void)
{
	struct loom_client *client;

	client = kzalloc(sizeof(*client), GFP_KERNEL_ACCOUNT);
	if (client)
		kref_init(&client->ref);
	return client;
}

int loom_file_open(struct drm_device *drm, struct drm_file *file)
{
	struct loom_file *lfile;

	lfile = kzalloc(sizeof(*lfile), GFP_KERNEL_ACCOUNT);
	if (!lfile)
		return -ENOMEM;
	lfile->client = loom_client_create();
	if (!lfile->client) {
		kfree(lfile);
		return -ENOMEM;
	}
	xa_init_flags(&lfile->vms, XA_FLAGS_ALLOC1);
	xa_init_flags(&lfile->queues, XA_FLAGS_ALLOC1);
	file->driver_priv = lfile;
	return 0;
}

void loom_file_close(struct drm_device *drm, struct drm_file *file)
{
	struct loom_file *lfile = to_loom_file(file);
	struct loom_device *ldev = to_loom_device(drm);
	bool awake = !loom_pm_get(ldev);
	struct loom_queue *queue;
	struct loom_vm *vm;
	unsigned long i;

	xa_for_each(&lfile->queues, i, queue)
		loom_queue_close(queue);
	xa_destroy(&lfile->queues);
	xa_for_each(&lfile->vms, i, vm)
		loom_vm_close(vm);
	xa_destroy(&lfile->vms);
	if (awake)
		loom_pm_put(ldev);
	loom_client_put(lfile->client);
	kfree(lfile);
}

/* Give @object a handle.  -ENOSPC when the file has too many. */
int loom_file_add(struct xarray *handles, void *object, u32 *handle)
{
	int ret;

	ret = xa_alloc(handles, handle, object, XA_LIMIT(1, LOOM_MAX_HANDLES),
		       GFP_KERNEL_ACCOUNT);
	return ret == -EBUSY ? -ENOSPC : ret;
}
