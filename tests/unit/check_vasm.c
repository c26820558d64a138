// SPDX-License-Identifier: MIT
/* The vector assembler: what it accepts, and every way to be refused. */
#include <check.h>
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "isa.h"

static struct accel_vprog *assemble(const char *source)
{
	struct accel_vprog *prog = NULL;

	ck_assert_msg(!accel_vprog_assemble(source, &prog), "%s",
		      accel_last_error()->message);
	return prog;
}

/* The example of accel_cmd.h, with its head. */
static const char softmax[] =
	".operand x y\n"
	"; softmax of a row\n"
	"loop\n"
	"  ld    v0, x          ; operands by name\n"
	"  rmax  s0, v0\n"
	"end\n"
	"loop\n"
	"  ld    v0, x\n"
	"  sub   v0, v0, s0\n"
	"  exp   v0, v0\n"
	"  rsum  s1, v0\n"
	"  st    y, v0\n"
	"end\n"
	"imm     s2, 1.0        # a number with a point is an f32\n"
	"div     s2, s2, s1\n"
	"loop\n"
	"  ld    v0, y\n"
	"  mul   v0, v0, s2\n"
	"  st    y, v0\n"
	"end";

START_TEST(test_example_of_the_header)
{
	struct accel_vprog *prog = assemble(softmax);
	const struct loom_vec_insn *in = accel_vprog_insns(prog);

	ck_assert_uint_eq(accel_vprog_num_insns(prog), 18);
	ck_assert_uint_eq(accel_vprog_num_operands(prog), 2);
	ck_assert_uint_eq(accel_vprog_num_params(prog), 0);
	ck_assert_uint_eq(in[0].op, LOOM_VEC_LOOP);
	ck_assert_uint_eq(in[2].op, LOOM_VEC_RMAX);
	ck_assert_uint_eq(in[2].dst, LOOM_VEC_S(0));
	ck_assert_uint_eq(in[5].op, LOOM_VEC_LD);
	ck_assert_uint_eq(in[6].b, LOOM_VEC_S(0));
	ck_assert_uint_eq(in[9].op, LOOM_VEC_ST);
	ck_assert_uint_eq(in[9].operand, 1);
	ck_assert_uint_eq(in[11].op, LOOM_VEC_IMM);
	ck_assert_uint_eq(in[11].imm, 0x3f800000);
	accel_vprog_destroy(prog);
}
END_TEST

static uint32_t imm_of(const char *number)
{
	struct accel_vprog *prog;
	char source[64];
	uint32_t imm;

	snprintf(source, sizeof(source), "imm s0, %s\n", number);
	prog = assemble(source);
	imm = accel_vprog_insns(prog)->imm;
	accel_vprog_destroy(prog);
	return imm;
}

START_TEST(test_numbers)
{
	ck_assert_uint_eq(imm_of("0"), 0);
	ck_assert_uint_eq(imm_of("10"), 10);
	ck_assert_uint_eq(imm_of("010"), 10);
	ck_assert_uint_eq(imm_of("-1"), 0xffffffff);
	ck_assert_uint_eq(imm_of("4294967295"), 0xffffffff);
	ck_assert_uint_eq(imm_of("-2147483648"), 0x80000000);
	ck_assert_uint_eq(imm_of("0xfeDC"), 0xfedc);
	ck_assert_uint_eq(imm_of("0x1e5"), 0x1e5);
	ck_assert_uint_eq(imm_of("1.5"), 0x3fc00000);
	ck_assert_uint_eq(imm_of("-.5"), 0xbf000000);
	ck_assert_uint_eq(imm_of("1e-5"), accel_f32(1e-5f));
	ck_assert_uint_eq(imm_of("-inf"), 0xff800000);
	ck_assert_uint_eq(imm_of("nan") & 0x7fc00000, 0x7fc00000);
}
END_TEST

