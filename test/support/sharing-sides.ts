/**
 * Both sides of sharing without a network between them: a drive with two folders and its owner's
 * rooms, people with rooms of their own, and one real vault that both ask.
 */
import { systemClock } from "../../src/base/clock.ts";
import { HiveError } from "../../src/base/errors.ts";
import { type Cid, type GroupId, type PeerId, parseName, rootIno } from "../../src/base/ids.ts";
import { silentLog } from "../../src/base/log.ts";
import type { PeerNetwork } from "../../src/base/network.ts";
import type { Random } from "../../src/base/random.ts";
import type { ShareNetwork, SharedRoot } from "../../src/base/sharing.ts";
import { peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { sha256 } from "../../src/crypt/ciphers/sha256.ts";
import { type PersonKeys, personKeysOf } from "../../src/crypt/records/grants.ts";
import { openCoder } from "../../src/erasure/erasure.ts";
import { type Giveaway, Given } from "../../src/sharing/given/given.ts";
import { Inboxes } from "../../src/sharing/given/inboxes.ts";
import { Keepers } from "../../src/sharing/given/keepers.ts";
import { Verifiers } from "../../src/sharing/given/verifiers.ts";
import type { Contact } from "../../src/sharing/people/contacts.ts";
import { Groups } from "../../src/sharing/people/groups.ts";
import { personIdOf } from "../../src/sharing/records/person-keys.ts";
import { noRoster } from "../../src/sharing/records/roster.ts";
import { OwnInboxes } from "../../src/sharing/taken/own-inboxes.ts";
import { Taken } from "../../src/sharing/taken/taken.ts";
import { Wards } from "../../src/sharing/taken/wards.ts";
import { TieSeals } from "../../src/sharing/ties/tie-seals.ts";
import { Tied } from "../../src/sharing/ties/tied.ts";
import { deviceFor } from "../../src/tree/state/devices.ts";
import { openTree } from "../../src/tree/tree.ts";
import type { Vault } from "../../src/vault/vault.ts";
import type { World } from "../contract/host.ts";
import { MemoryStore } from "./memory-store.ts";
import { put } from "./shared-folder.ts";
import { MemoryBooks, ShiftedClock } from "./transfer-world.ts";
import { nobody } from "./walk.ts";

const never = new AbortController().signal;
const none = Buffer.alloc(0);

export interface Person {
  readonly keys: PersonKeys;
  readonly contact: Contact;
}

export function person(name: string, random: Random): Person {
  const keys = personKeysOf(random.bytes(32));
  return { keys, contact: { name, person: personIdOf(keys), sealPublic: keys.sealPublic } };
}

/** Which is said to keep all folders. */
export const keptBy = "ab".repeat(16) as GroupId;

/** What all devices of the drive have in common. */
interface Giver {
  readonly vault: Vault;
  readonly world: World;
  readonly store: MemoryStore;
  readonly clock: ShiftedClock;
  readonly devices: GiverDevice[];
}

/** A device of the drive with its owner's side of sharing: books of its own, and lives. */
export class GiverDevice {
  readonly self: PeerId;
  readonly books = new MemoryBooks();
  readonly expired: string[] = [];
  /** What the tree has of ties. */
  root: Buffer;
  /** What it has published; the newest root there is, if nothing else. */
  published: Uint8Array | undefined;
  /** What that names, where it is not the newest. */
  blocks: ReadonlyMap<Cid, Uint8Array> = new Map();
  isThere = true;
  /** Holders do not answer it. */
  isCut = false;
  readonly #giver: Giver;
  #heads = 0;
  #last: Uint8Array | undefined;

  constructor(name: string, giver: Giver, root: Buffer) {
    this.self = peerKeysOf(sha256(Buffer.from(`giver ${name}`))).peer;
    this.#giver = giver;
    this.root = root;
    giver.devices.push(this);
  }

  async open() {
    const { world, clock, store, devices } = this.#giver;
    const { drive: keys, random } = world;
    const seals = new TieSeals(keys.shareSecret);
    const needs = { books: this.books, clock, random, log: silentLog, self: this.self, seals };
    const tied = new Tied({
      ...needs, roots: { tied: async (bytes) => void (this.root = Buffer.from(bytes)) },
    });
    await tied.open();
    const groups = new Groups({ ...needs, tied });
    const parts = {
      ...needs, tied, keys, person: personKeysOf(keys.shareSecret), groups,
      network: { share: (...asked: Parameters<ShareNetwork["share"]>) => this.#ask(...asked) },
      members: () => world.members.map(({ peer }) => peer),
      others: () => devices.length > 1, devicesOf: () => noRoster,
    };
    const isThere = (peer: PeerId): boolean => {
      return devices.some((one) => one.self === peer && one.isThere);
    };
    const given = new Given({
      numbers: async () => new Set(),
      ...parts, keepers: new Keepers({ ...needs, isThere }),
      read: async (cid) => this.blocks.get(cid) ?? store.get(cid),
      expired: async (names) => void this.expired.push(names.join("/")),
      published: async () => this.#head(), isWithdrawing: () => false,
    });
    const inboxes = new Inboxes({ ...parts, inboxOf: (who) => given.inboxOf(who) });
    const verifiers = new Verifiers({
      ...parts, verified: () => given.verified(), groupsOf: async () => [keptBy],
    });
    for (const room of [groups, given, inboxes, verifiers]) await room.open();
    await tied.hear(this.root, { isOurs: true });
    await tied.step();
    return { tied, groups, given, inboxes, ...this.#doings({ given, inboxes, verifiers }) };
  }

  #doings({ given, inboxes, verifiers }: {
    readonly given: Given; readonly inboxes: Inboxes; readonly verifiers: Verifiers;
  }) {
    const tell = async () => {
      for (const room of [given, inboxes, verifiers]) await room.step(never);
    };
    const join = async (group: string, ...people: readonly Person[]) => {
      const ids = people.map(({ contact }) => contact.person);
      await inboxes.make(ids);
      await given.join({ group, people: ids });
      return people.map(({ contact }) => inboxes.grantFor(contact));
    };
    const leave = (group: string, ...people: readonly Person[]) => {
      return given.leave({ group, people: people.map(({ contact }) => contact.person) }, never);
    };
    return { tell, join, leave };
  }

  async #ask(...[, act, bytes]: Parameters<ShareNetwork["share"]>): Promise<Uint8Array> {
    if (this.isCut) throw new HiveError("Unavailable", "test", "cut");
    return await this.#giver.vault.share(this.#giver.world.owner, act, bytes);
  }

  #head() {
    const root = this.published ?? this.#giver.store.root()!;
    if (root !== this.#last) this.#heads++;
    this.#last = root;
    return { sequence: this.#heads, root, manifests: [], newest: [], runs: [] };
  }
}

/** A drive with two folders, its owner's side of sharing, and one holder, which is a real vault. */
export async function openGiver(vault: Vault, world: World) {
  const { drive: keys, random } = world;
  const blocks = new Map<Cid, Uint8Array>();
  const store = new MemoryStore({}, { blocks, slots: new Map(), journal: [], root: undefined });
  const clock: ShiftedClock = Object.assign(new ShiftedClock(), {
    monotonicMs: () => systemClock.monotonicMs() + clock.shiftMs,
  });
  const needs = { store, clock, random, log: silentLog };
  const giver: Giver = { vault, world, store, clock, devices: [] };
  const desk = new GiverDevice("desk", giver, Buffer.alloc(0));
  const device = deviceFor(desk.self, "desk");
  const tree = await openTree(needs, { treeSecret: keys.treeSecret, device });
  const folder = async (name: string): Promise<Giveaway> => {
    const at = { parent: rootIno, name: parseName(name) };
    const { ino } = await tree.mkdir(nobody, at, { mode: 0o755 });
    await put(tree, "a file", random.bytes(300_000), ino);
    return { path: [at.name], ino, expiresAtMs: null };
  };
  const [photos, music] = [await folder("photos"), await folder("music")];
  await tree.commit();
  /** Another one of the drive's, which has nothing but what the root has. */
  const another = (name: string, root = desk.root) => new GiverDevice(name, giver, root);
  return {
    open: () => desk.open(), desk, another, tree, store, blocks, photos, music, clock, keys,
  };
}

/** Somebody's node, which asks that vault and shows what it is given. */
export async function openReader({ keys }: Person, vault: Vault, world: World) {
  const { random } = world;
  const shown = new Map<string, Uint8Array>();
  const clock: ShiftedClock = Object.assign(new ShiftedClock(), {
    monotonicMs: () => systemClock.monotonicMs() + clock.shiftMs,
  });
  const requester = { peer: world.stranger.peer, owners: [personIdOf(keys)] };
  const network = {
    peers: () => [],
    records: async () => { throw new HiveError("Unavailable", "test", "records"); },
    share: async (...[, act, bytes]: Parameters<ShareNetwork["share"]>) =>
      vault.share(requester, act, bytes),
  } as unknown as PeerNetwork & ShareNetwork;
  const parts = {
    books: new MemoryBooks(), person: keys, clock, random, log: silentLog, network,
    coder: openCoder(), read: async () => Buffer.alloc(0), mayReadAhead: () => false,
  };
  const open = async () => {
    const root = { ties: none };
    const self = world.stranger.peer;
    const tied = new Tied({
      ...parts, self, seals: new TieSeals(Buffer.alloc(32, 5)),
      roots: { tied: async (bytes) => void (root.ties = Buffer.from(bytes)) },
    });
    const ours = { ...parts, tied, self };
    const own = new OwnInboxes({ ...ours, keepersOf: () => [] });
    const taken = new Taken({
      ...ours, isGone: () => false, deviceName: "lap", certifier: () => () => [], offers: () => own.offers(),
      guests: {
        open: () => { throw new Error("nobody writes here"); }, end: async () => undefined,
      },
      roots: {
        expired: async () => undefined, written: async () => true, tied: async () => undefined,
        kin: async () => undefined,
        shared: async ({ name, root }: SharedRoot) => {
          if (root === undefined) shown.delete(name);
          else shown.set(name, root);
        },
      },
    });
    const wards = new Wards({ ...parts, keepersOf: () => [] });
    for (const room of [tied, own, taken, wards]) await room.open();
    await tied.hear(none, { isOurs: true });
    const look = async () => {
      for (let times = 0; times < 2; times++) {
        clock.shiftMs += 120_000;
        for (const room of [own, taken, wards]) await room.step(never);
      }
      return [...shown.keys()].sort();
    };
    return { own, taken, wards, look, tied, ties: () => root.ties };
  };
  return { open, shown, requester, clock };
}
