# SPDX-License-Identifier: MIT
# What `make check` builds and runs.

# Unit tests: every tests/unit/check_<module>.c is a program that links the core
# under the sanitizers.  tests/lib/card.c is the bench they share.
UNIT_SRCS  := $(sort $(wildcard tests/unit/check_*.c))
UNIT_TESTS := $(UNIT_SRCS:tests/unit/%.c=$(ASAN)/tests/%)

$(ASAN)/tests/unit/%.o $(ASAN)/tests/lib/%.o: CPPFLAGS += -Itests/lib

$(ASAN)/tests/check_%: $(ASAN)/tests/unit/check_%.o $(ASAN)/tests/lib/card.o \
		       $(ASAN)/libloomcore.a
	$(CC) $(CFLAGS) $(SANFLAGS) -o $@ $^ -lcheck -lsubunit -lrt -lm -pthread

.PRECIOUS: $(ASAN)/tests/unit/%.o

# CK_FORK=no keeps a suite in one process, where leaks show and gdb works.
.PHONY: check-unit
check-unit: $(UNIT_TESTS)
	@pass=0; fail=0; for t in $(UNIT_TESTS); do \
		if $$t; then pass=$$((pass + 1)); \
		else fail=$$((fail + 1)); echo "FAILED: $$t"; fi; \
	done; \
	echo "unit test programs: $$pass passed, $$fail failed"; \
	test $$fail -eq 0
