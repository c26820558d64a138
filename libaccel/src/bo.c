// SPDX-License-Identifier: MIT
/* Buffer objects. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static void list_add(struct accel_bo *bo)
{
	struct accel_device *dev = bo->dev;

	bo->next = dev->bos;
	if (bo->next)
		bo->next->prev = bo;
	dev->bos = bo;
}

static void list_del(struct accel_bo *bo)
{
	if (bo->prev)
		bo->prev->next = bo->next;
	else
		bo->dev->bos = bo->next;
	if (bo->next)
		bo->next->prev = bo->prev;
}

/* A page behind each object stays unmapped, to catch what runs over its end. */
static uint64_t va_size(const struct accel_bo *bo)
{
	return bo->size + LOOM_PAGE_SIZE;
}

/* Addresses of large objects are aligned so that 2 MiB pages map them. */
static int take_va(struct accel_bo *bo)
{
	struct accel_device *dev = bo->dev;
	uint64_t align = bo->size >= LOOM_HUGE_SIZE ? LOOM_HUGE_SIZE :
						      LOOM_PAGE_SIZE;
	int rc;

	pthread_mutex_lock(&dev->lock);
	rc = range_get(&dev->va, va_size(bo), align, &bo->va);
	pthread_mutex_unlock(&dev->lock);
	if (rc)
		return error_set(rc, NULL,
				 "no device addresses for %llu bytes",
				 (unsigned long long)bo->size);
	return 0;
}

static void give_va(struct accel_bo *bo)
{
	pthread_mutex_lock(&bo->dev->lock);
	range_put(&bo->dev->va, bo->va, va_size(bo));
	pthread_mutex_unlock(&bo->dev->lock);
}

int bo_new(struct accel_device *dev, uint64_t size, struct accel_bo **out)
{
	struct accel_bo *bo = calloc(1, sizeof(*bo));
	int rc;

	if (!bo)
		return error_set(-ENOMEM, NULL, "out of memory");
	bo->dev = dev;
	bo->size = (size + LOOM_PAGE_SIZE - 1) & ~(uint64_t)(LOOM_PAGE_SIZE - 1);
	rc = take_va(bo);
	if (rc)
		free(bo);
	else
		*out = bo;
	return rc;
}

void bo_free(struct accel_bo *bo)
{
	give_va(bo);
	free(bo);
}

void bo_add(struct accel_bo *bo)
{
	pthread_mutex_lock(&bo->dev->lock);
	list_add(bo);
	pthread_mutex_unlock(&bo->dev->lock);
}

static int create(struct accel_device *dev, uint64_t size,
		  enum accel_placement placement, bool shared,
		  struct accel_bo **out)
{
	struct accel_bo *bo;
	int rc;

	rc = bo_new(dev, size, &bo);
	if (rc)
		return rc;
	bo->placement = placement;
	bo->shared = shared;
	rc = dev->ops->bo_create(bo);
	if (rc) {
		bo_free(bo);
		return rc;
	}
	bo_add(bo);
	debug_print(dev, DEBUG_MEM, "create %llu bytes of %s at %#llx",
		    (unsigned long long)bo->size,
		    placement == ACCEL_HBM ? "HBM" : "system memory",
		    (unsigned long long)bo->va);
	*out = bo;
	return 0;
}

int bo_create(struct accel_device *dev, uint64_t size,
	      enum accel_placement placement, struct accel_bo **out)
{
	return create(dev, size, placement, false, out);
}

static int create_checked(struct accel_device *dev, uint64_t size,
			  enum accel_placement placement, bool shared,
			  struct accel_bo **out)
{
	if (!dev || !out)
		return error_set(-EINVAL, NULL, "the device or @out is NULL");
	if (!size || size > UINT64_MAX - LOOM_PAGE_SIZE)
		return error_set(-EINVAL, NULL, "the size is %llu",
				 (unsigned long long)size);
	if (placement != ACCEL_HBM && placement != ACCEL_HOST)
		return error_set(-EINVAL, "use ACCEL_HBM or ACCEL_HOST",
				 "placement %d is unknown", placement);
	return create(dev, size, placement, shared, out);
}

int accel_bo_create(struct accel_device *dev, uint64_t size,
		    enum accel_placement placement, struct accel_bo **out)
{
	API_ENTER();
	return create_checked(dev, size, placement, false, out);
}

int accel_bo_create_shared(struct accel_device *dev, uint64_t size,
			   enum accel_placement placement,
			   struct accel_bo **out)
{
	API_ENTER();
	return create_checked(dev, size, placement, true, out);
}

void bo_destroy(struct accel_bo *bo)
{
	struct accel_device *dev;

	if (!bo)
		return;
	dev = bo->dev;
	debug_print(dev, DEBUG_MEM, "destroy %llu bytes at %#llx",
		    (unsigned long long)bo->size, (unsigned long long)bo->va);
	pthread_mutex_lock(&dev->share_lock);
	pthread_mutex_lock(&dev->lock);
	list_del(bo);
	pthread_mutex_unlock(&dev->lock);
	dev->ops->bo_destroy(bo);
	pthread_mutex_unlock(&dev->share_lock);
	bo_free(bo);
}

void accel_bo_destroy(struct accel_bo *bo)
{
	bo_destroy(bo);
}

uint64_t accel_bo_va(const struct accel_bo *bo)
{
	return bo->va;
}

uint64_t accel_bo_size(const struct accel_bo *bo)
{
	return bo->size;
}

int bo_map(struct accel_bo *bo, void **out)
{
	int rc = 0;

	if (!bo->map)
		rc = bo->dev->ops->bo_map(bo);
	if (!rc)
		*out = bo->map;
	return rc;
}

int accel_bo_map(struct accel_bo *bo, void **out)
{
	API_ENTER();
	if (!bo || !out)
		return error_set(-EINVAL, NULL, "the buffer or @out is NULL");
	return bo_map(bo, out);
}

/* CPU address of [offset, offset + len) in *@at. */
static int map_range(struct accel_bo *bo, uint64_t offset, const void *data,
		     uint64_t len, char **at)
{
	void *map;
	int rc;

	if (!bo || (len && !data))
		return error_set(-EINVAL, NULL, "the buffer or @data is NULL");
	if (offset > bo->size || len > bo->size - offset)
		return error_set(-ERANGE, NULL,
				 "%llu bytes at offset %llu exceed the buffer of %llu bytes",
				 (unsigned long long)len,
				 (unsigned long long)offset,
				 (unsigned long long)bo->size);
	rc = bo_map(bo, &map);
	if (!rc)
		*at = (char *)map + offset;
	return rc;
}

int accel_bo_write(struct accel_bo *bo, uint64_t offset, const void *data,
		   uint64_t len)
{
	char *at;
	int rc;

	API_ENTER();
	rc = map_range(bo, offset, data, len, &at);
	if (!rc && len)
		memcpy(at, data, len);
	return rc;
}

int accel_bo_read(struct accel_bo *bo, uint64_t offset, void *data,
		  uint64_t len)
{
	char *at;
	int rc;

	API_ENTER();
	rc = map_range(bo, offset, data, len, &at);
	if (!rc && len)
		memcpy(data, at, len);
	return rc;
}
