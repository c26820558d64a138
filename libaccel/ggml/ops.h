/* SPDX-License-Identifier: MIT */
/* Which nodes the card computes: the table, and the generators it names. */
#ifndef LOOM_GGML_OPS_H
#define LOOM_GGML_OPS_H

#include "emit.h"

/**
 * ops_emit() - append the commands of a node
 *
 * Return: 0; -ENOTSUP the node is not for us, e->why says why; another errno
 * of the command buffer.
 */
int ops_emit(struct emit *e, const struct gg_tensor *t);

/** ops_in_table() - is there a row for @op, whatever the types? */
bool ops_in_table(int op);

/** ops_check_names() - do ggml's names of our numbers agree? the first that does not, or NULL */
const char *ops_check_names(void);

/** struct softmax - softmax(cap(src * scale) + slope * mask) by rows */
struct softmax {
	const struct accel_tensor *dst;
	/** @src: heads are dimension 2 */
	const struct accel_tensor *src;
	/** @mask: NULL for none */
	const struct accel_tensor *mask;
	/** @sink: one more logit per head, { heads, 1, 1, 1 }; NULL for none */
	const struct accel_tensor *sink;
	float scale;
	/** @max_bias: of ALiBi; 0: the slope is 1 */
	float max_bias;
	/** @cap: logits are cap * tanh(logit / cap); 0: not capped */
	float cap;
};

int emit_softmax(struct emit *e, const struct softmax *s);

/** sum_all() - dst (one element) = sum of a contiguous f32 tensor */
int sum_all(struct emit *e, const struct accel_tensor *dst,
	    const struct accel_tensor *rows);

/* Generators: all have the form of ops_emit(). */
#define GENERATOR(name) int name(struct emit *e, const struct gg_tensor *t)

/* op_map.c */
GENERATOR(op_add);
GENERATOR(op_sub);
GENERATOR(op_mul);
GENERATOR(op_div);
GENERATOR(op_sqr);
GENERATOR(op_sqrt);
GENERATOR(op_log);
GENERATOR(op_sin);
GENERATOR(op_cos);
GENERATOR(op_scale);
GENERATOR(op_clamp);
GENERATOR(op_leaky_relu);
GENERATOR(op_fill);
GENERATOR(op_silu_back);
GENERATOR(op_unary);
GENERATOR(op_glu);
/* op_row.c */
GENERATOR(op_rms_norm);
GENERATOR(op_norm);
GENERATOR(op_l2_norm);
GENERATOR(op_group_norm);
GENERATOR(op_rms_norm_back);
GENERATOR(op_sum_rows);
GENERATOR(op_mean);
GENERATOR(op_argmax);
GENERATOR(op_sum);
GENERATOR(op_count_equal);
GENERATOR(op_soft_max);
GENERATOR(op_soft_max_back);
/* op_rope.c */
GENERATOR(op_rope);
GENERATOR(op_rope_back);
/* op_matmul.c */
GENERATOR(op_mul_mat);
GENERATOR(op_mul_mat_id);
GENERATOR(op_out_prod);
/* op_attention.c */
GENERATOR(op_flash_attn_ext);
/* op_move.c */
GENERATOR(op_nothing);
GENERATOR(op_cpy);
GENERATOR(op_get_rows);
GENERATOR(op_get_rows_back);
GENERATOR(op_add_id);
GENERATOR(op_set_rows);
GENERATOR(op_concat);
GENERATOR(op_repeat);
GENERATOR(op_repeat_back);
GENERATOR(op_acc);
GENERATOR(op_set);
GENERATOR(op_roll);
GENERATOR(op_pad);
GENERATOR(op_pad_reflect_1d);
/* op_shape.c */
GENERATOR(op_diag_mask_inf);
GENERATOR(op_diag_mask_zero);
GENERATOR(op_diag);
GENERATOR(op_tri);
GENERATOR(op_arange);
GENERATOR(op_timestep_embedding);
/* op_sort.c */
GENERATOR(op_argsort);
GENERATOR(op_top_k);
/* op_image.c */
GENERATOR(op_im2col);
GENERATOR(op_im2col_back);
GENERATOR(op_pool_1d);
GENERATOR(op_pool_2d);
/* op_upscale.c */
GENERATOR(op_upscale);
/* op_train.c */
GENERATOR(op_cross_entropy_loss);
GENERATOR(op_cross_entropy_loss_back);
GENERATOR(op_opt_step_adamw);
GENERATOR(op_opt_step_sgd);

#endif
