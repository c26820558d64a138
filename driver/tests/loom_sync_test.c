// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Arrays from user space and sync operations: what is refused, what is taken
 * and given back, what is waited for and signalled.  Syncobjs, chain links and
 * user memory are the test's own, so the same suite runs on the host.
 */
#include <linux/dma-fence-chain.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <drm/drm_file.h>
#include <drm/drm_syncobj.h>
#include <drm/gpu_scheduler.h>

#include <drm/loom_accel.h>

#include "loom_suites.h"

#define FAKE_SYNCOBJS	4

/**
 * struct fake_event - what was done with a syncobj
 */
struct fake_event {
	/** @handle: of the syncobj */
	u32 handle;
	/** @point: of a timeline, else 0 */
	u64 point;
	/** @fence: what was put there, or waited for */
	struct dma_fence *fence;
};

/**
 * struct fake_sync - a file with syncobjs of handles 1 to FAKE_SYNCOBJS
 */
static struct fake_sync {
	/** @syncobj: all there are */
	struct drm_syncobj syncobj[FAKE_SYNCOBJS];
	/** @refs: references taken of each */
	int refs[FAKE_SYNCOBJS];
	/** @has_fence: there is something to wait for */
	bool has_fence[FAKE_SYNCOBJS];
	/** @over: what is waited for has happened */
	bool over;
	/** @fence_refs: references taken of fake_fence */
	int fence_refs;
	/** @chains: links that are allocated */
	int chains;
	/** @no_memory: no more links */
	bool no_memory;
	/** @signal: what was signalled */
	struct fake_event signal[8];
	/** @num_signals: number of @signal */
	u32 num_signals;
	/** @wait: what the job waits for */
	struct fake_event wait[8];
	/** @num_waits: number of @wait */
	u32 num_waits;
} fake;

static struct dma_fence fake_fence;

static u32 fake_handle(const struct drm_syncobj *syncobj)
{
	return syncobj - fake.syncobj + 1;
}

static struct drm_syncobj *fake_syncobj_find(struct drm_file *file, u32 handle)
{
	if (!handle || handle > FAKE_SYNCOBJS)
		return NULL;
	fake.refs[handle - 1]++;
	return &fake.syncobj[handle - 1];
}

static void fake_syncobj_put(struct drm_syncobj *syncobj)
{
	fake.refs[fake_handle(syncobj) - 1]--;
}

static int fake_syncobj_find_fence(struct drm_file *file, u32 handle, u64 point,
				   u64 flags, struct dma_fence **fence)
{
	if (!handle || handle > FAKE_SYNCOBJS)
		return -ENOENT;
	if (!fake.has_fence[handle - 1])
		return -EINVAL;
	fake.wait[fake.num_waits] = (struct fake_event) {
		handle, point, &fake_fence,
	};
	fake.fence_refs++;
	*fence = &fake_fence;
	return 0;
}

static bool fake_is_signaled(struct dma_fence *fence)
{
	return fake.over;
}

static void fake_fence_put(struct dma_fence *fence)
{
	fake.fence_refs--;
}

static int fake_add_dependency(struct drm_sched_job *job, struct dma_fence *fence)
{
	fake.num_waits += fence == &fake_fence;
	fake_fence_put(fence);
	return 0;
}

static void fake_replace_fence(struct drm_syncobj *syncobj,
			       struct dma_fence *fence)
{
	fake.signal[fake.num_signals++] = (struct fake_event) {
		fake_handle(syncobj), 0, fence,
	};
}

static struct dma_fence_chain *fake_chain_alloc(void)
{
	if (fake.no_memory)
		return NULL;
	fake.chains++;
	return kzalloc(sizeof(struct dma_fence_chain), GFP_KERNEL);
}

static void fake_chain_free(struct dma_fence_chain *chain)
{
	if (!chain)
		return;
	fake.chains--;
	kfree(chain);
}

static void fake_add_point(struct drm_syncobj *syncobj,
			   struct dma_fence_chain *chain,
			   struct dma_fence *fence, u64 point)
{
	fake_replace_fence(syncobj, fence);
	fake.signal[fake.num_signals - 1].point = point;
	fake_chain_free(chain);
}

static int fake_copy_struct_from_user(void *to, size_t size, const void __user *user,
				      size_t user_size)
{
	const u8 *from = (const u8 __force *)user;
	size_t i;

	for (i = size; i < user_size; i++)
		if (from[i])
			return -E2BIG;
	memcpy(to, from, min(size, user_size));
	return 0;
}

