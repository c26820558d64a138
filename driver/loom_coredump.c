// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DOC: Dumps
 *
 * When a job fails or hangs, what led to it is put into a device coredump
 * (/sys/class/devcoredump), as text; Documentation/coredump.rst describes it and
 * "accel-smi dump" reads it.
 *
 * That has two halves.  In the fence signalling path the ring is copied into
 * memory that was allocated when the card was brought up.  A work item then adds
 * what needs locks: the mappings of the VM, and the commands around the one at
 * fault as they are by then.
 *
 * Who takes what is there takes all: while a dump is being written, and for
 * LOOM_COREDUMP_PAUSE after, further failures are not recorded.
 *
 * Locking: loom_coredump.busy is taken by loom_coredump_begin() and given back by
 * the work item; whoever has it owns the rest.
 */
#include <linux/devcoredump.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/sizes.h>
#include <linux/utsname.h>
#include <linux/vmalloc.h>

#include <drm/drm_drv.h>
#include <drm/drm_managed.h>
#include <drm/drm_print.h>

#include "loom_bo.h"
#include "loom_compat.h"
#include "loom_coredump.h"
#include "loom_device.h"
#include "loom_vm.h"

#define LOOM_COREDUMP_PAUSE	(5 * HZ)
#define LOOM_COREDUMP_SIZE	SZ_256K
/* Bytes of commands, as far as possible in the middle the one at fault. */
#define LOOM_COREDUMP_COMMANDS	SZ_16K
/* Mappings that are listed. */
#define LOOM_COREDUMP_MAPPINGS	1024

/**
 * struct loom_coredump - the dump being written
 */
struct loom_coredump {
	/** @ldev: the card */
	struct loom_device *ldev;
	/** @busy: bit 0: somebody owns the rest */
	unsigned long busy;
	/** @next: no dump before this, in jiffies */
	unsigned long next;
	/** @work: the second half */
	struct work_struct work;
	/** @why: what happened */
	const char *why;
	/** @when: when it did */
	ktime_t when;
	/** @status: LOOM_REG_STATUS then */
	u32 status;
	/** @time: LOOM_REG_TIME then */
	u64 time;
	/** @ring: the ring then */
	struct loom_coredump_ring ring;
};

/* The first half: no allocation, no locks --------------------------------- */

/**
 * loom_coredump_begin() - somewhere to copy a failing ring to
 * @ldev: the card
 *
 * Return: where to, for loom_coredump_end(), or NULL if there is no need.
 */
struct loom_coredump_ring *loom_coredump_begin(struct loom_device *ldev)
{
	struct loom_coredump *dump = ldev->coredump;

	if (time_before(jiffies, READ_ONCE(dump->next)) ||
	    test_and_set_bit(0, &dump->busy))
		return NULL;
	memset(&dump->ring, 0, sizeof(dump->ring));
	return &dump->ring;
}

/* The copy is complete; @why is a string that stays. */
void loom_coredump_end(struct loom_device *ldev, const char *why)
{
	struct loom_coredump *dump = ldev->coredump;

	dump->why = why;
	dump->when = ktime_get_real();
	dump->status = loom_read32(ldev, LOOM_REG_STATUS);
	dump->time = loom_read64(ldev, LOOM_REG_TIME);
	queue_work(system_unbound_wq, &dump->work);
}

/* Text -------------------------------------------------------------------- */

static void loom_coredump_print_head(struct loom_coredump *dump,
				     struct drm_printer *p)
{
	struct loom_device *ldev = dump->ldev;
	struct timespec64 when = ktime_to_timespec64(dump->when);

	drm_puts(p, "---\nformat: loom-coredump 1\n");
	drm_printf(p, "kernel: %s\n", init_utsname()->release);
	drm_printf(p, "time: %lld.%09ld\n", when.tv_sec, when.tv_nsec);
	drm_printf(p, "reason: %s\n", dump->why);
	drm_puts(p, "device:\n");
	drm_printf(p, "  bus: %s\n", dev_name(ldev->drm.dev));
	drm_printf(p, "  serial: 0x%016llx\n", ldev->hw.serial);
	drm_printf(p, "  hw-version: %u.%u\n", ldev->hw.version >> 16,
		   ldev->hw.version & 0xffff);
	drm_printf(p, "  isa-version: %u\n", ldev->hw.isa_version);
	drm_printf(p, "  status: 0x%x\n", dump->status);
	drm_printf(p, "  cycle: %llu\n", dump->time);
}

