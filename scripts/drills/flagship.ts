/**
 * Two thirds of a network die in two waves while the owner sleeps: test/support/flagship.ts tells
 * what is done and how it is judged. 24 holders of 60 peers: of the larger classes' 40 and 60 seats,
 * the 27 peers that are left could not fill all again, and full redundancy is asked for.
 *
 *   npm run drill -- flagship [--peers 60] [--seed N] [--mib 300]
 */
import { randomInt } from "node:crypto";
import { flagship as sail } from "../../test/support/flagship.ts";
import { say } from "./machine.ts";

/** Of 60 processes on a small machine: nobody is taken for dead because it had no turn. */
const pace = { deadAfterSeconds: 90, auditIntervalSeconds: 60 };
const classHome = { name: "home", k: 8, n: 24 };

export const flagshipOptions = {
  peers: { type: "string", default: "60" },
  seed: { type: "string" },
  mib: { type: "string", default: "300" },
} as const;

type Values = Readonly<Partial<Record<keyof typeof flagshipOptions, string>>>;

export async function flagship(values: Values): Promise<void> {
  const seed = values.seed ?? String(randomInt(1_000_000));
  say(`  seed ${seed}`);
  await sail({
    ...pace, seed, peers: Number(values.peers), class: classHome, mib: Number(values.mib),
    blipSeconds: 45, waveSecondsMax: 1800, say,
  });
}
