// SPDX-License-Identifier: MIT
/*
 * The /dev/accel transport: one DRM file, one address space, a timeline
 * syncobj per queue.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <drm/loom_accel.h>
#include <xf86drm.h>

#include "drm_node.h"

struct drm_device {
	struct accel_device dev;
	int fd;
	uint32_t vm_id;
	uint32_t max_jobs;
};

struct drm_queue {
	struct accel_queue base;
	uint32_t id;
	/** @syncobj: its timeline; points are accel_queue.submitted */
	uint32_t syncobj;
};

static struct drm_device *to_drm(struct accel_device *dev)
{
	return container_of(dev, struct drm_device, dev);
}

static struct drm_queue *to_drm_queue(struct accel_queue *q)
{
	return container_of(q, struct drm_queue, base);
}

/* ------------------------------------------------------------------ errors */

static const char *hint_of(int err)
{
	switch (err) {
	case ENODEV:
		return "the card was removed, or its driver unbound";
	case EIO:
		return "the card is wedged: see dmesg, then rebind the driver";
	case EACCES:
		return "it needs CAP_SYS_NICE";
	case EINVAL:
		return "the driver says more in dmesg with drm.debug=0x2";
	default:
		return NULL;
	}
}

/* The ioctl failed with errno: @fmt is what it was asked. */
__attribute__((format(printf, 2, 3)))
static int ioctl_error(const char *ioctl_name, const char *fmt, ...)
{
	int err = errno;
	char asked[128];
	va_list args;

	va_start(args, fmt);
	vsnprintf(asked, sizeof(asked), fmt, args);
	va_end(args);
	errno = err;
	return error_set(-err, hint_of(err), "%s(%s): %m", ioctl_name, asked);
}

/* ------------------------------------------------------------------ queries */

static int query(struct drm_device *drm, uint32_t type, void *out,
		 uint32_t size)
{
	struct drm_loom_query q = {
		.type = type, .size = size, .data = (uintptr_t)out,
	};

	if (drmIoctl(drm->fd, DRM_IOCTL_LOOM_QUERY, &q))
		return ioctl_error("LOOM_QUERY", "type %u", type);
	return 0;
}

static int drm_memory(struct accel_device *dev, struct accel_memory_info *out)
{
	struct drm_loom_memory_info mem = { 0 };
	int rc = query(to_drm(dev), DRM_LOOM_QUERY_MEMORY, &mem, sizeof(mem));

	out->hbm_total = mem.hbm_total;
	out->hbm_used = mem.hbm_used;
	out->system_used = mem.system_used;
	return rc;
}

static int drm_counters(struct accel_device *dev, struct accel_counters *out)
{
	struct drm_loom_counters c = { 0 };
	int rc = query(to_drm(dev), DRM_LOOM_QUERY_COUNTERS, &c, sizeof(c));

	out->count = c.count < ACCEL_MAX_COUNTERS ? c.count : ACCEL_MAX_COUNTERS;
	memcpy(out->value, c.value, out->count * sizeof(out->value[0]));
	return rc;
}

static int drm_usage(struct accel_device *dev, struct accel_usage *out)
{
	struct drm_loom_client_info c = { 0 };
	int rc = query(to_drm(dev), DRM_LOOM_QUERY_CLIENT, &c, sizeof(c));

	out->jobs = c.jobs;
	out->failed = c.failed;
	out->cycles = c.cycles;
	return rc;
}

/* ---------------------------------------------------------- buffer objects */

static int bind(struct accel_bo *bo, uint32_t op)
{
	struct drm_device *drm = to_drm(bo->dev);
	struct drm_loom_vm_bind_op change = {
		.op = op,
		.handle = op == DRM_LOOM_VM_BIND_MAP ? bo->backing : 0,
		.va = bo->va,
		.size = bo->size,
	};
	struct drm_loom_vm_bind args = {
		.vm_id = drm->vm_id,
		.ops = { sizeof(change), 1, (uintptr_t)&change },
	};

	if (drmIoctl(drm->fd, DRM_IOCTL_LOOM_VM_BIND, &args))
		return ioctl_error("LOOM_VM_BIND", "%s %#llx, %llu bytes",
				   op == DRM_LOOM_VM_BIND_MAP ? "map" : "unmap",
				   (unsigned long long)bo->va,
				   (unsigned long long)bo->size);
	return 0;
}

