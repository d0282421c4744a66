/**
 * After a crash: what the journal holds beyond the newest commit is made so again. Each change says
 * what is, so a change that the commit already has does no harm.
 */
import { HiveError, isFault } from "../../base/errors.ts";
import type { Ino } from "../../base/ids.ts";
import { openJournal } from "../../dag/keys.ts";
import { attempt } from "../attempt.ts";
import { settleLive } from "../content/publishing.ts";
import { forgetDirty } from "../content/sealing.ts";
import { replayData } from "../content/writing.ts";
import { loadLinked, nextName, nodeOf } from "../looking/names.ts";
import { apply } from "../state/applying.ts";
import { type Change, isOfDrive, parseChanges } from "../state/journal.ts";
import type { Node } from "../state/nodes.ts";
import { tellMoves } from "../state/recording.ts";
import type { State } from "../state/state.ts";

/**
 * Answers how many records there were. A change that the pages do not allow ends it as Corrupt; or
 * it is given to `lost`, where there is one, and with it go those that build on it, and no others.
 */
export async function replay(state: State, lost?: LostChange): Promise<number> {
  const repeating = lost === undefined ? strict(state) : lenient(state, lost);
  let count = 0;
  for await (const sealed of state.needs.store.replay()) {
    const changes = parseChanges(openJournal(state.keys, sealed));
    for (const change of changes) await repeating(change);
    tellMoves(state);
    count++;
  }
  for (const node of [...state.liveFiles]) {
    if (node.live?.dirty.size === 0) settleLive(state, node);
  }
  return count;
}

export type LostChange = (change: Change) => void;
type Repeating = (change: Change) => Promise<void>;

function strict(state: State): Repeating {
  return async (change) => void (await attempt(() => repeat(state, change, { whole: true })));
}

/** What is not where it was would be made anew, empty: all that is told of it is left out. */
function lenient(state: State, lost: LostChange): Repeating {
  const missing = new Set<Ino>();
  return async (change) => {
    const inos = inosOf(change);
    try {
      if (inos.some((ino) => missing.has(ino))) return lost(change);
      await attempt(() => repeat(state, change, { whole: false }));
    } catch (error) {
      if (!isFault(error, "Corrupt")) throw error;
      // Bytes whose place is in a lost page are lost with it, the file is not.
      if (change.kind !== "data") missing.add(inos[0] as Ino);
      lost(change);
    }
  };
}

/** Whose change it is, and whom it names. */
function inosOf(change: Change): readonly Ino[] {
  if (change.kind === "inode") return [change.inode.ino];
  if (change.kind === "bind") return [change.directory, change.ino];
  if (change.kind !== "where" && isOfDrive(change)) return [];
  return [change.kind === "unbind" ? change.directory : change.ino];
}

interface Belief {
  /** The pages are as the commit left them. */
  readonly whole: boolean;
}

function repeat(state: State, change: Change, belief: Belief): void {
  try {
    repeatChange(state, change, belief);
  } catch (cause) {
    if (!isFault(cause, "Stale")) throw cause;
    const subject = `a ${change.kind} of what is not there`;
    throw new HiveError("Corrupt", "tree.replay", subject, { cause });
  }
}

function repeatChange(state: State, change: Change, belief: Belief): void {
  switch (change.kind) {
    case "where":
      return findAgain(state, change, belief);
    case "inode":
      return repeatInode(state, change);
    case "cut":
      forgetFrom(state.nodes.get(change.ino), state, change.from, Infinity);
      return apply(state, change);
    case "chunk":
    case "hole":
      // The sealed chunk holds what the journal told of it before.
      forgetFrom(state.nodes.get(change.ino), state, change.index, change.index + 1);
      return apply(state, change);
    case "data":
      return replayData(state, state.nodes.get(change.ino), change.offsetBytes, change.bytes);
    case "graft":
      forgetFrom(state.nodes.get(change.ino), state, 0, Infinity);
      return apply(state, change);
    case "bind":
    case "unbind":
    case "policies":
    case "seen":
    case "eras":
      return apply(state, change);
  }
}

/** Brings a node into memory from the place that the journal names. */
function findAgain(
  state: State,
  change: Change & { readonly kind: "where" },
  { whole }: Belief,
): void {
  const node = state.nodes.find(change.ino) ?? loadAgain(state, change);
  if (node !== undefined) state.keep(node);
  else if (!whole) throw new HiveError("Corrupt", "tree.replay", `inode ${change.ino} is lost`);
}

/** Undefined for a file that came into the table after the commit: what follows tells it whole. */
function loadAgain(state: State, change: Change & { readonly kind: "where" }): Node | undefined {
  const { ino, key } = change;
  if (change.parent === undefined) return loadLinked(state, ino);
  const parent = state.nodes.get(change.parent);
  const found = nextName(state, parent, key);
  const node = found?.key === key ? nodeOf(state, parent, found) : undefined;
  if (node?.ino === ino) return node;
  throw new HiveError("Corrupt", "tree.replay", `inode ${ino} is not where it was`);
}

function repeatInode(state: State, change: Change & { readonly kind: "inode" }): void {
  const live = state.nodes.find(change.inode.ino)?.live;
  const { sizeBytes, content } = change.inode;
  if (live !== undefined) {
    live.published = { sizeBytes, content };
    live.allocatedBytes = content.kind === "chunks" ? content.allocatedBytes : 0;
  }
  apply(state, change);
}

function forgetFrom(node: Node, state: State, from: number, to: number): void {
  for (const chunk of [...(node.live?.dirty.values() ?? [])]) {
    if (chunk.index >= from && chunk.index < to) forgetDirty(state, chunk);
  }
}
