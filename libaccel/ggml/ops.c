// SPDX-License-Identifier: MIT
/*
 * The table of operations: for each the types that its tensors may have and
 * the generator.  What a generator refuses beyond that it says itself.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ops.h"

#define T(type)		(UINT64_C(1) << (type))
#define F32		T(GG_F32)
#define FLOAT		(F32 | T(GG_F16) | T(GG_BF16))
#define INDEX		(T(GG_I32) | T(GG_I64))
#define PLAIN		(FLOAT | INDEX | T(GG_I16) | T(GG_I8))
#define BLOCK		(T(GG_Q4_0) | T(GG_Q4_1) | T(GG_Q5_0) | T(GG_Q5_1) | \
			 T(GG_Q8_0) | T(GG_Q2_K) | T(GG_Q3_K) | T(GG_Q4_K) | \
			 T(GG_Q5_K) | T(GG_Q6_K) | T(GG_IQ4_NL) | T(GG_MXFP4))
#define WEIGHT		(FLOAT | BLOCK)
#define ANY		(~UINT64_C(0))

#define MAX_TYPED_SRC	3

/** struct op_row - an operation of ggml */
struct op_row {
	/** @name: ggml's name of it; NULL: the card does not compute it */
	const char *name;
	int (*emit)(struct emit *e, const struct gg_tensor *t);
	/** @dst: types of the result, a bit per GG_* type */
	uint64_t dst;
	/** @src: types of the first sources; those not listed are free */
	uint64_t src[MAX_TYPED_SRC];
};

#define ROW(op, emit, dst, ...) [GG_##op] = { #op, emit, dst, { __VA_ARGS__ } }

static const struct op_row table[GG_OP_COUNT] = {
	ROW(NONE, op_nothing, ANY, ANY),
	ROW(RESHAPE, op_nothing, ANY, ANY),
	ROW(VIEW, op_nothing, ANY, ANY),
	ROW(PERMUTE, op_nothing, ANY, ANY),
	ROW(TRANSPOSE, op_nothing, ANY, ANY),

	ROW(ADD, op_add, FLOAT, FLOAT, FLOAT),
	ROW(ADD_ID, op_add_id, F32, F32, F32, T(GG_I32)),
	ROW(ADD1, op_add, FLOAT, FLOAT, FLOAT),
	ROW(SUB, op_sub, FLOAT, FLOAT, FLOAT),
	ROW(MUL, op_mul, FLOAT, FLOAT, FLOAT),
	ROW(DIV, op_div, FLOAT, FLOAT, FLOAT),
	ROW(SQR, op_sqr, FLOAT, FLOAT),
	ROW(SQRT, op_sqrt, FLOAT, FLOAT),
	ROW(LOG, op_log, FLOAT, FLOAT),
	ROW(SIN, op_sin, FLOAT, FLOAT),
	ROW(COS, op_cos, FLOAT, FLOAT),
	ROW(SCALE, op_scale, FLOAT, FLOAT),
	ROW(CLAMP, op_clamp, FLOAT, FLOAT),
	ROW(LEAKY_RELU, op_leaky_relu, FLOAT, FLOAT),
	ROW(FILL, op_fill, FLOAT, ANY),
	ROW(UNARY, op_unary, FLOAT, FLOAT),
	ROW(GLU, op_glu, FLOAT, FLOAT, FLOAT),

	ROW(NORM, op_norm, FLOAT, FLOAT),
	ROW(RMS_NORM, op_rms_norm, FLOAT, FLOAT),
	ROW(L2_NORM, op_l2_norm, FLOAT, FLOAT),
	ROW(GROUP_NORM, op_group_norm, FLOAT, FLOAT),
	ROW(SUM, op_sum, FLOAT, FLOAT),
	ROW(SUM_ROWS, op_sum_rows, FLOAT, FLOAT),
	ROW(MEAN, op_mean, FLOAT, FLOAT),
	ROW(ARGMAX, op_argmax, INDEX, FLOAT),
	ROW(COUNT_EQUAL, op_count_equal, INDEX, T(GG_I32), T(GG_I32)),
	ROW(SOFT_MAX, op_soft_max, F32, F32, FLOAT, F32),
	ROW(ROPE, op_rope, FLOAT, FLOAT, T(GG_I32), F32),

	ROW(MUL_MAT, op_mul_mat, F32, WEIGHT, FLOAT),
	ROW(MUL_MAT_ID, op_mul_mat_id, F32, WEIGHT, FLOAT, T(GG_I32)),
	ROW(OUT_PROD, op_out_prod, F32, WEIGHT, F32),
	ROW(FLASH_ATTN_EXT, op_flash_attn_ext, F32, F32, WEIGHT, WEIGHT),

	ROW(DUP, op_cpy, PLAIN | BLOCK, PLAIN | BLOCK),
	ROW(CPY, op_cpy, PLAIN | BLOCK, PLAIN | BLOCK),
	ROW(CONT, op_cpy, PLAIN | BLOCK, PLAIN | BLOCK),
	ROW(GET_ROWS, op_get_rows, F32 | T(GG_I32), WEIGHT | T(GG_I32), INDEX),
	ROW(SET_ROWS, op_set_rows, WEIGHT, FLOAT, INDEX),
	ROW(CONCAT, op_concat, PLAIN | BLOCK, PLAIN | BLOCK, PLAIN | BLOCK),
	ROW(REPEAT, op_repeat, FLOAT | T(GG_I32) | T(GG_I16), PLAIN),
	ROW(ACC, op_acc, F32, F32, F32),
	ROW(SET, op_set, PLAIN, PLAIN, PLAIN),
	ROW(ROLL, op_roll, PLAIN, PLAIN),
	ROW(PAD, op_pad, F32, F32),
	ROW(PAD_REFLECT_1D, op_pad_reflect_1d, F32, F32),

	ROW(SILU_BACK, op_silu_back, F32, F32, F32),
	ROW(RMS_NORM_BACK, op_rms_norm_back, F32, F32, F32),
	ROW(SOFT_MAX_BACK, op_soft_max_back, F32, F32, F32),
	ROW(ROPE_BACK, op_rope_back, FLOAT, FLOAT, T(GG_I32), F32),
	ROW(GET_ROWS_BACK, op_get_rows_back, F32, FLOAT, T(GG_I32)),
	ROW(REPEAT_BACK, op_repeat_back, F32, F32),
	ROW(CROSS_ENTROPY_LOSS, op_cross_entropy_loss, F32, F32, F32),
	ROW(CROSS_ENTROPY_LOSS_BACK, op_cross_entropy_loss_back, F32, F32, F32,
	    F32),
	ROW(OPT_STEP_ADAMW, op_opt_step_adamw, F32, F32, F32, F32),
	ROW(OPT_STEP_SGD, op_opt_step_sgd, F32, F32, F32, F32),

	ROW(DIAG_MASK_INF, op_diag_mask_inf, F32, F32),
	ROW(DIAG_MASK_ZERO, op_diag_mask_zero, F32, F32),
	ROW(DIAG, op_diag, F32, F32),
	ROW(TRI, op_tri, F32, F32),
	ROW(ARANGE, op_arange, F32),
	ROW(TIMESTEP_EMBEDDING, op_timestep_embedding, F32, F32),
	ROW(ARGSORT, op_argsort, T(GG_I32), FLOAT),
	ROW(TOP_K, op_top_k, T(GG_I32), FLOAT),
	ROW(IM2COL, op_im2col, FLOAT, ANY, FLOAT),
	ROW(IM2COL_BACK, op_im2col_back, F32, FLOAT),
	ROW(POOL_1D, op_pool_1d, F32, FLOAT),
	ROW(POOL_2D, op_pool_2d, F32, FLOAT),
	ROW(UPSCALE, op_upscale, F32, F32),
};

