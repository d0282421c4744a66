/** A log is for a person, and takes no more of a disk than that. */
import { test } from "tap";
import { limits } from "../../src/base/limits.ts";
import { type Level, lineLog } from "../../src/base/log.ts";

function newLog(level: Level) {
  const lines: string[] = [];
  const clock = { ms: 0, monotonicMs: () => clock.ms };
  return { lines, clock, log: lineLog({ level, clock, write: (line) => lines.push(line) }) };
}

test("what happens over and over is counted, and told when there is room again", (t) => {
  const { lines, clock, log } = newLog("info");
  const { burst, perSecond } = limits.log;
  for (let at = 0; at < burst + 500; at++) log.warn("peer.stream", { at });
  t.equal(lines.length, burst);
  log.error("disk", {});
  t.match(lines.slice(burst), [/ warn log\.untold lines=500\n$/, / error disk\n$/], "an error is told at once");
  log.info("more", {});
  clock.ms += 3_000 / perSecond;
  lines.length = 0;
  for (let at = 0; at < 10; at++) log.info("later", { at });
  t.equal(lines.length, 1 + 3, "and what comes later, at its pace");
  t.match(lines[0], / warn log\.untold lines=1\n$/);
  t.end();
});

test("whoever debugs gets every line", (t) => {
  const { lines, log } = newLog("debug");
  for (let at = 0; at < 2 * limits.log.burst; at++) log.debug("step", { at });
  t.equal(lines.length, 2 * limits.log.burst);
  t.end();
});
