/*
 * Loom AI accelerator: what the files of the PCI Express side share
 *
 * loom-pci.c   realize, configuration space, BARs, reset, properties, threads
 * loom-dma.c   system memory, also behind an emulated IOMMU
 * loom-fault.c faults on demand, and those that concern the bus
 * loom-rebar.c the HBM BAR: its size and what it shows
 * loom-state.c snapshots and migration
 * loom-time.c  the virtual clock of a paced card, the trace of commands
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_LOOM_H
#define HW_LOOM_H

#include "qemu/queue.h"
#include "qemu/thread.h"
#include "qemu/timer.h"
#include "exec/memory.h"
#include "hw/pci/pci_device.h"
#include "system/hostmem.h"
#include "system/runstate.h"

#include "core/loom_core.h"
#include "core/tracefile.h"
#include "uapi/loom/loom_regs.h"

#define TYPE_LOOM "loom"
OBJECT_DECLARE_SIMPLE_TYPE(LoomState, LOOM)

/* Configuration space */
#define LOOM_CAP_PM             0x40
#define LOOM_CAP_MSIX           0x50
#define LOOM_CAP_EXPRESS        0x80
#define LOOM_ECAP_AER           0x100
#define LOOM_ECAP_SERIAL        0x150
#define LOOM_ECAP_REBAR         0x160

#define LOOM_MAX_WORKERS        64

typedef struct LoomDma LoomDma;

/* A vector that an injected fault delays */
typedef struct LoomLate {
    LoomState *s;
    QEMUTimer timer;
} LoomLate;

struct LoomState {
    PCIDevice parent_obj;

    struct loom_core *core;
    struct loom_core_config cfg;

    MemoryRegion regs_bar;
    MemoryRegion regs;
    MemoryRegion hbm_bar;
    /* The part of HBM that the BAR shows; bar_size is that after power-on */
    MemoryRegion hbm_view;
    uint64_t bar_size;
    MemoryRegion doorbells;

    /* hbm is @hbm_backend's memory or @hbm_ram */
    HostMemoryBackend *hbm_backend;
    MemoryRegion hbm_ram;
    MemoryRegion *hbm;

    uint32_t num_workers;
    QemuThread workers[LOOM_MAX_WORKERS];
    QEMUBH *deliver_bh;
    QEMUBH *run_bh;

    /* The VM is stopped, and the card was quiet when it was */
    VMChangeStateEntry *vm_change;
    bool stopped;
    bool quiet;

    /* Properties of loom-time.c; NULL: the default */
    char *timing_name;
    char *dataflow_name;
    char *trace_path;
    uint64_t trace_size;
    uint32_t time_scale;
    /* The tick of a paced card */
    QEMUTimer *timer;
    struct loom_trace_file *trace;

    /* Transfers that wait for the BQL; changes of these wake dma_cond */
    QEMUBH *dma_bh;
    QemuMutex dma_lock;
    QemuCond dma_cond;
    QSIMPLEQ_HEAD(, LoomDma) dma_queue;
    bool dma_closed;

    /* Faults to arm at the start */
    char *inject;
    LoomLate late[LOOM_MAX_VECTORS];
    /* The card does not answer (atomic), until @back, or for ever: @removed */
    bool dead;
    bool removed;
    QEMUTimer back;
    MemoryRegion regs_dead;
    MemoryRegion hbm_dead;
};

static inline const char *loom_id(LoomState *s)
{
    return DEVICE(s)->id ?: "loom";
}

/* loom-pci.c */

/* There may be work; without workers, the main loop has to do it. */
void loom_kick(LoomState *s);

/* From configuration space: may the card use the bus? */
void loom_update_bus_master(LoomState *s);

/* loom-state.c */

extern const VMStateDescription loom_vmstate;

/* With the core and before the workers; before the core is gone. */
void loom_state_init(LoomState *s);
void loom_state_fini(LoomState *s);

/* loom-dma.c */

/*
 * Copy between system memory and @buf.  Any thread, never takes the BQL.
 * Returns 0, or -1 when it is not all RAM.
 */
int loom_dma(LoomState *s, hwaddr addr, void *buf, hwaddr len, bool is_write);

/* The BQL is held.  After loom_dma_close() no transfer is translated. */
void loom_dma_init(LoomState *s);
void loom_dma_close(LoomState *s);
void loom_dma_fini(LoomState *s);

/* loom-fault.c; the BQL is held, but for loom_op_inject(). */

bool loom_fault_init(LoomState *s, Error **errp);
void loom_fault_exit(LoomState *s);
void loom_fault_reset(LoomState *s, bool function_level);
void loom_fault_class_init(ObjectClass *klass);
void loom_op_irq_later(void *opaque, unsigned int vector, uint32_t delay_ms);
void loom_op_inject(void *opaque, const struct loom_inject_spec *spec);

static inline bool loom_is_dead(LoomState *s)
{
    return qatomic_read(&s->dead);
}

/* loom-rebar.c; the BQL is held. */

bool loom_rebar_check(LoomState *s, Error **errp);
void loom_rebar_init_bar(LoomState *s);
void loom_rebar_exit_bar(LoomState *s);
void loom_rebar_init_cap(LoomState *s);
void loom_rebar_config_written(LoomState *s);
void loom_rebar_update_window(LoomState *s);
void loom_rebar_reset(LoomState *s, bool function_level);
void loom_rebar_pre_load(LoomState *s);
bool loom_rebar_post_load(LoomState *s);

/* A call in which the core may wait for workers that wait for the BQL */
typedef struct LoomCall LoomCall;
struct LoomCall {
    LoomState *s;
    void (*function)(LoomCall *call);
    hwaddr addr;
    uint64_t value;
    unsigned size;
    bool over;
};

/* Make it; the BQL is held. */
void loom_call(LoomCall *call);

/* loom-time.c; the BQL is held, but for the operations of the core */

uint64_t loom_op_now(void *opaque);
void loom_op_arm(void *opaque, uint64_t cycle);
void loom_op_trace_job(void *opaque, unsigned int queue, uint64_t seq,
                       uint32_t error, uint64_t start, uint64_t end);
void loom_op_trace_command(void *opaque, const struct loom_core_trace *t);

bool loom_time_check(LoomState *s, Error **errp);
/* Before the core is there, and after it is gone */
bool loom_time_init(LoomState *s, Error **errp);
void loom_time_fini(LoomState *s);

#endif
