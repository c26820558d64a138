# SPDX-License-Identifier: MIT
# Fuzz targets: clang's libFuzzer, address and undefined-behaviour sanitizers.
#
#	make fuzz FUZZ_TIME=60		each target for so many seconds, two at a time
#	make fuzz-corpus		add what was found, minimised, to the corpus
FUZZ	   := $(BUILD)/fuzz
FUZZ_CC	   ?= clang
FUZZ_TIME  ?= 60
# Warnings are the business of the compiler that builds Loom.
FUZZ_FLAGS := -fsanitize=fuzzer-no-link,address,undefined \
	      -fno-sanitize-recover=all -fno-omit-frame-pointer -O1 -Wno-error

FUZZ_CARD_BINS := $(FUZZ)/fuzz_mmio $(FUZZ)/fuzz_cmd $(FUZZ)/fuzz_pt \
		  $(FUZZ)/fuzz_vec $(FUZZ)/fuzz_state
FUZZ_BINS   := $(FUZZ_CARD_BINS) $(FUZZ)/fuzz_asm
FUZZ_COMMON := $(FUZZ)/tests/fuzz/fuzz_card.o \
		     $(FUZZ)/tests/fuzz/fuzz_commands.o \
		     $(FUZZ)/tests/fuzz/fuzz_faults.o \
		     $(FUZZ)/tests/fuzz/fuzz_job.o \
		     $(CORE_SRCS:%.c=$(FUZZ)/%.o)
FUZZ_LIB    := $(LIBACCEL_SRCS:%.c=$(FUZZ)/%.o)

$(FUZZ)/%.o: %.c
	@mkdir -p $(@D)
	$(FUZZ_CC) $(CPPFLAGS) -Itests/fuzz $(CFLAGS) $(FUZZ_FLAGS) -c -o $@ $<

$(FUZZ_BINS): $(FUZZ)/%: $(FUZZ)/tests/fuzz/%.o $(FUZZ_COMMON)
	$(FUZZ_CC) $(CFLAGS) -fsanitize=fuzzer,address,undefined -o $@ \
		$(filter %.o,$^) $(FUZZ_LIBS)

$(FUZZ)/fuzz_asm: $(FUZZ_LIB)
$(FUZZ)/fuzz_asm: FUZZ_LIBS := -ldrm -lm

# The corpus under MemorySanitizer: every byte that the card writes to the host
# must have been written before.
MSAN	   := $(BUILD)/msan
MSAN_BINS  := $(FUZZ_CARD_BINS:$(FUZZ)/%=$(MSAN)/%)
MSAN_FLAGS := -fsanitize=fuzzer-no-link,memory -fno-sanitize-recover=all \
	      -fno-omit-frame-pointer -O1 -Wno-error

$(MSAN)/%.o: %.c
	@mkdir -p $(@D)
	$(FUZZ_CC) $(CPPFLAGS) -Itests/fuzz $(CFLAGS) $(MSAN_FLAGS) -c -o $@ $<

$(MSAN_BINS): $(MSAN)/%: $(MSAN)/tests/fuzz/%.o $(FUZZ_COMMON:$(FUZZ)/%=$(MSAN)/%)
	$(FUZZ_CC) $(CFLAGS) -fsanitize=fuzzer,memory -o $@ $(filter %.o,$^)

.PHONY: check-msan
check-msan: $(MSAN_BINS)
	@for t in $(MSAN_BINS:$(MSAN)/fuzz_%=%); do \
		$(MSAN)/fuzz_$$t -runs=0 -timeout=20 tests/fuzz/corpus/$$t \
			>$(MSAN)/$$t.log 2>&1 || \
			{ grep -A12 WARNING $(MSAN)/$$t.log; exit 1; }; \
		echo "msan: $$t: ok"; \
	done

-include $(shell find $(FUZZ) $(MSAN) -name '*.d' 2>/dev/null)

.PHONY: fuzz fuzz-targets fuzz-corpus
fuzz-targets: $(FUZZ_BINS)

fuzz:
	@tools/env/packages.sh install fuzz
	@$(MAKE) --no-print-directory fuzz-targets
	@qemu-device/build-qemu.sh --fuzz >/dev/null
	@tests/fuzz/run-fuzz.sh $(FUZZ_TIME)

fuzz-corpus: fuzz-targets
	@tests/fuzz/run-fuzz.sh --merge

# The driver's ioctls, from inside the guest: no libFuzzer, no sanitizers.
FUZZ_IOCTL := $(BIN)/fuzz_ioctl
FUZZ_IOCTL_OBJS := $(patsubst %.c,$(OBJ)/%.o,$(wildcard tests/fuzz/ioctl/*.c)) \
		   $(addprefix $(OBJ)/tests/,lib/card_use.o lib/tap.o selftests/card.o)
$(OBJ)/tests/fuzz/ioctl/%.o: CPPFLAGS += -I.
$(FUZZ_IOCTL): $(FUZZ_IOCTL_OBJS)
	@mkdir -p $(@D)
	$(CC) -o $@ $^
tests: $(FUZZ_IOCTL)

.PHONY: fuzz-ioctl
fuzz-ioctl:
	@tools/env/setup.sh --debug-kernel all tests
	@tests/fuzz/run-ioctl.sh --debug-kernel $(FUZZ_TIME)
