/**
 * One file sealed anew, under the policy of its folder and the keys of this era, while programs go
 * on: a chunk that is written meanwhile is left as it is. And how to tell which files need it.
 */
import type { PolicySlot } from "../../base/blocks.ts";
import { limits } from "../../base/limits.ts";
import { isLost } from "../../dag/chunks.ts";
import type { Era } from "../../dag/eras.ts";
import { type Inode, type PageTree, marksOf, mergedSlot } from "../../dag/inodes.ts";
import { deviceOf } from "../../dag/marks.ts";
import { Wanted, attempt } from "../attempt.ts";
import { flush } from "../content/flush.ts";
import { handThenLink } from "../content/handing.ts";
import { type IndexedLink, linkAt, nextLink } from "../looking/content.ts";
import { saltOf } from "../looking/salts.ts";
import { hasBlocks, slotOf } from "../looking/slots.ts";
import { valuesOf, withValues } from "../names/xattrs.ts";
import type { Change } from "../state/journal.ts";
import { type Node, allocatedFor } from "../state/nodes.ts";
import { inodeChange, record } from "../state/recording.ts";
import type { State } from "../state/state.ts";

const { sealedAtOnce } = limits.tree;

export interface SealedAnew {
  readonly bytes: number;
  /** It is not done, and is to be looked for again. */
  readonly isLeft: boolean;
}

/** Of what is old by this era. */
export async function sealAnew(state: State, node: Node, era: Era): Promise<SealedAnew> {
  // No root names it, and where it gets a name it is looked at again.
  if (node.home.kind === "none") return { bytes: 0, isLeft: false };
  await attempt(() => settled(state, node));
  // Nothing is unpublished: whatever is linked from here on was sealed in this era or later.
  const before = momentOf(state, node);
  if (!isMisplaced(state, node) && !isOld(node.inode, era)) return { bytes: 0, isLeft: false };
  if (isSplit(node)) await outOfTable(state, node, before.slot);
  let bytes = 0;
  for (let from = 0; ; ) {
    const links = await attempt(() => linksOf(state, node, from));
    const last = links.at(-1);
    if (last === undefined) break;
    bytes += await sealChunks(state, { node, links, slot: before.slot });
    from = last.index + 1;
  }
  const isLeft = await attempt(() => finish(state, node, before));
  return { bytes, isLeft };
}

interface Moment {
  readonly slot: PolicySlot;
  readonly era: Era;
  readonly places: number;
  readonly edited: number;
}

function momentOf(state: State, node: Node): Moment {
  const { edited } = marksOf(node.inode);
  return { slot: slotOf(state, node), era: state.eras.now, places: state.placesChanged, edited };
}

/** True where it moved once more, or was written under another policy or by another device. */
function finish(state: State, node: Node, before: Moment): boolean {
  state.mayChange();
  settled(state, node);
  const now = momentOf(state, node);
  const isGoverned = state.policies.names.length > 0;
  const isMoved = now.slot !== before.slot || (isGoverned && now.places !== before.places);
  const isOthers = now.edited !== before.edited && deviceOf(now.edited) !== state.device.number;
  if (isMoved || isOthers) return true;
  const { slot, era } = before;
  const isBlock = node.inode.xattrs.kind === "block";
  const spilled = isBlock ? { xattrs: withValues(valuesOf(state, node.inode)) } : {};
  record(state, [inodeChange(state, node, { slot, era, ...spilled })]);
  return false;
}

interface Portion {
  readonly node: Node;
  readonly links: readonly IndexedLink[];
  readonly slot: PolicySlot;
}

/** Reads, seals and links a few chunks; answers how many bytes that was. */
async function sealChunks(state: State, { node, links, slot }: Portion): Promise<number> {
  const plain = links.filter(({ link }) => !isLost(link));
  if (plain.length === 0) return 0;
  const bytes: Buffer[] = [];
  for (const { link } of plain) {
    bytes.push(Buffer.from(await attempt(() => state.blocks.chunk(link))));
  }
  const hand = () => state.blocks.putChunksLater(bytes, { slot, salt: saltOf(state, node) });
  await handThenLink(state, hand, (handed) => {
    state.mayChange();
    settled(state, node);
    const changes = plain.flatMap(({ index, link }, at): Change[] => {
      const fresh = handed[at]?.link;
      const isSame = linkAt(state, node, index)?.cid === link.cid;
      if (!isSame || fresh === undefined || fresh.cid === link.cid) return [];
      return [{ kind: "chunk", ino: node.ino, index, link: fresh }];
    });
    if (changes.length === 0) return;
    const mixed = mergedSlot(node.inode.slot, slot);
    record(state, [...changes, inodeChange(state, node, { slot: mixed })]);
  });
  return bytes.reduce((sum, { length }) => sum + length, 0);
}

/** A short file with several names lies in the table, which goes by the default. */
async function outOfTable(state: State, node: Node, slot: PolicySlot): Promise<void> {
  const { content } = node.inode;
  if (content.kind !== "inline") return;
  const hand = () => state.blocks.putChunks([content.bytes], { slot });
  await handThenLink(state, hand, ([chunk]) => {
    state.mayChange();
    settled(state, node);
    if (node.inode.content !== content || chunk === undefined) return;
    const { link } = chunk;
    const chunked = { kind: "chunks", allocatedBytes: allocatedFor(link.lengthBytes) } as const;
    record(state, [
      { kind: "chunk", ino: node.ino, index: 0, link },
      inodeChange(state, node, { content: chunked, slot }),
    ]);
  });
}

/** Unpublished data goes into chunks first: a link must not take its place. */
function settled(state: State, node: Node): void {
  if (node.live !== undefined) throw new Wanted(() => flush(state, node));
}

/** Something of it may have been sealed before this era. */
export function isOld({ era, content, xattrs }: Inode, since: Era): boolean {
  return era < since && (content.kind === "chunks" || xattrs.kind === "block");
}

/** The same, or it is about to have such chunks. */
export function isOldFile({ inode, live }: Node, since: Era): boolean {
  return isOld(inode, since) || (live !== undefined && live.era < since);
}

/** A file that has, or is about to have, blocks under another policy than its own. */
export function isMisplaced(state: State, node: Node): boolean {
  const slot = slotOf(state, node);
  if (isStray(node, slot) || isSplit(node)) return true;
  const { live } = node;
  if (live === undefined) return false;
  const isSealing = [...live.dirty.values()].some(({ sealing }) => sealing !== undefined);
  return isSealing || (live.slot !== undefined && live.slot !== slot);
}

/** Blocks of it go by another policy than it does itself. */
export function isStray(
  { inode, tree }: { inode: Inode; tree: PageTree }, slot: PolicySlot,
): boolean {
  return inode.slot !== slot && (hasBlocks(inode) || tree.root.kind !== "empty");
}

function isSplit({ inode, home }: Node): boolean {
  if (home.kind !== "table" || inode.content.kind !== "inline") return false;
  return inode.content.bytes.length > 0 && inode.policy > 0;
}

function linksOf(state: State, node: Node, from: number): readonly IndexedLink[] {
  const links: IndexedLink[] = [];
  for (let next = nextLink(state, node, from); next !== undefined; ) {
    links.push(next);
    if (links.length === sealedAtOnce) break;
    next = nextLink(state, node, next.index + 1);
  }
  return links;
}
