/* The door between JavaScript and the kernel. Every argument is checked here; a wrong one throws a
 * TypeError and nothing has happened. Numbers come back as fuse.h says: minus the errno on failure.
 *
 * Exports:
 *   open()                                            a new /dev/fuse
 *   mount(source, directory, type, flags, data)
 *   unmount(directory, flags): Promise<number>        on libuv's thread pool, see fuse.h
 *   pair(): [ours, theirs]     receive(ours)
 *   read(device, buffer, patienceMicroseconds)
 *   write(device, head, headLength, pieces?)
 *   notify(device, notice, length): Promise<number>   on a thread of its own
 *   poll(device, readable): stop                      calls readable() while there is something
 *   withSignalsBlocked(act)                           threads that act() makes take no signals
 *
 * Buffers belong to the caller, are used during the call only, and never kept. Descriptors belong
 * to the caller too, who closes one only after its poll has stopped and its notices are out.
 */
#define ARGUMENT_ERROR "ERR_FUSE_ARGUMENT"
#include "../arguments.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "fuse.h"

/* Of libuv we need these only; its ABI is stable through version 1, and node exports them. */
typedef struct uv_poll_s uv_poll_t;
enum { POLL_KIND = 8, POLL_READABLE = 1 };
extern const char *uv_handle_type_name(int kind);
extern size_t uv_handle_size(int kind);
extern void uv_handle_set_data(uv_poll_t *handle, void *data);
extern void *uv_handle_get_data(const uv_poll_t *handle);
extern int uv_poll_init(struct uv_loop_s *loop, uv_poll_t *handle, int fd);
extern int uv_poll_start(uv_poll_t *handle, int events, void (*act)(uv_poll_t *, int, int));
extern void uv_close(uv_poll_t *handle, void (*done)(uv_poll_t *));

enum { TEXT_MAX = 4096, PATIENCE_US_MAX = 1000, NOTICE_STACK = 128 * 1024 };

static napi_value number(napi_env env, int value) {
  napi_value result;
  return napi_create_int32(env, value, &result) == napi_ok ? result : NULL;
}

static bool read_int(napi_env env, napi_value value, int *out) {
  return napi_get_value_int32(env, value, out) == napi_ok;
}

static bool read_text(napi_env env, napi_value value, char out[TEXT_MAX]) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, out, TEXT_MAX, &length) != napi_ok) return false;
  return length < TEXT_MAX - 1 && strlen(out) == length;
}

/* As writev takes it. */
static bool read_piece(napi_env env, napi_value value, struct iovec *out) {
  span piece;
  if (!read_any_span(env, value, &piece)) return false;
  *out = (struct iovec){piece.bytes, piece.length};
  return true;
}

static napi_value open_device(napi_env env, napi_callback_info info) {
  (void)info;
  return number(env, fuse_open());
}

static napi_value mount_device(napi_env env, napi_callback_info info) {
  napi_value in[5];
  char source[TEXT_MAX], directory[TEXT_MAX], type[TEXT_MAX], data[TEXT_MAX];
  int flags;
  if (!take(env, info, in, 5) || !read_text(env, in[0], source) ||
      !read_text(env, in[1], directory) || !read_text(env, in[2], type) ||
      !read_int(env, in[3], &flags) || !read_text(env, in[4], data))
    return refuse(env, "mount takes source, directory, type, flags, data");
  fuse_target target = {source, directory, type, data, (unsigned long)flags};
  return number(env, fuse_mount(&target));
}

/* One umount2 under way: made by unmount, freed by unmounted. */
typedef struct {
  char directory[TEXT_MAX];
  int flags, result;
  napi_async_work work;
  napi_deferred deferred;
} unmounting;

static void run_unmount(napi_env env, void *data) {
  (void)env;
  unmounting *job = data;
  job->result = fuse_unmount(job->directory, job->flags);
}

static void unmounted(napi_env env, napi_status status, void *data) {
  unmounting *job = data;
  napi_value result;
  int code = status == napi_ok ? job->result : -ECANCELED;
  if (napi_create_int32(env, code, &result) == napi_ok)
    napi_resolve_deferred(env, job->deferred, result);
  napi_delete_async_work(env, job->work);
  free(job);
}

