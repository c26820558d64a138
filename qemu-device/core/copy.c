// SPDX-License-Identifier: MIT
/*
 * The copy engine: COPY, FILL, GATHER and SCATTER.
 */
#include <string.h>

#include "engine.h"
#include "plane.h"
#include "stream.h"
#include "types.h"

#define FIELD(name)	((uint32_t)offsetof(struct loom_cmd_copy, name))

/* Bytes moved between looks at the abort flag; about 100 us. */
#define PIECE_BYTES	(1u << 20)

/**
 * struct copy - a command under way
 */
struct copy {
	/** @ex: its environment */
	struct loom_exec *ex;
	/** @cmd: the command, checked */
	const struct loom_cmd_copy *cmd;
	/** @src_span: what the source may touch */
	struct loom_span src_span;
	/** @dst_span: what the destination may touch */
	struct loom_span dst_span;
	/** @index_span: what the index tensor may touch */
	struct loom_span index_span;
	/** @src: the source; for GATHER one row of it */
	struct loom_stream src;
	/** @dst: the destination; for SCATTER one row of it */
	struct loom_stream dst;
	/** @in: elements of the source's type */
	uint64_t in[LOOM_CONVERT_MAX];
	/** @out: elements of the destination's type */
	uint64_t out[LOOM_CONVERT_MAX];
};

static bool indexed(const struct loom_cmd_copy *cmd)
{
	return cmd->mode == LOOM_COPY_GATHER || cmd->mode == LOOM_COPY_SCATTER;
}

static int check_fields(struct loom_exec *ex, const struct loom_cmd_copy *cmd)
{
	unsigned int i;

	if (cmd->mode > LOOM_COPY_SCATTER)
		return loom_fail(ex, LOOM_ERR_CMD_FIELD, FIELD(mode));
	if (cmd->reserved0)
		return loom_fail(ex, LOOM_ERR_CMD_RESERVED, FIELD(reserved0));
	for (i = 0; i < 7; i++) {
		if (cmd->reserved[i])
			return loom_fail(ex, LOOM_ERR_CMD_RESERVED,
					 FIELD(reserved) + 4 * i);
	}
	if (cmd->mode == LOOM_COPY_FILL && cmd->src)
		return loom_fail(ex, LOOM_ERR_CMD_FIELD, FIELD(src));
	if (!indexed(cmd) && cmd->index)
		return loom_fail(ex, LOOM_ERR_CMD_FIELD, FIELD(index));
	return 0;
}

static int check_types(struct loom_exec *ex, const struct loom_cmd_copy *cmd)
{
	bool fill = cmd->mode == LOOM_COPY_FILL;
	bool is_int = cmd->index_type == LOOM_TYPE_I32 ||
		      cmd->index_type == LOOM_TYPE_I64;

	if (fill ? cmd->src_type != LOOM_TYPE_NONE :
		   !loom_type_size(cmd->src_type))
		return loom_fail(ex, LOOM_ERR_CMD_TYPE, FIELD(src_type));
	if (!loom_type_size(cmd->dst_type))
		return loom_fail(ex, LOOM_ERR_CMD_TYPE, FIELD(dst_type));
	if (indexed(cmd) ? !is_int : cmd->index_type != LOOM_TYPE_NONE)
		return loom_fail(ex, LOOM_ERR_CMD_TYPE, FIELD(index_type));
	return 0;
}

static int check_align(struct loom_exec *ex, uint32_t type, uint64_t addr,
		       uint32_t addr_field, const __s64 *stride,
		       unsigned int dims, uint32_t stride_field)
{
	uint64_t mask = loom_type_size(type) - 1;
	unsigned int d;

	if (addr & mask)
		return loom_fail(ex, LOOM_ERR_CMD_ALIGN, addr_field);
	for (d = 0; d < dims; d++) {
		if ((uint64_t)stride[d] & mask)
			return loom_fail(ex, LOOM_ERR_CMD_ALIGN,
					 stride_field + 8 * d);
	}
	return 0;
}

static int check_aligned(struct loom_exec *ex, const struct loom_cmd_copy *cmd)
{
	if (check_align(ex, cmd->dst_type, cmd->dst, FIELD(dst),
			cmd->dst_stride, 4, FIELD(dst_stride)))
		return -1;
	if (cmd->mode != LOOM_COPY_FILL &&
	    check_align(ex, cmd->src_type, cmd->src, FIELD(src),
			cmd->src_stride, 4, FIELD(src_stride)))
		return -1;
	if (indexed(cmd))
		return check_align(ex, cmd->index_type, cmd->index,
				   FIELD(index), cmd->index_stride, 3,
				   FIELD(index_stride));
	return 0;
}

