// SPDX-License-Identifier: MIT
/* The "sim:" transport: HBM, page tables, buffer objects. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "sim.h"

/* Above this size fresh pages of the kernel are cheaper than memset(). */
#define ZERO_BY_PAGES	(64u << 10)

static bool is_huge(uint64_t a)
{
	return !(a & (LOOM_HUGE_SIZE - 1));
}

static uint64_t huge_align(uint64_t size)
{
	return size >= LOOM_HUGE_SIZE ? LOOM_HUGE_SIZE : LOOM_PAGE_SIZE;
}

/* Take zeroed HBM. */
static int hbm_get(struct sim *sim, uint64_t size, uint64_t *offset)
{
	int rc = range_get(&sim->hbm_free, size, huge_align(size), offset);

	if (rc == -ENOSPC)
		return error_set(rc, "free buffers, or open sim:hbm=... with more",
				 "not enough HBM: %llu bytes wanted, %llu of %llu in use, the largest free piece has %llu",
				 (unsigned long long)size,
				 (unsigned long long)sim->hbm_free.used,
				 (unsigned long long)sim->dev.info.hbm_size,
				 (unsigned long long)range_largest(&sim->hbm_free));
	if (rc)
		return error_set(rc, NULL, "out of memory");
	if (size < ZERO_BY_PAGES ||
	    madvise(sim->hbm + *offset, size, MADV_DONTNEED))
		memset(sim->hbm + *offset, 0, size);
	return 0;
}

/* ------------------------------------------------------------- page tables */

/* The card walks the tables while we change them. */
static uint64_t pte_load(const uint64_t *pte)
{
	return __atomic_load_n(pte, __ATOMIC_RELAXED);
}

static void pte_store(uint64_t *pte, uint64_t value)
{
	/* A table must be seen zeroed before it is seen. */
	__atomic_store_n(pte, value, __ATOMIC_RELEASE);
}

/*
 * The entry of @va in @level, or NULL: no memory for a table if @create, else
 * no table, or a 2 MiB page, in the way.
 */
static uint64_t *pte_find(struct sim *sim, uint64_t va, int level, bool create)
{
	uint64_t table = sim->root, offset;
	uint64_t *pte;
	int l;

	for (l = LOOM_PT_LEVELS - 1;; l--) {
		pte = (uint64_t *)(sim->hbm + table) +
		      (va >> LOOM_PT_SHIFT(l)) % LOOM_PT_ENTRIES;
		if (l == level)
			return pte;
		if (!(pte_load(pte) & LOOM_PTE_VALID)) {
			if (!create || hbm_get(sim, LOOM_PAGE_SIZE, &offset))
				return NULL;
			pte_store(pte, offset | LOOM_PTE_VALID);
		}
		if (pte_load(pte) & LOOM_PTE_LEAF)
			return NULL;
		table = pte_load(pte) & LOOM_PTE_ADDR;
	}
}

static void unmap(struct sim *sim, uint64_t va, uint64_t size)
{
	uint64_t end = va + size;
	uint64_t *pte;

	while (va < end) {
		pte = pte_find(sim, va, 1, false);
		if (pte && (pte_load(pte) & LOOM_PTE_LEAF)) {
			pte_store(pte, 0);
			va += LOOM_HUGE_SIZE;
			continue;
		}
		pte = pte_find(sim, va, 0, false);
		if (pte)
			pte_store(pte, 0);
		va += LOOM_PAGE_SIZE;
	}
	sim_write32(sim, LOOM_REG_TLB_INVALIDATE, SIM_CTX);
}

/* A 2 MiB page replaces a table, which the free addresses left empty. */
static void set_huge(struct sim *sim, uint64_t *pte, uint64_t value)
{
	uint64_t old = pte_load(pte);

	pte_store(pte, value | LOOM_PTE_LEAF);
	if (!(old & LOOM_PTE_VALID))
		return;
	sim_write32(sim, LOOM_REG_TLB_INVALIDATE, SIM_CTX);
	range_put(&sim->hbm_free, old & LOOM_PTE_ADDR, LOOM_PAGE_SIZE);
}

