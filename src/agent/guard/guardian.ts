/**
 * Guards the groups that this node is a member of, with or without a drive of its own, while their
 * owners are away: watches its fellows and leads when it is drawn to, in one step, and in another,
 * that can be held back, mends what falls to it. Where any of the owner's machines is there, it is
 * left to that. It has no key of the owner's.
 */
import type { KeyValue } from "../../base/blocks.ts";
import { agentKeys } from "../../base/book-keys.ts";
import { booksUnder } from "../../base/books-under.ts";
import type { Clock } from "../../base/clock.ts";
import { isFault } from "../../base/errors.ts";
import type { GuardHost, GuardNetwork } from "../../base/guard.ts";
import { type PeerId, type SegmentId, parseSegmentId } from "../../base/ids.ts";
import { isOnline } from "../../base/known-peers.ts";
import { limits } from "../../base/limits.ts";
import { type Log, describe } from "../../base/log.ts";
import type { PeerNetwork, ShardHost } from "../../base/network.ts";
import type { Random } from "../../base/random.ts";
import type { SegmentRecord } from "../../base/records.ts";
import type { Step } from "../../base/step.ts";
import type { PeerKeys } from "../../crypt/ciphers/peer-key.ts";
import type { Coder } from "../../erasure/erasure.ts";
import { type Standing, seatsOf } from "../../guard/log.ts";
import type { Notices } from "../../guard/notices.ts";
import { shardOfSeat } from "../../placement/draws/seats.ts";
import type { Policy } from "../../placement/language/policy.ts";
import type { GroupShelf } from "../../vault/shelf.ts";
import { Reach } from "../asking/guard-reach.ts";
import { Conduct } from "../conduct/conduct.ts";
import { domainsOf } from "../conduct/looking.ts";
import { GuardAnswers } from "./guard-answers.ts";
import { Duty } from "./guard-duty.ts";
import { Lead } from "./guard-lead.ts";
import { Rota } from "./rota.ts";

export interface GuardianNeeds {
  readonly network: PeerNetwork & GuardNetwork;
  readonly host: ShardHost;
  readonly shelf: GroupShelf;
  readonly books: KeyValue;
  readonly coder: Coder;
  readonly notices: Notices;
  /** Whether a drive of this node's has given this peer a seat. */
  readonly isMember: (peer: PeerId) => Promise<boolean>;
  readonly keys: Pick<PeerKeys, "peer" | "sign">;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface GuardianOptions {
  readonly deadAfterMs: number;
  /** How often a fellow is asked for a sign of life, and every segment gone through. */
  readonly intervalMs: number;
  /** All members must have the same; limits.guard.leaseMs when absent. */
  readonly leaseMs?: number;
}

export interface Guardian {
  readonly answers: GuardHost;
  /** Small questions alone, some of which cannot wait. */
  readonly watch: Step;
  /** Moves shards: whoever shares the line may hold it back. */
  readonly mend: Step;
  /** Shards that this node brought where they belong. */
  readonly mended: number;
}

export async function openGuardian(
  needs: GuardianNeeds, options: GuardianOptions,
): Promise<Guardian> {
  const domains = () => domainsOf(needs.network.peers());
  const books = booksUnder(needs.books, agentKeys.guard);
  const { deadAfterMs } = options;
  const conduct = new Conduct({ clock: needs.clock, books, domains }, { deadAfterMs });
  await conduct.open();
  return new GroupGuardian({ ...needs, conduct }, options);
}

class GroupGuardian implements Guardian {
  readonly answers: GuardHost;
  readonly watch: Step = { name: "guard", step: (signal) => this.#watch(signal) };
  readonly mend: Step = { name: "guard.mend", step: (signal) => this.#mendSome(signal) };
  readonly #needs: GuardianNeeds & { readonly conduct: Conduct };
  readonly #options: GuardianOptions;
  readonly #reach: Reach;
  readonly #lead: Lead;
  readonly #duty: Duty;
  readonly #lookEveryMs: number;
  #groups: readonly Standing[] = [];
  /** Each with one of the groups that it is in. */
  #fellows: ReadonlyMap<PeerId, Standing> = new Map();
  #lookedAtMs = -Infinity;
  readonly #watched = new Rota(limits.guard.groupsPerStep);
  readonly #tended = new Rota(limits.guard.groupsPerStep);
  /** When each fellow was last asked for a sign of life. */
  readonly #asked = new Map<PeerId, number>();

  constructor(
    needs: GuardianNeeds & { readonly conduct: Conduct }, options: GuardianOptions,
  ) {
    const leaseMs = options.leaseMs ?? limits.guard.leaseMs;
    const { clock, network, keys, shelf, notices } = needs;
    this.#needs = needs;
    this.#options = options;
    this.#lookEveryMs = Math.min(limits.guard.lookEveryMs, leaseMs);
    const answers = new GuardAnswers({
      shelf, keys, clock, notices,
      known: () => this.#reach.known(),
      isDead: (peer) => this.#reach.isDead(peer),
      hasSeat: (peer) => this.#fellows.has(peer) || needs.isMember(peer),
      onNews: () => this.#lookedAtMs = -Infinity,
    }, { leaseMs });
    this.answers = answers;
    this.#reach = new Reach(needs, answers);
    const parts = { ...needs, reach: this.#reach, offer: () => network.offer() };
    this.#lead = new Lead(parts, { leaseMs });
    const sync: Lead["sync"] = (...told) => this.#lead.sync(...told);
    this.#duty = new Duty({ ...parts, sync }, { ...options, leaseMs });
  }

  get mended(): number {
    return this.#duty.mended;
  }

  async #watch(signal: AbortSignal): Promise<"busy" | "idle"> {
    const turn = this.#turnOf(this.#watched);
    await this.#look(turn, signal);
    await this.#sense(signal);
    return this.#each(turn, signal, async (standing) => {
      return await this.#lead.step(standing, signal) > 0;
    });
  }

