// SPDX-License-Identifier: MIT
/*
 * Buffer objects: BO_CREATE, BO_MMAP_OFFSET, BO_INFO.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "card.h"

static struct drm_loom_bo_create good(void)
{
	return (struct drm_loom_bo_create){
		.size = T_PAGE,
		.placement = DRM_LOOM_PLACE_HBM,
	};
}

static int create(int fd, struct drm_loom_bo_create args)
{
	return t_ioctl(fd, DRM_IOCTL_LOOM_BO_CREATE, &args);
}

TEST(bo_create_refuses_size_zero)
{
	struct drm_loom_bo_create args = good();

	args.size = 0;
	EXPECT_ERR(create(t_open(), args), EINVAL);
}

TEST(bo_create_refuses_partial_pages)
{
	struct drm_loom_bo_create args = good();

	args.size = T_PAGE + 1;
	EXPECT_ERR(create(t_open(), args), EINVAL);
}

TEST(bo_create_refuses_more_than_the_card_has)
{
	struct drm_loom_bo_create args = good();

	args.size = 1ull << 46;
	EXPECT_ERR(create(t_open(), args), E2BIG);
	args.size = ~(T_PAGE - 1);
	EXPECT_ERR(create(t_open(), args), E2BIG);
}

TEST(bo_create_refuses_no_placement)
{
	struct drm_loom_bo_create args = good();

	args.placement = 0;
	EXPECT_ERR(create(t_open(), args), EINVAL);
}

TEST(bo_create_refuses_two_placements)
{
	struct drm_loom_bo_create args = good();

	args.placement = DRM_LOOM_PLACE_HBM | DRM_LOOM_PLACE_SYSTEM;
	EXPECT_ERR(create(t_open(), args), EINVAL);
}

TEST(bo_create_refuses_unknown_placement)
{
	struct drm_loom_bo_create args = good();

	args.placement = 1u << 7;
	EXPECT_ERR(create(t_open(), args), EINVAL);
}

TEST(bo_create_refuses_flags)
{
	struct drm_loom_bo_create args = good();

	args.flags = 1;
	EXPECT_ERR(create(t_open(), args), EINVAL);
}

TEST(bo_create_refuses_unknown_vm)
{
	struct drm_loom_bo_create args = good();

	args.vm_id = 1234;
	EXPECT_ERR(create(t_open(), args), ENOENT);
}

TEST(bo_create_reports_full_hbm_and_recovers)
{
	struct drm_loom_bo_create args = good();
	uint32_t handles[4096];
	unsigned int n = 0;
	int fd = t_open();

	args.size = 64 << 20;
	while (n < 4096 && !t_ioctl(fd, DRM_IOCTL_LOOM_BO_CREATE, &args)) {
		handles[n++] = args.handle;
		args.handle = 0;
	}
	EXPECT_EQ(errno, ENOSPC);
	EXPECT(n > 0);
	while (n)
		t_gem_close(fd, handles[--n]);
	t_gem_close(fd, t_bo(fd, 64 << 20, DRM_LOOM_PLACE_HBM, 0));
}

static void check_mapping(uint32_t placement)
{
	uint64_t size = 3 << 20;
	int fd = t_open();
	uint32_t bo = t_bo(fd, size, placement, 0);
	uint32_t *a = t_mmap(fd, bo, size), *b = t_mmap(fd, bo, size);

	for (uint64_t i = 0; i < size / 4; i++)
		if (a[i])
			tap_fail(__FILE__, __LINE__, "word %llu is %#x, not 0",
				 (unsigned long long)i, a[i]);
	a[0] = 0x11223344;
	a[size / 4 - 1] = 0x55667788;
	EXPECT_EQ(b[0], 0x11223344);
	EXPECT_EQ(b[size / 4 - 1], 0x55667788);
	t_gem_close(fd, bo);
	EXPECT_EQ(b[0], 0x11223344);	/* the mapping keeps the object */
}

TEST(bo_in_hbm_is_zeroed_and_mappable)
{
	check_mapping(DRM_LOOM_PLACE_HBM);
}

TEST(bo_in_system_memory_is_zeroed_and_mappable)
{
	check_mapping(DRM_LOOM_PLACE_SYSTEM);
}

/* What one client leaves in HBM must not reach the next. */
/* The card still clears it when the mapping is all that is left of it. */
TEST(bo_without_handles_is_zeroed_and_mappable)
{
	uint64_t size = 64ull << 20;
	int fd = t_open();
	uint32_t *p, bo;

	for (int i = 0; i < 2; i++) {
		bo = t_bo(fd, size, DRM_LOOM_PLACE_HBM, 0);
		p = t_mmap(fd, bo, size);
		t_gem_close(fd, bo);
		EXPECT_EQ(p[size / 4 - 1], 0);
		p[size / 4 - 1] = 0xffffffff;
		munmap(p, size);
	}
}

