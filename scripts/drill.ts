/**
 * Disasters on a real swarm of processes, at full size: what `npm test` does small. Each drill says
 * what it does, how long it took, and fails loudly. `npm run drill -- NAME` runs one of them;
 * `crashes`, `flagship`, `large`, `lives`, `places` and `sharing` know options, told in their own
 * files. `places` and `flagship` run by their names alone: one needs root and network namespaces,
 * the other 10 GB of memory.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createWriteStream, existsSync, mkdirSync, readdirSync } from "node:fs";
import { openSync, fsyncSync, writeSync, closeSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pipeline } from "node:stream/promises";
import { Readable } from "node:stream";
import { parseArgs } from "node:util";
import { latencyText, sampleLatency } from "../test/support/cli-latency.ts";
import { type Machine, newMachine, root, run } from "../test/support/cli.ts";
import { sameTree, until, wordsIn } from "../test/support/cli.ts";
import { filesWith, keyFileOf, secretsOf } from "../test/support/secrets.ts";
import { crashOptions, crashes } from "./drills/crashes.ts";
import { flagship, flagshipOptions } from "./drills/flagship.ts";
import { large, largeOptions } from "./drills/large.ts";
import { lifeOptions, lives } from "./drills/lives.ts";
import { places, placesOptions } from "./drills/places.ts";
import { begin, must, say, seconds, swarm, timed } from "./drills/machine.ts";
import { sharing } from "./drills/sharing.ts";

const options = {
  ...crashOptions, ...flagshipOptions, ...largeOptions, ...placesOptions, ...lifeOptions,
};
const MiB = 1024 * 1024;
const secret = "nine herons stood where the river bends";
const secretName = "letter-to-nobody-at-all.txt";

type Values = Readonly<Partial<Record<keyof typeof options, string>>>;
type Drill = (values: Values) => Promise<void>;
const drills: Readonly<Record<string, Drill>> = {
  whole, crashes, repair, wire, latency, large, places, flagship, lives, sharing,
};

const { positionals: chosen, values } = parseArgs({ allowPositionals: true, options });
const usual = Object.keys(drills).filter((name) => !["places", "flagship"].includes(name));
for (const name of chosen.length > 0 ? chosen : usual) {
  const drill = drills[name];
  if (drill === undefined) throw new Error(`no drill ${name}: ${Object.keys(drills).join(" ")}`);
  say(`drill ${name}`);
  const start = performance.now();
  await drill(values);
  say(`drill ${name} passed in ${seconds(start)}`);
}

/** Copy in, remount, drop the cache, kill n - k peers, lose the machine: always the same bytes. */
async function whole(): Promise<void> {
  await using machine = await begin("whole");
  const source = join(machine.directory, "source");
  await makeSource(source);
  const words = wordsIn((await must(machine, ["mount", machine.mount])).out) || machine.words;
  const copy = join(machine.mount, "source");
  await timed("cp -a into the drive", () => command("cp", ["-a", source, machine.mount]));
  await same(source, copy, "equal at once");
  await timed("unmount", () => must(machine, ["unmount"]));
  await timed("mount", () => must(machine, ["mount", machine.mount]));
  await same(source, copy, "equal after a remount");
  await timed("flush", () => must(machine, ["flush", "--timeout", "1800"]));
  await cold(machine);
  await same(source, copy, "equal with an empty cache");
  say(`  ${Math.round((await machine.status()).cacheBytes / MiB)} MiB came from the peers`);
  const kill = Array.from({ length: swarm.n - swarm.k }, (_, index) => String(index + 1));
  await must(machine, ["swarm", "kill", ...kill]);
  await cold(machine);
  await same(source, copy, `equal with ${kill.length} of ${swarm.peers} peers killed`);
  await must(machine, ["unmount"]);
  const other = newMachine("recovered");
  try {
    const peer = await livingAddress(machine);
    await timed("recover", () => must(other, ["recover", "--peer", peer], `${words}\n`));
    await must(other, ["mount", other.mount]);
    await same(source, join(other.mount, "source"), "equal on an empty machine, from 24 words");
  } finally {
    await other.end();
  }
}

/** A gigabyte goes up; names answer meanwhile as a local folder's do. */
async function latency(): Promise<void> {
  await using machine = await begin("latency");
  await must(machine, ["mount", machine.mount]);
  const folder = join(machine.mount, "folder");
  mkdirSync(folder);
  for (let number = 0; number < 1000; number++) await fill(join(folder, `${number}`), 1);
  const idle = sampleLatency(folder);
  await new Promise((later) => setTimeout(later, 10_000));
  say(`  at rest: ${latencyText(await idle.end())}`);
  const busy = sampleLatency(folder);
  await timed("write 1 GiB", () => fill(join(machine.mount, "large"), 1024 * MiB));
  await timed("flush", () => must(machine, ["flush", "--timeout", "1800"]));
  const figures = await busy.end();
  say(`  meanwhile: ${latencyText(figures)}`);
  if (figures.p99Ms > 100) throw new Error("names wait for the upload");
}

