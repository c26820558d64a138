/*
 * Loom AI accelerator: the PCI Express side
 *
 * The accelerator itself is a library without QEMU headers (core/).  This file
 * gives it a place on the PCI bus, memory, DMA, interrupts and threads, and
 * knows nothing of queues or commands.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

/**
 * Usage
 * -----
 *
 *      -device pcie-root-port,id=rp0 -device loom,bus=rp0
 *
 * HBM is private memory of hbm-size bytes, or any memory backend:
 *
 *      -object memory-backend-memfd,id=hbm0,size=1G
 *      -device loom,bus=rp0,hbm=hbm0
 *
 * Threads
 * -------
 *
 * The vCPUs and the main loop call the core with the BQL held, and wait there
 * while the core quiesces its engines.  The workers do the work without the
 * BQL and never take it, or a reset would deadlock: everything that the core
 * may call from a worker (DMA, notify, dirty tracking, log) gets by without.
 * Interrupts are therefore delivered from a bottom half.
 *
 * loom-dma.c tells how that goes together with an emulated IOMMU, which needs
 * the BQL.
 */

#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "qemu/log.h"
#include "qemu/main-loop.h"
#include "qemu/rcu.h"
#include "qemu/units.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "hw/pci/msix.h"
#include "hw/qdev-properties.h"
#include "migration/vmstate.h"

#include "loom.h"
#include "trace.h"

/* Commands per bottom half when there is no worker thread */
#define LOOM_RUN_BUDGET         16
/* A command may keep the main loop so long when there is no worker thread. */
#define LOOM_PATIENCE_NS        1000000000ull

/*
 * What the core asks of us
 */

static int loom_op_dma_read(void *opaque, uint64_t addr, void *buf, size_t len)
{
    return loom_dma(opaque, addr, buf, len, false);
}

static int loom_op_dma_write(void *opaque, uint64_t addr, const void *buf,
                             size_t len)
{
    return loom_dma(opaque, addr, (void *)buf, len, true);
}

/* Called from loom_core_deliver() only, thus with the BQL held. */
static void loom_op_irq(void *opaque, unsigned int vector)
{
    LoomState *s = opaque;

    trace_loom_irq(loom_id(s), vector);
    if (vector < s->cfg.num_vectors && msix_enabled(PCI_DEVICE(s))) {
        msix_notify(PCI_DEVICE(s), vector);
    } else {
        trace_loom_msix_off(loom_id(s), vector);
    }
}

static void loom_op_notify(void *opaque)
{
    LoomState *s = opaque;

    qemu_bh_schedule(s->deliver_bh);
}

static void loom_op_hbm_dirty(void *opaque, uint64_t offset, uint64_t len)
{
    LoomState *s = opaque;

    if (memory_region_is_logging(s->hbm, DIRTY_MEMORY_MIGRATION)) {
        memory_region_set_dirty(s->hbm, offset, len);
    }
}

static void loom_op_log(void *opaque, enum loom_log_level level,
                        const char *line)
{
    LoomState *s = opaque;

    if (level == LOOM_LOG_GUEST) {
        trace_loom_guest_error(loom_id(s), line);
        qemu_log_mask(LOG_GUEST_ERROR, "%s: %s\n", loom_id(s), line);
    } else {
        warn_report_once("%s: %s", loom_id(s), line);
    }
}

static const struct loom_core_ops loom_ops = {
    .dma_read = loom_op_dma_read,
    .dma_write = loom_op_dma_write,
    .irq = loom_op_irq,
    .notify = loom_op_notify,
    .hbm_dirty = loom_op_hbm_dirty,
    .log = loom_op_log,
    .trace_job = loom_op_trace_job,
    .irq_later = loom_op_irq_later,
    .inject = loom_op_inject,
    .trace_command = loom_op_trace_command,
    .now = loom_op_now,
    .arm = loom_op_arm,
};

/*
 * Who does the work: threads, or the main loop when there are none
 */

static void *loom_worker(void *opaque)
{
    LoomState *s = opaque;

    rcu_register_thread();
    while (loom_core_work(s->core)) {
        /* a slice at a time */
    }
    rcu_unregister_thread();
    return NULL;
}

static void loom_deliver(void *opaque)
{
    LoomState *s = opaque;

    /* They are part of a stopped card's state. */
    if (!s->stopped) {
        loom_core_deliver(s->core);
    }
}

