// SPDX-License-Identifier: MIT
/* Command buffers as text. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "isa.h"

#define LINE_WIDTH	100

/** struct printer - collects words into lines */
struct printer {
	void (*print)(void *opaque, const char *line);
	void *opaque;
	/** @indent: what a continued line begins with */
	const char *indent;
	char line[256];
	size_t len;
};

static void flush(struct printer *p)
{
	if (p->len)
		p->print(p->opaque, p->line);
	p->len = 0;
}

__attribute__((format(printf, 2, 3)))
static void word(struct printer *p, const char *fmt, ...)
{
	char text[192];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (p->len && p->len + 1 + strlen(text) > LINE_WIDTH) {
		flush(p);
		p->len = snprintf(p->line, sizeof(p->line), "%s", p->indent);
	}
	p->len += snprintf(p->line + p->len, sizeof(p->line) - p->len, "%s%s",
			   p->len ? " " : "", text);
}

/* ------------------------------------------------------------ instructions */

static int print_reg(uint8_t reg, char *buf, size_t len)
{
	if (reg < LOOM_VEC_NUM_V)
		return snprintf(buf, len, "v%u", reg);
	if (reg >= LOOM_VEC_S(0) && reg < LOOM_VEC_S(LOOM_VEC_NUM_S))
		return snprintf(buf, len, "s%u", reg - LOOM_VEC_S(0));
	return snprintf(buf, len, "?%u", reg);
}

/* Operand names: registers, "x2" for operand 2, a number for imm. */
static void print_arg(const struct loom_vec_insn *in, char letter, char *buf,
		      size_t len)
{
	switch (letter) {
	case 'O':
		snprintf(buf, len, "x%u", in->operand);
		break;
	case 'I':
		snprintf(buf, len, in->op == LOOM_VEC_IMM ? "0x%x" : "%u",
			 in->imm);
		break;
	default:
		print_reg(letter == 'A' ? in->a : letter == 'B' ? in->b :
			  letter == 'C' ? in->c : in->dst, buf, len);
	}
}

int disasm_insn(const struct loom_vec_insn *in, char *buf, size_t len)
{
	/* The order of the text: destination, operand, sources, number. */
	static const char order[] = "DdOABCI";
	const struct isa_vec *v = isa_vec(in->op);
	char arg[16], name[12] = "";
	size_t at, i;
	float f32;

	if (!v)
		return snprintf(buf, len, "; unknown instruction 0x%02x", in->op);
	for (i = 0; v->name[i] && i < sizeof(name) - 1; i++)
		name[i] = tolower((unsigned char)v->name[i]);
	at = snprintf(buf, len, "%-7s", name);
	for (i = 0; order[i]; i++) {
		if (!strchr(v->form, order[i]))
			continue;
		print_arg(in, order[i], arg, sizeof(arg));
		at += snprintf(buf + at, len - at, "%s%s", at > 7 ? ", " : " ",
			       arg);
	}
	while (at && buf[at - 1] == ' ')
		buf[--at] = '\0';
	if (in->op == LOOM_VEC_IMM) {
		memcpy(&f32, &in->imm, sizeof(f32));
		at += snprintf(buf + at, len - at, "  ; %g", f32);
	}
	return at;
}

/* ---------------------------------------------------------------- commands */

static bool all_zero(const struct isa_field *f, const void *base)
{
	unsigned int i;

	for (i = 0; i < (f->count ? f->count : 1u); i++)
		if (isa_load(f, base, i))
			return false;
	return true;
}

static void print_field(struct printer *p, const struct isa_field *f,
			const void *base)
{
	char text[160], value[32];
	size_t at = 0;
	unsigned int i;

	if (!f->count) {
		isa_print_value(f, base, 0, value, sizeof(value));
		word(p, "%s=%s", f->name, value);
		return;
	}
	/* Constants and reserved words are many and mostly zero. */
	if (f->count > 4) {
		for (i = 0; i < f->count; i++) {
			if (!isa_load(f, base, i))
				continue;
			isa_print_value(f, base, i, value, sizeof(value));
			word(p, "%s[%u]=%s", f->name, i, value);
		}
		return;
	}
	for (i = 0; i < f->count; i++) {
		isa_print_value(f, base, i, value, sizeof(value));
		at += snprintf(text + at, sizeof(text) - at, "%s%s",
			       i ? "," : "", value);
	}
	word(p, "%s={%s}", f->name, text);
}

