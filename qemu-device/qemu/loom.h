/*
 * Loom AI accelerator: what the files of the PCI Express side share
 *
 * loom-pci.c   realize, configuration space, BARs, reset, properties, threads
 * loom-dma.c   system memory, also behind an emulated IOMMU
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_LOOM_H
#define HW_LOOM_H

#include "qemu/queue.h"
#include "qemu/thread.h"
#include "exec/memory.h"
#include "hw/pci/pci_device.h"
#include "system/hostmem.h"

#include "core/loom_core.h"
#include "uapi/loom/loom_regs.h"

#define TYPE_LOOM "loom"
OBJECT_DECLARE_SIMPLE_TYPE(LoomState, LOOM)

/* Configuration space */
#define LOOM_CAP_PM             0x40
#define LOOM_CAP_MSIX           0x50
#define LOOM_CAP_EXPRESS        0x80
#define LOOM_ECAP_AER           0x100
#define LOOM_ECAP_SERIAL        0x150

#define LOOM_MAX_WORKERS        64

typedef struct LoomDma LoomDma;

struct LoomState {
    PCIDevice parent_obj;

    struct loom_core *core;
    struct loom_core_config cfg;

    MemoryRegion regs_bar;
    MemoryRegion regs;
    MemoryRegion hbm_bar;
    MemoryRegion doorbells;

    /* hbm is @hbm_backend's memory or @hbm_ram */
    HostMemoryBackend *hbm_backend;
    MemoryRegion hbm_ram;
    MemoryRegion *hbm;

    uint32_t num_workers;
    QemuThread workers[LOOM_MAX_WORKERS];
    QEMUBH *deliver_bh;
    QEMUBH *run_bh;

    /* Transfers that wait for the BQL; changes of these wake dma_cond */
    QEMUBH *dma_bh;
    QemuMutex dma_lock;
    QemuCond dma_cond;
    QSIMPLEQ_HEAD(, LoomDma) dma_queue;
    bool dma_closed;
};

static inline const char *loom_id(LoomState *s)
{
    return DEVICE(s)->id ?: "loom";
}

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

#endif
