/* SPDX-License-Identifier: MIT */
/*
 * A test program in kselftest's form: every test runs in a child of its own,
 * so one that crashes or hangs takes no other with it; the output is TAP.
 *
 *	TEST(bo_create_refuses_size_zero)
 *	{
 *		EXPECT_ERR(ioctl(...), EINVAL);
 *	}
 *	TAP_MAIN()
 *
 * A check that fails ends its test.  SKIP() needs a reason.
 */
#ifndef TESTS_TAP_H
#define TESTS_TAP_H

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

struct tap_test {
	const char *name;
	void (*fn)(void);
	struct tap_test *next;
};

void tap_register(struct tap_test *test);

/** tap_run() - run the tests named in argv (all without any); the exit status */
int tap_run(int argc, char **argv);

_Noreturn void tap_fail(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
_Noreturn void tap_skip(const char *fmt, ...)
	__attribute__((format(printf, 1, 2)));
/* tap_note() - a comment line in the output */
void tap_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#define TEST(test_name)							\
	static void test_name(void);					\
	static struct tap_test tap_##test_name = { #test_name, test_name, 0 }; \
	static void __attribute__((constructor)) tap_reg_##test_name(void) \
	{								\
		tap_register(&tap_##test_name);				\
	}								\
	static void test_name(void)

#define TAP_MAIN()							\
	int main(int argc, char **argv) { return tap_run(argc, argv); }

#define EXPECT(cond)							\
	do {								\
		if (!(cond))						\
			tap_fail(__FILE__, __LINE__, "%s", #cond);	\
	} while (0)

#define EXPECT_EQ(a, b)							\
	do {								\
		long long a_ = (long long)(a), b_ = (long long)(b);	\
		if (a_ != b_)						\
			tap_fail(__FILE__, __LINE__,			\
				 "%s is %lld (%#llx), expected %s = %lld (%#llx)", \
				 #a, a_, a_, #b, b_, b_);		\
	} while (0)

/* A system call that must succeed. */
#define EXPECT_OK(call)							\
	do {								\
		if ((call) < 0)						\
			tap_fail(__FILE__, __LINE__, "%s: errno %d",	\
				 #call, errno);				\
	} while (0)

/* A system call that must fail with this errno. */
#define EXPECT_ERR(call, err)						\
	do {								\
		long r_ = (call);					\
		int e_ = errno;						\
		if (r_ >= 0)						\
			tap_fail(__FILE__, __LINE__,			\
				 "%s succeeded, expected %s", #call, #err); \
		if (e_ != (err))					\
			tap_fail(__FILE__, __LINE__,			\
				 "%s: errno %d, expected %s", #call, e_, #err); \
	} while (0)

#endif
