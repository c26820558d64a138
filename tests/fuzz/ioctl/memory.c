// SPDX-License-Identifier: MIT
/*
 * Operations on buffer objects, mappings and dma-bufs.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <drm/loom_accel.h>

#include "fuzz_ioctl.h"

#define MAX_HBM_PAGES	1024u
#define MAX_SYS_PAGES	64u
/* What is more than the machine has is refused, and what is less is used up. */
#define MUCH		(4ull << 20)
#define MORE_THAN_ALL	(1ull << 36)

int fz_run_query(struct fz *fz, struct fz_file *file)
{
	struct drm_loom_query args = {
		.type = fz_below(fz, 5),
		.size = fz_below(fz, 512),
		.data = fz_one_in(fz, 4) ? 0 : (uintptr_t)fz->scratch,
	};

	fz_spoil(fz, &args, sizeof(args));
	return fz_ioctl(fz, file->fd, DRM_IOCTL_LOOM_QUERY, &args);
}

/* The OOM killer is not what is tested. */
static void keep_modest(struct drm_loom_bo_create *args)
{
	if (args->size > MUCH && args->size < MORE_THAN_ALL)
		args->size %= MUCH;
}

int fz_run_bo_create(struct fz *fz, struct fz_file *file)
{
	bool hbm = !fz_one_in(fz, 3);
	unsigned int max = hbm ? MAX_HBM_PAGES : MAX_SYS_PAGES;
	struct drm_loom_bo_create args = {
		.size = 4096ull * (1 + fz_below(fz, 1 + fz_below(fz, max))),
		.placement = hbm ? DRM_LOOM_PLACE_HBM : DRM_LOOM_PLACE_SYSTEM,
		.vm_id = fz_one_in(fz, 2) ? fz_pick(fz, file, FZ_VM) : 0,
	};
	int ret;

	fz_spoil(fz, &args, sizeof(args));
	keep_modest(&args);
	ret = fz_ioctl(fz, file->fd, DRM_IOCTL_LOOM_BO_CREATE, &args);
	if (!ret)
		fz_keep(fz, file, FZ_BO, args.handle);
	return ret;
}

int fz_run_bo_info(struct fz *fz, struct fz_file *file)
{
	bool label = fz_one_in(fz, 2);
	struct drm_loom_bo_info args = {
		.handle = fz_pick(fz, file, FZ_BO),
		.label = label ? (uintptr_t)fz->scratch : 0,
		.label_size = label ? fz_below(fz, 80) : 0,
	};

	fz_spoil(fz, &args, sizeof(args));
	return fz_ioctl(fz, file->fd, DRM_IOCTL_LOOM_BO_INFO, &args);
}

int fz_run_bo_label(struct fz *fz, struct fz_file *file)
{
	char label[64] = "a label that is as long as one may be, or longer than it may";
	uint32_t size = fz_below(fz, sizeof(label));
	struct drm_loom_bo_set_label args = {
		.handle = fz_pick(fz, file, FZ_BO),
		.size = size,
		.label = size ? (uintptr_t)fz_array(fz, label, size) : 0,
	};

	fz_spoil(fz, &args, sizeof(args));
	return fz_ioctl(fz, file->fd, DRM_IOCTL_LOOM_BO_SET_LABEL, &args);
}

int fz_run_gem_close(struct fz *fz, struct fz_file *file)
{
	struct drm_gem_close args = { .handle = fz_pick(fz, file, FZ_BO) };

	fz_spoil(fz, &args, sizeof(args));
	if (fz_ioctl(fz, file->fd, DRM_IOCTL_GEM_CLOSE, &args))
		return -1;
	fz_forget(fz, file, FZ_BO, args.handle);
	return 0;
}

/* Mappings ------------------------------------------------------------------ */

static void keep_map(struct fz *fz, void *p, size_t size)
{
	struct fz_map *map = &fz->map[fz_below(fz, FZ_MAPS)];

	if (map->p)
		munmap(map->p, map->size);
	*map = (struct fz_map){ p, size };
}

static int map_file(struct fz *fz, int fd, uint64_t offset)
{
	size_t size = 4096ull * (1 + fz_below(fz, 64));
	int prot = PROT_READ | (fz_one_in(fz, 8) ? 0 : PROT_WRITE);
	void *p;

	p = mmap(NULL, size, prot, fz_one_in(fz, 20) ? MAP_PRIVATE : MAP_SHARED,
		 fd, (off_t)offset);
	if (p == MAP_FAILED)
		return -1;
	keep_map(fz, p, size);
	return 0;
}

