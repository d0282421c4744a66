/**
 * Two thirds of a network die in two waves while the owner sleeps: test/support/flagship.ts tells
 * what is done and how it is judged. Of 60 peers 27 are left, who must fill all seats again, for
 * full redundancy is asked for: so the class is the largest that so few can hold, home of 24.
 *
 *   npm run drill -- flagship [--peers 60] [--seed N] [--mib 300] [--blip SECONDS]
 *
 * What a blip costs is told from a calm as long by all that is received, so a few MiB of files are
 * too little for it: what peers say to each other in any case varies by more on a busy machine.
 */
import { randomInt } from "node:crypto";
import { erasureClasses } from "../../src/base/records.ts";
import { flagship as sail, waves } from "../../test/support/flagship.ts";
import { say } from "./machine.ts";

/** With fewer members nobody gives a seat away. */
const membersMin = 6;
/** Of so many processes on a small machine nobody is taken for dead because it had no turn. */
const manyPeers = 30;
const paces = {
  many: { deadAfterSeconds: 90, auditIntervalSeconds: 60 },
  few: { deadAfterSeconds: 20, auditIntervalSeconds: 20 },
};

export const flagshipOptions = {
  peers: { type: "string", default: "60" },
  seed: { type: "string" },
  mib: { type: "string", default: "300" },
  blip: { type: "string" },
} as const;

type Values = Readonly<Partial<Record<keyof typeof flagshipOptions, string>>>;

export async function flagship(values: Values): Promise<void> {
  const seed = values.seed ?? String(randomInt(1_000_000));
  const peers = Number(values.peers);
  const held = erasureClasses.findLast(({ n }) => n >= membersMin && sparesLeft(peers, n) >= 0);
  if (held === undefined) throw new Error(`${peers} peers are too few to lose two thirds`);
  say(`  seed ${seed}, class ${held.name}: ${held.k} of ${held.n}`);
  const pace = peers >= manyPeers ? paces.many : paces.few;
  await sail({
    ...pace, seed, peers, class: held, mib: Number(values.mib),
    blipSeconds: Number(values.blip ?? pace.deadAfterSeconds / 2), waveSecondsMax: 1800,
    movedFactorMax: 1.5, say,
  });
}

/** Peers beyond a group's members when both waves are over, and all seats are filled again. */
function sparesLeft(peers: number, members: number): number {
  let spares = peers - members;
  for (const _ of waves) {
    // A third of the members and of the others, rounded down: as the drill chooses its victims.
    spares -= Math.floor(members / 3) + Math.floor(Math.max(0, spares) / 3);
  }
  return spares;
}
