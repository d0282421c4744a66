/**
 * The simulator against what can be worked out without it, at small sizes and fixed seeds. Each
 * tolerance is four standard errors or more of what is counted, so that another seed would do.
 */
import { type Test, test } from "tap";
import { limits } from "../../src/base/limits.ts";
import { type ErasureClass, erasureClasses } from "../../src/base/records.ts";
import { classNamed, durabilityOf } from "../../src/placement/draws/classes.ts";
import { assess, noHistory, remember } from "../../src/proofs/score.ts";
import { Calendar } from "../sim/calendar.ts";
import { dayMs, eagerShare, lossAtOnce, lossesAYear, repairShare } from "../sim/closed-forms.ts";
import { yearDays } from "../sim/closed-forms.ts";
import { Dice } from "../sim/dice.ts";
import { Judge } from "../sim/judge.ts";
import { mixedLives } from "../sim/lives.ts";
import { Seats, nobody } from "../sim/seats.ts";
import { meanOf } from "../sim/statistics.ts";
import { Town } from "../sim/town.ts";
import { lossesOf } from "../sim/trials/strikes.ts";
import { movedShare, plainWorld, standard } from "../sim/trials/worlds.ts";
import { World } from "../sim/world.ts";

const seed = "closed forms";
const tiny = classNamed("tiny") as ErasureClass;
const small = { nodes: 1000, years: 1, seed, tell: () => {} };

test("the nines that the classes promise are those of the Markov chain", (t) => {
  for (const one of erasureClasses.filter(({ name }) => name !== "mirror")) {
    const nines = -Math.log10(lossesAYear(one, { lifeDays: 365, repairDays: 1 }));
    t.ok(Math.abs(nines - durabilityOf(one)) < 0.06, `${one.name}: ${nines}`);
  }
  t.equal(repairShare(standard, 365).toFixed(3), "0.363");
  t.equal(lossAtOnce(standard, 0.2).toExponential(1), "5.0e-4");
  t.end();
});

test("a calendar gives what is due in the order of a sorted list", (t) => {
  likeAList(t, { things: 200, days: 16 });
  // Lists that are longer than a slip, and old lines in most of them.
  likeAList(t, { things: 600, days: 2 });
  t.end();
});

function likeAList(
  t: Test, { things, days }: { readonly things: number; readonly days: number },
): void {
  const dice = new Dice(seed);
  const calendar = new Calendar(things, { days, horizonMs: 100 });
  const due = new Map<number, number>();
  let [nowMs, popped] = [0, 0];
  for (let turn = 0; turn < 5000; turn++) {
    const thing = dice.below(things);
    const atMs = dice.below(8) === 0 ? Infinity : nowMs + dice.exponential(60);
    calendar.set(thing, atMs);
    if (atMs === Infinity) due.delete(thing);
    else due.set(thing, atMs);
    if (dice.below(4) !== 0) continue;
    const first = firstOf(due);
    const untilMs = nowMs + 20;
    const wanted = first !== undefined && first[1] < untilMs ? first : undefined;
    const next = calendar.pop(untilMs);
    if (next?.thing !== wanted?.[0] || next?.dueMs !== wanted?.[1]) t.fail(`turn ${turn}`);
    nowMs = next?.dueMs ?? untilMs;
    if (next !== undefined) due.delete(next.thing);
    popped += Number(next !== undefined);
  }
  t.ok(popped > 1000, `${popped} popped`);
  t.equal(calendar.size, due.size);
}

function firstOf(due: ReadonlyMap<number, number>): readonly [number, number] | undefined {
  let first: readonly [number, number] | undefined;
  for (const one of due) {
    const [thing, atMs] = first ?? [Infinity, Infinity];
    if (one[1] < atMs || (one[1] === atMs && one[0] < thing)) first = one;
  }
  return first;
}

test("whoever moves in where somebody died is drawn as one who has room", (t) => {
  const world = new World(plainWorld(small, 30));
  world.run(300 * dayMs);
  const seats = Array.from(world.peers.occupants, (peer) => world.groups.seats.countOf(peer));
  const empty = seats.filter((count) => count === 0).length / seats.length;
  t.ok(empty < 0.1, `${empty} of all have no seat after ten lives`);
  t.end();
});

test("the judge that adds up says what the product says of the same absences", (t) => {
  const dice = new Dice(seed);
  const judge = new Judge(3);
  const habits = [0.5, 9, 60].map((hours) => hours * 3_600_000);
  for (const [peer, medianMs] of habits.entries()) {
    let history = remember(noHistory, { atMs: 1, outcome: "right" });
    let nowMs = 1;
    judge.meet(peer, nowMs);
    for (let count = 0; count < 80; count++) {
      const fromMs = nowMs + 3_600_000;
      nowMs = fromMs + Math.round(dice.lognormal(medianMs, 0.5));
      // The product tells the whole silence from the last answer.
      history = [fromMs, fromMs + 1, nowMs].reduce((past, atMs, at) => {
        return remember(past, { atMs, outcome: at === 1 ? "offline" : "right" });
      }, history);
      judge.cameBack(peer, { absenceMs: nowMs - fromMs, nowMs });
      const said = judge.verdictMs(peer, { fromMs: nowMs, lastsMs: Infinity });
      const silent = remember(history, { atMs: nowMs + 1, outcome: "offline" });
      const isDead = (ms: number) => assess(silent, nowMs + ms) === "dead";
      // It looks so closely and no closer.
      const isClose = isDead(said + 1000) && !isDead(said - 10 * 60_000 - 1000);
      if (!isClose) t.fail(`peer ${peer}, absence ${count}`);
    }
  }
  t.equal(judge.verdictMs(0, { fromMs: 1, lastsMs: limits.proofs.silenceMsMin - 1 }), Infinity);
  t.end();
});

