/**
 * Which devices of a guest's her folder's owner hears, with raw keys and records: so many and no
 * more, none under a number of somebody else's, and each by what it signs itself.
 */
import { readFileSync } from "node:fs";
import { test } from "tap";
import type { Ino, PeerId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { GuestRoot, Share } from "../../src/base/sharing.ts";
import { peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { type FolderRight, type WriteRight, writeRightOf } from "../../src/crypt/drive/write-right.ts";
import { personKeysOf } from "../../src/crypt/records/grants.ts";
import { encodeShareAsk, encodeShareWrite, parseShare } from "../../src/crypt/records/share-records.ts";
import { type Seen, numbersOfPeer } from "../../src/dag/marks.ts";
import type { GivenGuest } from "../../src/sharing/given/given.ts";
import { decodeAdmitted, encodeAdmitted, numbersOfDrive } from "../../src/sharing/guests/guest-devices.ts";
import { openerOf, signGuestRecord } from "../../src/sharing/records/guest-record.ts";
import { openRoster } from "../../src/sharing/records/opened.ts";
import type { SharePayload } from "../../src/sharing/records/payload.ts";
import { personIdOf } from "../../src/sharing/records/person-keys.ts";
import { type Roster, admit, decodeRoster, devicesIn, encodeRoster, furtherMax, joinRosters }
  from "../../src/sharing/records/roster.ts";
import { refused } from "../contract/host.ts";
import { faultOf } from "../support/faults.ts";
import { openHolder } from "../support/holder.ts";
import { OwnerHears } from "../support/owner-hears.ts";
import { OwnerLooks } from "../support/owner-looks.ts";
import { ShareMaker, payloadOf } from "../support/share-maker.ts";
import { ShiftedClock } from "../support/transfer-world.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const random = seededRandom(`sharing.guest-devices/${seed}`);
const [ben, eve] = [personKeysOf(random.bytes(32)), personKeysOf(random.bytes(32))];
const clock = new ShiftedClock();
const folder = 7 as Ino;
const { devicesMax, rosterMax } = limits.writers;
const told = (): SharePayload => payloadOf(random, folder);

function newPeer(): PeerId {
  return peerKeysOf(random.bytes(32)).peer;
}

function rosterOf(peers: readonly PeerId[], { atMs = 1_000, isIn = true } = {}): Roster {
  return new Map(peers.map((peer, at) => [peer, { atMs: atMs + at, isIn }]));
}

/** As a list has them: by their keys. */
function inOrder(...peers: readonly PeerId[]): readonly PeerId[] {
  return devicesIn(decodeRoster(encodeRoster(rosterOf(peers))));
}

function listed(
  maker: ShareMaker, right: FolderRight, roster: Roster, sequence: number, by = right.roster(),
): Share {
  const readers = [personIdOf(maker.owner), personIdOf(ben)];
  const payload = encodeRoster(roster);
  return signGuestRecord(by, { share: maker.share, sequence, payload, readers }, { random, clock });
}

test("lists that are joined come to the same, and say who went last", (t) => {
  const [a, b, c] = [newPeer(), newPeer(), newPeer()];
  const one: Roster = new Map([[a, { atMs: 5, isIn: true }], [b, { atMs: 9, isIn: true }]]);
  const other: Roster = new Map([
    [a, { atMs: 5, isIn: false }], [b, { atMs: 8, isIn: false }], [c, { atMs: 1, isIn: true }],
  ]);
  const joined = joinRosters(one, other);
  t.strictSame(new Set(devicesIn(joined)), new Set([b, c]), "of one time it went");
  t.ok(encodeRoster(joinRosters(other, one)).equals(encodeRoster(joined)));
  t.strictSame(new Map(decodeRoster(encodeRoster(joined))), new Map(
    [...joined].sort(([x], [y]) => (encodeRoster(rosterOf([x])).compare(encodeRoster(rosterOf([y]))))),
  ));
  const many = rosterOf(Array.from({ length: 3 * rosterMax }, newPeer), { isIn: false });
  const kept = joinRosters(one, many);
  t.equal(kept.size, rosterMax);
  t.ok(kept.get(a)?.isIn && kept.get(b)?.isIn, "those that write stay on it");
  t.end();
});

test("so many devices are admitted as there is room for, first come, and who stays stays", (t) => {
  const first = Array.from({ length: furtherMax }, newPeer);
  const late = newPeer();
  const known = admit(new Map(), rosterOf(first, { atMs: 50 }), () => true);
  t.equal(devicesIn(known).length, devicesMax - 1);
  const early = admit(known, rosterOf([late], { atMs: 1 }), () => true);
  t.strictSame(early, known, "whatever time it says that it came");
  const gone = admit(known, rosterOf([first[0]!], { atMs: 200, isIn: false }), () => true);
  t.ok(devicesIn(admit(gone, rosterOf([late]), () => true)).includes(late), "there is room again");
  const back = admit(gone, rosterOf([first[0]!], { atMs: 50 }), () => true);
  t.notOk(back.get(first[0]!)?.isIn, "an older list brings nobody back");
  t.strictSame(admit(new Map(), rosterOf([late], { isIn: false }), () => true), new Map());
  t.strictSame(admit(new Map(), rosterOf([late]), () => false), new Map());
  t.end();
});

/** Found within a second, as there are half a million numbers: nor takes it longer to find such a key. */
function deviceThatComesTo(number: number): PeerId {
  for (let at = 0; ; at++) {
    const device = `device ${at}` as PeerId;
    if (numbersOfPeer(device).indexOf(number) > 0) return device;
  }
}

test("the owner admits whom the guest lists, and nobody under another's number", async (t) => {
  const maker = new ShareMaker(random);
  const right = maker.rightOf(ben, 1);
  const guest: GivenGuest = {
    share: maker.share, ino: folder, person: personIdOf(ben), number: 1, right,
  };
  const [phone, late, twin, sly] = [newPeer(), newPeer(), newPeer(), newPeer()];
  const others: Seen = new Map([[right.of(twin).number, { count: 1, name: "desk" }]]);
  const desk = deviceThatComesTo(right.of(sly).number);
  const owner = new OwnerHears(maker, [guest], numbersOfDrive(others, [desk]));
  const heard = async (record: Share | undefined) => {
    owner.answer = record;
    return await owner.look();
  };
  t.strictSame(await heard(undefined), []);
  t.strictSame(await heard(listed(maker, right, rosterOf([phone]), 5)), [phone]);
  t.equal(owner.told, 1, "holders are to know of it");
  t.strictSame(await heard(listed(maker, right, rosterOf([late]), 4)), [phone], "rolled back");
  const forged = listed(maker, right, rosterOf([late]), 9, maker.rightOf(eve, 1).roster());
  t.strictSame(await heard(forged), [phone], "by a third person");
  t.strictSame(await heard(listed(maker, right, rosterOf([late]), 9, right)), [phone],
    "by the right itself, which signs what is written");
  t.strictSame(await heard(listed(maker, right, rosterOf([late]), 9, right.of(phone))), [phone]);
  t.strictSame(await heard(listed(maker, right, rosterOf([phone, twin]), 10)), [phone],
    "one whose number marks the changes of another device of the drive");
  t.strictSame(await heard(listed(maker, right, rosterOf([phone, sly]), 11)), [phone],
    "one whose number such a device comes to when its store was lost");
  t.strictSame(await heard(listed(maker, right, rosterOf([phone, late]), 12)), inOrder(phone, late));
  owner.restart();
  t.strictSame(owner.devices(), inOrder(phone, late), "it stands in the drive's ties");
  t.strictSame(owner.devices({ ...guest, number: 2 }), [], "and is of that right alone");
  const went = new Map([...rosterOf([late]), ...rosterOf([phone], { atMs: 9_000, isIn: false })]);
  t.strictSame(await heard(listed(maker, right, went, 13)), [late]);
  t.strictSame(await heard(listed(maker, right, rosterOf([phone, late]), 14)), [late],
    "a later list of older words brings nobody back");
});

test("each device is heard by what it signs itself, newer than before, and by nothing else",
  async (t) => {
    const maker = new ShareMaker(random);
    const right = maker.rightOf(ben, 1);
    const guest: GivenGuest = {
      share: maker.share, ino: folder, person: personIdOf(ben), number: 1, right,
    };
    const [phone, pad, stray] = [newPeer(), newPeer(), newPeer()];
    const taken: GuestRoot[] = [];
    const owner = new OwnerLooks(maker, [guest], async (news) => taken.push(news) > 0);
    owner.devices = new Map([...rosterOf([phone]), ...rosterOf([pad], { isIn: false })]);
    const looks = async (by: WriteRight, record: Share | undefined) => {
      owner.answers = new Map([[by.keys.owner, record]]);
      const before = taken.length;
      for (let turn = 0; turn < 3; turn++) await owner.step();
      return taken.slice(before).map(({ number }) => number);
    };
    const [lapNumber, own] = [right.number, right.of(phone)];
    t.strictSame(await looks(own, maker.written(own, 3, told())), [own.number]);
    t.strictSame(taken[0]?.kin, [lapNumber, own.number, right.of(pad).number],
      "and those whose marks it may bear, of one that went too");
    t.strictSame(await looks(own, maker.written(own, 3, told())), [], "replayed");
    t.strictSame(await looks(own, maker.written(own, 2, told())), [], "rolled back");
    t.strictSame(await looks(own, maker.written(right, 9, told())), [], "the other device's");
    t.strictSame(await looks(right, maker.written(own, 9, told())), [], "for the other's");
    const third = maker.rightOf(eve, 1).of(phone);
    t.strictSame(await looks(own, maker.written(third, 9, told())), [], "a third person's");
    t.strictSame(await looks(right.of(pad), maker.written(right.of(pad), 9, told())), [],
      "of one that went");
    t.strictSame(await looks(right.of(stray), maker.written(right.of(stray), 9, told())), [],
      "of one that was never admitted");
    t.strictSame(await looks(right, maker.written(right, 1, told())), [lapNumber]);
    t.equal(owner.written.wrote(maker.share, personIdOf(ben)).devices, 2);
    owner.restart();
    t.strictSame(await looks(own, maker.written(own, 3, told())), [], "after a restart");
  });

test("holders take what a named device signs, and let go of it when it is named no more",
  async (t) => {
    await using holder = await openHolder(random);
    const { world, vault, maker, as } = holder;
    const { owner } = world.drive;
    const right = maker.rightOf(ben, 1);
    const [own, roster] = [right.of(newPeer()), right.roster()];
    const [writer, her] = [as(own.keys.owner, roster.keys.owner), as(personIdOf(ben))];
    const write = (record: Share): ["write", Uint8Array] =>
      ["write", encodeShareWrite({ owner, record: record.bytes })];
    const get = (by: WriteRight): ["get", Uint8Array] =>
      ["get", encodeShareAsk({ owner: by.keys.owner, share: maker.share, sequence: 0 })];
    const readers = [{ person: personIdOf(ben) }];
    const list = listed(maker, right, rosterOf([newPeer()]), 1);
    await vault.share(world.owner, "put", maker.record(1, readers, undefined, [right]).bytes);
    await refused(t, "an older owner's record", vault.share(writer, ...write(list)), "Denied");
    await vault.share(world.owner, "put",
      maker.record(2, readers, undefined, [right, roster, own]).bytes);
    await vault.share(writer, ...write(list));
    const first = { share: maker.share, sequence: 4, payload: random.bytes(9),
      readers: [personIdOf(maker.owner), personIdOf(ben)] };
    const signed = signGuestRecord(own, first, { random, clock });
    await vault.share(writer, ...write(signed));
    t.equal(parseShare(await vault.share(her, ...get(own))).sequence, 4, "her other devices have it");
    const found = await vault.share(her, ...get(roster));
    const opener = openerOf(roster, { share: maker.share, person: personIdOf(ben) });
    t.equal(devicesIn(openRoster(opener, found, 0).roster).length, 1);
    t.equal(await faultOf(() => openRoster(opener, found, 1)), "Stale");
    await refused(t, "it is for nobody else", vault.share(as(personIdOf(eve)), ...get(own)), "Denied");
    await vault.share(world.owner, "put",
      maker.record(3, readers, undefined, [right, roster]).bytes);
    await refused(t, "it was let go of", vault.share(her, ...get(own)), "NotFound");
    const later = signGuestRecord(own, { ...first, sequence: 5 }, { random, clock });
    await refused(t, "and after", vault.share(writer, ...write(later)), "Denied");
  });

interface Vectors {
  readonly secret: string;
  readonly peer: PeerId;
  readonly writer: string;
  readonly device: number;
  readonly backKey: string;
  readonly rosterWriter: string;
  readonly rosterBackKey: string;
  readonly roster: string;
  readonly tie: string;
  readonly wrong: readonly { readonly roster: string; readonly comment: string }[];
}

test("further devices have the bytes that they always had", async (t) => {
  const vectors = JSON.parse(
    readFileSync(new URL("../vectors/sharing-devices.json", import.meta.url), "utf8"),
  ) as Vectors;
  const right = writeRightOf(Buffer.from(vectors.secret, "hex"));
  const [own, roster] = [right.of(vectors.peer), right.roster()];
  t.equal(own.keys.owner, vectors.writer);
  t.equal(own.number, vectors.device);
  t.equal(own.backKey.toString("hex"), vectors.backKey);
  t.equal(roster.keys.owner, vectors.rosterWriter);
  t.equal(roster.backKey.toString("hex"), vectors.rosterBackKey);
  const told = decodeRoster(Buffer.from(vectors.roster, "hex"));
  t.strictSame(told.get(vectors.peer), { atMs: 1_700_000_000_000, isIn: true });
  t.equal(encodeRoster(told).toString("hex"), vectors.roster);
  const admitted = decodeAdmitted(Buffer.from(vectors.tie, "hex"));
  t.equal(admitted.number, 77);
  t.equal(encodeAdmitted(77, told).toString("hex"), vectors.tie);
  for (const { roster: bytes, comment } of vectors.wrong) {
    t.equal(await faultOf(() => decodeRoster(Buffer.from(bytes, "hex"))), "Corrupt", comment);
  }
});
