/* See sha256.h. The scalar rounds are for CPUs without SHA instructions; the caller may prefer
 * another implementation there. */
#include "sha256.h"

#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

enum { LANES_MAX = 3, STATE = 8, ROUNDS = 64, HMAC_MESSAGE_MAX = 128 };

static const uint32_t start[STATE] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

static const uint32_t constants[ROUNDS] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

/* Advances each lane's state over so many blocks of its own data. */
typedef void compress_function(uint32_t (*states)[STATE], const uint8_t *const *data, size_t blocks);

static uint32_t rotate(uint32_t word, int by) { return word >> by | word << (32 - by); }

static uint32_t load_big(const uint8_t *bytes) {
  return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void store_big(uint8_t *bytes, uint32_t word) {
  for (int i = 0; i < 4; i++) bytes[i] = (uint8_t)(word >> (24 - 8 * i));
}

static void schedule(uint32_t w[ROUNDS], const uint8_t *block) {
  for (int i = 0; i < 16; i++) w[i] = load_big(block + 4 * i);
  for (int i = 16; i < ROUNDS; i++) {
    uint32_t a = w[i - 15], b = w[i - 2];
    uint32_t low = rotate(a, 7) ^ rotate(a, 18) ^ a >> 3;
    uint32_t high = rotate(b, 17) ^ rotate(b, 19) ^ b >> 10;
    w[i] = w[i - 16] + low + w[i - 7] + high;
  }
}

static void rounds_scalar(uint32_t state[STATE], const uint8_t *block) {
  uint32_t w[ROUNDS], s[STATE];
  schedule(w, block);
  memcpy(s, state, sizeof s);
  for (int i = 0; i < ROUNDS; i++) {
    uint32_t sum1 = rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25);
    uint32_t choice = (s[4] & s[5]) ^ (~s[4] & s[6]);
    uint32_t t1 = s[7] + sum1 + choice + constants[i] + w[i];
    uint32_t sum0 = rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22);
    uint32_t majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
    memmove(s + 1, s, 7 * sizeof *s);
    s[4] += t1;
    s[0] = t1 + sum0 + majority;
  }
  for (int i = 0; i < STATE; i++) state[i] += s[i];
  wipe(w, sizeof w);
}

static void compress_scalar(uint32_t (*states)[STATE], const uint8_t *const *data, size_t blocks) {
  for (size_t block = 0; block < blocks; block++)
    rounds_scalar(states[0], data[0] + block * SHA256_BLOCK);
}

#if defined(__x86_64__)
#define SHA_NI __attribute__((target("sha,sse4.1")))

typedef struct {
  __m128i abef, cdgh;
} pair;

/* The instructions want the state as ABEF and CDGH, highest word first. */
SHA_NI static inline pair load_pair(const uint32_t state[STATE]) {
  __m128i dcba = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xb1);
  __m128i hgfe = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1b);
  return (pair){_mm_alignr_epi8(dcba, hgfe, 8), _mm_blend_epi16(hgfe, dcba, 0xf0)};
}

SHA_NI static inline void store_pair(uint32_t state[STATE], pair s) {
  __m128i feba = _mm_shuffle_epi32(s.abef, 0x1b);
  __m128i dchg = _mm_shuffle_epi32(s.cdgh, 0xb1);
  _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(feba, dchg, 0xf0));
  _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

/* The next four words of the schedule out of the last sixteen. */
SHA_NI static inline __m128i next_words(const __m128i w[4], int at) {
  __m128i sum = _mm_sha256msg1_epu32(w[at & 3], w[(at + 1) & 3]);
  sum = _mm_add_epi32(sum, _mm_alignr_epi8(w[(at + 3) & 3], w[(at + 2) & 3], 4));
  return _mm_sha256msg2_epu32(sum, w[(at + 3) & 3]);
}

/* `lanes` is a constant wherever this is inlined, so every loop but the outer one unrolls. */
SHA_NI static inline __attribute__((always_inline)) void compress_ni(
    uint32_t (*states)[STATE], const uint8_t *const *data, size_t blocks, const int lanes) {
  const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  pair s[LANES_MAX];
#pragma GCC unroll 3
  for (int lane = 0; lane < lanes; lane++) s[lane] = load_pair(states[lane]);
  for (size_t block = 0; block < blocks; block++) {
    __m128i w[LANES_MAX][4];
    pair before[LANES_MAX];
#pragma GCC unroll 3
    for (int lane = 0; lane < lanes; lane++) before[lane] = s[lane];
#pragma GCC unroll 16
    for (int at = 0; at < 16; at++) {
      const __m128i k = _mm_load_si128((const __m128i *)(constants + 4 * at));
#pragma GCC unroll 3
      for (int lane = 0; lane < lanes; lane++) {
        const uint8_t *words = data[lane] + block * SHA256_BLOCK + 16 * at;
        if (at < 4)
          w[lane][at] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)words), swap);
        else
          w[lane][at & 3] = next_words(w[lane], at);
        __m128i sum = _mm_add_epi32(w[lane][at & 3], k);
        s[lane].cdgh = _mm_sha256rnds2_epu32(s[lane].cdgh, s[lane].abef, sum);
        sum = _mm_shuffle_epi32(sum, 0x0e);
        s[lane].abef = _mm_sha256rnds2_epu32(s[lane].abef, s[lane].cdgh, sum);
      }
    }
#pragma GCC unroll 3
    for (int lane = 0; lane < lanes; lane++) {
      s[lane].abef = _mm_add_epi32(s[lane].abef, before[lane].abef);
      s[lane].cdgh = _mm_add_epi32(s[lane].cdgh, before[lane].cdgh);
    }
  }
