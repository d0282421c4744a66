/**
 * Marks: who made something, and when by his own count. Every device counts what it makes, and a
 * mark is its number and that count in one, so that no two devices ever make the same. An inode
 * number is a mark, and so is what an inode says of its last edit and its last move. What a device
 * has seen of another is then told by one count: that one, and all before it.
 *
 *   mark     device * 2^33 + count; device 0 is whoever wrote before there were several
 *   devices  varint count | each: varint device, varint count seen, varint length, name (UTF-8)
 *            ascending by device
 */
import { createHash } from "node:crypto";
import { Reader, Writer } from "../base/bytes.ts";
import type { PeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";

const { marksPerDevice, deviceMax, storesLostMax } = limits.devices;
const { countMax: devicesCountMax, nameBytesMax } = limits.devices;

export interface SeenDevice {
  /** All marks of it up to this count have been seen. */
  readonly count: number;
  /** What its owner calls it. */
  readonly name: string;
}

export type Seen = ReadonlyMap<number, SeenDevice>;

export const noDevices: Seen = new Map();

export function deviceOf(mark: number): number {
  return Math.floor(mark / marksPerDevice);
}

export function countOf(mark: number): number {
  return mark % marksPerDevice;
}

export function markOf(device: number, count: number): number {
  return device * marksPerDevice + count;
}

/**
 * What a device of a drive may mark its changes with: the first number, and those that it takes one
 * after another when its store was lost. They follow from its key; 0 is nobody's.
 */
export function numbersOfPeer(peer: PeerId): readonly [number, ...number[]] {
  const later = Array.from({ length: storesLostMax }, (_, at) => numberFor(`${peer} ${at + 1}`));
  return [numberFor(peer), ...later];
}

function numberFor(words: string): number {
  const digest = createHash("sha256").update(`hive device ${words}`).digest();
  return 1 + digest.readUInt32BE(0) % deviceMax;
}

/** What was there before there were several devices has been seen by all of them. */
export function isSeen(seen: Seen, mark: number): boolean {
  const device = deviceOf(mark);
  return device === 0 || countOf(mark) <= (seen.get(device)?.count ?? 0);
}

/** All that either has seen. */
export function seenByBoth(one: Seen, other: Seen): Seen {
  const all = new Map(one);
  for (const [device, theirs] of other) {
    const ours = all.get(device);
    if (ours === undefined || ours.count < theirs.count) all.set(device, theirs);
  }
  return all;
}

export function writeDevices(writer: Writer, devices: Seen): void {
  writer.varint(devices.size);
  for (const [device, { count, name }] of [...devices].sort(([a], [b]) => a - b)) {
    writer.varint(device).varint(count).bytes(Buffer.from(name, "utf8"));
  }
}

export function readDevices(reader: Reader): Seen {
  const size = reader.varint();
  if (size > devicesCountMax) throw reader.corrupt(`${size} devices`);
  const devices = new Map<number, SeenDevice>();
  let before = 0;
  for (let index = 0; index < size; index++) {
    const device = reader.varint();
    const count = reader.varint();
    const name = reader.bytes();
    const isRight = device > before && device <= deviceMax && count < marksPerDevice;
    if (!isRight || name.length > nameBytesMax) throw reader.corrupt(`device ${device}`);
    devices.set(device, { count, name: Buffer.from(name).toString("utf8") });
    before = device;
  }
  return devices;
}
