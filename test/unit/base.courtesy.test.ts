/**
 * Bulk that nobody waits for leaves half of the line to whoever wants it, and never stands still.
 */
import { test } from "tap";
import { courteous, noticed } from "../../src/base/courtesy.ts";
import { limits } from "../../src/base/limits.ts";
import type { Step } from "../../src/base/step.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

const { signal } = new AbortController();

/** A step whose turns take so long, and how long it has worked. */
function worker(clock: VirtualClock, turnMs: number) {
  const worked = { ms: 0 };
  const step: Step = {
    name: "work",
    async step() {
      await clock.delay(turnMs);
      worked.ms += turnMs;
      return "busy";
    },
  };
  return { step, worked };
}

/** Asks the step again and again, as the loop does, for so long. */
async function run(step: Step, clock: VirtualClock, forMs: number): Promise<void> {
  const endMs = clock.monotonicMs() + forMs;
  const turns = (async () => {
    while (clock.monotonicMs() < endMs) {
      if (await step.step(signal) === "idle") await clock.delay(200);
    }
  })();
  await clock.pass(forMs + limits.traffic.courtesyMsMax);
  await turns;
}

test("while others want the line it works half of the time, whatever a turn takes", async (t) => {
  for (const turnMs of [50, 1_000, 30_000]) {
    const clock = new VirtualClock();
    const { step, worked } = worker(clock, turnMs);
    await run(courteous(step, { clock, isWanted: () => true }), clock, 600_000);
    const share = worked.ms / 600_000;
    t.ok(share <= 0.56 && share >= 0.15, `${share} of the time by turns of ${turnMs} ms`);
    t.ok(turnMs < 200 || share >= 0.4, "and nearly all of its half");
  }
});

test("it rests for nobody, no longer than others want the line, and never without end", async (t) => {
  const clock = new VirtualClock();
  const free = worker(clock, 1_000);
  await run(courteous(free.step, { clock, isWanted: () => false }), clock, 60_000);
  t.equal(free.worked.ms, 60_000);
  const once = worker(clock, 20_000);
  let isWanted = true;
  const polite = courteous(once.step, { clock, isWanted: () => isWanted });
  const first = polite.step(signal);
  await clock.pass(20_000);
  t.equal(await first, "busy");
  t.equal(await polite.step(signal), "idle");
  isWanted = false;
  const second = polite.step(signal);
  await clock.pass(20_000);
  t.equal(await second, "busy", "nobody wants it any more");
  isWanted = true;
  const day = 24 * 3_600_000;
  const slow = worker(clock, day);
  const late = courteous(slow.step, { clock, isWanted: () => true });
  const long = late.step(signal);
  await clock.pass(day);
  await long;
  await clock.pass(limits.traffic.courtesyMsMax);
  const next = late.step(signal);
  await clock.pass(day);
  t.equal(await next, "busy", "a day of work costs five minutes of rest");
});

test("an upload is at work from its beginning to the turn that finds nothing", async (t) => {
  const answers: ("busy" | "idle")[] = ["busy", "idle"];
  const upload = noticed({ name: "upload", step: async () => answers.shift() ?? "idle" });
  t.notOk(upload.isAtWork);
  const turn = upload.step(signal);
  t.ok(upload.isAtWork);
  await turn;
  t.ok(upload.isAtWork, "there may be more");
  await upload.step(signal);
  t.notOk(upload.isAtWork);
  const failing = noticed({ name: "upload", step: async () => { throw new Error("no"); } });
  await failing.step(signal).catch(() => undefined);
  t.notOk(failing.isAtWork);
});
