/* SPDX-License-Identifier: MIT */
/*
 * What the backend and ggml agree on: revision 3 of the backend interface, as
 * in ggml 0.27.
 *
 * ggml's package ships no header of this interface, and a build of Loom must
 * not need ggml at all, so the layouts are declared here, from measured facts
 * (Documentation/ggml.rst says how they are checked).  registry.c makes sure
 * that the program which loads the backend speaks this revision.
 */
#ifndef LOOM_GGML_ABI_H
#define LOOM_GGML_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GG_ABI_REVISION		3

/* Numbers of ggml_op; names.c compares them with ggml's own names. */
enum gg_op {
	GG_NONE = 0,
	GG_DUP, GG_ADD, GG_ADD_ID, GG_ADD1, GG_ACC, GG_SUB, GG_MUL, GG_DIV,
	GG_SQR, GG_SQRT, GG_LOG, GG_SIN, GG_COS, GG_SUM, GG_SUM_ROWS,
	GG_CUMSUM, GG_MEAN, GG_ARGMAX, GG_COUNT_EQUAL, GG_REPEAT,
	GG_REPEAT_BACK, GG_CONCAT, GG_SILU_BACK, GG_NORM, GG_RMS_NORM,
	GG_RMS_NORM_BACK, GG_GROUP_NORM, GG_L2_NORM, GG_MUL_MAT,
	GG_MUL_MAT_ID, GG_OUT_PROD, GG_SCALE, GG_SET, GG_CPY, GG_CONT,
	GG_RESHAPE, GG_VIEW, GG_PERMUTE, GG_TRANSPOSE, GG_GET_ROWS,
	GG_GET_ROWS_BACK, GG_SET_ROWS, GG_DIAG, GG_DIAG_MASK_INF,
	GG_DIAG_MASK_ZERO, GG_SOFT_MAX, GG_SOFT_MAX_BACK, GG_ROPE,
	GG_ROPE_BACK, GG_CLAMP, GG_CONV_TRANSPOSE_1D, GG_IM2COL,
	GG_IM2COL_BACK, GG_IM2COL_3D, GG_COL2IM_1D, GG_CONV_2D, GG_CONV_3D,
	GG_CONV_2D_DW, GG_CONV_TRANSPOSE_2D, GG_POOL_1D, GG_POOL_2D,
	GG_POOL_2D_BACK, GG_UPSCALE, GG_PAD, GG_PAD_REFLECT_1D, GG_ROLL,
	GG_ARANGE, GG_TIMESTEP_EMBEDDING, GG_ARGSORT, GG_TOP_K, GG_LEAKY_RELU,
	GG_TRI, GG_FILL, GG_FLASH_ATTN_EXT, GG_FLASH_ATTN_BACK, GG_SSM_CONV,
	GG_SSM_SCAN, GG_WIN_PART, GG_WIN_UNPART, GG_GET_REL_POS,
	GG_ADD_REL_POS, GG_RWKV_WKV6, GG_GATED_LINEAR_ATTN, GG_RWKV_WKV7,
	GG_SOLVE_TRI, GG_GATED_DELTA_NET, GG_LIGHTNING_INDEXER,
	GG_DSV4_HC_COMB, GG_DSV4_HC_PRE, GG_DSV4_HC_POST, GG_UNARY,
	GG_MAP_CUSTOM1, GG_MAP_CUSTOM2, GG_MAP_CUSTOM3, GG_CUSTOM,
	GG_CROSS_ENTROPY_LOSS, GG_CROSS_ENTROPY_LOSS_BACK, GG_OPT_STEP_ADAMW,
	GG_OPT_STEP_SGD, GG_GLU,
	GG_OP_COUNT
};

/* Numbers of ggml_unary_op. */
enum gg_unary {
	GG_UNARY_ABS, GG_UNARY_SGN, GG_UNARY_NEG, GG_UNARY_STEP,
	GG_UNARY_TANH, GG_UNARY_ELU, GG_UNARY_RELU, GG_UNARY_SIGMOID,
	GG_UNARY_GELU, GG_UNARY_GELU_QUICK, GG_UNARY_SILU,
	GG_UNARY_HARDSWISH, GG_UNARY_HARDSIGMOID, GG_UNARY_EXP,
	GG_UNARY_EXPM1, GG_UNARY_SOFTPLUS, GG_UNARY_GELU_ERF,
	GG_UNARY_XIELU, GG_UNARY_FLOOR, GG_UNARY_CEIL, GG_UNARY_ROUND,
	GG_UNARY_TRUNC,
	GG_UNARY_COUNT
};

