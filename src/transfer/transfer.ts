/**
 * The face of this room: the drive's blocks to the peers and back. It introduces its parts to each
 * other and owns nothing that must be closed: its books belong to whoever gave them.
 *
 * Read pack.ts and segment.ts for what is sent, upload.ts for when, download.ts for the way back.
 */
import type { BlockFetcher, KeyValue, UploadSource } from "../base/blocks.ts";
import type { Clock } from "../base/clock.ts";
import { HiveError } from "../base/errors.ts";
import type { Cid, GroupId, PeerId, SegmentId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { PeerNetwork } from "../base/network.ts";
import type { Random } from "../base/random.ts";
import type { Manifest, SegmentRecord } from "../base/records.ts";
import type { Step } from "../base/step.ts";
import type { DriveKeys } from "../crypt/drive.ts";
import type { Coder } from "../erasure/erasure.ts";
import { type Policy, defaultPolicy } from "../placement/policy.ts";
import { SegmentBooks, type SegmentState } from "./books.ts";
import type { CatalogEntry } from "./catalog-page.ts";
import { Catalog } from "./catalog.ts";
import { Downloader } from "./download.ts";
import { Groups } from "./groups.ts";
import { dropShard, mendShard } from "./mend.ts";
import { Placer } from "./place.ts";
import { Announcer, republishHead } from "./publish.ts";
import { type Recovered, recover } from "./recover.ts";
import { Records } from "./records.ts";
import { ShardReader } from "./shards.ts";
import { type TransferStatus, shardsByHolder, statusOf } from "./status.ts";
import { Uploader } from "./upload.ts";
import { type Observation, Witness } from "./witness.ts";

export interface TransferNeeds {
  readonly network: PeerNetwork;
  readonly source: UploadSource;
  readonly books: KeyValue;
  readonly coder: Coder;
  readonly keys: DriveKeys;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface TransferOptions {
  /** Where data may be kept; anywhere by default. */
  readonly policy?: Policy;
  /** Policies for parts of the drive, each under its name. */
  readonly named?: ReadonlyMap<string, Policy>;
  /** How long a read of absent data may take before it is Unavailable. */
  readonly readTimeoutMs?: number;
  /** For how long the same class must be possible before a group is drawn. */
  readonly settleMs?: number;
}

export interface Transfer extends BlockFetcher {
  readonly uploader: Step;
  /** Waits until all that is committed is on peers and its head published; else TimedOut. */
  flush(timeoutMs: number): Promise<void>;
  status(isLiving?: (peer: PeerId) => boolean): TransferStatus;
  /** How many shards each peer keeps for this drive. */
  holders(): ReadonlyMap<PeerId, number>;
  /** How many blocks the catalog has a place for. */
  blocks(): Promise<number>;
  /** Households that could hold shards now. */
  households(): number;
  /**
   * On a machine without books: finds the newest head among the peers and takes it over. The root
   * record to commit into the empty cache; undefined when no peer knows this drive.
   */
  recover(signal?: AbortSignal): Promise<Recovered | undefined>;

  /** For the agent: what there is, and the acts of healing. */
  readonly health: Health;
}

export interface Health {
  segments(): readonly SegmentState[];
  groups(): readonly Manifest[];
  record(segment: SegmentId, signal: AbortSignal): Promise<SegmentRecord>;
  /** Calls for everything a holder does, right or wrong. */
  watch(watcher: (observation: Observation) => void): void;
  /** For what others saw: tells all watchers, and doubts who deserves it. */
  saw(observation: Observation): void;
  proven(segment: SegmentId, atMs: number): Promise<void>;
  /** This holder has not got this shard, whatever its receipt says. */
  dropShard(shard: { segment: SegmentId; index: number; holder: PeerId }): Promise<void>;
  /** Gives a lost member's seat to another; undefined when nobody can take it. */
  replaceMember(
    group: GroupId, lost: PeerId, unfit: ReadonlySet<PeerId>,
  ): Promise<Manifest | undefined>;
  /** Brings a shard to its member; true when it was taken. */
  mendShard(shard: { segment: SegmentId; index: number }, signal: AbortSignal): Promise<boolean>;
  /** Sends head and manifests again, for members who were away. */
  republish(signal: AbortSignal): Promise<void>;
}

export async function openTransfer(
  needs: TransferNeeds, options: TransferOptions = {},
): Promise<Transfer> {
  const { books, keys } = needs;
  const segments = new SegmentBooks(books);
  const groups = new Groups(needs, {
    inForce: { drive: options.policy ?? defaultPolicy, named: options.named ?? new Map() },
    settleMs: options.settleMs ?? limits.transfer.settleMs,
  });
  await segments.open();
  await groups.open();
  const witness = new Witness(needs);
  const announcer = new Announcer(needs);
  const parts = { ...needs, segments, groups, witness, announcer, owner: keys.owner };
  const records = new Records(parts);
  const reader = new ShardReader(parts);
  const placer = new Placer(parts);
  const catalog: Catalog = new Catalog({ ...needs, catalogKey: keys.catalogKey }, (place) => {
    return downloader.fetchAt(place);
  });
  const readTimeoutMs = options.readTimeoutMs ?? limits.transfer.readTimeoutMs;
  const find = (cid: Cid): Promise<CatalogEntry | undefined> => catalog.find(cid);
  const downloader = new Downloader({ ...parts, records, reader, find }, { readTimeoutMs });
  const uploader = new Uploader({ ...parts, catalog, placer });
  return new DriveTransfer({ ...parts, records, reader, placer, catalog, downloader, uploader });
}

interface Parts extends TransferNeeds {
  readonly segments: SegmentBooks;
  readonly groups: Groups;
  readonly witness: Witness;
  readonly announcer: Announcer;
  readonly records: Records;
  readonly reader: ShardReader;
  readonly placer: Placer;
  readonly catalog: Catalog;
  readonly downloader: Downloader;
  readonly uploader: Uploader;
}

class DriveTransfer implements Transfer {
  readonly #parts: Parts;
  readonly health: Health;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.health = healthOf(parts);
  }

  get uploader(): Step {
    return this.#parts.uploader;
  }

  fetch(
    ...[cid, options]: Parameters<BlockFetcher["fetch"]>
  ): ReturnType<BlockFetcher["fetch"]> {
    return this.#parts.downloader.fetch(cid, options);
  }

  async flush(timeoutMs: number): Promise<void> {
    const { clock, uploader } = this.#parts;
    const over = new AbortController();
    const late = new HiveError("TimedOut", "transfer.flush", `${timeoutMs} ms`);
    using _timer = clock.after(timeoutMs, () => over.abort(late));
    let pauseMs: number = limits.transfer.flushPauseMsMin;
    for (;;) {
      const result = await uploader.step(over.signal, { patient: false });
      if (result === "idle" && uploader.done) return;
      if (result === "busy") continue;
      // Peers are missing: they may come within the time.
      await clock.delay(pauseMs, over.signal);
      pauseMs = Math.min(pauseMs * 2, limits.transfer.flushPauseMsMax);
    }
  }

  status(isLiving: (peer: PeerId) => boolean = () => true): TransferStatus {
    const { segments, groups, uploader } = this.#parts;
    const { pendingBlocks, waiting } = uploader;
    const known = { segments: segments.all(), manifests: groups.all(), pendingBlocks, waiting };
    return statusOf(known, isLiving);
  }

  holders(): ReadonlyMap<PeerId, number> {
    return shardsByHolder(this.#parts.segments.all());
  }

  blocks(): Promise<number> {
    return this.#parts.catalog.count();
  }

  households(): number {
    return this.#parts.groups.households();
  }

  recover(signal: AbortSignal = new AbortController().signal): Promise<Recovered | undefined> {
    return recover(this.#parts, signal);
  }
}

function healthOf(parts: Parts): Health {
  const { segments, groups, records, witness } = parts;
  return {
    segments: () => segments.all().filter(({ placed }) => placed),
    groups: () => groups.all(),
    record: async (segment, signal) => {
      const state = segments.get(segment);
      if (state === undefined) throw new HiveError("NotFound", "transfer.record", segment);
      return records.get(state, signal);
    },
    watch: (watcher) => witness.watch(watcher),
    saw: (observation) => witness.saw(observation),
    proven: (segment, atMs) => segments.update(segment, () => ({ provenAtMs: atMs })),
    dropShard: (shard) => dropShard(parts, shard),
    replaceMember: async (group, lost, unfit) => {
      const manifest = await groups.replace(group, lost, unfit);
      if (manifest !== undefined) await groups.tell(manifest);
      return manifest;
    },
    mendShard: (shard, signal) => mendShard(parts, shard, signal),
    republish: async (signal) => {
      for (const manifest of groups.all()) await groups.tell(manifest);
      await republishHead(parts, signal);
    },
  };
}
