/**
 * Limits, pauses and resumed uploads with real processes: one drive and three local peers, which
 * count as `--lan on` says. What is measured is what the daemon sent, by its own count of bytes.
 * Each peer has a whole copy, so that three bytes are sent for one.
 */
import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, openSync, readFileSync, readdirSync, writeSync } from "node:fs";
import { join } from "node:path";
import { type Test, test } from "tap";
import type { TrafficStatus } from "../../src/base/views/traffic.ts";
import { askControl } from "../../src/cli/daemon/control.ts";
import { socketIn } from "../../src/cli/home/home.ts";
import { type Machine, newMachine, until } from "../support/cli.ts";

const MiB = 1024 * 1024;
const copies = 3;

interface Status {
  readonly pid: number;
  readonly dirtyBytes: number;
  readonly waitingFor: string | null;
  readonly traffic: TrafficStatus;
}

/** Without the command line in between, which takes its time. */
async function statusOf({ home }: Machine): Promise<Status> {
  return (await askControl(socketIn(join(home, "state")), "status")) as Status;
}

async function sentMiB(machine: Machine): Promise<number> {
  return (await statusOf(machine)).traffic.sentBytes / MiB;
}

function write(machine: Machine, name: string, bytes: Buffer): void {
  const file = openSync(join(machine.mount, name), "w");
  writeSync(file, bytes);
  fsyncSync(file);
  closeSync(file);
}

async function sentMore(machine: Machine, wanted: number): Promise<number> {
  const before = await sentMiB(machine);
  await until(async () => (await sentMiB(machine)) >= before + wanted, {
    seconds: 60, what: `${wanted} MiB more are sent`,
  });
  return sentMiB(machine);
}

test("limits, a pause and a kill on a real drive", { timeout: 200_000 }, async (t) => {
  const machine = newMachine("traffic");
  t.teardown(() => machine.end());
  await machine.must(t, ["mount", machine.mount, "--swarm", String(copies)]);
  await machine.must(t, ["limit", "--lan", "on"]);
  write(machine, "first", randomBytes(1000));
  await machine.must(t, ["flush", "--timeout", "60"]);
  await t.test("a limit holds, and nobody waits for it", (t) => limitHolds(t, machine));
  await t.test("a pause holds, and says so", (t) => pauseHolds(t, machine));
  await t.test("a killed upload sends the rest", (t) => resumes(t, machine));
});

async function limitHolds(t: Test, machine: Machine): Promise<void> {
  const set = ["limit", "up", "2", "MiB/s,", "03:00-03:01", "unlimited"];
  const { out } = await machine.must(t, set);
  t.match(out, "upload    2 MiB/s, 03:00-03:01 unlimited (now: 2.0 MiB/s)");
  t.equal((await machine.hive(["limit", "up", "2", "MiBs"])).code, 2, "a wrong word is refused");
  write(machine, "second", randomBytes(12 * MiB));
  const fromMiB = await sentMore(machine, 1);
  const fromMs = performance.now();
  const waits: number[] = [];
  while (performance.now() - fromMs < 10_000) {
    const startMs = performance.now();
    readdirSync(machine.mount);
    waits.push(performance.now() - startMs);
    await new Promise((later) => setTimeout(later, 250));
  }
  const untilMiB = await sentMiB(machine);
  const seconds = (performance.now() - fromMs) / 1000;
  const rate = (untilMiB - fromMiB) / seconds;
  const slowest = Math.max(...waits);
  t.comment(`${rate.toFixed(3)} MiB/s over ${seconds.toFixed(1)} s; ls ${slowest.toFixed(1)} ms`);
  // A shard of 1 MiB more or less lies at either end of the time.
  t.ok(Math.abs(rate - 2) <= 0.1 * 2 + 1 / seconds, `${rate} MiB/s`);
  t.ok(slowest < 500, `ls in ${slowest} ms`);
  t.match((await machine.hive(["status"])).out, "limits     up: 2.0 MiB/s, down: unlimited");
}

async function pauseHolds(t: Test, machine: Machine): Promise<void> {
  await machine.must(t, ["pause", "--for", "1h"]);
  const { traffic, waitingFor } = await statusOf(machine);
  t.match(traffic.paused, { waitsFor: "hive resume" });
  const { since, until: end } = traffic.paused ?? {};
  t.equal(Math.round((Date.parse(end ?? "") - Date.parse(since ?? "")) / 1000), 3600);
  t.equal(waitingFor, "hive resume");
  await new Promise((later) => setTimeout(later, 1000));
  const held = await sentMiB(machine);
  write(machine, "third", Buffer.from("written in a pause"));
  await new Promise((later) => setTimeout(later, 3000));
  t.ok((await sentMiB(machine)) - held < 0.1, "nothing goes up");
  t.equal(readFileSync(join(machine.mount, "third"), "latin1"), "written in a pause");
  t.equal((await machine.hive(["flush", "--timeout", "1"])).code, 9, "a flush waits");
  await machine.must(t, ["unmount"]);
  await machine.must(t, ["mount", machine.mount]);
  t.match((await statusOf(machine)).traffic.paused, { since, until: end }, "over a restart, too");
  await machine.must(t, ["limit", "up", "unlimited"]);
  await machine.must(t, ["resume"]);
  await machine.must(t, ["flush", "--timeout", "60"]);
  t.equal((await statusOf(machine)).traffic.paused, null);
}

async function resumes(t: Test, machine: Machine): Promise<void> {
  const sizeMiB = 30;
  await machine.must(t, ["limit", "up", "8", "MiB/s"]);
  const before = await sentMiB(machine);
  write(machine, "large", randomBytes(sizeMiB * MiB));
  await sentMore(machine, copies * sizeMiB / 2);
  const { pid, traffic } = await statusOf(machine);
  process.kill(pid, "SIGKILL");
  const first = traffic.sentBytes / MiB - before;
  await machine.must(t, ["mount", machine.mount]);
  await machine.must(t, ["limit", "up", "unlimited"]);
  await machine.must(t, ["flush", "--timeout", "100"]);
  const rest = await sentMiB(machine);
  const again = first + rest - copies * sizeMiB;
  t.comment(`${first.toFixed(1)} MiB sent before the kill, ${rest.toFixed(1)} after it`);
  // Of the shards that were on their way, and what is said besides; a segment has three, and ten
  // and more segments were begun.
  t.ok(again < 3, `${again.toFixed(2)} MiB were sent twice`);
  t.ok(rest < copies * sizeMiB * 0.6, "it did not begin anew");
}
