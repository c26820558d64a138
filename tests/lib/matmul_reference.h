/* SPDX-License-Identifier: MIT */
/*
 * DOC: The arithmetic of MATMUL, one operation at a time
 *
 * What Documentation/numerics.rst defines, on the bits of fp32 numbers: nearest
 * even, denormal operands and tiny results are zero.  NaN may come out in any
 * form; storing makes it canonical.
 */
#ifndef T_MATMUL_REFERENCE_H
#define T_MATMUL_REFERENCE_H

#include <stdint.h>

/** t_ref_fma() - a * b + c, rounded once */
uint32_t t_ref_fma(uint32_t a, uint32_t b, uint32_t c);
uint32_t t_ref_add(uint32_t a, uint32_t b);
uint32_t t_ref_mul(uint32_t a, uint32_t b);

/** t_ref_load() - the element of a float type at @p, widened */
uint32_t t_ref_load(uint32_t type, const uint8_t *p);
/** t_ref_block_scale() - scale of element @k of a line of blocks, widened */
uint32_t t_ref_block_scale(uint32_t type, const uint8_t *line, uint32_t k);
/** t_ref_block_value() - the integer that the scale multiplies */
int t_ref_block_value(uint32_t type, const uint8_t *line, uint32_t k);
/** t_ref_load_block() - element @k itself */
uint32_t t_ref_load_block(uint32_t type, const uint8_t *line, uint32_t k);
/** t_ref_store() - narrow to F32, F16 or BF16 at @p */
void t_ref_store(uint32_t type, uint32_t bits, uint8_t *p);

#endif
