/**
 * A drive of very many files in folders of a thousand: how long it takes to mount again, and what
 * memory the daemon takes while they are walked.
 *
 *   node test/bench/many-files.ts [COUNT]       (a million, ten minutes on two free cores)
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Daemon } from "../fuzz/sides.ts";

const count = Number(process.argv[2] ?? 1_000_000);
const perFolder = 1000;
const directory = mkdtempSync(join(tmpdir(), "hive-files-"));
const [mount, store] = [join(directory, "mount"), join(directory, "store")];

function memory({ child }: Daemon): string {
  const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
  const mib = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) >> 10;
  return `${mib("VmRSS")} MiB, at most ${mib("VmHWM")}`;
}

function say(what: string, began: number, daemon: Daemon): void {
  const seconds = (performance.now() - began) / 1000;
  process.stdout.write(`${what}: ${seconds.toFixed(2)} s; ${memory(daemon)}\n`);
}

function make(folder: number): void {
  const at = join(mount, `folder-${folder}`);
  mkdirSync(at);
  for (let n = 0; n < perFolder; n++) writeFileSync(join(at, `file-${n}`), `${folder} ${n}\n`);
}

/** Cold for the kernel; the daemon is a new one. */
async function walk(what: string, words: readonly string[]): Promise<void> {
  const began = performance.now();
  const daemon = await Daemon.start(mount, store, 2048);
  say("mounted again", began, daemon);
  const start = performance.now();
  const out = execFileSync("sh", ["-c", `${words.join(" ")} | tail -1`], { cwd: mount });
  say(`${what} (${out.toString().trim()})`, start, daemon);
  await daemon.end();
}

mkdirSync(mount);
const began = performance.now();
const first = await Daemon.start(mount, store, 2048);
for (let folder = 0; folder * perFolder < count; folder++) {
  make(folder);
  if ((folder + 1) % 100 === 0) say(`${(folder + 1) * perFolder} files made`, began, first);
}
const ending = performance.now();
await first.end();
process.stdout.write(`unmounted: ${((performance.now() - ending) / 1000).toFixed(2)} s\n`);
await walk("find", ["find", ".", "|", "wc", "-l"]);
await walk("find -size", ["find", ".", "-size", "0", "|", "wc", "-l"]);
await walk("du", ["du", "-s", "."]);
rmSync(directory, { recursive: true });
