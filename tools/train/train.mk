# SPDX-License-Identifier: MIT
# loom-train: the main job's program.
TRAIN_SRCS := $(sort $(wildcard tools/train/*.c))

$(BIN)/loom-train: $(TRAIN_SRCS:%.c=$(OBJ)/%.o) $(BUILD)/libaccel.so
	@mkdir -p $(@D)
	$(CC) -o $@ $(filter %.o,$^) -L$(BUILD) -laccel -lz \
		-Wl,-rpath,'$$ORIGIN/..'

all: $(BIN)/loom-train
