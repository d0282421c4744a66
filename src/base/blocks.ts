/**
 * The ports around the local store. The tree writes and reads blocks and journals through
 * `DriveStore`; transfer drains it through `UploadSource`; it fills from `BlockFetcher`. The cache
 * is the first two, transfer is the third, and `hive.ts` introduces them.
 */
import type { CidFilter } from "./cid-filter.ts";
import type { OwnNews } from "./devices.ts";
import type { ByteRange } from "./filesystem.ts";
import type { Cid, PeerId } from "./ids.ts";
import type { Maybe } from "./step.ts";

/** A position in the journal: grows by one for each record, never reused. */
export type Sequence = number;

/**
 * Which policy a block goes by: 0 for the drive's default, else the number of a name that the drive
 * keeps (tree/looking/slots.ts). Blocks of two slots never travel in one segment.
 */
export type PolicySlot = number;

/** Of a block that came from the peers: who fetches it has no need to know its policy. */
export const unknownSlot: PolicySlot = 127;

export interface DriveStore {
  /**
   * Keeps a sealed block as dirty: not durable before the next `sync` or `commit`, never evicted
   * before it is placed. Putting a block that is here already costs nothing. Waits when dirty
   * bytes are at their limit, and fails with NoSpace when nothing drains them in time.
   * The caller must not change the bytes afterwards, unless `freed` is called: then the store holds
   * them no more and has given them to nobody.
   */
  put(cid: Cid, sealed: Uint8Array, options?: PutOptions): Maybe<void>;
  /**
   * From here or, if absent, from the peers; checked against the CID. `unchecked`: bytes of this
   * machine's disk come as they are, for a caller who checks them by other means; if they are
   * wrong, asking without it finds right ones or counts the block as lost.
   */
  get(cid: Cid, options?: GetOptions): Maybe<Uint8Array>;
  /**
   * Some of a block's bytes as this machine's disk has them, for a caller who checks them by other
   * means; undefined when it lies elsewhere, or they cannot be read: then `get` knows more.
   */
  getPart(cid: Cid, range: ByteRange): Maybe<Uint8Array | undefined>;
  /** True when the block is on this machine. */
  has(cid: Cid): boolean;
  /** This block is referred to no more (a superseded page that no snapshot needs). */
  discard(cid: Cid): void;
  /**
   * Begins a search for blocks that no peer has and nothing refers to; there is one at a time.
   * What is put from now on is not among them. With `living`, of those that peers have too: what is
   * kept goes in there, and what is not in there at the end is here no more, whatever crashes.
   */
  sweep(living?: CidFilter): Sweep;

  /**
   * Adds a record to the journal, in order; durable after the next `sync`. It may name blocks that
   * are not durable yet, unless it is said not to: then `syncRecords` waits for none.
   */
  append(record: Uint8Array, options?: AppendOptions): Sequence;
  /** Group commit: all that was put and appended before this call is on stable storage. */
  sync(): Promise<void>;
  /** The records that were appended before this call are; blocks only if one may name them. */
  syncRecords(): Promise<void>;
  /**
   * Atomically: every block put so far is durable, `root` is the current root record, and journal
   * records up to and including `through` are gone. A crash leaves the old state or the new.
   */
  commit(root: Uint8Array, through: Sequence): Promise<void>;
  /** The newest committed root record, as given to `commit`; undefined on a new drive. */
  root(): Uint8Array | undefined;
  /** The journal records after the newest commit, oldest first; read once, at mount. */
  replay(): AsyncIterable<Uint8Array>;
  usage(): StoreUsage;
}

export interface PutOptions {
  /** Kept with the block, whatever crashes, until it is placed; 0 if not told. */
  readonly slot?: PolicySlot;
  readonly freed?: () => void;
}

export interface AppendOptions {
  /** It names no block but those that were durable when it was appended. */
  readonly namesDurableOnly: boolean;
}

export interface GetOptions {
  readonly signal?: AbortSignal | undefined;
  readonly unchecked?: boolean;
  /** Room for a whole block, in which the answer may lie. */
  readonly into?: Buffer;
}

export interface Sweep {
  /** Something refers to this block. */
  keep(cid: Cid): void;
  /** Discards what nobody kept at once; answers the bytes of what no peer has. */
  finish(): Maybe<number>;
}

