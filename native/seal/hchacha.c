/* See hchacha.h. */
#include "hchacha.h"

#include "sha256.h"

static const uint32_t sigma[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};

static uint32_t read_word(const uint8_t *bytes) {
  return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static void write_word(uint8_t *bytes, uint32_t word) {
  for (int i = 0; i < 4; i++) bytes[i] = (uint8_t)(word >> 8 * i);
}

static void add_then_mix(uint32_t w[16], int sum, int addend, int mixed, int bits) {
  w[sum] += w[addend];
  uint32_t crossed = w[mixed] ^ w[sum];
  w[mixed] = crossed << bits | crossed >> (32 - bits);
}

static void quarter_round(uint32_t w[16], int a, int b, int c, int d) {
  add_then_mix(w, a, b, d, 16);
  add_then_mix(w, c, d, b, 12);
  add_then_mix(w, a, b, d, 8);
  add_then_mix(w, c, d, b, 7);
}

void hchacha20(const uint8_t key[32], const uint8_t nonce[16], uint8_t subkey[32]) {
  uint32_t w[16];
  for (int i = 0; i < 4; i++) w[i] = sigma[i];
  for (int i = 0; i < 8; i++) w[4 + i] = read_word(key + 4 * i);
  for (int i = 0; i < 4; i++) w[12 + i] = read_word(nonce + 4 * i);
  for (int round = 0; round < 10; round++) {
    for (int i = 0; i < 4; i++) quarter_round(w, i, 4 + i, 8 + i, 12 + i);
    for (int i = 0; i < 4; i++)
      quarter_round(w, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4);
  }
  for (int i = 0; i < 4; i++) {
    write_word(subkey + 4 * i, w[i]);
    write_word(subkey + 16 + 4 * i, w[12 + i]);
  }
  wipe(w, sizeof w);
}
