// SPDX-License-Identifier: MIT
/*
 * DOC: Bytes to commands
 *
 * Every choice takes a byte; a low one is the sensible choice, so that most
 * commands are valid and pass the checks, and a mutation changes one thing.
 * Extents are bounded, but for a few that are huge on purpose.
 */
#include <string.h>

#include "fuzz.h"

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))
/* Elements and multiply-accumulates of one command. */
#define MAX_ELEMENTS	(1u << 12)
#define MAX_MACS	(1u << 15)
#define MAX_PROGRAM	48
#define MAX_COMMANDS	12

static const uint32_t some_dims[] = {
	1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 127,
	128, 129, 255, 256, 257, 511, 512, 513, 1000, 1024, 4096, 4097, 0,
};

static const uint32_t huge_dims[] = {
	0x10000, 0x7fffffff, 0x80000000, 0xffffffff,
};

static uint32_t pick_dim(struct fuzz_in *in)
{
	uint8_t sel = fuzz_u8(in);

	if (sel == 0xff)
		return huge_dims[fuzz_u8(in) % COUNT(huge_dims)];
	return some_dims[sel % COUNT(some_dims)];
}

/* Halve the largest until the product fits; huge ones stay. */
static void bound_dims(uint32_t *dim, unsigned int n, uint64_t limit)
{
	uint64_t product = 1;
	unsigned int i, largest = 0;

	for (i = 0; i < n; i++) {
		if (dim[i] >= huge_dims[0])
			return;
		product *= dim[i] ? dim[i] : 1;
	}
	while (product > limit) {
		for (i = 0; i < n; i++)
			if (dim[i] > dim[largest])
				largest = i;
		product = product / dim[largest] * (dim[largest] / 2);
		dim[largest] /= 2;
	}
}

static uint64_t pick_addr(struct fuzz_in *in, unsigned int align)
{
	uint8_t sel = fuzz_u8(in);
	const struct fuzz_window *w = &fuzz_windows[sel % FUZZ_WINDOWS];
	uint64_t offset;

	if (sel >= 0xf8)
		return fuzz_u64(in) >> (sel & 1 ? 16 : 0);
	offset = fuzz_u16(in);
	if (sel & 0x40)
		offset = w->size - 1 - offset;
	if (!(sel & 0x80) && align)
		offset &= ~(uint64_t)(align - 1);
	return w->va + offset;
}

static int64_t pick_stride(struct fuzz_in *in, uint64_t natural,
			   unsigned int size)
{
	uint8_t sel = fuzz_u8(in);

	if (sel < 0x80)
		return (int64_t)natural;
	switch (sel & 7) {
	case 0:
		return 0;
	case 1:
		return (int64_t)-natural;
	case 2:
		return (int64_t)size;
	case 3:
		return -(int64_t)size;
	case 4:
		return (int64_t)LOOM_PAGE_SIZE * (sel & 8 ? -1 : 1);
	case 5:
		return (int64_t)(fuzz_u8(in) * (uint64_t)size);
	case 6:
		return (int64_t)(int16_t)fuzz_u16(in);
	default:
		return (int64_t)fuzz_u64(in);
	}
}

/* Strides of a dense tensor, perhaps a transposed one, or others. */
static void pick_strides(struct fuzz_in *in, __s64 *stride,
			 const uint32_t *dim, unsigned int n, unsigned int size)
{
	uint64_t natural = size ? size : 1;
	uint8_t sel = fuzz_u8(in);
	unsigned int i, d, inner = sel < 0x80 ? 0 : sel % n;

	for (i = 0; i < n; i++) {
		d = i == 0 ? inner : i <= inner ? i - 1 : i;
		stride[d] = pick_stride(in, natural, size);
		natural *= dim[d];
	}
}

static unsigned int type_size(uint8_t type)
{
	static const uint8_t size[LOOM_TYPE_COUNT] = {
		0, 4, 2, 2, 1, 1, 1, 1, 2, 4, 8, 2, 2,
	};

	return type < LOOM_TYPE_COUNT ? size[type] : 1;
}

static uint8_t pick_type(struct fuzz_in *in)
{
	uint8_t sel = fuzz_u8(in);

	return sel < 0xf0 ? 1 + sel % LOOM_TYPE_I64 : sel & 15;
}

/* Commands ---------------------------------------------------------------- */

static size_t make_nop(struct fuzz_in *in, uint8_t *buf)
{
	struct loom_cmd_nop cmd = {
		.hdr = fuzz_head(fuzz_u8(in) & 1 ? LOOM_OP_FENCE : LOOM_OP_NOP,
				 sizeof(cmd)),
	};

	memcpy(buf, &cmd, sizeof(cmd));
	return sizeof(cmd);
}

