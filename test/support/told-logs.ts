/** A seat that members gave away while a drive in memory was away, and members that tell of it. */
import { HiveError } from "../../src/base/errors.ts";
import type { Accepted, GuardNetwork } from "../../src/base/guard.ts";
import type { Manifest } from "../../src/base/records.ts";
import { signReplacement, signVote } from "../../src/crypt/records/guard-records.ts";
import { quorumOf } from "../../src/guard/log.ts";
import { encodeWord } from "../../src/guard/messages.ts";
import { draft } from "../../src/guard/propose.ts";
import type { LoopbackPeer } from "./loopback-network.ts";
import type { World } from "./transfer-world.ts";

/** The members gave the first seat to somebody who has none. */
export function replacedIn({ network: { members } }: World, manifest: Manifest): {
  accepted: Accepted; newcomer: LoopbackPeer; lost: LoopbackPeer;
} {
  const all = manifest.peers.map((peer) => members.get(peer) as LoopbackPeer);
  const [lost, leader] = all as [LoopbackPeer, LoopbackPeer];
  const newcomer = [...members.values()].find(({ keys }) => !manifest.peers.includes(keys.peer))!;
  const told = { seat: 0, peer: newcomer.keys.peer, why: "dead" as const, atMs: 1 };
  const entry = signReplacement(leader.keys, draft({ manifest, log: [] }, told));
  const voters = all.slice(-quorumOf(all.length));
  const votes = voters.map(({ keys }) => signVote(keys, { term: 5, entry: entry.id }));
  return { accepted: { entry, votes }, newcomer, lost };
}

/** Members tell of this log, to whoever reaches them; who is dead does not. */
export function tellOf({ network }: World, manifest: Manifest, log: readonly Accepted[]): {
  isReached: boolean; asked: number; log: readonly Accepted[];
} {
  const line = { isReached: true, asked: 0, log };
  const guard: GuardNetwork["guard"] = async (peer, act) => {
    line.asked++;
    const isDead = network.members.get(peer)?.mood.is === "dead";
    if (!line.isReached || isDead || act !== "word") {
      throw new HiveError("Unavailable", "test", peer);
    }
    return encodeWord({ manifest, policy: undefined, head: undefined, log: line.log });
  };
  Object.assign(network, { guard });
  return line;
}
