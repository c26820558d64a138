// SPDX-License-Identifier: MIT
/*
 * Operations on syncobjs: the DRM core's ioctls with the driver's fences.
 */
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <drm/loom_accel.h>

#include "fuzz_ioctl.h"
#include "tests/lib/syncobj_eventfd.h"

#define MAX_WAIT	4

/* Newer than libdrm's headers are in some distributions. */
#define WAIT_AVAILABLE	(1u << 2)

int fz_run_syncobj_create(struct fz *fz, struct fz_file *file)
{
	struct drm_syncobj_create args = {
		.flags = fz_one_in(fz, 3) ? DRM_SYNCOBJ_CREATE_SIGNALED : 0,
	};
	int ret;

	fz_spoil(fz, &args, sizeof(args));
	ret = fz_ioctl(fz, file->fd, DRM_IOCTL_SYNCOBJ_CREATE, &args);
	if (!ret)
		fz_keep(fz, file, FZ_SYNCOBJ, args.handle);
	return ret;
}

int fz_run_syncobj_destroy(struct fz *fz, struct fz_file *file)
{
	struct drm_syncobj_destroy args = {
		.handle = fz_pick(fz, file, FZ_SYNCOBJ),
	};

	fz_spoil(fz, &args, sizeof(args));
	if (fz_ioctl(fz, file->fd, DRM_IOCTL_SYNCOBJ_DESTROY, &args))
		return -1;
	fz_forget(fz, file, FZ_SYNCOBJ, args.handle);
	return 0;
}

static unsigned int pick_some(struct fz *fz, struct fz_file *file,
			      uint32_t *handles)
{
	unsigned int i, n = 1 + fz_below(fz, MAX_WAIT);

	for (i = 0; i < n; i++)
		handles[i] = fz_pick(fz, file, FZ_SYNCOBJ);
	return n;
}

/* The core allocates what is asked for, and the kernel warns of more than it has. */
static void keep_modest(uint32_t *count)
{
	if (*count > 0xffff)
		*count &= 0xffff;
}

/* Of the points, at random places up to what a submit signals. */
static void pick_points(struct fz *fz, uint64_t *points, unsigned int n)
{
	while (n--)
		points[n] = 1 + fz_below(fz, 1000);
}

int fz_run_syncobj_array(struct fz *fz, struct fz_file *file)
{
	uint32_t handles[MAX_WAIT];
	struct drm_syncobj_array args = {
		.count_handles = pick_some(fz, file, handles),
		.handles = (uintptr_t)handles,
	};

	fz_spoil(fz, &args, sizeof(args));
	keep_modest(&args.count_handles);
	return fz_ioctl(fz, file->fd,
			fz_one_in(fz, 2) ? DRM_IOCTL_SYNCOBJ_RESET :
					   DRM_IOCTL_SYNCOBJ_SIGNAL, &args);
}

/* A few milliseconds; a signal ends those that were spoilt to last. */
static int64_t pick_deadline(struct fz *fz)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec + fz_below(fz, 5000000);
}

int fz_run_syncobj_wait(struct fz *fz, struct fz_file *file)
{
	uint32_t handles[MAX_WAIT];
	struct drm_syncobj_wait args = {
		.handles = (uintptr_t)handles,
		.count_handles = pick_some(fz, file, handles),
		.timeout_nsec = pick_deadline(fz),
		.flags = fz_below(fz, 4),	/* ALL, FOR_SUBMIT */
	};

	fz_spoil(fz, &args, sizeof(args));
	keep_modest(&args.count_handles);
	return fz_ioctl(fz, file->fd, DRM_IOCTL_SYNCOBJ_WAIT, &args);
}

