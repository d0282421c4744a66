/**
 * A mount against ext4: the same random operations on both at once, and whatever a program could
 * see of them compared after each. Between them the drive is mounted anew, its cache dropped, its
 * daemon killed. After a kill everything synced must be there; after a kill that follows a few
 * fsyncs, those files and all names.
 *
 *   node test/fuzz/mount-model.ts --seed N [--operations M] [--seeds COUNT] [--limit MIB] [--data]
 *     [--known FILES]
 *
 * `--data` keeps to the bytes of two files (write, map, punch, copy ...), as fsx does. `--short`
 * shortens what failed; with `--known 16` the kernel is asked to forget all but 16 files again and
 * again. It needs root, and ext4 under the system's temporary folder.
 *
 * Compared: results, errno, bytes, attributes, extended ones, names, locks, and whether mtime,
 * ctime and atime moved (ext4 with noatime, since reading moves no time on the drive). Not
 * compared: inode numbers, st_blocks and where holes are, since chunks are no 4 KiB blocks
 * (test/mount/suite.ts has their contract); the moments themselves; locks across a remount, where
 * both sides let go of them.
 *
 * A difference is printed with the command that shows it again, and the operations that are left
 * when those it does not need are taken out.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Profile, opening, operationsOf, somePlaces } from "./operations.ts";
import { Daemon, Player, builtPlayer } from "./sides.ts";

const batchMax = 64;
const syncedPlaces = 12;
const tidyTriesMax = 300;

export interface Difference {
  readonly at: number;
  readonly line: string;
  readonly mount: string;
  readonly model: string;
}

/** A mounted drive and a plain directory, with a fresh folder on each for every run. */
export class Arena implements AsyncDisposable {
  readonly #directory: string;
  readonly #program: string;
  readonly #limitMiB: number;
  readonly #known: readonly string[];
  #daemon: Daemon | undefined;
  #players: readonly Player[] = [];
  #round = 0;
  played = 0;

