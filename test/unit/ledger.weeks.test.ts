/**
 * Weeks of a town in virtual time, with the ledgers that nodes run: honest peers that come and go
 * and grow, one of them on holiday, takers, and a ring of made-up peers that sign each other
 * terabytes. Honest peers find room and owe nothing; all others together cost a giver no more than
 * the newcomers' share of its quota.
 */
import { test } from "tap";
import { GiB, MiB } from "../../src/base/bytes.ts";
import type { Clock } from "../../src/base/clock.ts";
import type { OwnerId, PeerId, SegmentId } from "../../src/base/ids.ts";
import type { LedgerNetwork, Lodger } from "../../src/base/ledger.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";
import { type PeerKeys, peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { sha256 } from "../../src/crypt/ciphers/sha256.ts";
import { acceptAdmission, beforeFirst, signAdmission } from "../../src/ledger/entry.ts";
import { type Ledger, openLedger } from "../../src/ledger/ledger.ts";
import { encodeQuestion } from "../../src/ledger/message.ts";
import { MemoryKeyValue } from "../support/memory-host.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const seeds = Number(process.env["HIVE_SEEDS"] ?? 1);
const hourMs = 3_600_000;
const quotaBytes = 64 * GiB;
const honestCount = 6;
const days = 28;
/** Each honest drive grows by so much a day with each holder, to three times a trial. */
const growthBytes = 256 * MiB;
const pieceBytes = 64 * MiB;
const bytesMax = 3 * GiB;

class VirtualClock implements Clock {
  ms = 1_790_000_000_000;
  now = (): number => this.ms;
  monotonicMs = (): number => this.ms;
  nowNs = (): bigint => BigInt(this.ms) * 1_000_000n;
  async delay(): Promise<void> {}
  after = (): Disposable => ({ [Symbol.dispose]: () => {} });
}

interface Drive {
  readonly owner: OwnerId;
  readonly peer: PeerId;
  readonly prefix: string;
}

interface Resident {
  readonly keys: PeerKeys;
  readonly owner: OwnerId;
  readonly ledger: Ledger;
  readonly lodgers: Map<OwnerId, Lodger>;
  online: boolean;
}

class Town {
  readonly clock = new VirtualClock();
  readonly residents: Resident[] = [];
  readonly dice: Random;

  constructor(dice: Random) {
    this.dice = dice;
  }

  async settle(name: string): Promise<void> {
    const keys = peerKeysOf(sha256(Buffer.from(name)));
    const lodgers = new Map<OwnerId, Lodger>();
    const ledger = await openLedger({
      books: new MemoryKeyValue(), keys, clock: this.clock, random: this.dice, log: silentLog,
      lodgers: () => lodgers, network: () => this.#networkOf(keys.peer),
    }, { ratio: limits.ledger.ratio, quotaBytes });
    const owner = sha256(Buffer.from(`drive of ${name}`)).toString("hex") as OwnerId;
    this.residents.push({ keys, owner, ledger, lodgers, online: true });
  }

  /** Of so many bytes more, all or nothing. */
  store({ owner, peer, prefix }: Drive, at: Resident, bytes: number): boolean {
    at.ledger.lender.met({ peer, owners: [owner] });
    if (!at.ledger.lender.lends({ owner, bytes, prefix }, () => at.lodgers)) return false;
    const before = at.lodgers.get(owner)?.bytes ?? 0;
    at.lodgers.set(owner, { bytes: before + bytes, prefix, isWelcome: false });
    return true;
  }

  async audit(one: Resident): Promise<void> {
    for (const holder of this.residents) {
      const shardBytes = holder.lodgers.get(one.owner)?.bytes;
      if (holder === one || shardBytes === undefined) continue;
      const outcome = holder.online ? "right" : "offline";
      const segment = sha256(Buffer.from(`${one.owner}/${holder.owner}`)).toString("hex");
      const answers = [{ peer: holder.keys.peer, index: 0, outcome } as const];
      await one.ledger.tally.proved({ segment: segment as SegmentId, shardBytes, answers });
    }
  }

  /** Every pair that is there agrees, and everybody looks at who owes. */
  async agree(): Promise<void> {
    const there = this.residents.filter(({ online }) => online);
    for (const one of there) {
      for (const other of there) {
        if (one !== other) await one.ledger.settleWith(other.keys.peer);
      }
    }
    const rounds = Math.ceil(this.residents.length * 6 / limits.ledger.looksPerStep);
    for (const one of there) {
      for (let round = 0; round < rounds; round++) {
        await one.ledger.step.step(new AbortController().signal);
      }
    }
  }

  #networkOf(self: PeerId): LedgerNetwork {
    return {
      self, peers: () => [],
      settle: (to, message) => {
        const [asked, asker] = [to, self].map((peer) =>
          this.residents.find(({ keys }) => keys.peer === peer)) as [Resident, Resident];
        const from = { peer: self, owners: [asker.owner], prefix: `198.51.${this.dice.below(250)}.0/24` };
        return asked.ledger.host.settle(from, message);
      },
    };
  }
}

