/**
 * A set of block names that takes two bytes for each: a Bloom filter. What was added is in it; of
 * what was not, about one in two thousand is, too. So it may say what must stay, never what must
 * go. The names are hashes, so their own bits serve as its hash functions. Bits cross threads.
 */
import { assert } from "./errors.ts";
import type { Cid } from "./ids.ts";
import { limits } from "./limits.ts";

const bitsPerName = 16;
/** Eight words of a name's 32 bytes, one bit each. */
const probes = 8;
const probeDigits = 8;

export class CidFilter {
  readonly bits: Uint8Array;

  constructor(bits: Uint8Array) {
    assert(bits.length > 0);
    this.bits = bits;
  }

  /** For so many names; with more of them it still has all, and errs more often. */
  static for(count: number): CidFilter {
    const wanted = Math.ceil((count * bitsPerName) / 8);
    const bytes = Math.min(Math.max(wanted, 1024), limits.reclaim.filterBytesMax);
    return new CidFilter(new Uint8Array(bytes));
  }

  add(cid: Cid): void {
    const { bits } = this;
    for (let probe = 0; probe < probes; probe++) {
      const bit = this.#bit(cid, probe);
      bits[bit >>> 3] = (bits[bit >>> 3] as number) | (1 << (bit & 7));
    }
  }

  has(cid: Cid): boolean {
    for (let probe = 0; probe < probes; probe++) {
      const bit = this.#bit(cid, probe);
      if (((this.bits[bit >>> 3] as number) & (1 << (bit & 7))) === 0) return false;
    }
    return true;
  }

  #bit(cid: Cid, probe: number): number {
    const from = probe * probeDigits;
    return Number.parseInt(cid.slice(from, from + probeDigits), 16) % (this.bits.length * 8);
  }
}
