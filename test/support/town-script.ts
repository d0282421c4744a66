/**
 * A random life of a drive's devices in a town: their users act, the network is cut and whole again,
 * machines restart and crash, roots and heads go about in any order. What must be true at the end
 * is asked here; who calls it says what to do about an answer.
 */
import { isFault } from "../../src/base/errors.ts";
import { type Ino, rootIno } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";
import type { Tree } from "../../src/tree/tree.ts";
import { DeviceTown, type TownDevice, aMoment, attend, publish } from "./device-town.ts";
import { DriveUser, pathTo, pictureOf, singleWords, wordsOf } from "./drive-user.ts";
import { TownGiver, TownReader, folderName } from "./town-readers.ts";
import { nobody } from "./walk.ts";

export interface TownTrial {
  readonly seed: string;
  readonly devices: number;
  readonly steps: number;
}

export interface TownOutcome {
  /** Of each device, and of one that comes then, what its tree looks like; all should be alike. */
  readonly pictures: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Contents that nobody gave up and that are nowhere. */
  readonly lost: readonly string[];
  /** What machines with the words alone did not find as it was told, while no device was there. */
  readonly unkept: readonly string[];
  /** What readers lack of the folder that is given to them, and what was shown to one shut out. */
  readonly unread: readonly string[];
  readonly stolen: readonly string[];
  readonly acts: number;
}

export async function liveInTown({ seed, devices, steps }: TownTrial): Promise<TownOutcome> {
  const life = new Life(await DeviceTown.begin(seed), seed);
  await using _town = life.town;
  await life.begin(devices);
  for (let step = 0; step < steps; step++) await life.step();
  await life.meet();
  return await life.outcome();
}

/** A busy machine may be late with a read, and a daemon would be asked again. */
async function atLast<T>(look: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await look();
    } catch (error) {
      if (!isFault(error, "Unavailable") || tries === 5) throw error;
    }
  }
}

class Life {
  readonly town: DeviceTown;
  readonly user: DriveUser;
  readonly #random: Random;
  readonly #unkept: string[] = [];
  #readers: readonly TownReader[] = [];
  readonly #givers = new Map<TownDevice, TownGiver>();
  #folder: Ino | undefined;
  /** What had been written when the second reader was shut out. */
  #before: ReadonlySet<string> | undefined;
  #acts = 0;
  #looks = 0;

  constructor(town: DeviceTown, seed: string) {
    this.town = town;
    this.user = new DriveUser(seed);
    this.#random = seededRandom(`town script ${seed}`);
  }

  async begin(devices: number): Promise<void> {
    const first = await this.town.add("desk");
    const at = { parent: rootIno, name: folderName };
    this.#folder = (await first.tree.mkdir(nobody, at, { mode: 0o755 })).ino;
    for (let act = 0; act < 8; act++) await this.user.act(first);
    await publish(first);
    await this.#give(first);
    for (let more = 1; more < devices; more++) {
      const device = await this.town.add(`device ${more}`);
      this.#givers.set(device, await TownGiver.begin(this.town, device, this.town.driveSeed));
    }
  }

