/**
 * A tree over a real store whose blocks are with peers that may say nothing: what was placed can be
 * dropped here, and asked for in vain.
 */
import { MiB } from "../../src/base/bytes.ts";
import { systemClock } from "../../src/base/clock.ts";
import { HiveError } from "../../src/base/errors.ts";
import { type Cid, type Handle, type Ino, rootIno } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog as log } from "../../src/base/log.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";
import type { Cache } from "../../src/cache/cache.ts";
import type { TreeReport } from "../../src/tree/check/check.ts";
import type { Whereabouts } from "../../src/tree/check/pages.ts";
import { fsckTree } from "../../src/tree/fsck.ts";
import { type Tree, openTree } from "../../src/tree/tree.ts";
import { faultOf } from "./faults.ts";
import { fileIn, place } from "./making.ts";
import { type TemporaryCache, temporaryCache } from "./temporary-cache.ts";
import { nobody } from "./walk.ts";

const treeSecret = Buffer.alloc(32, 9);
const signal = new AbortController().signal;
const writing = { read: true, write: true, append: false, truncate: false };

/** They have all that was placed. While they are silent, who asks waits until he gives up. */
class Peers {
  readonly blocks = new Map<Cid, Uint8Array>();
  areSilent = false;
  asked = 0;
  readonly #waiting = new Set<() => void>();
  #heard = Promise.withResolvers<void>();

  fetch = async (cid: Cid): Promise<Uint8Array> => {
    this.asked++;
    if (this.areSilent) {
      this.#heard.resolve();
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
      throw new HiveError("Unavailable", "test.peers", cid);
    }
    const bytes = this.blocks.get(cid);
    if (bytes !== undefined) return bytes;
    throw new HiveError("NotFound", "test.peers", cid);
  };

  /** The fault of what asks them, and is given up. */
  async faultOf(act: Promise<unknown>): Promise<string> {
    let hasEnded = false;
    const fault = faultOf(act).finally(() => (hasEnded = true));
    while (!hasEnded) {
      await Promise.race([this.#heard.promise, fault]);
      this.#heard = Promise.withResolvers();
      for (const giveUp of this.#waiting) giveUp();
      this.#waiting.clear();
    }
    return await fault;
  }
}

/** A file of the root folder. */
export interface Far {
  readonly ino: Ino;
  readonly handle: Handle;
}

export class SilentWorld implements AsyncDisposable {
  readonly peers: Peers;
  readonly #random: Random;
  readonly #cache: TemporaryCache;
  #skippedMs = 0;
  tree!: Tree;

  constructor(seed: string, cache: TemporaryCache, peers: Peers) {
    this.#random = seededRandom(seed);
    this.#cache = cache;
    this.peers = peers;
  }

  static async open(seed: string): Promise<SilentWorld> {
    const peers = new Peers();
    const cache = await temporaryCache({ fetcher: peers, limitBytes: 128 * MiB });
    const world = new SilentWorld(seed, cache, peers);
    await world.#openTree();
    return world;
  }

  get store(): Cache {
    return this.#cache.store;
  }

  async #openTree(): Promise<void> {
    const monotonicMs = () => systemClock.monotonicMs() + this.#skippedMs;
    const clock = { ...systemClock, monotonicMs };
    const needs = { store: this.store, clock, random: this.#random, log };
    this.tree = await openTree(needs, { treeSecret });
  }

  /** All blocks of the newest root are with peers. */
  async upload(): Promise<void> {
    const round = await this.store.beginRound();
    if (round === undefined) return;
    for (const { cid } of round.blocks) {
      this.peers.blocks.set(cid, Buffer.from(await this.store.read(cid)));
    }
    await this.store.placed(round.blocks.map(({ cid }) => cid));
    await this.store.endRound(round.root);
  }

  /** Files of which peers have all, and this machine what their folder tells of them. */
  async far(...files: readonly Uint8Array[]): Promise<readonly Far[]> {
    for (const [at, bytes] of files.entries()) await fileIn(this.tree, rootIno, `${at}`, bytes);
    await this.forget();
    const far = await Promise.all(files.map((_, at) => this.openFile(`${at}`)));
    this.peers.areSilent = true;
    this.peers.asked = 0;
    return far;
  }

  /** All goes up, and of it is here only what is looked at from now on. */
  async forget(): Promise<void> {
    await this.tree.close();
    await this.upload();
    await this.store.dropClean();
    await this.kill();
  }

  pass(ms: number): void {
    this.#skippedMs += ms;
  }

  async openFile(name: string): Promise<Far> {
    const { ino } = await this.tree.lookup(place(rootIno, name));
    // Pages that name its chunks have to be here.
    for await (const _cid of this.tree.cidsOf(ino));
    return { ino, handle: await this.tree.open(nobody, ino, writing) };
  }

  /** The process ends here: what the tree has not told the store is gone with it. */
  async kill(): Promise<void> {
    await this.#cache.reopen();
    await this.#openTree();
  }

  /** With what is known of blocks that are not here. */
  async fsck(whereIs: Whereabouts): Promise<TreeReport> {
    const nothing = (): void => undefined;
    const needs = { store: this.store, clock: systemClock, random: this.#random, log };
    const options = { treeSecret, spoilt: [] };
    return await fsckTree({ ...needs, whereIs, report: nothing, progress: nothing }, options);
  }

  async bring(): Promise<"busy" | "idle"> {
    this.pass(limits.tree.bringPauseMs);
    return await this.tree.bringer.step(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cache[Symbol.asyncDispose]();
  }
}
