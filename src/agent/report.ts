/** What the agent knows, as the views that people and scripts are given. Pure. */
import type { StoreUsage } from "../base/blocks.ts";
import type { PeerId } from "../base/ids.ts";
import { onlineAmong } from "../base/known-peers.ts";
import type { KnownPeer } from "../base/network.ts";
import { erasureClasses } from "../base/records.ts";
import type { Alert, PartView, RepairStatus } from "../base/safety.ts";
import type { DriveStatus, NodeStatus, SafetyStatus } from "../base/views/drive.ts";
import type { PeerRow } from "../base/views/peers.ts";
import type { PolicyQueue, PolicyStatus } from "../base/views/policies.ts";
import { factsKnown, isLying } from "../placement/judging/facts.ts";
import { wholeDrive } from "../transfer/groups/policies.ts";
import type { PartStatus } from "../transfer/status/parts.ts";
import type { LaneStatus } from "../transfer/uploads/lanes.ts";
import type { AgentStatus } from "./agent.ts";
import { whyOf } from "./conduct/conduct-words.ts";
import type { PeerConduct } from "./conduct/conduct.ts";
import { policyOfLane, waitingText } from "./telling/waiting-words.ts";

/** `holders` are the peers that keep shards of the drive. */
export function safetyOf(
  status: AgentStatus,
  { holders, known, problem, notHere }: {
    readonly holders: Iterable<PeerId>; readonly known: readonly KnownPeer[];
  } & Pick<PolicyStatus, "problem" | "notHere">,
): SafetyStatus | undefined {
  const { drive } = status;
  if (drive === undefined) return undefined;
  const { total, healthy, degraded, lost } = drive.segments;
  return {
    class: drive.class ?? null,
    segments: { total, healthy, degraded, lost },
    survives: drive.survives ?? null,
    parts: drive.parts.map((part) => partView(part, known)),
    repair: repairView(status),
    alerts: status.alerts,
    away: awayOf([...holders], known),
    lastProvenAt: provenText(drive.lastProvenAtMs),
    households: drive.households,
    householdsNeeded: erasureClasses[0]?.n ?? 0,
    pendingBlocks: drive.pendingBlocks,
    waitingFor: waitingText(drive.waiting),
    queues: drive.lanes.map(queueOf),
    heldBack: drive.heldBack ?? null,
    policy: { problem, moving: drive.moving, stuck: status.stuck, notHere },
  };
}

/** Zero says that some segment was never proven yet. */
function provenText(atMs: number | undefined): string | null {
  return atMs === undefined || atMs === 0 ? null : new Date(atMs).toISOString();
}

/** Places, not addresses: whoever sees this over a shoulder learns of nobody's line. */
function partView(part: PartStatus, peers: readonly KnownPeer[]): PartView {
  const { policy, segments, endangered, lost, survives, lacking } = part;
  const factsOf = factsKnown(peers);
  const facts = peers.filter(({ offer }) => part.holders.has(offer.peer))
    .map(({ offer }) => factsOf(offer));
  const counts = new Map<string, number>();
  const unknown = Array.from({ length: part.holders.size - facts.length }, () => unknownPlace);
  const known = facts.map(({ location }) => location?.country ?? unknownPlace);
  for (const place of [...known, ...unknown]) {
    counts.set(place, (counts.get(place) ?? 0) + 1);
  }
  const places = [...counts].map(([place, holders]) => ({ place, holders }));
  places.sort((a, b) => b.holders - a.holders || (a.place < b.place ? -1 : 1));
  return {
    policy, class: part.class ?? null, segments, endangered, lost, survives,
    lastProvenAt: provenText(part.provenAtMs), places,
    households: new Set(facts.map(({ household }) => household)).size, lacking,
  };
}

const unknownPlace = "?";

function repairView({ repair }: AgentStatus): RepairStatus | null {
  if (repair === undefined || repair.shards === 0) return null;
  const { shards, segments, leftMs } = repair;
  return { shards, segments, secondsLeft: leftMs === undefined ? null : Math.ceil(leftMs / 1000) };
}

function queueOf(lane: LaneStatus): PolicyQueue {
  const { pendingBlocks, pendingBytes, waiting } = lane;
  const waitingFor = waiting === undefined ? null : waitingText(waiting);
  const policy = policyOfLane(lane);
  return { policy, blocks: pendingBlocks, bytes: pendingBytes, waitingFor };
}

