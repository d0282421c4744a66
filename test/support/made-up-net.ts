/**
 * Real nodes on loopback that take each other to be elsewhere: each has a made-up address and a
 * true place, and answers range questions as late as the way between two places asks. It is handed
 * to nodes by their constructors, and nothing that a user can set leads here.
 */
import { systemClock } from "../../src/base/clock.ts";
import type { PeerId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import type { KnownPeer } from "../../src/base/network.ts";
import { seededRandom } from "../../src/base/random.ts";
import { peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { sha256 } from "../../src/crypt/ciphers/sha256.ts";
import type { MadeUpWorld } from "../../src/peers/peers.ts";
import { type Point, greatCircleKm } from "../../src/places/geometry.ts";
import { Places } from "../../src/places/places.ts";
import { Survey } from "../../src/places/survey.ts";
import { MemoryKeyValue } from "./memory-host.ts";
import { type TestNode, openTestNode } from "./peer-nodes.ts";

export interface Dweller {
  readonly name: string;
  readonly household?: string;
  /** What it says of itself. */
  readonly claims: string;
  readonly address: string;
  /** Where it is. */
  readonly at: Point;
}

export interface PlacedNode extends AsyncDisposable {
  readonly peer: PeerId;
  readonly node: TestNode;
  readonly places: Places;
  readonly survey: Survey;
  known(peer: PeerId): KnownPeer | undefined;
}

export class MadeUpNet {
  readonly #dwellers = new Map<PeerId, Dweller>();
  /** Measurements of the survey may follow on each other: the pauses are tested elsewhere. */
  readonly clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + this.#aheadMs };
  #aheadMs = 0;

  async open(dweller: Dweller): Promise<PlacedNode> {
    const seed = sha256(Buffer.from(`made-up net ${dweller.name}`));
    const { peer } = peerKeysOf(seed);
    this.#dwellers.set(peer, dweller);
    const { household = `home of ${dweller.name}`, claims: country } = dweller;
    const books = new MemoryKeyValue();
    const shared = { clock: systemClock, log: silentLog, books };
    const places = new Places(shared, { self: peer, household, country });
    const node = await openTestNode({
      seed, books, household, country, more: { places, world: this.#worldOf(peer) },
    });
    const survey = new Survey({
      places, network: node.peers.ranging, peers: () => node.peers.peers(), wanted: () => [],
      clock: this.clock, random: seededRandom(dweller.name), log: silentLog,
    });
    return {
      peer, node, places, survey,
      known: (other) => node.peers.peers().find(({ offer }) => offer.peer === other),
      async [Symbol.asyncDispose]() {
        await node[Symbol.asyncDispose]();
        await places[Symbol.asyncDispose]();
      },
    };
  }

  /** So many steps of everybody, each as if every pause had passed. */
  async pass(nodes: readonly PlacedNode[], steps: number): Promise<void> {
    const { signal } = new AbortController();
    for (let step = 0; step < steps; step++) {
      this.#aheadMs += limits.places.askEveryMs;
      for (const { survey } of nodes) await survey.step(signal);
    }
  }

  #worldOf(self: PeerId): MadeUpWorld {
    return {
      addressOf: (peer) => this.#dwellers.get(peer)?.address,
      delayMs: (peer) => {
        const [here, there] = [this.#dwellers.get(self), this.#dwellers.get(peer)];
        if (here === undefined || there === undefined) return 0;
        return greatCircleKm(here.at, there.at) / limits.places.kmPerMs;
      },
    };
  }
}
