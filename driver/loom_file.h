/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * One open file.
 */
#ifndef LOOM_FILE_H
#define LOOM_FILE_H

#include <linux/kref.h>
#include <linux/xarray.h>

#include <drm/drm_file.h>

/* Handles of one kind in one file. */
#define LOOM_MAX_HANDLES	4096

/**
 * struct loom_client - what fdinfo tells; outlives the file with its jobs
 */
struct loom_client {
	/** @ref: held by the file and by its queues */
	struct kref ref;
	/** @cycles: modelled cycles that the client's jobs took */
	atomic64_t cycles;
	/** @jobs: jobs that the card finished */
	atomic64_t jobs;
	/** @failed: those that ended in an error */
	atomic64_t failed;
};

/**
 * struct loom_file - driver's part of a struct drm_file
 */
struct loom_file {
	/** @vms: struct loom_vm by handle; each entry is a reference */
	struct xarray vms;
	/** @queues: struct loom_queue by handle; each entry is a reference */
	struct xarray queues;
	/** @client: statistics */
	struct loom_client *client;
};

static inline struct loom_file *to_loom_file(struct drm_file *file)
{
	return file->driver_priv;
}

int loom_file_open(struct drm_device *drm, struct drm_file *file);
void loom_file_close(struct drm_device *drm, struct drm_file *file);
int loom_file_add(struct xarray *handles, void *object, u32 *handle);

struct loom_client *loom_client_create(void);
struct loom_client *loom_client_get(struct loom_client *client);
void loom_client_put(struct loom_client *client);

#endif
