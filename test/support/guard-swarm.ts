/** Real nodes on loopback, each with its own home and vault, and an owner that comes and goes. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { cidOf } from "../../src/base/ids.ts";
import { type Log, silentLog } from "../../src/base/log.ts";
import type { NodeDuties } from "../../src/base/node.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { PolicyTexts } from "../../src/base/views/policies.ts";
import type { NodeConfig } from "../../src/node/config.ts";
import { askRecovered, openNode } from "../../src/node/node.ts";
import { MemorySource } from "./transfer-world.ts";

const GiB = 2 ** 30;

export interface Member {
  readonly number: number;
  readonly node: NodeDuties;
  readonly directory: string;
  readonly address: string;
}

export interface SwarmOptions {
  readonly seed: string;
  readonly peers: number;
  readonly log?: Log;
  readonly policies?: PolicyTexts;
  /** Of each peer, by its number. */
  readonly country?: (number: number) => string;
}

export class GuardSwarm implements AsyncDisposable {
  readonly source = new MemorySource();
  readonly members = new Map<number, Member>();
  readonly #root: string;
  readonly #options: SwarmOptions;

  private constructor(root: string, options: SwarmOptions) {
    this.#root = root;
    this.#options = options;
  }

  static async open(options: SwarmOptions): Promise<GuardSwarm> {
    const swarm = new GuardSwarm(await mkdtemp(join(tmpdir(), "hive-guard-")), options);
    for (let number = 0; number < options.peers; number++) await swarm.start(number);
    return swarm;
  }

  async start(number: number): Promise<Member> {
    const directory = join(this.#root, `peer-${number}`);
    const config = this.#config(`peer ${number}`, directory);
    const country = this.#options.country?.(number) ?? "DE";
    const node = await openNode({ log: this.#options.log ?? silentLog }, { ...config, country });
    const address = (await node.status()).addresses[0] as string;
    const member = { number, node, directory, address };
    this.members.set(number, member);
    return member;
  }

  /** For good: its disk goes with it. */
  async destroy(number: number): Promise<void> {
    const member = this.members.get(number);
    this.members.delete(number);
    await member?.node.close();
    if (member !== undefined) await rm(member.directory, { recursive: true });
  }

  /** The owner's device of this name; its books stay when it is closed. */
  owner(name = "device"): Promise<NodeDuties> {
    const needs = { log: this.#options.log ?? silentLog, source: this.source };
    return openNode(needs, this.#ownersConfig(name));
  }

  /** The owner meets everybody, uploads these, and goes; who has shards then, and how many. */
  async give(
    blocks: readonly Uint8Array[],
  ): Promise<{ readonly full: number; readonly holders: readonly number[] }> {
    const { peers } = this.#options;
    const owner = await this.owner();
    await this.until(async () => (await owner.status()).peers.online >= peers, 90);
    this.source.commit("root", blocks);
    await owner.flush(30_000);
    const full = await this.total();
    const holders = [...(await this.shards()).keys()];
    await owner.close();
    return { full, holders };
  }

  /** Whether so many shards are proven to the owner in time, and none is bad or missing. */
  isProvenTo(owner: NodeDuties, full: number): Promise<boolean> {
    return this.until(async () => {
      const { proofsRight, bad, missing } = await owner.verify({ deep: false });
      return proofsRight === full && bad.length === 0 && missing === 0;
    }, 150);
  }

  /** A device that has nothing but the drive's seed. */
  async recover(name: string): Promise<string | undefined> {
    const needs = { log: this.#options.log ?? silentLog };
    const recovered = await askRecovered(needs, this.#ownersConfig(name));
    return recovered === undefined ? undefined : Buffer.from(recovered.root).toString();
  }

  /** Shards with everybody who is there. */
  async shards(): Promise<ReadonlyMap<number, number>> {
    const counts = await Promise.all([...this.members].map(async ([number, { node }]) => {
      return [number, (await node.status()).vault.shards] as const;
    }));
    return new Map(counts.filter(([, shards]) => shards > 0));
  }

  async total(): Promise<number> {
    return [...(await this.shards()).values()].reduce((sum, shards) => sum + shards, 0);
  }

  /** Waits for the fact, looking now and then; false when it does not come in time. */
  async until(fact: () => Promise<boolean>, seconds: number): Promise<boolean> {
    const endMs = performance.now() + seconds * 1000;
    while (performance.now() < endMs) {
      if (await fact()) return true;
      await setTimeout(250);
    }
    return false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.members.values()].map(({ node }) => node.close()));
    await rm(this.#root, { recursive: true });
  }

  #ownersConfig(name: string): NodeConfig {
    const directory = join(this.#root, name);
    const driveSeed = seededRandom(`${this.#options.seed}/drive`).bytes(32);
    const { policies } = this.#options;
    const texts = policies === undefined ? {} : { policies };
    return { ...this.#config(name, directory), driveSeed, quotaBytes: 0, ...texts };
  }

  #config(name: string, directory: string): NodeConfig {
    return {
      directory, peerSeed: seededRandom(`${this.#options.seed}/${name}`).bytes(32),
      driveSeed: undefined, deviceName: name, listen: ["/ip4/127.0.0.1/tcp/0"],
      bootstrap: [...this.members.values()].slice(0, 3).map(({ address }) => address),
      household: `home of ${name}`, country: "DE", mdns: false,
      relay: "off", upnp: false, quotaBytes: 4 * GiB, strangerShare: 1,
      deadAfterMs: 6_000, auditIntervalMs: 3_000, guardLeaseMs: 4_000,
    };
  }
}

/** How many of these blocks the owner's node cannot read. */
export async function unread(owner: NodeDuties, blocks: readonly Uint8Array[]): Promise<number> {
  const reads = await Promise.allSettled(blocks.map((bytes) => owner.fetch(cidOf(bytes), {})));
  return reads.filter(({ status }) => status === "rejected").length;
}
