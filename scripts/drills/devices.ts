/**
 * Three machines of one person, all with the drive mounted, and two people who read a folder of it,
 * on one swarm: real daemons, real mounts. Each seed is a life in a folder of its own: files are
 * made, edited, saved, renamed and removed here and there; machines act alone while all others
 * stand still, as behind a cut; daemons are killed, or end and begin again; one reader is shut out.
 * Then all three have the same, nothing that nobody gave up is lost, and readers see what they may.
 *
 *   npm run drill -- devices [--seed N] [--seeds K] [--steps 30]
 *
 * Before the first life and after the last the pace is measured: test/support/device-pace.ts.
 */
import { randomInt } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Random, seededRandom } from "../../src/base/random.ts";
import { type Machine, newMachine, run, until } from "../../test/support/cli.ts";
import { paceOf, slack } from "../../test/support/device-pace.ts";
import { MountUser, pictureBelow, wordsBelow } from "../../test/support/mount-user.ts";
import { beginSmall, must, say, seconds } from "./machine.ts";

const swarmPeers = 6;
const alikeSeconds = 180;
const readSeconds = 120;

export const deviceOptions = {
  seed: { type: "string" },
  seeds: { type: "string", default: "3" },
  steps: { type: "string", default: "30" },
} as const;

type Values = Readonly<Partial<Record<"seed" | "seeds" | "steps", string>>>;

export async function devices(values: Values): Promise<void> {
  const first = Number(values.seed ?? randomInt(1_000_000));
  const steps = Number(values.steps ?? deviceOptions.steps.default);
  await using town = await Town.begin();
  await town.pace();
  for (let seed = first; seed < first + Number(values.seeds ?? "3"); seed++) {
    const start = performance.now();
    try {
      await new Life(town, seed).live(steps);
    } catch (cause) {
      const again = `npm run drill -- devices --seed ${seed} --seeds 1 --steps ${steps}`;
      throw new Error(`seed ${seed} failed; replay: ${again}`, { cause });
    }
    say(`  seed ${seed}: alike (${seconds(start)})`);
  }
  await town.pace();
}

interface Reader {
  readonly name: string;
  readonly machine: Machine;
}

/** All machines, at work. */
class Town implements AsyncDisposable {
  readonly devices: readonly Machine[];
  readonly readers: readonly Reader[];

  private constructor(devices: readonly Machine[], readers: readonly Reader[]) {
    this.devices = devices;
    this.readers = readers;
  }

  static async begin(): Promise<Town> {
    const desk = await beginSmall("desk", swarmPeers);
    const bootstrap = (await desk.swarm()).map(({ address }) => address);
    const devices: Machine[] = [desk];
    const readers: Reader[] = [];
    const town = new Town(devices, readers);
    try {
      await must(desk, ["mount", desk.mount]);
      await must(desk, ["flush", "--timeout", "120"]);
      for (const name of ["lap", "tab"]) {
        const machine = newMachine(name);
        devices.push(machine);
        const peer = bootstrap[0] as string;
        await must(machine, ["recover", "--peer", peer], `${desk.words}\n`);
        machine.settings({ deviceName: name });
        await must(machine, ["mount", machine.mount]);
      }
      for (const name of ["Ann", "Bob"]) {
        const machine = newMachine(name);
        readers.push({ name, machine });
        await must(machine, ["init"]);
        machine.settings({ listen: ["/ip4/127.0.0.1/tcp/0"], mdns: false, bootstrap });
        await must(machine, ["mount", machine.mount]);
        const text = (await must(machine, ["contacts", "me"])).out.trim();
        await must(desk, ["contacts", "add", name, text]);
      }
      await town.#meet();
    } catch (error) {
      await town[Symbol.asyncDispose]();
      throw error;
    }
    return town;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The first one's swarm goes last.
    const all = [...this.readers.map(({ machine }) => machine), ...this.devices.toReversed()];
    for (const machine of all) await machine.end();
  }

