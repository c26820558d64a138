// SPDX-License-Identifier: MIT
/* Tensors: constructors, and the checks that operations share. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ops_internal.h"

#define BLOCK_LEN 32

bool type_is_block(uint32_t type)
{
	return type == LOOM_TYPE_Q8_0 || type == LOOM_TYPE_Q4_0;
}

bool type_is_integer(uint32_t type)
{
	return type >= LOOM_TYPE_I8 && type <= LOOM_TYPE_I64;
}

/* Bytes of a row of @n contiguous elements; 0 if there is no such row. */
static uint64_t row_bytes(uint32_t type, uint32_t n)
{
	if (type_is_block(type)) {
		if (n % BLOCK_LEN)
			return 0;
		return n / BLOCK_LEN *
		       (uint64_t)(type == LOOM_TYPE_Q8_0 ? 34 : 18);
	}
	return (uint64_t)n * accel_type_size(type);
}

struct accel_tensor accel_tensor_4d(uint64_t va, uint32_t type, uint32_t d0,
				    uint32_t d1, uint32_t d2, uint32_t d3)
{
	uint64_t row = row_bytes(type, d0);
	struct accel_tensor t = {
		.va = va,
		.type = type,
		.dim = { d0, d1, d2, d3 },
		.stride = { accel_type_size(type), (int64_t)row,
			    (int64_t)(row * d1), (int64_t)(row * d1 * d2) },
	};

	if (type >= LOOM_TYPE_COUNT || (!row && d0))
		t.type = LOOM_TYPE_NONE;
	return t;
}

struct accel_tensor accel_tensor_2d(uint64_t va, uint32_t type,
				    uint32_t columns, uint32_t rows)
{
	return accel_tensor_4d(va, type, columns, rows, 1, 1);
}

struct accel_tensor accel_tensor_1d(uint64_t va, uint32_t type, uint32_t n)
{
	return accel_tensor_4d(va, type, n, 1, 1, 1);
}

/* Where dimension @d of a block type may be cut: whole blocks along stride 0. */
static bool view_fits(const struct accel_tensor *t, unsigned int d,
		      uint32_t start, uint32_t dim)
{
	if ((uint64_t)start + dim > t->dim[d])
		return false;
	if (type_is_block(t->type) && !t->stride[d] && t->dim[d] > 1)
		return !start && dim == t->dim[d];
	return true;
}

struct accel_tensor accel_tensor_view(const struct accel_tensor *t,
				      const uint32_t start[4],
				      const uint32_t dim[4])
{
	struct accel_tensor view = *t;
	unsigned int d;

	for (d = 0; d < 4; d++) {
		if (!view_fits(t, d, start[d], dim[d]))
			view.type = LOOM_TYPE_NONE;
		view.va += (uint64_t)(start[d] * t->stride[d]);
		view.dim[d] = dim[d];
	}
	return view;
}

static struct accel_tensor slice(const struct accel_tensor *t, unsigned int d,
				 uint32_t first, uint32_t count)
{
	uint32_t start[4] = { 0 }, dim[4];

	memcpy(dim, t->dim, sizeof(dim));
	start[d] = first;
	dim[d] = count;
	return accel_tensor_view(t, start, dim);
}

struct accel_tensor accel_tensor_rows(const struct accel_tensor *t,
				      uint32_t first, uint32_t count)
{
	return slice(t, 1, first, count);
}

struct accel_tensor accel_tensor_columns(const struct accel_tensor *t,
					 uint32_t first, uint32_t count)
{
	return slice(t, 0, first, count);
}

struct accel_tensor accel_tensor_permute(const struct accel_tensor *t,
					 const unsigned int order[4])
{
	struct accel_tensor out = *t;
	unsigned int d, seen = 0;

	for (d = 0; d < 4; d++) {
		if (order[d] > 3)
			break;
		seen |= 1u << order[d];
		out.dim[d] = t->dim[order[d]];
		out.stride[d] = t->stride[order[d]];
	}
	if (seen != 0xf)
		out.type = LOOM_TYPE_NONE;
	return out;
}

struct accel_tensor accel_tensor_transpose(const struct accel_tensor *t)
{
	return accel_tensor_permute(t, (const unsigned int[]){ 1, 0, 2, 3 });
}

struct accel_tensor accel_tensor_broadcast(const struct accel_tensor *t,
					   const uint32_t dim[4])
{
	struct accel_tensor out = *t;
	unsigned int d;

	for (d = 0; d < 4; d++) {
		if (t->dim[d] == dim[d])
			continue;
		if (t->dim[d] != 1)
			out.type = LOOM_TYPE_NONE;
		out.dim[d] = dim[d];
		out.stride[d] = 0;
	}
	return out;
}

struct accel_tensor accel_tensor_reshape(const struct accel_tensor *t,
					 uint32_t d0, uint32_t d1, uint32_t d2,
					 uint32_t d3)
{
	struct accel_tensor out = accel_tensor_4d(t->va, t->type, d0, d1, d2,
						  d3);

	if (!accel_tensor_is_contiguous(t) ||
	    accel_tensor_count(&out) != accel_tensor_count(t))
		out.type = LOOM_TYPE_NONE;
	return out;
}

uint64_t accel_tensor_count(const struct accel_tensor *t)
{
	return (uint64_t)t->dim[0] * t->dim[1] * t->dim[2] * t->dim[3];
}

uint64_t accel_tensor_bytes(const struct accel_tensor *t)
{
	return row_bytes(t->type, t->dim[0]) * t->dim[1] * t->dim[2] *
	       t->dim[3];
}

int accel_tensor_is_contiguous(const struct accel_tensor *t)
{
	struct accel_tensor c = accel_tensor_4d(t->va, t->type, t->dim[0],
						t->dim[1], t->dim[2],
						t->dim[3]);
	unsigned int d;

	if (c.type == LOOM_TYPE_NONE)
		return 0;
	for (d = 0; d < 4; d++)
		if (t->dim[d] > 1 && t->stride[d] != c.stride[d])
			return 0;
	return 1;
}

/* ------------------------------------------------------------------ checks */

const char *op_dims(char buf[OP_DIMS_LEN], const uint32_t dim[4])
{
	snprintf(buf, OP_DIMS_LEN, "[%u, %u, %u, %u]", dim[0], dim[1], dim[2],
		 dim[3]);
	return buf;
}

int op_fail(const char *name, const char *fmt, ...)
{
	char text[320];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return error_set(-EINVAL, NULL, "%s: %s", name, text);
}

int op_check(const char *name, const char *what, const struct accel_tensor *t)
{
	char dims[OP_DIMS_LEN];

	if (!t)
		return op_fail(name, "%s is NULL", what);
	if (!accel_type_size(t->type))
		return op_fail(name, "%s %s has type %s, which is not possible here",
			       what, op_dims(dims, t->dim),
			       accel_type_name(t->type));
	return 0;
}

int op_check_dim(const char *name, const char *what,
		 const struct accel_tensor *t, const uint32_t dim[4])
{
	char have[OP_DIMS_LEN], want[OP_DIMS_LEN];

	if (!memcmp(t->dim, dim, sizeof(t->dim)))
		return 0;
	return op_fail(name, "%s is %s, it must be %s", what,
		       op_dims(have, t->dim), op_dims(want, dim));
}

int op_check_integer(const char *name, const char *what,
		     const struct accel_tensor *t)
{
	if (type_is_integer(t->type))
		return 0;
	return op_fail(name, "%s has type %s, it must be an integer type", what,
		       accel_type_name(t->type));
}
