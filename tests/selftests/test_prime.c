// SPDX-License-Identifier: MIT
/*
 * dma-buf: objects go to other devices and come from them.  The peers are vgem,
 * a GPU without hardware, and udmabuf, which makes dma-bufs of a memfd.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/udmabuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <drm.h>
#include <drm_mode.h>

#include "card.h"
#include "peer.h"

#define SIZE	(1ull << 20)
#define WORDS	(uint32_t)(SIZE / 4)
#define VA	0x200000000ull

static int export_flags(int fd, uint32_t handle, uint32_t flags)
{
	struct drm_prime_handle args = { .handle = handle, .flags = flags };

	return t_ioctl(fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &args) ? -1 : args.fd;
}

static struct drm_loom_bo_info info(int fd, uint32_t bo)
{
	struct drm_loom_bo_info args = { .handle = bo };

	EXPECT_OK(t_ioctl(fd, DRM_IOCTL_LOOM_BO_INFO, &args));
	return args;
}

static uint32_t *map_dma_buf(int dma_buf, uint64_t size)
{
	uint32_t *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
			   dma_buf, 0);

	EXPECT(p != MAP_FAILED);
	return p;
}

static void check_words(const uint32_t *p, uint32_t n, uint32_t value)
{
	for (uint32_t i = 0; i < n; i++)
		if (p[i] != value)
			tap_fail(__FILE__, __LINE__, "word %u is %#x, not %#x",
				 i, p[i], value);
}

/* The peers ---------------------------------------------------------------- */

static uint32_t vgem_bo(int vgem)
{
	struct drm_mode_create_dumb args = {
		.width = 1024, .height = SIZE / 4096, .bpp = 32,
	};

	EXPECT_OK(t_ioctl(vgem, DRM_IOCTL_MODE_CREATE_DUMB, &args));
	EXPECT_EQ(args.size, SIZE);
	return args.handle;
}

static uint32_t *vgem_map(int vgem, uint32_t handle)
{
	struct drm_mode_map_dumb args = { .handle = handle };
	void *p;

	EXPECT_OK(t_ioctl(vgem, DRM_IOCTL_MODE_MAP_DUMB, &args));
	p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, vgem,
		 (off_t)args.offset);
	EXPECT(p != MAP_FAILED);
	return p;
}

/* A dma-buf of @size bytes and the memory behind it. */
static int make_udmabuf(uint64_t size, uint32_t **memory)
{
	struct udmabuf_create args = { .flags = UDMABUF_FLAGS_CLOEXEC, .size = size };
	int dev, dma_buf;

	if (system("modprobe -q udmabuf")) {
		/* Built in, perhaps. */
	}
	dev = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	if (dev < 0)
		tap_skip("this kernel has no udmabuf");
	args.memfd = (uint32_t)memfd_create("peer", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	EXPECT_OK((int)args.memfd);
	EXPECT_OK(ftruncate((int)args.memfd, (off_t)size));
	EXPECT_OK(fcntl((int)args.memfd, F_ADD_SEALS, F_SEAL_SHRINK));
	*memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
		       (int)args.memfd, 0);
	EXPECT(*memory != MAP_FAILED);
	dma_buf = ioctl(dev, UDMABUF_CREATE, &args);
	EXPECT_OK(dma_buf);
	return dma_buf;
}

/* Export ------------------------------------------------------------------- */

TEST(export_refuses_unknown_handle)
{
	EXPECT_ERR(export_flags(t_open(), 999, DRM_CLOEXEC), ENOENT);
}

TEST(export_refuses_objects_of_a_vm)
{
	int fd = t_open();
	uint32_t bo = t_bo(fd, SIZE, DRM_LOOM_PLACE_HBM, t_vm(fd));

	EXPECT_ERR(export_flags(fd, bo, DRM_CLOEXEC), EPERM);
}

TEST(export_refuses_unknown_flags)
{
	int fd = t_open();
	uint32_t bo = t_bo(fd, SIZE, DRM_LOOM_PLACE_HBM, 0);

	EXPECT_ERR(export_flags(fd, bo, 1u << 30), EINVAL);
}

