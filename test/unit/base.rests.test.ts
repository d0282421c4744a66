/** Who is left alone, for how long, and that nobody is remembered for ever. */
import { test } from "tap";
import { Rests } from "../../src/base/rests.ts";
import { limits } from "../../src/base/limits.ts";

const { restMsMin, restMsMax } = limits.agent;

test("a rest is twice as long after each try in vain, and over with one that was not", (t) => {
  const clock = { ms: 1e12, now: () => clock.ms };
  const rests = new Rests<string>(clock, limits.agent);
  for (let pauseMs: number = restMsMin; ; pauseMs *= 2) {
    rests.begin("a");
    t.ok(rests.has("a") && !rests.has("b"));
    clock.ms += Math.min(pauseMs, restMsMax) - 1;
    t.ok(rests.has("a"));
    clock.ms += 1;
    t.notOk(rests.has("a"));
    if (pauseMs > restMsMax) break;
  }
  rests.end("a");
  rests.begin("a");
  clock.ms += restMsMin;
  t.notOk(rests.has("a"), "it begins anew");
  rests.begin("a");
  clock.ms -= restMsMax;
  t.notOk(rests.has("a"), "nobody rests for as long as a clock was set back");
  t.end();
});

test("of many that were tried once and are no more few are remembered", (t) => {
  const clock = { ms: 1e12, now: () => clock.ms };
  const rests = new Rests<number>(clock, limits.agent);
  let most = 0;
  for (let number = 0; number < 100_000; number++) {
    rests.begin(number);
    clock.ms += 1_000;
    most = Math.max(most, rests.size);
  }
  t.ok(most <= 2 * restMsMax / 1_000 + 2, `${most}`);
  t.end();
});
