# SPDX-License-Identifier: MIT
# One program per file, in build/bin/examples.
EXAMPLE_SRCS := $(sort $(wildcard libaccel/examples/*.c))
EXAMPLES     := $(EXAMPLE_SRCS:libaccel/examples/%.c=$(BIN)/examples/%)

$(EXAMPLES): $(BIN)/examples/%: $(OBJ)/libaccel/examples/%.o $(BUILD)/libaccel.so
	@mkdir -p $(@D)
	$(CC) -o $@ $< -L$(BUILD) -laccel -lm -Wl,-rpath,'$$ORIGIN/../..'

.PHONY: examples
examples: $(EXAMPLES)
all: examples
