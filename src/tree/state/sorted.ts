/**
 * A map in ascending order of its integer keys, in buckets so that an insertion moves little. The
 * tree keeps in it what changed since the last commit.
 */
import { lowerBound } from "../../dag/search.ts";

const bucketMax = 512;

interface Bucket<V> {
  readonly keys: number[];
  readonly values: V[];
}

export class SortedMap<V> {
  readonly #buckets: Bucket<V>[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: number): V | undefined {
    const bucket = this.#buckets[this.#bucketFor(key)];
    if (bucket === undefined) return undefined;
    const index = lowerBound(bucket.keys, key);
    return bucket.keys[index] === key ? bucket.values[index] : undefined;
  }

  set(key: number, value: V): void {
    const at = this.#bucketFor(key);
    const bucket = this.#buckets[at] ?? this.#firstBucket();
    const index = lowerBound(bucket.keys, key);
    if (bucket.keys[index] === key) {
      bucket.values[index] = value;
      return;
    }
    bucket.keys.splice(index, 0, key);
    bucket.values.splice(index, 0, value);
    this.#size++;
    if (bucket.keys.length > bucketMax) this.#split(at, bucket);
  }

  /** The first pair whose key is at least this. */
  next(key: number): { readonly key: number; readonly value: V } | undefined {
    for (let at = this.#bucketFor(key); at < this.#buckets.length; at++) {
      const bucket = this.#buckets[at] as Bucket<V>;
      const index = lowerBound(bucket.keys, key);
      if (index < bucket.keys.length) {
        return { key: bucket.keys[index] as number, value: bucket.values[index] as V };
      }
    }
    return undefined;
  }

  *[Symbol.iterator](): IterableIterator<readonly [key: number, value: V]> {
    for (const bucket of this.#buckets) {
      for (const [index, key] of bucket.keys.entries()) yield [key, bucket.values[index] as V];
    }
  }

  /** Takes away every pair from this key on. */
  cutFrom(key: number): void {
    const at = this.#bucketFor(key);
    const bucket = this.#buckets[at];
    if (bucket === undefined) return;
    const index = lowerBound(bucket.keys, key);
    bucket.keys.splice(index);
    bucket.values.splice(index);
    this.#buckets.splice(index === 0 ? at : at + 1);
    this.#size = this.#buckets.reduce((sum, { keys }) => sum + keys.length, 0);
  }

  /** The last bucket that begins at or before the key; the first one when none does. */
  #bucketFor(key: number): number {
    let low = 0;
    let high = this.#buckets.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (((this.#buckets[middle] as Bucket<V>).keys[0] as number) <= key) low = middle;
      else high = middle;
    }
    return low;
  }

  #firstBucket(): Bucket<V> {
    const bucket: Bucket<V> = { keys: [], values: [] };
    this.#buckets.push(bucket);
    return bucket;
  }

  #split(at: number, bucket: Bucket<V>): void {
    // Keys that only grow fill their buckets: the new one takes the last key alone.
    const from = at === this.#buckets.length - 1 ? bucketMax : bucketMax / 2;
    const half = { keys: bucket.keys.splice(from), values: bucket.values.splice(from) };
    this.#buckets.splice(at + 1, 0, half);
  }
}
