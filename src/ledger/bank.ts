/**
 * Lends a part of this node's vault to strangers: as much as their peers are good for, and a trial
 * for newcomers. It knows since when who owes, and what follows; it moves no data. Sums and
 * searches are pure (standing.ts, sanction.ts); here is what they are asked about.
 */
import type { KeyChange } from "../base/blocks.ts";
import { KiB } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import type { OwnerId, PeerId } from "../base/ids.ts";
import type { Lender, LoanRequest, Lodgers } from "../base/ledger.ts";
import { limits } from "../base/limits.ts";
import type { Requester } from "../base/network.ts";
import { type LedgerBooks, dropArrears, putArrears } from "./books.ts";
import type { Devices } from "./devices.ts";
import type { Known } from "./known.ts";
import type { Dunning, GoneShard } from "./message.ts";
import { type Account, type Arrears, type Sanction, arrearsOf, sanctionFor } from "./sanction.ts";
import { type Demand, Lending, type Trial, coveredBeside, noTrial } from "./standing.ts";

export interface BankNeeds {
  readonly self: PeerId;
  readonly books: LedgerBooks;
  readonly clock: Clock;
  readonly known: Known;
  readonly devices: Devices;
  readonly lodgers: () => Lodgers;
}

export interface BankOptions {
  /** GB kept for others that are asked for each GB of files; 0 asks for nothing. */
  readonly ratio: number;
  readonly quotaBytes: number;
  /** Other than limits.ledger.allowanceBytes, for a small machine or a test. */
  readonly allowanceBytes?: number;
}

interface Grant {
  readonly untilMs: number;
  leftBytes: number;
}

export class Bank implements Lender {
  readonly #needs: BankNeeds;
  readonly #options: BankOptions;
  readonly #grants = new Map<OwnerId, Grant>();
  /** Who was refused, on what was known then: asking again at once costs us no search. */
  readonly #refused = new Map<OwnerId, { readonly untilMs: number; readonly version: number }>();
  readonly #arrears = new Map<OwnerId, Arrears>();
  /** What was let go of each owner's, for its ears; forgotten once it was told. */
  readonly #gone = new Map<OwnerId, GoneShard[]>();
  /** Owners still to be looked at in this round. */
  #round: OwnerId[] = [];
  #roundMs = -Infinity;

  constructor(needs: BankNeeds, options: BankOptions) {
    this.#needs = needs;
    this.#options = options;
  }

  async open(): Promise<void> {
    for await (const arrears of this.#needs.books.arrears()) {
      this.#arrears.set(arrears.owner, arrears);
    }
  }

  get ratio(): number {
    return this.#options.ratio;
  }

  met(from: Requester): void {
    this.#needs.devices.met(from);
  }

