/** A node at work: what its rooms do for whoever holds it. */
import { peerRowsOf, safetyOf } from "../agent/report.ts";
import { policyReportOf } from "../agent/telling/explain.ts";
import { systemClock as clock } from "../base/clock.ts";
import { HiveError, isFault } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { NodeDuties } from "../base/node.ts";
import { inviteTo, joinBy } from "../peers/joining.ts";
import { policiesOf } from "../placement/telling/describe.ts";
import type { Sharing } from "../sharing/sharing.ts";
import { type Recovered } from "../transfer/heads/recover.ts";
import type { Transfer } from "../transfer/transfer.ts";
import type { NodeConfig, NodeNeeds } from "./config.ts";
import { deviceDuties } from "./devices.ts";
import { type Rooms, openRooms } from "./rooms.ts";
import { noSharing, withTending } from "./sharing.ts";
import { reclaimedInAll, verifiedInAll } from "./sums.ts";

/** Peers and vault, and with a drive's seed transfer and agent too. */
export async function openNode(needs: NodeNeeds, config: NodeConfig): Promise<NodeDuties> {
  await using parts = new AsyncDisposableStack();
  const rooms = await openRooms(needs, config, parts);
  rooms.agent.start();
  return dutiesOf(rooms, parts.move());
}

/**
 * A drive's newest state, as the peers have it; undefined when none that was met knows the drive,
 * and Unavailable when none was met.
 * The first may be no holder, or not there yet: so it meets others, and asks again, for a while.
 */
export async function askRecovered(
  needs: NodeNeeds, config: NodeConfig,
): Promise<Recovered | undefined> {
  await using parts = new AsyncDisposableStack();
  const { transfer, peers } = await openRooms(needs, config, parts);
  const { patienceMs, againMs } = limits.recovery;
  const { signal } = new AbortController();
  for (const untilMs = clock.monotonicMs() + patienceMs; ; await clock.delay(againMs)) {
    const found = await transfer?.recover();
    if (found !== undefined) return found;
    const isLate = clock.monotonicMs() >= untilMs;
    if (isLate && peers.peers().some(({ online }) => online)) return undefined;
    if (isLate) throw new HiveError("Unavailable", "recover", "nobody answers, at --peer or near");
    await peers.step.step(signal);
  }
}

function dutiesOf(rooms: Rooms, parts: AsyncDisposableStack): NodeDuties {
  const { peers, transfer, sharing, tending, agent, places, ledger, name } = rooms;
  const drive = (): Transfer => {
    if (transfer !== undefined) return transfer;
    throw new HiveError("Unsupported", "node", "it has no drive");
  };
  return {
    sharing: sharing === undefined ? noSharing : withTending(sharing, tending),
    ...stateDuties(drive, rooms),
    ...blockDuties(drive, rooms),
    ...deviceDuties(drive, rooms),
    ...hostDuties(rooms),
    peers: async () => peerRowsOf(peers.peers(), agent.status().peers, {
      nowMs: clock.now(), leaving: rooms.notices.peers(),
    }),
    ledger: async () => ledger.view(),
    vouch: async ({ peer, country }) => places.vouch(peer, country ?? undefined),
    invite: async (asked) => {
      const networkKey = asked.networkKey ? keyOf(rooms) : undefined;
      return inviteTo(peers, { name, nowMs: clock.now(), networkKey });
    },
    join: (invite) => joinBy(peers, invite, clock.now()),
    async wake() {
      agent.wake();
      rooms.guests?.wake();
    },
    close: () => parts.disposeAsync(),
  };
}

