/** Reads of absent blocks, the lock, and small values. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { test } from "tap";
import { HiveError, isFault } from "../../src/base/errors.ts";
import { openKeyValue } from "../../src/cache/cache.ts";
import { attempt, sample } from "../contract/store.ts";
import { openIn, temporaryCache } from "../support/temporary-cache.ts";

const far = sample("far away", 5000);

test("reads of one absent block share a fetch, and keep what came as clean", async (t) => {
  const answer = Promise.withResolvers<Uint8Array>();
  let fetches = 0;
  const fetcher = { fetch: () => (fetches++, answer.promise) };
  await using made = await temporaryCache({ fetcher });
  const reads = [1, 2, 3].map(() => made.store.get(far.cid));
  answer.resolve(Buffer.from(far.bytes));
  for (const read of reads) t.ok(far.bytes.equals(await read));
  t.equal(fetches, 1);
  t.equal(made.store.usage().dirtyBytes, 0);
  const again = await made.reopen();
  t.ok(far.bytes.equals(await again.get(far.cid)));
  t.equal(fetches, 1);
});

test("a reader that gives up leaves the others their fetch; the last one ends it", async (t) => {
  let ended: unknown;
  const answer = Promise.withResolvers<Uint8Array>();
  const fetcher = {
    fetch(_cid: unknown, { signal }: { readonly signal?: AbortSignal }) {
      signal?.addEventListener("abort", () => (ended = signal.reason));
      return answer.promise;
    },
  };
  await using made = await temporaryCache({ fetcher });
  const first = new AbortController();
  const second = new AbortController();
  const reads = [first, second].map(({ signal }) => {
    return attempt(() => made.store.get(far.cid, { signal }));
  });
  first.abort(new HiveError("Interrupted", "test", "first"));
  t.ok(isFault(await reads[0], "Interrupted"));
  t.equal(ended, undefined);
  second.abort(new HiveError("Interrupted", "test", "second"));
  t.ok(isFault(await reads[1], "Interrupted"));
  t.ok(isFault(ended, "Interrupted"));
  answer.resolve(far.bytes);
});

test("a fetcher that brings other bytes is not believed", async (t) => {
  await using made = await temporaryCache({ fetcher: { fetch: async () => Buffer.from("lies") } });
  t.ok(isFault(await attempt(() => made.store.get(far.cid)), "Corrupt"));
  t.equal(made.store.has(far.cid), false);
  made.store.setFetcher({ fetch: async () => Buffer.from(far.bytes) });
  t.ok(far.bytes.equals(await made.store.get(far.cid)));
});

test("a failed fetch fails its readers and is tried anew by the next", async (t) => {
  let fetches = 0;
  const fetcher = {
    async fetch(): Promise<Uint8Array> {
      if (fetches++ > 0) return Buffer.from(far.bytes);
      throw new HiveError("Unavailable", "test.fetch", "nobody");
    },
  };
  await using made = await temporaryCache({ fetcher });
  t.ok(isFault(await attempt(() => made.store.get(far.cid)), "Unavailable"));
  t.ok(far.bytes.equals(await made.store.get(far.cid)));
});

test("a second opener hears Busy, and which process has it", async (t) => {
  await using made = await temporaryCache();
  const error = await attempt(() => openIn(made.directory));
  t.ok(isFault(error, "Busy"), String(error));
  t.match(String(error), new RegExp(`process ${process.pid}`));
  await made.reopen();
});

test("nobody else can read what lies on disk, and closing twice is once", async (t) => {
  await using made = await temporaryCache();
  await made.store.put(far.cid, far.bytes);
  await made.store.commit(Buffer.from("root"), 0);
  await made.reopen();
  for (const folder of ["blocks", "index"]) {
    t.equal((await stat(join(made.directory, folder))).mode & 0o777, 0o700);
    for (const name of await readdir(join(made.directory, folder))) {
      t.equal((await stat(join(made.directory, folder, name))).mode & 0o777, 0o600, name);
    }
  }
  await made.store.close();
  t.ok(isFault(await attempt(() => made.store.get(far.cid)), "Unavailable"));
  t.notOk((await readdir(made.directory)).includes("pid"));
});

test("small values by key: put, get, list in order, all or none, and over a new start", async (t) => {
  await using made = await temporaryCache();
  const directory = join(made.directory, "values");
  {
    await using values = await openKeyValue(directory);
    await values.put("peer/b", Buffer.from("2"));
    await values.put("peer/a", Buffer.from("1"));
    await values.put("peerless", Buffer.from("0"));
    await values.batch([
      { type: "put", key: "peer/c", value: Buffer.from("3") },
      { type: "delete", key: "peer/a" },
    ]);
    t.equal(await values.get("peer/a"), undefined);
    t.ok(isFault(await attempt(() => openKeyValue(directory)), "Busy"));
    t.ok(isFault(await attempt(() => values.put("\u00e4", Buffer.from(""))), "Invalid"));
  }
  await using values = await openKeyValue(directory);
  const pairs: string[] = [];
  for await (const [key, value] of values.list("peer/")) pairs.push(`${key}=${Buffer.from(value)}`);
  t.strictSame(pairs, ["peer/b=2", "peer/c=3"]);
  await values.delete("peer/b");
  t.equal(await values.get("peer/b"), undefined);
});