/* @by_index: dimension 1 is stepped by the indices. */
static bool init_span(struct loom_span *span, const struct loom_cmd_copy *cmd,
		      uint64_t addr, uint32_t type, const __s64 *stride,
		      bool by_index)
{
	uint64_t extent[4] = { cmd->dim[0], cmd->dim[1], cmd->dim[2],
			       cmd->dim[3] };
	int64_t step[4] = { stride[0], stride[1], stride[2], stride[3] };

	if (by_index)
		extent[1] = cmd->index_limit;
	return loom_span_init(span, addr, loom_type_size(type), 4, extent,
			      step);
}

static bool init_index_span(struct loom_span *span,
			    const struct loom_cmd_copy *cmd)
{
	uint64_t extent[3] = { cmd->dim[1], cmd->dim[2], cmd->dim[3] };
	int64_t step[3] = { cmd->index_stride[0], cmd->index_stride[1],
			    cmd->index_stride[2] };

	return loom_span_init(span, cmd->index,
			      loom_type_size(cmd->index_type), 3, extent,
			      step);
}

static int init_spans(struct copy *c)
{
	const struct loom_cmd_copy *cmd = c->cmd;

	if (cmd->mode != LOOM_COPY_FILL &&
	    !init_span(&c->src_span, cmd, cmd->src, cmd->src_type,
		       cmd->src_stride, cmd->mode == LOOM_COPY_GATHER))
		return loom_fail(c->ex, LOOM_ERR_CMD_RANGE, FIELD(src));
	if (!init_span(&c->dst_span, cmd, cmd->dst, cmd->dst_type,
		       cmd->dst_stride, cmd->mode == LOOM_COPY_SCATTER))
		return loom_fail(c->ex, LOOM_ERR_CMD_RANGE, FIELD(dst));
	if (indexed(cmd) && !init_index_span(&c->index_span, cmd))
		return loom_fail(c->ex, LOOM_ERR_CMD_RANGE, FIELD(index));
	return 0;
}

static void map_spans(struct copy *c)
{
	loom_span_map(&c->src_span, c->ex, LOOM_ACCESS_READ);
	loom_span_map(&c->dst_span, c->ex, LOOM_ACCESS_WRITE);
	loom_span_map(&c->index_span, c->ex, LOOM_ACCESS_READ);
}

static void init_stream(struct copy *c, struct loom_stream *s,
			const struct loom_span *span, uint32_t type,
			uint64_t addr, const __s64 *stride, bool one_row)
{
	unsigned int d;

	loom_stream_init(s, c->ex, span, loom_type_size(type));
	for (d = 0; d < (one_row ? 1 : 4); d++)
		loom_stream_add(s, c->cmd->dim[d], stride[d]);
	loom_stream_rewind(s, addr);
}

