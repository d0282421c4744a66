/** What transfer's books forget stays forgotten, whatever else was being written about it. */
import { test } from "tap";
import { parseGroupId } from "../../src/base/ids.ts";
import { shardIdOf } from "../../src/crypt/blocks/merkle.ts";
import { driveKeysOf } from "../../src/crypt/drive/drive.ts";
import { signSegmentRecord } from "../../src/crypt/records/records.ts";
import { SegmentBooks, freshState } from "../../src/transfer/books.ts";
import { MemoryBooks } from "../support/transfer-world.ts";

test("an audit's answer does not write back a segment that is being released", async (t) => {
  const kept = new MemoryBooks();
  const books = new SegmentBooks(kept);
  const record = signSegmentRecord(driveKeysOf(Buffer.alloc(32, 3)), {
    group: parseGroupId("ab".repeat(16)), k: 1, n: 3, shardBytes: 65536, rotation: 0,
    roots: [1, 2, 3].map((fill) => shardIdOf(Buffer.alloc(65536, fill))), createdAtMs: 1,
  });
  const { segment } = record;
  await books.write({ ...freshState(record), placed: true }, { record });
  let release: Promise<void> | undefined;
  await books.update(segment, () => {
    release = books.forget(segment);
    return { provenAtMs: 5 };
  });
  await release;
  t.equal(books.get(segment), undefined, "nobody will be asked for it");
  t.strictSame([...kept.pairs.keys()], [], "nor after another start");
});
