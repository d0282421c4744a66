/**
 * What a drive knows of other people on several of its devices: contacts and what others gave are
 * the same on each, also after the 24 words alone, and what a device says that may say what it likes
 * is checked.
 */
import { readFileSync } from "node:fs";
import { test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import { HiveError } from "../../src/base/errors.ts";
import { type Ino, type OwnerId, type PeerId, nameFromText } from "../../src/base/ids.ts";
import { silentLog } from "../../src/base/log.ts";
import type { PeerNetwork } from "../../src/base/network.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { GuestRight, ShareNetwork } from "../../src/base/sharing.ts";
import { peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { sha256 } from "../../src/crypt/ciphers/sha256.ts";
import type { WriteRight } from "../../src/crypt/drive/write-right.ts";
import { personKeysOf } from "../../src/crypt/records/grants.ts";
import { decodeShareAsk } from "../../src/crypt/records/share-records.ts";
import { encodeTies, joinTies, parseTies, tieAfter, tieCounted } from "../../src/dag/ties.ts";
import { openCoder } from "../../src/erasure/erasure.ts";
import { Contacts } from "../../src/sharing/people/contacts.ts";
import { personIdOf } from "../../src/sharing/records/person-keys.ts";
import { encodePerson } from "../../src/sharing/records/person-text.ts";
import { encodeInboxTie, encodeTakenTie, inboxesIn, takenIn } from "../../src/sharing/taken/taken-ties.ts";
import { Taken } from "../../src/sharing/taken/taken.ts";
import { apart } from "../../src/sharing/ties/names-apart.ts";
import { TieSeals } from "../../src/sharing/ties/tie-seals.ts";
import { Tied } from "../../src/sharing/ties/tied.ts";
import { faultOf } from "../support/faults.ts";
import { ShareMaker } from "../support/share-maker.ts";
import { MemoryBooks, ShiftedClock } from "../support/transfer-world.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const random = seededRandom(`sharing.ties/${seed}`);
const person = personKeysOf(random.bytes(32));
const ben = personKeysOf(random.bytes(32));
const eve = personKeysOf(random.bytes(32));
const clock: ShiftedClock = Object.assign(new ShiftedClock(), {
  monotonicMs: () => systemClock.monotonicMs() + clock.shiftMs,
});
const holder = peerKeysOf(random.bytes(32)).peer;
/** What the holder answers next, of the folder's owner; nobody is there otherwise. */
let answer: Promise<Uint8Array> | undefined;
let answersOf: OwnerId | undefined;
const network = {
  peers: () => answer === undefined ? [] : [{ offer: { peer: holder }, online: true }],
  records: async () => { throw new HiveError("Unavailable", "test", "records"); },
  share: async (...[to, , payload]: Parameters<ShareNetwork["share"]>) => {
    const isOther = answersOf !== undefined && decodeShareAsk(payload).owner !== answersOf;
    if (isOther) throw new HiveError("NotFound", "test", to);
    return answer;
  },
} as unknown as PeerNetwork & ShareNetwork;

const seals = new TieSeals(Buffer.alloc(32, 7));

/** A device of one drive, whose tree keeps what it is told. */
class Device {
  readonly self: PeerId;
  readonly books = new MemoryBooks();
  kept = Buffer.alloc(0);
  tied!: Tied;
  contacts!: Contacts;
  taken!: Taken;
  readonly shown = new Set<string>();
  /** By what it writes in the folder that was shown last. */
  right: GuestRight | undefined;

  constructor(name: string) {
    this.self = peerKeysOf(sha256(Buffer.from(name))).peer;
  }

  static async begin(name: string, root = Buffer.alloc(0)): Promise<Device> {
    const device = new Device(name);
    device.kept = root;
    await device.open();
    return device;
  }

  async open(): Promise<void> {
    const roots = { tied: async (bytes: Uint8Array) => void (this.kept = Buffer.from(bytes)) };
    const needs = { books: this.books, clock, log: silentLog, random };
    this.tied = new Tied({ ...needs, roots, self: this.self, seals });
    const ours = { ...needs, tied: this.tied, self: this.self };
    const own = personIdOf(person);
    this.contacts = new Contacts({ ...ours, own, askKey: async () => ben.sealPublic });
    this.taken = new Taken({
      ...ours, person, network, isGone: () => false, coder: openCoder(), mayReadAhead: () => false, deviceName: "d",
      read: async () => Buffer.alloc(0), offers: () => [], certifier: () => () => [],
      guests: {
        open: () => { throw new Error("nothing is written"); }, end: async () => undefined,
      },
      roots: {
        ...roots, expired: async () => {}, written: async () => true, kin: async () => {},
        shared: async ({ name, root, right }) => {
          this.right = right;
          if (root === undefined) this.shown.delete(name);
          else this.shown.add(name);
        },
      },
    });
    for (const room of [this.tied, this.contacts, this.taken]) await room.open();
    await this.tied.hear(this.kept, { isOurs: true });
    await this.tied.step();
  }

  /** A head of its own, as the other one merges it. */
  async tell(other: Device): Promise<void> {
    await this.tied.step();
    await other.tied.hear(this.kept, { isOurs: false });
    await other.tied.step();
  }

  names(): readonly string[] {
    return this.taken.list(() => "?").map(({ name }) => name).sort();
  }
}

function payloadOf() {
  const file = new URL("../vectors/dag-kept.json", import.meta.url);
  const { root } = JSON.parse(readFileSync(file, "utf8")) as { readonly root: string };
  return {
    root: Buffer.from(root, "hex"), ino: 5 as Ino, manifests: [], newest: [], runs: [],
    catalogKey: random.bytes(32),
  };
}

function textOf(keys: typeof ben): string {
  return encodePerson({
    person: personIdOf(keys), sealHash: sha256(ben.sealPublic), peer: peerKeysOf(random.bytes(32)).peer,
    addresses: [], name: "b",
  });
}

test("what one device knows the others know, and whoever has the newest root", async (t) => {
  const [desk, lap] = [await Device.begin("desk"), await Device.begin("lap")];
  await desk.contacts.add("Ben", textOf(ben));
  const grant = new ShareMaker(random).grant(person);
  await desk.taken.accept({ grant }, "photos");
  await desk.tell(lap);
  t.ok(lap.contacts.get("Ben").sealPublic.equals(ben.sealPublic));
  t.strictSame(lap.names(), ["photos"]);
  await lap.tell(desk);
  t.ok(desk.kept.equals(lap.kept), "one form for what is the same, or they would tell for ever");

  const words = await Device.begin("words", desk.kept);
  t.strictSame(words.contacts.all().map(({ name }) => name), ["Ben"]);
  t.strictSame(words.names(), ["photos"]);
  await words.open();
  t.strictSame(words.names(), ["photos"], "a new life knows as much");

  await lap.taken.forget("photos");
  await lap.contacts.remove("Ben");
  await desk.tell(lap);
  await lap.tell(desk);
  t.strictSame([desk.names(), desk.contacts.all()], [[], []], "what is let go of is so everywhere");
  await desk.open();
  t.strictSame(desk.names(), [], "and stays so");
});

test("a right to write is used where it was taken up last", async (t) => {
  const [desk, lap] = [await Device.begin("desk"), await Device.begin("lap")];
  const maker = new ShareMaker(random);
  const grant = maker.writeGrant(person, 1);
  const writes = (device: Device) => device.taken.list(() => "?").map((one) => one.writes);
  await desk.taken.accept({ grant }, null);
  await desk.tell(lap);
  t.strictSame([writes(desk), writes(lap)], [[true], [false]]);
  await lap.taken.accept({ grant }, null);
  await lap.tell(desk);
  t.strictSame([writes(desk), writes(lap)], [[false], [true]]);
});

test("where an owner knows of one device the others read; where he knows of more they write",
  async (t) => {
    const [desk, lap] = [await Device.begin("desk of many"), await Device.begin("lap of many")];
    const maker = new ShareMaker(random);
    const right = maker.rightOf(person, 1);
    const never = new AbortController().signal;
    const look = async (sequence: number, writers: readonly WriteRight[]) => {
      const readers = [{ person: personIdOf(person), readerKey: right.readerKey }];
      answersOf = maker.drive.owner;
      answer = Promise.resolve(maker.record(sequence, readers, payloadOf(), writers).bytes);
      clock.shiftMs += 120_000;
      await lap.taken.step(never);
    };
    await desk.taken.accept({ grant: maker.writeGrant(person, 1) }, "work");
    await desk.tell(lap);
    await look(1, [right]);
    t.ok(lap.shown.has("work"));
    t.equal(lap.right, undefined);
    const own = right.of(lap.self);
    await look(2, [right, right.roster()]).catch(() => undefined);
    t.match(lap.right, { writer: own.keys.owner, number: own.number, isHeld: false });
    t.match(lap.taken.list(() => "?"), [{ writes: true, trouble: /waits until its owner/ }]);
    [answer, answersOf] = [undefined, undefined];
  });

test("what is let go of while its state is on the way is not shown after all", async (t) => {
  const desk = await Device.begin("desk");
  const maker = new ShareMaker(random);
  const grant = maker.grant(person);
  const record = maker.record(1, [{ person: personIdOf(person) }], payloadOf());
  const never = new AbortController().signal;
  for (const isLate of [false, true]) {
    const held = Promise.withResolvers<Uint8Array>();
    answer = held.promise;
    await desk.taken.accept({ grant }, "photos");
    const looking = desk.taken.step(never);
    if (isLate) await desk.taken.forget("photos");
    held.resolve(record.bytes);
    await looking;
    t.equal(desk.shown.has("photos"), !isLate, isLate ? "late" : "in time");
    if (!isLate) await desk.taken.forget("photos");
    t.equal(desk.shown.size, 0);
  }
  answer = undefined;
});

test("what an older version kept of one machine alone becomes the drive's", async (t) => {
  const old = new Device("old");
  const name = Buffer.from("Ben");
  await old.books.put(`c/${personIdOf(ben)}`, Buffer.concat([Buffer.from([name.length]), name, ben.sealPublic]));
  await old.open();
  t.strictSame(old.contacts.all().map((one) => one.name), ["Ben"]);
  t.ok(parseTies(old.kept).has(`c/${personIdOf(ben)}`));
  await old.contacts.remove("Ben");
  await old.open();
  t.strictSame(old.contacts.all(), []);
});

test("a device without the words makes nobody of somebody else", async (t) => {
  const [desk, lap] = [await Device.begin("desk"), await Device.begin("lap")];
  await desk.contacts.add("Ben", textOf(ben));
  await desk.tell(lap);
  const known = parseTies(desk.kept);
  const [key, tie] = [`c/${personIdOf(ben)}`, known.get(`c/${personIdOf(ben)}`)];
  const hers = Buffer.concat([Buffer.from([3]), Buffer.from("Ben"), eve.sealPublic]);
  const stamp = (tie?.stamp ?? 0) + 1;
  for (const value of [hers, Buffer.concat([hers, (tie?.value as Buffer).subarray(-16)])]) {
    const forged = new Map(known).set(key, { stamp, value }).set(`c/${personIdOf(eve)}`, { stamp, value });
    await lap.tied.hear(encodeTies(forged), { isOurs: false });
    const sealed = lap.contacts.all().map(({ sealPublic }) => sealPublic);
    t.strictSame(sealed, [ben.sealPublic], "he stays who he is, and she is not he");
  }
  t.strictSame(desk.contacts.all().map(({ sealPublic }) => sealPublic), [ben.sealPublic]);
});

test("nor a folder of its own out of one that somebody shares", async (t) => {
  const [desk, lap] = [await Device.begin("desk"), await Device.begin("lap")];
  const [maker, mallory] = [new ShareMaker(random), new ShareMaker(random)];
  await desk.taken.accept({ grant: maker.grant(person) }, "work");
  await desk.tell(lap);
  t.strictSame(lap.names(), ["work"]);
  const forged = new Map(parseTies(desk.kept));
  const [own] = [...forged.keys()].filter((key) => key.startsWith("t/"));
  forged.set(own as string, tieAfter(forged.get(own as string), undefined));
  const grant = mallory.writeGrant(person, 1);
  const value = encodeTakenTie({ name: nameFromText("work"), grant, seed: undefined, writer: lap.self });
  forged.set(`t/${grant.owner}/${grant.share}`, tieAfter(undefined, value));
  await lap.tied.hear(encodeTies(forged), { isOurs: false });
  t.strictSame(lap.names(), [], "what is gone can be seen to be gone");
});

test("contacts that an older version wrote get their seals on the machine that knew them", async (t) => {
  const old = new Device("older");
  const value = Buffer.concat([Buffer.from([3]), Buffer.from("Ben"), ben.sealPublic]);
  await old.books.put("ties", encodeTies(new Map([[`c/${personIdOf(ben)}`, { stamp: 1, value }]])));
  await old.open();
  t.strictSame(old.contacts.all().map(({ name }) => name), ["Ben"]);
  const lap = await Device.begin("lap", old.kept);
  t.strictSame(lap.contacts.all().map(({ name }) => name), ["Ben"]);
  const later = new Map(parseTies(old.kept)).set(`c/${personIdOf(eve)}`, { stamp: 1, value });
  await old.tied.hear(encodeTies(later), { isOurs: false });
  await old.open();
  t.strictSame(old.contacts.all().map(({ name }) => name), ["Ben"], "and no other ones");
});

test("what a device says that is nonsense is passed over, or refused as a whole", async (t) => {
  const desk = await Device.begin("desk");
  await desk.contacts.add("Ben", textOf(ben));
  const other = new ShareMaker(random).grant(eve);
  const forOther = encodeTakenTie({ name: "x" as never, grant: other, seed: undefined, writer: undefined });
  const nonsense = new Map([
    [`c/${personIdOf(eve)}`, tieAfter(undefined, Buffer.from("no contact"))],
    ["t/no/place", tieAfter(undefined, Buffer.from("x"))],
    [`t/${other.owner}/${other.share}`, tieAfter(undefined, forOther)],
    ["i/nobody", tieAfter(undefined, encodeInboxTie({ grant: other, writer: undefined }))],
    ["z/of a later version", tieAfter(undefined, Buffer.from("unknown"))],
  ]);
  await desk.tied.hear(encodeTies(nonsense), { isOurs: false });
  t.strictSame(desk.contacts.all().map(({ name }) => name), ["Ben"]);
  t.strictSame(desk.names(), [], "a grant to somebody else opens nothing");
  t.strictSame(inboxesIn(desk.tied, () => undefined), []);
  t.ok(desk.tied.get("z/of a later version"), "what it does not know it passes on");
  t.equal(await faultOf(desk.tied.hear(Buffer.from("nonsense"), { isOurs: false })), "Corrupt");
  t.strictSame(desk.contacts.all().length, 1);
});

test("a tree is told nothing before it is known what it has", async (t) => {
  const desk = await Device.begin("desk");
  await desk.contacts.add("Ben", textOf(ben));
  await desk.tied.step();
  const root = desk.kept;
  const fresh = new Device("fresh");
  fresh.kept = root;
  const told: Uint8Array[] = [];
  fresh.tied = new Tied({
    books: fresh.books, clock, log: silentLog, self: fresh.self,
    seals, roots: { tied: async (bytes) => void told.push(bytes) },
  });
  await fresh.tied.open();
  await fresh.tied.put([["c/x", Buffer.from("y")]]);
  await fresh.tied.step();
  t.strictSame(told, []);
  await fresh.tied.hear(root, { isOurs: true });
  await fresh.tied.step();
  const counted = `v/${fresh.self}`;
  const news = new Map([
    ["c/x", seals.seal("c/x", tieAfter(undefined, Buffer.from("y")))],
    [counted, seals.seal(counted, tieCounted(undefined))],
  ]);
  const both = joinTies(parseTies(root), news);
  t.ok(Buffer.from(told[0]!).equals(encodeTies(both)), "with what it had, and what is new");
});

test("names that two devices gave at once are told apart alike", (t) => {
  const named = apart(["Ann", "Ben", "Ann", "Ann (2)", "Ann"].map((name, of) => ({ name, of })));
  t.strictSame(named.map(({ name }) => name), ["Ann", "Ben", "Ann (3)", "Ann (2)", "Ann (4)"]);
  const long = "é".repeat(127);
  const longs = apart([long, long].map((name, of) => ({ name, of }))).map(({ name }) => nameFromText(name));
  t.equal(new Set(longs).size, 2, "each may be a folder's");
  t.end();
});

test("frozen: a folder that was taken up, and an inbox", (t) => {
  const { taken, inbox } = JSON.parse(
    readFileSync(new URL("../vectors/sharing-ties.json", import.meta.url), "utf8"),
  ) as Record<"taken" | "inbox", { readonly key: string; readonly value: string }>;
  const listed = ({ key, value }: typeof taken) => ({
    list: (prefix: string) => [[key.slice(prefix.length), Buffer.from(value, "hex")] as const],
  });
  const bad = (key: string): void => void t.fail(key);
  const [folder] = takenIn(listed(taken), bad);
  t.match(folder, { name: "Ann's", grant: { gives: "write" }, writer: peerKeysOf(Buffer.alloc(32, 1)).peer });
  t.equal(encodeTakenTie(folder!).toString("hex"), taken.value);
  const [box] = inboxesIn(listed(inbox), bad);
  t.match(box, { grant: { gives: "inbox" }, writer: peerKeysOf(Buffer.alloc(32, 1)).peer });
  t.equal(encodeInboxTie(box!).toString("hex"), inbox.value);
  t.end();
});