static int stop_if_aborted(const struct copy *c)
{
	if (!loom_exec_aborted(c->ex))
		return 0;
	return loom_fail(c->ex, LOOM_ERR_ABORTED, 0);
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Contiguous elements that need no buffer. */
static uint64_t direct_run(const struct loom_stream *s)
{
	return s->span->host ? loom_stream_run(s) : 0;
}

/* If either side is contiguous in memory, equal types need no buffer. */
static size_t piece(const struct copy *c, uint64_t n)
{
	uint64_t src = direct_run(&c->src), dst = direct_run(&c->dst);
	uint64_t direct = min_u64(src > dst ? src : dst,
				  PIECE_BYTES / c->dst.esize);

	if (c->cmd->src_type == c->cmd->dst_type && direct > LOOM_CONVERT_MAX)
		return (size_t)min_u64(n, direct);
	return (size_t)min_u64(n, LOOM_CONVERT_MAX);
}

/* Move the next @n elements from c->src to c->dst. */
static int transfer(struct copy *c, uint64_t n)
{
	bool same = c->cmd->src_type == c->cmd->dst_type;
	const void *p;
	size_t len;
	void *room;

	for (; n; n -= len) {
		if (stop_if_aborted(c))
			return -1;
		len = piece(c, n);
		room = loom_stream_room(&c->dst, c->out, len);
		p = loom_stream_read(&c->src, same ? room : c->in, len);
		if (!p)
			return -1;
		if (!same) {
			loom_convert(c->cmd->dst_type, room, c->cmd->src_type,
				     p, len);
			p = room;
		}
		if (loom_stream_write(&c->dst, p, len))
			return -1;
	}
	return 0;
}

/*
 * A dimension that one side steps through element by element while the other
 * side does so in dimension 0; 0 if there is none.
 */
static unsigned int crossing_dim(const struct copy *c)
{
	const struct loom_cmd_copy *cmd = c->cmd;
	int64_t esize = c->dst.esize;
	bool by_dst = cmd->dst_stride[0] == esize;
	unsigned int d;

	if (!by_dst && cmd->src_stride[0] != esize)
		return 0;
	for (d = 1; d < 4; d++) {
		if ((by_dst ? cmd->src_stride : cmd->dst_stride)[d] == esize &&
		    cmd->dim[d] >= LOOM_TILE && cmd->dim[0] >= LOOM_TILE)
			return d;
	}
	return 0;
}

static unsigned int can_transpose(const struct copy *c)
{
	if (c->cmd->src_type != c->cmd->dst_type || !c->src_span.host ||
	    !c->dst_span.host || !loom_stream_distinct(&c->dst))
		return 0;
	return crossing_dim(c);
}

static uint8_t *host_at(const struct loom_span *span, uint64_t addr)
{
	return span->host + (addr - span->lo);
}

/* Dimensions 0 and @d in tiles, dst's rows inside; the others one by one. */
static int transpose(struct copy *c, unsigned int d)
{
	const struct loom_cmd_copy *cmd = c->cmd;
	bool by_dst = cmd->dst_stride[0] == c->dst.esize;
	unsigned int e = d == 1 ? 2 : 1, f = d == 3 ? 2 : 3;
	unsigned int row = by_dst ? 0 : d, column = by_dst ? d : 0;
	struct loom_plane p = {
		.ex = c->ex,
		.esize = c->dst.esize,
		.n = { cmd->dim[column], cmd->dim[row] },
		.src_stride = { cmd->src_stride[column], cmd->src_stride[row] },
		.dst_stride = { cmd->dst_stride[column], cmd->dst_stride[row] },
	};
	uint64_t i, j;

	for (j = 0; j < cmd->dim[f]; j++) {
		for (i = 0; i < cmd->dim[e]; i++) {
			p.src = host_at(&c->src_span, cmd->src +
					i * (uint64_t)cmd->src_stride[e] +
					j * (uint64_t)cmd->src_stride[f]);
			p.dst = host_at(&c->dst_span, cmd->dst +
					i * (uint64_t)cmd->dst_stride[e] +
					j * (uint64_t)cmd->dst_stride[f]);
			if (loom_copy_plane(&p))
				return -1;
		}
	}
	return 0;
}

static int copy_all(struct copy *c, uint64_t n)
{
	unsigned int d = can_transpose(c);

	return d ? transpose(c, d) : transfer(c, n);
}

/* All elements, or all ones if there are more. */
static uint64_t elements(const struct loom_cmd_copy *cmd)
{
	uint64_t n = 1;
	unsigned int d;

	for (d = 0; d < 4; d++) {
		if (__builtin_mul_overflow(n, cmd->dim[d], &n))
			return UINT64_MAX;
	}
	return n;
}

static int fill(struct copy *c, uint64_t n)
{
	unsigned int esize = c->dst.esize;
	uint64_t room;
	size_t len;
	void *p;

	loom_splat(c->out, &c->cmd->fill, LOOM_CONVERT_MAX, esize);
	for (; n; n -= len) {
		if (stop_if_aborted(c))
			return -1;
		room = min_u64(direct_run(&c->dst), PIECE_BYTES / esize);
		len = (size_t)min_u64(n, room > LOOM_CONVERT_MAX ?
					 room : LOOM_CONVERT_MAX);
		p = loom_stream_room(&c->dst, c->out, len);
		if (p != c->out)
			loom_splat(p, &c->cmd->fill, len, esize);
		if (loom_stream_write(&c->dst, p, len))
			return -1;
	}
	return 0;
}

/* Row (i1,i2,i3) of the side whose dimension 1 is chosen by the index. */
static int move_row(struct copy *c, const uint32_t *i, int64_t index)
{
	const struct loom_cmd_copy *cmd = c->cmd;
	bool gather = cmd->mode == LOOM_COPY_GATHER;
	const __s64 *stride = gather ? cmd->src_stride : cmd->dst_stride;
	uint64_t addr = gather ? cmd->src : cmd->dst;

	if (index < 0 || index >= cmd->index_limit)
		return loom_fail(c->ex, LOOM_ERR_INDEX, FIELD(index));
	addr += (uint64_t)index * (uint64_t)stride[1] +
		i[1] * (uint64_t)stride[2] + i[2] * (uint64_t)stride[3];
	loom_stream_rewind(gather ? &c->src : &c->dst, addr);
	return transfer(c, cmd->dim[0]);
}

/* The next row, in ascending order of (i3,i2,i1). */
static void next_row(const struct copy *c, uint32_t *i)
{
	unsigned int d;

	for (d = 0; d < 3; d++) {
		if (++i[d] < c->cmd->dim[d + 1])
			return;
		i[d] = 0;
	}
}

static uint64_t index_count(const struct loom_cmd_copy *cmd)
{
	uint64_t n = (uint64_t)cmd->dim[1] * cmd->dim[2];

	return __builtin_mul_overflow(n, cmd->dim[3], &n) ? UINT64_MAX : n;
}

/*
 * Indices are taken in blocks and each is read once: the guest may be changing
 * them.
 */
static int move_rows(struct copy *c)
{
	const struct loom_cmd_copy *cmd = c->cmd;
	LOOM_SCRATCH uint64_t tmp[LOOM_CONVERT_MAX];
	LOOM_SCRATCH int64_t index[LOOM_CONVERT_MAX];
	uint64_t n = index_count(cmd);
	struct loom_stream s;
	uint32_t i[3] = { 0 };
	const void *p;
	size_t len, k;

	loom_stream_init(&s, c->ex, &c->index_span,
			 loom_type_size(cmd->index_type));
	for (k = 0; k < 3; k++)
		loom_stream_add(&s, cmd->dim[k + 1], cmd->index_stride[k]);
	loom_stream_rewind(&s, cmd->index);

	for (; n; n -= len) {
		len = (size_t)min_u64(n, LOOM_CONVERT_MAX);
		p = loom_stream_read(&s, tmp, len);
		if (!p)
			return -1;
		loom_convert(LOOM_TYPE_I64, index, cmd->index_type, p, len);
		for (k = 0; k < len; k++) {
			if (move_row(c, i, index[k]))
				return -1;
			next_row(c, i);
		}
	}
	return 0;
}

static void account(struct copy *c, uint64_t n)
{
	const struct loom_cmd_copy *cmd = c->cmd;
	uint64_t src = n * loom_type_size(cmd->src_type);
	uint64_t dst = n * loom_type_size(cmd->dst_type);

	loom_exec_cost(c->ex)->copy_bytes += src > dst ? src : dst;
	loom_mem_traffic(c->ex, cmd->dst, dst, LOOM_ACCESS_WRITE);
	if (src)
		loom_mem_traffic(c->ex, cmd->src, src, LOOM_ACCESS_READ);
	if (indexed(cmd))
		loom_mem_traffic(c->ex, cmd->index, index_count(cmd) *
				 loom_type_size(cmd->index_type),
				 LOOM_ACCESS_READ);
}

static int run(struct copy *c)
{
	const struct loom_cmd_copy *cmd = c->cmd;

	map_spans(c);
	if (cmd->mode != LOOM_COPY_FILL)
		init_stream(c, &c->src, &c->src_span, cmd->src_type, cmd->src,
			    cmd->src_stride, cmd->mode == LOOM_COPY_GATHER);
	init_stream(c, &c->dst, &c->dst_span, cmd->dst_type, cmd->dst,
		    cmd->dst_stride, cmd->mode == LOOM_COPY_SCATTER);

	switch (cmd->mode) {
	case LOOM_COPY_COPY:
		return copy_all(c, elements(cmd));
	case LOOM_COPY_FILL:
		return fill(c, elements(cmd));
	default:
		return move_rows(c);
	}
}

int loom_copy_exec(struct loom_exec *ex, const struct loom_cmd_copy *cmd)
{
	LOOM_SCRATCH struct copy c;

	if (check_fields(ex, cmd) || check_types(ex, cmd) ||
	    check_aligned(ex, cmd))
		return -1;
	if (!elements(cmd))
		return 0;

	c.ex = ex;
	c.cmd = cmd;
	memset(&c.src_span, 0, sizeof(c.src_span));
	memset(&c.index_span, 0, sizeof(c.index_span));
	if (init_spans(&c) || run(&c))
		return -1;
	account(&c, elements(cmd));
	return 0;
}
