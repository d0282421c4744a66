/** What a guest's files hold comes in so much in a turn, be it many files or one. */
import { test } from "tap";
import { limits } from "../../src/base/limits.ts";
import { SharedFolder, at, pictureBelow, put } from "../support/shared-folder.ts";
import { readFile } from "../support/walk.ts";

const { writers: { turnBytes }, tree: { chunkBytes } } = limits;

/** Of chunks that are not alike. */
function more(chunks: number): Buffer {
  const count = turnBytes / chunkBytes + chunks;
  return Buffer.concat(Array.from({ length: count }, (_, at) => Buffer.alloc(chunkBytes, `${at} `)));
}

test("one large file of a guest comes in bit by bit, and others have their turn between", async (t) => {
  const both = await new SharedFolder("one large file").open();
  const bytes = more(3);
  await put(both.guest, "large", bytes);
  t.ok((await both.turn()).isCut, "so much in one turn");
  t.strictSame(await pictureBelow(both.owner, "/f/"), {}, "and nothing half");
  await put(both.owner, "of the owner", "x", both.folder);
  t.notOk((await both.turn()).isCut, "what came in is not brought again");
  const owner = await both.ownerAlone();
  const { ino } = await owner.lookup(at("f"));
  const { ino: large } = await owner.lookup(at("large", ino));
  t.ok((await readFile(owner, large)).equals(bytes));
});

test("a large file that a guest writes anew in between, or that is refused, begins anew", async (t) => {
  const both = await new SharedFolder("half of it").open();
  const bytes = more(1);
  await put(both.guest, "large", bytes);
  t.ok((await both.turn()).isCut);
  await put(both.guest, "large", bytes.subarray(1));
  both.owner.guests.refuseBegun();
  t.ok((await both.turn()).isCut);
  t.notOk((await both.turn()).isCut);
  const { ino } = await both.owner.lookup(at("large", both.folder));
  t.ok((await readFile(both.owner, ino)).equals(bytes.subarray(1)));
});
