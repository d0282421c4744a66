/** Which number a device marks its changes with, and under which name others read of them. Pure. */
import { createHash } from "node:crypto";
import type { PeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";

const { deviceMax, nameBytesMax } = limits.devices;

/** Which of the drive's devices this is; 0 where there is but one, which marks nothing. */
export interface Device {
  readonly number: number;
  readonly name: string;
}

/** The number follows from its key; 0 is nobody's. */
export function deviceFor(peer: PeerId, name: string): Device {
  const digest = createHash("sha256").update(`hive device ${peer}`).digest();
  return { number: 1 + digest.readUInt32BE(0) % deviceMax, name: cut(name) };
}

/** Whole characters alone. */
function cut(name: string): string {
  let short = name;
  while (Buffer.byteLength(short) > nameBytesMax) short = [...short].slice(0, -1).join("");
  return short;
}