static void loom_run(void *opaque)
{
    LoomState *s = opaque;

    if (loom_core_run(s->core, LOOM_RUN_BUDGET)) {
        qemu_bh_schedule(s->run_bh);
    }
}

/* A guest access may have made work, or raised an interrupt. */
void loom_kick(LoomState *s)
{
    if (!s->num_workers) {
        qemu_bh_schedule(s->run_bh);
    }
    /* With -icount a bottom half comes at another time in every run. */
    if (s->cfg.timing == LOOM_TIMING_EXACT) {
        loom_core_deliver(s->core);
    }
}

static void loom_start_workers(LoomState *s)
{
    for (uint32_t i = 0; i < s->num_workers; i++) {
        qemu_thread_create(&s->workers[i], "loom-worker", loom_worker, s,
                           QEMU_THREAD_JOINABLE);
    }
}

/* The BQL is held; the workers do not need it to come to an end. */
static void loom_stop_workers(LoomState *s)
{
    loom_core_stop(s->core);
    loom_dma_close(s);
    for (uint32_t i = 0; i < s->num_workers; i++) {
        qemu_thread_join(&s->workers[i]);
    }
}

static void loom_call_write(LoomCall *call)
{
    loom_core_mmio_write(call->s->core, call->addr, call->value, call->size);
}

static void loom_call_reset(LoomCall *call)
{
    loom_core_reset(call->s->core);
}

/*
 * BARs.  The core is NULL for an access that waited for the BQL while the
 * device was unplugged.
 */

static uint64_t loom_regs_read(void *opaque, hwaddr addr, unsigned size)
{
    LoomState *s = opaque;
    uint64_t value = ~0ull;

    if (s->core && !loom_is_dead(s)) {
        value = loom_core_mmio_read(s->core, addr, size);
    }
    trace_loom_mmio_read(loom_id(s), addr, value, size);
    return value;
}

static void loom_regs_write(void *opaque, hwaddr addr, uint64_t value,
                            unsigned size)
{
    LoomState *s = opaque;
    LoomCall call = { .s = s, .function = loom_call_write, .addr = addr,
                      .value = value, .size = size };

    trace_loom_mmio_write(loom_id(s), addr, value, size);
    if (s->core && !loom_is_dead(s)) {
        loom_call(&call);
        loom_rebar_update_window(s);
        loom_kick(s);
    }
}

static const MemoryRegionOps loom_regs_ops = {
    .read = loom_regs_read,
    .write = loom_regs_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 4, .max_access_size = 8 },
    .impl = { .min_access_size = 4, .max_access_size = 8 },
};

static uint64_t loom_doorbells_read(void *opaque, hwaddr addr, unsigned size)
{
    return loom_is_dead(opaque) ? ~0ull : 0;
}

static void loom_doorbells_write(void *opaque, hwaddr addr, uint64_t value,
                                 unsigned size)
{
    LoomState *s = opaque;

    trace_loom_doorbell(loom_id(s), addr / LOOM_DOORBELL_STRIDE, value);
    if (s->core && !loom_is_dead(s)) {
        loom_core_doorbell_write(s->core, addr, value, size);
        loom_kick(s);
    }
}

static const MemoryRegionOps loom_doorbells_ops = {
    .read = loom_doorbells_read,
    .write = loom_doorbells_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 4, .max_access_size = 8 },
    .impl = { .min_access_size = 4, .max_access_size = 8 },
};

/*
 * Configuration space and reset
 */

void loom_update_bus_master(LoomState *s)
{
    PCIDevice *pci_dev = PCI_DEVICE(s);
    uint16_t command = pci_get_word(pci_dev->config + PCI_COMMAND);
    uint16_t power = pci_get_word(pci_dev->config + LOOM_CAP_PM + PCI_PM_CTRL);
    bool on = (command & PCI_COMMAND_MASTER) &&
              !(power & PCI_PM_CTRL_STATE_MASK) && !loom_is_dead(s);

    trace_loom_bus_master(loom_id(s), on);
    loom_core_set_bus_master(s->core, on);
}

static uint32_t loom_config_read(PCIDevice *pci_dev, uint32_t addr, int len)
{
    return loom_is_dead(LOOM(pci_dev)) ? ~0u :
           pci_default_read_config(pci_dev, addr, len);
}