static unsigned long fake_copy_to_user(void __user *to, const void *from,
				       unsigned long size)
{
	memcpy((void __force *)to, from, size);
	return 0;
}

static unsigned long fake_clear_user(void __user *to, unsigned long size)
{
	memset((void __force *)to, 0, size);
	return 0;
}

/* A macro already in some kernels. */
#undef dma_fence_chain_alloc

#define drm_syncobj_find		fake_syncobj_find
#define drm_syncobj_put			fake_syncobj_put
#define drm_syncobj_find_fence		fake_syncobj_find_fence
#define drm_syncobj_replace_fence	fake_replace_fence
#define drm_syncobj_add_point		fake_add_point
#define dma_fence_is_signaled		fake_is_signaled
#define dma_fence_put			fake_fence_put
#define drm_sched_job_add_dependency	fake_add_dependency
#define dma_fence_chain_alloc		fake_chain_alloc
#define dma_fence_chain_free		fake_chain_free
#define copy_struct_from_user		fake_copy_struct_from_user
#define copy_to_user			fake_copy_to_user
#define clear_user			fake_clear_user

#include "../loom_uobj.c"
#include "../loom_sync.c"

static struct drm_file file;
static struct drm_sched_job job;

static int sync_test_init(struct kunit *test)
{
	memset(&fake, 0, sizeof(fake));
	return 0;
}

static struct drm_loom_obj_array array_of(const void *objects, u32 stride,
					  u32 count)
{
	return (struct drm_loom_obj_array) {
		.stride = stride,
		.count = count,
		.array = (uintptr_t)objects,
	};
}

static int take(struct loom_sync_list *list, const struct drm_loom_sync_op *op,
		u32 count)
{
	struct drm_loom_obj_array array = array_of(op, sizeof(*op), count);

	return loom_sync_list_init(list, &file, &array);
}

static int take_one(u32 flags, u32 handle, u64 value)
{
	const struct drm_loom_sync_op op = { flags, handle, value };
	struct loom_sync_list list;
	int ret = take(&list, &op, 1);

	loom_sync_list_fini(&list);
	return ret;
}

static bool nothing_is_held(void)
{
	int i, refs = 0;

	for (i = 0; i < FAKE_SYNCOBJS; i++)
		refs += !!fake.refs[i];
	return !refs && !fake.fence_refs && !fake.chains;
}

/* Does a wait of (flags, handle, point) rely on a signal earlier in the batch? */
static bool is_covered(const struct drm_loom_sync_op *signal, u32 flags,
		       u32 handle, u64 point)
{
	const struct drm_loom_sync_op op = { flags, handle, point };
	struct loom_sync_list earlier, list;
	u32 waits = fake.num_waits;

	fake.has_fence[handle - 1] = true;
	take(&earlier, signal, 1);
	take(&list, &op, 1);
	loom_sync_list_add_deps(&list, &earlier, 1, &file, &job);
	loom_sync_list_fini(&list);
	loom_sync_list_fini(&earlier);
	return fake.num_waits == waits;
}

static void an_array_has_limits(struct kunit *test)
{
	struct drm_loom_obj_array array = array_of(NULL, 16, 3);

	KUNIT_EXPECT_EQ(test, loom_uobj_check(&array, 16, 1, 3), 0);
	KUNIT_EXPECT_EQ(test, loom_uobj_check(&array, 16, 4, 5), -EINVAL);
	KUNIT_EXPECT_EQ(test, loom_uobj_check(&array, 16, 0, 2), -EINVAL);
	array.count = ~0u;
	KUNIT_EXPECT_EQ(test, loom_uobj_check(&array, 16, 0, 2), -EINVAL);
}

static void a_stride_has_limits(struct kunit *test)
{
	struct drm_loom_obj_array array = array_of(NULL, 15, 1);

	KUNIT_EXPECT_EQ(test, loom_uobj_check(&array, 16, 0, 1), -EINVAL);
	array.stride = PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, loom_uobj_check(&array, 16, 0, 1), 0);
	array.stride = PAGE_SIZE + 1;
	KUNIT_EXPECT_EQ(test, loom_uobj_check(&array, 16, 0, 1), -EINVAL);
	array.count = 0;	/* then it does not matter */
	KUNIT_EXPECT_EQ(test, loom_uobj_check(&array, 16, 0, 1), 0);
}

