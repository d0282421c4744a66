/**
 * How a long-running process begins and ends: in the foreground, or detached with its log in a
 * file. The parent waits until the child says that it is ready, or why it is not.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { openSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { systemClock } from "../../base/clock.ts";
import { HiveError, type Kind, kinds } from "../../base/errors.ts";
import { faultOf } from "../../base/machine/system-faults.ts";
import { exitCodeBy, exitCodes } from "../exits.ts";

/** A mount with a long journal to replay, on a slow disk. */
const readyTimeoutMs = 120_000;

type Message =
  | { readonly type: "ready"; readonly words: string }
  | { readonly type: "failed"; readonly kind: Kind; readonly op: string; readonly subject: string };

/** In the child: its parent, if there is one, waits no more. */
let isReady = false;

export interface BackgroundOptions {
  /** The command line after `hive`. */
  readonly words: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
  readonly logFile: string;
  /** Handed over by a private pipe, never by argv. */
  readonly passphrase: Buffer | undefined;
  /** How long it may take until it is ready; two minutes when not told. */
  readonly readyTimeoutMs?: number;
}

/** Starts this program again, detached; resolves with what it says once it is ready. */
export async function startInBackground(options: BackgroundOptions): Promise<string> {
  const log = openSync(options.logFile, "a", 0o600);
  const child = spawn(process.execPath, [process.argv[1] as string, ...options.words], {
    detached: true,
    env: options.environment,
    stdio: ["ignore", log, log, "ipc"],
  });
  child.send({ passphrase: options.passphrase?.toString("base64") });
  try {
    return await ready(child, options);
  } finally {
    // Whatever came of it: a child that goes on must not keep its parent waiting.
    if (child.connected) child.disconnect();
    child.unref();
  }
}

/** In the child: the passphrase that the parent handed over, if there is a parent. */
export function receivePassphrase(): Promise<Buffer | undefined> {
  if (process.connected !== true) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    process.once("disconnect", () => resolve(undefined));
    process.once("message", (message: { passphrase?: string }) => {
      const given = message.passphrase;
      resolve(given === undefined ? undefined : Buffer.from(given, "base64"));
    });
  });
}

/**
 * In the child: tells the waiting parent that all is well. What it compiled until then is kept for
 * the next start now: Node would do so at its end, and a daemon may be killed, or run for months.
 */
export function sayReady(words: string): void {
  isReady = true;
  flushCompileCache();
  tellParent({ type: "ready", words });
}

export function sayFailed(error: unknown): void {
  const words = error instanceof Error ? error.message : "start";
  const { kind, op, subject } = faultOf(error) ?? new HiveError("Unsupported", "daemon", words);
  tellParent({ type: "failed", kind, op, subject });
}

/** One that was interrupted while it waited hears nothing more. */
function tellParent(message: Message): void {
  if (process.connected === true) process.send?.(message, () => undefined);
}

/**
 * Resolves at the first SIGTERM, SIGINT or SIGHUP; a second one ends the process at once. To be
 * called before anything is open that has to be closed. A parent that ends before we are ready was
 * interrupted: it is as if it hung up.
 */
export function askedToEnd(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let asked = false;
    const hear = (signal: NodeJS.Signals): void => {
      if (asked && signal !== "SIGHUP") process.exit(exitCodeBy(signal) || exitCodes.failure);
      asked = true;
      resolve(signal);
    };
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, hear);
    const hangUp = (): void => void (isReady || hear("SIGHUP"));
    process.once("disconnect", hangUp);
    // To listen for it must not keep the process.
    process.channel?.unref();
    if (process.connected === false) hangUp();
  });
}

function ready(child: ChildProcess, options: BackgroundOptions): Promise<string> {
  const { logFile, readyTimeoutMs: waitMs = readyTimeoutMs } = options;
  return new Promise((resolve, reject) => {
    const failLate = (): void => fail("TimedOut", `not ready; see ${logFile}`);
    const late = systemClock.after(waitMs, failLate);
    function fail(kind: Kind, subject: string, op = "daemon.start"): void {
      late[Symbol.dispose]();
      reject(new HiveError(kind, op, subject));
    }
    child.once("error", (error) => fail("Unavailable", error.message));
    child.once("exit", (code) => fail("Unavailable", `ended with ${code}; see ${logFile}`));
    child.once("message", (message: Message) => {
      if (message.type === "failed") {
        const kind = kinds.includes(message.kind) ? message.kind : "Corrupt";
        return fail(kind, message.subject, message.op);
      }
      late[Symbol.dispose]();
      resolve(message.words);
    });
  });
}