static void loom_config_write(PCIDevice *pci_dev, uint32_t addr, uint32_t val,
                              int len)
{
    if (loom_is_dead(LOOM(pci_dev))) {
        return;
    }
    pci_default_write_config(pci_dev, addr, val, len);
    pcie_cap_flr_write_config(pci_dev, addr, val, len);
    pcie_aer_write_config(pci_dev, addr, val, len);
    loom_rebar_config_written(LOOM(pci_dev));
    loom_update_bus_master(LOOM(pci_dev));
}

/* Conventional and function-level reset; bus mastering is off afterwards. */
static void loom_reset_hold(Object *obj, ResetType type)
{
    LoomState *s = LOOM(obj);
    LoomCall call = { .s = s, .function = loom_call_reset };
    uint16_t control = pci_get_word(PCI_DEVICE(s)->config + LOOM_CAP_EXPRESS +
                                    PCI_EXP_DEVCTL);
    bool function_level = control & PCI_EXP_DEVCTL_BCR_FLR;

    trace_loom_reset(loom_id(s));
    loom_core_set_bus_master(s->core, false);
    loom_call(&call);
    pcie_cap_deverr_reset(PCI_DEVICE(s));
    loom_rebar_reset(s, function_level);
    loom_fault_reset(s, function_level);
}

/*
 * Realize
 */

/* Unless told otherwise, cards count up in the order of their creation. */
static void loom_default_serial(LoomState *s)
{
    static uint64_t cards;
    struct loom_core_config cfg;

    if (!s->cfg.serial) {
        loom_core_config_default(&cfg);
        s->cfg.serial = cfg.serial + cards++;
    }
}

static bool loom_check_params(LoomState *s, Error **errp)
{
    char buf[256];
    g_autofree char *message = NULL;
    const char *error;

    if (!pci_bus_is_express(pci_get_bus(PCI_DEVICE(s)))) {
        error_setg(errp, "loom needs a PCI Express bus: use -machine q35 and "
                   "a pcie-root-port");
        return false;
    }
    if (s->num_workers > LOOM_MAX_WORKERS) {
        error_setg(errp, "workers is %u; it must be 0 to %u",
                   s->num_workers, LOOM_MAX_WORKERS);
        return false;
    }
    if (s->hbm_backend) {
        if (host_memory_backend_is_mapped(s->hbm_backend)) {
            error_setg(errp, "the memory backend '%s' of hbm is in use",
                       object_get_canonical_path_component(
                           OBJECT(s->hbm_backend)));
            return false;
        }
        s->cfg.hbm_size = memory_region_size(
            host_memory_backend_get_memory(s->hbm_backend));
    }
    if (!loom_time_check(s, errp)) {
        return false;
    }
    error = loom_core_config_check(&s->cfg, buf, sizeof(buf));
    if (error) {
        /* Properties are named as the members are, in QEMU's spelling. */
        message = g_strdelimit(g_strdup(error), "_", '-');
        error_setg(errp, "%s", message);
        return false;
    }
    loom_default_serial(s);
    return loom_rebar_check(s, errp);
}

static bool loom_init_caps(LoomState *s, Error **errp)
{
    PCIDevice *pci_dev = PCI_DEVICE(s);

    if (pci_pm_init(pci_dev, LOOM_CAP_PM, errp) < 0) {
        return false;
    }
    pci_set_word(pci_dev->config + LOOM_CAP_PM + PCI_PM_PMC,
                 PCI_PM_CAP_VER_1_2);
    pci_set_word(pci_dev->config + LOOM_CAP_PM + PCI_PM_CTRL,
                 PCI_PM_CTRL_NO_SOFT_RESET);
    pci_set_word(pci_dev->wmask + LOOM_CAP_PM + PCI_PM_CTRL,
                 PCI_PM_CTRL_STATE_MASK);

    if (pcie_endpoint_cap_init(pci_dev, LOOM_CAP_EXPRESS) < 0) {
        error_setg(errp, "cannot add the PCI Express capability");
        return false;
    }
    /* What a default pcie-root-port can match */
    pcie_cap_fill_link_ep_usp(pci_dev, QEMU_PCI_EXP_LNK_X16,
                              QEMU_PCI_EXP_LNK_16GT);
    pcie_cap_deverr_init(pci_dev);
    pcie_cap_flr_init(pci_dev);

    /* Extended capabilities are added in the order of their offsets. */
    if (pcie_aer_init(pci_dev, PCI_ERR_VER, LOOM_ECAP_AER, PCI_ERR_SIZEOF,
                      errp) < 0) {
        return false;
    }
    pcie_dev_ser_num_init(pci_dev, LOOM_ECAP_SERIAL, s->cfg.serial);
    loom_rebar_init_cap(s);
    return true;
}

