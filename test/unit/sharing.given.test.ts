/** The folders that a drive gives away: what is told to whom, and in what order, whatever hangs. */
import { type Test, test } from "tap";
import { HiveError } from "../../src/base/errors.ts";
import { type Ino, type PeerId, parseName, rootIno } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";
import type { Share, ShareNetwork } from "../../src/base/sharing.ts";
import { peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { driveKeysOf } from "../../src/crypt/drive/drive.ts";
import { type PersonKeys, personKeysOf } from "../../src/crypt/records/grants.ts";
import { decodeShareAsk, parseShare } from "../../src/crypt/records/share-records.ts";
import { noDevices, numbersOfPeer } from "../../src/dag/marks.ts";
import { Given } from "../../src/sharing/given/given.ts";
import { Keepers } from "../../src/sharing/given/keepers.ts";
import type { Audience } from "../../src/sharing/given/ways.ts";
import type { Contact } from "../../src/sharing/people/contacts.ts";
import { Groups } from "../../src/sharing/people/groups.ts";
import { numbersOfDrive } from "../../src/sharing/guests/guest-devices.ts";
import { openShare, takeGrant } from "../../src/sharing/records/opened.ts";
import { personIdOf } from "../../src/sharing/records/person-keys.ts";
import { noRoster } from "../../src/sharing/records/roster.ts";
import { TieSeals } from "../../src/sharing/ties/tie-seals.ts";
import { Tied } from "../../src/sharing/ties/tied.ts";
import { openTree } from "../../src/tree/tree.ts";
import { refused } from "../contract/host.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { MemoryBooks, ShiftedClock } from "../support/transfer-world.ts";
import { nobody } from "../support/walk.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const random = seededRandom(`sharing.given/${seed}`);
const never = new AbortController().signal;
const peers = [1, 2, 3].map((number) => peerKeysOf(Buffer.alloc(32, number)).peer);

/** Keeps what each holder was told; one of them may take a call and never answer. */
class Holders implements ShareNetwork {
  readonly told = new Map<PeerId, Share>();
  readonly #all = new Map<string, Share>();
  silent: PeerId | undefined;
  calls = 0;

  async share(...[to, act, payload, options]: Parameters<ShareNetwork["share"]>): Promise<Uint8Array> {
    if (to === this.silent) await silence(options?.signal);
    if (act === "get") {
      return this.#all.get(`${to} ${decodeShareAsk(payload).share}`)?.bytes ?? Buffer.alloc(0);
    }
    this.calls++;
    const share = parseShare(payload);
    const known = this.#all.get(`${to} ${share.share}`);
    if (known !== undefined && known.sequence >= share.sequence && known.bytes !== share.bytes) {
      throw new HiveError("Stale", "test", `${share.sequence}`);
    }
    this.told.set(to, share);
    this.#all.set(`${to} ${share.share}`, share);
    return Buffer.alloc(0);
  }
}

function silence(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

async function made(
  dice: Random = random, numbers: () => Promise<ReadonlySet<number>> = async () => new Set(),
) {
  const driveSeed = dice.bytes(32);
  const keys = driveKeysOf(driveSeed);
  const store = new MemoryStore();
  const clock = new ShiftedClock();
  const tree = await openTree(
    { store, clock, random: dice, log: silentLog }, { treeSecret: keys.treeSecret },
  );
  const path = [parseName("photos")];
  const { ino } = await tree.mkdir(nobody, { parent: rootIno, name: path[0]! }, { mode: 0o755 });
  await tree.commit();
  const holders = new Holders();
  const books = new MemoryBooks();
  const expired: string[] = [];
  /** Of which old copies are still to go. */
  const withdrawing = new Set<string>();
  let sequence = 1;
  const self = peerKeysOf(Buffer.alloc(32, 9)).peer;
  const seals = new TieSeals(keys.shareSecret);
  const needs = { books, clock, random: dice, log: silentLog, self, seals, numbers };
  const open = async () => {
    const tied = new Tied({ ...needs, roots: { tied: async () => undefined } });
    await tied.open();
    const given = new Given({
      ...needs, tied, keys, person: personKeysOf(driveSeed), others: () => false,
      groups: new Groups({ ...needs, tied }), keepers: new Keepers({ ...needs, isThere: () => true }),
      isWithdrawing: (at) => withdrawing.has(at.join("/")),
      network: holders, members: () => peers, read: async (cid) => store.get(cid),
      published: async () => ({
        sequence, root: store.root()!, manifests: [], newest: [], runs: [],
      }),
      expired: async (names) => void expired.push(names.join("/")), devicesOf: () => noRoster,
    });
    await given.open();
    return given;
  };
  const commit = async () => { await tree.commit(); sequence++; };
  return { open, holders, clock, expired, tree, path, ino, commit, books, withdrawing };
}

function contact(name: string): { readonly keys: PersonKeys; readonly contact: Contact } {
  const keys = personKeysOf(random.bytes(32));
  return { keys, contact: { name, person: personIdOf(keys), sealPublic: keys.sealPublic } };
}

function readers(t: Test, holders: Holders): ReadonlySet<string> {
  const records = [...holders.told.values()];
  t.equal(new Set(records.map(({ sequence }) => sequence)).size, 1, "all know the same");
  return new Set(records[0]?.readers.map(({ person }) => person));
}

test("no right has a number that a device of the drive may take yet, when it lost its store", async (t) => {
  const ben = contact("Ben");
  const numberWith = async (devices: readonly PeerId[]): Promise<number> => {
    const numbers = async () => numbersOfDrive(noDevices, devices);
    const { open, path, ino } = await made(seededRandom(`one drive/${seed}`), numbers);
    const given = await open();
    await given.give({ path, ino, expiresAtMs: null, gives: "write" }, ben.contact);
    return given.guests()[0]?.right.number ?? 0;
  };
  const drawn = await numberWith([]);
  t.equal(await numberWith([]), drawn, "drawn by the same dice");
  let unlucky = "" as PeerId;
  for (let at = 0; !numbersOfPeer(unlucky).slice(1).includes(drawn); at++) unlucky = `peer ${at}` as PeerId;
  t.not(await numberWith([unlucky]), drawn);
});

test("each head is followed by a record for those who may read, until one is shut out",
  async (t) => {
    const { open, holders, tree, path, ino, commit } = await made();
    const given = await open();
    const [ben, eve] = [contact("Ben"), contact("Eve")];
    const asked = { path, ino, expiresAtMs: null };
    const toBen = takeGrant(ben.keys, await given.give(asked, ben.contact));
    const toEve = takeGrant(eve.keys, await given.give(asked, eve.contact));
    t.equal(holders.calls, 0, "giving tells nobody anything yet");
    await given.step(never);
    const first = holders.told.get(peers[0]!)!;
    t.equal(openShare(toBen, first.bytes, 0).payload.ino, ino);
    t.equal(openShare(toEve, first.bytes, 0).payload.ino, ino);
    const { calls } = holders;
    await given.step(never);
    t.equal(holders.calls, calls, "nothing new, nothing told");

    await tree.rename(nobody, { parent: rootIno, name: path[0]! }, {
      parent: rootIno, name: parseName("pictures"),
    }, "replace");
    await commit();
    await given.step(never);
    t.equal(given.list(() => "?")[0]?.path, "/pictures", "wherever it goes");
    const second = holders.told.get(peers[1]!)!;
    t.ok(second.sequence > first.sequence);

    const told = holders.calls;
    await tree.mkdir(nobody, { parent: rootIno, name: parseName("other") }, { mode: 0o755 });
    await commit();
    await given.step(never);
    t.equal(holders.calls, told, "what happens elsewhere is nobody's business");

    const away = { path: [parseName("elsewhere")], ino: ino as Ino };
    const fromEve: Audience = { kind: "person", person: eve.contact.person };
    await given.revoke(away, fromEve, never);
    t.strictSame([...readers(t, holders)], [ben.contact.person]);
    const third = holders.told.get(peers[2]!)!;
    t.throws(() => openShare(toEve, third.bytes, second.sequence));
    t.equal(openShare(toBen, third.bytes, second.sequence).payload.ino, ino);
    await refused(t, "twice", given.revoke(away, fromEve, never), "NotFound");

    const again = await open();
    await again.step(never);
    t.equal(holders.told.get(peers[0]!)!.sequence, third.sequence, "a new life begins with no news");
    t.strictSame([...readers(t, holders)], [ben.contact.person]);
    await again.give({ path, ino, expiresAtMs: null }, eve.contact);
    await again.step(never);
    t.ok(holders.told.get(peers[0]!)!.sequence > third.sequence, "and uses no number twice");
    t.strictSame(await again.renewing(), [away.path], "what is to be renewed is remembered");
    await again.renewed(away.path);
    t.strictSame(await again.renewing(), []);
  });

test("a holder that does not answer keeps nobody from being shut out", { timeout: 20_000 },
  async (t) => {
    const { open, holders, path, ino } = await made();
    const given = await open();
    const [ben, eve] = [contact("Ben"), contact("Eve")];
    for (const { contact: to } of [ben, eve]) {
      await given.give({ path, ino, expiresAtMs: null }, to);
    }
    holders.silent = peers[1];
    const over = new AbortController();
    const hanging = given.step(over.signal);
    await new Promise(setImmediate);
    const soon = new AbortController();
    const fromEve: Audience = { kind: "person", person: eve.contact.person };
    const revoking = given.revoke({ path, ino }, fromEve, soon.signal);
    while (holders.told.get(peers[0]!)?.readers.length !== 1) await new Promise(setImmediate);
    t.strictSame(holders.told.get(peers[2]!)?.readers.map(({ person }) => person), [ben.contact.person]);
    soon.abort(new DOMException("as of a signal that has its time", "TimeoutError"));
    await revoking;
    await hanging;
    t.equal(given.list(() => "?")[0]?.told, 2, "two of three");
    holders.silent = undefined;
    await given.step(never);
    t.strictSame([...readers(t, holders)], [ben.contact.person], "the third hears of it later");
  });

test("whose time is over is left out, and what he knew is to be renewed", async (t) => {
  const { open, holders, clock, expired, path, ino } = await made();
  const given = await open();
  const [ben, eve] = [contact("Ben"), contact("Eve")];
  await given.give({ path, ino, expiresAtMs: null }, ben.contact);
  await given.give({ path, ino, expiresAtMs: clock.now() + 60_000 }, eve.contact);
  await given.step(never);
  t.equal(readers(t, holders).size, 2);
  clock.shiftMs += 61_000;
  await given.step(never);
  t.strictSame([...readers(t, holders)], [ben.contact.person]);
  t.strictSame(expired, ["photos"]);
  t.strictSame(await given.renewing(), [path]);
});

test("there is room for so many folders at a time, whatever was shared before", async (t) => {
  const { open, holders, tree, commit, books, withdrawing } = await made();
  const { sharesMax } = limits.sharing;
  const folders = [];
  for (let number = 0; number < sharesMax + 2; number++) {
    const name = parseName(`folder ${number}`);
    const { ino } = await tree.mkdir(nobody, { parent: rootIno, name }, { mode: 0o755 });
    folders.push({ path: [name], ino, expiresAtMs: null });
  }
  await commit();
  let given = await open();
  const ben = contact("Ben");
  const fromBen: Audience = { kind: "person", person: ben.contact.person };
  const grants = [];
  for (const folder of folders.slice(0, sharesMax)) grants.push(await given.give(folder, ben.contact));
  await given.step(never);
  const [next, last] = folders.slice(sharesMax) as [typeof folders[0], typeof folders[0]];
  const [first, second] = folders as [typeof folders[0], typeof folders[0]];
  await refused(t, "one more", given.give(next!, ben.contact), "Quota");

  holders.silent = peers[1];
  const soon = new AbortController();
  const revoking = given.revoke(first!, fromBen, soon.signal);
  while (holders.told.get(peers[2]!)?.readers.length !== 0) await new Promise(setImmediate);
  soon.abort(new HiveError("TimedOut", "test", "revoke"));
  await revoking;
  await refused(t, "not all holders know", given.give(next!, ben.contact), "Quota");
  holders.silent = undefined;
  await given.step(never);
  await refused(t, "new secrets are to come", given.give(next!, ben.contact), "Quota");
  await given.renewed(first!.path);
  withdrawing.add(first!.path.join("/"));
  await refused(t, "old copies are to go", given.give(next!, ben.contact), "Quota");
  withdrawing.clear();
  const fresh = await given.give(next!, ben.contact);
  t.not(fresh.share, grants[0]?.share, "an id of its own");
  await given.step(never);
  const of = (share: string) => [...books.pairs.keys()].filter((key) => key.includes(share));
  t.strictSame(of(grants[0]!.share), [], "nothing is left of the other");
  t.equal(given.list(() => "?").length, sharesMax);
  t.equal(given.folders().includes(first!.ino), false);

  // A later life, too; and the same folder is shared anew like any other one.
  given = await open();
  await given.step(never);
  t.equal(given.list(() => "?").length, sharesMax);
  await given.revoke(second!, fromBen, never);
  await given.renewed(second!.path);
  const again = await given.give(first!, ben.contact);
  t.notOk(grants.some(({ share }) => share === again.share));
  await refused(t, "and no more", given.give(last!, ben.contact), "Quota");
});
