/**
 * What a node lends and how it calls it back: within a trial at first, told when too much, and for
 * a whole life of entries that others show, in books that survive a restart.
 */
import { test } from "tap";
import { GiB, MiB } from "../../src/base/bytes.ts";
import type { OwnerId, SegmentId } from "../../src/base/ids.ts";
import type { Lodger } from "../../src/base/ledger.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { type PeerKeys, peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { type Entry, acceptAdmission, beforeFirst, signAdmission } from "../../src/ledger/entry.ts";
import { type Ledger, openLedger } from "../../src/ledger/ledger.ts";
import { type Answer, encodeQuestion, parseAnswer } from "../../src/ledger/message.ts";
import { MemoryKeyValue } from "../support/memory-host.ts";
import { ShiftedClock } from "../support/transfer-world.ts";

const dayMs = 24 * 3_600_000;
const us = peerKeysOf(Buffer.alloc(32, 1));
const giver = peerKeysOf(Buffer.alloc(32, 2));
const creditor = peerKeysOf(Buffer.alloc(32, 3));
const drive = (fill: string): OwnerId => fill.repeat(32) as OwnerId;
const quotaBytes = 100 * GiB;

class House {
  readonly clock = new ShiftedClock();
  readonly books = new MemoryKeyValue();
  readonly lodgers = new Map<OwnerId, Lodger>();
  ledger!: Ledger;
  /** Each from a place of its own, unless a test says otherwise. */
  prefixOf = (owner: OwnerId): string => owner;

  async open(): Promise<this> {
    this.ledger = await openLedger({
      books: this.books, keys: us, clock: this.clock, random: seededRandom("bank"),
      log: silentLog, lodgers: () => this.lodgers, network: () => undefined,
    }, { ratio: 3, quotaBytes });
    return this;
  }

  /** What it takes in of so many MiB, one at a time. */
  fill(owner: OwnerId, mib: number): number {
    for (let taken = 0; taken < mib; taken++) {
      const prefix = this.prefixOf(owner);
      const asked = { owner, bytes: MiB, prefix };
      if (!this.ledger.lender.lends(asked, () => this.lodgers)) return taken;
      const bytes = (this.lodgers.get(owner)?.bytes ?? 0) + MiB;
      this.lodgers.set(owner, { bytes, prefix, isWelcome: false });
    }
    return mib;
  }

  /** A message of a peer that acts for a drive. */
  async ask(from: PeerKeys, owner: OwnerId, entries: readonly Entry[] = []): Promise<Answer> {
    this.ledger.lender.met({ peer: from.peer, owners: [owner] });
    const message = encodeQuestion({ newest: undefined, next: undefined, frauds: [], entries });
    const asked = this.ledger.host.settle({ peer: from.peer, owners: [owner] }, message);
    return parseAnswer(await asked);
  }

  /** Time goes by, and the step looks around. */
  async pass(ms: number): Promise<void> {
    this.clock.shiftMs += ms;
    await this.ledger.step.step(new AbortController().signal);
  }
}

/** The server has kept so many bytes for the client for a week, as both have signed. */
function kept(server: PeerKeys, client: PeerKeys, bytes: number, atMs: number): Entry {
  const hours = 7 * 24;
  return acceptAdmission(server, signAdmission(client, {
    server: server.peer, book: "00".repeat(8), number: 1, last: beforeFirst, atMs,
    kept: Math.floor(bytes / 1024 * hours), watched: hours * 3600, repaired: 0, sent: 0,
  }));
}

test("newcomers have a trial each, and all together their share of the quota", async (t) => {
  const house = await new House().open();
  const { allowanceBytes, newcomersShare, newcomersPrefixShare } = limits.ledger;
  house.prefixOf = () => "192.0.2.0/24";
  const near = house.fill(drive("aa"), 2000) + house.fill(drive("bb"), 2000);
  const most = Math.floor(quotaBytes * newcomersShare / MiB);
  t.equal(near, Math.floor(most * newcomersPrefixShare), "all of one prefix");
  house.prefixOf = (owner) => owner;
  const trial = Math.min(allowanceBytes / MiB, Math.floor(most * newcomersPrefixShare));
  t.equal(house.fill(drive("cc"), 2000), trial, "and another");
  let all = near + trial;
  for (let number = 16; number < 30; number++) all += house.fill(drive(number.toString(16)), 2000);
  const granted = limits.ledger.grantBytes / MiB * 11;
  t.ok(all <= most && all > most - granted, `${all} of ${most} MiB`);
});

