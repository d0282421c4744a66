/** What a history says: wrong, late and offline apart; alive, away and dead by the last sign. */
import { test } from "tap";
import { limits } from "../../src/base/limits.ts";
import { type History, type Outcome, assess, isFresh, noHistory } from "../../src/proofs/score.ts";
import { outcomes, remember, scoreOf } from "../../src/proofs/score.ts";

const hourMs = 3_600_000;

test("outcomes are counted apart, and only answers in time say right or wrong", (t) => {
  t.strictSame(scoreOf(noHistory), {
    right: 0, wrong: 0, late: 0, offline: 0, rightShare: undefined,
  });
  const history = historyOf("right", "late", "offline", "wrong", "right", "right", "offline");
  t.strictSame(scoreOf(history), { right: 3, wrong: 1, late: 1, offline: 2, rightShare: 0.75 });
  t.equal(scoreOf(historyOf("offline", "late")).rightShare, undefined);
  t.end();
});

test("whoever answers is alive, however wrong or late", (t) => {
  for (const outcome of outcomes) {
    const state = assess(historyOf("right", outcome), 2 * hourMs);
    t.equal(state, outcome === "offline" ? "away" : "alive", outcome);
  }
  t.end();
});

test("away becomes dead at the latest at the limit, counted from the last answer", (t) => {
  const history = historyOf("right", "offline", "offline");
  const { deadAfterMs, silenceMsMin } = limits.proofs;
  t.equal(assess(history, silenceMsMin - 1), "away");
  t.equal(assess(history, deadAfterMs), "dead");
  t.equal(assess(history, 4999, { deadAfterMs: 5000 }), "away");
  t.equal(assess(history, 5000, { deadAfterMs: 5000 }), "dead");
  const back = remember(history, { atMs: deadAfterMs, outcome: "late" });
  t.equal(assess(back, deadAfterMs), "alive");
  t.end();
});

test("a death is fresh for a day and a half, or until nobody is waited for any longer", (t) => {
  const history = historyOf("right", "offline");
  const { freshMs } = limits.proofs;
  t.equal(isFresh(history, freshMs - 1), true);
  t.equal(isFresh(history, freshMs), false);
  t.equal(isFresh(history, 5000, { deadAfterMs: 5000 }), false);
  t.end();
});

test("absences that are over are remembered, the last ones, and from answer to answer", (t) => {
  const history = historyOf("right", "offline", "offline", "late", "right", "offline", "wrong");
  t.strictSame(history.absencesMs, [3, 2]);
  t.strictSame(historyOf("offline", "offline", "right").absencesMs, [2]);
  t.strictSame(historyOf("right", "offline").absencesMs, []);
  const many = historyOf(...Array.from({ length: 200 }, (_, at) => {
    return at % 2 === 0 ? "right" as const : "offline" as const;
  }));
  t.equal(many.absencesMs.length, limits.proofs.absencesMax);
  t.end();
});

test("one that never answered is silent since it was first asked", (t) => {
  t.equal(assess(noHistory, 10 ** 15), "away");
  const history = remember(noHistory, { atMs: 1000, outcome: "offline" });
  t.equal(assess(history, 5999, { deadAfterMs: 5000 }), "away");
  t.equal(assess(history, 6000, { deadAfterMs: 5000 }), "dead");
  t.end();
});

test("memory is bounded, and a weekend's silence outlasts what was forgotten", (t) => {
  let history = historyOf("right");
  for (let turn = 1; turn <= 10 * limits.proofs.historyMax; turn++) {
    history = remember(history, { atMs: turn * hourMs, outcome: "offline" });
  }
  t.equal(history.recent.length, limits.proofs.historyMax);
  t.equal(history.answeredAtMs, 0);
  t.equal(assess(history, limits.proofs.deadAfterMs), "dead");
  t.end();
});

function historyOf(...list: readonly Outcome[]): History {
  let history = noHistory;
  for (const [at, outcome] of list.entries()) history = remember(history, { atMs: at, outcome });
  return history;
}
