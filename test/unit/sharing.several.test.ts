/**
 * The folders that a drive shares, where it has several devices, with raw keys and a real vault: each
 * of them lets people in and shuts them out, one that has the words alone has all of it, and none
 * lets in again whom another one has shut out, whatever it has heard of that.
 */
import { type Test, test } from "tap";
import { Writer } from "../../src/base/bytes.ts";
import type { ShareId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { seededRandom } from "../../src/base/random.ts";
import { encodeShareAsk, parseShare } from "../../src/crypt/records/share-records.ts";
import { encodeTies, parseTies, tieAfter } from "../../src/dag/ties.ts";
import { openShare, takeGrant } from "../../src/sharing/records/opened.ts";
import type { Vault } from "../../src/vault/vault.ts";
import { World } from "../contract/host.ts";
import { faultOf } from "../support/faults.ts";
import { put } from "../support/shared-folder.ts";
import { type GiverDevice, type Person, openGiver, person } from "../support/sharing-sides.ts";
import { openHouse } from "../support/vault-house.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const random = seededRandom(`sharing.several/${seed}`);
const never = new AbortController().signal;
const { deviceGoneMs } = limits.sharing;
const forEver = limits.records.timeMsMax;

type Side = Awaited<ReturnType<GiverDevice["open"]>>;

async function begun(t: Test) {
  const world = new World(random);
  const house = await openHouse(world.holder);
  t.teardown(() => house[Symbol.asyncDispose]());
  const { vault } = house;
  await world.store(vault, world.segment());
  const giver = await openGiver(vault, world);
  const [ann, ben, eve] = ["Ann", "Ben", "Eve"].map((name) => person(name, random)) as
    [Person, Person, Person];
  const record = (share: ShareId) => recordOf(vault, world, share);
  /** By their names, whom the holder knows to read it. */
  const readers = async (share: ShareId): Promise<readonly string[]> => {
    const named = parseShare(await record(share)).readers.map((one) => one.person);
    const known = [ann, ben, eve].filter(({ contact }) => named.includes(contact.person));
    return known.map(({ contact }) => contact.name);
  };
  return { ...giver, vault, world, ann, ben, eve, record, readers };
}

function recordOf(vault: Vault, world: World, share: ShareId): Promise<Uint8Array> {
  const { owner } = world.drive;
  return vault.share(world.owner, "get", encodeShareAsk({ owner, share, sequence: 0 }));
}

/** The root of the one comes to the other. */
async function tell(from: GiverDevice, to: Side): Promise<void> {
  await to.tied.hear(from.root, { isOurs: false });
  await to.tied.step();
}

function names(side: Side, ...people: readonly Person[]): readonly string[] {
  const nameOf = (id: string) => people.find((one) => one.contact.person === id)?.contact.name ?? "?";
  return side.given.list(nameOf).flatMap(({ with: rows }) => rows.map(({ name }) => name)).sort();
}

function whom({ contact: { person: id } }: Person) {
  return { kind: "person", person: id } as const;
}

test("what one device gives every other one has, and a recovered one goes on with it", async (t) => {
  const { desk, another, photos, ann, ben, eve, readers, record, tree, clock } = await begun(t);
  const atDesk = await desk.open();
  const toAnn = takeGrant(ann.keys, await atDesk.given.give(photos, ann.contact));
  const { share } = toAnn.grant;
  await atDesk.join("family", ben);
  await atDesk.given.giveGroup({ ...photos, gives: "write" }, "family");
  await atDesk.tell();
  const lap = another("lap");
  const atLap = await lap.open();
  t.strictSame(names(atLap, ann, ben), ["Ann", "Ben"]);
  t.match(atLap.given.list(() => "?"), [{ path: "/photos", groups: [{ name: "family", writes: true }] }]);
  t.strictSame(atLap.groups.people("family"), [ben.contact.person]);
  const before = parseShare(await record(share)).sequence;
  await atLap.tell();
  t.equal(parseShare(await record(share)).sequence, before, "what is shown already it leaves alone");
  t.match(atLap.given.list(() => "?"), [{ told: 3, holders: 3 }]);

  await atLap.given.revoke(photos, whom(ann), never);
  t.strictSame(await readers(share), ["Ben"], "at once");
  t.strictSame(await atLap.given.renewing(), [photos.path]);
  await tell(lap, atDesk);
  t.strictSame(names(atDesk, ann, ben), ["Ben"]);
  t.strictSame(await atDesk.given.renewing(), [photos.path], "each device renews what it writes");
  await atDesk.tell();
  t.strictSame(await readers(share), ["Ben"]);

  const toEve = takeGrant(eve.keys, await atLap.given.give(photos, eve.contact));
  t.equal(toEve.grant.share, share, "one folder, one share");
  await atLap.tell();
  t.strictSame(await readers(share), ["Ben", "Eve"]);

  // Both machines are gone, and the words are all that is left.
  const words = another("words", lap.root);
  for (const machine of [desk, lap]) [machine.isThere, machine.isCut] = [false, true];
  const shown = openShare(toEve, await record(share), 0).payload.root;
  await put(tree, "another file", random.bytes(10), photos.ino);
  await tree.commit();
  const atWords = await words.open();
  await atWords.tell();
  t.strictSame(await readers(share), ["Ben", "Eve"]);
  t.notOk(Buffer.from(openShare(toEve, await record(share), 0).payload.root).equals(shown), "news");
  t.equal(await faultOf(async () => openShare(toAnn, await record(share), 0)), "Denied");
  t.strictSame(atWords.given.guests(), [], "what guests write another one takes in");
  clock.shiftMs += deviceGoneMs;
  await atWords.tell();
  t.strictSame(atWords.given.guests().map((one) => one.person), [ben.contact.person]);
  t.strictSame(await readers(share), ["Ben", "Eve"]);
});

test("whoever is shut out on one device is let in by no other one that has not heard of it",
  async (t) => {
    const { desk, another, photos, ann, ben, eve, readers, tree } = await begun(t);
    const atDesk = await desk.open();
    const { share } = await atDesk.given.give(photos, ann.contact);
    for (const one of [ben, eve]) await atDesk.given.give(photos, one.contact);
    await atDesk.tell();
    const lap = another("lap");
    let atLap = await lap.open();
    await atLap.tell();
    await atDesk.given.revoke(photos, whom(ann), never);
    t.strictSame(await readers(share), ["Ben", "Eve"]);

    // Lap has something to show, gives Ann more time again and again, and shuts out Ben.
    await put(tree, "of lap", random.bytes(10), photos.ino);
    await tree.commit();
    for (let days = 1; days < 4; days++) {
      await atLap.given.give({ ...photos, expiresAtMs: 2e12 + days }, ann.contact);
      await atLap.tell();
      t.strictSame(await readers(share), ["Ben", "Eve"], `extended ${days} times`);
    }
    await atLap.given.revoke(photos, whom(ben), never);
    t.strictSame(await readers(share), ["Eve"], "shutting out waits for nothing");
    atLap = await lap.open();
    await atLap.tell();
    t.strictSame(await readers(share), ["Eve"], "nor does a new life let anybody in");

    await tell(desk, atLap);
    await tell(lap, atDesk);
    for (const side of [atLap, atDesk]) {
      t.strictSame(names(side, ann, ben, eve), ["Eve"], "both are out on both");
      await side.tell();
      t.strictSame(await readers(share), ["Eve"]);
    }
    t.ok(desk.root.equals(lap.root));
    await atLap.given.give(photos, ann.contact);
    await atLap.tell();
    t.strictSame(await readers(share), ["Ann", "Eve"], "who knows of it may let her in again");
    await atDesk.tell();
    t.strictSame(await readers(share), ["Ann", "Eve"]);
    await tell(lap, atDesk);
    t.strictSame(names(atDesk, ann, ben, eve), ["Ann", "Eve"]);
  });

test("an older state of a device, or of what a root says, brings nobody back", async (t) => {
  const { desk, another, photos, ann, ben, readers } = await begun(t);
  const atDesk = await desk.open();
  await atDesk.join("family", ann);
  await atDesk.given.giveGroup(photos, "family");
  const { share } = await atDesk.given.give(photos, ben.contact);
  await atDesk.tell();
  const lap = another("lap");
  await lap.open();
  const older = { root: Buffer.from(lap.root), books: new Map(lap.books.pairs) };
  await atDesk.leave("family", ann);
  await atDesk.given.revoke(photos, whom(ben), never);
  t.strictSame(await readers(share), []);
  await atDesk.tied.hear(older.root, { isOurs: false });
  await atDesk.tell();
  t.strictSame([names(atDesk), atDesk.groups.people("family")], [[], []]);
  t.strictSame(await readers(share), []);

  // Lap is set back to what it was then; it makes records before it hears of anything, and after.
  lap.books.pairs.clear();
  for (const [key, value] of older.books) lap.books.pairs.set(key, value);
  lap.root = older.root;
  const atLap = await lap.open();
  t.strictSame(names(atLap, ann, ben), ["Ann", "Ben"]);
  await atLap.tell();
  t.strictSame(await readers(share), []);
  await tell(desk, atLap);
  await atLap.tell();
  t.strictSame([names(atLap), atLap.groups.people("family")], [[], []]);
  t.strictSame(await readers(share), []);
});

test("what a device said last before it was gone holds for those who knew nothing of it",
  async (t) => {
    const { desk, another, photos, ann, ben, readers, clock } = await begun(t);
    const atDesk = await desk.open();
    const { share } = await atDesk.given.give(photos, ann.contact);
    await atDesk.given.give(photos, ben.contact);
    await atDesk.tell();
    const lap = another("lap");
    const atLap = await lap.open();
    await atDesk.given.revoke(photos, whom(ann), never);
    desk.isThere = false;
    await atLap.tell();
    t.strictSame(names(atLap, ann, ben), ["Ann", "Ben"], "it may have been another wish");
    t.strictSame(await readers(share), ["Ben"]);
    clock.shiftMs += deviceGoneMs;
    await atLap.tell();
    t.strictSame(names(atLap, ann, ben), ["Ben"]);
    const grant = await atLap.given.give(photos, ann.contact);
    t.equal(grant.share, share);
    await atLap.tell();
    t.strictSame(await readers(share), ["Ann", "Ben"], "and it goes on");
  });

test("readers never see less than they have seen, while there is hope for more", async (t) => {
  const { desk, another, photos, ann, ben, readers, record, tree, store, clock, blocks } =
    await begun(t);
  const lap = another("lap");
  lap.published = store.root()!;
  lap.blocks = new Map(blocks);
  await put(tree, "newer", random.bytes(10), photos.ino);
  await tree.commit();
  const atDesk = await desk.open();
  const toAnn = takeGrant(ann.keys, await atDesk.given.give(photos, ann.contact));
  const { share } = toAnn.grant;
  await atDesk.given.give(photos, ben.contact);
  await atDesk.tell();
  const root = async () => openShare(toAnn, await record(share), 0).payload.root;
  const newer = await root();
  const atLap = await lap.open();
  await tell(desk, atLap);
  await atLap.tell();
  t.strictSame(await root(), newer, "lap has not merged it yet");
  await atLap.given.revoke(photos, whom(ben), never);
  t.strictSame(await readers(share), ["Ann"]);
  t.strictSame(await root(), newer, "shutting out shows the same again");
  clock.shiftMs += deviceGoneMs;
  await atLap.tell();
  t.notSame(await root(), newer, "what nobody brings is lost");
});

test("of what two devices begin at once nothing is undone", async (t) => {
  const { desk, another, photos, ann, ben, eve, readers } = await begun(t);
  const lap = another("lap");
  const [atDesk, atLap] = [await desk.open(), await lap.open()];
  const toAnn = await atDesk.given.give(photos, ann.contact);
  const toBen = await atLap.given.give(photos, ben.contact);
  await atDesk.join("family", ann);
  await atLap.join("family", eve);
  await atLap.given.giveGroup({ ...photos, gives: "write" }, "family");
  await tell(desk, atLap);
  await tell(lap, atDesk);
  for (const side of [atDesk, atLap, atDesk]) await side.tell();
  await tell(lap, atDesk);
  await tell(desk, atLap);
  for (const side of [atDesk, atLap]) {
    t.strictSame(names(side, ann, ben, eve), ["Ann", "Ann", "Ben", "Eve"], "two shares of a folder");
    t.strictSame(side.groups.names(), ["family"], "one group");
    t.strictSame(side.groups.people("family").length, 2);
  }
  t.strictSame(await readers(toAnn.share), ["Ann"]);
  t.strictSame(await readers(toBen.share), ["Ann", "Ben", "Eve"]);
  const writing = (side: Side) => side.given.guests().map(({ person: id, number }) => `${id} ${number}`);
  t.strictSame(writing(atDesk), [], "lap takes in what they write");
  t.equal(writing(atLap).length, 2, "who came by the other device has a right, too");
  await atDesk.given.revoke(photos, whom(ann), never);
  await atDesk.leave("family", ann);
  await tell(desk, atLap);
  await atLap.tell();
  t.strictSame(await readers(toAnn.share), []);
  t.strictSame(await readers(toBen.share), ["Ben", "Eve"], "whatever she read it by");
});

test("whose time is over one device shuts out, and another one where that is gone", async (t) => {
  const { desk, another, photos, ann, ben, clock } = await begun(t);
  const atDesk = await desk.open();
  const untilMs = clock.now() + 60_000;
  await atDesk.given.give({ ...photos, expiresAtMs: untilMs }, ann.contact);
  await atDesk.given.give(photos, ben.contact);
  await atDesk.tell();
  const lap = another("lap");
  const atLap = await lap.open();
  clock.shiftMs += 61_000;
  await atLap.tell();
  t.strictSame(lap.expired, [], "it is desk's to do");
  await atDesk.tell();
  t.strictSame(desk.expired, ["photos"]);
  await tell(desk, atLap);
  await atLap.tell();
  t.strictSame([lap.expired, names(atLap, ann, ben)], [[], ["Ben"]]);
  await atDesk.given.give({ ...photos, expiresAtMs: clock.now() + 60_000 }, ann.contact);
  await tell(desk, atLap);
  desk.isThere = false;
  await atLap.tell();
  clock.shiftMs += deviceGoneMs + 60_000;
  for (let times = 0; times < 2; times++) await atLap.tell();
  t.strictSame(lap.expired, ["photos"]);
});

test("what an older version kept of one machine alone becomes the drive's", async (t) => {
  const { desk, another, photos, ann, ben } = await begun(t);
  const share = "cd".repeat(16);
  const [a, b] = [ann.contact.person, ben.contact.person];
  const given = new Writer().u8(3).varint(photos.ino).varint(1).latin1("photos").varint(5);
  given.varint(2).u8(0).hex(a).varint(forEver).u8(0);
  given.u8(1).bytes(Buffer.from("family")).varint(forEver).u8(1);
  given.varint(1).hex(b).varint(99);
  await desk.books.put(`g/${share}`, given.finish());
  const group = new Writer().u8(1).bytes(Buffer.from("family")).varint(1).hex(b);
  await desk.books.put(`m/${"ee".repeat(32)}`, group.finish());
  const atDesk = await desk.open();
  for (const side of [atDesk, await another("lap").open(), await desk.open()]) {
    t.strictSame(names(side, ann, ben), ["Ann", "Ben"]);
    t.match(side.given.list(() => "?"), [{ path: "/photos", groups: [{ name: "family", writes: true }] }]);
    t.strictSame(side.groups.people("family"), [b]);
  }
  t.equal(atDesk.given.guests()[0]?.number, 99, "by the right that he has");
  t.ok([...parseTies(desk.root).keys()].some((key) => key.startsWith("w/")));
  await atDesk.given.revoke(photos, whom(ann), never);
  t.strictSame(names(await desk.open(), ann, ben), ["Ben"], "it is taken over once");
});

test("a folder that was shared no more is let in again by nobody who has not heard of that",
  async (t) => {
    const { desk, another, photos, music, ann, ben, readers } = await begun(t);
    const atDesk = await desk.open();
    const { share } = await atDesk.given.give(photos, ann.contact);
    await atDesk.tell();
    const lap = another("lap");
    let atLap = await lap.open();
    await atDesk.given.revoke(photos, whom(ann), never);
    // As when room is needed: its slot is used for another folder.
    const key = [...parseTies(desk.root).keys()].find((one) => one.startsWith("g/"))!;
    await atDesk.tied.put([[key, undefined]]);
    await atDesk.given.give(music, ben.contact);
    await atDesk.tell();
    t.strictSame(await readers(share), []);
    await atLap.given.give({ ...photos, expiresAtMs: 2e12 }, ann.contact);
    await atLap.tell();
    t.strictSame(await readers(share), [], "what lap does not know keeps her out");
    await tell(lap, atDesk);
    await tell(desk, atLap);
    t.ok(desk.root.equals(lap.root));
    for (const side of [atDesk, atLap]) t.strictSame(names(side, ann, ben), ["Ben"]);
    await atLap.tell();
    t.strictSame(await readers(share), []);
    t.notOk([...lap.books.pairs.keys()].some((one) => one.includes(share)), "and it is forgotten");
    atLap = await lap.open();
    t.strictSame(names(atLap, ann, ben), ["Ben"]);
  });

test("a device without the words lets nobody in, whatever it writes", async (t) => {
  const { desk, another, photos, ann, ben, eve, readers } = await begun(t);
  const atDesk = await desk.open();
  const { share } = await atDesk.given.give(photos, ann.contact);
  await atDesk.given.give(photos, ben.contact);
  await atDesk.join("family", ann);
  await atDesk.given.giveGroup(photos, "family");
  await atDesk.tell();
  const atLap = await another("lap").open();
  const before = parseTies(desk.root);
  await atDesk.leave("family", ann);
  await atDesk.given.revoke(photos, whom(ann), never);
  const now = parseTies(desk.root);

  // What was there before, under later stamps; the same for others; a device that has heard of all.
  const forged = new Map(now);
  for (const [key, tie] of now) {
    const older = before.get(key)?.value;
    if (tie.value === undefined && older !== undefined) forged.set(key, tieAfter(tie, older));
    if (key.startsWith("v/")) forged.set(key, { stamp: tie.stamp + 100, value: tie.value });
  }
  t.ok([...forged].filter(([key, { value }]) => value !== undefined && now.get(key)?.value === undefined).length >= 2);
  for (const [key, { stamp, value }] of before) {
    const other = key.replace(ben.contact.person, eve.contact.person);
    if (other !== key) forged.set(other, { stamp: stamp + 2 ** 20, value });
  }
  for (const side of [atDesk, atLap]) {
    await side.tied.hear(encodeTies(forged), { isOurs: false });
    t.strictSame(names(side, ann, ben, eve), side === atDesk ? ["Ben"] : ["Ann", "Ben"], "as it was");
    await side.tell();
    t.strictSame(await readers(share), ["Ben"]);
  }
  await atDesk.given.give(photos, ann.contact);
  await atDesk.tell();
  t.strictSame(await readers(share), ["Ann", "Ben"], "whoever has them still can");
});

test("a device without the words keeps none from telling readers what is new", async (t) => {
  const { desk, another, photos, ann, record, tree } = await begun(t);
  const atDesk = await desk.open();
  const { share } = await atDesk.given.give(photos, ann.contact);
  await atDesk.tell();
  const atLap = await another("lap").open();
  const newest = async () => parseShare(await record(share)).sequence;
  const counted = [...parseTies(desk.root).keys()].filter((key) => key.startsWith("v/"));
  for (const value of [undefined, Buffer.alloc(16)]) {
    const forged = new Map(counted.map((key) => [key, { stamp: limits.ties.stampMax, value }]));
    for (const side of [atDesk, atLap]) {
      await side.tied.hear(encodeTies(forged), { isOurs: false });
      const before = await newest();
      await put(tree, `news ${random.bytes(4).toString("hex")}`, "of today", photos.ino);
      await tree.commit();
      await side.tell();
      t.ok(await newest() > before);
    }
  }
});

test("a device without the words gives nobody back what less was said of", async (t) => {
  const { desk, another, photos, ann, ben, record } = await begun(t);
  const atDesk = await desk.open();
  const soon = 2e12;
  const { share } = await atDesk.given.give({ ...photos, gives: "write" }, ann.contact);
  await atDesk.given.give(photos, ben.contact);
  const atLap = await another("lap").open();
  const before = parseTies(desk.root);
  await atDesk.given.give(photos, ann.contact);
  await atDesk.given.give({ ...photos, expiresAtMs: soon }, ben.contact);

  // What each had before, under stamps as late as a change may have.
  const forged = new Map(parseTies(desk.root));
  for (const [key, { value }] of before) {
    if (!key.startsWith("w/") || value === undefined) continue;
    for (let times = 0; times < 100; times++) forged.set(key, tieAfter(forged.get(key), value));
  }
  for (const side of [atDesk, atLap]) {
    await side.tied.hear(encodeTies(forged), { isOurs: false });
    await side.tied.hear(desk.root, { isOurs: false });
    await side.tell();
    const { readers, writers } = parseShare(await record(share));
    const until = new Map(readers.map(({ person: id, expiresAtMs }) => [id, expiresAtMs]));
    t.strictSame([until.get(ben.contact.person), until.get(ann.contact.person)], [soon, forEver]);
    t.strictSame(writers, []);
    const rows = side.given.list(() => "?").flatMap(({ with: all }) => all);
    t.strictSame(rows.map(({ writes }) => writes), [false, false]);
  }
});

test("less outdoes whoever has not heard of it, and taking away outdoes less", async (t) => {
  const { desk, another, photos, ann, ben } = await begun(t);
  const atDesk = await desk.open();
  const until = (expiresAtMs: number) => ({ ...photos, expiresAtMs });
  for (const one of [ann, ben]) await atDesk.given.give(until(2e12), one.contact);
  const lap = another("lap");
  const atLap = await lap.open();
  await atDesk.given.give(until(1.9e12), ann.contact);
  for (let times = 0; times < 9; times++) {
    await atDesk.given.give(until(2e12 - times % 3), ben.contact);
    await atLap.given.give(until(2e12 + times), ann.contact);
  }
  await atLap.given.revoke(photos, whom(ben), never);
  await tell(lap, atDesk);
  await tell(desk, atLap);
  t.ok(desk.root.equals(lap.root));
  t.strictSame(names(atLap, ann, ben), ["Ann"]);
  const [row] = atLap.given.list(() => "?").flatMap(({ with: all }) => all);
  t.equal(row?.expiresAt, new Date(1.9e12).toISOString());
});
