// SPDX-License-Identifier: MIT
/*
 * A MATMUL command before it runs: is every field right, where are its
 * operands, what does it cost on the modelled card.
 */
#include "matmul_command.h"
#include "timing.h"

#define FIELD(name)	offsetof(struct loom_cmd_matmul, name)
#define MAX_EXTENT	0x7fffffffu

/* Check ------------------------------------------------------------------- */

static int check_reserved(struct loom_exec *ex,
			  const struct loom_cmd_matmul *cmd)
{
	size_t n = sizeof(cmd->reserved) / sizeof(cmd->reserved[0]);

	if (cmd->reserved0)
		return loom_fail(ex, LOOM_ERR_CMD_RESERVED, FIELD(reserved0));
	for (size_t i = 0; i < n; i++) {
		if (cmd->reserved[i])
			return loom_fail(ex, LOOM_ERR_CMD_RESERVED,
					 FIELD(reserved) + 4 * i);
	}
	return 0;
}

/* Which sums @type takes part in, or LOOM_MATMUL_CLASSES. */
enum loom_matmul_class loom_matmul_class_of(uint32_t type)
{
	switch (type) {
	case LOOM_TYPE_F32:
	case LOOM_TYPE_F16:
		return LOOM_MATMUL_SEQ;
	case LOOM_TYPE_BF16:
	case LOOM_TYPE_F8E4M3:
	case LOOM_TYPE_F8E5M2:
		return LOOM_MATMUL_PAIR;
	case LOOM_TYPE_I8:
		return LOOM_MATMUL_INT;
	case LOOM_TYPE_Q8_0:
		return LOOM_MATMUL_BLOCK;
	default:
		return LOOM_MATMUL_CLASSES;
	}
}

static bool is_f8(uint32_t type)
{
	return type == LOOM_TYPE_F8E4M3 || type == LOOM_TYPE_F8E5M2;
}

static bool is_block(uint32_t type)
{
	return type == LOOM_TYPE_Q8_0 || type == LOOM_TYPE_Q4_0;
}

static bool b_type_fits(uint32_t a_type, uint32_t b_type)
{
	if (is_block(b_type))
		return a_type == LOOM_TYPE_F32 || a_type == LOOM_TYPE_Q8_0;
	return a_type == b_type || (is_f8(a_type) && is_f8(b_type));
}

static bool d_type_fits(enum loom_matmul_class class, uint32_t type)
{
	if (class == LOOM_MATMUL_INT)
		return type == LOOM_TYPE_I32;
	return type == LOOM_TYPE_F32 || type == LOOM_TYPE_F16 ||
	       type == LOOM_TYPE_BF16;
}

static int check_types(struct loom_exec *ex, const struct loom_cmd_matmul *cmd)
{
	enum loom_matmul_class class = loom_matmul_class_of(cmd->a_type);

	if (class == LOOM_MATMUL_CLASSES)
		return loom_fail(ex, LOOM_ERR_CMD_TYPE, FIELD(a_type));
	if (!b_type_fits(cmd->a_type, cmd->b_type))
		return loom_fail(ex, LOOM_ERR_CMD_TYPE, FIELD(b_type));
	if (cmd->c_type != LOOM_TYPE_NONE && !d_type_fits(class, cmd->c_type))
		return loom_fail(ex, LOOM_ERR_CMD_TYPE, FIELD(c_type));
	if (!d_type_fits(class, cmd->d_type))
		return loom_fail(ex, LOOM_ERR_CMD_TYPE, FIELD(d_type));
	return 0;
}

static int check_values(struct loom_exec *ex, const struct loom_cmd_matmul *cmd)
{
	if (cmd->a_type == LOOM_TYPE_I8 && cmd->alpha != ALPHA_ONE)
		return loom_fail(ex, LOOM_ERR_CMD_FIELD, FIELD(alpha));
	if (cmd->m > MAX_EXTENT)
		return loom_fail(ex, LOOM_ERR_CMD_FIELD, FIELD(m));
	if (cmd->n > MAX_EXTENT)
		return loom_fail(ex, LOOM_ERR_CMD_FIELD, FIELD(n));
	if (cmd->k > MAX_EXTENT || (is_block(cmd->b_type) && cmd->k % 32))
		return loom_fail(ex, LOOM_ERR_CMD_FIELD, FIELD(k));
	for (int i = 0; i < 2; i++) {
		if (cmd->batch[i] > MAX_EXTENT)
			return loom_fail(ex, LOOM_ERR_CMD_FIELD,
					 FIELD(batch) + 4 * i);
	}
	if (cmd->c_type == LOOM_TYPE_NONE && cmd->c)
		return loom_fail(ex, LOOM_ERR_CMD_FIELD, FIELD(c));
	if (is_block(cmd->a_type) && cmd->a_stride[1])
		return loom_fail(ex, LOOM_ERR_CMD_FIELD, FIELD(a_stride) + 8);
	if (is_block(cmd->b_type) && cmd->b_stride[0])
		return loom_fail(ex, LOOM_ERR_CMD_FIELD, FIELD(b_stride));
	return 0;
}

