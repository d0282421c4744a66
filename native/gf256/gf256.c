/* Tables of GF(2^8) and the path that runs anywhere. Correct first: the vector paths use
 * gf256_bytes for lengths too short for them, so every engine shares this one meaning.
 */
#include "gf256.h"

uint8_t gf256_nibbles[256][32];
uint64_t gf256_affine[256];

static uint8_t multiply(uint8_t a, uint8_t b) {
  unsigned product = 0;
  unsigned shifted = a;
  for (int bit = 0; bit < 8; bit++) {
    if (b >> bit & 1) product ^= shifted;
    shifted <<= 1;
    if (shifted & 0x100) shifted ^= 0x11d;
  }
  return (uint8_t)product;
}

/* GF2P8AFFINEQB: bit i of a result is the parity of (byte 7-i of the matrix) and x. So that byte
 * must have bit j exactly where coefficient x 2^j has bit i. */
static uint64_t affine_of(uint8_t coefficient) {
  uint64_t affine = 0;
  for (int j = 0; j < 8; j++) {
    uint8_t column = multiply(coefficient, (uint8_t)(1 << j));
    for (int i = 0; i < 8; i++)
      affine |= (uint64_t)(column >> i & 1) << (8 * (7 - i) + j);
  }
  return affine;
}

void gf256_prepare(void) {
  for (int c = 0; c < 256; c++) {
    gf256_affine[c] = affine_of((uint8_t)c);
    for (int x = 0; x < 16; x++) {
      gf256_nibbles[c][x] = multiply((uint8_t)c, (uint8_t)x);
      gf256_nibbles[c][16 + x] = multiply((uint8_t)c, (uint8_t)(x << 4));
    }
  }
}

void gf256_bytes(const gf256_job *job, size_t from, size_t to) {
  for (size_t r = 0; r < job->rows; r++) {
    uint8_t *out = job->out[r];
    for (size_t at = from; at < to; at++) out[at] = 0;
    for (size_t c = 0; c < job->cols; c++) {
      const uint8_t *table = gf256_nibbles[job->matrix[r * job->cols + c]];
      const uint8_t *in = job->in[c];
      for (size_t at = from; at < to; at++)
        out[at] ^= table[in[at] & 15] ^ table[16 + (in[at] >> 4)];
    }
  }
}

static int always(void) { return 1; }

static void run_scalar(const gf256_job *job) {
  /* 4 KiB at a time, so that an output stays in the first cache while its inputs are added. */
  for (size_t from = 0; from < job->length; from += 4096) {
    size_t left = job->length - from;
    gf256_bytes(job, from, from + (left < 4096 ? left : 4096));
  }
}

const gf256_path gf256_scalar[] = {{"scalar", always, run_scalar}, {0}};
