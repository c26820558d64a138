/* SPDX-License-Identifier: MIT */
/**
 * DOC: libaccel - tensors and operations
 *
 * An operation appends to a command buffer the commands that compute it; what
 * runs is visible with accel_disasm() and costs what the commands cost.  Most
 * are one program of the vector engine, assembled once per process from the
 * text in libaccel/src/ops_*.c; copies and matrix products are one command of
 * their engines.
 *
 * Shapes
 *   dim[0] is the innermost extent: a matrix of R rows and C columns has dim
 *   { C, R, 1, 1 }.  "Row" means the dim[0] elements with the same other
 *   indices.
 *
 *   An element-wise source repeats to the destination's shape: each of its
 *   extents must divide the destination's (1 always does).  Other operations
 *   state their shapes.  A destination extent above 1 may not have stride 0.
 *
 * Types
 *   float: f32, f16, bf16, f8e4m3, f8e5m2.  plain: float, i8, u8, i16, i32,
 *   i64.  Values are converted to f32 when read, computed in f32, and rounded
 *   once when written.  Unless said otherwise tensors are of any plain type.
 *
 * Overlap
 *   Destinations of vector programs may be a source, with the same shape and
 *   strides.  Any other overlap of a destination and a source, and every
 *   overlap for copy, get_rows, set_rows and matmul, gives undefined results.
 *
 * Errors
 *   All return 0, or -EINVAL when shapes or types do not fit, and then
 *   accel_last_error() names the operation, the tensor and its extents; or
 *   what the command buffer returns: -E2BIG, -ENOMEM.  After an error the
 *   command buffer is as it was.
 *
 * Threads
 *   Any number of threads may use different command buffers.
 */
#ifndef ACCEL_OPS_H
#define ACCEL_OPS_H

#include <accel/accel_cmd.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ----------------------------------------------------------------- tensors */

/** struct accel_tensor - where elements are and how they are arranged; a value, owns nothing */
struct accel_tensor {
	/** @va: device virtual address of element 0 */
	uint64_t va;
	/** @type: LOOM_TYPE_*; NONE marks a tensor that could not be made */
	uint32_t type;
	/** @dim: extents, dim[0] innermost, 1 where unused */
	uint32_t dim[4];
	/** @stride: bytes per step of each dimension; for block types stride[0] is 0 */
	int64_t stride[4];
};

/*
 * Constructors return a tensor of type NONE when the arguments make no sense;
 * every operation refuses it by name.
 */

/** accel_tensor_4d() - contiguous; block types need d0 to be a multiple of 32 */
struct accel_tensor accel_tensor_4d(uint64_t va, uint32_t type, uint32_t d0,
				    uint32_t d1, uint32_t d2, uint32_t d3);
/** accel_tensor_2d() - contiguous matrix */
struct accel_tensor accel_tensor_2d(uint64_t va, uint32_t type,
				    uint32_t columns, uint32_t rows);
/** accel_tensor_1d() - contiguous vector, a single row */
struct accel_tensor accel_tensor_1d(uint64_t va, uint32_t type, uint32_t n);

/**
 * accel_tensor_view() - a box inside a tensor
 * @t: tensor
 * @start: first index of each dimension
 * @dim: extents; start + dim must lie within the tensor
 */
struct accel_tensor accel_tensor_view(const struct accel_tensor *t,
				      const uint32_t start[4],
				      const uint32_t dim[4]);
/** accel_tensor_rows() - indices @first .. @first + @count - 1 of dim[1] */
struct accel_tensor accel_tensor_rows(const struct accel_tensor *t,
				      uint32_t first, uint32_t count);
/** accel_tensor_columns() - indices @first .. @first + @count - 1 of dim[0] */
struct accel_tensor accel_tensor_columns(const struct accel_tensor *t,
					 uint32_t first, uint32_t count);
/** accel_tensor_transpose() - exchange dim[0] and dim[1]; nothing moves */
struct accel_tensor accel_tensor_transpose(const struct accel_tensor *t);
/** accel_tensor_permute() - dimension d of the result is dimension order[d] of @t */
struct accel_tensor accel_tensor_permute(const struct accel_tensor *t,
					 const unsigned int order[4]);