int fz_run_bo_map(struct fz *fz, struct fz_file *file)
{
	struct drm_loom_bo_mmap_offset args = {
		.handle = fz_pick(fz, file, FZ_BO),
	};

	fz_spoil(fz, &args, sizeof(args));
	if (fz_ioctl(fz, file->fd, DRM_IOCTL_LOOM_BO_MMAP_OFFSET, &args))
		return -1;
	fz_spoil(fz, &args.offset, sizeof(args.offset));
	return map_file(fz, file->fd, args.offset);
}

int fz_run_unmap(struct fz *fz, struct fz_file *file)
{
	struct fz_map *map = &fz->map[fz_below(fz, FZ_MAPS)];
	int ret;

	(void)file;
	if (!map->p)
		return -1;
	ret = munmap(map->p, map->size);
	map->p = NULL;
	return ret;
}

static sigjmp_buf fz_bus;

static void on_fault(int signal)
{
	(void)signal;
	siglongjmp(fz_bus, 1);
}

/* Objects are smaller than some mappings of them, and some are lost. */
int fz_run_touch(struct fz *fz, struct fz_file *file)
{
	struct fz_map *map = &fz->map[fz_below(fz, FZ_MAPS)];
	volatile uint32_t *word;

	(void)file;
	if (!map->p)
		return -1;
	word = (volatile uint32_t *)((uint8_t *)map->p +
				     4096ull * fz_below(fz, (unsigned int)(map->size / 4096)));
	signal(SIGBUS, on_fault);
	signal(SIGSEGV, on_fault);
	if (sigsetjmp(fz_bus, 1))
		return -1;
	if (*word != 0x5eed)
		*word = 0x5eed;
	signal(SIGBUS, SIG_DFL);
	signal(SIGSEGV, SIG_DFL);
	return 0;
}

/* dma-bufs ------------------------------------------------------------------ */

static void keep_fd(struct fz *fz, int *fds, int fd)
{
	int *slot = &fds[fz_below(fz, FZ_FDS)];

	if (*slot >= 0)
		close(*slot);
	*slot = fd;
}

int fz_run_prime_export(struct fz *fz, struct fz_file *file)
{
	struct drm_prime_handle args = {
		.handle = fz_pick(fz, file, FZ_BO),
		.flags = DRM_CLOEXEC | DRM_RDWR,
	};
	int ret;

	fz_spoil(fz, &args, sizeof(args));
	ret = fz_ioctl(fz, file->fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &args);
	if (!ret)
		keep_fd(fz, fz->dma_buf, args.fd);
	return ret;
}

int fz_run_prime_import(struct fz *fz, struct fz_file *file)
{
	struct drm_prime_handle args = {
		.fd = fz->dma_buf[fz_below(fz, FZ_FDS)],
	};
	int ret;

	fz_spoil(fz, &args, sizeof(args));
	ret = fz_ioctl(fz, file->fd, DRM_IOCTL_PRIME_FD_TO_HANDLE, &args);
	if (!ret)
		fz_keep(fz, file, FZ_BO, args.handle);
	return ret;
}

int fz_run_dma_buf(struct fz *fz, struct fz_file *file)
{
	int fd = fz->dma_buf[fz_below(fz, FZ_FDS)];
	struct dma_buf_sync sync = { .flags = DMA_BUF_SYNC_RW };
	struct dma_buf_export_sync_file out = { .flags = DMA_BUF_SYNC_RW, .fd = -1 };
	struct dma_buf_import_sync_file in = {
		.flags = DMA_BUF_SYNC_WRITE,
		.fd = fz->sync_file[fz_below(fz, FZ_FDS)],
	};

	(void)file;
	switch (fz_below(fz, 4)) {
	case 0:
		fz_spoil(fz, &sync, sizeof(sync));
		return fz_ioctl(fz, fd, DMA_BUF_IOCTL_SYNC, &sync);
	case 1:
		fz_spoil(fz, &out, sizeof(out));
		if (fz_ioctl(fz, fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &out))
			return -1;
		keep_fd(fz, fz->sync_file, out.fd);
		return 0;
	case 2:
		fz_spoil(fz, &in, sizeof(in));
		return fz_ioctl(fz, fd, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &in);
	default:
		return map_file(fz, fd, 0);
	}
}
