/* SPDX-License-Identifier: MIT */
/*
 * DOC: Loom hardware interface
 *
 * What the device and the driver agree on: PCI identity, registers, queue
 * rings, completion records, events and page tables.  Everything is
 * little-endian.  Documentation/hardware.rst is the data book; a test compares
 * it with this file.
 *
 * A register is 32 bits wide unless its name ends in _LO/_HI or its comment
 * says "64 bit".  64-bit registers accept one 8-byte or two 4-byte accesses;
 * each 4-byte half takes effect by itself.  Reads of holes return 0, writes to
 * holes and to read-only registers are ignored (both are logged).
 *
 * The unit of modelled time is the device clock cycle (LOOM_REG_CLOCK_KHZ).
 */
#ifndef LOOM_REGS_H
#define LOOM_REGS_H

#if defined(__KERNEL__) || defined(__linux__)
#include <linux/types.h>
#else
#include <stdint.h>
typedef uint8_t __u8;
typedef uint16_t __u16;
typedef uint32_t __u32;
typedef uint64_t __u64;
typedef int64_t __s64;
#endif

/* PCI identity */
#define LOOM_PCI_VENDOR_ID		0x1234
#define LOOM_PCI_DEVICE_ID		0x10a1
#define LOOM_PCI_CLASS			0x1200	/* processing accelerator */

/* BARs */
#define LOOM_BAR_REGS			0	/* registers, MSI-X table and PBA */
#define LOOM_BAR_HBM			2	/* 64 bit, prefetchable */
#define LOOM_BAR_DOORBELL		4	/* one page per queue */

#define LOOM_BAR_REGS_SIZE		0x20000
#define LOOM_REGS_SIZE			0x10000	/* the part that is registers */
#define LOOM_MSIX_TABLE_OFFSET		0x10000
#define LOOM_MSIX_PBA_OFFSET		0x18000
#define LOOM_DOORBELL_STRIDE		0x1000

/* Architectural limits; the actual numbers are in the identification block. */
#define LOOM_MAX_QUEUES			64	/* hardware queues */
#define LOOM_MAX_CONTEXTS		256	/* hardware contexts */
#define LOOM_MAX_VECTORS		33	/* 0: events; 1..32: queues */
#define LOOM_MAX_RING_LOG2		10	/* 1024 entries */
#define LOOM_VA_BITS			48	/* device virtual address */

/* ------------------------------------------------------------------------
 * Identification block, read only
 */
#define LOOM_REG_ID			0x0000	/* LOOM_ID_MAGIC */
#define   LOOM_ID_MAGIC			0x4d4f4f4c	/* "LOOM" */
#define LOOM_REG_HW_VERSION		0x0004	/* major << 16 | minor */
#define   LOOM_HW_VERSION_MAJOR		1
#define   LOOM_HW_VERSION_MINOR		1
#define LOOM_REG_ISA_VERSION		0x0008	/* LOOM_ISA_VERSION of loom_isa.h */
#define LOOM_REG_FEATURES		0x000c	/* LOOM_FEATURE_* */
#define   LOOM_FEATURE_MATMUL		(1u << 0)
#define   LOOM_FEATURE_VECTOR		(1u << 1)
#define   LOOM_FEATURE_LINK		(1u << 2)	/* reserved, reads 0 */
#define   LOOM_FEATURE_RAS		(1u << 3)	/* LOOM_REG_RAS_*, ECC events */
#define   LOOM_FEATURE_SENSORS		(1u << 4)	/* LOOM_REG_SENSOR_* */
#define   LOOM_FEATURE_PACED		(1u << 5)	/* completions come at their modelled time */
#define   LOOM_FEATURE_CTX_PERF		(1u << 6)	/* LOOM_REG_PERF_SELECT */
#define   LOOM_FEATURE_HBM_WINDOW	(1u << 7)	/* LOOM_REG_HBM_WINDOW */
#define LOOM_REG_NUM_QUEUES		0x0010	/* hardware queues */
#define LOOM_REG_NUM_CONTEXTS		0x0014	/* hardware contexts */
#define LOOM_REG_NUM_VECTORS		0x0018	/* MSI-X vectors */
#define LOOM_REG_NUM_ARRAYS		0x001c	/* systolic arrays */
#define LOOM_REG_ARRAY_ROWS		0x0020	/* cells along K */
#define LOOM_REG_ARRAY_COLS		0x0024	/* cells along N */
#define LOOM_REG_CLOCK_KHZ		0x0028	/* device clock */
#define LOOM_REG_VECTOR_LANES		0x002c	/* 32-bit lanes per cycle */
#define LOOM_REG_HBM_SIZE		0x0030	/* 64 bit, bytes */
#define LOOM_REG_SRAM_SIZE		0x0038	/* 64 bit, bytes */
#define LOOM_REG_HBM_MBPS		0x0040	/* peak, 10^6 bytes/s, all channels */
#define LOOM_REG_PCIE_MBPS		0x0044	/* peak per direction, 10^6 bytes/s */
#define LOOM_REG_HBM_CHANNELS		0x0048	/* channels that MBPS adds up */
#define LOOM_REG_SERIAL			0x0050	/* 64 bit */

