/**
 * A holder's answer, and what an auditor thinks of it. Pure. An answer is
 *
 *   u8 version | nonce | holder's peer id (varint length, ASCII) |
 *   for each leaf asked, in order: 4096 bytes | u8 count | count sibling hashes of 32 bytes
 *
 * It echoes nonce and holder, so a recorded answer serves no other question and no other peer; that
 * the holder itself sent it, the connection proves. It shows that this peer could produce these
 * parts of the shard within this time, and no more.
 */
import { Reader, Writer } from "../base/bytes.ts";
import { isFault } from "../base/errors.ts";
import type { PeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Challenge } from "../base/network.ts";
import type { Maybe } from "../base/step.ts";
import { merklePath, merkleTreeOf, rootFromPath } from "../crypt/blocks/merkle.ts";
import { checkChallenge, leafCountOf } from "./challenge.ts";

const version = 1;
const hashBytes = 32;

/** Where a holder finds leaves: on its disk, or in memory. */
export interface LeafSource {
  readonly shardBytes: number;
  /** As `merkleTreeOf` makes it. */
  readonly tree: Uint8Array;
  leaf(index: number): Maybe<Uint8Array>;
}

export type Verdict = "right" | "wrong";

/** A whole shard at hand. */
export function leavesOf(shard: Uint8Array): LeafSource {
  const { leafBytes } = limits.segment;
  return {
    shardBytes: shard.length,
    tree: merkleTreeOf(shard),
    leaf: (index) => shard.subarray(index * leafBytes, (index + 1) * leafBytes),
  };
}

/** The encoded answer; Invalid when the challenge asks for what the shard has not. */
export async function answerChallenge(
  challenge: Challenge, holder: PeerId, source: LeafSource,
): Promise<Buffer> {
  checkChallenge(challenge, source.shardBytes);
  const answer = new Writer(answerBytesMax(challenge.leaves.length));
  answer.u8(version).raw(challenge.nonce).latin1(holder);
  for (const index of challenge.leaves) {
    const path = merklePath(source.tree, index);
    answer.raw(await source.leaf(index)).u8(path.length);
    for (const sibling of path) answer.raw(sibling);
  }
  return answer.finish();
}

/** No answer longer than this is worth parsing. */
export function answerBytesMax(leaves: number): number {
  const headBytes = 1 + limits.proofs.nonceBytes + 2 + 128;
  const pathBytesMax = 1 + limits.proofs.pathHashesMax * hashBytes;
  return headBytes + leaves * (limits.segment.leafBytes + pathBytesMax);
}

/** Whether every leaf asked for leads to the signed root. All else is wrong; nothing throws. */
export function verifyAnswer(
  challenge: Challenge,
  { holder, shardBytes }: { readonly holder: PeerId; readonly shardBytes: number },
  answer: Uint8Array,
): Verdict {
  if (answer.length > answerBytesMax(challenge.leaves.length)) return "wrong";
  try {
    return isRight(challenge, holder, leafCountOf(shardBytes), answer) ? "right" : "wrong";
  } catch (fault) {
    if (isFault(fault, "Corrupt")) return "wrong";
    throw fault;
  }
}

function isRight(
  challenge: Challenge, holder: PeerId, count: number, answer: Uint8Array,
): boolean {
  const reader = new Reader(answer, "proofs.answer");
  if (reader.u8() !== version) return false;
  if (!reader.raw(limits.proofs.nonceBytes).equals(challenge.nonce)) return false;
  if (reader.latin1() !== holder) return false;
  for (const index of challenge.leaves) {
    const leaf = reader.raw(limits.segment.leafBytes);
    const path = Array.from({ length: reader.u8() }, () => reader.raw(hashBytes));
    if (rootFromPath(leaf, { index, count }, path) !== challenge.shard) return false;
  }
  reader.end();
  return true;
}
