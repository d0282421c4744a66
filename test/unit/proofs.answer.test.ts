/** Challenges, answers and verdicts: an honest holder is right, and everything else is wrong. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "tap";
import { parsePeerId, parseShardId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import type { Challenge } from "../../src/base/network.ts";
import { seededRandom } from "../../src/base/random.ts";
import { shardIdOf } from "../../src/crypt/blocks/merkle.ts";
import { peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { answerBytesMax, answerChallenge, leavesOf } from "../../src/proofs/answer.ts";
import { verifyAnswer } from "../../src/proofs/answer.ts";
import { challengeFor, checkChallenge, leafCountOf, makeAudit } from "../../src/proofs/challenge.ts";
import { makeChallenge } from "../../src/proofs/challenge.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/proofs.answer.test.ts`;
const random = seededRandom(`${seed}/proofs`);
const holder = peerKeysOf(random.bytes(32)).peer;
const other = peerKeysOf(random.bytes(32)).peer;

interface Vector {
  readonly comment: string;
  readonly fill: number;
  readonly shardBytes: number;
  readonly shard: string;
  readonly holder: string;
  readonly nonce: string;
  readonly leaves: readonly number[];
  readonly answer: { readonly bytes: number; readonly sha256: string; readonly head: string };
}

const vectors = JSON.parse(
  readFileSync(new URL("../vectors/proofs.json", import.meta.url), "utf8"),
) as { readonly answers: readonly Vector[] };

test("an honest holder of a shard of any size is right", async (t) => {
  for (const shardBytes of limits.segment.shardBytes) {
    const shard = bytesOf(shardBytes);
    const shardId = shardIdOf(shard);
    const count = limits.proofs.samples;
    const challenge = makeChallenge({ shard: shardId, shardBytes, count, random });
    t.equal(challenge.leaves.length, Math.min(count, leafCountOf(shardBytes)));
    checkChallenge(challenge, shardBytes);
    const answer = await answerChallenge(challenge, holder, leavesOf(shard));
    t.ok(answer.length <= answerBytesMax(challenge.leaves.length));
    t.ok(answer.length <= limits.peers.payloadBytesMax);
    t.equal(verifyAnswer(challenge, { holder, shardBytes }, answer), "right", replay);
  }
});

test("the largest answer fits one payload", (t) => {
  t.ok(answerBytesMax(limits.proofs.leavesMax) <= limits.peers.payloadBytesMax);
  t.end();
});

test("an answer serves no other question, holder or shard", async (t) => {
  const { shard, shardBytes, challenge, answer } = await asked();
  t.equal(verifyAnswer(challenge, { holder: other, shardBytes }, answer), "wrong");
  const again = makeChallenge({ shard: challenge.shard, shardBytes, count: 4, random });
  t.equal(verifyAnswer(again, { holder, shardBytes }, answer), "wrong");
  const fresh: Challenge = { ...challenge, nonce: random.bytes(limits.proofs.nonceBytes) };
  t.equal(verifyAnswer(fresh, { holder, shardBytes }, answer), "wrong");
  const elsewhere: Challenge = { ...challenge, shard: shardIdOf(bytesOf(shardBytes)) };
  t.equal(verifyAnswer(elsewhere, { holder, shardBytes }, answer), "wrong");
  const larger = limits.segment.shardBytes[1];
  t.equal(verifyAnswer(challenge, { holder, shardBytes: larger }, answer), "wrong");
  t.equal(shard.length, shardBytes);
});

test("every flipped bit, cut and addition makes an answer wrong", async (t) => {
  const { shardBytes, challenge, answer } = await asked();
  const expected = { holder, shardBytes };
  let right = 0;
  for (let turn = 0; turn < 400; turn++) {
    const bad = Buffer.from(answer);
    const at = random.below(bad.length);
    bad[at] = (bad[at] as number) ^ (1 << random.below(8));
    if (verifyAnswer(challenge, expected, bad) === "right") right++;
    if (verifyAnswer(challenge, expected, answer.subarray(0, at)) === "right") right++;
  }
  t.equal(right, 0, replay);
  const longer = Buffer.concat([answer, Buffer.alloc(1)]);
  t.equal(verifyAnswer(challenge, expected, longer), "wrong");
  const huge = Buffer.alloc(answerBytesMax(challenge.leaves.length) + 1);
  t.equal(verifyAnswer(challenge, expected, huge), "wrong");
  t.equal(verifyAnswer(challenge, expected, new Uint8Array()), "wrong");
  t.equal(verifyAnswer(challenge, expected, answer), "right");
});

test("random bytes as an answer are wrong, and never throw", (t) => {
  const shard = bytesOf(limits.segment.shardBytes[0]);
  const shardBytes = shard.length;
  const challenge = makeChallenge({ shard: shardIdOf(shard), shardBytes, count: 3, random });
  let right = 0;
  for (let turn = 0; turn < 300; turn++) {
    const noise = random.bytes(random.below(600));
    // Half of them begin as an answer should.
    const begin = turn % 2 === 0 ? [Buffer.of(1), challenge.nonce] : [];
    const answer = Buffer.concat([...begin, noise]);
    if (verifyAnswer(challenge, { holder, shardBytes }, answer) === "right") right++;
  }
  t.equal(right, 0, replay);
  t.end();
});

test("a holder that lacks a tenth is found out as often as promised", (t) => {
  const shardBytes = limits.segment.shardBytes[0];
  const shards = Array.from({ length: 40 }, (_, at) => ({
    shard: parseShardId(at.toString(16).padStart(64, "0")), shardBytes,
  }));
  const lost = new Set(shards.slice(0, 4).map(({ shard }) => shard));
  const rounds = 1000;
  let seen = 0;
  for (let round = 0; round < rounds; round++) {
    const audit = makeAudit({ shards, count: limits.proofs.samples, random });
    if (audit.some(({ kept }) => lost.has(kept.shard))) seen++;
  }
  // p = 0.992; five standard deviations below that is 0.978.
  t.ok(seen / rounds > 0.978, `${seen} of ${rounds}, ${replay}`);
  t.end();
});

test("an audit asks as many leaves as it should, each of a shard that exists, none twice", (t) => {
  for (let turn = 0; turn < 50; turn++) {
    const shards = Array.from({ length: 1 + random.below(20) }, (_, at) => ({
      shard: parseShardId(at.toString(16).padStart(64, "0")),
      shardBytes: limits.segment.shardBytes[random.below(3)] as number,
    }));
    const audit = makeAudit({ shards, count: limits.proofs.samples, random });
    let asked = 0;
    t.equal(new Set(audit.map(({ kept }) => kept)).size, audit.length, replay);
    for (const { kept, leaves } of audit) {
      checkChallenge(challengeFor(kept.shard, leaves, random), kept.shardBytes);
      asked += leaves.length;
    }
    const total = shards.reduce((sum, { shardBytes }) => sum + leafCountOf(shardBytes), 0);
    t.equal(asked, Math.min(limits.proofs.samples, total), replay);
  }
  t.strictSame(makeAudit({ shards: [], count: 46, random }), []);
  t.end();
});

test("answers are the frozen bytes", async (t) => {
  for (const vector of vectors.answers) {
    const shard = Buffer.alloc(vector.shardBytes, vector.fill);
    for (let at = 0; at < shard.length; at += 4096) shard.writeUInt32LE(at, at);
    t.equal(shardIdOf(shard), vector.shard);
    const challenge = {
      shard: parseShardId(vector.shard), nonce: Buffer.from(vector.nonce, "hex"),
      leaves: vector.leaves,
    };
    const peer = parsePeerId(vector.holder);
    const answer = await answerChallenge(challenge, peer, leavesOf(shard));
    t.equal(answer.length, vector.answer.bytes);
    t.equal(answer.subarray(0, 80).toString("hex"), vector.answer.head);
    t.equal(createHash("sha256").update(answer).digest("hex"), vector.answer.sha256);
  }
});

async function asked() {
  const shard = bytesOf(limits.segment.shardBytes[0]);
  const shardBytes = shard.length;
  const challenge = makeChallenge({ shard: shardIdOf(shard), shardBytes, count: 4, random });
  const answer = await answerChallenge(challenge, holder, leavesOf(shard));
  return { shard, shardBytes, challenge, answer };
}

/** Cheap and different each time: a random page in front of each leaf's number. */
function bytesOf(length: number): Buffer {
  const shard = Buffer.alloc(length, random.bytes(61));
  for (let at = 0; at < length; at += 4096) shard.writeUInt32LE(at, at);
  return shard;
}