/* ------------------------------------------------------------------------
 * Global control
 */
#define LOOM_REG_CTRL			0x0100	/* global control */
#define   LOOM_CTRL_ENABLE		(1u << 0)	/* queues may run */
#define   LOOM_CTRL_RESET		(1u << 1)	/* write 1: soft reset; reads 0 */
#define LOOM_REG_STATUS			0x0104	/* read only */
#define   LOOM_STATUS_READY		(1u << 0)	/* reset has finished */
#define   LOOM_STATUS_FATAL		(1u << 1)	/* only a reset helps */
#define LOOM_REG_SCRATCH		0x0108	/* read/write, no effect */
#define LOOM_REG_IRQ_TEST		0x010c	/* write v: raise MSI-X vector v */

/*
 * Event ring in system memory, for what is not the completion of a job.  The
 * device writes struct loom_event at EVENT_BASE + 64 * (n mod 2^SIZE_LOG2)
 * with seq = n + 1, then raises vector 0.  HEAD is the driver's consumer
 * index (free running); a full ring sets LOOM_EVENT_F_LOST in the next event
 * that fits.
 */
#define LOOM_REG_EVENT_BASE		0x0120	/* 64 bit, 64-byte aligned, 0: off */
#define LOOM_REG_EVENT_SIZE_LOG2	0x0128	/* 1..LOOM_MAX_RING_LOG2 */
#define LOOM_REG_EVENT_HEAD		0x012c	/* events consumed, free running */

/*
 * Write a context id: forget all its cached translations.  When the write
 * returns, no engine uses an old one any more.
 */
#define LOOM_REG_TLB_INVALIDATE		0x0140	/* write only, context id */

/* Modelled device time, cycles, 64 bit, read only. */
#define LOOM_REG_TIME			0x0148	/* 64 bit, read only, cycles */

/*
 * LOOM_BAR_HBM can be smaller than HBM (it is resizable).  It shows HBM from
 * this offset on; writes are rounded down to a multiple of the BAR's size.
 * Every reset sets it to 0.
 */
#define LOOM_REG_HBM_WINDOW		0x0160	/* 64 bit, HBM offset of the BAR's start */

/*
 * Reliability.  ECC corrects single errors of HBM and counts them; a word it
 * cannot correct poisons its 4 KiB page: a command that reads it ends with
 * LOOM_ERR_HBM_ECC and the virtual address, and LOOM_EVENT_ECC_UNCORRECTED
 * names the page.  Reads through the BAR are not checked.  A page stays
 * poisoned over every reset until it is scrubbed.
 */
#define LOOM_REG_RAS_CE_COUNT		0x0180	/* 64 bit, read only, corrected errors since power-on */
#define LOOM_REG_RAS_UE_COUNT		0x0188	/* 64 bit, read only, uncorrectable errors since power-on */
#define LOOM_REG_RAS_CE_ADDR		0x0190	/* 64 bit, read only, HBM offset of the last corrected one */
#define LOOM_REG_RAS_UE_ADDR		0x0198	/* 64 bit, read only, HBM page of the last uncorrectable one */
#define LOOM_REG_RAS_SCRUB		0x01a0	/* 64 bit, write only, HBM offset: zero that page, clear its poison */

/* Sensors of the modelled card; see Documentation/faults.rst for the model. */
#define LOOM_REG_SENSOR_TEMP		0x01c0	/* read only, millidegrees Celsius */
#define LOOM_REG_SENSOR_TEMP_CRIT	0x01c4	/* read only, trip point, millidegrees Celsius */
#define LOOM_REG_SENSOR_POWER		0x01c8	/* read only, milliwatts, mean of the last modelled millisecond */
#define LOOM_REG_SENSOR_ENERGY		0x01d0	/* 64 bit, read only, microjoules since power-on */

/* ------------------------------------------------------------------------
 * Performance counters: 64 bit each, read only, values of the last snapshot.
 * LOOM_PERF_CYC_* add up to LOOM_PERF_CYC_TOTAL exactly.
 */
