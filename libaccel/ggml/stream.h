/* SPDX-License-Identifier: MIT */
/*
 * A stream: ggml's backend object, a queue of the card.
 *
 * A stream is used by one thread at a time, as ggml says.
 */
#ifndef LOOM_GGML_STREAM_H
#define LOOM_GGML_STREAM_H

#include "abi.h"

/** stream_open() - ggml_backend_dev_init(); NULL on failure, reported */
struct gg_backend *stream_open(struct gg_device *dev, const char *params);

struct gg_event *stream_event_new(struct gg_device *dev);
void stream_event_free(struct gg_device *dev, struct gg_event *event);
void stream_event_synchronize(struct gg_device *dev, struct gg_event *event);

#endif