static void gem_close(struct accel_bo *bo)
{
	struct drm_gem_close args = { .handle = bo->backing };

	drmIoctl(to_drm(bo->dev)->fd, DRM_IOCTL_GEM_CLOSE, &args);
}

/* -ENOSPC and -E2BIG mean the same to the user: not enough HBM. */
static int create_error(struct accel_bo *bo)
{
	struct accel_memory_info mem = { 0 };
	int err = errno;

	if (bo->placement != ACCEL_HBM || (err != ENOSPC && err != E2BIG)) {
		errno = err == E2BIG ? ENOMEM : err;
		return ioctl_error("LOOM_BO_CREATE", "%llu bytes",
				   (unsigned long long)bo->size);
	}
	drm_memory(bo->dev, &mem);
	return error_set(-ENOSPC, "free buffers, or use a card with more HBM",
			 "not enough HBM: %llu bytes wanted, %llu of %llu in use",
			 (unsigned long long)bo->size,
			 (unsigned long long)mem.hbm_used,
			 (unsigned long long)mem.hbm_total);
}

static int drm_bo_create(struct accel_bo *bo)
{
	struct drm_device *drm = to_drm(bo->dev);
	struct drm_loom_bo_create args = {
		.size = bo->size,
		.placement = bo->placement == ACCEL_HBM ? DRM_LOOM_PLACE_HBM :
							  DRM_LOOM_PLACE_SYSTEM,
		.vm_id = bo->shared ? 0 : drm->vm_id,
	};
	int rc;

	if (drmIoctl(drm->fd, DRM_IOCTL_LOOM_BO_CREATE, &args))
		return create_error(bo);
	bo->backing = args.handle;
	rc = bind(bo, DRM_LOOM_VM_BIND_MAP);
	if (rc)
		gem_close(bo);
	return rc;
}

static void drm_bo_destroy(struct accel_bo *bo)
{
	if (bo->map)
		munmap(bo->map, bo->size);
	bind(bo, DRM_LOOM_VM_BIND_UNMAP);
	gem_close(bo);
}

static int drm_bo_map(struct accel_bo *bo)
{
	struct drm_device *drm = to_drm(bo->dev);
	struct drm_loom_bo_mmap_offset args = { .handle = bo->backing };
	void *map;

	if (drmIoctl(drm->fd, DRM_IOCTL_LOOM_BO_MMAP_OFFSET, &args))
		return ioctl_error("LOOM_BO_MMAP_OFFSET", "handle %u",
				   args.handle);
	map = mmap(NULL, bo->size, PROT_READ | PROT_WRITE, MAP_SHARED, drm->fd,
		   args.offset);
	if (map == MAP_FAILED)
		return ioctl_error("mmap", "%llu bytes",
				   (unsigned long long)bo->size);
	bo->map = map;
	return 0;
}

static int drm_bo_label(struct accel_bo *bo, const char *label, uint32_t len)
{
	struct drm_loom_bo_set_label args = {
		.handle = bo->backing,
		.size = len,
		.label = len ? (uintptr_t)label : 0,
	};

	if (drmIoctl(to_drm(bo->dev)->fd, DRM_IOCTL_LOOM_BO_SET_LABEL, &args))
		return ioctl_error("LOOM_BO_SET_LABEL", "%u bytes", len);
	return 0;
}