test("who gave has room for as much, its creditor for half of the rest, nobody twice", async (t) => {
  const house = await new House().open();
  const atMs = house.clock.now();
  await house.ask(giver, drive("aa"), [kept(giver, us, 8 * GiB, atMs)]);
  await house.ask(creditor, drive("bb"), [kept(creditor, giver, 100 * GiB, atMs)]);
  const { newcomersShare, newcomersPrefixShare, thereShare } = limits.ledger;
  const trial = quotaBytes * newcomersShare * newcomersPrefixShare / MiB;
  // It was there all the time, and a part of that is asked.
  const half = 4 * GiB / thereShare / MiB;
  const drawn = house.fill(drive("bb"), 20_000);
  t.ok(Math.abs(drawn - trial - half) < 40, `the creditor: ${drawn} MiB`);
  const own = house.fill(drive("aa"), 20_000);
  t.ok(Math.abs(own - trial - half) < 40, `the giver, after that: ${own} MiB`);
});

test("who owes is told, then loses shards, and is even again when the balance is back", async (t) => {
  const house = await new House().open();
  const [owner, other] = [drive("aa"), drive("bb")];
  const atMs = house.clock.now();
  await house.ask(giver, owner, [kept(giver, us, 8 * GiB, atMs)]);
  house.lodgers.set(owner, { bytes: 12 * GiB, isWelcome: false });
  house.lodgers.set(other, { bytes: 50 * GiB, isWelcome: true });
  await house.pass(0);
  t.equal((await house.ask(giver, owner)).owed, undefined, "it is good for it");

  // Nothing was proven for three months: what it once gave has passed.
  await house.pass(90 * dayMs);
  t.strictSame(house.ledger.overdue(), [], "not before it is told");
  const { owed } = await house.ask(giver, owner);
  t.equal(owed?.dueBytes, Math.floor(12 * GiB * limits.ledger.thereShare));
  t.ok((owed?.coveredBytes ?? 0) < 3 * GiB);
  t.equal((await house.ask(creditor, other)).owed, undefined, "a friend owes nothing");
  await house.open();
  await house.pass(6 * dayMs);
  t.strictSame(house.ledger.overdue(), [], "nor within the week");
  await house.pass(1.1 * dayMs);
  t.strictSame(house.ledger.overdue(), [owner], "a restart has not forgotten it");
  await house.ledger.released(owner, { segment: "cd".repeat(32) as SegmentId, index: 5 });
  t.strictSame(house.ledger.overdue(), [], "one at a time");
  const told = await house.ask(giver, owner);
  t.strictSame(told.gone.map(({ index }) => index), [5], "and it is told what went");
  t.strictSame((await house.ask(giver, owner)).gone, [], "once");
  await house.pass(limits.ledger.releaseEveryMs);
  t.strictSame(house.ledger.overdue(), [owner]);

  const again = kept(giver, us, 8 * GiB, house.clock.now());
  const second = signAdmission(us, {
    ...again.admission, number: 2, kept: again.kept * 2, watched: again.watched * 3,
  });
  await house.pass(limits.ledger.lookEveryMs);
  await house.ask(giver, owner, [acceptAdmission(giver, second)]);
  await house.pass(limits.ledger.lookEveryMs);
  await house.pass(limits.ledger.lookEveryMs);
  t.strictSame(house.ledger.overdue(), [owner], "half of it is not all");
  house.lodgers.set(owner, { bytes: 4 * GiB, isWelcome: false });
  await house.pass(limits.ledger.lookEveryMs);
  t.strictSame(house.ledger.overdue(), []);
  t.equal((await house.ask(giver, owner)).owed, undefined);
});
