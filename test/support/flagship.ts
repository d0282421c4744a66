/**
 * The disaster that Hive is for: while an owner sleeps, a third of all peers die with their disks,
 * the others mend among themselves, then a third of those die as well; and 24 words bring all of it
 * back on a machine that has nothing. It throws at the first thing that is not as it must be.
 *
 * Counted is what every process says that it has received from others, small and large, in the time
 * of a wave. The least that can be: for each segment, whoever mends it has one shard, reads k - 1
 * and sends what was lost, once; so the bytes of k - 1 shards for each segment, and of all that the
 * dead kept. A blip that costs nothing is counted the same way, beside a calm as long.
 */
import { setTimeout } from "node:timers/promises";
import { seededRandom, type Random } from "../../src/base/random.ts";
import { type Machine, newMachine, until, wordsIn } from "./cli.ts";
import { hasInMemory } from "./process-memory.ts";
import { type Pace, QuickSwarm, type Seen, shareOf, sumOf } from "./quick-swarm.ts";
import { filesWith, keyFileOf, secretsOf } from "./secrets.ts";
import { type SeededFile, planFiles, unequalFiles, writeFiles } from "./seeded-files.ts";

const MiB = 1024 * 1024;
const inVainMax = 0.03;
const blipShare = 0.3;
export const waves = [1, 2];

export interface FlagshipOptions extends Pace {
  readonly seed: string;
  readonly peers: number;
  readonly class: { readonly name: string; readonly k: number; readonly n: number };
  readonly mib: number;
  /** How long some are away and come back; 0 leaves the blip out. */
  readonly blipSeconds: number;
  /** How long a wave may take to be mended, and how many times the least may be moved for it. */
  readonly waveSecondsMax: number;
  readonly movedFactorMax: number;
  readonly say: (words: string) => void;
}

export async function flagship(options: FlagshipOptions): Promise<void> {
  const machine = newMachine("flagship");
  try {
    await new Flagship(machine, options).sail();
  } finally {
    await machine.end();
  }
}

class Flagship {
  readonly #machine: Machine;
  readonly #options: FlagshipOptions;
  readonly #random: Random;
  readonly #files: readonly SeededFile[];

  constructor(machine: Machine, options: FlagshipOptions) {
    const { seed, mib } = options;
    this.#machine = machine;
    this.#options = options;
    this.#random = seededRandom(`flagship/${seed}`);
    this.#files = planFiles(seed, { bytes: mib * MiB });
  }

