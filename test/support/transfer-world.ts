/** A drive with its peers in one process: a source of blocks, books in memory, and the keys. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BlockInfo, KeyChange, KeyValue, PolicySlot, SlotName } from "../../src/base/blocks.ts";
import type { UploadRound, UploadSource } from "../../src/base/blocks.ts";
import { type Clock, systemClock } from "../../src/base/clock.ts";
import { HiveError } from "../../src/base/errors.ts";
import { type Cid, cidOf } from "../../src/base/ids.ts";
import { silentLog } from "../../src/base/log.ts";
import type { ShardHost } from "../../src/base/network.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";
import type { PeerKeys } from "../../src/crypt/ciphers/peer-key.ts";
import { sha256 } from "../../src/crypt/ciphers/sha256.ts";
import { type DriveKeys, driveKeysOf } from "../../src/crypt/drive/drive.ts";
import { openCoder } from "../../src/erasure/erasure.ts";
import { type Transfer, type TransferOptions } from "../../src/transfer/transfer.ts";
import { openTransfer } from "../../src/transfer/transfer.ts";
import { openVault } from "../../src/vault/vault.ts";
import { HonestHost } from "./honest-host.ts";
import { LoopbackNetwork, type LoopbackPeer, loopbackKeys } from "./loopback-network.ts";

/** Survives what reopens transfer; `crashAfter` counts down to a write that never happens. */
export class MemoryBooks implements KeyValue {
  readonly pairs = new Map<string, Uint8Array>();
  crashAfter = Infinity;

  async get(key: string): Promise<Uint8Array | undefined> {
    return this.pairs.get(key);
  }

  async put(key: string, value: Uint8Array): Promise<void> {
    return this.batch([{ type: "put", key, value }]);
  }

  async delete(key: string): Promise<void> {
    return this.batch([{ type: "delete", key }]);
  }

  async batch(changes: readonly KeyChange[]): Promise<void> {
    if (this.crashAfter-- <= 0) throw new Crash("books");
    for (const change of changes) {
      if (change.type === "delete") this.pairs.delete(change.key);
      else this.pairs.set(change.key, Buffer.from(change.value));
    }
  }

  async *list(
    prefix: string, { after = "" }: { readonly after?: string } = {},
  ): AsyncIterable<readonly [string, Uint8Array]> {
    const keys = [...this.pairs.keys()].filter((key) => key.startsWith(prefix) && key > after).sort();
    for (const key of keys) {
      const value = this.pairs.get(key);
      if (value !== undefined) yield [key, value];
    }
  }
}

/** What a power cut looks like from inside: no fault, nothing to handle. */
export class Crash extends Error {}

/** A cache as transfer sees it: dirty blocks, a newest root, and what was published. */
export class MemorySource implements UploadSource {
  readonly dirty = new Map<Cid, Uint8Array>();
  readonly placedCids = new Set<Cid>();
  /** Which policy a block goes by, where it is not the default. */
  readonly slots = new Map<Cid, PolicySlot>();
  policies: readonly SlotName[] = [];
  newest: Uint8Array | undefined;
  published: Uint8Array | undefined;

  commit(root: string, blocks: readonly Uint8Array[], slot: PolicySlot = 0): void {
    for (const bytes of blocks) {
      this.dirty.set(cidOf(bytes), bytes);
      if (slot > 0) this.slots.set(cidOf(bytes), slot);
    }
    this.newest = Buffer.from(root);
  }

  async beginRound(): Promise<UploadRound | undefined> {
    if (this.newest === undefined || this.newest === this.published) return undefined;
    const blocks: BlockInfo[] = [...this.dirty].map(([cid, bytes]) => {
      const slot = this.slots.get(cid);
      return { cid, lengthBytes: bytes.length, ...(slot === undefined ? {} : { slot }) };
    });
    const { policies } = this;
    return { root: this.newest, blocks, ...(policies.length > 0 ? { policies } : {}) };
  }

  async read(cid: Cid): Promise<Uint8Array> {
    const bytes = this.dirty.get(cid);
    if (bytes === undefined) throw new HiveError("NotFound", "source.read", cid);
    return bytes;
  }

  async placed(cids: readonly Cid[]): Promise<void> {
    for (const cid of cids) {
      this.dirty.delete(cid);
      this.placedCids.add(cid);
    }
  }

