// SPDX-License-Identifier: MIT
/*
 * DOC: A guest of its own for test-paced.sh
 *
 * A Multiboot kernel without an operating system: nothing but the card takes
 * time here, so with -icount everything it sees must be the same in every run.
 * It submits jobs to two queues, sleeps until their interrupts, and prints what
 * clocks, records and counters said.  32 bits, no paging, no library; the
 * firmware has assigned the BARs.
 */
#include <stdint.h>

#undef __linux__
#include <loom/loom_isa.h>
#include <loom/loom_regs.h>

#define ROUNDS		8
#define QUEUES		2
#define CTX		1
#define VECTOR(q)	(0x40 + (q))
#define RING_LOG2	4
#define LAPIC		0xfee00000u
#define COM1		0x3f8

/* HBM: page tables, command buffers, operands; addresses are offsets. */
#define ROOT		0x100000u
#define COMMANDS(q)	(0x400000u + (q) * 0x10000)
#define STAMPS		0x500000u
#define DATA		0x800000u
#define HBM_MAPPED	0x2000000u

void entry(void);
void irq_0(void);
void irq_1(void);

__asm__(
	".section .multiboot, \"a\"\n"
	".align 4\n"
	".long 0x1badb002, 0, -0x1badb002\n"
	".text\n"
	".globl entry\n"
	"entry:\n"
	"	mov $stack_end, %esp\n"
	"	call guest_main\n"
	"1:	hlt\n"
	"	jmp 1b\n"
	".bss\n"
	".align 16\n"
	"	.skip 16384\n"
	"stack_end:\n"
	".text\n");

/* The first thing is to look at the clock. */
#define IRQ(q)								\
	__asm__(".globl irq_" #q "\nirq_" #q ":\n"			\
		"	push %eax\n	push %edx\n"			\
		"	rdtsc\n"					\
		"	mov %eax, irq_tsc + 8 * " #q "\n"		\
		"	mov %edx, irq_tsc + 8 * " #q " + 4\n"		\
		"	incl irq_count + 4 * " #q "\n"			\
		"	movl $0, 0xfee000b0\n"				\
		"	pop %edx\n	pop %eax\n	iret\n")
IRQ(0);
IRQ(1);

volatile uint64_t irq_tsc[QUEUES];
volatile uint32_t irq_count[QUEUES];

/* The processor ------------------------------------------------------------ */

static inline void outb(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static inline uint8_t inb(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline void outl(uint16_t port, uint32_t v)
{
	__asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port));
}

