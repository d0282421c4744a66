/**
 * How one block or root lies in a block file: a header of 64 bytes with a check of its own, then
 * the bytes. The header says enough to build the index again from the block files alone. The
 * bytes need no second check: they must hash to the header's CID.
 */
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { type PolicySlot, unknownSlot } from "../../base/blocks.ts";
import { asBuffer } from "../../base/bytes.ts";
import { assert } from "../../base/errors.ts";
import { type Cid, cidOf } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";

export type FrameKind = "block" | "root";

export interface Frame {
  readonly kind: FrameKind;
  readonly cid: Cid;
  readonly sequence: number;
  readonly lengthBytes: number;
  /** The policy that the block goes by; 0 for a root. */
  readonly slot: PolicySlot;
}

export const headerBytes = 64;
const magic = Buffer.from("HvB\x01", "latin1");
const kindBytes: readonly FrameKind[] = ["block", "root"];

export function encodeHeader(frame: Frame): Buffer {
  assert(frame.lengthBytes >= 1 && frame.lengthBytes <= limits.cache.frameBytesMax);
  const header = Buffer.alloc(headerBytes);
  magic.copy(header);
  header.writeUInt8(kindBytes.indexOf(frame.kind), 4);
  header.writeUInt8(frame.slot, 5);
  header.writeUInt32LE(frame.lengthBytes, 8);
  header.writeUIntLE(frame.sequence, 12, 6);
  header.write(frame.cid, 20, "hex");
  header.writeUInt32LE(crc32(header.subarray(0, 60)), 60);
  return header;
}

/** Undefined when these are not the bytes of a header: a torn tail, a flipped bit, a gap. */
export function parseHeader(bytes: Buffer): Frame | undefined {
  if (bytes.length < headerBytes || !bytes.subarray(0, 4).equals(magic)) return undefined;
  if (bytes.readUInt32LE(60) !== crc32(bytes.subarray(0, 60))) return undefined;
  const kind = kindBytes[bytes.readUInt8(4)];
  const lengthBytes = bytes.readUInt32LE(8);
  const slot = bytes.readUInt8(5);
  if (kind === undefined || lengthBytes > limits.cache.frameBytesMax) return undefined;
  if (slot > limits.policy.slotsMax && slot !== unknownSlot) return undefined;
  const cid = bytes.toString("hex", 20, 52) as Cid;
  return { kind, cid, lengthBytes, slot, sequence: bytes.readUIntLE(12, 6) };
}

/** The offset of the next place in these bytes where a header may begin, or -1. */
export function findHeader(bytes: Buffer, from: number): number {
  return bytes.indexOf(magic, from);
}

/**
 * True when a whole header lies somewhere in these bytes. Nobody's ciphertext has one by chance:
 * it is there for a start that looks for frames behind a torn one, and should take it for ours.
 */
export function holdsHeader(bytes: Uint8Array): boolean {
  const buffer = asBuffer(bytes);
  for (let at = findHeader(buffer, 0); at >= 0; at = findHeader(buffer, at + 1)) {
    if (parseHeader(buffer.subarray(at, at + headerBytes)) !== undefined) return true;
  }
  return false;
}

/** True when the bytes are the ones that the CID names. */
export function matches(cid: Cid, bytes: Uint8Array): boolean {
  return createHash("sha256").update(asBuffer(bytes)).digest("hex") === cid;
}

/** The frame of a commit record, named by its hash as blocks are. */
export function frameOfRoot(body: Uint8Array, number: number): Frame {
  const lengthBytes = body.length;
  return { kind: "root", cid: cidOf(body), sequence: number, lengthBytes, slot: 0 };
}
