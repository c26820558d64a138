/*
 * Loom AI accelerator: faults on demand
 *
 * The core decides when a fault strikes.  Here are the ways to arm one, and the
 * faults that concern the bus: late interrupts, Advanced Error Reporting, a
 * link that goes down, a card that is pulled out or slow to come back from
 * reset.
 *
 *      -device loom,bus=rp0,inject=hang,,after=100,,queue=1
 *      qom-set path=card0 property=inject value="irq-lost,count=0"
 *      qom-set path=card0 property=inject value=none
 *      qom-get path=card0 property=faults
 *
 * Faults strike in any thread; what needs the BQL is done in a bottom half that
 * keeps a reference to the device.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/main-loop.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "hw/hotplug.h"
#include "hw/pci/msi.h"
#include "hw/pci/msix.h"
#include "hw/pci/pci_bridge.h"
#include "hw/pci/pcie.h"
#include "hw/pci/pcie_port.h"

#include "loom.h"
#include "trace.h"

/* A card that does not answer: reads are ~0, and it neither writes nor reads. */

static uint64_t loom_dead_read(void *opaque, hwaddr addr, unsigned size)
{
    return ~0ull;
}

static void loom_dead_write(void *opaque, hwaddr addr, uint64_t value,
                            unsigned size)
{
}

static const MemoryRegionOps loom_dead_ops = {
    .read = loom_dead_read,
    .write = loom_dead_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 8 },
    .impl = { .min_access_size = 1, .max_access_size = 8 },
};

static void loom_dead_init(LoomState *s, MemoryRegion *dead,
                           MemoryRegion *bar)
{
    memory_region_init_io(dead, OBJECT(s), &loom_dead_ops, s, "loom-dead",
                          UINT64_MAX);
    memory_region_set_enabled(dead, false);
    memory_region_add_subregion_overlap(bar, 0, dead, 1);
}

/* Any thread: the card stops talking.  The BARs follow in a bottom half. */
static void loom_fall_silent(LoomState *s)
{
    qatomic_set(&s->dead, true);
    loom_core_set_bus_master(s->core, false);
}

/* For @ms of the guest's time, or for ever.  The BQL is held. */
static void loom_die(LoomState *s, uint32_t ms)
{
    loom_fall_silent(s);
    memory_region_transaction_begin();
    memory_region_set_enabled(&s->regs_dead, true);
    memory_region_set_enabled(&s->hbm_dead, true);
    memory_region_transaction_commit();
    if (ms) {
        timer_mod(&s->back, qemu_clock_get_ms(QEMU_CLOCK_VIRTUAL) + ms);
    } else {
        timer_del(&s->back);
    }
}

static void loom_come_back(void *opaque)
{
    LoomState *s = opaque;

    timer_del(&s->back);
    qatomic_set(&s->dead, false);
    memory_region_transaction_begin();
    memory_region_set_enabled(&s->regs_dead, false);
    memory_region_set_enabled(&s->hbm_dead, false);
    memory_region_transaction_commit();
}

/* Interrupts that come late */

static void loom_late(void *opaque)
{
    LoomLate *late = opaque;

    loom_core_raise(late->s->core, late - late->s->late);
}

/* Called from loom_core_deliver() only, thus with the BQL held. */
void loom_op_irq_later(void *opaque, unsigned int vector, uint32_t delay_ms)
{
    LoomState *s = opaque;

    timer_mod(&s->late[vector].timer,
              qemu_clock_get_ms(QEMU_CLOCK_VIRTUAL) + delay_ms);
}

/* Advanced Error Reporting */

static uint32_t loom_aer_status(const struct loom_inject_spec *spec)
{
    if (spec->status) {
        return spec->status;
    }
    switch (spec->kind) {
    case LOOM_INJECT_AER_CORRECTABLE:
        return PCI_ERR_COR_BAD_TLP;
    case LOOM_INJECT_AER_NONFATAL:
        return PCI_ERR_UNC_COMP_TIME;
    default:
        return PCI_ERR_UNC_MALF_TLP;
    }
}

