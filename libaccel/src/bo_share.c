// SPDX-License-Identifier: MIT
/* Buffer objects as others see them: labels, facts, dma-bufs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

int accel_bo_set_label(struct accel_bo *bo, const char *label)
{
	size_t len = label ? strlen(label) : 0;
	int rc;

	API_ENTER();
	if (!bo)
		return error_set(-EINVAL, NULL, "the buffer is NULL");
	if (len > ACCEL_MAX_LABEL)
		return error_set(-E2BIG, NULL,
				 "the label has %zu bytes, there can be %d", len,
				 ACCEL_MAX_LABEL);
	rc = bo->dev->ops->bo_label(bo, label, (uint32_t)len);
	if (rc)
		return rc;
	/* A queue may be explaining a fault. */
	pthread_mutex_lock(&bo->dev->lock);
	snprintf(bo->label, sizeof(bo->label), "%s", label ? label : "");
	pthread_mutex_unlock(&bo->dev->lock);
	return 0;
}

int accel_bo_query(struct accel_bo *bo, struct accel_bo_info *info)
{
	struct accel_bo_info facts = { 0 };
	int rc;

	API_ENTER();
	if (!bo)
		return error_set(-EINVAL, NULL, "the buffer is NULL");
	facts.placement = bo->placement;
	rc = bo->dev->ops->bo_query(bo, &facts);
	return rc ? rc : struct_out(info, &facts, sizeof(facts));
}

int accel_bo_export(struct accel_bo *bo, int *fd)
{
	API_ENTER();
	if (!bo || !fd)
		return error_set(-EINVAL, NULL, "the buffer or @fd is NULL");
	if (!bo->shared)
		return error_set(-EINVAL, "make it with accel_bo_create_shared()",
				 "the buffer was not made to be shared");
	return bo->dev->ops->bo_export(bo, fd);
}

/* A dma-buf tells its size when asked for its end. */
static int dma_buf_size(int fd, uint64_t *size)
{
	off_t end = lseek(fd, 0, SEEK_END);
	int err = errno;

	if (end < 0)
		return error_set(err == EBADF ? -EBADF : -EINVAL, NULL,
				 "file descriptor %d is not a dma-buf", fd);
	if (!end)
		return error_set(-EINVAL, NULL, "file descriptor %d is empty",
				 fd);
	*size = (uint64_t)end;
	return 0;
}

int accel_bo_import(struct accel_device *dev, int fd, struct accel_bo **out)
{
	struct accel_bo *bo;
	uint64_t size = 0;
	int rc;

	API_ENTER();
	if (!dev || !out)
		return error_set(-EINVAL, NULL, "the device or @out is NULL");
	rc = dma_buf_size(fd, &size);
	if (!rc)
		rc = bo_new(dev, size, &bo);
	if (rc)
		return rc;
	bo->placement = ACCEL_HOST;
	bo->shared = true;
	pthread_mutex_lock(&dev->share_lock);
	rc = dev->ops->bo_import(bo, fd);
	if (!rc)
		bo_add(bo);
	pthread_mutex_unlock(&dev->share_lock);
	if (rc) {
		bo_free(bo);
		return rc;
	}
	debug_print(dev, DEBUG_MEM, "import %llu bytes at %#llx",
		    (unsigned long long)bo->size, (unsigned long long)bo->va);
	*out = bo;
	return 0;
}
