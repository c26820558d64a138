// SPDX-License-Identifier: MIT
/*
 * More memory bound than HBM holds, and HBM that the CPU does not see: objects
 * move, and their contents with them.
 *
 * Needs a card with little HBM: tests/vm/test-memory.sh boots one.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "card.h"

#define BO_SIZE		(4ull << 20)
#define BO_WORDS	(uint32_t)(BO_SIZE / 4)
#define MAX_BOS		256
#define MAX_HBM		(256ull << 20)
#define FIRST_VA	0x100000000ull

/* A client with twice as much memory as HBM has. */
struct crowd {
	struct t_ctx ctx;
	unsigned int num;
	uint32_t bo[MAX_BOS];
};

static struct drm_loom_memory_info memory_info(int fd)
{
	struct drm_loom_memory_info info = { 0 };
	struct drm_loom_query args = {
		.type = DRM_LOOM_QUERY_MEMORY,
		.size = sizeof(info),
		.data = (uintptr_t)&info,
	};

	EXPECT_OK(t_ioctl(fd, DRM_IOCTL_LOOM_QUERY, &args));
	return info;
}

static uint64_t hbm_total(int fd)
{
	uint64_t total = memory_info(fd).hbm_total;

	if (total > MAX_HBM)
		tap_skip("the card has %llu MiB of HBM, too much to fill twice: tests/vm/test-memory.sh boots one with less",
			 (unsigned long long)total >> 20);
	return total;
}

static uint32_t resident(int fd, uint32_t bo)
{
	struct drm_loom_bo_info args = { .handle = bo };

	EXPECT_OK(t_ioctl(fd, DRM_IOCTL_LOOM_BO_INFO, &args));
	return args.resident;
}

static uint64_t va_of(unsigned int i)
{
	return FIRST_VA + i * BO_SIZE;
}

/* @share: percent of HBM; @private: objects belong to the VM. */
static void crowd_init(struct crowd *c, unsigned int share, int private)
{
	t_ctx_init(&c->ctx);
	c->num = (unsigned int)(hbm_total(c->ctx.fd) * share / 100 / BO_SIZE);
	EXPECT(c->num <= MAX_BOS);
	for (unsigned int i = 0; i < c->num; i++) {
		c->bo[i] = t_bo(c->ctx.fd, BO_SIZE, DRM_LOOM_PLACE_HBM,
				private ? c->ctx.vm : 0);
		t_map(c->ctx.fd, c->ctx.vm, c->bo[i], va_of(i), BO_SIZE);
	}
}

static unsigned int crowd_in_hbm(struct crowd *c)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < c->num; i++)
		n += resident(c->ctx.fd, c->bo[i]) == DRM_LOOM_PLACE_HBM;
	return n;
}

/* One job writes @seed + i to all words of object i. */
static void crowd_fill(struct crowd *c, uint32_t seed)
{
	uint32_t size = 0;

	for (unsigned int i = 0; i < c->num; i++)
		size = t_cmd_fill(&c->ctx, size, va_of(i), BO_WORDS, seed + i);
	EXPECT_EQ(t_run(&c->ctx, size), 1);
}

static void check_words(const uint32_t *p, uint32_t n, uint32_t value,
			unsigned int bo)
{
	for (uint32_t i = 0; i < n; i++)
		if (p[i] != value)
			tap_fail(__FILE__, __LINE__,
				 "object %u word %u is %#x, not %#x", bo, i,
				 p[i], value);
}

/* By CPU; each object is mapped for that, and so moved if need be. */
static void crowd_check(struct crowd *c, uint32_t seed)
{
	for (unsigned int i = 0; i < c->num; i++) {
		uint32_t *p = t_mmap(c->ctx.fd, c->bo[i], BO_SIZE);

		check_words(p, BO_WORDS, seed + i, i);
		munmap(p, BO_SIZE);
	}
}

/* One job copies the first half of each object to the second half of the next. */
static void crowd_pass_on(struct crowd *c)
{
	uint32_t size = 0;

	for (unsigned int i = 0; i < c->num; i++)
		size = t_cmd_copy(&c->ctx, size,
				  va_of((i + 1) % c->num) + BO_SIZE / 2,
				  va_of(i), BO_WORDS / 2);
	EXPECT_EQ(t_run(&c->ctx, size), 1);
}

static void crowd_check_passed_on(struct crowd *c, uint32_t seed)
{
	for (unsigned int i = 0; i < c->num; i++) {
		uint32_t *p = t_mmap(c->ctx.fd, c->bo[i], BO_SIZE);
		unsigned int prev = (i + c->num - 1) % c->num;

		check_words(p, BO_WORDS / 2, seed + i, i);
		check_words(p + BO_WORDS / 2, BO_WORDS / 2, seed + prev, i);
		munmap(p, BO_SIZE);
	}
}