  async step(): Promise<void> {
    const what = this.#random.below(100);
    if (what < 48) await this.#act();
    else if (what < 54) await this.#toldFirst();
    else if (what < 67) await attend(this.#any());
    else if (what < 72) await this.#tellReaders();
    else if (what < 80) await publish(this.#any(), "short");
    else if (what < 84) await this.#bothAtOnce();
    else if (what < 91) this.#cut();
    else if (what < 95) this.#mend();
    else if (what < 97) await this.town.restart(this.#any(), { crash: this.#random.below(2) === 0 });
    else if (what < 98) await this.#lookFromAfar();
    else await this.#shutOut();
    await aMoment();
  }

  /** Everybody hears of everybody until all trees are alike, or that takes too long. */
  async meet(): Promise<void> {
    this.#mend();
    for (let round = 0; round < 40; round++) {
      for (const device of this.town.devices) await publish(device);
      for (const device of this.town.devices) await attend(device);
      await aMoment();
      if (round >= 2 && await this.#areAlike()) return;
      // What could not be merged is not tried again at once.
      if (round >= 2) await this.town.network.clock.delay(limits.devices.retryMs);
    }
  }

  async outcome(): Promise<TownOutcome> {
    const pictures: Record<string, Record<string, string>> = {};
    const lost: string[] = [];
    for (const { name, tree } of this.town.devices) {
      pictures[name] = await atLast(() => pictureOf(tree));
      const there = await atLast(() => wordsOf(tree));
      const kept = [...this.user.written].filter((word) => !this.user.given.has(word));
      lost.push(...kept.filter((word) => !there.has(word)).map((word) => `${word} on ${name}`));
    }
    for (const device of this.town.devices) await publish(device);
    await this.#lookFromAfar(async (tree) => {
      pictures["a machine that has the words alone"] = await pictureOf(tree);
    });
    const { unread, stolen } = await this.#readersSee();
    return { pictures, lost, unkept: this.#unkept, unread, stolen, acts: this.#acts };
  }

  async #give(first: TownDevice): Promise<void> {
    const giver = await TownGiver.begin(this.town, first, this.town.driveSeed);
    this.#givers.set(first, giver);
    const readers = ["Ann", "Bob"].map((name) => TownReader.begin(this.town, name));
    this.#readers = await Promise.all(readers);
    const path = await pathTo(first.tree, this.#folder);
    // It may have been removed as soon as it was made.
    for (const reader of path === undefined ? [] : this.#readers) {
      await giver.give(path ?? [], reader);
    }
    // Who comes later knows of it.
    await publish(first);
  }

  async #tellReaders(): Promise<void> {
    await this.#givers.get(this.#any())?.follow();
  }

  /** Holders that are reached hear of it at once. */
  async #shutOut(): Promise<void> {
    const device = this.#any();
    const giver = this.#givers.get(device);
    const [, bob] = this.#readers;
    if (giver === undefined || bob === undefined || this.#before !== undefined) return;
    // Who is cut off from what he looks for could not say which folder.
    this.#mend();
    const path = await pathTo(device.tree, this.#folder);
    if (path === undefined) return;
    await giver.meet();
    if (!await giver.knows(bob.name)) return;
    await giver.shutOut(path, bob);
    this.#before = new Set(this.user.written);
  }

  async #readersSee(): Promise<{ readonly unread: string[]; readonly stolen: string[] }> {
    const first = this.town.devices[0] as TownDevice;
    const path = await pathTo(first.tree, this.#folder);
    const wanted = path === undefined ? [] : await singleWords(first.tree, this.#folder);
    let unread = wanted;
    for (let round = 0; round < 8 && (round === 0 || unread.length > 0); round++) {
      for (const giver of this.#givers.values()) await giver.follow();
      for (const reader of this.#readers) await reader.look();
      const seen = await this.#readers[0]?.words();
      unread = wanted.filter((word) => seen?.has(word) !== true);
    }
    const shown = [...await this.#readers[1]?.words() ?? []];
    const before = this.#before;
    const stolen = before === undefined ? [] : shown.filter((word) => !before.has(word));
    return { unread, stolen };
  }

  async #act(): Promise<void> {
    this.#acts++;
    await this.user.act(this.#any());
  }

  /** One tells another, who publishes before it: whatever the other names then, holders have. */
  async #toldFirst(): Promise<void> {
    const [one, other] = [this.#any(), this.#any()];
    for (let act = 0; act < 3; act++) await this.user.act(one);
    await one.tree.commit();
    await attend(one);
    await aMoment();
    if (one === other) return;
    await attend(other);
    await publish(other, "short");
    if (this.#random.below(2) === 0) await this.#lookFromAfar();
  }

  /** One acts while another takes in what it hears. */
  async #bothAtOnce(): Promise<void> {
    const [one, other] = [this.#any(), this.#any()];
    if (one === other) return;
    await Promise.all([this.user.act(one), attend(other), publish(one, "short")]);
  }

  /** Some are apart from the others; holders go with either side. */
  #cut(): void {
    for (const peer of this.town.network.members.keys()) {
      this.town.network.sides.set(peer, this.#random.below(3) === 0 ? 1 : 0);
    }
  }

  #mend(): void {
    this.town.network.sides.clear();
  }

  /** Whatever heads name is with holders: a machine without devices about finds all of it. */
  async #lookFromAfar(
    look: (tree: Tree) => Promise<unknown> = wordsOf,
  ): Promise<void> {
    const { network, devices } = this.town;
    const before = new Map(network.sides);
    network.sides.clear();
    for (const { keys } of devices) network.sides.set(keys.peer, 7);
    try {
      await this.town.lookFrom(`afar ${this.#looks++}`, (tree) => atLast(() => look(tree)));
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#unkept.push(`look ${this.#looks} after ${this.#acts} acts: ${error.message}`);
    } finally {
      network.sides.clear();
      for (const [peer, side] of before) network.sides.set(peer, side);
    }
  }

  async #areAlike(): Promise<boolean> {
    const texts = new Set<string>();
    for (const { tree } of this.town.devices) {
      texts.add(JSON.stringify(await atLast(() => pictureOf(tree))));
    }
    return texts.size === 1;
  }

  #any(): TownDevice {
    const { devices } = this.town;
    return devices[this.#random.below(devices.length)] as TownDevice;
  }
}