TEST(bo_freed_memory_is_cleared_before_reuse)
{
	uint64_t size = 256 << 20;
	int fd = t_open();
	uint32_t bo = t_bo(fd, size, DRM_LOOM_PLACE_HBM, 0);
	uint64_t *p = t_mmap(fd, bo, size);

	for (uint64_t i = 0; i < size / 8; i += T_PAGE / 8)
		p[i] = 0x5ec2e75ec2e7ull;
	munmap(p, size);
	t_gem_close(fd, bo);
	fd = t_open();
	bo = t_bo(fd, size, DRM_LOOM_PLACE_HBM, 0);
	p = t_mmap(fd, bo, size);
	for (uint64_t i = 0; i < size / 8; i += T_PAGE / 8)
		if (p[i])
			tap_fail(__FILE__, __LINE__, "stale data at %#llx",
				 (unsigned long long)i * 8);
}

TEST(bo_mmap_offset_refuses_unknown_handle)
{
	struct drm_loom_bo_mmap_offset args = { .handle = 999 };

	EXPECT_ERR(t_ioctl(t_open(), DRM_IOCTL_LOOM_BO_MMAP_OFFSET, &args), ENOENT);
}

TEST(bo_mmap_offset_refuses_flags)
{
	int fd = t_open();
	struct drm_loom_bo_mmap_offset args = {
		.handle = t_bo(fd, T_PAGE, DRM_LOOM_PLACE_HBM, 0),
		.flags = 1,
	};

	EXPECT_ERR(t_ioctl(fd, DRM_IOCTL_LOOM_BO_MMAP_OFFSET, &args), EINVAL);
}

TEST(mmap_refuses_more_than_the_object)
{
	int fd = t_open();
	struct drm_loom_bo_mmap_offset args = {
		.handle = t_bo(fd, T_PAGE, DRM_LOOM_PLACE_HBM, 0),
	};

	EXPECT_OK(t_ioctl(fd, DRM_IOCTL_LOOM_BO_MMAP_OFFSET, &args));
	EXPECT(mmap(NULL, 2 * T_PAGE, PROT_READ, MAP_SHARED, fd,
		    (off_t)args.offset) == MAP_FAILED);
}

TEST(mmap_offset_of_another_file_is_refused)
{
	int fd = t_open(), other = t_open();
	struct drm_loom_bo_mmap_offset args = {
		.handle = t_bo(fd, T_PAGE, DRM_LOOM_PLACE_HBM, 0),
	};

	EXPECT_OK(t_ioctl(fd, DRM_IOCTL_LOOM_BO_MMAP_OFFSET, &args));
	EXPECT(mmap(NULL, T_PAGE, PROT_READ, MAP_SHARED, other,
		    (off_t)args.offset) == MAP_FAILED);
	EXPECT_EQ(errno, EACCES);
}

TEST(bo_info_tells_size_and_placement)
{
	int fd = t_open();
	struct drm_loom_bo_info args = {
		.handle = t_bo(fd, 5 * T_PAGE, DRM_LOOM_PLACE_HBM, 0),
	};

	EXPECT_OK(t_ioctl(fd, DRM_IOCTL_LOOM_BO_INFO, &args));
	EXPECT_EQ(args.size, 5 * T_PAGE);
	EXPECT_EQ(args.placement, DRM_LOOM_PLACE_HBM);
	EXPECT_EQ(args.resident, DRM_LOOM_PLACE_HBM);
	EXPECT_EQ(args.pad, 0);
}

TEST(bo_info_refuses_unknown_handle)
{
	struct drm_loom_bo_info args = { .handle = 999 };

	EXPECT_ERR(t_ioctl(t_open(), DRM_IOCTL_LOOM_BO_INFO, &args), ENOENT);
}

TEST(bo_handles_belong_to_their_file)
{
	int fd = t_open(), other = t_open();
	struct drm_loom_bo_info args = {
		.handle = t_bo(fd, T_PAGE, DRM_LOOM_PLACE_HBM, 0),
	};

	EXPECT_ERR(t_ioctl(other, DRM_IOCTL_LOOM_BO_INFO, &args), ENOENT);
}

static int set_label(int fd, uint32_t bo, const char *label, uint32_t size)
{
	struct drm_loom_bo_set_label args = {
		.handle = bo,
		.size = size,
		.label = (uintptr_t)label,
	};

	return t_ioctl(fd, DRM_IOCTL_LOOM_BO_SET_LABEL, &args);
}

/* Length of the label of @bo, which is in @buf. */
static uint32_t get_label(int fd, uint32_t bo, char *buf, uint32_t room)
{
	struct drm_loom_bo_info args = {
		.handle = bo,
		.label = (uintptr_t)buf,
		.label_size = room,
	};

	EXPECT_OK(t_ioctl(fd, DRM_IOCTL_LOOM_BO_INFO, &args));
	return args.label_size;
}

