/*
 * Loom AI accelerator: system memory
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

/*
 * An emulated IOMMU needs the BQL: to interrupt the guest for a fault and to
 * switch to pass-through.  A worker whose DMA has to be translated asks whoever
 * has the BQL to do it: a bottom half, or the thread that is in the core and
 * waits for that very worker (see loom_call()).
 *
 * dma_lock protects the list of transfers that wait; it is a leaf, taken with
 * or without the BQL.
 */

#include "qemu/osdep.h"
#include "qemu/lockable.h"
#include "qemu/main-loop.h"
#include "qemu/rcu.h"

#include "loom.h"
#include "trace.h"

/* A transfer, as far as it is not done yet. */
struct LoomDma {
    hwaddr addr;
    void *buf;
    hwaddr len;
    bool is_write;
    int result;
    bool over;
    QSIMPLEQ_ENTRY(LoomDma) next;
};

/*
 * Transfers.  Results are 0 or -1; inside, 1 when an IOMMU has to translate and
 * this is not the place.
 */

/*
 * Copy a prefix of [addr, addr + len) that is plain RAM.  Returns its length,
 * 0 if an IOMMU has to translate first, or -1.
 *
 * Not dma_memory_rw(): even when told to access memory only, it takes the BQL
 * for what is memory but cannot be accessed directly, such as a write to ROM.
 */
static int64_t loom_dma_direct(AddressSpace *as, hwaddr addr, void *buf,
                               hwaddr len, bool is_write)
{
    MemoryRegionCache cache;
    int64_t done = address_space_cache_init(&cache, as, addr, len, is_write);

    if (!cache.ptr || done <= 0) {
        done = memory_region_get_iommu(cache.mrs.mr) ? 0 : -1;
    } else if (is_write) {
        memcpy(cache.ptr, buf, done);
        address_space_cache_invalidate(&cache, 0, done);
    } else {
        /* Not memcpy(): QEMU's fuzzer wants to know of it. */
        address_space_read_cached(&cache, 0, buf, done);
    }
    address_space_cache_destroy(&cache);
    return done;
}

/* The same behind an IOMMU, at most to the end of its page. */
static int64_t loom_dma_translated(AddressSpace *as, hwaddr addr, void *buf,
                                   hwaddr len, bool is_write)
{
    const MemTxAttrs attrs = { .memory = 1 };
    IOMMUTLBEntry e = address_space_get_iotlb_entry(as, addr, is_write, attrs);
    hwaddr offset = addr & e.addr_mask;
    int64_t done;

    if (!e.target_as || !(e.perm & IOMMU_ACCESS_FLAG(!is_write, is_write))) {
        return -1;
    }
    done = loom_dma_direct(e.target_as, e.translated_addr + offset, buf,
                           MIN(len - 1, e.addr_mask - offset) + 1, is_write);
    return done ?: -1;
}

/* Do the transfer, or what is left of it. */
static int loom_dma_copy(LoomState *s, LoomDma *dma, bool may_translate)
{
    AddressSpace *as = pci_get_address_space(PCI_DEVICE(s));
    int64_t done;

    RCU_READ_LOCK_GUARD();
    /* Transfers are ordered among themselves, as in dma_memory_rw(). */
    smp_mb();
    for (; dma->len; dma->addr += done, dma->buf += done, dma->len -= done) {
        done = loom_dma_direct(as, dma->addr, dma->buf, dma->len,
                               dma->is_write);
        if (!done && !may_translate) {
            return 1;
        }
        if (!done) {
            done = loom_dma_translated(as, dma->addr, dma->buf, dma->len,
                                       dma->is_write);
        }
        if (done < 0) {
            return -1;
        }
    }
    return 0;
}

static void loom_dma_finish(LoomState *s, LoomDma *dma, int result)
{
    dma->result = result;
    dma->over = true;
    qemu_cond_broadcast(&s->dma_cond);
}

