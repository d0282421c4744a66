/**
 * Holders that cheat, in a drive's life that a virtual clock plays hour by hour: the real agent and
 * its books, real proofs and real transfer, over holders in memory. The honest ones are no angels:
 * now and then one of them is off or slow for an hour, and none may be condemned for it.
 */
import { type Agent, openAgent } from "../../src/agent/agent.ts";
import { HiveError, isFault } from "../../src/base/errors.ts";
import type { PeerId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import type { Challenge, ShardHost } from "../../src/base/network.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";
import type { Step } from "../../src/base/step.ts";
import type { PeerKeys } from "../../src/crypt/ciphers/peer-key.ts";
import { sha256 } from "../../src/crypt/ciphers/sha256.ts";
import { driveKeysOf } from "../../src/crypt/drive/drive.ts";
import { isRace } from "../../src/proofs/race.ts";
import type { Transfer } from "../../src/transfer/transfer.ts";
import type { Cheat, Played } from "./cheats.ts";
import { HonestHost } from "./honest-host.ts";
import { LoopbackNetwork, type LoopbackPeer } from "./loopback-network.ts";
import { MemoryBooks, MemorySource, type World, makeBlocks, openWorld } from "./transfer-world.ts";
import { VirtualClock } from "./virtual-clock.ts";

const hourMs = 3_600_000;
const dayHours = 24;
const peers = 10;
/** Each holder keeps at least so many shards: asked for 4 leaves each, that is a full sample. */
const segments = 12;
/** Two audits, an hour apart, of every shard that a holder of little keeps. */
const audits = 2;
/** Of who keeps 500 GB for everybody, a small drive asks for one leaf in so many hours. */
const restHours = limits.proofs.auditRestMsMax / 3_600_000;
/** In percent, of an honest peer's hours. */
const honest = { off: 10, slow: 5 };
const { leafBytes } = limits.segment;
/** Eight shards of a MiB, of a segment of class home, over such a line: each time it is asked. */
const fetchMs = (megabits: number): number => Math.ceil(8 * 8 * 2 ** 20 / (megabits * 1000));

export interface Mischief {
  /** What it says that it keeps for everybody. */
  readonly keptBytes?: number;
  /** Its host, in the place of an honest one. */
  readonly host?: (member: LoopbackPeer, random: Random) => ShardHost;
  readonly delayMs?: number;
}

/** How surely so many leaves find a loss of so large a share. */
const sureness = (missing: number, leaves: number): number => 1 - (1 - missing) ** leaves;

export const holderCheats: readonly Cheat[] = [
  ...[0.05, 0.1].map((share) => dropping(share)),
  cheat("drops everything", "an audit", { withinHours: audits, atLeast: 1 }, {
    host: ({ host }) => instead(host, { prove: absent, read: absent }),
  }),
  cheat("says that it let go of everything", "an audit", { withinHours: audits, atLeast: 1 }, {
    host: ({ host }) => instead(host, { prove: gone, read: gone }),
  }),
  cheat("flips a bit in a tenth of the leaves", "an audit", {
    withinHours: audits, atLeast: sureness(0.1, audits * limits.proofs.samples),
  }, {
    host: (member, random) => damaging(member, { share: 0.1, random, by: flipped }),
  }),
  cheat("drops 10 % and keeps 500 GB", "samples", {
    withinHours: limits.proofs.samples * restHours, atLeast: sureness(0.1, limits.proofs.samples),
  }, {
    keptBytes: limits.proofs.auditHeldBytes,
    host: (member, random) => damaging(member, { share: 0.1, random, by: emptied }),
  }, restHours),
  cheat("replays its first answer", "the nonce", { withinHours: audits, atLeast: 1 }, {
    host: ({ host }) => replaying(host),
  }),
  cheat("keeps and refuses", "a probe a day", { withinHours: 5 * dayHours, atLeast: 1 }, {
    host: ({ host }) => instead(host, { read: busy }),
  }, 12),
  cheat("fetches lazily over 20 Mbit/s", "deadlines", { withinHours: 5 * dayHours, atLeast: 1 }, {
    delayMs: fetchMs(20),
  }, 12),
  cheat("fetches lazily over 1 Gbit/s", "races", { withinHours: 6 * dayHours, atLeast: 1 }, {
    delayMs: fetchMs(1000),
  }, 12),
];

function dropping(share: number): Cheat {
  const leaves = audits * limits.proofs.samples;
  const told = { withinHours: audits, atLeast: sureness(share, leaves) };
  return cheat(`drops ${share * 100} % of the leaves`, "an audit", told, {
    host: (member, random) => damaging(member, { share, random, by: emptied }),
  });
}

function cheat(
  name: string, by: string, told: Pick<Cheat, "withinHours" | "atLeast">, mischief: Mischief,
  stepHours = 1,
): Cheat {
  return {
    name, by, ...told,
    play: async (seed) => {
      const life = await Life.begin(`${seed}/${name}`, mischief, stepHours);
      return life.play(told.withinHours);
    },
  };
}

class Life {
  readonly #clock: VirtualClock;
  readonly #network: LoopbackNetwork;
  readonly #random: Random;
  readonly #stepHours: number;
  readonly #agent: Agent;
  readonly #transfer: Transfer;
  readonly #liar: PeerId;
  readonly #first: readonly PeerId[];

  private constructor(
    world: World & { readonly clock: VirtualClock },
    parts: { readonly agent: Agent; readonly transfer: Transfer; readonly stepHours: number },
  ) {
    this.#clock = world.clock;
    this.#network = world.network;
    this.#random = world.random;
    this.#agent = parts.agent;
    this.#transfer = parts.transfer;
    this.#stepHours = parts.stepHours;
    this.#first = [...parts.transfer.holders().keys()];
    this.#liar = this.#first[this.#random.below(this.#first.length)] as PeerId;
  }

  static async begin(seed: string, mischief: Mischief, stepHours: number): Promise<Life> {
    const clock = new VirtualClock();
    const keys = driveKeysOf(sha256(Buffer.from(seed)));
    const network = new LoopbackNetwork([keys.owner], clock);
    for (let number = 0; number < peers; number++) {
      network.add(`${seed}/${number}`, (own) => keeping(own, mischief.keptBytes ?? 0));
    }
    const books = { books: new MemoryBooks(), source: new MemorySource() };
    const world = { network, keys, random: seededRandom(seed), ...books, clock };
    const transfer = await drive(clock, openWorld(world, { clock }));
    const agent = await drive(clock, openAgent(
      { ...world, transfer, books: new MemoryBooks(), log: silentLog },
      { auditIntervalMs: stepHours * hourMs },
    ));
    await upload(world, transfer);
    const life = new Life(world, { agent, transfer, stepHours });
    // What was just uploaded is asked for as a whole: it begins with that behind it.
    await life.#pass();
    life.#corrupt(mischief);
    return life;
  }

  /** Until it is found, or the time is over. */
  async play(hours: number): Promise<Played> {
    for (let hour = this.#stepHours; hour <= hours; hour += this.#stepHours) {
      await this.#pass();
      if (this.#isFound()) return { foundHours: hour, condemned: this.#condemned() };
    }
    return { foundHours: undefined, condemned: this.#condemned() };
  }

  #corrupt({ host, delayMs }: Mischief): void {
    const member = this.#network.members.get(this.#liar) as LoopbackPeer;
    const told = host === undefined ? member.host : host(member, this.#random);
    const mood = delayMs === undefined ? member.mood : { is: "slow" as const, delayMs };
    this.#network.members.set(this.#liar, { ...member, host: told, mood });
  }

  async #pass(): Promise<void> {
    for (const [peer, member] of this.#network.members) {
      if (peer !== this.#liar) member.mood = this.#moodOf();
    }
    await this.#clock.pass(this.#stepHours * hourMs + 1);
    const { signal } = new AbortController();
    // A probe asks one holder in a step.
    const probe = this.#agent.steps.filter(({ name }) => name === "probe");
    const probes = this.#first.flatMap(() => probe);
    for (const step of [...this.#agent.steps, ...probes]) {
      for (let turn = 0; turn < 50; turn++) {
        if (await drive(this.#clock, carryOn(step, signal)) === "idle") break;
      }
    }
  }

  #moodOf(): LoopbackPeer["mood"] {
    const dice = this.#random.below(100);
    if (dice < honest.off) return { is: "dead" };
    const isSlow = dice < honest.off + honest.slow;
    return isSlow ? { is: "slow", delayMs: 2 * limits.agent.answerMsMin } : { is: "honest" };
  }

  /** By a lie that was seen; or where no answer is one, by the loss of its seats. */
  #isFound(): boolean {
    const conduct = this.#agent.status().peers.find(({ peer }) => peer === this.#liar);
    return (conduct?.score.wrong ?? 0) > 0 || !this.#transfer.holders().has(this.#liar);
  }

  #condemned(): number {
    const others = this.#agent.status().peers.filter(({ peer }) => peer !== this.#liar);
    const blamed = others.filter(({ liveness, score, isRefusing }) => {
      return liveness === "dead" || score.wrong > 0 || isRefusing;
    });
    const holders = this.#transfer.holders();
    const ousted = this.#first.filter((peer) => peer !== this.#liar && !holders.has(peer));
    return new Set([...blamed.map(({ peer }) => peer), ...ousted]).size;
  }
}

async function upload(
  world: World & { readonly clock: VirtualClock }, transfer: Transfer,
): Promise<void> {
  for (let round = 0; round < segments; round++) {
    const blocks = makeBlocks(world.random, { count: 2, bytesMax: 60_000 });
    world.source.commit(`root ${round}`, blocks);
    await drive(world.clock, transfer.flush(600_000));
  }
}

/** As the loop does it: what fails in an hour of trouble is tried again. */
async function carryOn(step: Step, signal: AbortSignal): Promise<"busy" | "idle"> {
  try {
    return await step.step(signal);
  } catch (error) {
    if (isFault(error)) return "idle";
    throw error;
  }
}

/** Time goes on while something waits for it, and not faster than what computes meanwhile. */
async function drive<T>(clock: VirtualClock, work: Promise<T>): Promise<T> {
  let isOver = false;
  const over = work.finally(() => { isOver = true; });
  over.catch(() => {});
  while (!isOver) await clock.pass(40);
  return await over;
}

function keeping(keys: PeerKeys, keptBytes: number): ShardHost {
  const quotaBytes = 2 ** 40;
  const space = { quotaBytes, freeBytes: quotaBytes - keptBytes };
  return Object.assign(new HonestHost(keys), { space: () => space });
}

type Part = Partial<Pick<ShardHost, "read" | "prove">>;

function instead(host: ShardHost, part: Part): ShardHost {
  return new Proxy(host, {
    get(target, name) {
      if (name === "read" || name === "prove") return part[name] ?? target[name].bind(target);
      const found: unknown = Reflect.get(target, name);
      return typeof found === "function" ? found.bind(target) : found;
    },
  });
}

async function absent(): Promise<never> {
  throw new HiveError("NotFound", "cheat", "it was thrown away");
}

async function gone(): Promise<never> {
  throw new HiveError("Stale", "cheat", "it was here once");
}

async function busy(): Promise<never> {
  throw new HiveError("Busy", "cheat", "another time");
}

/** A share of its leaves are not what they were, always the same ones; paths it still has. */
function damaging(
  { host }: LoopbackPeer,
  { share, random, by }: {
    readonly share: number; readonly random: Random; readonly by: (leaf: Uint8Array) => Uint8Array;
  },
): ShardHost {
  const salt = random.bytes(16).toString("hex");
  const isHit = (shard: string, leaf: number): boolean => {
    const drawn = sha256(Buffer.from(`${salt}/${shard}/${leaf}`)).readUInt32BE(0);
    return drawn < share * 2 ** 32;
  };
  const prove = async (...[from, challenge]: Parameters<ShardHost["prove"]>) => {
    const answer = Buffer.from(await host.prove(from, challenge));
    // At its best it runs past what it lost.
    if (isRace(challenge)) return answer;
    const hit = challenge.leaves.map((leaf) => isHit(challenge.shard, leaf));
    return withLeaves(answer, challenge, (bytes, at) => (hit[at] === true ? by(bytes) : bytes));
  };
  return instead(host, { prove });
}

/** An answer with other leaves and the same paths, as src/proofs/answer.ts writes it. */
function withLeaves(
  answer: Buffer, { leaves }: Challenge, change: (bytes: Buffer, at: number) => Uint8Array,
): Buffer {
  const headBytes = 1 + limits.proofs.nonceBytes;
  let offset = headBytes + 1 + answer.readUInt8(headBytes);
  for (const at of leaves.keys()) {
    const leaf = answer.subarray(offset, offset + leafBytes);
    leaf.set(change(Buffer.from(leaf), at));
    offset += leafBytes + 1 + answer.readUInt8(offset + leafBytes) * 32;
  }
  return answer;
}

/** Not of zeros, which a padded shard may have there. */
function emptied(): Uint8Array {
  return Buffer.alloc(leafBytes, 0xa5);
}

function flipped(leaf: Uint8Array): Uint8Array {
  const bytes = Buffer.from(leaf);
  bytes.writeUInt8(bytes.readUInt8(17) ^ 4, 17);
  return bytes;
}

/** The first answer for each shard is a right one; it is what comes ever after. */
function replaying(host: ShardHost): ShardHost {
  const first = new Map<string, Uint8Array>();
  const prove = async (...[from, challenge]: Parameters<ShardHost["prove"]>) => {
    const answer = first.get(challenge.shard) ?? await host.prove(from, challenge);
    first.set(challenge.shard, answer);
    return answer;
  };
  return instead(host, { prove });
}