static napi_value unmount(napi_env env, napi_callback_info info) {
  napi_value in[2], name, promise;
  unmounting *job = calloc(1, sizeof *job);
  if (job == NULL) return refuse(env, "no memory");
  if (!take(env, info, in, 2) || !read_text(env, in[0], job->directory) ||
      !read_int(env, in[1], &job->flags)) {
    free(job);
    return refuse(env, "unmount takes directory, flags");
  }
  if (napi_create_string_utf8(env, "hive.unmount", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_async_work(env, NULL, name, run_unmount, unmounted, job, &job->work) !=
          napi_ok) {
    free(job);
    return refuse(env, "no work");
  }
  if (napi_create_promise(env, &job->deferred, &promise) != napi_ok ||
      napi_queue_async_work(env, job->work) != napi_ok) {
    napi_delete_async_work(env, job->work);
    free(job);
    return refuse(env, "no work");
  }
  return promise;
}

static napi_value make_pair(napi_env env, napi_callback_info info) {
  (void)info;
  int ends[2];
  int wrong = fuse_pair(ends);
  if (wrong < 0) return number(env, wrong);
  napi_value list;
  if (napi_create_array_with_length(env, 2, &list) != napi_ok) return NULL;
  for (uint32_t i = 0; i < 2; i++)
    if (napi_set_element(env, list, i, number(env, ends[i])) != napi_ok) return NULL;
  return list;
}

static napi_value receive(napi_env env, napi_callback_info info) {
  napi_value in[1];
  int from;
  if (!take(env, info, in, 1) || !read_int(env, in[0], &from))
    return refuse(env, "receive takes a socket");
  return number(env, fuse_receive(from));
}

static napi_value read_request(napi_env env, napi_callback_info info) {
  napi_value in[3];
  int device, patience_us;
  struct iovec into;
  if (!take(env, info, in, 3) || !read_int(env, in[0], &device) ||
      !read_int(env, in[2], &patience_us) || patience_us > PATIENCE_US_MAX ||
      !read_piece(env, in[1], &into))
    return refuse(env, "read takes a device, a Uint8Array and at most 1000 microseconds");
  return number(env, fuse_read(device, into.iov_base, into.iov_len, patience_us));
}

/* Collects the elements first: a getter among them could detach what was looked up before it. */
static bool read_pieces(napi_env env, napi_value list, struct iovec *out, uint32_t *count) {
  bool is = false;
  napi_value items[FUSE_PIECES_MAX];
  if (napi_is_array(env, list, &is) != napi_ok || !is) return false;
  if (napi_get_array_length(env, list, count) != napi_ok || *count > FUSE_PIECES_MAX) return false;
  for (uint32_t i = 0; i < *count; i++)
    if (napi_get_element(env, list, i, &items[i]) != napi_ok) return false;
  for (uint32_t i = 0; i < *count; i++)
    if (!read_piece(env, items[i], &out[i])) return false;
  return true;
}

static napi_value write_answer(napi_env env, napi_callback_info info) {
  size_t count = 4;
  napi_value in[4];
  int device, length;
  uint32_t more = 0;
  struct iovec pieces[1 + FUSE_PIECES_MAX];
  if (napi_get_cb_info(env, info, &count, in, NULL, NULL) != napi_ok || count < 3 ||
      !read_int(env, in[0], &device) || !read_int(env, in[2], &length) || length < 0)
    return refuse(env, "write takes a device, a Uint8Array, its length and pieces");
  if (count == 4 && !read_pieces(env, in[3], &pieces[1], &more))
    return refuse(env, "pieces must be at most 64 Uint8Arrays");
  if (!read_piece(env, in[1], &pieces[0]) || (size_t)length > pieces[0].iov_len)
    return refuse(env, "head must be a Uint8Array of at least its length");
  pieces[0].iov_len = (size_t)length;
  return number(env, fuse_write(device, pieces, (int)more + 1));
}

/* A notice on its way. The kernel may have it wait for an answer of ours, and that answer for
 * libuv's few threads: so it takes none of them. The thread owns it until it has told. */
typedef struct {
  int device, result;
  napi_threadsafe_function told;
  napi_deferred deferred;
  size_t length;
  uint8_t bytes[];
} notice;

/* On the loop's thread; without an environment when that has ended meanwhile. */
static void notice_told(napi_env env, napi_value none, void *context, void *data) {
  (void)none;
  (void)context;
  notice *self = data;
  napi_value result;
  if (env != NULL && napi_create_int32(env, self->result, &result) == napi_ok)
    napi_resolve_deferred(env, self->deferred, result);
  free(self);
}

static void tell(notice *self, int result) {
  napi_threadsafe_function told = self->told;
  self->result = result;
  if (napi_call_threadsafe_function(told, self, napi_tsfn_blocking) == napi_ok)
    napi_release_threadsafe_function(told, napi_tsfn_release);
  else
    free(self);
}

static void *run_notice(void *data) {
  notice *self = data;
  struct iovec whole = {self->bytes, self->length};
  tell(self, fuse_write(self->device, &whole, 1));
  return NULL;
}

/* Signals are for the threads that node made. */
static int start_notice(notice *self) {
  pthread_t thread;
  pthread_attr_t how;
  sigset_t all, before;
  if (pthread_attr_init(&how) != 0) return ENOMEM;
  pthread_attr_setdetachstate(&how, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&how, NOTICE_STACK);
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int wrong = pthread_create(&thread, &how, run_notice, self);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&how);
  return wrong;
}

