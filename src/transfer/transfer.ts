/**
 * The face of this room: the drive's blocks to the peers and back. It introduces its parts to each
 * other and owns nothing that must be closed: its books belong to whoever gave them.
 *
 * Read segments/ for what is sent, uploads/upload.ts for when, and reads/download.ts for the way
 * back.
 */
import type { BlockFetcher, CensusTaker, KeyValue, RootMerger } from "../base/blocks.ts";
import type { UploadSource } from "../base/blocks.ts";
import { type Brake, noBrake } from "../base/brake.ts";
import type { Clock } from "../base/clock.ts";
import type { DeviceNetwork, BlockLender } from "../base/devices.ts";
import type { Cid, PeerId, SegmentId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { HeadRoot, StoreLife, StoreView } from "../base/node.ts";
import type { Random } from "../base/random.ts";
import type { StandInMaker } from "../base/stand-in.ts";
import type { Step } from "../base/step.ts";
import type { ReclaimReport } from "../base/views/drive.ts";
import type { DriveKeys } from "../crypt/drive/drive.ts";
import type { Coder } from "../erasure/erasure.ts";
import type { Activity } from "../placement/language/policy-words.ts";
import { type Policy, defaultPolicy } from "../placement/language/policy.ts";
import { SegmentBooks } from "./books.ts";
import type { CatalogEntry } from "./catalog/catalog-page.ts";
import { Catalog } from "./catalog/catalog.ts";
import { Devices } from "./devices/devices.ts";
import { directly } from "./devices/direct.ts";
import type { Hearing } from "./devices/hearing.ts";
import { afterLoans } from "./devices/lender.ts";
import type { Removal } from "./devices/shut-out.ts";
import type { Telling } from "./devices/telling.ts";
import { Doubt } from "./doubt.ts";
import { DriveTransfer, membersOf } from "./drive-transfer.ts";
import { Groups } from "./groups/groups.ts";
import type { Law } from "./groups/law.ts";
import type { LogNeeds } from "./groups/logs.ts";
import { Placer } from "./groups/place.ts";
import type { InForce } from "./groups/policies.ts";
import { Announcer, type Published, Renewal } from "./heads/publish.ts";
import { type Recovered, recover } from "./heads/recover.ts";
import { Relearning } from "./heads/relearn.ts";
import { restoreLastHead } from "./heads/restore.ts";
import type { Health } from "./health.ts";
import { type keepLife, openLife } from "./life.ts";
import { type Clearing, openClearing } from "./placed/clearing.ts";
import { Mover } from "./placed/move.ts";
import { Outgoing } from "./placed/outgoing.ts";
import { Reclaimer } from "./placed/reclaim.ts";
import { Rescue } from "./placed/rescue.ts";
import { Surplus } from "./placed/surplus.ts";
import { Downloader } from "./reads/download.ts";
import { HedgeBudget, Pace } from "./reads/pace.ts";
import { Records } from "./reads/records.ts";
import { ShardReader } from "./reads/shards.ts";
import { Roll } from "./roll.ts";
import type { TransferStatus } from "./status/status.ts";
import { BrakedUploader } from "./uploads/braked.ts";
import { Uploader } from "./uploads/upload.ts";
import { Witness } from "./witness.ts";

export interface TransferNeeds {
  readonly network: LogNeeds["network"] & Partial<DeviceNetwork>;
  /** Is told that the drive is in a new epoch, and goes by it before this resolves. */
  readonly onEpoch?: (() => Promise<void>) | undefined;
  /** Who can tell what the drive refers to; without it nothing is ever given back. */
  readonly census?: CensusTaker | undefined;
  /** Who takes in what other devices made; without it nothing of theirs is. */
  readonly merger?: RootMerger | undefined;
  /** Who makes a root that does without what waits; without it the newest alone is told. */
  readonly standIns?: StandInMaker | undefined;
  readonly source: UploadSource;
  readonly books: KeyValue;
  readonly coder: Coder;
  readonly keys: DriveKeys;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Looks which blocks the books know, before they count as whole again (check/recount.ts). */
  readonly recount?: (() => Promise<void>) | undefined;
  /** Of the store that these books stand beside; absent where there is none. */
  readonly storeView?: StoreView | undefined;
  /** Holds uploads back; nothing does when absent. */
  readonly brake?: Brake;
  /** Whether this machine's line bears so many bytes soon; it does when absent. */
  readonly mayReadAhead?: (bytes: number) => boolean;
  /** Whether the limit of this machine's own line is what reads wait for; it is not when absent. */
  readonly holdsReads?: () => boolean;
  /** Whether bulk to and from this peer is free of limits; it is when absent. */
  readonly isFreeLine?: (peer: PeerId) => boolean;
  /** Called when enough members have a new head. */
  readonly onPublished?: () => void;
}

export interface TransferOptions {
  /** Where data may be kept; anywhere by default. */
  readonly policy?: Policy;
  /** What the user calls that policy. */
  readonly policyName?: string | undefined;
  /** Policies for parts of the drive, each under its name. */
  readonly named?: ReadonlyMap<string, Policy>;
  /** How long a read of absent data may take before it is Unavailable. */
  readonly readTimeoutMs?: number;
  /** For how long the same class must be possible before a group is drawn. */
  readonly settleMs?: number;
}

export interface Transfer extends BlockFetcher {
  readonly uploader: Step;
  /** Takes in what other devices of the drive published. */
  readonly devices: Devices;
  /** What they tell directly, while they are there; and what they are told. */
  readonly hearing: Hearing;
  readonly telling: Telling;
  /** Blocks that another device made, wherever they are. */
  readonly lender: BlockLender;
  /** Which devices were added and shut out. */
  readonly roll: Roll;
  /** Shuts a device out: other devices and holders that can be reached know when it resolves. */
  removeDevice(peer: PeerId, signal: AbortSignal): Promise<Removal>;
  /** What becomes of the copies of what somebody was shut out of. */
  readonly clearing: Clearing;
  /** True when these bytes are a head of this drive, which another device tells. */
  hear(record: Uint8Array): boolean;
  /** Learns again what damaged books have lost. */
  readonly relearning: Step;
  /** Gives back the room of what the drive refers to no more, now and then. */
  readonly reclaimer: Step;
  /**
   * The same now, until peers have been told or the time is over, and what came of it. Only what
   * is published counts: flush first.
   */
  reclaim(timeoutMs: number): Promise<ReclaimReport>;
  /** Waits until all that is committed is on peers and its head published; else TimedOut. */
  flush(timeoutMs: number): Promise<void>;
  status(
    isLiving?: (peer: PeerId) => boolean, sampledAtMs?: (peer: PeerId) => number,
  ): TransferStatus;
  /** How many shards each peer keeps for this drive. */
  holders(): ReadonlyMap<PeerId, number>;
  /** How many blocks the catalog has a place for. */
  blocks(): Promise<number>;
  /** In which segment each lies; undefined for one without a place in any that is known. */
  segmentsOf(cids: readonly Cid[]): Promise<readonly (SegmentId | undefined)[]>;
  /** Households that could hold shards now. */
  households(): number;
  /** What the policies in force let this machine not do. */
  notHere(): ReturnType<Law["notHere"]>;
  /** Whether all of them let this machine do it. */
  mayHere(activity: Activity): boolean;
  /** From now on these policies are in force; what lies against them is moved. */
  govern(inForce: InForce): void;
  /**
   * On a machine without books: finds the newest head among the peers and takes it over. The root
   * record to commit into the empty cache; undefined when no peer knows this drive.
   */
  recover(signal?: AbortSignal): Promise<Recovered | undefined>;
  /** What the newest head says that enough members took; undefined when the last was not yet. */
  published(): Promise<Published | undefined>;
  /** That of the last head that was signed here, whoever took it, or that it went on from. */
  toldRoot(): Promise<HeadRoot | undefined>;
  /** Whoever sits in one of the drive's groups. */
  members(): readonly PeerId[];
  /** How these books compared with the store as they were opened. */
  readonly life: StoreLife;
  keepLife(life: Parameters<typeof keepLife>[1]): Promise<void>;

  /** For the agent: what there is, and the acts of healing. */
  readonly health: Health;
}

export async function openTransfer(
  needs: TransferNeeds, options: TransferOptions = {},
): Promise<Transfer> {
  const { keys } = needs;
  const written = await openBooks(needs, options);
  const witness = new Witness(needs);
  const announcer = new Announcer(needs);
  const renewal = new Renewal();
  const pacing = { pace: new Pace(needs), budget: new HedgeBudget() };
  const parts = {
    ...needs, ...pacing, ...written, witness, announcer, renewal, owner: keys.owner,
  };
  const records = new Records(parts);
  const reader = new ShardReader({ ...parts, areOthers: () => devices.areOthers });
  const placer = new Placer(parts);
  const catalog: Catalog = new Catalog({ ...parts, catalogKey: keys.catalogKey }, (place) => {
    return downloader.fetchAt(place);
  });
  if (written.doubt.isOn) await restoreLastHead({ ...parts, catalog });
  const readTimeoutMs = options.readTimeoutMs ?? limits.transfer.readTimeoutMs;
  const find = (cid: Cid): Promise<CatalogEntry | undefined> => catalog.find(cid);
  const downloader = new Downloader({ ...parts, records, reader, find }, { readTimeoutMs });
  const devices = new Devices({ ...parts, records, catalog });
  await devices.open();
  const outgoing = new Outgoing({ ...parts, catalog, devices });
  await outgoing.open();
  const reading = { records, reader, placer, catalog };
  const mover = new Mover({ ...parts, ...reading, outgoing });
  const rescue = new Rescue({ ...parts, catalog, outgoing });
  const brake = written.roll.brakeOver(needs.brake ?? noBrake);
  const direct = directly({ ...parts, devices, find, fetch: (cid) => downloader.fetch(cid) });
  devices.there = () => direct.telling.there();
  const source = afterLoans(needs.source, direct.lender);
  const known = { peers: direct.known };
  const sent = { source, catalog, placer, devices: known, outgoing, lost: rescue };
  const rounds = new Uploader({ ...parts, ...sent });
  await rounds.open();
  const uploader = new BrakedUploader(rounds, brake);
  const recovering = { isUnderWay: false };
  const census = needs.census ?? { census: async () => undefined };
  const found = { ...parts, devices, census, catalog, mover, outgoing };
  const reclaimer = new Reclaimer({ ...found, uploader: rounds });
  const undoubting = { ...parts, ...reading, devices, doubt: { end: async () => undefined } };
  const relearning = new Relearning({
    ...parts, records, catalog, recover: (signal) => recover(undoubting, signal),
  });
  const kept = { outgoing, mover, rescue, reclaimer, relearning };
  const acting = { ...kept, devices, recovering, downloader, uploader };
  return new DriveTransfer({ ...parts, ...reading, ...direct, ...acting });
}

/** What is written down of segments and groups, and who goes by it. */
async function openBooks(needs: TransferNeeds, options: TransferOptions) {
  const { books } = needs;
  const life = await openLife(books, needs.storeView);
  const segments = new SegmentBooks(books);
  const roll = new Roll({ ...needs, members: () => membersOf(groups) });
  const groups: Groups = new Groups({ ...needs, roll }, {
    inForce: {
      drive: options.policy ?? defaultPolicy, driveName: options.policyName,
      named: options.named ?? new Map(),
    },
    settleMs: options.settleMs ?? limits.transfer.settleMs,
  });
  await segments.open();
  await roll.open();
  await groups.open();
  const clearing = await openClearing({ books, segments });
  const doubt = new Doubt(books);
  await doubt.open();
  const surplus = new Surplus({ ...needs, segments, groups, clearing, doubt });
  await surplus.open();
  return { life, segments, roll, groups, clearing, doubt, surplus };
}
