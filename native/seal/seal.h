/* Chunks and records sealed and opened as aead.ts and keys.ts in src/crypt/ciphers say it, byte for
 * byte; of chunks many in one call, so that their hashes share the CPU. Nothing here allocates but a
 * cipher context. */
#ifndef HIVE_SEAL_H
#define HIVE_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  SEAL_BATCH_MAX = 16,
  SEAL_SECRET = 32,
  SEAL_LINK = 64, /* SHA-256 of the sealed bytes, then the chunk's key */
  SEAL_HEADER = 18,
  SEAL_TAG = 16,
  SEAL_OVERHEAD = SEAL_HEADER + SEAL_TAG,
};

/* As in src/crypt/ciphers/suite.ts. */
typedef enum {
  SUITE_AES_256_GCM = 1,
  SUITE_CHACHA20_POLY1305 = 2,
  SUITE_XCHACHA20_POLY1305 = 3, /* of records alone */
} seal_suite;

typedef struct {
  uint8_t *plain;
  size_t length; /* of the plaintext */
  uint8_t *sealed; /* length + SEAL_OVERHEAD */
  uint8_t *link;
  uint8_t *tags; /* of the ciphertext's whole leaves, see leaf.h */
} seal_job;

/* In the order in which they are found out. */
typedef enum { OPEN_RIGHT, OPEN_OTHER_NAME, OPEN_NO_HEADER, OPEN_BAD_TAG } open_verdict;

/* Finds the ciphers in the program that loaded us; false when it has none. From one thread. */
bool seal_prepare(void);

/* Fills every job's sealed bytes, link and tags out of its plaintext. False when a cipher fails. */
bool seal_all(seal_suite suite, const uint8_t secret[SEAL_SECRET], const seal_job *jobs,
              size_t count);

/* Fills every job's plaintext and tags out of its sealed bytes. With `by_name` they must be the ones that
 * its link names; without, whoever has the key must have sealed them, which costs no hash.
 * A plaintext whose verdict is not OPEN_RIGHT is zeros, and it has no tags. */
bool open_all(const seal_job *jobs, size_t count, bool by_name, open_verdict *verdicts);

/* Some leaves of the ciphertext of one chunk, from the one numbered `first` on. */
typedef struct {
  const uint8_t *key, *sealed, *tags;
  size_t first, count;
  uint8_t *plain;
} leaf_job;

/* Fills the plaintext of the leaves of a chunk that was sealed with AES-256-GCM, if they are those
 * that the tags were made of: else they are OPEN_BAD_TAG. False when the cipher fails. */
bool open_leaves(const leaf_job *job, open_verdict *verdict);

enum { RECORD_NONCE = 24, RECORD_OVERHEAD = SEAL_HEADER + RECORD_NONCE + SEAL_TAG };

/* One record, sealed by XChaCha20-Poly1305 as sealRecord in src/crypt/ciphers/aead.ts says it. */
typedef struct {
  const uint8_t *key, *additional; /* what the caller adds to the header */
  size_t additional_length;
  uint8_t *plain;
  size_t length; /* of the plaintext */
  uint8_t *sealed; /* length + RECORD_OVERHEAD */
} record_job;

/* Fills the sealed bytes out of the plaintext. False when the cipher fails. */
bool seal_record(const record_job *job, const uint8_t nonce[RECORD_NONCE]);

/* Fills the plaintext: of one whose verdict is not OPEN_RIGHT it is zeros. False when there is no
 * cipher. */
bool open_record(const record_job *job, open_verdict *verdict);

#endif
