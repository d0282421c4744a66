/* See leaf.h. */
#include "leaf.h"

#include <string.h>

enum { WORDS = LEAF / 8 };

/* Constant once prepared. */
static uint64_t key[WORDS];

bool leaf_prepare(int (*random)(unsigned char *bytes, int length)) {
  return random((unsigned char *)key, sizeof key) == 1;
}

typedef struct {
  uint64_t low, high;
} sum;

#ifdef __SIZEOF_INT128__
static inline void add_product(sum *to, uint64_t a, uint64_t b) {
  unsigned __int128 all = (unsigned __int128)to->high << 64 | to->low;
  all += (unsigned __int128)a * b;
  *to = (sum){(uint64_t)all, (uint64_t)(all >> 64)};
}
#else
static inline void add_product(sum *to, uint64_t a, uint64_t b) {
  uint64_t al = (uint32_t)a, ah = a >> 32, bl = (uint32_t)b, bh = b >> 32;
  uint64_t middle = al * bh + (al * bl >> 32), other = ah * bl + (uint32_t)middle;
  uint64_t low = other << 32 | (uint32_t)(al * bl);
  to->low += low;
  to->high += ah * bh + (middle >> 32) + (other >> 32) + (to->low < low);
}
#endif

void leaf_tags(const uint8_t *bytes, size_t length, uint8_t *tags) {
  for (size_t leaf = 0; leaf < length / LEAF; leaf++, bytes += LEAF, tags += LEAF_TAG) {
    sum all = {0, 0};
    for (size_t i = 0; i < WORDS; i += 2) {
      uint64_t pair[2];
      memcpy(pair, bytes + 8 * i, sizeof pair);
      add_product(&all, pair[0] + key[i], pair[1] + key[i + 1]);
    }
    memcpy(tags, &all, LEAF_TAG);
  }
}
