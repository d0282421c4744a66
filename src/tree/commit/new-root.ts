/** The root of a drive that holds nothing yet, and which device goes on with one that has. */
import type { Clock } from "../../base/clock.ts";
import { type Ino, rootIno } from "../../base/ids.ts";
import { firstEra } from "../../dag/eras.ts";
import { type Inode, fileType, noTree, noXattrs } from "../../dag/inodes.ts";
import { deviceOf, noDevices } from "../../dag/marks.ts";
import { emptyRoot } from "../../dag/pages.ts";
import { noPolicies } from "../../dag/policies.ts";
import type { RootRecord } from "../../dag/root.ts";
import { noTieLinks } from "../../dag/ties.ts";
import { type Device, numbersOf } from "../state/devices.ts";

/** Under the number that it used last, or the next one. */
export function goingOn(root: RootRecord, device: Device | undefined): Device {
  if (device === undefined) return writerOf(root);
  const numbers = numbersOf(device);
  const last = Math.max(0, numbers.findLastIndex((number) => root.devices.has(number)));
  const at = Math.min(device.isBack === true ? last + 1 : last, numbers.length - 1);
  return { number: numbers[at] ?? device.number, name: device.name };
}

/** Whoever checks a drive goes on as the device whose store it is. */
export function writerOf({ nextIno, devices }: RootRecord): Device {
  const number = deviceOf(nextIno);
  return { number, name: devices.get(number)?.name ?? "" };
}

export function newRoot(
  clock: Clock, owner: { readonly uid?: number; readonly gid?: number },
): RootRecord {
  const now = clock.now();
  const seconds = Math.floor(now / 1000);
  const time = { seconds, nanoseconds: Math.floor(now - seconds * 1000) * 1_000_000 };
  const inode: Inode = {
    ino: rootIno,
    mode: fileType.directory | 0o755,
    links: 2,
    uid: owner.uid ?? 0,
    gid: owner.gid ?? 0,
    rdev: 0,
    sizeBytes: 0,
    atime: time,
    mtime: time,
    ctime: time,
    btime: time,
    xattrs: noXattrs,
    content: { kind: "directory", entries: 0 },
    slot: 0,
    policy: 0,
    era: 0,
    marks: undefined,
  };
  return {
    sequence: 0,
    committedAtMs: now,
    nextIno: (rootIno + 1) as Ino,
    files: 1,
    bytes: 0,
    directory: { inode, tree: noTree },
    linked: { secret: undefined, root: emptyRoot },
    policies: noPolicies,
    kept: undefined,
    devices: noDevices,
    eras: firstEra,
    ties: noTieLinks,
  };
}