static size_t make_event(struct fuzz_in *in, uint8_t *buf)
{
	struct loom_cmd_event cmd = {
		.hdr = fuzz_head(LOOM_OP_EVENT, sizeof(cmd)),
		.op = fuzz_u8(in) % 4, .event = fuzz_u8(in) % 66,
		.value = fuzz_u8(in) % 4,
	};

	memcpy(buf, &cmd, sizeof(cmd));
	return sizeof(cmd);
}

static size_t make_timestamp(struct fuzz_in *in, uint8_t *buf)
{
	struct loom_cmd_timestamp cmd = {
		.hdr = fuzz_head(LOOM_OP_TIMESTAMP, sizeof(cmd)),
		.addr = pick_addr(in, 8),
	};

	memcpy(buf, &cmd, sizeof(cmd));
	return sizeof(cmd);
}

static size_t make_copy(struct fuzz_in *in, uint8_t *buf)
{
	struct loom_cmd_copy cmd = {
		.hdr = fuzz_head(LOOM_OP_COPY, sizeof(cmd)),
		.mode = fuzz_u8(in) % 5,
	};
	bool fill = cmd.mode == LOOM_COPY_FILL;
	bool indexed = cmd.mode >= LOOM_COPY_GATHER;
	unsigned int i, size;

	for (i = 0; i < 4; i++)
		cmd.dim[i] = pick_dim(in);
	bound_dims(cmd.dim, 4, MAX_ELEMENTS);
	cmd.dst_type = pick_type(in);
	size = type_size(cmd.dst_type);
	cmd.dst = pick_addr(in, size);
	pick_strides(in, cmd.dst_stride, cmd.dim, 4, size);
	if (fill) {
		cmd.fill = fuzz_u64(in);
	} else {
		cmd.src_type = fuzz_u8(in) & 1 ? pick_type(in) : cmd.dst_type;
		size = type_size(cmd.src_type);
		cmd.src = pick_addr(in, size);
		pick_strides(in, cmd.src_stride, cmd.dim, 4, size);
	}
	if (indexed) {
		cmd.index_type = fuzz_u8(in) & 1 ? LOOM_TYPE_I64 : LOOM_TYPE_I32;
		size = type_size(cmd.index_type);
		cmd.index = pick_addr(in, size);
		pick_strides(in, cmd.index_stride, cmd.dim + 1, 3, size);
		cmd.index_limit = fuzz_u8(in) & 1 ? ~0u : fuzz_u16(in);
	}
	memcpy(buf, &cmd, sizeof(cmd));
	return sizeof(cmd);
}

static void pick_matmul_types(struct fuzz_in *in, struct loom_cmd_matmul *cmd)
{
	static const uint8_t pairs[][2] = {
		{ LOOM_TYPE_F32, LOOM_TYPE_F32 },
		{ LOOM_TYPE_F16, LOOM_TYPE_F16 },
		{ LOOM_TYPE_BF16, LOOM_TYPE_BF16 },
		{ LOOM_TYPE_F8E4M3, LOOM_TYPE_F8E5M2 },
		{ LOOM_TYPE_I8, LOOM_TYPE_I8 },
		{ LOOM_TYPE_F32, LOOM_TYPE_Q8_0 },
		{ LOOM_TYPE_F32, LOOM_TYPE_Q4_0 },
		{ LOOM_TYPE_Q8_0, LOOM_TYPE_Q8_0 },
		{ LOOM_TYPE_Q8_0, LOOM_TYPE_Q4_0 },
	};
	uint8_t sel = fuzz_u8(in), out = fuzz_u8(in);

	cmd->a_type = pairs[sel % COUNT(pairs)][0];
	cmd->b_type = pairs[sel % COUNT(pairs)][1];
	cmd->d_type = LOOM_TYPE_F32 + out % 3;
	cmd->c_type = out & 0x10 ? LOOM_TYPE_F32 + (out >> 5) % 3 :
				   LOOM_TYPE_NONE;
	cmd->alpha = out & 8 ? fuzz_u32(in) : 0x3f800000;
	if (cmd->a_type == LOOM_TYPE_I8) {
		cmd->d_type = LOOM_TYPE_I32;
		cmd->c_type = cmd->c_type ? LOOM_TYPE_I32 : LOOM_TYPE_NONE;
		cmd->alpha = 0x3f800000;
	}
}

/* Rows and columns of an operand; dim: columns, rows, batches. */
static void pick_matrix(struct fuzz_in *in, __u64 *addr, __s64 *stride,
			uint8_t type, const uint32_t *dim)
{
	unsigned int size = type_size(type);
	__s64 s[4];

	*addr = pick_addr(in, size);
	pick_strides(in, s, dim, 4, size);
	stride[0] = s[1];
	stride[1] = s[0];
	stride[2] = s[2];
	stride[3] = s[3];
}

