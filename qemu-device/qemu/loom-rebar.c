/*
 * Loom AI accelerator: the HBM BAR
 *
 * It can show all of HBM or, from an offset on (LOOM_REG_HBM_WINDOW), a part of
 * it: the property bar-size says how much after power-on, and the guest changes
 * that through the Resizable BAR capability while memory decoding is off.  A
 * conventional reset brings the first size back, a function-level one does not.
 *
 * QEMU has no emulation of that capability.  Nothing of it caches the size of a
 * BAR, so the region, its size in PCIDevice and the mask of the address bits
 * change together here.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/log.h"
#include "qemu/units.h"
#include "qapi/error.h"

#include "loom.h"
#include "trace.h"

/* Sizes are powers of two of MiB; the capability has a bit for each. */
#define LOOM_REBAR_SIZEOF       0x0c
#define LOOM_REBAR_CAP          (LOOM_ECAP_REBAR + 4)
#define LOOM_REBAR_CTRL         (LOOM_ECAP_REBAR + 8)
#define LOOM_REBAR_CAP_SHIFT    4
#define LOOM_REBAR_NUM_SHIFT    5
#define LOOM_REBAR_SIZE_SHIFT   8
#define LOOM_REBAR_SIZE_MASK    0x3f00
#define LOOM_BAR_MIN            (16 * MiB)

static uint64_t loom_bar_max(LoomState *s)
{
    return pow2ceil(s->cfg.hbm_size);
}

static uint64_t loom_bar_from_control(LoomState *s)
{
    uint32_t ctrl = pci_get_long(PCI_DEVICE(s)->config + LOOM_REBAR_CTRL);

    return MiB << MIN((ctrl & LOOM_REBAR_SIZE_MASK) >> LOOM_REBAR_SIZE_SHIFT,
                      43);
}

bool loom_rebar_check(LoomState *s, Error **errp)
{
    if (!s->bar_size) {
        s->bar_size = loom_bar_max(s);
    }
    if (!is_power_of_2(s->bar_size) || s->bar_size < LOOM_BAR_MIN ||
        s->bar_size > loom_bar_max(s)) {
        error_setg(errp, "bar-size is %" PRIu64 "; it must be a power of two "
                   "from %" PRIu64 " to %" PRIu64, s->bar_size,
                   (uint64_t)LOOM_BAR_MIN, loom_bar_max(s));
        return false;
    }
    return true;
}

/* Show what the window register says. */
void loom_rebar_update_window(LoomState *s)
{
    uint64_t window = loom_core_hbm_window(s->core);
    uint64_t size = MIN(memory_region_size(&s->hbm_bar),
                        s->cfg.hbm_size - window);

    if (window == s->hbm_view.alias_offset &&
        size == memory_region_size(&s->hbm_view)) {
        return;
    }
    trace_loom_hbm_window(loom_id(s), window, size);
    memory_region_transaction_begin();
    memory_region_set_alias_offset(&s->hbm_view, window);
    memory_region_set_size(&s->hbm_view, size);
    memory_region_transaction_commit();
}

static void loom_rebar_resize(LoomState *s, uint64_t size)
{
    PCIDevice *pci_dev = PCI_DEVICE(s);
    unsigned at = PCI_BASE_ADDRESS_0 + 4 * LOOM_BAR_HBM;
    uint64_t bar = pci_get_quad(pci_dev->config + at);
    uint64_t flags = bar & ~PCI_BASE_ADDRESS_MEM_MASK;

    trace_loom_bar_size(loom_id(s), size);
    memory_region_transaction_begin();
    memory_region_set_size(&s->hbm_bar, size);
    pci_dev->io_regions[LOOM_BAR_HBM].size = size;
    pci_set_quad(pci_dev->wmask + at, ~(size - 1));
    pci_set_quad(pci_dev->config + at, (bar & ~(size - 1)) | flags);
    pci_set_long(pci_dev->config + LOOM_REBAR_CTRL,
                 LOOM_BAR_HBM | 1 << LOOM_REBAR_NUM_SHIFT |
                 ctz64(size / MiB) << LOOM_REBAR_SIZE_SHIFT);
    loom_core_set_hbm_bar(s->core, size);
    loom_rebar_update_window(s);
    memory_region_transaction_commit();
}

