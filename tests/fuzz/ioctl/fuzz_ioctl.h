/* SPDX-License-Identifier: MIT */
/*
 * DOC: Fuzzing the driver's ioctls
 *
 * A round is a process with open files of the card that calls operations of
 * fz_ops[] at random: mostly with objects that exist and fields that are right,
 * some spoilt.  The same seed makes the same choices; what comes of them depends
 * on the rounds that run beside it.
 */
#ifndef FUZZ_IOCTL_H
#define FUZZ_IOCTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FZ_NODE		"/dev/accel/accel0"
#define FZ_DEVICE	"/sys/class/accel/accel0/device"

#define FZ_FILES	3
#define FZ_HANDLES	12
#define FZ_MAPS		8
#define FZ_FDS		8

/** enum fz_kind - what a file has handles of */
enum fz_kind { FZ_BO, FZ_VM, FZ_QUEUE, FZ_SYNCOBJ, FZ_KINDS };

/** struct fz_file - an open file of the card; fd is -1 when it is closed */
struct fz_file {
	int fd;
	/* Those that were given out last; 0 where there is none. */
	uint32_t handle[FZ_KINDS][FZ_HANDLES];
};

/** struct fz_map - a mapping of an object or dma-buf */
struct fz_map {
	void *p;
	size_t size;
};

/** struct fz_count - how often an operation was tried, and succeeded */
struct fz_count {
	uint64_t calls;
	uint64_t good;
};

/** struct fz - a round */
struct fz {
	uint64_t random;
	/* By number of operation; all rounds share it. */
	struct fz_count *count;
	/* A process shares our files. */
	bool forked;
	struct fz_file file[FZ_FILES];
	struct fz_map map[FZ_MAPS];
	/* dma-bufs and sync files; -1 where there is none */
	int dma_buf[FZ_FDS];
	int sync_file[FZ_FDS];
	/*
	 * For what the kernel writes, from the beginning; its end is the end of what
	 * is mapped.  Far from everything else, so that a spoilt address is not ours.
	 */
	uint8_t *scratch;
};

#define FZ_SCRATCH	0x4000

/** struct fz_op - something that a program can do to the card */
struct fz_op {
	const char *name;
	/* How often, in relation to the others. */
	unsigned int weight;
	/* 0 or -1, as the system call of that name. */
	int (*run)(struct fz *fz, struct fz_file *file);
};

extern const struct fz_op fz_ops[];
extern const unsigned int fz_num_ops;

/* Run a round in this process; its files stay open until it exits. */
void fz_run_round(uint64_t seed, unsigned int ops, struct fz_count *count);
void fz_run_ops(struct fz *fz, unsigned int n);
void fz_start_timer(void);

/* Choices. */
uint64_t fz_random(struct fz *fz);
unsigned int fz_below(struct fz *fz, unsigned int n);
bool fz_one_in(struct fz *fz, unsigned int n);
/* A number that code tends to get wrong. */
uint64_t fz_odd_value(struct fz *fz);
/* Change a field of @p, perhaps. */
void fz_spoil(struct fz *fz, void *p, size_t size);
/* Change fields of @p. */
void fz_break(struct fz *fz, void *p, size_t size);

/* Handles: one of the file's, or sometimes any number. */
uint32_t fz_pick(struct fz *fz, struct fz_file *file, enum fz_kind kind);
void fz_keep(struct fz *fz, struct fz_file *file, enum fz_kind kind,
	     uint32_t handle);
void fz_forget(struct fz *fz, struct fz_file *file, enum fz_kind kind,
	       uint32_t handle);

/* ioctl() with @arg perhaps spoilt, and perhaps at an address that faults. */
int fz_ioctl(struct fz *fz, int fd, unsigned long request, void *arg);

/* An array for the kernel to read, at the end of what is mapped. */
void *fz_array(struct fz *fz, const void *data, size_t size);

/* Open @file with a VM, a queue, and memory that commands find at FZ_CMD_VA. */
int fz_open(struct fz *fz, struct fz_file *file);
void fz_close(struct fz *fz, struct fz_file *file);

/* The operations by family: each file has a few. */
#define FZ_CMD_VA	0x100000ull
#define FZ_CMD_SIZE	0x4000u
#define FZ_HBM_VA	0x40000000ull
#define FZ_HBM_SIZE	0x100000ull
#define FZ_CMD_SLOT	0x400u		/* a program of commands */

int fz_bind_base(struct fz_file *file, uint32_t vm);
void fz_write_commands(struct fz *fz, uint8_t *cmd);

int fz_run_query(struct fz *fz, struct fz_file *file);
int fz_run_bo_create(struct fz *fz, struct fz_file *file);
int fz_run_bo_map(struct fz *fz, struct fz_file *file);
int fz_run_bo_info(struct fz *fz, struct fz_file *file);
int fz_run_bo_label(struct fz *fz, struct fz_file *file);
int fz_run_gem_close(struct fz *fz, struct fz_file *file);
int fz_run_touch(struct fz *fz, struct fz_file *file);
int fz_run_unmap(struct fz *fz, struct fz_file *file);

int fz_run_vm_create(struct fz *fz, struct fz_file *file);
int fz_run_vm_destroy(struct fz *fz, struct fz_file *file);
int fz_run_vm_state(struct fz *fz, struct fz_file *file);
int fz_run_vm_bind(struct fz *fz, struct fz_file *file);
int fz_run_queue_create(struct fz *fz, struct fz_file *file);
int fz_run_queue_destroy(struct fz *fz, struct fz_file *file);
int fz_run_queue_state(struct fz *fz, struct fz_file *file);
int fz_run_queue_times(struct fz *fz, struct fz_file *file);
int fz_run_submit(struct fz *fz, struct fz_file *file);

int fz_run_syncobj_create(struct fz *fz, struct fz_file *file);
int fz_run_syncobj_destroy(struct fz *fz, struct fz_file *file);
int fz_run_syncobj_array(struct fz *fz, struct fz_file *file);
int fz_run_syncobj_wait(struct fz *fz, struct fz_file *file);
int fz_run_syncobj_timeline_wait(struct fz *fz, struct fz_file *file);
int fz_run_syncobj_points(struct fz *fz, struct fz_file *file);
int fz_run_syncobj_transfer(struct fz *fz, struct fz_file *file);
int fz_run_syncobj_export(struct fz *fz, struct fz_file *file);
int fz_run_syncobj_import(struct fz *fz, struct fz_file *file);
int fz_run_syncobj_eventfd(struct fz *fz, struct fz_file *file);

int fz_run_prime_export(struct fz *fz, struct fz_file *file);
int fz_run_prime_import(struct fz *fz, struct fz_file *file);
int fz_run_dma_buf(struct fz *fz, struct fz_file *file);

#endif