/* Map [va, va + size) to [addr, addr + size) of memory of a kind. */
static int map(struct sim *sim, uint64_t va, uint64_t size, uint64_t kind,
	       uint64_t addr)
{
	const uint64_t bits = LOOM_PTE_VALID | LOOM_PTE_WRITE |
			      kind << LOOM_PTE_KIND_SHIFT;
	uint64_t done, step;
	uint64_t *pte;
	bool huge;

	for (done = 0; done < size; done += step) {
		huge = is_huge(va + done) && is_huge(addr + done) &&
		       size - done >= LOOM_HUGE_SIZE;
		step = huge ? LOOM_HUGE_SIZE : LOOM_PAGE_SIZE;
		pte = pte_find(sim, va + done, huge ? 1 : 0, true);
		if (!pte) {
			unmap(sim, va, done);
			return -ENOSPC;
		}
		if (huge)
			set_huge(sim, pte, (addr + done) | bits);
		else
			pte_store(pte, (addr + done) | bits);
	}
	return 0;
}

int sim_mem_init(struct sim *sim)
{
	int rc = hbm_get(sim, LOOM_PAGE_SIZE, &sim->root);

	if (!rc)
		sim_write64(sim, LOOM_REG_CTX_ROOT(SIM_CTX),
			    sim->root | LOOM_CTX_ROOT_VALID);
	return rc;
}

/* ---------------------------------------------------------- buffer objects */

static int hbm_create(struct sim *sim, struct accel_bo *bo)
{
	int rc = hbm_get(sim, bo->size, &bo->backing);

	if (rc)
		return rc;
	rc = map(sim, bo->va, bo->size, LOOM_KIND_HBM, bo->backing);
	if (rc)
		range_put(&sim->hbm_free, bo->backing, bo->size);
	else
		bo->map = sim->hbm + bo->backing;
	return rc;
}

static int host_create(struct sim *sim, struct accel_bo *bo)
{
	void *mem = mmap(NULL, bo->size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int rc;

	if (mem == MAP_FAILED)
		return error_set(-ENOMEM, NULL,
				 "no memory for a buffer of %llu bytes",
				 (unsigned long long)bo->size);
	rc = sim_range_add(sim, mem, bo->size, &bo->backing);
	if (rc)
		goto err_unmap;
	rc = map(sim, bo->va, bo->size, LOOM_KIND_SYSTEM, bo->backing);
	if (rc)
		goto err_range;
	sim->system_used += bo->size;
	bo->map = mem;
	return 0;

err_range:
	sim_range_del(sim, bo->backing);
err_unmap:
	munmap(mem, bo->size);
	return rc;
}

int sim_bo_create(struct accel_bo *bo)
{
	struct sim *sim = to_sim(bo->dev);
	int rc;

	pthread_mutex_lock(&sim->lock);
	rc = bo->placement == ACCEL_HBM ? hbm_create(sim, bo) :
					  host_create(sim, bo);
	pthread_mutex_unlock(&sim->lock);
	return rc;
}

void sim_bo_destroy(struct accel_bo *bo)
{
	struct sim *sim = to_sim(bo->dev);

	pthread_mutex_lock(&sim->lock);
	unmap(sim, bo->va, bo->size);
	if (bo->placement == ACCEL_HBM) {
		range_put(&sim->hbm_free, bo->backing, bo->size);
	} else {
		sim_range_del(sim, bo->backing);
		munmap(bo->map, bo->size);
		sim->system_used -= bo->size;
	}
	pthread_mutex_unlock(&sim->lock);
}

int sim_bo_map(struct accel_bo *bo)
{
	/* Set by sim_bo_create(). */
	(void)bo;
	return 0;
}

/* The label is the library's own copy. */
int sim_bo_label(struct accel_bo *bo, const char *label, uint32_t len)
{
	(void)bo;
	(void)label;
	(void)len;
	return 0;
}

int sim_bo_query(struct accel_bo *bo, struct accel_bo_info *out)
{
	out->resident = bo->placement;
	memcpy(out->label, bo->label, sizeof(out->label));
	return 0;
}

static int unshared(void)
{
	return error_set(-EOPNOTSUPP, "use a /dev/accel card",
			 "the memory of \"sim:\" is this process's alone");
}

int sim_bo_export(struct accel_bo *bo, int *fd)
{
	(void)bo;
	(void)fd;
	return unshared();
}

int sim_bo_import(struct accel_bo *bo, int fd)
{
	(void)bo;
	(void)fd;
	return unshared();
}
