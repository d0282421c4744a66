/**
 * A drive's transfer, once its parts know each other: whoever asks is led to the one that can
 * answer. It decides nothing.
 */
import type { BlockFetcher } from "../base/blocks.ts";
import type { BlockLender } from "../base/devices.ts";
import type { Cid, PeerId, SegmentId } from "../base/ids.ts";
import type { HeadRoot, StoreLife } from "../base/node.ts";
import type { Step } from "../base/step.ts";
import type { ReclaimReport } from "../base/views/drive.ts";
import { parseHead } from "../crypt/records/records.ts";
import type { Activity } from "../placement/language/policy-words.ts";
import type { SegmentBooks } from "./books.ts";
import type { Catalog } from "./catalog/catalog.ts";
import type { Devices } from "./devices/devices.ts";
import type { Hearing } from "./devices/hearing.ts";
import type { DeviceLender } from "./devices/lender.ts";
import { type Removal, shutOut } from "./devices/shut-out.ts";
import type { Telling } from "./devices/telling.ts";
import type { Doubt } from "./doubt.ts";
import type { Groups } from "./groups/groups.ts";
import type { Law } from "./groups/law.ts";
import type { Placer } from "./groups/place.ts";
import type { InForce } from "./groups/policies.ts";
import { type Announcer, type Published, type Renewal, lastTold, published }
  from "./heads/publish.ts";
import { type Recovered, recover } from "./heads/recover.ts";
import { type Health, healthOf } from "./health.ts";
import { keepLife } from "./life.ts";
import type { Clearing } from "./placed/clearing.ts";
import type { Mover } from "./placed/move.ts";
import type { Outgoing } from "./placed/outgoing.ts";
import { type Reclaimer, reclaimNow } from "./placed/reclaim.ts";
import type { Rescue } from "./placed/rescue.ts";
import type { Surplus } from "./placed/surplus.ts";
import type { Downloader } from "./reads/download.ts";
import type { Records } from "./reads/records.ts";
import type { ShardReader } from "./reads/shards.ts";
import type { Roll } from "./roll.ts";
import { statusNow } from "./status/now.ts";
import { type TransferStatus, shardsByHolder } from "./status/status.ts";
import type { Transfer, TransferNeeds } from "./transfer.ts";
import type { BrakedUploader } from "./uploads/braked.ts";
import { flushNow } from "./uploads/flush.ts";
import type { Witness } from "./witness.ts";

export interface TransferParts extends TransferNeeds {
  readonly life: StoreLife;
  readonly segments: SegmentBooks;
  readonly groups: Groups;
  readonly roll: Roll;
  readonly surplus: Surplus;
  readonly clearing: Clearing;
  readonly doubt: Doubt;
  readonly witness: Witness;
  readonly announcer: Announcer;
  readonly records: Records;
  readonly reader: ShardReader;
  readonly placer: Placer;
  readonly renewal: Renewal;
  readonly catalog: Catalog;
  readonly devices: Devices;
  readonly lender: DeviceLender;
  readonly hearing: Hearing;
  readonly telling: Telling;
  readonly outgoing: Outgoing;
  readonly mover: Mover;
  readonly rescue: Rescue;
  readonly recovering: { isUnderWay: boolean };
  readonly downloader: Downloader;
  readonly uploader: BrakedUploader;
  readonly reclaimer: Reclaimer;
  readonly relearning: Step;
}

export class DriveTransfer implements Transfer {
  readonly #parts: TransferParts;
  readonly health: Health;

  constructor(parts: TransferParts) {
    this.#parts = parts;
    this.health = healthOf(parts);
  }

  get uploader(): Step {
    return this.#parts.uploader;
  }

  get devices(): Devices {
    return this.#parts.devices;
  }

  get hearing(): Hearing {
    return this.#parts.hearing;
  }

  get telling(): Telling {
    return this.#parts.telling;
  }

  get lender(): BlockLender {
    return this.#parts.lender;
  }

  hear(record: Uint8Array): boolean {
    return this.#parts.devices.hear(parseHead(record));
  }

  get life(): StoreLife {
    return this.#parts.life;
  }

  keepLife(life: Parameters<typeof keepLife>[1]): Promise<void> {
    return keepLife(this.#parts.books, life);
  }

  get roll(): Roll {
    return this.#parts.roll;
  }

  removeDevice(peer: PeerId, signal: AbortSignal): Promise<Removal> {
    return shutOut(this.#parts, peer, signal);
  }

  get clearing(): Clearing {
    return this.#parts.clearing;
  }

  get relearning(): Step {
    return this.#parts.relearning;
  }

  get reclaimer(): Step {
    return this.#parts.reclaimer;
  }

  reclaim(timeoutMs: number): Promise<ReclaimReport> {
    return reclaimNow(this.#parts, timeoutMs);
  }

  /** Whoever has it will take it to be with the peers, though a count may have missed it. */
  async fetch(
    ...[cid, options]: Parameters<BlockFetcher["fetch"]>
  ): ReturnType<BlockFetcher["fetch"]> {
    const { downloader, catalog } = this.#parts;
    const bytes = await downloader.fetch(cid, options);
    catalog.since.note([cid]);
    return bytes;
  }

  flush(timeoutMs: number): Promise<void> {
    return flushNow(this.#parts, timeoutMs);
  }

  status(
    isLiving: (peer: PeerId) => boolean = () => true,
    sampledAtMs: (peer: PeerId) => number = () => 0,
  ): TransferStatus {
    return statusNow(this.#parts, { isLiving, sampledAtMs });
  }

  holders(): ReadonlyMap<PeerId, number> {
    return shardsByHolder(this.#parts.segments.all());
  }

  blocks(): Promise<number> {
    return this.#parts.catalog.count();
  }

  async segmentsOf(cids: readonly Cid[]): Promise<readonly (SegmentId | undefined)[]> {
    const { catalog, segments } = this.#parts;
    const places = await Promise.all(cids.map((cid) => catalog.find(cid)));
    return places.map((place) => place && segments.get(place.segment)?.segment);
  }

  households(): number {
    return this.#parts.groups.households();
  }

  notHere(): ReturnType<Law["notHere"]> {
    return this.#parts.groups.law.notHere();
  }

  mayHere(activity: Activity): boolean {
    return !this.notHere().some(({ activities }) => activities.includes(activity));
  }

  govern(inForce: InForce): void {
    this.#parts.groups.govern(inForce);
  }

  published(): Promise<Published | undefined> {
    return published(this.#parts);
  }

  async toldRoot(): Promise<HeadRoot | undefined> {
    const told = await lastTold(this.#parts);
    return told && { root: told.root, isOwn: told.peer === this.#parts.network.self };
  }

  members(): readonly PeerId[] {
    return membersOf(this.#parts.groups);
  }

  async recover(
    signal: AbortSignal = new AbortController().signal,
  ): Promise<Recovered | undefined> {
    const { recovering } = this.#parts;
    recovering.isUnderWay = true;
    try {
      return await recover(this.#parts, signal);
    } finally {
      recovering.isUnderWay = false;
    }
  }
}

/** Whoever sits in one of the groups. */
export function membersOf(groups: Groups): readonly PeerId[] {
  return [...new Set(groups.all().flatMap(({ peers }) => peers))];
}
