/**
 * A directory of very many files on a mount of the real tree and store: made, listed, looked up,
 * mounted again, removed, with what the daemon took of memory and processor after each.
 *
 *   node test/bench/many-names.ts [COUNT]       (a million, ten minutes on two free cores)
 */
import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync } from "node:fs";
import { readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRandom } from "../../src/base/random.ts";
import { Daemon } from "../fuzz/sides.ts";

const count = Number(process.argv[2] ?? 1_000_000);
const looksMax = 2000;
const directory = mkdtempSync(join(tmpdir(), "hive-many-"));
const [mount, store] = [join(directory, "mount"), join(directory, "store")];
const many = join(mount, "many");
const nameOf = (index: number) => join(many, `file-${index}`);

/** Resident memory, its peak, and processor seconds so far. */
function cost({ child }: Daemon): string {
  const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
  const mib = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) >> 10;
  const fields = readFileSync(`/proc/${child.pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  const seconds = (Number(fields[11]) + Number(fields[12])) / 100;
  return `${mib("VmRSS")} MiB, at most ${mib("VmHWM")}, ${Math.round(seconds)} s of processor`;
}

function time(daemon: Daemon, what: string, times: number, act: () => void): void {
  const began = performance.now();
  act();
  const seconds = (performance.now() - began) / 1000;
  const rate = Math.round(times / seconds);
  process.stdout.write(`${what}: ${seconds.toFixed(1)} s, ${rate} a second; ${cost(daemon)}\n`);
}

function make(from: number, until: number): void {
  for (let index = from; index < until; index++) closeSync(openSync(nameOf(index), "wx"));
}

const shell = (script: string) => () =>
  void execFileSync("sh", ["-c", script, many], { stdio: ["ignore", "ignore", "inherit"] });

mkdirSync(mount);
const first = await Daemon.start(mount, store, 2048);
mkdirSync(many);
const step = Math.ceil(count / 10);
for (let from = 0; from < count; from += step) {
  const until = Math.min(count, from + step);
  time(first, `${until} made`, until - from, () => make(from, until));
}
time(first, "ls -f", count, shell('ls -f "$0"'));
await first.end();
const second = await Daemon.start(mount, store, 2048);
const random = seededRandom("many names");
time(second, "looked up at random, cold", looksMax, () => {
  for (let looks = 0; looks < looksMax; looks++) statSync(nameOf(random.below(count)));
});
time(second, "ls -f, mounted again", count, shell('ls -f "$0"'));
time(second, "ls -l", count, shell('ls -l "$0"'));
time(second, "rm -r", count, shell('rm -r "$0"'));
await second.end();
rmSync(directory, { recursive: true });
