// SPDX-License-Identifier: MIT
/* The size rule: structs of the interface grow at their end. */
#include <errno.h>
#include <string.h>

#include "internal.h"

static size_t size_of(const void *user)
{
	uint32_t size;

	memcpy(&size, user, sizeof(size));
	return size;
}

static int size_check(const void *user)
{
	if (!user)
		return error_set(-EINVAL, NULL, "the struct is NULL");
	if (size_of(user) < sizeof(uint32_t))
		return error_set(-EINVAL,
				 "set the member size with sizeof before the call",
				 "the struct's size is %zu", size_of(user));
	return 0;
}

int struct_in(void *dst, size_t known, const void *src)
{
	const unsigned char *bytes = src;
	size_t size, i;
	int rc = size_check(src);

	if (rc)
		return rc;
	size = size_of(src);
	for (i = known; i < size; i++)
		if (bytes[i])
			return error_set(-E2BIG, "the program needs a newer libaccel",
					 "byte %zu of the struct is not 0, libaccel %s knows %zu bytes",
					 i, ACCEL_VERSION_STRING, known);
	memset(dst, 0, known);
	memcpy(dst, src, size < known ? size : known);
	return 0;
}

int struct_out(void *dst, const void *src, size_t known)
{
	size_t size, head = sizeof(uint32_t);
	int rc = size_check(dst);

	if (rc)
		return rc;
	size = size_of(dst);
	memset((char *)dst + head, 0, size - head);
	if (size > known)
		size = known;
	memcpy((char *)dst + head, (const char *)src + head, size - head);
	return 0;
}
