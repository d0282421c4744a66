/** Runs the real command line in a home of its own, and cleans up after it. */
import { type SpawnOptions, spawn } from "node:child_process";
import { chownSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Test } from "tap";

export const root = resolve(fileURLToPath(import.meta.url), "..", "..", "..");
const main = join(root, "src", "cli", "main.ts");

export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly error: string;
}

/** Is told what a command prints while it goes on. */
export type Heard = (text: string, to: "out" | "error") => void;

/** One machine: a HIVE_HOME and a mount point, under a temporary folder. */
export interface Machine {
  readonly directory: string;
  readonly home: string;
  readonly mount: string;
  hive(words: readonly string[], input?: string, heard?: Heard): Promise<Ran>;
  /** The same, and the test fails unless it ends with 0. */
  must(t: Test, words: readonly string[], input?: string): Promise<Ran>;
  status(): Promise<DriveStatusView>;
  swarm(): Promise<readonly SwarmRowView[]>;
  /** Writes these over what settings.json says. */
  settings(changes: Readonly<Record<string, unknown>>): void;
  end(): Promise<void>;
}

export interface SwarmRowView {
  readonly number: number;
  readonly state: string;
  readonly pid?: number;
  readonly address: string;
  readonly shards: number;
  readonly usedBytes: number;
}

/** The fields of `hive status --json` that scripts rely on. */
export interface DriveStatusView {
  readonly pid: number;
  readonly mount: string;
  readonly state: string;
  readonly class: string | null;
  readonly trouble: string | null;
  readonly dirtyBytes: number;
  readonly cacheBytes: number;
  readonly segments: Record<"total" | "healthy" | "degraded" | "lost", number>;
  readonly survives: number | null;
  readonly lastProvenAt: string | null;
  readonly peers: { readonly known: number; readonly online: number };
}

export interface MachineOptions {
  /** Under this name in the machine's folder; "home" when absent. */
  readonly home?: string;
  /** Programs to run every command through, and whom the folders belong to. */
  readonly as?: { readonly wrapper: readonly string[]; readonly uid: number };
  /** Its home is empty: it finds whoever else runs on this machine, as any first mount does. */
  readonly isBare?: boolean;
}

/** Alone on this machine, whatever other tests run beside it. */
const keptApart = { listen: ["/ip4/127.0.0.1/tcp/0"], mdns: false };

