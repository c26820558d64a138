# SPDX-License-Identifier: MIT
# accel-smi and the other programs people run.

SMI_OBJS := $(addprefix $(OBJ)/tools/, \
	      accel-smi.o smi_dump.o smi_health.o smi_validate.o)

$(BIN)/accel-smi: $(SMI_OBJS) $(BUILD)/libaccel.so
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -o $@ $(SMI_OBJS) -L$(BUILD) -laccel \
		-Wl,-rpath,'$$ORIGIN/..'

all: $(BIN)/accel-smi

include tools/time/time.mk
include tools/train/train.mk
include tools/llama/llama.mk
