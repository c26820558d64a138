// SPDX-License-Identifier: MIT
/*
 * DOC: The words for faults
 *
 *	hang,after=100,queue=1
 *	ecc-corrected,count=0,chance=50,seed=7
 *	aer-nonfatal,status=0x4000,header=40000001.0000000f.fe000000.00000000
 *
 * One table says which keys each kind takes.  No lock, no state.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inject.h"

enum key {
	KEY_AFTER,
	KEY_COUNT,
	KEY_CHANCE,
	KEY_SEED,
	KEY_QUEUE,
	KEY_VECTOR,
	KEY_ADDR,
	KEY_DELAY,
	KEY_STATUS,
	KEY_HEADER,
	NUM_KEYS,
};

#define K(name)		(1u << KEY_##name)
#define K_WHEN		(K(AFTER) | K(COUNT) | K(CHANCE) | K(SEED))
#define K_AER		(K_WHEN | K(QUEUE) | K(STATUS) | K(HEADER))

/** struct kind - a fault that can be named */
struct kind {
	const char *name;
	/** @keys: bits of enum key that it takes */
	unsigned int keys;
	/** @delay_ms: its usual delay */
	uint32_t delay_ms;
};

static const struct kind kinds[LOOM_INJECT_KINDS] = {
	[LOOM_INJECT_ECC_CORRECTED] = {
		"ecc-corrected", K_WHEN | K(QUEUE) | K(ADDR) },
	[LOOM_INJECT_ECC_UNCORRECTED] = {
		"ecc-uncorrected", K_WHEN | K(QUEUE) | K(ADDR) },
	[LOOM_INJECT_POISON] = {
		"poison", K_WHEN | K(QUEUE) | K(ADDR) },
	[LOOM_INJECT_HANG] = { "hang", K_WHEN | K(QUEUE) },
	[LOOM_INJECT_RESET_STUCK] = { "reset-stuck", K_WHEN | K(QUEUE) },
	[LOOM_INJECT_IRQ_LOST] = {
		"irq-lost", K_WHEN | K(QUEUE) | K(VECTOR) },
	[LOOM_INJECT_IRQ_DUPLICATE] = {
		"irq-duplicate", K_WHEN | K(QUEUE) | K(VECTOR) | K(DELAY), 1 },
	[LOOM_INJECT_IRQ_LATE] = {
		"irq-late", K_WHEN | K(QUEUE) | K(VECTOR) | K(DELAY), 20 },
	[LOOM_INJECT_WRONG_SEQ] = { "wrong-seq", K_WHEN | K(QUEUE) },
	[LOOM_INJECT_STUCK_DOORBELL] = { "stuck-doorbell", K_WHEN | K(QUEUE) },
	[LOOM_INJECT_DMA_ERROR] = {
		"dma-error", K_WHEN | K(QUEUE) | K(ADDR) },
	[LOOM_INJECT_THERMAL_TRIP] = { "thermal-trip", K_WHEN | K(QUEUE) },
	[LOOM_INJECT_AER_CORRECTABLE] = { "aer-correctable", K_AER },
	[LOOM_INJECT_AER_NONFATAL] = { "aer-nonfatal", K_AER },
	[LOOM_INJECT_AER_FATAL] = { "aer-fatal", K_AER },
	[LOOM_INJECT_LINK_DOWN] = {
		"link-down", K_WHEN | K(QUEUE) | K(DELAY), 100 },
	[LOOM_INJECT_REMOVAL] = { "surprise-removal", K_WHEN | K(QUEUE) },
	[LOOM_INJECT_FLR_TIMEOUT] = {
		"flr-timeout", K_WHEN | K(DELAY), 2000 },
};

static const char *const key_name[NUM_KEYS] = {
	[KEY_AFTER] = "after",
	[KEY_COUNT] = "count",
	[KEY_CHANCE] = "chance",
	[KEY_SEED] = "seed",
	[KEY_QUEUE] = "queue",
	[KEY_VECTOR] = "vector",
	[KEY_ADDR] = "addr",
	[KEY_DELAY] = "delay",
	[KEY_STATUS] = "status",
	[KEY_HEADER] = "header",
};

static const struct {
	uint64_t min;
	uint64_t max;
} limit[NUM_KEYS] = {
	[KEY_AFTER] = { 0, 1ull << 62 },
	[KEY_COUNT] = { 0, 1ull << 62 },
	[KEY_CHANCE] = { 1, 1ull << 62 },
	[KEY_SEED] = { 0, UINT64_MAX },
	[KEY_QUEUE] = { 0, LOOM_MAX_QUEUES - 1 },
	[KEY_VECTOR] = { 0, LOOM_MAX_VECTORS - 1 },
	[KEY_ADDR] = { 0, UINT64_MAX - 1 },
	[KEY_DELAY] = { 0, 3600000 },
	[KEY_STATUS] = { 1, UINT32_MAX },
};

const char *loom_inject_name(uint32_t kind)
{
	return kind < LOOM_INJECT_KINDS ? kinds[kind].name : NULL;
}

