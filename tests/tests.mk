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
.PHONY: tests check-unit
tests: $(UNIT_TESTS)
check-unit: $(UNIT_TESTS)
	@pass=0; fail=0; for t in $(UNIT_TESTS); do \
		if $$t; then pass=$$((pass + 1)); \
		else fail=$$((fail + 1)); echo "FAILED: $$t"; fi; \
	done; \
	echo "unit test programs: $$pass passed, $$fail failed"; \
	test $$fail -eq 0

# The tests that use threads, under ThreadSanitizer.
TSAN	   := $(BUILD)/tsan
TSANFLAGS  := -fsanitize=thread -O1 -fno-omit-frame-pointer
TSAN_TESTS := $(TSAN)/tests/check_queue $(TSAN)/tests/check_mmu \
	      $(TSAN)/tests/check_state

$(TSAN)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -Itests/lib $(CFLAGS) $(CFLAGS_$(<F)) $(TSANFLAGS) \
		-c -o $@ $<

$(TSAN)/tests/check_%: $(TSAN)/tests/unit/check_%.o $(TSAN)/tests/lib/card.o \
		       $(CORE_SRCS:%.c=$(TSAN)/%.o)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(TSANFLAGS) -o $@ $^ -lcheck -lsubunit -lrt -lm -pthread

.PRECIOUS: $(TSAN)/tests/unit/%.o

-include $(shell find $(TSAN) -name '*.d' 2>/dev/null)

.PHONY: check-tsan
check-tsan: $(TSAN_TESTS)
	@for t in $(TSAN_TESTS); do \
		CK_FORK=no TSAN_OPTIONS=halt_on_error=1 $$t || exit 1; \
	done

include tests/api/api.mk
include tests/bench/bench.mk
include tests/fuzz/fuzz.mk
