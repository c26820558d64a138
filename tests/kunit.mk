# SPDX-License-Identifier: MIT
# The driver's KUnit suites that run on the host, see driver/tests.

KUNIT	   := $(ASAN)/kunit/check_driver
KUNIT_SRCS := driver/tests/host/main.c driver/tests/loom_pt_test.c \
	      driver/tests/loom_ring_index_test.c driver/tests/loom_sync_test.c
KUNIT_DEPS := $(wildcard driver/*.[ch] driver/compat/*.h driver/tests/*.h \
	      driver/tests/host/*.h)

# The kernel's headers that these files name; kernel.h has what is needed.
KUNIT_STUBS := $(addprefix $(BUILD)/kunit/include/, \
	       drm/drm_file.h drm/drm_syncobj.h drm/gpu_scheduler.h \
	       linux/dma-fence-chain.h linux/err.h linux/mm.h linux/slab.h linux/uaccess.h)

$(KUNIT_STUBS):
	@mkdir -p $(@D)
	@touch $@

# Kernel code has other habits than -Wextra.
$(KUNIT): $(KUNIT_SRCS) $(KUNIT_DEPS) $(KUNIT_STUBS)
	@mkdir -p $(@D)
	$(CC) -I$(BUILD)/kunit/include -Idriver -Idriver/compat -Idriver/tests \
		-include driver/tests/host/kernel.h $(filter-out -MMD -MP,$(CPPFLAGS)) \
		$(CFLAGS) -Wno-sign-compare -Wno-unused-parameter \
		-Wno-pointer-arith $(SANFLAGS) \
		-o $@ $(KUNIT_SRCS)

tests: $(KUNIT)
