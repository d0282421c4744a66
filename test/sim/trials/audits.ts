/**
 * What audits cost a holder, and what they find. Due segments, challenges and answers are the
 * product's own; a day of an owner's schedule is played, and the bytes of real answers counted.
 */
import { dueSegments } from "../../../src/agent/audit.ts";
import { GiB } from "../../../src/base/bytes.ts";
import { type GroupId, type PeerId, type SegmentId } from "../../../src/base/ids.ts";
import { limits } from "../../../src/base/limits.ts";
import { shardIdOf } from "../../../src/crypt/merkle.ts";
import { defaultSettings } from "../../../src/cli/settings.ts";
import { answerChallenge, leavesOf } from "../../../src/proofs/answer.ts";
import { type KeptShard, leafCountOf, makeAudit } from "../../../src/proofs/challenge.ts";
import { makeChallenge } from "../../../src/proofs/challenge.ts";
import type { SegmentState } from "../../../src/transfer/books.ts";
import { dayMs } from "../closed-forms.ts";
import { Dice } from "../dice.ts";
import type { Figure, Outcome, Scale } from "../figure.ts";
import { meanOf } from "../statistics.ts";
import { standard } from "./worlds.ts";

const heldBytes = 500e9;
const budgetBytesPerSecond = 2000;
/** Of a full shard, as most are. */
const shardBytes = Math.max(...limits.segment.shardBytes);
/** What one owner keeps with one holder. */
const ownersBytes = 10 * GiB;
const segments = 200;
/** Between two steps: a few times the seconds that four segments' answers take. */
const stepMs = limits.agent.pauseMsMax;
const trials = 1000;

export async function audits(scale: Scale): Promise<Outcome> {
  scale.tell("audits");
  const dice = new Dice(`${scale.seed}/audits`);
  const shard = dice.bytes(shardBytes);
  const kept: KeptShard = { shard: shardIdOf(shard), shardBytes };
  const bytesOf = async (leaves: number): Promise<number> => {
    const challenge = makeChallenge({ ...kept, count: leaves, random: dice });
    return (await answerChallenge(challenge, "holder" as PeerId, leavesOf(shard))).length;
  };
  const shards = heldBytes / shardBytes;
  const perShard = (await bytesOf(limits.agent.leavesPerShard)) * auditsADay();
  // A leaf of a shard each: answers share nothing.
  const perOwner = (await bytesOf(1)) * limits.proofs.samples;
  const owners = heldBytes / ownersBytes;
  const unit = "bytes a second for 500 GB held";
  const claimed = { is: "at most", value: budgetBytesPerSecond } as const;
  return {
    figures: [{
      name: "audits, every shard as the agent's schedule has it", unit, claimed,
      simulated: (perShard * shards * 1000) / dayMs,
      note: `each segment ${auditsADay()} times a day, ${limits.agent.leavesPerShard} leaves`,
    }, {
      name: `audits, ${limits.proofs.samples} leaves of all that a holder keeps, daily`,
      unit, claimed,
      simulated: (perOwner * owners * 1000) / dayMs,
      note: "proofs/challenge.ts can ask so; the agent does not yet",
    }, ...found(dice, kept)],
    series: [],
  };
}

/** How often a segment is asked for, of an owner who has many. */
function auditsADay(): number {
  const intervalMs = defaultSettings().auditIntervalSeconds * 1000;
  const asked = new Map<string, number>();
  const states = Array.from({ length: segments }, (_, at): SegmentState => ({
    segment: `${at}` as SegmentId, group: "simulated" as GroupId, k: standard.k, n: standard.n,
    shardBytes, rotation: 0, placed: true, holders: [], provenAtMs: 0,
  }));
  let count = 0;
  for (let nowMs = dayMs; nowMs < 3 * dayMs; nowMs += stepMs) {
    for (const { segment } of dueSegments(states, asked, { nowMs, intervalMs })) {
      asked.set(segment, nowMs);
      count += Number(nowMs >= 2 * dayMs);
    }
  }
  return count / segments;
}

/** Of those who dropped a part, how many one audit of all that they keep finds. */
function found(dice: Dice, kept: KeptShard): readonly Figure[] {
  const shards = Array.from({ length: 100 }, () => kept);
  const count = limits.proofs.samples;
  return [0.05, 0.1, 1].map((share): Figure => {
    const hits = Array.from({ length: trials }, () => {
      const challenges = makeAudit({ shards, count, random: dice });
      const asked = challenges.flatMap(({ leaves }) => leaves);
      return Number(asked.some(() => dice.unit() < share));
    });
    const chance = 1 - (1 - share) ** count;
    return {
      name: `a holder that dropped ${100 * share} % is found by one such audit`, unit: "of all",
      claimed: { is: "about", value: chance }, within: 0.03, simulated: meanOf(hits),
      error: Math.sqrt((chance * (1 - chance)) / trials),
      note: `${leafCountOf(kept.shardBytes)} leaves to a shard`,
    };
  });
}
