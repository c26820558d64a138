// SPDX-License-Identifier: MIT
/* Command buffers and the encoder. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "isa.h"

#define FIRST_CAPACITY	(16u << 10)

int accel_cmdbuf_create(struct accel_device *dev, struct accel_cmdbuf **out)
{
	struct accel_cmdbuf *cb;

	API_ENTER();
	if (!dev || !out)
		return error_set(-EINVAL, NULL, "the device or @out is NULL");
	cb = calloc(1, sizeof(*cb));
	if (!cb)
		return error_set(-ENOMEM, NULL, "out of memory");
	cb->dev = dev;
	atomic_init(&cb->refs, 1);
	*out = cb;
	return 0;
}

void cmdbuf_get(struct accel_cmdbuf *cb)
{
	atomic_fetch_add(&cb->refs, 1);
}

void cmdbuf_put(struct accel_cmdbuf *cb)
{
	if (atomic_fetch_sub(&cb->refs, 1) > 1)
		return;
	bo_destroy(cb->bo);
	free(cb);
}

void accel_cmdbuf_destroy(struct accel_cmdbuf *cb)
{
	if (cb)
		cmdbuf_put(cb);
}

void accel_cmdbuf_reset(struct accel_cmdbuf *cb)
{
	cb->size = 0;
}

uint32_t accel_cmdbuf_size(const struct accel_cmdbuf *cb)
{
	return cb->size;
}

const void *accel_cmdbuf_data(const struct accel_cmdbuf *cb)
{
	return cb->data;
}

int accel_cmdbuf_patch(struct accel_cmdbuf *cb, uint32_t offset,
		       const void *data, uint32_t len)
{
	API_ENTER();
	if (offset > cb->size || len > cb->size - offset)
		return error_set(-ERANGE, NULL,
				 "%u bytes at %u lie beyond the %u bytes recorded",
				 len, offset, cb->size);
	if (len)
		memcpy(cb->data + offset, data, len);
	return 0;
}

/* Move the commands to a larger buffer object. */
static int grow(struct accel_cmdbuf *cb, uint32_t capacity)
{
	struct accel_bo *bo, *old;
	void *data;
	int rc;

	rc = bo_create(cb->dev, capacity, ACCEL_HOST, &bo);
	if (rc)
		return rc;
	rc = bo_map(bo, &data);
	if (rc) {
		bo_destroy(bo);
		return rc;
	}
	if (cb->size)
		memcpy(data, cb->data, cb->size);

	pthread_mutex_lock(&cb->dev->lock);
	old = cb->bo;
	cb->bo = bo;
	cb->data = data;
	cb->capacity = capacity;
	pthread_mutex_unlock(&cb->dev->lock);
	bo_destroy(old);
	return 0;
}

/* Zeroed room for a command of @size bytes at the end, in *@out. */
static int reserve(struct accel_cmdbuf *cb, size_t size, void *out)
{
	uint32_t max, capacity;
	int rc;

	if (!cb)
		return error_set(-EINVAL, NULL, "the command buffer is NULL");
	max = cb->dev->info.max_cmd_bytes;
	capacity = cb->capacity ? cb->capacity : FIRST_CAPACITY;
	if (size > max - cb->size)
		return error_set(-E2BIG, "submit in several command buffers",
				 "%u bytes are recorded, %zu more exceed the card's limit of %u",
				 cb->size, size, max);
	while (capacity < cb->size + size)
		capacity = capacity > max / 2 ? max : capacity * 2;
	if (capacity != cb->capacity) {
		rc = grow(cb, capacity);
		if (rc)
			return rc;
	}
	memset(cb->data + cb->size, 0, size);
	*(void **)out = cb->data + cb->size;
	return 0;
}

static int refuse(const void *cmd, size_t len, uint32_t opcode,
		  const struct isa_fault *fault)
{
	const struct isa_field *f;
	char name[64], value[32] = "";

	f = isa_field_at(opcode, fault->field, cmd, len, name, sizeof(name));
	if (f && fault->field < isa_command(opcode)->size) {
		unsigned int i = (fault->field - f->offset) / f->size;

		isa_print_value(f, cmd, i, value, sizeof(value));
	}
	return error_set(-EINVAL, NULL, "%s: field %s%s%s: %s",
			 accel_opcode_name(opcode), name,
			 *value ? " = " : "", value,
			 loom_strerror(fault->error));
}

/* Complete the head of the reserved command, check it and keep it. */
static int commit(struct accel_cmdbuf *cb, uint32_t opcode, size_t size)
{
	struct loom_cmd *hdr = (void *)(cb->data + cb->size);
	struct isa_fault fault;

	hdr->opcode = opcode;
	hdr->version = LOOM_ISA_VERSION;
	hdr->size64 = size / LOOM_CMD_ALIGN;
	if (isa_check(hdr, size, &fault))
		return refuse(hdr, size, opcode, &fault);
	cb->size += size;
	return 0;
}

