/** A drive over real vaults, whose peers are in countries that a test can change. */
import { type Agent, openAgent } from "../../src/agent/agent.ts";
import type { PeerId } from "../../src/base/ids.ts";
import { silentLog } from "../../src/base/log.ts";
import type { Manifest } from "../../src/base/records.ts";
import { signOffer } from "../../src/crypt/records/records.ts";
import { type Policy, defaultPolicy } from "../../src/placement/language/policy.ts";
import { type SegmentState, memberOf } from "../../src/transfer/books.ts";
import type { Transfer } from "../../src/transfer/transfer.ts";
import type { Vault } from "../../src/vault/vault.ts";
import { MemoryBooks, ShiftedClock, type VaultWorld, makeVaultWorld } from "./transfer-world.ts";
import { openWorld } from "./transfer-world.ts";

const hourMs = 3_600_000;

export interface PolicyWorld extends VaultWorld {
  readonly clock: ShiftedClock;
  /** The agent's books. */
  readonly conductBooks: MemoryBooks;
}

/** One vault for each country that is named, in their order. */
export async function makePolicyWorld(
  countries: readonly string[], seed: string,
): Promise<PolicyWorld> {
  const world = await makeVaultWorld(countries.length, seed);
  const made = { ...world, clock: new ShiftedClock(), conductBooks: new MemoryBooks() };
  for (const [at, peer] of [...world.network.members.keys()].entries()) {
    moveTo(made, peer, countries[at] as string);
  }
  return made;
}

/** The peer says from now on that it is in another country. */
export function moveTo(world: PolicyWorld, peer: PeerId, country: string): void {
  const member = world.network.members.get(peer);
  if (member === undefined) throw new Error(`no peer ${peer}`);
  const offer = signOffer(member.keys, { ...member.offer, country, atMs: member.offer.atMs + 1 });
  world.network.members.set(peer, { ...member, offer });
}

export function countryOf(world: PolicyWorld, peer: PeerId): string | undefined {
  return world.network.members.get(peer)?.offer.country;
}

export async function openPolicyDrive(
  world: PolicyWorld, policy: Policy = defaultPolicy,
): Promise<{ transfer: Transfer; agent: Agent }> {
  const { clock, conductBooks: books } = world;
  const transfer = await openWorld(world, { clock, policy });
  const agent = await openAgent(
    { ...world, transfer, books, clock, log: silentLog },
    { auditIntervalMs: 1000 * hourMs, deadAfterMs: 72 * hourMs },
  );
  return { transfer, agent };
}

/**
 * Every step of the agent in turns, until none has anything to do; how many turns that took. But
 * for the daily probe, whose reads would stand among those that a test counts.
 */
export async function settle(agent: Agent, turnsMax = 400): Promise<number> {
  const { signal } = new AbortController();
  const steps = agent.steps.filter(({ name }) => name !== "probe");
  for (let turn = 0, quiet = 0; turn < turnsMax; turn++) {
    let isBusy = false;
    for (const step of steps) isBusy = (await step.step(signal) === "busy") || isBusy;
    // What one step leaves may be the other's to do.
    quiet = isBusy ? 0 : quiet + 1;
    if (quiet === 3) return turn;
  }
  throw new Error(`not settled in ${turnsMax} turns`);
}

/** Shards that the vaults of each country keep, as the vaults themselves say. */
export function keptByCountry(world: PolicyWorld): Record<string, number> {
  const kept: Record<string, number> = {};
  for (const { host, offer } of world.network.members.values()) {
    const { shards } = (host as Vault).usage();
    if (shards > 0) kept[offer.country ?? "-"] = (kept[offer.country ?? "-"] ?? 0) + shards;
  }
  return kept;
}

/** The fewest shards that any segment has with vaults which can prove them to be whole. */
export async function fewestLiving(world: PolicyWorld, transfer: Transfer): Promise<number> {
  let fewest = Infinity;
  const from = { peer: world.network.self, owners: [world.keys.owner] };
  for (const state of transfer.health.segments()) {
    const record = await transfer.health.record(state.segment, new AbortController().signal);
    let living = 0;
    for (const root of record.roots) {
      for (const { host } of world.network.members.values()) {
        const range = { offsetBytes: 0, lengthBytes: 1 };
        const found = await host.read(from, root, range).then(() => true, () => false);
        if (!found) continue;
        living++;
        break;
      }
    }
    fewest = Math.min(fewest, living);
  }
  return fewest;
}

/** Shards that lie with somebody else than the newest manifest says. */
export function astray(transfer: Transfer): number {
  const groups = new Map(transfer.health.groups().map((one) => [one.group, one]));
  const astrayOf = (state: SegmentState): number => {
    const manifest = groups.get(state.group) as Manifest;
    return state.holders.filter((holder, at) => holder !== memberOf(state, at, manifest)).length;
  };
  return transfer.health.segments().reduce((sum, state) => sum + astrayOf(state), 0);
}
