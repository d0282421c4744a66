/**
 * What a guest's files hold, made this drive's own: read as the guest has it and written as any
 * program would, into files that no name leads to until a merge names them. So much in one turn and
 * no more, as others who write have to wait for it; and of no file more than it says that it takes,
 * since one link to a chunk may stand there a million times.
 */
import { Writer } from "../../base/bytes.ts";
import { HiveError } from "../../base/errors.ts";
import type { Caller } from "../../base/filesystem.ts";
import type { Ino } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { writeTree } from "../../dag/inode-bytes.ts";
import { fileType, noTree } from "../../dag/inodes.ts";
import { Breather, attempt } from "../attempt.ts";
import { flush } from "../content/flush.ts";
import { writeRange } from "../content/writing.ts";
import { nextLink, readRange } from "../looking/content.ts";
import { setAttributes } from "../names/attributes.ts";
import { makeNameless } from "../names/making.ts";
import { afterLoss } from "../names/removing.ts";
import { type Node, allocatedFor } from "../state/nodes.ts";
import { isFilling } from "../state/room.ts";
import type { State } from "../state/state.ts";
import type { Fact } from "./facts.ts";

const { chunkBytes } = limits.tree;
const { contentSlackBytes, turnBytes } = limits.writers;
const nobody: Caller = { uid: 0, gid: 0, pid: 0 };

/** A guest's bytes, written here, until a name leads to them. */
interface Brought {
  readonly node: Node;
  isTaken: boolean;
}

export class Contents implements Disposable {
  readonly #state: State;
  readonly #reader: State;
  readonly #folder: Ino;
  readonly #brought = new Map<string, Brought>();
  #turnBytes = 0;

  /** `reader` has the guest's tree, and what is written goes by the folder. */
  constructor(state: State, { reader, folder }: { readonly reader: State; readonly folder: Ino }) {
    this.#state = state;
    this.#reader = reader;
    this.#folder = folder;
  }

  [Symbol.dispose](): void {
    for (const { node, isTaken } of this.#brought.values()) {
      // Its pages are another file's by now.
      if (isTaken) node.tree = noTree;
      node.handles--;
      afterLoss(this.#state, node);
    }
  }

  /** True when something was written; what finds no room in this turn is left for the next one. */
  async bring(facts: readonly Fact[]): Promise<boolean> {
    const keys = new Set(facts.map(keyOf));
    if (keys.size < facts.length) {
      throw new HiveError("Corrupt", "tree.guest", "two files of one tree");
    }
    let isNew = false;
    for (const fact of facts) {
      if (this.#brought.has(keyOf(fact))) continue;
      if (this.isTurnOver) break;
      this.#brought.set(keyOf(fact), { node: await this.#bringOne(fact), isTaken: false });
      isNew = true;
    }
    return isNew;
  }

  /** What the owner's own programs write is not to wait for room that a guest has taken. */
  get isTurnOver(): boolean {
    return this.#turnBytes >= turnBytes || isFilling(this.#state);
  }

  /** A name is to lead to it from now on; undefined when it was not brought. */
  take(fact: Fact): Node | undefined {
    const found = this.#brought.get(keyOf(fact));
    if (found === undefined || found.isTaken) return undefined;
    found.isTaken = true;
    return found.node;
  }

  async #bringOne(fact: Fact): Promise<Node> {
    const from = this.#reader.load(fact.inode, fact.tree, { kind: "none" });
    from.handles++;
    try {
      return await this.#copied(from);
    } finally {
      from.handles--;
      from.tree = noTree;
      this.#reader.nodes.settle(from);
    }
  }

  async #copied(from: Node): Promise<Node> {
    const state = this.#state;
    const mode = fileType.regular | 0o600;
    const node = await attempt(() => makeNameless(state, nobody, this.#folder, { mode }));
    node.handles++;
    try {
      await this.#copyAll(from, node);
      const { sizeBytes } = from.inode;
      await attempt(() => setAttributes(state, node, { sizeBytes }));
      await flush(state, node);
      return node;
    } catch (error) {
      node.handles--;
      afterLoss(state, node);
      throw error;
    }
  }

  async #copyAll(from: Node, to: Node): Promise<void> {
    const breather = new Breather(() => this.#state.needs.clock.monotonicMs());
    let leftBytes = from.allocatedBytes + contentSlackBytes;
    for (let at: number | undefined = 0; at !== undefined; await breather.breathe()) {
      const copied = await this.#copy(from, to, at);
      leftBytes -= allocatedFor(copied.lengthBytes);
      this.#turnBytes += copied.lengthBytes;
      if (leftBytes < 0) throw new HiveError("Corrupt", "tree.guest", "more than the file says");
      at = copied.next;
    }
  }

  /** One chunk, and where the next one may be; none behind the last. */
  async #copy(
    from: Node, to: Node, first: number,
  ): Promise<{ readonly lengthBytes: number; readonly next: number | undefined }> {
    const found = await attempt(() => nextLink(this.#reader, from, first));
    const offsetBytes = (found?.index ?? 0) * chunkBytes;
    if (found === undefined || offsetBytes >= from.inode.sizeBytes) {
      return { lengthBytes: 0, next: undefined };
    }
    const lengthBytes = Math.min(chunkBytes, from.inode.sizeBytes - offsetBytes);
    const pieces = await attempt(() => readRange(this.#reader, from, { offsetBytes, lengthBytes }));
    const bytes = Buffer.concat(pieces);
    await attempt(() => writeRange(this.#state, to, offsetBytes, bytes));
    return { lengthBytes: found.link.lengthBytes, next: found.index + 1 };
  }
}

/** No two files have one secret. */
function keyOf({ tree }: Fact): string {
  const writer = new Writer(128);
  writeTree(writer, tree);
  return writer.finish().toString("latin1");
}
