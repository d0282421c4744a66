/* ISA-L behind the same door as native/gf256, so that scripts/bench/erasure.ts can time both in
 * one process on the same buffers. Compiled to a temporary folder; never a part of Hive itself.
 *
 *   version: string        prepare(matrix, columns)        multiply(inputs, outputs)
 */
#define NAPI_VERSION 8
#include <isa-l.h>
#include <node_api.h>
#include <stdint.h>
#include <stdio.h>

enum { SIDE = 256 };

/* Its tables are made once, outside the timed part: a gift to the library compared with. */
static unsigned char tables[SIDE * SIDE * 32];

static uint8_t *bytes_of(napi_env env, napi_value value, size_t *length) {
  void *bytes = NULL;
  napi_get_typedarray_info(env, value, NULL, length, &bytes, NULL, NULL);
  return bytes;
}

static uint32_t list_of(napi_env env, napi_value list, uint8_t **bytes, size_t *length) {
  uint32_t count = 0;
  napi_get_array_length(env, list, &count);
  for (uint32_t i = 0; i < count && i < SIDE; i++) {
    napi_value item;
    napi_get_element(env, list, i, &item);
    bytes[i] = bytes_of(env, item, length);
  }
  return count;
}

static napi_value prepare(napi_env env, napi_callback_info info) {
  size_t count = 2, length = 0;
  napi_value arguments[2];
  uint32_t columns = 1;
  napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
  uint8_t *matrix = bytes_of(env, arguments[0], &length);
  napi_get_value_uint32(env, arguments[1], &columns);
  ec_init_tables((int)columns, (int)(length / columns), matrix, tables);
  return NULL;
}

static napi_value multiply(napi_env env, napi_callback_info info) {
  size_t count = 2, length = 0;
  napi_value arguments[2];
  uint8_t *in[SIDE], *out[SIDE];
  napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
  uint32_t columns = list_of(env, arguments[0], in, &length);
  uint32_t rows = list_of(env, arguments[1], out, &length);
  ec_encode_data((int)length, (int)columns, (int)rows, tables, in, out);
  return NULL;
}

static void add(napi_env env, napi_value exports, const char *name, napi_callback callback) {
  napi_value function;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, NULL, &function);
  napi_set_named_property(env, exports, name, function);
}

NAPI_MODULE_INIT() {
  char text[32];
  napi_value version;
  snprintf(text, sizeof text, "%d.%d.%d", ISAL_MAJOR_VERSION, ISAL_MINOR_VERSION,
           ISAL_PATCH_VERSION);
  napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &version);
  napi_set_named_property(env, exports, "version", version);
  add(env, exports, "prepare", prepare);
  add(env, exports, "multiply", multiply);
  return exports;
}
