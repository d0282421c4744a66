/**
 * What a record says of the changes that its maker knew of: how often each of the drive's devices
 * had changed what the drive shares (tied.ts). So another device can tell whether it has heard of
 * all that the record goes by, and lets nobody in again whom it does not know to be shut out.
 * Readers pass over it; what stands for a device tells them nothing else of it. Pure.
 *
 *   told = u8 2 | varint devices, each: 8 bytes that stand for it, varint changes, ascending
 *          | the payload, which begins with another byte, to the end
 */
import { Reader, Writer } from "../../base/bytes.ts";
import { limits } from "../../base/limits.ts";
import { deviceTagBytes, deviceTagOf } from "../../crypt/records/share-records.ts";

/** Of each device, by what stands for it. */
export type Knowledge = ReadonlyMap<string, number>;

export interface Told {
  readonly knows: Knowledge;
  readonly payload: Buffer;
}

const kind = 2;
const nothing: Knowledge = new Map();

export function encodeTold({ knows, payload }: {
  readonly knows: Knowledge; readonly payload: Uint8Array;
}): Buffer {
  const writer = new Writer(payload.length + 256).u8(kind).varint(knows.size);
  for (const [tag, count] of [...knows].sort()) writer.hex(tag).varint(count);
  return writer.raw(payload).finish();
}

/** Whoever made it before there was this knew of one device, its own. */
export function decodeTold(bytes: Uint8Array): Told {
  if (bytes[0] !== kind) return { knows: nothing, payload: Buffer.from(bytes) };
  const reader = new Reader(bytes, "share.told");
  reader.u8();
  const count = reader.varint();
  if (count > limits.devices.countMax) throw reader.corrupt(`${count} devices`);
  const knows = new Map<string, number>();
  let before = "";
  for (let index = 0; index < count; index++) {
    const tag = reader.hex(deviceTagBytes);
    if (tag <= before) throw reader.corrupt("order");
    knows.set(tag, reader.varint());
    before = tag;
  }
  return { knows, payload: Buffer.from(reader.raw(reader.restBytes)) };
}

export function knowledgeOf(
  changes: ReadonlyMap<string, number>, shareSecret: Uint8Array,
): Knowledge {
  return new Map([...changes].map(([device, count]) => [deviceTagOf(shareSecret, device), count]));
}

/** Whether the first knows of a change that the second does not. */
export function knowsMore(one: Knowledge, other: Knowledge): boolean {
  return [...one].some(([tag, count]) => count > (other.get(tag) ?? 0));
}

export function bothKnow(one: Knowledge, other: Knowledge): Knowledge {
  const all = new Map(one);
  for (const [tag, count] of other) all.set(tag, Math.max(count, all.get(tag) ?? 0));
  return all;
}
