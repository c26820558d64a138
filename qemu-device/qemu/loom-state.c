/*
 * Loom AI accelerator: snapshots and migration
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

/*
 * A stopped VM has a card whose engines rest: the command that runs when the VM
 * is stopped is finished, and no other begins.  So the core's state is one
 * between two commands, and no memory changes behind the back of whoever saves
 * it.  A guest can have commands that run for hours; those are not waited for
 * longer than LOOM_QUIESCE_MS, and then the card cannot be saved until the VM is
 * stopped again and finds it quiet.
 *
 * The card's configuration goes ahead of the memory, so that a destination of
 * another shape refuses at once and says why.
 *
 * All of this runs with the BQL held.
 */

#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "hw/pci/msix.h"
#include "hw/pci/pcie_aer.h"
#include "migration/qemu-file-types.h"
#include "migration/vmstate.h"
#include "system/runstate.h"

#include "loom.h"
#include "trace.h"

/* Of the 2 s that a guest may hold up QEMU at most */
#define LOOM_QUIESCE_MS         1500

/*
 * Stop and go
 */

static void loom_call_pause(LoomCall *call)
{
    call->value = loom_core_pause(call->s->core, call->value);
}

static void loom_pause(LoomState *s, unsigned timeout_ms)
{
    LoomCall call = { .s = s, .function = loom_call_pause,
                      .value = timeout_ms };
    int64_t start = g_get_monotonic_time();

    s->stopped = true;
    loom_call(&call);
    s->quiet = call.value;
    trace_loom_pause(loom_id(s), s->quiet, g_get_monotonic_time() - start);
}

static void loom_resume(LoomState *s)
{
    s->stopped = false;
    s->quiet = false;
    loom_core_resume(s->core);
    loom_kick(s);
    trace_loom_resume(loom_id(s));
}

static void loom_vm_state_changed(void *opaque, bool running, RunState state)
{
    LoomState *s = opaque;

    if (running && s->stopped) {
        loom_resume(s);
    } else if (!running && !s->stopped) {
        /* Nothing comes after the end, that anyone should wait for it. */
        loom_pause(s, state == RUN_STATE_SHUTDOWN ? 0 : LOOM_QUIESCE_MS);
    }
}

/*
 * The core's state in the stream: its length, and what loom_core_save() gave
 */

static int loom_put_state(QEMUFile *f, LoomState *s, void *data, size_t len)
{
    if (!data) {
        error_report("%s: the card's state cannot be saved", loom_id(s));
        return -ENOMEM;
    }
    qemu_put_be32(f, len);
    qemu_put_buffer(f, data, len);
    free(data);
    return 0;
}

/* The stream is not to be trusted: no length is believed. */
static int loom_get_state(QEMUFile *f, LoomState *s, uint8_t **data,
                          size_t *len)
{
    *len = qemu_get_be32(f);
    *data = NULL;
    if (*len > loom_core_state_max(&s->cfg)) {
        error_report("%s: a saved state of %zu bytes is too long; it has at "
                     "most %zu", loom_id(s), *len,
                     loom_core_state_max(&s->cfg));
        return -EINVAL;
    }
    *data = g_try_malloc(*len);
    if (!*data && *len) {
        return -ENOMEM;
    }
    return qemu_get_buffer(f, *data, *len) == *len ? 0 : -EIO;
}

/* Properties are named as the core's members are, in QEMU's spelling. */
static int loom_refuse(LoomState *s, char *why)
{
    error_report("%s: cannot load the card: %s", loom_id(s),
                 g_strdelimit(why, "_", '-'));
    return -EINVAL;
}

static int loom_put_config(QEMUFile *f, void *pv, size_t size,
                           const VMStateField *field, JSONWriter *vmdesc)
{
    LoomState *s = pv;
    size_t len = 0;
    void *data = loom_core_save_config(s->core, &len);

    return loom_put_state(f, s, data, len);
}

static int loom_get_config(QEMUFile *f, void *pv, size_t size,
                           const VMStateField *field)
{
    LoomState *s = pv;
    g_autofree uint8_t *data = NULL;
    char why[256];
    size_t len;
    int ret = loom_get_state(f, s, &data, &len);

    if (!ret && loom_core_check_config(s->core, data, len, why, sizeof(why))) {
        ret = loom_refuse(s, why);
    }
    return ret;
}

