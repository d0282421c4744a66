/**
 * Lives of a drive on three machines of one person, folders of which two others may read or write:
 * real daemons, real mounts, one swarm. Each seed is a life in a folder of its own: files are made,
 * edited, saved, renamed and removed here and there; machines act apart, while all others stand
 * still, as behind a cut; daemons are killed, or end and begin again; folders are given away and
 * taken back; snapshots are made. Then all three have the same, readers see what they may and no
 * more, and nothing that anybody wrote is lost: it is in the tree, be it in the copy of a conflict,
 * or somebody who saw it wrote over it, or removed it; and what was in a snapshot still is.
 *
 *   npm run drill -- lives [--seed N] [--seeds K] [--steps 40]
 *
 * Before the first life the pace is measured: test/support/device-pace.ts.
 */
import { randomInt } from "node:crypto";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type Random, seededRandom, shuffled } from "../../src/base/random.ts";
import { type Machine, until } from "../../test/support/cli.ts";
import { slack } from "../../test/support/device-pace.ts";
import { MountUser, pictureBelow, wordsBelow } from "../../test/support/mount-user.ts";
import { Gifts, quietly } from "./lives/gifts.ts";
import { LifeTown } from "./lives/town.ts";
import { must, say, seconds } from "./machine.ts";

/** On a machine that does nothing else. */
const settleSeconds = 180;
/** A drive shares 64 folders at most. */
const livesPerTown = 8;

export const lifeOptions = {
  seed: { type: "string" },
  seeds: { type: "string", default: "3" },
  steps: { type: "string", default: "40" },
} as const;

type Values = Readonly<Partial<Record<"seed" | "seeds" | "steps", string>>>;

export async function lives(values: Values): Promise<void> {
  const first = Number(values.seed ?? randomInt(1_000_000));
  const count = Number(values.seeds ?? lifeOptions.seeds.default);
  const steps = Number(values.steps ?? lifeOptions.steps.default);
  const seeds = Array.from({ length: count }, (_, at) => first + at);
  const failed: number[] = [];
  for (let at = 0; at < count;) {
    const { lived, failure } = await inOneTown(seeds.slice(at, at + livesPerTown), {
      steps, isFirst: at === 0,
    });
    at += lived;
    if (failure !== undefined) failed.push(failure);
  }
  if (failed.length > 0) throw new Error(`of ${count} lives these failed: ${failed.join(" ")}`);
}

/** Until one fails: what it left is nothing for the others. */
async function inOneTown(
  seeds: readonly number[], { steps, isFirst }: { readonly steps: number; readonly isFirst: boolean },
): Promise<{ readonly lived: number; readonly failure: number | undefined }> {
  await using town = await LifeTown.begin();
  if (isFirst) await town.pace();
  for (const [at, seed] of seeds.entries()) {
    const start = performance.now();
    const life = new Life(town, seed);
    try {
      await life.live(steps);
      say(`  seed ${seed}: all is there, ${life.figures} (${seconds(start)})`);
    } catch (error) {
      const replay = `npm run drill -- lives --seed ${seed} --seeds 1 --steps ${steps}`;
      say(`  seed ${seed} FAILED; replay: ${replay}\n${life.acts.join("\n")}\n${told(error)}`);
      return { lived: at + 1, failure: seed };
    }
  }
  return { lived: seeds.length, failure: undefined };
}

function told(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}

/** What a machine's snapshot has, at least. */
interface Taken {
  readonly machine: Machine;
  readonly name: string;
  readonly words: readonly string[];
}

class Life {
  readonly #town: LifeTown;
  readonly #name: string;
  readonly #random: Random;
  readonly #user: MountUser;
  readonly #gifts: Gifts;
  readonly #taken: Taken[] = [];
  /** What was done, in order. */
  readonly acts: string[] = [];
  figures = "";