static int drm_bo_query(struct accel_bo *bo, struct accel_bo_info *out)
{
	struct drm_loom_bo_info args = {
		.handle = bo->backing,
		.label = (uintptr_t)out->label,
		.label_size = ACCEL_MAX_LABEL,
	};

	if (drmIoctl(to_drm(bo->dev)->fd, DRM_IOCTL_LOOM_BO_INFO, &args))
		return ioctl_error("LOOM_BO_INFO", "handle %u", args.handle);
	out->resident = args.resident == DRM_LOOM_PLACE_HBM ? ACCEL_HBM :
							      ACCEL_HOST;
	out->flags = args.flags;
	return 0;
}

static int drm_bo_export(struct accel_bo *bo, int *fd)
{
	struct drm_prime_handle args = {
		.handle = bo->backing, .flags = DRM_CLOEXEC | DRM_RDWR,
	};

	if (drmIoctl(to_drm(bo->dev)->fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &args))
		return ioctl_error("PRIME_HANDLE_TO_FD", "handle %u",
				   args.handle);
	*fd = args.fd;
	return 0;
}

/* A file has one handle for one piece of memory, whose end would be both's. */
static bool has_handle(struct accel_device *dev, uint32_t handle)
{
	struct accel_bo *bo;

	pthread_mutex_lock(&dev->lock);
	for (bo = dev->bos; bo && bo->backing != handle; bo = bo->next)
		;
	pthread_mutex_unlock(&dev->lock);
	return bo;
}

static int drm_bo_import(struct accel_bo *bo, int fd)
{
	struct drm_prime_handle args = { .fd = fd };
	int rc;

	if (drmIoctl(to_drm(bo->dev)->fd, DRM_IOCTL_PRIME_FD_TO_HANDLE, &args))
		return ioctl_error("PRIME_FD_TO_HANDLE", "%d", fd);
	if (has_handle(bo->dev, args.handle))
		return error_set(-EEXIST, "use that object",
				 "this device has an object of the memory behind file descriptor %d",
				 fd);
	bo->backing = args.handle;
	rc = bind(bo, DRM_LOOM_VM_BIND_MAP);
	if (rc)
		gem_close(bo);
	return rc;
}

/* ------------------------------------------------------------------ queues */

static int drm_queue_create(struct accel_device *dev, uint32_t priority,
			    struct accel_queue **out)
{
	static const uint32_t priorities[] = {
		[ACCEL_PRIORITY_LOW] = DRM_LOOM_PRIORITY_LOW,
		[ACCEL_PRIORITY_NORMAL] = DRM_LOOM_PRIORITY_NORMAL,
		[ACCEL_PRIORITY_HIGH] = DRM_LOOM_PRIORITY_HIGH,
	};
	struct drm_device *drm = to_drm(dev);
	struct drm_loom_queue_create args = {
		.vm_id = drm->vm_id, .priority = priorities[priority],
	};
	struct drm_queue *q = calloc(1, sizeof(*q));
	int rc;

	if (!q)
		return error_set(-ENOMEM, NULL, "out of memory");
	if (drmSyncobjCreate(drm->fd, 0, &q->syncobj)) {
		rc = ioctl_error("SYNCOBJ_CREATE", "queue");
		goto err_free;
	}
	if (drmIoctl(drm->fd, DRM_IOCTL_LOOM_QUEUE_CREATE, &args)) {
		rc = ioctl_error("LOOM_QUEUE_CREATE", "priority %u", priority);
		goto err_syncobj;
	}
	q->id = args.id;
	*out = &q->base;
	return 0;

err_syncobj:
	drmSyncobjDestroy(drm->fd, q->syncobj);
err_free:
	free(q);
	return rc;
}

static void drm_queue_destroy(struct accel_queue *base)
{
	struct drm_device *drm = to_drm(base->dev);
	struct drm_queue *q = to_drm_queue(base);
	struct drm_loom_queue_destroy args = { .id = q->id };

	drmIoctl(drm->fd, DRM_IOCTL_LOOM_QUEUE_DESTROY, &args);
	drmSyncobjDestroy(drm->fd, q->syncobj);
	free(q);
}

