/**
 * The face of this room: what peers have done for each other, as far as both have signed it, and
 * what follows. There is no token, no block chain and no coordinator: each pair keeps a chain of
 * its own, and each node judges by what leads from its own debts.
 *
 * Read entry.ts and chain.ts for what is signed, earning.ts and credit.ts for what it is worth,
 * standing.ts for who may have what, sanction.ts for what follows, settling.ts for the messages.
 */
import type { KeyValue } from "../base/blocks.ts";
import type { Clock } from "../base/clock.ts";
import type { OwnerId, PeerId } from "../base/ids.ts";
import { knownPeer } from "../base/known-peers.ts";
import type { LedgerHost, LedgerNetwork, Lender, Lodgers, ServiceTally } from "../base/ledger.ts";
import { limits } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { Step } from "../base/step.ts";
import type { LedgerView, OwedStatus } from "../base/views/peers.ts";
import type { PeerKeys } from "../crypt/ciphers/peer-key.ts";
import { Bank, type BankOptions } from "./bank.ts";
import { LedgerBooks } from "./books.ts";
import { Devices } from "./devices.ts";
import { Known } from "./known.ts";
import type { GoneShard } from "./message.ts";
import { rowOf } from "./rows.ts";
import { Settling } from "./settling.ts";
import { Tallies } from "./tallies.ts";

export interface LedgerNeeds {
  /** The ledger's own; the caller closes them. */
  readonly books: KeyValue;
  readonly keys: Pick<PeerKeys, "peer" | "sign">;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** What the vault keeps, and for whom. */
  readonly lodgers: () => Lodgers;
  readonly network: () => LedgerNetwork | undefined;
  /** A holder says that it let go of a shard of ours, for what we owe it. */
  readonly onGone?: (holder: PeerId, shard: GoneShard) => Promise<void>;
}

export interface LedgerOptions extends BankOptions {
  readonly settleEveryMs?: number;
}

export interface Ledger {
  readonly tally: ServiceTally;
  readonly lender: Lender;
  readonly host: LedgerHost;
  readonly step: Step;
  view(): LedgerView;
  /** What others say that we owe them; null when nobody does. */
  owed(): OwedStatus | null;
  /** Owners whose shards may go, one at a time. */
  overdue(): readonly OwnerId[];
  /** A shard of that owner went. */
  released(owner: OwnerId, shard: GoneShard): Promise<void>;
  /** Asks one peer now, whenever its turn would be. */
  settleWith(peer: PeerId): Promise<void>;
}

export async function openLedger(needs: LedgerNeeds, options: LedgerOptions): Promise<Ledger> {
  const { clock, random } = needs;
  const books = new LedgerBooks(needs.books);
  const shared = { ...needs, books, self: needs.keys.peer };
  const known = new Known(shared);
  const tallies = new Tallies({ books, clock });
  const devices = new Devices({ books, clock });
  const bank = new Bank({ ...shared, known, devices }, options);
  const { settleEveryMs = limits.ledger.settleEveryMs } = options;
  const parts = { ...shared, known, tallies, devices, bank };
  const settling = new Settling(parts, { book: await books.number(random), settleEveryMs });
  for (const part of [known, tallies, devices, bank, settling]) await part.open();
  return new PeerLedger({ ...parts, settling });
}

interface Parts extends Omit<LedgerNeeds, "books"> {
  readonly books: LedgerBooks;
  readonly known: Known;
  readonly tallies: Tallies;
  readonly devices: Devices;
  readonly bank: Bank;
  readonly settling: Settling;
}

class PeerLedger implements Ledger {
  readonly #parts: Parts;
  readonly step: Step;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.step = { name: "ledger", step: (signal) => this.#step(signal) };
  }

  get tally(): ServiceTally {
    return this.#parts.tallies;
  }

  get lender(): Lender {
    return this.#parts.bank;
  }

  get host(): LedgerHost {
    return this.#parts.settling;
  }

  async settleWith(peer: PeerId): Promise<void> {
    const network = this.#parts.network();
    if (network !== undefined) await this.#parts.settling.settleWith(peer, network);
  }

  overdue(): readonly OwnerId[] {
    return this.#parts.bank.overdue();
  }

  released(owner: OwnerId, shard: GoneShard): Promise<void> {
    return this.#parts.books.batch(this.#parts.bank.released(owner, shard));
  }

  owed(): OwedStatus | null {
    const told = [...this.#parts.settling.told().values()];
    if (told.length === 0) return null;
    const lacks = told.map(({ dueBytes, coveredBytes }) => Math.max(0, dueBytes - coveredBytes));
    return { peers: told.length, bytes: lacks.reduce((sum, lack) => sum + lack, 0) };
  }

  view(): LedgerView {
    const { bank, clock } = this.#parts;
    const standings = bank.standings(this.#dealtWith());
    const rows = [...standings].map(([peer, bytes]) => this.#rowOf(peer, bytes, clock.now()));
    rows.sort((one, other) => one.balanceBytes - other.balanceBytes);
    return { ratio: bank.ratio, rows };
  }

  async #step(signal: AbortSignal): Promise<"busy" | "idle"> {
    const { books, tallies, devices, bank, settling, lodgers } = this.#parts;
    await tallies.tend();
    const kept = lodgers();
    await books.batch([...devices.tend((owner) => kept.has(owner)), ...bank.look()]);
    return settling.step(signal);
  }

  #dealtWith(): ReadonlySet<PeerId> {
    const { known, tallies, devices, settling, lodgers, keys } = this.#parts;
    const pairs = [...known.own()].flatMap(({ entry }) => [entry.server, entry.client]);
    const guests = [...lodgers().keys()].flatMap((owner) => devices.of(owner));
    const all = new Set([...pairs, ...tallies.peers(), ...guests, ...settling.told().keys()]);
    all.delete(keys.peer);
    return all;
  }

  #rowOf(peer: PeerId, standingBytes: number, nowMs: number) {
    const { known, tallies, devices, bank, settling, lodgers, keys, network } = this.#parts;
    const kept = lodgers();
    const owners = devices.ownersOf(peer).filter((owner) => kept.has(owner));
    const met = network();
    const friend = met === undefined ? undefined : knownPeer(met, peer)?.friend;
    return rowOf({
      peer,
      forUs: known.of(peer, keys.peer),
      forIt: known.of(keys.peer, peer),
      openKiBHours: tallies.of(peer).kept / 3600,
      isFriend: friend === true,
      isFraud: known.isFraud(peer),
      standingBytes,
      accounts: owners.map((owner) => {
        return { account: bank.account(owner), sanction: bank.sanction(owner) };
      }),
      told: settling.told().get(peer),
    }, nowMs);
  }
}
