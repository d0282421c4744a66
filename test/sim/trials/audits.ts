/**
 * What audits cost a holder, and what they find. Paces, challenges and answers are the product's
 * own, and the bytes of a real answer are counted.
 */
import { type Pace, paceOf } from "../../../src/agent/audits/sample-pace.ts";
import { GiB } from "../../../src/base/bytes.ts";
import type { PeerId } from "../../../src/base/ids.ts";
import { limits } from "../../../src/base/limits.ts";
import { defaultSettings } from "../../../src/cli/home/settings.ts";
import { shardIdOf } from "../../../src/crypt/blocks/merkle.ts";
import { answerChallenge, leavesOf } from "../../../src/proofs/answer.ts";
import { type KeptShard, leafCountOf, makeAudit } from "../../../src/proofs/challenge.ts";
import { makeChallenge } from "../../../src/proofs/challenge.ts";
import { Dice } from "../dice.ts";
import type { Figure, Outcome, Scale } from "../figure.ts";
import { hourMs } from "../lives.ts";
import { meanOf } from "../statistics.ts";

const heldBytes = 500e9;
const budgetBytesPerSecond = 2000;
/** Of a full shard, as most are. */
const shardBytes = Math.max(...limits.segment.shardBytes);
/** What one owner keeps with one holder. */
const ownersBytes = 10 * GiB;
const trials = 1000;

export async function audits(scale: Scale): Promise<Outcome> {
  scale.tell("audits");
  const dice = new Dice(`${scale.seed}/audits`);
  const shard = dice.bytes(shardBytes);
  const kept: KeptShard = { shard: shardIdOf(shard), shardBytes };
  const challenge = makeChallenge({ ...kept, count: 1, random: dice });
  // A leaf of a shard each: answers share nothing.
  const answer = await answerChallenge(challenge, "holder" as PeerId, leavesOf(shard));
  const intervalMs = defaultSettings().auditIntervalSeconds * 1000;
  const load = { shards: ownersBytes / shardBytes, bytes: ownersBytes };
  const { leaves, everyMs } = paceOf(load, { keptBytes: heldBytes, intervalMs }) as Pace;
  const perSecond = (answer.length * leaves * 1000) / everyMs;
  const sampleMs = (everyMs * limits.proofs.samples) / leaves;
  return {
    figures: [{
      name: "audits of who keeps 500 GB, for owners of 10 GiB each", unit: "bytes a second",
      claimed: { is: "at most", value: budgetBytesPerSecond },
      simulated: (perSecond * heldBytes) / ownersBytes,
      note: `${leaves} leaves of all that it keeps of a drive at a time`,
    }, {
      name: `until each owner has asked it for ${limits.proofs.samples} leaves`, unit: "hours",
      claimed: { is: "at most", value: 24 }, simulated: sampleMs / hourMs,
    }, ...found(dice, kept)],
    series: [],
  };
}

/** Of those who dropped a part, how many one audit of all that they keep finds. */
function found(dice: Dice, kept: KeptShard): readonly Figure[] {
  const shards = Array.from({ length: 100 }, () => kept);
  const count = limits.proofs.samples;
  return [0.05, 0.1, 1].map((share): Figure => {
    const finds = Array.from({ length: trials }, () => {
      const hits = makeAudit({ shards, count, random: dice });
      const asked = hits.flatMap(({ leaves }) => leaves);
      return Number(asked.some(() => dice.unit() < share));
    });
    const chance = 1 - (1 - share) ** count;
    return {
      name: `a holder that dropped ${100 * share} % is found by one such audit`, unit: "of all",
      claimed: { is: "about", value: chance }, within: 0.03, simulated: meanOf(finds),
      error: Math.sqrt((chance * (1 - chance)) / trials),
      note: `${leafCountOf(kept.shardBytes)} leaves to a shard`,
    };
  });
}
