/* HChaCha20 (draft-irtf-cfrg-xchacha, section 2.2): the subkey of XChaCha20 from a key and the
 * first 16 bytes of its nonce. As src/crypt/ciphers/hchacha.ts says it. */
#ifndef HIVE_HCHACHA_H
#define HIVE_HCHACHA_H

#include <stdint.h>

/* No branch and no index depends on the key. */
void hchacha20(const uint8_t key[32], const uint8_t nonce[16], uint8_t subkey[32]);

#endif