START_TEST(test_numbers_do_not_follow_the_locale)
{
	static const char *const locales[] = {
		"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "fr_FR.utf8",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(locales); i++)
		if (setlocale(LC_ALL, locales[i]))
			break;
	ck_assert_uint_eq(imm_of("1.5"), 0x3fc00000);
	setlocale(LC_ALL, "C");
}
END_TEST

START_TEST(test_operands_and_params_by_name)
{
	struct accel_vprog *prog = assemble(
		".operand dst, src idx\n"
		".param lr\n"
		".param beta eps\n"
		"PARAM s0, beta\n"
		"param s1, 2\n"
		"param s2, 5\n"
		"loop\n"
		"ldi v1, idx\n"
		"ldx v2, src, v1\n"
		"ldx v3, v1, src\n"
		"st dst, v2\n"
		"sti v3, dst\n"
		"end\n");
	const struct loom_vec_insn *in = accel_vprog_insns(prog);

	ck_assert_uint_eq(accel_vprog_num_operands(prog), 3);
	ck_assert_uint_eq(accel_vprog_num_params(prog), 6);
	ck_assert_uint_eq(in[0].imm, 1);
	ck_assert_uint_eq(in[1].imm, 2);
	/* Both orders of an operand mean the same. */
	ck_assert_uint_eq(in[5].operand, 1);
	ck_assert_uint_eq(in[5].a, 1);
	ck_assert_uint_eq(in[6].operand, 1);
	ck_assert_uint_eq(in[6].a, 1);
	ck_assert_uint_eq(in[6].dst, 3);
	ck_assert_uint_eq(in[8].operand, 0);
	ck_assert_uint_eq(in[8].a, 3);
	accel_vprog_destroy(prog);
}
END_TEST

/* Text of every instruction, assembled, printed, assembled: the same. */
START_TEST(test_every_instruction_round_trips)
{
	char source[256], text[64], args[64];
	struct accel_vprog *first, *second;
	const struct isa_vec *v;
	const char *letter;
	unsigned int i;

	for (i = 0; i < isa_num_vecs; i++) {
		v = &isa_vecs[i];
		if (v->number == LOOM_VEC_LOOP || v->number == LOOM_VEC_END)
			continue;
		args[0] = '\0';
		for (letter = v->form; *letter; letter++)
			snprintf(args + strlen(args), sizeof(args) - strlen(args),
				 "%s%s", *args ? ", " : "",
				 *letter == 'D' ? "v7" : *letter == 'd' ? "s9" :
				 *letter == 'A' ? "v0" : *letter == 'B' ? "s3" :
				 *letter == 'C' ? "v1" : *letter == 'O' ? "x1" :
				 "2");
		snprintf(source, sizeof(source),
			 ".operand x0 x1\nloop\nld v0, x0\nld v1, x1\n%s %s\nend\n",
			 v->name, args);
		first = assemble(source);
		disasm_insn(&accel_vprog_insns(first)[3], text, sizeof(text));
		snprintf(source, sizeof(source),
			 ".operand x0 x1\nloop\nld v0, x0\nld v1, x1\n%s\nend\n",
			 text);
		second = assemble(source);
		ck_assert_mem_eq(accel_vprog_insns(first),
				 accel_vprog_insns(second),
				 5 * sizeof(struct loom_vec_insn));
		accel_vprog_destroy(first);
		accel_vprog_destroy(second);
	}
}
END_TEST

static const struct {
	const char *source;
	const char *says;
} refused[] = {
	{ "", "no instructions" },
	{ "; nothing\n\n# at all", "no instructions" },
	{ "\nfrob s0, s1", "line 2: there is no instruction 'frob'" },
	{ ".operands x\n", "line 1: '.operands' is neither" },
	{ ".operand 9x", "'9x' is not a name" },
	{ ".operand a-b", "'a-b' is not a name" },
	{ ".operand v3", "'v3' has the name of a register" },
	{ ".param s3", "'s3' has the name of a register" },
	{ ".operand x\n.operand x", "line 2: the operand 'x' is there twice" },
	{ ".operand abcdefghijklmnopqrstuvwxyz", "more than 23 letters" },
	{ ".operand a b c d e f g h i j k l m n o p q", "there can be 16" },
	{ "mov s0", "MOV takes 2 arguments, 1 given" },
	{ "mov s0, s1, s2", "MOV takes 2 arguments, 3 given" },
	{ "fma s0, s1, s2, s3, s4", "too many arguments" },
	{ "mov s0,, s1", "argument 2 is empty" },
	{ "mov s0,", "argument 2 is empty" },
	{ "mov s0, x", "'x' is not a register" },
	{ "mov s32, s0", "there is no register s32" },
	{ "loop\nmov v16, s0\nend", "line 2: there is no register v16" },
	{ "ld s0, x", "'x' is not declared by .operand" },
	{ "ld s0, s1", "no argument is an operand" },
	{ "imm s0, abc", "'abc' is not a number" },
	{ "imm s0, 12cm", "'12cm' is not a number" },
	{ "imm s0, 1.2.3", "'1.2.3' is not a number" },
	{ "imm s0, 4294967296", "does not fit in 32 bits" },
	{ "imm s0, -2147483649", "does not fit in 32 bits" },
	{ "imm s0, 99999999999999999999", "does not fit in 32 bits" },
	{ "param s0, lr", "'lr' is not declared by .param" },
	{ "param s0, 16", "line 1: the number is out of range" },
	{ "index s0, 0", "the number is out of range" },
	{ "index s0, 4", "the number is out of range" },
	{ "dim s0, 4", "the number is out of range" },
	{ "dim s0, 1.0", "'1.0' is not an integer" },
	{ "loop\nloop\nend\nend", "line 2: LOOP within a LOOP" },
	{ "end", "line 1: END without LOOP" },
	{ "\nloop\nlane v0", "line 2: LOOP without END" },
	{ "mov s0, v1", "line 1: v1: a vector register outside" },
	{ "lane v0", "line 1: v0: a vector register outside" },
	{ "lane s0", "s0: LANE writes a vector register" },
	{ "rsum s0, s1", "a reduction stands between LOOP and END" },
	{ "loop\nrsum v0, s1\nend", "v0: a reduction writes a scalar" },
	{ "loop\nlane v1\nadd s0, v1, s1\nend",
	  "line 3: v1: a scalar result needs scalar sources" },
	{ "loop\nlane v1\nrsum s0, v1\nadd v2, v1, s0\nend",
	  "line 4: s0: the result of a reduction is there after END" },
	{ "loop\nlane v1\nadd v2, v1, s0\nrsum s0, v1\nend",
	  "line 3: s0: the result of a reduction is there after END" },
	{ "loop\nlane v1\nend\nloop\nmov v2, v1\nend",
	  "line 5: v1: this LOOP has not written the register yet" },
};

START_TEST(test_refused_with_line_and_reason)
{
	struct accel_vprog *prog = NULL;

	ck_assert_int_eq(accel_vprog_assemble(refused[_i].source, &prog),
			 -EINVAL);
	ck_assert_msg(strstr(accel_last_error()->message, refused[_i].says),
		      "'%s' is not in '%s'", refused[_i].says,
		      accel_last_error()->message);
	ck_assert_ptr_null(prog);
}
END_TEST

START_TEST(test_limits)
{
	char *source = calloc(1, 1 << 16);
	struct accel_vprog *prog;
	unsigned int i;

	for (i = 0; i < LOOM_VEC_MAX_INSNS; i++)
		strcat(source, "mov s0, s1\n");
	prog = assemble(source);
	ck_assert_uint_eq(accel_vprog_num_insns(prog), LOOM_VEC_MAX_INSNS);
	accel_vprog_destroy(prog);
	strcat(source, "mov s0, s1\n");
	ck_assert_int_eq(accel_vprog_assemble(source, &prog), -EINVAL);
	ck_assert_ptr_nonnull(strstr(accel_last_error()->message,
				     "line 257: more than 256"));
	memset(source, ' ', 300);
	strcpy(source + 300, "end");
	ck_assert_int_eq(accel_vprog_assemble(source, &prog), -EINVAL);
	ck_assert_ptr_nonnull(strstr(accel_last_error()->message, "longer"));
	ck_assert_int_eq(accel_vprog_assemble(NULL, &prog), -EINVAL);
	ck_assert_int_eq(accel_vprog_assemble("end", NULL), -EINVAL);
	free(source);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vasm");
	TCase *tc = tcase_create("vasm");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, test_example_of_the_header);
	tcase_add_test(tc, test_numbers);
	tcase_add_test(tc, test_numbers_do_not_follow_the_locale);
	tcase_add_test(tc, test_operands_and_params_by_name);
	tcase_add_test(tc, test_every_instruction_round_trips);
	tcase_add_loop_test(tc, test_refused_with_line_and_reason, 0,
			    ARRAY_SIZE(refused));
	tcase_add_test(tc, test_limits);
	suite_add_tcase(s, tc);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
