/* See seal.h. AES-GCM and ChaCha20-Poly1305 are OpenSSL's, which lie in the node binary; they are
 * looked up by name, so that a node without them loads this and is told so. */
#define _GNU_SOURCE
#include "seal.h"

#include <dlfcn.h>
#include <string.h>

#include "hchacha.h"
#include "leaf.h"
#include "sha256.h"

enum { VERSION = 1, COMMITMENT = 16, GET_TAG = 0x10, SET_TAG = 0x11 };
/* GCM with a nonce of 12 bytes: its first block is 2, and goes by the tag before. */
enum { AES_BLOCK = 16, FIRST_COUNTER = 2 };

static const uint8_t chunk_label[] = "chunk";
static const uint8_t commit_label[] = "hive commit v1";
static const uint8_t zero_nonce[12];

typedef struct evp_context evp_context;
typedef struct evp_cipher evp_cipher;
typedef int evp_begin(evp_context *, const evp_cipher *, void *, const uint8_t *, const uint8_t *);
typedef int evp_step(evp_context *, uint8_t *, int *, const uint8_t *, int);
typedef int evp_end(evp_context *, uint8_t *, int *);

static struct {
  evp_context *(*create)(void);
  void (*destroy)(evp_context *);
  int (*control)(evp_context *, int, int, void *);
  const evp_cipher *(*aes)(void), *(*aes_counter)(void), *(*chacha)(void);
  evp_begin *encrypt, *decrypt;
  evp_step *encrypt_step, *decrypt_step;
  evp_end *encrypt_end, *decrypt_end;
} evp;

static bool find(void *slot, const char *name) {
  void *found = dlsym(RTLD_DEFAULT, name);
  memcpy(slot, &found, sizeof found);
  return found != NULL;
}

bool seal_prepare(void) {
  int (*random)(unsigned char *, int);
  sha256_prepare();
  return find(&random, "RAND_bytes") && leaf_prepare(random) &&
         find(&evp.aes_counter, "EVP_aes_256_ctr") &&
         find(&evp.create, "EVP_CIPHER_CTX_new") && find(&evp.destroy, "EVP_CIPHER_CTX_free") &&
         find(&evp.control, "EVP_CIPHER_CTX_ctrl") && find(&evp.aes, "EVP_aes_256_gcm") &&
         find(&evp.chacha, "EVP_chacha20_poly1305") && find(&evp.encrypt, "EVP_EncryptInit_ex") &&
         find(&evp.decrypt, "EVP_DecryptInit_ex") && find(&evp.encrypt_step, "EVP_EncryptUpdate") &&
         find(&evp.decrypt_step, "EVP_DecryptUpdate") &&
         find(&evp.encrypt_end, "EVP_EncryptFinal_ex") &&
         find(&evp.decrypt_end, "EVP_DecryptFinal_ex");
}

static const evp_cipher *cipher_of(int suite) {
  return suite == SUITE_AES_256_GCM ? evp.aes() : evp.chacha();
}

static void commit_to(const uint8_t key[32], const uint8_t *nonce, size_t nonce_length,
                      uint8_t commitment[COMMITMENT]) {
  uint8_t tag[SHA256_DIGEST];
  hmac_sha256(key, commit_label, sizeof commit_label - 1, nonce, nonce_length, tag);
  memcpy(commitment, tag, COMMITMENT);
}

static bool encrypt(evp_context *context, seal_suite suite, const seal_job *job) {
  const uint8_t *key = job->link + SHA256_DIGEST;
  uint8_t *sealed = job->sealed, *body = sealed + SEAL_HEADER;
  int written, length = (int)job->length;
  sealed[0] = VERSION;
  sealed[1] = (uint8_t)suite;
  commit_to(key, NULL, 0, sealed + 2);
  return evp.encrypt(context, cipher_of(suite), NULL, key, zero_nonce) == 1 &&
         evp.encrypt_step(context, NULL, &written, sealed, SEAL_HEADER) == 1 &&
         evp.encrypt_step(context, body, &written, job->plain, length) == 1 && written == length &&
         evp.encrypt_end(context, body + length, &written) == 1 &&
         evp.control(context, GET_TAG, SEAL_TAG, body + length) == 1;
}

static void hash_sealed(sha256_job *hashes, const seal_job *jobs, size_t count) {
  for (size_t i = 0; i < count; i++) {
    hashes[i].bytes = jobs[i].sealed;
    hashes[i].length = jobs[i].length + SEAL_OVERHEAD;
  }
  sha256_all(hashes, count);
}