static bool loom_init_hbm(LoomState *s, Error **errp)
{
    if (s->hbm_backend) {
        s->hbm = host_memory_backend_get_memory(s->hbm_backend);
        host_memory_backend_set_mapped(s->hbm_backend, true);
        vmstate_register_ram(s->hbm, DEVICE(s));
    } else {
        if (!memory_region_init_ram(&s->hbm_ram, OBJECT(s), "loom.hbm",
                                    s->cfg.hbm_size, errp)) {
            return false;
        }
        s->hbm = &s->hbm_ram;
    }

    loom_rebar_init_bar(s);
    pci_register_bar(PCI_DEVICE(s), LOOM_BAR_HBM,
                     PCI_BASE_ADDRESS_SPACE_MEMORY |
                     PCI_BASE_ADDRESS_MEM_TYPE_64 |
                     PCI_BASE_ADDRESS_MEM_PREFETCH, &s->hbm_bar);
    return true;
}

static void loom_exit_hbm(LoomState *s)
{
    loom_rebar_exit_bar(s);
    /* At once, for the memory may outlive us and a new card needs the name. */
    vmstate_unregister_ram(s->hbm, DEVICE(s));
    if (s->hbm_backend) {
        host_memory_backend_set_mapped(s->hbm_backend, false);
    }
}

static bool loom_init_regs(LoomState *s, Error **errp)
{
    PCIDevice *pci_dev = PCI_DEVICE(s);

    memory_region_init(&s->regs_bar, OBJECT(s), "loom-bar0",
                       LOOM_BAR_REGS_SIZE);
    memory_region_init_io(&s->regs, OBJECT(s), &loom_regs_ops, s,
                          "loom-regs", LOOM_REGS_SIZE);
    memory_region_add_subregion(&s->regs_bar, 0, &s->regs);
    pci_register_bar(pci_dev, LOOM_BAR_REGS, PCI_BASE_ADDRESS_SPACE_MEMORY,
                     &s->regs_bar);

    memory_region_init_io(&s->doorbells, OBJECT(s), &loom_doorbells_ops, s,
                          "loom-doorbells",
                          LOOM_MAX_QUEUES * LOOM_DOORBELL_STRIDE);
    pci_register_bar(pci_dev, LOOM_BAR_DOORBELL, PCI_BASE_ADDRESS_SPACE_MEMORY,
                     &s->doorbells);

    if (msix_init(pci_dev, s->cfg.num_vectors,
                  &s->regs_bar, LOOM_BAR_REGS, LOOM_MSIX_TABLE_OFFSET,
                  &s->regs_bar, LOOM_BAR_REGS, LOOM_MSIX_PBA_OFFSET,
                  LOOM_CAP_MSIX, errp) < 0) {
        memory_region_del_subregion(&s->regs_bar, &s->regs);
        return false;
    }
    for (uint32_t i = 0; i < s->cfg.num_vectors; i++) {
        msix_vector_use(pci_dev, i);
    }
    return true;
}

static void loom_exit_regs(LoomState *s)
{
    msix_unuse_all_vectors(PCI_DEVICE(s));
    msix_uninit(PCI_DEVICE(s), &s->regs_bar, &s->regs_bar);
    memory_region_del_subregion(&s->regs_bar, &s->regs);
}

static bool loom_init_core(LoomState *s, Error **errp)
{
    DeviceState *dev = DEVICE(s);

    if (!loom_time_init(s, errp)) {
        return false;
    }
    s->core = loom_core_create(&s->cfg, &loom_ops, s,
                               memory_region_get_ram_ptr(s->hbm));
    if (!s->core) {
        loom_time_fini(s);
        error_setg(errp, "no memory for the card's state and its %" PRIu64
                   " MiB of SRAM", s->cfg.sram_size / MiB);
        return false;
    }
    if (!s->num_workers) {
        loom_core_set_patience(s->core, LOOM_PATIENCE_NS);
    }
    /* The core notifies nobody before it is enabled. */
    s->deliver_bh = qemu_bh_new_guarded(loom_deliver, s,
                                        &dev->mem_reentrancy_guard);
    s->run_bh = qemu_bh_new_guarded(loom_run, s, &dev->mem_reentrancy_guard);
    loom_dma_init(s);
    loom_state_init(s);
    return true;
}

