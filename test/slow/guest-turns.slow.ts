/** What a guest writes that is honest and large comes into the owner's folder in turns. */
import { test } from "tap";
import { limits } from "../../src/base/limits.ts";
import { SharedFolder, pictureBelow, put } from "../support/shared-folder.ts";
import { nobody } from "../support/walk.ts";

const { writers: most, tree: { chunkBytes } } = limits;
const slow = { timeout: 120_000 };

test("what is honest and large comes in bit by bit, and all of it", slow, async (t) => {
  const both = await new SharedFolder("turns").open();
  const turns = async (): Promise<number> => {
    for (let turn = 1; turn < 10; turn++) if (!(await both.turn()).isCut) return turn;
    throw new Error("turns without end");
  };
  const bytes = Buffer.alloc(chunkBytes, 5);
  const first = Buffer.concat(Array.from({ length: most.turnBytes / chunkBytes }, () => bytes));
  await put(both.guest, "large", first);
  await put(both.guest, "larger", Buffer.concat([first, bytes]));
  t.equal(await turns(), 3, "one for each, and one for the rest");
  for (let at = 0; at < 70; at++) {
    const ino = await put(both.guest, `dressed ${at}`, "x");
    for (const name of ["user.a", "user.b"]) {
      await both.guest.setxattr(nobody, ino, name, Buffer.alloc(64 * 1024, at), "any");
    }
  }
  t.equal(await turns(), 2, "of attributes that are in memory all at once");
  await both.settle();
  t.strictSame(await pictureBelow(both.guest), await pictureBelow(both.owner, "/f/"));
});
