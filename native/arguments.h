/* What comes in from JavaScript, for the addon.c of each folder and nobody else: how many
 * arguments came, bytes, lists, and how a wrong one is refused. The file that includes it says
 * before under which code, as ARGUMENT_ERROR.
 */
#ifndef HIVE_ARGUMENTS_H
#define HIVE_ARGUMENTS_H

#define NAPI_VERSION 8
#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
  uint8_t *bytes;
  size_t length;
} span;

static inline napi_value refuse(napi_env env, const char *what) {
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (!pending) napi_throw_type_error(env, ARGUMENT_ERROR, what);
  return NULL;
}

/* True when exactly the wanted number of arguments came. */
static inline bool take(napi_env env, napi_callback_info info, napi_value *into, size_t wanted) {
  size_t count = wanted;
  return napi_get_cb_info(env, info, &count, into, NULL, NULL) == napi_ok && count == wanted;
}

/* A Uint8Array, and nothing else. A detached one has no bytes. */
static inline bool read_any_span(napi_env env, napi_value value, span *out) {
  bool is = false;
  if (napi_is_typedarray(env, value, &is) != napi_ok || !is) return false;
  napi_typedarray_type type;
  void *bytes = NULL;
  size_t length = 0;
  if (napi_get_typedarray_info(env, value, &type, &length, &bytes, NULL, NULL) != napi_ok)
    return false;
  *out = (span){bytes, length};
  return type == napi_uint8_array;
}

/* One with bytes. */
static inline bool read_span(napi_env env, napi_value value, span *out) {
  return read_any_span(env, value, out) && out->length > 0 && out->bytes != NULL;
}

/* Collects the elements of an array of 1 to most. Elements may be getters, so JavaScript may run
 * in here; therefore no address is taken before all arrays have been collected. */
static inline bool read_list(napi_env env, napi_value list, uint32_t most, napi_value *items,
                             uint32_t *count) {
  bool is = false;
  if (napi_is_array(env, list, &is) != napi_ok || !is) return false;
  if (napi_get_array_length(env, list, count) != napi_ok) return false;
  if (*count < 1 || *count > most) return false;
  for (uint32_t i = 0; i < *count; i++)
    if (napi_get_element(env, list, i, &items[i]) != napi_ok) return false;
  return true;
}

#endif
