/**
 * A device that was let in by a code reads what its person was given: with a real vault, asked over
 * real connections that were greeted, and what one brings to those that is none of its own; and what
 * such a device is left says no more than that.
 */
import { readFileSync } from "node:fs";
import { test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import type { AddedView } from "../../src/base/devices.ts";
import { type Ino, type OwnerId, type PeerId, type PersonId, type ShareId, parseName }
  from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { DeviceCertificate } from "../../src/base/records.ts";
import { peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { dismissalIn, encodeDismissal, isDismissal, signDismissal }
  from "../../src/crypt/devices/dismissals.ts";
import { certifier } from "../../src/crypt/records/certificates.ts";
import { type PersonKeys, openGrant, personKeysOf } from "../../src/crypt/records/grants.ts";
import { type Reading, parseReading, signReading } from "../../src/crypt/records/readings.ts";
import { parseDeviceCertificate, signDeviceCertificate } from "../../src/crypt/records/records.ts";
import { encodeShareAsk } from "../../src/crypt/records/share-records.ts";
import { encodeTies, parseTies, tieAfter } from "../../src/dag/ties.ts";
import { openCoder } from "../../src/erasure/erasure.ts";
import { Dismissed } from "../../src/node/dismissed.ts";
import { shareHost } from "../../src/node/share-host.ts";
import { openCodedSharing } from "../../src/sharing/coded/coded-sharing.ts";
import { Coded } from "../../src/sharing/coded/coded.ts";
import { folderTie, rightTies, wayTies } from "../../src/sharing/given/given-ties.ts";
import type { GivenWay } from "../../src/sharing/given/ways.ts";
import { mandateKey, readingKey, readingsIn } from "../../src/sharing/mandates/coded-ties.ts";
import { Dismissals } from "../../src/sharing/mandates/dismissals.ts";
import { Mandates, type Readable } from "../../src/sharing/mandates/mandates.ts";
import { Groups } from "../../src/sharing/people/groups.ts";
import { openShare, takeGrant } from "../../src/sharing/records/opened.ts";
import { asSigner, personIdOf } from "../../src/sharing/records/person-keys.ts";
import { encodeTakenTie, takenKey } from "../../src/sharing/taken/taken-ties.ts";
import { TieSeals, unprovenSeals } from "../../src/sharing/ties/tie-seals.ts";
import { Tied } from "../../src/sharing/ties/tied.ts";
import { faultOf, outcomeOf } from "../support/faults.ts";
import { openHolder } from "../support/holder.ts";
import { type TestNode, openTestNode } from "../support/peer-nodes.ts";
import { ShareMaker } from "../support/share-maker.ts";
import { openGiver, openReader, person } from "../support/sharing-sides.ts";
import { MemoryBooks, ShiftedClock } from "../support/transfer-world.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const random = seededRandom(`sharing.coded/${seed}`);
const never = new AbortController().signal;
const none = Buffer.alloc(0);
const { mandateMs } = limits.sharing;
const day = 24 * 3_600_000;

/** Which a test moves on, also for whoever waits. */
function movedClock(): ShiftedClock {
  const clock: ShiftedClock = Object.assign(new ShiftedClock(), {
    monotonicMs: () => systemClock.monotonicMs() + clock.shiftMs,
  });
  return clock;
}

/** A machine that was let in by a code, with a node of its own that greets as it says. */
async function openLap(clock: ShiftedClock) {
  const state = { isRemoved: false, certificates: (): readonly DeviceCertificate[] => [] };
  const node = await openTestNode({
    clock, more: { certificates: () => state.certificates() },
  });
  const shown = new Set<string>();
  const room = await openCodedSharing({
    books: new MemoryBooks(), clock, random, log: silentLog, network: node.peers,
    coder: openCoder(), read: async () => none, deviceName: "lap",
    certifier: (keys) => certifier(keys, { peer: node.keys.peer, name: "lap" }, clock),
    mayReadAhead: () => false, isRemoved: () => state.isRemoved,
    roots: {
      tied: async () => undefined, expired: async () => undefined, written: async () => true,
      kin: async () => undefined,
      shared: async ({ name, root }) => void (root === undefined ? shown.delete(name) : shown.add(name)),
    },
  });
  state.certificates = () => room.certificates();
  const look = async (): Promise<readonly string[]> => {
    for (let times = 0; times < 2; times++) {
      clock.shiftMs += 120_000;
      for (const { step } of room.steps) await step(never);
    }
    return [...shown].sort();
  };
  const troubles = async () => (await room.list()).taken.map(({ trouble }) => trouble);
  return { peer: node.keys.peer, node, room, state, look, troubles };
}

/** Ann reads two folders at a desk that has her words, and has a lap that was let in by a code. */
async function openDeskAndLap() {
  const clock = movedClock();
  await using parts = new AsyncDisposableStack();
  const { world, vault } = parts.use(await openHolder(random, { clock }));
  const dismissed = new Dismissed();
  const holder = parts.use(await openTestNode({
    seed: world.holderSeed, clock, host: () => vault, more: {
      sharing: shareHost(vault, { person: undefined, dismissed }),
      isRemoved: (certificate) => dismissed.has(certificate),
    },
  }));
  const giver = await openGiver(vault, world);
  const side = await giver.open();
  const ann = person("Ann", random);
  const desk = await (await openReader(ann, vault, world)).open();
  const [forAnn] = await side.join("family", ann);
  const grant = await side.given.give(giver.photos, ann.contact);
  await desk.taken.accept({ grant }, "pictures");
  await desk.own.accept(forAnn!);
  await side.given.giveGroup(giver.music, "family");
  await side.tell();
  await desk.look();

  const lap = await openLap(clock);
  parts.use(lap.node);
  await lap.node.peers.connect(holder.address);
  let coded: readonly AddedView[] = [{ peer: lap.peer, name: "lap" }];
  const mandates = new Mandates({
    tied: desk.tied, person: ann.keys, clock, log: silentLog, coded: () => coded,
    readable: () => desk.taken.readable(), inboxNumber: (owner) => desk.own.numberOf(owner),
  });
  const tell = async (): Promise<void> => {
    clock.shiftMs += limits.sharing.mandateRestMs;
    await mandates.step();
    await lap.room.tied({ bytes: desk.ties(), isOurs: false });
  };
  const remove = async (): Promise<void> => {
    coded = [];
    await tell();
    lap.state.isRemoved = true;
  };
  /** What stands for such devices among the ties of the drive. */
  const left = () => [...parseTies(desk.ties())].flatMap(([key, { value }]) => {
    return /^[dk]\//.test(key) && value ? [{ key, value }] : [];
  });
  const { owner } = world.drive;
  const ask = (share = grant.share, node = lap.node): Promise<Uint8Array> => {
    return node.peers.share(holder.keys.peer, "get", encodeShareAsk({ owner, share, sequence: 0 }));
  };
  const ends = parts.move();
  return {
    clock, world, vault, holder, ann, desk, lap, owner, tell, remove, left, ask,
    [Symbol.asyncDispose]: () => ends.disposeAsync(),
  };
}

test("it reads while its mandate holds, and no longer than that", async (t) => {
  await using home = await openDeskAndLap();
  const { clock, ann, lap, tell, ask } = home;
  t.strictSame(await lap.look(), [], "nothing was left for it yet");
  await tell();
  t.strictSame(await lap.look(), ["music", "pictures"], "by a grant, and by a group");
  const rows = (await lap.room.list()).taken.map(({ name, isThroughGroup, writes }) => {
    return `${name} ${isThroughGroup} ${writes}`;
  });
  t.strictSame(rows.sort(), ["music true false", "pictures false false"]);
  t.strictSame(await lap.troubles(), [null, null]);
  const [mandate] = lap.room.certificates();
  t.match(mandate, { owner: personIdOf(ann.keys), peer: lap.peer });
  t.equal(await faultOf(lap.room.me()), "Denied");
  t.equal(await faultOf(lap.room.accept("hiveshare1", null, null)), "Denied");

  clock.shiftMs += mandateMs;
  t.strictSame(lap.room.certificates(), []);
  t.strictSame(await lap.look(), ["music", "pictures"], "what it knows it shows");
  t.match(await lap.troubles(), [/device with the drive's words/, /device with the drive's words/]);
  lap.state.certificates = () => [mandate!];
  t.equal(await faultOf(ask()), "Denied", "whoever brings it all the same is refused");
  lap.state.certificates = () => lap.room.certificates();
  await tell();
  t.strictSame(await lap.look(), ["music", "pictures"]);
  t.strictSame(await lap.troubles(), [null, null], "the next one lets it go on");
});

test("one that was removed and goes on has no key of what is given later", async (t) => {
  await using home = await openDeskAndLap();
  const { world, vault, ann, desk, lap, owner } = home;
  await home.tell();
  await lap.look();
  const [last] = lap.room.certificates();
  const kept = desk.taken.readable().map(({ held }) => held);
  await home.remove();
  t.strictSame([await lap.look(), lap.room.certificates()], [[], []], "an honest one shows no more");
  const left = home.left().map(({ key }) => key);
  t.strictSame(left, [mandateKey(lap.peer)], "nothing but that it is none any more");

  lap.state.certificates = () => [last!];
  const later = new ShareMaker(random, { drive: world.drive });
  const readers = [{ person: ann.contact.person }];
  await vault.share(world.owner, "put", later.record(1, readers, undefined).bytes);
  const record = await home.ask(later.share);
  for (const held of kept) {
    const theirs = { ...held, person: ann.contact.person, grant: { owner, share: later.share } };
    t.equal(outcomeOf(() => openShare(theirs, record, 0)), "Corrupt", "it has no key of what is given later");
  }
  t.equal(kept.length, 2);
});

test("holders hear from another device of hers that one was removed, and answer it no more", async (t) => {
  await using home = await openDeskAndLap();
  const { clock, vault, holder, ann, desk, lap, owner, ask } = home;
  await home.tell();
  await lap.look();
  const [last] = lap.room.certificates();
  await home.remove();
  lap.state.certificates = () => [last!];
  const dismissal = parseDeviceCertificate(home.left()[0]!.value);
  const dismiss = (from: TestNode, { of = owner, to = holder } = {}): Promise<string> => {
    const told = encodeDismissal({ owner: of, dismissal });
    return faultOf(from.peers.share(to.keys.peer, "write", told));
  };
  await using stranger = await openTestNode({ clock });
  await stranger.peers.connect(holder.address);
  t.equal(await dismiss(stranger), "Denied", "not by a stranger");
  for (const whose of [ann.contact.person, "ef".repeat(32) as OwnerId]) {
    t.equal(await dismiss(lap.node, { of: whose }), "Denied", "nor of whom nothing is here");
  }
  t.equal(await faultOf(ask()), "none", "a holder that was not told answers it");

  await using other = await openTestNode({
    clock, certificates: ({ peer }) => [signDeviceCertificate(asSigner(ann.keys), {
      peer, name: "other", issuedAtMs: clock.now(), expiresAtMs: clock.now() + day,
    })],
  });
  await using older = await openTestNode({ clock, host: () => vault, more: { sharing: vault } });
  for (const { address } of [holder, older]) await other.peers.connect(address);
  t.equal(await dismiss(other, { to: older }), "Invalid", "an older version says that it is no share");
  const dismissals = new Dismissals({
    tied: desk.tied, person: ann.keys, clock, log: silentLog, network: other.peers,
    readable: () => desk.taken.readable(), keepersOf: () => [holder.keys.peer],
  });
  await dismissals.step(never);
  t.equal(await faultOf(ask()), "Denied", "one that was told does not");
  t.equal(await faultOf(ask(undefined, other)), "none", "her others go on");
  const newer = mandateOf(ann.keys, lap.peer, clock.now() + 1);
  lap.state.certificates = () => [newer];
  t.equal(await faultOf(ask()), "none", "a later mandate would count");
  lap.state.certificates = () => [last!];
  clock.shiftMs += mandateMs;
  t.equal(await faultOf(ask()), "Denied", "and in half a day it is over anyway");
});

test("what its person gives it is told, and tells the tree", async (t) => {
  const clock = movedClock();
  const lap = await openLap(clock);
  await using _node = lap.node;
  const needs = { books: new MemoryBooks(), clock, log: silentLog, random, self: lap.peer };
  const root = { ties: none };
  const tied = new Tied({
    ...needs, seals: new TieSeals(random.bytes(32)),
    roots: { tied: async (bytes) => void (root.ties = Buffer.from(bytes)) },
  });
  await tied.hear(none, { isOurs: true });
  const groups = new Groups({ ...needs, tied });
  const [ann, ben] = [1, 2].map(() => personIdOf(personKeysOf(random.bytes(32)))) as [PersonId, PersonId];
  const share = "ef".repeat(16) as ShareId;
  const folder = { key: `g/${lap.peer}/0`, share, ino: 77 as Ino, givenAt: [parseName("pictures")], keeper: lap.peer };
  const ways: readonly GivenWay[] = [
    { to: { kind: "group", group: "family" }, expiresAtMs: limits.records.timeMsMax, gives: "read" },
    { to: { kind: "person", person: ben }, expiresAtMs: limits.records.timeMsMax, gives: "write" },
  ];
  await tied.put([
    folderTie(folder), ...wayTies(share, [], ways), ...rightTies(share, new Map(), new Map([[ben, 3]])),
    ...groups.adding("family", [ann]),
  ]);
  await lap.room.tied({ bytes: root.ties, isOurs: false });
  t.strictSame(await lap.room.folders(), [77]);
  t.match(await lap.room.groups(), [{ name: "family", folders: ["/pictures"] }]);
  const { given } = await lap.room.list();
  t.match(given, [{ path: "/pictures", groups: [{ name: "family", people: 1 }] }]);
  t.strictSame(given[0]?.with.map(({ writes, through }) => [writes, through]).sort(), [
    [false, ["family"]], [true, []],
  ]);
  t.equal(await faultOf(lap.room.leave({ group: "family", people: [] })), "Denied");
});

test("what came by a link it follows by itself, without a mandate", async (t) => {
  const clock = movedClock();
  await using house = await openHolder(random, { clock });
  const { world, vault, maker } = house;
  await using holder = await openTestNode({
    seed: world.holderSeed, clock, host: () => vault, more: { sharing: vault },
  });
  const frozen = JSON.parse(readFileSync(
    new URL("../vectors/dag-kept.json", import.meta.url), "utf8",
  )) as { root: string };
  const payload = {
    root: Buffer.from(frozen.root, "hex"), ino: 5 as Ino, manifests: [], newest: [], runs: [],
    catalogKey: random.bytes(32),
  };
  const linkSeed = random.bytes(32);
  const nobody = personKeysOf(linkSeed);
  const readers = [{ person: personIdOf(nobody) }];
  await vault.share(world.owner, "put", maker.record(1, readers, payload).bytes);
  const tie = { name: parseName("linked"), writer: undefined };
  const linked = maker.grant(nobody);
  const hers = new ShareMaker(random).grant(personKeysOf(random.bytes(32)));
  const seals = new TieSeals(random.bytes(32));
  const sealed = (key: string, value: Buffer) => [key, seals.seal(key, tieAfter(undefined, value))] as const;
  const ties = new Map([
    sealed(takenKey(linked), encodeTakenTie({ ...tie, grant: linked, seed: linkSeed })),
    sealed(takenKey(hers), encodeTakenTie({
      ...tie, name: parseName("of a person"), grant: hers, seed: undefined,
    })),
  ]);
  const lap = await openLap(clock);
  await using _node = lap.node;
  await lap.node.peers.connect(holder.address);
  await lap.room.tied({ bytes: encodeTies(ties), isOurs: false });
  t.strictSame(await lap.look(), ["linked"], "and what takes its person's keys it passes over");
  t.match(lap.room.certificates(), [{ owner: personIdOf(nobody), peer: lap.peer }]);
  lap.state.isRemoved = true;
  t.strictSame([await lap.look(), lap.room.certificates()], [[], []], "until it is removed");
});

function mandateOf(keys: PersonKeys, peer: PeerId, issuedAtMs: number): DeviceCertificate {
  const times = { issuedAtMs, expiresAtMs: issuedAtMs + mandateMs };
  return signDeviceCertificate(asSigner(keys), { peer, name: "lap", ...times });
}

test("a mandate of another device's, or a forged one, is good for nobody", async (t) => {
  const clock = movedClock();
  const ann = personKeysOf(random.bytes(32));
  const lap = peerKeysOf(random.bytes(32));
  const now = clock.now();
  const told = { peer: lap.peer, name: "lap", issuedAtMs: now - 1, expiresAtMs: now + mandateMs };
  const mandate = signDeviceCertificate(asSigner(ann), told);
  await using holder = await openTestNode({ clock });
  const greeting = async (certificate: Uint8Array, bytes = random.bytes(32)): Promise<string> => {
    await using node = await openTestNode({
      seed: bytes, clock, certificates: () => [{ ...mandate, bytes: certificate }],
    });
    return await faultOf(node.peers.connect(holder.address));
  };
  t.equal(await greeting(mandate.bytes), "Denied", "a thief of it has not its key");
  const bent = Buffer.from(mandate.bytes);
  bent[bent.length - 1]! ^= 1;
  t.equal(await greeting(bent), "Invalid");

  const tied = new Tied({
    books: new MemoryBooks(), clock, log: silentLog, self: lap.peer, seals: unprovenSeals,
    roots: { tied: async () => undefined },
  });
  const coded = new Coded({ tied, clock, log: silentLog, self: lap.peer });
  const leave = (bytes: Uint8Array) => tied.put([[mandateKey(lap.peer), Buffer.from(bytes)]]);
  const other = peerKeysOf(random.bytes(32)).peer;
  const sign = (more: Partial<typeof told>) => signDeviceCertificate(asSigner(ann), { ...told, ...more });
  const wrong: readonly (readonly [string, Uint8Array])[] = [
    ["of another device", sign({ peer: other }).bytes], ["forged", bent], ["nonsense", Buffer.from("x")],
    ["of yesterday", sign({ issuedAtMs: now - day, expiresAtMs: now - 1 }).bytes],
    ["about to be over", sign({ expiresAtMs: now + 1000 }).bytes],
    ["of tomorrow", sign({ issuedAtMs: now + day, expiresAtMs: now + 2 * day }).bytes],
  ];
  for (const [what, bytes] of wrong) {
    await leave(bytes);
    t.equal(coded.mandate, undefined, what);
    t.match(coded.halt, /words/, what);
  }
  await leave(mandate.bytes);
  t.match(coded.mandate, { owner: personIdOf(ann), peer: lap.peer });
  t.equal(coded.halt, null);
  const eve = personKeysOf(random.bytes(32));
  const owner = personIdOf(eve);
  const share = "ef".repeat(16) as ShareId;
  const key = readingKey({ owner, share });
  const folder = {
    owner, share, from: owner, name: "photos", peers: [], isThroughGroup: false, inboxNumber: 0,
    key: random.bytes(32),
  };
  const hers = Buffer.from(signReading(eve, { ...folder, person: owner }).bytes);
  const ours = Buffer.from(signReading(ann, { ...folder, person: personIdOf(ann) }).bytes);
  await tied.put([["k/no/place", Buffer.from("x")], [key, hers], [`${key}0`, ours]]);
  t.strictSame(coded.offers(), [], "what is nonsense, or not said by her, is passed over");
  await tied.put([[key, ours]]);
  t.match(coded.offers(), [{ name: "photos", held: { readerKey: folder.key } }]);
});

/** A folder of somebody's, as a device with the words has it. */
function readableOf(maker: ShareMaker, to: PersonKeys): Readable {
  return { held: takeGrant(to, maker.grant(to)), name: "photos", isThroughGroup: true };
}

/** A device with the words, which tells another one of its ties. */
class WordDevice {
  readonly tied: Tied;
  readonly mandates: Mandates;
  kept = none;
  commits = 0;
  readable: readonly Readable[] = [];
  inboxNumber = Infinity;
  coded: readonly AddedView[] | undefined = [];

  constructor(keys: PersonKeys, clock: ShiftedClock) {
    const needs = { clock, log: silentLog, self: peerKeysOf(random.bytes(32)).peer, seals: unprovenSeals };
    this.tied = new Tied({
      ...needs, books: new MemoryBooks(), roots: {
        tied: async (bytes) => {
          this.kept = Buffer.from(bytes);
          this.commits++;
        },
      },
    });
    this.mandates = new Mandates({
      ...needs, tied: this.tied, person: keys, coded: () => this.coded,
      readable: () => this.readable, inboxNumber: () => this.inboxNumber,
    });
  }

  async stepAndTell(other: WordDevice, clock: ShiftedClock): Promise<void> {
    clock.shiftMs += limits.sharing.mandateRestMs;
    await this.mandates.step();
    await other.tied.hear(this.kept, { isOurs: false });
    await other.tied.step();
  }
}

test("devices with the words do not undo what another one left, and leave nothing in vain", async (t) => {
  const clock = movedClock();
  const ann = personKeysOf(random.bytes(32));
  const lap: AddedView = { peer: peerKeysOf(random.bytes(32)).peer, name: "lap" };
  const [desk, home] = [new WordDevice(ann, clock), new WordDevice(ann, clock)];
  for (const device of [desk, home]) await device.tied.hear(none, { isOurs: true });
  const round = async (): Promise<void> => {
    await desk.stepAndTell(home, clock);
    await home.stepAndTell(desk, clock);
  };
  const one = readableOf(new ShareMaker(random), ann);
  desk.readable = [one];
  await round();
  t.equal(desk.commits, 0, "without such a device there is nothing to leave");
  desk.coded = home.coded = undefined;
  await round();
  t.equal(desk.commits, 0, "nor while it may have been removed");

  desk.coded = home.coded = [lap];
  [desk.inboxNumber, home.inboxNumber] = [5, 4];
  for (let times = 0; times < 6; times++) await round();
  const key = readingKey(one.held.grant);
  const value = (device: WordDevice) => device.tied.get(key);
  t.match(parseReading(value(desk)!), { inboxNumber: 5, name: "photos", isThroughGroup: true });
  t.ok(value(home)?.equals(value(desk)!), "home has read less of that inbox, and leaves it alone");
  t.ok(desk.commits + home.commits <= 4, `${desk.commits} and ${home.commits} commits`);
  home.inboxNumber = 6;
  await round();
  t.equal(value(desk), undefined, "a later one says that it is no more");

  const before = desk.tied.get(mandateKey(lap.peer))!;
  clock.shiftMs += mandateMs / 2 + 60_000;
  await round();
  const after = desk.tied.get(mandateKey(lap.peer))!;
  t.ok(parseDeviceCertificate(after).expiresAtMs > parseDeviceCertificate(before).expiresAtMs);
  await home.tied.put([[mandateKey(lap.peer), Buffer.from("nonsense of a third device")]]);
  await round();
  t.equal(parseDeviceCertificate(home.tied.get(mandateKey(lap.peer))!).peer, lap.peer);
  desk.coded = home.coded = [];
  await round();
  t.strictSame(desk.tied.list("k/"), [], "nor is anything for who left");
  const word = parseDeviceCertificate(desk.tied.get(mandateKey(lap.peer))!);
  t.ok(isDismissal(word));
  const { commits } = desk;
  await round();
  t.equal(desk.commits, commits, "it is said once");
  clock.shiftMs += mandateMs;
  await round();
  t.strictSame(desk.tied.list("d/"), [], "and forgotten when there is nothing left that it ends");
});

test("what it is left opens records, and gives no right to write", async (t) => {
  const clock = movedClock();
  const ann = personKeysOf(random.bytes(32));
  const desk = new WordDevice(ann, clock);
  await desk.tied.hear(none, { isOurs: true });
  const grant = new ShareMaker(random).writeGrant(ann, 1);
  const held = takeGrant(ann, grant);
  desk.coded = [{ peer: peerKeysOf(random.bytes(32)).peer, name: "lap" }];
  desk.readable = [{ held, name: "a\nname", isThroughGroup: false }];
  await desk.mandates.step();
  const [reading] = [...readingsIn(desk.tied, personIdOf(ann), () => t.fail()).values()];
  t.match(reading, { name: "a?name", inboxNumber: 0 });
  t.ok(held.right !== undefined && Buffer.from(reading!.key).equals(held.readerKey), "a reader's key");
  t.notOk(desk.kept.includes(openGrant(ann, grant.sealed)), "not what the right follows from");
});

interface Vectors {
  readonly personSeed: string;
  readonly mandate: { readonly key: string; readonly value: string };
  readonly readings: readonly { readonly told: ToldReading; readonly key: string; readonly value: string }[];
  readonly wrong: readonly { readonly value: string; readonly comment: string }[];
}

type ToldReading = Omit<Reading, "bytes" | "key"> & { readonly key: string };

interface DismissalVectors {
  readonly personSeed: string;
  readonly peer: string;
  readonly name: string;
  readonly atMs: number;
  readonly owner: string;
  readonly dismissal: string;
  readonly told: string;
  readonly wrong: readonly { readonly value: string; readonly comment: string }[];
}

test("frozen: a dismissal, and how it is told", (t) => {
  const file = new URL("../vectors/crypt.dismissals.json", import.meta.url);
  const frozen = JSON.parse(readFileSync(file, "utf8")) as DismissalVectors;
  const { personSeed, peer, name, atMs, owner, dismissal, told, wrong } = frozen;
  const keys = personKeysOf(Buffer.from(personSeed, "hex"));
  const signed = signDismissal(asSigner(keys), { peer: peer as PeerId, name, atMs });
  t.equal(Buffer.from(signed.bytes).toString("hex"), dismissal);
  const found = dismissalIn(Buffer.from(told, "hex"));
  t.match(found, { owner, dismissal: { owner: personIdOf(keys), peer, issuedAtMs: atMs } });
  t.equal(encodeDismissal(found!).toString("hex"), told);
  for (const { value, comment } of wrong) {
    t.equal(dismissalIn(Buffer.from(value, "hex")), undefined, comment);
  }
  t.equal(outcomeOf(() => dismissalIn(Buffer.alloc(31))), "Corrupt", "no owner");
  t.end();
});

test("frozen: a mandate, and a reading", (t) => {
  const file = new URL("../vectors/sharing-coded.json", import.meta.url);
  const { personSeed, mandate, readings, wrong } = JSON.parse(readFileSync(file, "utf8")) as Vectors;
  const keys = personKeysOf(Buffer.from(personSeed, "hex"));
  const found = parseDeviceCertificate(Buffer.from(mandate.value, "hex"));
  t.equal(found.owner, personIdOf(keys));
  t.equal(mandateKey(found.peer), mandate.key);
  t.equal(found.expiresAtMs - found.issuedAtMs, mandateMs);
  const again = signDeviceCertificate(asSigner(keys), found);
  t.equal(Buffer.from(again.bytes).toString("hex"), mandate.value);
  for (const { told, key, value } of readings) {
    const { bytes: _, ...reading } = parseReading(Buffer.from(value, "hex"));
    t.strictSame({ ...reading, key: Buffer.from(reading.key).toString("hex") }, told);
    t.equal(readingKey(reading), key);
    t.equal(Buffer.from(signReading(keys, reading).bytes).toString("hex"), value);
  }
  for (const { value, comment } of wrong) {
    t.equal(outcomeOf(() => parseReading(Buffer.from(value, "hex"))), "Corrupt", comment);
  }
  t.end();
});