  lends(asked: LoanRequest, lodgers: () => Lodgers): boolean {
    const { owner, bytes } = asked;
    if (this.#options.ratio === 0) return true;
    const nowMs = this.#needs.clock.monotonicMs();
    const grant = this.#grants.get(owner);
    if (grant !== undefined && grant.untilMs > nowMs && grant.leftBytes >= bytes) {
      grant.leftBytes -= bytes;
      return true;
    }
    this.#forgetOld(nowMs);
    if (this.#refused.get(owner)?.version === this.#needs.known.version) return false;
    const roomBytes = this.#roomBytes(asked, lodgers());
    if (roomBytes < bytes) return this.#refuse(owner, nowMs);
    const untilMs = nowMs + limits.ledger.grantMs;
    this.#grants.set(owner, { untilMs, leftBytes: roomBytes - bytes });
    return true;
  }

  /** What the drive owes if nobody else asked for anything: the kindest way to look at it. */
  account(owner: OwnerId): Account {
    const lodger = this.#needs.lodgers().get(owner);
    const dueKiB = this.#dueKiB(lodger?.bytes ?? 0);
    const isWelcome = lodger?.isWelcome === true || this.#options.ratio === 0;
    const trial = this.#trial();
    const isNewcomer = dueKiB <= trial.each;
    const asked = { amount: dueKiB, devices: this.#needs.devices.of(owner) };
    const coveredKiB = isWelcome || isNewcomer ? dueKiB : this.#covered(asked, []);
    return { isWelcome, dueBytes: dueKiB * KiB, coveredBytes: coveredKiB * KiB };
  }

  sanction(owner: OwnerId): Sanction {
    return sanctionFor(this.account(owner), this.#arrears.get(owner), this.#needs.clock.now());
  }

  /** For each peer: bytes of shards that it could have here, beyond any trial, were it alone. */
  standings(peers: Iterable<PeerId>): ReadonlyMap<PeerId, number> {
    const { self, known } = this.#needs;
    const lending = new Lending(self, known.debts(), noTrial);
    const perByte = this.#options.ratio === 0 ? 1 : this.#price();
    return new Map([...peers].map((peer) => [peer, lending.standing([peer]) * KiB / perByte]));
  }

  /** Owners whose shards may go, one at a time. */
  overdue(): readonly OwnerId[] {
    return [...this.#arrears.keys()].filter((owner) => this.sanction(owner).step === "release");
  }

  /** A shard of the owner went. */
  released(owner: OwnerId, shard: GoneShard): readonly KeyChange[] {
    const arrears = this.#arrears.get(owner);
    const gone = [...this.#gone.get(owner) ?? [], shard];
    this.#gone.set(owner, gone.slice(-limits.ledger.goneShown));
    if (arrears === undefined) return [];
    return [this.#put({ ...arrears, releasedAtMs: this.#needs.clock.now() })];
  }

  /** Of what was let go, all that these owners have not been told yet. */
  takeGone(owners: readonly OwnerId[]): readonly GoneShard[] {
    const gone = owners.flatMap((owner) => this.#gone.get(owner) ?? []);
    for (const owner of owners) this.#gone.delete(owner);
    return gone.slice(-limits.ledger.goneShown);
  }

  /** What a peer's drives owe here, for its ears; from now on they have been told. */
  tell(owners: readonly OwnerId[]): { owed: Dunning | undefined; changes: readonly KeyChange[] } {
    const nowMs = this.#needs.clock.now();
    const owing = owners.flatMap((owner) => this.#arrears.get(owner) ?? []);
    const accounts = owing.map(({ owner }) => this.account(owner));
    const changes = owing.filter(({ toldAtMs }) => toldAtMs === undefined)
      .map((arrears) => this.#put({ ...arrears, toldAtMs: nowMs }));
    if (owing.length === 0) return { owed: undefined, changes };
    const sum = (name: "dueBytes" | "coveredBytes"): number =>
      Math.floor(accounts.reduce((total, account) => total + account[name], 0));
    return { owed: { dueBytes: sum("dueBytes"), coveredBytes: sum("coveredBytes") }, changes };
  }

  /** Looks at a few of the drives: who owes since now, and who does so no more. */
  look(): readonly KeyChange[] {
    const nowMs = this.#needs.clock.now();
    this.#begin(nowMs);
    const changes: KeyChange[] = [];
    for (const owner of this.#round.splice(0, limits.ledger.looksPerStep)) {
      const before = this.#arrears.get(owner);
      const after = arrearsOf(owner, this.account(owner), before, nowMs);
      if (before === after) continue;
      if (after !== undefined) changes.push(this.#put(after));
      else if (this.#arrears.delete(owner)) changes.push(dropArrears(owner));
    }
    return changes;
  }

  #begin(nowMs: number): void {
    if (this.#round.length > 0 || this.#options.ratio === 0) return;
    if (Math.abs(nowMs - this.#roundMs) < limits.ledger.lookEveryMs) return;
    this.#roundMs = nowMs;
    this.#round = [...new Set([...this.#needs.lodgers().keys(), ...this.#arrears.keys()])];
  }

  #put(arrears: Arrears): KeyChange {
    this.#arrears.set(arrears.owner, arrears);
    return putArrears(arrears);
  }

  /** How many bytes this drive may have more, up to a grant, beside what all others have. */
  #roomBytes({ owner, bytes, prefix }: LoanRequest, lodgers: Lodgers): number {
    const hereBytes = lodgers.get(owner)?.bytes ?? 0;
    const { devices } = this.#needs;
    const others = [...lodgers].filter(([other, { isWelcome }]) => other !== owner && !isWelcome)
      .map(([other, lodger]): Demand => {
        const granted = this.#grants.get(other)?.leftBytes ?? 0;
        const amount = this.#dueKiB(lodger.bytes + granted);
        return { amount, devices: devices.of(other), prefix: lodger.prefix };
      });
    const amount = this.#dueKiB(hereBytes + bytes + limits.ledger.grantBytes);
    const covered = this.#covered({ amount, devices: devices.of(owner), prefix }, others);
    return Math.floor(covered * KiB / this.#price()) - hereBytes;
  }

  #covered(asked: Demand, others: readonly Demand[]): number {
    const { self, known } = this.#needs;
    return coveredBeside({ self, debts: known.debts(), trial: this.#trial(), others }, asked);
  }

  #trial(): Trial {
    const { newcomersShare, newcomersPrefixShare } = limits.ledger;
    const { quotaBytes, allowanceBytes = limits.ledger.allowanceBytes } = this.#options;
    const together = this.#dueKiB(quotaBytes * newcomersShare);
    const ofPrefix = together * newcomersPrefixShare;
    return { each: this.#dueKiB(allowanceBytes), ofPrefix, together };
  }

  #dueKiB(bytes: number): number {
    return bytes / KiB * this.#price();
  }

  /** Bytes kept for others all the time that are asked for a byte of shards. */
  #price(): number {
    const { shardsPerByte, thereShare } = limits.ledger;
    return this.#options.ratio / shardsPerByte * thereShare;
  }

  #refuse(owner: OwnerId, nowMs: number): false {
    const untilMs = nowMs + limits.ledger.refusalMs;
    if (this.#refused.size >= limits.vault.ownersMax) this.#refused.clear();
    this.#refused.set(owner, { untilMs, version: this.#needs.known.version });
    return false;
  }

  #forgetOld(nowMs: number): void {
    for (const answers of [this.#grants, this.#refused]) {
      for (const [owner, { untilMs }] of answers) if (untilMs <= nowMs) answers.delete(owner);
    }
  }
}