/** Made-up peers, each owed terabytes by the next, and their drives. */
function ringOf(size: number, name: string, nowMs: number) {
  const keys = Array.from({ length: size }, (_, at) => peerKeysOf(sha256(Buffer.from(`${name}/${at}`))));
  return keys.map((server, at) => {
    const client = keys[(at + 1) % size] as PeerKeys;
    const entry = acceptAdmission(server, signAdmission(client, {
      server: server.peer, book: "00".repeat(8), number: 1, last: beforeFirst, atMs: nowMs,
      kept: 1e12, watched: 86_400 * 30, repaired: 0, sent: 0,
    }));
    const owner = sha256(Buffer.from(`${name}/drive/${at}`)).toString("hex") as OwnerId;
    return { server, entry, owner };
  });
}

async function live(town: Town, round: string): Promise<void> {
  for (let at = 0; at < honestCount; at++) await town.settle(`${round}/honest ${at}`);
  const cheats = ringOf(8, `${round}/ring`, town.clock.ms);
  const takers = ringOf(4, `${round}/taker`, town.clock.ms);
  for (let day = 0; day < days; day++) {
    for (const [number, one] of town.residents.entries()) {
      grow(town, one, `192.0.${number}.0/24`);
    }
    for (const [number, { owner, server }] of [...takers, ...cheats].entries()) {
      // From four parts of the internet.
      const drive = { owner, peer: server.peer, prefix: `203.0.${number % 4}.0/24` };
      for (const at of town.residents) {
        while (town.store(drive, at, 64 * MiB));
      }
    }
    for (let quarter = 0; quarter < 4; quarter++) {
      town.clock.ms += 6 * hourMs;
      for (const [number, one] of town.residents.entries()) {
        const isAway = number === 1 && day >= 12 && day < 19;
        one.online = !isAway && town.dice.below(10) > 0;
      }
      for (const one of town.residents) if (one.online) await town.audit(one);
    }
    for (const one of town.residents) one.online ||= !(day >= 12 && day < 19 && one === town.residents[1]);
    await show(town, cheats);
    await town.agree();
  }
}

/** A drive of an honest resident, as evenly with all others as they have room for. */
function grow(town: Town, one: Resident, prefix: string): void {
  const drive = { owner: one.owner, peer: one.keys.peer, prefix };
  for (const holder of town.residents) {
    const has = holder.lodgers.get(one.owner)?.bytes ?? 0;
    if (holder === one || !holder.online || !one.online || has >= bytesMax) continue;
    for (let more = 0; more < growthBytes; more += pieceBytes) {
      if (!town.store(drive, holder, pieceBytes)) break;
    }
  }
}

async function show(town: Town, cheats: ReturnType<typeof ringOf>): Promise<void> {
  const entries = cheats.map(({ entry }) => entry);
  for (const { server, owner } of cheats.slice(0, 3)) {
    const message = encodeQuestion({ newest: undefined, next: undefined, frauds: [], entries });
    for (const { ledger } of town.residents) {
      await ledger.host.settle({ peer: server.peer, owners: [owner] }, message);
    }
  }
}

for (let number = 0; number < seeds; number++) {
  const round = `${seed}.${number}`;
  test(`a month in which nobody honest is condemned (HIVE_SEED=${round})`, async (t) => {
    const town = new Town(seededRandom(`ledger.weeks/${round}`));
    await live(town, round);
    const honest = new Set(town.residents.map(({ owner }) => owner));
    for (const [at, { lodgers, ledger }] of town.residents.entries()) {
      const taken = [...lodgers].filter(([owner]) => !honest.has(owner))
        .reduce((sum, [, { bytes }]) => sum + bytes, 0);
      const most = quotaBytes * limits.ledger.newcomersShare;
      t.ok(taken <= most, `resident ${at} lent ${taken / MiB} MiB of ${most / MiB}`);
      t.strictSame(ledger.overdue(), [], "nobody's shards would go");
      const owing = ledger.view().rows.filter(({ theyOweBytes }) => theyOweBytes > 0);
      const peers = town.residents.map(({ keys }) => keys.peer as string);
      t.strictSame(owing.filter(({ peer }) => peers.includes(peer)), []);
    }
    const stored = town.residents.map(({ owner }) =>
      town.residents.reduce((sum, { lodgers }) => sum + (lodgers.get(owner)?.bytes ?? 0), 0));
    const wanted = (honestCount - 1) * bytesMax;
    t.comment(`${stored.map((bytes) => (bytes / wanted).toFixed(2))} of what was wanted`);
    t.ok(Math.min(...stored) >= wanted * 0.8, `${Math.min(...stored) / wanted} of what was wanted`);
  });
}