bool seal_all(seal_suite suite, const uint8_t secret[SEAL_SECRET], const seal_job *jobs,
              size_t count) {
  sha256_job hashes[SEAL_BATCH_MAX];
  evp_context *context = evp.create();
  bool right = context != NULL && count <= SEAL_BATCH_MAX;
  for (size_t i = 0; right && i < count; i++)
    hashes[i] = (sha256_job){.bytes = jobs[i].plain, .length = jobs[i].length};
  if (right) sha256_all(hashes, count);
  for (size_t i = 0; right && i < count; i++) {
    hmac_sha256(secret, chunk_label, sizeof chunk_label - 1, hashes[i].digest, SHA256_DIGEST,
                jobs[i].link + SHA256_DIGEST);
    right = encrypt(context, suite, &jobs[i]);
    if (right) leaf_tags(jobs[i].sealed + SEAL_HEADER, jobs[i].length, jobs[i].tags);
  }
  if (right) hash_sealed(hashes, jobs, count);
  for (size_t i = 0; right && i < count; i++)
    memcpy(jobs[i].link, hashes[i].digest, SHA256_DIGEST);
  evp.destroy(context);
  return right;
}

/* In a time that does not depend on where they differ. */
static bool same(const uint8_t *a, const uint8_t *b, size_t length) {
  uint8_t difference = 0;
  for (size_t i = 0; i < length; i++) difference |= a[i] ^ b[i];
  return difference == 0;
}

static bool decrypt(evp_context *context, const seal_job *job) {
  uint8_t *sealed = job->sealed, *body = sealed + SEAL_HEADER;
  const uint8_t *key = job->link + SHA256_DIGEST;
  int written, length = (int)job->length;
  return evp.decrypt(context, cipher_of(sealed[1]), NULL, key, zero_nonce) == 1 &&
         evp.control(context, SET_TAG, SEAL_TAG, body + length) == 1 &&
         evp.decrypt_step(context, NULL, &written, sealed, SEAL_HEADER) == 1 &&
         evp.decrypt_step(context, job->plain, &written, body, length) == 1 &&
         written == length && evp.decrypt_end(context, job->plain + length, &written) == 1;
}

static open_verdict open_one(evp_context *context, const seal_job *job) {
  const uint8_t *sealed = job->sealed;
  uint8_t commitment[COMMITMENT];
  commit_to(job->link + SHA256_DIGEST, NULL, 0, commitment);
  bool known = sealed[1] == SUITE_AES_256_GCM || sealed[1] == SUITE_CHACHA20_POLY1305;
  if (sealed[0] != VERSION || !known || !same(commitment, sealed + 2, COMMITMENT))
    return OPEN_NO_HEADER;
  return decrypt(context, job) ? OPEN_RIGHT : OPEN_BAD_TAG;
}

bool open_all(const seal_job *jobs, size_t count, bool by_name, open_verdict *verdicts) {
  sha256_job hashes[SEAL_BATCH_MAX];
  evp_context *context = evp.create();
  if (context == NULL || count > SEAL_BATCH_MAX) return false;
  if (by_name) hash_sealed(hashes, jobs, count);
  for (size_t i = 0; i < count; i++) {
    bool other = by_name && !same(hashes[i].digest, jobs[i].link, SHA256_DIGEST);
    verdicts[i] = other ? OPEN_OTHER_NAME : open_one(context, &jobs[i]);
    if (verdicts[i] == OPEN_RIGHT)
      leaf_tags(jobs[i].sealed + SEAL_HEADER, jobs[i].length, jobs[i].tags);
    else
      wipe(jobs[i].plain, jobs[i].length);
  }
  evp.destroy(context);
  return true;
}

static bool decrypt_leaves(evp_context *context, const leaf_job *job) {
  uint8_t counter[AES_BLOCK] = {0};
  size_t block = FIRST_COUNTER + job->first * (LEAF / AES_BLOCK);
  for (int i = 0; i < 4; i++) counter[AES_BLOCK - 1 - i] = (uint8_t)(block >> 8 * i);
  int written, length = (int)(job->count * LEAF);
  return evp.decrypt(context, evp.aes_counter(), NULL, job->key, counter) == 1 &&
         evp.decrypt_step(context, job->plain, &written, job->sealed, length) == 1 &&
         written == length;
}