static bool loom_is_aer(const struct loom_inject_spec *spec)
{
    return spec->kind >= LOOM_INJECT_AER_CORRECTABLE &&
           spec->kind <= LOOM_INJECT_AER_FATAL;
}

static void loom_report_aer(LoomState *s, const struct loom_inject_spec *spec)
{
    PCIDevice *pci_dev = PCI_DEVICE(s);
    uint8_t *severity = pci_dev->config + LOOM_ECAP_AER + PCI_ERR_UNCOR_SEVER;
    uint32_t saved = pci_get_long(severity);
    PCIEAERErr err = {
        .status = loom_aer_status(spec),
        .source_id = pci_requester_id(pci_dev),
    };

    if (spec->kind == LOOM_INJECT_AER_CORRECTABLE) {
        err.flags |= PCIE_AER_ERR_IS_CORRECTABLE;
    }
    if (spec->has_header) {
        err.flags |= PCIE_AER_ERR_HEADER_VALID;
        /* QEMU swaps them; in the register the first byte is the upper one. */
        for (int i = 0; i < ARRAY_SIZE(err.header); i++) {
            err.header[i] = bswap32(spec->header[i]);
        }
    }
    /* Of the severity that was asked for, whatever the guest thinks of it. */
    pci_set_long(severity, spec->kind == LOOM_INJECT_AER_FATAL ?
                           saved | err.status : saved & ~err.status);
    pcie_aer_inject_error(pci_dev, &err);
    pci_set_long(severity, saved);
}

/* Pulled out */

/*
 * The link of the slot went down.  QEMU's ports know no such event, and Linux
 * listens to no other for a slot with an attention button.
 */
static void loom_slot_link_down(PCIDevice *port)
{
    uint8_t *cap = port->config + port->exp.exp_cap;

    pci_word_test_and_set_mask(port->w1cmask + port->exp.exp_cap +
                               PCI_EXP_SLTSTA, PCI_EXP_SLTSTA_DLLSC);
    pci_word_test_and_set_mask(cap + PCI_EXP_SLTSTA, PCI_EXP_SLTSTA_DLLSC);
    if (!(pci_get_word(cap + PCI_EXP_SLTCTL) & PCI_EXP_SLTCTL_HPIE)) {
        return;
    }
    if (msix_enabled(port)) {
        msix_notify(port, pcie_cap_flags_get_vector(port));
    } else if (msi_enabled(port)) {
        msi_notify(port, pcie_cap_flags_get_vector(port));
    }
}

/*
 * Take the card out of its slot without asking the guest.  The port does that
 * for a slot whose power is off, so for a moment it is.  A port that is no slot
 * for hotplug keeps a card that does not answer.
 */
static void loom_leave_slot(LoomState *s)
{
    PCIDevice *port = pci_bridge_get_device(pci_get_bus(PCI_DEVICE(s)));
    Error *error = NULL;
    uint8_t *control;
    uint16_t saved;

    if (!port || !object_dynamic_cast(OBJECT(port), TYPE_PCIE_SLOT)) {
        return;
    }
    control = port->config + port->exp.exp_cap + PCI_EXP_SLTCTL;
    saved = pci_get_word(control);
    pci_set_word(control, (saved & ~PCI_EXP_SLTCTL_PIC) |
                          PCI_EXP_SLTCTL_PWR_IND_OFF | PCI_EXP_SLTCTL_PWR_OFF);
    pcie_cap_slot_unplug_request_cb(HOTPLUG_HANDLER(port), DEVICE(s), &error);
    pci_set_word(control, saved);
    trace_loom_removed(error ? error_get_pretty(error) : "by the port");
    if (error) {
        error_free(error);
        return;
    }
    loom_slot_link_down(port);
}

/* Faults of the bus */

typedef struct LoomStrike {
    LoomState *s;
    struct loom_inject_spec spec;
} LoomStrike;

