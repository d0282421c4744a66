/**
 * What a drive's heads are sealed with: under the key of the newest epoch that is known here, and
 * opened under that of any. A device that was shut out has none of those that came after.
 */
import { isFault } from "../../base/errors.ts";
import type { Random } from "../../base/random.ts";
import { openRecord, sealRecord } from "../ciphers/aead.ts";
import { deriveKey } from "../ciphers/keys.ts";
import { earlierSecret } from "./epochs.ts";

export class HeadKeys {
  /** By epoch. */
  #keys: readonly Buffer[];

  /** The first is the one that comes from the seed. */
  constructor(first: Buffer) {
    this.#keys = [first];
  }

  /** From now on heads are of this epoch. */
  know(secret: Buffer, epoch: number): void {
    const later = Array.from({ length: epoch }, (_, at) => {
      return deriveKey(earlierSecret(secret, { from: epoch, to: at + 1 }), "drive/head");
    });
    this.#keys = [...this.#keys.slice(0, 1), ...later];
  }

  seal(payload: Uint8Array, random: Random): Buffer {
    return sealRecord(this.#keys.at(-1) as Buffer, payload, random);
  }

  /** Corrupt when it is of no epoch that is known here. */
  open(sealed: Uint8Array): Buffer {
    for (const key of this.#keys.slice(1).reverse()) {
      try {
        return openRecord(key, sealed);
      } catch (error) {
        if (!isFault(error, "Corrupt")) throw error;
      }
    }
    return openRecord(this.#keys[0] as Buffer, sealed);
  }
}
