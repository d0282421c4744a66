/**
 * Guards the groups that this node is a member of, with or without a drive of its own, while their
 * owners are away: watches its fellows, leads when it is drawn to, and mends what falls to it.
 * Where the owner's own machine is there, it is left to that. It has no key of the owner's.
 */
import type { KeyValue } from "../base/blocks.ts";
import type { Clock } from "../base/clock.ts";
import { isFault } from "../base/errors.ts";
import type { GuardHost, GuardNetwork } from "../base/guard.ts";
import { type PeerId, type SegmentId, parseSegmentId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { type Log, describe } from "../base/log.ts";
import type { PeerNetwork, ShardHost } from "../base/network.ts";
import type { Random } from "../base/random.ts";
import type { SegmentRecord } from "../base/records.ts";
import type { Step } from "../base/step.ts";
import type { PeerKeys } from "../crypt/peer-key.ts";
import type { Coder } from "../erasure/erasure.ts";
import { type Standing, seatsOf } from "../guard/log.ts";
import type { Notices } from "../guard/notices.ts";
import { shardOfSeat } from "../placement/seats.ts";
import type { GroupShelf } from "../vault/shelf.ts";
import { Conduct } from "./conduct.ts";
import { GuardAnswers } from "./guard-answers.ts";
import { Duty } from "./guard-duty.ts";
import { Lead } from "./guard-lead.ts";
import { Reach } from "./guard-reach.ts";
import { domainsOf } from "./looking.ts";
import { booksUnder } from "./own-books.ts";

export interface GuardianNeeds {
  readonly network: PeerNetwork & GuardNetwork;
  readonly host: ShardHost;
  readonly shelf: GroupShelf;
  readonly books: KeyValue;
  readonly coder: Coder;
  readonly notices: Notices;
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

export interface Guardian extends Step {
  readonly answers: GuardHost;
  /** Shards that this node brought where they belong. */
  readonly mended: number;
}

export async function openGuardian(
  needs: GuardianNeeds, options: GuardianOptions,
): Promise<Guardian> {
  const domains = () => domainsOf(needs.network.peers());
  const books = booksUnder(needs.books, "guard/");
  const { deadAfterMs } = options;
  const conduct = new Conduct({ clock: needs.clock, books, domains }, { deadAfterMs });
  await conduct.open();
  return new GroupGuardian({ ...needs, conduct }, options);
}

class GroupGuardian implements Guardian {
  readonly name = "guard";
  readonly answers: GuardHost;
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
  #next = 0;
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

  async step(signal: AbortSignal): Promise<"busy" | "idle"> {
    await this.#look(signal);
    await this.#sense(signal);
    let done = 0;
    for (const standing of this.#turnOf()) done += await this.#guard(standing, signal);
    return done > 0 ? "busy" : "idle";
  }

  /** Which groups there are, and what one fellow of each knows of it. */
  async #look(signal: AbortSignal): Promise<void> {
    const { clock, shelf } = this.#needs;
    const everyMs = this.#lookEveryMs + this.#groups.length * limits.guard.lookPerGroupMs;
    if (Math.abs(clock.monotonicMs() - this.#lookedAtMs) < everyMs) return;
    this.#lookedAtMs = clock.monotonicMs();
    for (const standing of this.#turnOf()) {
      const peer = this.#anyFellow(standing);
      if (peer !== undefined) await this.#lead.sync(standing, peer, signal);
    }
    this.#groups = await shelf.all();
    this.#fellows = this.#fellowsOf(this.#groups);
    const names = new Set(this.#groups.map(({ manifest }) => manifest.group));
    this.#lead.forgetBut(names);
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
  #turnOf(): readonly Standing[] {
    const dead = [...this.#fellows.keys()].filter((peer) => this.#reach.isDead(peer));
    const going = new Set([...dead, ...this.#needs.notices.peers()]);
    const troubled = this.#groups.filter((standing) => {
      return going.size > 0 && seatsOf(standing).some((peer) => going.has(peer));
    });
    const turn = new Set([...this.#few(troubled), ...this.#few(this.#groups)]);
    this.#next += limits.guard.groupsPerStep;
    return [...turn];
  }

  #few(groups: readonly Standing[]): readonly Standing[] {
    const count = Math.min(limits.guard.groupsPerStep, groups.length);
    return Array.from({ length: count }, (_, at) => {
      return groups[(this.#next + at) % groups.length] as Standing;
    });
  }

  /** Every fellow is asked for a leaf now and then: a proof is the pulse. */
  async #sense(signal: AbortSignal): Promise<void> {
    const { conduct, clock } = this.#needs;
    const nowMs = clock.now();
    const fellows = this.#fellows;
    const due = [...fellows].filter(([peer]) => {
      return Math.abs(nowMs - (this.#asked.get(peer) ?? -Infinity)) >= this.#options.intervalMs;
    });
    await Promise.all(due.slice(0, limits.guard.fellowsPerStep).map(async ([peer, standing]) => {
      this.#asked.set(peer, nowMs);
      await this.#feel(standing, peer, signal);
    }));
    for (const peer of this.#asked.keys()) if (!fellows.has(peer)) this.#asked.delete(peer);
    conduct.look(fellows.keys(), () => true);
    await conduct.save();
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

  async #guard(known: Standing, signal: AbortSignal): Promise<number> {
    const { shelf, log } = this.#needs;
    const standing = await shelf.find(known.manifest);
    if (standing === undefined || await this.#isOwnerThere(standing)) return 0;
    const { group } = standing.manifest;
    const policy = await shelf.policyOf(standing.manifest);
    if (policy === undefined) return 0;
    try {
      const accepted = await this.#lead.step(standing, signal);
      const now = await shelf.find(known.manifest) ?? standing;
      const mended = await this.#duty.step(now, policy, signal);
      return accepted + mended + (this.#duty.isBusy(now) ? 1 : 0);
    } catch (error) {
      signal.throwIfAborted();
      if (!isFault(error)) throw error;
      log.warn("guard.failed", { group, why: describe(error) });
      return 0;
    }
  }

  async #isOwnerThere({ manifest: { owner } }: Standing): Promise<boolean> {
    const { shelf, network } = this.#needs;
    const device = await shelf.deviceOf(owner);
    if (device === network.self) return true;
    return network.peers().some(({ offer, online }) => offer.peer === device && online);
  }

  #anyFellow(standing: Standing): PeerId | undefined {
    const there = seatsOf(standing).filter((peer) => {
      return peer !== this.#reach.self && this.#reach.isThere(peer);
    });
    return there.length === 0 ? undefined : there[this.#needs.random.below(there.length)];
  }
}
