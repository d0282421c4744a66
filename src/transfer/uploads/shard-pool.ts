/**
 * Room for the shards of segments that are on their way, used again for the next ones: V8 collects
 * garbage for every few dozen MiB of fresh buffers, which cost more than coding and hashing them.
 * What is not given back is no loss: it is collected like anything else.
 */
import { limits } from "../../base/limits.ts";
import { BufferPool } from "../../base/machine/pool.ts";

export class ShardPool {
  readonly #pools: ReadonlyMap<number, BufferPool>;

  constructor() {
    const { flightBytesMax } = limits.transfer;
    this.#pools = new Map(limits.segment.shardBytes.map((lengthBytes) => {
      const countMax = Math.floor(flightBytesMax / lengthBytes);
      return [lengthBytes, new BufferPool({ lengthBytes, countMax })];
    }));
  }

  take(shardBytes: number): Buffer {
    return this.#pools.get(shardBytes)?.take() ?? Buffer.allocUnsafeSlow(shardBytes);
  }

  /** Nobody else may hold it any more. */
  give(shard: Buffer): void {
    this.#pools.get(shard.length)?.give(shard);
  }

  /** Nothing is under way: the memory is worth more elsewhere. */
  clear(): void {
    for (const pool of this.#pools.values()) pool.clear();
  }
}
