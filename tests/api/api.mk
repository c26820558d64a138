# SPDX-License-Identifier: MIT
# Tests of libaccel.
#
# tests/api: programs that run over any device.  On the host over "sim:", under
# the sanitizers; in the VM over /dev/accel, with the shared library as it is.
API_SRCS  := $(sort $(wildcard tests/api/check_*.c))
API_TESTS := $(API_SRCS:%.c=$(ASAN)/%) $(API_SRCS:%.c=$(BIN)/%)

CHECK_LIBS := -lcheck -lsubunit -lrt -lm -pthread

$(ASAN)/tests/api/check_%: $(ASAN)/tests/api/check_%.o $(ASAN)/tests/api/api.o \
			   $(ASAN)/libaccel.a $(ASAN)/libloomcore.a
	$(CC) $(CFLAGS) $(SANFLAGS) -o $@ $^ -ldrm $(CHECK_LIBS)

$(BIN)/tests/api/check_%: $(OBJ)/tests/api/check_%.o $(OBJ)/tests/api/api.o \
			  $(BUILD)/libaccel.so
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -o $@ $(filter %.o,$^) -L$(BUILD) -laccel \
		-Wl,-rpath,'$$ORIGIN/../../..' $(CHECK_LIBS)

# Unit tests of its parts.  check_drm is the kernel to the DRM transport, so it
# links no libdrm.
LIB_UNIT_TESTS := $(ASAN)/tests/check_cmd $(ASAN)/tests/check_vasm \
		  $(ASAN)/tests/check_sim

$(ASAN)/tests/unit/%.o: CPPFLAGS += -Ilibaccel/src

$(LIB_UNIT_TESTS): $(ASAN)/tests/check_%: $(ASAN)/tests/unit/check_%.o \
		   $(ASAN)/libaccel.a $(ASAN)/libloomcore.a
	$(CC) $(CFLAGS) $(SANFLAGS) -o $@ $^ -ldrm $(CHECK_LIBS)

$(ASAN)/tests/check_drm: $(ASAN)/tests/unit/check_drm.o \
			 $(ASAN)/libaccel.a $(ASAN)/libloomcore.a
	$(CC) $(CFLAGS) $(SANFLAGS) -o $@ $^ $(CHECK_LIBS)

# check_nomem fails the allocations of the library and the core.
$(ASAN)/tests/check_nomem: $(ASAN)/tests/unit/check_nomem.o \
			   $(ASAN)/libaccel.a $(ASAN)/libloomcore.a
	$(CC) $(CFLAGS) $(SANFLAGS) -o $@ $^ -ldrm $(CHECK_LIBS) \
		-Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc \
		-Wl,--wrap=mmap,--wrap=pthread_create

# Two that use threads, under ThreadSanitizer.
LIB_TSAN_OBJS := $(LIBACCEL_SRCS:%.c=$(TSAN)/%.o) $(CORE_SRCS:%.c=$(TSAN)/%.o)
LIB_TSAN_TESTS := $(TSAN)/tests/check_sim $(TSAN)/tests/api/check_api_queue

$(TSAN)/libaccel/src/%.o: CFLAGS += -Wno-format-truncation
$(TSAN)/tests/%.o: CPPFLAGS += -Ilibaccel/src

$(TSAN)/tests/check_sim: $(TSAN)/tests/unit/check_sim.o $(LIB_TSAN_OBJS)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(TSANFLAGS) -o $@ $^ -ldrm $(CHECK_LIBS)

$(TSAN)/tests/api/check_%: $(TSAN)/tests/api/check_%.o \
			   $(TSAN)/tests/api/api.o $(LIB_TSAN_OBJS)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(TSANFLAGS) -o $@ $^ -ldrm $(CHECK_LIBS)

.PHONY: check-tsan-lib
check-tsan-lib: $(LIB_TSAN_TESTS)
	@for t in $(LIB_TSAN_TESTS); do \
		CK_FORK=no TSAN_OPTIONS=halt_on_error=1 $$t || exit 1; \
	done
check-tsan: check-tsan-lib

.PHONY: check-api tests
check-api: $(API_TESTS)
	@for t in $(API_SRCS:%.c=$(ASAN)/%); do ACCEL_DEVICE=sim: $$t || exit 1; done

tests: $(API_TESTS)