static void loom_coredump_print_queue(const struct loom_coredump_ring *ring,
				      struct drm_printer *p)
{
	const struct drm_loom_queue_state *state = &ring->state;
	unsigned int i;

	drm_puts(p, "queue:\n");
	drm_printf(p, "  id: %u\n  context: %u\n  priority: %u\n", ring->id,
		   ring->ctx, ring->priority);
	drm_printf(p, "  emitted: %llu\n  done: %llu\n", ring->emitted,
		   ring->done);
	drm_puts(p, "  registers:\n");
	for (i = 0; i < ARRAY_SIZE(ring->regs); i++)
		drm_printf(p, "    0x%02zx: 0x%08x\n", i * sizeof(u32),
			   ring->regs[i]);
	drm_puts(p, "fault:\n");
	drm_printf(p, "  job: %llu\n  state: 0x%x\n  error: %u\n", ring->job,
		   state->state, state->error);
	drm_printf(p, "  opcode: %u\n  cmd-index: %u\n  cmd-offset: %u\n",
		   state->opcode, state->cmd_index, state->cmd_offset);
	drm_printf(p, "  field: %u\n  access: %u\n  address: 0x%llx\n",
		   state->field, state->access, state->fault_addr);
}

static void loom_coredump_print_jobs(const struct loom_coredump_ring *ring,
				     struct drm_printer *p)
{
	unsigned int i;

	drm_puts(p, "ring:\n");
	for (i = 0; i < LOOM_COREDUMP_JOBS && ring->job + i <= ring->emitted; i++) {
		const struct loom_ring_entry *e = &ring->entries[i];
		const struct loom_completion *c = &ring->compl[i];

		drm_printf(p, "  - { job: %llu, type: %u, flags: 0x%x, cmd-va: 0x%llx, cmd-size: %u, completed: %llu, error: %u, start: %llu, end: %llu }\n",
			   e->seq, e->type, e->flags, e->cmd_va, e->cmd_size,
			   c->seq, c->error, c->start, c->end);
	}
}

static const char *loom_coredump_kind(const struct drm_gpuva *va)
{
	if (!va->gem.obj)
		return "sram";
	return to_loom_bo(va->gem.obj)->placement == DRM_LOOM_PLACE_HBM ?
	       "hbm" : "system";
}

static void loom_coredump_print_mappings(struct loom_vm *vm,
					 struct drm_printer *p)
{
	unsigned int left = LOOM_COREDUMP_MAPPINGS;
	struct drm_gpuva *va;

	lockdep_assert_held(&vm->lock);
	drm_puts(p, "mappings:\n");
	drm_gpuvm_for_each_va(va, &vm->base) {
		if (!left--) {
			drm_puts(p, "  # there are more\n");
			break;
		}
		drm_printf(p, "  - { va: 0x%llx, size: 0x%llx, kind: %s, access: %s, offset: 0x%llx }\n",
			   va->va.addr, va->va.range, loom_coredump_kind(va),
			   container_of(va, struct loom_vma, base)->flags &
			   DRM_LOOM_VM_MAP_READONLY ? "ro" : "rw",
			   va->gem.offset);
	}
}

/* Commands ---------------------------------------------------------------- */

static void loom_coredump_print_words(const u32 *word, u64 offset, u32 bytes,
				      struct drm_printer *p)
{
	u32 i;

	for (i = 0; i < bytes / sizeof(u32); i += 8)
		drm_printf(p, "    %08llx: %08x %08x %08x %08x %08x %08x %08x %08x\n",
			   offset + i * sizeof(u32), word[i], word[i + 1],
			   word[i + 2], word[i + 3], word[i + 4], word[i + 5],
			   word[i + 6], word[i + 7]);
}

/* One page of an object that is locked. */
static void loom_coredump_print_page(struct loom_bo *bo, u64 pos, u64 offset,
				     u32 bytes, struct drm_printer *p)
{
	u32 words[256 / sizeof(u32)];
	struct ttm_bo_kmap_obj map;
	bool is_iomem;
	void *cpu;
	u32 i, n;

	if (ttm_bo_kmap(&bo->ttm, pos >> PAGE_SHIFT, 1, &map))
		return;
	cpu = ttm_kmap_obj_virtual(&map, &is_iomem) + offset_in_page(pos);
	for (i = 0; i < bytes; i += n) {
		n = min_t(u32, bytes - i, sizeof(words));
		if (is_iomem)
			memcpy_fromio(words, (void __iomem __force *)cpu + i, n);
		else
			memcpy(words, cpu + i, n);
		loom_coredump_print_words(words, offset + i, n, p);
	}
	ttm_bo_kunmap(&map);
}