static void loom_exit_core(LoomState *s)
{
    loom_state_fini(s);
    loom_dma_fini(s);
    qemu_bh_delete(s->run_bh);
    qemu_bh_delete(s->deliver_bh);
    loom_core_destroy(s->core);
    s->core = NULL;
    loom_time_fini(s);
}

static void loom_realize(PCIDevice *pci_dev, Error **errp)
{
    LoomState *s = LOOM(pci_dev);

    if (!loom_check_params(s, errp) || !loom_init_caps(s, errp)) {
        return;
    }
    if (!loom_init_hbm(s, errp)) {
        goto err_aer;
    }
    if (!loom_init_regs(s, errp)) {
        goto err_hbm;
    }
    if (!loom_init_core(s, errp)) {
        goto err_regs;
    }
    loom_core_set_hbm_bar(s->core, s->bar_size);
    if (!loom_fault_init(s, errp)) {
        goto err_core;
    }
    loom_start_workers(s);
    return;

err_core:
    loom_exit_core(s);
err_regs:
    loom_exit_regs(s);
err_hbm:
    loom_exit_hbm(s);
err_aer:
    pcie_aer_exit(pci_dev);
}

static void loom_exit(PCIDevice *pci_dev)
{
    LoomState *s = LOOM(pci_dev);

    loom_stop_workers(s);
    loom_fault_exit(s);
    loom_exit_core(s);
    loom_exit_regs(s);
    loom_exit_hbm(s);
    pcie_aer_exit(pci_dev);
}

/*
 * Class
 */

/* Live counters as read-only properties: qom-get PATH perf-jobs */
static const char *const loom_perf_names[LOOM_PERF_COUNT] = {
    [LOOM_PERF_CYC_TOTAL]       = "perf-cycles-total",
    [LOOM_PERF_CYC_ARRAY]       = "perf-cycles-array",
    [LOOM_PERF_CYC_VECTOR]      = "perf-cycles-vector",
    [LOOM_PERF_CYC_COPY]        = "perf-cycles-copy",
    [LOOM_PERF_CYC_HBM]         = "perf-cycles-hbm",
    [LOOM_PERF_CYC_PCIE]        = "perf-cycles-pcie",
    [LOOM_PERF_CYC_FRONT]       = "perf-cycles-front",
    [LOOM_PERF_CYC_IDLE]        = "perf-cycles-idle",
    [LOOM_PERF_HBM_RD_BYTES]    = "perf-hbm-read-bytes",
    [LOOM_PERF_HBM_WR_BYTES]    = "perf-hbm-write-bytes",
    [LOOM_PERF_PCIE_RD_BYTES]   = "perf-pcie-read-bytes",
    [LOOM_PERF_PCIE_WR_BYTES]   = "perf-pcie-write-bytes",
    [LOOM_PERF_MACS]            = "perf-macs",
    [LOOM_PERF_VECTOR_OPS]      = "perf-vector-ops",
    [LOOM_PERF_COMMANDS]        = "perf-commands",
    [LOOM_PERF_JOBS]            = "perf-jobs",
    [LOOM_PERF_FAULTS]          = "perf-faults",
};

static void loom_get_perf(Object *obj, Visitor *v, const char *name,
                          void *opaque, Error **errp)
{
    LoomState *s = LOOM(obj);
    unsigned int counter = (uintptr_t)opaque;
    uint64_t value = s->core ? loom_core_perf(s->core, counter) : 0;

    visit_type_uint64(v, name, &value, errp);
}

#define LOOM_PROP_U32(_name, _member)                                   \
    DEFINE_PROP_UNSIGNED_NODEFAULT(_name, LoomState, cfg._member,       \
                                   qdev_prop_uint32, uint32_t)
#define LOOM_PROP_SIZE(_name, _member)                                  \
    DEFINE_PROP_UNSIGNED_NODEFAULT(_name, LoomState, cfg._member,       \
                                   qdev_prop_size, uint64_t)

