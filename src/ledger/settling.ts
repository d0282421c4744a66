/**
 * How two books agree. A client asks its server for the newest entry of what that one did for it;
 * only when it has heard it does it write the next, signs it, and sends the very same again until
 * the server's signature is there. So nobody honest ever signs two entries for one place, whatever
 * is lost on the way, and books that are empty heal from the other side's.
 */
import type { KeyChange } from "../base/blocks.ts";
import type { Clock } from "../base/clock.ts";
import { HiveError, isFault } from "../base/errors.ts";
import { Gate } from "../base/gate.ts";
import type { PeerId } from "../base/ids.ts";
import type { LedgerHost, LedgerNetwork, Lodgers } from "../base/ledger.ts";
import { limits } from "../base/limits.ts";
import { type Log, describe } from "../base/log.ts";
import type { Requester } from "../base/network.ts";
import type { Step } from "../base/step.ts";
import { Turnstile } from "../base/turnstile.ts";
import type { PeerKeys } from "../crypt/ciphers/peer-key.ts";
import type { Bank } from "./bank.ts";
import { type LedgerBooks, dropPending, putPending } from "./books.ts";
import { nextOf, replyTo } from "./chain.ts";
import { keptKiB } from "./credit.ts";
import { type Admission, type Entry, acceptAdmission, parseEntry } from "./entry.ts";
import { signAdmission } from "./entry.ts";
import type { Known } from "./known.ts";
import { type Answer, type Dunning, type GoneShard, type Shown } from "./message.ts";
import { encodeAnswer, encodeQuestion, parseAnswer, parseQuestion } from "./message.ts";
import type { Tallies } from "./tallies.ts";

export interface SettlingNeeds {
  readonly keys: Pick<PeerKeys, "peer" | "sign">;
  readonly books: LedgerBooks;
  readonly clock: Clock;
  readonly log: Log;
  readonly known: Known;
  readonly tallies: Tallies;
  readonly bank: Bank;
  readonly lodgers: () => Lodgers;
  /** Undefined while the network is being opened. */
  readonly network: () => LedgerNetwork | undefined;
  /** A holder says that it let go of a shard of ours, for what we owe it. */
  readonly onGone?: ((holder: PeerId, shard: GoneShard) => Promise<void>) | undefined;
}

export interface Told extends Dunning {
  readonly atMs: number;
}

export class Settling implements LedgerHost, Step {
  readonly name = "ledger.settle";
  readonly #needs: SettlingNeeds;
  readonly #book: string;
  readonly #settleEveryMs: number;
  /** What we admit next and no server has signed yet. */
  readonly #pending = new Map<PeerId, Admission>();
  /** Servers that told us their newest entry since this node started. */
  readonly #heard = new Set<PeerId>();
  readonly #dueMs = new Map<PeerId, number>();
  readonly #told = new Map<PeerId, Told>();
  readonly #turnstile: Turnstile;
  /** One change of the books at a time. */
  readonly #turn = new Gate({ seats: 1, queueMax: limits.ledger.settles.perMinuteMax });

  readonly #entryIn = (bytes: Uint8Array): Entry =>
    this.#needs.known.recognise(bytes) ?? parseEntry(bytes);

  constructor(
    needs: SettlingNeeds, options: { readonly book: string; readonly settleEveryMs: number },
  ) {
    this.#needs = needs;
    this.#book = options.book;
    this.#settleEveryMs = options.settleEveryMs;
    this.#turnstile = new Turnstile(needs.clock, limits.ledger.settles);
  }

  async open(): Promise<void> {
    for await (const admission of this.#needs.books.pending()) {
      this.#pending.set(admission.server, admission);
    }
  }

