/* SHA-256 (FIPS 180-4) of several messages at once. One message cannot go faster than the latency
 * of its rounds; two or three that do not depend on each other fill the gaps of the first. */
#ifndef HIVE_SHA256_H
#define HIVE_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { SHA256_DIGEST = 32, SHA256_BLOCK = 64 };

typedef struct {
  const uint8_t *bytes;
  size_t length;
  uint8_t digest[SHA256_DIGEST];
} sha256_job;

/* To be called once before any other, from one thread. */
void sha256_prepare(void);

/* "sha-ni" or "scalar": what this CPU runs. */
const char *sha256_path(void);

/* Fills the digest of every job. */
void sha256_all(sha256_job *jobs, size_t count);

/* One message. */
void sha256(const uint8_t *bytes, size_t length, uint8_t digest[SHA256_DIGEST]);

/* HMAC-SHA-256 (RFC 2104) of two parts laid end to end, under a 32-byte key. */
void hmac_sha256(const uint8_t key[32], const uint8_t *first, size_t first_length,
                 const uint8_t *second, size_t second_length, uint8_t tag[SHA256_DIGEST]);

/* Overwrites in a way that the compiler must keep. */
void wipe(void *bytes, size_t length);

#endif
