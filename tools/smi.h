/* SPDX-License-Identifier: MIT */
/* accel-smi: what its files share. */
#ifndef SMI_H
#define SMI_H

#include <stdbool.h>
#include <stdint.h>

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
	/** @file: of dump, or NULL */
	const char *file;
	bool json;
};

/** smi_error() - tell the last error of libaccel; the exit code for it */
int smi_error(const char *what);

/** smi_json_quote() - print a JSON string with its quotes */
void smi_json_quote(const char *text);

/* smi_dump.c */
int smi_dump(const struct smi_options *opt);

/* smi_health.c ------------------------------------------------------------- */

enum smi_health_value {
	SMI_TEMPERATURE,
	SMI_TEMPERATURE_CRIT,
	SMI_POWER,
	SMI_ENERGY,
	SMI_ECC_CORRECTED,
	SMI_ECC_UNCORRECTED,
	SMI_RESETS,
	SMI_QUEUE_RESETS,
	SMI_LOST_IRQS,
	SMI_BAD_COMPLETIONS,
	SMI_WEDGED,
	SMI_HEALTH_COUNT,
};

/** struct smi_health - sensors, errors and resets of a card */
struct smi_health {
	/** @known: false where the card or its driver says nothing */
	bool known[SMI_HEALTH_COUNT];
	/** @value: in the units of sysfs */
	uint64_t value[SMI_HEALTH_COUNT];
};

/** smi_health_read() - of the card at PCI address @bus; "" has none */
void smi_health_read(const char *bus, struct smi_health *health);
void smi_health_show(const struct smi_health *health);
void smi_health_json(const struct smi_health *health);

/* smi_validate.c */
int smi_validate(const struct smi_options *opt);

#endif