  /** What others said that our drives owe them, as long as they say so. */
  told(): ReadonlyMap<PeerId, Told> {
    const sinceMs = this.#needs.clock.now() - limits.ledger.toldMs;
    return new Map([...this.#told].filter(([, { atMs }]) => atMs >= sinceMs));
  }

  async settle(from: Requester, message: Uint8Array): Promise<Uint8Array> {
    if (!this.#turnstile.lets(from)) throw new HiveError("Busy", "ledger.settle", from.peer);
    const question = parseQuestion(message, this.#entryIn);
    using _turn = await this.#turn.enter();
    if (this.#isLodger(from)) this.#needs.bank.met(from);
    await this.#hear(from.peer, question);
    await this.#reply(from, question.next);
    const { owed, changes } = this.#needs.bank.tell(from.owners);
    await this.#needs.books.batch(changes);
    const newest = this.#needs.known.of(this.#needs.keys.peer, from.peer)?.entry;
    const gone = this.#needs.bank.takeGone(from.owners);
    return encodeAnswer({ ...this.#shown(newest), owed, gone });
  }

  async step(signal: AbortSignal): Promise<"busy" | "idle"> {
    const network = this.#needs.network();
    if (network === undefined) return "idle";
    const due = this.#duePeers(network);
    for (const peer of due) {
      signal.throwIfAborted();
      await this.#quietly(peer, this.settleWith(peer, network, signal));
    }
    return due.length === limits.ledger.settlesPerStep ? "busy" : "idle";
  }

  /** Hears the newest entry first, then shows what we have, and the next one if there is one. */
  async settleWith(peer: PeerId, network: LedgerNetwork, signal?: AbortSignal): Promise<void> {
    const isFirst = !this.#heard.has(peer);
    if (isFirst) await this.#ask(peer, undefined, network, signal);
    const next = await this.#next(peer);
    if (isFirst && next === undefined) return;
    await this.#ask(peer, next, network, signal);
  }

  async #ask(
    peer: PeerId, next: Admission | undefined, network: LedgerNetwork,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const newest = this.#needs.known.of(peer, this.#needs.keys.peer)?.entry;
    const question = encodeQuestion({ ...this.#shown(newest), next });
    const message = await network.settle(peer, question, { signal });
    const answer = parseAnswer(message, this.#entryIn);
    await this.#heed(peer, answer);
    using _turn = await this.#turn.enter();
    await this.#hear(peer, answer);
    this.#heard.add(peer);
  }

  /** What we owe the peer, and what it let go of for that, as it says. */
  async #heed(peer: PeerId, { owed, gone }: Answer): Promise<void> {
    const owing = owed !== undefined || this.#told.has(peer);
    for (const shard of owing ? gone : []) await this.#needs.onGone?.(peer, shard);
    if (owed === undefined) this.#told.delete(peer);
    else this.#told.set(peer, { ...owed, atMs: this.#needs.clock.now() });
  }

  /** Durable before it leaves: what was signed once is what is sent again. */
  async #next(server: PeerId): Promise<Admission | undefined> {
    using _turn = await this.#turn.enter();
    const { keys, clock, known, tallies, books } = this.#needs;
    const waiting = this.#pending.get(server);
    const counts = tallies.due(server);
    if (waiting !== undefined || counts === undefined) return waiting;
    const newest = known.of(server, keys.peer)?.entry;
    const told = nextOf({ server, newest, book: this.#book, nowMs: clock.now() }, counts);
    const admission = signAdmission(keys, told);
    await books.batch([putPending(admission), tallies.admitted(server, counts)]);
    this.#pending.set(server, admission);
    return admission;
  }

  /** Within a turn: what a peer shows, of pairs that it is part of. */
  async #hear(teller: PeerId, { newest, entries, frauds }: Shown): Promise<void> {
    const { known, books } = this.#needs;
    const shown = newest === undefined ? entries : [newest, ...entries];
    const own = shown.filter(({ server, client }) => server === teller || client === teller);
    const changes = [
      ...own.flatMap((entry) => known.take(entry)), ...frauds.flatMap((one) => known.expose(one)),
      ...own.flatMap((entry) => this.#settled(entry)),
    ];
    await books.batch(changes);
  }

  /** An entry of ours that its server signed: what we proposed is there, or came too late. */
  #settled({ server, client, number }: Entry): readonly KeyChange[] {
    const pending = this.#pending.get(server);
    const isOver = client === this.#needs.keys.peer &&
      pending !== undefined && pending.number <= number;
    return isOver && this.#pending.delete(server) ? [dropPending(server)] : [];
  }

  /** Within a turn: signs what follows, and writes it down before anybody is told. */
  async #reply(from: Requester, next: Admission | undefined): Promise<void> {
    if (next === undefined) return;
    const { keys, known, clock, books } = this.#needs;
    const newest = known.of(keys.peer, from.peer)?.entry;
    if (newest === undefined && !this.#isLodger(from)) {
      throw new HiveError("Denied", "ledger.settle", "nothing of yours is here");
    }
    const where = { self: keys.peer, from: from.peer, nowMs: clock.now() };
    const reply = replyTo(next, newest, where);
    if (reply.do === "expose") await books.batch(known.expose(reply.fraud));
    if (reply.do === "accept") await books.batch(known.take(acceptAdmission(keys, next)));
  }

  #isLodger({ owners }: Requester): boolean {
    const kept = this.#needs.lodgers();
    return owners.some((owner) => kept.has(owner));
  }

  /** The largest of both kinds: what we are owed, and what we owe. */
  #shown(newest: Entry | undefined): Shown {
    const { known, keys, clock } = this.#needs;
    const nowMs = clock.now();
    const half = limits.ledger.entriesShown / 2;
    const own = [...known.own()]
      .sort((one, other) => keptKiB(other, nowMs) - keptKiB(one, nowMs))
      .map(({ entry }) => entry);
    const owed = own.filter(({ server }) => server === keys.peer).slice(0, half);
    const owing = own.filter(({ client }) => client === keys.peer).slice(0, half);
    const frauds = known.frauds().slice(-limits.ledger.fraudsShown);
    return { newest, entries: [...owed, ...owing], frauds };
  }

  #duePeers(network: LedgerNetwork): readonly PeerId[] {
    const nowMs = this.#needs.clock.monotonicMs();
    const online = new Set(network.peers().filter((peer) => peer.online)
      .map(({ offer }) => offer.peer));
    const candidates = new Set([...this.#needs.tallies.peers(), ...this.#pending.keys()]);
    const due = [...candidates].filter((peer) => {
      return online.has(peer) && (this.#dueMs.get(peer) ?? 0) <= nowMs;
    });
    return due.slice(0, limits.ledger.settlesPerStep);
  }

  async #quietly(peer: PeerId, work: Promise<void>): Promise<void> {
    const { clock, log } = this.#needs;
    this.#dueMs.set(peer, clock.monotonicMs() + this.#settleEveryMs);
    try {
      await work;
    } catch (error) {
      if (!isFault(error)) throw error;
      const restMs = Math.min(limits.ledger.settleRestMs, this.#settleEveryMs);
      this.#dueMs.set(peer, clock.monotonicMs() + restMs);
      log.debug("ledger.settle.failed", { peer, why: describe(error) });
    }
  }
}
