/* The path for 64-bit ARM, where NEON and its table lookup are always there. */
#include "gf256.h"

#if defined(__aarch64__)
#include <arm_neon.h>

enum { TILE = 4096 };
/* ARM has no store past the cache that is worth its price here. */
#define STREAM_FROM SIZE_MAX

typedef struct { uint8x16_t low, high; } spread_neon;

static inline spread_neon spread_of(uint8x16_t v) {
  return (spread_neon){vandq_u8(v, vdupq_n_u8(15)), vshrq_n_u8(v, 4)};
}

static inline uint8x16_t multiply_add(uint8x16_t sum, gf256_factor f, spread_neon v) {
  sum = veorq_u8(sum, vqtbl1q_u8(vld1q_u8(f.nibbles), v.low));
  return veorq_u8(sum, vqtbl1q_u8(vld1q_u8(f.nibbles + 16), v.high));
}

#define TARGET
#define PATH(name) neon_##name
#define VEC uint8x16_t
#define SPREAD spread_neon
#define WIDTH 16
#define VECTORS 2
#define ROWS 8
#define FACTOR(c) ((gf256_factor){.nibbles = gf256_nibbles[c]})
#define ZERO vdupq_n_u8(0)
#define LOAD(from) vld1q_u8(from)
#define STORE(to, v) vst1q_u8(to, v)
#define STREAM(to, v) vst1q_u8(to, v)
#define FENCE (void)0
#define SPREAD_OF(v) spread_of(v)
#define MULTIPLY_ADD(sum, f, v) multiply_add(sum, f, v)
#include "pass.h"

static int always(void) { return 1; }

const gf256_path gf256_neon[] = {{"neon", always, neon_run}, {0}};

#else
const gf256_path gf256_neon[] = {{0}};
#endif
