// SPDX-License-Identifier: MIT
/*
 * The table of operations, and those on whole files and processes.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <drm/loom_accel.h>

#include "fuzz_ioctl.h"

#define FORK_OPS	60
#define INTERRUPT_US	20000
#define SCRATCH		0x100000000000ull

/* Signals interrupt what waits; children of fork() have no timer. */
void fz_start_timer(void)
{
	struct itimerval often = {
		.it_interval = { .tv_usec = INTERRUPT_US },
		.it_value = { .tv_usec = INTERRUPT_US },
	};

	setitimer(ITIMER_REAL, &often, NULL);
}

/* Files --------------------------------------------------------------------- */

static int map_bo(int fd, uint32_t vm, uint32_t bo, uint64_t va, uint64_t size)
{
	struct drm_loom_vm_bind_op op = { .handle = bo, .va = va, .size = size };
	struct drm_loom_vm_bind args = {
		.vm_id = vm,
		.ops = { sizeof(op), 1, (uintptr_t)&op },
	};

	return ioctl(fd, DRM_IOCTL_LOOM_VM_BIND, &args);
}

static uint32_t create_bo(int fd, uint64_t size, uint32_t placement, uint32_t vm)
{
	struct drm_loom_bo_create args = {
		.size = size, .placement = placement, .vm_id = vm,
	};

	return ioctl(fd, DRM_IOCTL_LOOM_BO_CREATE, &args) ? 0 : args.handle;
}

/* The first two objects of a file are commands and what they work on. */
int fz_bind_base(struct fz_file *file, uint32_t vm)
{
	if (map_bo(file->fd, vm, file->handle[FZ_BO][0], FZ_CMD_VA, FZ_CMD_SIZE))
		return -1;
	return map_bo(file->fd, vm, file->handle[FZ_BO][1], FZ_HBM_VA, FZ_HBM_SIZE);
}

static int fill_commands(struct fz *fz, struct fz_file *file)
{
	struct drm_loom_bo_mmap_offset args = { .handle = file->handle[FZ_BO][0] };
	uint8_t *cmd;
	unsigned int at;

	if (ioctl(file->fd, DRM_IOCTL_LOOM_BO_MMAP_OFFSET, &args))
		return -1;
	cmd = mmap(NULL, FZ_CMD_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd,
		   (off_t)args.offset);
	if (cmd == MAP_FAILED)
		return -1;
	for (at = 0; at < FZ_CMD_SIZE; at += FZ_CMD_SLOT) {
		uint8_t slot[FZ_CMD_SLOT];

		fz_write_commands(fz, slot);
		memcpy(cmd + at, slot, sizeof(slot));
	}
	return munmap(cmd, FZ_CMD_SIZE);
}

static int fill_file(struct fz *fz, struct fz_file *file)
{
	struct drm_loom_vm_create vm = { 0 };
	struct drm_loom_queue_create queue = { .priority = DRM_LOOM_PRIORITY_NORMAL };
	struct drm_syncobj_create syncobj = { 0 };

	if (ioctl(file->fd, DRM_IOCTL_LOOM_VM_CREATE, &vm))
		return -1;
	queue.vm_id = file->handle[FZ_VM][0] = vm.id;
	if (!ioctl(file->fd, DRM_IOCTL_LOOM_QUEUE_CREATE, &queue))
		file->handle[FZ_QUEUE][0] = queue.id;
	if (!ioctl(file->fd, DRM_IOCTL_SYNCOBJ_CREATE, &syncobj))
		file->handle[FZ_SYNCOBJ][0] = syncobj.handle;
	file->handle[FZ_BO][0] = create_bo(file->fd, FZ_CMD_SIZE,
					   DRM_LOOM_PLACE_SYSTEM, 0);
	file->handle[FZ_BO][1] = create_bo(file->fd, FZ_HBM_SIZE,
					   DRM_LOOM_PLACE_HBM, fz_one_in(fz, 2) ? vm.id : 0);
	if (fill_commands(fz, file))
		return -1;
	return fz_bind_base(file, vm.id);
}

