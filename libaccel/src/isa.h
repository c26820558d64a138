/* SPDX-License-Identifier: MIT */
/*
 * The command set as tables.  The encoder's checks, the disassembler, the
 * explanations of faults and the data book (tools/isa-book.c) all read these.
 */
#ifndef ACCEL_ISA_H
#define ACCEL_ISA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <loom/loom_isa.h>

/** enum isa_kind - what a field holds: how it is shown and what is allowed */
enum isa_kind {
	ISA_UINT,
	ISA_INT,
	ISA_HEX,
	ISA_ADDR,
	ISA_F32,
	/* Named numbers: */
	ISA_TYPE,
	ISA_MODE,
	ISA_EVENT_OP,
	ISA_FLAGS,
	/* An event number, below LOOM_NUM_EVENTS. */
	ISA_EVENT,
	/* Filled in by the encoder. */
	ISA_HEAD,
	/* Reserved, must be zero. */
	ISA_ZERO,
};

/** struct isa_field - one member of a struct of loom_isa.h */
struct isa_field {
	const char *name;
	uint16_t offset;
	/** @size: bytes of an element */
	uint8_t size;
	/** @count: elements; 0 for a member that is no array */
	uint8_t count;
	enum isa_kind kind;
	const char *doc;
};

/** struct isa_struct - a struct of loom_isa.h */
struct isa_struct {
	const char *name;
	uint8_t opcode;
	uint16_t size;
	const struct isa_field *fields;
	unsigned int num_fields;
	const char *doc;
};

/* Fields of struct loom_cmd, common to all commands. */
extern const struct isa_struct isa_head;
/* Commands in order of opcode. */
extern const struct isa_struct isa_commands[];
extern const unsigned int isa_num_commands;
/* Parts of a VECTOR command. */
extern const struct isa_struct isa_operand;
extern const struct isa_struct isa_insn;

/** struct isa_type - a data type */
struct isa_type {
	const char *name;
	/** @size: bytes of an element, 0 for block types */
	uint8_t size;
	const char *doc;
};

extern const struct isa_type isa_types[LOOM_TYPE_COUNT];

/** struct isa_vec - an instruction of the vector engine */
struct isa_vec {
	/** @name: upper case */
	const char *name;
	uint8_t number;
	/** @form: see LOOM_VEC_LIST */
	const char *form;
	const char *doc;
};

extern const struct isa_vec isa_vecs[];
extern const unsigned int isa_num_vecs;

const struct isa_struct *isa_command(uint32_t opcode);
const struct isa_vec *isa_vec(uint32_t number);
bool isa_is_block_type(uint32_t type);

/** isa_load() - element @i of a field, sign extended for ISA_INT */
uint64_t isa_load(const struct isa_field *f, const void *base, unsigned int i);

/** isa_value_name() - name of a value of a named kind, or NULL */
const char *isa_value_name(enum isa_kind kind, uint64_t value);

/**
 * isa_field_at() - the field of a command that lies at @offset
 * @cmd: the command if it is at hand, else NULL
 * @len: its bytes
 * @buf: where to put the name
 *
 * Without the command the parts of a VECTOR program cannot be told apart.
 * Return: the field, or NULL ("?" in @buf).
 */
const struct isa_field *isa_field_at(uint32_t opcode, uint32_t offset,
				     const void *cmd, size_t len,
				     char *buf, size_t buf_len);

/** isa_print_value() - element @i of a field in words */
int isa_print_value(const struct isa_field *f, const void *base,
		    unsigned int i, char *buf, size_t len);

/* isa_check.c -------------------------------------------------------------- */

/** struct isa_fault - what the card would say of a command */
struct isa_fault {
	/** @error: LOOM_ERR_* */
	uint32_t error;
	/** @field: byte offset in the command */
	uint32_t field;
};

/**
 * isa_check() - check what can be checked of a command without the card
 * @cmd: the command
 * @len: bytes at hand, at least what its head says
 * @fault: out
 *
 * Return: 0 or -1.
 */
int isa_check(const void *cmd, size_t len, struct isa_fault *fault);

/** struct vec_fault - what is wrong with a vector program */
struct vec_fault {
	uint32_t error;
	/** @insn: index of the instruction */
	unsigned int insn;
	/** @field: byte offset in the instruction */
	uint32_t field;
	/** @text: the rule that was broken */
	const char *text;
};

/** vec_check() - check a vector program; 0 or -1 */
int vec_check(const struct loom_vec_insn *insns, unsigned int num,
	      unsigned int num_operands, struct vec_fault *fault);

/* disasm.c ----------------------------------------------------------------- */

/** disasm_insn() - an instruction as the assembler reads it */
int disasm_insn(const struct loom_vec_insn *insn, char *buf, size_t len);

#endif