/* Append a command of fixed size. */
static int append(struct accel_cmdbuf *cb, uint32_t opcode, const void *cmd,
		  size_t size)
{
	void *room;
	int rc;

	if (!cmd)
		return error_set(-EINVAL, NULL, "the command is NULL");
	rc = reserve(cb, size, &room);
	if (rc)
		return rc;
	memcpy(room, cmd, size);
	return commit(cb, opcode, size);
}

int accel_cmd_nop(struct accel_cmdbuf *cb)
{
	struct loom_cmd_nop cmd = { 0 };

	API_ENTER();
	return append(cb, LOOM_OP_NOP, &cmd, sizeof(cmd));
}

int accel_cmd_fence(struct accel_cmdbuf *cb)
{
	struct loom_cmd_nop cmd = { 0 };

	API_ENTER();
	return append(cb, LOOM_OP_FENCE, &cmd, sizeof(cmd));
}

int accel_cmd_event(struct accel_cmdbuf *cb, uint32_t op, uint32_t event,
		    uint32_t value)
{
	struct loom_cmd_event cmd = { .op = op, .event = event, .value = value };

	API_ENTER();
	return append(cb, LOOM_OP_EVENT, &cmd, sizeof(cmd));
}

int accel_cmd_timestamp(struct accel_cmdbuf *cb, uint64_t va)
{
	struct loom_cmd_timestamp cmd = { .addr = va };

	API_ENTER();
	return append(cb, LOOM_OP_TIMESTAMP, &cmd, sizeof(cmd));
}

int accel_cmd_copy(struct accel_cmdbuf *cb, const struct loom_cmd_copy *cmd)
{
	API_ENTER();
	return append(cb, LOOM_OP_COPY, cmd, sizeof(*cmd));
}

int accel_cmd_matmul(struct accel_cmdbuf *cb, const struct loom_cmd_matmul *cmd)
{
	API_ENTER();
	return append(cb, LOOM_OP_MATMUL, cmd, sizeof(*cmd));
}

int accel_cmd_vector(struct accel_cmdbuf *cb, const struct accel_vprog *prog,
		     const uint32_t dim[4],
		     const struct loom_vec_operand *operands,
		     unsigned int num_operands, const uint32_t *params)
{
	struct loom_cmd_vector *cmd;
	size_t operand_bytes, insn_bytes, size;
	int rc;

	API_ENTER();
	if (!prog || !dim || (num_operands && !operands))
		return error_set(-EINVAL, NULL,
				 "the program, @dim or @operands is NULL");
	if (num_operands != accel_vprog_num_operands(prog))
		return error_set(-EINVAL, NULL,
				 "%u operands given, the program has %u",
				 num_operands, accel_vprog_num_operands(prog));
	if (!params && accel_vprog_num_params(prog))
		return error_set(-EINVAL, NULL,
				 "@params is NULL, the program has %u",
				 accel_vprog_num_params(prog));

	operand_bytes = num_operands * sizeof(*operands);
	insn_bytes = accel_vprog_num_insns(prog) * sizeof(struct loom_vec_insn);
	size = sizeof(*cmd) + operand_bytes + insn_bytes;
	size = (size + LOOM_CMD_ALIGN - 1) / LOOM_CMD_ALIGN * LOOM_CMD_ALIGN;
	rc = reserve(cb, size, &cmd);
	if (rc)
		return rc;

	cmd->num_operands = num_operands;
	cmd->num_insns = accel_vprog_num_insns(prog);
	memcpy(cmd->dim, dim, sizeof(cmd->dim));
	if (params)
		memcpy(cmd->param, params,
		       accel_vprog_num_params(prog) * sizeof(*params));
	if (num_operands)
		memcpy(cmd + 1, operands, operand_bytes);
	memcpy((char *)(cmd + 1) + operand_bytes, accel_vprog_insns(prog),
	       insn_bytes);
	return commit(cb, LOOM_OP_VECTOR, size);
}

int accel_cmd_raw(struct accel_cmdbuf *cb, const void *data, uint32_t len)
{
	void *room;
	int rc;

	API_ENTER();
	if (!data || !len || len % LOOM_CMD_ALIGN)
		return error_set(-EINVAL, NULL,
				 "%u bytes: must be a multiple of %u", len,
				 LOOM_CMD_ALIGN);
	rc = reserve(cb, len, &room);
	if (rc)
		return rc;
	memcpy(room, data, len);
	cb->size += len;
	return 0;
}

uint32_t accel_f32(float value)
{
	uint32_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits;
}