int fz_open(struct fz *fz, struct fz_file *file)
{
	memset(file, 0, sizeof(*file));
	file->fd = open(FZ_NODE, O_RDWR | O_CLOEXEC);
	return file->fd < 0 ? -1 : fill_file(fz, file);
}

void fz_close(struct fz *fz, struct fz_file *file)
{
	(void)fz;
	close(file->fd);
	file->fd = -1;
}

static int run_reopen(struct fz *fz, struct fz_file *file)
{
	fz_close(fz, file);
	return fz_open(fz, file);
}

static int run_fdinfo(struct fz *fz, struct fz_file *file)
{
	char path[64], text[4096];
	ssize_t bytes;
	int fd;

	(void)fz;
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", file->fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	bytes = read(fd, text, sizeof(text));
	close(fd);
	return bytes > 0 ? 0 : -1;
}

/* These have operations that see to it that they ask for what there is. */
static bool wants_much(unsigned int nr)
{
	return nr == DRM_COMMAND_BASE + DRM_LOOM_BO_CREATE ||
	       (nr >= _IOC_NR(DRM_IOCTL_SYNCOBJ_CREATE) &&
		nr <= _IOC_NR(DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL));
}

/* Any number, any size, any contents. */
static int run_any_ioctl(struct fz *fz, struct fz_file *file)
{
	unsigned int size = fz_one_in(fz, 2) ? 8 * fz_below(fz, 17) :
					       fz_below(fz, 1 << _IOC_SIZEBITS);
	unsigned int nr = fz_one_in(fz, 2) ? DRM_COMMAND_BASE + fz_below(fz, 20) :
					     fz_below(fz, 256);
	uint8_t *arg = fz->scratch;
	unsigned int i;

	if (wants_much(nr))
		return -1;
	for (i = 0; i < 128; i += 8) {
		uint64_t value = fz_one_in(fz, 2) ? 0 : fz_odd_value(fz);

		memcpy(arg + i, &value, sizeof(value));
	}
	return ioctl(file->fd, _IOC(fz_below(fz, 4), DRM_IOCTL_BASE, nr, size), arg);
}

/* A reset of the card, the innocents' jobs go on. */
static int run_reset(struct fz *fz, struct fz_file *file)
{
	int fd = open(FZ_DEVICE "/reset", O_WRONLY | O_CLOEXEC);
	ssize_t bytes;

	(void)fz;
	(void)file;
	bytes = write(fd, "1", 1);
	close(fd);
	return bytes == 1 ? 0 : -1;
}

/* A child with the same files goes on for a while beside us, or is killed. */
static int run_fork(struct fz *fz, struct fz_file *file)
{
	uint64_t seed = fz_random(fz);
	bool killed = fz_one_in(fz, 3);
	pid_t pid;

	(void)file;
	if (fz->forked)
		return -1;
	fz->forked = true;
	pid = fork();
	if (!pid) {
		fz->random = seed;
		fz_start_timer();
		fz_run_ops(fz, fz_below(fz, FORK_OPS));
		_exit(0);
	}
	if (pid < 0)
		return -1;	/* and no more forks in this round */
	fz_run_ops(fz, FORK_OPS / 2);
	if (killed)
		kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	fz->forked = false;
	return 0;
}

