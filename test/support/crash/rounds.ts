/**
 * A crash round: workloads run on a mounted drive, the daemon is killed at a random moment, perhaps
 * its last unflushed bytes are torn, it is mounted again, and all that was promised is looked for.
 * One drive goes through many rounds, so each begins with what the kills before it have left.
 */
import type { ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type Random, seededRandom } from "../../../src/base/random.ts";
import type { Machine } from "../cli.ts";
import { appendWorkload } from "./append.ts";
import { gitWorkload } from "./git.ts";
import { sqliteWorkload } from "./sqlite.ts";
import { type Flushed, flushedNow, noTail, stillThere, tear } from "./torn.ts";
import { untarWorkload } from "./untar.ts";
import { walkTree } from "./walk.ts";
import type { Workload } from "./workload.ts";

export interface RoundOptions {
  readonly seed: string;
  /** Their number in the order of `workloads`; several run at once. */
  readonly chosen: readonly number[];
  /** Milliseconds of work before the kill, at most. */
  readonly killMsMax: number;
  /** They count from the first thing that is acknowledged, not from the programs' start. */
  readonly warm: boolean;
  /** The kill comes while everything is on its way to the peers. */
  readonly flush: boolean;
  /** The first daemon after the kill is killed too, while it starts. */
  readonly twice: boolean;
  /**
   * What was written after the last acknowledged flush is damaged; with a number above 0 the disk
   * has lied about so many of the last ones, or as many as it takes to find a byte.
   */
  readonly tearFlushes?: number;
  /** Look at every workload and every byte, not only at those that ran. */
  readonly everything: boolean;
}

export interface RoundReport {
  readonly names: string;
  readonly killedAfterMs: number;
  /** How long programs hung after their file system had died. */
  readonly freedAfterMs: number;
  readonly mountMs: number;
  /** Things that the drive has promised in this round. */
  readonly acknowledged: number;
  readonly torn: string;
  /** Damage that the daemon told of when it started. */
  readonly told: readonly string[];
  readonly wrong: readonly string[];
}

/** A program that a dead mount holds for longer than this is hanging. */
const freedMsMax = 20_000;
/** Idle it takes two seconds; a machine that does twenty other things takes its time. */
const mountMsMax = 120_000;
/** So far back a disk may have lied: nothing was compacted meanwhile. */
const tearFlushesMax = 64;
/** A machine on which nothing is acknowledged within this time is killed all the same. */
const warmMsMax = 10_000;
const damageWords = /cache\.(index-\w+|journal-cut|rebuilt|blocks-lost|block-corrupt)/g;

export class CrashSeries {
  readonly #machine: Machine;
  readonly #workloads: readonly Workload[];
  #logRead = 0;

  constructor(machine: Machine) {
    this.#machine = machine;
    const outside = join(machine.directory, "outside");
    mkdirSync(outside, { recursive: true });
    const place = { mount: machine.mount, outside };
    const all = [untarWorkload, sqliteWorkload, gitWorkload, appendWorkload];
    this.#workloads = all.map((make) => make(place));
  }