static void longer_objects_are_taken_if_their_tails_are_zero(struct kunit *test)
{
	u64 user[] = { 1, 0, 2, 0, 3, 0 };
	struct drm_loom_obj_array array = array_of(user, 16, 3);
	u64 *copy = loom_uobj_get(&array, sizeof(*copy), 0, 3);

	KUNIT_ASSERT_EQ(test, IS_ERR(copy), false);
	KUNIT_EXPECT_EQ(test, copy[0], 1ull);
	KUNIT_EXPECT_EQ(test, copy[1], 2ull);
	KUNIT_EXPECT_EQ(test, copy[2], 3ull);
	kvfree(copy);
	user[3] = 1;
	KUNIT_EXPECT_EQ(test, PTR_ERR(loom_uobj_get(&array, 8, 0, 3)), -E2BIG);
}

static void an_empty_array_is_no_copy(struct kunit *test)
{
	struct drm_loom_obj_array array = array_of(NULL, 0, 0);

	KUNIT_EXPECT_PTR_EQ(test, loom_uobj_get(&array, 8, 0, 1), NULL);
}

static void an_answer_is_cut_or_filled(struct kunit *test)
{
	u8 user[6] = { 9, 9, 9, 9, 9, 9 };
	const u8 answer[4] = { 1, 2, 3, 4 };

	KUNIT_EXPECT_EQ(test, loom_uobj_put((uintptr_t)user, 2, answer, 4), 0);
	KUNIT_EXPECT_EQ(test, user[1], 2);
	KUNIT_EXPECT_EQ(test, user[2], 9);
	KUNIT_EXPECT_EQ(test, loom_uobj_put((uintptr_t)user, 5, answer, 4), 0);
	KUNIT_EXPECT_EQ(test, user[3], 4);
	KUNIT_EXPECT_EQ(test, user[4], 0);
	KUNIT_EXPECT_EQ(test, user[5], 9);
}

static void unknown_flags_are_refused(struct kunit *test)
{
	u32 bit;

	for (bit = 2; bit < 32; bit++)
		KUNIT_EXPECT_EQ(test, take_one(1u << bit, 1, 0), -EINVAL);
}

