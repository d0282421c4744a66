/**
 * Lookups in a Kademlia network as our DHT makes them: some ways at once that share no peer, on
 * each of which a peer is only asked if it is closer than the one that told it and may be among the
 * k closest that answered (kad-dht's query path). Names are numbers of 32 bits, sorted.
 *
 * No table is stored. What a peer knows of a part of the network is drawn when it is asked, from
 * dice of that peer and that part, so that it always answers the same.
 */
import { limits } from "../../src/base/limits.ts";
import type { Dice } from "./dice.ts";

export interface Routing {
  /** Peers in a bucket, in an answer, and that keep a record. */
  readonly bucketPeers: number;
  /** Peers asked at once on one way. */
  readonly atOnce: number;
  readonly ways: number;
  /** A table tells peers apart by so many first bits and no more. */
  readonly prefixBits: number;
}

/** kad-dht's own figures, since peers/libp2p/node.ts sets nothing but the ways. */
export const shippedRouting: Routing = {
  bucketPeers: 20, atOnce: 10, ways: limits.dht.disjointPaths, prefixBits: 6,
};

export interface Walk {
  /** Answers one after the other until a peer answered that keeps the record; 0 for never. */
  readonly hops: number;
  readonly requests: number;
}

interface Step {
  readonly at: number;
  readonly depth: number;
}

const idBits = 32;
/** A table that tells more bits apart than this is not full: k peers for each bit of its own. */
const fullBitsMax = 10;

export class LookupWorld {
  readonly #ids: Uint32Array;
  readonly #routing: Routing;
  readonly #dice: Dice;
  /** Of what tables name, the share that is gone. */
  readonly #staleShare: number;

  constructor(nodes: number, needs: {
    readonly dice: Dice; readonly routing: Routing; readonly staleShare: number;
  }) {
    const { dice, routing, staleShare } = needs;
    this.#ids = Uint32Array.from({ length: nodes }, () => dice.below(2 ** idBits)).sort();
    this.#routing = routing;
    this.#dice = dice;
    this.#staleShare = staleShare;
  }

  /** From a random peer to a random name. */
  walk(): Walk {
    const target = this.#dice.below(2 ** idBits);
    const from = this.#dice.below(this.#ids.length);
    const { ways, bucketPeers } = this.#routing;
    const keepers = new Set(this.#nearest(target, bucketPeers));
    const seen = new Set([from]);
    const starts: Step[][] = Array.from({ length: ways }, () => []);
    for (const [turn, at] of this.#known(from, target).entries()) {
      starts[turn % ways]?.push({ at, depth: 1 });
      seen.add(at);
    }
    let [hops, requests] = [0, 0];
    for (const start of starts) {
      const way = this.#follow(start, { target, seen, keepers });
      requests += way.requests;
      if (way.hops > 0) hops = hops === 0 ? way.hops : Math.min(hops, way.hops);
    }
    return { hops, requests };
  }

  #follow(start: readonly Step[], { target, seen, keepers }: {
    readonly target: number; readonly seen: Set<number>; readonly keepers: ReadonlySet<number>;
  }): Walk {
    const { atOnce, bucketPeers } = this.#routing;
    let queue = [...start];
    const answered: number[] = [];
    let [hops, requests] = [0, 0];
    const isFar = (at: number): boolean => {
      const worst = answered[bucketPeers - 1];
      return worst !== undefined && this.#distance(at, target) >= worst;
    };
    while (queue.length > 0) {
      queue.sort((a, b) => this.#distance(a.at, target) - this.#distance(b.at, target));
      const asked = queue.slice(0, atOnce).filter(({ at }) => !isFar(at));
      queue = queue.slice(atOnce);
      requests += asked.length;
      for (const { at, depth } of asked.filter(() => this.#dice.unit() >= this.#staleShare)) {
        if (keepers.has(at) && hops === 0) hops = depth;
        answered.push(this.#distance(at, target));
        for (const told of this.#known(at, target)) {
          const isCloser = this.#distance(told, target) < this.#distance(at, target);
          if (seen.has(told) || !isCloser || isFar(told)) continue;
          seen.add(told);
          queue.push({ at: told, depth: depth + 1 });
        }
      }
      answered.sort((a, b) => a - b);
    }
    return { hops, requests };
  }

  /** The k closest to the target that a peer has in its table. */
  #known(at: number, target: number): readonly number[] {
    const { bucketPeers, prefixBits } = this.#routing;
    const common = Math.clz32((this.#ids[at] as number) ^ target);
    const own = prefixBits <= fullBitsMax ? prefixBits : Math.min(common + 1, prefixBits);
    const told: number[] = [];
    for (let bits = own; told.length < bucketPeers && bits >= 0; bits--) {
      const [first, end] = this.#range(target, bits);
      for (const one of this.#sample(at, first, end)) {
        if (told.length < bucketPeers && one !== at && !told.includes(one)) told.push(one);
      }
    }
    return told;
  }

  /** Up to k of a part of the network, always the same for one peer. */
  #sample(at: number, first: number, end: number): readonly number[] {
    const count = end - first;
    const { bucketPeers } = this.#routing;
    if (count <= bucketPeers) return Array.from({ length: count }, (_, index) => first + index);
    const drawn = new Set<number>();
    for (let turn = 0; drawn.size < bucketPeers; turn++) {
      drawn.add(first + (mixed(at, first ^ (turn << 20), turn) % count));
    }
    return [...drawn];
  }

  /** Those who share so many first bits with the target. */
  #range(target: number, bits: number): readonly [number, number] {
    const width = 2 ** (idBits - bits);
    const low = Math.floor(target / width) * width;
    return [this.#firstFrom(low), this.#firstFrom(low + width)];
  }

  /** The closest of all that are there. */
  #nearest(target: number, count: number): readonly number[] {
    let bits = idBits;
    let [first, end] = [0, 0];
    while (bits >= 0 && end - first < count) [first, end] = this.#range(target, bits--);
    const all = Array.from({ length: end - first }, (_, index) => first + index);
    all.sort((a, b) => this.#distance(a, target) - this.#distance(b, target));
    return all.slice(0, count);
  }

  #distance(at: number, target: number): number {
    return ((this.#ids[at] as number) ^ target) >>> 0;
  }

  #firstFrom(id: number): number {
    let [low, high] = [0, this.#ids.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#ids[middle] as number) < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** A hash of three numbers (Murmur3's steps). */
function mixed(...numbers: readonly number[]): number {
  let hash = 0x9747_b28c;
  for (const number of numbers) {
    hash = Math.imul(hash ^ Math.imul(number, 0xcc9e_2d51), 0x1b87_3593);
    hash = Math.imul(hash ^ (hash >>> 15), 0x85eb_ca6b);
    hash ^= hash >>> 13;
  }
  return hash >>> 0;
}