export interface StoreUsage {
  readonly limitBytes: number;
  readonly usedBytes: number;
  readonly dirtyBytes: number;
  readonly dirtyBytesMax: number;
}

export interface BlockInfo {
  readonly cid: Cid;
  readonly lengthBytes: number;
  /** Absent for 0, the drive's default. */
  readonly slot?: PolicySlot;
}

/** What one upload round has to place before its root may be published. */
export interface UploadRound {
  readonly root: Uint8Array;
  /** Dirty blocks that the root needs, in the order in which they were written. */
  readonly blocks: readonly BlockInfo[];
  /** The names behind the slots; absent where no slot but 0 has one. */
  readonly policies?: readonly SlotName[];
}

export interface SlotName {
  readonly slot: PolicySlot;
  readonly name: string;
}

/** Where a block's bytes lie on this machine, for whoever reads and checks them himself. */
export interface BlockPlace {
  readonly path: string;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

export interface RoundOptions {
  /** What was written lately may rest: then there is no round yet. */
  readonly patient?: boolean;
  /** The last one waits for peers: it should not wait for the sake of what nobody needs. */
  readonly stuck?: boolean;
}

export interface UploadSource {
  /** Freezes the newest commit as this round's goal; undefined when it was published already. */
  beginRound(options?: RoundOptions): Promise<UploadRound | undefined>;
  /** Bytes of a block of the round, which may lie in `into` if that has room for them. */
  read(cid: Cid, into?: Buffer): Promise<Uint8Array>;
  /** These blocks are on enough peers now: they become clean and may be evicted. */
  placed(cids: readonly Cid[]): Promise<void>;
  /** The round's root has been published. */
  endRound(root: Uint8Array): Promise<void>;
  /**
   * Peers have lost these: those that are here, and whole, wait for peers again, and there is a
   * round for them. Answers which.
   */
  lost(cids: readonly Cid[]): Promise<readonly Cid[]>;
}

/** What a drive refers to, at one moment: for whoever gives back the room of all the rest. */
export interface Census {
  /** The root of that moment, as committed. */
  readonly root: Uint8Array;
  /** A CidFilter's: every block that this root, or what is not committed yet, refers to. */
  readonly living: Uint8Array;
  /** When the oldest of the past that is kept was made; absent when nothing is. */
  readonly oldestMs?: number;
}

export interface CensusTaker {
  /** Of about so many blocks; undefined when it cannot be told now. It may take minutes. */
  census(blocks: number): Promise<Census | undefined>;
}

/** Takes in what another device of the drive made, and tells what this one did. */
export interface RootMerger {
  /**
   * Its root record, as committed there. Busy while the tree is not there yet. From a device that
   * told it directly: not all of its blocks may be with peers yet.
   */
  merge(root: Uint8Array, from?: PeerId): Promise<void>;
  /** Undefined while there is nothing that others should hear of. */
  news(): Promise<OwnNews | undefined>;
  /** Whether another device is there to hear at once of what changes here. */
  listened(isHeard: boolean): Promise<void>;
  /** What these devices call themselves, in the same order; null of whom nothing is known yet. */
  namesOf(peers: readonly PeerId[]): Promise<readonly (string | null)[]>;
}

export interface BlockFetcher {
  /** Bytes from the peers, checked against the CID; Unavailable when too few answer in time. */
  fetch(cid: Cid, options: { readonly signal?: AbortSignal }): Promise<Uint8Array>;
}

/** Small durable values by key, for rooms that keep their own books. Keys are short ASCII. */
export interface KeyValue {
  get(key: string): Promise<Uint8Array | undefined>;
  put(key: string, value: Uint8Array): Promise<void>;
  delete(key: string): Promise<void>;
  /** All or none; durable when it resolves. */
  batch(changes: readonly KeyChange[]): Promise<void>;
  /** Pairs whose key starts with the prefix, in key order; those after the given key only. */
  list(
    prefix: string,
    options?: { readonly after?: string },
  ): AsyncIterable<readonly [key: string, value: Uint8Array]>;
}

export type KeyChange =
  | { readonly type: "put"; readonly key: string; readonly value: Uint8Array }
  | { readonly type: "delete"; readonly key: string };
