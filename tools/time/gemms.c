// SPDX-License-Identifier: MIT
/*
 * DOC: Lists of matrix products
 *
 * SCALE-Sim's form: a header, then "layer, M, N, K," lines.  Commas at the end
 * and lines without anything are ignored; what else is odd is an error, as a
 * layer that is silently wrong makes every sum wrong.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "loom_time.h"

#define FIELDS	4

static const char *const field_names[FIELDS] = { "layer", "M", "N", "K" };

struct reader {
	struct gemm_list *list;
	size_t room;
	bool has_header;
};

/* Cut a line at its commas; returns how many fields it has. */
static unsigned int split(char *line, char *field[FIELDS], char *err)
{
	unsigned int count = 0;
	char *part;

	while ((part = strsep(&line, ","))) {
		part = text_trim(part);
		if (count < FIELDS) {
			field[count++] = part;
		} else if (*part) {
			snprintf(err, TIME_TEXT, "'%.40s' after K; a line is layer, M, N, K",
				 part);
			return FIELDS + 1;
		}
	}
	while (count && !*field[count - 1])
		count--;
	return count;
}

static int check_header(char *field[FIELDS], unsigned int count, char *err)
{
	unsigned int i;

	for (i = 1; i < FIELDS; i++) {
		if (count == FIELDS && !strcasecmp(field[i], field_names[i]))
			continue;
		snprintf(err, TIME_TEXT, "no header; the first line must be: layer, M, N, K,");
		return -1;
	}
	return 0;
}

static int grow(struct reader *r, char *err)
{
	size_t room = r->room ? 2 * r->room : 64;
	struct gemm *gemm;

	if (r->list->count < r->room)
		return 0;
	gemm = realloc(r->list->gemm, room * sizeof(*gemm));
	if (!gemm) {
		snprintf(err, TIME_TEXT, "out of memory");
		return -1;
	}
	r->list->gemm = gemm;
	r->room = room;
	return 0;
}

/* Names go into JSON and SVG as they are. */
static bool is_utf8(const char *s)
{
	const unsigned char *p = (const unsigned char *)s;
	int more;

	while (*p) {
		more = *p < 0x80 ? 0 : *p >= 0xc2 && *p < 0xe0 ? 1 :
		       *p >= 0xe0 && *p < 0xf0 ? 2 :
		       *p >= 0xf0 && *p < 0xf5 ? 3 : -1;
		if (more < 0)
			return false;
		for (p++; more; more--, p++)
			if ((*p & 0xc0) != 0x80)
				return false;
	}
	return true;
}

static int check_name(const char *name, char *err)
{
	if (!*name)
		snprintf(err, TIME_TEXT, "the layer has no name");
	else if (!is_utf8(name))
		snprintf(err, TIME_TEXT, "the name is not UTF-8");
	else
		return 0;
	return -1;
}

static int parse(char *field[FIELDS], unsigned int count, struct gemm *g,
		 char *err)
{
	uint32_t *size[FIELDS] = { NULL, &g->m, &g->n, &g->k };
	uint64_t value;
	unsigned int i;

	if (check_name(field[0], err))
		return -1;
	for (i = 1; i < FIELDS; i++) {
		if (i >= count || !*field[i]) {
			snprintf(err, TIME_TEXT, "%s is missing; a line is layer, M, N, K",
				 field_names[i]);
			return -1;
		}
		if (text_u64(field[i], 1, UINT32_MAX, false, &value)) {
			snprintf(err, TIME_TEXT, "%s is '%.40s'; it must be a number from 1 to %u",
				 field_names[i], field[i], UINT32_MAX);
			return -1;
		}
		*size[i] = (uint32_t)value;
	}
	return 0;
}

static int add(struct reader *r, char *field[FIELDS], unsigned int count,
	       char *err)
{
	struct gemm g = { 0 };

	if (parse(field, count, &g, err) || grow(r, err))
		return -1;
	g.name = strdup(field[0]);
	if (!g.name) {
		snprintf(err, TIME_TEXT, "out of memory");
		return -1;
	}
	r->list->gemm[r->list->count++] = g;
	return 0;
}

static int read_line(void *opaque, char *line, unsigned int number, char *err)
{
	struct reader *r = opaque;
	char *field[FIELDS];
	unsigned int count;

	if (number == 1 && !strncmp(line, "\xef\xbb\xbf", 3))
		line += 3;	/* some editors begin UTF-8 like this */
	count = split(line, field, err);
	if (count > FIELDS)
		return -1;
	if (!count)
		return 0;
	if (r->has_header)
		return add(r, field, count, err);
	r->has_header = true;
	return check_header(field, count, err);
}

int gemms_load(const char *path, struct gemm_list *list, char *err)
{
	struct reader r = { .list = list };
	int rc;

	*list = (struct gemm_list) { 0 };
	rc = text_lines(path, read_line, &r, err);
	if (!rc && !list->count) {
		snprintf(err, TIME_TEXT, "%.150s: no layer in it", path);
		rc = -1;
	}
	if (rc)
		gemms_free(list);
	return rc;
}

void gemms_free(struct gemm_list *list)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		free(list->gemm[i].name);
	free(list->gemm);
	*list = (struct gemm_list) { 0 };
}
