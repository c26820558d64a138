# SPDX-License-Identifier: MIT
# Guest selftests: TAP programs that use raw ioctls, one per ioctl family.
#
#	make soak SOAK_JOBS=1000000	the long run of test_soak

SELFTESTS := $(patsubst tests/selftests/%.c,$(BIN)/tests/%, \
	       $(wildcard tests/selftests/test_*.c))
SELFTEST_LIB := $(OBJ)/tests/selftests/card.o $(OBJ)/tests/selftests/peer.o \
		$(OBJ)/tests/lib/card_use.o $(OBJ)/tests/lib/tap.o
SOAK_JOBS ?= 1000000

$(OBJ)/tests/selftests/%.o $(OBJ)/tests/lib/tap.o: CPPFLAGS += -I.

$(BIN)/tests/test_%: $(OBJ)/tests/selftests/test_%.o $(SELFTEST_LIB)
	@mkdir -p $(@D)
	$(CC) -o $@ $^

.PHONY: selftests soak
selftests: $(SELFTESTS)
all: selftests

soak:
	@tools/env/setup.sh all
	@tools/loom-vm --driver-opts job_timeout_ms=4000 \
		--env LOOM_SOAK_JOBS=$(SOAK_JOBS) -- $(BIN)/tests/test_soak
