// SPDX-License-Identifier: MIT
/* Loss and optimizer. */
#include <errno.h>
#include <string.h>

#include "ops_internal.h"

/*
 * s0 maximum, s1 label, s2 sum of exponentials, s3 loss, s4 scale or, for a
 * label outside the row, 0.
 */
#define CROSS_ENTROPY							\
	"loop\n"							\
	"  ld    v0, logits\n"						\
	"  rmax  s0, v0\n"						\
	"end\n"								\
	"loop\n"							\
	"  ld    v0, logits\n"						\
	"  sub   v0, v0, s0\n"						\
	"  exp   v0, v0\n"						\
	"  rsum  s2, v0\n"						\
	"end\n"								\
	"param s4, scale\n"						\
	"ldi   s1, label\n"						\
	"dim   s5, 0\n"							\
	"ult   s5, s1, s5\n"						\
	"and   s4, s4, s5\n"						\
	"ldx   s3, s1, logits     ; reads 0 outside\n"			\
	"sub   s3, s3, s0\n"						\
	"log   s6, s2\n"						\
	"sub   s3, s6, s3         ; log(sum) - (logit - maximum)\n"	\
	"and   s3, s3, s5\n"						\
	"mul   s3, s3, s4\n"						\
	"st    loss, s3\n"

int accel_op_cross_entropy(struct accel_cmdbuf *cb,
			   const struct accel_tensor *loss,
			   const struct accel_tensor *dlogits,
			   const struct accel_tensor *logits,
			   const struct accel_tensor *label, float scale)
{
	static struct op_program forward = { .source =
		".operand loss logits label\n"
		".param scale\n"
		CROSS_ENTROPY
	};
	static struct op_program both = { .source =
		".operand loss logits label dlogits\n"
		".param scale\n"
		CROSS_ENTROPY
		"div   s2, s4, s2\n"
		"loop\n"
		"  ld    v0, logits\n"
		"  sub   v0, v0, s0\n"
		"  exp   v0, v0\n"
		"  mul   v0, v0, s2         ; softmax * scale\n"
		"  lane  v1\n"
		"  ieq   v1, v1, s1\n"
		"  and   v1, v1, s4         ; onehot * scale\n"
		"  sub   v0, v0, v1\n"
		"  st    dlogits, v0\n"
		"end\n"
	};
	const uint32_t params[] = { accel_f32(scale) };
	struct op op;

	API_ENTER();
	op_begin(&op, "cross_entropy", logits);
	op_row(&op, "loss", loss);
	op_read(&op, "logits", logits);
	op_row(&op, "label", label);
	if (!op.rc)
		op.rc = op_check_integer("cross_entropy", "label", label);
	if (dlogits)
		op_write(&op, "dlogits", dlogits);
	op.operand[1].limit = op.dim[0];
	return op_emit(&op, cb, dlogits ? &both : &forward, params);
}

/* ------------------------------------------------------------------- AdamW */

enum adamw_param {
	ADAMW_STEP,		/* -lr / (1 - beta1^step) */
	ADAMW_KEEP,		/* 1 - lr * weight_decay */
	ADAMW_GAIN1,		/* 1 - beta1 */
	ADAMW_GAIN2,		/* 1 - beta2 */
	ADAMW_ROOT,		/* 1 / sqrt(1 - beta2^step) */
	ADAMW_EPS,
	ADAMW_NUM_PARAMS
};

#define ADAMW(operands, store) { .source =				\
	".operand weight m v grad " operands "\n"			\
	".param step keep gain1 gain2 root eps\n"			\
	"param s0, step\n"						\
	"param s1, keep\n"						\
	"param s2, gain1\n"						\
	"param s3, gain2\n"						\
	"param s4, root\n"						\
	"param s5, eps\n"						\
	"loop\n"							\
	"  ld    v0, grad\n"						\
	"  ld    v1, m\n"						\
	"  ld    v2, v\n"						\
	"  ld    v3, weight\n"						\
	"  sub   v4, v0, v1\n"						\
	"  fma   v1, v4, s2, v1     ; m += gain1 (grad - m)\n"		\
	"  st    m, v1\n"						\
	"  mul   v4, v0, v0\n"						\
	"  sub   v4, v4, v2\n"						\
	"  fma   v2, v4, s3, v2     ; v += gain2 (grad^2 - v)\n"	\
	"  st    v, v2\n"						\
	"  sqrt  v2, v2\n"						\
	"  fma   v2, v2, s4, s5     ; sqrt(v corrected) + eps\n"	\
	"  div   v1, v1, v2\n"						\
	"  mul   v3, v3, s1\n"						\
	"  fma   v3, v1, s0, v3\n"					\
	"  st    weight, v3\n"						\
	store								\
	"end\n" }