const struct fz_op fz_ops[] = {
	{ "QUERY",		20, fz_run_query },
	{ "BO_CREATE",		60, fz_run_bo_create },
	{ "BO_MMAP_OFFSET",	30, fz_run_bo_map },
	{ "BO_INFO",		20, fz_run_bo_info },
	{ "BO_SET_LABEL",	20, fz_run_bo_label },
	{ "GEM_CLOSE",		40, fz_run_gem_close },
	{ "touch",		30, fz_run_touch },
	{ "munmap",		10, fz_run_unmap },
	{ "VM_CREATE",		10, fz_run_vm_create },
	{ "VM_DESTROY",		6, fz_run_vm_destroy },
	{ "VM_STATE",		10, fz_run_vm_state },
	{ "VM_BIND",		120, fz_run_vm_bind },
	{ "QUEUE_CREATE",	12, fz_run_queue_create },
	{ "QUEUE_DESTROY",	8, fz_run_queue_destroy },
	{ "QUEUE_STATE",	10, fz_run_queue_state },
	{ "QUEUE_TIMES",	10, fz_run_queue_times },
	{ "SUBMIT",		180, fz_run_submit },
	{ "SYNCOBJ_CREATE",	20, fz_run_syncobj_create },
	{ "SYNCOBJ_DESTROY",	10, fz_run_syncobj_destroy },
	{ "SYNCOBJ_RESET/SIGNAL", 10, fz_run_syncobj_array },
	{ "SYNCOBJ_WAIT",	20, fz_run_syncobj_wait },
	{ "SYNCOBJ_TIMELINE_WAIT", 20, fz_run_syncobj_timeline_wait },
	{ "SYNCOBJ_QUERY/TIMELINE_SIGNAL", 20, fz_run_syncobj_points },
	{ "SYNCOBJ_TRANSFER",	10, fz_run_syncobj_transfer },
	{ "SYNCOBJ_HANDLE_TO_FD", 10, fz_run_syncobj_export },
	{ "SYNCOBJ_FD_TO_HANDLE", 10, fz_run_syncobj_import },
	{ "SYNCOBJ_EVENTFD",	10, fz_run_syncobj_eventfd },
	{ "PRIME_HANDLE_TO_FD",	20, fz_run_prime_export },
	{ "PRIME_FD_TO_HANDLE",	20, fz_run_prime_import },
	{ "dma-buf",		20, fz_run_dma_buf },
	{ "any ioctl",		20, run_any_ioctl },
	{ "fdinfo",		5, run_fdinfo },
	{ "close/open",		3, run_reopen },
	{ "fork",		3, run_fork },
	{ "reset",		1, run_reset },
};

const unsigned int fz_num_ops = sizeof(fz_ops) / sizeof(fz_ops[0]);

static unsigned int pick_op(struct fz *fz)
{
	unsigned int i, total = 0, at;

	for (i = 0; i < fz_num_ops; i++)
		total += fz_ops[i].weight;
	at = fz_below(fz, total);
	for (i = 0; at >= fz_ops[i].weight; i++)
		at -= fz_ops[i].weight;
	return i;
}

void fz_run_ops(struct fz *fz, unsigned int n)
{
	while (n--) {
		struct fz_file *file = &fz->file[fz_below(fz, FZ_FILES)];
		unsigned int op = pick_op(fz);
		int ret = fz_ops[op].run(fz, file);

		__atomic_add_fetch(&fz->count[op].calls, 1, __ATOMIC_RELAXED);
		if (!ret)
			__atomic_add_fetch(&fz->count[op].good, 1, __ATOMIC_RELAXED);
	}
}

static uint8_t *make_scratch(void)
{
	uint8_t *p = mmap((void *)SCRATCH, FZ_SCRATCH + 4096, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (p == MAP_FAILED || mprotect(p + FZ_SCRATCH, 4096, PROT_NONE))
		_exit(2);
	return p;
}

static void on_timer(int number)
{
	(void)number;
}

void fz_run_round(uint64_t seed, unsigned int ops, struct fz_count *count)
{
	struct sigaction action = { .sa_handler = on_timer };
	struct fz fz = { .random = seed, .count = count };
	unsigned int i;

	fz.scratch = make_scratch();
	for (i = 0; i < FZ_FDS; i++)
		fz.dma_buf[i] = fz.sync_file[i] = -1;
	/* No SA_RESTART: a wait that was spoilt to last must end. */
	sigaction(SIGALRM, &action, NULL);
	for (i = 0; i < FZ_FILES; i++)
		fz_open(&fz, &fz.file[i]);
	fz_start_timer();
	fz_run_ops(&fz, ops);
}