  /** Nothing that was placed is here any more. */
  async lost(): Promise<readonly Cid[]> {
    return [];
  }

  async endRound(root: Uint8Array): Promise<void> {
    if (this.newest !== undefined && Buffer.from(root).equals(this.newest)) this.published = this.newest;
  }
}

export interface World {
  readonly network: LoopbackNetwork;
  readonly source: MemorySource;
  readonly books: MemoryBooks;
  readonly keys: DriveKeys;
  readonly random: Random;
  readonly clock: Clock;
}

export function makeWorld(
  peers: number, seed: string, hostOf: (keys: PeerKeys) => ShardHost = (keys) => new HonestHost(keys),
  clock: Clock = systemClock,
): World {
  const keys = driveKeysOf(sha256(Buffer.from("transfer world")));
  const network = new LoopbackNetwork([keys.owner], clock);
  for (let number = 0; number < peers; number++) network.add(`${number}`, hostOf);
  const random = seededRandom(seed);
  return { network, source: new MemorySource(), books: new MemoryBooks(), keys, random, clock };
}

export function openWorld(
  world: World, options: TransferOptions & { readonly clock?: Clock } = {},
): Promise<Transfer> {
  const clock = options.clock ?? world.clock;
  const needs = { ...world, coder: openCoder(), clock, log: silentLog };
  return openTransfer(needs, { settleMs: 0, ...options });
}

export interface VaultWorld extends World, AsyncDisposable {
  /** Another peer with a vault of its own. */
  addVault(name: string): Promise<LoopbackPeer>;
}

/** The same over real vaults in a temporary directory. */
export async function makeVaultWorld(peers: number, seed: string): Promise<VaultWorld> {
  const world = makeWorld(0, seed);
  const root = await mkdtemp(join(tmpdir(), "hive-transfer-"));
  const parts = new AsyncDisposableStack();
  parts.defer(() => rm(root, { recursive: true }));
  const addVault = async (name: string): Promise<LoopbackPeer> => {
    const keys = loopbackKeys(name);
    const neighbours = {
      offer: () => world.network.members.get(keys.peer)?.offer,
      peers: () => world.network.peers(),
    };
    const needs = { directory: join(root, name), books: new MemoryBooks(), keys, neighbours };
    const vault = parts.use(await openVault(
      { ...needs, clock: systemClock, log: silentLog }, { quotaBytes: 2 ** 32 },
    ));
    return world.network.add(name, () => vault);
  };
  for (let number = 0; number < peers; number++) await addVault(`vault ${number}`);
  return { ...world, addVault, [Symbol.asyncDispose]: () => parts.disposeAsync() };
}

/** Wall time that a test can move; all else is real. */
export class ShiftedClock implements Clock {
  shiftMs = 0;
  readonly delay = systemClock.delay;
  readonly after = systemClock.after;
  readonly monotonicMs = systemClock.monotonicMs;

  now(): number {
    return systemClock.now() + this.shiftMs;
  }

  nowNs(): bigint {
    return systemClock.nowNs() + BigInt(this.shiftMs) * 1_000_000n;
  }
}

/**
 * Real time, but for pauses before another try: they are as good as none, and there are as many.
 */
export const hurriedClock: Clock = {
  ...systemClock, delay: (ms, signal) => systemClock.delay(Math.min(ms, 10), signal),
};

/** Random bytes: what sealed blocks look like. */
export function makeBlocks(
  random: Random, options: { readonly count: number; readonly bytesMax: number },
): Uint8Array[] {
  const pool = random.bytes(4096);
  return Array.from({ length: options.count }, () => {
    const bytes = Buffer.alloc(64 + random.below(options.bytesMax), pool);
    random.bytes(32).copy(bytes);
    return bytes;
  });
}

/** The blocks that transfer does not give back as they were. */
export async function missing(
  transfer: Transfer, blocks: readonly Uint8Array[],
): Promise<Cid[]> {
  const wrong: Cid[] = [];
  for (const bytes of blocks) {
    const cid = cidOf(bytes);
    const got = await transfer.fetch(cid, {}).catch(() => undefined);
    if (got === undefined || !Buffer.from(got).equals(bytes)) wrong.push(cid);
  }
  return wrong;
}

/** A roll on which nobody was shut out. */
export const nobodyRemoved = { isRemoved: () => false };
