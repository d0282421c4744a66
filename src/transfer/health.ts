/**
 * What the agent knows of a drive's health, and the acts of healing: a face of transfer's parts for
 * whoever audits, repairs and moves. It decides nothing.
 */
import { HiveError } from "../base/errors.ts";
import type { GroupId, PeerId, SegmentId } from "../base/ids.ts";
import type { Manifest, SegmentRecord } from "../base/records.ts";
import type { Standing } from "../guard/log.ts";
import type { Activity } from "../placement/language/policy-words.ts";
import type { SegmentBooks, SegmentState } from "./books.ts";
import type { Devices } from "./devices/devices.ts";
import type { Giving } from "./groups/groups.ts";
import type { GroupDrift } from "./groups/law.ts";
import type { LogNeeds } from "./groups/logs.ts";
import type { Placer } from "./groups/place.ts";
import { type PublishNeeds, republishHead } from "./heads/publish.ts";
import { type Lacking, dropShard, findShards, mendSegment, moveHolders } from "./placed/mend.ts";
import type { Mover } from "./placed/move.ts";
import type { Outgoing } from "./placed/outgoing.ts";
import type { Rescue } from "./placed/rescue.ts";
import type { Surplus } from "./placed/surplus.ts";
import { type ProbedShard, probeShard } from "./reads/probe-shard.ts";
import type { Records } from "./reads/records.ts";
import type { ShardReader } from "./reads/shards.ts";
import type { Observation, Witness } from "./witness.ts";

export interface HealthNeeds extends PublishNeeds {
  readonly network: LogNeeds["network"];
  readonly segments: SegmentBooks;
  readonly surplus: Surplus;
  readonly witness: Witness;
  readonly records: Records;
  readonly reader: ShardReader;
  readonly placer: Placer;
  readonly outgoing: Outgoing;
  readonly mover: Mover;
  readonly rescue: Rescue;
  readonly devices: Pick<Devices, "areOthers" | "isFirst" | "peers">;
  readonly recovering: { isUnderWay: boolean };
}

/** A shard, and who is believed or proven to have it. */
export interface HeldShard {
  readonly segment: SegmentId;
  readonly index: number;
  readonly holder: PeerId;
}

export interface Health {
  segments(): readonly SegmentState[];
  /** As it is now; undefined for one that left since it was chosen. */
  segment(segment: SegmentId): SegmentState | undefined;
  groups(): readonly Manifest[];
  /** Whether it has a seat in any of them. */
  isMember(peer: PeerId): boolean;
  /** Those that were drawn for the policy of this name. */
  groupsNamed(name: string): readonly GroupId[];
  record(segment: SegmentId, signal: AbortSignal): Promise<SegmentRecord>;
  /** Calls for everything a holder does, right or wrong. */
  watch(watcher: (observation: Observation) => void): void;
  /** For what others saw: tells all watchers, and doubts who deserves it. */
  saw(observation: Observation): void;
  proven(segment: SegmentId, atMs: number): Promise<void>;
  /** This holder has not got this shard, whatever its receipt says. */
  dropShard(shard: HeldShard): Promise<void>;
  /** Reads the whole shard from its holder, as any read of a file might; watchers are told. */
  probeShard(shard: HeldShard, signal: AbortSignal): Promise<ProbedShard>;
  /** Brings shards of a segment to their members; answers which were taken. */
  mendSegment(lacking: Lacking, signal: AbortSignal): Promise<ReadonlySet<number>>;
  /** Which of these another device has brought: the books here do not say so before. */
  findShards(lacking: Lacking, signal: AbortSignal): Promise<ReadonlySet<number>>;
  /** These segments are lost, and no others: what is here of them goes up again. */
  rescue(lost: readonly SegmentId[]): Promise<number>;
  /** Sends head and manifests again, for members who were away. */
  republish(signal: AbortSignal): Promise<void>;

  /** Whether other devices may act for the drive, which the books here do not know of. */
  areOthers(): boolean;
  /** Whether this device, of those that are connected, is the one that gives seats to others. */
  seatsOthers(): boolean;
  /** How each group stands to the policy that governs it now. */
  drifts(): readonly GroupDrift[];
  /**
   * Gives several seats to others at once; undefined when nobody can take any of them, or, where
   * the group is not heard any more, when that is not known.
   */
  replaceMembers(
    group: GroupId, lost: readonly PeerId[], unfit: ReadonlySet<PeerId>, giving?: Giving,
  ): Promise<Manifest | undefined>;
  /** Says of a lawful group that it is one of the policy that governs it now, if it is heard. */
  resignGroup(group: GroupId, dead: ReadonlySet<PeerId>): Promise<Manifest | undefined>;
  /** False while some segment is in it, or none was ever moved out of it. */
  forgetGroup(group: GroupId): Promise<boolean>;
  /** Whether this machine may do this with what lies in the group. */
  mayHere(activity: Activity, group: GroupId): boolean;
  /** The group for segments that have to move, under the policy of this name. */
  destination(name: string): Promise<Manifest | undefined>;
  /** Places all that a segment keeps anew in that group; false when too few members took it. */
  moveSegment(segment: SegmentId, target: Manifest, signal: AbortSignal): Promise<boolean>;
  /** Groups whose members gave seats to others while no machine of this drive was there. */
  standings(dead: ReadonlySet<PeerId>, signal: AbortSignal): Promise<readonly Standing[]>;
  /** It is known of this group, and was judged: before, no manifest of it is signed. */
  isHeard(group: GroupId): boolean;
  /** Whether this member has its seat still, by what enough others tell who are asked now. */
  isSeated(
    group: GroupId, peer: PeerId,
    told: { readonly dead: ReadonlySet<PeerId>; readonly signal: AbortSignal },
  ): Promise<boolean>;
  /** Nothing of what they did is made the owner's own. */
  overrule(standing: Standing): void;
  /** Makes these the members, and what they proved theirs; false where their log may be longer. */
  adoptSeats(
    standing: Standing, peers: readonly PeerId[],
    told: { readonly proven: readonly HeldShard[]; readonly dead: ReadonlySet<PeerId> },
  ): Promise<boolean>;
  /** Tells holders to drop what they have for nothing; answers how much is settled. */
  dropSurplus(signal: AbortSignal): Promise<number>;
}