const char *loom_inject_keys(uint32_t kind, char *buf, size_t len)
{
	unsigned int i;
	size_t at = 0;

	buf[0] = '\0';
	for (i = 0; kind < LOOM_INJECT_KINDS && i < NUM_KEYS; i++)
		if ((kinds[kind].keys & 1u << i) && at < len)
			at += snprintf(buf + at, len - at, "%s%s",
				       at ? ", " : "", key_name[i]);
	return buf;
}

static uint32_t kind_find(const char *name, size_t len)
{
	uint32_t i;

	for (i = LOOM_INJECT_NONE + 1; i < LOOM_INJECT_KINDS; i++)
		if (strlen(kinds[i].name) == len &&
		    !memcmp(kinds[i].name, name, len))
			return i;
	return LOOM_INJECT_NONE;
}

static int key_find(const char *name, size_t len)
{
	int i;

	for (i = 0; i < NUM_KEYS; i++)
		if (strlen(key_name[i]) == len &&
		    !memcmp(key_name[i], name, len))
			return i;
	return -1;
}

/* A whole number, decimal or 0x; false for anything else. */
static bool number(const char *text, uint64_t *value)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*value = strtoull(text, &end, text[1] == 'x' ? 16 : 10);
	return !errno && !*end;
}

/* Four hexadecimal words with dots in between. */
static bool header(const char *text, uint32_t words[4])
{
	unsigned int i, digits;

	for (i = 0; i < 4; i++) {
		words[i] = 0;
		for (digits = 0; digits < 8 && strchr("0123456789abcdefABCDEF",
						      *text) && *text; digits++)
			words[i] = words[i] << 4 |
				   (*text <= '9' ? *text++ - '0' :
				    (*text++ & 7) + 9);
		if (!digits || *text != (i < 3 ? '.' : '\0'))
			return false;
		text += i < 3;
	}
	return true;
}

static void set(struct loom_inject_spec *spec, enum key key, uint64_t value)
{
	switch (key) {
	case KEY_AFTER:
		spec->after = value;
		break;
	case KEY_COUNT:
		spec->count = value;
		break;
	case KEY_CHANCE:
		spec->chance = value;
		break;
	case KEY_SEED:
		spec->seed = value;
		break;
	case KEY_QUEUE:
		spec->queue = value;
		break;
	case KEY_VECTOR:
		spec->vector = value;
		break;
	case KEY_ADDR:
		spec->addr = value;
		break;
	case KEY_DELAY:
		spec->delay_ms = value;
		break;
	default:
		spec->status = value;
	}
}

/* One KEY=VALUE of @spec; NULL or what is wrong. */
static const char *parse_key(char *item, struct loom_inject_spec *spec,
			     char *buf, size_t len)
{
	char *value = strchr(item, '='), keys[128];
	uint64_t n;
	int key;

	if (value)
		*value++ = '\0';
	key = key_find(item, strlen(item));
	if (!value || key < 0 || !(kinds[spec->kind].keys & 1u << key)) {
		snprintf(buf, len, "fault %s has no '%s%s'; it takes %s",
			 kinds[spec->kind].name, item, value ? "=" : "",
			 loom_inject_keys(spec->kind, keys, sizeof(keys)));
		return buf;
	}
	if (key == KEY_HEADER) {
		spec->has_header = 1;
		if (header(value, spec->header))
			return NULL;
		snprintf(buf, len, "header '%s' is not four hexadecimal words "
			 "with dots in between", value);
		return buf;
	}
	if (number(value, &n) && n >= limit[key].min && n <= limit[key].max) {
		set(spec, key, n);
		return NULL;
	}
	snprintf(buf, len, "%s is '%s'; it must be a number from %llu to %llu",
		 key_name[key], value, (unsigned long long)limit[key].min,
		 (unsigned long long)limit[key].max);
	return buf;
}

static const char *no_such_kind(const char *name, size_t name_len, char *buf,
				size_t len)
{
	size_t at;
	uint32_t i;

	at = snprintf(buf, len, "there is no fault '%.*s'; there are",
		      (int)(name_len < 40 ? name_len : 40), name);
	for (i = LOOM_INJECT_NONE + 1; i < LOOM_INJECT_KINDS && at < len; i++)
		at += snprintf(buf + at, len - at, "%s %s",
			       i > LOOM_INJECT_NONE + 1 ? "," : "",
			       kinds[i].name);
	return buf;
}

const char *loom_inject_parse(const char *text, struct loom_inject_spec *spec,
			      char *buf, size_t len)
{
	size_t name = strcspn(text, ",");
	const char *error = NULL;
	char item[96];
	size_t n;

	*spec = (struct loom_inject_spec) {
		.kind = kind_find(text, name), .count = 1, .chance = 1,
		.seed = 1, .queue = LOOM_INJECT_ANY, .vector = LOOM_INJECT_ANY,
		.addr = LOOM_INJECT_ANY,
	};
	if (!spec->kind)
		return no_such_kind(text, name, buf, len);
	spec->delay_ms = kinds[spec->kind].delay_ms;
	for (text += name; *text && !error; text += n) {
		n = strcspn(++text, ",");
		if (n >= sizeof(item)) {
			snprintf(buf, len, "'%.20s...' is too long", text);
			return buf;
		}
		memcpy(item, text, n);
		item[n] = '\0';
		error = parse_key(item, spec, buf, len);
	}
	return error;
}
