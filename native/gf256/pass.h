/* The loop that all vector paths share; included once per path, so without a guard.
 * The including file defines, and this file undefines:
 *   PATH(name)   the name of a function of this path      TARGET    its target attribute, if any
 *   VEC, SPREAD  a vector; a vector made ready to be multiplied (whole, or split in nibbles)
 *   WIDTH        bytes in a vector                        VECTORS   vectors per step
 *   ROWS         1..12: outputs that fit in registers beside what else a step holds
 *   FACTOR(c)    the gf256_factor of coefficient c
 *   LOAD STORE STREAM ZERO SPREAD_OF, MULTIPLY_ADD(sum, factor, spread), FENCE
 *
 * A tile of each input is read from memory once, then from the cache by further passes; sums stay
 * in registers, and each output byte is written once, past the cache where that pays.
 */
#define STEP ((size_t)(WIDTH) * VECTORS)
#define INLINE static inline __attribute__((always_inline)) TARGET

/* One step: ROWS sums over all columns. `rows` and `stream` are constants where it is called. */
INLINE void PATH(step)(const int rows, const int stream, const gf256_job *job, size_t row,
                       size_t at) {
  VEC sum[ROWS][VECTORS];
  const gf256_factor *factor = job->factors + row * job->cols;
#pragma GCC unroll 12
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) sum[r][v] = ZERO;
  for (size_t c = 0; c < job->cols; c++, factor += rows) {
    SPREAD data[VECTORS];
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) data[v] = SPREAD_OF(LOAD(job->in[c] + at + v * WIDTH));
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
      for (int v = 0; v < VECTORS; v++)
        sum[r][v] = MULTIPLY_ADD(sum[r][v], factor[r], data[v]);
  }
#pragma GCC unroll 12
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) {
      if (stream)
        STREAM(job->out[row + r] + at + v * WIDTH, sum[r][v]);
      else
        STORE(job->out[row + r] + at + v * WIDTH, sum[r][v]);
    }
}

/* Whole steps from..to, and one more that ends at `to`: outputs depend on inputs alone, so the
 * overlap is simply written twice. Needs to - from >= STEP when stream is 0, and a multiple of
 * STEP when it is 1. */
INLINE void PATH(steps)(const int rows, const int stream, const gf256_job *job, size_t row,
                        size_t from, size_t to) {
  size_t at = from;
  for (; at + STEP <= to; at += STEP) PATH(step)(rows, stream, job, row, at);
  if (at < to) PATH(step)(rows, stream, job, row, to - STEP);
}

/* A number of rows that a path does not have makes no code. */
#define CASE(R) \
  case R: \
    if (R > ROWS) break; \
    if (stream) \
      PATH(steps)(R <= ROWS ? R : 1, 1, job, row, from, to); \
    else \
      PATH(steps)(R <= ROWS ? R : 1, 0, job, row, from, to); \
    break;

/* A tile for one group of rows. */
static TARGET __attribute__((noinline)) void PATH(pass)(size_t rows, int stream,
                                                        const gf256_job *job, size_t row,
                                                        size_t from, size_t to) {
  switch (rows) {
    CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6)
    CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12)
  }
}

/* How many rows the group at `row` has: as few groups as possible, as even as possible. */
static size_t PATH(group)(size_t rows, size_t row) {
  size_t groups = (rows + ROWS - 1) / ROWS;
  size_t small = rows / groups;
  size_t large = rows % groups;
  return row < large * (small + 1) ? small + 1 : small;
}

/* Factors in the order in which the steps use them: per group, per column, per row. */
static void PATH(factors)(const gf256_job *job) {
  gf256_factor *next = job->factors;
  for (size_t row = 0, size; row < job->rows; row += size) {
    size = PATH(group)(job->rows, row);
    for (size_t c = 0; c < job->cols; c++)
      for (size_t r = 0; r < size; r++)
        *next++ = FACTOR(job->matrix[(row + r) * job->cols + c]);
  }
}

static void PATH(tiles)(const gf256_job *job, int stream, size_t from, size_t to) {
  while (from < to) {
    size_t end = to - from < TILE + STEP ? to : from + TILE;
    for (size_t row = 0, size; row < job->rows; row += size) {
      size = PATH(group)(job->rows, row);
      PATH(pass)(size, stream, job, row, from, end);
    }
    from = end;
  }
}

/* Bytes before the first at which every output is aligned; WIDTH if there is no such place. */
static size_t PATH(head)(const gf256_job *job) {
  size_t odd = (uintptr_t)job->out[0] % WIDTH;
  for (size_t r = 1; r < job->rows; r++)
    if ((uintptr_t)job->out[r] % WIDTH != odd) return WIDTH;
  return (WIDTH - odd) % WIDTH;
}

static void PATH(run)(const gf256_job *job) {
  if (job->length < STEP) {
    gf256_bytes(job, 0, job->length);
    return;
  }
  PATH(factors)(job);
  size_t head = PATH(head)(job);
  if (job->rows * job->length < STREAM_FROM || head == WIDTH || job->length < 2 * STEP) {
    PATH(tiles)(job, 0, 0, job->length);
    return;
  }
  size_t middle = (job->length - head) / STEP * STEP;
  if (head > 0) PATH(tiles)(job, 0, 0, STEP);
  PATH(tiles)(job, 1, head, head + middle);
  FENCE;
  if (head + middle < job->length) PATH(tiles)(job, 0, job->length - STEP, job->length);
}

#undef PATH
#undef TARGET
#undef VEC
#undef SPREAD
#undef WIDTH
#undef VECTORS
#undef ROWS
#undef FACTOR
#undef LOAD
#undef STORE
#undef STREAM
#undef ZERO
#undef SPREAD_OF
#undef MULTIPLY_ADD
#undef FENCE
#undef STEP
#undef INLINE
#undef CASE
