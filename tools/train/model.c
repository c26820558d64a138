// SPDX-License-Identifier: MIT
/*
 * The network 784-256-128-10 with ReLU: its tensors and its commands.
 *
 * Images stay bytes.  A step gathers its batch from them into bf16, where 0 to
 * 255 are exact, and the matmuls of the first layer divide by INPUT_ONE.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "train.h"

#define TRY(call)							\
	do {								\
		int rc_ = (call);					\
		if (rc_)						\
			return rc_;					\
	} while (0)

/* The byte that the network sees as 1.0: the standard deviation of the images. */
#define INPUT_ONE	90

#define ARENA_ALIGN	256

static const uint32_t layer_size[NUM_LAYERS + 1] = {
	IMAGE_SIZE, 256, 128, NUM_CLASSES
};

/*
 * sqrt(6 / in): uniform weights of variance 2 / in, which ReLU halves.  The
 * square root is a constant so that no C library has a say in the bits.
 */
static const float init_bound[NUM_LAYERS] = { 0.0874818f, 0.1530931f,
					      0.2165064f };

/* ------------------------------------------------------------------- memory */

/** struct arena - addresses handed out in order */
struct arena {
	uint64_t next;
};

static struct accel_tensor take(struct arena *a, uint32_t type, uint32_t d0,
				uint32_t d1)
{
	struct accel_tensor t = accel_tensor_2d(a->next, type, d0, d1);

	a->next += (accel_tensor_bytes(&t) + ARENA_ALIGN - 1) &
		   ~(uint64_t)(ARENA_ALIGN - 1);
	return t;
}

static uint32_t matmul_type(const struct model *m)
{
	return m->opt->f32 ? LOOM_TYPE_F32 : LOOM_TYPE_BF16;
}

/* Parameters are one vector for the optimizer and matrices for the layers. */
static void layout_params(struct model *m, struct arena *a)
{
	uint32_t i;

	m->num_params = 0;
	for (i = 0; i < NUM_LAYERS; i++)
		m->num_params += (layer_size[i] + 1) * layer_size[i + 1];
	m->weight = take(a, LOOM_TYPE_F32, m->num_params, 1);
	m->m = take(a, LOOM_TYPE_F32, m->num_params, 1);
	m->v = take(a, LOOM_TYPE_F32, m->num_params, 1);
	m->grad = take(a, LOOM_TYPE_F32, m->num_params, 1);
	if (!m->opt->f32)
		m->weight16 = take(a, LOOM_TYPE_BF16, m->num_params, 1);
}

/* @count elements of @vector from @first on, as a matrix. */
static struct accel_tensor matrix(const struct accel_tensor *vector,
				  uint32_t first, uint32_t columns,
				  uint32_t rows)
{
	struct accel_tensor t;

	t = accel_tensor_columns(vector, first, columns * rows);
	return accel_tensor_reshape(&t, columns, rows, 1, 1);
}

static void layout_layers(struct model *m, struct arena *a)
{
	const struct accel_tensor *weight = m->opt->f32 ? &m->weight :
							  &m->weight16;
	uint32_t i, first = 0, batch = m->opt->batch, type = matmul_type(m);
	struct layer *l;

	for (i = 0; i < NUM_LAYERS; i++) {
		l = &m->layer[i];
		l->in = layer_size[i];
		l->out = layer_size[i + 1];
		l->alpha = i ? 1.0f : 1.0f / INPUT_ONE;
		l->weight = matrix(weight, first, l->out, l->in);
		l->bias = matrix(&m->weight, first + l->in * l->out, l->out, 1);
		l->grad = matrix(&m->grad, first, l->out, l->in + 1);
		l->input = take(a, type, l->in + 1, batch);
		l->delta = take(a, type, l->out, batch);
		if (i)
			m->layer[i - 1].output =
				accel_tensor_columns(&l->input, 0, l->in);
		first += (l->in + 1) * l->out;
	}
	l = &m->layer[NUM_LAYERS - 1];
	l->output = take(a, LOOM_TYPE_F32, l->out, batch);
	m->label = take(a, LOOM_TYPE_I32, 1, batch);
	m->loss = take(a, LOOM_TYPE_F32, batch, 1);
}

/* Give everything on the card its address; what follows @base in bytes. */
static uint64_t layout_hbm(struct model *m, const struct dataset *ds,
			   uint64_t base)
{
	struct arena a = { base };

	m->train_images = take(&a, LOOM_TYPE_U8, IMAGE_SIZE, ds->num_train);
	m->train_labels = take(&a, LOOM_TYPE_U8, 1, ds->num_train);
	m->test_images = take(&a, LOOM_TYPE_U8, IMAGE_SIZE, ds->num_test);
	layout_params(m, &a);
	layout_layers(m, &a);
	return a.next - base;
}