/* The waits, then the signal of the queue's own point. */
static unsigned int fill_syncs(struct drm_loom_sync_op *sync,
			       const struct accel_point *waits,
			       unsigned int num_waits, struct drm_queue *q,
			       uint64_t point)
{
	unsigned int i, n = 0;

	for (i = 0; i < num_waits; i++) {
		if (!waits[i].value)
			continue;
		sync[n++] = (struct drm_loom_sync_op){
			.flags = DRM_LOOM_SYNC_WAIT | DRM_LOOM_SYNC_TIMELINE,
			.handle = to_drm_queue(waits[i].queue)->syncobj,
			.value = waits[i].value,
		};
	}
	sync[n++] = (struct drm_loom_sync_op){
		.flags = DRM_LOOM_SYNC_SIGNAL | DRM_LOOM_SYNC_TIMELINE,
		.handle = q->syncobj,
		.value = point,
	};
	return n;
}

static int drm_queue_submit(struct accel_queue *base,
			    const struct transport_job *jobs,
			    unsigned int num_jobs,
			    const struct accel_point *waits,
			    unsigned int num_waits, uint64_t point)
{
	struct drm_device *drm = to_drm(base->dev);
	struct drm_queue *q = to_drm_queue(base);
	struct drm_loom_sync_op sync[ACCEL_MAX_SUBMIT + 1];
	struct drm_loom_job list[ACCEL_MAX_SUBMIT] = { 0 };
	struct drm_loom_submit args = {
		.queue_id = q->id,
		.jobs = { sizeof(list[0]), num_jobs, (uintptr_t)list },
	};
	unsigned int i, num_syncs;

	if (num_jobs > drm->max_jobs)
		return error_set(-EINVAL, "submit them in several calls",
				 "%u command buffers, the driver takes %u",
				 num_jobs, drm->max_jobs);
	num_syncs = fill_syncs(sync, waits, num_waits, q, point);
	for (i = 0; i < num_jobs; i++) {
		list[i].cmd_va = jobs[i].cmd_va;
		list[i].cmd_size = jobs[i].cmd_size;
		list[i].flags = jobs[i].repeatable ? DRM_LOOM_JOB_REPEATABLE : 0;
		list[i].syncs.stride = sizeof(sync[0]);
	}
	/* Waits come before the first job, the signal after the last. */
	list[0].syncs.array = (uintptr_t)sync;
	list[0].syncs.count = num_syncs - 1;
	list[num_jobs - 1].syncs.array = (uintptr_t)
		(num_jobs == 1 ? sync : &sync[num_syncs - 1]);
	list[num_jobs - 1].syncs.count = num_jobs == 1 ? num_syncs : 1;

	if (drmIoctl(drm->fd, DRM_IOCTL_LOOM_SUBMIT, &args))
		return ioctl_error("LOOM_SUBMIT",
				   "%u jobs, %u waits, the first of %u bytes at %#llx",
				   num_jobs, num_waits, jobs[0].cmd_size,
				   (unsigned long long)jobs[0].cmd_va);
	return 0;
}

static int drm_queue_wait(struct accel_queue *base, uint64_t point,
			  int64_t timeout_ns)
{
	struct drm_device *drm = to_drm(base->dev);
	struct drm_queue *q = to_drm_queue(base);
	int64_t deadline = deadline_ns(timeout_ns);
	int rc;

	/* The kernel counts in ticks and may be one early. */
	do {
		rc = drmSyncobjTimelineWait(drm->fd, &q->syncobj, &point, 1,
					    deadline, 0, NULL);
	} while (rc == -ETIME && deadline_ns(0) < deadline);
	if (!rc || rc == -ETIME)
		return rc;
	errno = -rc;
	return ioctl_error("SYNCOBJ_TIMELINE_WAIT", "point %llu",
			   (unsigned long long)point);
}

