/**
 * Seals on ties that say who may read what the drive shares, who somebody is, and what others gave.
 * Any device of the drive may write ties, those too that were let in by a code and have not its
 * words; whom they let in that way must not come in, nor pass for somebody whom the user lets in,
 * nor be told what she writes in a folder that she takes for another's. So such an entry bears
 * a seal that whoever has the words can make, for its key and for how often it had been taken away,
 * or less had been said, by then: what was sealed for one time is good for no later one. That
 * something is gone needs no seal: it lets nobody in. Pure.
 *
 *   sealed = value | the first 16 bytes of HMAC-SHA-256(the share secret's key with label
 *            share/ties, SHA-256(bytes key | varint count | value))
 *   count    of v/PEER its stamp, of all others that divided by 65,536
 */
import { timingSafeEqual } from "node:crypto";
import { tieKeys } from "../../base/book-keys.ts";
import { Writer } from "../../base/bytes.ts";
import { limits } from "../../base/limits.ts";
import { deriveKey } from "../../crypt/ciphers/keys.ts";
import { hmacSha256, sha256 } from "../../crypt/ciphers/sha256.ts";
import type { Tie } from "../../dag/ties.ts";

const sealBytes = 16;
/** Older versions wrote these without one. */
export const latelySealed = [tieKeys.contact, tieKeys.taken, tieKeys.inbox] as const;
const sealedPrefixes = [
  ...latelySealed, tieKeys.given, tieKeys.way, tieKeys.right, tieKeys.guestDevices,
  tieKeys.group, tieKeys.member, tieKeys.changes,
];

export class TieSeals {
  readonly #key: Buffer;

  /** With the drive's secret for shares. */
  constructor(shareSecret: Uint8Array) {
    this.#key = deriveKey(shareSecret, "share/ties");
  }

  /** The same with its seal, where such entries bear one. */
  seal(key: string, { stamp, value }: Tie): Tie {
    if (value === undefined || !bearsSeal(key)) return { stamp, value };
    return { stamp, value: Buffer.concat([value, this.#sealOf(key, stamp, value)]) };
  }

  /** Without its seal; undefined where that is not right, or nothing is there. */
  open(key: string, { stamp, value }: Tie): Buffer | undefined {
    if (value === undefined || !bearsSeal(key)) return value;
    if (value.length < sealBytes) return undefined;
    const inner = value.subarray(0, -sealBytes);
    const isRight = timingSafeEqual(value.subarray(-sealBytes), this.#sealOf(key, stamp, inner));
    return isRight ? inner : undefined;
  }

  #sealOf(key: string, stamp: number, value: Buffer): Buffer {
    const isCount = key.startsWith(tieKeys.changes);
    const count = isCount ? stamp : Math.floor(stamp / limits.ties.stampsPerLess);
    const said = new Writer(160 + value.length).latin1(key).varint(count).raw(value).finish();
    return hmacSha256(this.#key, sha256(said)).subarray(0, sealBytes);
  }
}

/**
 * Where the words are not: what bears a seal is to be shown. Who sealed it cannot be told there, so
 * nothing may follow from it.
 */
export const unprovenSeals: Pick<TieSeals, "seal" | "open"> = {
  seal: (_key, tie) => tie,
  open: (key, { value }) => bearsSeal(key) ? value?.subarray(0, -sealBytes) : value,
};

function bearsSeal(key: string): boolean {
  return sealedPrefixes.some((prefix) => key.startsWith(prefix));
}
