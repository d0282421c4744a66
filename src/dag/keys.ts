/**
 * The keys that a drive's tree secret gives, one for each purpose, and the sealing of the tree's
 * journal records and list of pins, whose contents the tree alone knows.
 */
import type { PolicySlot } from "../base/blocks.ts";
import { asBuffer } from "../base/bytes.ts";
import type { Random } from "../base/random.ts";
import { openRecord, sealRecord } from "../crypt/aead.ts";
import { deriveKey } from "../crypt/keys.ts";

export interface TreeKeys {
  /** Seals root records. */
  readonly root: Buffer;
  /** Seals journal records. */
  readonly journal: Buffer;
  /** With a chunk's plaintext it makes the chunk's own key, under the drive's default policy. */
  readonly chunks: Buffer;
  /** The same for any policy: the same bytes under two of them are two blocks. */
  readonly chunksOf: (slot: PolicySlot) => Buffer;
  /** From now on chunks are sealed with this secret; links tell the keys of those before. */
  readonly rekey: (secret: Uint8Array) => void;
  /** The secret of the table of linked files. */
  readonly linked: Buffer;
  /** Seals this machine's list of pins. */
  readonly pins: Buffer;
}

export function treeKeys(secret: Uint8Array): TreeKeys {
  let bySlot = [deriveKey(secret, "chunks")];
  let newest = secret;
  return {
    root: deriveKey(secret, "root"),
    journal: deriveKey(secret, "journal"),
    chunks: bySlot[0] as Buffer,
    chunksOf: (slot) => (bySlot[slot] ??= deriveKey(newest, "chunks", Buffer.from([slot]))),
    rekey: (later) => {
      newest = later;
      bySlot = [deriveKey(later, "chunks")];
    },
    linked: deriveKey(secret, "linked"),
    pins: deriveKey(secret, "pins"),
  };
}

export function sealJournal(keys: TreeKeys, record: Uint8Array, random: Random): Buffer {
  return sealRecord(keys.journal, record, random);
}

export function openJournal(keys: TreeKeys, sealed: Uint8Array): Buffer {
  return openRecord(keys.journal, asBuffer(sealed));
}

export function sealPins(keys: TreeKeys, list: Uint8Array, random: Random): Buffer {
  return sealRecord(keys.pins, list, random);
}

export function openPins(keys: TreeKeys, sealed: Uint8Array): Buffer {
  return openRecord(keys.pins, asBuffer(sealed));
}