/* Numbers of ggml_glu_op. */
enum gg_glu {
	GG_GLU_REGLU, GG_GLU_GEGLU, GG_GLU_SWIGLU, GG_GLU_SWIGLU_OAI,
	GG_GLU_GEGLU_ERF, GG_GLU_GEGLU_QUICK, GG_GLU_SWIGLU_CLAMP,
	GG_GLU_COUNT
};

/* Numbers of ggml_type; they are also those of GGUF files. */
enum gg_type {
	GG_F32 = 0, GG_F16 = 1, GG_Q4_0 = 2, GG_Q4_1 = 3, GG_Q5_0 = 6,
	GG_Q5_1 = 7, GG_Q8_0 = 8, GG_Q2_K = 10, GG_Q3_K = 11, GG_Q4_K = 12,
	GG_Q5_K = 13, GG_Q6_K = 14, GG_IQ4_NL = 20, GG_I8 = 24, GG_I16 = 25,
	GG_I32 = 26, GG_I64 = 27, GG_BF16 = 30, GG_MXFP4 = 39,
	GG_TYPE_COUNT = 43
};

/* Bits of ggml_tensor.flags. */
#define GG_FLAG_COMPUTE		16	/* the node must be computed */

/* Bits of the mode of ROPE. */
#define GG_ROPE_NEOX		2
#define GG_ROPE_MROPE		8
#define GG_ROPE_VISION		24
#define GG_ROPE_IMROPE		40

enum gg_status {
	GG_STATUS_ALLOC_FAILED = -2,
	GG_STATUS_FAILED = -1,
	GG_STATUS_SUCCESS = 0,
};

#define GG_DEVICE_TYPE_GPU	1

/* ggml_backend_buffer_usage: its tensors only change by being set */
#define GG_USAGE_WEIGHTS	1

struct gg_buffer;
struct gg_buft;
struct gg_backend;
struct gg_device;
struct gg_reg;
struct gg_event;
struct gg_cgraph;

/** struct gg_tensor - ggml_tensor */
struct gg_tensor {
	int32_t type;
	struct gg_buffer *buffer;
	/** @ne: extents, ne[0] innermost */
	int64_t ne[4];
	/** @nb: bytes per step of each dimension (of a block in dimension 0) */
	size_t nb[4];
	int32_t op;
	int32_t op_params[16];
	int32_t flags;
	struct gg_tensor *src[10];
	struct gg_tensor *view_src;
	size_t view_offs;
	/** @data: in our buffers an address of the card */
	void *data;
	char name[64];
	void *extra;
	char padding[8];
};

/* Virtual tables.  A member that may be NULL says so. */

struct gg_buft_ops {
	const char *(*get_name)(struct gg_buft *);
	struct gg_buffer *(*alloc_buffer)(struct gg_buft *, size_t);
	void *alloc_buffer_n;		/* may be NULL */
	size_t (*get_alignment)(struct gg_buft *);
	size_t (*get_max_size)(struct gg_buft *);	/* may be NULL */
	void *get_alloc_size;		/* may be NULL */
	void *get_alloc_size_n;		/* may be NULL */
	bool (*is_host)(struct gg_buft *);	/* may be NULL: false */
};

struct gg_buft {
	struct gg_buft_ops ops;
	struct gg_device *device;
	void *context;
};

struct gg_buffer_ops {
	void (*free_buffer)(struct gg_buffer *);
	void *(*get_base)(struct gg_buffer *);
	void *init_tensor;		/* may be NULL */
	void (*memset_tensor)(struct gg_buffer *, struct gg_tensor *,
			      uint8_t value, size_t offset, size_t size);
	void (*set_tensor)(struct gg_buffer *, struct gg_tensor *,
			   const void *data, size_t offset, size_t size);
	void (*get_tensor)(struct gg_buffer *, const struct gg_tensor *,
			   void *data, size_t offset, size_t size);
	void *set_tensor_2d;		/* may be NULL */
	void *get_tensor_2d;		/* may be NULL */
	bool (*cpy_tensor)(struct gg_buffer *, const struct gg_tensor *src,
			   struct gg_tensor *dst);	/* may be NULL */
	void (*clear)(struct gg_buffer *, uint8_t value);
	void *reset;			/* may be NULL */
};

struct gg_buffer {
	struct gg_buffer_ops ops;
	struct gg_buft *buft;
	void *context;
	size_t size;
	int32_t usage;
};

