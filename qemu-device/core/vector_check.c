// SPDX-License-Identifier: MIT
/*
 * Validation of VECTOR commands.
 */
#include "vector.h"

#define FIELD(name)	((uint32_t)offsetof(struct loom_cmd_vector, name))

#define FORM(name, number, form, doc)	[number] = form,
static const char *const forms[256] = { LOOM_VEC_LIST(FORM) };

bool loom_vec_uses(uint8_t op, char field)
{
	const char *form = forms[op];

	while (*form && *form != field)
		form++;
	return *form;
}

/**
 * struct check - what is known at one point of the program
 */
struct check {
	/** @ex: where to complain */
	struct loom_exec *ex;
	/** @cmd: the command */
	const struct loom_cmd_vector *cmd;
	/** @insn: the instruction looked at */
	const struct loom_vec_insn *insn;
	/** @field: its offset in the command */
	uint32_t field;
	/** @loop: offset of the LOOP we are in, or 0 */
	uint32_t loop;
	/** @written: vector registers written in this LOOP */
	uint32_t written;
	/** @reduced: scalar registers that reductions of this LOOP write */
	uint32_t reduced;
};

static int fail_at(const struct check *c, uint32_t error, size_t member)
{
	return loom_fail(c->ex, error, c->field + (uint32_t)member);
}

#define FAIL(c, error, member) \
	fail_at(c, error, offsetof(struct loom_vec_insn, member))

static int check_head(struct loom_exec *ex, const struct loom_cmd_vector *cmd,
		      size_t len)
{
	size_t used;
	unsigned int i;

	if (cmd->num_operands > LOOM_VEC_MAX_OPERANDS)
		return loom_fail(ex, LOOM_ERR_CMD_FIELD, FIELD(num_operands));
	if (!cmd->num_insns || cmd->num_insns > LOOM_VEC_MAX_INSNS)
		return loom_fail(ex, LOOM_ERR_CMD_FIELD, FIELD(num_insns));
	used = sizeof(*cmd) +
	       cmd->num_operands * sizeof(struct loom_vec_operand) +
	       cmd->num_insns * sizeof(struct loom_vec_insn);
	if (len < used || len - used >= LOOM_CMD_ALIGN)
		return loom_fail(ex, LOOM_ERR_CMD_SIZE, FIELD(hdr.size64));
	if (cmd->reserved0)
		return loom_fail(ex, LOOM_ERR_CMD_RESERVED, FIELD(reserved0));
	for (i = 0; i < 6; i++) {
		if (cmd->reserved[i])
			return loom_fail(ex, LOOM_ERR_CMD_RESERVED,
					 FIELD(reserved) + 4 * i);
	}
	for (; used < len; used++) {
		if (((const uint8_t *)cmd)[used])
			return loom_fail(ex, LOOM_ERR_CMD_RESERVED,
					 (uint32_t)used);
	}
	return 0;
}

static uint32_t operand_field(unsigned int n, size_t member)
{
	return (uint32_t)(sizeof(struct loom_cmd_vector) +
			  n * sizeof(struct loom_vec_operand) + member);
}

#define OPERAND_FIELD(n, member) \
	operand_field(n, offsetof(struct loom_vec_operand, member))

static int check_operand(struct loom_exec *ex, unsigned int n,
			 const struct loom_vec_operand *o)
{
	uint64_t mask = loom_type_size(o->type) - 1;
	unsigned int d;

	if (!loom_type_size(o->type))
		return loom_fail(ex, LOOM_ERR_CMD_TYPE,
				 OPERAND_FIELD(n, type));
	for (d = 0; d < 3; d++) {
		if (o->reserved0[d])
			return loom_fail(ex, LOOM_ERR_CMD_RESERVED,
					 OPERAND_FIELD(n, reserved0) + d);
	}
	if (o->addr & mask)
		return loom_fail(ex, LOOM_ERR_CMD_ALIGN,
				 OPERAND_FIELD(n, addr));
	for (d = 0; d < 4; d++) {
		if ((uint64_t)o->stride[d] & mask)
			return loom_fail(ex, LOOM_ERR_CMD_ALIGN,
					 OPERAND_FIELD(n, stride) + 8 * d);
	}
	return 0;
}

