/**
 * What a mounted drive does once this very device was shut out of it: nobody takes what is written
 * here any more, so the mount is for reading from then on, and nothing goes of what it holds.
 */
import { removedText } from "../base/devices.ts";
import { HiveError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { NodeDuties } from "../base/node.ts";
import type { Mounted } from "../mount/mount.ts";
import type { Tree } from "../tree/tree.ts";

interface Parts {
  readonly tree: Pick<Tree, "endWriting" | "knownInos" | "syncAll">;
  readonly mounted: Pick<Mounted, "invalidateInode">;
  readonly log: Log;
}

/** Denied where this very device was shut out: it is left to read what is here. */
export async function refuseIfRemoved(
  node: Pick<NodeDuties, "epoch">, { readOnly }: { readonly readOnly: boolean },
): Promise<void> {
  const { removedAtMs } = await node.epoch();
  if (removedAtMs === null || readOnly) return;
  throw new HiveError("Denied", "device.removed", removedText(removedAtMs));
}

/** What the kernel took from programs comes in first, and is as safe as anything else here. */
export async function endWriting(
  { tree, mounted, log }: Parts, removedAtMs: number,
): Promise<void> {
  await Promise.all(tree.knownInos().map((ino) => mounted.invalidateInode(ino)));
  const why = removedText(removedAtMs);
  tree.endWriting(why);
  log.warn("drive.removed", { why, now: "the mount is read-only" });
  await tree.syncAll();
}
