/**
 * Dead or only away, against made-up populations that do not follow the posterior's own model:
 * clocks and calendars, not log-logistic draws. The rates are those that hive(7) may claim.
 */
import { test } from "tap";
import type { PeerId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";
import { frozenOf } from "../../src/proofs/cohort.ts";
import { type Past, beliefsOf, deathChance, habits, longerShare } from "../../src/proofs/posterior.ts";
import { type History, assess, noHistory, remember } from "../../src/proofs/score.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/proofs.posterior.test.ts`;
const random = seededRandom(`posterior/${seed}`);
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

interface Absence {
  readonly fromMs: number;
  readonly toMs: number;
}

/** When a machine is off in so many days. */
type Life = (days: number, dice: Random) => readonly Absence[];

const nights: Life = (days, dice) => {
  return Array.from({ length: days }, (_, day) => {
    const fromMs = day * dayMs + (21 + uniform(dice) * 3) * hourMs;
    return { fromMs, toMs: fromMs + (6 + uniform(dice) * 5) * hourMs };
  });
};

/** Off from 18 to 8 o'clock, and from Friday evening to Monday morning: 62 hours. */
const office: Life = (days, dice) => {
  return Array.from({ length: days }, (_, day) => {
    if (day % 7 === 5 || day % 7 === 6) return [];
    const fromMs = day * dayMs + (18 + uniform(dice)) * hourMs;
    return [{ fromMs, toMs: fromMs + (day % 7 === 4 ? 62 : 14) * hourMs }];
  }).flat();
};

/** A restart of some minutes every other week, now and then a repair of a day. */
const server: Life = (days, dice) => {
  return Array.from({ length: Math.floor(days / 14) }, (_, turn) => {
    const fromMs = (14 * turn + uniform(dice) * 13) * dayMs;
    const isRepair = uniform(dice) < 0.05;
    return { fromMs, toMs: fromMs + (isRepair ? dayMs * uniform(dice) : 10 * 60_000) };
  });
};

/** At home at night, and two weeks of holidays twice a year. */
const holidays: Life = (days, dice) => {
  const usual = nights(days, dice);
  return usual.flatMap((night, day) => {
    const inHoliday = day % 180;
    if (inHoliday === 100) return [{ fromMs: night.fromMs, toMs: night.fromMs + 10 * dayMs }];
    return inHoliday > 100 && inHoliday < 112 ? [] : [night];
  });
};

const populations: readonly { readonly name: string; readonly share: number; readonly life: Life }[] = [
  { name: "nights", share: 0.4, life: nights },
  { name: "office", share: 0.2, life: office },
  { name: "server", share: 0.3, life: server },
  { name: "holidays", share: 0.1, life: holidays },
];

test("a machine that is off every night, or at weekends, is not condemned for it", (t) => {
  for (const [name, life, toldMax] of [["nights", nights, 0], ["office", office, 0.001]] as const) {
    const { absences, condemned } = lived(life, { peers: 100, days: 60 });
    t.ok(absences > 3000, `${absences} absences of ${name}`);
    t.ok(condemned <= toldMax * absences, `${condemned} condemned of ${name}; ${replay}`);
  }
  t.end();
});

test("of a machine that was off in a thousand nights the last ones tell, as of any other", (t) => {
  const { absences, condemned } = lived(nights, { peers: 2, days: 2000 });
  t.equal(condemned, 0, `${condemned} of ${absences} nights; ${replay}`);
  const [young, old] = [60, 400].map((days) => {
    const past = nights(days, random).filter(({ toMs }) => toMs < days * dayMs);
    return daysUntilDead(historyOf(past), days * dayMs);
  });
  t.ok(Math.abs((old as number) - (young as number)) < 0.5, `${old} days, and ${young}; ${replay}`);
  t.end();
});

test("of a mixed population's absences at most one of 500 is taken for a death", (t) => {
  const totals = { absences: 0, condemned: 0 };
  for (const { share, life } of populations) {
    const { absences, condemned } = lived(life, { peers: 200 * share, days: 360 });
    totals.absences += absences;
    totals.condemned += condemned;
  }
  t.ok(totals.condemned * 500 <= totals.absences, `${JSON.stringify(totals)}; ${replay}`);
  t.end();
});

test("a death is known within two weeks, of a quiet server within two days", (t) => {
  for (const { name, life } of populations) {
    const found = Array.from({ length: 30 }, () => {
      const absences = life(60, random).filter(({ toMs }) => toMs < 59 * dayMs);
      return daysUntilDead(historyOf(absences), 59 * dayMs);
    }).sort((a, b) => a - b);
    const [median, last] = [found[15] ?? Infinity, found.at(-1) ?? Infinity];
    t.ok(last <= 14, `${name}: the last after ${last} days; ${replay}`);
    t.ok(median <= (name === "server" ? 2 : 8), `${name}: half after ${median} days; ${replay}`);
  }
  const unknown = daysUntilDead(noHistory, 0);
  t.ok(unknown >= 3 && unknown <= 7, `nothing known of it: ${unknown} days`);
  t.end();
});

test("the longer the silence the likelier the death, and it is never certain", (t) => {
  for (let trial = 0; trial < 200; trial++) {
    const past = {
      absencesMs: Array.from({ length: random.below(33) }, () => 60_000 + random.below(5 * dayMs)),
      watchedMs: random.below(90 * dayMs),
    };
    const looks = Array.from({ length: 100 }, (_, at) => chanceOf(past, at * 7 * hourMs));
    const isRising = looks.every((now, at) => now < 1 && now >= (looks[at - 1] ?? 0));
    if (!isRising) t.fail(`${JSON.stringify(past)}: ${looks.join(" ")}; ${replay}`);
  }
  t.pass("of 200 pasts");
  t.end();
});

test("what was usual is no death: a silence as long as its own seldom is", (t) => {
  const absencesMs = Array.from({ length: 12 }, () => 6 * dayMs + random.below(2 * dayMs));
  const traveller = { absencesMs, watchedMs: 140 * dayMs };
  t.ok(chanceOf(traveller, 7 * dayMs) < 0.2);
  t.ok(chanceOf({ absencesMs: [], watchedMs: 140 * dayMs }, 7 * dayMs) > 0.9);
  t.equal(habits.reduce((sum, { share }) => sum + share, 0).toFixed(6), "1.000000");
  for (const habit of habits) t.equal(longerShare(habit, habit.medianMs), 0.5);
  t.end();
});

test("a network that vanishes at once is waited for, and those that die apart are not", (t) => {
  const nowMs = 100 * dayMs;
  const { cohortWindowMs, cohortFreezeMs } = limits.proofs;
  const silent = (peer: string, sinceMs: number | undefined, domain: string) => {
    return { peer: peer as PeerId, sinceMs, domains: [domain, "prefix of all"] };
  };
  const gone = ["a", "b", "c"].map((peer) => silent(peer, nowMs - dayMs, "asn 1"));
  const there = ["d", "e", "f", "g"].map((peer) => silent(peer, undefined, "asn 2"));
  t.strictSame([...frozenOf([...gone, ...there], nowMs)].sort(), ["a", "b", "c"]);
  t.equal(frozenOf([...gone.slice(1), ...there], nowMs).size, 0, "two are no cohort");
  const apart = gone.map((one, at) => ({ ...one, sinceMs: nowMs - dayMs - 2 * at * cohortWindowMs }));
  t.equal(frozenOf([...apart, ...there], nowMs).size, 0, "one after the other");
  const few = ["h", "i", "j", "k"].map((peer) => silent(peer, undefined, "asn 1"));
  t.equal(frozenOf([...gone, ...few, ...there], nowMs).size, 0, "less than half of it");
  const later = nowMs + cohortFreezeMs;
  t.equal(frozenOf([...gone, ...there], later).size, 0, "not for ever");
  t.end();
});

/** How many absences such machines had in so many days, and how many were taken for a death. */
function lived(life: Life, { peers, days }: { readonly peers: number; readonly days: number }) {
  let [absences, condemned] = [0, 0];
  for (let peer = 0; peer < peers; peer++) {
    let history = remember(noHistory, { atMs: 1, outcome: "right" });
    for (const { fromMs, toMs } of life(days, random)) {
      history = remember(history, { atMs: fromMs, outcome: "right" });
      history = remember(history, { atMs: fromMs + 60_000, outcome: "offline" });
      if (assess(history, toMs) === "dead") condemned++;
      absences++;
      history = remember(history, { atMs: toMs, outcome: "right" });
    }
  }
  return { absences, condemned };
}

function historyOf(absences: readonly Absence[]): History {
  let history = remember(noHistory, { atMs: 1, outcome: "right" });
  for (const { fromMs, toMs } of absences) {
    history = remember(history, { atMs: fromMs, outcome: "right" });
    history = remember(history, { atMs: fromMs + 60_000, outcome: "offline" });
    history = remember(history, { atMs: toMs, outcome: "right" });
  }
  return history;
}

function daysUntilDead(history: History, fromMs: number): number {
  const last = remember(history, { atMs: fromMs, outcome: "right" });
  const silent = remember(last, { atMs: fromMs + 60_000, outcome: "offline" });
  for (let hours = 1; hours < 24 * 60; hours++) {
    if (assess(silent, fromMs + hours * hourMs) === "dead") return hours / 24;
  }
  return Infinity;
}

/** From 0 to 1. */
function uniform(dice: Random): number {
  return dice.below(1_000_000) / 1_000_000;
}

function chanceOf(past: Past, silentMs: number): number {
  return deathChance(beliefsOf(past), silentMs);
}