#define LOOM_REG_PERF_CTRL		0x1000	/* write only */
#define   LOOM_PERF_CTRL_SNAPSHOT	(1u << 0)	/* write 1: latch all */
#define   LOOM_PERF_CTRL_RESET		(1u << 1)	/* write 1: zero all */
#define LOOM_REG_PERF_SELECT		0x1004	/* what PERF_CTRL acts on; 0: the card, c + 1: context c */
#define LOOM_REG_PERF(n)		(0x1008 + 8 * (n))	/* 64 bit, counter n */

#define LOOM_PERF_CYC_TOTAL		0	/* modelled time elapsed */
#define LOOM_PERF_CYC_ARRAY		1	/* systolic arrays computing */
#define LOOM_PERF_CYC_VECTOR		2	/* vector engine computing */
#define LOOM_PERF_CYC_COPY		3	/* copy engine, limited by itself */
#define LOOM_PERF_CYC_HBM		4	/* an engine waiting for HBM */
#define LOOM_PERF_CYC_PCIE		5	/* an engine waiting for PCIe */
#define LOOM_PERF_CYC_FRONT		6	/* fetch, decode, translation */
#define LOOM_PERF_CYC_IDLE		7	/* nothing to do */
#define LOOM_PERF_HBM_RD_BYTES		8
#define LOOM_PERF_HBM_WR_BYTES		9
#define LOOM_PERF_PCIE_RD_BYTES		10	/* from system memory */
#define LOOM_PERF_PCIE_WR_BYTES		11	/* to system memory */
#define LOOM_PERF_MACS			12	/* useful multiply-accumulates */
#define LOOM_PERF_VECTOR_OPS		13	/* instruction x lane */
#define LOOM_PERF_COMMANDS		14
#define LOOM_PERF_JOBS			15
#define LOOM_PERF_FAULTS		16	/* jobs that ended in an error */
#define LOOM_PERF_COUNT			17

/* ------------------------------------------------------------------------
 * Contexts: the root of each one's page table.  Writing the root also
 * forgets the context's cached translations.
 */
#define LOOM_REG_CTX_ROOT(c)		(0x2000 + 8 * (c))	/* 64 bit, context c */
#define   LOOM_CTX_ROOT_VALID		(1ull << 0)
#define   LOOM_CTX_ROOT_ADDR		0x000ffffffffff000ull	/* HBM offset */

/* ------------------------------------------------------------------------
 * Queues.  Everything but CTRL may only be written while DISABLED.
 */
#define LOOM_QUEUE_REGS_BASE		0x4000
#define LOOM_QUEUE_REGS_STRIDE		0x80
#define LOOM_REG_QUEUE(q, r)		(LOOM_QUEUE_REGS_BASE + \
					 (q) * LOOM_QUEUE_REGS_STRIDE + (r))

#define LOOM_QUEUE_RING_BASE		0x00	/* 64 bit, bus address, 64-byte aligned */
#define LOOM_QUEUE_RING_SIZE_LOG2	0x08	/* 1..LOOM_MAX_RING_LOG2 */
#define LOOM_QUEUE_CTX			0x0c	/* context id */
#define LOOM_QUEUE_COMPL_BASE		0x10	/* 64 bit, bus address, 64-byte aligned */
#define LOOM_QUEUE_VECTOR		0x18	/* MSI-X vector of completions */
#define LOOM_QUEUE_PRIORITY		0x1c	/* 0 (lowest)..3 */
#define LOOM_QUEUE_CTRL			0x20	/* start, stop */
#define   LOOM_QUEUE_CTRL_ENABLE	(1u << 0)	/* 0->1 starts at index 0; 1->0 drops the rest */
#define   LOOM_QUEUE_CTRL_RESET		(1u << 1)	/* write 1: abort, then DISABLED */
#define LOOM_QUEUE_STATE		0x24	/* read only */
#define   LOOM_QUEUE_STATE_DISABLED	0
#define   LOOM_QUEUE_STATE_IDLE		1
#define   LOOM_QUEUE_STATE_RUNNING	2
#define   LOOM_QUEUE_STATE_ERROR	3	/* stopped by a fault; needs RESET */
#define LOOM_QUEUE_HEAD			0x28	/* read only, entries consumed */
#define LOOM_QUEUE_TAIL			0x2c	/* read only, last doorbell */
#define LOOM_QUEUE_ERROR		0x30	/* read only, LOOM_ERR_* that stopped it */
#define LOOM_QUEUE_PROGRESS		0x34	/* read only, commands retired */
#define LOOM_QUEUE_STARTED		0x38	/* read only, 1: a command of the job at HEAD has begun */

