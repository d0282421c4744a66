/* Gives memory back that this process has freed and its allocator keeps. glibc alone keeps enough
 * to matter; elsewhere the promise resolves and nothing was done.
 *
 * Exports:
 *   trim()   a promise, after the work was done on one of libuv's threads
 */
#define NAPI_VERSION 8
#include <node_api.h>
#include <stdbool.h>
#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

typedef struct {
  napi_deferred deferred;
  napi_async_work work;
} trimming;

static void run(napi_env env, void *data) {
  (void)env;
  (void)data;
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

static void ended(napi_env env, napi_status status, void *data) {
  (void)status;
  trimming *self = data;
  napi_value nothing;
  if (napi_get_undefined(env, &nothing) == napi_ok)
    napi_resolve_deferred(env, self->deferred, nothing);
  napi_delete_async_work(env, self->work);
  free(self);
}

static napi_value refuse(napi_env env, trimming *self) {
  if (self != NULL && self->work != NULL) napi_delete_async_work(env, self->work);
  free(self);
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (!pending) napi_throw_error(env, "ERR_MEMORY_WORK", "no work");
  return NULL;
}

static napi_value trim(napi_env env, napi_callback_info info) {
  (void)info;
  napi_value name, promise;
  trimming *self = calloc(1, sizeof *self);
  if (self == NULL ||
      napi_create_string_utf8(env, "hive.trim", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_async_work(env, NULL, name, run, ended, self, &self->work) != napi_ok ||
      napi_create_promise(env, &self->deferred, &promise) != napi_ok ||
      napi_queue_async_work(env, self->work) != napi_ok)
    return refuse(env, self);
  return promise;
}

NAPI_MODULE_INIT() {
  napi_value function;
  if (napi_create_function(env, "trim", NAPI_AUTO_LENGTH, trim, NULL, &function) != napi_ok ||
      napi_set_named_property(env, exports, "trim", function) != napi_ok)
    return NULL;
  return exports;
}
