/* SPDX-License-Identifier: MIT */
/*
 * Another device to share buffer objects with: vgem, a GPU without hardware.
 */
#ifndef PEER_H
#define PEER_H

#include <stdint.h>

/* Skips the test where there is none. */
int t_open_vgem(void);

/* A dma-buf of an object of @fd, which may be any DRM device; and the reverse. */
int t_export(int fd, uint32_t handle);
uint32_t t_import(int fd, int dma_buf);

#endif