int fz_run_syncobj_timeline_wait(struct fz *fz, struct fz_file *file)
{
	uint32_t handles[MAX_WAIT];
	uint64_t points[MAX_WAIT];
	struct drm_syncobj_timeline_wait args = {
		.handles = (uintptr_t)handles,
		.points = (uintptr_t)points,
		.count_handles = pick_some(fz, file, handles),
		.timeout_nsec = pick_deadline(fz),
		.flags = fz_below(fz, 8),	/* ALL, FOR_SUBMIT, AVAILABLE */
	};

	pick_points(fz, points, MAX_WAIT);
	fz_spoil(fz, &args, sizeof(args));
	keep_modest(&args.count_handles);
	return fz_ioctl(fz, file->fd, DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT, &args);
}

int fz_run_syncobj_points(struct fz *fz, struct fz_file *file)
{
	uint32_t handles[MAX_WAIT];
	uint64_t *points = (uint64_t *)fz->scratch;
	struct drm_syncobj_timeline_array args = {
		.handles = (uintptr_t)handles,
		.points = (uintptr_t)points,
		.count_handles = pick_some(fz, file, handles),
	};

	pick_points(fz, points, MAX_WAIT);
	fz_spoil(fz, &args, sizeof(args));
	keep_modest(&args.count_handles);
	return fz_ioctl(fz, file->fd,
			fz_one_in(fz, 2) ? DRM_IOCTL_SYNCOBJ_QUERY :
					   DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL, &args);
}

int fz_run_syncobj_transfer(struct fz *fz, struct fz_file *file)
{
	struct drm_syncobj_transfer args = {
		.src_handle = fz_pick(fz, file, FZ_SYNCOBJ),
		.dst_handle = fz_pick(fz, file, FZ_SYNCOBJ),
		.src_point = fz_one_in(fz, 2) ? fz_below(fz, 1000) : 0,
		.dst_point = fz_one_in(fz, 2) ? fz_below(fz, 1000) : 0,
	};

	fz_spoil(fz, &args, sizeof(args));
	return fz_ioctl(fz, file->fd, DRM_IOCTL_SYNCOBJ_TRANSFER, &args);
}

static void keep_fd(struct fz *fz, int fd)
{
	int *slot = &fz->sync_file[fz_below(fz, FZ_FDS)];

	if (*slot >= 0)
		close(*slot);
	*slot = fd;
}

int fz_run_syncobj_export(struct fz *fz, struct fz_file *file)
{
	struct drm_syncobj_handle args = {
		.handle = fz_pick(fz, file, FZ_SYNCOBJ),
		.flags = fz_one_in(fz, 2) ?
			 DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE : 0,
		.fd = -1,
	};
	int ret;

	fz_spoil(fz, &args, sizeof(args));
	ret = fz_ioctl(fz, file->fd, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &args);
	if (!ret)
		keep_fd(fz, args.fd);
	return ret;
}

int fz_run_syncobj_import(struct fz *fz, struct fz_file *file)
{
	bool into = fz_one_in(fz, 2);
	struct drm_syncobj_handle args = {
		.handle = into ? fz_pick(fz, file, FZ_SYNCOBJ) : 0,
		.flags = into ? DRM_SYNCOBJ_FD_TO_HANDLE_FLAGS_IMPORT_SYNC_FILE : 0,
		.fd = fz->sync_file[fz_below(fz, FZ_FDS)],
	};
	int ret;

	fz_spoil(fz, &args, sizeof(args));
	ret = fz_ioctl(fz, file->fd, DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, &args);
	if (!ret && !into)
		fz_keep(fz, file, FZ_SYNCOBJ, args.handle);
	return ret;
}

int fz_run_syncobj_eventfd(struct fz *fz, struct fz_file *file)
{
	struct syncobj_eventfd args = {
		.handle = fz_pick(fz, file, FZ_SYNCOBJ),
		.flags = fz_one_in(fz, 2) ? WAIT_AVAILABLE : 0,
		.point = fz_one_in(fz, 2) ? fz_below(fz, 1000) : 0,
		.fd = eventfd(0, EFD_CLOEXEC),
	};
	int event = args.fd, ret;

	fz_spoil(fz, &args, sizeof(args));
	ret = fz_ioctl(fz, file->fd, SYNCOBJ_EVENTFD, &args);
	close(event);
	return ret;
}
