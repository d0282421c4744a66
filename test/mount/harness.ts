/**
 * Mounts trees for the tests, and works in them from other processes: a program that looks into the
 * folder that it serves itself would wait for ever.
 */
import { type ChildProcess, execFile, execFileSync, fork, spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { constants as system, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import type { FileSystem } from "../../src/base/filesystem.ts";
import { type Log, silentLog } from "../../src/base/log.ts";
import {
  type DriverName, type MountOptions, type Mounted, isMounted, mount,
} from "../../src/mount/mount.ts";

/** Without /dev/fuse there is nothing to test, and that is a failure, not a reason to skip. */
function requireFuse(): void {
  try {
    accessSync("/dev/fuse", constants.R_OK | constants.W_OK);
  } catch (cause) {
    throw new Error("mount tests need /dev/fuse, and a user that may open it", { cause });
  }
}

/** What a driver must do, acted out on a mount of an empty tree. */
export type Case = (t: Test, place: Place) => Promise<void>;

export interface Place extends AsyncDisposable {
  readonly directory: string;
  readonly mounted: Mounted;
  readonly client: Client;
}

export async function mountTree(
  tree: FileSystem, driver: DriverName,
  more: Partial<MountOptions> & { readonly log?: Log; readonly filesKnownMax?: number } = {},
): Promise<Place> {
  requireFuse();
  const directory = await mkdtemp(join(tmpdir(), "hive-mount-"));
  const { log = silentLog, filesKnownMax } = more;
  const known = filesKnownMax === undefined ? {} : { filesKnownMax };
  const needs = { tree, log, clock: systemClock, ...known };
  const mounted = await mount(needs, {
    directory, driver, allowOther: true, readOnly: false, fsName: "hive-test", ...more,
  });
  const client = startClient(directory);
  return {
    directory, mounted, client,
    async [Symbol.asyncDispose]() {
      client.stop();
      if (await isMounted(directory)) await mounted.unmount({ lazy: true });
      await mounted.ended;
      await rm(directory, { recursive: true });
    },
  };
}

/** What a task run in the client has at hand. */
export interface Tools {
  readonly directory: string;
  readonly fs: typeof import("node:fs");
  readonly path: (name: string) => string;
  /** The code of the error that this throws, or "none". */
  readonly code: (act: () => unknown) => string;
}

export interface Client {
  /** Runs the task in the other process; it closes over nothing and answers plain data. */
  run<T>(task: (tools: Tools, ...more: never[]) => T, ...more: unknown[]): Promise<T>;
  readonly process: ChildProcess;
  stop(): void;
}

const worker = fileURLToPath(new URL("client.mjs", import.meta.url));

export function startClient(directory: string, user?: number): Client {
  const identity = user === undefined ? {} : { uid: user, gid: user };
  const child = fork(worker, [directory], { execArgv: [], stdio: "inherit", ...identity });
  let last = 0;
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  child.on("message", (message: { id: number; value?: unknown; error?: string }) => {
    const task = waiting.get(message.id);
    waiting.delete(message.id);
    if (message.error === undefined) task?.resolve(message.value);
    else task?.reject(new Error(message.error));
  });
  child.on("exit", () => {
    for (const task of waiting.values()) task.reject(new Error("the client has gone"));
  });
  return {
    process: child,
    stop: () => void child.kill("SIGKILL"),
    run<T>(task: (tools: Tools, ...more: never[]) => T, ...more: unknown[]): Promise<T> {
      const result = Promise.withResolvers<unknown>();
      waiting.set(++last, result);
      child.send({ id: last, task: task.toString(), more });
      return result.promise as Promise<T>;
    },
  };
}

export interface Ran {
  readonly code: number;
  readonly out: string;
}

/** Runs a program to its end. */
export function run(program: string, ...words: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(program, words, (error, out) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), out });
    });
  });
}

let probeFile: Promise<string> | undefined;

/** Runs probe.c and probe-more.c: its errno by name ("OK": none) and what it printed. */
export async function probe(...words: readonly string[]): Promise<string> {
  probeFile ??= buildProbe();
  const { code, out } = await run(await probeFile, ...words);
  if (code === 0) return out === "" ? "OK" : out;
  return Object.entries(system.errno).find(([, value]) => value === code)?.[0] ?? `exit ${code}`;
}

async function buildProbe(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "hive-probe-"));
  const sources = ["probe.c", "probe-more.c"].map((name) =>
    fileURLToPath(new URL(name, import.meta.url)));
  const file = join(folder, "probe");
  execFileSync("cc", ["-Wall", "-Wextra", "-Werror", "-o", file, ...sources]);
  process.once("exit", () => execFileSync("rm", ["-r", folder]));
  return file;
}

/** Starts a daemon that serves a memory tree on the directory; resolves once it does. */
export async function startDaemon(
  directory: string, words: readonly string[] = [], wrapper: readonly string[] = [],
): Promise<ChildProcess> {
  const script = fileURLToPath(new URL("daemon.ts", import.meta.url));
  const [program, ...rest] = [...wrapper, process.execPath, script, directory, ...words];
  const child = spawn(program as string, rest, { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise<void>((resolve, reject) => {
    child.stdout?.once("data", () => resolve());
    child.once("exit", (code) => reject(new Error(`the daemon ended with ${code}`)));
  });
  return child;
}

export function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve) => child.once("exit", (code) => resolve(code)));
}
