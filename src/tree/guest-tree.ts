/**
 * A tree of a folder that its owner lets us write. It begins as what he has, page for page; what is
 * written in it is under its own keys, and it is committed, published and merged as any drive.
 */
import { limits } from "../base/limits.ts";
import type { Random } from "../base/random.ts";
import { firstEra } from "../dag/eras.ts";
import { noTree } from "../dag/inodes.ts";
import { treeKeys } from "../dag/keys.ts";
import type { Seen } from "../dag/marks.ts";
import { noPolicies } from "../dag/policies.ts";
import { type RootRecord, parseRoot, sealRoot } from "../dag/root.ts";
import { noTieLinks } from "../dag/ties.ts";
import type { Device } from "./state/devices.ts";
import type { TreeNeeds } from "./state/state.ts";
import { type Tree, type TreeOptions, openTree } from "./tree.ts";

export interface GuestTreeOptions extends Pick<TreeOptions, "treeSecret" | "readOnly"> {
  readonly device: Device;
  /** What the owner has now, as a root record that is not sealed: for a store that is empty. */
  readonly root: Uint8Array;
}

/**
 * A store that was lost may have made marks that the owner has not heard of yet: whoever begins
 * anew leaves a gap that they do not reach, so that none is made twice.
 */
function begun(devices: Seen, { number, name }: Device, random: Random): Seen {
  const { count = 0 } = devices.get(number) ?? {};
  const gap = random.below(limits.devices.guestGapMax);
  return new Map(devices).set(number, { count: count + gap, name });
}

export async function openGuestTree(
  needs: TreeNeeds, { treeSecret, device, root, readOnly = false }: GuestTreeOptions,
): Promise<Tree> {
  const { store, random } = needs;
  if (store.root() === undefined) {
    const told = parseRoot(root);
    const first: RootRecord = {
      ...told, linked: noTree, policies: noPolicies, kept: undefined, eras: firstEra,
      ties: noTieLinks,
      devices: begun(told.devices, device, random),
    };
    await store.commit(sealRoot(treeKeys(treeSecret), first, random), 0);
  }
  return await openTree(needs, { treeSecret, device, readOnly, isFolder: true });
}