bool ops_in_table(int op)
{
	return op >= 0 && op < GG_OP_COUNT && table[op].name;
}

static bool in_set(uint64_t set, int32_t type)
{
	return type >= 0 && type < 64 && set >> type & 1;
}

static int check_types(struct emit *e, const struct op_row *row,
		       const struct gg_tensor *t)
{
	unsigned int i;

	if (!in_set(row->dst, t->type))
		return emit_refuse(e, "result of type %s", ggml_type_name(t->type));
	for (i = 0; i < MAX_TYPED_SRC; i++)
		if (row->src[i] && t->src[i] &&
		    !in_set(row->src[i], t->src[i]->type))
			return emit_refuse(e, "source %u of type %s", i,
					   ggml_type_name(t->src[i]->type));
	return 0;
}

int ops_emit(struct emit *e, const struct gg_tensor *t)
{
	const struct op_row *row;
	int rc;

	e->scratch_used = 0;
	e->why[0] = 0;
	if (!ops_in_table(t->op))
		return emit_refuse(e, "no program for this operation");
	row = &table[t->op];
	if (row->emit == op_nothing)
		return 0;
	rc = check_types(e, row, t);
	if (rc)
		return rc;
	if (!gg_count(t))
		return 0;
	rc = row->emit(e, t);
	if (rc && !e->why[0])
		snprintf(e->why, sizeof(e->why), "%s",
			 accel_last_error()->message);
	return rc;
}

const char *ops_check_names(void)
{
	int op;

	for (op = 0; op < GG_OP_COUNT; op++)
		if (table[op].name && strcmp(table[op].name, ggml_op_name(op)))
			return table[op].name;
	return NULL;
}
