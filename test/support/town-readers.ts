/**
 * People of other drives in a device town: what any device of the drive gives them they look for with
 * the holders, and read block by block. Each has a room of sharing of her own and no mount.
 */
import type { Clock } from "../../src/base/clock.ts";
import { type Name, nameFromText, rootIno } from "../../src/base/ids.ts";
import { silentLog } from "../../src/base/log.ts";
import type { NodeDuties } from "../../src/base/node.ts";
import { seededRandom } from "../../src/base/random.ts";
import { peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { sha256 } from "../../src/crypt/ciphers/sha256.ts";
import { driveKeysOf } from "../../src/crypt/drive/drive.ts";
import { type PersonKeys, personKeysOf } from "../../src/crypt/records/grants.ts";
import { sharingOf } from "../../src/drive/sharing.ts";
import { DriveTies } from "../../src/drive/ties.ts";
import { openCoder } from "../../src/erasure/erasure.ts";
import { borrowedStore } from "../../src/shared/store.ts";
import { personIdOf } from "../../src/sharing/records/person-keys.ts";
import { type Sharing, openSharing } from "../../src/sharing/sharing.ts";
import { Clearing } from "../../src/transfer/placed/clearing.ts";
import type { Transfer } from "../../src/transfer/transfer.ts";
import { openBorrowedTree } from "../../src/tree/borrowed.ts";
import type { Tree } from "../../src/tree/tree.ts";
import type { DeviceTown, TownDevice } from "./device-town.ts";
import { readableWords } from "./drive-user.ts";
import { emptyHost, type TownView } from "./town-network.ts";
import { MemoryBooks } from "./transfer-world.ts";

const never = new AbortController().signal;

/** A person's room, on a network as her node sees it. */
function roomOf(parts: {
  readonly seed: Buffer; readonly network: TownView; readonly name: string; readonly town: DeviceTown;
  readonly transfer: Parameters<typeof openSharing>[0]["transfer"];
  readonly read: (cid: Parameters<Transfer["fetch"]>[0]) => Promise<Uint8Array>;
  readonly shown: (root: Uint8Array | undefined) => void;
  readonly tied?: (bytes: Uint8Array) => Promise<void>;
}): Promise<Sharing> {
  const { seed, network, name, town, transfer, read, shown, tied = async () => undefined } = parts;
  return openSharing({
    books: new MemoryBooks(), keys: driveKeysOf(seed), person: personKeysOf(seed), network, read,
    transfer, clock: town.network.clock, random: seededRandom(`room of ${name}`), log: silentLog,
    coder: openCoder(), deviceName: name, certifier: () => () => [], mayReadAhead: () => false,
    connect: async () => undefined,
    roots: {
      shared: async ({ root }) => shown(root), written: nobodyWrites, expired: async () => undefined,
      tied, kin: nobodyWrites,
    },
    guests: { open: nobodyWrites, end: async () => undefined },
  });
}

function nobodyWrites(): never {
  throw new Error("in this town folders are read");
}

/** The node of this person answers with her key. */
function answering(person: PersonKeys) {
  return { share: async () => person.sealPublic };
}

const noOthers = { isGone: () => false, peers: () => [], there: () => new Set<never>() };

export class TownReader {
  readonly name: string;
  readonly sharing: Sharing;
  readonly #town: DeviceTown;
  readonly #root: { now: Uint8Array | undefined };

  private constructor(name: string, parts: {
    readonly sharing: Sharing; readonly town: DeviceTown;
    readonly root: { now: Uint8Array | undefined };
  }) {
    this.name = name;
    this.sharing = parts.sharing;
    this.#town = parts.town;
    this.#root = parts.root;
  }

  static async begin(town: DeviceTown, name: string): Promise<TownReader> {
    const seed = sha256(Buffer.from(`town reader ${name}`));
    const keys = peerKeysOf(sha256(Buffer.from(`town reader's node ${name}`)));
    const person = personKeysOf(seed);
    const network = town.network.seenBy(keys, () => [personIdOf(person)]);
    const host = { ...emptyHost, ...answering(person) };
    town.network.members.set(keys.peer, { keys, household: name, host });
    const root: { now: Uint8Array | undefined } = { now: undefined };
    const segments = { all: () => [], get: () => undefined };
    const clearing = new Clearing({ books: new MemoryBooks(), segments });
    const transfer = {
      published: async () => undefined, members: () => [], clearing,
      devices: { ...noOthers, areAny: false },
      health: { groupsNamed: () => [] }, roll: { current: undefined, isHeard: true },
    };
    const sharing: Sharing = await roomOf({
      seed, network, name, town, transfer, read: (cid) => sharing.fetch(cid, {}),
      shown: (shown) => void (root.now = shown),
    });
    return new TownReader(name, { sharing, town, root });
  }

  async look(): Promise<void> {
    for (const step of this.sharing.steps) await step.step(never);
  }

  /** What she finds in the folder; undefined when there is none to be seen. */
  async words(): Promise<Set<string> | undefined> {
    const root = this.#root.now;
    if (root === undefined) return undefined;
    const store = borrowedStore({
      get: (cid) => this.sharing.fetch(cid, {}), getPart: () => undefined, has: () => false,
      usage: () => ({ limitBytes: 0, usedBytes: 0, dirtyBytes: 0, dirtyBytesMax: 0 }),
    });
    const { clock } = this.#town.network;
    const needs = { store, clock, random: seededRandom(this.name), log: silentLog };
    return await readableWords(openBorrowedTree(needs, root), { refusalsMax: 3 });
  }
}

/** A device's part in giving folders away: it sees to it that readers hear of what is new. */
export class TownGiver {
  readonly #device: TownDevice;
  readonly #sharing: Sharing;
  readonly #clock: Clock;
  /** Whose ties it knows. */
  #tree: Tree | undefined;

  private constructor(device: TownDevice, sharing: Sharing, clock: Clock) {
    this.#device = device;
    this.#sharing = sharing;
    this.#clock = clock;
  }

  static async begin(town: DeviceTown, device: TownDevice, seed: Buffer): Promise<TownGiver> {
    const { network, name } = device;
    // Whatever life the device is in.
    const transfer = {
      published: () => device.transfer.published(), members: () => device.transfer.members(),
      clearing: device.transfer.clearing, devices: { ...noOthers, areAny: true },
      health: device.transfer.health, roll: device.transfer.roll,
    };
    const sharing = await roomOf({
      seed, network, name, town, transfer, shown: () => undefined,
      read: async (cid) => await device.store.get(cid),
      tied: (bytes) => device.tree.ties.keep(bytes),
    });
    const giver = new TownGiver(device, sharing, town.network.clock);
    await giver.meet();
    return giver;
  }

  /** The tree that the device has in this life. */
  async meet(): Promise<void> {
    const { tree } = this.#device;
    if (tree === this.#tree) return;
    this.#tree = tree;
    const sharing = this.#sharing as unknown as NodeDuties["sharing"];
    const ties = new DriveTies({ clock: this.#clock, log: silentLog });
    const at = (path: readonly Name[]) => tree.walk(path).catch(() => rootIno);
    await ties.begin({ tree, sharing, shared: { keepTies: async () => undefined }, at });
    await this.#sharing.tied({ bytes: await tree.ties.bytes(), isOurs: true });
  }

  async knows(name: string): Promise<boolean> {
    return (await this.#sharing.contacts()).some((contact) => contact.name === name);
  }

  async give(path: readonly string[], to: TownReader): Promise<void> {
    await this.#sharing.addContact(to.name, await to.sharing.me());
    const grant = await this.#drive().share(path, { who: to.name, expiresAtMs: null });
    await to.sharing.accept(String(grant), null, null);
  }

  async shutOut(path: readonly Name[], reader: TownReader): Promise<void> {
    await this.#drive().revoke(path, reader.name, { dropsSnapshots: false });
  }

  /** After a head, or whenever readers changed. */
  async follow(): Promise<void> {
    await this.meet();
    for (const name of ["sharing.tied", "sharing.given"]) {
      const step = this.#sharing.steps.find((one) => one.name === name);
      if (step === undefined) throw new Error("nobody tells readers");
      await step.step(never);
    }
  }

  #drive() {
    return sharingOf(this.#device.tree, { sharing: this.#sharing } as unknown as NodeDuties);
  }
}

export const folderName = nameFromText("given");