static size_t make_matmul(struct fuzz_in *in, uint8_t *buf)
{
	struct loom_cmd_matmul cmd = {
		.hdr = fuzz_head(LOOM_OP_MATMUL, sizeof(cmd)),
	};
	uint32_t dim[5], i;

	pick_matmul_types(in, &cmd);
	for (i = 0; i < 5; i++)
		dim[i] = pick_dim(in);
	bound_dims(dim, 5, MAX_MACS);
	if (cmd.b_type >= LOOM_TYPE_Q8_0)
		dim[2] &= ~31u;
	cmd.m = dim[0];
	cmd.n = dim[1];
	cmd.k = dim[2];
	cmd.batch[0] = dim[3];
	cmd.batch[1] = dim[4];
	pick_matrix(in, &cmd.a, cmd.a_stride, cmd.a_type,
		    (uint32_t[]) { cmd.k, cmd.m, dim[3], dim[4] });
	pick_matrix(in, &cmd.b, cmd.b_stride, cmd.b_type,
		    (uint32_t[]) { cmd.n, cmd.k, dim[3], dim[4] });
	pick_matrix(in, &cmd.d, cmd.d_stride, cmd.d_type,
		    (uint32_t[]) { cmd.n, cmd.m, dim[3], dim[4] });
	if (cmd.c_type)
		pick_matrix(in, &cmd.c, cmd.c_stride, cmd.c_type,
			    (uint32_t[]) { cmd.n, cmd.m, dim[3], dim[4] });
	if (cmd.a_type == LOOM_TYPE_Q8_0) {
		cmd.a_stride[1] = 0;
		cmd.a_stride[0] = 34 * (__s64)(cmd.k / 32);
	}
	if (cmd.b_type >= LOOM_TYPE_Q8_0) {
		cmd.b_stride[0] = 0;
		cmd.b_stride[1] = (cmd.b_type == LOOM_TYPE_Q8_0 ? 34 : 18) *
				  (__s64)(cmd.k / 32);
	}
	memcpy(buf, &cmd, sizeof(cmd));
	return sizeof(cmd);
}

/* Vector programs --------------------------------------------------------- */

struct insn_form {
	uint8_t number;
	const char *form;
};

#define FORM(name, number, form, doc) { number, form },
static const struct insn_form forms[] = { LOOM_VEC_LIST(FORM) };
#undef FORM

/** struct program - what is known of a program that is being made */
struct program {
	struct fuzz_in *in;
	bool in_loop;
	/** @written: vector registers written in this LOOP */
	uint32_t written;
	unsigned int num_operands;
};

/* Reductions write s16..s31; inside a LOOP the others are read. */
static uint8_t pick_scalar(struct program *p)
{
	return LOOM_VEC_S(fuzz_u8(p->in) % (p->in_loop ? 16 : 32));
}

static uint8_t pick_source(struct program *p, bool scalar)
{
	uint8_t sel = fuzz_u8(p->in), reg = sel % LOOM_VEC_NUM_V;

	if (sel >= 0xf8)
		return fuzz_u8(p->in);
	if (scalar || !p->written || sel & 0x80)
		return pick_scalar(p);
	while (!(p->written & 1u << reg))
		reg = (reg + 1) % LOOM_VEC_NUM_V;
	return LOOM_VEC_V(reg);
}

static uint8_t pick_dst(struct program *p, const char *form)
{
	uint8_t sel = fuzz_u8(p->in);

	if (strchr(form, 'd'))
		return LOOM_VEC_S(16 + sel % 16);
	if (!p->in_loop || sel >= 0xe0)
		return LOOM_VEC_S(sel % 16);
	return LOOM_VEC_V(sel % LOOM_VEC_NUM_V);
}

static struct loom_vec_insn make_insn(struct program *p)
{
	uint8_t sel = fuzz_u8(p->in);
	const struct insn_form *f = &forms[sel % COUNT(forms)];
	struct loom_vec_insn insn = { .op = f->number };
	bool scalar = !p->in_loop;

