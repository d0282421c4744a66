/**
 * Whoever sees the catalogue sees the names of all blocks, and since when each has been there. So of
 * what lies in a folder that others were given, nothing may be named as what lies elsewhere: or
 * whoever writes it could try whether bytes that he thinks of are in the drive. Blocks are looked at
 * as the owner's store is handed them, which is what segments are packed of.
 */
import { readFileSync } from "node:fs";
import { test } from "tap";
import type { Cid, Ino } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { seededRandom } from "../../src/base/random.ts";
import { treeKeys } from "../../src/dag/keys.ts";
import { saltOfGuest } from "../../src/tree/looking/salts.ts";
import type { Tree } from "../../src/tree/tree.ts";
import { SharedFolder, at, guest, pictureBelow, put } from "../support/shared-folder.ts";
import { hashOf, nobody, readFile } from "../support/walk.ts";

const { chunkBytes } = limits.tree;
const never = new AbortController().signal;
/** Two whole chunks and a tail. */
const secret = seededRandom("a will").bytes(2 * chunkBytes + 70_000);
const keys = Buffer.concat([Buffer.from("bank: 4711"), Buffer.alloc(9_000, 1)]);

/** Names of blocks that are sealed from now on, and which of them had been sealed before. */
class Sealed {
  readonly fresh = new Set<Cid>();
  readonly again = new Set<Cid>();

  constructor({ owners }: SharedFolder) {
    const before = owners.put.bind(owners);
    owners.put = (...put: Parameters<typeof before>) => {
      const [cid] = put;
      (owners.has(cid) && !this.fresh.has(cid) ? this.again : this.fresh).add(cid);
      return before(...put);
    };
  }
}

/** The owner has these bytes elsewhere, in blocks of both kinds. */
async function withSecrets(seed: string): Promise<SharedFolder> {
  const both = await new SharedFolder(seed).open(async (tree, folder) => {
    const ino = await put(tree, "will", secret);
    await tree.setxattr(nobody, ino, "user.keys", keys, "any");
    await put(tree, "old", "of the owner", folder);
  });
  await both.owner.commit();
  return both;
}

test("frozen: the secret of chunks with a salt", (t) => {
  const { secret: tree, chunks } = JSON.parse(
    readFileSync(new URL("../vectors/dag-salts.json", import.meta.url), "utf8"),
  ) as {
    readonly secret: string;
    readonly chunks: readonly (Record<"slot" | "era" | "salt", number> & { readonly key: string })[];
  };
  const { chunksOf } = treeKeys(Buffer.from(tree, "hex"));
  for (const { slot, era, salt, key } of chunks) {
    t.equal(chunksOf({ slot, salt }, era).toString("hex"), key);
  }
  t.equal(new Set(chunks.map(({ key }) => key)).size, chunks.length);
  t.equal(chunks.at(-1)?.salt, saltOfGuest(guest.number));
  t.end();
});

test("a guest who writes what the owner has elsewhere sees no block that was there before", async (t) => {
  const both = await withSecrets("guess");
  const { owner, folder, guest: tree } = both;
  const guess = await put(tree, "guess", secret);
  await tree.setxattr(nobody, guess, "user.keys", keys, "any");
  await put(tree, "chunk", secret.subarray(0, chunkBytes));
  const sealed = new Sealed(both);
  await both.toOwner();
  await owner.commit();
  t.equal((await pictureBelow(owner, "/f/"))["/guess"], `644 ${hashOf(secret)}`);
  t.ok(sealed.fresh.size >= 4, `${sealed.fresh.size} blocks are new`);
  t.strictSame([...sealed.again], [], "and none was there");

  // What is done with it here later does not tell either.
  const { ino } = await owner.lookup(at("guess", folder));
  await owner.setattr(nobody, ino, { sizeBytes: secret.length - 10_000 });
  const handle = await owner.open(nobody, ino, { read: true, write: true, append: false, truncate: false });
  await owner.write(handle, secret.length - 10_000, secret.subarray(-10_000));
  await owner.release(handle);
  await owner.withdraw(folder);
  for (let isBusy = true; isBusy;) isBusy = await owner.resealer.step(never) === "busy";
  await put(owner, "will again", secret);
  await owner.commit();
  const below = await chunksOf(owner, folder);
  t.equal(below.length, 4);
  for (const cid of await chunksOf(owner, (await owner.lookup(at("will again"))).ino)) {
    t.notOk(below.includes(cid), "sealed in one era, in the folder and outside");
  }
  t.strictSame([...sealed.again], []);
  t.equal(hashOf(await readFile(owner, ino)), hashOf(secret));
});

