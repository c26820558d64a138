# SPDX-License-Identifier: MIT
# Speed of the model; not part of `make check`.
BENCHES := $(BIN)/bench_matmul

$(OBJ)/tests/bench/%.o $(OBJ)/tests/lib/card.o: CPPFLAGS += -Itests/lib

$(BIN)/bench_%: $(OBJ)/tests/bench/bench_%.o $(OBJ)/tests/lib/card.o \
		$(OBJ)/libloomcore.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -o $@ $^ -lm -pthread

.PHONY: bench
bench: $(BENCHES)
	@for b in $(BENCHES); do $$b || exit 1; done
