// SPDX-License-Identifier: MIT
/* DOC: Lines and numbers of files that people write */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "loom_time.h"

char *text_trim(char *s)
{
	size_t len;

	while (isspace((unsigned char)*s))
		s++;
	len = strlen(s);
	while (len && isspace((unsigned char)s[len - 1]))
		len--;
	s[len] = '\0';
	return s;
}

static unsigned int suffix_shift(char c)
{
	switch (c) {
	case 'k': case 'K':
		return 10;
	case 'm': case 'M':
		return 20;
	case 'g': case 'G':
		return 30;
	}
	return 0;
}

int text_u64(const char *s, uint64_t min, uint64_t max, bool suffix,
	     uint64_t *out)
{
	unsigned long long value;
	unsigned int shift = 0;
	char *end;

	if (!isdigit((unsigned char)*s))
		return -1;
	errno = 0;
	value = strtoull(s, &end, 10);
	if (suffix)
		shift = suffix_shift(*end);
	end += shift != 0;
	if (errno || *end || value > UINT64_MAX >> shift)
		return -1;
	value <<= shift;
	if (value < min || value > max)
		return -1;
	*out = value;
	return 0;
}

/* Put path and line before the message. */
static void add_place(char *err, const char *path, unsigned int number)
{
	char text[160];

	snprintf(text, sizeof(text), "%.150s", err);
	snprintf(err, TIME_TEXT, "%.80s:%u: %s", path, number, text);
}

static int each_line(FILE *f, const char *path,
		     int (*fn)(void *, char *, unsigned int, char *),
		     void *opaque, char *err)
{
	unsigned int number = 0;
	size_t room = 0;
	char *line = NULL;
	ssize_t len;
	int rc = 0;

	while (!rc && (len = getline(&line, &room, f)) >= 0) {
		number++;
		if (strlen(line) != (size_t)len) {
			snprintf(err, TIME_TEXT, "a zero byte; this is no text");
			rc = -1;
		} else {
			line[strcspn(line, "\r\n")] = '\0';
			rc = fn(opaque, line, number, err);
		}
		if (rc)
			add_place(err, path, number);
	}
	free(line);
	if (!rc && ferror(f)) {
		snprintf(err, TIME_TEXT, "cannot read %.150s: %s", path,
			 strerror(errno));
		rc = -1;
	}
	return rc;
}

int text_lines(const char *path,
	       int (*fn)(void *opaque, char *line, unsigned int number,
			 char *err),
	       void *opaque, char *err)
{
	bool is_stdin = !strcmp(path, "-");
	FILE *f = is_stdin ? stdin : fopen(path, "r");
	int rc;

	if (!f) {
		snprintf(err, TIME_TEXT, "cannot read %.150s: %s", path,
			 strerror(errno));
		return -1;
	}
	rc = each_line(f, path, fn, opaque, err);
	if (!is_stdin)
		fclose(f);
	return rc;
}
