/* See merkle.h. Hashes are made three at a time: they do not depend on each other within a row. */
#include "merkle.h"

#include <string.h>

#include "leaf.h"
#include "sha256.h"

enum { TOGETHER = 3, PAIR = 2 * SHA256_DIGEST };

/* `count` messages of `length` bytes that lie end to end, each behind the same prefix byte. */
static void hash_row(uint8_t prefix, const uint8_t *bytes, size_t length, size_t count,
                     uint8_t *digests) {
  uint8_t messages[TOGETHER][1 + LEAF];
  for (int i = 0; i < TOGETHER; i++) messages[i][0] = prefix;
  for (size_t done = 0; done < count;) {
    sha256_job jobs[TOGETHER];
    size_t some = count - done < TOGETHER ? count - done : TOGETHER;
    for (size_t i = 0; i < some; i++) {
      memcpy(messages[i] + 1, bytes + (done + i) * length, length);
      jobs[i] = (sha256_job){.bytes = messages[i], .length = 1 + length};
    }
    sha256_all(jobs, some);
    for (size_t i = 0; i < some; i++)
      memcpy(digests + (done + i) * SHA256_DIGEST, jobs[i].digest, SHA256_DIGEST);
    done += some;
  }
}

size_t merkle_hashes(size_t leaves) {
  size_t all = leaves;
  for (size_t row = leaves; row > 1; all += row) row = (row + 1) / 2;
  return all;
}

void merkle_tree(const uint8_t *shard, size_t leaves, uint8_t *tree) {
  hash_row(0x00, shard, LEAF, leaves, tree);
  for (size_t row = leaves; row > 1; row = (row + 1) / 2) {
    uint8_t *above = tree + row * SHA256_DIGEST;
    hash_row(0x01, tree, PAIR, row / 2, above);
    /* The last one of an odd row moves up as it is. */
    if (row % 2 == 1)
      memcpy(above + row / 2 * SHA256_DIGEST, above - SHA256_DIGEST, SHA256_DIGEST);
    tree = above;
  }
}
