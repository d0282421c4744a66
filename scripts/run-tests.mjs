/**
 * Runs test files, several at a time, each as a process of its own that prints TAP, and counts what
 * they print. The tests use node-tap; its runner is passed over, as it loads its hooks into every
 * process that a test starts, each `hive` command and each peer of a swarm.
 */
import { spawn } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { environment, node24, root } from "./prepare.mjs";

/** Beyond its time a file says itself what it waits for; so long after that it is killed. */
const graceSecondsUsual = 20;
/** What is kept of what one file prints; of more, the end. */
const outputCharactersMax = 4_000_000;
/** What a failure is shown with. */
const linesOfFailure = 8;

/** Files whose tests start daemons, swarms and programs: two of these at a time fill a machine. */
const startsMany = (file) => /^test\/(cli|mount|slow)\//.test(file);

/** All test files below a folder of the checkout, or one file, as paths from its root. */
export function listFiles(path, ending) {
  if (path.endsWith(".ts")) return [relative(root, join(root, path))];
  const entries = readdirSync(join(root, path), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && entry.name.endsWith(ending));
  return files.map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name)));
}

/**
 * Runs them all; `told` hears of each as it ends. Two lanes: one has what starts many processes,
 * whose tests mostly wait, the other what keeps a processor busy; who is done helps the other.
 */
export async function runFiles(files, options) {
  const { crowded, alone, told } = options;
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
    ...Array.from({ length: alone }, () => work([lanes[1]])),
  ]);
  return results;
}

/** The patience that a file asks for is the best sign of how long it takes. */
function longestFirst(files) {
  const patienceOf = (file) => {
    const text = readFileSync(join(root, file), "utf8");
    const told = [...text.matchAll(/timeout\b[:=\s]+([\d_]+)/g)];
    return Math.max(0, ...told.map((match) => Number(match[1].replaceAll("_", ""))));
  };
  const patience = new Map(files.map((file) => [file, patienceOf(file)]));
  return [...files].sort((a, b) => patience.get(b) - patience.get(a) || a.localeCompare(b));
}

/** One file: how many of its tests passed and failed, how long it took, and what it printed. */
function runFile(file, { timeoutSeconds, graceSeconds = graceSecondsUsual }) {
  return new Promise((resolve) => {
    const startMs = performance.now();
    const child = spawn(node24(), [join(root, file)], {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...environment(), TAP: "1", TAP_TIMEOUT: String(timeoutSeconds) },
    });
    const printed = { out: "", error: "" };
    const keep = (name) => (text) => {
      printed[name] = (printed[name] + text).slice(-outputCharactersMax);
    };
    child.stdout.setEncoding("utf8").on("data", keep("out"));
    child.stderr.setEncoding("utf8").on("data", keep("error"));
    const end = setTimeout(() => child.kill("SIGKILL"), (timeoutSeconds + graceSeconds) * 1000);
    child.once("close", (code, signal) => {
      clearTimeout(end);
      const seconds = (performance.now() - startMs) / 1000;
      resolve({ file, seconds, printed, ...count(printed.out, code === 0, signal ?? code) });
    });
  });
}

/** Counts the tests that a file names; one that ended ill without saying so is a failure too. */
function count(tap, endedWell, code) {
  const lines = tap.split("\n");
  const tests = lines.filter((line) => /^(not )?ok \d+/.test(line));
  const bad = tests.filter((line) => line.startsWith("not ok")).length;
  const isSilent = bad === 0 && (!endedWell || tests.length === 0);
  const names = isSilent ? [`it ended with ${code} after ${tests.length} tests`] : failures(lines);
  return { passed: tests.length - bad, failed: isSilent ? 1 : bad, names };
}

/** Every failed name at any depth, with the beginning of its diagnosis. */
function failures(lines) {
  return lines.flatMap((line, at) => {
    if (!/^ *not ok \d+/.test(line)) return [];
    const said = lines.slice(at + 1, at + 1 + linesOfFailure).map((next) => next.trim());
    return [[line.trim(), ...said.filter((next) => !/^(---|)$/.test(next))].join(" | ")];
  });
}