static void loom_strike(void *opaque)
{
    g_autofree LoomStrike *strike = opaque;
    LoomState *s = strike->s;

    if (!s->core) {
        /* unplugged meanwhile */
    } else if (loom_is_aer(&strike->spec)) {
        loom_report_aer(s, &strike->spec);
    } else if (strike->spec.kind == LOOM_INJECT_LINK_DOWN) {
        pci_device_reset(PCI_DEVICE(s));
        loom_die(s, strike->spec.delay_ms);
    } else {
        s->removed = true;
        loom_die(s, 0);
        loom_leave_slot(s);
    }
    object_unref(OBJECT(s));
}

/* Any thread. */
void loom_op_inject(void *opaque, const struct loom_inject_spec *spec)
{
    LoomState *s = opaque;
    LoomStrike *strike = g_new(LoomStrike, 1);

    trace_loom_inject(loom_id(s), loom_inject_name(spec->kind));
    if (!loom_is_aer(spec)) {
        loom_fall_silent(s);
    }
    *strike = (LoomStrike) { .s = s, .spec = *spec };
    object_ref(OBJECT(s));
    aio_bh_schedule_oneshot(qemu_get_aio_context(), loom_strike, strike);
}

/* Reset: conventional, or function-level.  The BQL is held. */
void loom_fault_reset(LoomState *s, bool function_level)
{
    struct loom_inject_spec spec;

    for (unsigned i = 0; i < LOOM_MAX_VECTORS; i++) {
        timer_del(&s->late[i].timer);
    }
    if (s->removed) {
        return;
    }
    if (!function_level) {
        loom_come_back(s);
    } else if (loom_core_inject_flr(s->core, &spec)) {
        trace_loom_inject(loom_id(s), loom_inject_name(spec.kind));
        loom_die(s, spec.delay_ms);
    }
}

/* Properties */

static bool loom_check_aer(const char *text, Error **errp)
{
    g_auto(GStrv) items = g_strsplit(text, ";", -1);
    struct loom_inject_spec spec;
    uint32_t known;
    char buf[512];

    for (char **item = items; *item; item++) {
        if (loom_inject_parse(*item, &spec, buf, sizeof(buf)) ||
            !loom_is_aer(&spec) || !spec.status) {
            continue;
        }
        known = spec.kind == LOOM_INJECT_AER_CORRECTABLE ?
                PCI_ERR_COR_SUPPORTED : PCI_ERR_UNC_SUPPORTED;
        if ((spec.status & ~known) || !is_power_of_2(spec.status)) {
            error_setg(errp, "fault %s: status 0x%x is not one bit of 0x%x",
                       loom_inject_name(spec.kind), spec.status, known);
            return false;
        }
    }
    return true;
}

static bool loom_arm(LoomState *s, const char *text, Error **errp)
{
    const char *error;
    char buf[512];

    if (!strcmp(text, "none")) {
        loom_core_inject_clear(s->core);
        return true;
    }
    if (!loom_check_aer(text, errp)) {
        return false;
    }
    error = loom_core_inject(s->core, text, buf, sizeof(buf));
    if (error) {
        error_setg(errp, "%s", error);
    }
    return !error;
}

static void loom_set_inject(Object *obj, const char *value, Error **errp)
{
    LoomState *s = LOOM(obj);

    if (!DEVICE(s)->realized) {
        g_free(s->inject);
        s->inject = g_strdup(value);
    } else if (!s->core) {
        error_setg(errp, "the card has been unplugged");
    } else {
        loom_arm(s, value, errp);
    }
}

typedef struct LoomNumber {
    const char *name;
    uint64_t value;
    bool shown;
} LoomNumber;

