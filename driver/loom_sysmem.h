/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * System memory that the card may reach, as a TTM memory type.
 */
#ifndef LOOM_SYSMEM_H
#define LOOM_SYSMEM_H

struct loom_device;

#define LOOM_PL_SYSMEM	TTM_PL_TT

int loom_sysmem_init(struct loom_device *ldev);

#endif