/* After a write to configuration space. */
void loom_rebar_config_written(LoomState *s)
{
    PCIDevice *pci_dev = PCI_DEVICE(s);
    uint64_t old = memory_region_size(&s->hbm_bar);
    uint64_t size = loom_bar_from_control(s);
    uint16_t command = pci_get_word(pci_dev->config + PCI_COMMAND);

    if (size == old) {
        return;
    }
    if (size < LOOM_BAR_MIN || size > loom_bar_max(s) ||
        (command & PCI_COMMAND_MEMORY)) {
        qemu_log_mask(LOG_GUEST_ERROR, "%s: BAR resized to %" PRIu64 " MiB %s\n",
                      loom_id(s), size / MiB, command & PCI_COMMAND_MEMORY ?
                      "with memory decoding on" : "which it cannot have");
        size = old;
    }
    loom_rebar_resize(s, size);
}

void loom_rebar_reset(LoomState *s, bool function_level)
{
    if (!function_level) {
        loom_rebar_resize(s, s->bar_size);
    }
    loom_rebar_update_window(s);
}

/*
 * Migration: a BAR is only as aligned as its size asks for, so any address has
 * to be accepted until that size is known.
 */
void loom_rebar_pre_load(LoomState *s)
{
    pci_set_quad(PCI_DEVICE(s)->wmask + PCI_BASE_ADDRESS_0 + 4 * LOOM_BAR_HBM,
                 ~(LOOM_BAR_MIN - 1));
}

/* The core has been loaded.  False: the stream names a size we cannot have. */
bool loom_rebar_post_load(LoomState *s)
{
    uint64_t size = loom_bar_from_control(s);
    PCIDevice *pci_dev = PCI_DEVICE(s);
    unsigned at = PCI_BASE_ADDRESS_0 + 4 * LOOM_BAR_HBM;

    if (size < LOOM_BAR_MIN || size > loom_bar_max(s)) {
        return false;
    }
    if (pci_get_quad(pci_dev->config + at) & (size - 1) &
        PCI_BASE_ADDRESS_MEM_MASK) {
        return false;
    }
    loom_rebar_resize(s, size);
    return true;
}

/* Before the BAR is registered, then with all that exists. */

void loom_rebar_init_bar(LoomState *s)
{
    memory_region_init(&s->hbm_bar, OBJECT(s), "loom-hbm", s->bar_size);
    memory_region_init_alias(&s->hbm_view, OBJECT(s), "loom-hbm-view", s->hbm,
                             0, MIN(s->bar_size, s->cfg.hbm_size));
    memory_region_add_subregion(&s->hbm_bar, 0, &s->hbm_view);
}

void loom_rebar_exit_bar(LoomState *s)
{
    memory_region_del_subregion(&s->hbm_bar, &s->hbm_view);
}

void loom_rebar_init_cap(LoomState *s)
{
    PCIDevice *pci_dev = PCI_DEVICE(s);
    uint64_t sizes = (loom_bar_max(s) / MiB << 1) - LOOM_BAR_MIN / MiB;

    pcie_add_capability(pci_dev, PCI_EXT_CAP_ID_REBAR, 1, LOOM_ECAP_REBAR,
                        LOOM_REBAR_SIZEOF);
    pci_set_long(pci_dev->config + LOOM_REBAR_CAP,
                 sizes << LOOM_REBAR_CAP_SHIFT);
    pci_set_long(pci_dev->config + LOOM_REBAR_CTRL,
                 LOOM_BAR_HBM | 1 << LOOM_REBAR_NUM_SHIFT |
                 ctz64(s->bar_size / MiB) << LOOM_REBAR_SIZE_SHIFT);
    pci_set_long(pci_dev->wmask + LOOM_REBAR_CTRL, LOOM_REBAR_SIZE_MASK);
}
