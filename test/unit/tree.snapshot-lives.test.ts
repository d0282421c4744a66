/**
 * Snapshots while everything else goes on: commits, merges with other devices, secrets renewed and
 * contents sealed anew after somebody was shut out, garbage collected, processes that end. What was
 * there when one was asked for is in it, under the name that was answered, for good.
 */
import { setTimeout as delay } from "node:timers/promises";
import { test } from "tap";
import { isFault } from "../../src/base/errors.ts";
import { rootIno } from "../../src/base/ids.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";
import { wordsOf } from "../support/drive-user.ts";
import { type Device, Devices } from "../support/merge-devices.ts";
import { walkTree } from "../support/walk.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const lives = Number(process.env["HIVE_TRIALS"] ?? 2);
/** More often than any user's: names of one second shall meet. */
const rule = [{ everyMs: 100, forMs: 600_000 }];
const never = new AbortController().signal;

/** What a device's snapshot has, at least. */
interface Taken {
  readonly device: Device;
  readonly name: string;
  readonly words: readonly string[];
}

class Life {
  readonly taken: Taken[] = [];
  readonly #devices: Devices;
  readonly #random: Random;
  /** What goes on in the background of each, but of those that end. */
  readonly #rounds = new Map<Device, Promise<unknown>>();
  readonly #ending = new Set<Device>();
  #isOver = false;

  constructor(name: string) {
    this.#devices = new Devices(name, rule);
    this.#random = seededRandom(name);
  }

  async live(steps: number): Promise<void> {
    for (const name of ["desk", "lap", "tab"]) await this.#devices.add(name);
    const background = this.#devices.all.map((device) => this.#goOn(device));
    for (let step = 0; step < steps; step++) await this.#step();
    this.#isOver = true;
    await Promise.all(background);
    for (const device of this.#devices.all) await this.#devices.restart(device, { crash: false });
  }

  async lost(): Promise<readonly string[]> {
    const lost: string[] = [];
    for (const { device, name, words } of this.taken) {
      const { files } = await device.tree.past.open(name);
      const there = await wordsOf(files);
      for (const word of words) if (!there.has(word)) lost.push(`${device.name} ${name}: ${word}`);
    }
    return lost;
  }

  async #step(): Promise<void> {
    const { all, user } = this.#devices;
    const device = all[this.#random.below(all.length)] as Device;
    const what = this.#random.below(20);
    if (what < 11) await user.act(device);
    else if (what < 14) await orFault(() => this.#shutOut(device));
    else if (what < 18) await this.#snapshot(device);
    else await this.#restart(device);
    if (this.#random.below(3) === 0) await delay(this.#random.below(30));
  }

  /** Somebody who had any folder. */
  async #shutOut({ tree }: Device): Promise<void> {
    const all = [...(await walkTree(tree)).values()].map(({ attributes }) => attributes);
    const folders = all.filter(({ mode }) => (mode & 0o170000) === 0o040000);
    const folder = folders[this.#random.below(Math.max(1, folders.length))]?.ino ?? rootIno;
    await tree.withdraw(folder);
  }

  /** Others go on: what is there before and behind it was there all the time. */
  async #snapshot(device: Device): Promise<void> {
    const before = await orFault(() => wordsOf(device.tree));
    const name = await device.tree.past.create();
    const after = await orFault(() => wordsOf(device.tree));
    const words = [...before ?? []].filter((word) => after?.has(word) === true);
    this.taken.push({ device, name, words });
  }

  /** Nothing of the old process may go on over the store of the new one. */
  async #restart(device: Device): Promise<void> {
    this.#ending.add(device);
    await this.#rounds.get(device);
    await this.#devices.restart(device, { crash: this.#random.below(2) === 0 });
    this.#ending.delete(device);
  }

  async #goOn(device: Device): Promise<void> {
    while (!this.#isOver) {
      await delay(this.#random.below(4));
      if (this.#ending.has(device)) continue;
      const round = orFault(() => this.#round(device));
      this.#rounds.set(device, round);
      await round;
    }
  }

  async #round(device: Device): Promise<unknown> {
    const { tree } = device;
    const what = this.#random.below(8);
    if (what < 2) return await tree.commit();
    if (what < 3) return await tree.renewer.step(never);
    if (what < 4) return await tree.resealer.step(never);
    if (what < 6) return await this.#devices.publish(device);
    if (what < 7) return await this.#hearAll(device);
    return this.#random.below(4) === 0 ? await tree.census(10_000) : await tree.collector.step(never);
  }

  async #hearAll(device: Device): Promise<void> {
    const others = this.#devices.all.filter((other) => other !== device);
    for (const other of others) await this.#devices.hear(device, other);
  }
}

/** What programs may meet where others change things meanwhile. */
async function orFault<T>(act: () => Promise<T>): Promise<T | undefined> {
  try {
    return await act();
  } catch (error) {
    if (!isFault(error)) throw error;
    return undefined;
  }
}

test("a snapshot has all that was there, whatever goes on", { timeout: 120_000 }, async (t) => {
  let count = 0;
  for (let at = 0; at < lives; at++) {
    const life = new Life(`snapshot lives ${seed} ${at}`);
    await life.live(60);
    count += life.taken.length;
    const replay = `HIVE_SEED=${seed} HIVE_TRIALS=${lives} node test/unit/tree.snapshot-lives.test.ts`;
    for (const lost of await life.lost()) t.fail(`${lost}; replay: ${replay}`);
  }
  t.ok(count > 0, `${count} were made`);
});