static void init_tensor(struct tensor *t, const struct loom_cmd_matmul *cmd,
			uint32_t type, uint64_t va, const __s64 stride[4],
			uint32_t rows, uint32_t cols)
{
	t->present = true;
	t->type = type;
	t->va = va;
	t->size = is_block(type) ? (type == LOOM_TYPE_Q8_0 ? 34 : 18) :
		  loom_type_size(type);
	t->block = is_block(type) ? 32 : 1;
	t->bytes = t->size;
	t->extent[0] = rows;
	t->extent[1] = cols;
	for (int i = 0; i < 4; i++)
		t->stride[i] = stride[i];
	t->extent[2] = cmd->batch[0];
	t->extent[3] = cmd->batch[1];
}

/* All blocks along dimension @along, if the type has them, are one element. */
static void join_blocks(struct tensor *t, int along)
{
	if (t->block == 1)
		return;
	t->bytes = t->extent[along] / t->block * t->size;
	t->extent[along] = t->extent[along] > 0;
}

static void init_tensors(struct tensor t[OPERANDS],
			 const struct loom_cmd_matmul *cmd)
{
	init_tensor(&t[OPERAND_A], cmd, cmd->a_type, cmd->a, cmd->a_stride,
		    cmd->m, cmd->k);
	join_blocks(&t[OPERAND_A], 1);
	t[OPERAND_A].field = FIELD(a);
	t[OPERAND_A].stride_field = FIELD(a_stride);
	init_tensor(&t[OPERAND_B], cmd, cmd->b_type, cmd->b, cmd->b_stride,
		    cmd->k, cmd->n);
	join_blocks(&t[OPERAND_B], 0);
	t[OPERAND_B].field = FIELD(b);
	t[OPERAND_B].stride_field = FIELD(b_stride);
	if (cmd->c_type != LOOM_TYPE_NONE) {
		init_tensor(&t[OPERAND_C], cmd, cmd->c_type, cmd->c,
			    cmd->c_stride, cmd->m, cmd->n);
		t[OPERAND_C].field = FIELD(c);
		t[OPERAND_C].stride_field = FIELD(c_stride);
	}
	init_tensor(&t[OPERAND_D], cmd, cmd->d_type, cmd->d, cmd->d_stride,
		    cmd->m, cmd->n);
	t[OPERAND_D].field = FIELD(d);
	t[OPERAND_D].stride_field = FIELD(d_stride);
}

/* Blocks start with an f16 and are aligned as such. */
static int check_alignment(struct loom_exec *ex, const struct tensor *t)
{
	uint64_t align = t->block > 1 ? 2 : t->size;

	if (t->va % align)
		return loom_fail(ex, LOOM_ERR_CMD_ALIGN, t->field);
	for (int i = 0; i < 4; i++) {
		if ((uint64_t)t->stride[i] % align)
			return loom_fail(ex, LOOM_ERR_CMD_ALIGN,
					 t->stride_field + 8 * i);
	}
	return 0;
}

bool loom_matmul_is_empty(const struct tensor *t)
{
	return !t->extent[0] || !t->extent[1] || !t->extent[2] || !t->extent[3];
}

/* Offsets from va of the first byte and of the end; false: beyond 64 bits. */
bool loom_matmul_span(const struct tensor *t, int64_t *first, int64_t *end)
{
	int64_t lo = 0, hi = 0, far;

	for (int i = 0; i < 4; i++) {
		if (__builtin_mul_overflow((int64_t)(t->extent[i] - 1),
					   t->stride[i], &far) ||
		    __builtin_add_overflow(far < 0 ? lo : hi, far,
					   far < 0 ? &lo : &hi))
			return false;
	}
	*first = lo;
	return !__builtin_add_overflow(hi, (int64_t)t->bytes, end) &&
	       t->bytes <= 1ull << LOOM_VA_BITS;
}

