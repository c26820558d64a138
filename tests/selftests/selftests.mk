# SPDX-License-Identifier: MIT
# Guest selftests: TAP programs that use raw ioctls, one per ioctl family.

SELFTESTS := $(patsubst tests/selftests/%.c,$(BIN)/tests/%, \
	       $(wildcard tests/selftests/test_*.c))
SELFTEST_LIB := $(OBJ)/tests/selftests/card.o $(OBJ)/tests/lib/tap.o

$(OBJ)/tests/selftests/%.o $(OBJ)/tests/lib/tap.o: CPPFLAGS += -I.

$(BIN)/tests/test_%: $(OBJ)/tests/selftests/test_%.o $(SELFTEST_LIB)
	@mkdir -p $(@D)
	$(CC) -o $@ $^

.PHONY: selftests
selftests: $(SELFTESTS)
all: selftests
