// SPDX-License-Identifier: MIT
/* The "sim:" transport: options, threads, interrupts, system memory. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "sim.h"

/* The card's view of system memory begins here; pointers are never shown. */
#define BUS_START	(UINT64_C(1) << 32)
#define BUS_END		(UINT64_C(1) << 47)
/* Addresses below are left out so that a NULL of the user faults. */
#define VA_START	((uint64_t)LOOM_HUGE_SIZE)
#define VA_END		(UINT64_C(1) << LOOM_VA_BITS)

#define JOB_TIMEOUT_MS	120000
#define MAX_WORKERS	16

/* --------------------------------------------------------------- registers */

void sim_write32(struct sim *sim, uint64_t reg, uint32_t value)
{
	loom_core_mmio_write(sim->core, reg, value, 4);
}

void sim_write64(struct sim *sim, uint64_t reg, uint64_t value)
{
	loom_core_mmio_write(sim->core, reg, value, 8);
}

uint32_t sim_read32(struct sim *sim, uint64_t reg)
{
	return loom_core_mmio_read(sim->core, reg, 4);
}

uint64_t sim_read64(struct sim *sim, uint64_t reg)
{
	return loom_core_mmio_read(sim->core, reg, 8);
}

/* ----------------------------------------------------------- system memory */