static int loom_put_core(QEMUFile *f, void *pv, size_t size,
                         const VMStateField *field, JSONWriter *vmdesc)
{
    LoomState *s = pv;
    void *data;
    size_t len = 0;

    if (s->dead) {
        error_report("%s: cannot save the card: a fault keeps it from "
                     "answering", loom_id(s));
        return -EBUSY;
    }
    if (!s->quiet) {
        error_report("%s: cannot save the card: a command ran for more than "
                     "%d ms when the VM was stopped; try again",
                     loom_id(s), LOOM_QUIESCE_MS);
        return -EBUSY;
    }
    data = loom_core_save(s->core, &len);
    return loom_put_state(f, s, data, len);
}

static int loom_get_core(QEMUFile *f, void *pv, size_t size,
                         const VMStateField *field)
{
    LoomState *s = pv;
    g_autofree uint8_t *data = NULL;
    char why[256];
    size_t len;
    int ret = loom_get_state(f, s, &data, &len);

    if (!ret && loom_core_load(s->core, data, len, why, sizeof(why))) {
        ret = loom_refuse(s, why);
    }
    return ret;
}

static const VMStateInfo loom_info_config = {
    .name = "loom configuration",
    .get = loom_get_config,
    .put = loom_put_config,
};

static const VMStateInfo loom_info_core = {
    .name = "loom core",
    .get = loom_get_core,
    .put = loom_put_core,
};

#define LOOM_VMSTATE_WHOLE(_name, _info) {      \
        .name = _name,                          \
        .size = sizeof(LoomState),              \
        .info = &_info,                         \
        .flags = VMS_SINGLE,                    \
    }

static const VMStateDescription loom_vmstate_config = {
    .name = "loom-config",
    .version_id = 1,
    .minimum_version_id = 1,
    .early_setup = true,
    /* Before RAM, which has the default */
    .priority = MIG_PRI_IOMMU,
    .fields = (const VMStateField[]) {
        LOOM_VMSTATE_WHOLE("config", loom_info_config),
        VMSTATE_END_OF_LIST()
    }
};

static const VMStateDescription loom_vmstate_late = {
    .name = "loom-late",
    .version_id = 1,
    .minimum_version_id = 1,
    .fields = (const VMStateField[]) {
        VMSTATE_TIMER(timer, LoomLate),
        VMSTATE_END_OF_LIST()
    }
};

static int loom_pre_load(void *opaque)
{
    loom_rebar_pre_load(opaque);
    return 0;
}

static int loom_post_load(void *opaque, int version_id)
{
    LoomState *s = opaque;

    if (!loom_rebar_post_load(s)) {
        error_report("%s: cannot load the card: its HBM BAR has an impossible "
                     "size or address", loom_id(s));
        return -EINVAL;
    }
    loom_update_bus_master(s);
    s->quiet = true;
    return 0;
}

const VMStateDescription loom_vmstate = {
    .name = "loom",
    .version_id = 1,
    .minimum_version_id = 1,
    .pre_load = loom_pre_load,
    .post_load = loom_post_load,
    .fields = (const VMStateField[]) {
        VMSTATE_PCI_DEVICE(parent_obj, LoomState),
        VMSTATE_STRUCT(parent_obj.exp.aer_log, LoomState, 0,
                       vmstate_pcie_aer_log, PCIEAERLog),
        VMSTATE_MSIX(parent_obj, LoomState),
        LOOM_VMSTATE_WHOLE("core", loom_info_core),
        VMSTATE_STRUCT_ARRAY(late, LoomState, LOOM_MAX_VECTORS, 1,
                             loom_vmstate_late, LoomLate),
        VMSTATE_END_OF_LIST()
    }
};

/*
 * Life
 */

void loom_state_init(LoomState *s)
{
    DeviceState *dev = DEVICE(s);

    s->vm_change = qdev_add_vm_change_state_handler(dev, loom_vm_state_changed,
                                                    s);
    vmstate_register_any(VMSTATE_IF(s), &loom_vmstate_config, s);
    if (!runstate_is_live(runstate_get())) {
        loom_pause(s, 0);
    }
}

void loom_state_fini(LoomState *s)
{
    vmstate_unregister(VMSTATE_IF(s), &loom_vmstate_config, s);
    qemu_del_vm_change_state_handler(s->vm_change);
}
