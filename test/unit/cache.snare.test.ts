/** What somebody else wrote is never taken for the store's own frames, however it is made. */
import { cpSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "tap";
import { cidOf } from "../../src/base/ids.ts";
import { encodeHeader, frameOfRoot } from "../../src/cache/files/frame.ts";
import { encodeCommit } from "../../src/cache/index/records.ts";
import { openIn, temporaryCache } from "../support/temporary-cache.ts";

/** A block whose ciphertext its writer chose: in it lies the frame of a root that is none. */
function snare(): Buffer {
  const commit = { number: 2 ** 40, through: 0, blockSequence: 2 ** 40 };
  const body = encodeCommit({ ...commit, root: Buffer.from("the writer's root") });
  const frame = [encodeHeader(frameOfRoot(body, commit.number)), body];
  return Buffer.concat([Buffer.alloc(20_000, 1), ...frame, Buffer.alloc(20_000, 2)]);
}

test("a frame inside a fetched block is not found behind a torn end", async (t) => {
  const bytes = snare();
  await using made = await temporaryCache({ fetcher: { fetch: async () => Buffer.from(bytes) } });
  await made.store.commit(Buffer.from("our root"), 0);
  t.same(await made.store.get(cidOf(bytes)), bytes, "whoever reads it gets it");
  await made.store.sync();
  const directory = mkdtempSync(join(tmpdir(), "hive-snare-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  cpSync(made.directory, directory, { recursive: true });
  const [file = ""] = readdirSync(join(directory, "blocks"));
  const path = join(directory, "blocks", file);
  truncateSync(path, statSync(path).size - 10);
  await using store = await openIn(directory);
  t.equal(store.root()?.toString(), "our root");
});
