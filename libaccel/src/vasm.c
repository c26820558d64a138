// SPDX-License-Identifier: MIT
/* The vector assembler: text to a program of the vector engine. */
#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "internal.h"
#include "isa.h"

#define MAX_LINE	256
#define MAX_NAME	24
#define MAX_ARGS	4
#define MAX_NAMES	16

struct accel_vprog {
	unsigned int num_operands;
	unsigned int num_params;
	unsigned int num_insns;
	struct loom_vec_insn insns[LOOM_VEC_MAX_INSNS];
};

/** struct names - names of operands or of parameters, in order */
struct names {
	const char *what;
	unsigned int count;
	char name[MAX_NAMES][MAX_NAME];
};

/** struct assembler - state while reading a source */
struct assembler {
	struct accel_vprog *prog;
	struct names operands;
	struct names params;
	/** @params_used: highest parameter read by number, plus 1 */
	unsigned int params_used;
	/** @line: number of the line being read, from 1 */
	unsigned int line;
	/** @insn_line: line of each instruction */
	unsigned int insn_line[LOOM_VEC_MAX_INSNS];
	/** @locale: "C": numbers have a point whatever the program's locale */
	locale_t locale;
};

__attribute__((format(printf, 2, 3)))
static int fail(const struct assembler *as, const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return error_set(-EINVAL, NULL, "line %u: %s", as->line, text);
}

/* ------------------------------------------------------------------- words */