/*
 * Doorbell: a 32-bit write of the ring's free-running tail index to offset 0
 * of the queue's page in LOOM_BAR_DOORBELL.  A tail more than one ring ahead
 * of HEAD, or behind it, stops the queue with LOOM_ERR_DOORBELL.
 */

/**
 * struct loom_ring_entry - one job
 *
 * Entry n of a queue is at RING_BASE + 64 * (n mod 2^RING_SIZE_LOG2).
 */
struct loom_ring_entry {
	/** @type: LOOM_RING_EXEC */
	__u32 type;
	/** @flags: LOOM_RING_F_* */
	__u32 flags;
	/** @cmd_va: device virtual address of the command buffer, 64-byte aligned */
	__u64 cmd_va;
	/** @cmd_size: its size in bytes, a multiple of 64, up to LOOM_MAX_CMD_BYTES */
	__u32 cmd_size;
	/** @reserved0: must be zero */
	__u32 reserved0;
	/** @seq: copied into the completion record, not interpreted, not 0 */
	__u64 seq;
	/** @reserved: must be zero */
	__u64 reserved[4];
};

#define LOOM_RING_EXEC			1	/* run a command buffer */
#define LOOM_RING_F_IRQ			(1u << 0)	/* raise the vector when done */
#define LOOM_MAX_CMD_BYTES		(16u << 20)	/* of a command buffer */

/**
 * struct loom_completion - what became of entry n
 *
 * Written to COMPL_BASE + 64 * (n mod 2^RING_SIZE_LOG2) when job n is over.
 * @seq is written last, so a reader that sees it may read the rest.  Errors
 * always raise the queue's vector.
 */
struct loom_completion {
	/** @seq: loom_ring_entry.seq */
	__u64 seq;
	/** @error: LOOM_ERR_*, 0 for success */
	__u32 error;
	/** @cmd_index: index of the command at fault in the buffer, from 0 */
	__u32 cmd_index;
	/** @cmd_offset: its byte offset in the command buffer */
	__u32 cmd_offset;
	/** @field: byte offset within the command of the field at fault */
	__u32 field;
	/** @fault_addr: device virtual or bus address that faulted, or 0 */
	__u64 fault_addr;
	/** @start: modelled cycle at which the job began */
	__u64 start;
	/** @end: modelled cycle at which it was over */
	__u64 end;
	/** @access: LOOM_ACCESS_* of a fault */
	__u32 access;
	/** @opcode: opcode of the command at fault */
	__u32 opcode;
	/** @reserved: zero */
	__u64 reserved;
};

#define LOOM_ACCESS_READ		0
#define LOOM_ACCESS_WRITE		1

/* Why a job, a queue or the device stopped.  Append only. */
#define LOOM_ERR_NONE			0
#define LOOM_ERR_DOORBELL		1	/* tail outside the ring */
#define LOOM_ERR_RING_DMA		2	/* ring entry not readable */
#define LOOM_ERR_RING_ENTRY		3	/* bad type, flags or reserved bits */
#define LOOM_ERR_COMPL_DMA		4	/* completion record not writable */
#define LOOM_ERR_CMD_FETCH		5	/* command buffer not readable */
#define LOOM_ERR_CMD_OPCODE		6	/* unknown opcode */
#define LOOM_ERR_CMD_VERSION		7	/* command version not supported */
#define LOOM_ERR_CMD_SIZE		8	/* size wrong for opcode, or beyond the buffer */
#define LOOM_ERR_CMD_RESERVED		9	/* reserved bits set */
#define LOOM_ERR_CMD_FIELD		10	/* a field's value is out of range */
#define LOOM_ERR_CMD_TYPE		11	/* data type not supported there */
#define LOOM_ERR_CMD_ALIGN		12	/* address or stride not aligned to its type */
#define LOOM_ERR_CMD_RANGE		13	/* a tensor leaves the address space */
#define LOOM_ERR_VEC_OPCODE		14	/* vector program: unknown instruction */
#define LOOM_ERR_VEC_OPERAND		15	/* vector program: bad register or operand */
#define LOOM_ERR_VEC_LOOP		16	/* vector program: LOOP and END do not match */
#define LOOM_ERR_INDEX			17	/* gather/scatter index out of range */
#define LOOM_ERR_FAULT_UNMAPPED		18	/* MMU: no valid entry */
#define LOOM_ERR_FAULT_PERM		19	/* MMU: write to a read-only page */
#define LOOM_ERR_FAULT_PTE		20	/* MMU: malformed entry or beyond memory */
#define LOOM_ERR_FAULT_CTX		21	/* MMU: the context has no page table */
#define LOOM_ERR_DMA			22	/* system memory did not answer */
#define LOOM_ERR_EVENT			23	/* event index out of range, or a wait that cannot end */
#define LOOM_ERR_ABORTED		24	/* queue or device was reset */
#define LOOM_ERR_HBM_ECC		25	/* uncorrectable memory error */
#define LOOM_ERR_INTERNAL		26	/* the model ran out of host resources */
#define LOOM_ERR_QUEUE_CONFIG		27	/* enabled with registers that make no queue */
#define LOOM_ERR_THERMAL		28	/* over the trip point; the card stopped to protect itself */
#define LOOM_ERR_COUNT			29

