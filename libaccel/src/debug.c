// SPDX-License-Identifier: MIT
/* $ACCEL_DEBUG: a list of topics that are told to stderr. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static const struct {
	const char *name;
	unsigned int topics;
} topic_names[] = {
	{ "submit", DEBUG_SUBMIT },
	{ "mem", DEBUG_MEM },
	{ "sim", DEBUG_SIM },
	{ "all", ~0u },
};

unsigned int debug_topics(void)
{
	const char *s = getenv("ACCEL_DEBUG");
	unsigned int topics = 0;
	size_t i, len;

	for (; s && *s; s += len + (s[len] == ',')) {
		len = strcspn(s, ",");
		for (i = 0; i < ARRAY_SIZE(topic_names); i++)
			if (strlen(topic_names[i].name) == len &&
			    !memcmp(topic_names[i].name, s, len))
				topics |= topic_names[i].topics;
	}
	return topics;
}

void debug_print(const struct accel_device *dev, enum debug_topic topic,
		 const char *fmt, ...)
{
	char line[512];
	va_list args;

	if (!(dev->debug & topic))
		return;
	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	/* One call, so that lines of several threads do not mix. */
	fprintf(stderr, "accel: %s %s\n", dev->info.name, line);
}
