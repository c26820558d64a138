// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: Objects in user memory
 *
 * Structs of the interface grow at their end.  A caller's longer struct is
 * accepted if what we do not know is zero; a caller's longer buffer is filled
 * with zeros.
 */
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <drm/loom_accel.h>

#include "loom_uobj.h"

/* -EINVAL unless @array is well-formed and has @min to @max objects of @size. */
int loom_uobj_check(const struct drm_loom_obj_array *array, size_t size,
		    u32 min, u32 max)
{
	if (array->count < min || array->count > max)
		return -EINVAL;
	if (array->count && (array->stride < size || array->stride > PAGE_SIZE))
		return -EINVAL;
	return 0;
}

/* Copy object @i of a checked array in.  -EFAULT or -E2BIG. */
int loom_uobj_read(void *object, size_t size,
		   const struct drm_loom_obj_array *array, u32 i)
{
	u64 from = array->array + (u64)i * array->stride;

	return copy_struct_from_user(object, size, u64_to_user_ptr(from),
				     array->stride);
}

static int loom_uobj_copy(void *objects, const struct drm_loom_obj_array *array,
			  size_t size)
{
	int ret = 0;
	u32 i;

	for (i = 0; !ret && i < array->count; i++)
		ret = loom_uobj_read(objects + i * size, size, array, i);
	return ret;
}

/**
 * loom_uobj_get() - copy an array in
 * @array: the array as user space describes it
 * @size: bytes of one object
 * @min: fewest objects accepted
 * @max: most objects accepted
 *
 * Return: a copy for kvfree(), NULL if there are none, or -EINVAL, -E2BIG,
 * -EFAULT, -ENOMEM.
 */
void *loom_uobj_get(const struct drm_loom_obj_array *array, size_t size,
		    u32 min, u32 max)
{
	void *objects;
	int ret;

	ret = loom_uobj_check(array, size, min, max);
	if (ret)
		return ERR_PTR(ret);
	if (!array->count)
		return NULL;
	objects = kvcalloc(array->count, size, GFP_KERNEL_ACCOUNT);
	if (!objects)
		return ERR_PTR(-ENOMEM);
	ret = loom_uobj_copy(objects, array, size);
	if (ret) {
		kvfree(objects);
		return ERR_PTR(ret);
	}
	return objects;
}

/* Copy @object out to @user, cut or filled to @user_size. */
int loom_uobj_put(u64 user, u32 user_size, const void *object, u32 size)
{
	void __user *to = u64_to_user_ptr(user);
	u32 n = min(user_size, size);

	if (copy_to_user(to, object, n) || clear_user(to + n, user_size - n))
		return -EFAULT;
	return 0;
}