static void use_twice_the_hbm(int private)
{
	struct crowd c;

	crowd_init(&c, 200, private);
	EXPECT(crowd_in_hbm(&c) < c.num);
	EXPECT(crowd_in_hbm(&c) > c.num / 4);
	crowd_fill(&c, 0x1000);
	crowd_pass_on(&c);
	crowd_check_passed_on(&c, 0x1000);
	crowd_fill(&c, 0x2000);
	crowd_check(&c, 0x2000);
}

TEST(twice_the_hbm_in_one_vm_keeps_its_contents)
{
	use_twice_the_hbm(1);
}

TEST(twice_the_hbm_in_shareable_objects_keeps_its_contents)
{
	use_twice_the_hbm(0);
}

/* The order matters: what is written first is pushed out by what comes after. */
TEST(contents_survive_being_pushed_out)
{
	struct crowd a, b;

	crowd_init(&a, 80, 1);
	crowd_fill(&a, 0x77000);
	crowd_init(&b, 80, 1);
	EXPECT(crowd_in_hbm(&a) < a.num);
	crowd_fill(&b, 0x88000);
	crowd_pass_on(&a);
	crowd_check_passed_on(&a, 0x77000);
	crowd_check(&b, 0x88000);
}

/* Memory of somebody pushed out must not show in what takes its place. */
TEST(new_objects_are_zero_where_others_were_pushed_out)
{
	struct crowd a, b;

	crowd_init(&a, 100, 1);
	crowd_fill(&a, 0x5ec2e7);
	crowd_init(&b, 60, 0);
	for (unsigned int i = 0; i < b.num; i++) {
		uint32_t *p = t_mmap(b.ctx.fd, b.bo[i], BO_SIZE);

		check_words(p, BO_WORDS, 0, i);
		munmap(p, BO_SIZE);
	}
	crowd_check(&a, 0x5ec2e7);
}

TEST(pushed_out_objects_return_when_there_is_room)
{
	struct crowd a, b;

	crowd_init(&a, 60, 1);
	crowd_fill(&a, 0x3000);
	crowd_init(&b, 80, 1);
	EXPECT(crowd_in_hbm(&a) < a.num);
	/* Mappings keep the file, and the file the objects. */
	munmap(b.ctx.cmd, T_CMD_SIZE);
	munmap(b.ctx.hbm, T_HBM_SIZE);
	close(b.ctx.fd);
	for (int i = 0; i < 200 && crowd_in_hbm(&a) < a.num; i++) {
		EXPECT_EQ(t_run(&a.ctx, t_cmd_fill(&a.ctx, 0, T_HBM_VA, 16, 1)), 1);
		usleep(10000);
	}
	EXPECT_EQ(crowd_in_hbm(&a), a.num);
	crowd_check(&a, 0x3000);
}

/* A client for as long as it takes: fills, passes on, checks. */
static void client(unsigned int number)
{
	struct crowd c;

	crowd_init(&c, 60, number & 1);
	for (uint32_t round = 0; round < 3; round++) {
		uint32_t seed = (number + 1) << 20 | round << 12;

		crowd_fill(&c, seed);
		crowd_pass_on(&c);
		crowd_check_passed_on(&c, seed);
	}
}

TEST(four_clients_push_each_other_out_at_once)
{
	pid_t child[4];
	int status;

	hbm_total(t_open());
	for (unsigned int i = 0; i < 4; i++) {
		child[i] = fork();
		EXPECT_OK(child[i]);
		if (!child[i]) {
			client(i);
			_exit(0);
		}
	}
	for (unsigned int i = 0; i < 4; i++) {
		EXPECT_EQ(waitpid(child[i], &status, 0), child[i]);
		EXPECT_EQ(status, 0);
	}
}

