/**
 * A file far larger than the cache goes up while it is written: how fast, how long a single write
 * waits, and whether it is all there when it is read back from the peers.
 *
 *   npm run drill -- large [--gib 10] [--cache 1G]
 */
import { createHash } from "node:crypto";
import { closeSync, mkdirSync, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { latencyText, sampleLatency } from "../../test/support/cli-latency.ts";
import { seededRandom } from "../../src/base/random.ts";
import { MiB, beginSmall, must, say, seconds } from "./machine.ts";

/** Six households: any two of six shards, with two to spare. */
const peers = 8;

export const largeOptions = {
  gib: { type: "string", default: "10" },
  cache: { type: "string", default: "1G" },
} as const;

type Values = Readonly<Partial<Record<keyof typeof largeOptions, string>>>;

export async function large(values: Values): Promise<void> {
  const bytes = Number(values.gib) * 1024 * MiB;
  await using machine = await beginSmall("large", peers);
  await must(machine, ["mount", machine.mount]);
  await must(machine, ["cache", "--limit", String(values.cache)]);
  const folder = join(machine.mount, "folder");
  mkdirSync(folder);
  const names = sampleLatency(folder);
  const start = performance.now();
  const { hash, worstMs, over100ms } = await writeLarge(join(machine.mount, "large"), bytes, "large");
  const rate = (bytes / 1e3 / (performance.now() - start)).toFixed(1);
  say(`  written in ${seconds(start)}, ${rate} MB/s; a MiB waited ${worstMs} ms at most, ` +
    `${over100ms} of ${bytes / MiB} for more than 100 ms`);
  await must(machine, ["flush", "--timeout", "3600"]);
  const all = (bytes / 1e3 / (performance.now() - start)).toFixed(1);
  say(`  on the peers after ${seconds(start)}, ${all} MB/s; ls meanwhile: ` +
    latencyText(await names.end()));
  await must(machine, ["unmount"]);
  await must(machine, ["mount", machine.mount]);
  await must(machine, ["cache", "--drop"]);
  const again = performance.now();
  if ((await read(join(machine.mount, "large"), bytes)) !== hash) throw new Error("not equal");
  say(`  equal, from the peers, ${(bytes / 1e3 / (performance.now() - again)).toFixed(1)} MB/s`);
}

/** No two blocks of it are alike, nor of files by other seeds. */
export async function writeLarge(path: string, bytes: number, seed: string) {
  const random = seededRandom(seed);
  const block = Buffer.from(random.bytes(MiB));
  const hash = createHash("sha256");
  const file = openSync(path, "w");
  let [worstMs, over100ms] = [0, 0];
  for (let done = 0; done < bytes; done += MiB) {
    for (let at = 0; at < MiB; at += 4096) block.writeDoubleLE(done + at + Math.PI, at);
    hash.update(block);
    const start = performance.now();
    writeSync(file, block);
    const tookMs = Math.round(performance.now() - start);
    worstMs = Math.max(worstMs, tookMs);
    if (tookMs > 100) over100ms++;
    await setImmediate();
  }
  closeSync(file);
  return { hash: hash.digest("hex"), worstMs, over100ms };
}

async function read(path: string, bytes: number): Promise<string> {
  const block = Buffer.alloc(MiB);
  const hash = createHash("sha256");
  const file = openSync(path, "r");
  for (let done = 0; done < bytes; ) {
    const length = readSync(file, block);
    if (length === 0) break;
    hash.update(block.subarray(0, length));
    done += length;
    await setImmediate();
  }
  closeSync(file);
  return hash.digest("hex");
}