  async sail(): Promise<void> {
    const words = wordsIn((await this.#must(this.#machine, ["init"])).out);
    const swarm = await this.#timed("all peers run and know each other", () => {
      return QuickSwarm.open(this.#machine, this.#options);
    });
    const secrets = await secretsOf(this.#machine);
    const full = await this.#fill(swarm, secrets);
    if (this.#options.blipSeconds > 0) await this.#blip(swarm);
    for (const wave of waves) await this.#wave(swarm, { wave, full, secrets });
    await this.#recover(swarm, words);
  }

  /** Files go up, and the owner's machine is off; how many shards there are. */
  async #fill(swarm: QuickSwarm, secrets: readonly Buffer[]): Promise<number> {
    const { seed, class: { k, n, name }, waveSecondsMax: seconds, say } = this.#options;
    const machine = this.#machine;
    await this.#timed(`${this.#files.length} files written and flushed`, async () => {
      writeFiles(machine.mount, seed, this.#files);
      await this.#must(machine, ["flush", "--timeout", "1800"]);
    });
    // A flush is over when enough holders have theirs: those who dawdle get it now.
    const isWhole = async (): Promise<boolean> => (await machine.status()).survives === n - k;
    await until(isWhole, { seconds, what: "every shard is where it belongs" });
    const { pid, class: found } = await machine.status();
    must(found === name, `the class is ${found}`);
    must(hasInMemory(pid, secrets), "the owner's daemon has keys: else the search finds none");
    await this.#must(machine, ["unmount"]);
    const seen = await swarm.look();
    const holders = seen.filter(({ shards }) => shards > 0).length;
    must(holders === n, `one group: ${holders} holders`);
    const full = sumOf(seen, "shards");
    const kept = mibText(sumOf(seen, "usedBytes"));
    say(`  ${full} shards, ${kept}, with ${holders} of ${seen.length} peers`);
    return full;
  }

  /** Some are away for less than a death takes, and come back: what was moved for it. */
  async #blip(swarm: QuickSwarm): Promise<void> {
    const { blipSeconds, auditIntervalSeconds, deadAfterSeconds, say } = this.#options;
    const before = await swarm.look();
    const away = shareOf(before, blipShare, this.#random);
    const affected = sumOf(before.filter(({ number }) => away.includes(number)), "usedBytes");
    const seconds = blipSeconds + deadAfterSeconds + auditIntervalSeconds;
    await setTimeout(seconds * 1000);
    const calm = await swarm.look();
    swarm.signal(away, "SIGSTOP");
    await setTimeout(blipSeconds * 1000);
    swarm.signal(away, "SIGCONT");
    await setTimeout((seconds - blipSeconds) * 1000);
    const after = await swarm.look();
    const calmBytes = movedBetween(before, calm);
    const blipBytes = movedBetween(calm, after);
    const vain = Math.max(0, blipBytes - calmBytes);
    const made = sumOf(after, "shards") - sumOf(before, "shards");
    say(`  blip: ${away.length} peers away for ${blipSeconds} s, ${mibText(affected)} affected; ` +
      `${mibText(blipBytes)} received, ${mibText(calmBytes)} in a calm as long; ` +
      `in vain ${percent(vain / affected)}, ${made} shards made`);
    must(vain <= inVainMax * affected && made === 0, "a blip costs nothing");
  }

  async #wave(
    swarm: QuickSwarm,
    told: { readonly wave: number; readonly full: number; readonly secrets: readonly Buffer[] },
  ): Promise<void> {
    const { wave, full, secrets } = told;
    const { class: { k, n }, waveSecondsMax: seconds, movedFactorMax, say } = this.#options;
    const before = await swarm.look();
    const victims = shareOf(before, 1 / 3, this.#random);
    const start = performance.now();
    await swarm.destroy(victims);
    const isWhole = async (): Promise<boolean> => sumOf(await swarm.look(), "shards") >= full;
    await until(isWhole, { seconds, what: `wave ${wave}: ${full} shards again` });
    const tookSeconds = (performance.now() - start) / 1000;
    const after = await swarm.look();
    const dead = before.filter(({ number }) => victims.includes(number));
    const lostBytes = sumOf(dead, "usedBytes");
    const least = sumOf(before, "usedBytes") / n * (k - 1) + lostBytes;
    const moved = movedBetween(before, after);
    say(`  wave ${wave}: ${victims.length} of ${before.length} dead, ${sumOf(dead, "shards")} ` +
      `shards lost, ${sumOf(after, "shards")} of ${full} after ${tookSeconds.toFixed(0)} s; ` +
      `moved ${mibText(moved)}, ${(moved / least).toFixed(2)} times the least`);
    must(sumOf(after, "shards") === full, "nothing is made twice");
    must(moved <= movedFactorMax * least, `${mibText(moved)} moved, ${mibText(least)} would do`);
    this.#searchKeys(swarm, after, secrets);
  }

  /** Whoever mends has no key: not on disk, and not in memory. */
  #searchKeys(swarm: QuickSwarm, peers: readonly Seen[], secrets: readonly Buffer[]): void {
    const onDisk = filesWith(secrets, swarm.directories());
    must(onDisk.length === 0, `keys in ${onDisk.join(" ")}`);
    const knowing = peers.filter(({ pid }) => hasInMemory(pid, secrets));
    must(knowing.length === 0, `keys in the memory of ${knowing.map(({ number }) => number)}`);
    const own = filesWith(secrets, [this.#machine.home]).join(" ");
    must(own === keyFileOf(this.#machine), `keys are in the key file alone: ${own}`);
    this.#options.say(`  no key on the disks or in the memory of ${peers.length} peers`);
  }

  /** A machine that has nothing but the words and one address. */
  async #recover(swarm: QuickSwarm, words: string): Promise<void> {
    const { class: { k, n }, say, seed } = this.#options;
    const rows = await this.#machine.swarm();
    const peer = rows.find(({ state }) => state === "running")?.address as string;
    const fresh = newMachine("recovered");
    try {
      await this.#timed("recovered from 24 words", () => {
        return this.#must(fresh, ["recover", "--peer", peer], `${words}\n`);
      });
      await this.#must(fresh, ["mount", fresh.mount]);
      await this.#timed("every file is the same, byte for byte", async () => {
        const wrong = unequalFiles(fresh.mount, seed, this.#files);
        must(wrong.length === 0, `not the same: ${wrong.join(", ")}`);
      });
      await this.#timed(`every segment survives ${n - k} more`, () => this.#proven(fresh));
      const living = (await swarm.look()).length;
      say(`  ${this.#files.length} files with ${living} peers left`);
    } finally {
      await fresh.end();
    }
  }

  /** All of every segment's shards, many leaves of each, and what the status makes of it. */
  async #proven(fresh: Machine): Promise<void> {
    const { class: { k, n }, waveSecondsMax: seconds } = this.#options;
    const isProven = async (): Promise<boolean> => {
      const ran = await fresh.hive(["verify", "--deep", "--json"]);
      const report = JSON.parse(ran.out) as { segments: number; proofsRight: number };
      return report.segments > 0 && report.proofsRight === n * report.segments;
    };
    await until(isProven, { seconds, what: "all shards of every segment are proven" });
    const isSafe = async (): Promise<boolean> => (await fresh.status()).survives === n - k;
    await until(isSafe, { seconds, what: `the status says ${n - k}` });
  }

  async #must(machine: Machine, words: readonly string[], input?: string) {
    const ran = await machine.hive(words, input);
    must(ran.code === 0, `hive ${words.join(" ")}: ${ran.code}\n${ran.error}`);
    return ran;
  }

  async #timed<T>(what: string, act: () => Promise<T>): Promise<T> {
    const start = performance.now();
    const result = await act();
    this.#options.say(`  ${what}: ${((performance.now() - start) / 1000).toFixed(1)} s`);
    return result;
  }
}

/** Received by those who live on. */
function movedBetween(before: readonly Seen[], after: readonly Seen[]): number {
  const then = new Map(before.map(({ number, receivedBytes }) => [number, receivedBytes]));
  return after.reduce((sum, { number, receivedBytes }) => {
    return sum + receivedBytes - (then.get(number) ?? 0);
  }, 0);
}

function must(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}

function mibText(bytes: number): string {
  return `${(bytes / MiB).toFixed(1)} MiB`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