/* An asynchronous bind notes where the object is; then the object moves. */
TEST(an_object_that_moves_before_its_bind_has_run_is_found)
{
	struct drm_loom_vm_bind_op op = {
		.op = DRM_LOOM_VM_BIND_MAP,
		.va = 0x8000000000ull,
		.size = BO_SIZE,
	};
	struct drm_loom_vm_bind args = {
		.flags = DRM_LOOM_VM_BIND_ASYNC,
		.ops = { sizeof(op), 1, (uintptr_t)&op },
	};
	struct crowd c;
	struct t_ctx a;
	uint32_t *p;

	t_ctx_init(&a);
	hbm_total(a.fd);
	op.handle = t_bo(a.fd, BO_SIZE, DRM_LOOM_PLACE_HBM, 0);
	args.vm_id = a.vm;
	EXPECT_OK(t_ioctl(a.fd, DRM_IOCTL_LOOM_VM_BIND, &args));
	crowd_init(&c, 110, 1);
	EXPECT_EQ(resident(a.fd, op.handle), DRM_LOOM_PLACE_SYSTEM);
	EXPECT_EQ(t_run(&a, t_cmd_fill(&a, 0, op.va, BO_WORDS, 0xabc)), 1);
	p = t_mmap(a.fd, op.handle, BO_SIZE);
	check_words(p, BO_WORDS, 0xabc, 0);
}

/* The rest of a mapping that was cut moves like the whole. */
TEST(a_cut_mapping_follows_its_object)
{
	struct crowd c;
	struct t_ctx a;
	uint64_t va = 0x8000000000ull;
	uint32_t bo, *p;

	t_ctx_init(&a);
	hbm_total(a.fd);
	bo = t_bo(a.fd, BO_SIZE, DRM_LOOM_PLACE_HBM, 0);
	t_map(a.fd, a.vm, bo, va, BO_SIZE);
	crowd_init(&c, 110, 1);
	EXPECT_EQ(resident(a.fd, bo), DRM_LOOM_PLACE_SYSTEM);
	t_unmap(a.fd, a.vm, va + BO_SIZE / 4, BO_SIZE / 2);
	EXPECT_EQ(t_run(&a, t_cmd_fill(&a, 0, va + BO_SIZE * 3 / 4,
				       BO_WORDS / 4, 0xcafe)), 1);
	p = t_mmap(a.fd, bo, BO_SIZE);
	check_words(p, BO_WORDS / 4 * 3, 0, 0);
	check_words(p + BO_WORDS / 4 * 3, BO_WORDS / 4, 0xcafe, 0);
	/* The hole stays one. */
	EXPECT_EQ(t_run(&a, t_cmd_fill(&a, 0, va + BO_SIZE / 4, 16, 1)), -EIO);
}

TEST(hbm_behind_the_bar_can_be_used_and_is_moved_for_the_cpu)
{
	struct drm_loom_memory_info info;
	uint32_t bo[MAX_BOS], *p;
	unsigned int n = 0;
	struct t_ctx a;

	t_ctx_init(&a);
	info = memory_info(a.fd);
	if (info.hbm_visible == info.hbm_total && !getenv("LOOM_SMALL_BAR"))
		tap_skip("the CPU sees all of HBM: load loom with hbm_visible_mb=32");
	EXPECT(info.hbm_visible < info.hbm_total / 2);
	while (n * BO_SIZE < info.hbm_total / 2) {
		bo[n] = t_bo(a.fd, BO_SIZE, DRM_LOOM_PLACE_HBM, a.vm);
		t_map(a.fd, a.vm, bo[n], va_of(n), BO_SIZE);
		EXPECT_EQ(resident(a.fd, bo[n]), DRM_LOOM_PLACE_HBM);
		n++;
	}
	for (unsigned int i = 0; i < n; i++)
		EXPECT_EQ(t_run(&a, t_cmd_fill(&a, 0, va_of(i), BO_WORDS, ~i)), 1);
	for (unsigned int i = 0; i < n; i++) {
		p = t_mmap(a.fd, bo[i], BO_SIZE);
		check_words(p, BO_WORDS, ~i, i);
		/* The card goes on with it, wherever it is now. */
		p[BO_WORDS - 1] = 0x600d;
		EXPECT_EQ(t_run(&a, t_cmd_copy(&a, 0, va_of(i),
					       va_of(i) + BO_SIZE - 4, 1)), 1);
		EXPECT_EQ(p[0], 0x600d);
		munmap(p, BO_SIZE);
	}
}

TEST(hbm_and_system_memory_full_is_enospc_and_nothing_is_lost)
{
	struct drm_loom_bo_create args = {
		.size = BO_SIZE, .placement = DRM_LOOM_PLACE_HBM,
	};
	struct crowd a;

	crowd_init(&a, 50, 1);
	crowd_fill(&a, 0x4000);
	while (!t_ioctl(a.ctx.fd, DRM_IOCTL_LOOM_BO_CREATE, &args))
		args.handle = 0;
	EXPECT(errno == ENOSPC || errno == ENOMEM);
	crowd_pass_on(&a);
	crowd_check_passed_on(&a, 0x4000);
}

TAP_MAIN()
