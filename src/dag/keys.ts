/**
 * The keys that a drive's tree secret gives, one for each purpose, and the sealing of the tree's
 * journal records and list of pins, whose contents the tree alone knows.
 */
import type { PolicySlot } from "../base/blocks.ts";
import { asBuffer } from "../base/bytes.ts";
import type { Random } from "../base/random.ts";
import { openRecord, sealRecord } from "../crypt/ciphers/aead.ts";
import { deriveKey } from "../crypt/ciphers/keys.ts";
import type { Era } from "./eras.ts";

/**
 * Parts the blocks of a folder that others were given, or of one who writes it, from all others of
 * the drive: the folder's inode number, or a mark of his that no file has; 0 for none.
 */
export type Salt = number;

/** What a chunk is sealed for: besides its bytes and the era, all that its block depends on. */
export interface Ground {
  readonly slot: PolicySlot;
  readonly salt?: Salt;
}

export interface TreeKeys {
  /** Seals root records. */
  readonly root: Buffer;
  /** Seals journal records. */
  readonly journal: Buffer;
  /** With a chunk's plaintext it makes the chunk's own key, under the drive's default policy. */
  readonly chunks: Buffer;
  /**
   * The same for any ground and era, where `policy` is the slot's name, if it is known: the same
   * bytes under two of them are two blocks.
   */
  readonly chunksOf: (ground: Ground, era?: Era, policy?: string) => Buffer;
  /** From now on chunks are sealed with this secret; links tell the keys of those before. */
  readonly rekey: (secret: Uint8Array) => void;
  /** The secret of the table of linked files. */
  readonly linked: Buffer;
  /** Seals this machine's list of pins. */
  readonly pins: Buffer;
}

export function treeKeys(secret: Uint8Array): TreeKeys {
  let newest = secret;
  let known = new Map<string, Buffer>();
  const chunksOf = ({ slot, salt = 0 }: Ground, era: Era = 0, policy?: string): Buffer => {
    const name = `${slot}/${era}/${salt}/${policy ?? ""}`;
    const unsalted = () =>
      policy === undefined ? slotSecret(newest, slot, era) : policySecret(newest, policy, era);
    const found = known.get(name) ?? salted(unsalted(), salt);
    known.set(name, found);
    return found;
  };
  return {
    root: deriveKey(secret, "root"),
    journal: deriveKey(secret, "journal"),
    chunks: deriveKey(secret, "chunks"),
    chunksOf,
    rekey: (later) => {
      newest = later;
      known = new Map();
    },
    linked: deriveKey(secret, "linked"),
    pins: deriveKey(secret, "pins"),
  };
}

/**
 * Each device numbers policies for itself. By the number, what two devices have under two of them
 * would be one block, and lie where one of the two forbids it.
 */
function policySecret(secret: Uint8Array, policy: string, era: Era): Buffer {
  const context = Buffer.from(`\0\0\0\0${policy}`, "latin1");
  context.writeUInt32BE(era);
  return deriveKey(secret, "chunks/policy", context);
}

/**
 * As they were before there were eras, in the first of them, and before there were slots. Another
 * slot than the default's comes here only where nobody knows its name, and none may be placed.
 */
function slotSecret(secret: Uint8Array, slot: PolicySlot, era: Era): Buffer {
  if (era === 0 && slot === 0) return deriveKey(secret, "chunks");
  if (era === 0) return deriveKey(secret, "chunks", Buffer.from([slot]));
  const context = Buffer.from([slot, 0, 0, 0, 0]);
  context.writeUInt32BE(era, 1);
  return deriveKey(secret, "chunks/era", context);
}

function salted(secret: Buffer, salt: Salt): Buffer {
  if (salt === 0) return secret;
  const context = Buffer.alloc(8);
  context.writeBigUInt64BE(BigInt(salt));
  return deriveKey(secret, "chunks/salt", context);
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