export function newMachine(name: string, options: MachineOptions = {}): Machine {
  const directory = mkdtempSync(join(tmpdir(), `hive-${name}-`));
  const home = join(directory, options.home ?? "home");
  const mount = join(directory, "drive");
  for (const made of [home, mount]) mkdirSync(made, { recursive: true, mode: 0o700 });
  const settingsFile = join(home, "config", "settings.json");
  if (options.isBare !== true) {
    mkdirSync(dirname(settingsFile), { mode: 0o700 });
    writeFileSync(settingsFile, JSON.stringify(keptApart));
  }
  const { wrapper = [], uid } = options.as ?? {};
  if (uid !== undefined) chownAll(directory, uid);
  const env = { ...process.env, HOME: directory, HIVE_HOME: home };
  const hive: Machine["hive"] = (words, input, heard) => {
    const [program, ...rest] = [...wrapper, process.execPath, main, ...words] as [string];
    return run(program, rest, { env }, input, heard);
  };
  const asked = async (words: readonly string[]): Promise<unknown> =>
    JSON.parse((await hive([...words, "--json"])).out);
  return {
    directory,
    home,
    mount,
    hive,
    async must(t, words, input) {
      const ran = await hive(words, input);
      if (ran.code !== 0) t.fail(`hive ${words.join(" ")}: ${ran.code}\n${ran.error}`);
      return ran;
    },
    status: async () => (await asked(["status"])) as DriveStatusView,
    swarm: async () => (await asked(["swarm", "status"])) as readonly SwarmRowView[],
    settings(changes) {
      const found = JSON.parse(readFileSync(settingsFile, "utf8")) as Record<string, unknown>;
      writeFileSync(settingsFile, JSON.stringify({ ...found, ...changes }));
    },
    async end() {
      await hive(["unmount", "--lazy"]);
      await hive(["swarm", "stop"]);
      await run("umount", ["-l", mount], {});
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function chownAll(directory: string, uid: number): void {
  chownSync(directory, uid, uid);
  for (const name of readdirSync(directory, { recursive: true })) {
    chownSync(join(directory, String(name)), uid, uid);
  }
}

/** The 24 words that the first mount printed. */
export function wordsIn(text: string): string {
  const found = [...text.matchAll(/(\d+)\. ([a-z]+)/g)];
  const ordered = found.sort((one, other) => Number(one[1]) - Number(other[1]));
  return ordered.map((match) => match[2]).join(" ");
}

export function run(
  program: string,
  words: readonly string[],
  options: SpawnOptions,
  input?: string | Uint8Array,
  heard?: Heard,
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, words, { ...options, stdio: ["pipe", "pipe", "pipe"] });
    const out: Buffer[] = [];
    const error: Buffer[] = [];
    child.stdout?.on("data", (part: Buffer) => {
      out.push(part);
      heard?.(part.toString(), "out");
    });
    child.stderr?.on("data", (part: Buffer) => {
      error.push(part);
      heard?.(part.toString(), "error");
    });
    child.once("error", reject);
    child.once("close", (code) =>
      resolve({ code, out: Buffer.concat(out).toString(), error: Buffer.concat(error).toString() }),
    );
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
  });
}

/** The peers of the swarm that keep anything, by number. */
export async function holdersOf(machine: Machine): Promise<readonly number[]> {
  const rows = await machine.swarm();
  return rows.filter(({ shards }) => shards > 0).map(({ number }) => number);
}

export async function rowOf(machine: Machine, number: number): Promise<SwarmRowView> {
  const found = (await machine.swarm()).find((row) => row.number === number);
  if (found === undefined) throw new Error(`no peer ${number}`);
  return found;
}

/** Nothing of the drive is on this machine any more: neither in its cache nor in the kernel's. */
export async function makeCold(t: Test, machine: Machine): Promise<void> {
  for (const words of [["unmount"], ["mount", machine.mount], ["cache", "--drop"]]) {
    await machine.must(t, words);
  }
  t.ok((await machine.status()).cacheBytes < 1024 * 1024, "the cache is empty");
}

/**
 * Reads a file of which nothing is on this machine: the drive's cache is dropped, and the kernel's
 * pages of it are too, which would answer by themselves.
 */
export async function readCold(t: Test, machine: Machine, name: string): Promise<Buffer> {
  const path = join(machine.mount, name);
  await machine.must(t, ["cache", "--drop"]);
  await run("dd", [`if=${path}`, "iflag=nocache", "count=0", "status=none"], {});
  const before = await machine.status();
  const bytes = readFileSync(path);
  const { cacheBytes } = await machine.status();
  t.ok(cacheBytes - before.cacheBytes >= bytes.length, `${name} came from the peers`);
  return bytes;
}

/** True when `diff -r` and a comparison of modes and times find nothing. */
export async function sameTree(one: string, other: string): Promise<string> {
  const diff = await run("diff", ["-r", "--no-dereference", one, other], {});
  return diff.code === 0 ? "" : `${diff.out}${diff.error}`.slice(0, 2000);
}

/** Waits until the condition holds, looking every quarter of a second. */
export async function until(
  holds: () => Promise<boolean>,
  options: { readonly seconds: number; readonly what: string },
): Promise<void> {
  const { seconds, what } = options;
  const end = performance.now() + seconds * 1000;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`not within ${seconds} s: ${what}`);
    await new Promise((later) => setTimeout(later, 250));
  }
}
