/**
 * Roots that are kept: what the drive was at moments that have passed. The newest root record has
 * the link of a block with all of them, so whoever has the newest root, as by a head, has them too.
 * Of policies none is kept: a slot is never given to another name, so the newest names hold. Nor
 * are ties: who was shut out is not let in again by going back.
 *
 *   kept   varint roots | each: signed time in ms at which another root took its place
 *          | u8 why it is kept (0 by the rule, 1 the user asked, 2 before a restore, 3 the brake)
 *          | u8 its place in its second: of those that are kept, no other has the same
 *          | varint length, root record (root.ts)
 */
import { Reader, Writer } from "../base/bytes.ts";
import { limits } from "../base/limits.ts";
import { type Reason, reasons } from "../base/snapshots.ts";
import { firstEra } from "./eras.ts";
import { noDevices } from "./marks.ts";
import { noPolicies } from "./policies.ts";
import { type RootRecord, encodeRoot, parseRoot } from "./root.ts";
import { noTieLinks } from "./ties.ts";

export interface KeptRoot {
  readonly root: RootRecord;
  readonly untilMs: number;
  readonly why: Reason;
  /** Among the roots of its second: a part of its name, which stays. */
  readonly place: number;
}

/** Its own place in its second counts up to this. */
export const placeMax = 255;

export function encodeKept(kept: readonly KeptRoot[]): Buffer {
  const writer = new Writer(1024).varint(kept.length);
  for (const { root, untilMs, why, place } of kept) {
    writer.signed(untilMs).u8(reasons.indexOf(why)).u8(place);
    const bare = { policies: noPolicies, kept: undefined, devices: noDevices, eras: firstEra };
    writer.bytes(encodeRoot({ ...root, ...bare, ties: noTieLinks }));
  }
  return writer.finish();
}

export function parseKept(bytes: Uint8Array): readonly KeptRoot[] {
  const reader = new Reader(bytes, "dag.kept");
  const count = reader.varint();
  if (count > limits.snapshots.countMax) throw reader.corrupt(`${count} roots`);
  const kept: KeptRoot[] = [];
  for (let index = 0; index < count; index++) {
    const untilMs = reader.signed();
    const why = reasons[reader.u8()];
    if (why === undefined) throw reader.corrupt("a reason");
    kept.push({ untilMs, why, place: reader.u8(), root: parseRoot(reader.bytes()) });
  }
  reader.end();
  return kept;
}
