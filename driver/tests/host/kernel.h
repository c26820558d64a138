/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * As much of the kernel as loom_sync.c, loom_uobj.c and their suite need on the
 * host.  It is included before everything; the kernel's headers that they name
 * are empty files there, see tests/kunit.mk.
 */
#ifndef LOOM_HOST_KERNEL_H
#define LOOM_HOST_KERNEL_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;

#define IS_ENABLED(option)	0
#define __user
#define __force
#define PAGE_SIZE		4096u
#define GFP_KERNEL		0
#define GFP_KERNEL_ACCOUNT	0
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#define min(a, b)		((a) < (b) ? (a) : (b))
#define u64_to_user_ptr(x)	((void *)(uintptr_t)(x))

#define kvcalloc(n, size, gfp)	calloc(n, size)
#define kzalloc(size, gfp)	calloc(1, size)
#define kvfree(p)		free(p)
#define kfree(p)		free(p)

#define ERR_PTR(error)		((void *)(long)(error))
#define PTR_ERR(p)		((long)(p))
#define IS_ERR(p)		((unsigned long)(p) >= -4095ul)

/* Only their addresses matter. */
struct drm_file { char unused; };
struct drm_sched_job { char unused; };
struct drm_syncobj { char unused; };
struct dma_fence { char unused; };
struct dma_fence_chain { char unused; };

#endif
