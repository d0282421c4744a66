/** What the vaults of a local swarm keep, as the files on their disks say, and whose it is. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Reader } from "../../src/base/bytes.ts";
import { systemClock } from "../../src/base/clock.ts";
import type { Cid } from "../../src/base/ids.ts";
import { silentLog } from "../../src/base/log.ts";
import { systemRandom } from "../../src/base/random.ts";
import { openCache, openKeyValue } from "../../src/cache/cache.ts";
import { driveKeysOf } from "../../src/crypt/drive/drive.ts";
import { seedOfWords } from "../../src/crypt/drive/words.ts";
import { parseSegmentRecord } from "../../src/crypt/records/records.ts";
import { openTree } from "../../src/tree/tree.ts";
import type { Machine } from "./cli.ts";

/** Names of shard files, by the swarm peer's number. */
export function shardsOfPeers(machine: Machine): ReadonlyMap<number, ReadonlySet<string>> {
  const swarm = join(machine.home, "state", "swarm");
  const found = new Map<number, ReadonlySet<string>>();
  for (const name of readdirSync(swarm).filter((each) => /^peer-\d+$/.test(each))) {
    const files = readdirSync(join(swarm, name), { recursive: true, encoding: "utf8" });
    const shards = files.map((file) => file.split("/").at(-1) as string)
      .filter((file) => /^[0-9a-f]{64}$/.test(file));
    found.set(Number(name.slice(5)), new Set(shards));
  }
  return found;
}

/** The drive must not be mounted. For each path below the root: all shards of all its segments. */
export async function shardsOfPaths(
  machine: Machine, words: string, paths: readonly string[],
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const keys = driveKeysOf(seedOfWords(words));
  const state = join(machine.home, "state");
  await using books = await openKeyValue(join(state, "node", "books", "transfer"));
  await using cache = await openCache(
    { directory: join(state, "cache"), clock: systemClock, log: silentLog, fetcher: undefined },
    { limitBytes: 2 ** 32 },
  );
  const needs = { store: cache, clock: systemClock, random: systemRandom, log: silentLog };
  const tree = await openTree(needs, { treeSecret: keys.treeSecret, readOnly: true });
  const roots = new Map<string, readonly string[]>();
  for await (const [key, value] of books.list("s/")) {
    roots.set(key.slice(2), recordIn(value).roots);
  }
  const found = new Map<string, ReadonlySet<string>>();
  for (const path of paths) {
    const shards = new Set<string>();
    const ino = await tree.walk(path.split("/"));
    for await (const cid of tree.cidsBelow(ino)) {
      for (const root of roots.get(await segmentOf(books, cid)) ?? []) shards.add(root);
    }
    found.set(path, shards);
  }
  return found;
}

async function segmentOf(
  books: { get(key: string): Promise<Uint8Array | undefined> }, cid: Cid,
): Promise<string> {
  const place = await books.get(`c/${cid}`);
  if (place === undefined) throw new Error(`no place of ${cid}`);
  return new Reader(place, "test.place").hex(32);
}

/** As src/transfer/books.ts writes it. */
function recordIn(value: Uint8Array) {
  const reader = new Reader(value, "test.segment");
  reader.raw(2);
  reader.varint();
  reader.hex(16);
  const [, n] = [reader.varint(), reader.varint()];
  reader.varint();
  reader.varint();
  for (let index = 0; index < n; index++) reader.latin1();
  return parseSegmentRecord(reader.bytes());
}
