/* SPDX-License-Identifier: MIT */
/* accel-smi: what its files share. */
#ifndef SMI_H
#define SMI_H

#include <stdbool.h>

#include <accel/accel.h>

/* Exit codes, also in accel-smi(1). */
#define SMI_OK		0
#define SMI_FAILED	1	/* a check failed or a call did */
#define SMI_USAGE	2
#define SMI_NO_CARD	3

/** struct smi_options - what the command line asked for */
struct smi_options {
	/** @spec: device to use, NULL for all (show) or the first (validate) */
	const char *spec;
	bool json;
};

/** smi_error() - tell the last error of libaccel; the exit code for it */
int smi_error(const char *what);

/* smi_validate.c */
int smi_validate(const struct smi_options *opt);

#endif
