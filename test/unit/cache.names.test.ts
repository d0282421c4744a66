/** A block that a flush made durable lies in a file whose name is durable too. */
import fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import { cidOf } from "../../src/base/ids.ts";
import { BlockLog } from "../../src/cache/files/block-log.ts";

const body = Buffer.alloc(1000, 7);
const frame = {
  kind: "block", cid: cidOf(body), sequence: 1, lengthBytes: body.length, slot: 0,
} as const;

/** Names that the directory had when it was last synced; files are slow to come. */
function watchNames(directory: string): { readonly durable: () => ReadonlySet<string> } {
  const { open } = fs;
  const made = new Set<string>();
  let durable: ReadonlySet<string> = new Set();
  fs.open = async (...asked) => {
    const path = String(asked[0]);
    if (path.endsWith(".blocks")) await systemClock.delay(30);
    const handle = await open(...asked);
    if (path.endsWith(".blocks")) made.add(path);
    if (path !== directory) return handle;
    const now = new Set(made);
    const sync = handle.sync.bind(handle);
    handle.sync = async () => {
      await sync();
      durable = now;
    };
    return handle;
  };
  syncBuiltinESMExports();
  return { durable: () => durable };
}

test("a file that is begun while another is flushed has its name by its own flush", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "hive-names-"));
  t.teardown(() => rm(directory, { recursive: true }));
  const { durable } = watchNames(directory);
  const log = new BlockLog({ directory, files: new Map() }, { fileBytesMax: 1500 });
  const first = log.append(frame, body).file;
  const flushing = log.flush();
  await log.written();
  const second = log.append(frame, body).file;
  t.not(second, first);
  await flushing;
  t.ok(durable().has(first.path));
  await log.flush();
  t.ok(durable().has(second.path));
  await log.close();
});
