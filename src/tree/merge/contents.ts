/**
 * What a guest's files hold, made this drive's own: read as the guest has it and sealed anew, into
 * files that no name leads to until a merge names them. Its keys follow from who the guest is as
 * well, or the catalogue would tell him whether bytes of his choice were in the drive before
 * (looking/salts.ts). What he left as it is here stays so. So much in one turn and no more, if
 * need be of one file, as others who write have to wait for it; and of no file more than it says
 * that it takes, since one link to a chunk may stand there a million times.
 */
import { Writer } from "../../base/bytes.ts";
import { HiveError } from "../../base/errors.ts";
import type { Caller } from "../../base/filesystem.ts";
import type { Ino } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { writeTree } from "../../dag/inode-bytes.ts";
import { type ChunkLink, encodeLink } from "../../dag/chunks.ts";
import { type Inode, fileType, noTree } from "../../dag/inodes.ts";
import type { Salt } from "../../dag/keys.ts";
import { Breather, attempt } from "../attempt.ts";
import { flush } from "../content/flush.ts";
import { handThenLink } from "../content/handing.ts";
import { type IndexedLink, linkAt, nextLink } from "../looking/content.ts";
import { saltOfGuest } from "../looking/salts.ts";
import { sealedAs, slotOf } from "../looking/slots.ts";
import { setAttributes } from "../names/attributes.ts";
import { makeNameless } from "../names/making.ts";
import { afterLoss } from "../names/removing.ts";
import type { Change } from "../state/journal.ts";
import { type Node, allocatedFor } from "../state/nodes.ts";
import { inodeChange, record } from "../state/recording.ts";
import { isFilling } from "../state/room.ts";
import type { State } from "../state/state.ts";
import type { Step } from "./apply.ts";
import type { Fact } from "./facts.ts";

const { chunkBytes, sealedAtOnce } = limits.tree;
const { contentSlackBytes, turnBytes } = limits.writers;
const nobody: Caller = { uid: 0, gid: 0, pid: 0 };

/** A file that comes in, or comes in anew. */
export type Arriving = Step & { readonly after: Fact };

interface Copy {
  /** Has the guest's tree. */
  readonly reader: State;
  readonly from: Node;
  readonly to: Node;
  /** The file as it is here, if it is. */
  readonly ours: Node | undefined;
}

/** A guest's bytes, sealed here, until a name leads to them. */
interface Brought {
  readonly node: Node;
  /** The first chunk that is still to come; undefined when all are here. */
  next: number | undefined;
  /** What it may still hold, by what it says. */
  leftBytes: number;
  isTaken: boolean;
}

/** Of one guest; what a turn leaves undone is gone on with in the next one. */
export class Contents implements Disposable {
  readonly #state: State;
  readonly #folder: Ino;
  readonly #salt: Salt;
  readonly #brought = new Map<string, Brought>();
  #turnBytes = 0;

  /** What is written goes by the folder. */
  constructor(state: State, { folder, number }: { readonly folder: Ino; readonly number: number }) {
    this.#state = state;
    this.#folder = folder;
    this.#salt = saltOfGuest(number);
  }