/** accel_tensor_broadcast() - stretch extents of 1 to @dim with stride 0; for sources only */
struct accel_tensor accel_tensor_broadcast(const struct accel_tensor *t,
					   const uint32_t dim[4]);
/** accel_tensor_reshape() - other extents for the same elements of a contiguous tensor */
struct accel_tensor accel_tensor_reshape(const struct accel_tensor *t,
					 uint32_t d0, uint32_t d1, uint32_t d2,
					 uint32_t d3);

/** accel_tensor_count() - number of elements */
uint64_t accel_tensor_count(const struct accel_tensor *t);
/** accel_tensor_bytes() - bytes of a contiguous tensor of this type and shape */
uint64_t accel_tensor_bytes(const struct accel_tensor *t);
/** accel_tensor_is_contiguous() - 1 if elements follow each other without gaps */
int accel_tensor_is_contiguous(const struct accel_tensor *t);

/* ----------------------------------------------------------------- copying */

/** accel_op_copy() - dst = src, converted to dst's type; extents of src equal dst's or are 1 */
int accel_op_copy(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		  const struct accel_tensor *src);

/** accel_op_fill() - every element of dst = value, rounded to dst's type */
int accel_op_fill(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		  float value);

/**
 * accel_op_get_rows() - dst(i0,i1,i2,i3) = src(i0, index(i1,i2,i3), i2, i3)
 * @cb: command buffer
 * @dst: dim { n, r, d2, d3 }
 * @src: dim { n, rows, d2, d3 }; converted to dst's type
 * @index: i32 or i64, dim { r, d2, d3, 1 }; d2 and d3 may be 1 instead.  A value
 *	outside [0, rows) fails the job with LOOM_ERR_INDEX
 */
int accel_op_get_rows(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		      const struct accel_tensor *src,
		      const struct accel_tensor *index);

/**
 * accel_op_set_rows() - dst(i0, index(i1,i2,i3), i2, i3) = src(i0,i1,i2,i3)
 * @cb: command buffer
 * @dst: dim { n, rows, d2, d3 }
 * @src: dim { n, r, d2, d3 }; converted to dst's type
 * @index: i32 or i64, dim { r, d2, d3, 1 }; d2 and d3 may be 1 instead; of equal
 *	values the last row wins
 */
int accel_op_set_rows(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		      const struct accel_tensor *src,
		      const struct accel_tensor *index);

/* ---------------------------------------------------------- matrix product */

/**
 * accel_op_matmul() - D = alpha * A x B + C, for each of the d2 x d3 matrices
 * @cb: command buffer
 * @d: dim { n, m, d2, d3 }
 * @a: dim { k, m, d2, d3 }
 * @b: dim { n, k, d2, d3 }
 * @c: dim { n, m, d2, d3 }, or NULL for none
 * @alpha: factor; 1 for i8
 *
 * Batch extents of @a, @b and @c, and n and m of @c (a bias), may be 1 where
 * @d has more.  For A x B' pass accel_tensor_transpose() of B'.  Types are
 * those of struct loom_cmd_matmul; a block type is possible for the transpose
 * of a contiguous @b { k, n }, as weights are usually kept, and @a may be q8_0
 * { k, m } then.
 *
 * Query heads that share key heads (8 and 4, say) are extents { 2, 4 } of one
 * and { 1, 4 } of the other: reshape or view before the call.
 */
int accel_op_matmul(struct accel_cmdbuf *cb, const struct accel_tensor *d,
		    const struct accel_tensor *a, const struct accel_tensor *b,
		    const struct accel_tensor *c, float alpha);

/* ------------------------------------------------------------ element-wise */

/** accel_op_add() - dst = a + b */
int accel_op_add(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		 const struct accel_tensor *a, const struct accel_tensor *b);
/** accel_op_sub() - dst = a - b */
int accel_op_sub(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		 const struct accel_tensor *a, const struct accel_tensor *b);
/** accel_op_mul() - dst = a * b */
int accel_op_mul(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		 const struct accel_tensor *a, const struct accel_tensor *b);
/** accel_op_div() - dst = a / b */
int accel_op_div(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		 const struct accel_tensor *a, const struct accel_tensor *b);