static struct op_program adamw_plain = ADAMW("", "");
static struct op_program adamw_copy = ADAMW("copy", "  st    copy, v3\n");

/*
 * By squaring: the same bits with every C library, and few roundings.
 */
static double power(double base, uint32_t exponent)
{
	double result = 1;

	for (; exponent; exponent >>= 1) {
		if (exponent & 1)
			result *= base;
		base *= base;
	}
	return result;
}

/* IEEE 754 demands the correctly rounded root, so this is the same everywhere. */
static double root(double x)
{
	return __builtin_sqrt(x);
}

static int adamw_params(uint32_t params[ADAMW_NUM_PARAMS],
			const struct accel_adamw_desc *desc)
{
	struct accel_adamw_desc d;
	int rc = struct_in(&d, sizeof(d), desc);

	if (rc)
		return rc;
	if (!d.step)
		return op_fail("adamw", "steps count from 1, step is 0");
	if (!(d.beta1 >= 0 && d.beta1 < 1 && d.beta2 >= 0 && d.beta2 < 1))
		return op_fail("adamw", "beta1 %g and beta2 %g must be in [0, 1)",
			       (double)d.beta1, (double)d.beta2);
	params[ADAMW_STEP] = accel_f32((float)(-d.lr / (1 - power(d.beta1, d.step))));
	params[ADAMW_KEEP] = accel_f32((float)(1 - (double)d.lr * d.weight_decay));
	params[ADAMW_GAIN1] = accel_f32((float)(1 - (double)d.beta1));
	params[ADAMW_GAIN2] = accel_f32((float)(1 - (double)d.beta2));
	params[ADAMW_ROOT] = accel_f32((float)(1 / root(1 - power(d.beta2, d.step))));
	params[ADAMW_EPS] = accel_f32(d.eps);
	return 0;
}

int accel_op_adamw(struct accel_cmdbuf *cb, const struct accel_tensor *weight,
		   const struct accel_tensor *m, const struct accel_tensor *v,
		   const struct accel_tensor *grad,
		   const struct accel_tensor *copy,
		   const struct accel_adamw_desc *desc)
{
	uint32_t params[ADAMW_NUM_PARAMS];
	struct op op;
	int rc;

	API_ENTER();
	rc = adamw_params(params, desc);
	if (rc)
		return rc;
	op_begin(&op, "adamw", weight);
	op_write(&op, "weight", weight);
	op_write(&op, "m", m);
	op_write(&op, "v", v);
	op_read(&op, "grad", grad);
	if (!op.rc)
		op.rc = op_check_dim("adamw", "grad", grad, op.dim);
	if (copy)
		op_write(&op, "copy", copy);
	op_merge(&op);
	return op_emit(&op, cb, copy ? &adamw_copy : &adamw_plain, params);
}

/* Does an AdamW command begin at @offset? */
static bool is_adamw(const struct accel_cmdbuf *cb, uint32_t offset)
{
	const struct accel_vprog *progs[] = { adamw_plain.prog,
					      adamw_copy.prog };
	struct loom_cmd_vector cmd;
	uint64_t insns;
	size_t i, len;

	if (offset % LOOM_CMD_ALIGN || offset > cb->size ||
	    cb->size - offset < sizeof(cmd))
		return false;
	memcpy(&cmd, cb->data + offset, sizeof(cmd));
	if (cmd.hdr.opcode != LOOM_OP_VECTOR)
		return false;
	insns = offset + sizeof(cmd) +
		cmd.num_operands * sizeof(struct loom_vec_operand);
	for (i = 0; i < ARRAY_SIZE(progs); i++) {
		if (!progs[i] || accel_vprog_num_insns(progs[i]) != cmd.num_insns)
			continue;
		len = cmd.num_insns * sizeof(struct loom_vec_insn);
		if (insns + len <= cb->size &&
		    !memcmp(cb->data + insns, accel_vprog_insns(progs[i]), len))
			return true;
	}
	return false;
}

int accel_op_adamw_patch(struct accel_cmdbuf *cb, uint32_t offset,
			 const struct accel_adamw_desc *desc)
{
	uint32_t params[ADAMW_NUM_PARAMS];
	int rc;

	API_ENTER();
	rc = adamw_params(params, desc);
	if (rc)
		return rc;
	if (!is_adamw(cb, offset))
		return op_fail("adamw", "no such command at offset %u", offset);
	return accel_cmdbuf_patch(cb, offset +
				  offsetof(struct loom_cmd_vector, param),
				  params, sizeof(params));
}