static inline uint32_t inl(uint16_t port)
{
	uint32_t v;

	__asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline uint64_t rdtsc(void)
{
	uint64_t v;

	__asm__ volatile("rdtsc" : "=A"(v));
	return v;
}

static volatile uint32_t *at(uint32_t address)
{
	return (volatile uint32_t *)address;
}

struct descriptor {
	uint16_t limit;
	uint32_t base;
} __attribute__((packed));

static uint64_t idt[256];

static void set_gate(unsigned int vector, void (*handler)(void))
{
	uint32_t address = (uint32_t)handler;
	uint16_t cs;

	__asm__("mov %%cs, %0" : "=r"(cs));
	idt[vector] = (address & 0xffff) | (uint64_t)cs << 16 |
		      0x8e00ull << 32 | (uint64_t)(address >> 16) << 48;
}

/* A segment table of our own: nobody promises the loader's stays. */
static uint64_t gdt[] = { 0, 0x00cf9a000000ffffull, 0x00cf92000000ffffull };

static void start_processor(void)
{
	struct descriptor g = { sizeof(gdt) - 1, (uint32_t)gdt };
	struct descriptor i = { sizeof(idt) - 1, (uint32_t)idt };

	__asm__ volatile("lgdt %0\n	ljmp $8, $1f\n1:\n"
			 "	mov $16, %%eax\n	mov %%eax, %%ds\n"
			 "	mov %%eax, %%es\n	mov %%eax, %%ss\n"
			 : : "m"(g) : "eax", "memory");
	set_gate(VECTOR(0), irq_0);
	set_gate(VECTOR(1), irq_1);
	__asm__ volatile("lidt %0" : : "m"(i));
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
	*at(LAPIC + 0xf0) = 0x1ff;
}

/* A fault without handlers resets the machine, which ends QEMU. */
static void stop(void)
{
	struct descriptor none = { 0, 0 };

	__asm__ volatile("lidt %0\n	int3" : : "m"(none));
}

/* Output ------------------------------------------------------------------- */

static void put_char(char c)
{
	while (!(inb(COM1 + 5) & 0x20))
		;
	outb(COM1, (uint8_t)c);
}

static void put(const char *s)
{
	while (*s)
		put_char(*s++);
}

static void put_hex(const char *name, uint64_t v)
{
	int shift = 60;

	put(name);
	while (shift && !(v >> shift))
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		put_char("0123456789abcdef"[v >> shift & 15]);
}

/* The card ----------------------------------------------------------------- */

static uint32_t regs, hbm, doorbells;

static uint32_t config(uint32_t function, unsigned int offset)
{
	outl(0xcf8, 0x80000000u | function << 8 | offset);
	return inl(0xcfc);
}

static void config_write(uint32_t function, unsigned int offset, uint32_t v)
{
	outl(0xcf8, 0x80000000u | function << 8 | offset);
	outl(0xcfc, v);
}

static int find_card(void)
{
	const uint32_t id = LOOM_PCI_VENDOR_ID | LOOM_PCI_DEVICE_ID << 16;
	uint32_t f;

	for (f = 0; f < 0x1000; f++)
		if (config(f, 0) == id)
			break;
	if (f == 0x1000 || config(f, 0x1c))
		return -1;
	regs = config(f, 0x10) & ~15u;
	hbm = config(f, 0x18) & ~15u;
	doorbells = config(f, 0x20) & ~15u;
	config_write(f, 4, 6);
	/* MSI-X on */
	config_write(f, 0x50, config(f, 0x50) | 0x80000000u);
	return regs && hbm && doorbells ? 0 : -1;
}

static void write32(uint32_t reg, uint32_t v)
{
	*at(regs + reg) = v;
}

static void write64(uint32_t reg, uint64_t v)
{
	write32(reg, (uint32_t)v);
	write32(reg + 4, (uint32_t)(v >> 32));
}

static uint64_t read64(uint32_t reg)
{
	return *at(regs + reg) | (uint64_t)*at(regs + reg + 4) << 32;
}

static void set_entry(uint32_t table, unsigned int i, uint64_t entry)
{
	*(volatile uint64_t *)(hbm + table + 8 * i) = entry | LOOM_PTE_VALID;
}

/* Device addresses are offsets in HBM, in huge pages. */
static void map_hbm(void)
{
	uint32_t i;

	for (i = 0; i < 3 * LOOM_PAGE_SIZE; i += 4)
		*at(hbm + ROOT + i) = 0;
	set_entry(ROOT, 0, ROOT + LOOM_PAGE_SIZE);
	set_entry(ROOT + LOOM_PAGE_SIZE, 0, ROOT + 2 * LOOM_PAGE_SIZE);
	for (i = 0; i < HBM_MAPPED / LOOM_HUGE_SIZE; i++)
		set_entry(ROOT + 2 * LOOM_PAGE_SIZE, i,
			  (uint64_t)i * LOOM_HUGE_SIZE | LOOM_PTE_WRITE |
			  LOOM_PTE_LEAF);
	write64(LOOM_REG_CTX_ROOT(CTX), ROOT | LOOM_CTX_ROOT_VALID);
}

static struct loom_ring_entry ring[QUEUES][1 << RING_LOG2]
	__attribute__((aligned(64)));
static volatile struct loom_completion done[QUEUES][1 << RING_LOG2]
	__attribute__((aligned(64)));

static void start_queue(unsigned int q)
{
	uint32_t msix = LOOM_MSIX_TABLE_OFFSET + 16 * (1 + q);

	write32(msix, LAPIC);
	write32(msix + 4, 0);
	write32(msix + 8, VECTOR(q));
	write32(msix + 12, 0);
	write64(LOOM_REG_QUEUE(q, LOOM_QUEUE_RING_BASE), (uint32_t)ring[q]);
	write64(LOOM_REG_QUEUE(q, LOOM_QUEUE_COMPL_BASE), (uint32_t)done[q]);
	write32(LOOM_REG_QUEUE(q, LOOM_QUEUE_RING_SIZE_LOG2), RING_LOG2);
	write32(LOOM_REG_QUEUE(q, LOOM_QUEUE_CTX), CTX);
	write32(LOOM_REG_QUEUE(q, LOOM_QUEUE_VECTOR), 1 + q);
	write32(LOOM_REG_QUEUE(q, LOOM_QUEUE_CTRL), LOOM_QUEUE_CTRL_ENABLE);
}

/* Work --------------------------------------------------------------------- */

static uint32_t cmd_size[QUEUES];

static void append(unsigned int q, const void *cmd, uint32_t size)
{
	const uint32_t *p = cmd;
	uint32_t i;

	for (i = 0; i < size; i += 4)
		*at(hbm + COMMANDS(q) + cmd_size[q] + i) = p[i / 4];
	cmd_size[q] += size;
}

static struct loom_cmd head(uint8_t opcode, uint32_t size, uint16_t flags)
{
	struct loom_cmd cmd = {
		.opcode = opcode, .version = LOOM_ISA_VERSION,
		.size64 = (uint16_t)(size / LOOM_CMD_ALIGN), .flags = flags,
	};

	return cmd;
}

static struct loom_cmd_matmul matmul;
static struct loom_cmd_copy copy;
static struct loom_cmd_timestamp stamp;

static void append_matmul(unsigned int q, uint32_t side, uint16_t flags)
{
	matmul.hdr = head(LOOM_OP_MATMUL, sizeof(matmul), flags);
	matmul.a_type = matmul.b_type = LOOM_TYPE_BF16;
	matmul.d_type = LOOM_TYPE_F32;
	matmul.alpha = 0x3f800000;
	matmul.m = matmul.n = matmul.k = side;
	matmul.batch[0] = matmul.batch[1] = 1;
	matmul.a = matmul.b = DATA;
	matmul.d = DATA + 0x400000 + q * 0x400000;
	matmul.a_stride[0] = matmul.b_stride[0] = 2 * side;
	matmul.a_stride[1] = matmul.b_stride[1] = 2;
	matmul.d_stride[0] = 4 * side;
	matmul.d_stride[1] = 4;
	append(q, &matmul, sizeof(matmul));
}

static void append_copy(unsigned int q, uint32_t bytes, uint16_t flags)
{
	copy.hdr = head(LOOM_OP_COPY, sizeof(copy), flags);
	copy.mode = LOOM_COPY_COPY;
	copy.src_type = copy.dst_type = LOOM_TYPE_U8;
	copy.dim[0] = bytes;
	copy.dim[1] = copy.dim[2] = copy.dim[3] = 1;
	copy.src = DATA;
	copy.dst = DATA + 0xc00000 + q * 0x200000;
	copy.src_stride[0] = copy.dst_stride[0] = 1;
	append(q, &copy, sizeof(copy));
}

static void append_stamp(unsigned int q)
{
	stamp.hdr = head(LOOM_OP_TIMESTAMP, sizeof(stamp), 0);
	stamp.addr = STAMPS + 8 * q;
	append(q, &stamp, sizeof(stamp));
}

static void make_jobs(void)
{
	append_matmul(0, 256, 0);
	append_copy(0, 300000, LOOM_CMD_F_RELAXED);
	append_stamp(0);
	append_matmul(0, 128, 0);

	append_copy(1, 700000, 0);
	append_stamp(1);
	append_matmul(1, 192, LOOM_CMD_F_RELAXED);
	append_copy(1, 5000, 0);
}

static void submit(unsigned int q, uint32_t number)
{
	struct loom_ring_entry *e = &ring[q][number % (1 << RING_LOG2)];

	e->type = LOOM_RING_EXEC;
	e->flags = LOOM_RING_F_IRQ;
	e->cmd_va = COMMANDS(q);
	e->cmd_size = cmd_size[q];
	e->seq = number + 1;
	__asm__ volatile("" : : : "memory");
	*at(doorbells + q * LOOM_DOORBELL_STRIDE) = number + 1;
}

/* Sleeps until both have ended. */
static void sleep_until(uint32_t count)
{
	__asm__ volatile("cli");
	while (irq_count[0] < count || irq_count[1] < count)
		__asm__ volatile("sti\n	hlt\n	cli" : : : "memory");
}

/** struct sample - what the guest saw of one round */
struct sample {
	uint64_t submitted, irq[QUEUES], woke, time;
	uint64_t start[QUEUES], end[QUEUES], stamp[QUEUES];
	uint32_t error[QUEUES];
};

static struct sample samples[ROUNDS];

static void run(uint32_t round, struct sample *s)
{
	const uint32_t slot = round % (1 << RING_LOG2);
	unsigned int q;

	s->submitted = rdtsc();
	submit(round % 2, round);
	submit(1 - round % 2, round);
	sleep_until(round + 1);
	s->woke = rdtsc();
	s->time = read64(LOOM_REG_TIME);
	for (q = 0; q < QUEUES; q++) {
		s->irq[q] = irq_tsc[q];
		s->start[q] = done[q][slot].start;
		s->end[q] = done[q][slot].end;
		s->error[q] = done[q][slot].error;
		s->stamp[q] = *(volatile uint64_t *)(hbm + STAMPS + 8 * q);
	}
}

static void print(const struct sample *s)
{
	unsigned int q;

	put_hex("submitted ", s->submitted);
	put_hex(" woke ", s->woke - s->submitted);
	put_hex(" time ", s->time);
	for (q = 0; q < QUEUES; q++) {
		put_hex(" queue ", q);
		put_hex(" irq ", s->irq[q] - s->submitted);
		put_hex(" start ", s->start[q]);
		put_hex(" end ", s->end[q]);
		put_hex(" stamp ", s->stamp[q]);
		put_hex(" error ", s->error[q]);
	}
	put("\n");
}

void guest_main(void);

void guest_main(void)
{
	uint32_t i;

	start_processor();
	if (find_card()) {
		put("no card below 4 GiB\n");
		stop();
	}
	write32(LOOM_REG_CTRL, LOOM_CTRL_ENABLE);
	map_hbm();
	make_jobs();
	start_queue(0);
	start_queue(1);
	for (i = 0; i < ROUNDS; i++)
		run(i, &samples[i]);
	write32(LOOM_REG_PERF_CTRL, LOOM_PERF_CTRL_SNAPSHOT);
	put_hex("features ", *at(regs + LOOM_REG_FEATURES));
	put("\n");
	for (i = 0; i < ROUNDS; i++)
		print(&samples[i]);
	put("counters");
	for (i = 0; i < LOOM_PERF_COUNT; i++)
		put_hex(" ", read64(LOOM_REG_PERF(i)));
	put("\nend\n");
	stop();
}
