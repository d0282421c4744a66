/** Races: who has the shard answers right, and nobody who lacks a tenth of it, or is another. */
import { readFileSync } from "node:fs";
import { test } from "tap";
import { type PeerId, parsePeerId, parseShardId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { seededRandom } from "../../src/base/random.ts";
import { shardIdOf } from "../../src/crypt/blocks/merkle.ts";
import { answerChallenge, leavesOf } from "../../src/proofs/answer.ts";
import { isRace, isRaceAnswer, makeRace, runRace } from "../../src/proofs/race.ts";
import { outcomeOf } from "../support/faults.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/proofs.race.test.ts`;
const random = seededRandom(`${seed}/races`);
const [holder, other] = ["holder", "other"] as PeerId[] as [PeerId, PeerId];
const { leafBytes } = limits.segment;

test("the same race of the same shard ends in the same place, for one holder alone", (t) => {
  for (const shardBytes of limits.segment.shardBytes) {
    const shard = random.bytes(shardBytes);
    const race = makeRace({ shard: shardIdOf(shard) }, random);
    const answer = runRace(race, holder, shard);
    t.ok(isRace(race) && isRaceAnswer(race, answer));
    t.ok(answer.equals(runRace(race, holder, Buffer.from(shard))), replay);
    t.notOk(answer.equals(runRace(race, other, shard)), "another holder's");
    const again = makeRace({ shard: race.shard }, random);
    t.notOk(isRaceAnswer(again, answer), "another race's");
    t.notOk(answer.equals(runRace(again, holder, shard)));
  }
  t.end();
});

test("a shard of which a tenth is gone loses every race", (t) => {
  const shard = random.bytes(Math.max(...limits.segment.shardBytes));
  const gone = Buffer.from(shard);
  for (let at = 0; at < gone.length; at += 10 * leafBytes) gone.fill(0, at, at + leafBytes);
  for (let at = 0; at < 5; at++) {
    const race = makeRace({ shard: shardIdOf(shard) }, random);
    if (runRace(race, holder, shard).equals(runRace(race, holder, gone))) t.fail(replay);
  }
  t.pass("five of them");
  t.end();
});

test("who knows no races answers the plain question, and that is no race", async (t) => {
  const shard = random.bytes(limits.segment.shardBytes[0]);
  const race = makeRace({ shard: shardIdOf(shard) }, random);
  const { hops: _, ...plain } = race;
  t.notOk(isRaceAnswer(race, await answerChallenge(plain, holder, leavesOf(shard))));
  t.notOk(isRaceAnswer(race, new Uint8Array(0)));
  t.end();
});

test("no race is longer than it may be", (t) => {
  const shard = random.bytes(limits.segment.shardBytes[0]);
  const race = makeRace({ shard: shardIdOf(shard) }, random);
  for (const hops of [0, -1, 0.5, limits.proofs.raceHops + 1, Infinity]) {
    t.equal(outcomeOf(() => runRace({ ...race, hops }, holder, shard)), "Invalid", String(hops));
  }
  t.end();
});

test("races are the frozen bytes", (t) => {
  const file = new URL("../vectors/proofs.json", import.meta.url);
  const { races } = JSON.parse(readFileSync(file, "utf8")) as { readonly races: readonly Vector[] };
  for (const { fill, shardBytes, shard: id, holder: peer, nonce, hops, answer } of races) {
    const shard = Buffer.alloc(shardBytes, fill);
    for (let at = 0; at < shard.length; at += leafBytes) shard.writeUInt32LE(at, at);
    t.equal(shardIdOf(shard), id);
    const race = { shard: parseShardId(id), nonce: Buffer.from(nonce, "hex"), leaves: [0], hops };
    t.equal(runRace(race, parsePeerId(peer), shard).toString("hex"), answer);
  }
  t.ok(races.length > 0);
  t.end();
});

interface Vector {
  readonly fill: number;
  readonly shardBytes: number;
  readonly shard: string;
  readonly holder: string;
  readonly nonce: string;
  readonly hops: number;
  readonly answer: string;
}
