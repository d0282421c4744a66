/**
 * Groups of people, with raw keys, a real vault and the protocol: who comes into one reads what it
 * is given, who leaves does not, and what she keeps opens nothing that is written from then on.
 */
import { type Test, test } from "tap";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { sha256 } from "../../src/crypt/ciphers/sha256.ts";
import { encodeShareAsk, inboxIdOf, parseShare } from "../../src/crypt/records/share-records.ts";
import { decodeGiven, encodeGiven } from "../../src/sharing/given/given-books.ts";
import { givingDuties } from "../../src/sharing/given/giving-duties.ts";
import { type GivenWay, lost, reachOf } from "../../src/sharing/given/ways.ts";
import { type Contact, Contacts } from "../../src/sharing/people/contacts.ts";
import { decodeInbox, encodeInbox } from "../../src/sharing/records/inbox-payload.ts";
import { type Held, openInbox, openShare, takeEntry, takeGrant } from "../../src/sharing/records/opened.ts";
import { personIdOf } from "../../src/sharing/records/person-keys.ts";
import { encodePerson } from "../../src/sharing/records/person-text.ts";
import type { Vault } from "../../src/vault/vault.ts";
import { type World, refused } from "../contract/host.ts";
import { faultOf } from "../support/faults.ts";
import { openHolder } from "../support/holder.ts";
import { letterVectors } from "../support/letter-vectors.ts";
import { openGiver, openReader, person } from "../support/sharing-sides.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const random = seededRandom(`sharing.groups/${seed}`);
const never = new AbortController().signal;

test("who reads follows from all ways together, and goes with the last of them", (t) => {
  const [ann, ben, eve] = ["a1", "b2", "e3"].map((id) => id.repeat(32) as Contact["person"]);
  const members = new Map([["family", [ann!, ben!]], ["band", [ben!]], ["empty", []]]);
  const of = (group: string) => members.get(group) ?? [];
  const group = (name: string, expiresAtMs: number, gives: GivenWay["gives"] = "read"): GivenWay => {
    return { to: { kind: "group", group: name }, expiresAtMs, gives };
  };
  const ways: readonly GivenWay[] = [
    { to: { kind: "person", person: ben! }, expiresAtMs: 5, gives: "read" },
    { to: { kind: "person", person: eve! }, expiresAtMs: 5, gives: "verify" },
    group("family", 9), group("band", 7, "write"), group("empty", 9), group("gone", 9),
  ];
  t.strictSame(reachOf(ways, of), [
    { person: ben, expiresAtMs: 9, writesUntilMs: 7, groups: ["family", "band"], isDirect: true },
    { person: ann, expiresAtMs: 9, writesUntilMs: 0, groups: ["family"], isDirect: false },
  ]);
  const before = reachOf(ways, of);
  t.strictSame(lost(before, reachOf(ways.slice(0, 2), of)), [ann], "Ben was given it himself");
  members.set("family", [eve!]);
  t.strictSame(lost(before, reachOf(ways, of)), [ann], "Ben is in the band");
  t.strictSame(lost(before, []), [ben, ann]);
  t.end();
});

/** Neither as himself nor under anybody else's name in the record does his key open it. */
async function closedTo(t: Test, held: Held, record: Uint8Array): Promise<void> {
  t.equal(await faultOf(() => openShare(held, record, 0)), "Denied");
  for (const { person: other } of parseShare(record).readers) {
    t.equal(await faultOf(() => openShare({ ...held, person: other }, record, 0)), "Corrupt");
  }
}

/** As its owner gets it from the holder. */
function recordFor(
  vault: Vault, world: World, share: Held["grant"]["share"],
): Promise<Uint8Array> {
  const { owner } = world.drive;
  return vault.share(world.owner, "get", encodeShareAsk({ owner, share, sequence: 0 }));
}

