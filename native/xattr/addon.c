/* Extended attributes of a path, which Node cannot reach. Never follows a symlink; what the system
 * refuses is answered, not thrown, since a caller can do nothing but tell.
 *
 * Exports, all at once and on the calling thread:
 *   list(path)               the names, each ended by a zero byte; undefined when there are none
 *   get(path, name)          the value; undefined when there is none
 *   set(path, name, value)   true when it is set
 *   remove(path, name)       true when it is gone
 */
#define NAPI_VERSION 8
#include <node_api.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

/* Linux's own XATTR_LIST_MAX and XATTR_SIZE_MAX, and its longest path and name. */
enum { value_max = 65536, path_max = 4096, name_max = 256 };

/* A path comes as bytes, in no encoding. */
static bool take_path(napi_env env, napi_value value, char *path) {
  void *bytes;
  size_t length;
  bool is_buffer = false;
  if (napi_is_buffer(env, value, &is_buffer) != napi_ok || !is_buffer) return false;
  if (napi_get_buffer_info(env, value, &bytes, &length) != napi_ok) return false;
  if (length >= path_max || memchr(bytes, 0, length) != NULL) return false;
  memcpy(path, bytes, length);
  path[length] = 0;
  return true;
}

static bool take_name(napi_env env, napi_value value, char *name) {
  size_t length;
  if (napi_get_value_string_latin1(env, value, name, name_max, &length) != napi_ok) return false;
  return strlen(name) == length;
}

/* The path, and the name where one is wanted; throws and answers false when they are none. */
static bool take(napi_env env, napi_callback_info info, napi_value *given, size_t count,
                 char *path, char *name) {
  size_t found = count;
  bool is_right = napi_get_cb_info(env, info, &found, given, NULL, NULL) == napi_ok &&
                  found >= count && take_path(env, given[0], path) &&
                  (name == NULL || take_name(env, given[1], name));
  if (!is_right) napi_throw_type_error(env, "ERR_XATTR", "a path and a name");
  return is_right;
}

static napi_value answer(napi_env env, const char *bytes, ssize_t length) {
  napi_value value = NULL;
  if (length < 0) napi_get_undefined(env, &value);
  else napi_create_buffer_copy(env, (size_t)length, bytes, NULL, &value);
  return value;
}

static napi_value boolean(napi_env env, bool is_true) {
  napi_value value = NULL;
  napi_get_boolean(env, is_true, &value);
  return value;
}

static napi_value list(napi_env env, napi_callback_info info) {
  napi_value given[1];
  char path[path_max], names[value_max];
  if (!take(env, info, given, 1, path, NULL)) return NULL;
  ssize_t length = llistxattr(path, names, sizeof names);
  return answer(env, names, length == 0 ? -1 : length);
}

static napi_value get(napi_env env, napi_callback_info info) {
  napi_value given[2];
  char path[path_max], name[name_max], value[value_max];
  if (!take(env, info, given, 2, path, name)) return NULL;
  return answer(env, value, lgetxattr(path, name, value, sizeof value));
}

static napi_value set(napi_env env, napi_callback_info info) {
  napi_value given[3];
  char path[path_max], name[name_max];
  void *value;
  size_t length;
  if (!take(env, info, given, 3, path, name)) return NULL;
  if (napi_get_buffer_info(env, given[2], &value, &length) != napi_ok) return NULL;
  return boolean(env, lsetxattr(path, name, value, length, 0) == 0);
}

static napi_value drop(napi_env env, napi_callback_info info) {
  napi_value given[2];
  char path[path_max], name[name_max];
  if (!take(env, info, given, 2, path, name)) return NULL;
  return boolean(env, lremovexattr(path, name) == 0);
}

NAPI_MODULE_INIT() {
  const napi_property_descriptor properties[] = {
    {"list", NULL, list, NULL, NULL, NULL, napi_enumerable, NULL},
    {"get", NULL, get, NULL, NULL, NULL, napi_enumerable, NULL},
    {"set", NULL, set, NULL, NULL, NULL, napi_enumerable, NULL},
    {"remove", NULL, drop, NULL, NULL, NULL, napi_enumerable, NULL},
  };
  if (napi_define_properties(env, exports, sizeof properties / sizeof *properties, properties) !=
      napi_ok)
    return NULL;
  return exports;
}
