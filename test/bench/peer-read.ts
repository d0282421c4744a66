/**
 * A cold read of a file of 32 MiB from 14 real peers in this process, 20 ms away, with so many
 * blocks asked for at once; each time as a device that knows none of them.
 *
 *   node test/bench/peer-read.ts
 */
import { openPeerDrive, readThrough } from "../support/peer-drive.ts";

await using drive = await openPeerDrive({ peers: 14, blocks: 128, seed: "bench" });
const { holders, blocks } = drive;
const fileBytes = blocks.reduce((sum, { length }) => sum + length, 0);
for (const { host } of holders) host.delayMs = 20;
for (const atOnce of [1, 8, 32, 1, 8, 32]) {
  const transfer = await drive.reader();
  const startMs = performance.now();
  const cpu = process.cpuUsage();
  const wrong = await readThrough(transfer, blocks, atOnce);
  const ms = performance.now() - startMs;
  const { user, system } = process.cpuUsage(cpu);
  const rate = `${(fileBytes / ms / 1e3).toFixed(1)} MB/s`;
  const busy = `${((user + system) / 1e6).toFixed(2)} s of processor in ${(ms / 1e3).toFixed(2)} s`;
  process.stdout.write(`${atOnce} at once: ${rate}, ${busy}, ${wrong.length} wrong\n`);
}
