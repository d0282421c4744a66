/**
 * The check of what one inode holds: the chunks of a file and its extended attributes. A chunk that
 * nobody has is given up: its link becomes one that says so, and reads of it fail for ever, while
 * the rest of the file stays as it is. Nothing that is lost ever reads as zeros.
 */
import { isFault } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { type ChunkLink, encodeLink, isLost, lostLink, parseLink } from "../../dag/chunks.ts";
import type { TableValue } from "../../dag/entries.ts";
import { parseXattrs } from "../../dag/inode-bytes.ts";
import { type Inode, noXattrs } from "../../dag/inodes.ts";
import { attempt } from "../attempt.ts";
import { allocatedFor } from "../state/nodes.ts";
import { Findings, type ItemChanges, type Leaf, leavesOf, mendedTree } from "./pages.ts";
import type { CheckState } from "./state.ts";

const { chunkBytes, givenUpChunksMax, linksInsideMax, rangesToldMax } = limits.tree;

/** The file as it should be: the very same object when nothing is wrong with it. */
export async function checkChunks(
  check: CheckState,
  file: TableValue,
  path: string,
): Promise<TableValue> {
  const { inode, tree } = file;
  if (inode.content.kind !== "chunks") return file;
  const work = new FileWork(inode.sizeBytes);
  for await (const leaf of leavesOf(check, tree, work.findings)) {
    await work.readLeaf(check, leaf);
  }
  work.giveUpPages(check, path);
  check.accounts.elsewhere += work.findings.elsewhere;
  check.accounts.unknown += work.findings.unknown.size + work.unknownChunks;
  if (work.givenUpBefore) check.accounts.givenUp++;
  const counted = work.findings.isComplete;
  const known = counted ? work.allocatedBytes : inode.content.allocatedBytes;
  work.tell(check, path, { countIsWrong: known !== inode.content.allocatedBytes });
  const { findings, changes } = work;
  const content = { kind: "chunks", allocatedBytes: known } as const;
  if (!work.changesPages && known === inode.content.allocatedBytes) return file;
  const plan = { findings, changes, insideMax: linksInsideMax };
  const mended = work.changesPages ? await mendedTree(check.mending, tree, plan) : tree;
  return { inode: { ...inode, content }, tree: mended };
}

/** Attributes that nobody has are taken away, and told. */
export async function checkXattrs(
  check: CheckState,
  inode: Inode,
  path: string,
): Promise<Inode> {
  const { xattrs } = inode;
  if (xattrs.kind !== "block") return inode;
  try {
    parseXattrs(await attempt(() => check.blocks.chunk(xattrs.link)));
    return inode;
  } catch (error) {
    if (!isFault(error, "Corrupt", "Unavailable")) throw error;
  }
  const where = await check.whereIs(xattrs.link.cid);
  if (where === "peers") return inode;
  if (where === "unknown") {
    check.accounts.unknown++;
    const words = "its extended attributes are neither here nor in the books of what peers have";
    check.report({ what: "attributes-lost", path, words, mended: false, loss: true });
    return inode;
  }
  const words = "its extended attributes are lost; the file itself is not";
  check.report({ what: "attributes-lost", path, words, mended: true, loss: true });
  return { ...inode, xattrs: noXattrs };
}

/** One file's links, as they are and as they should be. */
class FileWork {
  readonly findings = new Findings();
  readonly changes: ItemChanges = new Map();
  readonly #sizeBytes: number;
  /** Lost ranges: pairs of start and end, those side by side joined. */
  readonly #ranges: [start: number, end: number][] = [];
  #lostBytes = 0;
  unknownChunks = 0;
  #behindEnd = false;
  #misplaced = false;
  allocatedBytes = 0;
  givenUpBefore = false;

  constructor(sizeBytes: number) {
    this.#sizeBytes = sizeBytes;
  }

  get changesPages(): boolean {
    return this.changes.size + this.findings.lost.size + this.findings.misplaced.size > 0;
  }

  async readLeaf(check: CheckState, leaf: Leaf): Promise<void> {
    const items = leaf.keys.map((index, at) => ({ index, bytes: leaf.values[at] as Buffer }));
    const links = items.map(({ bytes }) => linkOf(bytes));
    const places = await Promise.all(links.map((link) => placeOf(check, link)));
    this.#misplaced ||= leaf.misplaced;
    items.forEach((item, at) => {
      this.#readItem(item.index, links[at], places[at] ?? "nowhere");
      if (leaf.misplaced && !this.changes.has(item.index)) this.changes.set(item.index, item.bytes);
    });
  }

