# SPDX-License-Identifier: MIT
# The accelerator itself, a library without QEMU.
CORE_SRCS := $(sort $(wildcard qemu-device/core/*.c))

$(OBJ)/libloomcore.a: $(CORE_SRCS:%.c=$(OBJ)/%.o)
$(ASAN)/libloomcore.a: $(CORE_SRCS:%.c=$(ASAN)/%.o)