static uint64_t layout_host(struct model *m, const struct dataset *ds,
			    uint64_t base)
{
	struct arena a = { base };

	m->index = take(&a, LOOM_TYPE_I32, ds->num_train, 1);
	m->losses = take(&a, LOOM_TYPE_F32, SLOT_STEPS, NUM_SLOTS);
	m->predictions = take(&a, LOOM_TYPE_U8, 1, ds->num_test);
	return a.next - base;
}

static int create_buffers(struct model *m, const struct dataset *ds)
{
	uint64_t size = layout_hbm(m, ds, 0);

	if (accel_bo_create(m->dev, size, ACCEL_HBM, &m->hbm))
		return die_accel("allocating the card's memory");
	layout_hbm(m, ds, accel_bo_va(m->hbm));
	size = layout_host(m, ds, 0);
	if (accel_bo_create(m->dev, size, ACCEL_HOST, &m->host))
		return die_accel("allocating system memory");
	layout_host(m, ds, accel_bo_va(m->host));
	return 0;
}

static int upload(struct model *m, const struct accel_tensor *t,
		  const void *data)
{
	return accel_bo_write(m->hbm, t->va - accel_bo_va(m->hbm), data,
			      accel_tensor_bytes(t));
}

static int upload_dataset(struct model *m, const struct dataset *ds)
{
	if (upload(m, &m->train_images, ds->train_images) ||
	    upload(m, &m->train_labels, ds->train_labels) ||
	    upload(m, &m->test_images, ds->test_images))
		return die_accel("copying the images to the card");
	return 0;
}

static int upload_weights(struct model *m)
{
	float *w = calloc(m->num_params, sizeof(*w));
	struct rng rng;
	uint32_t i, j;
	float *p = w;
	int rc = 0;

	if (!w)
		return die(EXIT_MEMORY, "no memory for the weights");
	rng_init(&rng, m->opt->seed);
	for (i = 0; i < NUM_LAYERS; i++) {
		for (j = 0; j < m->layer[i].in * m->layer[i].out; j++)
			*p++ = init_bound[i] * rng_symmetric(&rng);
		p += m->layer[i].out;	/* biases start at 0 */
	}
	if (upload(m, &m->weight, w))
		rc = die_accel("copying the weights to the card");
	free(w);
	return rc;
}

/* ----------------------------------------------------------------- commands */

static int record_init(struct model *m, struct accel_cmdbuf *cb)
{
	struct accel_tensor ones;
	uint32_t i;

	for (i = 0; i < NUM_LAYERS; i++) {
		ones = accel_tensor_columns(&m->layer[i].input,
					    m->layer[i].in, 1);
		TRY(accel_op_fill(cb, &ones, i ? 1 : INPUT_ONE));
	}
	if (!m->opt->f32)
		TRY(accel_op_copy(cb, &m->weight16, &m->weight));
	return 0;
}

/* The first @count rows of the batch through all layers. */
static int record_forward(struct model *m, struct accel_cmdbuf *cb,
			  uint32_t count)
{
	struct accel_tensor in, out;
	const struct layer *l;
	uint32_t i;

	for (i = 0; i < NUM_LAYERS; i++) {
		l = &m->layer[i];
		in = accel_tensor_columns(&l->input, 0, l->in);
		in = accel_tensor_rows(&in, 0, count);
		out = accel_tensor_rows(&l->output, 0, count);
		TRY(accel_op_matmul(cb, &out, &in, &l->weight, &l->bias,
				    l->alpha));
		if (i < NUM_LAYERS - 1)
			TRY(accel_op_relu(cb, &out, &out));
	}
	return 0;
}

static int record_backward(struct model *m, struct accel_cmdbuf *cb)
{
	struct accel_tensor input, weight;
	const struct layer *l, *below;
	uint32_t i;

	for (i = NUM_LAYERS; i-- > 0;) {
		l = &m->layer[i];
		input = accel_tensor_transpose(&l->input);
		TRY(accel_op_matmul(cb, &l->grad, &input, &l->delta, NULL,
				    l->alpha));
		if (!i)
			break;
		below = &m->layer[i - 1];
		weight = accel_tensor_transpose(&l->weight);
		TRY(accel_op_matmul(cb, &below->delta, &l->delta, &weight, NULL,
				    1));
		TRY(accel_op_relu_backward(cb, &below->delta, &below->delta,
					   &below->output));
	}
	return 0;
}

static int record_batch(struct model *m, struct accel_cmdbuf *cb,
			struct step_offsets *offsets)
{
	const struct layer *first = &m->layer[0];
	struct accel_tensor x = accel_tensor_columns(&first->input, 0,
						     first->in);
	struct accel_tensor index = accel_tensor_columns(&m->index, 0,
							 m->opt->batch);

