/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * KUnit where the kernel has it, or as much of it as our suites use: in kernels
 * without (Debian's), and in a program on the host.  The output is KTAP in all
 * three cases.
 *
 * In the substitute a KUNIT_ASSERT_* that fails returns from its function, so
 * suites have them in functions that return nothing only.
 */
#ifndef LOOM_KUNIT_H
#define LOOM_KUNIT_H

#ifdef __KERNEL__
#include <linux/kconfig.h>
#endif

#if IS_ENABLED(CONFIG_KUNIT)
#include <kunit/test.h>
#else

#ifdef __KERNEL__
#include <linux/kernel.h>
#include <linux/module.h>
#define kunit_print(...)	printk(KERN_INFO __VA_ARGS__)
#else
#include <stdbool.h>
#include <stdio.h>
#define kunit_print(...)	printf(__VA_ARGS__)
#endif

/**
 * struct kunit - a test that runs
 */
struct kunit {
	/** @priv: for the suite */
	void *priv;
	/** @failed: an expectation did not hold */
	bool failed;
};

/**
 * struct kunit_case - a test
 */
struct kunit_case {
	/** @run_case: the test */
	void (*run_case)(struct kunit *test);
	/** @name: of the function */
	const char *name;
};

/**
 * struct kunit_suite - tests of one thing
 */
struct kunit_suite {
	/** @name: of the suite */
	const char name[64];
	/** @init: runs before each test; its test fails when it returns an error */
	int (*init)(struct kunit *test);
	/** @exit: runs after each test */
	void (*exit)(struct kunit *test);
	/** @test_cases: ends with an empty one */
	struct kunit_case *test_cases;
};

#define KUNIT_CASE(fn)	{ .run_case = fn, .name = #fn }

#define KUNIT_CHECK(test, good, text, left, right, otherwise)		\
	do {								\
		if (!(good)) {						\
			kunit_print("    # FAILED at %s:%d: %s (%#llx, %#llx)\n", \
				    __FILE__, __LINE__, text,		\
				    (unsigned long long)(left),		\
				    (unsigned long long)(right));	\
			(test)->failed = true;				\
			otherwise;					\
		}							\
	} while (0)

#define KUNIT_COMPARE(test, left, op, right, otherwise)			\
	do {								\
		typeof(left) left_ = (left);				\
		typeof(right) right_ = (right);				\
		KUNIT_CHECK(test, left_ op right_, #left " " #op " " #right, \
			    left_, right_, otherwise);			\
	} while (0)

#define KUNIT_COMPARE_PTR(test, left, op, right, otherwise)		\
	KUNIT_CHECK(test, (const void *)(left) op (const void *)(right), \
		    #left " " #op " " #right, (unsigned long)(left),	\
		    (unsigned long)(right), otherwise)

#define KUNIT_EXPECT_EQ(test, a, b)	KUNIT_COMPARE(test, a, ==, b, (void)0)
#define KUNIT_EXPECT_NE(test, a, b)	KUNIT_COMPARE(test, a, !=, b, (void)0)
#define KUNIT_EXPECT_LE(test, a, b)	KUNIT_COMPARE(test, a, <=, b, (void)0)
#define KUNIT_EXPECT_GE(test, a, b)	KUNIT_COMPARE(test, a, >=, b, (void)0)
#define KUNIT_EXPECT_TRUE(test, c)	KUNIT_CHECK(test, c, #c, 0, 1, (void)0)
#define KUNIT_EXPECT_FALSE(test, c)	KUNIT_CHECK(test, !(c), "not " #c, 1, 0, (void)0)
#define KUNIT_EXPECT_PTR_EQ(test, a, b)	KUNIT_COMPARE_PTR(test, a, ==, b, (void)0)
#define KUNIT_ASSERT_EQ(test, a, b)	KUNIT_COMPARE(test, a, ==, b, return)
#define KUNIT_ASSERT_NOT_NULL(test, p)	KUNIT_COMPARE_PTR(test, p, !=, NULL, return)

static inline bool kunit_run_case(struct kunit_suite *suite,
				  struct kunit_case *test_case, unsigned int n)
{
	struct kunit test = { };

	if (suite->init && suite->init(&test)) {
		kunit_print("    # the suite's init failed\n");
		test.failed = true;
	} else {
		test_case->run_case(&test);
	}
	if (suite->exit)
		suite->exit(&test);
	kunit_print("    %s %u %s\n", test.failed ? "not ok" : "ok", n,
		    test_case->name);
	return !test.failed;
}

static inline bool kunit_run_suite(struct kunit_suite *suite)
{
	unsigned int n = 0, i;
	bool good = true;

	while (suite->test_cases[n].run_case)
		n++;
	kunit_print("    KTAP version 1\n");
	kunit_print("    # Subtest: %s\n", suite->name);
	kunit_print("    1..%u\n", n);
	for (i = 0; i < n; i++)
		good &= kunit_run_case(suite, &suite->test_cases[i], i + 1);
	return good;
}

static inline int kunit_run_suites(struct kunit_suite **suites, unsigned int num)
{
	unsigned int i, failures = 0;

	kunit_print("KTAP version 1\n");
	kunit_print("1..%u\n", num);
	for (i = 0; i < num; i++) {
		bool good = kunit_run_suite(suites[i]);

		kunit_print("%s %u %s\n", good ? "ok" : "not ok", i + 1,
			    suites[i]->name);
		failures += !good;
	}
	return failures;
}

#define KUNIT_LIST(...)							\
	static struct kunit_suite *kunit_list[] = { __VA_ARGS__ };	\
	static int kunit_run_list(void)					\
	{								\
		return kunit_run_suites(kunit_list, sizeof(kunit_list) / \
					sizeof(kunit_list[0]));		\
	}

#ifdef __KERNEL__
/* As with KUnit the module loads whatever the tests say. */
#define kunit_test_suites(...)						\
	KUNIT_LIST(__VA_ARGS__)						\
	static int __init kunit_module_init(void)			\
	{								\
		kunit_run_list();					\
		return 0;						\
	}								\
	module_init(kunit_module_init);					\
	static void __exit kunit_module_exit(void) { }			\
	module_exit(kunit_module_exit)
#else
#define kunit_test_suites(...)						\
	KUNIT_LIST(__VA_ARGS__)						\
	int main(void) { return !!kunit_run_list(); }
#endif

#endif

#endif
