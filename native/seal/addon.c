/* The door between JavaScript and sealing. Everything that comes in is checked here, and only
 * here; a bad argument throws a TypeError and nothing has been read or written.
 *
 * Exports:
 *   path: string                                  how hashes are made here; "" without ciphers
 *   seal(suite, secret, plains, sealed, links, tags)
 *                                    fills sealed and links, and 16 bytes for each whole leaf of
 *                                    4 KiB of each chunk into tags
 *   sealLater(the same)              a promise of it; until it settles nobody may change, read or
 *                                    transfer any of the buffers
 *   open(links, sealed, plains, verdicts, byName, tags)
 *                                    fills plains, tags and one verdict byte for each chunk; tags
 *                                    of a chunk that is not right stay as they are
 *   openLeaves(key, first, sealed, tags, plain)
 *                                    fills plain and answers true if these are, from the one
 *                                    numbered `first` on, leaves that had these tags
 *   sealRecord(key, nonce, additional, plain, sealed)
 *                                    fills sealed
 *   openRecord(key, additional, sealed, plain)
 *                                    fills plain and answers what is wrong as open does, 0 if nothing
 *   merkle(shard, tree)              fills tree with the hashes over the shard's leaves of 4 KiB
 */
#define ARGUMENT_ERROR "ERR_SEAL_ARGUMENT"
#include "../arguments.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "leaf.h"
#include "merkle.h"
#include "seal.h"
#include "sha256.h"

enum { CHUNK_MAX = 1 << 24 };

/* Process-wide and constant once filled, so environments and worker threads share them. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool usable;

static void prepare(void) { usable = seal_prepare(); }

static bool overlap(span a, span b) {
  if (a.length == 0 || b.length == 0) return false;
  return a.bytes < b.bytes + b.length && b.bytes < a.bytes + a.length;
}

/* What the arguments of both calls say. */
typedef struct {
  span plains[SEAL_BATCH_MAX], sealed[SEAL_BATCH_MAX], links, tags;
  seal_job jobs[SEAL_BATCH_MAX];
  uint32_t count;
} batch;

/* No two of the buffers share a byte, or one job would write what another reads. */
static bool are_apart(const batch *b) {
  if (overlap(b->links, b->tags)) return false;
  for (uint32_t i = 0; i < b->count; i++) {
    if (overlap(b->links, b->plains[i]) || overlap(b->links, b->sealed[i])) return false;
    if (overlap(b->tags, b->plains[i]) || overlap(b->tags, b->sealed[i])) return false;
    for (uint32_t j = 0; j < b->count; j++) {
      if (overlap(b->plains[i], b->sealed[j])) return false;
      if (i == j) continue;
      if (overlap(b->plains[i], b->plains[j]) || overlap(b->sealed[i], b->sealed[j])) return false;
    }
  }
  return true;
}

static void set_jobs(batch *b) {
  uint8_t *tags = b->tags.bytes;
  for (uint32_t i = 0; i < b->count; i++) {
    size_t length = b->plains[i].length;
    uint8_t *link = b->links.bytes + (size_t)i * SEAL_LINK;
    b->jobs[i] = (seal_job){b->plains[i].bytes, length, b->sealed[i].bytes, link, tags};
    if (length >= LEAF) tags += length / LEAF * LEAF_TAG;
  }
}

/* Fills the batch; returns what is wrong, or NULL. */
static const char *read_batch(napi_env env, napi_value plains, napi_value sealed, napi_value links,
                              napi_value tags, batch *b) {
  napi_value plain_items[SEAL_BATCH_MAX], sealed_items[SEAL_BATCH_MAX];
  uint32_t sealed_count;
  size_t leaves = 0;
  if (!read_list(env, plains, SEAL_BATCH_MAX, plain_items, &b->count))
    return "plains must be an array of 1 to 16";
  if (!read_list(env, sealed, SEAL_BATCH_MAX, sealed_items, &sealed_count) ||
      sealed_count != b->count)
    return "sealed must be an array as long as plains";
  for (uint32_t i = 0; i < b->count; i++) {
    span *plain = &b->plains[i], *whole = &b->sealed[i];
    if (!read_span(env, plain_items[i], plain) || !read_span(env, sealed_items[i], whole))
      return "a chunk must be a Uint8Array with bytes";
    if (plain->length > CHUNK_MAX || whole->length != plain->length + SEAL_OVERHEAD)
      return "sealed bytes must be 34 longer than their plaintext";
    leaves += plain->length / LEAF;
  }
  if (!read_span(env, links, &b->links) || b->links.length != (size_t)b->count * SEAL_LINK)
    return "links must be a Uint8Array of 64 bytes a chunk";
  if (!read_any_span(env, tags, &b->tags) || b->tags.length != leaves * LEAF_TAG)
    return "tags must be a Uint8Array of 16 bytes a leaf";
  if (!are_apart(b)) return "buffers must not overlap";
  set_jobs(b);
  return NULL;
}

