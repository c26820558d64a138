// SPDX-License-Identifier: MIT
/* IDX files, compressed or not: a big-endian head, then bytes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "train.h"

/* Where Debian's package dataset-fashion-mnist puts its files. */
static const char default_dir[] = "/usr/share/datasets/fashion-mnist";

const char *const class_names[NUM_CLASSES] = {
	"T-shirt", "Trouser", "Pullover", "Dress", "Coat",
	"Sandal", "Shirt", "Sneaker", "Bag", "Boot",
};

#define MAGIC_LABELS	0x801
#define MAGIC_IMAGES	0x803
#define IMAGE_EDGE	28
#define MAX_ITEMS	1000000

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

static int read_all(gzFile file, const char *path, void *buf, size_t len)
{
	uint8_t *p = buf;
	int n;

	while (len) {
		n = gzread(file, p, len < 1 << 20 ? (unsigned int)len : 1 << 20);
		if (n <= 0)
			return die(EXIT_DATA, "%s: the file is damaged or too short", path);
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The head of the file; the number of items, or a negative exit status. */
static int64_t read_head(gzFile file, const char *path, uint32_t magic)
{
	uint8_t head[16];
	uint32_t count;
	int rc = read_all(file, path, head, magic == MAGIC_IMAGES ? 16 : 8);

	if (rc)
		return rc;
	if (be32(head) != magic)
		return die(EXIT_DATA, "%s: not an IDX file of %s", path,
			   magic == MAGIC_IMAGES ? "images" : "labels");
	if (magic == MAGIC_IMAGES && (be32(head + 8) != IMAGE_EDGE ||
				      be32(head + 12) != IMAGE_EDGE))
		return die(EXIT_DATA, "%s: images of %u x %u, expected %u x %u", path,
			   be32(head + 8), be32(head + 12), IMAGE_EDGE,
			   IMAGE_EDGE);
	count = be32(head + 4);
	if (!count || count > MAX_ITEMS)
		return die(EXIT_DATA, "%s: %u items", path, count);
	return count;
}

static gzFile open_file(const char *dir, const char *name, char *path,
			size_t len)
{
	static const char *const suffix[] = { ".gz", "" };
	gzFile file;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(suffix); i++) {
		snprintf(path, len, "%s/%s%s", dir, name, suffix[i]);
		file = gzopen(path, "rb");
		if (file)
			return file;
		if (errno != ENOENT)
			break;
	}
	if (errno == ENOENT)
		die(EXIT_DATA, "no data set: %s/%s.gz is missing; apt-get install dataset-fashion-mnist, or --data DIR",
		    dir, name);
	else
		die(EXIT_DATA, "%s: %s", path, strerror(errno));
	return NULL;
}

/* Read up to @limit items (0: all). */
static int load(const char *dir, const char *name, uint32_t magic,
		uint32_t limit, uint8_t **out, uint32_t *count)
{
	size_t item = magic == MAGIC_IMAGES ? IMAGE_SIZE : 1;
	char path[4096];
	int64_t n;
	gzFile file;
	int rc;

	file = open_file(dir, name, path, sizeof(path));
	if (!file)
		return -EXIT_DATA;
	gzbuffer(file, 1 << 18);
	n = read_head(file, path, magic);
	rc = n < 0 ? (int)n : 0;
	if (rc)
		goto out_close;
	*count = limit && n > limit ? limit : (uint32_t)n;
	*out = malloc(*count * item);
	if (!*out)
		rc = die(EXIT_MEMORY, "no memory for %s", path);
	else
		rc = read_all(file, path, *out, *count * item);
out_close:
	gzclose(file);
	return rc;
}

static int load_pair(const char *dir, const char *prefix, uint32_t limit,
		     uint8_t **images, uint8_t **labels, uint32_t *count)
{
	uint32_t i, num_labels;
	char name[64];
	int rc;

	snprintf(name, sizeof(name), "%s-images-idx3-ubyte", prefix);
	rc = load(dir, name, MAGIC_IMAGES, limit, images, count);
	if (rc)
		return rc;
	snprintf(name, sizeof(name), "%s-labels-idx1-ubyte", prefix);
	rc = load(dir, name, MAGIC_LABELS, limit, labels, &num_labels);
	if (rc)
		return rc;
	if (num_labels != *count)
		return die(EXIT_DATA, "%s/%s: %u labels for %u images", dir, name,
			   num_labels, *count);
	for (i = 0; i < num_labels; i++)
		if ((*labels)[i] >= NUM_CLASSES)
			return die(EXIT_DATA, "%s/%s: label %u of item %u", dir, name,
				   (*labels)[i], i);
	return 0;
}

int dataset_load(struct dataset *ds, const struct options *opt)
{
	const char *dir = opt->data ? opt->data : default_dir;
	int rc;

	memset(ds, 0, sizeof(*ds));
	rc = load_pair(dir, "train", opt->limit, &ds->train_images,
		       &ds->train_labels, &ds->num_train);
	if (!rc)
		rc = load_pair(dir, "t10k", 0, &ds->test_images,
			       &ds->test_labels, &ds->num_test);
	if (rc)
		dataset_free(ds);
	return rc;
}

void dataset_free(struct dataset *ds)
{
	free(ds->train_images);
	free(ds->train_labels);
	free(ds->test_images);
	free(ds->test_labels);
	memset(ds, 0, sizeof(*ds));
}
