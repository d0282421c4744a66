/** What a reader believes of shares, what opens with what, and the frozen bytes of all of it. */
import { readFileSync } from "node:fs";
import { type Test, test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import { isFault } from "../../src/base/errors.ts";
import { type Cid, type Ino, parseName, rootIno } from "../../src/base/ids.ts";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { sha256 } from "../../src/crypt/ciphers/sha256.ts";
import { personKeysOf } from "../../src/crypt/records/grants.ts";
import { grantBytes } from "../../src/crypt/records/grants.ts";
import { decodeShareAsk, encodeShareAsk, parseGrant, parseShare, readerKeyOf }
  from "../../src/crypt/records/share-records.ts";
import { treeKeys } from "../../src/dag/keys.ts";
import { openPage, pageKey } from "../../src/dag/pages.ts";
import { openRoot } from "../../src/dag/root.ts";
import { findFolder, rootOf } from "../../src/sharing/records/folder-root.ts";
import { isLink, linkNeedsPassphrase, linkText, openLink } from "../../src/sharing/records/link.ts";
import { openShare, takeGrant } from "../../src/sharing/records/opened.ts";
import { type SharePayload, decodeSharePayload, encodeSharePayload, grantText, parseGrantText }
  from "../../src/sharing/records/payload.ts";
import { personIdOf } from "../../src/sharing/records/person-keys.ts";
import { encodePerson, parsePerson } from "../../src/sharing/records/person-text.ts";
import { openBorrowedTree } from "../../src/tree/borrowed.ts";
import { type Tree, openTree } from "../../src/tree/tree.ts";
import { refused } from "../contract/host.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { ShareMaker } from "../support/share-maker.ts";
import { nobody, walkTree } from "../support/walk.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const random = seededRandom(`sharing.records/${seed}`);
const treeSecret = Buffer.alloc(32, 5);
const flags = { read: true, write: true, append: false, truncate: false, exclusive: true };

async function folder(tree: Tree, parent: Ino, name: string): Promise<Ino> {
  return (await tree.mkdir(nobody, { parent, name: parseName(name) }, { mode: 0o755 })).ino;
}

async function file(tree: Tree, parent: Ino, name: string, bytes: Uint8Array): Promise<Ino> {
  const at = { parent, name: parseName(name) };
  const made = await tree.create(nobody, at, { mode: 0o644 }, flags);
  await tree.write(made.handle, 0, bytes);
  await tree.release(made.handle);
  return made.attributes.ino;
}

/** A drive of a folder to share, and of things above and beside it that nobody else is to see. */
async function madeDrive() {
  const store = new MemoryStore();
  const needs = { store, clock: systemClock, random, log: silentLog };
  const tree = await openTree(needs, { treeSecret });
  const home = await folder(tree, rootIno, "home");
  const photos = await folder(tree, home, "photos");
  const june = await folder(tree, photos, "june");
  for (let at = 0; at < 400; at++) await file(tree, june, `picture ${at}`, Buffer.alloc(900, at));
  await file(tree, photos, "large", Buffer.alloc(700_000, 7));
  const linked = await file(tree, photos, "twice", Buffer.from("in the table"));
  await tree.link(nobody, linked, { parent: photos, name: parseName("again") });
  await file(tree, home, "diary", Buffer.from("nobody's business"));
  for (let at = 0; at < 400; at++) await file(tree, home, `secret ${at}`, Buffer.alloc(900, -at));
  await tree.commit();
  return { store, needs, tree, home, photos, june };
}

function payloadOf(root: Uint8Array, ino: Ino): SharePayload {
  return { root, ino, manifests: [], newest: [], runs: [], catalogKey: random.bytes(32) };
}

test("the folder's root opens all below it, and no page above or beside it", async (t) => {
  const { store, needs, photos } = await madeDrive();
  const sealed = store.root();
  if (sealed === undefined) throw new Error("committed");
  const root = openRoot(treeKeys(treeSecret), sealed);
  const read = async (cid: Cid) => store.get(cid);
  const path = [parseName("home"), parseName("photos")];
  const found = await findFolder(root, { ino: photos, path }, read);
  if (found === undefined) throw new Error("found");
  const elsewhere = await findFolder(root, { ino: photos, path: [parseName("gone")] }, read);
  t.strictSame(elsewhere?.path, path, "wherever it went it is found by its number");
  t.equal(await findFolder(root, { ino: 9_999 as Ino, path }, read), undefined);

  const opened: Cid[] = [];
  const spying = new Proxy(store, {
    get(target, name) {
      if (name !== "get") return Reflect.get(target, name).bind?.(target) ?? Reflect.get(target, name);
      return (cid: Cid) => { opened.push(cid); return target.get(cid); };
    },
  });
  const shared = openBorrowedTree({ ...needs, store: spying }, rootOf(found));
  const seen = [...(await walkTree(shared)).keys()];
  t.equal(seen.length, 403, "the folder, june, its pictures, and the large file");
  t.notOk(seen.some((name) => /diary|secret|twice|again/.test(name)));
  await t.rejects(async () => shared.lookup({ parent: rootIno, name: parseName("diary") }));
  await t.rejects(async () => shared.unlink(nobody, { parent: rootIno, name: parseName("large") }));

  // With every secret that stands below the folder, tried on every page of the drive.
  const secrets = [found.tree.secret];
  for (const name of [parseName("june")]) {
    const { ino } = await shared.lookup({ parent: rootIno, name });
    const asked = { ino, path: [name] };
    const { path: _, ...below } = await findFolder(
      { ...root, directory: found }, asked, read,
    ) ?? found;
    secrets.push(below.tree.secret);
  }
  const homeFolder = await findFolder(root, { ino: 2 as Ino, path: [parseName("home")] }, read);
  const above = [root.directory.tree.root, homeFolder?.tree.root, root.linked.root];
  for (const page of above) {
    if (page?.kind !== "page") continue;
    for (const secret of secrets) {
      if (secret === undefined) continue;
      const sealedPage = await store.get(page.cid);
      t.throws(() => openPage(pageKey(secret), page.cid, sealedPage), "climbs nowhere");
    }
    t.notOk(opened.includes(page.cid));
  }
});

test("a grant opens for one person, and a record only as what it is", (t) => {
  const maker = new ShareMaker(random);
  const [ben, eve] = [personKeysOf(random.bytes(32)), personKeysOf(random.bytes(32))];
  const grant = maker.grant(ben);
  t.equal(grant.sealed.length, grantBytes);
  t.ok(grant.bytes.length < 1_600, `${grant.bytes.length} bytes`);
  t.strictSame(parseGrantText(` ${grantText(grant)}\n`), grant);
  fails(t, "another's grant", () => takeGrant(eve, grant), "Denied");
  const held = takeGrant(ben, grant);
  const person = personIdOf(ben);
  t.strictSame(held.readerKey, readerKeyOf(maker.drive.shareSecret, maker.share, person));

  const root = Buffer.from(vectors.root, "hex");
  const payload = payloadOf(root, 7 as Ino);
  const first = maker.record(1, [{ person }], payload);
  t.strictSame(openShare(held, first.bytes, 0).payload.root, root);
  fails(t, "replayed", () => openShare(held, first.bytes, 1), "Stale");
  fails(t, "rolled back", () => openShare(held, first.bytes, 7), "Stale");
  const without = maker.record(2, [{ person: personIdOf(eve) }], payload);
  fails(t, "after he left", () => openShare(held, without.bytes, 1), "Denied");
  const forger = new ShareMaker(random);
  const forged = forger.record(3, [{ person }], payload).bytes;
  fails(t, "of another owner", () => openShare(held, forged, 1), "Corrupt");
  const stolen = { ...held, readerKey: random.bytes(32) };
  fails(t, "without his key", () => openShare(stolen, first.bytes, 0), "Corrupt");
  // Eve's key for the record is hers alone, whatever place it is put into.
  const mixed = maker.record(4, [{ person }, { person: personIdOf(eve) }], payload);
  const eves = { ...takeGrant(eve, maker.grant(eve)), person };
  fails(t, "another's key", () => openShare(eves, mixed.bytes, 0), "Corrupt");
  const noRoot = maker.record(5, [{ person }], { ...payload, root: Buffer.from("no root") });
  fails(t, "what is no folder", () => openShare(held, noRoot.bytes, 0), "Corrupt");
  for (const at of [3, 60, 200, first.bytes.length - 2]) {
    const bent = Buffer.from(first.bytes);
    bent[at]! ^= 1;
    fails(t, `bent at ${at}`, () => openShare(held, bent, 0), "Corrupt");
  }
  t.end();
});

test("a link opens with its passphrase, and is nobody's without", async (t) => {
  const maker = new ShareMaker(random);
  const linkSeed = random.bytes(32);
  const grant = maker.grant(personKeysOf(linkSeed));
  const open = await linkText({ seed: linkSeed, grant }, null, random);
  t.strictSame(await openLink(open, null), { seed: linkSeed, grant });
  t.ok(takeGrant(personKeysOf(linkSeed), grant));
  const passphrase = Buffer.from("a word between friends");
  const locked = await linkText({ seed: linkSeed, grant }, passphrase, random);
  t.ok(isLink(locked) && linkNeedsPassphrase(locked) && !linkNeedsPassphrase(open));
  t.notOk(Buffer.from(locked.slice(9), "base64url").includes(linkSeed));
  t.strictSame(await openLink(locked, passphrase), { seed: linkSeed, grant });
  await refused(t, "no passphrase", openLink(locked, null), "Denied");
  await refused(t, "another one", openLink(locked, Buffer.from("guess")), "Denied");
  await refused(t, "cut", openLink(open.slice(0, -3), null), "Invalid");
  await refused(t, "a grant", openLink(grantText(grant), null), "Invalid");

  const frozen = await openLink(vectors.link, null);
  t.equal(Buffer.from(frozen.seed).toString("hex"), vectors.readerSeed);
  t.equal(Buffer.from(frozen.grant.bytes).toString("hex"), vectors.grant);
  const frozenLocked = await openLink(vectors.lockedLink, Buffer.from("correct horse"));
  t.equal(Buffer.from(frozenLocked.seed).toString("hex"), vectors.readerSeed);
});

interface Vectors {
  readonly link: string;
  readonly lockedLink: string;
  readonly driveSeed: string;
  readonly readerSeed: string;
  readonly root: string;
  readonly share: string;
  readonly grant: string;
  readonly ask: string;
  readonly payload: string;
  readonly person: string;
  readonly wrong: readonly { readonly what: string; readonly bytes: string; readonly comment: string }[];
}

const vectors = JSON.parse(
  readFileSync(new URL("../vectors/sharing.json", import.meta.url), "utf8"),
) as Vectors;

test("shares, grants, questions and people have the bytes that they always had", (t) => {
  const reader = personKeysOf(Buffer.from(vectors.readerSeed, "hex"));
  const maker = new ShareMaker(random, { seed: Buffer.from(vectors.driveSeed, "hex") });
  const grant = parseGrant(Buffer.from(vectors.grant, "hex"));
  const held = takeGrant(reader, grant);
  t.equal(grant.owner, maker.drive.owner);
  t.equal(grant.from, personIdOf(maker.owner));
  const { record, payload } = openShare(held, Buffer.from(vectors.share, "hex"), 0);
  t.equal(record.sequence, 3);
  t.equal(encodeSharePayload(payload).toString("hex"), vectors.payload);
  const decoded = decodeSharePayload(Buffer.from(vectors.payload, "hex"));
  t.equal(encodeSharePayload(decoded).toString("hex"), vectors.payload);
  const ask = decodeShareAsk(Buffer.from(vectors.ask, "hex"));
  t.strictSame(ask, { owner: maker.drive.owner, share: maker.share, sequence: 2 });
  t.equal(encodeShareAsk(ask).toString("hex"), vectors.ask);
  const person = parsePerson(vectors.person);
  t.equal(person.person, personIdOf(reader));
  t.strictSame(person.sealHash, sha256(reader.sealPublic));
  t.equal(encodePerson(person), vectors.person);
  for (const { what, bytes, comment } of vectors.wrong) {
    const parse = what === "share" ? parseShare : what === "grant" ? parseGrant : decodeShareAsk;
    fails(t, comment, () => parse(Buffer.from(bytes, "hex")), "Corrupt");
  }
  t.throws(() => parsePerson(vectors.person.slice(0, -2)));
  t.end();
});

type Kinds = Parameters<typeof isFault>[1];

function fails(t: Test, what: string, act: () => unknown, kind: NonNullable<Kinds>): void {
  try {
    act();
    t.fail(`${what}: was let through`);
  } catch (error) {
    t.ok(isFault(error, kind), `${what}: ${String(error)}`);
  }
}
