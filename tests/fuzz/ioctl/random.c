// SPDX-License-Identifier: MIT
/*
 * Choices of a round: see fuzz_ioctl.h.
 */
#include <string.h>
#include <sys/ioctl.h>

#include "fuzz_ioctl.h"

#define RUINED		5	/* one ioctl in so many has a wrong field */
#define LOST		100	/* one in so many has a wrong address */

/* splitmix64 */
uint64_t fz_random(struct fz *fz)
{
	uint64_t x = fz->random += 0x9e3779b97f4a7c15ull;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

unsigned int fz_below(struct fz *fz, unsigned int n)
{
	return (unsigned int)(fz_random(fz) % n);
}

bool fz_one_in(struct fz *fz, unsigned int n)
{
	return fz_below(fz, n) == 0;
}

uint64_t fz_odd_value(struct fz *fz)
{
	static const uint64_t values[] = {
		0, 1, 2, 63, 64, 4095, 4096, 0x7fffffff, 0x80000000, 0xffffffff,
		0x100000000ull, 0x7fffffffffffffffull, 1ull << 63,
		0xfffffffffffff000ull, 0xffff800000000000ull, ~0ull,
	};

	if (fz_one_in(fz, 4))
		return fz_random(fz) >> fz_below(fz, 64);
	return values[fz_below(fz, sizeof(values) / sizeof(values[0]))];
}

static void spoil_word(struct fz *fz, uint8_t *p, size_t size)
{
	size_t width = size >= 8 && fz_one_in(fz, 2) ? 8 : 4;
	uint64_t value = fz_odd_value(fz);
	uint8_t *at;

	if (size < width)
		return;
	at = p + width * fz_below(fz, (unsigned int)(size / width));
	if (fz_one_in(fz, 3))
		at[fz_below(fz, (unsigned int)width)] ^= (uint8_t)(1u << fz_below(fz, 8));
	else
		memcpy(at, &value, width);
}

void fz_break(struct fz *fz, void *p, size_t size)
{
	do {
		spoil_word(fz, p, size);
	} while (fz_one_in(fz, 3));
}

void fz_spoil(struct fz *fz, void *p, size_t size)
{
	if (fz_one_in(fz, RUINED))
		fz_break(fz, p, size);
}

uint32_t fz_pick(struct fz *fz, struct fz_file *file, enum fz_kind kind)
{
	unsigned int tries = FZ_HANDLES;
	uint32_t handle = 0;

	if (fz_one_in(fz, 40))
		return fz_one_in(fz, 2) ? fz_below(fz, 32) : (uint32_t)fz_odd_value(fz);
	while (!handle && tries--)
		handle = file->handle[kind][fz_below(fz, FZ_HANDLES)];
	return handle;
}

void fz_keep(struct fz *fz, struct fz_file *file, enum fz_kind kind,
	     uint32_t handle)
{
	file->handle[kind][fz_below(fz, FZ_HANDLES)] = handle;
}

/* Not always: programs use handles that are gone. */
void fz_forget(struct fz *fz, struct fz_file *file, enum fz_kind kind,
	       uint32_t handle)
{
	unsigned int i;

	for (i = 0; i < FZ_HANDLES; i++)
		if (file->handle[kind][i] == handle && !fz_one_in(fz, 4))
			file->handle[kind][i] = 0;
}

void *fz_array(struct fz *fz, const void *data, size_t size)
{
	return memcpy(fz->scratch + FZ_SCRATCH - size, data, size);
}

/* One address in LOST is where nothing is, or where the struct does not fit. */
static void *astray(struct fz *fz, void *arg, size_t size)
{
	if (!fz_one_in(fz, LOST))
		return arg;
	if (fz_one_in(fz, 2) || size < 8)
		return (void *)(uintptr_t)fz_odd_value(fz);
	return fz->scratch + FZ_SCRATCH - size / 2;
}

int fz_ioctl(struct fz *fz, int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, astray(fz, arg, _IOC_SIZE(request)));
}