	offsets->images = accel_cmdbuf_size(cb);
	TRY(accel_op_get_rows(cb, &x, &m->train_images, &index));
	offsets->labels = accel_cmdbuf_size(cb);
	return accel_op_get_rows(cb, &m->label, &m->train_labels, &index);
}

int model_record_step(struct model *m, struct accel_cmdbuf *cb,
		      const struct accel_tensor *loss,
		      const struct accel_adamw_desc *desc,
		      struct step_offsets *offsets)
{
	const struct layer *last = &m->layer[NUM_LAYERS - 1];
	struct accel_tensor rows = accel_tensor_transpose(&m->loss);

	TRY(record_batch(m, cb, offsets));
	TRY(record_forward(m, cb, m->opt->batch));
	TRY(accel_op_cross_entropy(cb, &rows, &last->delta, &last->output,
				   &m->label, 1.0f / (float)m->opt->batch));
	TRY(accel_op_sum(cb, loss, &m->loss, 0));
	TRY(record_backward(m, cb));
	offsets->adamw = accel_cmdbuf_size(cb);
	return accel_op_adamw(cb, &m->weight, &m->m, &m->v, &m->grad,
			      m->opt->f32 ? NULL : &m->weight16, desc);
}

int model_record_predict(struct model *m, struct accel_cmdbuf *cb,
			 uint32_t first, uint32_t count)
{
	const struct layer *in = &m->layer[0];
	const struct layer *out = &m->layer[NUM_LAYERS - 1];
	struct accel_tensor x, images, logits, predictions;

	x = accel_tensor_columns(&in->input, 0, in->in);
	x = accel_tensor_rows(&x, 0, count);
	images = accel_tensor_rows(&m->test_images, first, count);
	logits = accel_tensor_rows(&out->output, 0, count);
	predictions = accel_tensor_rows(&m->predictions, first, count);
	TRY(accel_op_copy(cb, &x, &images));
	TRY(record_forward(m, cb, count));
	return accel_op_argmax(cb, &predictions, &logits);
}

/* -------------------------------------------------------------------- model */

int model_run(struct model *m, struct accel_cmdbuf *cb)
{
	uint64_t point;

	if (accel_submit(m->queue, cb, &point) ||
	    accel_wait(m->queue, point, -1))
		return die_accel("running on the card");
	return 0;
}

static int init_on_card(struct model *m)
{
	struct accel_cmdbuf *cb;
	int rc = 0;

	if (accel_cmdbuf_create(m->dev, &cb))
		return die_accel("making a command buffer");
	if (record_init(m, cb))
		rc = die_accel("recording");
	if (!rc)
		rc = model_run(m, cb);
	accel_cmdbuf_destroy(cb);
	return rc;
}

static int open_card(struct model *m)
{
	int rc;

	m->info.size = sizeof(m->info);
	if (!accel_device_open(m->opt->device, &m->dev) &&
	    !accel_device_query(m->dev, &m->info) &&
	    !accel_queue_create(m->dev, NULL, &m->queue))
		return 0;
	rc = die_accel("opening the card");
	return rc == -EXIT_OTHER ? -EXIT_CARD : rc;
}

int model_create(struct model *m, const struct options *opt,
		 const struct dataset *ds)
{
	int rc;

	memset(m, 0, sizeof(*m));
	m->opt = opt;
	rc = open_card(m);
	if (!rc)
		rc = create_buffers(m, ds);
	if (!rc)
		rc = upload_dataset(m, ds);
	if (!rc)
		rc = upload_weights(m);
	if (!rc)
		rc = init_on_card(m);
	if (rc)
		model_destroy(m);
	return rc;
}

void model_destroy(struct model *m)
{
	accel_queue_destroy(m->queue);
	accel_bo_destroy(m->host);
	accel_bo_destroy(m->hbm);
	if (m->dev)
		accel_device_close(m->dev);
	memset(m, 0, sizeof(*m));
}

static uint64_t fnv1a(uint64_t hash, const uint8_t *bytes, size_t len)
{
	while (len--)
		hash = (hash ^ *bytes++) * 0x100000001b3ull;
	return hash;
}

int model_hash(struct model *m, uint64_t *out)
{
	uint64_t weights = accel_tensor_bytes(&m->weight);
	uint64_t predictions = accel_tensor_bytes(&m->predictions);
	uint8_t *buf = malloc(weights + predictions);
	int rc = 0;

	if (!buf)
		return die(EXIT_MEMORY, "no memory for the weights");
	if (accel_bo_read(m->hbm, m->weight.va - accel_bo_va(m->hbm), buf,
			  weights) ||
	    accel_bo_read(m->host, m->predictions.va - accel_bo_va(m->host),
			  buf + weights, predictions))
		rc = die_accel("reading the weights");
	*out = fnv1a(0xcbf29ce484222325ull, buf, weights + predictions);
	free(buf);
	return rc;
}