/** What is on its way out is nothing to be proven, mended or counted. */
export function staying(
  { segments, outgoing }: Pick<HealthNeeds, "segments" | "outgoing">,
): readonly SegmentState[] {
  return segments.all().filter(({ segment }) => !outgoing.has(segment));
}

export function healthOf(parts: HealthNeeds): Health {
  const { segments, groups, records, witness } = parts;
  const replaceMembers: Health["replaceMembers"] = async (...told) => {
    const manifest = await groups.replace(...told);
    if (manifest !== undefined) await groups.tell(manifest);
    return manifest;
  };
  return {
    segments: () => staying(parts).filter(({ placed }) => placed),
    segment: (segment) => {
      const state = segments.get(segment);
      return state?.placed === true && !parts.outgoing.has(segment) ? state : undefined;
    },
    groups: () => groups.all(),
    isMember: (peer) => groups.all().some(({ peers }) => peers.includes(peer)),
    groupsNamed: (name) => {
      return groups.all().map(({ group }) => group).filter((one) => groups.nameOf(one) === name);
    },
    record: async (segment, signal) => {
      const state = segments.get(segment);
      if (state === undefined) throw new HiveError("NotFound", "transfer.record", segment);
      return records.get(state, signal);
    },
    watch: (watcher) => witness.watch(watcher),
    saw: (observation) => witness.saw(observation),
    proven: (segment, atMs) => segments.update(segment, () => ({ provenAtMs: atMs })),
    dropShard: (shard) => dropShard(parts, shard),
    probeShard: (shard, signal) => probeShard(parts, shard, signal),
    mendSegment: (lacking, signal) => mendSegment(parts, lacking, signal),
    findShards: (lacking, signal) => findShards(parts, lacking, signal),
    rescue: (lost) => parts.rescue.rescue(lost),
    republish: async (signal) => {
      for (const manifest of groups.all()) await groups.tell(manifest);
      await republishHead(parts, signal);
    },
    areOthers: () => parts.devices.areOthers,
    seatsOthers: () => parts.devices.isFirst,
    replaceMembers,
    ...governanceOf(parts),
    ...adoptionOf(parts),
  };
}

/** The owner's word on what its members did without it. */
function adoptionOf(parts: HealthNeeds) {
  const { groups } = parts;
  const { logs } = groups;
  return {
    standings: async (dead, signal) => {
      await logs.learn(dead, signal);
      return groups.heard();
    },
    isHeard: (group) => logs.isHeard(group),
    isSeated: (...told) => logs.isSeated(...told),
    overrule: (standing) => logs.overrule(standing),
    adoptSeats: async (standing, peers, { proven, dead }) => {
      // The proofs took their time.
      const mayEnd = await logs.mayEnd(standing, dead);
      const manifest = mayEnd ? await groups.adoptSeats(standing, peers) : undefined;
      if (manifest === undefined) return false;
      for (const { segment, index, holder } of proven) {
        await moveHolders(parts, segment, new Map([[index, holder]]));
      }
      await groups.tell(manifest);
      return true;
    },
  } satisfies Partial<Health>;
}

/** The acts of keeping groups to their policies. */
function governanceOf({ segments, groups, mover, surplus, outgoing, recovering }: HealthNeeds) {
  return {
    // Who is still learning what there is must not judge by it.
    drifts: () => (recovering.isUnderWay ? [] : groups.law.drifts()),
    resignGroup: async (group, dead) => {
      const manifest = await groups.resign(group, dead);
      if (manifest !== undefined) await groups.tell(manifest);
      return manifest;
    },
    mayHere: (activity, group) => {
      const manifest = groups.get(group);
      return manifest === undefined || groups.law.mayHere(activity, manifest);
    },
    forgetGroup: async (group) => {
      const isUsed = segments.all().some((state) => state.group === group);
      const isLeft = outgoing.hasLeft(group) && !isUsed;
      if (isLeft) await groups.forget(group);
      return isLeft;
    },
    destination: async (name) => {
      const found = await groups.forNewSegments(name);
      return "peers" in found ? found : undefined;
    },
    moveSegment: (segment, target, signal) => mover.move([segment], target, signal),
    dropSurplus: async (signal) => await outgoing.settle() + await surplus.dropSome(signal),
  } satisfies Partial<Health>;
}