/* Fields that the form does not name must be zero. */
static int check_reserved(const struct check *c)
{
	const struct loom_vec_insn *insn = c->insn;
	uint8_t op = insn->op;

	if (insn->dst && !loom_vec_uses(op, 'D') && !loom_vec_uses(op, 'd'))
		return FAIL(c, LOOM_ERR_CMD_RESERVED, dst);
	if (insn->a && !loom_vec_uses(op, 'A'))
		return FAIL(c, LOOM_ERR_CMD_RESERVED, a);
	if (insn->b && !loom_vec_uses(op, 'B'))
		return FAIL(c, LOOM_ERR_CMD_RESERVED, b);
	if (insn->c && !loom_vec_uses(op, 'C'))
		return FAIL(c, LOOM_ERR_CMD_RESERVED, c);
	if (insn->operand && !loom_vec_uses(op, 'O'))
		return FAIL(c, LOOM_ERR_CMD_RESERVED, operand);
	if (insn->reserved0)
		return FAIL(c, LOOM_ERR_CMD_RESERVED, reserved0);
	if (insn->imm && !loom_vec_uses(op, 'I'))
		return FAIL(c, LOOM_ERR_CMD_RESERVED, imm);
	if (insn->reserved1)
		return FAIL(c, LOOM_ERR_CMD_RESERVED, reserved1);
	return 0;
}

static uint32_t scalar_bit(uint8_t reg)
{
	return 1u << (reg - LOOM_VEC_S(0));
}

static bool is_scalar(uint8_t reg)
{
	return reg >= LOOM_VEC_S(0) && reg < LOOM_VEC_S(LOOM_VEC_NUM_S);
}

static bool is_reduction(uint8_t op)
{
	return loom_vec_uses(op, 'd');
}

/* May the instruction read register @reg? */
static bool readable(const struct check *c, uint8_t reg)
{
	if (loom_vec_is_vector(reg))
		return c->loop && (c->written & (1u << reg));
	return is_scalar(reg) && !(c->reduced & scalar_bit(reg));
}

static int check_sources(const struct check *c)
{
	const struct loom_vec_insn *insn = c->insn;
	bool only_scalars = loom_vec_uses(insn->op, 'D') &&
			    is_scalar(insn->dst);

	if (loom_vec_uses(insn->op, 'A') &&
	    (!readable(c, insn->a) ||
	     (only_scalars && loom_vec_is_vector(insn->a))))
		return FAIL(c, LOOM_ERR_VEC_OPERAND, a);
	if (loom_vec_uses(insn->op, 'B') &&
	    (!readable(c, insn->b) ||
	     (only_scalars && loom_vec_is_vector(insn->b))))
		return FAIL(c, LOOM_ERR_VEC_OPERAND, b);
	if (loom_vec_uses(insn->op, 'C') &&
	    (!readable(c, insn->c) ||
	     (only_scalars && loom_vec_is_vector(insn->c))))
		return FAIL(c, LOOM_ERR_VEC_OPERAND, c);
	return 0;
}

static int check_dst(struct check *c)
{
	const struct loom_vec_insn *insn = c->insn;

	if (is_reduction(insn->op)) {
		if (!c->loop)
			return FAIL(c, LOOM_ERR_VEC_LOOP, op);
		if (!is_scalar(insn->dst))
			return FAIL(c, LOOM_ERR_VEC_OPERAND, dst);
		return 0;
	}
	if (!loom_vec_uses(insn->op, 'D'))
		return 0;
	if (loom_vec_is_vector(insn->dst) && c->loop) {
		c->written |= 1u << insn->dst;
		return 0;
	}
	if (!is_scalar(insn->dst) || insn->op == LOOM_VEC_LANE)
		return FAIL(c, LOOM_ERR_VEC_OPERAND, dst);
	return 0;
}

static int check_operand_use(const struct check *c)
{
	const struct loom_vec_insn *insn = c->insn;
	uint8_t type;

	if (!loom_vec_uses(insn->op, 'O'))
		return 0;
	if (insn->operand >= c->cmd->num_operands)
		return FAIL(c, LOOM_ERR_VEC_OPERAND, operand);
	type = loom_vec_operands(c->cmd)[insn->operand].type;
	if ((insn->op == LOOM_VEC_LDI || insn->op == LOOM_VEC_STI) &&
	    loom_type_is_float(type) && type != LOOM_TYPE_F32)
		return loom_fail(c->ex, LOOM_ERR_CMD_TYPE,
				 OPERAND_FIELD(insn->operand, type));
	return 0;
}

static int check_imm(const struct check *c)
{
	uint32_t imm = c->insn->imm;

	if ((c->insn->op == LOOM_VEC_PARAM && imm >= LOOM_VEC_NUM_PARAMS) ||
	    (c->insn->op == LOOM_VEC_INDEX && (imm < 1 || imm > 3)) ||
	    (c->insn->op == LOOM_VEC_DIM && imm > 3))
		return FAIL(c, LOOM_ERR_CMD_FIELD, imm);
	return 0;
}

