# SPDX-License-Identifier: MIT
# What `make check` builds and runs.

# Unit tests: every tests/unit/check_<module>.c is a program that links the core
# under the sanitizers.  tests/lib/card.c is the bench they share.
UNIT_SRCS  := $(sort $(wildcard tests/unit/check_*.c))
UNIT_TESTS := $(UNIT_SRCS:tests/unit/%.c=$(ASAN)/tests/%)

$(ASAN)/tests/unit/%.o $(ASAN)/tests/lib/%.o: CPPFLAGS += -Itests/lib

# Problems and reference of MATMUL, and its AVX-512 kernels for any host.
MATMUL_LIB := tests/lib/matmul_problem.o tests/lib/matmul_reference.o \
	      tests/lib/matmul_emulated.o
MATMUL_EMULATED := -Itests/lib/avx512 -Wno-psabi
$(ASAN)/tests/lib/matmul_emulated.o: qemu-device/core/matmul_avx512.c
	@mkdir -p $(@D)
	$(CC) $(MATMUL_EMULATED) $(CPPFLAGS) $(CFLAGS) $(SANFLAGS) \
		-fno-sanitize=undefined -c -o $@ $<
$(OBJ)/tests/lib/matmul_emulated.o: qemu-device/core/matmul_avx512.c
	@mkdir -p $(@D)
	$(CC) $(MATMUL_EMULATED) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<
$(ASAN)/tests/check_matmul: $(addprefix $(ASAN)/,$(MATMUL_LIB))

$(ASAN)/tests/check_%: $(ASAN)/tests/unit/check_%.o $(ASAN)/tests/lib/card.o \
		       $(ASAN)/libloomcore.a
	$(CC) $(CFLAGS) $(SANFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) \
		-lcheck -lsubunit -lrt -lm -pthread

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

# Numbers in bulk: the same without sanitizers.
NUMERICS_TESTS := $(patsubst tests/numerics/%.c,$(BIN)/numerics/%, \
		    $(wildcard tests/numerics/check_*.c))
$(OBJ)/tests/numerics/%.o $(OBJ)/tests/lib/%.o: CPPFLAGS += -Itests/lib
$(BIN)/numerics/check_%: $(OBJ)/tests/numerics/check_%.o \
		$(OBJ)/tests/lib/card.o $(addprefix $(OBJ)/,$(MATMUL_LIB)) \
		$(OBJ)/libloomcore.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -o $@ $^ -lcheck -lsubunit -lrt -lm -pthread
.PRECIOUS: $(OBJ)/tests/numerics/%.o
tests: $(NUMERICS_TESTS)

# The tests that use threads, under ThreadSanitizer.
TSAN	   := $(BUILD)/tsan
TSANFLAGS  := -fsanitize=thread -O1 -fno-omit-frame-pointer
TSAN_TESTS := $(TSAN)/tests/check_queue $(TSAN)/tests/check_mmu \
	      $(TSAN)/tests/check_state $(TSAN)/tests/check_pace

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
include tests/kunit.mk
