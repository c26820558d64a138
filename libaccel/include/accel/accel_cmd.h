/* SPDX-License-Identifier: MIT */
/**
 * DOC: libaccel - command buffers, disassembler, vector assembler
 *
 * Commands are the structs of loom/loom_isa.h.  The caller fills what matters
 * to the operation; the encoder fills opcode, version and size of the head,
 * and checks what can be checked without the card.
 */
#ifndef ACCEL_CMD_H
#define ACCEL_CMD_H

#include <accel/accel.h>
#include <loom/loom_isa.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---------------------------------------------------------- command buffers */

/** accel_cmdbuf_create() - an empty command buffer; it grows as needed, up to max_cmd_bytes */
int accel_cmdbuf_create(struct accel_device *dev, struct accel_cmdbuf **out);
void accel_cmdbuf_destroy(struct accel_cmdbuf *cb);

/** accel_cmdbuf_reset() - forget the commands, keep the memory */
void accel_cmdbuf_reset(struct accel_cmdbuf *cb);

/** accel_cmdbuf_size() - bytes recorded so far: the offset of the next command */
uint32_t accel_cmdbuf_size(const struct accel_cmdbuf *cb);

/** accel_cmdbuf_data() - the recorded bytes, valid until the next change */
const void *accel_cmdbuf_data(const struct accel_cmdbuf *cb);

/**
 * accel_cmdbuf_patch() - overwrite @len bytes at @offset; no work may be using it
 *
 * Return: 0; -ERANGE beyond what is recorded.
 */
int accel_cmdbuf_patch(struct accel_cmdbuf *cb, uint32_t offset,
		       const void *data, uint32_t len);

/*
 * Append one command.  The head's opcode, version and size are filled in;
 * flags, events and tag are the caller's.
 * Return: 0; -EINVAL (accel_last_error() names the field); -E2BIG; -ENOMEM.
 */
int accel_cmd_nop(struct accel_cmdbuf *cb);
int accel_cmd_fence(struct accel_cmdbuf *cb);
int accel_cmd_event(struct accel_cmdbuf *cb, uint32_t op, uint32_t event,
		    uint32_t value);
int accel_cmd_timestamp(struct accel_cmdbuf *cb, uint64_t va);
int accel_cmd_copy(struct accel_cmdbuf *cb, const struct loom_cmd_copy *cmd);
int accel_cmd_matmul(struct accel_cmdbuf *cb, const struct loom_cmd_matmul *cmd);

struct accel_vprog;

/**
 * accel_cmd_vector() - run a vector program
 * @cb: command buffer
 * @prog: program
 * @dim: index space, dim[0] lanes per row
 * @operands: one per operand of the program
 * @num_operands: must be what the program uses
 * @params: 32-bit constants, accel_vprog_num_params() of them; f32 by accel_f32()
 */
int accel_cmd_vector(struct accel_cmdbuf *cb, const struct accel_vprog *prog,
		     const uint32_t dim[4],
		     const struct loom_vec_operand *operands,
		     unsigned int num_operands, const uint32_t *params);

/** accel_cmd_raw() - append bytes as they are, a multiple of 64; for tests of bad input */
int accel_cmd_raw(struct accel_cmdbuf *cb, const void *data, uint32_t len);

/** accel_f32() - the bits of a float */
uint32_t accel_f32(float value);

/* ------------------------------------------------------------- disassembler */

/**
 * accel_disasm() - command buffer to text
 * @data: commands
 * @len: bytes
 * @print: called once per line, without newline
 * @opaque: first argument of @print
 *
 * Malformed commands are shown as such; the text of a well-formed buffer names
 * every non-zero field.
 * Return: number of commands, or -EINVAL when a command is malformed (after
 * printing what could be read).
 */
int accel_disasm(const void *data, size_t len,
		 void (*print)(void *opaque, const char *line), void *opaque);

/** accel_field_name() - name of the field at @offset of a command of @opcode; "?" if none */
const char *accel_field_name(uint32_t opcode, uint32_t offset);
/** accel_opcode_name() - "MATMUL" */
const char *accel_opcode_name(uint32_t opcode);
/** accel_error_text() - LOOM_ERR_* of loom_regs.h in words */
const char *accel_error_text(uint32_t error);
/** accel_type_name() - "f32", "bf16", "q8_0" */
const char *accel_type_name(uint32_t type);
/** accel_type_size() - bytes of an element; 0 for block types */
unsigned int accel_type_size(uint32_t type);

/* --------------------------------------------------------- vector assembler */

/**
 * accel_vprog_assemble() - text to a program of the vector engine
 * @source: one instruction a line, as in the list of loom_isa.h in lower case:
 *
 *     ; softmax of a row
 *     loop
 *       ld    v0, x          ; operands by name
 *       rmax  s0, v0
 *     end
 *     loop
 *       ld    v0, x
 *       sub   v0, v0, s0
 *       exp   v0, v0
 *       rsum  s1, v0
 *       st    y, v0
 *     end
 *     imm   s2, 1.0          ; a number with a point is an f32, else an integer
 *     div   s2, s2, s1
 *     loop
 *       ld    v0, y
 *       mul   v0, v0, s2
 *       st    y, v0
 *     end
 *
 *   Head lines `.operand x y ...` and `.param lr beta ...` give names to the
 *   operands and parameters in order; `param s0, lr` reads one.  `;` and `#`
 *   begin comments.
 * @out: the program
 *
 * Return: 0; -EINVAL (accel_last_error() names the line and what is wrong).
 */
int accel_vprog_assemble(const char *source, struct accel_vprog **out);
void accel_vprog_destroy(struct accel_vprog *prog);
unsigned int accel_vprog_num_operands(const struct accel_vprog *prog);
unsigned int accel_vprog_num_params(const struct accel_vprog *prog);
unsigned int accel_vprog_num_insns(const struct accel_vprog *prog);
const struct loom_vec_insn *accel_vprog_insns(const struct accel_vprog *prog);

#ifdef __cplusplus
}
#endif
#endif
