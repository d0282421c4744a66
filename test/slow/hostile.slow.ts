/**
 * Peers that lie, lose and sleep, as processes of their own whose disks are damaged behind their
 * backs: verify names them, a cold read is right within a bounded time, and the drive mends itself.
 */
import { randomBytes } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync, readdirSync, rmSync } from "node:fs";
import { truncateSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { test } from "tap";
import { type Machine, holdersOf, newMachine, readCold, rowOf, until } from "../support/cli.ts";

/** Six of them hold shards: that many others can take the seats of those who are found wrong. */
const peers = 10;
const file = randomBytes(6_000_000);

test("peers that lie, cut, lose and sleep cost no byte", { timeout: 200_000 }, async (t) => {
  const machine = newMachine("hostile");
  t.teardown(() => machine.end());
  await machine.must(t, ["swarm", "start", "--peers", String(peers), "--processes"]);
  await machine.must(t, ["mount", machine.mount, "--swarm", String(peers)]);
  writeFileSync(join(machine.mount, "file"), file);
  await machine.must(t, ["flush", "--timeout", "60"]);
  t.equal((await machine.hive(["verify"])).code, 0, "all is well at first");

  const [liar, cutter, loser, sleeper] = await holdersOf(machine);
  t.comment(`lies ${liar}, cuts ${cutter}, loses ${loser}, sleeps ${sleeper}`);
  damage(machine, liar as number, flipBytes);
  const found = await verify(machine);
  t.equal(found.code, 7);
  t.strictSame(found.bad, [await nameOf(machine, liar as number)], "verify names the liar");

  damage(machine, cutter as number, (path) => truncateSync(path, 1000));
  damage(machine, loser as number, (path) => rmSync(path));
  const asleep = (await rowOf(machine, sleeper as number)).pid as number;
  process.kill(asleep, "SIGSTOP");
  t.teardown(() => wake(asleep));
  const start = performance.now();
  const bytes = await readCold(t, machine, "file");
  const seconds = (performance.now() - start) / 1000;
  t.ok(bytes.equals(file), "right, with four of six wrong");
  t.ok(seconds < 40, `within a bounded time: ${seconds.toFixed(1)} s`);
  wake(asleep);

  await hurry(machine);
  await until(async () => (await verify(machine)).whole, {
    seconds: 90, what: "what was damaged is rebuilt without a command",
  });
  t.equal((await machine.status()).survives, 4);
  t.ok((await readCold(t, machine, "file")).equals(file), "and right again after");
});

interface Verified {
  readonly code: number | null;
  /** Each peer with a wrong shard, once. */
  readonly bad: readonly string[];
  /** Every shard was proven. */
  readonly whole: boolean;
}

async function verify(machine: Machine): Promise<Verified> {
  const ran = await machine.hive(["verify", "--deep", "--json"]);
  const report = JSON.parse(ran.out) as {
    readonly segments: number;
    readonly proofsRight: number;
    readonly bad: readonly { readonly peer: string }[];
  };
  const bad = [...new Set(report.bad.map(({ peer }) => peer))];
  return { code: ran.code, bad, whole: report.proofsRight === 6 * report.segments };
}

async function nameOf(machine: Machine, number: number): Promise<string> {
  return (await rowOf(machine, number)).address.split("/p2p/")[1] as string;
}

/** From now on it looks after itself in seconds rather than in a swarm's minutes. */
async function hurry(machine: Machine): Promise<void> {
  machine.settings({ deadAfterSeconds: 8, auditIntervalSeconds: 2 });
  for (const words of [["unmount"], ["mount", machine.mount]]) {
    const ran = await machine.hive(words);
    if (ran.code !== 0) throw new Error(`${words.join(" ")}: ${ran.error}`);
  }
}

/** Does this to every shard's file that the peer keeps. */
function damage(machine: Machine, number: number, act: (path: string) => void): void {
  const peer = `peer-${String(number).padStart(2, "0")}`;
  const vault = join(machine.home, "state", "swarm", peer, "state", "node", "vault", "shards");
  const entries = readdirSync(vault, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  if (files.length === 0) throw new Error(`peer ${number} keeps no file`);
  for (const entry of files) act(join(entry.parentPath, entry.name));
}

/** One byte in every 512 becomes another, without a trace in the file's size. */
function flipBytes(path: string): void {
  const opened = openSync(path, "r+");
  const bytes = Buffer.alloc(fstatSync(opened).size);
  readSync(opened, bytes, 0, bytes.length, 0);
  for (let at = 0; at < bytes.length; at += 512) bytes[at] = (bytes[at] ?? 0) ^ 0x55;
  writeSync(opened, bytes, 0, bytes.length, 0);
  closeSync(opened);
}

function wake(pid: number): void {
  try {
    process.kill(pid, "SIGCONT");
  } catch {
    // It has ended meanwhile.
  }
}