/** accel_op_scale() - dst = src * factor + offset */
int accel_op_scale(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		   const struct accel_tensor *src, float factor, float offset);
/** accel_op_clamp() - dst = min(max(src, low), high) */
int accel_op_clamp(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		   const struct accel_tensor *src, float low, float high);
/** accel_op_neg() - dst = -src */
int accel_op_neg(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		 const struct accel_tensor *src);
/** accel_op_sqr() - dst = src * src */
int accel_op_sqr(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		 const struct accel_tensor *src);
/** accel_op_sqrt() - dst = square root */
int accel_op_sqrt(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		  const struct accel_tensor *src);
/** accel_op_exp() - dst = e^src */
int accel_op_exp(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		 const struct accel_tensor *src);
/** accel_op_log() - dst = natural logarithm */
int accel_op_log(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		 const struct accel_tensor *src);
/** accel_op_relu() - dst = max(0, src); NaN stays */
int accel_op_relu(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		  const struct accel_tensor *src);
/** accel_op_sigmoid() - dst = 1 / (1 + e^-src) */
int accel_op_sigmoid(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		     const struct accel_tensor *src);
/** accel_op_tanh() - dst = hyperbolic tangent */
int accel_op_tanh(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		  const struct accel_tensor *src);
/** accel_op_silu() - dst = src * sigmoid(src) */
int accel_op_silu(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		  const struct accel_tensor *src);
/** accel_op_gelu() - dst = src/2 * (1 + tanh(sqrt(2/pi) * (src + 0.044715 src^3))) */
int accel_op_gelu(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		  const struct accel_tensor *src);
/** accel_op_gelu_erf() - dst = src/2 * (1 + erf(src / sqrt(2))) */
int accel_op_gelu_erf(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		      const struct accel_tensor *src);
/** accel_op_swiglu() - dst = silu(gate) * up */
int accel_op_swiglu(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		    const struct accel_tensor *gate,
		    const struct accel_tensor *up);
/** accel_op_geglu() - dst = gelu(gate) * up */
int accel_op_geglu(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		   const struct accel_tensor *gate,
		   const struct accel_tensor *up);

/* ---------------------------------------------------- rows and reductions */

/**
 * accel_op_rms_norm() - dst = src / sqrt(mean(src^2) + eps) * weight, by rows
 * @cb: command buffer
 * @dst: shape of @src
 * @src: rows
 * @weight: repeats to @src, usually dim { n, 1, 1, 1 }; NULL for 1
 * @eps: added to the mean
 */
int accel_op_rms_norm(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		      const struct accel_tensor *src,
		      const struct accel_tensor *weight, float eps);

/**
 * accel_op_norm() - layer norm: dst = (src - mean) / sqrt(variance + eps) * weight + bias
 * @cb: command buffer
 * @dst: shape of @src
 * @src: rows
 * @weight: repeats to @src; NULL for 1
 * @bias: repeats to @src; NULL for 0
 * @eps: added to the variance
 */
int accel_op_norm(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		  const struct accel_tensor *src,
		  const struct accel_tensor *weight,
		  const struct accel_tensor *bias, float eps);

/**
 * accel_op_softmax() - dst = softmax(src * scale + mask), by rows
 * @cb: command buffer
 * @dst: shape of @src
 * @src: rows
 * @mask: repeats to @src; NULL for 0.  A row without any finite element gives NaN
 * @scale: factor
 */
int accel_op_softmax(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		     const struct accel_tensor *src,
		     const struct accel_tensor *mask, float scale);

/** accel_op_sum() - sum over dimension @over (0: of each row, 1: of each column ...); dst has extent 1 there */
int accel_op_sum(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		 const struct accel_tensor *src, unsigned int over);

/** accel_op_argmax() - lowest index of the maximum of each row; dst of an integer type with dim[0] = 1 */
int accel_op_argmax(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		    const struct accel_tensor *src);

/** struct accel_rope_desc - options of accel_op_rope() */
struct accel_rope_desc {
	/** @size: sizeof(struct accel_rope_desc) */
	uint32_t size;
	/** @num_dims: leading elements of a row to rotate; even, at most dim[0] */
	uint32_t num_dims;
	/** @neox: 0: pairs are (2i, 2i + 1); 1: (i, i + num_dims / 2) */
	uint32_t neox;
	/** @base: theta of pair i is position * scale * base^(-2i / num_dims) */
	float base;
	/** @scale: factor of the position, usually 1 */
	float scale;
	/** @magnitude: factor of the rotated elements, usually 1 */
	float magnitude;
};