#pragma GCC unroll 3
  for (int lane = 0; lane < lanes; lane++) store_pair(states[lane], s[lane]);
}

SHA_NI static void compress_ni1(uint32_t (*s)[STATE], const uint8_t *const *d, size_t blocks) {
  compress_ni(s, d, blocks, 1);
}

SHA_NI static void compress_ni2(uint32_t (*s)[STATE], const uint8_t *const *d, size_t blocks) {
  compress_ni(s, d, blocks, 2);
}

SHA_NI static void compress_ni3(uint32_t (*s)[STATE], const uint8_t *const *d, size_t blocks) {
  compress_ni(s, d, blocks, 3);
}
#endif

#if defined(__x86_64__)
/* Asked of the CPU itself: not every compiler knows the name of this feature. */
static bool has_sha_ni(void) {
  unsigned a, b, c, d, sse = 0;
  if (__get_cpuid(1, &a, &b, &sse, &d) == 0 || __get_cpuid_count(7, 0, &a, &b, &c, &d) == 0)
    return false;
  return (sse & bit_SSE4_1) != 0 && (b & 1u << 29) != 0;
}
#endif

/* By lanes - 1; constant once prepared. */
static compress_function *compress[LANES_MAX] = {compress_scalar};
static size_t lanes_usable = 1;

void sha256_prepare(void) {
#if defined(__x86_64__)
  if (!has_sha_ni()) return;
  compress[0] = compress_ni1;
  compress[1] = compress_ni2;
  compress[2] = compress_ni3;
  lanes_usable = LANES_MAX;
#endif
}

const char *sha256_path(void) { return lanes_usable > 1 ? "sha-ni" : "scalar"; }

/* What is left of a message behind its whole blocks, the end mark and the length in bits. */
static void finish(uint32_t state[STATE], const sha256_job *job, uint8_t *digest) {
  uint8_t tail[2 * SHA256_BLOCK] = {0};
  size_t rest = job->length % SHA256_BLOCK;
  size_t blocks = rest + 9 <= SHA256_BLOCK ? 1 : 2;
  if (rest > 0) memcpy(tail, job->bytes + job->length - rest, rest);
  tail[rest] = 0x80;
  uint64_t bits = (uint64_t)job->length * 8;
  store_big(tail + blocks * SHA256_BLOCK - 8, (uint32_t)(bits >> 32));
  store_big(tail + blocks * SHA256_BLOCK - 4, (uint32_t)bits);
  const uint8_t *data = tail;
  compress[0]((uint32_t(*)[STATE])state, &data, blocks);
  for (int i = 0; i < STATE; i++) store_big(digest + 4 * i, state[i]);
  wipe(tail, sizeof tail);
}

/* All lanes as far as the shortest goes; then each alone. */
static void hash_together(sha256_job *jobs, size_t lanes) {
  uint32_t states[LANES_MAX][STATE];
  const uint8_t *data[LANES_MAX];
  size_t common = SIZE_MAX;
  for (size_t lane = 0; lane < lanes; lane++) {
    memcpy(states[lane], start, sizeof start);
    data[lane] = jobs[lane].bytes;
    size_t blocks = jobs[lane].length / SHA256_BLOCK;
    if (blocks < common) common = blocks;
  }
  compress[lanes - 1](states, data, common);
  for (size_t lane = 0; lane < lanes; lane++) {
    const uint8_t *rest = data[lane] + common * SHA256_BLOCK;
    compress[0](&states[lane], &rest, jobs[lane].length / SHA256_BLOCK - common);
    finish(states[lane], &jobs[lane], jobs[lane].digest);
  }
  wipe(states, sizeof states);
}

void sha256_all(sha256_job *jobs, size_t count) {
  for (size_t done = 0; done < count;) {
    size_t left = count - done;
    size_t lanes = left < lanes_usable ? left : lanes_usable;
    if (left == 4 && lanes == 3) lanes = 2; /* twice two are quicker than three and one */
    hash_together(jobs + done, lanes);
    done += lanes;
  }
}

void sha256(const uint8_t *bytes, size_t length, uint8_t digest[SHA256_DIGEST]) {
  sha256_job job = {.bytes = bytes, .length = length};
  hash_together(&job, 1);
  memcpy(digest, job.digest, SHA256_DIGEST);
}

void hmac_sha256(const uint8_t key[32], const uint8_t *first, size_t first_length,
                 const uint8_t *second, size_t second_length, uint8_t tag[SHA256_DIGEST]) {
  uint8_t inner[SHA256_BLOCK + HMAC_MESSAGE_MAX], outer[SHA256_BLOCK + SHA256_DIGEST];
  memset(inner, 0x36, SHA256_BLOCK);
  memset(outer, 0x5c, SHA256_BLOCK);
  for (int i = 0; i < 32; i++) inner[i] ^= key[i], outer[i] ^= key[i];
  size_t room = HMAC_MESSAGE_MAX;
  if (first_length > room || second_length > room - first_length) __builtin_trap();
  memcpy(inner + SHA256_BLOCK, first, first_length);
  if (second_length > 0) memcpy(inner + SHA256_BLOCK + first_length, second, second_length);
  sha256(inner, SHA256_BLOCK + first_length + second_length, outer + SHA256_BLOCK);
  sha256(outer, sizeof outer, tag);
  wipe(inner, sizeof inner);
  wipe(outer, sizeof outer);
}

void wipe(void *bytes, size_t length) {
  memset(bytes, 0, length);
  __asm__ __volatile__("" : : "r"(bytes) : "memory");
}
