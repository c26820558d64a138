// SPDX-License-Identifier: MIT
/*
 * accel-smi dump FILE: what a device coredump of the driver says, in words.
 *
 * The format is in Documentation/coredump.rst.  The file is not trusted: what does
 * not read as expected is left out, and numbers are only printed.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <accel/accel_cmd.h>
#include <loom/loom_isa.h>
#include <loom/loom_regs.h>

#include "smi.h"

/* The longest line the driver writes is shorter. */
#define LINE_BYTES	512
/* Bytes of commands in a dump. */
#define DATA_BYTES	(64u << 10)

/** struct dump - what is of interest in a dump */
struct dump {
	char reason[64];
	char kernel[128];
	char bus[64];
	uint64_t queue;
	uint64_t context;
	uint64_t job;
	uint64_t state;
	uint64_t error;
	uint64_t opcode;
	uint64_t cmd_index;
	uint64_t cmd_offset;
	uint64_t field;
	uint64_t access;
	uint64_t address;
	uint64_t cmd_va;
	uint64_t cmd_size;
	/** @mapping: line of the mapping that holds @address, or "" */
	char mapping[LINE_BYTES];
	/** @mappings: number of mappings listed */
	unsigned int mappings;
	/** @first: offset in the command buffer of data[0] */
	uint64_t first;
	/** @bytes: of @data */
	uint32_t bytes;
	uint8_t data[DATA_BYTES];
};

static const struct number {
	const char *section;
	const char *key;
	size_t offset;
} numbers[] = {
	{ "queue", "id", offsetof(struct dump, queue) },
	{ "queue", "context", offsetof(struct dump, context) },
	{ "fault", "job", offsetof(struct dump, job) },
	{ "fault", "state", offsetof(struct dump, state) },
	{ "fault", "error", offsetof(struct dump, error) },
	{ "fault", "opcode", offsetof(struct dump, opcode) },
	{ "fault", "cmd-index", offsetof(struct dump, cmd_index) },
	{ "fault", "cmd-offset", offsetof(struct dump, cmd_offset) },
	{ "fault", "field", offsetof(struct dump, field) },
	{ "fault", "access", offsetof(struct dump, access) },
	{ "fault", "address", offsetof(struct dump, address) },
	{ "commands", "va", offsetof(struct dump, cmd_va) },
	{ "commands", "size", offsetof(struct dump, cmd_size) },
};

/* ------------------------------------------------------------------- reading */

/* "key: value" of @line; NULL if it is something else. */
static const char *value_of(const char *line, const char *key)
{
	size_t n = strlen(key);

	while (*line == ' ')
		line++;
	if (strncmp(line, key, n) || line[n] != ':' || line[n + 1] != ' ')
		return NULL;
	return line + n + 2;
}

static void copy_word(char *to, size_t size, const char *value)
{
	if (value)
		snprintf(to, size, "%s", value);
}

static void read_number(struct dump *d, const char *section, const char *line)
{
	const char *value;
	size_t i;

	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (strcmp(section, numbers[i].section))
			continue;
		value = value_of(line, numbers[i].key);
		if (value)
			*(uint64_t *)((char *)d + numbers[i].offset) =
				strtoull(value, NULL, 0);
	}
}

/* "    00000040: 00000001 ..." */
static void read_data(struct dump *d, const char *line)
{
	unsigned long long offset;
	const char *p;
	char *end;

	offset = strtoull(line, &end, 16);
	if (end == line || *end != ':')
		return;
	if (!d->bytes)
		d->first = offset;
	/* What is not mapped leaves a gap, and what comes after it is no use. */
	if (offset != d->first + d->bytes)
		return;
	for (p = end + 1; d->bytes + 4 <= DATA_BYTES; p = end) {
		uint32_t word = strtoul(p, &end, 16);

		if (end == p)
			break;
		memcpy(d->data + d->bytes, &word, sizeof(word));
		d->bytes += sizeof(word);
	}
}

static void read_mapping(struct dump *d, const char *line)
{
	uint64_t va, size;

	if (sscanf(line, " - { va: %" SCNx64 ", size: %" SCNx64, &va, &size) != 2)
		return;
	d->mappings++;
	if (d->address - va < size)
		snprintf(d->mapping, sizeof(d->mapping), "%s",
			 line + strspn(line, " -"));
}

