/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Resets and errors that come from the PCI core.
 */
#ifndef LOOM_PCIERR_H
#define LOOM_PCIERR_H

struct pci_error_handlers;

extern const struct pci_error_handlers loom_pcierr_handlers;

#endif
