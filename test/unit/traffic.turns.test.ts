/** Who goes next over a limited line, in virtual time: rates, bursts, fairness, urgency. */
import { test } from "tap";
import { KiB, MiB } from "../../src/base/bytes.ts";
import { limits } from "../../src/base/limits.ts";
import { seededRandom } from "../../src/base/random.ts";
import { type Urgency, urgencies } from "../../src/base/traffic.ts";
import { type Gauge, Turns, type Wanted } from "../../src/traffic/turns.ts";

const minuteMs = 60_000;
const open = (perSecond: number | undefined): Gauge => ({ perSecond, isOpen: true });

interface Sent extends Wanted {
  readonly atMs: number;
}

function call(bytes: number, urgency: Urgency = "background", party = "self"): Wanted {
  return { bytes, urgency, party };
}

/** Lets all go who may until then, at the very moments at which they may. */
function run(turns: Turns<Wanted>, fromMs: number, untilMs: number): Sent[] {
  const sent: Sent[] = [];
  let nowMs = fromMs;
  for (;;) {
    const wanted = turns.next(nowMs);
    if (wanted !== undefined) {
      sent.push({ ...wanted, atMs: nowMs });
      continue;
    }
    nowMs += turns.waitMs(nowMs);
    if (nowMs >= untilMs) return sent;
  }
}

function bytesOf(sent: readonly Wanted[]): number {
  return sent.reduce((sum, { bytes }) => sum + bytes, 0);
}

test("a rate is held within a percent over a minute, whatever is sent", (t) => {
  for (const perSecond of [64 * KiB, MiB, 37 * MiB]) {
    for (const share of [1 / 256, 1 / 10, 1 / 4]) {
      const turns = new Turns<Wanted>();
      turns.turn(open(perSecond), 0);
      const bytes = Math.floor(perSecond * share);
      for (let count = 0; count < 61 / share; count++) turns.add(call(bytes));
      const rate = bytesOf(run(turns, 0, minuteMs)) / 60;
      t.ok(Math.abs(rate / perSecond - 1) < 0.01, `${rate} of ${perSecond} in parts of ${bytes}`);
    }
  }
  t.end();
});

test("no stretch of time carries more than its rate allows, and one call", (t) => {
  const random = seededRandom("stretch");
  const perSecond = MiB;
  const turns = new Turns<Wanted>();
  turns.turn(open(perSecond), 0);
  const largest = MiB + 4 * KiB;
  const sent: Sent[] = [];
  for (let second = 0; second < 120; second++) {
    for (let count = random.below(4); count > 0; count--) {
      const urgency = urgencies[random.below(3)] as Urgency;
      turns.add(call(1 + random.below(largest), urgency, `peer ${random.below(3)}`));
    }
    sent.push(...run(turns, second * 1000, (second + 1) * 1000));
  }
  t.ok(sent.length > 100, `${sent.length} calls`);
  // Each urgency may be one call ahead of those below it.
  const aheadMax = urgencies.length * largest;
  for (const [at, { atMs }] of sent.entries()) {
    let bytes = 0;
    for (const other of sent.slice(at)) {
      bytes += other.bytes;
      const allowed = perSecond * (other.atMs - atMs) / 1000 + aheadMax;
      if (bytes > allowed) return t.fail(`${bytes} from ${atMs} to ${other.atMs}: ${allowed}`);
    }
  }
  t.end();
});

test("what was saved up by a quiet line is a quarter of a second's worth", (t) => {
  const turns = new Turns<Wanted>();
  turns.turn(open(MiB), 0);
  for (let count = 0; count < 100; count++) turns.add(call(16 * KiB));
  const hourMs = 3_600_000;
  const atOnce = run(turns, hourMs, hourMs + 1);
  t.equal(bytesOf(atOnce), MiB * limits.traffic.burstMs / 1000);
  t.end();
});

test("parties share the background by bytes, whoever asks for more or came first", (t) => {
  const turns = new Turns<Wanted>();
  turns.turn(open(MiB), 0);
  for (let count = 0; count < 100; count++) turns.add(call(MiB, "background", "greedy"));
  for (let count = 0; count < 400; count++) turns.add(call(64 * KiB, "background", "modest"));
  const sent = run(turns, 0, 40_000);
  const of = (party: string) => bytesOf(sent.filter((one) => one.party === party)) / MiB;
  t.ok(Math.abs(of("greedy") - of("modest")) <= 1, `${of("greedy")} and ${of("modest")} MiB`);
  t.end();
});

test("a program goes before its next read, and both before what nobody waits for", (t) => {
  const turns = new Turns<Wanted>();
  turns.turn(open(MiB), 0);
  for (const urgency of ["background", "ahead", "owner", "background", "ahead", "owner"] as const) {
    turns.add(call(MiB / 2, urgency));
  }
  const order = run(turns, 0, 10_000).map(({ urgency }) => urgency);
  t.strictSame(order, ["owner", "owner", "ahead", "ahead", "background", "background"]);
  t.end();
});

test("a program owes nothing for what repair has sent, repair for what programs read", (t) => {
  const turns = new Turns<Wanted>();
  turns.turn(open(64 * KiB), 0);
  turns.add(call(MiB));
  t.equal(run(turns, 0, 10).length, 1, "a shard of sixteen seconds");
  turns.add(call(16 * KiB, "owner"));
  t.strictSame(run(turns, 20, 30).map(({ atMs }) => atMs), [20], "it need not wait for that");
  turns.add(call(16 * KiB));
  const [late] = run(turns, 30, minuteMs);
  t.equal(Math.round((late?.atMs ?? 0) / 1000), 16, "all together keep to the rate");
  t.end();
});

test("another rate holds for those who wait already", (t) => {
  const turns = new Turns<Wanted>();
  turns.turn(open(64 * KiB), 0);
  for (let count = 0; count < 200; count++) turns.add(call(64 * KiB));
  t.equal(run(turns, 0, 10_000).length, 10);
  turns.turn(open(640 * KiB), 10_000);
  const quick = run(turns, 10_000, 20_000).length;
  t.ok(Math.abs(quick - 100) <= 3, `${quick} in ten seconds at ten times the rate`);
  turns.turn(open(undefined), 20_000);
  t.equal(run(turns, 20_000, 20_001).length, 200 - 10 - quick, "and all at once without one");
  t.end();
});

test("behind a closed tap the background waits, and programs go on", (t) => {
  const turns = new Turns<Wanted>();
  turns.turn({ perSecond: undefined, isOpen: false }, 0);
  turns.add(call(MiB));
  turns.add(call(MiB, "ahead"));
  turns.add(call(MiB, "owner"));
  const sent = run(turns, 0, 1).map(({ urgency }) => urgency);
  t.strictSame(sent, ["owner", "ahead"]);
  t.equal(turns.waitMs(0), Infinity);
  turns.turn(open(undefined), 1000);
  t.equal(run(turns, 1000, 1001).length, 1);
  t.end();
});

test("whoever leaves is not waited for, and pays nothing", (t) => {
  const turns = new Turns<Wanted>();
  turns.turn(open(MiB), 0);
  turns.add(call(MiB));
  run(turns, 0, 1);
  const gone = call(8 * MiB);
  turns.add(gone);
  turns.add(call(MiB / 4));
  turns.remove(gone);
  const [sent] = run(turns, 1, minuteMs);
  t.equal(sent?.atMs, 1000);
  t.end();
});
