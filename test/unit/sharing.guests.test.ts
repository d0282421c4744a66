/**
 * Rights to write a folder, with raw records, real vaults and the protocol: who has one is believed
 * about that folder and nothing else, and nobody who has none is, whatever he signs.
 */
import { readFileSync } from "node:fs";
import { test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import type { Ino } from "../../src/base/ids.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { GuestRoot, Share } from "../../src/base/sharing.ts";
import { writeRightOf } from "../../src/crypt/drive/write-right.ts";
import { personKeysOf } from "../../src/crypt/records/grants.ts";
import { decodeShareAsk, decodeShareWrite, encodeShareAsk, encodeShareWrite, parseGrant, parseShare }
  from "../../src/crypt/records/share-records.ts";
import type { GivenGuest } from "../../src/sharing/given/given.ts";
import { openShare, takeGrant } from "../../src/sharing/records/opened.ts";
import type { SharePayload } from "../../src/sharing/records/payload.ts";
import { personIdOf } from "../../src/sharing/records/person-keys.ts";
import { refused } from "../contract/host.ts";
import { faultOf } from "../support/faults.ts";
import { openHolder } from "../support/holder.ts";
import { OwnerLooks } from "../support/owner-looks.ts";
import { ShareMaker, payloadOf } from "../support/share-maker.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const random = seededRandom(`sharing.guests/${seed}`);
const [ben, eve] = [personKeysOf(random.bytes(32)), personKeysOf(random.bytes(32))];
const folder = 7 as Ino;
const told = (ino = folder): SharePayload => payloadOf(random, ino);

test("a right to write holds the right to read, and opens for one person", (t) => {
  const maker = new ShareMaker(random);
  const grant = maker.writeGrant(ben, 5);
  t.equal(grant.sealed.length, maker.grant(ben).sealed.length, "of the same length");
  const held = takeGrant(ben, grant);
  const right = maker.rightOf(ben, 5);
  t.strictSame(held.readerKey, right.readerKey);
  t.equal(held.right?.keys.owner, right.keys.owner, "the owner can make it without the grant");
  t.throws(() => takeGrant(eve, grant));
  t.not(maker.rightOf(ben, 6).keys.owner, right.keys.owner, "a later one is another");
  t.not(maker.rightOf(eve, 5).keys.owner, right.keys.owner);
  t.equal(takeGrant(ben, maker.grant(ben)).right, undefined, "who may read may not write");
  // What reads gives nothing that signs: as a seed of a right it makes another key.
  t.not(writeRightOf(right.readerKey).keys.owner, right.keys.owner);
  t.end();
});

function write(record: Share, owner: Share["owner"]): ["write", Uint8Array] {
  return ["write", encodeShareWrite({ owner, record: record.bytes })];
}

test("a holder of the folder keeps what its writers sign, as long as they are named", async (t) => {
  await using holder = await openHolder(random);
  const { world, vault, maker, as } = holder;
  const { owner } = world.drive;
  const right = maker.rightOf(ben, 1);
  const [writer, reader] = [as(right.keys.owner), as(personIdOf(ben))];
  const giver = as(personIdOf(maker.owner));
  const first = maker.written(right, 1, told());
  const get = (sequence = 0): ["get", Uint8Array] =>
    ["get", encodeShareAsk({ owner: right.keys.owner, share: maker.share, sequence })];

  await refused(t, "before it is shared", vault.share(writer, ...write(first, owner)), "Denied");
  const readers = [{ person: personIdOf(ben) }];
  await vault.share(world.owner, "put", maker.record(1, readers, undefined).bytes);
  await refused(t, "by a reader's grant", vault.share(reader, ...write(first, owner)), "Denied");
  await refused(t, "of a reader", vault.share(writer, ...write(first, owner)), "Denied");
  await vault.share(world.owner, "put", maker.record(2, readers, undefined, [right]).bytes);
  await refused(t, "by another", vault.share(reader, ...write(first, owner)), "Denied");
  await refused(t, "as the owner's", vault.share(writer, "put", maker.record(9, [], undefined).bytes), "Denied");
  const forged = maker.written(maker.rightOf(eve, 1), 1, told());
  await refused(t, "by a right that is not named", vault.share(as(forged.owner), ...write(forged, owner)), "Denied");
  await refused(t, "before the first", vault.share(giver, ...get()), "NotFound");
  await vault.share(writer, ...write(maker.written(right, 2, told()), owner));
  await refused(t, "rolled back", vault.share(writer, ...write(first, owner)), "Stale");
  const bent = Buffer.from(first.bytes);
  bent[bent.length - 3]! ^= 1;
  await refused(t, "bent", vault.share(writer, "write",
    encodeShareWrite({ owner, record: bent })), "Corrupt");
  t.equal(parseShare(await vault.share(giver, ...get())).sequence, 2, "the folder's owner has it");
  await refused(t, "it is for nobody else", vault.share(as(personIdOf(eve)), ...get()), "Denied");

  await vault.share(world.owner, "put", maker.record(3, readers, undefined).bytes);
  const later = maker.written(right, 3, told());
  await refused(t, "after it ended", vault.share(writer, ...write(later, owner)), "Denied");
  await refused(t, "what it had signed is gone", vault.share(giver, ...get()), "NotFound");
});

test("the owner takes in what is signed by a right, of its folder, newer, and in time", async (t) => {
  const maker = new ShareMaker(random);
  const right = maker.rightOf(ben, 1);
  const guest: GivenGuest = {
    share: maker.share, ino: folder, person: personIdOf(ben), number: 1, right,
  };
  const taken: GuestRoot[] = [];
  let isAll = true;
  const owner = new OwnerLooks(maker, [guest], async (news) => taken.push(news) > 0 && isAll);
  const look = (record: Share | undefined) => owner.look(record);
  t.equal(await look(undefined), null, "nothing was written yet");
  t.equal(await look(maker.written(right, 1, told())), null);
  t.match(taken, [{ folder, number: right.number, name: "Ben" }]);
  t.match(await look(maker.written(right, 1, told())), /Stale/, "replayed");
  t.match(await look(maker.written(maker.rightOf(eve, 1), 5, told())), /Corrupt/, "by another");
  t.match(await look(maker.written(right, 5, told(8 as Ino))), /Corrupt/, "another folder");
  const elsewhere = { share: decodeShareAsk(encodeShareAsk({
    owner: right.keys.owner, share: "ef".repeat(16) as Share["share"], sequence: 0,
  })).share };
  t.match(await look(maker.written(right, 5, told(), elsewhere)), /Corrupt/, "another share");
  t.match(await look(maker.written(right, 5, told(), { to: personIdOf(eve) })), /Denied/);
  const readOnly = { ...right, backKey: right.readerKey };
  t.match(await look(maker.written(readOnly, 5, told())), /Corrupt/, "under a reader's key");
  t.match(await look(maker.record(6, [{ person: personIdOf(maker.owner) }], told())), /Corrupt/);
  t.equal(taken.length, 1);
  const publishedAtMs = systemClock.now();
  t.equal(await look(maker.written(right, 2, told(), { publishedAtMs })), null);
  t.equal(taken.length, 2);

  isAll = false;
  const large = maker.written(right, 3, told(), { publishedAtMs });
  t.equal(await look(large), null, "there is more in it than one turn brings");
  isAll = true;
  t.equal(await look(large), null);
  t.equal(taken.length, 4, "the same once more");
  t.match(await look(large), /Stale/, "and then no more");

  owner.restart();
  t.match(await look(maker.written(right, 2, told())), /Stale/, "replayed after a restart");
  t.ok(owner.written.areAny, "she may refer to what the drive does not");
  owner.guests = [];
  owner.answer = maker.written(right, 4, told());
  t.equal(await owner.step(), "idle", "her right ended");
  t.equal(taken.length, 4);
  t.notOk(owner.written.areAny);
  owner.guests = [{ ...guest, number: 2, right: maker.rightOf(ben, 2) }];
  t.match(await look(maker.written(right, 5, told())), /Corrupt/, "a later right is another");
  t.equal(taken.length, 4);
});

interface Vectors {
  readonly driveSeed: string;
  readonly readerSeed: string;
  readonly number: number;
  readonly writer: string;
  readonly device: number;
  readonly readerKey: string;
  readonly backKey: string;
  readonly share: string;
  readonly grant: string;
  readonly written: string;
  readonly write: string;
}

test("rights to write have the bytes that they always had", async (t) => {
  const vectors = JSON.parse(
    readFileSync(new URL("../vectors/sharing-write.json", import.meta.url), "utf8"),
  ) as Vectors;
  const reader = personKeysOf(Buffer.from(vectors.readerSeed, "hex"));
  const maker = new ShareMaker(random, { seed: Buffer.from(vectors.driveSeed, "hex") });
  const right = maker.rightOf(reader, vectors.number);
  t.equal(right.keys.owner, vectors.writer);
  t.equal(right.number, vectors.device);
  t.equal(right.readerKey.toString("hex"), vectors.readerKey);
  t.equal(right.backKey.toString("hex"), vectors.backKey);
  const held = takeGrant(reader, parseGrant(Buffer.from(vectors.grant, "hex")));
  t.equal(held.right?.keys.owner, vectors.writer);
  const { record } = openShare(held, Buffer.from(vectors.share, "hex"), 0);
  t.match(record.writers, [{ writer: vectors.writer }]);
  const { owner, record: bytes } = decodeShareWrite(Buffer.from(vectors.write, "hex"));
  t.equal(owner, maker.drive.owner);
  t.equal(Buffer.from(bytes).toString("hex"), vectors.written);
  const opener = {
    grant: { owner: right.keys.owner, share: maker.share }, person: personIdOf(maker.owner),
    readerKey: right.backKey,
  };
  t.equal(openShare(opener, bytes, 0).payload.ino, folder);
  t.equal(await faultOf(() => openShare(opener, bytes, 3)), "Stale");
});
