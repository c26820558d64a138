/* SPDX-License-Identifier: MIT */
/*
 * Emitting: from a node of ggml's graph to commands of the card.
 *
 * A generator (op_*.c) looks at a node and appends commands.  supports_op()
 * runs the same generator into a command buffer that is thrown away, so what is
 * claimed is exactly what can be emitted, and a refusal has a reason.
 */
#ifndef LOOM_GGML_EMIT_H
#define LOOM_GGML_EMIT_H

#include "../src/ops_internal.h"
#include "abi.h"

struct repacker;

/** struct emit - where the commands of a node go */
struct emit {
	/** @cb: command buffer */
	struct accel_cmdbuf *cb;
	/** @scratch_va: memory for intermediate results of one node */
	uint64_t scratch_va;
	/** @scratch_used: bytes that the current node took */
	uint64_t scratch_used;
	/** @scratch_peak: most that any node took */
	uint64_t scratch_peak;
	/** @repack: makes copies of weights, or NULL: none are made or used */
	struct repacker *repack;
	/** @why: reason of the last refusal; "" if none */
	char why[192];
};

/** emit_init() - begin to emit into @cb, intermediate results at @scratch_va */
void emit_init(struct emit *e, struct accel_cmdbuf *cb, uint64_t scratch_va);

/** emit_refuse() - the node cannot be computed, and why; returns -ENOTSUP */
int emit_refuse(struct emit *e, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/** emit_type() - LOOM_TYPE_* of a ggml type that COPY and VECTOR know, or NONE */
uint32_t emit_type(int32_t type);

/** emit_view() - a ggml tensor of a plain type; type NONE if it is none */
struct accel_tensor emit_view(const struct gg_tensor *t);

/** emit_bytes() - the rows of a ggml tensor of any type as bytes (u8) */
struct accel_tensor emit_bytes(const struct gg_tensor *t);

/** emit_temp() - a contiguous intermediate tensor, valid until the node's end */
struct accel_tensor emit_temp(struct emit *e, uint32_t type,
			      const uint32_t dim[4]);

/** emit_map1() - run an element-wise program over dst, src */
int emit_map1(struct emit *e, const char *name, struct op_program *prog,
	      const struct accel_tensor *dst, const struct accel_tensor *src,
	      const uint32_t *params);

/** emit_map2() - run an element-wise program over dst, a, b */
int emit_map2(struct emit *e, const char *name, struct op_program *prog,
	      const struct accel_tensor *dst, const struct accel_tensor *a,
	      const struct accel_tensor *b, const uint32_t *params);

/** emit_float() - @t itself if it is an f32, else an f32 copy of it */
int emit_float(struct emit *e, struct accel_tensor *out,
	       const struct accel_tensor *t);

/** emit_f32_param() - parameter @i of a node, an f32 */
float emit_f32_param(const struct gg_tensor *t, unsigned int i);

/** gg_count() - number of elements */
int64_t gg_count(const struct gg_tensor *t);
/** gg_contiguous() - do elements follow each other without gaps? */
bool gg_contiguous(const struct gg_tensor *t);
/** gg_same_shape() - are all extents equal? */
bool gg_same_shape(const struct gg_tensor *a, const struct gg_tensor *b);

/** struct gg_type_info - layout of a ggml type */
struct gg_type_info {
	const char *name;
	/** @block: elements of a block; 0 for types we do not know */
	unsigned int block;
	/** @bytes: of a block */
	unsigned int bytes;
	/** @type: LOOM_TYPE_*, NONE if the card does not know it */
	uint32_t type;
};

const struct gg_type_info *gg_type_info(int32_t type);

/** gg_type_row_bytes() - bytes of @n elements of a type */
uint64_t gg_type_row_bytes(int32_t type, int64_t n);

/** gg_row_bytes() - bytes of a row of @t without gaps */
uint64_t gg_row_bytes(const struct gg_tensor *t);

#endif