TEST(label_is_told_by_info)
{
	int fd = t_open();
	uint32_t bo = t_bo(fd, T_PAGE, DRM_LOOM_PLACE_HBM, 0);
	char buf[DRM_LOOM_MAX_LABEL + 1] = "";

	EXPECT_EQ(get_label(fd, bo, buf, sizeof(buf)), 0);
	EXPECT_OK(set_label(fd, bo, "weights", 7));
	EXPECT_EQ(get_label(fd, bo, buf, sizeof(buf)), 7);
	EXPECT(!strcmp(buf, "weights"));
	EXPECT_OK(set_label(fd, bo, "kv", 2));
	memset(buf, '#', sizeof(buf));
	EXPECT_EQ(get_label(fd, bo, buf, sizeof(buf)), 2);
	EXPECT(!memcmp(buf, "kv#", 3));
	EXPECT_OK(set_label(fd, bo, NULL, 0));
	EXPECT_EQ(get_label(fd, bo, buf, sizeof(buf)), 0);
}

TEST(label_is_cut_to_the_room_there_is)
{
	int fd = t_open();
	uint32_t bo = t_bo(fd, T_PAGE, DRM_LOOM_PLACE_HBM, 0);
	char buf[8] = "########";

	EXPECT_OK(set_label(fd, bo, "weights", 7));
	EXPECT_EQ(get_label(fd, bo, buf, 3), 7);
	EXPECT(!memcmp(buf, "wei#", 4));
}

TEST(set_label_refuses_unknown_handle)
{
	EXPECT_ERR(set_label(t_open(), 999, "a", 1), ENOENT);
}

TEST(set_label_refuses_too_long)
{
	char label[DRM_LOOM_MAX_LABEL + 1];
	int fd = t_open();
	uint32_t bo = t_bo(fd, T_PAGE, DRM_LOOM_PLACE_HBM, 0);

	memset(label, 'x', sizeof(label));
	EXPECT_OK(set_label(fd, bo, label, sizeof(label) - 1));
	EXPECT_ERR(set_label(fd, bo, label, sizeof(label)), E2BIG);
}

TEST(set_label_refuses_zero_bytes)
{
	int fd = t_open();
	uint32_t bo = t_bo(fd, T_PAGE, DRM_LOOM_PLACE_HBM, 0);

	EXPECT_ERR(set_label(fd, bo, "a\0b", 3), EINVAL);
}

TEST(set_label_refuses_pointer_without_size)
{
	int fd = t_open();
	uint32_t bo = t_bo(fd, T_PAGE, DRM_LOOM_PLACE_HBM, 0);

	EXPECT_ERR(set_label(fd, bo, "a", 0), EINVAL);
}

TEST(set_label_refuses_bad_pointer)
{
	int fd = t_open();
	uint32_t bo = t_bo(fd, T_PAGE, DRM_LOOM_PLACE_HBM, 0);

	EXPECT_ERR(set_label(fd, bo, (void *)8, 4), EFAULT);
}

TEST(bo_info_refuses_pad)
{
	int fd = t_open();
	struct drm_loom_bo_info args = {
		.handle = t_bo(fd, T_PAGE, DRM_LOOM_PLACE_HBM, 0), .pad = 1,
	};

	EXPECT_ERR(t_ioctl(fd, DRM_IOCTL_LOOM_BO_INFO, &args), EINVAL);
}

TEST(bo_info_refuses_label_size_without_pointer)
{
	int fd = t_open();
	struct drm_loom_bo_info args = {
		.handle = t_bo(fd, T_PAGE, DRM_LOOM_PLACE_HBM, 0), .label_size = 8,
	};

	EXPECT_ERR(t_ioctl(fd, DRM_IOCTL_LOOM_BO_INFO, &args), EINVAL);
}

TEST(bo_info_refuses_bad_label_pointer)
{
	int fd = t_open();
	uint32_t bo = t_bo(fd, T_PAGE, DRM_LOOM_PLACE_HBM, 0);
	struct drm_loom_bo_info args = { .handle = bo, .label = 8, .label_size = 8 };

	EXPECT_OK(set_label(fd, bo, "abcdefg", 7));
	EXPECT_ERR(t_ioctl(fd, DRM_IOCTL_LOOM_BO_INFO, &args), EFAULT);
}

/* A program of version 1.0 passes the struct as it was then. */
TEST(bo_info_of_version_1_0_still_works)
{
	int fd = t_open();
	struct { uint32_t handle, placement; uint64_t size; uint32_t resident, pad; } args = {
		.handle = t_bo(fd, 3 * T_PAGE, DRM_LOOM_PLACE_SYSTEM, 0),
	};
	unsigned long request = _IOC(_IOC_READ | _IOC_WRITE, 'd',
				     DRM_COMMAND_BASE + DRM_LOOM_BO_INFO, sizeof(args));

	EXPECT_OK(t_ioctl(fd, request, &args));
	EXPECT_EQ(args.size, 3 * T_PAGE);
	EXPECT_EQ(args.resident, DRM_LOOM_PLACE_SYSTEM);
	EXPECT_EQ(args.pad, 0);
}

TAP_MAIN()