static int check_range(struct loom_exec *ex, const struct tensor *t)
{
	const int64_t limit = 1ll << LOOM_VA_BITS;
	int64_t first, end;

	if (loom_matmul_is_empty(t))
		return 0;
	if (t->va >= (uint64_t)limit || !loom_matmul_span(t, &first, &end) ||
	    first < -(int64_t)t->va || end > limit - (int64_t)t->va)
		return loom_fail(ex, LOOM_ERR_CMD_RANGE, t->field);
	return 0;
}

static int check_tensors(struct loom_exec *ex,
			 const struct tensor t[OPERANDS])
{
	for (int i = 0; i < OPERANDS; i++) {
		if (t[i].present && (check_alignment(ex, &t[i]) ||
				     check_range(ex, &t[i])))
			return -1;
	}
	return 0;
}

/*
 * The stride of a dimension with one element may be anything, so that stepping
 * by it would overflow.  Nothing depends on it: make it a harmless one.
 */
static void tame_strides(struct tensor *t)
{
	for (int i = 0; i < 4; i++) {
		if (t->extent[i] == 1)
			t->stride[i] = t->size;
	}
}

int loom_matmul_check(struct loom_exec *ex, const struct loom_cmd_matmul *cmd,
		      struct tensor tensor[OPERANDS])
{
	if (check_reserved(ex, cmd) || check_types(ex, cmd) ||
	    check_values(ex, cmd))
		return -1;
	init_tensors(tensor, cmd);
	if (check_tensors(ex, tensor))
		return -1;
	for (int i = 0; i < OPERANDS; i++)
		tame_strides(&tensor[i]);
	return 0;
}

/* Cost -------------------------------------------------------------------- */

static uint64_t saturating_mul(uint64_t a, uint64_t b)
{
	uint64_t r;

	return __builtin_mul_overflow(a, b, &r) ? UINT64_MAX : r;
}

/* Bytes of the elements of one product. */
static uint64_t slice_bytes(const struct tensor *t)
{
	uint64_t bytes = t->bytes;

	for (int i = 0; i < 2; i++)
		bytes = saturating_mul(bytes, t->stride[i] ? t->extent[i] : 1);
	return bytes;
}

static uint64_t slices(const struct tensor *t)
{
	return (t->stride[2] ? t->extent[2] : 1) *
	       (t->stride[3] ? t->extent[3] : 1);
}

static void report_traffic(struct loom_exec *ex, const struct tensor *t,
			   uint64_t passes, uint32_t access)
{
	if (!t->present || loom_matmul_is_empty(t))
		return;
	loom_mem_traffic(ex, t->va,
			 saturating_mul(saturating_mul(slice_bytes(t), passes),
					slices(t)), access);
}

/* What is broadcast is read once. */
void loom_matmul_report_cost(struct loom_exec *ex,
			     const struct loom_cmd_matmul *cmd,
			     const struct tensor tensor[OPERANDS])
{
	const struct loom_core_config *cfg = loom_exec_config(ex);
	struct loom_cost *cost = loom_exec_cost(ex);
	uint64_t batch = (uint64_t)cmd->batch[0] * cmd->batch[1];
	uint64_t a = slice_bytes(&tensor[OPERAND_A]);
	uint64_t b = slice_bytes(&tensor[OPERAND_B]);
	uint64_t passes = loom_time_gemm_passes(cfg, a, b);

	cost->array_cycles = loom_time_matmul(cfg, cmd->a_type, batch, cmd->m,
					      cmd->n, cmd->k);
	cost->macs = saturating_mul(saturating_mul(batch, cmd->m),
				    (uint64_t)cmd->n * cmd->k);
	report_traffic(ex, &tensor[OPERAND_A], a < b ? 1 : passes,
		       LOOM_ACCESS_READ);
	report_traffic(ex, &tensor[OPERAND_B], a < b ? passes : 1,
		       LOOM_ACCESS_READ);
	report_traffic(ex, &tensor[OPERAND_C], 1, LOOM_ACCESS_READ);
	report_traffic(ex, &tensor[OPERAND_D], 1, LOOM_ACCESS_WRITE);
}
