# SPDX-License-Identifier: MIT
#
# Everything people type: `make run`, `make check`, `make help`.
#
# Each folder lists its own files in a <folder>/<name>.mk; this file holds the
# rules that they share.  Host objects are built twice: build/obj is what runs,
# build/asan is the same code under the address and undefined-behaviour
# sanitizers, which is what the unit tests link.

BUILD	:= build
OBJ	:= $(BUILD)/obj
ASAN	:= $(BUILD)/asan
BIN	:= $(BUILD)/bin

CC	?= gcc
AR	?= ar

WARN	:= -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes \
	   -Wmissing-prototypes -Wpointer-arith -Wvla
# No contraction and no value-changing maths: result bits are architecture.
CFLAGS	:= -std=gnu11 -O2 -g -fPIC -fvisibility=hidden -ffp-contract=off \
	   -fno-math-errno -fno-strict-aliasing -pthread $(WARN)
CPPFLAGS := -D_GNU_SOURCE -Iuapi -Ilibaccel/include -Iqemu-device/core \
	   -I/usr/include/libdrm -MMD -MP
SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all \
	   -fno-omit-frame-pointer -O1

.PHONY: all run check check-debug check-fast check-kernels check-static help clean
.DEFAULT_GOAL := all

include qemu-device/core/core.mk
include libaccel/libaccel.mk
include tools/tools.mk
include tests/tests.mk
include tests/selftests/selftests.mk

$(OBJ)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(CFLAGS_$(<F)) -c -o $@ $<

$(ASAN)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(CFLAGS_$(<F)) $(SANFLAGS) -c -o $@ $<

# Two rules: one with two patterns would make both and run once.
define AR_RULE
	@mkdir -p $(@D)
	rm -f $@ && $(AR) rcs $@ $^
endef

$(OBJ)/%.a:
	$(AR_RULE)

$(ASAN)/%.a:
	$(AR_RULE)

.SECONDARY:

# The main job: a VM with the card trains and runs a network.  TRAIN passes
# options on, for instance TRAIN="--epochs 2 --seed 7".
run:
	@tools/env/setup.sh all
	@tools/loom-vm -- $(BIN)/loom-train $(TRAIN)

# All tests; ONLY picks suites by pattern, for instance ONLY='guest/*'.
# LOOM_DEBUG_KERNEL=0 leaves those on the debug kernel out.
check:
	@tools/env/setup.sh --suites '$(or $(ONLY),*)' all tests
	@tests/run $(if $(ONLY),--only '$(ONLY)')

# The suites of the guest on a kernel with KASAN, lockdep, kmemleak ...
check-debug:
	@tools/env/setup.sh --debug-kernel all tests
	@tests/run --boot debug $(if $(ONLY),--only '$(ONLY)')

# Sparse, checkpatch and the like on the driver; part of `make check`.
check-static:
	@tools/env/packages.sh install host static
	@bash tests/host/test-static.sh

# The driver and the suites of the guest on other kernels; takes long.
check-kernels:
	@tools/env/packages.sh install kernels
	@tools/env/setup.sh all tests
	@tests/kernels.sh $(KERNELS)

# The developer's loop: what needs no VM.
check-fast: all tests
	@FUZZ_SMOKE=$${FUZZ_SMOKE:-5} tests/run --fast $(if $(ONLY),--only '$(ONLY)')

help:
	@sed -n 's/^    //p' tools/env/make-help.txt

-include $(shell find $(BUILD)/obj $(BUILD)/asan -name '*.d' 2>/dev/null)

clean:
	rm -rf $(BUILD)
