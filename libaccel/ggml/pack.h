/* SPDX-License-Identifier: MIT */
/* Block formats of what the card computes: packing them on the card. */
#ifndef LOOM_GGML_PACK_H
#define LOOM_GGML_PACK_H

#include "emit.h"

/** pack_known() - is it a block format that the card can pack? */
bool pack_known(int32_t type);

/**
 * pack_rows() - write rows of values in a block format
 * @e: emit
 * @bytes: where to, as bytes (u8), { bytes of a row, rows, d2, d3 }
 * @type: GG_* of the packed rows
 * @src: plain tensor { n, rows, d2, d3 }
 */
int pack_rows(struct emit *e, const struct accel_tensor *bytes, int32_t type,
	      const struct accel_tensor *src);

#endif
