// SPDX-License-Identifier: MIT
/* The last error of each thread. */
#include <stdio.h>

#include "internal.h"

static _Thread_local struct {
	struct accel_error pub;
	const char *function;
	char message[384];
	char hint[256];
} last = {
	.pub = { 0, "", "", "" },
	.function = "",
};

const struct accel_error *accel_last_error(void)
{
	return &last.pub;
}

const char *accel_version(void)
{
	return ACCEL_VERSION_STRING;
}

void error_enter(const char *function)
{
	last.function = function;
}

int error_set(int code, const char *hint, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(last.message, sizeof(last.message), fmt, args);
	va_end(args);
	snprintf(last.hint, sizeof(last.hint), "%s", hint ? hint : "");

	last.pub = (struct accel_error){
		.code = code,
		.function = last.function,
		.message = last.message,
		.hint = last.hint,
	};
	return code;
}

void error_hint(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(last.hint, sizeof(last.hint), fmt, args);
	va_end(args);
	last.pub.hint = last.hint;
}
