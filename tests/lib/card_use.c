// SPDX-License-Identifier: MIT
/*
 * See card_use.h.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <drm/loom_accel.h>

#include "card_use.h"

#define NODE	"/dev/accel/accel0"
#define DEBUG	"/sys/kernel/debug"

static bool missing(const char *what)
{
	printf("# %s cannot be read\n", what);
	return false;
}

/* The number behind @key in the file, or -1. */
static long number_in(const char *path, const char *key)
{
	FILE *f = fopen(path, "r");
	char line[256];
	long value = -1;

	while (f && value < 0 && fgets(line, sizeof(line), f))
		if (!strncmp(line, key, strlen(key)))
			value = strtol(line + strlen(key), NULL, 0);
	if (f)
		fclose(f);
	return value;
}

/* Lines below the heading: the reader's own file is not there yet. */
static long lines_in(const char *path)
{
	FILE *f = fopen(path, "r");
	long lines = -1;
	int c;

	while (f && (c = fgetc(f)) != EOF)
		lines += c == '\n';
	if (f)
		fclose(f);
	return lines;
}

static bool get_slots(struct card_use *use)
{
	glob_t found;
	char path[256];

	if (access(DEBUG "/accel", F_OK) && mount("none", DEBUG, "debugfs", 0, NULL))
		return missing(DEBUG);
	if (glob(DEBUG "/accel/*/slots", 0, NULL, &found))
		return missing(DEBUG "/accel/*/slots");
	use->queues = number_in(found.gl_pathv[0], "queues:");
	use->contexts = number_in(found.gl_pathv[0], "contexts:");
	use->jobs = number_in(found.gl_pathv[0], "jobs:");
	snprintf(path, sizeof(path), "%.*s/clients",
		 (int)(strrchr(found.gl_pathv[0], '/') - found.gl_pathv[0]),
		 found.gl_pathv[0]);
	use->clients = lines_in(path);
	globfree(&found);
	return use->jobs >= 0 ? true : missing(DEBUG "/accel/*/slots");
}

static bool get_memory(struct card_use *use)
{
	struct drm_loom_memory_info info = { 0 };
	struct drm_loom_query args = {
		.type = DRM_LOOM_QUERY_MEMORY,
		.size = sizeof(info),
		.data = (__u64)(size_t)&info,
	};
	int fd = open(NODE, O_RDWR | O_CLOEXEC), ret;

	ret = ioctl(fd, DRM_IOCTL_LOOM_QUERY, &args);
	close(fd);
	use->hbm = (long)info.hbm_used;
	use->system = (long)info.system_used;
	return ret ? missing(NODE) : true;
}

/* bufinfo ends with "Total N objects, M bytes". */
static long count_dma_bufs(void)
{
	return number_in(DEBUG "/dma_buf/bufinfo", "Total ");
}

static bool is_kernel_thread(const char *pid)
{
	char path[300];
	ssize_t bytes;
	char c;
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/cmdline", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	bytes = read(fd, &c, 1);
	close(fd);
	return bytes == 0;
}

/* "kworker/1:0", "kworker/u9:2"; but not "kworker/R-ttm", which belongs to a queue. */
static bool is_worker(const char *comm)
{
	static const char prefix[] = "kworker/";

	return !strncmp(comm, prefix, strlen(prefix)) && comm[strlen(prefix)] != 'R';
}

/* Workers come and go as the kernel likes: they do not count. */
static long count_threads(void)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	char path[300], name[64] = "";
	long threads = 0;

	while (dir && (entry = readdir(dir))) {
		FILE *f;

		if (!isdigit((unsigned char)entry->d_name[0]) ||
		    !is_kernel_thread(entry->d_name))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		f = fopen(path, "r");
		if (f && fgets(name, sizeof(name), f) && is_worker(name))
			threads--;
		if (f)
			fclose(f);
		threads++;
	}
	if (dir)
		closedir(dir);
	return threads;
}

bool card_use_get(struct card_use *use)
{
	*use = (struct card_use){ 0 };
	if (!get_slots(use) || !get_memory(use))
		return false;
	use->dma_bufs = count_dma_bufs();
	use->threads = count_threads();
	return true;
}

#define FIELD(name)	{ #name, offsetof(struct card_use, name) }

static const struct {
	const char *name;
	size_t offset;
} fields[] = {
	FIELD(queues), FIELD(contexts), FIELD(jobs), FIELD(hbm), FIELD(system),
	FIELD(clients), FIELD(dma_bufs), FIELD(threads),
};

static long field_of(const struct card_use *use, size_t i)
{
	return *(const long *)((const char *)use + fields[i].offset);
}

static bool is_more(const struct card_use *now, const struct card_use *start,
		    bool say)
{
	bool more = false;
	size_t i;

	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (field_of(now, i) <= field_of(start, i))
			continue;
		more = true;
		if (say)
			printf("# %s: %ld at the start, %ld now\n", fields[i].name,
			       field_of(start, i), field_of(now, i));
	}
	return more;
}

bool card_use_returned(const struct card_use *start, unsigned int seconds)
{
	unsigned int tries = seconds * 10;
	struct card_use now;

	do {
		if (!card_use_get(&now))
			return false;
		if (!is_more(&now, start, false))
			return true;
		usleep(100000);
	} while (tries--);
	is_more(&now, start, true);
	return false;
}

long card_use_memory(void)
{
	return number_in("/proc/meminfo", "SUnreclaim:") +
	       number_in("/proc/meminfo", "KernelStack:") +
	       number_in("/proc/meminfo", "PageTables:") +
	       number_in("/proc/meminfo", "VmallocUsed:");
}