  private constructor(limitMiB: number, known: readonly string[]) {
    this.#directory = mkdtempSync(join(tmpdir(), "hive-fuzz-"));
    this.#program = builtPlayer();
    this.#limitMiB = limitMiB;
    this.#known = known;
    for (const name of ["mount", "model", "store"]) mkdirSync(join(this.#directory, name));
    // Reading moves no time on the drive, so it shall not on ext4 either.
    execFileSync("mount", ["--bind", this.#path("model"), this.#path("model")]);
    execFileSync("mount", ["-o", "remount,bind,noatime", this.#path("model")]);
  }

  /** `known`: the limit of files that the kernel may know, if it is another than usual. */
  static async open(limitMiB: number, ...known: readonly string[]): Promise<Arena> {
    const arena = new Arena(limitMiB, known);
    await arena.#serve();
    return arena;
  }

  /** Plays the lines; the first difference, if there is one. */
  async play(
    lines: readonly string[], options = { remount: true },
  ): Promise<Difference | undefined> {
    await this.#fresh();
    for (let at = 0; at < lines.length; ) {
      const special = lines[at]?.startsWith("!") === true;
      const next = lines.findIndex((line, i) => i >= at && line.startsWith("!"));
      const end = Math.min(at + batchMax, special ? at + 1 : next < 0 ? lines.length : next);
      const found = special
        ? await this.#special(lines[at] as string, at)
        : await this.#both(lines.slice(at, end), at);
      if (found !== undefined) return found;
      at = end;
    }
    return options.remount ? this.#special("!remount", lines.length) : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const player of this.#players) await player.end("SIGKILL");
    await this.#daemon?.end();
    for (const side of ["mount", "model"]) spawnSync("umount", ["-ql", this.#path(side)]);
    rmSync(this.#directory, { recursive: true });
  }

  #path(name: string): string {
    return join(this.#directory, name);
  }

  async #serve(): Promise<void> {
    const [mount, store] = [this.#path("mount"), this.#path("store")];
    this.#daemon = await Daemon.start(mount, store, this.#limitMiB, ...this.#known);
  }

  /** New folders for both, since after a crash they need not agree any more. */
  async #fresh(): Promise<void> {
    await this.#dismiss();
    if (this.#round > 0) rmSync(join(this.#path("model"), `${this.#round}`), { recursive: true });
    if (this.#round > 0) rmSync(join(this.#path("mount"), `${this.#round}`), { recursive: true });
    this.#round++;
    for (const side of ["mount", "model"]) mkdirSync(join(this.#path(side), `${this.#round}`));
    this.#hire();
    await this.#both(opening, 0);
  }

  #hire(): void {
    this.#players = ["mount", "model"].map((side) =>
      new Player(this.#program, join(this.#path(side), `${this.#round}`)));
  }

  async #dismiss(): Promise<void> {
    await Promise.all(this.#players.map((player) => player.end()));
    this.#players = [];
  }

  async #both(lines: readonly string[], from: number): Promise<Difference | undefined> {
    const answers = await Promise.all(this.#players.map((player) => player.ask(lines)));
    const [mount = [], model = []] = answers;
    this.played += lines.length;
    const at = lines.findIndex((_, i) => !agree(mount[i] as string, model[i] as string));
    if (at < 0) return undefined;
    const [line, one, other] = [lines, mount, model].map((list) => list[at] as string);
    return { at: from + at, line, mount: one, model: other } as Difference;
  }

  async #special(line: string, at: number): Promise<Difference | undefined> {
    if (line === "!drop") await this.#daemon?.ask(["upload", "drop"]);
    else if (line === "!commit") await this.#daemon?.ask(["commit"]);
    else if (line === "!remount") await this.#again();
    else if (line === "!kill") {
      // An fsync of every file; the commit is for names made since.
      await this.#both(["0\tsync"], at);
      await this.#daemon?.ask(["commit"]);
      await this.#again("SIGKILL");
    } else return this.#crash(line, at);
    return this.#walk(at, line, (text) => text);
  }

  /** The files that were synced are whole, and the names are; then both sides begin anew. */
  async #crash(line: string, at: number): Promise<Difference | undefined> {
    const file = `synced-${at}`;
    const bytes = [(at % 7) * 50_000, 1 + (at * 977) % 300_000, at].join("\t");
    const synced = [file, ...somePlaces(`${at}`, syncedPlaces)];
    const lines = [
      `0\tcreate\t${file}\t0`, `0\twrite\t${file}\t${bytes}`, `0\tchmod\t${file}\t416`,
      ...synced.map((path, i) => `0\tfsync\t${path}\t${i % 2}`),
    ];
    const early = await this.#both(lines, at);
    if (early !== undefined) return early;
    await this.#again("SIGKILL");
    const found = await this.#walk(at, line, (text) => crashSafe(text, synced));
    await this.#fresh();
    return found;
  }

  async #again(signal?: NodeJS.Signals): Promise<void> {
    const [onMount, onModel] = this.#players;
    if (signal === undefined) await this.#dismiss();
    await this.#daemon?.end(signal);
    // Whoever works on a mount whose daemon is gone gets errors at once, and may end.
    await Promise.all([onMount?.end("SIGKILL"), onModel?.end()]);
    await this.#serve();
    this.#hire();
  }

  async #walk(
    at: number, line: string, keep: (line: string) => string,
  ): Promise<Difference | undefined> {
    const files = ["mount", "model"].map((side) => this.#path(`walk-${side}`));
    await Promise.all(this.#players.map((player, side) => player.ask([`0\twalk\t${files[side]}`])));
    const [mount = [], model = []] = files.map((file) =>
      readFileSync(file, "latin1").split("\n").map(keep));
    const first = mount.findIndex((entry, i) => entry !== model[i]);
    if (first < 0 && mount.length === model.length) return undefined;
    const index = first < 0 ? mount.length : first;
    return { at, line, mount: mount[index] ?? "nothing", model: model[index] ?? "nothing" };
  }
}

/** Of a file that was not synced: its name, kind, permissions and links. */
function crashSafe(line: string, synced: readonly string[]): string {
  if (synced.some((path) => line.startsWith(`./${path} `))) return line;
  const found = /^(.*) (10\d{4}),(\d+),(-?\d+),(-?\d+),\d+,(x[0-9a-f]+),/.exec(line);
  if (found === null) return line.replace(/ [ma]-?\d+\.\d+/g, "");
  const [, path, mode, ...rest] = found;
  return [path, (Number.parseInt(mode as string, 8) & ~0o6000).toString(8), ...rest].join(" ");
}

/** Word for word, but for the ticks of clocks: see `moved` in player.c. */
function agree(mount: string, model: string): boolean {
  if (mount === model) return true;
  const [one, other] = [mount.split(" "), model.split(" ")];
  return one.length === other.length && one.every((word, i) => wordsAgree(word, other[i] as string));
}

function wordsAgree(one: string, other: string): boolean {
  if (one === other) return true;
  if (!one.startsWith("~") || !other.startsWith("~") || one.length !== other.length) return false;
  return [...one].every((letter, i) => {
    return letter === other[i] || letter === "r" || other[i] === "r";
  });
}

/** Takes out what the difference does not need, in ever smaller pieces. */
async function shorten(arena: Arena, lines: readonly string[]): Promise<readonly string[]> {
  let kept = lines;
  let tries = 0;
  for (let size = Math.ceil(kept.length / 2); size >= 1 && tries < tidyTriesMax; ) {
    let shorter = false;
    for (let from = 0; from < kept.length && tries < tidyTriesMax; ) {
      const without = [...kept.slice(0, from), ...kept.slice(from + size)];
      tries++;
      const found = await arena.play(without, { remount: false });
      if (found === undefined) from += size;
      else {
        kept = without.slice(0, found.at + 1);
        shorter = true;
      }
    }
    if (!shorter || size > 1) size = Math.floor(size / 2);
  }
  return kept;
}

export interface Plan {
  readonly seed: string;
  readonly operations: number;
  readonly profile: Profile;
  readonly limitMiB: number;
}

/** Undefined when both sides agreed to the end; else what to print. */
export async function compare(
  arena: Arena, plan: Plan, options: { readonly shorten: boolean },
): Promise<string | undefined> {
  const lines = [...operationsOf(plan.seed, plan.operations, plan.profile)];
  const found = await arena.play(lines);
  if (found === undefined) return undefined;
  const prefix = lines.slice(0, found.at + 1);
  const short = options.shorten ? await shorten(arena, prefix) : prefix.slice(-1);
  return [
    `seed ${plan.seed}, operation ${found.at}: ${found.line}`,
    `  mount: ${found.mount}`, `  model: ${found.model}`,
    `again: node test/fuzz/mount-model.ts --seed ${plan.seed} --operations ${found.at + 1}` +
      ` --limit ${plan.limitMiB}${plan.profile === "data" ? " --data" : ""}`,
    ...short.map((line) => `  ${line.replaceAll("\t", " ")}`),
  ].join("\n");
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seed: { type: "string", default: "1" },
      seeds: { type: "string", default: "1" },
      operations: { type: "string", default: "20000" },
      limit: { type: "string", default: "64" },
      known: { type: "string" },
      data: { type: "boolean", default: false },
      short: { type: "boolean", default: false },
    },
  });
  const limitMiB = Number(values.limit);
  const began = performance.now();
  let [failures, played] = [0, 0];
  for (let index = 0; index < Number(values.seeds); index++) {
    const seed = Number(values.seeds) === 1 ? values.seed : String(Number(values.seed) + index);
    const known = values.known === undefined ? [] : [values.known];
    await using arena = await Arena.open(limitMiB, ...known);
    const profile = values.data ? "data" : "all";
    const plan: Plan = { seed, operations: Number(values.operations), profile, limitMiB };
    const report = await compare(arena, plan, { shorten: values.short });
    process.stdout.write(`${report ?? `seed ${seed}: ${arena.played} operations, all equal`}\n`);
    played += arena.played;
    if (report !== undefined) failures++;
  }
  const seconds = Math.round((performance.now() - began) / 1000);
  process.stdout.write(`${played} operations over ${values.seeds} seeds: ` +
    `${failures} differences, ${seconds} s, ${Math.round(played / seconds)} a second\n`);
  return failures;
}

if (import.meta.main) process.exitCode = (await main()) === 0 ? 0 : 1;
