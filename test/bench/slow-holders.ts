/** Slow holders: a read waits for the quick ones, and what that costs is bounded. */
import { test } from "tap";
import { openPeerDrive, readThrough } from "../support/peer-drive.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/bench/slow-holders.ts`;

const quick = { delayMs: 100, bytesPerSecond: 4e6 };
const slow = { delayMs: 10 * quick.delayMs, bytesPerSecond: quick.bytesPerSecond / 10 };

test("half of the holders ten times slower cost a read of a file little", async (t) => {
  await using drive = await openPeerDrive({ peers: 14, blocks: 96, seed });
  const { holders, blocks } = drive;
  const fileBytes = blocks.reduce((sum, { length }) => sum + length, 0);
  const answered = (): number => holders.reduce((sum, { host }) => sum + host.readBytes, 0);
  const isSlow = (at: number): boolean => at % 2 === 1;

  const timed = async (): Promise<{ ms: number; share: number }> => {
    const transfer = await drive.reader();
    const startMs = performance.now();
    const before = answered();
    t.strictSame(await readThrough(transfer, blocks, 32), [], replay);
    return { ms: performance.now() - startMs, share: (answered() - before) / fileBytes };
  };
  // The quick half alone: the others refuse at once.
  for (const { host } of holders) Object.assign(host, quick);
  for (const [at, { host }] of holders.entries()) host.isRefusing = isSlow(at);
  const alone = await timed();
  for (const { host } of holders) host.isRefusing = false;
  for (const [at, { host }] of holders.entries()) Object.assign(host, isSlow(at) ? slow : quick);
  const together = await timed();
  t.comment(`quick half alone ${alone.ms.toFixed(0)} ms, with the slow ${together.ms.toFixed(0)} ms`);
  t.comment(`bytes for a byte: ${alone.share.toFixed(2)}, ${together.share.toFixed(2)}`);
  t.ok(together.ms <= 1.5 * alone.ms, `${together.ms} over ${alone.ms} ms; ${replay}`);
  t.ok(together.share <= 2, replay);
});
