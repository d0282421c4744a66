/**
 * Whether the link to the internet is metered, as NetworkManager knows it: asked over D-Bus by the
 * programs that come with most Linux systems. Where none of them answers it is unknown, and nothing
 * follows from that. A step that looks now and then, and only if the user cares.
 */
import { execFile } from "node:child_process";
import type { Clock } from "../base/clock.ts";
import { limits } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { Step } from "../base/step.ts";
import type { Metered } from "../base/traffic.ts";
import type { Traffic } from "./traffic.ts";

interface Program {
  readonly name: string;
  readonly words: readonly string[];
  readonly parse: (answer: string) => Metered;
}

const manager = "org.freedesktop.NetworkManager";

/** In the order in which they are asked: the first one that can answer is believed. */
const programs: readonly Program[] = [
  {
    name: "busctl",
    words: [
      "--system", "get-property", manager, "/org/freedesktop/NetworkManager", manager, "Metered",
    ],
    parse: parseProperty,
  },
  { name: "nmcli", words: ["-t", "-f", "METERED", "general"], parse: parseWords },
];

/** NMMetered: 1 yes, 2 no, 3 and 4 the same as a guess; a telephone's hotspot is a guess. */
export function parseProperty(answer: string): Metered {
  const value = /^u (\d)\s*$/.exec(answer)?.[1];
  if (value === "1" || value === "3") return "yes";
  return value === "2" || value === "4" ? "no" : "unknown";
}

/** `yes`, `no (guessed)`, `unknown`. */
export function parseWords(answer: string): Metered {
  const word = /^\w+/.exec(answer)?.[0];
  return word === "yes" || word === "no" ? word : "unknown";
}

export class LinkStep implements Step {
  readonly name = "link";
  readonly #needs: { readonly clock: Clock; readonly log: Log; readonly traffic: Traffic };
  #nextMs = -Infinity;

  constructor(needs: { readonly clock: Clock; readonly log: Log; readonly traffic: Traffic }) {
    this.#needs = needs;
  }

  async step(signal: AbortSignal): Promise<"idle"> {
    const { clock, traffic, log } = this.#needs;
    if (traffic.metered === "ignore" || clock.monotonicMs() < this.#nextMs) return "idle";
    const { answer, isToldByAny } = await askAll(signal);
    const { meteredLookMs, meteredRestMs } = limits.traffic;
    this.#nextMs = clock.monotonicMs() + (isToldByAny ? meteredLookMs : meteredRestMs);
    if (answer !== traffic.status().metered) log.info("link.metered", { metered: answer });
    traffic.linkIs(answer);
    return "idle";
  }
}

async function askAll(
  signal: AbortSignal,
): Promise<{ readonly answer: Metered; readonly isToldByAny: boolean }> {
  let isToldByAny = false;
  for (const { name, words, parse } of programs) {
    const said = await ask(name, words, signal);
    if (said === undefined) continue;
    isToldByAny = true;
    const answer = parse(said);
    if (answer !== "unknown") return { answer, isToldByAny };
  }
  return { answer: "unknown", isToldByAny };
}

/** What a program prints; undefined when it is not here, fails, or takes too long. */
function ask(
  name: string, words: readonly string[], signal: AbortSignal,
): Promise<string | undefined> {
  const { meteredAnswerMsMax: timeout, meteredAnswerBytesMax: maxBuffer } = limits.traffic;
  return new Promise((resolve) => {
    execFile(name, words, { timeout, maxBuffer, signal }, (error, answer) => {
      resolve(error === null ? answer : undefined);
    });
  });
}
