/* SPDX-License-Identifier: MIT */
/*
 * DOC: Writing vector programs in tests
 *
 *	struct t_prog p = t_prog(n, rows, 1, 1);
 *	unsigned int x = t_tensor(&p, addr, LOOM_TYPE_F32, 4, 4 * n, 0, 0);
 *
 *	t_op(&p, LOOM_VEC_LOOP, 0);
 *	t_mem(&p, LOOM_VEC_LD, V(0), x);
 *	t_op(&p, LOOM_VEC_EXP, V(0), V(0));
 *	t_mem(&p, LOOM_VEC_ST, V(0), x);
 *	t_op(&p, LOOM_VEC_END, 0);
 *	t_prog_run(card, &p);
 */
#ifndef T_VECPROG_H
#define T_VECPROG_H

#include <string.h>

#include "card.h"

#define V(n)	LOOM_VEC_V(n)
#define S(n)	LOOM_VEC_S(n)

/* One more of each than allowed, for tests of just that. */
struct t_prog {
	struct loom_cmd_vector cmd;
	struct loom_vec_operand operand[LOOM_VEC_MAX_OPERANDS + 1];
	struct loom_vec_insn insn[LOOM_VEC_MAX_INSNS + 1];
};

static inline struct t_prog t_prog(uint32_t d0, uint32_t d1, uint32_t d2,
				   uint32_t d3)
{
	return (struct t_prog){ .cmd.dim = { d0, d1, d2, d3 } };
}

static inline unsigned int t_tensor(struct t_prog *p, uint64_t addr,
				    uint32_t type, int64_t s0, int64_t s1,
				    int64_t s2, int64_t s3)
{
	p->operand[p->cmd.num_operands] = (struct loom_vec_operand){
		.addr = addr,
		.type = (uint8_t)type,
		.stride = { s0, s1, s2, s3 },
	};
	return p->cmd.num_operands++;
}

static inline struct loom_vec_insn *t_insn(struct t_prog *p, uint8_t op)
{
	struct loom_vec_insn *insn = &p->insn[p->cmd.num_insns++];

	insn->op = op;
	return insn;
}

/* t_op(p, op, dst, a, b, c): what is left out is 0 */
#define t_op(...)	t_op_(__VA_ARGS__, 0, 0, 0, 0)
#define t_op_(p, op_, dst_, a_, b_, c_, ...) \
	((void)(*t_insn(p, op_) = (struct loom_vec_insn){ \
		.op = op_, .dst = dst_, .a = a_, .b = b_, .c = c_ }))

/* A load into, or store from, register @reg */
static inline void t_mem(struct t_prog *p, uint8_t op, uint8_t reg,
			 unsigned int operand)
{
	struct loom_vec_insn *insn = t_insn(p, op);

	if (op == LOOM_VEC_ST || op == LOOM_VEC_STI)
		insn->a = reg;
	else
		insn->dst = reg;
	insn->operand = (uint8_t)operand;
}

static inline void t_imm(struct t_prog *p, uint8_t op, uint8_t dst,
			 uint32_t imm)
{
	struct loom_vec_insn *insn = t_insn(p, op);

	insn->dst = dst;
	insn->imm = imm;
}

static inline void t_const(struct t_prog *p, uint8_t dst, float value)
{
	uint32_t bits;

	memcpy(&bits, &value, sizeof(bits));
	t_imm(p, LOOM_VEC_IMM, dst, bits);
}

/* The command as it goes to the card; returns its size. */
static inline uint32_t t_prog_encode(const struct t_prog *p, uint8_t *buf)
{
	size_t ops = p->cmd.num_operands * sizeof(p->operand[0]);
	size_t insns = p->cmd.num_insns * sizeof(p->insn[0]);
	size_t len = (sizeof(p->cmd) + ops + insns + 63) & ~(size_t)63;
	struct loom_cmd_vector cmd = p->cmd;

	if (!cmd.hdr.opcode)
		cmd.hdr = t_cmd(LOOM_OP_VECTOR, len);
	memset(buf, 0, len);
	memcpy(buf, &cmd, sizeof(cmd));
	memcpy(buf + sizeof(cmd), p->operand, ops);
	memcpy(buf + sizeof(cmd) + ops, p->insn, insns);
	return (uint32_t)len;
}

static inline struct loom_completion t_prog_run(struct t_card *c,
						const struct t_prog *p)
{
	static uint8_t buf[sizeof(*p) + 64];
	uint32_t len = t_prog_encode(p, buf);

	return t_run_cmds(c, buf, len);
}

#endif
