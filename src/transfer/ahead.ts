/**
 * Read-ahead: whoever reads a shard's blocks one after another is given the rest of the shard at
 * once, and the next blocks out of memory. It keeps a bounded number of tails, checks nothing (the
 * CID does) and forgets the oldest.
 */
import type { ByteRange } from "../base/filesystem.ts";
import { limits } from "../base/limits.ts";
import type { SegmentRecord } from "../base/records.ts";

interface Target {
  readonly record: SegmentRecord;
  readonly index: number;
  readonly range: ByteRange;
}

interface Tail {
  /** Blocks read in rising order. */
  readonly reads: number;
  readonly endBytes: number;
  readonly offsetBytes: number;
  readonly bytes: Uint8Array | undefined;
}

export class Ahead {
  readonly #tails = new Map<string, Tail>();

  /** Bytes that an earlier read brought along. */
  take(target: Target): Uint8Array | undefined {
    const tail = this.#tails.get(keyOf(target));
    if (tail?.bytes === undefined) return undefined;
    const from = target.range.offsetBytes - tail.offsetBytes;
    const to = from + target.range.lengthBytes;
    if (from < 0 || to > tail.bytes.length) return undefined;
    return Buffer.from(tail.bytes.subarray(from, to));
  }

  /** The range to ask for: the rest of the shard for one who reads on. */
  widen(target: Target): ByteRange {
    const tail = this.#tails.get(keyOf(target));
    const { offsetBytes } = target.range;
    const readsOn = tail !== undefined && offsetBytes >= tail.endBytes;
    if (!readsOn || tail.reads < limits.transfer.aheadAfterReads) return target.range;
    return { offsetBytes, lengthBytes: target.record.shardBytes - offsetBytes };
  }

  keep(target: Target, range: ByteRange, bytes: Uint8Array): void {
    const key = keyOf(target);
    const before = this.#tails.get(key);
    const endBytes = target.range.offsetBytes + target.range.lengthBytes;
    const readsOn = before !== undefined && target.range.offsetBytes >= before.endBytes;
    const wide = range.lengthBytes > target.range.lengthBytes;
    this.#tails.delete(key);
    this.#tails.set(key, {
      reads: readsOn ? before.reads + 1 : 1, endBytes, offsetBytes: range.offsetBytes,
      bytes: wide ? bytes : undefined,
    });
    if (this.#tails.size > limits.transfer.aheadShardsMax) {
      this.#tails.delete(this.#tails.keys().next().value as string);
    }
  }
}

function keyOf({ record, index }: Target): string {
  return `${record.segment}/${index}`;
}
