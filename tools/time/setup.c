// SPDX-License-Identifier: MIT
/* DOC: The card's parameters, from options, files and sweeps */
#include <string.h>

#include "loom_time.h"

const char *const model_names[NUM_MODELS] = { "loom", "scalesim", "ispass" };
const char *const dataflow_names[NUM_DATAFLOWS] = { "ws", "os", "is" };

static const struct time_type types[] = {
	{ "i8", LOOM_TYPE_I8, 1 },
	{ "f8e4m3", LOOM_TYPE_F8E4M3, 1 },
	{ "f8e5m2", LOOM_TYPE_F8E5M2, 1 },
	{ "bf16", LOOM_TYPE_BF16, 2 },
	{ "f16", LOOM_TYPE_F16, 2 },
	{ "f32", LOOM_TYPE_F32, 4 },
	{ "i32", LOOM_TYPE_I32, 4 },
};

/** struct key - a parameter by its names */
struct key {
	/** @name: the member */
	const char *name;
	/** @option: its short name */
	const char *option;
	size_t offset;
	size_t size;
};

#define KEY(member, short_name)						\
	{ #member, short_name,						\
	  offsetof(struct loom_core_config, member),			\
	  sizeof(((struct loom_core_config *)0)->member) }

static const struct key keys[] = {
	KEY(hbm_size, "hbm"),
	KEY(sram_size, "sram"),
	KEY(serial, "serial"),
	KEY(num_arrays, "arrays"),
	KEY(array_rows, "rows"),
	KEY(array_cols, "cols"),
	KEY(clock_khz, "clock-khz"),
	KEY(vector_lanes, "lanes"),
	KEY(hbm_channels, "hbm-channels"),
	KEY(hbm_channel_mbps, "hbm-channel-mbps"),
	KEY(pcie_mbps, "pcie-mbps"),
	KEY(num_queues, "queues"),
	KEY(num_contexts, "contexts"),
	KEY(num_vectors, "vectors"),
};

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))

int name_index(const char *const *names, int count, const char *name)
{
	int i;

	for (i = 0; i < count; i++)
		if (!strcmp(names[i], name))
			return i;
	return -1;
}

const char *model_name(enum model model)
{
	return model_names[model];
}

const char *dataflow_name(enum dataflow flow)
{
	return dataflow_names[flow];
}

const struct time_type *type_find(const char *name)
{
	size_t i;

	for (i = 0; i < COUNT(types); i++)
		if (!strcmp(types[i].name, name))
			return &types[i];
	return NULL;
}

void setup_init(struct setup *s)
{
	*s = (struct setup) { .type = type_find("bf16") };
	loom_core_config_default(&s->cfg);
}

static int set_array(struct setup *s, const char *value, char *err)
{
	const char *cross = strchr(value, 'x');
	char rows[24] = "";
	uint64_t r, c;

	if (cross && (size_t)(cross - value) < sizeof(rows))
		memcpy(rows, value, (size_t)(cross - value));
	if (!cross || text_u64(rows, 1, UINT32_MAX, false, &r) ||
	    text_u64(cross + 1, 1, UINT32_MAX, false, &c)) {
		snprintf(err, TIME_TEXT, "array is '%.40s'; it must be rows x columns, like 128x128",
			 value);
		return -1;
	}
	s->cfg.array_rows = (uint32_t)r;
	s->cfg.array_cols = (uint32_t)c;
	return 0;
}

static int set_dataflow(struct setup *s, const char *value, char *err)
{
	int i = name_index(dataflow_names, NUM_DATAFLOWS, value);

	if (i < 0) {
		snprintf(err, TIME_TEXT, "dataflow is '%.40s'; it must be one of ws, os, is",
			 value);
		return -1;
	}
	s->flow = (enum dataflow)i;
	return 0;
}

static const struct key *find_key(const char *name)
{
	size_t i;

	for (i = 0; i < COUNT(keys); i++)
		if (!strcmp(keys[i].name, name) ||
		    !strcmp(keys[i].option, name))
			return &keys[i];
	return NULL;
}

