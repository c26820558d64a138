/* SPDX-License-Identifier: MIT */
/*
 * What the guest selftests share: raw ioctls of /dev/accel/accelN, wrapped so
 * that a test reads Prepare / Do / Check.  Functions without a result end the
 * test when they fail.
 */
#ifndef TESTS_SELFTESTS_CARD_H
#define TESTS_SELFTESTS_CARD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>

#include <drm/loom_accel.h>
#include <loom/loom_isa.h>
#include <loom/loom_regs.h>

#include "tests/lib/tap.h"

#define T_PAGE 4096ull

/* t_ioctl() - ioctl() restarted after EINTR */
int t_ioctl(int fd, unsigned long request, void *arg);

/* t_open() - the card's node: $LOOM_NODE or /dev/accel/accel0; skips without one */
int t_open(void);
/*
 * t_await_card() - wait until a card that was just plugged in can be opened.  DRM shows
 * the node before it registers the device; until then open() says ENODEV.
 */
void t_await_card(void);

/* Where the attributes of the card's PCI device are. */
#define T_DEVICE	"/sys/class/accel/accel0/device/"

void t_write_file(const char *path, const char *text);
/* t_attribute() - a number in one of these, such as "resets" or "ras/ue_count" */
unsigned long t_attribute(const char *name);

/* t_bo() - a buffer object; its handle */
uint32_t t_bo(int fd, uint64_t size, uint32_t placement, uint32_t vm);
void *t_mmap(int fd, uint32_t handle, uint64_t size);
void t_gem_close(int fd, uint32_t handle);

uint32_t t_vm(int fd);
/* t_bind() - bind or unbind synchronously; 0 or -1 with errno */
int t_bind(int fd, uint32_t vm, const struct drm_loom_vm_bind_op *op);
void t_map(int fd, uint32_t vm, uint32_t handle, uint64_t va, uint64_t size);
void t_unmap(int fd, uint32_t vm, uint64_t va, uint64_t size);

uint32_t t_queue(int fd, uint32_t vm);
struct drm_loom_queue_state t_queue_state(int fd, uint32_t queue);

uint32_t t_syncobj(int fd);
/* t_wait() - wait for a binary syncobj; 0 or -1 with errno (ETIME) */
int t_wait(int fd, uint32_t syncobj, unsigned int ms);
int t_wait_point(int fd, uint32_t syncobj, uint64_t point, unsigned int ms);
/* t_sync_file() - the fence in a syncobj, as a file that outlives the card's */
int t_sync_file(int fd, uint32_t syncobj);
int t_sync_file_status(int sync_file);
/* t_fence_status() - of the fence in a syncobj: 1 ok, 0 pending, -errno failed */
int t_fence_status(int fd, uint32_t syncobj);

/* t_submit() - one job that signals @out (0: none); 0 or -1 with errno */
int t_submit(int fd, uint32_t queue, uint64_t cmd_va, uint32_t size,
	     uint32_t out);
int t_submit_syncs(int fd, uint32_t queue, uint64_t cmd_va, uint32_t size,
		   const struct drm_loom_sync_op *syncs, uint32_t count);

/*
 * struct t_ctx - an open card, a VM, a queue, 1 MiB of HBM and a page of
 * commands in system memory, all mapped on both sides
 */
struct t_ctx {
	int fd;
	uint32_t vm;
	uint32_t queue;
	uint32_t cmd_bo;
	uint32_t hbm_bo;
	uint8_t *cmd;
	uint8_t *hbm;
};

#define T_CMD_VA	0x100000ull
#define T_CMD_SIZE	0x10000ull
#define T_HBM_VA	0x40000000ull
#define T_HBM_SIZE	0x100000ull

void t_ctx_init(struct t_ctx *ctx);

/* t_cmd_fill() - write a FILL of @n words at @va with @value at byte @offset of the commands */
uint32_t t_cmd_fill(struct t_ctx *ctx, uint32_t offset, uint64_t va,
		    uint32_t n, uint32_t value);
/* t_cmd_copy() - the same for a COPY of @n words */
uint32_t t_cmd_copy(struct t_ctx *ctx, uint32_t offset, uint64_t dst,
		    uint64_t src, uint32_t n);
uint32_t t_cmd_event(struct t_ctx *ctx, uint32_t offset, uint32_t op,
		     uint32_t event, uint32_t value);

/*
 * t_hold() - a job that waits for t_let_go(), which is for one such job of a VM; it signals
 * @syncobj, or its @point.  Their commands are at the offsets 0 and 0x1000.
 */
void t_hold(struct t_ctx *ctx, uint32_t syncobj, uint64_t point);
void t_let_go(struct t_ctx *ctx);

/* t_run() - submit the first @size bytes of commands and wait; fence status */
int t_run(struct t_ctx *ctx, uint32_t size);

#endif
