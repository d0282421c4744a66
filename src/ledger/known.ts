/**
 * Every entry that this node knows, its own and others', with what it is worth, and who was caught
 * writing two. In memory, bounded, and written through to the books. It believes nothing that is
 * not signed by both, and keeps of strangers' entries only what our own debts lead to.
 */
import type { KeyChange } from "../base/blocks.ts";
import { asBuffer, sameBytes } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import type { PeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import { type LedgerBooks, dropCredit, dropFraud, putCredit, putFraud } from "./books.ts";
import { newerOf } from "./chain.ts";
import { type Credit, credited, keptKiB } from "./credit.ts";
import { type Entry, type Fraud, fraudOf, isDouble } from "./entry.ts";
import { type Debt, withinReach } from "./standing.ts";

/** Of a signature, enough to tell it from all others. */
const endBytes = 16;

export interface KnownNeeds {
  readonly self: PeerId;
  readonly books: LedgerBooks;
  readonly clock: Clock;
  readonly log: Log;
}

export class Known {
  readonly #needs: KnownNeeds;
  readonly #credits = new Map<string, Credit>();
  /** The same entries by the end of their bytes, which is a signature: no two have the same. */
  readonly #byEnd = new Map<string, Entry>();
  readonly #frauds = new Map<PeerId, Fraud>();
  #own = 0;
  #version = 0;
  #debts: { readonly atMs: number; readonly reached: readonly Debt[] } | undefined;

  constructor(needs: KnownNeeds) {
    this.#needs = needs;
  }

  async open(): Promise<void> {
    for await (const fraud of this.#needs.books.frauds()) this.#frauds.set(fraud.peer, fraud);
    for await (const credit of this.#needs.books.credits()) this.#set(credit);
  }

  of(server: PeerId, client: PeerId): Credit | undefined {
    return this.#credits.get(keyOf({ server, client }));
  }

  /** The entry, when these very bytes were checked before; most of what peers show was. */
  recognise(bytes: Uint8Array): Entry | undefined {
    const known = this.#byEnd.get(endOf(bytes));
    return known !== undefined && sameBytes(known.bytes, bytes) ? known : undefined;
  }

  /** Another number whenever something is known that was not known before. */
  get version(): number {
    return this.#version;
  }

  /** Those that this node is part of. */
  *own(): Generator<Credit> {
    for (const credit of this.#credits.values()) if (this.#isOwn(credit.entry)) yield credit;
  }

  isFraud(peer: PeerId): boolean {
    return this.#frauds.has(peer);
  }

  frauds(): readonly Fraud[] {
    return [...this.#frauds.values()];
  }

  /** The graph of debts as far as it is looked at, a moment ago. */
  debts(): readonly Debt[] {
    const nowMs = this.#needs.clock.now();
    const fresh = this.#debts !== undefined &&
      Math.abs(nowMs - this.#debts.atMs) < limits.ledger.lookEveryMs;
    if (!fresh || this.#debts === undefined) {
      this.#debts = { atMs: nowMs, reached: withinReach(this.#needs.self, this.#all(nowMs)) };
    }
    return this.#debts.reached;
  }

  /** The changes by which the books learn of it; empty when it is nothing new. */
  take(entry: Entry): readonly KeyChange[] {
    const before = this.of(entry.server, entry.client);
    if (before !== undefined && isDouble(before.entry.admission, entry.admission)) {
      return this.expose(fraudOf(before.entry.admission, entry.admission));
    }
    if (newerOf(before?.entry, entry) !== entry) return [];
    const room = before === undefined ? this.#makeRoom(entry) : [];
    if (room === undefined) return [];
    const credit = credited(before, entry);
    this.#set(credit);
    return [...room, putCredit(credit)];
  }

  expose(fraud: Fraud): readonly KeyChange[] {
    const { self, log } = this.#needs;
    if (this.#frauds.has(fraud.peer)) return [];
    if (fraud.peer === self) {
      log.error("ledger.books-restored", { peer: self });
      return [];
    }
    const room = this.#makeFraudRoom(fraud);
    if (room === undefined) return [];
    log.warn("ledger.fraud", { peer: fraud.peer });
    this.#frauds.set(fraud.peer, fraud);
    this.#changed();
    return [...room, putFraud(fraud)];
  }

  /** Names cost nothing: who is in no entry here makes room for one who is, and for no other. */
  #makeFraudRoom({ peer }: Fraud): readonly KeyChange[] | undefined {
    if (this.#frauds.size < limits.ledger.fraudsMax) return [];
    const parties = new Set([...this.#credits.values()].flatMap(({ entry }) => {
      return [entry.server, entry.client];
    }));
    const idle = [...this.#frauds.keys()].find((one) => !parties.has(one));
    if (idle === undefined || !parties.has(peer)) return undefined;
    this.#frauds.delete(idle);
    return [dropFraud(idle)];
  }

  #set(credit: Credit): void {
    const key = keyOf(credit.entry);
    if (!this.#credits.has(key) && this.#isOwn(credit.entry)) this.#own++;
    this.#forget(key);
    this.#credits.set(key, credit);
    this.#byEnd.set(endOf(credit.entry.bytes), credit.entry);
    this.#changed();
  }

  #forget(key: string): void {
    const known = this.#credits.get(key);
    if (known !== undefined) this.#byEnd.delete(endOf(known.entry.bytes));
    this.#credits.delete(key);
  }

  #changed(): void {
    this.#debts = undefined;
    this.#version++;
  }

  /** Undefined when there is none for this one. */
  #makeRoom(entry: Entry): readonly KeyChange[] | undefined {
    if (this.#isOwn(entry)) return this.#own < limits.ledger.pairsMax ? [] : undefined;
    if (this.#credits.size - this.#own < limits.ledger.entriesMax) return [];
    const reached = new Set(this.debts().map(({ server }) => server));
    const gone = [...this.#credits.values()].filter(({ entry: one }) => {
      return !this.#isOwn(one) && !reached.has(one.client);
    });
    for (const one of gone) this.#forget(keyOf(one.entry));
    return gone.length === 0 ? undefined : gone.map(({ entry: one }) => dropCredit(one));
  }

  /** Whoever wrote two of one place owes nobody anything that counts, and is owed nothing. */
  *#all(nowMs: number): Generator<Debt> {
    for (const credit of this.#credits.values()) {
      const { server, client } = credit.entry;
      if (this.#frauds.has(server) || this.#frauds.has(client)) continue;
      yield { client, server, amount: keptKiB(credit, nowMs) };
    }
  }

  #isOwn({ server, client }: { readonly server: PeerId; readonly client: PeerId }): boolean {
    return server === this.#needs.self || client === this.#needs.self;
  }
}

function endOf(bytes: Uint8Array): string {
  return asBuffer(bytes).toString("latin1", Math.max(0, bytes.length - endBytes));
}

function keyOf({ server, client }: { readonly server: PeerId; readonly client: PeerId }): string {
  return `${server}/${client}`;
}
