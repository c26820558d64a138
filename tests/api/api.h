/* SPDX-License-Identifier: MIT */
/*
 * What the tests of libaccel over any device share.  $ACCEL_DEVICE names the
 * device; without it they run over "sim:".
 */
#ifndef T_API_H
#define T_API_H

#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <accel/accel_cmd.h>
#include <loom/loom_regs.h>

#define SECOND	INT64_C(1000000000)
/* Long enough for the slowest machine; a test that needs it has failed. */
#define LONG	(300 * SECOND)

/* The call succeeds; else show what the library says. */
#define t_ok(call) \
	do { \
		int rc_ = (call); \
		ck_assert_msg(!rc_, "%s = %d: %s (%s)", #call, rc_, \
			      accel_last_error()->message, \
			      accel_last_error()->hint); \
	} while (0)

/* The call fails with @code, which is also that of the last error. */
#define t_err(code_, call) \
	do { \
		int rc_ = (call); \
		ck_assert_msg(rc_ == (code_), "%s = %d, not %d: %s", #call, \
			      rc_, (code_), accel_last_error()->message); \
		ck_assert_int_eq(accel_last_error()->code, (code_)); \
	} while (0)

/* The last error's message contains @text. */
#define t_says(text) \
	ck_assert_msg(strstr(accel_last_error()->message, (text)) != NULL, \
		      "'%s' is not in '%s'", (text), \
		      accel_last_error()->message)

/* Its hint contains @text. */
#define t_hints(text) \
	ck_assert_msg(strstr(accel_last_error()->hint, (text)) != NULL, \
		      "'%s' is not in '%s'", (text), accel_last_error()->hint)

/** struct t_api - a device with a queue and a command buffer */
struct t_api {
	struct accel_device *dev;
	struct accel_queue *q;
	struct accel_cmdbuf *cb;
};

/** t_spec() - the device under test */
const char *t_spec(void);

void t_open(struct t_api *t);
void t_close(struct t_api *t);

struct accel_queue *t_queue(struct t_api *t);
struct accel_cmdbuf *t_cmdbuf(struct t_api *t);
struct accel_bo *t_bo(struct t_api *t, uint64_t size,
		      enum accel_placement placement);

/** t_fill() - record a fill of @n 32-bit integers at @va */
void t_fill(struct accel_cmdbuf *cb, uint64_t va, uint32_t n, int32_t value);
/** t_copy() - record a copy of @n 32-bit integers */
void t_copy(struct accel_cmdbuf *cb, uint64_t dst, uint64_t src, uint32_t n);
/** t_matmul() - A bf16 x B bf16 = D f32, all row-major, as a struct */
struct loom_cmd_matmul t_matmul(uint64_t a, uint64_t b, uint64_t d, uint32_t m,
				uint32_t n, uint32_t k);
/** t_raw() - record a command without the encoder's checks */
void t_raw(struct accel_cmdbuf *cb, uint32_t opcode, const void *cmd,
	   uint32_t size);

/** t_run() - submit the command buffer, wait, reset it */
void t_run(struct t_api *t);
/** t_get() - a 32-bit integer of a buffer object */
int32_t t_get(struct accel_bo *bo, uint64_t index);

/** t_main() - run a suite; the exit status of the program */
int t_main(Suite *suite);

#endif
