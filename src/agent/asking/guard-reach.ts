/**
 * A guardian's fellows and itself, asked in one way: what is this node's own is answered by its own
 * rooms, all else by the network. Every answer is checked here, and what it says of a fellow's
 * life is written down; nothing is decided.
 */
import type { Clock } from "../../base/clock.ts";
import { HiveError } from "../../base/errors.ts";
import type { GuardAct, GuardHost, GuardNetwork } from "../../base/guard.ts";
import type { PeerId } from "../../base/ids.ts";
import { isOnline } from "../../base/known-peers.ts";
import type { KnownPeer, PeerNetwork, Requester, ShardHost } from "../../base/network.ts";
import type { Random } from "../../base/random.ts";
import type { Manifest } from "../../base/records.ts";
import { shardIdOf } from "../../crypt/blocks/merkle.ts";
import type { Conduct } from "../conduct/conduct.ts";
import { type Answer, type Berth, type Prove, askHolder } from "./ask.ts";

export interface ReachNeeds {
  readonly network: PeerNetwork & GuardNetwork;
  /** This node's own vault. */
  readonly host: ShardHost;
  readonly conduct: Conduct;
  readonly clock: Clock;
  readonly random: Random;
}

/** What it takes to look after a segment, whether as a fellow or as one who verifies it. */
export type CareReach = Pick<
  Reach, "self" | "isDead" | "isFresh" | "isThere" | "isOnline" | "ask" | "read" | "store"
>;

export class Reach {
  readonly #needs: ReachNeeds;
  readonly #answers: GuardHost;

  constructor(needs: ReachNeeds, answers: GuardHost) {
    this.#needs = needs;
    this.#answers = answers;
  }

  get self(): PeerId {
    return this.#needs.network.self;
  }

  /** Whom this node knows, and itself. */
  known(): readonly KnownPeer[] {
    const { network, clock } = this.#needs;
    const own = { offer: network.offer(), online: true, roundTripMs: 0, lastSeenMs: clock.now() };
    return [own, ...network.peers()];
  }

  /** As a fellow of its own, without the owner's word. */
  get asSelf(): Requester {
    return { peer: this.self, owners: [] };
  }

  isDead(peer: PeerId): boolean {
    return peer !== this.self && this.#needs.conduct.liveness(peer) === "dead";
  }

  /** Dead, by a silence that is still short. */
  isFresh(peer: PeerId): boolean {
    return this.isDead(peer) && this.#needs.conduct.isFresh(peer);
  }

  /** It answered when it was last asked. */
  isThere(peer: PeerId): boolean {
    return peer === this.self || this.#needs.conduct.liveness(peer) === "alive";
  }

  /** It is connected. */
  isOnline(peer: PeerId): boolean {
    return peer === this.self || isOnline(this.#needs.network, peer);
  }

  guard(
    peer: PeerId, act: GuardAct, payload: Uint8Array, signal: AbortSignal,
  ): Promise<Uint8Array> {
    if (peer === this.self) return this.#answers.guard(this.asSelf, act, payload);
    return this.#needs.network.guard(peer, act, payload, { signal });
  }

  /** Asks for a few leaves, which are a sign of life as well. */
  async ask(berth: Berth, leaves: number, signal: AbortSignal): Promise<Answer> {
    const { conduct, network, host } = this.#needs;
    const { peer } = berth;
    const prove: Prove = (challenge) => peer === this.self
      ? host.prove(this.asSelf, challenge)
      : network.prove(peer, challenge, { signal });
    const answer = await askHolder(this.#needs, berth, { leaves, signal, prove });
    signal.throwIfAborted();
    // An answer of any worth shows that it lives; what it is worth counts when it is a lie.
    const isPlain = answer === "right" || answer === "wrong" || answer === "offline";
    if (peer !== this.self) {
      conduct.saw({ peer, verdict: isPlain ? answer : "late", act: "prove" });
    }
    return answer;
  }

  /** The whole shard, checked against its signed name. */
  async read({ record, index, peer }: Berth, signal: AbortSignal): Promise<Uint8Array> {
    const { network, host } = this.#needs;
    const { roots, shardBytes } = record;
    const shard = roots[index];
    if (shard === undefined) throw new HiveError("Invalid", "guard.read", `shard ${index}`);
    const whole = { offsetBytes: 0, lengthBytes: shardBytes };
    const bytes = peer === this.self
      ? await host.read(this.asSelf, shard, whole)
      : await network.read(peer, shard, whole, { signal, urgency: "background" });
    if (shardIdOf(bytes) === shard) return bytes;
    if (peer !== this.self) this.#needs.conduct.saw({ peer, verdict: "wrong", act: "read" });
    throw new HiveError("Corrupt", "guard.read", `${record.segment}/${index}`);
  }

  async store(
    { record, index, peer }: Berth,
    parcel: {
      readonly manifest: Manifest; readonly policy: Uint8Array | undefined;
      readonly bytes: Uint8Array;
    },
    signal: AbortSignal,
  ): Promise<void> {
    const { network, host } = this.#needs;
    const { manifest, policy, bytes } = parcel;
    if (peer !== this.self) {
      await network.store(peer, { record, manifest, index, policy }, bytes, { signal });
      return;
    }
    const told = { record: record.bytes, manifest: manifest.bytes, index };
    const text = policy === undefined ? {} : { policy };
    await host.store(this.asSelf, { ...told, ...text }, bytes);
  }
}
