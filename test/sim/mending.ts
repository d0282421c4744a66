/**
 * One group's repair, asked of the product's own planner (agent/plan.ts) as an agent would ask
 * it: the group with one segment, which stands for all of its segments. What is numbers in the
 * simulator is a manifest and a segment's state for as long as the question takes.
 */
import { type RepairPlan, planRepair } from "../../src/agent/plan.ts";
import type { GroupId, OwnerId, PeerId, SegmentId } from "../../src/base/ids.ts";
import type { ErasureClass, Manifest } from "../../src/base/records.ts";
import type { SegmentState } from "../../src/transfer/books.ts";
import { type Seats, nobody } from "./seats.ts";

/** What is known of peers, by their numbers. Nobody is unfit. */
export interface Sight {
  isUnfit(peer: number): boolean;
  isOnline(peer: number): boolean;
}

/** Of a group's seats, from 0 to n - 1. */
export interface Mending {
  /** Whose seats are to be given away. */
  readonly lost: readonly number[];
  /** Which shards are to be made and brought. */
  readonly mends: readonly number[];
}

// A record's other fields say nothing that a plan depends on.
const group = "simulated" as GroupId;
const segment = "simulated" as SegmentId;
const owner = "simulated" as OwnerId;
const bytes = new Uint8Array();

export class Mender {
  readonly #seats: Seats;
  readonly #class: ErasureClass;
  readonly #sight: Sight;
  readonly #isPatient: boolean;

  constructor(
    needs: { readonly seats: Seats; readonly sight: Sight },
    options: { readonly class: ErasureClass; readonly isPatient: boolean },
  ) {
    this.#seats = needs.seats;
    this.#sight = needs.sight;
    this.#class = options.class;
    this.#isPatient = options.isPatient;
  }

  plan(at: number): Mending {
    const members = [...this.#seats.peersOf(at)];
    const peers = members.map(nameOf);
    const { replacements, mends } = this.#ask(at, peers);
    const lost = new Set(replacements.map((replacement) => replacement.lost));
    return {
      lost: peers.flatMap((peer, seat) => (lost.has(peer) ? [seat] : [])),
      mends: mends.map(({ index }) => index),
    };
  }

  #ask(at: number, peers: readonly PeerId[]): RepairPlan {
    const { k, n } = this.#class;
    const first = at * n;
    const manifest: Manifest = {
      owner, group, epoch: 1, class: this.#class, policyHash: "", peers, bytes,
    };
    const state: SegmentState = {
      segment, group, k, n, shardBytes: 1, rotation: 0, placed: true, provenAtMs: 0,
      // A seat without its shard was given away: whoever had it before counts no more.
      holders: peers.map((peer, seat) => {
        return this.#seats.hasShard(first + seat) ? peer : nameOf(nobody, seat);
      }),
    };
    return planRepair({
      segments: [state], manifests: [manifest], isPatient: this.#isPatient,
      isUnfit: (peer) => isNobody(peer) || this.#sight.isUnfit(numberOf(peer)),
      isOnline: (peer) => !isNobody(peer) && this.#sight.isOnline(numberOf(peer)),
      isBarred: () => false,
    });
  }
}

/** Free seats have names of their own: a plan tells members apart by them. */
function nameOf(peer: number, seat: number): PeerId {
  return (peer === nobody ? `-${seat}` : `${peer}`) as PeerId;
}

function isNobody(peer: PeerId): boolean {
  return peer.startsWith("-");
}

function numberOf(peer: PeerId): number {
  return Number(peer);
}