int setup_set(struct setup *s, const char *key, const char *value, char *err)
{
	const struct key *k = find_key(key);
	uint64_t v, max;
	uint32_t v32;

	if (!strcmp(key, "array"))
		return set_array(s, value, err);
	if (!strcmp(key, "dataflow"))
		return set_dataflow(s, value, err);
	if (!k) {
		snprintf(err, TIME_TEXT, "no parameter is called '%.40s'", key);
		return -1;
	}
	max = k->size == sizeof(v) ? UINT64_MAX : UINT32_MAX;
	if (text_u64(value, 0, max, k->size == sizeof(v), &v)) {
		snprintf(err, TIME_TEXT, "%s is '%.40s'; it must be a whole number%s",
			 key, value,
			 k->size == sizeof(v) ? ", of bytes or with K, M or G" :
						"");
		return -1;
	}
	v32 = (uint32_t)v;
	memcpy((char *)&s->cfg + k->offset,
	       k->size == sizeof(v) ? (void *)&v : (void *)&v32, k->size);
	s->arrays_set |= k->offset == offsetof(struct loom_core_config,
					       num_arrays);
	return 0;
}

struct loader {
	struct setup *setup;
	/** @line: where each key stands, 0 for nowhere */
	unsigned int line[COUNT(keys)];
};

static int check_twice(struct loader *l, const char *key, unsigned int number,
		       char *err)
{
	const struct key *k = find_key(key);
	unsigned int *line;

	if (!k)
		return 0;
	line = &l->line[k - keys];
	if (*line) {
		snprintf(err, TIME_TEXT, "%s stands in line %u already", k->name,
			 *line);
		return -1;
	}
	*line = number;
	return 0;
}

static int load_line(void *opaque, char *line, unsigned int number, char *err)
{
	struct loader *l = opaque;
	char *key, *value;

	line[strcspn(line, "#")] = '\0';
	line = text_trim(line);
	if (!*line)
		return 0;
	value = strchr(line, '=');
	if (!value) {
		snprintf(err, TIME_TEXT, "'%.40s' is not key = value", line);
		return -1;
	}
	*value++ = '\0';
	key = text_trim(line);
	if (check_twice(l, key, number, err))
		return -1;
	return setup_set(l->setup, key, text_trim(value), err);
}

int setup_load(struct setup *s, const char *path, char *err)
{
	struct loader l = { .setup = s };

	return text_lines(path, load_line, &l, err);
}

int setup_check(struct setup *s, char *err)
{
	if (!s->out_type)
		s->out_type = type_find(s->type->type == LOOM_TYPE_I8 ? "i32" :
									"f32");
	if (s->model != MODEL_LOOM && !s->arrays_set)
		s->cfg.num_arrays = 1;
	if (s->model != MODEL_LOOM && s->cfg.num_arrays != 1) {
		snprintf(err, TIME_TEXT, "the model %s knows one array, not %u",
			 model_name(s->model), s->cfg.num_arrays);
		return -1;
	}
	return loom_core_config_check(&s->cfg, err, TIME_TEXT) ? -1 : 0;
}

void setup_write_json(const struct setup *s, FILE *f)
{
	const char *p = (const char *)&s->cfg;
	uint64_t v;
	uint32_t v32;
	size_t i;

	fprintf(f, "  \"model\": \"%s\",\n  \"dataflow\": \"%s\",\n",
		model_name(s->model), dataflow_name(s->flow));
	fprintf(f, "  \"type\": \"%s\",\n  \"out_type\": \"%s\",\n",
		s->type->name, s->out_type->name);
	fprintf(f, "  \"memory\": \"%s\",\n  \"card\": {",
		s->system ? "system" : "hbm");
	for (i = 0; i < COUNT(keys); i++) {
		memcpy(&v32, p + keys[i].offset, sizeof(v32));
		v = v32;
		if (keys[i].size == sizeof(v))
			memcpy(&v, p + keys[i].offset, sizeof(v));
		fprintf(f, "%s\n    \"%s\": %llu", i ? "," : "", keys[i].name,
			(unsigned long long)v);
	}
	fputs("\n  },\n", f);
}
