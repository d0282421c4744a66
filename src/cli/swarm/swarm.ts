/**
 * The process behind `hive swarm`: real peers on this machine, which anybody may stop and kill to
 * see what happens. It listens on a control socket of its own.
 */
import { existsSync, readdirSync } from "node:fs";
import { HiveError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import { shuffled, systemRandom } from "../../base/random.ts";
import type { Arguments, ControlHandlers } from "../daemon/control.ts";
import { type SwarmPeer, innerPeer, outerPeer, placeOf } from "./peer.ts";

export interface SwarmRow {
  readonly number: number;
  readonly state: "running" | "stopped";
  readonly pid: number | undefined;
  readonly address: string;
  readonly household: string;
  readonly country: string | undefined;
  readonly shards: number;
  readonly usedBytes: number;
}

export class Swarm {
  readonly #directory: string;
  readonly #processes: boolean;
  readonly #log: Log;
  #peers: SwarmPeer[] = [];

  constructor(options: { directory: string; processes: boolean; log: Log }) {
    this.#directory = options.directory;
    this.#processes = options.processes;
    this.#log = options.log;
  }

  /** Sees to it that at least this many peers exist, and starts all of them. */
  async begin(count: number): Promise<void> {
    const known = existsSync(this.#directory) ? readdirSync(this.#directory) : [];
    const before = known.filter((name) => /^peer-\d+$/.test(name)).length;
    const wanted = Math.min(Math.max(count, before), limits.swarm.peersMax);
    const places = [];
    for (let number = 1; number <= wanted; number++) {
      places.push(await placeOf(this.#directory, number));
    }
    // Everybody knows the first few; the DHT and the exchange of offers do the rest.
    const bootstrap = places.slice(0, 4).map((place) => place.address);
    this.#peers = places.map((place) => {
      const others = bootstrap.filter((address) => address !== place.address);
      if (this.#processes) return outerPeer(place, others);
      return innerPeer(place, others, this.#log);
    });
    await startAll(this.#peers, this.#processes ? limits.swarm.startsAtOnce : 1);
  }

  handlers(end: () => void): ControlHandlers {
    return {
      status: () => this.status(),
      addresses: () => this.#peers.map((peer) => peer.address),
      start: (values) => this.#each(this.#chosen(values, false), (peer) => peer.start()),
      stop: (values) => this.#each(this.#chosen(values, true), (peer) => peer.stop()),
      kill: (values) =>
        this.#each(this.#chosen(values, true), async (peer) => {
          await peer.kill();
          if (values["wipe"] === true) peer.wipe();
        }),
      end: async () => {
        await this.end();
        end();
      },
    };
  }

  async status(): Promise<readonly SwarmRow[]> {
    return Promise.all(this.#peers.map(rowOf));
  }

  async end(): Promise<void> {
    await Promise.all(this.#peers.map((peer) => peer.stop()));
  }

  async #each(
    chosen: readonly SwarmPeer[],
    act: (peer: SwarmPeer) => Promise<void>,
  ): Promise<readonly number[]> {
    await Promise.all(chosen.map(act));
    return chosen.map((peer) => peer.number);
  }

  /** By number, or a random share of those that run (or do not), or all of them. */
  #chosen(values: Arguments, running: boolean): readonly SwarmPeer[] {
    const able = this.#peers.filter((peer) => peer.running() === running);
    const numbers = values["numbers"] as readonly number[] | undefined;
    if (numbers !== undefined && numbers.length > 0) return numbers.map((n) => this.#numbered(n));
    const share = values["fraction"];
    if (typeof share !== "number") return able;
    return shuffled(able, systemRandom).slice(0, Math.round(able.length * share));
  }

  #numbered(number: number): SwarmPeer {
    const peer = this.#peers.find((one) => one.number === number);
    if (peer !== undefined) return peer;
    throw new HiveError("NotFound", "swarm", `peer ${number} of ${this.#peers.length}`);
  }
}

/** In order, those whom all the others know first. After a failure no further ones are started. */
async function startAll(peers: readonly SwarmPeer[], atOnce: number): Promise<void> {
  const waiting = [...peers];
  const lane = async (): Promise<void> => {
    try {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        await next.start();
      }
    } finally {
      waiting.length = 0;
    }
  };
  // All of them, so that whoever ends the swarm then ends those that started meanwhile, too.
  const lanes = await Promise.allSettled(Array.from({ length: atOnce }, lane));
  const failed = lanes.find((one) => one.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

async function rowOf(peer: SwarmPeer): Promise<SwarmRow> {
  const status = await peer.status();
  const { household, country } = peer.settings();
  return {
    number: peer.number,
    state: peer.running() ? "running" : "stopped",
    pid: peer.pid(),
    address: peer.address,
    household,
    country,
    shards: status?.vault.shards ?? 0,
    usedBytes: status?.vault.usedBytes ?? 0,
  };
}