/* Bytes [offset, end) of the commands at @cmd_va, as far as they are mapped. */
static void loom_coredump_print_range(struct loom_vm *vm, u64 cmd_va, u64 offset,
				      u64 end, struct drm_printer *p)
{
	struct drm_gpuva *va;
	struct loom_bo *bo;
	u64 pos;
	u32 n;

	for (; offset < end; offset += n) {
		n = min_t(u64, end - offset,
			  PAGE_SIZE - offset_in_page(cmd_va + offset));
		va = drm_gpuva_find_first(&vm->base, cmd_va + offset, 1);
		if (!va || !va->gem.obj)
			return;
		bo = to_loom_bo(va->gem.obj);
		pos = va->gem.offset + cmd_va + offset - va->va.addr;
		if (dma_resv_lock_interruptible(va->gem.obj->resv, NULL))
			return;
		loom_coredump_print_page(bo, pos, offset, n, p);
		dma_resv_unlock(va->gem.obj->resv);
	}
}

static void loom_coredump_print_commands(const struct loom_coredump_ring *ring,
					 struct drm_printer *p)
{
	u64 size = ring->what.cmd_size, begin = 0;
	u64 middle = ring->state.cmd_offset;

	if (middle > LOOM_COREDUMP_COMMANDS / 2)
		begin = ALIGN_DOWN(middle - LOOM_COREDUMP_COMMANDS / 2, 64);
	drm_printf(p, "commands:\n  va: 0x%llx\n  size: %llu\n  data:\n",
		   ring->what.cmd_va, size);
	loom_coredump_print_range(ring->vm, ring->what.cmd_va, begin,
				  min(size, begin + LOOM_COREDUMP_COMMANDS), p);
}

/* The second half --------------------------------------------------------- */

static void loom_coredump_print_vm(struct loom_coredump *dump,
				   struct drm_printer *p)
{
	struct loom_vm *vm = dump->ring.vm;
	int idx;

	mutex_lock(&vm->lock);
	loom_coredump_print_mappings(vm, p);
	if (drm_dev_enter(&dump->ldev->drm, &idx)) {
		loom_coredump_print_commands(&dump->ring, p);
		drm_dev_exit(idx);
	}
	mutex_unlock(&vm->lock);
}

static void loom_coredump_publish(struct loom_coredump *dump, void *text)
{
	struct drm_print_iterator iter = {
		.data = text,
		.remain = LOOM_COREDUMP_SIZE,
	};
	struct drm_printer p = drm_coredump_printer(&iter);

	loom_coredump_print_head(dump, &p);
	loom_coredump_print_queue(&dump->ring, &p);
	loom_coredump_print_jobs(&dump->ring, &p);
	if (dump->ring.vm)
		loom_coredump_print_vm(dump, &p);
	dev_coredumpv(dump->ldev->drm.dev, text,
		      LOOM_COREDUMP_SIZE - iter.remain, GFP_KERNEL);
}

static void loom_coredump_work(struct work_struct *work)
{
	struct loom_coredump *dump = container_of(work, struct loom_coredump, work);
	void *text = vmalloc(LOOM_COREDUMP_SIZE);

	if (text)
		loom_coredump_publish(dump, text);
	loom_vm_put(dump->ring.vm);
	WRITE_ONCE(dump->next, jiffies + LOOM_COREDUMP_PAUSE);
	clear_bit_unlock(0, &dump->busy);
}

/* After the rings have stopped. */
void loom_coredump_unplug(struct loom_device *ldev)
{
	flush_work(&ldev->coredump->work);
}

int loom_coredump_init(struct loom_device *ldev)
{
	struct loom_coredump *dump;

	dump = drmm_kzalloc(&ldev->drm, sizeof(*dump), GFP_KERNEL);
	if (!dump)
		return -ENOMEM;
	dump->ldev = ldev;
	dump->next = jiffies;
	INIT_WORK(&dump->work, loom_coredump_work);
	ldev->coredump = dump;
	return 0;
}
