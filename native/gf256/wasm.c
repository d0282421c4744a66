/* The path for WebAssembly with 128-bit vectors, and what that build exports: the same kernel for
 * machines where the addon cannot be loaded. Compiled by `node native/build.mjs --wasm` only.
 */
#include "gf256.h"

#if defined(__wasm_simd128__)
#include <wasm_simd128.h>

enum { TILE = 4096 };
/* WebAssembly has no store past the cache. */
#define STREAM_FROM SIZE_MAX

typedef struct { v128_t low, high; } spread_wasm;

static inline spread_wasm spread_of(v128_t v) {
  return (spread_wasm){wasm_v128_and(v, wasm_i8x16_splat(15)), wasm_u8x16_shr(v, 4)};
}

static inline v128_t multiply_add(v128_t sum, gf256_factor f, spread_wasm v) {
  v128_t low = wasm_i8x16_swizzle(wasm_v128_load(f.nibbles), v.low);
  v128_t high = wasm_i8x16_swizzle(wasm_v128_load(f.nibbles + 16), v.high);
  return wasm_v128_xor(sum, wasm_v128_xor(low, high));
}

#define TARGET
#define PATH(name) wasm_##name
#define VEC v128_t
#define SPREAD spread_wasm
#define WIDTH 16
/* Four, although they do not fit in 16 registers: each table is loaded half as often. */
#define VECTORS 4
#define ROWS 4
#define FACTOR(c) ((gf256_factor){.nibbles = gf256_nibbles[c]})
#define ZERO wasm_i8x16_const_splat(0)
#define LOAD(from) wasm_v128_load(from)
#define STORE(to, v) wasm_v128_store(to, v)
#define STREAM(to, v) wasm_v128_store(to, v)
#define FENCE (void)0
#define SPREAD_OF(v) spread_of(v)
#define MULTIPLY_ADD(sum, f, v) multiply_add(sum, f, v)
#include "pass.h"

#define EXPORT(name) __attribute__((export_name(name)))

/* JavaScript copies a slice of each shard in here, inputs first, outputs behind them. */
enum { ARENA_BYTES = 2 * 1024 * 1024 };
static uint8_t arena[ARENA_BYTES] __attribute__((aligned(64)));
static uint8_t matrix[GF256_SIDE_MAX * GF256_SIDE_MAX];
static gf256_factor factors[GF256_SIDE_MAX * GF256_SIDE_MAX];

EXPORT("prepare") void prepare(void) { gf256_prepare(); }
EXPORT("arena_at") uint8_t *arena_at(void) { return arena; }
EXPORT("arena_bytes") size_t arena_bytes(void) { return ARENA_BYTES; }
EXPORT("matrix_at") uint8_t *matrix_at(void) { return matrix; }

/* Multiplies slices that lie `stride` bytes apart. Returns 0 for sizes that do not fit. */
EXPORT("multiply") int multiply(size_t rows, size_t cols, size_t length, size_t stride) {
  if (rows < 1 || rows > GF256_SIDE_MAX || cols < 1 || cols > GF256_SIDE_MAX) return 0;
  if (length > stride || stride > ARENA_BYTES / (rows + cols)) return 0;
  const uint8_t *in[GF256_SIDE_MAX];
  uint8_t *out[GF256_SIDE_MAX];
  for (size_t c = 0; c < cols; c++) in[c] = arena + c * stride;
  for (size_t r = 0; r < rows; r++) out[r] = arena + (cols + r) * stride;
  wasm_run(&(gf256_job){rows, cols, matrix, factors, in, out, length});
  return 1;
}

#endif
