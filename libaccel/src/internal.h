/* SPDX-License-Identifier: MIT */
/*
 * What the source files of libaccel share: the handles, the last error, debug
 * output and the size rule of structs.
 */
#ifndef ACCEL_INTERNAL_H
#define ACCEL_INTERNAL_H

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <accel/accel.h>
#include <accel/accel_cmd.h>
#include <loom/loom_regs.h>

#include "loom_core.h"

#include "range.h"
#include "transport.h"

#define ACCEL_VERSION_STRING	"0.1.0"

#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#define container_of(p, type, member) \
	((type *)((char *)(p) - offsetof(type, member)))

/* Most command buffers and most waits of one submission. */
#define ACCEL_MAX_SUBMIT	64

/* ------------------------------------------------------------------ error.c */

/** error_enter() - name the library function that this thread is in */
void error_enter(const char *function);

/**
 * error_set() - set the thread's last error
 * @code: negative errno
 * @hint: what to do about it, or NULL
 *
 * Return: @code.
 */
int error_set(int code, const char *hint, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** error_hint() - replace the hint of the last error */
void error_hint(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Every public function that can fail begins with this. */
#define API_ENTER()		error_enter(__func__)

/* ------------------------------------------------------------------ debug.c */

enum debug_topic {
	DEBUG_SUBMIT = 1 << 0,
	DEBUG_MEM = 1 << 1,
	DEBUG_SIM = 1 << 2,
};

/** debug_topics() - what $ACCEL_DEBUG asks for */
unsigned int debug_topics(void);

/** debug_print() - one line to stderr if the device wants @topic */
void debug_print(const struct accel_device *dev, enum debug_topic topic,
		 const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* ----------------------------------------------------------------- struct.c */

/**
 * struct_in() - copy a struct that the caller passes in
 * @dst: the library's version of it, @known bytes
 * @src: the caller's; its first member is its size
 *
 * Return: 0; -EINVAL no size; -E2BIG a member that we do not know is not 0.
 */
int struct_in(void *dst, size_t known, const void *src);

/**
 * struct_out() - fill a struct of the caller as far as it reaches
 * @dst: the caller's; its first member is its size and stays
 * @src: the library's version, @known bytes
 */
int struct_out(void *dst, const void *src, size_t known);

/* ------------------------------------------------------------------ handles */

/** struct accel_device - what all transports have; each embeds it */
struct accel_device {
	/** @ops: the transport */
	const struct accel_transport *ops;
	/** @info: constants of the card */
	struct accel_device_info info;
	/** @debug: enum debug_topic */
	unsigned int debug;
	/**
	 * @lock: guards @va and @bos, and the memory of command buffers
	 * against a queue that explains a fault in them
	 */
	pthread_mutex_t lock;
	/** @va: free device virtual addresses */
	struct range_alloc va;
	/** @bos: all buffer objects, newest first */
	struct accel_bo *bos;
	/**
	 * @share_lock: a device has one handle for one piece of memory, which an
	 * import must not find while it is given up, nor two at once; taken
	 * before @lock
	 */
	pthread_mutex_t share_lock;
};

/** struct accel_bo - a buffer object */
struct accel_bo {
	struct accel_device *dev;
	struct accel_bo *prev, *next;
	uint64_t va;
	uint64_t size;
	enum accel_placement placement;
	/** @shared: it can be exported */
	bool shared;
	/** @label: what the program calls it, or "" */
	char label[ACCEL_MAX_LABEL + 1];
	/** @backing: the transport's: GEM handle; HBM offset or bus address */
	uint64_t backing;
	/** @map: CPU address, NULL before the first accel_bo_map() */
	void *map;
};

/** struct queue_job - a job that is not known to have succeeded */
struct queue_job {
	/** @cb: its command buffer; a reference */
	struct accel_cmdbuf *cb;
	/** @point: timeline point of the submission it belongs to */
	uint64_t point;
};

/** struct accel_queue - what all transports have; each embeds it */
struct accel_queue {
	struct accel_device *dev;
	/** @submitted: jobs so far, which is also the last timeline point */
	_Atomic uint64_t submitted;
	/** @jobs: jobs @retired + 1 .. @submitted, oldest first */
	struct queue_job *jobs;
	size_t jobs_max;
	/** @retired: jobs that are known to have succeeded */
	uint64_t retired;
	/** @fate: valid and final once @fate.status.failed is set */
	struct queue_fate fate;
};

/** struct accel_cmdbuf - commands, recorded where the card reads them */
struct accel_cmdbuf {
	struct accel_device *dev;
	/** @refs: the owner's and one per job in a queue's list */
	atomic_uint refs;
	/** @bo: system memory, NULL before the first command */
	struct accel_bo *bo;
	/** @data: CPU address of @bo */
	uint8_t *data;
	uint32_t size;
	uint32_t capacity;
};

/* The insides of bo.c and cmdbuf.c, for callers that are in another function. */
int bo_create(struct accel_device *dev, uint64_t size,
	      enum accel_placement placement, struct accel_bo **out);
void bo_destroy(struct accel_bo *bo);
int bo_map(struct accel_bo *bo, void **out);
/* bo_new() takes an address for @bo->size bytes; bo_add() makes the object known. */
int bo_new(struct accel_device *dev, uint64_t size, struct accel_bo **out);
void bo_add(struct accel_bo *bo);
void bo_free(struct accel_bo *bo);

void cmdbuf_get(struct accel_cmdbuf *cb);
void cmdbuf_put(struct accel_cmdbuf *cb);

/* device.c: set up and tear down the common part of a device. */
int device_init(struct accel_device *dev, const struct accel_transport *ops,
		uint64_t va_start, uint64_t va_end);
void device_fini(struct accel_device *dev);

/* explain.c: fate->status.text from its numbers; a hint for the last error. */
void explain_fate(struct accel_queue *q, struct queue_fate *fate);
void explain_hint(struct accel_queue *q, const struct queue_fate *fate);

#endif