static int drm_queue_fate(struct accel_queue *base, struct queue_fate *out)
{
	struct drm_device *drm = to_drm(base->dev);
	struct drm_loom_queue_state st = { .id = to_drm_queue(base)->id };

	if (drmIoctl(drm->fd, DRM_IOCTL_LOOM_QUEUE_STATE, &st))
		return ioctl_error("LOOM_QUEUE_STATE", "queue %u", st.id);
	out->timedout = st.state & DRM_LOOM_QUEUE_TIMEDOUT;
	out->status = (struct accel_queue_status){
		.size = sizeof(out->status),
		.failed = st.state != 0,
		.error = st.error,
		.opcode = st.opcode,
		.cmd_index = st.cmd_index,
		.cmd_offset = st.cmd_offset,
		.field = st.field,
		.access = st.access,
		.fault_addr = st.fault_addr,
		.job = st.job,
		.jobs_done = st.jobs_done,
		.last_start = st.last_start,
		.last_end = st.last_end,
	};
	return 0;
}

_Static_assert(sizeof(struct accel_job_time) == sizeof(struct drm_loom_job_time) &&
	       offsetof(struct accel_job_time, end) == offsetof(struct drm_loom_job_time, end),
	       "the driver fills the caller's array");

static int drm_queue_times(struct accel_queue *base, uint64_t first,
			   struct accel_job_time *times, unsigned int *count)
{
	struct drm_loom_queue_times args = {
		.id = to_drm_queue(base)->id,
		.count = *count,
		.first = first,
		.times = (uintptr_t)times,
	};

	if (drmIoctl(to_drm(base->dev)->fd, DRM_IOCTL_LOOM_QUEUE_TIMES, &args))
		return ioctl_error("LOOM_QUEUE_TIMES", "queue %u", args.id);
	*count = args.count;
	return 0;
}

_Static_assert(ACCEL_BO_PINNED == DRM_LOOM_BO_PINNED &&
	       ACCEL_BO_IMPORTED == DRM_LOOM_BO_IMPORTED &&
	       ACCEL_BO_LOST == DRM_LOOM_BO_LOST &&
	       ACCEL_MAX_LABEL == DRM_LOOM_MAX_LABEL, "passed on as they are");

/* ---------------------------------------------------------- open and close */

static void drm_close(struct accel_device *dev)
{
	struct drm_device *drm = to_drm(dev);
	struct drm_loom_vm_destroy args = { .id = drm->vm_id };

	drmIoctl(drm->fd, DRM_IOCTL_LOOM_VM_DESTROY, &args);
	close(drm->fd);
	device_fini(dev);
	free(drm);
}

static const struct accel_transport drm_transport = {
	.close = drm_close,
	.memory = drm_memory,
	.counters = drm_counters,
	.usage = drm_usage,
	.bo_create = drm_bo_create,
	.bo_destroy = drm_bo_destroy,
	.bo_map = drm_bo_map,
	.bo_label = drm_bo_label,
	.bo_query = drm_bo_query,
	.bo_export = drm_bo_export,
	.bo_import = drm_bo_import,
	.queue_create = drm_queue_create,
	.queue_destroy = drm_queue_destroy,
	.submit = drm_queue_submit,
	.wait = drm_queue_wait,
	.fate = drm_queue_fate,
	.times = drm_queue_times,
};

/* Is it our driver, and a version that we know? */
static int check_driver(int fd, const char *node)
{
	drmVersionPtr v = drmGetVersion(fd);
	int rc = 0;

	if (!v)
		return error_set(-ENODEV, NULL, "%s is not a DRM device", node);
	if (strcmp(v->name, DRM_DRIVER_NAME))
		rc = error_set(-ENODEV, "see accel-smi for the cards of this machine",
			       "%s belongs to the driver %s, not to %s", node,
			       v->name, DRM_DRIVER_NAME);
	else if (v->version_major != DRM_DRIVER_MAJOR)
		rc = error_set(-EPROTO, "install driver and library of one release",
			       "the driver of %s has version %d.%d, libaccel %s needs %d.x",
			       node, v->version_major, v->version_minor,
			       ACCEL_VERSION_STRING, DRM_DRIVER_MAJOR);
	drmFreeVersion(v);
	return rc;
}

