/** Files far larger than the room for what no peer has: they go up while they are written. */
import { test } from "tap";
import { startLoop } from "../../src/agent/loop.ts";
import { MiB } from "../../src/base/bytes.ts";
import { systemClock as clock } from "../../src/base/clock.ts";
import { HiveError } from "../../src/base/errors.ts";
import { type Cid, parseName, rootIno } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog as log } from "../../src/base/log.ts";
import { seededRandom, systemRandom as random } from "../../src/base/random.ts";
import type { Cache } from "../../src/cache/cache.ts";
import { openTree } from "../../src/tree/tree.ts";
import { flags } from "../support/making.ts";
import { temporaryCache } from "../support/temporary-cache.ts";
import { nobody } from "../support/walk.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const treeSecret = Buffer.alloc(32, 6);
const { chunkBytes } = limits.tree;
/** A machine that hardly gets to it must not fail it. */
const slow = { timeout: 180_000 };

/** Puts all blocks of committed roots on peers that are a map, one round after another. */
function uploader(store: Cache, peers: Map<Cid, Uint8Array>) {
  const step = async (): Promise<"busy" | "idle"> => {
    const round = await store.beginRound();
    if (round === undefined) return "idle";
    for (const { cid } of round.blocks) {
      peers.set(cid, Buffer.from(await store.read(cid)));
      await store.placed([cid]);
    }
    await store.endRound(round.root);
    return "busy";
  };
  return { name: "upload", step };
}

test("a file six times as large as the room goes up while it is written", slow, async (t) => {
  const peers = new Map<Cid, Uint8Array>();
  const fetcher = {
    async fetch(cid: Cid): Promise<Uint8Array> {
      const bytes = peers.get(cid);
      if (bytes === undefined) throw new HiveError("Unavailable", "peers.fetch", cid);
      return bytes;
    },
  };
  await using made = await temporaryCache({ limitBytes: 16 * MiB, fetcher, fullWaitMs: 120_000 });
  const { store } = made;
  const tree = await openTree({ store, clock, random, log }, { treeSecret });
  const loop = startLoop([tree.committer, store.step, uploader(store, peers)], { clock, log });
  using _waiting = store.onDirty(() => loop.wake());
  // A mount would keep the process alive; the loop's own timers do not.
  const alive = setInterval(() => undefined, 1000);
  t.teardown(() => clearInterval(alive));
  const file = await tree.create(nobody, place("large"), { mode: 0o644 }, flags);
  const bytes = Buffer.alloc(72 * MiB, seededRandom(`full ${seed}`).bytes(4096));
  // No two chunks alike.
  for (let at = 0; at < bytes.length; at += 4096) bytes.writeUInt32LE(at, at);
  // As the kernel does: several large requests at a time.
  for (let at = 0; at < bytes.length; at += 4 * MiB) {
    await Promise.all([0, 1, 2, 3].map((part) => {
      const from = at + part * MiB;
      return tree.write(file.handle, from, bytes.subarray(from, from + MiB));
    }));
  }
  await tree.fsync(file.handle);
  await tree.commit();
  t.ok(store.usage().dirtyBytes <= store.usage().dirtyBytesMax);
  for (let at = 0; at < bytes.length; at += MiB + chunkBytes) {
    const range = { offsetBytes: at, lengthBytes: chunkBytes };
    const read = Buffer.concat(await tree.read(file.handle, range));
    t.ok(read.equals(bytes.subarray(at, at + read.length)), `bytes from ${at} on`);
  }
  await tree.release(file.handle);
  await loop.stop();
  await tree.close();
  const again = await openTree({ store, clock, random, log }, { treeSecret });
  const { sizeBytes, blocks } = await again.lookup(place("large"));
  t.strictSame([sizeBytes, blocks], [bytes.length, bytes.length / 512]);
});

function place(name: string) {
  return { parent: rootIno, name: parseName(name) };
}