TEST(dma_buf_of_hbm_maps_what_the_card_wrote)
{
	struct t_ctx a;
	uint32_t bo;

	t_ctx_init(&a);
	bo = t_bo(a.fd, SIZE, DRM_LOOM_PLACE_HBM, 0);
	t_map(a.fd, a.vm, bo, VA, SIZE);
	EXPECT_EQ(t_run(&a, t_cmd_fill(&a, 0, VA, WORDS, 0x11)), 1);
	check_words(map_dma_buf(t_export(a.fd, bo), SIZE), WORDS, 0x11);
	/* Nobody is attached: it may stay where it is. */
	EXPECT_EQ(info(a.fd, bo).resident, DRM_LOOM_PLACE_HBM);
}

TEST(dma_buf_outlives_handle_and_file)
{
	int fd = t_open(), dma_buf;
	uint32_t bo = t_bo(fd, SIZE, DRM_LOOM_PLACE_SYSTEM, 0), *p;

	dma_buf = t_export(fd, bo);
	t_gem_close(fd, bo);
	close(fd);
	p = map_dma_buf(dma_buf, SIZE);
	check_words(p, WORDS, 0);
	p[0] = 1;
	fd = t_open();
	bo = t_import(fd, dma_buf);
	EXPECT_EQ(info(fd, bo).size, SIZE);
	EXPECT_EQ(((uint32_t *)t_mmap(fd, bo, SIZE))[0], 1);
}

TEST(own_dma_buf_comes_back_as_the_same_object)
{
	int fd = t_open();
	uint32_t bo = t_bo(fd, SIZE, DRM_LOOM_PLACE_HBM, 0);

	EXPECT_EQ(t_import(fd, t_export(fd, bo)), bo);
}

TEST(two_clients_share_an_object)
{
	struct t_ctx a, b;
	uint32_t bo, other, *p;

	t_ctx_init(&a);
	t_ctx_init(&b);
	bo = t_bo(a.fd, SIZE, DRM_LOOM_PLACE_HBM, 0);
	other = t_import(b.fd, t_export(a.fd, bo));
	t_map(a.fd, a.vm, bo, VA, SIZE);
	t_map(b.fd, b.vm, other, VA + SIZE, SIZE);
	EXPECT_EQ(t_run(&a, t_cmd_fill(&a, 0, VA, WORDS / 2, 0xa)), 1);
	EXPECT_EQ(t_run(&b, t_cmd_copy(&b, 0, VA + SIZE + SIZE / 2, VA + SIZE,
				       WORDS / 2)), 1);
	p = t_mmap(a.fd, bo, SIZE);
	check_words(p, WORDS, 0xa);
}

TEST(import_refuses_what_is_no_dma_buf)
{
	struct drm_prime_handle args = { .fd = open("/dev/null", O_RDWR) };

	EXPECT_ERR(t_ioctl(t_open(), DRM_IOCTL_PRIME_FD_TO_HANDLE, &args), EINVAL);
}

/* With vgem ---------------------------------------------------------------- */

TEST(vgem_memory_is_read_and_written_by_the_card)
{
	int vgem = t_open_vgem();
	uint32_t handle = vgem_bo(vgem), bo, *p = vgem_map(vgem, handle);
	struct t_ctx a;

	for (uint32_t i = 0; i < WORDS / 2; i++)
		p[i] = i;
	t_ctx_init(&a);
	bo = t_import(a.fd, t_export(vgem, handle));
	EXPECT_EQ(info(a.fd, bo).resident, DRM_LOOM_PLACE_SYSTEM);
	t_map(a.fd, a.vm, bo, VA, SIZE);
	EXPECT_EQ(t_run(&a, t_cmd_copy(&a, 0, VA + SIZE / 2, VA, WORDS / 2)), 1);
	for (uint32_t i = 0; i < WORDS; i++)
		EXPECT_EQ(p[i], i % (WORDS / 2));
}

