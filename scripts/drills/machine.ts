/** What the drills share: a machine with a drive on a swarm, files to put there, words on stderr. */
import { randomBytes } from "node:crypto";
import { createWriteStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Machine, newMachine, wordsIn } from "../../test/support/cli.ts";

export const MiB = 1024 * 1024;

/** Class small: any 4 of 12 shards; two households to spare. */
export const swarm = { peers: 14, k: 4, n: 12 };

export type DrillMachine = Machine & AsyncDisposable & { readonly words: string };

/** A drive that knows its swarm, of that many peers each in a process of its own, unmounted. */
export async function begin(name: string): Promise<DrillMachine> {
  return beginWith(name, ["--peers", String(swarm.peers), "--processes"], swarm.peers);
}

/** The same with few peers in one process: for drills that are about this machine. */
export async function beginSmall(name: string, peers: number): Promise<DrillMachine> {
  return beginWith(name, ["--peers", String(peers)], peers);
}

async function beginWith(
  name: string,
  options: readonly string[],
  peers: number,
): Promise<DrillMachine> {
  const machine = newMachine(name);
  const words = wordsIn((await must(machine, ["init"])).out);
  await must(machine, ["swarm", "start", ...options]);
  await must(machine, ["mount", machine.mount, "--swarm", String(peers)]);
  await must(machine, ["unmount"]);
  return { ...machine, words, [Symbol.asyncDispose]: () => machine.end() };
}

export async function must(machine: Machine, words: readonly string[], input?: string) {
  const ran = await machine.hive(words, input);
  if (ran.code === 0) return ran;
  throw new Error(`hive ${words.join(" ")} ended with ${ran.code}\n${ran.error}`);
}

/** Nothing of the drive is on this machine: neither in its cache nor in the kernel's. */
export async function cold(machine: Machine): Promise<void> {
  await must(machine, ["unmount"]);
  await must(machine, ["mount", machine.mount]);
  await must(machine, ["cache", "--drop"]);
}

/** A file of random bytes. */
export function fill(path: string, bytes: number): Promise<void> {
  function* parts(): Generator<Buffer> {
    for (let done = 0; done < bytes; done += MiB) yield randomBytes(Math.min(MiB, bytes - done));
  }
  return pipeline(Readable.from(parts()), createWriteStream(path));
}

export async function timed<T>(what: string, act: () => Promise<T>): Promise<T> {
  const start = performance.now();
  const result = await act();
  say(`  ${what}: ${seconds(start)}`);
  return result;
}

export function seconds(start: number): string {
  return `${((performance.now() - start) / 1000).toFixed(1)} s`;
}

export function say(words: string): void {
  process.stderr.write(`${words}\n`);
}
