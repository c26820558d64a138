# SPDX-License-Identifier: MIT
# Speed, on the host and in the VM; not part of `make check`, except that
# tests/host/test-bench.sh tries the programs that need no package of their own.
BENCH_OBJ   := $(OBJ)/tests/bench
BENCH_TRIES := $(BIN)/bench_device $(BIN)/bench_reference
BENCHES	    := $(BENCH_TRIES) $(BIN)/bench_onednn

$(BENCH_OBJ)/%.o $(OBJ)/tests/lib/card.o: CPPFLAGS += -Itests/lib
$(BENCH_OBJ)/bench_reference.o: CFLAGS += -O3 -ffast-math \
	-mprefer-vector-width=512

# Linked statically, so that calls from the library into the core of a "sim:"
# card can be counted.
$(BIN)/bench_device: $(BENCH_OBJ)/bench_device.o $(BENCH_OBJ)/bench.o \
		     $(OBJ)/libaccel.a $(OBJ)/libloomcore.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -o $@ $^ -ldrm -lm \
		-Wl,--wrap=loom_core_create,--wrap=loom_core_doorbell_write \
		-Wl,--wrap=loom_core_mmio_read,--wrap=loom_core_mmio_write

$(BIN)/bench_reference: $(BENCH_OBJ)/bench_reference.o $(BENCH_OBJ)/bench.o
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -o $@ $^ -lmvec -lm

$(BIN)/bench_onednn: $(BENCH_OBJ)/bench_onednn.o $(BENCH_OBJ)/bench.o
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -o $@ $^ -ldnnl

# The kernels of MATMUL alone, for each instruction set.
$(BIN)/bench_matmul: $(BENCH_OBJ)/bench_matmul.o $(OBJ)/tests/lib/card.o \
		     $(OBJ)/libloomcore.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -o $@ $^ -lm -pthread

# Runs in the guest: what a submit costs there.
$(BENCH_OBJ)/cost.o: CPPFLAGS += -I.
$(BIN)/bench-cost: $(BENCH_OBJ)/cost.o $(OBJ)/tests/selftests/card.o \
		   $(OBJ)/tests/lib/tap.o
	@mkdir -p $(@D)
	$(CC) -o $@ $^
all: $(BIN)/bench-cost

tests: $(BENCH_TRIES)

# BENCH passes options on, for instance BENCH="--only 'gemm/*'".
.PHONY: bench bench-programs bench-matmul
bench:
	@tools/env/packages.sh install bench >/dev/null
	@tools/env/setup.sh all bench-programs
	@tests/bench/bench $(BENCH)
	@tests/bench/cost.py --json
bench-programs: $(BENCHES)
bench-matmul: $(BIN)/bench_matmul
	@$<
