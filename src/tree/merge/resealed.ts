/**
 * What one device of a drive has sealed anew, since its folder was given a policy or it moved to
 * one that has another, the others take over: it is the same edit, and theirs lies with peers that
 * the policy may exclude. So each file is sealed anew once. Pure.
 */
import type { PolicySlot } from "../../base/blocks.ts";
import type { Ino } from "../../base/ids.ts";
import { type Fact, type Merged, type Side, isFolder, isResealed } from "./facts.ts";

export interface Policies {
  /** "" for the default. */
  readonly nameOf: (slot: PolicySlot) => string;
  /**
   * What a folder goes by of which nothing has to be decided; absent where their copies are not
   * taken over.
   */
  readonly slotOf?: (folder: Ino) => PolicySlot;
}

export function preferResealed(
  merged: Merged,
  { ours, theirs, isUnsealed, slotOf }: {
    readonly ours: Side; readonly theirs: Side; readonly isUnsealed: (ino: Ino) => boolean;
    readonly slotOf: (folder: Ino) => PolicySlot;
  },
): void {
  for (const [ino, fact] of merged) {
    const [our, their] = [ours.facts.get(ino), theirs.facts.get(ino)];
    if (our === undefined || their === undefined || isFolder(fact)) continue;
    if (!isResealed(our, their) || isUnsealed(ino)) continue;
    const slot = slotAt(fact, merged, slotOf);
    if (our.inode.slot === slot || their.inode.slot !== slot) continue;
    const inode = { ...their.inode, marks: fact.inode.marks };
    merged.set(ino, { ...fact, inode, tree: their.tree });
  }
}

/** Of the nearest folder above that has a policy; a file of several names goes by its own. */
function slotAt(
  file: Fact, merged: Merged, slotOf: (folder: Ino) => PolicySlot,
): PolicySlot {
  for (let { inode, places } = file; ;) {
    const [place] = places;
    if (place === undefined || places.length > 1) return inode.policy;
    const folder = merged.get(place.parent);
    if (folder === undefined || folder.places.length === 0) return slotOf(place.parent);
    if (folder.inode.policy > 0) return folder.inode.policy;
    ({ inode, places } = folder);
  }
}