/* The defaults are the core's: see loom_instance_init(). */
static const Property loom_props[] = {
    DEFINE_PROP_LINK("hbm", LoomState, hbm_backend, TYPE_MEMORY_BACKEND,
                     HostMemoryBackend *),
    LOOM_PROP_SIZE("hbm-size", hbm_size),
    LOOM_PROP_SIZE("sram-size", sram_size),
    DEFINE_PROP_UNSIGNED_NODEFAULT("serial", LoomState, cfg.serial,
                                   qdev_prop_uint64, uint64_t),
    LOOM_PROP_U32("num-arrays", num_arrays),
    LOOM_PROP_U32("array-rows", array_rows),
    LOOM_PROP_U32("array-cols", array_cols),
    LOOM_PROP_U32("clock-khz", clock_khz),
    LOOM_PROP_U32("vector-lanes", vector_lanes),
    LOOM_PROP_U32("hbm-channels", hbm_channels),
    LOOM_PROP_U32("hbm-channel-mbps", hbm_channel_mbps),
    LOOM_PROP_U32("pcie-mbps", pcie_mbps),
    LOOM_PROP_U32("num-queues", num_queues),
    LOOM_PROP_U32("num-contexts", num_contexts),
    LOOM_PROP_U32("num-vectors", num_vectors),
    LOOM_PROP_U32("static-mw", static_mw),
    LOOM_PROP_U32("mac-fj", mac_fj),
    LOOM_PROP_U32("vector-op-fj", vector_op_fj),
    LOOM_PROP_U32("hbm-byte-fj", hbm_byte_fj),
    LOOM_PROP_U32("pcie-byte-fj", pcie_byte_fj),
    LOOM_PROP_U32("ambient-mc", ambient_mc),
    LOOM_PROP_U32("thermal-mc-per-w", thermal_mc_per_w),
    LOOM_PROP_U32("thermal-tau-us", thermal_tau_us),
    LOOM_PROP_U32("temp-crit-mc", temp_crit_mc),
    DEFINE_PROP_SIZE("bar-size", LoomState, bar_size, 0),
    DEFINE_PROP_UINT32("workers", LoomState, num_workers, 1),
    DEFINE_PROP_STRING("timing", LoomState, timing_name),
    DEFINE_PROP_UINT32("time-scale", LoomState, time_scale, 1),
    DEFINE_PROP_STRING("dataflow", LoomState, dataflow_name),
    DEFINE_PROP_STRING("trace-file", LoomState, trace_path),
    DEFINE_PROP_SIZE("trace-size", LoomState, trace_size, 256 * MiB),
};

static void loom_instance_init(Object *obj)
{
    LoomState *s = LOOM(obj);

    loom_core_config_default(&s->cfg);
    s->cfg.serial = 0;
}

static void loom_class_init(ObjectClass *klass, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    PCIDeviceClass *pc = PCI_DEVICE_CLASS(klass);
    ResettableClass *rc = RESETTABLE_CLASS(klass);

    pc->realize = loom_realize;
    pc->exit = loom_exit;
    pc->config_read = loom_config_read;
    pc->config_write = loom_config_write;
    pc->vendor_id = LOOM_PCI_VENDOR_ID;
    pc->device_id = LOOM_PCI_DEVICE_ID;
    pc->subsystem_vendor_id = LOOM_PCI_VENDOR_ID;
    pc->subsystem_id = LOOM_PCI_DEVICE_ID;
    pc->revision = LOOM_HW_VERSION_MAJOR;
    pc->class_id = LOOM_PCI_CLASS;

    rc->phases.hold = loom_reset_hold;

    dc->desc = "Loom AI accelerator";
    dc->vmsd = &loom_vmstate;
    device_class_set_props(dc, loom_props);
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);

    loom_fault_class_init(klass);
    for (uintptr_t i = 0; i < LOOM_PERF_COUNT; i++) {
        object_class_property_add(klass, loom_perf_names[i], "uint64",
                                  loom_get_perf, NULL, NULL, (void *)i);
    }
}

static const TypeInfo loom_types[] = {
    {
        .name = TYPE_LOOM,
        .parent = TYPE_PCI_DEVICE,
        .instance_size = sizeof(LoomState),
        .instance_init = loom_instance_init,
        .class_init = loom_class_init,
        .interfaces = (InterfaceInfo[]) {
            { INTERFACE_PCIE_DEVICE },
            { }
        },
    },
};

DEFINE_TYPES(loom_types)