/** How the drive stands, and to which policies. */
function stateDuties(
  drive: () => Transfer, { peers, vault, transfer, agent, ledger, traffic, ...rooms }: Rooms,
): Pick<NodeDuties, "status" | "explainPolicy" | "govern"> {
  let { problem } = rooms;
  return {
    async status() {
      const known = peers.peers();
      const online = known.filter((peer) => peer.online).length;
      return {
        peer: peers.self,
        addresses: peers.addresses(),
        vault: vault.usage(),
        peers: { known: known.length, online },
        drive: safetyOf(agent.status(), {
          holders: transfer?.holders().keys() ?? [], known, problem,
          notHere: transfer?.notHere() ?? [],
        }),
        owed: ledger.owed(),
        traffic: { ...traffic.status(), ...peers.stats() },
      };
    },
    explainPolicy: async (asked) => policyReportOf(asked, {
      known: peers.peers(), groups: transfer?.health.groups() ?? [], nowMs: clock.now(),
    }),
    async govern(texts) {
      drive().govern(policiesOf(texts));
      problem = texts.problem;
      agent.wake();
    },
  };
}

type BlockDuties = Pick<
  NodeDuties,
  | "fetch" | "unplaced" | "borrow" | "ipfsBlock" | "flush" | "reclaim" | "verify" | "segmentsOf"
  | "newestRoot" | "toldRoot" | "life" | "keepLife" | "mayCache"
>;

/** The drive's blocks: to peers and back, and whether they are there. */
function blockDuties(
  drive: () => Transfer, { peers, transfer, sharing, agent, guests }: Rooms,
): BlockDuties {
  return {
    fetch: (cid, options) => fetchAny(drive(), sharing, cid, options),
    unplaced: (cids) => drive().lender.unplaced(cids),
    borrow: (cid, options) => drive().lender.borrow(cid, options),
    ipfsBlock: async (cid) => (await peers.ipfs()).block(cid),
    flush: (timeoutMs) => flushAll([drive(), sharing], timeoutMs),
    async reclaim(timeoutMs) {
      const own = await drive().reclaim(timeoutMs);
      return reclaimedInAll([own, ...await guests?.reclaim(timeoutMs) ?? []]);
    },
    async verify(options) {
      const own = await agent.verify(options);
      // What is written in folders of others has segments of its own.
      const others = options.segments === undefined ? await guests?.verify(options) : [];
      return verifiedInAll([own, ...others ?? []]);
    },
    segmentsOf: (cids) => drive().segmentsOf(cids),
    newestRoot: async () => (await drive().recover())?.root,
    toldRoot: () => drive().toldRoot(),
    life: async () => drive().life,
    keepLife: (life) => drive().keepLife(life),
    mayCache: async () => transfer?.mayHere("cache") ?? true,
  };
}

/** What this machine gives to others, of its disk and its line, and until when. */
function hostDuties(
  { vault, agent, traffic, leaving, shedding }: Rooms,
): Pick<NodeDuties, "leave" | "limit" | "setQuota"> {
  return {
    async leave(order) {
      if (order === "begin") await leaving.begin();
      if (order === "cancel") await leaving.cancel();
      if (order !== "status") agent.wake();
      return leaving.view();
    },
    limit: async (orders) => traffic.obey(orders),
    async setQuota(bytes) {
      vault.setQuota(bytes);
      shedding.lookSoon();
      agent.wake();
    },
  };
}

async function flushAll(
  parts: readonly (Pick<Transfer, "flush"> | undefined)[], timeoutMs: number,
): Promise<void> {
  await Promise.all(parts.map((part) => part?.flush(timeoutMs)));
}

/** Of this drive, or of a folder that somebody else shares with its person. */
async function fetchAny(
  drive: Transfer, sharing: Sharing | undefined, ...[cid, options]: Parameters<Transfer["fetch"]>
): Promise<Uint8Array> {
  try {
    return await drive.fetch(cid, options);
  } catch (error) {
    if (sharing === undefined || !isFault(error, "NotFound")) throw error;
    return sharing.fetch(cid, options);
  }
}

/** Whoever asks for a secret must not take something else for it. */
function keyOf({ networkKey }: Rooms): Uint8Array {
  if (networkKey !== undefined) return networkKey;
  throw new HiveError("NotFound", "peers.network-key", "this machine is in no private network");
}