/* Cut white space off both ends. */
static char *trim(char *s)
{
	char *end;

	while (isspace((unsigned char)*s))
		s++;
	end = s + strlen(s);
	while (end > s && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return s;
}

/* "v3" or "s17", whether or not there is such a register. */
static bool looks_like_register(const char *s)
{
	if (*s != 'v' && *s != 's')
		return false;
	return s[1] && s[1 + strspn(s + 1, "0123456789")] == '\0';
}

static int parse_register(struct assembler *as, const char *s, uint8_t *reg)
{
	unsigned long n;

	if (!looks_like_register(s))
		return fail(as, "'%s' is not a register", s);
	n = strtoul(s + 1, NULL, 10);
	if (n >= (*s == 'v' ? LOOM_VEC_NUM_V : LOOM_VEC_NUM_S))
		return fail(as, "there is no register %s: v0..v%d, s0..s%d", s,
			    LOOM_VEC_NUM_V - 1, LOOM_VEC_NUM_S - 1);
	*reg = *s == 'v' ? LOOM_VEC_V(n) : LOOM_VEC_S(n);
	return 0;
}

static bool is_hex(const char *s)
{
	s += *s == '-';
	return s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
}

static bool is_f32(const char *s)
{
	if (is_hex(s))
		return false;
	return strpbrk(s, ".eE") || strcasestr(s, "inf") ||
	       strcasestr(s, "nan");
}

static int parse_number(struct assembler *as, const char *s, uint32_t *out)
{
	char *end;
	long long n;

	errno = 0;
	if (is_f32(s)) {
		*out = accel_f32(strtof_l(s, &end, as->locale));
		if (end == s || *end)
			return fail(as, "'%s' is not a number", s);
		return 0;
	}
	n = strtoll(s, &end, is_hex(s) ? 16 : 10);
	if (end == s || *end)
		return fail(as, "'%s' is not a number", s);
	if (errno || n < INT32_MIN || n > UINT32_MAX)
		return fail(as, "%s does not fit in 32 bits", s);
	*out = (uint32_t)n;
	return 0;
}

/* ------------------------------------------------------------------- names */

static int find_name(const struct names *names, const char *s)
{
	unsigned int i;

	for (i = 0; i < names->count; i++)
		if (!strcmp(names->name[i], s))
			return i;
	return -1;
}

static int add_name(struct assembler *as, struct names *names, const char *s)
{
	const char *p;

	for (p = s; *p; p++)
		if (!isalnum((unsigned char)*p) && *p != '_')
			break;
	if (*p || isdigit((unsigned char)*s))
		return fail(as, "'%s' is not a name: letters, digits and _", s);
	if (strlen(s) >= MAX_NAME)
		return fail(as, "the name '%s' has more than %d letters", s,
			    MAX_NAME - 1);
	if (looks_like_register(s))
		return fail(as, "the %s '%s' has the name of a register",
			    names->what, s);
	if (find_name(names, s) >= 0)
		return fail(as, "the %s '%s' is there twice", names->what, s);
	if (names->count == MAX_NAMES)
		return fail(as, "'%s': there can be %d %ss", s, MAX_NAMES,
			    names->what);
	strcpy(names->name[names->count++], s);
	return 0;
}

/* ".operand x y" or ".param lr beta" */
static int parse_head(struct assembler *as, char *s)
{
	struct names *names;
	char *word, *rest;
	int rc;

	word = strtok_r(s, " \t,", &rest);
	if (!strcmp(word, ".operand"))
		names = &as->operands;
	else if (!strcmp(word, ".param"))
		names = &as->params;
	else
		return fail(as, "'%s' is neither .operand nor .param", word);
	while ((word = strtok_r(NULL, " \t,", &rest))) {
		rc = add_name(as, names, word);
		if (rc)
			return rc;
	}
	return 0;
}

/* ------------------------------------------------------------ instructions */

/** struct args - the arguments of an instruction that are not yet used */
struct args {
	char *arg[MAX_ARGS];
	unsigned int count;
};

static const struct isa_vec *find_vec(const char *name)
{
	unsigned int i;

	for (i = 0; i < isa_num_vecs; i++)
		if (!strcasecmp(isa_vecs[i].name, name))
			return &isa_vecs[i];
	return NULL;
}

static int split_args(struct assembler *as, char *s, struct args *args)
{
	char *comma;

	args->count = 0;
	s = trim(s);
	if (!*s)
		return 0;
	do {
		if (args->count == MAX_ARGS)
			return fail(as, "too many arguments");
		comma = strchr(s, ',');
		if (comma)
			*comma = '\0';
		args->arg[args->count] = trim(s);
		if (!*args->arg[args->count++])
			return fail(as, "argument %u is empty", args->count);
		s = comma ? comma + 1 : NULL;
	} while (s);
	return 0;
}

static char *take_arg(struct args *args, unsigned int i)
{
	char *arg = args->arg[i];

	args->count--;
	memmove(&args->arg[i], &args->arg[i + 1],
		(args->count - i) * sizeof(args->arg[0]));
	return arg;
}

/*
 * The operand is the argument that is no register, so that both orders of
 * "st y, v0" and "ldx v0, x, v1" are understood.
 */
static int parse_operand(struct assembler *as, struct args *args,
			 struct loom_vec_insn *insn)
{
	unsigned int i;
	char *arg;
	int n;

	for (i = 0; i < args->count; i++)
		if (!looks_like_register(args->arg[i]))
			break;
	if (i == args->count)
		return fail(as, "no argument is an operand");
	arg = take_arg(args, i);
	n = find_name(&as->operands, arg);
	if (n < 0)
		return fail(as, "'%s' is not declared by .operand", arg);
	insn->operand = n;
	return 0;
}

static int parse_imm(struct assembler *as, const char *arg,
		     struct loom_vec_insn *insn)
{
	int n = -1, rc;

	if (insn->op == LOOM_VEC_PARAM)
		n = find_name(&as->params, arg);
	if (n >= 0) {
		insn->imm = n;
		return 0;
	}
	if (insn->op == LOOM_VEC_PARAM && !isdigit((unsigned char)*arg))
		return fail(as, "'%s' is not declared by .param", arg);
	if (insn->op != LOOM_VEC_IMM && is_f32(arg))
		return fail(as, "'%s' is not an integer", arg);
	rc = parse_number(as, arg, &insn->imm);
	if (!rc && insn->op == LOOM_VEC_PARAM &&
	    insn->imm < LOOM_VEC_NUM_PARAMS && insn->imm >= as->params_used)
		as->params_used = insn->imm + 1;
	return rc;
}

/* Registers and the number, in the order of the form. */
static int parse_args(struct assembler *as, const struct isa_vec *v,
		      struct args *args, struct loom_vec_insn *insn)
{
	const char *letter;
	char *arg;
	int rc = 0;

	if (args->count != strlen(v->form))
		return fail(as, "%s takes %zu arguments, %u given", v->name,
			    strlen(v->form), args->count);
	if (strchr(v->form, 'O'))
		rc = parse_operand(as, args, insn);
	for (letter = v->form; *letter && !rc; letter++) {
		if (*letter == 'O')
			continue;
		arg = take_arg(args, 0);
		if (*letter == 'I')
			rc = parse_imm(as, arg, insn);
		else
			rc = parse_register(as, arg,
					    *letter == 'A' ? &insn->a :
					    *letter == 'B' ? &insn->b :
					    *letter == 'C' ? &insn->c :
					    &insn->dst);
	}
	return rc;
}

static int parse_insn(struct assembler *as, char *s)
{
	struct accel_vprog *prog = as->prog;
	char *rest = s + strcspn(s, " \t");
	const struct isa_vec *v;
	struct loom_vec_insn *insn;
	struct args args;
	int rc;

	if (*rest)
		*rest++ = '\0';
	v = find_vec(s);
	if (!v)
		return fail(as, "there is no instruction '%s'", s);
	if (prog->num_insns == LOOM_VEC_MAX_INSNS)
		return fail(as, "more than %d instructions", LOOM_VEC_MAX_INSNS);
	insn = &prog->insns[prog->num_insns];
	insn->op = v->number;
	rc = split_args(as, rest, &args);
	if (!rc)
		rc = parse_args(as, v, &args, insn);
	if (!rc)
		as->insn_line[prog->num_insns++] = as->line;
	return rc;
}

/* ----------------------------------------------------------------- program */

static int parse_line(struct assembler *as, const char *s, size_t len)
{
	char line[MAX_LINE], *text;

	len = strcspn(s, ";#\n") < len ? strcspn(s, ";#\n") : len;
	if (len >= sizeof(line))
		return fail(as, "longer than %d characters", MAX_LINE - 1);
	memcpy(line, s, len);
	line[len] = '\0';
	text = trim(line);
	if (!*text)
		return 0;
	return *text == '.' ? parse_head(as, text) : parse_insn(as, text);
}

/* A register by its number, for messages. */
static const char *show_field(const struct loom_vec_insn *insn, uint32_t field,
			      char *buf, size_t len)
{
	uint8_t reg = ((const uint8_t *)insn)[field];

	buf[0] = '\0';
	if (field < offsetof(struct loom_vec_insn, dst) ||
	    field > offsetof(struct loom_vec_insn, c))
		return buf;
	if (reg < LOOM_VEC_NUM_V)
		snprintf(buf, len, "v%u: ", reg);
	else
		snprintf(buf, len, "s%u: ", reg - LOOM_VEC_S(0));
	return buf;
}

static int check_program(struct assembler *as)
{
	struct accel_vprog *prog = as->prog;
	struct vec_fault fault;
	char reg[16];

	if (!prog->num_insns)
		return fail(as, "the program has no instructions");
	prog->num_operands = as->operands.count;
	prog->num_params = as->params.count > as->params_used ?
			   as->params.count : as->params_used;
	if (!vec_check(prog->insns, prog->num_insns, prog->num_operands, &fault))
		return 0;
	as->line = as->insn_line[fault.insn];
	return fail(as, "%s%s",
		    show_field(&prog->insns[fault.insn], fault.field, reg,
			       sizeof(reg)), fault.text);
}

static int assemble(struct assembler *as, const char *source)
{
	const char *s = source;
	size_t len;
	int rc;

	while (*s) {
		len = strcspn(s, "\n");
		as->line++;
		rc = parse_line(as, s, len);
		if (rc)
			return rc;
		s += len + (s[len] == '\n');
	}
	return check_program(as);
}

int accel_vprog_assemble(const char *source, struct accel_vprog **out)
{
	struct assembler as = {
		.operands.what = "operand", .params.what = "parameter",
	};
	int rc;

	API_ENTER();
	if (!source || !out)
		return error_set(-EINVAL, NULL, "@source or @out is NULL");
	as.locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	as.prog = calloc(1, sizeof(*as.prog));
	if (as.locale && as.prog)
		rc = assemble(&as, source);
	else
		rc = error_set(-ENOMEM, NULL, "out of memory");

	if (as.locale)
		freelocale(as.locale);
	if (rc)
		free(as.prog);
	else
		*out = as.prog;
	return rc;
}

void accel_vprog_destroy(struct accel_vprog *prog)
{
	free(prog);
}

unsigned int accel_vprog_num_operands(const struct accel_vprog *prog)
{
	return prog->num_operands;
}

unsigned int accel_vprog_num_params(const struct accel_vprog *prog)
{
	return prog->num_params;
}

unsigned int accel_vprog_num_insns(const struct accel_vprog *prog)
{
	return prog->num_insns;
}

const struct loom_vec_insn *accel_vprog_insns(const struct accel_vprog *prog)
{
	return prog->insns;
}
