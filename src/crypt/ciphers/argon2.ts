/**
 * Argon2id (RFC 9106) on node's thread pool: what stands between a stolen key file and a guessed
 * passphrase. Its cost is in the file, bounded when the file is read.
 */
import { argon2 } from "node:crypto";
import { promisify } from "node:util";
import { HiveError } from "../../base/errors.ts";
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
  const { memoryKiB: memory, passes, lanes: parallelism } = cost;
  const inputs = { message: passphrase, nonce: salt, tagLength: keyBytes };
  try {
    return await argon2Async("argon2id", { ...inputs, parallelism, memory, passes });
  } catch (cause) {
    // What is left to fail is the memory: a file made on a larger machine may ask too much.
    throw new HiveError("Unavailable", "keyfile.passphrase", `${memory} KiB needed`, { cause });
  }
}
