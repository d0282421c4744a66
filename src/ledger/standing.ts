/**
 * What a stranger may have here: as much as can be led to it, from us, over debts that we know. Who
 * kept something for us has that much; who kept something for one of those may draw on half of it,
 * and so on, a few steps far. What all strangers have is led over the same debts at once, so any
 * number of made-up peers gets what flows into them and no more. Pure; amounts are in KiB.
 *
 *   us -> newcomers -> prefix -> each drive    a trial for each, and bounds for all of them
 *   us -> peer         a half of what it keeps for us, on which its creditors may draw
 *   us -> peer's own   the other half, which serves its own drives alone
 *   peer -> peer       what the second keeps for the first
 *   peer -> its drive -> all that is lent      what the drive takes up here
 */
import type { PeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { FlowGraph } from "./flow.ts";

/** The client is in the server's debt. */
export interface Debt {
  readonly client: PeerId;
  readonly server: PeerId;
  readonly amount: number;
}

/** A stranger's drive: what it takes up here, and the peers that act for it. */
export interface Demand {
  readonly amount: number;
  readonly devices: readonly PeerId[];
  /** The part of the internet that it came from; undefined where nobody counts by it. */
  readonly prefix?: string | undefined;
}

export interface Trial {
  readonly each: number;
  readonly ofPrefix: number;
  readonly together: number;
}

export const noTrial: Trial = { each: 0, ofPrefix: 0, together: 0 };

/** The debts that lie within some steps of us, the largest first, and no more of them than so. */
export function withinReach(self: PeerId, debts: Iterable<Debt>): readonly Debt[] {
  const byClient = Map.groupBy(debts, ({ client }) => client);
  const { depthMax, peersMax, edgesMax } = limits.ledger;
  const reached: Debt[] = [];
  const seen = new Set([self]);
  let ring: readonly PeerId[] = [self];
  for (let depth = 0; depth < depthMax; depth++) {
    const owed = ring.flatMap((client) => byClient.get(client) ?? []);
    owed.sort((one, other) => other.amount - one.amount);
    const next: PeerId[] = [];
    for (const debt of owed) {
      const isNew = !seen.has(debt.server);
      if (reached.length >= edgesMax || (isNew && seen.size >= peersMax)) continue;
      if (debt.server === self || debt.amount <= 0) continue;
      reached.push(debt);
      if (isNew) next.push(debt.server);
      seen.add(debt.server);
    }
    ring = next;
  }
  return reached;
}

/** The graph of one question; debts must be within reach. */
export class Lending {
  readonly #graph = new FlowGraph();
  readonly #us = this.#graph.node();
  readonly #lent = this.#graph.node();
  readonly #newcomers = this.#graph.node();
  readonly #peers = new Map<PeerId, number>();
  readonly #own = new Map<PeerId, number>();
  readonly #prefixes = new Map<string, number>();
  readonly #trial: Trial;

  constructor(self: PeerId, debts: readonly Debt[], trial: Trial) {
    this.#trial = trial;
    this.#peers.set(self, this.#us);
    this.#graph.edge(this.#us, this.#newcomers, trial.together);
    for (const { client, server, amount } of debts) this.#owe(client, server, amount);
  }

  /** Leads to these drives what they have, as far as it can be; answers how much that is. */
  serve(demands: readonly Demand[]): number {
    for (const demand of demands) this.#ask(demand);
    return this.#graph.send(this.#us, this.#lent);
  }

  /** What could be led to it if it were alone; nothing is lent by asking. */
  standing(devices: readonly PeerId[]): number {
    return this.#graph.tryOut(() => this.serve([{ amount: Infinity, devices }]));
  }

  #ask({ amount, devices, prefix }: Demand): void {
    const drive = this.#graph.node();
    this.#graph.edge(this.#newcomersOf(prefix), drive, this.#trial.each);
    this.#graph.edge(drive, this.#lent, amount);
    for (const peer of devices) {
      for (const node of [this.#peers.get(peer), this.#own.get(peer)]) {
        if (node !== undefined && node !== this.#us) this.#graph.edge(node, drive, Infinity);
      }
    }
  }

  #newcomersOf(prefix: string | undefined): number {
    if (prefix === undefined) return this.#newcomers;
    const known = this.#prefixes.get(prefix);
    if (known !== undefined) return known;
    const node = this.#graph.node();
    this.#graph.edge(this.#newcomers, node, this.#trial.ofPrefix);
    this.#prefixes.set(prefix, node);
    return node;
  }

  #owe(client: PeerId, server: PeerId, amount: number): void {
    const [from, to] = [this.#node(client), this.#node(server)];
    if (from !== this.#us) {
      this.#graph.edge(from, to, amount);
      return;
    }
    const { ownShare } = limits.ledger;
    this.#graph.edge(from, to, amount * (1 - ownShare));
    const own = this.#graph.node();
    this.#graph.edge(from, own, amount * ownShare);
    this.#own.set(server, own);
  }

  #node(peer: PeerId): number {
    const known = this.#peers.get(peer);
    if (known !== undefined) return known;
    const node = this.#graph.node();
    this.#peers.set(peer, node);
    return node;
  }
}

/** How much of its demand one drive is good for beside all others: never more than it asks. */
export function coveredBeside(
  { self, debts, trial, others }: {
    readonly self: PeerId; readonly debts: readonly Debt[]; readonly trial: Trial;
    readonly others: readonly Demand[];
  },
  asked: Demand,
): number {
  const lending = new Lending(self, debts, trial);
  // The others have what they have: this one is led what is left, or what they can do without.
  lending.serve(others);
  return lending.serve([asked]);
}