test("in a town of any size a server's clients are those whom it serves", (t) => {
  const town = new Town(new Dice(seed), { giversMax: 7000, turns: 40 });
  t.equal(town.givers, 6997, "a prime");
  for (const giver of [0, 1, 17, 6996]) {
    t.ok(town.serversOf(giver).length > 30);
    t.ok(town.serversOf(giver).every((one) => town.clientsOf(one).includes(giver)));
    t.ok(town.clientsOf(giver).every((one) => town.serversOf(one).includes(giver)));
  }
  t.end();
});

test("a peer has the seats that have it", (t) => {
  const dice = new Dice(seed);
  const seats = new Seats({ groups: 20, width: 6, peers: 15 });
  for (let turn = 0; turn < 3000; turn++) {
    seats.give(dice.below(120), dice.below(6) === 0 ? nobody : dice.below(15));
  }
  const all = Array.from({ length: 120 }, (_, seat) => seat);
  for (let peer = 0; peer < 15; peer++) {
    const listed: number[] = [];
    seats.forEachSeat(peer, (seat) => listed.push(seat));
    const wanted = all.filter((seat) => seats.peerOf(seat) === peer);
    t.strictSame(listed.sort((a, b) => a - b), wanted);
    t.equal(seats.countOf(peer), wanted.length);
  }
  t.end();
});

test("repair moves what the formula says, patient or not", (t) => {
  const lazy = new World(plainWorld(small, 100));
  lazy.run(yearDays * dayMs);
  // 3,650 deaths: one standard error is 1.7 %, and the delay of an hour is far below it.
  near(t, movedShare(lazy.tally, lazy.tally.moved), repairShare(standard, 100), 0.07);
  const eager = new World({ ...plainWorld(small, 100), groups: 50, isPatient: false });
  eager.run((yearDays / 2) * dayMs);
  near(t, movedShare(eager.tally, eager.tally.movedEach), eagerShare(standard, 100), 0.1);
  t.equal(lazy.tally.replacedInVain, 0, "an oracle is never wrong");
  t.end();
});

test("as many segments are lost as the Markov chain says", (t) => {
  const lives = { lifeDays: 10, repairDays: 1 };
  const world = new World({
    ...plainWorld(small, lives.lifeDays), class: tiny, groups: 300,
    repair: { kind: "exponential", ms: lives.repairDays * dayMs },
  });
  world.run(2 * yearDays * dayMs);
  const { losses, groupDays } = world.tally;
  t.ok(losses > 400, `${losses} losses`);
  // One standard error is 5 % or less.
  near(t, losses / (groupDays / yearDays), lossesAYear(tiny, lives), 0.2);
  t.end();
});

test("as many are lost at once as the closed form says", (t) => {
  const world = new World({ ...plainWorld(small, 365), class: tiny, groups: 1600 });
  const dice = new Dice(seed);
  const shares = Array.from({ length: 60 }, () => meanOf(lossesOf(world, dice)));
  // 420 losses in 96,000 looks, in part at the same groups.
  near(t, meanOf(shares), lossAtOnce(tiny, 0.2), 0.25);
  t.end();
});

test("the same seed makes the same world, and another makes another", (t) => {
  const tallyOf = (name: string) => {
    const world = new World({
      ...plainWorld({ ...small, nodes: 200, seed: name }, 100), kinds: mixedLives,
      verdict: "judge", learnMs: 20 * dayMs,
    });
    world.run(60 * dayMs);
    return world.tally;
  };
  t.strictSame(tallyOf("a"), tallyOf("a"));
  t.notSame(tallyOf("a"), tallyOf("b"));
  t.ok(tallyOf("a").condemned > 0, "the judge had something to say");
  t.end();
});

test("the books of a world balance after all that happened in it", (t) => {
  const world = new World({
    ...plainWorld({ ...small, nodes: 300 }, 100), kinds: mixedLives, verdict: "judge",
    learnMs: 20 * dayMs,
  });
  world.run(150 * dayMs);
  const { groups, peers } = world;
  for (let group = 0; group < groups.count; group++) {
    const members = [...groups.seats.peersOf(group)];
    const living = members.filter((peer, at) => {
      return peer !== nobody && peers.isAlive(peer)
        && groups.seats.hasShard(group * standard.n + at);
    });
    const fit = members.filter((peer) => peer !== nobody && !peers.isCondemned(peer));
    t.equal(groups.living[group], living.length);
    t.equal(groups.fit[group], fit.length);
    const waited = members.filter((peer) => peer !== nobody && peers.isFresh(peer));
    t.equal(groups.hoped[group], fit.length + waited.length);
    t.equal(new Set(members.filter((peer) => peer !== nobody)).size,
      members.filter((peer) => peer !== nobody).length, "nobody sits twice");
  }
  t.end();
});

function near(t: Pick<Test, "ok">, simulated: number, wanted: number, share: number): void {
  const words = `${simulated} beside ${wanted}, seed ${JSON.stringify(seed)}`;
  t.ok(Math.abs(simulated / wanted - 1) <= share, words);
}