  constructor(town: LifeTown, seed: number) {
    this.#town = town;
    this.#name = `life ${seed}`;
    this.#random = seededRandom(`lives drill ${seed}`);
    this.#user = new MountUser(`${seed}`);
    this.#gifts = new Gifts({ town, user: this.#user, random: this.#random }, {
      folder: this.#folder(town.desk), name: this.#name,
    });
  }

  async live(steps: number): Promise<void> {
    await this.#begin();
    for (let step = 0; step < steps; step++) this.acts.push(await this.#step());
    for (const machine of this.#town.devices) this.acts.push(this.#act(machine));
    await this.#settle();
    this.#snapshotsHave();
    this.figures = this.#counted();
    await this.#gifts.end();
  }

  #folder(machine: Machine): string {
    return join(machine.mount, this.#name);
  }

  #any(): Machine {
    const { devices } = this.#town;
    return devices[this.#random.below(devices.length)] as Machine;
  }

  async #begin(): Promise<void> {
    const given = join(this.#folder(this.#town.desk), "given");
    mkdirSync(given, { recursive: true });
    this.#user.make(join(given, "first"));
    for (let act = 0; act < 5; act++) this.acts.push(this.#act(this.#town.desk));
    const isThere = (machine: Machine): boolean => existsSync(this.#folder(machine));
    await until(async () => this.#town.devices.every(isThere), {
      seconds: settleSeconds, what: "all devices know of the life",
    });
    for (let gift = 0; gift < 2; gift++) this.acts.push(await this.#gifts.give());
  }

  async #step(): Promise<string> {
    const what = this.#random.below(100);
    if (what < 46) return this.#act(this.#any());
    if (what < 60) return `  ${this.#gifts.act()}`;
    if (what < 72) return await this.#apart();
    if (what < 78) return await this.#restart();
    if (what < 82) return await this.#gifts.give();
    if (what < 86) return await this.#gifts.takeBack();
    if (what < 90) return await this.#snapshot();
    await rest(200 + this.#random.below(1500));
    return "rest";
  }

  #act(machine: Machine): string {
    return this.#user.act(this.#folder(machine));
  }

  /** Two or three of them, none of whom knows what the others did. */
  async #apart(): Promise<string> {
    const actors = shuffled(this.#town.devices, this.#random).slice(0, 2 + this.#random.below(2));
    // Who goes away has looked at what there is.
    for (const actor of actors) quietly(() => wordsBelow(this.#folder(actor)));
    const acts: string[] = [];
    await this.#town.apart(actors, async (actor) => {
      for (let act = 0; act < 4; act++) acts.push(`    ${quietly(() => this.#act(actor)) ?? "nothing"}`);
      await rest(200 + this.#random.below(2000));
    });
    return `apart\n${acts.join("\n")}`;
  }

  async #restart(): Promise<string> {
    const machine = this.#town.all[this.#random.below(this.#town.all.length)] as Machine;
    const isKilled = this.#random.below(2) === 0;
    await this.#town.restart(machine, { isKilled });
    return `${isKilled ? "kill" : "unmount"} ${machine.directory}`;
  }

  async #snapshot(): Promise<string> {
    const machine = this.#any();
    const before = quietly(() => wordsBelow(this.#folder(machine))) ?? new Set();
    const name = (await must(machine, ["snapshots", "create"])).out.trim();
    // Meanwhile others go on.
    const after = quietly(() => wordsBelow(this.#folder(machine))) ?? new Set();
    const words = [...before].filter((word) => after.has(word));
    this.#taken.push({ machine, name, words });
    return `snapshot ${name} of ${machine.directory}`;
  }

  /** Until all is as it must be. */
  async #settle(): Promise<void> {
    await this.#gifts.flush();
    const beganMs = performance.now();
    for (let problems = this.#problems(); problems.length > 0; problems = this.#problems()) {
      const isLate = performance.now() - beganMs > settleSeconds * 1000 * slack();
      if (isLate) throw new Error(problems.join("\n"));
      await rest(1000);
    }
  }

  #problems(): readonly string[] {
    const { devices } = this.#town;
    const pictures = devices.map((one) => quietly(() => pictureBelow(this.#folder(one))) ?? "unread");
    const areAlike = new Set(pictures).size === 1 && pictures[0] !== "unread";
    if (!areAlike) return pictures.map((picture, at) => `-- they differ, ${at}\n${picture}`);
    const lost = devices.flatMap((one) => this.#lostOn(one));
    return lost.length > 0 ? lost : quietly(() => this.#gifts.problems()) ?? ["names go"];
  }

  #lostOn(machine: Machine): readonly string[] {
    const { written, given } = this.#user;
    const there = quietly(() => wordsBelow(this.#folder(machine)));
    const owed = [...written].filter((word) => !given.has(word) && !this.#gifts.waived.has(word));
    const gone = owed.filter((word) => there?.has(word) !== true);
    if (gone.length === 0) return [];
    // Of folders that were moved into each other, one comes to the drive's root.
    const anywhere = quietly(() => wordsBelow(machine.mount));
    const lost = gone.filter((word) => anywhere?.has(word) !== true);
    return lost.map((word) => `lost on ${machine.directory}: ${word}`);
  }

  #snapshotsHave(): void {
    for (const { machine, name, words } of this.#taken) {
      const there = wordsBelow(join(machine.mount, ".snapshots", name, this.#name));
      const lost = words.filter((word) => !there.has(word));
      if (lost.length > 0) throw new Error(`snapshot ${name} has lost ${lost.join(", ")}`);
    }
  }

  /** Where what was given up still is: all but what was there too shortly. */
  #counted(): string {
    const { written, given } = this.#user;
    const past = new Set(this.#town.devices.flatMap((machine) => this.#past(machine)));
    const kept = [...given].filter((word) => past.has(word));
    return `${written.size} contents, ${given.size} given up, ${kept.length} of them in snapshots`;
  }

  #past({ mount }: Machine): readonly string[] {
    const all = readdirSync(join(mount, ".snapshots")).map((name) => {
      return quietly(() => wordsBelow(join(mount, ".snapshots", name, this.#name)));
    });
    return all.flatMap((words) => [...words ?? []]);
  }
}

function rest(ms: number): Promise<void> {
  return new Promise((later) => setTimeout(later, ms));
}