test("a group's folders come to its people by themselves, and go when they leave", async (t) => {
  await using holder = await openHolder(random);
  const { world, vault } = holder;
  const giver = await openGiver(vault, world);
  const { photos, music } = giver;
  let side = await giver.open();
  const [ann, ben] = [person("Ann", random), person("Ben", random)];
  const [forAnn, forBen] = await side.join("family", ann, ben);
  await side.given.giveGroup(photos, "family");
  await side.tell();

  const [hers, his] = [await openReader(ann, vault, world), await openReader(ben, vault, world)];
  let [atAnns, atBens] = [await hers.open(), await his.open()];
  await refused(t, "another's", atBens.own.accept(forAnn!), "Denied");
  await atAnns.own.accept(forAnn!);
  await atBens.own.accept(forBen!);
  t.strictSame(await atAnns.look(), ["photos"]);
  t.strictSame(await atBens.look(), ["photos"]);

  await side.given.giveGroup(music, "family");
  await side.tell();
  t.strictSame(await atAnns.look(), ["music", "photos"], "what is shared later needs no string");
  t.strictSame(await atBens.look(), ["music", "photos"]);
  atBens = await his.open();
  t.strictSame(atBens.taken.list(() => "Ann").map(({ isThroughGroup }) => isThroughGroup), [true, true]);

  // All that Ben has: his keys, and what he was sent.
  const inbox = takeGrant(ben.keys, forBen!);
  const { entries } = openInbox(inbox, await recordFor(vault, world, inbox.grant.share), 0);
  const [ofPhotos, ofMusic] = ["photos", "music"].map((name) => {
    return takeEntry(inbox, entries.find((entry) => entry.name === name)!);
  }) as [Held, Held];
  for (const one of [ofPhotos, ofMusic]) {
    t.ok(openShare(one, await recordFor(vault, world, one.grant.share), 0), "he reads it");
  }
  const grant = await side.given.give(music, ben.contact);
  t.strictSame(takeGrant(ben.keys, grant).readerKey, ofMusic.readerKey, "by himself as by the group");
  t.strictSame(side.given.lossesBy({ group: "family", people: [ben.contact.person] }), [
    { ino: photos.ino, path: photos.path, people: [ben.contact.person] },
  ], "what he was given himself he keeps");

  await side.leave("family", ben);
  await side.tell();
  const { requester } = his;
  await closedTo(t, ofPhotos, await recordFor(vault, world, ofPhotos.grant.share));
  const ask = { owner: world.drive.owner, share: ofPhotos.grant.share, sequence: 0 };
  await refused(t, "a holder", vault.share(requester, "get", encodeShareAsk(ask)), "Denied");
  await closedTo(t, inbox, await recordFor(vault, world, inbox.grant.share));
  const asInbox = { ...ask, share: inbox.grant.share };
  await refused(t, "his inbox", vault.share(requester, "get", encodeShareAsk(asInbox)), "Denied");
  t.ok(openShare(ofMusic, await recordFor(vault, world, ofMusic.grant.share), 0));
  t.strictSame(await atBens.look(), ["music"], "Ben's machine hides what it is refused");
  t.strictSame(await atAnns.look(), ["music", "photos"], "Ann notices nothing");
  t.strictSame(await side.given.renewing(), [photos.path], "what he knew is to be renewed");

  side = await giver.open();
  await side.tell();
  await closedTo(t, ofPhotos, await recordFor(vault, world, ofPhotos.grant.share));
  await side.given.revoke(photos, { kind: "group", group: "family" }, never);
  await side.tell();
  t.strictSame(await atAnns.look(), ["music"], "what a group is given no more goes by itself");
  atAnns = await hers.open();
  t.strictSame(await atAnns.look(), ["music"], "over a restart");

  await side.join("family", ben);
  await side.given.giveGroup(photos, "family");
  await side.tell();
  t.strictSame(await atBens.look(), ["music", "photos"], "who comes back needs no second string");
});

test("what came through a group can be left alone, and taken up again", async (t) => {
  await using holder = await openHolder(random);
  const { world, vault } = holder;
  const giver = await openGiver(vault, world);
  const side = await giver.open();
  const ann = person("Ann", random);
  const [grant] = await side.join("family", ann);
  await side.given.giveGroup(giver.photos, "family");
  await side.given.giveGroup(giver.music, "family");
  await side.tell();
  const hers = await openReader(ann, vault, world);
  let at = await hers.open();
  await at.own.accept(grant!);
  t.strictSame(await at.look(), ["music", "photos"]);
  await at.taken.forget("music");
  t.strictSame(await at.look(), ["photos"]);
  at = await hers.open();
  t.strictSame(await at.look(), ["photos"], "nor after a restart");
  await at.own.accept(grant!);
  await at.taken.want(world.drive.owner);
  t.strictSame(await at.look(), ["music", "photos"]);
  await at.own.forget(world.drive.owner);
  t.strictSame(await at.look(), []);
  await refused(t, "twice", at.taken.forget("music"), "NotFound");
});