static void print_fields(struct printer *p, const struct isa_struct *s,
			 const void *base)
{
	const struct isa_field *f;
	unsigned int i;

	for (i = 0; i < s->num_fields; i++) {
		f = &s->fields[i];
		if (f->kind != ISA_HEAD && !all_zero(f, base))
			print_field(p, f, base);
	}
}

static void print_program(struct printer *p, const struct loom_cmd_vector *cmd,
			  size_t len)
{
	const char *at = (const char *)(cmd + 1), *end = (const char *)cmd + len;
	char text[64];
	unsigned int i;

	for (i = 0; i < cmd->num_operands; i++) {
		if (at + sizeof(struct loom_vec_operand) > end)
			return;
		word(p, "    x%u:", i);
		print_fields(p, &isa_operand, at);
		flush(p);
		at += sizeof(struct loom_vec_operand);
	}
	for (i = 0; i < cmd->num_insns; i++) {
		if (at + sizeof(struct loom_vec_insn) > end)
			return;
		disasm_insn((const void *)at, text, sizeof(text));
		word(p, "      %s", text);
		flush(p);
		at += sizeof(struct loom_vec_insn);
	}
}

/* @len: bytes of the command that are there. */
static void print_command(struct printer *p, const struct isa_struct *s,
			  const void *cmd, size_t len)
{
	p->indent = "     ";
	print_fields(p, &isa_head, cmd);
	if (s && len >= s->size)
		print_fields(p, s, cmd);
	flush(p);
	if (s && s->opcode == LOOM_OP_VECTOR && len >= s->size)
		print_program(p, cmd, len);
}

static void print_fault(struct printer *p, const void *cmd, size_t len,
			const struct isa_fault *fault)
{
	const struct loom_cmd *hdr = cmd;
	char name[64];

	isa_field_at(hdr->opcode, fault->field, cmd, len, name, sizeof(name));
	word(p, "    ! field %s: %s", name, loom_strerror(fault->error));
	flush(p);
}

static int disasm(const void *data, size_t len,
		  void (*print)(void *opaque, const char *line), void *opaque)
{
	struct printer p = { .print = print, .opaque = opaque };
	const char *at = data, *end = at + len;
	struct isa_fault fault;
	int count = 0, rc = 0;

	for (; at < end; count++) {
		const struct loom_cmd *hdr = (const void *)at;
		size_t left = end - at, size;

		if (left < LOOM_CMD_ALIGN) {
			word(&p, "%4d  %zu bytes are too few for a command",
			     count, left);
			flush(&p);
			rc = -EINVAL;
			break;
		}
		size = (size_t)hdr->size64 * LOOM_CMD_ALIGN;
		word(&p, "%4d  %06zx  %s", count, at - (const char *)data,
		     accel_opcode_name(hdr->opcode));
		print_command(&p, isa_command(hdr->opcode), at,
			      size < left ? size : left);
		if (isa_check(at, left, &fault)) {
			print_fault(&p, at, size < left ? size : left, &fault);
			rc = -EINVAL;
		}
		if (!size || size > left)
			break;
		at += size;
	}
	if (rc)
		return error_set(rc, NULL, "the buffer holds a malformed command");
	return count;
}

int accel_disasm(const void *data, size_t len,
		 void (*print)(void *opaque, const char *line), void *opaque)
{
	void *copy;
	int rc;

	API_ENTER();
	if ((len && !data) || !print)
		return error_set(-EINVAL, NULL, "@data or @print is NULL");
	if ((uintptr_t)data % sizeof(uint64_t) == 0)
		return disasm(data, len, print, opaque);

	/* The commands are read as structs, which must be aligned. */
	copy = malloc(len);
	if (!copy)
		return error_set(-ENOMEM, NULL, "out of memory");
	memcpy(copy, data, len);
	rc = disasm(copy, len, print, opaque);
	free(copy);
	return rc;
}