function awayOf(holders: readonly PeerId[], known: readonly KnownPeer[]): SafetyStatus["away"] {
  const online = onlineAmong(known);
  const away = holders.filter((peer) => !online.has(peer));
  return { holders: away.length, of: holders.length };
}

export function peerRowsOf(
  known: readonly KnownPeer[], conducts: readonly PeerConduct[],
  now: { readonly nowMs: number; readonly leaving: ReadonlySet<PeerId> },
): readonly PeerRow[] {
  const byPeer = new Map(conducts.map((conduct) => [conduct.peer, conduct]));
  const factsOf = factsKnown(known);
  return known.map((one) => {
    const { offer, online, roundTripMs } = one;
    const { location, household, asn } = factsOf(offer);
    return {
      peer: offer.peer,
      online,
      roundTripMs: roundTripMs ?? null,
      household: household ?? "",
      country: location?.country ?? null,
      evidence: location?.evidence ?? null,
      claimedCountry: offer.country ?? null,
      isLying: isLying(one),
      asn: asn ?? null,
      freeBytes: offer.freeBytes,
      state: stateOf(byPeer.get(offer.peer)),
      why: whyOf(byPeer.get(offer.peer), {
        nowMs: now.nowMs, isLeaving: now.leaving.has(offer.peer),
      }),
    };
  });
}

function stateOf(conduct: PeerConduct | undefined): string {
  if (conduct === undefined) return "new";
  const { right, wrong, late, offline } = conduct.score;
  const counts = `${right} right, ${wrong} wrong, ${late} late, ${offline} offline`;
  const refusing = conduct.isRefusing ? "; gives nothing back" : "";
  const tardy = conduct.isTardy ? "; proves nothing in time" : "";
  return `${conduct.liveness}: ${counts}${refusing}${tardy}`;
}

/** What nothing more is taken of: it was written by nobody, so no node knows of it. */
function refusedOf(refused: ReadonlyMap<string, string>): readonly Alert[] {
  return [...refused].map(([name, why]) => ({
    kind: "refused", policy: name === wholeDrive ? null : name,
    text: `nothing more is taken: too few peers satisfy it: ${why}`,
  }));
}

type LocalPart = "pid" | "mount" | "isMounted" | "driver" | "requests" | "trouble" |
  "resealing" | "lackingFiles" | "pins" | "brake";

/** What `hive status` tells, from the node's view and the local store's. */
export function driveStatusOf(
  node: NodeStatus,
  local: Pick<DriveStatus, LocalPart> & {
    readonly usage: StoreUsage; readonly refused: ReadonlyMap<string, string>;
  },
): DriveStatus {
  const { usage, refused, ...told } = local;
  const { households, householdsNeeded, pendingBlocks, ...safety } = node.drive ?? unkept;
  const isMoving = usage.dirtyBytes > 0 || pendingBlocks > 0 || told.lackingFiles !== null;
  return {
    ...told,
    traffic: node.traffic,
    state: stateOfDrive(safety, isMoving),
    ...safety,
    alerts: [...safety.alerts, ...refusedOf(refused)],
    owed: node.owed,
    dirtyBytes: usage.dirtyBytes,
    cacheBytes: usage.usedBytes,
    cacheLimitBytes: usage.limitBytes,
    peers: { ...node.peers, households, householdsNeeded },
  };
}

const unkept: SafetyStatus = {
  class: null,
  segments: { total: 0, healthy: 0, degraded: 0, lost: 0 },
  survives: null,
  parts: [],
  repair: null,
  alerts: [],
  away: { holders: 0, of: 0 },
  lastProvenAt: null,
  households: 0,
  householdsNeeded: 0,
  pendingBlocks: 0,
  waitingFor: null,
  queues: [],
  heldBack: null,
  policy: { problem: null, moving: [], stuck: 0, notHere: [] },
};

function stateOfDrive(
  safety: Pick<SafetyStatus, "class" | "segments">, moving: boolean,
): DriveStatus["state"] {
  if (safety.class === null) return "local";
  if (moving) return "uploading";
  return safety.segments.degraded + safety.segments.lost === 0 ? "safe" : "degraded";
}