test("a group without people and folders is none, and a contact that reads a folder stays one", async (t) => {
  await using holder = await openHolder(random);
  const { world, vault } = holder;
  const giver = await openGiver(vault, world);
  const { groups, given, inboxes, tied, join, leave } = await giver.open();
  const ben = person("Ben", random);
  await join("family", ben);
  await given.giveGroup(giver.photos, "family");
  await leave("family", ben);
  t.strictSame(groups.names(), ["family"], "for the sake of the folder");
  await given.revoke(giver.photos, { kind: "group", group: "family" }, never);
  t.strictSame(groups.names(), []);

  const askKey = async () => ben.contact.sealPublic;
  const contacts = new Contacts({ books: giver.desk.books, tied, log: silentLog, askKey });
  const duties = givingDuties({ random, contacts, groups, given, inboxes });
  const { contact: { person: who, sealPublic } } = ben;
  await duties.addContact("Ben", encodePerson({
    person: who, sealHash: sha256(sealPublic), peer: giver.desk.self, addresses: [], name: "b",
  }));
  await duties.give({ ...giver.music, who: "Ben", gives: "read" });
  await refused(t, "he could not be shut out", duties.removeContact("Ben"), "Busy");
  await contacts.remove("Ben");
  const byTooLittle = async () => duties.revoke({ ...giver.music, who: who.slice(0, 8) });
  await refused(t, "too short", byTooLittle(), "NotFound");
  await duties.revoke({ ...giver.music, who: who.slice(0, 16) });
  t.strictSame(given.list((one) => one), [], "as another device may have removed it");
});

test("a group that may write gives each of its people a right of her own, until she leaves",
  async (t) => {
    await using holder = await openHolder(random);
    const { world, vault } = holder;
    const giver = await openGiver(vault, world);
    const { photos, clock } = giver;
    let side = await giver.open();
    const [ann, ben] = [person("Ann", random), person("Ben", random)];
    await side.join("band", ann, ben);
    await side.given.giveGroup({ ...photos, gives: "write" }, "band");
    await side.given.giveGroup({ ...photos, expiresAtMs: clock.now() + 60_000 }, "band two");
    const first = side.given.guests();
    t.equal(new Set(first.map(({ right }) => right.keys.owner)).size, 2);
    t.strictSame(side.given.inboxOf(ann.contact.person).map(({ writes }) => writes), [true]);
    await side.given.giveGroup(photos, "readers");
    await side.join("readers", ann);
    await side.leave("band", ann);
    t.strictSame(side.given.guests().map((one) => one.person), [ben.contact.person]);
    t.strictSame(side.given.inboxOf(ann.contact.person).map(({ writes }) => writes), [false],
      "what she reads by another group she goes on reading");
    await side.join("band", ann);
    const later = side.given.guests().find((one) => one.person === ann.contact.person);
    const before = first.find((one) => one.person === ann.contact.person);
    t.not(later?.right.keys.owner, before?.right.keys.owner, "what was taken is not given again");
    side = await giver.open();
    t.equal(side.given.guests().find((one) => one.person === ann.contact.person)?.number,
      later?.number, "remembered");
    clock.shiftMs += 61_000;
    await side.tell();
    t.strictSame(side.given.list(() => "?")[0]?.groups.map(({ name }) => name), ["band", "readers"]);
  });

test("books of before there were groups are read, and those of today come back", (t) => {
  const [one, two] = ["11".repeat(32), "22".repeat(32)];
  const tail = "0702" + "0161" + "0162" + "05";
  const second = `02${tail}02${one}0a00${two}1463`;
  const { place, older } = decodeGiven(Buffer.from(second, "hex"));
  t.strictSame(place, { path: ["a", "b"], sequence: 5 });
  t.match(older, {
    ino: 7, ways: [
      { to: { kind: "person", person: one }, expiresAtMs: 10, gives: "read" },
      { to: { kind: "person", person: two }, expiresAtMs: 20, gives: "write" },
    ],
  });
  t.strictSame([...older?.rights ?? []], [[two, 99]]);
  const first = decodeGiven(Buffer.from(`01${tail}01${one}0a`, "hex")).older;
  t.strictSame([first?.ways.length, first?.rights.size], [1, 0]);
  const third = `03${tail}02` + `00${one}0a00` + `010666616d696c791401` + `01${two}63`;
  t.strictSame(decodeGiven(Buffer.from(third, "hex")).older?.ways, [
    { to: { kind: "person", person: one }, expiresAtMs: 10, gives: "read" },
    { to: { kind: "group", group: "family" }, expiresAtMs: 20, gives: "write" },
  ]);
  t.strictSame(decodeGiven(encodeGiven(place)), { place });
  t.end();
});

test("inboxes have the bytes that they always had", async (t) => {
  const { written, maker, reader, grant, record, wrong } =
    letterVectors("sharing-inbox.json", random);
  t.equal(inboxIdOf(maker.drive.shareSecret, personIdOf(reader)), written.share);
  t.equal(grant.gives, "inbox");
  const { entries } = openInbox(takeGrant(reader, grant), record, 0);
  t.equal(encodeInbox(entries).toString("hex"), written.payload);
  t.strictSame(decodeInbox(Buffer.from(written.payload, "hex")), entries);
  t.match(entries, [{ name: "photos", writes: false }, { name: "work", writes: true }]);
  for (const { payload, comment } of wrong) {
    t.equal(await faultOf(() => decodeInbox(payload)), "Corrupt", comment);
  }
});