/** Two holders killed for good: the class's full redundancy returns without any command. */
async function repair(): Promise<void> {
  await using machine = await begin("repair");
  await must(machine, ["mount", machine.mount]);
  await fill(join(machine.mount, "file"), 64 * MiB);
  await must(machine, ["flush", "--timeout", "600"]);
  const before = (await machine.status()).survives;
  const holders = (await machine.swarm()).filter(({ shards }) => shards > 0);
  const lost = holders.slice(0, swarm.peers - swarm.n).map(({ number }) => String(number));
  await must(machine, ["swarm", "kill", "--wipe", ...lost]);
  const survives = async () => (await machine.status()).survives ?? 0;
  await until(async () => (await survives()) < (before ?? 0), { seconds: 300, what: "loss seen" });
  say(`  survives fell from ${before} to ${await survives()}`);
  await until(async () => (await survives()) === before, { seconds: 600, what: "repaired" });
  say(`  survives ${before} again`);
}

/** Known words and names go through the drive; none is in vaults, cache or the wire's bytes. */
async function wire(): Promise<void> {
  await using machine = await begin("wire");
  const capture = join(machine.directory, "loopback.pcap");
  const tcpdump = spawn("tcpdump", ["-i", "lo", "-s", "0", "-w", capture], { stdio: "ignore" });
  await until(async () => existsSync(capture), { seconds: 10, what: "tcpdump listens" });
  await must(machine, ["mount", machine.mount]);
  const text = Buffer.from(`${secret}\n`.repeat(200_000));
  const file = openSync(join(machine.mount, secretName), "w");
  writeSync(file, text);
  fsyncSync(file);
  closeSync(file);
  await must(machine, ["flush", "--timeout", "300"]);
  await cold(machine);
  if (!readFileSync(join(machine.mount, secretName)).equals(text)) throw new Error("not equal");
  tcpdump.kill("SIGINT");
  await ended(tcpdump);
  const needles = [secret, secretName, machine.words.split(" ").slice(0, 3).join(" ")];
  for (const needle of needles) {
    const hits = (await run("grep", ["-rlaF", "--", needle, machine.home, capture], {})).out;
    if (hits !== "") throw new Error(`${JSON.stringify(needle)} in ${hits}`);
  }
  const holders = filesWith(await secretsOf(machine), [machine.home, capture]);
  if (holders.join() !== keyFileOf(machine)) throw new Error(`keys in ${holders.join(" ")}`);
  const size = (await run("stat", ["-c", "%s", capture], {})).out.trim();
  say(`  nothing in vaults, cache, or ${size} captured bytes`);
}

/** Kernel sources where the package linux-source is installed, else our own node_modules. */
async function makeSource(source: string): Promise<void> {
  mkdirSync(source);
  const archive = readdirSync("/usr/src").find((name) => /^linux-source.*\.tar\.xz$/.test(name));
  if (archive === undefined) {
    await command("cp", ["-a", join(root, "node_modules"), join(source, "files")]);
  } else {
    const parts = ["--wildcards", "*/drivers/net/*", "*/fs/*"];
    await command("tar", ["-xJf", join("/usr/src", archive), "-C", source, ...parts]);
  }
  const count = (await run("sh", ["-c", `find '${source}' | wc -l`], {})).out.trim();
  await fill(join(source, "random"), 1024 * MiB);
  const database = new DatabaseSync(join(source, "rows.sqlite"));
  database.exec("create table rows (id integer primary key, words text); begin");
  const insert = database.prepare("insert into rows values (?, ?)");
  for (let id = 0; id < 200_000; id++) insert.run(id, `row number ${id}`);
  database.exec("commit");
  database.close();
  const git = ["-c", "user.name=drill", "-c", "user.email=drill@example.org", "-C"];
  const repository = join(source, "repository");
  await command("git", ["init", "-q", repository]);
  await command("cp", ["-a", join(root, "src"), join(root, "test"), repository]);
  await command("git", [...git, repository, "add", "."]);
  await command("git", [...git, repository, "commit", "-qm", "one"]);
  say(`  source: ${count} names, a file of 1 GiB, a git repository, a database`);
}

function fill(path: string, bytes: number): Promise<void> {
  function* parts(): Generator<Buffer> {
    for (let done = 0; done < bytes; done += MiB) yield randomBytes(Math.min(MiB, bytes - done));
  }
  return pipeline(Readable.from(parts()), createWriteStream(path));
}

async function same(source: string, copy: string, what: string): Promise<void> {
  const start = performance.now();
  const difference = await sameTree(source, copy);
  if (difference !== "") throw new Error(`${what}: no\n${difference}`);
  say(`  ${what} (${seconds(start)})`);
}

/** Nothing of the drive is on this machine: neither in its cache nor in the kernel's. */
async function cold(machine: Machine): Promise<void> {
  await must(machine, ["unmount"]);
  await must(machine, ["mount", machine.mount]);
  await must(machine, ["cache", "--drop"]);
}

async function livingAddress(machine: Machine): Promise<string> {
  const ran = await must(machine, ["swarm", "status", "--json"]);
  const rows = JSON.parse(ran.out) as readonly { state: string; address: string }[];
  return rows.find((row) => row.state === "running")?.address as string;
}

async function command(program: string, words: readonly string[]): Promise<void> {
  const ran = await run(program, words, {});
  if (ran.code !== 0) throw new Error(`${program} ended with ${ran.code}: ${ran.error}`);
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once("exit", () => resolve()));
}