  #readItem(index: number, link: ChunkLink | undefined, place: Place): void {
    const room = this.#room(index);
    if (room <= 0) {
      this.#behindEnd = true;
      this.changes.set(index, undefined);
      return;
    }
    const lengthBytes = Math.min(link?.lengthBytes ?? room, room);
    this.allocatedBytes += allocatedFor(lengthBytes);
    if (place === "given up") this.givenUpBefore = true;
    if (place === "unknown") this.unknownChunks++;
    if (place === "nowhere" || link === undefined) this.#giveUp(index, lengthBytes);
    else if (lengthBytes < link.lengthBytes) {
      this.#behindEnd = true;
      this.changes.set(index, encodeLink({ ...link, lengthBytes }));
    }
  }

  /** Where links were and cannot be read any more, nobody knows what was a hole. */
  giveUpPages(check: CheckState, path: string): void {
    for (const [cid, { from, to }] of [...this.findings.lost]) {
      const until = Math.min(to, Math.ceil(this.#sizeBytes / chunkBytes));
      if (until - from > givenUpChunksMax) {
        this.findings.lost.delete(cid);
        check.accounts.stillNamed.add(cid);
        const words =
          `bytes ${from * chunkBytes} to ${until * chunkBytes} are lost, too many to give up one ` +
          "by one: they read as errors; delete the file or write it anew";
        check.report({ what: "data-lost", path, words, mended: false, loss: true });
        continue;
      }
      for (let index = from; index < until; index++) {
        const lengthBytes = this.#room(index);
        this.allocatedBytes += allocatedFor(lengthBytes);
        this.#giveUp(index, lengthBytes);
      }
    }
  }

  tell(
    check: CheckState,
    path: string,
    { countIsWrong }: { readonly countIsWrong: boolean },
  ): void {
    const tell = (what: "data-lost" | "size" | "order", words: string): void =>
      check.report({ what, path, words, mended: true, loss: what === "data-lost" });
    if (this.#lostBytes > 0) tell("data-lost", this.#lossText());
    const { unknownChunks } = this;
    if (unknownChunks + this.findings.unknown.size > 0) {
      const count = unknownChunks > 0 ? `${unknownChunks} of its chunks` : "links of its chunks";
      const words = `${count} are neither here nor in the books of what peers have`;
      check.report({ what: "data-lost", path, words, mended: false, loss: true });
    }
    if (this.#behindEnd) tell("size", "it has data behind its end");
    if (this.#misplaced) tell("order", "links of its chunks lie where no search finds them");
    const otherwise = this.#lostBytes > 0 || this.#behindEnd || this.#misplaced;
    if (countIsWrong && !otherwise) tell("size", "what it takes on the disk is told wrong");
  }

  #room(index: number): number {
    return Math.min(chunkBytes, this.#sizeBytes - index * chunkBytes);
  }

  #giveUp(index: number, lengthBytes: number): void {
    this.changes.set(index, encodeLink(lostLink(lengthBytes)));
    this.#lostBytes += lengthBytes;
    const start = index * chunkBytes;
    const last = this.#ranges.at(-1);
    if (last?.[1] === start) last[1] = start + lengthBytes;
    else if (this.#ranges.length <= rangesToldMax) this.#ranges.push([start, start + lengthBytes]);
  }

  #lossText(): string {
    const told = this.#ranges.slice(0, rangesToldMax).map(([start, end]) => `${start}-${end - 1}`);
    const more = this.#ranges.length > rangesToldMax ? " and others" : "";
    const all = this.#lostBytes >= this.#sizeBytes;
    const rest = all ? "" : "; the rest of the file is whole";
    return `bytes ${told.join(", ")}${more} are lost and read as errors${rest}`;
  }
}

function linkOf(bytes: Buffer): ChunkLink | undefined {
  try {
    return parseLink(bytes);
  } catch (error) {
    if (isFault(error, "Corrupt")) return undefined;
    throw error;
  }
}

type Place = "here" | "peers" | "nowhere" | "unknown" | "given up";

async function placeOf(check: CheckState, link: ChunkLink | undefined): Promise<Place> {
  if (link === undefined) return "nowhere";
  if (isLost(link)) return "given up";
  return check.isHere(link.cid) ? "here" : check.whereIs(link.cid);
}