TEST(imported_object_can_be_mapped_and_outlives_the_exporter)
{
	int vgem = t_open_vgem();
	uint32_t handle = vgem_bo(vgem), bo, *p, *q = vgem_map(vgem, handle);
	int fd = t_open(), dma_buf = t_export(vgem, handle);

	bo = t_import(fd, dma_buf);
	close(dma_buf);
	p = t_mmap(fd, bo, SIZE);
	p[WORDS - 1] = 0x77;
	EXPECT_EQ(q[WORDS - 1], 0x77);
	munmap(q, SIZE);
	t_gem_close(vgem, handle);
	close(vgem);
	t_gem_close(fd, bo);
	EXPECT_EQ(p[WORDS - 1], 0x77);
}

TEST(vgem_sees_hbm_which_is_pinned_in_system_memory_meanwhile)
{
	int vgem = t_open_vgem(), dma_buf;
	uint32_t bo, handle;
	struct t_ctx a;

	t_ctx_init(&a);
	bo = t_bo(a.fd, SIZE, DRM_LOOM_PLACE_HBM, 0);
	t_map(a.fd, a.vm, bo, VA, SIZE);
	EXPECT_EQ(t_run(&a, t_cmd_fill(&a, 0, VA, WORDS, 0x44)), 1);
	dma_buf = t_export(a.fd, bo);
	handle = t_import(vgem, dma_buf);
	EXPECT_EQ(info(a.fd, bo).resident, DRM_LOOM_PLACE_SYSTEM);
	check_words(map_dma_buf(dma_buf, SIZE), WORDS, 0x44);
	/* The card goes on with it there. */
	EXPECT_EQ(t_run(&a, t_cmd_fill(&a, 0, VA, WORDS, 0x45)), 1);
	check_words(map_dma_buf(dma_buf, SIZE), WORDS, 0x45);
	/* And back. */
	t_gem_close(vgem, handle);
	for (int i = 0; i < 100; i++) {
		EXPECT_EQ(t_run(&a, t_cmd_fill(&a, 0, VA, 1, 0x46)), 1);
		if (info(a.fd, bo).resident == DRM_LOOM_PLACE_HBM)
			break;
		usleep(10000);
	}
	EXPECT_EQ(info(a.fd, bo).resident, DRM_LOOM_PLACE_HBM);
	EXPECT_EQ(((uint32_t *)t_mmap(a.fd, bo, SIZE))[0], 0x46);
	EXPECT_EQ(((uint32_t *)t_mmap(a.fd, bo, SIZE))[WORDS - 1], 0x45);
}

/* With udmabuf ------------------------------------------------------------- */

TEST(udmabuf_memory_is_read_and_written_by_the_card)
{
	uint32_t *p, bo;
	struct t_ctx a;
	int dma_buf = make_udmabuf(SIZE, &p);

	for (uint32_t i = 0; i < WORDS / 2; i++)
		p[i] = ~i;
	t_ctx_init(&a);
	bo = t_import(a.fd, dma_buf);
	EXPECT_EQ(info(a.fd, bo).size, SIZE);
	t_map(a.fd, a.vm, bo, VA, SIZE);
	EXPECT_EQ(t_run(&a, t_cmd_copy(&a, 0, VA + SIZE / 2, VA, WORDS / 2)), 1);
	for (uint32_t i = 0; i < WORDS; i++)
		EXPECT_EQ(p[i], ~(i % (WORDS / 2)));
}

TEST(imported_object_cannot_be_bound_beyond_its_end)
{
	struct drm_loom_vm_bind_op op = {
		.op = DRM_LOOM_VM_BIND_MAP, .va = VA, .size = SIZE,
	};
	int fd = t_open();
	uint32_t *p;

	op.handle = t_import(fd, make_udmabuf(SIZE / 2, &p));
	EXPECT_ERR(t_bind(fd, t_vm(fd), &op), EINVAL);
}

TEST(a_hundred_imports_and_exports_leave_nothing)
{
	uint32_t *p;
	int dma_buf = make_udmabuf(SIZE, &p), fd = t_open();

	for (int i = 0; i < 100; i++) {
		uint32_t bo = t_bo(fd, SIZE, DRM_LOOM_PLACE_HBM, 0);
		int out = t_export(fd, bo);

		t_gem_close(fd, t_import(fd, dma_buf));
		t_gem_close(fd, bo);
		close(out);
	}
}

TAP_MAIN()
