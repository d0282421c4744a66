/**
 * Argon2id (RFC 9106) on node's thread pool: what stands between a stolen key file and a guessed
 * passphrase. Its cost is in the file, bounded when the file is read.
 */
import { argon2 } from "node:crypto";
import { promisify } from "node:util";
import { keyBytes } from "./keys.ts";

export interface ArgonCost {
  readonly memoryKiB: number;
  readonly passes: number;
  readonly lanes: number;
}

const argon2Async = promisify(argon2);

export async function passphraseKey(
  passphrase: Uint8Array,
  salt: Uint8Array,
  cost: ArgonCost,
): Promise<Buffer> {
  return argon2Async("argon2id", {
    message: passphrase,
    nonce: salt,
    parallelism: cost.lanes,
    tagLength: keyBytes,
    memory: cost.memoryKiB,
    passes: cost.passes,
  });
}