/* Do one transfer for a worker.  Both locks are held; false: there is none. */
static bool loom_dma_serve(LoomState *s)
{
    LoomDma *dma = QSIMPLEQ_FIRST(&s->dma_queue);
    int result;

    if (!dma) {
        return false;
    }
    QSIMPLEQ_REMOVE_HEAD(&s->dma_queue, next);
    qemu_mutex_unlock(&s->dma_lock);
    result = loom_dma_copy(s, dma, true);
    qemu_mutex_lock(&s->dma_lock);
    loom_dma_finish(s, dma, result);
    return true;
}

static void loom_dma_serve_all(void *opaque)
{
    LoomState *s = opaque;

    QEMU_LOCK_GUARD(&s->dma_lock);
    while (loom_dma_serve(s)) {
        /* one by one */
    }
}

/* Have a transfer done by whoever holds the BQL, and wait for that. */
static int loom_dma_ask(LoomState *s, LoomDma *dma)
{
    QEMU_LOCK_GUARD(&s->dma_lock);
    if (s->dma_closed) {
        return -1;
    }
    QSIMPLEQ_INSERT_TAIL(&s->dma_queue, dma, next);
    qemu_cond_broadcast(&s->dma_cond);
    qemu_bh_schedule(s->dma_bh);
    while (!dma->over) {
        qemu_cond_wait(&s->dma_cond, &s->dma_lock);
    }
    return dma->result;
}

/* From now on there is nobody to ask; a transfer that asks fails. */
void loom_dma_close(LoomState *s)
{
    LoomDma *dma;

    QEMU_LOCK_GUARD(&s->dma_lock);
    s->dma_closed = true;
    while ((dma = QSIMPLEQ_FIRST(&s->dma_queue))) {
        QSIMPLEQ_REMOVE_HEAD(&s->dma_queue, next);
        loom_dma_finish(s, dma, -1);
    }
}

int loom_dma(LoomState *s, hwaddr addr, void *buf, hwaddr len, bool is_write)
{
    LoomDma dma = { .addr = addr, .buf = buf, .len = len,
                    .is_write = is_write };
    int result = -1;

    if (addr + len >= addr) {
        result = loom_dma_copy(s, &dma, bql_locked());
    }
    if (result > 0) {
        result = loom_dma_ask(s, &dma);
    }
    if (result) {
        trace_loom_dma_error(loom_id(s), addr, len, is_write);
    }
    return result;
}

void loom_dma_init(LoomState *s)
{
    s->dma_bh = qemu_bh_new_guarded(loom_dma_serve_all, s,
                                    &DEVICE(s)->mem_reentrancy_guard);
    qemu_mutex_init(&s->dma_lock);
    qemu_cond_init(&s->dma_cond);
    QSIMPLEQ_INIT(&s->dma_queue);
    s->dma_closed = false;
}

void loom_dma_fini(LoomState *s)
{
    qemu_cond_destroy(&s->dma_cond);
    qemu_mutex_destroy(&s->dma_lock);
    qemu_bh_delete(s->dma_bh);
}

/*
 * Calls in which the core may wait for workers that wait for the BQL
 */

static void *loom_call_thread(void *opaque)
{
    LoomCall *call = opaque;
    LoomState *s = call->s;

    call->function(call);
    QEMU_LOCK_GUARD(&s->dma_lock);
    call->over = true;
    qemu_cond_broadcast(&s->dma_cond);
    return NULL;
}

/* Behind an IOMMU make the call in a thread and serve the workers meanwhile. */
void loom_call(LoomCall *call)
{
    LoomState *s = call->s;
    QemuThread thread;

    if (!s->num_workers || pci_device_iommu_address_space(PCI_DEVICE(s)) ==
                           &address_space_memory) {
        call->function(call);
        return;
    }
    qemu_thread_create(&thread, "loom-call", loom_call_thread, call,
                       QEMU_THREAD_JOINABLE);
    WITH_QEMU_LOCK_GUARD(&s->dma_lock) {
        while (!call->over) {
            if (!loom_dma_serve(s)) {
                qemu_cond_wait(&s->dma_cond, &s->dma_lock);
            }
        }
    }
    qemu_thread_join(&thread);
}