test("nor one of what the folder held before she was let in", async (t) => {
  const both = await withSecrets("earlier");
  const { owner, folder } = both;
  owner.share(folder);
  const first = await both.further({ number: 303, name: "another guest's" });
  const earlier = Buffer.from(secret).reverse();
  await put(first.tree, "hers", earlier);
  await both.turn(await first.told(), { number: 303 });
  await put(owner, "his", earlier, folder);
  await owner.commit();
  await owner.unlink(nobody, at("his", folder));
  await put(both.guest, "guess", earlier);
  const sealed = new Sealed(both);
  await both.turn();
  await owner.commit();
  t.strictSame([...sealed.again], []);
  t.equal((await pictureBelow(owner, "/f/"))["/guess"], `644 ${hashOf(earlier)}`);
});

test("nor whoever reads the folder what the owner writes or copies there", async (t) => {
  const both = await withSecrets("reader");
  const { owner, folder } = both;
  owner.share(folder);
  const { ino } = await owner.mkdir(nobody, at("sub", folder), { mode: 0o755 });
  const sealed = new Sealed(both);
  const written = await put(owner, "written", secret, ino);
  await owner.setxattr(nobody, written, "user.keys", keys, "any");
  const copied = await put(owner, "copied", "", ino);
  const flags = { read: true, write: true, append: false, truncate: false };
  const from = await owner.open(nobody, (await owner.lookup(at("will"))).ino, flags);
  const to = await owner.open(nobody, copied, flags);
  await owner.copyRange(from, { offsetBytes: 0, lengthBytes: secret.length }, to, 0);
  await owner.release(from);
  await owner.release(to);
  await owner.commit();
  t.equal(hashOf(await readFile(owner, copied)), hashOf(secret));
  t.ok(sealed.fresh.size >= 4);
  t.strictSame([...sealed.again], []);
  const elsewhere = await chunksOf(owner, (await owner.lookup(at("will"))).ino);
  for (const cid of await chunksOf(owner, folder)) t.notOk(elsewhere.includes(cid), "a copy is no link");
});

test("whichever device takes it in, and whatever crashes meanwhile, the blocks are the same", async (t) => {
  const made = async (): Promise<readonly Cid[]> => {
    const both = await withSecrets("twice");
    await put(both.guest, "guess", secret);
    await both.toOwner();
    return chunksOf(both.owner, both.folder);
  };
  const one = await made();
  t.equal(one.length, 3);
  t.strictSame(await made(), one);
});

test("of a file that is here, what a guest did not change is neither read nor sealed", async (t) => {
  const both = await new SharedFolder("change").open(async (tree, folder) => {
    await put(tree, "large", seededRandom("large").bytes(9 * chunkBytes), folder);
  });
  const { owner, folder, guest: tree } = both;
  const before = await chunksOf(owner, folder);
  const { ino } = await tree.lookup(at("large"));
  const handle = await tree.open(nobody, ino, { read: true, write: true, append: false, truncate: false });
  await tree.write(handle, 4 * chunkBytes + 5, Buffer.from("changed"));
  await tree.release(handle);
  await tree.setattr(nobody, ino, { sizeBytes: 7 * chunkBytes + 9 });
  await both.toOwner();
  const after = await chunksOf(owner, folder);
  t.strictSame(after.map((cid, index) => cid === before[index]),
    [true, true, true, true, false, true, true, false]);
  const found = await owner.lookup(at("large", folder));
  t.equal(hashOf(await readFile(owner, found.ino)), hashOf(await readFile(tree, ino)));
  await both.settle();
  const now = await pictureBelow(tree);
  t.strictSame(await pictureBelow(await both.ownerAlone(), "/f/"), now);
});

async function chunksOf(tree: Tree, ino: Ino): Promise<readonly Cid[]> {
  const cids: Cid[] = [];
  for await (const cid of tree.cidsBelow(ino)) cids.push(cid);
  return cids;
}
