/**
 * The keys that a drive's tree secret gives, one for each purpose, and the sealing of the tree's
 * journal records and list of pins, whose contents the tree alone knows.
 */
import type { PolicySlot } from "../base/blocks.ts";
import { asBuffer } from "../base/bytes.ts";
import type { Random } from "../base/random.ts";
import { openRecord, sealRecord } from "../crypt/aead.ts";
import { deriveKey } from "../crypt/keys.ts";
import type { Era } from "./eras.ts";

export interface TreeKeys {
  /** Seals root records. */
  readonly root: Buffer;
  /** Seals journal records. */
  readonly journal: Buffer;
  /** With a chunk's plaintext it makes the chunk's own key, under the drive's default policy. */
  readonly chunks: Buffer;
  /** The same for any policy and era: the same bytes under two of them are two blocks. */
  readonly chunksOf: (slot: PolicySlot, era?: Era) => Buffer;
  /** From now on chunks are sealed with this secret; links tell the keys of those before. */
  readonly rekey: (secret: Uint8Array) => void;
  /** The secret of the table of linked files. */
  readonly linked: Buffer;
  /** Seals this machine's list of pins. */
  readonly pins: Buffer;
}

export function treeKeys(secret: Uint8Array): TreeKeys {
  const chunks = deriveKey(secret, "chunks");
  let newest = secret;
  let known = new Map([["0/0", chunks]]);
  const chunksOf = (slot: PolicySlot, era: Era = 0): Buffer => {
    const name = `${slot}/${era}`;
    const found = known.get(name) ?? chunkSecret(newest, slot, era);
    known.set(name, found);
    return found;
  };
  return {
    root: deriveKey(secret, "root"),
    journal: deriveKey(secret, "journal"),
    chunks,
    chunksOf,
    rekey: (later) => {
      newest = later;
      known = new Map([["0/0", deriveKey(later, "chunks")]]);
    },
    linked: deriveKey(secret, "linked"),
    pins: deriveKey(secret, "pins"),
  };
}

/** As they were before there were eras, in the first of them. */
function chunkSecret(secret: Uint8Array, slot: PolicySlot, era: Era): Buffer {
  if (era === 0) return deriveKey(secret, "chunks", Buffer.from([slot]));
  const context = Buffer.from([slot, 0, 0, 0, 0]);
  context.writeUInt32BE(era, 1);
  return deriveKey(secret, "chunks/era", context);
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