static napi_value fail(napi_env env) {
  napi_throw_error(env, "ERR_SEAL_CIPHER", "the cipher failed");
  return NULL;
}

/* What a sealing needs, wherever it runs. */
typedef struct {
  batch b;
  uint32_t suite;
  uint8_t secret[SEAL_SECRET];
  bool right;
} sealing;

/* Returns what is wrong, or NULL. */
static const char *read_sealing(napi_env env, napi_value arguments[6], sealing *out) {
  if (napi_get_value_uint32(env, arguments[0], &out->suite) != napi_ok ||
      (out->suite != SUITE_AES_256_GCM && out->suite != SUITE_CHACHA20_POLY1305))
    return "suite must be 1 or 2";
  const char *wrong =
      read_batch(env, arguments[2], arguments[3], arguments[4], arguments[5], &out->b);
  if (wrong != NULL) return wrong;
  span secret;
  if (!read_span(env, arguments[1], &secret) || secret.length != SEAL_SECRET)
    return "secret must be a Uint8Array of 32 bytes";
  memcpy(out->secret, secret.bytes, SEAL_SECRET);
  return NULL;
}

static void run_sealing(sealing *task) {
  task->right = seal_all((seal_suite)task->suite, task->secret, task->b.jobs, task->b.count);
  wipe(task->secret, sizeof task->secret);
}

static napi_value seal(napi_env env, napi_callback_info info) {
  napi_value arguments[6];
  if (!usable || !take(env, info, arguments, 6))
    return refuse(env, "seal takes suite, secret, plains, sealed, links, tags");
  sealing task;
  const char *wrong = read_sealing(env, arguments, &task);
  if (wrong != NULL) return refuse(env, wrong);
  run_sealing(&task);
  return task.right ? NULL : fail(env);
}

/* A sealing on one of libuv's threads. It holds every buffer until it has settled. */
typedef struct {
  sealing task;
  napi_ref buffers;
  napi_deferred deferred;
  napi_async_work work;
} later;

static void run_later(napi_env env, void *data) {
  (void)env;
  run_sealing(&((later *)data)->task);
}

static void free_later(napi_env env, later *self) {
  if (self->buffers != NULL) napi_delete_reference(env, self->buffers);
  if (self->work != NULL) napi_delete_async_work(env, self->work);
  wipe(self->task.secret, sizeof self->task.secret);
  free(self);
}

static void settle_later(napi_env env, napi_status status, void *data) {
  later *self = data;
  napi_value answer, words;
  if (status == napi_ok && self->task.right) {
    if (napi_get_undefined(env, &answer) == napi_ok)
      napi_resolve_deferred(env, self->deferred, answer);
  } else if (napi_create_string_utf8(env, "the cipher failed", NAPI_AUTO_LENGTH, &words) ==
                 napi_ok &&
             napi_create_error(env, NULL, words, &answer) == napi_ok) {
    napi_reject_deferred(env, self->deferred, answer);
  }
  free_later(env, self);
}

/* The buffers themselves, not the caller's arrays, which may lose them meanwhile. */
static bool hold_buffers(napi_env env, napi_value arguments[6], later *self) {
  napi_value all;
  if (napi_create_array(env, &all) != napi_ok) return false;
  uint32_t at = 0;
  for (int list = 2; list < 4; list++)
    for (uint32_t i = 0; i < self->task.b.count; i++) {
      napi_value item;
      if (napi_get_element(env, arguments[list], i, &item) != napi_ok ||
          napi_set_element(env, all, at++, item) != napi_ok)
        return false;
    }
  return napi_set_element(env, all, at, arguments[4]) == napi_ok &&
         napi_set_element(env, all, at + 1, arguments[5]) == napi_ok &&
         napi_create_reference(env, all, 1, &self->buffers) == napi_ok;
}

