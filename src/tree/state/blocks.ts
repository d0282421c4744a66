/**
 * The tree's way to the store: sealed blocks go out, pages and chunks come back opened. What was
 * handed over and has not arrived yet is read from here; what the store refused is kept and
 * tried again, so that a full store never costs data that a write was told is safe to forget.
 */
import { LRUCache } from "lru-cache";
import type { DriveStore, GetOptions, PolicySlot } from "../../base/blocks.ts";
import { HiveError, isFault } from "../../base/errors.ts";
import type { Cid } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { BufferPool } from "../../base/machine/pool.ts";
import type { Random } from "../../base/random.ts";
import type { Maybe } from "../../base/step.ts";
import { type ChunkLink, type SealedChunk, isLost } from "../../dag/chunks.ts";
import { openChunk, reuseSealed, sealChunks, sealChunksLater } from "../../dag/chunks.ts";
import type { Era } from "../../dag/eras.ts";
import type { PageTree } from "../../dag/inodes.ts";
import type { Ground, TreeKeys } from "../../dag/keys.ts";
import { placeOf } from "../../dag/leaves.ts";
import { type Page, openPage, pageKey, sealPage } from "../../dag/pages.ts";
import { type DrivePolicies, nameOfSlot, noPolicies } from "../../dag/policies.ts";
import { type LoadPage, checkLevel } from "../../dag/search.ts";
import { Wanted } from "../attempt.ts";
import { type Part, Parts } from "./parts.ts";
import type { Span } from "./spans.ts";

const { chunkBytes } = limits.tree;
const sealedPool = new BufferPool({ lengthBytes: limits.dag.blockBytesMax, countMax: 16 });
/** As many as one turn of the loop may replace: a few large reads. */
const plainsMax = 32;

/** Where a page comes from that is not on this machine, and need not stay here. */
export type Elsewhere = (cid: Cid) => Promise<Uint8Array>;

interface Manner {
  readonly isPage: boolean;
  /** The policy that it goes by. */
  readonly slot: PolicySlot;
}

interface Pending extends Manner {
  readonly sealed: Uint8Array;
  /** Undefined when the store refused it. */
  arrival: Promise<void> | undefined;
}

export interface HandedChunk {
  readonly link: ChunkLink;
  /** If it is a promise, it resolves when the store has the chunk. */
  readonly arrival: Maybe<void>;
}

export class Blocks {
  readonly #store: DriveStore;
  readonly #random: Random;
  readonly #keys: TreeKeys;
  readonly #pending = new Map<Cid, Pending>();
  readonly #pages: LRUCache<Cid, Page>;
  readonly #chunks: LRUCache<Cid, Buffer>;
  readonly #parts = new Parts();
  readonly #plains = new BufferPool({ lengthBytes: chunkBytes, countMax: plainsMax });
  readonly #leaving: Buffer[] = [];
  #refused = 0;
  /** In which chunks are sealed now. */
  era: Era = 0;
  /** The names that keys of slots are made by. */
  policies: DrivePolicies = noPolicies;

