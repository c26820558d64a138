/* SPDX-License-Identifier: MIT */
/* Block formats of weights: unpacking them on the card. */
#ifndef LOOM_GGML_QUANT_H
#define LOOM_GGML_QUANT_H

#include "emit.h"

/** quant_known() - is it a block format that the card can unpack? */
bool quant_known(int32_t type);

/**
 * quant_unpack() - write the values of packed rows
 * @e: emit
 * @dst: a float tensor { n, rows, d2, d3 }
 * @type: GG_* of the packed rows
 * @bytes: the packed rows as bytes (u8), { bytes of a row, rows, d2, d3 }
 */
int quant_unpack(struct emit *e, const struct accel_tensor *dst, int32_t type,
		 const struct accel_tensor *bytes);

#endif