/**
 * accel_op_rope() - rotary position embedding
 * @cb: command buffer
 * @dst: shape of @src
 * @src: dim { n, heads, tokens, d3 }
 * @position: integer, dim { tokens, d3, 1, 1 }; d3 may be 1 instead
 * @divisor: dim { num_dims / 2, 1, 1, 1 }, divides theta of pair i; NULL for 1
 * @desc: options
 *
 * Elements from num_dims on are copied.
 */
int accel_op_rope(struct accel_cmdbuf *cb, const struct accel_tensor *dst,
		  const struct accel_tensor *src,
		  const struct accel_tensor *position,
		  const struct accel_tensor *divisor,
		  const struct accel_rope_desc *desc);

/* ---------------------------------------------------------------- training */

/**
 * accel_op_cross_entropy() - loss of a classifier and its gradient in one pass
 * @cb: command buffer
 * @loss: dim { 1, rows, d2, d3 }: -log(softmax(logits)[label]) * scale
 * @dlogits: shape of @logits: (softmax(logits) - onehot(label)) * scale; NULL
 *	when no gradient is wanted
 * @logits: dim { classes, rows, d2, d3 }
 * @label: integer, dim { 1, rows, d2, d3 }; outside [0, classes) the row counts
 *	nothing: loss and gradient are 0
 * @scale: usually 1 / rows, so that the losses add up to their mean
 */
int accel_op_cross_entropy(struct accel_cmdbuf *cb,
			   const struct accel_tensor *loss,
			   const struct accel_tensor *dlogits,
			   const struct accel_tensor *logits,
			   const struct accel_tensor *label, float scale);

/** accel_op_relu_backward() - dx = y > 0 ? dy : 0, with y what accel_op_relu() gave */
int accel_op_relu_backward(struct accel_cmdbuf *cb,
			   const struct accel_tensor *dx,
			   const struct accel_tensor *dy,
			   const struct accel_tensor *y);

/** struct accel_adamw_desc - options of accel_op_adamw() */
struct accel_adamw_desc {
	/** @size: sizeof(struct accel_adamw_desc) */
	uint32_t size;
	/** @step: number of this step, from 1, for the bias correction */
	uint32_t step;
	/** @lr: learning rate */
	float lr;
	/** @beta1: decay of the first moment, usually 0.9 */
	float beta1;
	/** @beta2: decay of the second moment, usually 0.999 */
	float beta2;
	/** @eps: usually 1e-8 */
	float eps;
	/** @weight_decay: decoupled; weights shrink by lr * weight_decay */
	float weight_decay;
};

/**
 * accel_op_adamw() - one step of AdamW for all elements of a tensor
 * @cb: command buffer
 * @weight: read and written
 * @m: first moment, read and written; zero before step 1
 * @v: second moment, read and written; zero before step 1
 * @grad: gradient
 * @copy: receives the new weights too, in its own type (bf16 for the next
 *	matmul); NULL for none
 * @desc: options
 *
 * All tensors have the shape of @weight.
 *
 *   m = m + (1 - beta1) (grad - m)
 *   v = v + (1 - beta2) (grad^2 - v)
 *   weight = weight (1 - lr weight_decay)
 *            - lr / (1 - beta1^step) m / (sqrt(v / (1 - beta2^step)) + eps)
 */
int accel_op_adamw(struct accel_cmdbuf *cb, const struct accel_tensor *weight,
		   const struct accel_tensor *m, const struct accel_tensor *v,
		   const struct accel_tensor *grad,
		   const struct accel_tensor *copy,
		   const struct accel_adamw_desc *desc);

/**
 * accel_op_adamw_patch() - change the options of a recorded step
 * @cb: command buffer that no work is using
 * @offset: accel_cmdbuf_size() before accel_op_adamw()
 * @desc: options
 *
 * Return: 0; -EINVAL there is no such command at @offset, or bad options.
 */
int accel_op_adamw_patch(struct accel_cmdbuf *cb, uint32_t offset,
			 const struct accel_adamw_desc *desc);

#ifdef __cplusplus
}
#endif
#endif