struct gg_backend_ops {
	const char *(*get_name)(struct gg_backend *);
	void (*free)(struct gg_backend *);
	void (*set_tensor_async)(struct gg_backend *, struct gg_tensor *,
				 const void *data, size_t offset, size_t size);
	void (*get_tensor_async)(struct gg_backend *, const struct gg_tensor *,
				 void *data, size_t offset, size_t size);
	void *set_tensor_2d_async;	/* may be NULL */
	void *get_tensor_2d_async;	/* may be NULL */
	bool (*cpy_tensor_async)(struct gg_backend *src_backend,
				 struct gg_backend *dst_backend,
				 const struct gg_tensor *src,
				 struct gg_tensor *dst);	/* may be NULL */
	void (*synchronize)(struct gg_backend *);
	void *graph_plan_create;	/* may be NULL, and the next three */
	void *graph_plan_free;
	void *graph_plan_update;
	void *graph_plan_compute;
	int32_t (*graph_compute)(struct gg_backend *, struct gg_cgraph *);
	void (*event_record)(struct gg_backend *, struct gg_event *);
	void (*event_wait)(struct gg_backend *, struct gg_event *);
	void *graph_optimize;		/* may be NULL */
};

struct gg_backend {
	const uint8_t *guid;		/* 16 bytes */
	struct gg_backend_ops ops;
	struct gg_device *device;
	void *context;
};

struct gg_event {
	struct gg_device *device;
	void *context;
};

struct gg_device_caps {
	bool async;
	bool host_buffer;
	bool buffer_from_host_ptr;
	bool events;
	bool mmap_support;
};

struct gg_device_props {
	const char *name;
	const char *description;
	size_t memory_free;
	size_t memory_total;
	int32_t type;
	/** @device_id: PCI address, or NULL */
	const char *device_id;
	struct gg_device_caps caps;
};

struct gg_device_ops {
	const char *(*get_name)(struct gg_device *);
	const char *(*get_description)(struct gg_device *);
	void (*get_memory)(struct gg_device *, size_t *free, size_t *total);
	int32_t (*get_type)(struct gg_device *);
	void (*get_props)(struct gg_device *, struct gg_device_props *);
	struct gg_backend *(*init_backend)(struct gg_device *, const char *);
	struct gg_buft *(*get_buffer_type)(struct gg_device *);
	struct gg_buft *(*get_host_buffer_type)(struct gg_device *);
	void *buffer_from_host_ptr;	/* may be NULL */
	bool (*supports_op)(struct gg_device *, const struct gg_tensor *);
	bool (*supports_buft)(struct gg_device *, struct gg_buft *);
	void *offload_op;		/* may be NULL */
	struct gg_event *(*event_new)(struct gg_device *);
	void (*event_free)(struct gg_device *, struct gg_event *);
	void (*event_synchronize)(struct gg_device *, struct gg_event *);
};

struct gg_device {
	struct gg_device_ops ops;
	struct gg_reg *reg;
	void *context;
};

struct gg_reg_ops {
	const char *(*get_name)(struct gg_reg *);
	size_t (*get_device_count)(struct gg_reg *);
	struct gg_device *(*get_device)(struct gg_reg *, size_t);
	void *(*get_proc_address)(struct gg_reg *, const char *);
};

struct gg_reg {
	int32_t api_version;
	struct gg_reg_ops ops;
	void *context;
};

/* Functions of libggml-base.so, which the program that loads us brings. */
struct gg_buffer *ggml_backend_buffer_init(struct gg_buft *,
					   struct gg_buffer_ops,
					   void *context, size_t size);
const char *ggml_op_name(int op);
const char *ggml_unary_op_name(int op);
const char *ggml_glu_op_name(int op);
const char *ggml_type_name(int type);
const char *ggml_version(void);
int ggml_graph_n_nodes(struct gg_cgraph *);
struct gg_tensor *ggml_graph_node(struct gg_cgraph *, int i);

_Static_assert(sizeof(struct gg_tensor) == 336, "ggml_tensor");
_Static_assert(offsetof(struct gg_tensor, data) == 248, "ggml_tensor.data");
_Static_assert(offsetof(struct gg_buft, device) == 0x40, "buffer type");
_Static_assert(offsetof(struct gg_buffer, buft) == 0x58, "buffer");
_Static_assert(offsetof(struct gg_buffer, usage) == 0x70, "buffer.usage");
_Static_assert(offsetof(struct gg_backend, device) == 0x88, "backend");
_Static_assert(offsetof(struct gg_device, reg) == 0x78, "device");

#endif
