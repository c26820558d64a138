// SPDX-License-Identifier: MIT
/*
 * The driver's trace events tell what happened, in an instance of tracefs of our own.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "card.h"

#define TRACEFS		"/sys/kernel/tracing"
#define INSTANCE	TRACEFS "/instances/loom-test/"
#define NOWHERE		0x7000000000ull

static void start_tracing(void)
{
	if (access(TRACEFS "/instances", F_OK) &&
	    mount("none", TRACEFS, "tracefs", 0, NULL))
		tap_skip("no tracefs: %s", strerror(errno));
	if (mkdir(INSTANCE, 0700) && errno != EEXIST)
		tap_skip("no " INSTANCE ": %s", strerror(errno));
	t_write_file(INSTANCE "events/loom/enable", "1");
	t_write_file(INSTANCE "trace", "");
}

static void stop_tracing(void)
{
	t_write_file(INSTANCE "events/loom/enable", "0");
	EXPECT_OK(rmdir(INSTANCE));
}

static const char *look_for(const char *event, const char *fields)
{
	static char line[512];
	FILE *f = fopen(INSTANCE "trace", "r");
	bool found = false;

	EXPECT(f != NULL);
	while (!found && fgets(line, sizeof(line), f))
		found = strstr(line, event) && strstr(line, fields);
	fclose(f);
	return found ? line : NULL;
}

/* Wait for an event: an interrupt may have to come.  Its line, until the next is asked for. */
static const char *traced(const char *event, const char *fields)
{
	const char *line = look_for(event, fields);

	for (int i = 0; !line && i < 500; i++) {
		usleep(10000);
		line = look_for(event, fields);
	}
	if (!line)
		tap_fail(__FILE__, __LINE__, "no %s with %s", event, fields);
	return line;
}

static uint64_t number_after(const char *text, const char *key)
{
	const char *p = strstr(text, key);

	EXPECT(p != NULL);
	return strtoull(p + strlen(key), NULL, 0);
}

/* The hardware queue that a first job of so many bytes went to. */
static unsigned int traced_queue(uint32_t size)
{
	char fields[64];

	snprintf(fields, sizeof(fields), "job=1 cmd_va=%#llx cmd_size=%u", T_CMD_VA, size);
	return number_after(traced("loom_job_emit: ", fields), "queue=");
}

/* Of this queue: those of the test before may still be on their way out. */
static const char *traced_on(unsigned int queue, const char *event, const char *fields)
{
	char text[64];

	snprintf(text, sizeof(text), "queue=%u %s", queue, fields);
	return traced(event, text);
}

TEST(a_job_is_traced_from_the_ring_to_its_end)
{
	struct t_ctx ctx;
	const char *done;
	uint32_t size;

	t_ctx_init(&ctx);
	size = t_cmd_fill(&ctx, 0, T_HBM_VA, 16, 1);
	start_tracing();
	EXPECT_EQ(t_run(&ctx, size), 1);
	done = traced_on(traced_queue(size), "loom_job_done: ", "job=1 ");
	EXPECT(number_after(done, "end=") > number_after(done, "start="));
	EXPECT_EQ(number_after(done, "error="), 0);
	stop_tracing();
}

TEST(a_fault_is_traced_with_its_address)
{
	unsigned int queue;
	struct t_ctx ctx;
	const char *line;
	uint32_t size;

	t_ctx_init(&ctx);
	size = t_cmd_fill(&ctx, 0, NOWHERE, 16, 1);
	start_tracing();
	EXPECT_EQ(t_run(&ctx, size), -EIO);
	queue = traced_queue(size);
	line = traced_on(queue, "loom_job_done: ", "job=1 ");
	EXPECT(strstr(line, "error=-5") != NULL);
	line = traced_on(queue, "loom_queue_stop: ", "state=");
	EXPECT_EQ(number_after(line, "state="),
		  DRM_LOOM_QUEUE_BANNED | DRM_LOOM_QUEUE_FAULTED);
	line = traced_on(queue, "type=queue-error ", "error=");
	EXPECT_EQ(number_after(line, "error="), LOOM_ERR_FAULT_UNMAPPED);
	EXPECT_EQ(number_after(line, "addr="), NOWHERE);
	stop_tracing();
}

TEST(binds_are_traced)
{
	struct t_ctx ctx;

	t_ctx_init(&ctx);
	start_tracing();
	t_map(ctx.fd, ctx.vm, ctx.hbm_bo, NOWHERE, T_HBM_SIZE);
	t_unmap(ctx.fd, ctx.vm, NOWHERE, T_HBM_SIZE);
	traced("loom_vm_bind: ", " map va=0x7000000000 end=0x7000100000");
	traced("loom_vm_bind: ", " unmap va=0x7000000000 end=0x7000100000");
	stop_tracing();
}

TEST(an_object_is_traced_to_its_place)
{
	int fd = t_open();

	start_tracing();
	t_bo(fd, 0x123000, DRM_LOOM_PLACE_HBM, 0);
	traced("loom_bo_move: ", "size=1191936 to=hbm evict=0");
	stop_tracing();
}

TEST(a_reset_is_traced)
{
	struct t_ctx ctx;

	if (access(T_DEVICE "reset_method", F_OK))
		tap_skip("no " T_DEVICE "reset_method");
	t_ctx_init(&ctx);
	start_tracing();
	t_write_file(T_DEVICE "reset_method", "flr");
	t_write_file(T_DEVICE "reset", "1");
	traced("loom_reset: ", "ok=1");
	stop_tracing();
}

TAP_MAIN()
