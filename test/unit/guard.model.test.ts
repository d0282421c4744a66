/** The group's protocol under every weather: what must never be, over seeds; and what must come. */
import { test } from "tap";
import { GuardModel, type Outcome, weatherOf } from "../support/guard-model.ts";

const first = Number(process.env["HIVE_SEED"] ?? 1);
const seeds = 100;
const calm = { loss: 0, twice: 5, delayMsMax: 200, troubleMs: Infinity, hours: 3 };

test("never two logs, a vote twice, a policy broken or a shard dropped for a log", (t) => {
  const total = { accepted: 0, refusals: 0, manifests: 0 };
  for (let seed = first; seed < first + seeds; seed++) {
    const outcome = played(seed, () => new GuardModel(String(seed), weatherOf(seed)));
    if (typeof outcome === "string") return t.fail(outcome);
    total.accepted += outcome.accepted;
    total.refusals += outcome.refusals;
    total.manifests += outcome.manifests;
  }
  t.ok(total.accepted > seeds / 2, `${total.accepted} replacements accepted`);
  t.ok(total.refusals > seeds, `${total.refusals} refusals`);
  t.ok(total.manifests > seeds, `${total.manifests} manifests`);
  t.end();
});

test("in calm weather every dead member is replaced, and all shards live again", (t) => {
  for (const [name, deaths, n] of [["tiny", 2, 6], ["small", 4, 12]] as const) {
    for (let seed = first; seed < first + 4; seed++) {
      const make = () => new GuardModel(`calm ${seed}`, { ...calm, deaths }, [name]);
      const outcome = played(seed, make);
      if (typeof outcome === "string") return t.fail(outcome);
      t.strictSame([outcome.accepted, outcome.leftDead, outcome.living], [deaths, 0, n], name);
    }
  }
  t.end();
});

test("a wide group waits for several, and then gives all their seats away", (t) => {
  for (const [deaths, given] of [[4, 0], [6, 6]] as const) {
    const make = () => new GuardModel("wide", { ...calm, deaths }, ["home"]);
    const outcome = played(first, make);
    if (typeof outcome === "string") return t.fail(outcome);
    const { accepted, leftDead } = outcome;
    t.strictSame([accepted, leftDead], [given, deaths - given], `${deaths} dead`);
  }
  t.end();
});

test("without a majority, and in a mirror of three, nobody replaces anybody", (t) => {
  for (const [name, deaths] of [["tiny", 4], ["mirror", 1]] as const) {
    const outcome = played(first, () => new GuardModel("few", { ...calm, deaths }, [name]));
    if (typeof outcome === "string") return t.fail(outcome);
    t.strictSame([outcome.accepted, outcome.leftDead], [0, deaths], name);
  }
  t.end();
});

/** What came of it, or what went wrong and how to see it again. */
function played(seed: number, make: () => GuardModel): Outcome | string {
  try {
    return make().run();
  } catch (error) {
    return `${String(error)}; replay: HIVE_SEED=${seed} node test/unit/guard.model.test.ts`;
  }
}
