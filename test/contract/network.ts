/**
 * What every PeerNetwork and ShardHost pair must do, whatever carries the bytes: the real libp2p
 * node runs it, and so may the simulator.
 */
import type { Test } from "tap";
import type { PeerId } from "../../src/base/ids.ts";
import type { PeerNetwork } from "../../src/base/network.ts";
import { signHead, signRelease } from "../../src/crypt/records/records.ts";
import { verifyAnswer } from "../../src/proofs/answer.ts";
import { makeChallenge } from "../../src/proofs/challenge.ts";
import { faultOf } from "../support/faults.ts";
import type { TestDrive } from "../support/peer-nodes.ts";

export interface NetworkUnderTest {
  /** Acts for the drive. */
  readonly owner: PeerNetwork;
  /** Acts for nobody. */
  readonly stranger: PeerNetwork;
  readonly holder: PeerId;
  readonly drive: TestDrive;
}

export async function networkContract(t: Test, net: NetworkUnderTest): Promise<void> {
  const { owner, stranger, holder, drive } = net;
  const manifest = drive.manifest([holder]);
  const { record, shards } = drive.segment({ shardBytes: 1052672 });
  const shard = shards[1] as Buffer;
  const id = record.roots[1]!;

  const receipt = await owner.store(holder, { record, manifest, index: 1 }, shard);
  t.equal(receipt.shard, id, "a stored shard comes with its receipt");
  t.equal(receipt.holder, holder);
  const wrong = owner.store(holder, { record, manifest, index: 0 }, shard);
  t.equal(await faultOf(wrong), "Invalid", "a shard must hash to what the record says");
  const foreign = stranger.store(holder, { record, manifest, index: 1 }, shard);
  t.equal(await faultOf(foreign), "Denied", "a stranger may not store");

  const whole = await owner.read(holder, id, { offsetBytes: 0, lengthBytes: shard.length });
  t.ok(shard.equals(whole), "the whole shard comes back");
  let begun = 0;
  const part = await owner.read(holder, id, { offsetBytes: 4000, lengthBytes: 5000 }, {
    begun: () => begun++,
  });
  t.equal(begun, 1, "the asker hears when the holder's time begins");
  t.ok(shard.subarray(4000, 9000).equals(part), "and so does a part");
  const denied = stranger.read(holder, id, { offsetBytes: 0, lengthBytes: 1 });
  t.equal(await faultOf(denied), "Denied", "bytes are served to those who may have them");
  const absent = owner.read(holder, record.roots[0]!, { offsetBytes: 0, lengthBytes: 1 });
  t.equal(await faultOf(absent), "NotFound");

  const shardBytes = record.shardBytes;
  const challenge = makeChallenge({ shard: id, shardBytes, count: 3, random: drive.random });
  const answer = await owner.prove(holder, challenge);
  t.equal(verifyAnswer(challenge, { holder, shardBytes }, answer), "right", "a proof is right");

  const sealed = drive.random.bytes(100);
  const head = signHead(drive.keys, {
    peer: owner.self, sequence: 7, publishedAtMs: record.createdAtMs, sealed,
  });
  await owner.putRecord(holder, head);
  t.equal(await faultOf(owner.putRecord(holder, head)), "Stale", "an old head is refused");
  const found = await owner.records(holder, drive.keys.owner);
  t.equal(found.head?.sequence, 7);
  t.strictSame(found.manifests.map((one) => one.group), [manifest.group]);
  const records = await owner.segments(holder, drive.keys.owner, undefined);
  t.strictSame(records.map((one) => one.segment), [record.segment]);
  t.strictSame(await owner.segments(holder, drive.keys.owner, record.segment), []);

  const release = signRelease(drive.keys, {
    segment: record.segment, releasedAtMs: record.createdAtMs,
  });
  await owner.release(holder, release.bytes);
  const gone = owner.read(holder, id, { offsetBytes: 0, lengthBytes: 1 });
  t.equal(await faultOf(gone), "NotFound", "a released segment is forgotten");
}