static int check_card(const struct drm_loom_device_info *d, const char *node)
{
	if (d->isa_version != LOOM_ISA_VERSION ||
	    d->hw_version >> 16 != LOOM_HW_VERSION_MAJOR)
		return error_set(-EPROTO, "use the libaccel of the card's release",
				 "%s has hardware %u.%u with command set %u, libaccel %s knows %u.x with %u",
				 node, d->hw_version >> 16,
				 d->hw_version & 0xffff, d->isa_version,
				 ACCEL_VERSION_STRING, LOOM_HW_VERSION_MAJOR,
				 LOOM_ISA_VERSION);
	return 0;
}

static void fill_info(struct accel_device_info *info,
		      const struct drm_loom_device_info *d, const char *node)
{
	*info = (struct accel_device_info){
		.size = sizeof(*info),
		.serial = d->serial,
		.hbm_size = d->hbm_size,
		.sram_size = d->sram_size,
		.num_arrays = d->num_arrays,
		.array_rows = d->array_rows,
		.array_cols = d->array_cols,
		.clock_khz = d->clock_khz,
		.vector_lanes = d->vector_lanes,
		.hbm_mbps = d->hbm_mbps,
		.pcie_mbps = d->pcie_mbps,
		.hbm_channels = d->hbm_channels,
		.num_queues = d->num_queues,
		.max_cmd_bytes = d->max_cmd_bytes,
		.hw_version = d->hw_version,
		.isa_version = d->isa_version,
	};
	snprintf(info->name, sizeof(info->name), "%s", node);
}

/* Fill a device around an open node. */
static int drm_setup(struct drm_device *drm, const char *node)
{
	struct drm_loom_device_info d = { 0 };
	struct drm_loom_vm_create vm = { 0 };
	int rc;

	rc = check_driver(drm->fd, node);
	if (!rc)
		rc = query(drm, DRM_LOOM_QUERY_DEVICE, &d, sizeof(d));
	if (!rc)
		rc = check_card(&d, node);
	if (rc)
		return rc;
	fill_info(&drm->dev.info, &d, node);
	drm->max_jobs = d.max_jobs;
	drm->dev.debug = debug_topics();
	rc = device_init(&drm->dev, &drm_transport,
			 d.va_start > LOOM_HUGE_SIZE ? d.va_start :
						       LOOM_HUGE_SIZE,
			 d.va_end);
	if (rc)
		return rc;
	if (drmIoctl(drm->fd, DRM_IOCTL_LOOM_VM_CREATE, &vm)) {
		device_fini(&drm->dev);
		return ioctl_error("LOOM_VM_CREATE", "%s", node);
	}
	drm->vm_id = vm.id;
	return 0;
}

static int open_node(const char *node)
{
	int fd;

	do {
		fd = open(node, O_RDWR | O_CLOEXEC);
	} while (fd < 0 && errno == EINTR);
	return fd;
}

int drm_device_open(const char *spec, struct accel_device **out)
{
	struct drm_device *drm;
	char node[64];
	int rc;

	rc = drm_find(&drm_paths, spec, node, sizeof(node));
	if (rc)
		return rc;
	drm = calloc(1, sizeof(*drm));
	if (!drm)
		return error_set(-ENOMEM, NULL, "out of memory");
	drm->fd = open_node(node);
	if (drm->fd < 0) {
		rc = drm_node_error(node, errno);
		goto err_free;
	}
	rc = drm_setup(drm, node);
	if (rc)
		goto err_close;
	*out = &drm->dev;
	return 0;

err_close:
	close(drm->fd);
err_free:
	free(drm);
	return rc;
}