	if (strpbrk(f->form, "Dd")) {
		insn.dst = pick_dst(p, f->form);
		scalar |= insn.dst >= LOOM_VEC_S(0) && !strchr(f->form, 'd');
	}
	if (strchr(f->form, 'A'))
		insn.a = pick_source(p, scalar);
	if (strchr(f->form, 'B'))
		insn.b = pick_source(p, scalar);
	if (strchr(f->form, 'C'))
		insn.c = pick_source(p, scalar);
	if (strchr(f->form, 'O') && p->num_operands)
		insn.operand = fuzz_u8(p->in) % p->num_operands;
	if (strchr(f->form, 'I'))
		insn.imm = insn.op == LOOM_VEC_IMM ? fuzz_u32(p->in) :
			   1 + fuzz_u8(p->in) % 3;
	if (insn.op == LOOM_VEC_LOOP || insn.op == LOOM_VEC_END) {
		p->in_loop = !p->in_loop;
		insn.op = p->in_loop ? LOOM_VEC_LOOP : LOOM_VEC_END;
		p->written = 0;
	}
	if (strchr(f->form, 'D') && insn.dst < LOOM_VEC_NUM_V)
		p->written |= 1u << insn.dst;
	return insn;
}

static void make_operand(struct fuzz_in *in, struct loom_vec_operand *o,
			 const uint32_t *dim)
{
	unsigned int i;
	uint8_t wrap;

	memset(o, 0, sizeof(*o));
	o->type = pick_type(in);
	o->addr = pick_addr(in, type_size(o->type));
	pick_strides(in, o->stride, dim, 4, type_size(o->type));
	wrap = fuzz_u8(in);
	for (i = 0; i < 4; i++)
		if (wrap & 1u << i)
			o->wrap[i] = 1 + fuzz_u8(in) % 9;
	if (wrap & 0x10)
		o->limit = fuzz_u8(in) & 1 ? ~0u : fuzz_u16(in);
}

static size_t make_vector(struct fuzz_in *in, uint8_t *buf)
{
	struct loom_cmd_vector cmd = { .num_operands = fuzz_u8(in) % 6 };
	struct program p = { .in = in, .num_operands = cmd.num_operands };
	struct loom_vec_operand *o = (void *)(buf + sizeof(cmd));
	struct loom_vec_insn *insn = (void *)(o + cmd.num_operands);
	unsigned int i, len = 1 + fuzz_u8(in) % MAX_PROGRAM;
	size_t bytes;

	for (i = 0; i < 4; i++)
		cmd.dim[i] = pick_dim(in);
	bound_dims(cmd.dim, 4, MAX_ELEMENTS);
	for (i = 0; i < COUNT(cmd.param); i++)
		cmd.param[i] = i * 0x3f800000;
	for (i = 0; i < cmd.num_operands; i++)
		make_operand(in, &o[i], cmd.dim);
	for (i = 0; i < len && fuzz_more(in); i++)
		insn[i] = make_insn(&p);
	if (p.in_loop)
		insn[i++] = (struct loom_vec_insn) { .op = LOOM_VEC_END };
	cmd.num_insns = (__u16)i;
	bytes = (size_t)((uint8_t *)(insn + i) - buf);
	memset(buf + bytes, 0, -bytes % LOOM_CMD_ALIGN);
	bytes += -bytes % LOOM_CMD_ALIGN;
	cmd.hdr = fuzz_head(LOOM_OP_VECTOR, bytes);
	memcpy(buf, &cmd, sizeof(cmd));
	return bytes;
}

/* Buffers ----------------------------------------------------------------- */

static size_t (*const makers[])(struct fuzz_in *in, uint8_t *buf) = {
	make_nop, make_event, make_timestamp, make_copy, make_copy,
	make_matmul, make_matmul, make_vector, make_vector,
};

/* Flags, events, and now and then a wrong byte. */
static void finish(struct fuzz_in *in, uint8_t *buf, size_t len)
{
	struct loom_cmd hdr;
	uint8_t sel = fuzz_u8(in);
	size_t at;

	memcpy(&hdr, buf, sizeof(hdr));
	if (sel & 1)
		hdr.flags = LOOM_CMD_F_RELAXED;
	if (sel & 2)
		hdr.signal_event = fuzz_u8(in) % 65;
	if (sel & 4)
		hdr.wait_event = fuzz_u8(in) % 65;
	memcpy(buf, &hdr, sizeof(hdr));
	if (sel >= 0xe0) {
		at = fuzz_u16(in) % len;
		buf[at] = fuzz_u8(in);
	}
}

uint32_t fuzz_commands(struct fuzz_in *in, uint8_t *buf, uint32_t size)
{
	static _Alignas(64) uint8_t cmd[2048];
	uint32_t used = 0;
	unsigned int i;
	size_t len;

	for (i = 0; i < MAX_COMMANDS && fuzz_more(in); i++) {
		len = makers[fuzz_u8(in) % COUNT(makers)](in, cmd);
		finish(in, cmd, len);
		if (len > size - used)
			break;
		memcpy(buf + used, cmd, len);
		used += (uint32_t)len;
	}
	return used;
}