static napi_value seal_later(napi_env env, napi_callback_info info) {
  napi_value arguments[6], name, promise;
  if (!usable || !take(env, info, arguments, 6))
    return refuse(env, "sealLater takes suite, secret, plains, sealed, links, tags");
  later *self = calloc(1, sizeof *self);
  if (self == NULL) return refuse(env, "no memory");
  const char *wrong = read_sealing(env, arguments, &self->task);
  if (wrong == NULL && !hold_buffers(env, arguments, self)) wrong = "no memory";
  if (wrong == NULL &&
      (napi_create_string_utf8(env, "hive.seal", NAPI_AUTO_LENGTH, &name) != napi_ok ||
       napi_create_async_work(env, NULL, name, run_later, settle_later, self, &self->work) !=
           napi_ok ||
       napi_create_promise(env, &self->deferred, &promise) != napi_ok ||
       napi_queue_async_work(env, self->work) != napi_ok))
    wrong = "no work";
  if (wrong == NULL) return promise;
  free_later(env, self);
  return refuse(env, wrong);
}

static napi_value open_chunks(napi_env env, napi_callback_info info) {
  napi_value arguments[6];
  bool by_name = true;
  if (!usable || !take(env, info, arguments, 6) ||
      napi_get_value_bool(env, arguments[4], &by_name) != napi_ok)
    return refuse(env, "open takes links, sealed, plains, verdicts, byName, tags");
  batch b;
  const char *wrong = read_batch(env, arguments[2], arguments[1], arguments[0], arguments[5], &b);
  if (wrong != NULL) return refuse(env, wrong);
  span verdicts;
  if (!read_span(env, arguments[3], &verdicts) || verdicts.length != b.count)
    return refuse(env, "verdicts must be a Uint8Array as long as plains");
  open_verdict found[SEAL_BATCH_MAX];
  if (!open_all(b.jobs, b.count, by_name, found)) return fail(env);
  for (uint32_t i = 0; i < b.count; i++) verdicts.bytes[i] = (uint8_t)found[i];
  return NULL;
}

/* Fills the job; returns what is wrong, or NULL. */
static const char *read_leaves(napi_env env, napi_value arguments[5], leaf_job *job) {
  span key, sealed, tags, plain;
  uint32_t first;
  if (!read_span(env, arguments[0], &key) || key.length != SEAL_SECRET)
    return "key must be a Uint8Array of 32 bytes";
  if (napi_get_value_uint32(env, arguments[1], &first) != napi_ok || first >= CHUNK_MAX / LEAF)
    return "first must be the number of a leaf";
  if (!read_span(env, arguments[2], &sealed) || sealed.length % LEAF != 0 ||
      sealed.length > CHUNK_MAX - (size_t)first * LEAF)
    return "sealed must be a Uint8Array of whole leaves";
  if (!read_span(env, arguments[3], &tags) || tags.length != sealed.length / LEAF * LEAF_TAG)
    return "tags must be a Uint8Array of 16 bytes a leaf";
  if (!read_span(env, arguments[4], &plain) || plain.length != sealed.length)
    return "plain must be a Uint8Array as long as sealed";
  if (overlap(plain, sealed) || overlap(plain, tags) || overlap(plain, key))
    return "buffers must not overlap";
  *job = (leaf_job){key.bytes, sealed.bytes, tags.bytes, first, sealed.length / LEAF, plain.bytes};
  return NULL;
}

static napi_value open_some(napi_env env, napi_callback_info info) {
  napi_value arguments[5], answer;
  leaf_job job;
  open_verdict verdict;
  if (!usable || !take(env, info, arguments, 5))
    return refuse(env, "openLeaves takes key, first, sealed, tags, plain");
  const char *wrong = read_leaves(env, arguments, &job);
  if (wrong != NULL) return refuse(env, wrong);
  if (!open_leaves(&job, &verdict)) return fail(env);
  return napi_get_boolean(env, verdict == OPEN_RIGHT, &answer) == napi_ok ? answer : NULL;
}