/* Scalars that reductions write from here to the next END. */
static uint32_t reduced_until_end(const struct loom_vec_insn *insn,
				  const struct loom_vec_insn *last)
{
	uint32_t mask = 0;

	for (; insn <= last && insn->op != LOOM_VEC_END; insn++) {
		if (forms[insn->op] && is_reduction(insn->op) &&
		    is_scalar(insn->dst))
			mask |= scalar_bit(insn->dst);
	}
	return mask;
}

static int check_loop(struct check *c)
{
	const struct loom_vec_insn *last = loom_vec_insns(c->cmd) +
					   c->cmd->num_insns - 1;

	if (c->insn->op == LOOM_VEC_LOOP) {
		if (c->loop)
			return FAIL(c, LOOM_ERR_VEC_LOOP, op);
		c->loop = c->field;
		c->written = 0;
		c->reduced = reduced_until_end(c->insn, last);
	} else if (c->insn->op == LOOM_VEC_END) {
		if (!c->loop)
			return FAIL(c, LOOM_ERR_VEC_LOOP, op);
		c->loop = 0;
		c->reduced = 0;
	}
	return 0;
}

static int check_insn(struct check *c)
{
	if (!forms[c->insn->op])
		return FAIL(c, LOOM_ERR_VEC_OPCODE, op);
	if (check_reserved(c) || check_loop(c) || check_sources(c) ||
	    check_dst(c) || check_operand_use(c) || check_imm(c))
		return -1;
	return 0;
}

static int check_program(struct loom_exec *ex,
			 const struct loom_cmd_vector *cmd)
{
	struct check c = { .ex = ex, .cmd = cmd };
	unsigned int i;

	for (i = 0; i < cmd->num_insns; i++) {
		c.insn = loom_vec_insns(cmd) + i;
		c.field = (uint32_t)((const uint8_t *)c.insn -
				     (const uint8_t *)cmd);
		if (check_insn(&c))
			return -1;
	}
	if (c.loop)
		return loom_fail(ex, LOOM_ERR_VEC_LOOP, c.loop);
	return 0;
}

static uint64_t period(const struct loom_vec_operand *o,
		       const struct loom_cmd_vector *cmd, unsigned int d)
{
	return o->wrap[d] && o->wrap[d] < cmd->dim[d] ? o->wrap[d] :
							cmd->dim[d];
}

/* How far along dimension 0 the program goes in operand @n; 0: unused. */
static uint64_t reach(const struct loom_cmd_vector *cmd, unsigned int n)
{
	const struct loom_vec_operand *o = &loom_vec_operands(cmd)[n];
	const struct loom_vec_insn *insn = loom_vec_insns(cmd);
	uint64_t reach = 0, extent;
	unsigned int i;
	uint8_t reg;

	for (i = 0; i < cmd->num_insns; i++, insn++) {
		if (insn->operand != n || !loom_vec_uses(insn->op, 'O'))
			continue;
		reg = loom_vec_uses(insn->op, 'D') ? insn->dst : insn->a;
		if (insn->op == LOOM_VEC_LDX)
			extent = o->limit;
		else
			extent = loom_vec_is_vector(reg) ? period(o, cmd, 0) : 1;
		reach = reach > extent ? reach : extent;
	}
	return reach;
}

static int check_ranges(struct loom_exec *ex,
			const struct loom_cmd_vector *cmd,
			struct loom_span *span)
{
	const struct loom_vec_operand *o = loom_vec_operands(cmd);
	uint64_t extent[4];
	int64_t stride[4];
	unsigned int n, d;

	for (n = 0; n < cmd->num_operands; n++, o++) {
		for (d = 0; d < 4; d++) {
			extent[d] = d ? period(o, cmd, d) : reach(cmd, n);
			stride[d] = o->stride[d];
		}
		if (!loom_span_init(&span[n], o->addr,
				    loom_type_size(o->type), 4, extent,
				    stride))
			return loom_fail(ex, LOOM_ERR_CMD_RANGE,
					 OPERAND_FIELD(n, addr));
	}
	return 0;
}

int loom_vec_check(struct loom_exec *ex, const struct loom_cmd_vector *cmd,
		   size_t len, struct loom_span *span)
{
	unsigned int n;

	if (check_head(ex, cmd, len))
		return -1;
	for (n = 0; n < cmd->num_operands; n++) {
		if (check_operand(ex, n, &loom_vec_operands(cmd)[n]))
			return -1;
	}
	if (check_program(ex, cmd))
		return -1;
	return check_ranges(ex, cmd, span);
}
