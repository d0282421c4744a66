/* Tags by which this process knows the leaves of ciphertext that it has seen whole and right, so
 * that one of them can be read from a disk and believed without all the others.
 *
 * A tag is NH (the hash of UMAC and VMAC) in words of 64 bits, under a key of random words that
 * this process makes and never tells: whoever knows neither key nor tags makes other bytes of the
 * same tag with a chance of 2^-64 for each trial, whatever he can compute. So a tag must never leave
 * the memory of this process; nor need it, since nobody else has the key. */
#ifndef HIVE_LEAF_H
#define HIVE_LEAF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LEAF = 4096, LEAF_TAG = 16 };

/* Makes the key out of these random bytes; false when there are none. From one thread, once. */
bool leaf_prepare(int (*random)(unsigned char *bytes, int length));

/* The tag of each whole leaf of these bytes. */
void leaf_tags(const uint8_t *bytes, size_t length, uint8_t *tags);

#endif