/* Fills the job; returns what is wrong, or NULL. */
static const char *read_record(napi_env env, napi_value key, napi_value additional,
                               napi_value plain, napi_value sealed, record_job *job) {
  span from, more, text, whole;
  if (!read_span(env, key, &from) || from.length != SEAL_SECRET)
    return "key must be a Uint8Array of 32 bytes";
  if (!read_any_span(env, additional, &more) || more.length > CHUNK_MAX)
    return "additional must be a Uint8Array";
  if (!read_any_span(env, plain, &text) || text.length > CHUNK_MAX ||
      !read_span(env, sealed, &whole) || whole.length != text.length + RECORD_OVERHEAD)
    return "sealed bytes must be 58 longer than their plaintext";
  if (overlap(whole, text) || overlap(whole, from) || overlap(whole, more) ||
      overlap(text, from) || overlap(text, more))
    return "buffers must not overlap";
  *job = (record_job){from.bytes, more.bytes, more.length, text.bytes, text.length, whole.bytes};
  return NULL;
}

static napi_value seal_one(napi_env env, napi_callback_info info) {
  napi_value in[5];
  record_job job;
  span nonce;
  if (!usable || !take(env, info, in, 5))
    return refuse(env, "sealRecord takes key, nonce, additional, plain, sealed");
  const char *wrong = read_record(env, in[0], in[2], in[3], in[4], &job);
  if (wrong != NULL) return refuse(env, wrong);
  if (!read_span(env, in[1], &nonce) || nonce.length != RECORD_NONCE ||
      overlap(nonce, (span){job.sealed, job.length + RECORD_OVERHEAD}))
    return refuse(env, "nonce must be a Uint8Array of 24 bytes");
  return seal_record(&job, nonce.bytes) ? NULL : fail(env);
}

static napi_value open_one_record(napi_env env, napi_callback_info info) {
  napi_value in[4], answer;
  record_job job;
  open_verdict verdict;
  if (!usable || !take(env, info, in, 4))
    return refuse(env, "openRecord takes key, additional, sealed, plain");
  const char *wrong = read_record(env, in[0], in[1], in[3], in[2], &job);
  if (wrong != NULL) return refuse(env, wrong);
  if (!open_record(&job, &verdict)) return fail(env);
  return napi_create_uint32(env, verdict, &answer) == napi_ok ? answer : NULL;
}

static napi_value merkle(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  span shard, tree;
  if (!take(env, info, arguments, 2))
    return refuse(env, "merkle takes shard, tree");
  if (!read_span(env, arguments[0], &shard) || shard.length % LEAF != 0 ||
      shard.length > CHUNK_MAX)
    return refuse(env, "shard must be a Uint8Array of whole leaves");
  size_t leaves = shard.length / LEAF;
  if (!read_span(env, arguments[1], &tree) || tree.length != merkle_hashes(leaves) * SHA256_DIGEST)
    return refuse(env, "tree must be a Uint8Array of 32 bytes a hash");
  if (overlap(shard, tree)) return refuse(env, "buffers must not overlap");
  merkle_tree(shard.bytes, leaves, tree.bytes);
  return NULL;
}

static bool export_function(napi_env env, napi_value exports, const char *name,
                            napi_callback call) {
  napi_value function;
  return napi_create_function(env, name, NAPI_AUTO_LENGTH, call, NULL, &function) == napi_ok &&
         napi_set_named_property(env, exports, name, function) == napi_ok;
}

NAPI_MODULE_INIT() {
  pthread_once(&once, prepare);
  napi_value path;
  const char *name = usable ? sha256_path() : "";
  if (napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &path) != napi_ok ||
      napi_set_named_property(env, exports, "path", path) != napi_ok ||
      !export_function(env, exports, "seal", seal) ||
      !export_function(env, exports, "sealLater", seal_later) ||
      !export_function(env, exports, "open", open_chunks) ||
      !export_function(env, exports, "openLeaves", open_some) ||
      !export_function(env, exports, "sealRecord", seal_one) ||
      !export_function(env, exports, "openRecord", open_one_record) ||
      !export_function(env, exports, "merkle", merkle))
    return NULL;
  return exports;
}
