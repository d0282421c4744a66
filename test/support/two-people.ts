/** Two people who know of each other's peers, each with a drive that a daemon of her own mounts. */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Test } from "tap";
import { type Machine, type Ran, newMachine, until, wordsIn } from "./cli.ts";
import { met } from "./folders.ts";

export interface TwoPeople {
  /** Her machine runs the swarm. */
  readonly ann: Machine;
  readonly ben: Machine;
  readonly toAnn: Way;
  readonly toBen: Way;
}

/** By which another machine comes to somebody's drive: the words, and a peer's address. */
export interface Way {
  readonly words: string;
  readonly peer: string;
}

interface Circumstances {
  /** Ann's. */
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly peers?: number;
}

/** Two new machines, until the test ends. */
export async function twoPeople(t: Test, circumstances: Circumstances = {}): Promise<TwoPeople> {
  const machines = { ann: newMachine("ann"), ben: newMachine("ben") };
  t.teardown(async () => {
    await machines.ben.end();
    await machines.ann.end();
  });
  return await introduce(machines, (machine, words) => machine.must(t, words), circumstances);
}

/** Both mount their new drives on one swarm, and have met its peers. */
export async function introduce(
  { ann, ben }: Pick<TwoPeople, "ann" | "ben">,
  must: (machine: Machine, words: readonly string[]) => Promise<Ran>,
  { settings = {}, peers = 4 }: Circumstances = {},
): Promise<TwoPeople> {
  const hers = await must(ann, ["init"]);
  ann.settings(settings);
  await must(ann, ["mount", ann.mount, "--swarm", String(peers)]);
  const bootstrap = (await ann.swarm()).map(({ address }) => address);
  const his = await begin(ben, must, bootstrap);
  await met(ann, peers);
  await met(ben, peers);
  const [toAnn, toBen] = [hers, his].map(({ out }): Way => {
    return { words: wordsIn(out), peer: bootstrap[0] as string };
  }) as [Way, Way];
  return { ann, ben, toAnn, toBen };
}

/** A new drive on peers that are there already. */
async function begin(
  machine: Machine, must: (machine: Machine, words: readonly string[]) => Promise<Ran>,
  bootstrap: readonly string[],
): Promise<Ran> {
  const made = await must(machine, ["init"]);
  machine.settings({ bootstrap });
  await must(machine, ["mount", machine.mount]);
  return made;
}

/** One more person, on the swarm of whoever began it. */
export async function another(t: Test, name: string, { swarm }: Machine): Promise<Machine> {
  const machine = newMachine(name);
  t.teardown(() => machine.end());
  const bootstrap = (await swarm()).map(({ address }) => address);
  await begin(machine, (one, words) => one.must(t, words), bootstrap);
  await met(machine, bootstrap.length);
  return machine;
}

/** Another machine of somebody's, with the drive that this way leads to. */
export async function broughtBack(t: Test, name: string, { words, peer }: Way): Promise<Machine> {
  const machine = newMachine(name);
  t.teardown(() => machine.end());
  await machine.must(t, ["recover", "--peer", peer], `${words}\n`);
  await machine.must(t, ["mount", machine.mount]);
  return machine;
}

/** What its user gives others, so that they can share with him. */
export async function contactOf(t: Test, machine: Machine): Promise<string> {
  return (await machine.must(t, ["contacts", "me"])).out.trim();
}

/** Each knows the other by name. */
export async function acquaint(t: Test, { ann, ben }: Pick<TwoPeople, "ann" | "ben">): Promise<void> {
  await ann.must(t, ["contacts", "add", "Ben", await contactOf(t, ben)]);
  await ben.must(t, ["contacts", "add", "Ann", await contactOf(t, ann)]);
}

/** A folder of one, under her mount, is the other's to read. */
export async function share(
  t: Test, folder: string, { from, to, name }: {
    readonly from: Machine; readonly to: Machine;
    /** By which the one knows the other. */
    readonly name: string;
  },
): Promise<void> {
  const grant = await from.must(t, ["share", join(from.mount, folder), "--with", name]);
  await to.must(t, ["accept", grant.out.trim()]);
  await from.must(t, ["flush", "--timeout", "60"]);
}

/** The fields of `hive shares --json` that scripts rely on. */
export interface SharesRow {
  readonly given: readonly {
    readonly told: number;
    readonly holders: number;
    readonly with: readonly {
      readonly wroteAt: string | null;
      readonly writes: boolean;
      readonly trouble: string | null;
      readonly devices: number;
    }[];
  }[];
  readonly taken: readonly { readonly writes: boolean; readonly trouble: string | null }[];
  readonly withdrawals: readonly {
    readonly path: string;
    readonly from: string;
    readonly phase: string;
    readonly holders: readonly { readonly asked: number; readonly confirmed: number }[];
  }[];
}

export async function shares(machine: Machine): Promise<SharesRow> {
  return JSON.parse((await machine.hive(["shares", "--json"])).out) as SharesRow;
}

export function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Until these are the file's bytes. */
export function appears(
  path: string, bytes: string | Buffer, { seconds = 60 }: { readonly seconds?: number } = {},
): Promise<void> {
  const hasThem = async () => {
    try {
      return readFileSync(path).equals(Buffer.from(bytes));
    } catch {
      return false;
    }
  };
  return until(hasThem, { seconds, what: `${path} is there` });
}

/** Until what was shared with him is not to be seen any more. */
export function isShutOut(reader: Machine): Promise<void> {
  const isGone = async () => {
    return (await shares(reader)).taken[0]?.trouble?.includes("any more") === true;
  };
  return until(isGone, { seconds: 60, what: "Ben is refused" });
}
