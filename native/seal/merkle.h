/* The hashes of a shard's Merkle tree (RFC 6962, section 2.1), as src/crypt/blocks/merkle.ts describes it:
 * its rows laid end to end, the leaves' first and the root last. */
#ifndef HIVE_MERKLE_H
#define HIVE_MERKLE_H

#include <stddef.h>
#include <stdint.h>

/* How many hashes the tree of so many leaves, one or more, has. */
size_t merkle_hashes(size_t leaves);

/* Fills `tree`, which has room for them, from that many leaves of 4 KiB. */
void merkle_tree(const uint8_t *shard, size_t leaves, uint8_t *tree);

#endif
