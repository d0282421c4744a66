/** Which number a device marks its changes with, and under which name others read of them. Pure. */
import { beginningOf } from "../../base/bytes.ts";
import type { PeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type SeenDevice, deviceOf, markOf, numbersOfPeer } from "../../dag/marks.ts";
import type { RootRecord } from "../../dag/root.ts";

const { nameBytesMax } = limits.devices;

/** Which of the drive's devices this is; 0 where there is but one, which marks nothing. */
export interface Device {
  readonly number: number;
  readonly name: string;
  /** Its numbers after its store was lost once, twice, and so on; see numbersOf. */
  readonly later?: readonly number[];
  /** Its store was lost just now, and is what peers had. */
  readonly isBack?: boolean;
}

export function deviceFor(peer: PeerId, name: string): Device {
  const [number, ...later] = numbersOfPeer(peer);
  return { number, name: beginningOf(name, nameBytesMax), later };
}

/**
 * In the order in which it comes to use them. With its store a device loses the count of what it
 * made, and others may have been told of more than peers had. Under its old number it would make
 * the same marks again, and pass for one that saw those of before and did away with the things.
 */
export function numbersOf({ number, later = [] }: Device): readonly number[] {
  return [number, ...later];
}

/** The first that this device has not made: by the root, which other devices may have written. */
export function nextMark({ nextIno, devices }: RootRecord, { number }: Device): number {
  if (number === 0) return nextIno;
  const told: SeenDevice | undefined = devices.get(number);
  const first = markOf(number, (told?.count ?? 0) + 1);
  return deviceOf(nextIno) === number ? Math.max(first, nextIno) : first;
}