  /** Each knows of the others. */
  async #meet(): Promise<void> {
    for (const [at, machine] of this.devices.entries()) {
      mkdirSync(join(machine.mount, `hello ${at}`));
      await must(machine, ["flush", "--timeout", "120"]);
    }
    const names = (machine: Machine): number =>
      this.devices.filter((_, at) => existsSync(join(machine.mount, `hello ${at}`))).length;
    await until(async () => this.devices.every((machine) => names(machine) === 3), {
      seconds: alikeSeconds, what: "all devices have met",
    });
  }

  /** How soon a change of one is seen on another. */
  async pace(): Promise<void> {
    const [desk, lap] = this.devices as [Machine, Machine];
    const way = { here: lap.mount, there: desk.mount };
    const { medianMs, worstMs, worst } = await paceOf(way, { rounds: 4, giveUpMs: 30_000 });
    const allowedMs = 2_000 * slack();
    say(`  pace: median ${Math.round(medianMs)} ms, worst ${Math.round(worstMs)} ms (${worst})`);
    if (worstMs > allowedMs) throw new Error(`slower than ${Math.round(allowedMs)} ms`);
  }
}

class Life {
  readonly #town: Town;
  readonly #name: string;
  readonly #random: Random;
  readonly #user: MountUser;
  /** What was given away, of this life. */
  readonly #given: string;
  #ino = 0;
  #isShutOut = false;
  /** Contents that were there before the second reader was shut out. */
  #seenBefore = new Set<string>();

  constructor(town: Town, seed: number) {
    this.#town = town;
    this.#name = `life ${seed}`;
    this.#given = `given ${seed}`;
    this.#random = seededRandom(`devices drill ${seed}`);
    this.#user = new MountUser(`${seed}`);
  }

