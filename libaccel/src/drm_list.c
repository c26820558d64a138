// SPDX-License-Identifier: MIT
/*
 * Finding cards.  libdrm does not list accel nodes, sysfs does.  The point of
 * this file is to say why there is no card.
 */
#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drm_node.h"

#define MAX_NODES	256

const struct drm_paths drm_paths = {
	.sysfs = "/sys/class/accel",
	.dev = "/dev/accel",
};

int drm_device_list(struct accel_device_entry *entries, unsigned int max)
{
	return drm_list(&drm_paths, entries, max);
}

/* Last component of the link @dir/@node/@name, "" if there is none. */
static void read_link(const char *dir, const char *node, const char *name,
		      char *out, size_t len)
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *slash;
	ssize_t n;

	out[0] = '\0';
	if (snprintf(path, sizeof(path), "%s/%s/%s", dir, node, name) >=
	    (int)sizeof(path))
		return;
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return;
	target[n] = '\0';
	slash = strrchr(target, '/');
	snprintf(out, len, "%s", slash ? slash + 1 : target);
}

/* Number N of a name "accelN", or -1. */
static long node_number(const char *name)
{
	static const char prefix[] = "accel";
	char *end;
	long n;

	if (strncmp(name, prefix, strlen(prefix)))
		return -1;
	name += strlen(prefix);
	if (*name < '0' || *name > '9')
		return -1;
	n = strtol(name, &end, 10);
	return *end || n >= MAX_NODES ? -1 : n;
}

/* May the card with this index be used?  $LOOM_VISIBLE_DEVICES lists them. */
static bool is_visible(unsigned int index, const char *bus)
{
	const char *s = getenv("LOOM_VISIBLE_DEVICES");
	char number[16];
	size_t len;

	if (!s)
		return true;
	snprintf(number, sizeof(number), "%u", index);
	for (; *s; s += len + (s[len] == ',')) {
		len = strcspn(s, ",");
		if ((strlen(number) == len && !memcmp(s, number, len)) ||
		    (strlen(bus) == len && !memcmp(s, bus, len)))
			return true;
	}
	return false;
}

/* The words of drm_node_error() without touching the last error. */
static int node_reason(const char *node, int err, char *message, size_t len,
		       char *hint, size_t hint_len)
{
	char group[64] = "?", buf[1024];
	struct group grp, *found = NULL;
	struct stat st;

	hint[0] = '\0';
	switch (err) {
	case EACCES:
	case EPERM:
		if (stat(node, &st)) {
			snprintf(message, len, "no permission for %s", node);
			return -EACCES;
		}
		if (!getgrgid_r(st.st_gid, &grp, buf, sizeof(buf), &found) &&
		    found)
			snprintf(group, sizeof(group), "%s", grp.gr_name);
		else
			snprintf(group, sizeof(group), "%u", st.st_gid);
		snprintf(message, len, "no permission for %s (group %s, mode %04o)",
			 node, group, st.st_mode & 07777);
		snprintf(hint, hint_len,
			 "add yourself to the group: sudo usermod -aG %s $USER, then log in again",
			 group);
		return -EACCES;
	case ENOENT:
		snprintf(message, len, "there is no %s", node);
		snprintf(hint, hint_len,
			 "see accel-smi for the cards of this machine");
		return -ENODEV;
	case ENXIO:
	case ENODEV:
		snprintf(message, len, "no card answers at %s", node);
		return -ENODEV;
	default:
		errno = err;
		snprintf(message, len, "cannot open %s: %m", node);
		return -err;
	}
}

int drm_node_error(const char *node, int err)
{
	char message[256], hint[160];
	int code;

	code = node_reason(node, err, message, sizeof(message), hint,
			   sizeof(hint));
	return error_set(code, hint, "%s", message);
}

static void fill_entry(struct accel_device_entry *e, const char *node,
		       const char *bus)
{
	char message[128], hint[128];

	memset(e, 0, sizeof(*e));
	snprintf(e->node, sizeof(e->node), "%s", node);
	snprintf(e->bus, sizeof(e->bus), "%s", bus);
	if (!access(node, R_OK | W_OK))
		return;
	node_reason(node, errno, message, sizeof(message), hint, sizeof(hint));
	snprintf(e->problem, sizeof(e->problem), "%s%s%s", message,
		 *hint ? "; " : "", hint);
}

/* Mark the nodes of any driver that sysfs has. */
static int scan(const char *sysfs, bool present[MAX_NODES])
{
	DIR *dir = opendir(sysfs);
	struct dirent *d;
	long n;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((d = readdir(dir))) {
		n = node_number(d->d_name);
		if (n >= 0)
			present[n] = true;
	}
	closedir(dir);
	return 0;
}

int drm_list(const struct drm_paths *paths, struct accel_device_entry *entries,
	     unsigned int max)
{
	bool present[MAX_NODES] = { false };
	char name[16], driver[64], bus[32], node[64];
	unsigned int n, index = 0, count = 0;
	int rc = scan(paths->sysfs, present);

	if (rc)
		return error_set(rc, NULL, "cannot read %s", paths->sysfs);
	for (n = 0; n < MAX_NODES; n++) {
		if (!present[n])
			continue;
		snprintf(name, sizeof(name), "accel%u", n);
		read_link(paths->sysfs, name, "device/driver", driver,
			  sizeof(driver));
		if (strcmp(driver, DRM_DRIVER_NAME))
			continue;
		read_link(paths->sysfs, name, "device", bus, sizeof(bus));
		if (!is_visible(index++, bus))
			continue;
		snprintf(node, sizeof(node), "%s/%s", paths->dev, name);
		if (count < max)
			fill_entry(&entries[count], node, bus);
		count++;
	}
	return count;
}

/* Say why there is no card at all. */
static int no_card(const struct drm_paths *paths)
{
	if (access(paths->sysfs, F_OK))
		return error_set(-ENODEV,
				 "load loom.ko, or start a VM with tools/loom-vm, or open \"sim:\"",
				 "the driver is not loaded: there is no %s",
				 paths->sysfs);
	if (getenv("LOOM_VISIBLE_DEVICES"))
		return error_set(-ENODEV, "unset it or list other cards",
				 "LOOM_VISIBLE_DEVICES leaves no card");
	return error_set(-ENODEV,
			 "load loom.ko (modprobe loom), or open \"sim:\"",
			 "no card is bound to the driver loom");
}

int drm_find(const struct drm_paths *paths, const char *spec, char *node,
	     size_t len)
{
	struct accel_device_entry entries[MAX_NODES];
	unsigned int want = 0;
	int count, i;

	if (spec && *spec == '/') {
		snprintf(node, len, "%s", spec);
		return 0;
	}
	if (spec && !strchr(spec, ':') &&
	    (*spec < '0' || *spec > '9' || strspn(spec, "0123456789") != strlen(spec)))
		return error_set(-EINVAL,
				 "give an index, a node, a PCI address or \"sim:\"",
				 "'%s' does not name a device", spec);
	count = drm_list(paths, entries, MAX_NODES);
	if (count < 0)
		return count;
	if (!count)
		return no_card(paths);
	if (spec && !strchr(spec, ':'))
		want = strtoul(spec, NULL, 10);
	for (i = 0; i < count; i++) {
		if (spec && strchr(spec, ':') ? strcmp(spec, entries[i].bus) :
						(unsigned int)i != want)
			continue;
		snprintf(node, len, "%s", entries[i].node);
		return 0;
	}
	return error_set(-ENODEV, "see accel-smi for the cards of this machine",
			 "there is no card '%s', there are %d", spec, count);
}
