/** What the tree remembers of chunks keeps no more in memory than it is counted for. */
import { setTimeout as wait } from "node:timers/promises";
import { test } from "tap";
import { MiB } from "../../src/base/bytes.ts";
import { collectAll } from "../../src/base/collect.ts";
import { cidOf } from "../../src/base/ids.ts";
import { Parts } from "../../src/tree/parts.ts";

test("the keys and tags of a thousand chunks leave the pages that they came from", async (t) => {
  const parts = new Parts();
  const before = await settledBytes();
  for (let i = 0; i < 1000; i++) {
    const page = Buffer.alloc(65536, i);
    const key = page.subarray(100, 132);
    const cid = cidOf(Buffer.from(`chunk ${i}`));
    parts.remember({ cid, key, lengthBytes: 65536 }, page.subarray(1000, 1000 + 64 * 16));
  }
  const after = await settledBytes();
  const link = {
    cid: cidOf(Buffer.from("chunk 999")), key: Buffer.alloc(32, 999), lengthBytes: 65536,
  };
  t.ok(parts.partFor(link, [4096, 8192]) !== undefined, "they are remembered");
  t.ok(after - before < 8 * MiB, `${after - before} bytes of buffers`);
});

async function settledBytes(): Promise<number> {
  collectAll();
  await wait(50);
  collectAll();
  return process.memoryUsage().arrayBuffers;
}