  async live(steps: number): Promise<void> {
    await this.#begin();
    for (let step = 0; step < steps; step++) await this.#step();
    if (!this.#isShutOut) await this.#shutOut();
    for (const machine of this.#town.devices) this.#user.act(this.#folder(machine));
    await this.#areAlike();
    this.#nothingIsLost();
    await this.#readersSee();
  }

  #folder(machine: Machine): string {
    return join(machine.mount, this.#name);
  }

  #shared(machine: Machine): string {
    return join(this.#folder(machine), "given");
  }

  get #desk(): Machine {
    return this.#town.devices[0] as Machine;
  }

  #any(): Machine {
    const { devices } = this.#town;
    return devices[this.#random.below(devices.length)] as Machine;
  }

  async #begin(): Promise<void> {
    mkdirSync(this.#shared(this.#desk), { recursive: true });
    this.#user.make(join(this.#shared(this.#desk), "first"));
    for (let act = 0; act < 5; act++) this.#user.act(this.#folder(this.#desk));
    const isThere = (machine: Machine): boolean => existsSync(this.#folder(machine));
    await until(async () => this.#town.devices.every(isThere), { seconds: 60, what: "it begins" });
    const path = this.#shared(this.#desk);
    this.#ino = statSync(path).ino;
    for (const { name, machine } of this.#town.readers) {
      const grant = (await must(this.#desk, ["share", path, "--with", name])).out.trim();
      await must(machine, ["accept", grant, this.#given]);
    }
  }

  /** Where the folder that was given away is by now on this machine; it may be gone. */
  #givenOn(machine: Machine): string | undefined {
    const isIt = (path: string): boolean => statSync(path).ino === this.#ino;
    return foldersBelow(this.#folder(machine)).find(isIt);
  }

  async #step(): Promise<void> {
    const what = this.#random.below(100);
    if (what < 60) this.#user.act(this.#folder(this.#any()));
    else if (what < 75) this.#user.act(this.#sharedOrAll(this.#any()));
    else if (what < 85) await this.#alone(this.#any());
    else if (what < 90) await this.#restart(this.#any());
    else if (what < 93 && !this.#isShutOut) await this.#shutOut();
    else await new Promise((later) => setTimeout(later, 200 + this.#random.below(1500)));
  }

  #sharedOrAll(machine: Machine): string {
    return this.#givenOn(machine) ?? this.#folder(machine);
  }

  /** While all others, holders too, stand still: nobody answers, and no connection ends. */
  async #alone(machine: Machine): Promise<void> {
    const others = this.#town.devices.filter((one) => one !== machine);
    const pids = (await Promise.all([...others.map(pidOf), this.#swarmPid()])).filter(isKnown);
    for (const pid of pids) process.kill(pid, "SIGSTOP");
    try {
      for (let act = 0; act < 4; act++) this.#user.act(this.#folder(machine));
      await new Promise((later) => setTimeout(later, 500 + this.#random.below(3000)));
    } finally {
      for (const pid of pids) process.kill(pid, "SIGCONT");
    }
  }

  async #swarmPid(): Promise<number | undefined> {
    return (await this.#desk.swarm()).find(({ pid }) => pid !== undefined)?.pid;
  }

  async #restart(machine: Machine): Promise<void> {
    const pid = this.#random.below(2) === 0 ? await pidOf(machine) : undefined;
    if (pid === undefined) await must(machine, ["unmount"]);
    else process.kill(pid, "SIGKILL");
    await run("umount", ["-l", machine.mount], {});
    await until(async () => pid === undefined || !isRunning(pid), { seconds: 30, what: "its end" });
    await must(machine, ["mount", machine.mount]);
  }

  async #shutOut(): Promise<void> {
    const [, bob] = this.#town.readers as [Reader, Reader];
    const path = this.#givenOn(this.#desk);
    if (path === undefined) return;
    await must(this.#desk, ["revoke", path, "--from", bob.name]);
    this.#isShutOut = true;
    this.#seenBefore = new Set(this.#user.written);
  }

  async #areAlike(): Promise<void> {
    const { devices } = this.#town;
    const pictures = (): readonly string[] => devices.map((one) => pictureBelow(this.#folder(one)));
    const areSame = (): boolean => new Set(quietly(pictures) ?? ["", "?"]).size === 1;
    try {
      await until(async () => areSame(), { seconds: alikeSeconds, what: "all devices are alike" });
    } catch (cause) {
      const told = pictures().map((picture, at) => `-- ${at}\n${picture}`).join("\n");
      throw new Error(`they differ\n${told}`, { cause });
    }
  }

  #nothingIsLost(): void {
    const { written, given } = this.#user;
    for (const machine of this.#town.devices) {
      const there = wordsBelow(this.#folder(machine));
      const lost = [...written].filter((word) => !given.has(word) && !there.has(word));
      if (lost.length > 0) throw new Error(`lost on ${machine.directory}: ${lost.join(", ")}`);
    }
  }

  /** What one may see is what there is; who was shut out sees nothing that was written since. */
  async #readersSee(): Promise<void> {
    const [ann, bob] = this.#town.readers as [Reader, Reader];
    const placeOf = ({ machine }: Reader): string => join(machine.mount, "Shared", this.#given);
    await must(this.#desk, ["flush", "--timeout", "120"]);
    const folder = this.#givenOn(this.#desk);
    const wanted = folder === undefined ? undefined : [...wordsBelow(folder)].sort().join("\n");
    const areSame = (): boolean =>
      quietly(() => [...wordsBelow(placeOf(ann))].sort().join("\n")) === wanted;
    if (wanted !== undefined) {
      await until(async () => areSame(), { seconds: readSeconds, what: "Ann sees what there is" });
    }
    if (!this.#isShutOut) return;
    const seen = quietly(() => wordsBelow(placeOf(bob))) ?? new Set<string>();
    const stolen = [...seen].filter((word) => !this.#seenBefore.has(word));
    if (stolen.length > 0) throw new Error(`Bob was shut out, and sees ${stolen.join(", ")}`);
  }
}

function foldersBelow(root: string): readonly string[] {
  const folders = readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return folders.flatMap(({ name }) => [join(root, name), ...foldersBelow(join(root, name))]);
}

async function pidOf(machine: Machine): Promise<number | undefined> {
  return (await machine.status()).pid;
}

function isKnown<T>(value: T | undefined): value is T {
  return value !== undefined;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Names may go while they are looked at. */
function quietly<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return undefined;
  }
}