static void a_point_belongs_to_a_timeline_only(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, take_one(DRM_LOOM_SYNC_WAIT, 1, 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, take_one(DRM_LOOM_SYNC_SIGNAL, 1, 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, take_one(DRM_LOOM_SYNC_TIMELINE, 1, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, take_one(DRM_LOOM_SYNC_TIMELINE, 1, 1), 0);
	KUNIT_EXPECT_TRUE(test, nothing_is_held());
}

static void too_many_operations_are_refused(struct kunit *test)
{
	struct drm_loom_obj_array array = array_of(NULL, 16, LOOM_MAX_SYNCS + 1);
	struct loom_sync_list list;

	KUNIT_EXPECT_EQ(test, loom_sync_list_init(&list, &file, &array), -EINVAL);
	KUNIT_EXPECT_EQ(test, list.count, 0u);
}

static void a_signal_needs_its_syncobj_at_once(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, take_one(DRM_LOOM_SYNC_SIGNAL, 99, 0), -ENOENT);
	KUNIT_EXPECT_EQ(test, take_one(DRM_LOOM_SYNC_SIGNAL, 0, 0), -ENOENT);
	KUNIT_EXPECT_EQ(test, take_one(DRM_LOOM_SYNC_SIGNAL, FAKE_SYNCOBJS, 0), 0);
}

static void a_bad_operation_gives_back_those_before_it(struct kunit *test)
{
	const struct drm_loom_sync_op op[] = {
		{ DRM_LOOM_SYNC_SIGNAL, 1, 0 },
		{ DRM_LOOM_SYNC_SIGNAL | DRM_LOOM_SYNC_TIMELINE, 2, 7 },
		{ DRM_LOOM_SYNC_SIGNAL, 99, 0 },
	};
	struct loom_sync_list list;

	KUNIT_EXPECT_EQ(test, take(&list, op, 3), -ENOENT);
	KUNIT_EXPECT_EQ(test, list.count, 0u);
	KUNIT_EXPECT_PTR_EQ(test, list.sync, NULL);
	KUNIT_EXPECT_TRUE(test, nothing_is_held());
}

static void no_memory_for_a_link_gives_the_syncobj_back(struct kunit *test)
{
	fake.no_memory = true;
	KUNIT_EXPECT_EQ(test, take_one(DRM_LOOM_SYNC_SIGNAL | DRM_LOOM_SYNC_TIMELINE,
				       1, 1), -ENOMEM);
	KUNIT_EXPECT_TRUE(test, nothing_is_held());
}

static void a_wait_becomes_a_dependency(struct kunit *test)
{
	const struct drm_loom_sync_op op[] = {
		{ DRM_LOOM_SYNC_WAIT, 1, 0 },
		{ DRM_LOOM_SYNC_TIMELINE, 2, 41 },
		{ DRM_LOOM_SYNC_SIGNAL, 3, 0 },
	};
	struct loom_sync_list list;

	fake.has_fence[0] = true;
	fake.has_fence[1] = true;
	KUNIT_ASSERT_EQ(test, take(&list, op, 3), 0);
	KUNIT_EXPECT_EQ(test, loom_sync_list_add_deps(&list, NULL, 0, &file, &job), 0);
	KUNIT_EXPECT_EQ(test, fake.num_waits, 2u);
	KUNIT_EXPECT_EQ(test, fake.wait[0].handle, 1u);
	KUNIT_EXPECT_EQ(test, fake.wait[1].point, 41ull);
	loom_sync_list_fini(&list);
	KUNIT_EXPECT_TRUE(test, nothing_is_held());
}

static void a_wait_for_what_may_never_come_is_refused(struct kunit *test)
{
	const struct drm_loom_sync_op empty = { DRM_LOOM_SYNC_WAIT, 1, 0 };
	const struct drm_loom_sync_op unknown = { DRM_LOOM_SYNC_WAIT, 99, 0 };
	struct loom_sync_list list;

	KUNIT_ASSERT_EQ(test, take(&list, &empty, 1), 0);
	KUNIT_EXPECT_EQ(test, loom_sync_list_add_deps(&list, NULL, 0, &file, &job),
			-EINVAL);
	loom_sync_list_fini(&list);
	KUNIT_ASSERT_EQ(test, take(&list, &unknown, 1), 0);
	KUNIT_EXPECT_EQ(test, loom_sync_list_add_deps(&list, NULL, 0, &file, &job),
			-ENOENT);
	loom_sync_list_fini(&list);
}

static void a_list_is_ready_when_all_it_waits_for_is_over(struct kunit *test)
{
	const struct drm_loom_sync_op op[] = {
		{ DRM_LOOM_SYNC_SIGNAL, 1, 0 },
		{ DRM_LOOM_SYNC_WAIT, 2, 0 },
	};
	struct loom_sync_list earlier, list;

	KUNIT_ASSERT_EQ(test, take(&list, op, 2), 0);
	KUNIT_EXPECT_FALSE(test, loom_sync_list_is_ready(&list, NULL, 0, &file));
	fake.has_fence[1] = true;
	KUNIT_EXPECT_FALSE(test, loom_sync_list_is_ready(&list, NULL, 0, &file));
	fake.over = true;
	KUNIT_EXPECT_TRUE(test, loom_sync_list_is_ready(&list, NULL, 0, &file));
	loom_sync_list_fini(&list);
	/* One that the batch itself signals is over when its turn comes. */
	fake.over = false;
	KUNIT_ASSERT_EQ(test, take(&earlier, op, 1), 0);
	KUNIT_ASSERT_EQ(test, take(&list, &(const struct drm_loom_sync_op) {
			DRM_LOOM_SYNC_WAIT, 1, 0 }, 1), 0);
	KUNIT_EXPECT_TRUE(test, loom_sync_list_is_ready(&list, &earlier, 1, &file));
	loom_sync_list_fini(&list);
	loom_sync_list_fini(&earlier);
	KUNIT_EXPECT_TRUE(test, nothing_is_held());
}

static void an_earlier_signal_of_the_batch_covers_a_wait(struct kunit *test)
{
	const struct drm_loom_sync_op binary = { DRM_LOOM_SYNC_SIGNAL, 1, 0 };
	const struct drm_loom_sync_op point = {
		DRM_LOOM_SYNC_SIGNAL | DRM_LOOM_SYNC_TIMELINE, 1, 5,
	};

	KUNIT_EXPECT_TRUE(test, is_covered(&binary, DRM_LOOM_SYNC_WAIT, 1, 0));
	KUNIT_EXPECT_TRUE(test, is_covered(&point, DRM_LOOM_SYNC_TIMELINE, 1, 5));
	KUNIT_EXPECT_TRUE(test, is_covered(&point, DRM_LOOM_SYNC_TIMELINE, 1, 4));
}

static void nothing_else_covers_a_wait(struct kunit *test)
{
	const struct drm_loom_sync_op binary = { DRM_LOOM_SYNC_SIGNAL, 1, 0 };
	const struct drm_loom_sync_op wait = { DRM_LOOM_SYNC_WAIT, 1, 0 };
	const struct drm_loom_sync_op point = {
		DRM_LOOM_SYNC_SIGNAL | DRM_LOOM_SYNC_TIMELINE, 1, 5,
	};

	KUNIT_EXPECT_FALSE(test, is_covered(&binary, DRM_LOOM_SYNC_WAIT, 2, 0));
	KUNIT_EXPECT_FALSE(test, is_covered(&binary, DRM_LOOM_SYNC_TIMELINE, 1, 1));
	KUNIT_EXPECT_FALSE(test, is_covered(&point, DRM_LOOM_SYNC_TIMELINE, 1, 6));
	KUNIT_EXPECT_FALSE(test, is_covered(&point, DRM_LOOM_SYNC_WAIT, 1, 0));
	KUNIT_EXPECT_FALSE(test, is_covered(&wait, DRM_LOOM_SYNC_WAIT, 1, 0));
}

static void signals_go_to_their_syncobjs_and_points(struct kunit *test)
{
	const struct drm_loom_sync_op op[] = {
		{ DRM_LOOM_SYNC_SIGNAL, 1, 0 },
		{ DRM_LOOM_SYNC_WAIT, 2, 0 },
		{ DRM_LOOM_SYNC_SIGNAL | DRM_LOOM_SYNC_TIMELINE, 3, 1ull << 40 },
	};
	struct loom_sync_list list;

	KUNIT_ASSERT_EQ(test, take(&list, op, 3), 0);
	KUNIT_EXPECT_TRUE(test, loom_sync_list_has_signal(&list));
	loom_sync_list_signal(&list, &fake_fence);
	KUNIT_EXPECT_EQ(test, fake.num_signals, 2u);
	KUNIT_EXPECT_EQ(test, fake.signal[0].handle, 1u);
	KUNIT_EXPECT_EQ(test, fake.signal[1].handle, 3u);
	KUNIT_EXPECT_EQ(test, fake.signal[1].point, 1ull << 40);
	KUNIT_EXPECT_PTR_EQ(test, fake.signal[1].fence, &fake_fence);
	loom_sync_list_fini(&list);
	KUNIT_EXPECT_TRUE(test, nothing_is_held());
}

static void waits_alone_are_no_signal(struct kunit *test)
{
	const struct drm_loom_sync_op op = { DRM_LOOM_SYNC_WAIT, 1, 0 };
	struct loom_sync_list list;

	KUNIT_ASSERT_EQ(test, take(&list, &op, 1), 0);
	KUNIT_EXPECT_FALSE(test, loom_sync_list_has_signal(&list));
	loom_sync_list_fini(&list);
}

static struct kunit_case loom_sync_cases[] = {
	KUNIT_CASE(an_array_has_limits),
	KUNIT_CASE(a_stride_has_limits),
	KUNIT_CASE(longer_objects_are_taken_if_their_tails_are_zero),
	KUNIT_CASE(an_empty_array_is_no_copy),
	KUNIT_CASE(an_answer_is_cut_or_filled),
	KUNIT_CASE(unknown_flags_are_refused),
	KUNIT_CASE(a_point_belongs_to_a_timeline_only),
	KUNIT_CASE(too_many_operations_are_refused),
	KUNIT_CASE(a_signal_needs_its_syncobj_at_once),
	KUNIT_CASE(a_bad_operation_gives_back_those_before_it),
	KUNIT_CASE(no_memory_for_a_link_gives_the_syncobj_back),
	KUNIT_CASE(a_wait_becomes_a_dependency),
	KUNIT_CASE(a_wait_for_what_may_never_come_is_refused),
	KUNIT_CASE(a_list_is_ready_when_all_it_waits_for_is_over),
	KUNIT_CASE(an_earlier_signal_of_the_batch_covers_a_wait),
	KUNIT_CASE(nothing_else_covers_a_wait),
	KUNIT_CASE(signals_go_to_their_syncobjs_and_points),
	KUNIT_CASE(waits_alone_are_no_signal),
	{ }
};

struct kunit_suite loom_sync_suite = {
	.name = "loom_sync",
	.init = sync_test_init,
	.test_cases = loom_sync_cases,
};
