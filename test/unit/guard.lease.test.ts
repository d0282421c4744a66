/** When a group that lost members is mended: once for all of them, and not never. */
import { test } from "tap";
import { limits } from "../../src/base/limits.ts";
import { isSettled } from "../../src/guard/lease.ts";

const leaseMs = 60_000;
const longMs = limits.guard.settleLeases * leaseMs;

test("nothing is rebuilt while seats of the dead are given away", (t) => {
  t.notOk(isSettled({ isGiving: true, restedMs: 0, leaseMs }));
  t.notOk(isSettled({ isGiving: true, restedMs: longMs - 1, leaseMs }));
  t.ok(isSettled({ isGiving: false, restedMs: 0, leaseMs }), "nobody gives any");
  t.end();
});

test("where nobody takes the seats of the dead, the others are mended all the same", (t) => {
  t.ok(isSettled({ isGiving: true, restedMs: longMs, leaseMs }));
  t.end();
});
