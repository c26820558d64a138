// SPDX-License-Identifier: MIT
/*
 * The entry point: is this a ggml that we know, and which cards are there?
 *
 * The answer "no" to either is no card, with one line that says why; programs
 * then run on the CPU as if the backend were not there.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "card.h"
#include "ops.h"

#define MAX_CARDS	16

static struct card *cards[MAX_CARDS];
static size_t num_cards;

static const char *get_name(struct gg_reg *reg)
{
	(void)reg;
	return "LOOM";
}

static size_t get_device_count(struct gg_reg *reg)
{
	(void)reg;
	return num_cards;
}

static struct gg_device *get_device(struct gg_reg *reg, size_t index)
{
	(void)reg;
	return &cards[index]->dev;
}

static void *get_proc_address(struct gg_reg *reg, const char *name)
{
	(void)reg;
	(void)name;
	return NULL;
}

static struct gg_reg reg = {
	.api_version = GG_ABI_REVISION,
	.ops = { get_name, get_device_count, get_device, get_proc_address },
};

/* The revision is the first member of every registration; the CPU's is loaded first. */
static int revision(void)
{
	union {
		void *object;
		const int32_t *(*function)(const char *);
	} by_name = { dlsym(RTLD_DEFAULT, "ggml_backend_reg_by_name") };
	const int32_t *cpu;

	if (!by_name.object)
		return GG_ABI_REVISION;
	cpu = by_name.function("CPU");
	return cpu ? *cpu : GG_ABI_REVISION;
}

static bool is_known_ggml(void)
{
	int have = revision();
	const char *name;

	if (have != GG_ABI_REVISION) {
		report("ggml %s has revision %d of the backend interface and this backend knows %d: going on without the card",
		       ggml_version(), have, GG_ABI_REVISION);
		return false;
	}
	name = ops_check_names();
	if (name)
		report("ggml %s numbers its operations differently (%s): going on without the card",
		       ggml_version(), name);
	return !name;
}

static void add_card(const char *spec, const char *bus)
{
	struct card *card;

	if (num_cards == MAX_CARDS)
		return;
	card = card_open(&reg, (unsigned int)num_cards, spec, bus);
	if (card)
		cards[num_cards++] = card;
	else
		report_error("going on without the card");
}

/* One card if $ACCEL_DEVICE names it, else all that can be opened. */
static void find_cards(void)
{
	struct accel_device_entry entries[MAX_CARDS];
	int i, n;

	if (getenv("ACCEL_DEVICE")) {
		add_card(NULL, "");
		return;
	}
	n = accel_device_list(entries, MAX_CARDS);
	if (n <= 0)
		add_card(NULL, "");	/* says why there is none */
	for (i = 0; i < n && i < MAX_CARDS; i++)
		add_card(entries[i].node, entries[i].bus);
}

__attribute__((visibility("default"))) struct gg_reg *ggml_backend_init(void);

struct gg_reg *ggml_backend_init(void)
{
	if (!num_cards && is_known_ggml())
		find_cards();
	return &reg;
}

__attribute__((destructor)) static void at_exit(void)
{
	size_t i;

	for (i = 0; i < num_cards; i++)
		stats_print(cards[i]);
}
