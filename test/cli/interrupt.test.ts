/** Ctrl-C in the middle of what takes long: the command ends at once, and no daemon is the worse for it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { test } from "tap";
import { type Machine, newMachine, root, until } from "../support/cli.ts";

const main = join(root, "src", "cli", "main.ts");

function begin(machine: Machine, words: readonly string[]): ChildProcess {
  const env = { ...process.env, HOME: machine.directory, HIVE_HOME: machine.home };
  return spawn(process.execPath, [main, ...words], { env, stdio: ["ignore", "pipe", "pipe"] });
}

async function ended(child: ChildProcess): Promise<number | NodeJS.Signals | null> {
  const [code, signal] = await once(child, "exit") as [number | null, NodeJS.Signals | null];
  return code ?? signal;
}

/** Resolves once it says so. */
async function told({ stderr }: ChildProcess, pattern: RegExp): Promise<void> {
  let said = "";
  for await (const part of stderr as Readable) {
    said += part;
    if (pattern.test(said)) return;
  }
  throw new Error(`it ended without ${pattern}: ${said}`);
}

/** The first process that this one started, once there is one. */
async function childOf({ pid }: ChildProcess): Promise<number> {
  let found = "";
  const looked = async (): Promise<boolean> => {
    found = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ")[0] ?? "";
    return found !== "";
  };
  await until(looked, { seconds: 30, what: "it started another process" });
  return Number(found);
}

async function isGone(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}

function isMounted(machine: Machine): boolean {
  return readFileSync("/proc/mounts", "utf8").includes(` ${machine.mount} `);
}

test("whoever is interrupted leaves no half of a mount, and no work undone", {
  timeout: 120_000,
}, async (t) => {
  const machine = newMachine("interrupt");
  t.teardown(() => machine.end());
  await machine.must(t, ["init"]);
  const starting = begin(machine, ["mount", machine.mount]);
  const daemon = await childOf(starting);
  starting.kill("SIGINT");
  t.equal(await ended(starting), "SIGINT", "a shell says 130");
  await until(() => isGone(daemon), { seconds: 60, what: "the daemon that nobody waits for ends" });
  t.notOk(isMounted(machine), "with its mount");

  const inFront = begin(machine, ["mount", "--foreground", machine.mount]);
  await until(async () => isMounted(machine), { seconds: 60, what: "it is mounted" });
  inFront.kill("SIGINT");
  t.equal(await ended(inFront), 130);
  t.notOk(isMounted(machine));

  const inUse = begin(machine, ["mount", "--foreground", machine.mount]);
  await until(async () => isMounted(machine), { seconds: 60, what: "it is mounted again" });
  const open = openSync(join(machine.mount, "open"), "w");
  const words = told(inUse, /taken off.*second signal/);
  inUse.kill("SIGINT");
  await words;
  closeSync(open);
  t.equal(await ended(inUse), 130);

  await machine.must(t, ["mount", machine.mount]);
  const { pid } = await machine.status();
  writeFileSync(join(machine.mount, "file"), "not with any peer");
  await machine.must(t, ["pause"]);
  const waiting = begin(machine, ["flush"]);
  // It says that it waits.
  await once(waiting.stderr as Readable, "data");
  waiting.kill("SIGINT");
  t.equal(await ended(waiting), "SIGINT");
  t.equal((await machine.status()).pid, pid, "the daemon goes on");
  t.equal(readFileSync(join(machine.mount, "file"), "utf8"), "not with any peer");
  await machine.must(t, ["unmount"]);
});
