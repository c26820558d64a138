# SPDX-License-Identifier: MIT
# Fuzz targets: clang's libFuzzer, address and undefined-behaviour sanitizers.
#
#	make fuzz FUZZ_TIME=60		each target for so many seconds
#	make fuzz-corpus		add what was found, minimised, to the corpus
FUZZ	   := $(BUILD)/fuzz
FUZZ_CC	   ?= clang
FUZZ_TIME  ?= 60
# Warnings are the business of the compiler that builds Loom.
FUZZ_FLAGS := -fsanitize=fuzzer-no-link,address,undefined \
	      -fno-sanitize-recover=all -fno-omit-frame-pointer -O1 -Wno-error

FUZZ_CARD_BINS := $(FUZZ)/fuzz_mmio $(FUZZ)/fuzz_cmd $(FUZZ)/fuzz_pt
FUZZ_BINS   := $(FUZZ_CARD_BINS) $(FUZZ)/fuzz_asm
FUZZ_COMMON := $(FUZZ)/tests/fuzz/fuzz_card.o \
		     $(FUZZ)/tests/fuzz/fuzz_commands.o \
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

-include $(shell find $(FUZZ) -name '*.d' 2>/dev/null)

.PHONY: fuzz fuzz-targets fuzz-corpus
fuzz-targets: $(FUZZ_BINS)

fuzz:
	@tools/env/packages.sh install fuzz
	@$(MAKE) --no-print-directory fuzz-targets
	@tests/fuzz/run-fuzz.sh $(FUZZ_TIME)

fuzz-corpus: fuzz-targets
	@tests/fuzz/run-fuzz.sh --merge
