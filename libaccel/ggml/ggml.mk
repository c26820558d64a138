# SPDX-License-Identifier: MIT
# libggml-loom.so, the backend that ggml programs load.  It holds all of
# libaccel and needs from outside only libdrm and the program's own ggml.

GGML_SRCS := $(sort $(wildcard libaccel/ggml/*.c))
GGML_OBJS := $(GGML_SRCS:%.c=$(OBJ)/%.o)

$(BUILD)/libggml-loom.so: $(GGML_OBJS) $(OBJ)/libaccel.a $(OBJ)/libloomcore.a \
			  libaccel/ggml/ggml.map
	$(CC) -shared -o $@ -Wl,-soname,libggml-loom.so \
		-Wl,--version-script=libaccel/ggml/ggml.map \
		$(GGML_OBJS) $(OBJ)/libaccel.a $(OBJ)/libloomcore.a \
		$(LIBACCEL_LIBS) -ldl

all: $(BUILD)/libggml-loom.so
