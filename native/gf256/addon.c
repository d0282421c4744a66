/* The door between JavaScript and the kernel. Everything that comes in is checked here, and only
 * here; a bad argument throws a TypeError and nothing has been read or written.
 *
 * Exports:
 *   paths: string[]                             what this CPU can run, best first
 *   multiply(path, matrix, inputs, outputs)     outputs = matrix x inputs, by paths[path]
 */
#define ARGUMENT_ERROR "ERR_GF256_ARGUMENT"
#include "../arguments.h"
#include <pthread.h>
#include <stdlib.h>

#include "gf256.h"

enum { PATHS_MAX = 8, ARGUMENTS = 4 };

/* Process-wide and constant once filled, so environments and worker threads share them. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static const gf256_path *paths[PATHS_MAX];
static uint32_t path_count;

static void add_paths(const gf256_path *list) {
  for (; list->name != NULL && path_count < PATHS_MAX; list++)
    if (list->usable()) paths[path_count++] = list;
}

static void prepare(void) {
  gf256_prepare();
  add_paths(gf256_x86);
  add_paths(gf256_neon);
  add_paths(gf256_scalar);
}

static bool overlap(const uint8_t *a, const uint8_t *b, size_t length) {
  uintptr_t x = (uintptr_t)a, y = (uintptr_t)b;
  return x < y ? y - x < length : x - y < length;
}

static bool outputs_are_apart(const gf256_job *job) {
  for (size_t r = 0; r < job->rows; r++) {
    for (size_t c = 0; c < job->cols; c++)
      if (overlap(job->out[r], job->in[c], job->length)) return false;
    for (size_t other = 0; other < r; other++)
      if (overlap(job->out[r], job->out[other], job->length)) return false;
  }
  return true;
}

/* Fills the job from the items; returns what is wrong, or NULL. */
static const char *read_job(napi_env env, napi_value matrix, const napi_value *in_items,
                            const napi_value *out_items, gf256_job *job, const uint8_t **in,
                            uint8_t **out) {
  span bytes;
  if (!read_span(env, matrix, &bytes)) return "matrix must be a Uint8Array";
  if (bytes.length != job->rows * job->cols) return "matrix must have rows x columns bytes";
  job->matrix = bytes.bytes;
  for (size_t c = 0; c < job->cols; c++) {
    if (!read_span(env, in_items[c], &bytes)) return "an input must be a Uint8Array with bytes";
    if (c == 0) job->length = bytes.length;
    if (bytes.length != job->length) return "inputs and outputs must have one length";
    in[c] = bytes.bytes;
  }
  for (size_t r = 0; r < job->rows; r++) {
    if (!read_span(env, out_items[r], &bytes)) return "an output must be a Uint8Array with bytes";
    if (bytes.length != job->length) return "inputs and outputs must have one length";
    out[r] = bytes.bytes;
  }
  job->in = in;
  job->out = out;
  if (!outputs_are_apart(job)) return "an output must not overlap an input or another output";
  return NULL;
}

static napi_value multiply(napi_env env, napi_callback_info info) {
  napi_value arguments[ARGUMENTS];
  if (!take(env, info, arguments, ARGUMENTS))
    return refuse(env, "multiply takes path, matrix, inputs, outputs");

  double index = -1;
  if (napi_get_value_double(env, arguments[0], &index) != napi_ok ||
      !(index >= 0 && index < path_count))
    return refuse(env, "path must be an index into paths");

  napi_value in_items[GF256_SIDE_MAX], out_items[GF256_SIDE_MAX];
  uint32_t rows, cols;
  if (!read_list(env, arguments[2], GF256_SIDE_MAX, in_items, &cols))
    return refuse(env, "inputs must be an array of 1 to 256");
  if (!read_list(env, arguments[3], GF256_SIDE_MAX, out_items, &rows))
    return refuse(env, "outputs must be an array of 1 to 256");

  const uint8_t *in[GF256_SIDE_MAX];
  uint8_t *out[GF256_SIDE_MAX];
  gf256_job job = {.rows = rows, .cols = cols};
  const char *wrong = read_job(env, arguments[1], in_items, out_items, &job, in, out);
  if (wrong != NULL) return refuse(env, wrong);

  job.factors = malloc(sizeof(gf256_factor) * rows * cols);
  if (job.factors == NULL) {
    napi_throw_error(env, "ERR_GF256_MEMORY", "no memory for the factors");
    return NULL;
  }
  paths[(uint32_t)index]->run(&job);
  free(job.factors);
  return NULL;
}

static napi_value list_paths(napi_env env) {
  napi_value list, name;
  if (napi_create_array_with_length(env, path_count, &list) != napi_ok) return NULL;
  for (uint32_t i = 0; i < path_count; i++) {
    if (napi_create_string_utf8(env, paths[i]->name, NAPI_AUTO_LENGTH, &name) != napi_ok)
      return NULL;
    if (napi_set_element(env, list, i, name) != napi_ok) return NULL;
  }
  return list;
}

NAPI_MODULE_INIT() {
  pthread_once(&once, prepare);
  napi_value list = list_paths(env), function;
  if (list == NULL || napi_set_named_property(env, exports, "paths", list) != napi_ok) return NULL;
  if (napi_create_function(env, "multiply", NAPI_AUTO_LENGTH, multiply, NULL, &function) !=
          napi_ok ||
      napi_set_named_property(env, exports, "multiply", function) != napi_ok)
    return NULL;
  return exports;
}
