/**
 * What is written in a folder of somebody else's has a store of its own on this machine: it is
 * looked at with the drive's, told by its place below Shared, and what is its owner's is no loss.
 */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "tap";
import { MiB } from "../../src/base/bytes.ts";
import { systemClock } from "../../src/base/clock.ts";
import type { FsckProblem } from "../../src/base/damages.ts";
import { HiveError } from "../../src/base/errors.ts";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { openCache } from "../../src/cache/cache.ts";
import { checkAll } from "../../src/check/check-all.ts";
import { peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { driveKeysOf } from "../../src/crypt/drive/drive.ts";
import { personKeysOf } from "../../src/crypt/records/grants.ts";
import { encodeTaken } from "../../src/sharing/taken/taken-books.ts";
import { ownGrant } from "../../src/sharing/taken/taking.ts";
import { writtenFolders } from "../../src/sharing/taken/written-folders.ts";
import { openGuestTree } from "../../src/tree/guest-tree.ts";
import { ShareMaker } from "../support/share-maker.ts";
import { SharedFolder, at, guest, put, textAt } from "../support/shared-folder.ts";
import { MemoryBooks } from "../support/transfer-world.ts";
import { nobody, readFile } from "../support/walk.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const random = seededRandom(`check.folder/${seed}`);
const world = { clock: systemClock, random, log: silentLog };

test("the rights of this person stand in the books, with all that opens what was written", async (t) => {
  const maker = new ShareMaker(random);
  const ben = personKeysOf(random.bytes(32));
  const books = new MemoryBooks();
  const told = { name: "work", record: Buffer.alloc(0) };
  const [writes, reads] = [maker.writeGrant(ben, 3), maker.grant(ben)];
  await books.put("t/one", encodeTaken({ ...told, offered: ownGrant(ben, { grant: writes }) }));
  await books.put("t/two", encodeTaken({ ...told, offered: ownGrant(ben, { grant: reads }) }));
  const { keys } = maker.rightOf(ben, 3);
  const { peer } = peerKeysOf(random.bytes(32));
  const found = await writtenFolders(books, ben, peer);
  t.equal(found.length, 2, "what may only be read has no store");
  t.strictSame(found.map(({ name }) => name), ["work", "work"]);
  t.strictSame(found[0]?.right.keys.treeSecret, keys.treeSecret);
  const own = maker.rightOf(ben, 3).of(peer);
  t.strictSame(found[1]?.right.keys.treeSecret, own.keys.treeSecret, "this device's own");
});

test("a folder that is written here is found whole, and its damage is told and mended", async (t) => {
  const both = await new SharedFolder("check").open(async (tree, folder) => {
    const ino = await put(tree, "of two names", "of the owner", folder);
    await tree.link(nobody, ino, at("twice", folder));
    await put(tree, "large", random.bytes(600_000), folder);
  });
  const { treeSecret } = driveKeysOf(random.bytes(32));
  const directory = mkdtempSync(join(tmpdir(), "hive-folder-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const cacheDirectory = join(directory, "guest");
  const root = await both.ownersRoot();
  const open = async () => {
    const cache = await openCache({ ...world, directory: cacheDirectory, fetcher: {
      async fetch(cid) {
        const found = both.pool.get(cid);
        if (found !== undefined) return found;
        throw new HiveError("NotFound", "test.fetch", cid);
      },
    } }, { limitBytes: 64 * MiB });
    const tree = await openGuestTree({ ...world, store: cache }, { treeSecret, device: guest, root });
    return { tree, close: async () => {
      await tree.close();
      await cache.close();
    } };
  };
  const bytes = random.bytes(900_000);
  const first = await open();
  await put(first.tree, "mine", bytes);
  await put(first.tree, "short", "of the guest");
  await first.close();

  const folder = {
    name: "work", cacheDirectory, treeSecret,
    booksDirectory: join(directory, "books"), booksPrefix: "o/writer/t/",
  };
  const drive = {
    cacheDirectory: join(directory, "none"), booksDirectory: join(directory, "no books"), treeSecret,
  };
  const never = { ...folder, name: "never opened", cacheDirectory: join(directory, "never") };
  const fsck = async (repair: boolean) => {
    const found: FsckProblem[] = [];
    const report = await checkAll(
      { ...world, report: (problem) => void found.push(problem), progress: () => undefined },
      { drive, folders: [folder, never] }, { repair, giveUp: false },
    );
    return { ...report, found };
  };
  const whole = await fsck(false);
  t.strictSame(whole.found, [], "what is its owner's, and names of several, are no fault of it");
  t.ok(whole.files >= 3 && whole.blocks > 3, `${whole.files} files`);

  const blocks = join(cacheDirectory, "blocks");
  const name = readdirSync(blocks).sort()[0] as string;
  const file = readFileSync(join(blocks, name));
  const place = 300_000;
  file[place] = (file[place] as number) ^ 1;
  writeFileSync(join(blocks, name), file);
  const looked = await fsck(false);
  t.strictSame(looked.found.map(({ what, path }) => [what, path]), [
    ["block", "/Shared/work"], ["data-lost", "/Shared/work/mine"],
  ]);
  const repaired = await fsck(true);
  t.equal(repaired.problems, looked.problems);
  t.strictSame((await fsck(false)).found, [], "then it is whole");
  const again = await open();
  t.equal(await textAt(again.tree, "short"), "of the guest");
  const large = await again.tree.lookup(at("large"));
  t.equal((await readFile(again.tree, large.ino)).length, 600_000, "what is the owner's is read");
  await again.close();
});
