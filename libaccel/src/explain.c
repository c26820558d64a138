// SPDX-License-Identifier: MIT
/* Faults of the card in words. */
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "isa.h"

/* A copy of the command at fault and the name of its field. */
struct culprit {
	bool known;
	size_t len;
	/* The longest well-formed command, a vector program, fits. */
	_Alignas(8) uint8_t cmd[8192];
};

/*
 * Fetch the command at fault from its command buffer, which the user may have
 * changed meanwhile: what does not look like it is not used.
 */
static void find_culprit(struct accel_queue *q,
			 const struct accel_queue_status *st,
			 struct culprit *c)
{
	uint64_t submitted = atomic_load(&q->submitted);
	struct accel_cmdbuf *cb;

	c->known = false;
	c->len = 0;
	if (st->job <= q->retired || st->job > submitted)
		return;
	cb = q->jobs[st->job - q->retired - 1].cb;
	pthread_mutex_lock(&q->dev->lock);
	if (st->cmd_offset < cb->size &&
	    cb->size - st->cmd_offset >= LOOM_CMD_ALIGN &&
	    cb->data[st->cmd_offset] == st->opcode) {
		c->len = cb->size - st->cmd_offset;
		if (c->len > sizeof(c->cmd))
			c->len = sizeof(c->cmd);
		memcpy(c->cmd, cb->data + st->cmd_offset, c->len);
		c->known = true;
	}
	pthread_mutex_unlock(&q->dev->lock);
}

/* Does the error concern a field of a command, and not an access? */
static bool blames_field(const struct accel_queue_status *st)
{
	if (st->fault_addr)
		return false;
	return (st->error >= LOOM_ERR_CMD_OPCODE &&
		st->error <= LOOM_ERR_INDEX) || st->error == LOOM_ERR_EVENT;
}

/* Does the error concern a command, and not the job as a whole? */
static bool blames_command(uint32_t error)
{
	return error >= LOOM_ERR_CMD_OPCODE && error != LOOM_ERR_ABORTED;
}

void explain_fate(struct accel_queue *q, struct queue_fate *fate)
{
	struct accel_queue_status *st = &fate->status;
	char where[64] = "", field[80] = "", access[64] = "", name[64];
	struct culprit c;

	if (fate->timedout) {
		snprintf(st->text, sizeof(st->text),
			 "job %llu made no progress and the queue was reset",
			 (unsigned long long)st->job);
		return;
	}
	if (blames_command(st->error)) {
		snprintf(where, sizeof(where), "command %u (%s)", st->cmd_index,
			 accel_opcode_name(st->opcode));
	} else {
		snprintf(where, sizeof(where), "job %llu",
			 (unsigned long long)st->job);
	}
	if (blames_field(st)) {
		find_culprit(q, st, &c);
		isa_field_at(st->opcode, st->field, c.known ? c.cmd : NULL,
			     c.len, name, sizeof(name));
		snprintf(field, sizeof(field), ", field %s", name);
	}
	if (st->fault_addr)
		snprintf(access, sizeof(access), ": %s of address %#llx",
			 st->access == LOOM_ACCESS_WRITE ? "write" : "read",
			 (unsigned long long)st->fault_addr);
	snprintf(st->text, sizeof(st->text), "%s%s: %s%s", where, field,
		 loom_strerror(st->error), access);
}

#define BO_NAME_SIZE	(ACCEL_MAX_LABEL + 32)

/* "at 0x200000", with the label before it if there is one. */
static const char *bo_name(const struct accel_bo *bo, char name[BO_NAME_SIZE])
{
	unsigned long long va = bo->va;

	if (bo->label[0])
		snprintf(name, BO_NAME_SIZE, "\"%s\" at %#llx", bo->label, va);
	else
		snprintf(name, BO_NAME_SIZE, "at %#llx", va);
	return name;
}

/* The buffer object that lies at or closest below @addr. */
static void hint_address(struct accel_device *dev, uint64_t addr)
{
	char name[BO_NAME_SIZE];
	const struct accel_bo *bo, *best = NULL;

	pthread_mutex_lock(&dev->lock);
	for (bo = dev->bos; bo; bo = bo->next)
		if (bo->va <= addr && (!best || bo->va > best->va))
			best = bo;
	if (!best)
		error_hint("no buffer lies at or below that address");
	else if (addr - best->va < best->size)
		error_hint("the address is byte %llu of the buffer %s",
			   (unsigned long long)(addr - best->va),
			   bo_name(best, name));
	else
		error_hint("the address is %llu bytes beyond the end of the buffer %s (%llu bytes)",
			   (unsigned long long)(addr - best->va - best->size),
			   bo_name(best, name),
			   (unsigned long long)best->size);
	pthread_mutex_unlock(&dev->lock);
}

/* What the field at fault holds. */
static void hint_field(struct accel_queue *q,
		       const struct accel_queue_status *st)
{
	const struct isa_struct *s = isa_command(st->opcode);
	const struct isa_field *f;
	char name[64], value[32];
	struct culprit c;

	find_culprit(q, st, &c);
	if (!c.known || !s || st->field >= s->size)
		return;
	f = isa_field_at(st->opcode, st->field, c.cmd, c.len, name,
			 sizeof(name));
	if (!f)
		return;
	isa_print_value(f, c.cmd, (st->field - f->offset) / f->size, value,
			sizeof(value));
	error_hint("%s (%s) is %s", name,
		   f->kind == ISA_ZERO ? "reserved" : f->doc, value);
}

void explain_hint(struct accel_queue *q, const struct queue_fate *fate)
{
	const struct accel_queue_status *st = &fate->status;

	if (fate->timedout)
		error_hint("an event that nobody signals? make another queue");
	else if (st->fault_addr)
		hint_address(q->dev, st->fault_addr);
	else if (blames_field(st))
		hint_field(q, st);
}