  constructor(needs: { store: DriveStore; random: Random }, keys: TreeKeys) {
    this.#store = needs.store;
    this.#random = needs.random;
    this.#keys = keys;
    this.#pages = new LRUCache({
      maxSize: limits.tree.pageCacheBytes,
      sizeCalculation: (page) => page.heldBytes,
    });
    this.#chunks = new LRUCache({
      maxSize: limits.tree.chunkCacheBytes,
      sizeCalculation: (chunk) => chunk.length + 64,
      dispose: (chunk) => this.#reuseLater(chunk),
    });
  }

  /** True when the store has refused blocks that only memory holds: take no more. */
  get isStuck(): boolean {
    return this.#refused > 0;
  }

  putChunk(plaintext: Uint8Array, ground: Ground): HandedChunk {
    return this.putChunks([plaintext], ground)[0] as HandedChunk;
  }

  /** Seals chunks of one ground, quicker together, and hands them over. */
  putChunks(plaintexts: readonly Uint8Array[], ground: Ground): HandedChunk[] {
    return this.#putSealed(sealChunks(this.#secretFor(ground), plaintexts), ground);
  }

  /** The same, sealed on another thread; until then nobody may change a plaintext. */
  async putChunksLater(
    plaintexts: readonly Uint8Array[], ground: Ground,
  ): Promise<HandedChunk[]> {
    const secret = this.#secretFor(ground);
    return this.#putSealed(await sealChunksLater(secret, plaintexts), ground);
  }

  /** The chunk's bytes, or Wanted. They may be used until the loop turns, and no longer. */
  chunk(link: ChunkLink): Buffer {
    if (isLost(link)) throw new HiveError("Corrupt", "tree.chunk", "given up as lost");
    const known = this.#chunks.get(link.cid);
    if (known !== undefined && known.length >= link.lengthBytes) {
      return known.length === link.lengthBytes ? known : known.subarray(0, link.lengthBytes);
    }
    const here = this.#pending.get(link.cid)?.sealed;
    if (here !== undefined) return this.#openChunk(link, here, "key");
    throw new Wanted(() => this.#bringChunk(link));
  }

  /** The bytes of a part of the chunk, as far as they count: as `chunk`, but for less work. */
  part(link: ChunkLink, span: Span): Buffer {
    if (this.#chunks.has(link.cid) || this.#pending.has(link.cid) || isLost(link)) {
      return this.chunk(link).subarray(...span);
    }
    const opened = this.#parts.find(link, span);
    if (opened !== undefined) return opened;
    const part = this.#parts.partFor(link, span);
    if (part === undefined) return this.chunk(link).subarray(...span);
    throw new Wanted(() => this.#bringPart(part));
  }

  /** Lets go of the chunks that are kept opened. */
  forgetOpened(): void {
    this.#parts.forgetOpened();
    this.#chunks.clear();
    setImmediate(() => this.#plains.clear());
  }

  /** True when the chunk is in memory or on this machine. */
  has(cid: Cid): boolean {
    return this.#pending.has(cid) || this.#store.has(cid);
  }

  /** A loader of this tree's pages, which throws Wanted for what is not in memory. */
  pagesOf(tree: PageTree, elsewhere?: Elsewhere): LoadPage {
    return (cid, level) => checkLevel(this.#page(tree, cid, elsewhere), cid, level);
  }

  /** A page for whoever may wait. */
  async loadPage(tree: PageTree, cid: Cid, level: number, elsewhere?: Elsewhere): Promise<Page> {
    for (;;) {
      try {
        return checkLevel(this.#page(tree, cid, elsewhere), cid, level);
      } catch (error) {
        if (!(error instanceof Wanted)) throw error;
        await error.bring();
      }
    }
  }

  /** Seals a page and hands it over. */
  async savePage(secret: Uint8Array, page: Page, slot: PolicySlot): Promise<Cid> {
    const { cid, sealed } = sealPage(pageKey(secret), page, this.#random);
    this.#pages.set(cid, page);
    await this.#put(cid, sealed, { isPage: true, slot });
    return cid;
  }

  discard(cid: Cid): void {
    this.#pages.delete(cid);
    this.#store.discard(cid);
  }

  /** Resolves when the store has all of these; fails as the store does. */
  async arrive(cids: Iterable<Cid>): Promise<void> {
    for (const cid of cids) {
      const pending = this.#pending.get(cid);
      if (pending !== undefined) await (pending.arrival ?? this.#retry(cid, pending));
    }
  }

  /** Resolves when the store has every block; fails as the store does. */
  drain(): Promise<void> {
    return this.arrive([...this.#pending.keys()]);
  }

  /** Offers the store once more what it refused; fails as the store does. */
  async retryRefused(): Promise<void> {
    const refused = [...this.#pending].filter(([, { arrival }]) => arrival === undefined);
    await this.arrive(refused.map(([cid]) => cid));
  }

  /** The store has no room for something yet, or has refused it. */
  get isWaiting(): boolean {
    return this.#pending.size > 0;
  }

  isPending(cid: Cid): boolean {
    return this.#pending.has(cid);
  }

  /** Chunks that the store refused, and that only memory holds. */
  refusedChunks(): Cid[] {
    const refused = [...this.#pending].filter(([, { isPage, arrival }]) => !isPage && !arrival);
    return refused.map(([cid]) => cid);
  }

  /** Nothing refers to this refused chunk any more. */
  forget(cid: Cid): void {
    const pending = this.#pending.get(cid);
    if (pending === undefined || pending.arrival !== undefined) return;
    this.#pending.delete(cid);
    this.#refused--;
  }

  #put(cid: Cid, sealed: Uint8Array, { isPage, slot }: Manner): Maybe<void> {
    const known = this.#pending.get(cid);
    if (known !== undefined) return known.arrival ?? this.#retry(cid, known);
    const answer = this.#handOver(cid, sealed, slot);
    if (answer === undefined) return;
    const pending: Pending = { sealed, isPage, slot, arrival: undefined };
    this.#pending.set(cid, pending);
    return this.#await(cid, pending, answer);
  }

  #retry(cid: Cid, pending: Pending): Promise<void> {
    this.#refused--;
    const { sealed, slot } = pending;
    return this.#await(cid, pending, Promise.resolve(this.#handOver(cid, sealed, slot)));
  }

  /** The store may refuse at once or later: here it is later. */
  #handOver(cid: Cid, sealed: Uint8Array, slot: PolicySlot): Maybe<void> {
    try {
      const freed = (): void => this.#freed(cid, sealed);
      return this.#store.put(cid, sealed, { slot, freed });
    } catch (cause) {
      return Promise.reject(cause);
    }
  }

  /** What is still read from here as pending stays as it is. */
  #freed(cid: Cid, sealed: Uint8Array): void {
    if (!this.#pending.has(cid)) reuseSealed(sealed);
  }

  #await(cid: Cid, pending: Pending, answer: Promise<void>): Promise<void> {
    pending.arrival = answer.then(
      () => void this.#pending.delete(cid),
      (cause: unknown) => {
        pending.arrival = undefined;
        this.#refused++;
        throw cause;
      },
    );
    // Somebody may drain later: until then a refusal is remembered, not unhandled.
    pending.arrival.catch(() => undefined);
    return pending.arrival;
  }

  #bytes(cid: Cid, options: GetOptions = {}): Maybe<Uint8Array> {
    const pending = this.#pending.get(cid);
    if (pending !== undefined) return pending.sealed;
    try {
      const found = this.#store.get(cid, options);
      return found instanceof Promise ? found.catch(asDamage) : found;
    } catch (cause) {
      return asDamage(cause);
    }
  }

  #page(tree: PageTree, cid: Cid, elsewhere?: Elsewhere): Page {
    const known = this.#pages.get(cid);
    if (known !== undefined) return known;
    if (tree.secret === undefined) throw new HiveError("Corrupt", "tree.page", "no secret");
    const key = pageKey(tree.secret);
    const open = (sealed: Uint8Array) => {
      const page = openPage(key, cid, sealed);
      this.#pages.set(cid, page);
      return page;
    };
    if (elsewhere !== undefined && !this.has(cid)) {
      throw new Wanted(async () => open(await elsewhere(cid)));
    }
    const sealed = this.#bytes(cid);
    if (sealed instanceof Uint8Array) return open(sealed);
    throw new Wanted(async () => open(await sealed));
  }

  async #bringPart(part: Part): Promise<void> {
    const sealed = await this.#store.getPart(part.link.cid, placeOf(part));
    if (sealed !== undefined && this.#parts.open(part, sealed)) return;
    // Whatever is wrong with it, reading the whole finds out what, and mends or tells it.
    await this.#bringChunk(part.link);
  }

  async #bringChunk(link: ChunkLink): Promise<void> {
    const into = sealedPool.take();
    try {
      // Its key is in an authentic link: that whoever has it sealed these bytes says all.
      const sealed = await this.#bytes(link.cid, { unchecked: true, into });
      this.#openChunk(link, sealed, "key");
    } catch (error) {
      if (!isFault(error, "Corrupt")) throw error;
      // Bytes of the disk that are wrong are the store's to mend, or to call lost.
      this.#openChunk(link, await this.#bytes(link.cid), "cid");
    } finally {
      sealedPool.give(into);
    }
  }

  #openChunk(link: ChunkLink, sealed: Uint8Array, by: "cid" | "key"): Buffer {
    const into = this.#plains.take();
    const { plain, tags } = openChunk(link, sealed, { by, into });
    this.#parts.remember(link, tags);
    if (plain.buffer !== into.buffer) this.#plains.give(into);
    this.#chunks.set(link.cid, plain);
    return plain;
  }

  /** Whoever was given a view of it has used it when the loop turns. */
  #reuseLater(chunk: Buffer): void {
    if (chunk.buffer.byteLength !== chunkBytes) return;
    if (this.#leaving.push(Buffer.from(chunk.buffer, 0, chunkBytes)) > 1) return;
    setImmediate(() => {
      for (const buffer of this.#leaving.splice(0)) this.#plains.give(buffer);
    });
  }

  #secretFor(ground: Ground): Buffer {
    return this.#keys.chunksOf(ground, this.era, nameOfSlot(this.policies, ground.slot));
  }

  #putSealed(chunks: readonly SealedChunk[], { slot }: Ground): HandedChunk[] {
    return chunks.map(({ link, sealed, tags }) => {
      this.#parts.remember(link, tags);
      return { link, arrival: this.#put(link.cid, sealed, { isPage: false, slot }) };
    });
  }
}

/** A block that the tree names and nobody has: to a program that is a bad disk, not a bad name. */
function asDamage(cause: unknown): never {
  if (!isFault(cause, "NotFound")) throw cause;
  throw new HiveError("Corrupt", "tree.block", cause.subject, { cause });
}