static bool loom_visit_fault(Visitor *v, const struct loom_inject_state *f,
                             Error **errp)
{
    char *name = (char *)loom_inject_name(f->spec.kind);
    LoomNumber numbers[] = {
        { "after", f->spec.after, true },
        { "count", f->spec.count, true },
        { "chance", f->spec.chance, true },
        { "seed", f->spec.seed, true },
        { "queue", f->spec.queue, f->spec.queue != LOOM_INJECT_ANY },
        { "vector", f->spec.vector, f->spec.vector != LOOM_INJECT_ANY },
        { "addr", f->spec.addr, f->spec.addr != LOOM_INJECT_ANY },
        { "delay", f->spec.delay_ms, f->spec.delay_ms },
        { "status", f->spec.status, f->spec.status },
        { "seen", f->seen, true },
        { "fired", f->fired, true },
        { "last-seen", f->last_seen, f->fired },
        { "last-queue", f->last_queue, f->fired && f->last_queue != ~0u },
        { "last-addr", f->last_addr, f->fired && f->last_addr },
    };
    bool armed = !f->spec.count || f->fired < f->spec.count;
    bool ok;

    if (!visit_start_struct(v, NULL, NULL, 0, errp)) {
        return false;
    }
    ok = visit_type_str(v, "fault", &name, errp) &&
         visit_type_bool(v, "armed", &armed, errp);
    for (int i = 0; ok && i < ARRAY_SIZE(numbers); i++) {
        ok = !numbers[i].shown ||
             visit_type_uint64(v, numbers[i].name, &numbers[i].value, errp);
    }
    ok = ok && visit_check_struct(v, errp);
    visit_end_struct(v, NULL);
    return ok;
}

static void loom_get_faults(Object *obj, Visitor *v, const char *name,
                            void *opaque, Error **errp)
{
    LoomState *s = LOOM(obj);
    struct loom_inject_state state[LOOM_INJECT_MAX];
    unsigned n = s->core ? loom_core_inject_state(s->core, state,
                                                  LOOM_INJECT_MAX) : 0;

    if (!visit_start_list(v, name, NULL, 0, errp)) {
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        if (!loom_visit_fault(v, &state[i], errp)) {
            break;
        }
    }
    visit_end_list(v, NULL);
}

static void loom_get_poison(Object *obj, Visitor *v, const char *name,
                            void *opaque, Error **errp)
{
    LoomState *s = LOOM(obj);
    const unsigned max = 4096;
    g_autofree uint64_t *page = g_new(uint64_t, max);
    unsigned n = s->core ? loom_core_poison(s->core, page, max) : 0;

    if (!visit_start_list(v, name, NULL, 0, errp)) {
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        if (!visit_type_uint64(v, NULL, &page[i], errp)) {
            break;
        }
    }
    visit_end_list(v, NULL);
}

void loom_fault_class_init(ObjectClass *klass)
{
    object_class_property_add_str(klass, "inject", NULL, loom_set_inject);
    object_class_property_set_description(klass, "inject",
        "Arm faults: NAME[,KEY=VALUE]...[;...], or none to disarm all");
    object_class_property_add(klass, "faults", "list", loom_get_faults,
                              NULL, NULL, NULL);
    object_class_property_set_description(klass, "faults",
        "The armed faults and how often they struck");
    object_class_property_add(klass, "poison", "list", loom_get_poison,
                              NULL, NULL, NULL);
    object_class_property_set_description(klass, "poison",
        "HBM offsets of the poisoned pages");
}

/* Life.  The core and the BARs exist. */

bool loom_fault_init(LoomState *s, Error **errp)
{
    for (unsigned i = 0; i < LOOM_MAX_VECTORS; i++) {
        s->late[i].s = s;
        timer_init_ms(&s->late[i].timer, QEMU_CLOCK_VIRTUAL, loom_late,
                      &s->late[i]);
    }
    timer_init_ms(&s->back, QEMU_CLOCK_VIRTUAL, loom_come_back, s);
    loom_dead_init(s, &s->regs_dead, &s->regs_bar);
    loom_dead_init(s, &s->hbm_dead, &s->hbm_bar);
    if (s->inject && !loom_arm(s, s->inject, errp)) {
        loom_fault_exit(s);
        return false;
    }
    return true;
}

void loom_fault_exit(LoomState *s)
{
    for (unsigned i = 0; i < LOOM_MAX_VECTORS; i++) {
        timer_del(&s->late[i].timer);
    }
    timer_del(&s->back);
    memory_region_del_subregion(&s->regs_bar, &s->regs_dead);
    memory_region_del_subregion(&s->hbm_bar, &s->hbm_dead);
    g_clear_pointer(&s->inject, g_free);
}
