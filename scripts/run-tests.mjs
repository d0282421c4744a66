/**
 * Runs test files, several at a time, each as a process of its own that prints TAP, and counts what
 * they print. The tests use node-tap; its runner is passed over, as it loads its hooks into every
 * process that a test starts, each `hive` command and each peer of a swarm.
 */
import { spawn } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { availableParallelism, setPriority } from "node:os";
import { join, relative } from "node:path";
import { environment, node24, root } from "./prepare.mjs";

/** Beyond its time a file says itself what it waits for; so long after that it is killed. */
const graceSecondsUsual = 20;
/** What is kept of what one file prints; of more, the end. */
const outputCharactersMax = 4_000_000;
/** What a failure is shown with. */
const linesOfFailure = 8;

/** Files whose tests start daemons, swarms and programs, and wait for them. */
const startsMany = (file) => /^test\/(cli|mount|slow)\//.test(file);
/** Two of those leave half of a small machine idle: the rest goes to the others, behind them. */
const usualLanes = { crowded: 2, alone: Math.max(1, availableParallelism() - 1) };
const aloneNiceness = 5;

/** What takes longest, first: whoever begins with the short ones waits for these at the end. */
export const longest = [
  ...["drive", "mount", "home", "policy", "peers", "repair", "crash", "sharing", "swarm"]
    .map((name) => `test/cli/${name}.test.ts`),
  ...["tree", "never-hang", "kernel"].map((name) => `test/mount/${name}.test.ts`),
  ...[
    "peers.lookups", "places.evidence", "sim.view", "transfer.reclaim", "agent.drift-crash",
    "guard.model", "dag.pages", "tree.model", "cache.journal", "cache.crash", "cheats",
    "cache.books", "agent.repair", "agent.devices", "hive.ipfs",
  ].map((name) => `test/unit/${name}.test.ts`),
];

/** All test files below a folder of the checkout, or one file, as paths from its root. */
export function listFiles(path, ending) {
  if (path.endsWith(".ts")) return [relative(root, join(root, path))];
  const entries = readdirSync(join(root, path), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && entry.name.endsWith(ending));
  return files.map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name)));
}

/**
 * Runs them all; `told` hears of each as it ends. There are two lanes, what starts many processes
 * and what keeps one busy, so that never all at once do the same; who is done helps the other.
 */
export async function runFiles(files, options) {
  const { crowded, alone, told } = { ...usualLanes, ...options };
  const sorted = longestFirst(files);
  const lanes = [sorted.filter(startsMany), sorted.filter((file) => !startsMany(file))];
  const results = [];
  const work = async (order) => {
    for (;;) {
      const file = order.find((lane) => lane.length > 0)?.shift();
      if (file === undefined) return;
      const result = await runFile(file, options);
      results.push(result);
      told(result);
    }
  };
  await Promise.all([
    ...Array.from({ length: crowded }, () => work(lanes)),
    ...Array.from({ length: alone }, () => work(lanes.toReversed())),
  ]);
  return results;
}

/** The slow ones, those that take longest, and then all others as they stand in their folders. */
function longestFirst(files) {
  const rankOf = (file) => {
    if (file.endsWith(".slow.ts")) return -1;
    const at = longest.indexOf(file);
    return at < 0 ? longest.length : at;
  };
  return [...files].sort((a, b) => rankOf(a) - rankOf(b) || a.localeCompare(b));
}

/**
 * One file: how many of its tests passed and failed, how long it took, how long it was silent
 * before it ended, and what it printed.
 */
function runFile(file, { secondsOf, graceSeconds = graceSecondsUsual }) {
  const timeoutSeconds = secondsOf(file);
  return new Promise((resolve) => {
    const startMs = performance.now();
    const child = spawn(node24(), [join(root, file)], {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...environment(), TAP: "1", TAP_TIMEOUT: String(timeoutSeconds) },
    });
    if (!startsMany(file)) giveWay(child.pid);
    const printed = { out: "", error: "" };
    let lastMs = startMs;
    const keep = (name) => (text) => {
      printed[name] = (printed[name] + text).slice(-outputCharactersMax);
      lastMs = performance.now();
    };
    child.stdout.setEncoding("utf8").on("data", keep("out"));
    child.stderr.setEncoding("utf8").on("data", keep("error"));
    const end = setTimeout(() => child.kill("SIGKILL"), (timeoutSeconds + graceSeconds) * 1000);
    child.once("close", (code, signal) => {
      clearTimeout(end);
      const [seconds, silence] = [startMs, lastMs].map((ms) => (performance.now() - ms) / 1000);
      const counted = count(printed.out, code === 0, signal ?? code);
      resolve({ file, seconds, silence, printed, ...counted });
    });
  });
}

function giveWay(pid) {
  try {
    setPriority(pid, aloneNiceness);
  } catch {
    // It has ended already, or this is a system without niceness.
  }
}

/**
 * Counts the tests that a file names; one that ended ill without saying so is a failure too, and
 * what was skipped is neither that nor passed.
 */
function count(tap, endedWell, code) {
  const lines = tap.split("\n");
  const tests = lines.filter((line) => /^(not )?ok \d+/.test(line));
  const bad = tests.filter((line) => line.startsWith("not ok")).length;
  const skipped = tests.filter(isSkipped);
  const isWhole = tests.length > 0 && lines.includes(`1..${tests.length}`);
  const isSilent = bad === 0 && !(endedWell && isWhole);
  const names = isSilent ? [`it ended with ${code} after ${tests.length} tests`] : failures(lines);
  const passed = tests.length - bad - skipped.length;
  return { passed, failed: isSilent ? 1 : bad, names, skipped };
}

function isSkipped(line) {
  return /^ok \d+.* # SKIP/i.test(line);
}

/** Every failed name at any depth, with the beginning of its diagnosis. */
function failures(lines) {
  return lines.flatMap((line, at) => {
    if (!/^ *not ok \d+/.test(line)) return [];
    const said = lines.slice(at + 1, at + 1 + linesOfFailure).map((next) => next.trim());
    return [[line.trim(), ...said.filter((next) => !/^(---|)$/.test(next))].join(" | ")];
  });
}
