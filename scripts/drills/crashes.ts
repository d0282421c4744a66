/**
 * SIGKILL of the daemon, again and again: twenty times in the middle of a copy, then at random
 * moments under four workloads, then with the local store's unflushed bytes torn as well.
 *
 *   npm run drill -- crashes [--seed N] [--copies 20] [--rounds 300] [--torn 40] [--only ROUND]
 *
 * `--only` plays one round, or one torn round as `torn-7`, on a drive of its own.
 */
import { randomInt } from "node:crypto";
import { join } from "node:path";
import { seededRandom } from "../../src/base/random.ts";
import { root } from "../../test/support/cli.ts";
import { crashRound } from "../../test/support/cli-crash.ts";
import { CrashSeries, type RoundOptions } from "../../test/support/crash/rounds.ts";
import { type RoundReport } from "../../test/support/crash/rounds.ts";
import { noTail } from "../../test/support/crash/torn.ts";
import { begin, beginSmall, must, say, seconds } from "./machine.ts";

/** Three households are enough for the class mirror, with one to spare. */
const peers = 4;
/** So small that the cache is full after a while, and blocks leave and come back. */
const cacheLimit = "192M";
/** How many of the newest flushes a lying disk has swallowed, at least where it has one. */
const tearFlushesMax = 8;
const roundsPerLook = 10;

export const crashOptions = {
  seed: { type: "string" },
  copies: { type: "string", default: "20" },
  rounds: { type: "string", default: "300" },
  torn: { type: "string", default: "40" },
  only: { type: "string" },
} as const;

type Values = Readonly<Partial<Record<keyof typeof crashOptions, string>>>;

export async function crashes(values: Values): Promise<void> {
  const seed = Number(values.seed ?? process.env["SEED"] ?? randomInt(1_000_000));
  say(`  SEED=${seed}`);
  const { only } = values;
  if (only !== undefined) {
    const kind = only.startsWith("torn-") ? "torn" : "plain";
    const number = Number(only.replace("torn-", ""));
    return series({ kind, seed, first: number, last: number });
  }
  await copies(seed, Number(values.copies));
  await series({ kind: "plain", seed, first: 1, last: Number(values.rounds) });
  await series({ kind: "torn", seed, first: 1, last: Number(values.torn) });
}

/** In the middle of a copy; fsynced files are intact after. */
async function copies(seed: number, rounds: number): Promise<void> {
  if (rounds === 0) return;
  await using machine = await begin("crashes");
  const kept = new Map<string, Buffer>();
  const copied = join(root, "node_modules");
  for (let round = 1; round <= rounds; round++) {
    const options = { seed, round, kept, copied, killMs: { min: 200, max: 5000 } };
    const { killedAfterMs, freedAfterMs, damaged } = await crashRound(machine, options);
    if (damaged.length > 0) throw new Error(`round ${round}: lost ${damaged.join(" ")}`);
    const times = `killed after ${killedAfterMs} ms, programs free after ${freedAfterMs} ms`;
    say(`  round ${round}: ${times}, ${kept.size} fsynced files intact`);
  }
}

interface Series {
  readonly kind: "plain" | "torn";
  readonly seed: number;
  readonly first: number;
  readonly last: number;
}

async function series({ kind, seed, first, last }: Series): Promise<void> {
  if (last < first) return;
  await using machine = await beginSmall("crash-rounds", peers);
  await must(machine, ["mount", machine.mount]);
  await must(machine, ["cache", "--limit", cacheLimit]);
  const rounds = new CrashSeries(machine);
  const reports: RoundReport[] = [];
  const start = performance.now();
  for (let round = first; round <= last; round++) {
    const options = draw(kind, seed, round);
    const everything = options.everything || round === last;
    const report = await rounds.round({ ...options, everything });
    reports.push(report);
    sayRound(kind, round, report);
    if (report.wrong.length > 0) {
      const only = kind === "torn" ? `torn-${round}` : `${round}`;
      const replay = `npm run drill -- crashes --seed ${seed} --only ${only}`;
      throw new Error(`round ${options.seed}:\n${report.wrong.join("\n")}\nreplay: ${replay}`);
    }
    if (round % roundsPerLook === 0 || round === last) sum(kind, reports, start);
  }
}

/** What a round does follows from its seed alone. */
function draw(kind: Series["kind"], seed: number, round: number): RoundOptions {
  const random = seededRandom(`${kind}/${seed}/${round}`);
  // One workload after the other; every fifth round has all of them at once.
  const turn = (round - 1) % 5;
  const options = {
    seed: `${kind}/${seed}/${round}`,
    chosen: turn === 4 ? [0, 1, 2, 3] : [turn],
    // Most kills fall before the first commit of what the round wrote, the others around it.
    killMsMax: random.below(3) > 0 ? 2500 : 7500,
    warm: random.below(4) > 0,
    flush: random.below(3) === 0,
    twice: random.below(6) === 0,
    everything: round % roundsPerLook === 0,
  };
  if (kind === "plain") return options;
  const lied = random.below(4) > 0;
  return { ...options, twice: false, tearFlushes: lied ? tearFlushesMax : 0 };
}

function sayRound(kind: Series["kind"], round: number, report: RoundReport): void {
  const { names, killedAfterMs, freedAfterMs, mountMs, acknowledged, torn, told } = report;
  const times = `killed ${killedAfterMs} ms, free ${freedAfterMs} ms, mounted ${mountMs} ms`;
  const damage = [torn, told.join(" ")].map((words) => (words === "" ? "" : `; ${words}`)).join("");
  say(`  ${kind} ${round} ${names}: ${times}, ${acknowledged} acknowledged${damage}`);
}

function sum(kind: Series["kind"], reports: readonly RoundReport[], start: number): void {
  const worst = (of: (report: RoundReport) => number): number => Math.max(...reports.map(of));
  const total = reports.reduce((before, report) => before + report.acknowledged, 0);
  const mounts = reports.map((report) => report.mountMs).sort((one, other) => one - other);
  const parts = [
    `${reports.length} ${kind} rounds in ${seconds(start)}`,
    `${total} acknowledged things are there`,
    `mounted within ${worst((report) => report.mountMs)} ms`,
    `half of them within ${mounts[Math.floor(mounts.length / 2)]} ms`,
    `programs free within ${worst((report) => report.freedAfterMs)} ms`,
  ];
  if (kind === "torn") {
    const told = reports.filter((report) => report.told.length > 0).length;
    const torn = reports.filter((report) => report.torn !== noTail).length;
    parts.push(`${torn} tails torn, ${told} times told`);
  }
  say(`  ${parts.join("; ")}`);
}