  [Symbol.dispose](): void {
    for (const key of [...this.#brought.keys()]) this.#drop(key);
  }

  /** Names lead to what was taken. */
  endTurn(): void {
    this.#turnBytes = 0;
    for (const [key, { isTaken }] of [...this.#brought]) if (isTaken) this.#drop(key);
  }

  /**
   * True when something was written; what finds no room in this turn is left for the next one.
   * `reader` has the guest's tree.
   */
  async bring(steps: readonly Arriving[], reader: State): Promise<boolean> {
    const wanted = new Map(steps.map((step) => [keyOf(step.after), step]));
    if (wanted.size < steps.length) {
      throw new HiveError("Corrupt", "tree.guest", "two files of one tree");
    }
    // The guest has written on since.
    for (const key of [...this.#brought.keys()]) if (!wanted.has(key)) this.#drop(key);
    let isNew = false;
    for (const [key, step] of wanted) {
      const before = this.#brought.get(key);
      if (before !== undefined && before.next === undefined) continue;
      if (this.isTurnOver) break;
      const brought = before ?? await this.#begun(step);
      this.#brought.set(key, brought);
      await this.#goOn(brought, step, reader);
      isNew = true;
    }
    return isNew;
  }

  /** What the owner's own programs write is not to wait for room that a guest has taken. */
  get isTurnOver(): boolean {
    return this.#turnBytes >= turnBytes || isFilling(this.#state);
  }

  /** A name is to lead to it from now on; undefined when it was not brought, or not all of it. */
  take(fact: Fact): Node | undefined {
    const found = this.#brought.get(keyOf(fact));
    if (found === undefined || found.isTaken || found.next !== undefined) return undefined;
    found.isTaken = true;
    return found.node;
  }

  #drop(key: string): void {
    const { node, isTaken } = this.#brought.get(key) as Brought;
    this.#brought.delete(key);
    // Its pages are another file's by now.
    if (isTaken) node.tree = noTree;
    node.handles--;
    afterLoss(this.#state, node);
  }

  async #begun({ after: { inode: { content } } }: Arriving): Promise<Brought> {
    const state = this.#state;
    const mode = fileType.regular | 0o600;
    const node = await attempt(() => makeNameless(state, nobody, this.#folder, { mode }));
    node.handles++;
    const saysBytes = content.kind === "chunks" ? content.allocatedBytes : 0;
    return { node, next: 0, leftBytes: saysBytes + contentSlackBytes, isTaken: false };
  }

  async #goOn(brought: Brought, { before, after }: Arriving, reader: State): Promise<void> {
    const state = this.#state;
    const from = reader.load(after.inode, after.tree, { kind: "none" });
    const ours = before && state.nodes.find(before.inode.ino);
    from.handles++;
    try {
      await this.#copyMore(brought, { reader, from, to: brought.node, ours });
    } finally {
      from.handles--;
      from.tree = noTree;
      reader.nodes.settle(from);
    }
    if (brought.next === undefined) {
      const { sizeBytes } = after.inode;
      await attempt(() => setAttributes(state, brought.node, { sizeBytes }));
    }
    await flush(state, brought.node);
  }

  async #copyMore(brought: Brought, copy: Copy): Promise<void> {
    const breather = new Breather(() => this.#state.needs.clock.monotonicMs());
    while (brought.next !== undefined && !this.isTurnOver) {
      const first = brought.next;
      const links = await attempt(() => linksOf(copy, first));
      const moreBytes = links.reduce((sum, { link }) => sum + allocatedFor(link.lengthBytes), 0);
      const leftBytes = brought.leftBytes - moreBytes;
      if (leftBytes < 0) throw new HiveError("Corrupt", "tree.guest", "more than the file says");
      const others = await attempt(() => keepOurs(this.#state, copy, links));
      if (others.length > 0) await this.#seal(copy, others);
      const last = links.at(-1);
      Object.assign(brought, { leftBytes, next: last && last.index + 1 });
      await breather.breathe();
    }
  }

  async #seal({ reader, from, to }: Copy, links: readonly IndexedLink[]): Promise<void> {
    const state = this.#state;
    const bytes: Buffer[] = [];
    for (const { index, link } of links) {
      const plain = Buffer.from(await attempt(() => reader.blocks.chunk(link)));
      bytes.push(plain.subarray(0, from.inode.sizeBytes - index * chunkBytes));
      this.#turnBytes += link.lengthBytes;
    }
    const sealed = { slot: slotOf(state, to), era: state.eras.now };
    const ground = { slot: sealed.slot, salt: this.#salt };
    await handThenLink(state, () => state.blocks.putChunksLater(bytes, ground), (handed) => {
      state.mayChange();
      const fresh = links.flatMap(({ index }, at) => {
        const link = handed[at]?.link;
        return link === undefined ? [] : [{ index, link }];
      });
      linkTo(state, to, fresh, sealed);
    });
  }
}

/** A few of those that the file's size takes in. */
function linksOf({ reader, from }: Copy, first: number): readonly IndexedLink[] {
  const links: IndexedLink[] = [];
  for (let next = first; links.length < sealedAtOnce; ) {
    const found = nextLink(reader, from, next);
    if (found === undefined || found.index * chunkBytes >= from.inode.sizeBytes) break;
    links.push(found);
    next = found.index + 1;
  }
  return links;
}

/** Links what the file has here already, where it has it; answers what is left. */
function keepOurs(
  state: State, { from, to, ours }: Copy, links: readonly IndexedLink[],
): readonly IndexedLink[] {
  const mayKeep = ours !== undefined && ours.live === undefined
    && ours.inode.slot === slotOf(state, to);
  if (!mayKeep) return links;
  const isKept = ({ index, link }: IndexedLink): boolean => {
    const our = linkAt(state, ours, index);
    const isInside = index * chunkBytes + link.lengthBytes <= from.inode.sizeBytes;
    return isInside && our !== undefined && isSameLink(our, link);
  };
  const kept = links.filter(isKept);
  if (kept.length === 0) return links;
  state.mayChange();
  linkTo(state, to, kept, ours.inode);
  return links.filter((one) => !kept.includes(one));
}

function isSameLink(one: ChunkLink, other: ChunkLink): boolean {
  return encodeLink(one).equals(encodeLink(other));
}

/** The file has these chunks from now on, where it had none. */
function linkTo(
  state: State, to: Node, links: readonly IndexedLink[], sealed: Pick<Inode, "slot" | "era">,
): void {
  const { ino } = to;
  const changes = links.map(({ index, link }): Change => ({ kind: "chunk", ino, index, link }));
  const grown = links.reduce((sum, { link }) => sum + allocatedFor(link.lengthBytes), 0);
  const ends = links.map(({ index, link }) => index * chunkBytes + link.lengthBytes);
  const content = { kind: "chunks", allocatedBytes: to.allocatedBytes + grown } as const;
  const sizeBytes = Math.max(to.inode.sizeBytes, ...ends);
  const inode = { content, sizeBytes, ...sealedAs(to.inode, sealed) };
  record(state, [...changes, inodeChange(state, to, inode)]);
  // The journal tells nothing of it while no name leads there: only a commit gives it pages.
  state.changed();
}

/** No two files have one secret. */
function keyOf({ tree }: Fact): string {
  const writer = new Writer(128);
  writeTree(writer, tree);
  return writer.finish().toString("latin1");
}
