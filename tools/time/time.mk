# SPDX-License-Identifier: MIT
# loom-time: how long a card takes for a list of matrix products.
TIME_SRCS := $(sort $(wildcard tools/time/*.c))
TIME_LIB  := $(filter-out tools/time/main.c,$(TIME_SRCS))

$(OBJ)/tools/time/%.o $(ASAN)/tools/time/%.o: CPPFLAGS += -Itools/time

$(BIN)/loom-time: $(TIME_SRCS:%.c=$(OBJ)/%.o) $(OBJ)/libloomcore.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -o $@ $^ -lm

all: $(BIN)/loom-time

# tests/host/test-timing.sh runs these, under the sanitizers.
TIME_TESTS := $(ASAN)/tests/timing/loom-time $(ASAN)/tests/timing/tables \
	      $(ASAN)/tests/timing/counters

$(ASAN)/tests/timing/%.o: CPPFLAGS += -Itools/time -Itests/lib

$(ASAN)/tests/timing/loom-time: $(TIME_SRCS:%.c=$(ASAN)/%.o) \
				$(ASAN)/libloomcore.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(SANFLAGS) -o $@ $^ -lm

$(ASAN)/tests/timing/tables: $(ASAN)/tests/timing/tables.o $(ASAN)/tests/lib/tap.o \
			     $(TIME_LIB:%.c=$(ASAN)/%.o) $(ASAN)/libloomcore.a
	$(CC) $(CFLAGS) $(SANFLAGS) -o $@ $^ -lm

$(ASAN)/tests/timing/counters: $(ASAN)/tests/timing/counters.o $(ASAN)/tests/lib/tap.o \
			       $(TIME_LIB:%.c=$(ASAN)/%.o) \
			       $(ASAN)/libaccel.a $(ASAN)/libloomcore.a
	$(CC) $(CFLAGS) $(SANFLAGS) -o $@ $^ -ldrm -lm

tests: $(TIME_TESTS)