bool open_leaves(const leaf_job *job, open_verdict *verdict) {
  bool right = true;
  for (size_t i = 0; i < job->count; i++) {
    uint8_t tag[LEAF_TAG];
    leaf_tags(job->sealed + i * LEAF, LEAF, tag);
    right &= same(tag, job->tags + i * LEAF_TAG, LEAF_TAG);
  }
  *verdict = right ? OPEN_RIGHT : OPEN_BAD_TAG;
  if (!right) return true;
  evp_context *context = evp.create();
  bool done = context != NULL && decrypt_leaves(context, job);
  evp.destroy(context);
  return done;
}

/* XChaCha20-Poly1305 is ChaCha20-Poly1305 under a subkey, with the nonce's last 8 bytes. */
typedef struct {
  uint8_t key[32], nonce[12];
} record_cipher;

static record_cipher cipher_of_record(const record_job *job) {
  const uint8_t *nonce = job->sealed + SEAL_HEADER;
  record_cipher cipher = {.nonce = {0}};
  hchacha20(job->key, nonce, cipher.key);
  memcpy(cipher.nonce + 4, nonce + 16, 8);
  return cipher;
}

/* Header and additional data, then the text, which may be empty; for either direction. */
static bool step_record(evp_step *step, evp_context *context, const record_job *job,
                        uint8_t *into, const uint8_t *from) {
  int written = 0, more = (int)job->additional_length, length = (int)job->length;
  return step(context, NULL, &written, job->sealed, SEAL_HEADER) == 1 &&
         (more == 0 || step(context, NULL, &written, job->additional, more) == 1) &&
         (length == 0 || (step(context, into, &written, from, length) == 1 && written == length));
}

static bool encrypt_record(evp_context *context, const record_job *job) {
  uint8_t *body = job->sealed + SEAL_HEADER + RECORD_NONCE, *tag = body + job->length;
  int written;
  record_cipher cipher = cipher_of_record(job);
  bool right = evp.encrypt(context, evp.chacha(), NULL, cipher.key, cipher.nonce) == 1 &&
               step_record(evp.encrypt_step, context, job, body, job->plain) &&
               evp.encrypt_end(context, tag, &written) == 1 &&
               evp.control(context, GET_TAG, SEAL_TAG, tag) == 1;
  wipe(&cipher, sizeof cipher);
  return right;
}

bool seal_record(const record_job *job, const uint8_t nonce[RECORD_NONCE]) {
  uint8_t *sealed = job->sealed;
  sealed[0] = VERSION;
  sealed[1] = SUITE_XCHACHA20_POLY1305;
  commit_to(job->key, nonce, RECORD_NONCE, sealed + 2);
  memcpy(sealed + SEAL_HEADER, nonce, RECORD_NONCE);
  evp_context *context = evp.create();
  bool right = context != NULL && encrypt_record(context, job);
  evp.destroy(context);
  return right;
}

static bool decrypt_record(evp_context *context, const record_job *job) {
  uint8_t *body = job->sealed + SEAL_HEADER + RECORD_NONCE, *tag = body + job->length;
  /* The end of a stream writes nothing, but wants to know where. */
  uint8_t nothing[SEAL_TAG];
  int written;
  record_cipher cipher = cipher_of_record(job);
  bool right = evp.decrypt(context, evp.chacha(), NULL, cipher.key, cipher.nonce) == 1 &&
               evp.control(context, SET_TAG, SEAL_TAG, tag) == 1 &&
               step_record(evp.decrypt_step, context, job, job->plain, body) &&
               evp.decrypt_end(context, nothing, &written) == 1;
  wipe(&cipher, sizeof cipher);
  return right;
}

bool open_record(const record_job *job, open_verdict *verdict) {
  const uint8_t *sealed = job->sealed;
  uint8_t commitment[COMMITMENT];
  commit_to(job->key, sealed + SEAL_HEADER, RECORD_NONCE, commitment);
  *verdict = OPEN_NO_HEADER;
  if (sealed[0] != VERSION || sealed[1] != SUITE_XCHACHA20_POLY1305 ||
      !same(commitment, sealed + 2, COMMITMENT))
    return true;
  evp_context *context = evp.create();
  if (context == NULL) return false;
  *verdict = decrypt_record(context, job) ? OPEN_RIGHT : OPEN_BAD_TAG;
  if (*verdict != OPEN_RIGHT) wipe(job->plain, job->length);
  evp.destroy(context);
  return true;
}