/**
 * struct loom_event - one entry of the event ring
 */
struct loom_event {
	/** @seq: number of the event, from 1; written last */
	__u64 seq;
	/** @type: LOOM_EVENT_* */
	__u32 type;
	/** @flags: LOOM_EVENT_F_* */
	__u32 flags;
	/** @queue: the queue concerned, or ~0 */
	__u32 queue;
	/** @error: LOOM_ERR_* */
	__u32 error;
	/** @context: the context concerned, or ~0 */
	__u32 context;
	/** @access: LOOM_ACCESS_* */
	__u32 access;
	/** @addr: faulting address; other things for events that say so */
	__u64 addr;
	/** @cmd_index: command at fault */
	__u32 cmd_index;
	/** @reserved0: zero */
	__u32 reserved0;
	/** @time: modelled cycle */
	__u64 time;
	/** @reserved: zero */
	__u64 reserved;
};

#define LOOM_EVENT_QUEUE_ERROR		1	/* a queue stopped */
#define LOOM_EVENT_DEVICE_FATAL		2	/* the card needs a reset */
#define LOOM_EVENT_ECC_CORRECTED	3	/* @addr: HBM offset; for information */
#define LOOM_EVENT_ECC_UNCORRECTED	4	/* @addr: HBM page now poisoned; @queue that read it, or ~0 */
#define LOOM_EVENT_THERMAL		5	/* @addr: temperature, millidegrees; within 5 degrees of the trip point */
#define LOOM_EVENT_F_LOST		(1u << 0)	/* events before this one were lost */

/* ------------------------------------------------------------------------
 * Page tables: four levels of 512 8-byte entries in HBM, 48-bit addresses,
 * 4 KiB pages, and 2 MiB pages as LEAF entries of level 1.
 *
 * Entries of level 3 to 1 that name a table use VALID and ADDR; their WRITE is
 * ignored.
 *
 *   level 3: va[47:39]  level 2: va[38:30]  level 1: va[29:21]  level 0: va[20:12]
 */
#define LOOM_PT_LEVELS			4
#define LOOM_PT_ENTRIES			512
#define LOOM_PAGE_SHIFT			12
#define LOOM_PAGE_SIZE			(1u << LOOM_PAGE_SHIFT)
#define LOOM_HUGE_SHIFT			21
#define LOOM_HUGE_SIZE			(1u << LOOM_HUGE_SHIFT)
#define LOOM_PT_SHIFT(level)		(LOOM_PAGE_SHIFT + 9 * (level))

#define LOOM_PTE_VALID			(1ull << 0)
#define LOOM_PTE_WRITE			(1ull << 1)
#define LOOM_PTE_LEAF			(1ull << 2)	/* level 1: 2 MiB page; MBZ in level 2 and 3, ignored in level 0 */
#define LOOM_PTE_KIND_SHIFT		4
#define LOOM_PTE_KIND			(7ull << LOOM_PTE_KIND_SHIFT)
#define   LOOM_KIND_HBM			0ull	/* ADDR is an offset in HBM; tables are always HBM */
#define   LOOM_KIND_SRAM		1ull	/* ADDR is an offset in SRAM */
#define   LOOM_KIND_SYSTEM		2ull	/* ADDR is a bus address */
#define   LOOM_KIND_PEER		3ull	/* reserved for links: faults */
#define LOOM_PTE_ADDR			0x000ffffffffff000ull	/* 2 MiB pages: bits 20:12 MBZ */
/* All other bits must be zero; an entry with VALID clear is ignored. */

#if !defined(__cplusplus) && (defined(__STDC_VERSION__) || defined(__KERNEL__))
_Static_assert(sizeof(struct loom_ring_entry) == 64, "ring entry");
_Static_assert(sizeof(struct loom_completion) == 64, "completion");
_Static_assert(sizeof(struct loom_event) == 64, "event");
#endif

#endif