static void read_line(struct dump *d, char *section, size_t size, char *line)
{
	line[strcspn(line, "\n")] = '\0';
	if (*line != ' ') {
		copy_word(d->reason, sizeof(d->reason), value_of(line, "reason"));
		copy_word(d->kernel, sizeof(d->kernel), value_of(line, "kernel"));
		snprintf(section, size, "%.*s", (int)strcspn(line, ":"), line);
		return;
	}
	if (!strcmp(section, "device"))
		copy_word(d->bus, sizeof(d->bus), value_of(line, "bus"));
	else if (!strcmp(section, "mappings"))
		read_mapping(d, line);
	else if (!strcmp(section, "commands") && !strncmp(line, "    ", 4))
		read_data(d, line);
	else
		read_number(d, section, line);
}

/* Is this a dump of a version we know? */
static bool read_head(FILE *file)
{
	char line[LINE_BYTES];

	return fgets(line, sizeof(line), file) && !strcmp(line, "---\n") &&
	       fgets(line, sizeof(line), file) &&
	       !strcmp(line, "format: loom-coredump 1\n");
}

static void read_body(FILE *file, struct dump *d)
{
	char line[LINE_BYTES], section[32] = "";

	while (fgets(line, sizeof(line), file))
		read_line(d, section, sizeof(section), line);
}

/* ------------------------------------------------------------------- showing */

/** struct listing - what print_line() has to know */
struct listing {
	/** @marked: index of the command at fault, or -1 */
	long marked;
	/** @lines: printed so far */
	unsigned int lines;
	bool json;
};

/* The first line of a command begins with its index and its offset. */
static void print_line(void *opaque, const char *line)
{
	struct listing *list = opaque;
	unsigned int offset;
	long index;
	bool marked;

	if (list->json) {
		printf("%s\n    ", list->lines++ ? "," : "");
		smi_json_quote(line);
		return;
	}
	marked = sscanf(line, " %ld %6x ", &index, &offset) == 2 &&
		 index == list->marked;
	printf("%s %s\n", marked ? "=>" : "  ", line);
}

/* Whole commands only; the buffer may have been cut at both ends. */
static void print_commands(const struct dump *d, bool json)
{
	struct listing list = { .marked = -1, .json = json };

	if (!d->first)
		list.marked = (long)d->cmd_index;
	accel_disasm(d->data, d->bytes / LOOM_CMD_ALIGN * LOOM_CMD_ALIGN,
		     print_line, &list);
}

static void show_text(const struct dump *d)
{
	printf("Dump of %s, kernel %s\n", d->bus, d->kernel);
	printf("%s: job %" PRIu64 " of queue %" PRIu64 ", context %" PRIu64 "\n",
	       d->reason, d->job, d->queue, d->context);
	if (d->error)
		printf("error %" PRIu64 " (%s) in command %" PRIu64
		       " at offset 0x%" PRIx64 ": %s, field %s\n",
		       d->error, accel_error_text(d->error), d->cmd_index,
		       d->cmd_offset, accel_opcode_name(d->opcode),
		       accel_field_name(d->opcode, d->field));
	if (d->address)
		printf("%s of 0x%" PRIx64 ": %s\n",
		       d->access == LOOM_ACCESS_WRITE ? "write" : "read",
		       d->address, *d->mapping ? d->mapping : "not mapped");
	printf("%u mappings; %" PRIu64 " bytes of commands at 0x%" PRIx64 "\n\n",
	       d->mappings, d->cmd_size, d->cmd_va);
	print_commands(d, false);
}

static void show_json(const struct dump *d)
{
	size_t i;

	printf("{\n  \"reason\": ");
	smi_json_quote(d->reason);
	printf(",\n  \"bus\": ");
	smi_json_quote(d->bus);
	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		printf(",\n  \"%s_%s\": %" PRIu64, numbers[i].section,
		       numbers[i].key,
		       *(const uint64_t *)((const char *)d + numbers[i].offset));
	printf(",\n  \"mapped\": %s", *d->mapping ? "true" : "false");
	printf(",\n  \"commands\": [");
	print_commands(d, true);
	printf("\n  ]\n}\n");
}

int smi_dump(const struct smi_options *opt)
{
	static struct dump d;
	FILE *file;

	if (!opt->file) {
		fprintf(stderr, "accel-smi: dump needs a file, for instance /sys/class/devcoredump/devcd1/data\n");
		return SMI_USAGE;
	}
	file = fopen(opt->file, "re");
	if (!file) {
		fprintf(stderr, "accel-smi: %s: %s\n", opt->file, strerror(errno));
		return SMI_FAILED;
	}
	if (!read_head(file)) {
		fprintf(stderr, "accel-smi: %s: not a dump of the loom driver, or of a version this program does not know\n",
			opt->file);
		fclose(file);
		return SMI_FAILED;
	}
	read_body(file, &d);
	fclose(file);
	if (opt->json)
		show_json(&d);
	else
		show_text(&d);
	return SMI_OK;
}
