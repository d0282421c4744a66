/**
 * A drive on a swarm of processes whose peers lose patience within seconds, seen from above: who
 * keeps how much, and what each process says that it has received.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Random, shuffled } from "../../src/base/random.ts";
import type { NodeStatus } from "../../src/base/views/drive.ts";
import { askControl } from "../../src/cli/daemon/control.ts";
import { type Home, homeAt } from "../../src/cli/home/home.ts";
import { writeSettings } from "../../src/cli/home/settings.ts";
import { placeOf } from "../../src/cli/swarm/peer.ts";
import { type Machine, until } from "./cli.ts";

export interface Pace {
  /** A silence of so long is a death. */
  readonly deadAfterSeconds: number;
  readonly auditIntervalSeconds: number;
}

export interface QuickSwarmOptions extends Pace {
  readonly peers: number;
  /** The drive's class, by a policy of the user's. */
  readonly class: { readonly name: string };
}

/** What one peer keeps and has received since it started. */
export interface Seen {
  readonly number: number;
  readonly pid: number;
  readonly shards: number;
  readonly usedBytes: number;
  readonly receivedBytes: number;
}

export class QuickSwarm {
  readonly #machine: Machine;
  readonly #homes: ReadonlyMap<number, Home>;
  readonly #pids = new Map<number, number>();

  private constructor(machine: Machine, homes: ReadonlyMap<number, Home>) {
    this.#machine = machine;
    this.#homes = homes;
  }

  /** Starts them, and mounts a drive that knows all of them; its words are in what it said. */
  static async open(machine: Machine, options: QuickSwarmOptions): Promise<QuickSwarm> {
    const { peers, deadAfterSeconds, auditIntervalSeconds } = options;
    const pace = { deadAfterSeconds, auditIntervalSeconds };
    const { swarmDirectory } = homeAt(machine.home);
    const homes = new Map<number, Home>();
    for (let number = 1; number <= peers; number++) {
      const { home, settings } = await placeOf(swarmDirectory, number);
      writeSettings(home.settingsFile, { ...settings, ...pace });
      homes.set(number, home);
    }
    const swarm = new QuickSwarm(machine, homes);
    await swarm.#must(["swarm", "start", "--peers", String(peers), "--processes"]);
    for (const { number, pid } of await machine.swarm()) swarm.#pids.set(number, pid as number);
    await swarm.#mountFirst(options, pace);
    return swarm;
  }

  async #mountFirst({ peers, class: { name } }: QuickSwarmOptions, pace: Pace): Promise<void> {
    const { mount, home } = this.#machine;
    const policies = join(home, "config", "policies");
    mkdirSync(policies, { recursive: true });
    writeFileSync(join(policies, "quick.policy"), `policy quick { protect class ${name}; }`);
    await this.#must(["mount", mount, "--swarm", String(peers)]);
    await this.#must(["unmount"]);
    this.#machine.settings({ ...pace, policy: "quick" });
    await this.#must(["mount", mount]);
    const isAmongAll = async (): Promise<boolean> => {
      return (await this.#machine.status()).peers.online >= peers;
    };
    await until(isAmongAll, { seconds: 900, what: "the drive knows all peers" });
  }

  /** Of those that live. */
  async look(): Promise<readonly Seen[]> {
    const found = await Promise.all([...this.#homes].map(async ([number, home]) => {
      const status = (await askControl(home.socket, "status")) as NodeStatus;
      const { vault: { shards, usedBytes }, traffic: { receivedBytes } } = status;
      return { number, pid: this.#pids.get(number) as number, shards, usedBytes, receivedBytes };
    }));
    return found.sort((a, b) => a.number - b.number);
  }

  /** SIGKILL, and what they kept is deleted; nobody says goodbye. */
  async destroy(numbers: readonly number[]): Promise<void> {
    await this.#must(["swarm", "kill", "--wipe", ...numbers.map(String)]);
    const homes = this.#homes as Map<number, Home>;
    for (const number of numbers) homes.delete(number);
  }

  signal(numbers: readonly number[], signal: "SIGSTOP" | "SIGCONT"): void {
    for (const number of numbers) process.kill(this.#pids.get(number) as number, signal);
  }

  /** What lies on the disks of those that live. */
  directories(): readonly string[] {
    const { swarmDirectory } = homeAt(this.#machine.home);
    return [...this.#homes.keys()].map((number) => {
      return join(swarmDirectory, `peer-${String(number).padStart(2, "0")}`);
    });
  }

  async #must(words: readonly string[]): Promise<void> {
    const ran = await this.#machine.hive(words);
    if (ran.code !== 0) throw new Error(`hive ${words.join(" ")}: ${ran.code}\n${ran.error}`);
  }
}

/** So large a share of those who hold something, and of those who hold nothing. */
export function shareOf(
  seen: readonly Seen[], share: number, random: Random,
): readonly number[] {
  const holders = seen.filter(({ shards }) => shards > 0);
  const others = seen.filter(({ shards }) => shards === 0);
  return [holders, others].flatMap((all) => {
    return shuffled(all, random).slice(0, Math.floor(all.length * share));
  }).map(({ number }) => number);
}

export function sumOf(
  seen: readonly Seen[], field: "shards" | "usedBytes" | "receivedBytes",
): number {
  return seen.reduce((sum, one) => sum + one[field], 0);
}