  /** The drive is mounted, before and after. */
  async round(options: RoundOptions): Promise<RoundReport> {
    const random = seededRandom(options.seed);
    const chosen = options.chosen.map((number) => this.#workloads[number] as Workload);
    const watch = new Watch(this.#cache, { flushes: options.tearFlushes !== undefined });
    const killedAfterMs = random.below(options.killMsMax);
    for (const workload of chosen) watch.add(workload, await workload.start(options.seed));
    if (options.warm) await Promise.race([watch.first, watch.ended, delay(warmMsMax)]);
    const killed = new AbortController();
    const flushing = options.flush ? this.#flushOn(killed.signal) : undefined;
    await delay(killedAfterMs);
    const wrong = [...watch.endedEarly];
    this.#kill();
    const start = performance.now();
    killed.abort();
    await Promise.race([watch.ended, delay(freedMsMax)]);
    const freedAfterMs = Math.round(performance.now() - start);
    if (freedAfterMs >= freedMsMax) wrong.push(`programs hang: ${await watch.abandon()}`);
    await flushing;
    const { torn, acknowledged } = this.#settle(watch, options, random);
    if (options.twice) await this.#killStarting(random);
    const mountMs = await this.#mount(wrong);
    const told = this.#damageTold();
    if (options.tearFlushes === undefined && told.length > 0) wrong.push(...told);
    wrong.push(...(await this.#check(options.everything ? this.#workloads : chosen)));
    wrong.push(...(await walkTree(this.#machine.mount, { bytes: options.everything })).wrong);
    const names = chosen.map(({ name }) => name).join("+");
    return { names, killedAfterMs, freedAfterMs, mountMs, acknowledged, torn, told, wrong };
  }

  get #cache(): string {
    return join(this.#machine.home, "state", "cache");
  }

  get #pid(): number {
    return Number(readFileSync(join(this.#cache, "pid"), "utf8"));
  }

  #kill(): void {
    process.kill(this.#pid, "SIGKILL");
  }

  /** One flush after the other, until the daemon is killed. */
  async #flushOn(killed: AbortSignal): Promise<void> {
    while (!killed.aborted) await this.#machine.hive(["flush", "--timeout", "30"]);
  }

  /** Tells the workloads what they may count on, which is less when the disk has lost bytes. */
  #settle(watch: Watch, options: RoundOptions, random: Random) {
    const { tearFlushes } = options;
    const plain = { torn: "", lines: watch.lines };
    const found = tearFlushes === undefined ? plain : this.#tear(watch, tearFlushes, random);
    for (const workload of this.#workloads) {
      const lines = found.lines.filter((one) => one.workload === workload);
      workload.acknowledge(lines.map(({ line }) => line));
    }
    return { torn: found.torn, acknowledged: found.lines.length };
  }

  /** Where there is nothing to tear, a lying disk lies about more. */
  #tear(watch: Watch, tearFlushes: number, random: Random) {
    let back = tearFlushes === 0 ? 0 : 1 + random.below(tearFlushes);
    for (;;) {
      const { lines, flushed } = watch.before(back);
      const torn = tear(this.#cache, flushed, random);
      back *= 2;
      const enough = torn !== noTail || back === 0 || back > tearFlushesMax;
      if (enough) return { torn, lines: watch.lines.slice(0, lines) };
    }
  }

  async #killStarting(random: Random): Promise<void> {
    const before = this.#pid;
    const mounting = this.#machine.hive(["mount", this.#machine.mount]);
    const ended = mounting.then(() => true);
    while (this.#pid === before) {
      if (await Promise.race([ended, delay(5).then(() => false)])) break;
    }
    await delay(random.below(500));
    if (this.#pid !== before) this.#kill();
    await mounting;
  }

  async #mount(wrong: string[]): Promise<number> {
    const start = performance.now();
    const ran = await this.#machine.hive(["mount", this.#machine.mount]);
    const mountMs = Math.round(performance.now() - start);
    if (ran.code !== 0) throw new Error(`hive mount ended with ${ran.code}\n${ran.error}`);
    if (mountMs > mountMsMax) wrong.push(`mounting took ${mountMs} ms`);
    return mountMs;
  }

  async #check(workloads: readonly Workload[]): Promise<readonly string[]> {
    const wrong: string[] = [];
    for (const workload of workloads) {
      const found = await workload.check();
      wrong.push(...found.map((words) => `${workload.name}: ${words}`));
    }
    return wrong;
  }

  #damageTold(): readonly string[] {
    const file = join(this.#machine.home, "state", "hive.log");
    const text = existsSync(file) ? readFileSync(file, "utf8") : "";
    const news = text.slice(this.#logRead);
    this.#logRead = text.length;
    return [...new Set(news.match(damageWords) ?? [])];
  }
}

interface Line {
  readonly workload: Workload;
  readonly line: string;
}

/** Listens to the programs of one round. */
class Watch {
  readonly lines: Line[] = [];
  readonly endedEarly: string[] = [];
  readonly #cache: string;
  readonly #noting: boolean;
  readonly #running = new Set<ChildProcess>();
  readonly #ends: Promise<void>[] = [];
  readonly #first = Promise.withResolvers<void>();
  readonly #silent = new Set<Workload>();
  /** After each line: how many there were, and how much of the store was flushed by then. */
  readonly #flushes: { readonly lines: number; readonly flushed: Flushed }[] = [];

  constructor(cache: string, { flushes }: { readonly flushes: boolean }) {
    this.#cache = cache;
    this.#noting = flushes;
    this.#note();
  }

  /** Each workload has had something acknowledged. */
  get first(): Promise<void> {
    return this.#first.promise;
  }

  get ended(): Promise<unknown> {
    return Promise.all(this.#ends);
  }

  add(workload: Workload, programs: readonly ChildProcess[]): void {
    this.#silent.add(workload);
    for (const program of programs) {
      if (program.stdout === null || program.stderr === null) throw new Error("no pipes");
      this.#running.add(program);
      createInterface({ input: program.stdout }).on("line", (line) => {
        this.lines.push({ workload, line });
        this.#note();
        if (this.#silent.delete(workload) && this.#silent.size === 0) this.#first.resolve();
      });
      let complaint = "";
      program.stderr.on("data", (part: Buffer) => (complaint += part.toString()));
      this.#ends.push(
        new Promise((resolve) => {
          program.once("close", () => {
            this.#running.delete(program);
            this.endedEarly.push(`${workload.name} ended by itself: ${complaint.slice(0, 2000)}`);
            resolve();
          });
        }),
      );
    }
  }

  /** What was flushed when the line so many before the last had come, and still is. */
  before(count: number): { readonly lines: number; readonly flushed: Flushed } {
    const last = this.#flushes.length - 1;
    for (let at = Math.max(0, last - count); at < last; at++) {
      const found = this.#flushes[at];
      if (found !== undefined && stillThere(this.#cache, found.flushed)) return found;
    }
    return this.#flushes[last] as { lines: number; flushed: Flushed };
  }

  #note(): void {
    if (!this.#noting) return;
    const flushed = flushedNow(this.#cache, this.#flushes.at(-1)?.flushed);
    this.#flushes.push({ lines: this.lines.length, flushed });
  }

  async abandon(): Promise<string> {
    const names = [...this.#running].map(({ pid, spawnargs }) => `${pid} ${spawnargs.join(" ")}`);
    for (const program of this.#running) program.kill("SIGKILL");
    return names.join(", ");
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
