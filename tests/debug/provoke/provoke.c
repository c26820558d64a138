// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * provoke.ko mistake=KIND - make one mistake of a driver
 *
 * tests/vm/test-debug-kernel.sh loads it to see that the debug kernel reports each,
 * and that a report fails a run.  It never stays loaded.
 */
#include <linux/dma-fence.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>

static char *mistake = "";
module_param(mistake, charp, 0);

/* What the compiler must not know. */
static volatile int zero;

static void sleep_with_spinlock(void)
{
	static DEFINE_SPINLOCK(lock);

	spin_lock(&lock);
	might_sleep();
	spin_unlock(&lock);
}

static void shift_too_far(void)
{
	pr_info("%d\n", 1 << (40 + zero));
}

/* What must signal a fence waits for memory, which may wait for that fence. */
static void allocate_while_signalling(void)
{
	bool cookie = dma_fence_begin_signalling();

	kfree(kmalloc(64 + zero, GFP_KERNEL));
	dma_fence_end_signalling(cookie);
}

static void read_freed_memory(void)
{
	char *memory = kzalloc(100 + zero, GFP_KERNEL);

	kfree(memory);
	pr_info("%d\n", READ_ONCE(memory[10 + zero]));
}

static void lose_memory(void)
{
	int i;

	/* More than one: a stale pointer to it may be on some stack. */
	for (i = 0; i < 10; i++)
		pr_info("lost %p\n", kzalloc(200 + zero, GFP_KERNEL));
}

static const struct {
	const char *name;
	void (*make)(void);
} mistakes[] = {
	{ "sleep", sleep_with_spinlock },
	{ "shift", shift_too_far },
	{ "signalling", allocate_while_signalling },
	{ "freed", read_freed_memory },
	{ "leak", lose_memory },
};

/* Fails, so that the module goes again. */
static int __init provoke_init(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(mistakes); i++) {
		if (strcmp(mistakes[i].name, mistake))
			continue;
		pr_info("provoke: %s\n", mistake);
		mistakes[i].make();
		return -ECANCELED;
	}
	return -EINVAL;
}
module_init(provoke_init);

MODULE_DESCRIPTION("Mistakes that the debug kernel must report");
MODULE_LICENSE("Dual MIT/GPL");