static napi_value notify(napi_env env, napi_callback_info info) {
  napi_value in[3], name, promise;
  int device, length;
  span bytes;
  if (!take(env, info, in, 3) || !read_int(env, in[0], &device) ||
      !read_int(env, in[2], &length) || !read_span(env, in[1], &bytes) || length < 0 ||
      (size_t)length > bytes.length)
    return refuse(env, "notify takes a device, a Uint8Array and at most its length");
  notice *self = malloc(sizeof *self + (size_t)length);
  if (self == NULL) return refuse(env, "no memory");
  *self = (notice){.device = device, .length = (size_t)length};
  memcpy(self->bytes, bytes.bytes, self->length);
  if (napi_create_string_utf8(env, "hive.notice", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_promise(env, &self->deferred, &promise) != napi_ok ||
      napi_create_threadsafe_function(env, NULL, NULL, name, 0, 1, NULL, NULL, NULL, notice_told,
                                      &self->told) != napi_ok) {
    free(self);
    return refuse(env, "no notice");
  }
  int wrong = start_notice(self);
  if (wrong != 0) tell(self, -wrong);
  return promise;
}

/* A poll on the loop. It lives until libuv has closed the handle and the stop function is gone. */
typedef struct {
  napi_env env;
  uv_poll_t *handle;
  napi_ref readable;
  napi_async_context context;
  napi_async_cleanup_hook_handle hook;
  int holders;
} poller;

static void let_go(poller *self) {
  if (--self->holders == 0) free(self);
}

static void closed(uv_poll_t *handle) {
  poller *self = uv_handle_get_data(handle);
  free(handle);
  napi_remove_async_cleanup_hook(self->hook);
  let_go(self);
}

static void close_poll(poller *self) {
  if (self->handle == NULL) return;
  uv_close(self->handle, closed);
  self->handle = NULL;
  napi_delete_reference(self->env, self->readable);
  napi_async_destroy(self->env, self->context);
}

static void env_ends(napi_async_cleanup_hook_handle hook, void *data) {
  (void)hook;
  close_poll(data);
}

static napi_value stop_poll(napi_env env, napi_callback_info info) {
  void *self = NULL;
  if (napi_get_cb_info(env, info, NULL, NULL, NULL, &self) == napi_ok) close_poll(self);
  return NULL;
}

static void stop_is_gone(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  let_go(data);
}

/* Errors come here as well: the read that follows tells which. */
static void on_readable(uv_poll_t *handle, int status, int events) {
  (void)status;
  (void)events;
  poller *self = uv_handle_get_data(handle);
  napi_env env = self->env;
  napi_handle_scope scope;
  napi_value act, global, error;
  bool pending = false;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  if (napi_get_reference_value(env, self->readable, &act) == napi_ok &&
      napi_get_global(env, &global) == napi_ok)
    napi_make_callback(env, self->context, global, act, 0, NULL, NULL);
  napi_is_exception_pending(env, &pending);
  if (pending && napi_get_and_clear_last_exception(env, &error) == napi_ok)
    napi_fatal_exception(env, error);
  napi_close_handle_scope(env, scope);
}

static bool start_poll(poller *self, int device) {
  struct uv_loop_s *loop;
  if (strcmp(uv_handle_type_name(POLL_KIND), "poll") != 0) return false;
  if (napi_get_uv_event_loop(self->env, &loop) != napi_ok) return false;
  self->handle = calloc(1, uv_handle_size(POLL_KIND));
  if (self->handle == NULL) return false;
  if (uv_poll_init(loop, self->handle, device) != 0) {
    free(self->handle);
    return false;
  }
  uv_handle_set_data(self->handle, self);
  return uv_poll_start(self->handle, POLL_READABLE, on_readable) == 0;
}

static napi_value poll_device(napi_env env, napi_callback_info info) {
  napi_value in[2], name, stop;
  int device;
  napi_valuetype type;
  if (!take(env, info, in, 2) || !read_int(env, in[0], &device) ||
      napi_typeof(env, in[1], &type) != napi_ok || type != napi_function)
    return refuse(env, "poll takes a device and a function");
  poller *self = calloc(1, sizeof *self);
  if (self == NULL) return refuse(env, "no memory");
  self->env = env;
  self->holders = 2;
  if (napi_create_string_utf8(env, "hive.fuse", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_function(env, "stop", NAPI_AUTO_LENGTH, stop_poll, self, &stop) != napi_ok ||
      !start_poll(self, device)) {
    /* Nothing but this function knows it yet; a handle that libuv refused was freed. */
    free(self);
    return refuse(env, "this descriptor cannot be polled");
  }
  napi_create_reference(env, in[1], 1, &self->readable);
  napi_async_init(env, NULL, name, &self->context);
  napi_add_async_cleanup_hook(env, env_ends, self, &self->hook);
  napi_add_finalizer(env, stop, self, stop_is_gone, NULL, NULL);
  return stop;
}

/* A thread inherits what is blocked where it is made; what comes meanwhile waits until after. */
static napi_value with_signals_blocked(napi_env env, napi_callback_info info) {
  napi_value in[1], nothing, result;
  napi_valuetype type;
  if (!take(env, info, in, 1) || napi_typeof(env, in[0], &type) != napi_ok ||
      type != napi_function || napi_get_undefined(env, &nothing) != napi_ok)
    return refuse(env, "withSignalsBlocked takes a function");
  sigset_t all, before;
  sigfillset(&all);
  if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0) return refuse(env, "no mask");
  napi_status status = napi_call_function(env, nothing, in[0], 0, NULL, &result);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  /* What it threw is on its way to the caller. */
  return status == napi_ok ? result : NULL;
}

NAPI_MODULE_INIT() {
  static const struct {
    const char *name;
    napi_callback act;
  } all[] = {{"open", open_device},   {"mount", mount_device}, {"unmount", unmount},
             {"pair", make_pair},     {"receive", receive},    {"read", read_request},
             {"write", write_answer}, {"notify", notify},       {"poll", poll_device},
             {"withSignalsBlocked", with_signals_blocked}};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    napi_value function;
    if (napi_create_function(env, all[i].name, NAPI_AUTO_LENGTH, all[i].act, NULL, &function) !=
            napi_ok ||
        napi_set_named_property(env, exports, all[i].name, function) != napi_ok)
      return NULL;
  }
  return exports;
}
