/** One crash of a real daemon while real programs write, for a test and for a drill. */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { seededRandom } from "../../src/base/random.ts";
import { type Machine, run } from "./cli.ts";

export interface CrashOptions {
  readonly seed: number;
  readonly round: number;
  /** What was fsynced so far, by name: checked after the crash, and added to. */
  readonly kept: Map<string, Buffer>;
  /** A folder whose copy is under way when the daemon dies. */
  readonly copied: string;
  readonly killMs: { readonly min: number; readonly max: number };
}

export interface CrashReport {
  readonly killedAfterMs: number;
  /** How long the copy and the writer hung after their file system had died. */
  readonly freedAfterMs: number;
  /** Files that are not what was fsynced. */
  readonly damaged: readonly string[];
}

/** Mounts if need be, writes, kills, mounts again, and compares. It is mounted afterwards. */
export async function crashRound(machine: Machine, options: CrashOptions): Promise<CrashReport> {
  const { round, killMs, kept } = options;
  const random = seededRandom(options.seed * 1000 + round);
  await mustMount(machine);
  const { pid } = await machine.status();
  const target = join(machine.mount, `copy-${round}`);
  const copy = spawn("cp", ["-a", options.copied, target], { stdio: "ignore" });
  const copied = ended(copy);
  const wrote = writeAndSync(machine.mount, round, { kept, random });
  const killedAfterMs = killMs.min + random.below(killMs.max - killMs.min);
  await new Promise((later) => setTimeout(later, killedAfterMs));
  process.kill(pid, "SIGKILL");
  const start = performance.now();
  await Promise.all([copied, wrote]);
  const freedAfterMs = Math.round(performance.now() - start);
  await mustMount(machine);
  const names = [...kept.keys()];
  const damaged = names.filter((name) => !sound(join(machine.mount, name), kept.get(name)));
  return { killedAfterMs, freedAfterMs, damaged };
}

/** Writes file after file, each fsynced, in processes of their own, until one fails. */
async function writeAndSync(
  directory: string,
  round: number,
  needs: { readonly kept: Map<string, Buffer>; readonly random: ReturnType<typeof seededRandom> },
): Promise<void> {
  for (let number = 0; ; number++) {
    const name = `synced-${round}-${number}`;
    const outputLength = 1 + needs.random.below(400_000);
    const bytes = createHash("shake256", { outputLength }).update(name).digest();
    const words = [`of=${join(directory, name)}`, "conv=fsync", "bs=64k", "status=none"];
    const wrote = await run("dd", words, {}, bytes);
    if (wrote.code !== 0) return;
    needs.kept.set(name, bytes);
  }
}

function sound(path: string, bytes: Buffer | undefined): boolean {
  return bytes !== undefined && existsSync(path) && readFileSync(path).equals(bytes);
}

async function mustMount(machine: Machine): Promise<void> {
  const ran = await machine.hive(["mount", machine.mount]);
  if (ran.code !== 0) throw new Error(`hive mount ended with ${ran.code}\n${ran.error}`);
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => child.once("exit", () => resolve()));
}