  #mendSome(signal: AbortSignal): Promise<"busy" | "idle"> {
    return this.#each(this.#turnOf(this.#tended), signal, async (standing, policy) => {
      const mended = await this.#duty.step(standing, policy, signal);
      return mended > 0 || this.#duty.isBusy(standing);
    });
  }

  /** Which groups there are, and what one fellow of each knows of it. */
  async #look(turn: readonly Standing[], signal: AbortSignal): Promise<void> {
    const { clock, shelf } = this.#needs;
    const everyMs = this.#lookEveryMs + this.#groups.length * limits.guard.lookPerGroupMs;
    if (Math.abs(clock.monotonicMs() - this.#lookedAtMs) < everyMs) return;
    this.#lookedAtMs = clock.monotonicMs();
    for (const standing of turn) {
      const peer = this.#anyFellow(standing);
      if (peer !== undefined) await this.#lead.sync(standing, peer, signal);
    }
    this.#groups = await shelf.all();
    this.#fellows = this.#fellowsOf(this.#groups);
    const names = new Set(this.#groups.map(({ manifest }) => manifest.group));
    this.#duty.forgetBut(names);
  }

  #fellowsOf(groups: readonly Standing[]): ReadonlyMap<PeerId, Standing> {
    const fellows = new Map<PeerId, Standing>();
    for (const standing of groups) {
      for (const peer of seatsOf(standing)) fellows.set(peer, standing);
    }
    fellows.delete(this.#reach.self);
    return fellows;
  }

  /** A few of those that have lost somebody or will, and a few of all: each of them in turn. */
  #turnOf(rota: Rota): readonly Standing[] {
    const dead = [...this.#fellows.keys()].filter((peer) => this.#reach.isDead(peer));
    const going = new Set([...dead, ...this.#needs.notices.peers()]);
    const troubled = this.#groups.filter((standing) => {
      return going.size > 0 && seatsOf(standing).some((peer) => going.has(peer));
    });
    return rota.turn(troubled, this.#groups);
  }

  /** Every fellow is asked for a leaf now and then: a proof is the pulse. */
  async #sense(signal: AbortSignal): Promise<void> {
    const { conduct, clock } = this.#needs;
    const nowMs = clock.now();
    const fellows = this.#fellows;
    const due = [...fellows].filter(([peer]) => {
      return Math.abs(nowMs - (this.#asked.get(peer) ?? -Infinity)) >= this.#options.intervalMs;
    });
    // Whom somebody made up costs a dial in vain: who is there does not wait behind those.
    due.sort(([one], [other]) => Number(this.#isNear(other)) - Number(this.#isNear(one)));
    await Promise.all(due.slice(0, limits.guard.fellowsPerStep).map(async ([peer, standing]) => {
      this.#asked.set(peer, nowMs);
      await this.#feel(standing, peer, signal);
    }));
    for (const peer of this.#asked.keys()) if (!fellows.has(peer)) this.#asked.delete(peer);
    conduct.look(fellows.keys(), () => true);
    await conduct.save();
  }

  /** It is connected, or answered when it was last asked. */
  #isNear(peer: PeerId): boolean {
    return this.#reach.isOnline(peer) || this.#reach.isThere(peer);
  }

  async #feel(standing: Standing, peer: PeerId, signal: AbortSignal): Promise<void> {
    const record = await this.#anyRecord(standing);
    if (record === undefined) return;
    const index = shardOfSeat(record, seatsOf(standing).indexOf(peer));
    await this.#reach.ask({ record, index, peer }, 1, signal);
  }

  async #anyRecord({ manifest }: Standing): Promise<SegmentRecord | undefined> {
    const { shelf, random } = this.#needs;
    const from = parseSegmentId(random.bytes(32).toString("hex"));
    const first = async (after?: SegmentId): Promise<SegmentRecord | undefined> => {
      for await (const record of shelf.records(manifest, after)) return record;
      return undefined;
    };
    return await first(from) ?? await first();
  }

  /** Those of them whose owners are away; busy if anything was done. */
  async #each(
    groups: readonly Standing[], signal: AbortSignal,
    act: (standing: Standing, policy: Policy) => Promise<boolean>,
  ): Promise<"busy" | "idle"> {
    const { shelf, log } = this.#needs;
    let isBusy = false;
    for (const { manifest } of groups) {
      const standing = await shelf.find(manifest);
      if (standing === undefined || await this.#isOwnerThere(standing)) continue;
      const policy = await shelf.policyOf(standing.manifest);
      if (policy === undefined) continue;
      try {
        isBusy = await act(standing, policy) || isBusy;
      } catch (error) {
        signal.throwIfAborted();
        if (!isFault(error)) throw error;
        log.warn("guard.failed", { group: manifest.group, why: describe(error) });
      }
    }
    return isBusy ? "busy" : "idle";
  }

  async #isOwnerThere({ manifest: { owner } }: Standing): Promise<boolean> {
    const { shelf, network } = this.#needs;
    const devices = await shelf.devicesOf(owner);
    if (devices.has(network.self)) return true;
    return [...devices].some((peer) => isOnline(network, peer));
  }

  #anyFellow(standing: Standing): PeerId | undefined {
    const there = seatsOf(standing).filter((peer) => {
      return peer !== this.#reach.self && this.#reach.isThere(peer);
    });
    return there.length === 0 ? undefined : there[this.#needs.random.below(there.length)];
  }
}
