// SPDX-License-Identifier: MIT
/*
 * accel-smi: sensors, errors and resets of a card, from sysfs.
 *
 * See Documentation/ABI/testing/sysfs-driver-loom.  What a driver or a card does
 * not have is absent from the output.
 */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smi.h"

/* One number per file; names in the output are those of JSON. */
static const struct {
	const char *key;
	const char *file;
} attributes[SMI_HEALTH_COUNT] = {
	[SMI_TEMPERATURE] = { "temperature_mc", "hwmon/hwmon*/temp1_input" },
	[SMI_TEMPERATURE_CRIT] = { "temperature_crit_mc", "hwmon/hwmon*/temp1_crit" },
	[SMI_POWER] = { "power_uw", "hwmon/hwmon*/power1_input" },
	[SMI_ENERGY] = { "energy_uj", "hwmon/hwmon*/energy1_input" },
	[SMI_ECC_CORRECTED] = { "ecc_corrected", "ras/ce_count" },
	[SMI_ECC_UNCORRECTED] = { "ecc_uncorrected", "ras/ue_count" },
	[SMI_RESETS] = { "resets", "resets" },
	[SMI_QUEUE_RESETS] = { "queue_resets", "queue_resets" },
	[SMI_LOST_IRQS] = { "lost_irqs", "lost_irqs" },
	[SMI_BAD_COMPLETIONS] = { "bad_completions", "bad_completions" },
	[SMI_WEDGED] = { "wedged", "wedged" },
};

static bool read_number(const char *path, uint64_t *value)
{
	FILE *file = fopen(path, "re");
	unsigned long long number;
	bool ok;

	if (!file)
		return false;
	ok = fscanf(file, "%llu", &number) == 1;
	fclose(file);
	*value = number;
	return ok;
}

/* The one file that @pattern, below the card's directory, matches. */
static bool read_attribute(const char *bus, const char *pattern, uint64_t *value)
{
	char path[256];
	glob_t found;
	bool ok;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", bus, pattern);
	if (glob(path, 0, NULL, &found))
		return false;
	ok = found.gl_pathc == 1 && read_number(found.gl_pathv[0], value);
	globfree(&found);
	return ok;
}

void smi_health_read(const char *bus, struct smi_health *health)
{
	unsigned int i;

	for (i = 0; i < SMI_HEALTH_COUNT; i++)
		health->known[i] = *bus && read_attribute(bus, attributes[i].file,
							  &health->value[i]);
}

void smi_health_show(const struct smi_health *h)
{
	const uint64_t *v = h->value;

	if (h->known[SMI_TEMPERATURE] && h->known[SMI_POWER])
		printf("  %.1f of %.1f degrees, %.1f W, %.3f J used\n",
		       v[SMI_TEMPERATURE] / 1e3, v[SMI_TEMPERATURE_CRIT] / 1e3,
		       v[SMI_POWER] / 1e6, v[SMI_ENERGY] / 1e6);
	if (h->known[SMI_ECC_CORRECTED])
		printf("  ECC: %llu errors corrected, %llu not\n",
		       (unsigned long long)v[SMI_ECC_CORRECTED],
		       (unsigned long long)v[SMI_ECC_UNCORRECTED]);
	if (h->known[SMI_RESETS])
		printf("  %llu resets, %llu hung jobs, %llu lost interrupts, %llu bad completions%s\n",
		       (unsigned long long)v[SMI_RESETS],
		       (unsigned long long)v[SMI_QUEUE_RESETS],
		       (unsigned long long)v[SMI_LOST_IRQS],
		       (unsigned long long)v[SMI_BAD_COMPLETIONS],
		       v[SMI_WEDGED] ? "; WEDGED: unbind and bind the driver" : "");
}

void smi_health_json(const struct smi_health *h)
{
	const char *comma = "";
	unsigned int i;

	printf("      \"health\": {");
	for (i = 0; i < SMI_HEALTH_COUNT; i++) {
		if (!h->known[i])
			continue;
		printf("%s\n        \"%s\": %llu", comma, attributes[i].key,
		       (unsigned long long)h->value[i]);
		comma = ",";
	}
	printf("\n      },\n");
}
