/* The kernel of the erasure code: a matrix over GF(2^8), polynomial 0x11d, times rows of bytes.
 * It never allocates, never keeps a pointer and knows nothing of Node; pass.h holds the loop that
 * all vector paths share, addon.c checks what comes from JavaScript.
 */
#ifndef HIVE_GF256_H
#define HIVE_GF256_H

#include <stddef.h>
#include <stdint.h>

/* n <= 256 shards, so no matrix has more rows or columns. */
enum { GF256_SIDE_MAX = 256 };

/* A coefficient made ready for one path: an affine bit matrix where the CPU has GFNI, else two
 * tables of 16 products. Derived when the library is loaded, never stored: CPUs differ. */
typedef union {
  uint64_t affine;
  const uint8_t *nibbles;
} gf256_factor;

typedef struct {
  size_t rows;
  size_t cols;
  const uint8_t *matrix;      /* rows x cols, row after row */
  gf256_factor *factors;      /* room for rows x cols, filled by the kernel */
  const uint8_t *const *in;   /* cols pointers */
  uint8_t *const *out;        /* rows pointers; may touch neither an input nor each other */
  size_t length;              /* bytes in every input and output */
} gf256_job;

typedef struct {
  const char *name;
  int (*usable)(void);
  void (*run)(const gf256_job *job);
} gf256_path;

/* Ends with a path whose name is NULL; best first. Each file of paths has such a list. */
extern const gf256_path gf256_x86[];
extern const gf256_path gf256_neon[];
extern const gf256_path gf256_scalar[];

/* The products of each coefficient with 0..15 and with 0x00, 0x10, .. 0xf0. */
extern uint8_t gf256_nibbles[256][32];
/* The same coefficient as an operand of GF2P8AFFINEQB. */
extern uint64_t gf256_affine[256];

/* Fills both tables. Once per process, before any path runs. */
void gf256_prepare(void);

/* out = matrix x in for the bytes from..to, one at a time. */
void gf256_bytes(const gf256_job *job, size_t from, size_t to);

#endif
