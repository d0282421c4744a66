/**
 * A random life of a drive's devices in a town: their users act, the network is cut and whole again,
 * machines restart and crash, roots and heads go about in any order. What must be true at the end
 * is asked here; who calls it says what to do about an answer.
 */
import { isFault } from "../../src/base/errors.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";
import { DeviceTown, type TownDevice, aMoment, attend, publish } from "./device-town.ts";
import { DriveUser, pictureOf, wordsOf } from "./drive-user.ts";

export interface TownTrial {
  readonly seed: string;
  readonly devices: number;
  readonly steps: number;
}

export interface TownOutcome {
  /** Of each device, what its tree looks like; all should be alike. */
  readonly pictures: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Contents that nobody gave up and that are nowhere. */
  readonly lost: readonly string[];
  /** What machines with the words alone did not find as it was told, while no device was there. */
  readonly unkept: readonly string[];
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

class Life {
  readonly town: DeviceTown;
  readonly user: DriveUser;
  readonly #random: Random;
  readonly #unkept: string[] = [];
  #acts = 0;
  #looks = 0;

  constructor(town: DeviceTown, seed: string) {
    this.town = town;
    this.user = new DriveUser(seed);
    this.#random = seededRandom(`town script ${seed}`);
  }

  async begin(devices: number): Promise<void> {
    const first = await this.town.add("desk");
    for (let act = 0; act < 8; act++) await this.user.act(first);
    await publish(first);
    for (let more = 1; more < devices; more++) await this.town.add(`device ${more}`);
  }

  async step(): Promise<void> {
    const what = this.#random.below(100);
    if (what < 50) await this.#act();
    else if (what < 72) await attend(this.#any());
    else if (what < 80) await publish(this.#any());
    else if (what < 84) await this.#bothAtOnce();
    else if (what < 91) this.#cut();
    else if (what < 95) this.#mend();
    else if (what < 98) await this.town.restart(this.#any(), { crash: this.#random.below(2) === 0 });
    else await this.#lookFromAfar();
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
    }
  }

  async outcome(): Promise<TownOutcome> {
    const pictures: Record<string, Record<string, string>> = {};
    const lost: string[] = [];
    for (const { name, tree } of this.town.devices) {
      pictures[name] = await pictureOf(tree);
      const there = await wordsOf(tree);
      const kept = [...this.user.written].filter((word) => !this.user.given.has(word));
      lost.push(...kept.filter((word) => !there.has(word)).map((word) => `${word} on ${name}`));
    }
    for (const device of this.town.devices) await publish(device);
    await this.#lookFromAfar();
    return { pictures, lost, unkept: this.#unkept, acts: this.#acts };
  }

  async #act(): Promise<void> {
    this.#acts++;
    await this.user.act(this.#any());
  }

  /** One acts while another takes in what it hears. */
  async #bothAtOnce(): Promise<void> {
    const [one, other] = [this.#any(), this.#any()];
    if (one === other) return;
    await Promise.all([this.user.act(one), attend(other), publish(one)]);
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
  async #lookFromAfar(): Promise<void> {
    const { network, devices } = this.town;
    const before = new Map(network.sides);
    network.sides.clear();
    for (const { keys } of devices) network.sides.set(keys.peer, 7);
    try {
      await this.town.lookFrom(`afar ${this.#looks++}`, (tree) => wordsOf(tree));
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
    for (const { tree } of this.town.devices) texts.add(JSON.stringify(await pictureOf(tree)));
    return texts.size === 1;
  }

  #any(): TownDevice {
    const { devices } = this.town;
    return devices[this.#random.below(devices.length)] as TownDevice;
  }
}
