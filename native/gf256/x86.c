/* Paths for x86-64, each compiled for its own instructions by a target attribute and used only
 * where the CPU has them; so one binary suits every machine and needs no compiler flags.
 */
#include "gf256.h"

#if defined(__x86_64__)
#include <immintrin.h>

/* 4 KiB: a tile of 20 inputs stays in the second cache while several passes read it. */
enum { TILE = 4096 };
/* 256 KiB: outputs larger than this would push the inputs out of the cache. */
enum { STREAM_FROM = 256 * 1024 };

/* ---- AVX-512 with GFNI: 24 sums, 2 data and a factor in 32 registers ---- */

#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,gfni")))
#define PATH(name) avx512_gfni_##name
#define VEC __m512i
#define SPREAD __m512i
#define WIDTH 64
#define VECTORS 2
#define ROWS 12
#define FACTOR(c) ((gf256_factor){.affine = gf256_affine[c]})
#define ZERO _mm512_setzero_si512()
#define LOAD(from) _mm512_loadu_si512((const void *)(from))
#define STORE(to, v) _mm512_storeu_si512((void *)(to), v)
#define STREAM(to, v) _mm512_stream_si512((void *)(to), v)
#define FENCE _mm_sfence()
#define SPREAD_OF(v) (v)
#define MULTIPLY_ADD(sum, f, v) \
  _mm512_xor_si512( \
      sum, _mm512_gf2p8affine_epi64_epi8(v, _mm512_set1_epi64((long long)(f).affine), 0))
#include "pass.h"

/* ---- AVX2 with GFNI ---- */

#define TARGET __attribute__((target("avx2,gfni")))
#define PATH(name) avx2_gfni_##name
#define VEC __m256i
#define SPREAD __m256i
#define WIDTH 32
#define VECTORS 2
#define ROWS 6
#define FACTOR(c) ((gf256_factor){.affine = gf256_affine[c]})
#define ZERO _mm256_setzero_si256()
#define LOAD(from) _mm256_loadu_si256((const __m256i *)(from))
#define STORE(to, v) _mm256_storeu_si256((__m256i *)(to), v)
#define STREAM(to, v) _mm256_stream_si256((__m256i *)(to), v)
#define FENCE _mm_sfence()
#define SPREAD_OF(v) (v)
#define MULTIPLY_ADD(sum, f, v) \
  _mm256_xor_si256( \
      sum, _mm256_gf2p8affine_epi64_epi8(v, _mm256_set1_epi64x((long long)(f).affine), 0))
#include "pass.h"

/* ---- AVX2: each byte is two nibbles, each nibble looks up its product ---- */

typedef struct { __m256i low, high; } spread256;

__attribute__((target("avx2"), always_inline)) static inline spread256 spread_256(__m256i v) {
  const __m256i mask = _mm256_set1_epi8(15);
  return (spread256){_mm256_and_si256(v, mask),
                     _mm256_and_si256(_mm256_srli_epi64(v, 4), mask)};
}

__attribute__((target("avx2"), always_inline)) static inline __m256i multiply_add_256(
    __m256i sum, gf256_factor f, spread256 v) {
  const __m128i *table = (const __m128i *)f.nibbles;
  __m256i low = _mm256_broadcastsi128_si256(_mm_loadu_si128(table));
  __m256i high = _mm256_broadcastsi128_si256(_mm_loadu_si128(table + 1));
  sum = _mm256_xor_si256(sum, _mm256_shuffle_epi8(low, v.low));
  return _mm256_xor_si256(sum, _mm256_shuffle_epi8(high, v.high));
}

#define TARGET __attribute__((target("avx2")))
#define PATH(name) avx2_##name
#define VEC __m256i
#define SPREAD spread256
#define WIDTH 32
#define VECTORS 2
#define ROWS 4
#define FACTOR(c) ((gf256_factor){.nibbles = gf256_nibbles[c]})
#define ZERO _mm256_setzero_si256()
#define LOAD(from) _mm256_loadu_si256((const __m256i *)(from))
#define STORE(to, v) _mm256_storeu_si256((__m256i *)(to), v)
#define STREAM(to, v) _mm256_stream_si256((__m256i *)(to), v)
#define FENCE _mm_sfence()
#define SPREAD_OF(v) spread_256(v)
#define MULTIPLY_ADD(sum, f, v) multiply_add_256(sum, f, v)
#include "pass.h"

/* ---- SSSE3: the same on half the width ---- */

typedef struct { __m128i low, high; } spread128;

__attribute__((target("ssse3"), always_inline)) static inline spread128 spread_128(__m128i v) {
  const __m128i mask = _mm_set1_epi8(15);
  return (spread128){_mm_and_si128(v, mask), _mm_and_si128(_mm_srli_epi64(v, 4), mask)};
}

__attribute__((target("ssse3"), always_inline)) static inline __m128i multiply_add_128(
    __m128i sum, gf256_factor f, spread128 v) {
  const __m128i *table = (const __m128i *)f.nibbles;
  sum = _mm_xor_si128(sum, _mm_shuffle_epi8(_mm_loadu_si128(table), v.low));
  return _mm_xor_si128(sum, _mm_shuffle_epi8(_mm_loadu_si128(table + 1), v.high));
}

#define TARGET __attribute__((target("ssse3")))
#define PATH(name) ssse3_##name
#define VEC __m128i
#define SPREAD spread128
#define WIDTH 16
#define VECTORS 2
#define ROWS 4
#define FACTOR(c) ((gf256_factor){.nibbles = gf256_nibbles[c]})
#define ZERO _mm_setzero_si128()
#define LOAD(from) _mm_loadu_si128((const __m128i *)(from))
#define STORE(to, v) _mm_storeu_si128((__m128i *)(to), v)
#define STREAM(to, v) _mm_stream_si128((__m128i *)(to), v)
#define FENCE _mm_sfence()
#define SPREAD_OF(v) spread_128(v)
#define MULTIPLY_ADD(sum, f, v) multiply_add_128(sum, f, v)
#include "pass.h"

static int has_avx512_gfni(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("gfni");
}
static int has_avx2_gfni(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("gfni");
}
static int has_avx2(void) { return __builtin_cpu_supports("avx2") != 0; }
static int has_ssse3(void) { return __builtin_cpu_supports("ssse3") != 0; }

const gf256_path gf256_x86[] = {
    {"avx512-gfni", has_avx512_gfni, avx512_gfni_run},
    {"avx2-gfni", has_avx2_gfni, avx2_gfni_run},
    {"avx2", has_avx2, avx2_run},
    {"ssse3", has_ssse3, ssse3_run},
    {0},
};

#else
const gf256_path gf256_x86[] = {{0}};
#endif
