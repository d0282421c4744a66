/**
 * Placement by numbers: node test/bench/placement.ts [--decisions N] [--view N] [--seed S]
 *   [--only speed,rules,movement,load] [--minutes M]
 * How long a group of 40 takes from a view of N peers; whether any of many decisions under random
 * policies breaks a rule, in M minutes at most; how much moves when a peer comes, goes or changes;
 * how even the load is.
 */
import { parseArgs } from "node:util";
import { seededRandom } from "../../src/base/random.ts";
import { type ErasureClass, erasureClasses } from "../../src/base/records.ts";
import { parsePolicy } from "../../src/placement/language/policy-parse.ts";
import { defaultPolicy } from "../../src/placement/language/policy.ts";
import { evenNetwork, randomNetwork, tryDecisions, tryLoad } from "../support/placement-trials.ts";
import { tryMovement, viewOf } from "../support/placement-trials.ts";

const { values } = parseArgs({
  options: {
    decisions: { type: "string", default: "200000" },
    view: { type: "string", default: "1000000" },
    seed: { type: "string", default: "1" },
    minutes: { type: "string", default: "1440" },
    only: { type: "string", default: "speed,rules,movement,load" },
  },
});
const erasureClass = erasureClasses.find(({ name }) => name === "standard") as ErasureClass;
const tellEveryMs = 60_000;
const random = (what: string) => seededRandom(`${values.seed}/${what}`);

const full = parsePolicy(`policy full {
  require continent in Europe or not region in EU; forbid country in ZA;
  spread max 15% per asn; spread max 15% per prefix; spread at least 3 country;
  prefer rtt(me) <= 30ms weight 3;
}`).policy;

const parts: Readonly<Record<string, () => void>> = { speed, rules, movement, load };
for (const part of values.only.split(",")) parts[part]?.();

function speed(): void {
  const count = Number(values.view);
  const network = randomNetwork(random("speed"), count);
  for (const [name, policy] of [["default", defaultPolicy], ["full", full]] as const) {
    const built = performance.now();
    const view = viewOf(network, policy);
    const seconds = (performance.now() - built) / 1000;
    const made = `${seconds.toFixed(1)} s to make`;
    print(`view of ${view.size} of ${count} peers, ${name} policy: ${made}`);
    // Of this process alone: others may be using the machine.
    const decisions = 20_000;
    for (let at = 0; at < decisions; at++) view.draw({ class: erasureClass, seed: `warm ${at}` });
    const before = process.cpuUsage();
    for (let at = 0; at < decisions; at++) view.draw({ class: erasureClass, seed: `${at}` });
    const took = process.cpuUsage(before);
    const each = ((took.user + took.system) / decisions).toFixed(0);
    print(`  a decision of ${erasureClass.n} seats: ${each} us of processor`);
  }
}

/** Policies with some kinds of clause, then as many with all of them. A violation is a failure. */
function rules(): void {
  for (const [kind, full] of [["some", false], ["all", true]] as const) {
    const began = performance.now();
    const endMs = began + (Number(values.minutes) * 60_000) / 2;
    let tellMs = began + tellEveryMs;
    const onPolicy = (done: number): boolean => {
      if (performance.now() >= tellMs) {
        tellMs += tellEveryMs;
        process.stderr.write(`${done} decisions, ${kind} clauses\n`);
      }
      return performance.now() < endMs;
    };
    const decisions = Number(values.decisions) / 2;
    const trial = { decisions, full, onPolicy, perPolicy: 2500 };
    const { drawn, refused, violated, violations } = tryDecisions(random(`rules ${kind}`), trial);
    const seconds = ((performance.now() - began) / 1000).toFixed(0);
    const memory = `${Math.round(process.memoryUsage.rss() / 2 ** 20)} MiB`;
    print(`decisions under policies of ${kind} clauses: ${drawn} drawn, ${refused} refused, ` +
      `${violated} violations, ${seconds} s, ${memory}`);
    for (const words of violations.slice(0, 3)) print(words);
    if (violated > 0) process.exitCode = 1;
  }
}

function movement(): void {
  const networks = {
    even: evenNetwork(random("even"), 400), uneven: randomNetwork(random("uneven"), 400),
  };
  for (const [name, policy] of [["default", defaultPolicy], ["full", full]] as const) {
    for (const [kind, network] of Object.entries(networks)) {
      const setting = { network, policy, erasureClass, changes: 100, seeds: 200 };
      const { leave, join, resize } = tryMovement(random("movement"), setting);
      const [one, two, three] = [leave, join, resize].map((times) => times.toFixed(3));
      print(`moved over the least, ${name} policy, ${kind} network: ` +
        `leave ${one}, join ${two}, resize ${three}`);
    }
  }
}

function load(): void {
  const setting = { peers: 20_000, erasureClass, fill: 0.6, hours: 48, unitsOfMean: 300 };
  for (const [name, chooser, offerAgeHours] of [
    ["random choice", "random", 0], ["fresh offers", "view", 0], ["hour-old offers", "view", 1],
  ] as const) {
    const began = performance.now();
    const wish = { ...setting, chooser, offerAgeHours };
    const { maxOverMean, decisions } = tryLoad(random("load"), wish);
    const seconds = ((performance.now() - began) / 1000).toFixed(0);
    const cost = `${decisions} decisions, ${seconds} s`;
    print(`load max/mean, ${name}: ${maxOverMean.toFixed(3)} (${cost})`);
  }
}

function print(words: string): void {
  process.stdout.write(`${words}\n`);
}
