# SPDX-License-Identifier: MIT
# libaccel.so.0, its examples and manual pages.

LIBACCEL_SRCS := $(sort $(wildcard libaccel/src/*.c))
LIBACCEL_LIBS := -ldrm -lm -pthread

# The version script alone decides what is exported.  Texts for people are cut
# to their buffers on purpose.
$(OBJ)/libaccel/src/%.o $(ASAN)/libaccel/src/%.o: \
	CFLAGS += -fvisibility=default -fno-semantic-interposition \
		  -Wno-format-truncation

$(OBJ)/libaccel.a: $(LIBACCEL_SRCS:%.c=$(OBJ)/%.o)
$(ASAN)/libaccel.a: $(LIBACCEL_SRCS:%.c=$(ASAN)/%.o)

$(BUILD)/libaccel.so.0: $(OBJ)/libaccel.a $(OBJ)/libloomcore.a libaccel/libaccel.map
	$(CC) -shared -o $@ -Wl,-soname,libaccel.so.0 -Wl,-z,defs \
		-Wl,--version-script=libaccel/libaccel.map \
		-Wl,--whole-archive $(OBJ)/libaccel.a -Wl,--no-whole-archive \
		$(OBJ)/libloomcore.a $(LIBACCEL_LIBS)

$(BUILD)/libaccel.so: $(BUILD)/libaccel.so.0
	ln -sf libaccel.so.0 $@

.PHONY: libaccel
libaccel: $(BUILD)/libaccel.so $(OBJ)/libaccel.a $(ASAN)/libaccel.a
all: $(BUILD)/libaccel.so

# man -l build/man/man3/accel_bo_create.3
.PHONY: man
man:
	libaccel/man/make-man.py $(BUILD)/man/man3
	@mkdir -p $(BUILD)/man/man1
	cp tools/*.1 $(BUILD)/man/man1/

include libaccel/ggml/ggml.mk
include libaccel/examples/examples.mk