/* Index of the first range at or above @bus. */
static size_t range_index(const struct sim *sim, uint64_t bus)
{
	size_t low = 0, high = sim->num_ranges, mid;

	while (low < high) {
		mid = (low + high) / 2;
		if (sim->ranges[mid].bus < bus)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The memory at [addr, addr + len), or NULL if it is not all of one range. */
static uint8_t *range_find(const struct sim *sim, uint64_t addr, uint64_t len)
{
	size_t i = range_index(sim, addr + 1);
	const struct sim_range *r;

	if (!i)
		return NULL;
	r = &sim->ranges[i - 1];
	if (addr - r->bus > r->size || len > r->size - (addr - r->bus))
		return NULL;
	return r->mem + (addr - r->bus);
}

static int range_insert(struct sim *sim, const struct sim_range *range)
{
	size_t max = sim->max_ranges ? 2 * sim->max_ranges : 32, i;
	struct sim_range *ranges;

	if (sim->num_ranges == sim->max_ranges) {
		ranges = realloc(sim->ranges, max * sizeof(*ranges));
		if (!ranges)
			return -ENOMEM;
		sim->ranges = ranges;
		sim->max_ranges = max;
	}
	i = range_index(sim, range->bus);
	memmove(&sim->ranges[i + 1], &sim->ranges[i],
		(sim->num_ranges - i) * sizeof(*sim->ranges));
	sim->ranges[i] = *range;
	sim->num_ranges++;
	return 0;
}

/* A page between two ranges belongs to nobody. */
static uint64_t bus_size(uint64_t size)
{
	return size + LOOM_PAGE_SIZE;
}

int sim_range_add(struct sim *sim, void *mem, uint64_t size, uint64_t *bus)
{
	uint64_t align = size >= LOOM_HUGE_SIZE ? LOOM_HUGE_SIZE :
						  LOOM_PAGE_SIZE;
	struct sim_range range = { .size = size, .mem = mem };
	int rc;

	rc = range_get(&sim->bus_free, bus_size(size), align, &range.bus);
	if (rc)
		return error_set(rc, NULL, "no bus addresses for %llu bytes",
				 (unsigned long long)size);
	pthread_rwlock_wrlock(&sim->dma_lock);
	rc = range_insert(sim, &range);
	pthread_rwlock_unlock(&sim->dma_lock);
	if (rc) {
		range_put(&sim->bus_free, range.bus, bus_size(size));
		return error_set(rc, NULL, "out of memory");
	}
	*bus = range.bus;
	return 0;
}

void sim_range_del(struct sim *sim, uint64_t bus)
{
	uint64_t size;
	size_t i;

	pthread_rwlock_wrlock(&sim->dma_lock);
	i = range_index(sim, bus);
	size = sim->ranges[i].size;
	sim->num_ranges--;
	memmove(&sim->ranges[i], &sim->ranges[i + 1],
		(sim->num_ranges - i) * sizeof(*sim->ranges));
	pthread_rwlock_unlock(&sim->dma_lock);
	range_put(&sim->bus_free, bus, bus_size(size));
}

/* -------------------------------------------------------- the core's owner */

static int on_dma_read(void *opaque, uint64_t addr, void *buf, size_t len)
{
	struct sim *sim = opaque;
	const uint8_t *mem;

	pthread_rwlock_rdlock(&sim->dma_lock);
	mem = range_find(sim, addr, len);
	if (mem)
		memcpy(buf, mem, len);
	pthread_rwlock_unlock(&sim->dma_lock);
	return mem ? 0 : -1;
}

static int on_dma_write(void *opaque, uint64_t addr, const void *buf,
			size_t len)
{
	struct sim *sim = opaque;
	uint8_t *mem;

	pthread_rwlock_rdlock(&sim->dma_lock);
	mem = range_find(sim, addr, len);
	if (mem)
		memcpy(mem, buf, len);
	pthread_rwlock_unlock(&sim->dma_lock);
	return mem ? 0 : -1;
}

void sim_wake(struct sim *sim)
{
	pthread_mutex_lock(&sim->wake_lock);
	sim->wake_count++;
	pthread_cond_broadcast(&sim->wake);
	pthread_mutex_unlock(&sim->wake_lock);
}

/* Whoever wakes up first, a waiter or the worker, serves the interrupt. */
static void on_notify(void *opaque)
{
	struct sim *sim = opaque;

	atomic_store(&sim->irq_pending, true);
	sim_wake(sim);
}

static void on_irq(void *opaque, unsigned int vector)
{
	/* sim_service() looks at all queues anyhow. */
	(void)opaque;
	(void)vector;
}

static void on_log(void *opaque, enum loom_log_level level, const char *line)
{
	struct sim *sim = opaque;

	debug_print(&sim->dev, DEBUG_SIM, "%s: %s",
		    level == LOOM_LOG_GUEST ? "program" : "host", line);
}

static const struct loom_core_ops core_ops = {
	.dma_read = on_dma_read,
	.dma_write = on_dma_write,
	.irq = on_irq,
	.notify = on_notify,
	.log = on_log,
	.trace_job = sim_trace_job,
	.trace_command = sim_trace_command,
};

void sim_service(struct sim *sim)
{
	if (!atomic_load(&sim->irq_pending))
		return;
	pthread_mutex_lock(&sim->lock);
	if (atomic_exchange(&sim->irq_pending, false)) {
		loom_core_deliver(sim->core);
		sim_queues_update(sim);
		sim_wake(sim);
	}
	pthread_mutex_unlock(&sim->lock);
}

static void *worker_main(void *opaque)
{
	struct sim *sim = opaque;

	while (loom_core_work(sim->core))
		sim_service(sim);
	return NULL;
}

static int workers_start(struct sim *sim, unsigned int num)
{
	sigset_t all, old;
	int rc = 0;

	sim->workers = calloc(num, sizeof(*sim->workers));
	if (!sim->workers)
		return error_set(-ENOMEM, NULL, "out of memory");
	/* Signals are the program's, not ours. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (sim->num_workers < num && !rc) {
		rc = pthread_create(&sim->workers[sim->num_workers], NULL,
				    worker_main, sim);
		if (!rc)
			sim->num_workers++;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc)
		return error_set(-ENOMEM, NULL, "cannot create a thread: %s",
				 strerror(rc));
	return 0;
}

static void workers_stop(struct sim *sim)
{
	loom_core_stop(sim->core);
	while (sim->num_workers)
		pthread_join(sim->workers[--sim->num_workers], NULL);
	free(sim->workers);
}

/* ----------------------------------------------------------------- options */

/** struct sim_options - what "sim:..." can say */
struct sim_options {
	struct loom_core_config cfg;
	uint32_t workers;
	uint32_t job_timeout_ms;
};

static const struct sim_key {
	const char *name;
	uint16_t offset;
	uint8_t size;
} sim_keys[] = {
#define KEY(name, member) \
	{ name, offsetof(struct sim_options, member), \
	  sizeof(((struct sim_options *)0)->member) }
	KEY("hbm", cfg.hbm_size),
	KEY("sram", cfg.sram_size),
	KEY("serial", cfg.serial),
	KEY("arrays", cfg.num_arrays),
	KEY("rows", cfg.array_rows),
	KEY("cols", cfg.array_cols),
	KEY("clock-khz", cfg.clock_khz),
	KEY("lanes", cfg.vector_lanes),
	KEY("hbm-channels", cfg.hbm_channels),
	KEY("hbm-channel-mbps", cfg.hbm_channel_mbps),
	KEY("pcie-mbps", cfg.pcie_mbps),
	KEY("queues", cfg.num_queues),
	KEY("dataflow", cfg.dataflow),
	KEY("workers", workers),
	KEY("job-timeout-ms", job_timeout_ms),
#undef KEY
};

static const struct sim_key *find_key(const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sim_keys); i++)
		if (strlen(sim_keys[i].name) == len &&
		    !memcmp(sim_keys[i].name, s, len))
			return &sim_keys[i];
	return NULL;
}

static int unknown_key(const char *s, size_t len)
{
	char known[256] = "";
	size_t i, at = 0;

	for (i = 0; i < ARRAY_SIZE(sim_keys); i++)
		at += snprintf(known + at, sizeof(known) - at, "%s%s",
			       i ? ", " : "known are ", sim_keys[i].name);
	return error_set(-EINVAL, known, "sim: has no option '%.*s'", (int)len,
			 s);
}

/* "256M"; the number must fill [s, s + len). */
static bool parse_size(const char *s, size_t len, uint64_t *out)
{
	static const char suffixes[] = "KMG";
	unsigned int shift = 0;
	const char *suffix;
	char *end;

	if (!len || *s < '0' || *s > '9')
		return false;
	errno = 0;
	*out = strtoull(s, &end, 0);
	if (errno)
		return false;
	suffix = end < s + len && *end ? strchr(suffixes, *end) : NULL;
	if (suffix) {
		shift = 10 * (suffix - suffixes + 1);
		end++;
	}
	if (end != s + len || *out > UINT64_MAX >> shift)
		return false;
	*out <<= shift;
	return true;
}

/* The two dataflows have names. */
static bool parse_dataflow(struct sim_options *opt, const char *s, size_t len)
{
	static const char *const names[] = {
		[LOOM_DATAFLOW_WS] = "ws", [LOOM_DATAFLOW_OS] = "os",
	};
	uint32_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (len == strlen(names[i]) && !memcmp(s, names[i], len))
			opt->cfg.dataflow = i;
	return len == 2 && !memcmp(s, names[opt->cfg.dataflow], len);
}

/* One "key=value" of @len characters. */
static int parse_option(struct sim_options *opt, const char *s, size_t len)
{
	const char *eq = memchr(s, '=', len);
	size_t key_len = eq ? (size_t)(eq - s) : len;
	const struct sim_key *key = find_key(s, key_len);
	uint64_t value;
	uint32_t value32;

	if (!key)
		return unknown_key(s, key_len);
	if (key->offset == offsetof(struct sim_options, cfg.dataflow)) {
		if (eq && parse_dataflow(opt, eq + 1, len - key_len - 1))
			return 0;
		return error_set(-EINVAL, "write dataflow=ws or dataflow=os",
				 "sim: '%.*s' is no dataflow", (int)len, s);
	}
	if (!eq || !parse_size(eq + 1, len - key_len - 1, &value) ||
	    (key->size == sizeof(value32) && value > UINT32_MAX))
		return error_set(-EINVAL, "write key=number, e.g. hbm=256M",
				 "sim: option '%.*s' has no good number",
				 (int)len, s);
	value32 = value;
	memcpy((char *)opt + key->offset,
	       key->size == sizeof(value32) ? (void *)&value32 : (void *)&value,
	       key->size);
	return 0;
}

static int parse_options(struct sim_options *opt, const char *spec)
{
	char text[256];
	const char *bad;
	size_t len;
	int rc;

	for (; *spec; spec += len + (spec[len] == ',')) {
		len = strcspn(spec, ",");
		rc = parse_option(opt, spec, len);
		if (rc)
			return rc;
	}
	bad = loom_core_config_check(&opt->cfg, text, sizeof(text));
	if (bad)
		return error_set(-EINVAL, NULL, "sim: %s", bad);
	if (!opt->workers || opt->workers > MAX_WORKERS)
		return error_set(-EINVAL, NULL, "sim: workers=%u, can be 1..%d",
				 opt->workers, MAX_WORKERS);
	return 0;
}

/* ---------------------------------------------------------- open and close */

static void fill_info(struct sim *sim)
{
	struct accel_device_info *info = &sim->dev.info;

	info->size = sizeof(*info);
	info->is_sim = 1;
	snprintf(info->name, sizeof(info->name), "sim:");
	info->serial = sim_read64(sim, LOOM_REG_SERIAL);
	info->hbm_size = sim_read64(sim, LOOM_REG_HBM_SIZE);
	info->sram_size = sim_read64(sim, LOOM_REG_SRAM_SIZE);
	info->num_arrays = sim_read32(sim, LOOM_REG_NUM_ARRAYS);
	info->array_rows = sim_read32(sim, LOOM_REG_ARRAY_ROWS);
	info->array_cols = sim_read32(sim, LOOM_REG_ARRAY_COLS);
	info->clock_khz = sim_read32(sim, LOOM_REG_CLOCK_KHZ);
	info->vector_lanes = sim_read32(sim, LOOM_REG_VECTOR_LANES);
	info->hbm_mbps = sim_read32(sim, LOOM_REG_HBM_MBPS);
	info->pcie_mbps = sim_read32(sim, LOOM_REG_PCIE_MBPS);
	info->hbm_channels = sim_read32(sim, LOOM_REG_HBM_CHANNELS);
	info->num_queues = sim_read32(sim, LOOM_REG_NUM_QUEUES);
	info->max_cmd_bytes = LOOM_MAX_CMD_BYTES;
	info->hw_version = sim_read32(sim, LOOM_REG_HW_VERSION);
	info->isa_version = sim_read32(sim, LOOM_REG_ISA_VERSION);
}

/* Locks and allocators; all of them live as long as the device. */
static int sim_init(struct sim *sim, uint64_t hbm_size)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&sim->lock, NULL);
	pthread_rwlock_init(&sim->dma_lock, NULL);
	pthread_mutex_init(&sim->wake_lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&sim->wake, &attr);
	pthread_condattr_destroy(&attr);
	if (range_init(&sim->hbm_free, 0, hbm_size) ||
	    range_init(&sim->bus_free, BUS_START, BUS_END))
		return error_set(-ENOMEM, NULL, "out of memory");
	return 0;
}

static void sim_fini(struct sim *sim)
{
	range_fini(&sim->bus_free);
	range_fini(&sim->hbm_free);
	pthread_cond_destroy(&sim->wake);
	pthread_mutex_destroy(&sim->wake_lock);
	pthread_rwlock_destroy(&sim->dma_lock);
	pthread_mutex_destroy(&sim->lock);
	free(sim->ranges);
	free(sim);
}

/* Build the card around its HBM, of which only what is used takes memory. */
static int card_create(struct sim *sim, const struct loom_core_config *cfg)
{
	int rc = sim_trace_open(sim, cfg->clock_khz);

	if (rc)
		return rc;
	sim->hbm = mmap(NULL, cfg->hbm_size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (sim->hbm == MAP_FAILED) {
		sim_trace_close(sim);
		return error_set(-ENOMEM, "use a smaller hbm=",
				 "no address space for %llu bytes of HBM",
				 (unsigned long long)cfg->hbm_size);
	}
	/* QEMU asks for the same; products and copies miss the TLB less. */
	(void)madvise(sim->hbm, cfg->hbm_size, MADV_HUGEPAGE);
	sim->core = loom_core_create(cfg, &core_ops, sim, sim->hbm);
	if (!sim->core) {
		munmap(sim->hbm, cfg->hbm_size);
		sim_trace_close(sim);
		return error_set(-ENOMEM, NULL, "out of memory");
	}
	loom_core_set_bus_master(sim->core, true);
	fill_info(sim);
	return 0;
}

static void card_destroy(struct sim *sim)
{
	loom_core_destroy(sim->core);
	munmap(sim->hbm, sim->dev.info.hbm_size);
	sim_trace_close(sim);
}

static void sim_close(struct accel_device *dev)
{
	struct sim *sim = to_sim(dev);

	workers_stop(sim);
	card_destroy(sim);
	device_fini(dev);
	sim_fini(sim);
}

static int sim_memory(struct accel_device *dev, struct accel_memory_info *out)
{
	struct sim *sim = to_sim(dev);

	pthread_mutex_lock(&sim->lock);
	out->hbm_total = dev->info.hbm_size;
	out->hbm_used = sim->hbm_free.used;
	out->system_used = sim->system_used;
	pthread_mutex_unlock(&sim->lock);
	return 0;
}

static int sim_counters(struct accel_device *dev, struct accel_counters *out)
{
	struct sim *sim = to_sim(dev);
	unsigned int i;

	pthread_mutex_lock(&sim->lock);
	sim_write32(sim, LOOM_REG_PERF_CTRL, LOOM_PERF_CTRL_SNAPSHOT);
	for (i = 0; i < LOOM_PERF_COUNT; i++)
		out->value[i] = sim_read64(sim, LOOM_REG_PERF(i));
	out->count = LOOM_PERF_COUNT;
	pthread_mutex_unlock(&sim->lock);
	return 0;
}

static int sim_usage(struct accel_device *dev, struct accel_usage *out)
{
	struct sim *sim = to_sim(dev);

	sim_service(sim);
	pthread_mutex_lock(&sim->lock);
	*out = sim->usage;
	pthread_mutex_unlock(&sim->lock);
	return 0;
}

static const struct accel_transport sim_transport = {
	.close = sim_close,
	.memory = sim_memory,
	.counters = sim_counters,
	.usage = sim_usage,
	.bo_create = sim_bo_create,
	.bo_destroy = sim_bo_destroy,
	.bo_map = sim_bo_map,
	.bo_label = sim_bo_label,
	.bo_query = sim_bo_query,
	.bo_export = sim_bo_export,
	.bo_import = sim_bo_import,
	.queue_create = sim_queue_create,
	.queue_destroy = sim_queue_destroy,
	.submit = sim_queue_submit,
	.wait = sim_queue_wait,
	.fate = sim_queue_fate,
	.times = sim_queue_times,
};

int sim_device_open(const char *spec, struct accel_device **out)
{
	struct sim_options opt = {
		.workers = 1, .job_timeout_ms = JOB_TIMEOUT_MS,
	};
	struct sim *sim;
	int rc;

	loom_core_config_default(&opt.cfg);
	rc = parse_options(&opt, spec);
	if (rc)
		return rc;
	sim = calloc(1, sizeof(*sim));
	if (!sim)
		return error_set(-ENOMEM, NULL, "out of memory");
	sim->dev.debug = debug_topics();
	sim->job_timeout_ns = opt.job_timeout_ms * INT64_C(1000000);

	rc = sim_init(sim, opt.cfg.hbm_size);
	if (rc)
		goto err_sim;
	rc = device_init(&sim->dev, &sim_transport, VA_START, VA_END);
	if (rc)
		goto err_sim;
	rc = card_create(sim, &opt.cfg);
	if (rc)
		goto err_device;
	rc = sim_mem_init(sim);
	if (rc)
		goto err_card;
	sim_write32(sim, LOOM_REG_CTRL, LOOM_CTRL_ENABLE);
	rc = workers_start(sim, opt.workers);
	if (rc)
		goto err_workers;
	*out = &sim->dev;
	return 0;

err_workers:
	workers_stop(sim);
err_card:
	loom_core_stop(sim->core);
	card_destroy(sim);
err_device:
	device_fini(&sim->dev);
err_sim:
	sim_fini(sim);
	return rc;
}
