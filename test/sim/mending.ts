/**
 * One group's repair, asked of the product's own planner (agent/mending/plan.ts) as an agent would ask
 * it: the group with one segment, which stands for all of its segments. What is numbers in the
 * simulator is a manifest and a segment's state for as long as the question takes.
 */
import { type RepairPlan, planRepair } from "../../src/agent/mending/plan.ts";
import type { GroupId, OwnerId, PeerId, SegmentId } from "../../src/base/ids.ts";
import type { ErasureClass, Manifest } from "../../src/base/records.ts";
import type { SegmentState } from "../../src/transfer/books.ts";
import { type Seats, nobody } from "./seats.ts";

/** What is known of peers, by their numbers. Nobody is unfit. */
export interface Sight {
  isUnfit(peer: number): boolean;
  isFresh(peer: number): boolean;
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
  /** A plan tells members apart, and no more: each is called by its seat. */
  readonly #names: readonly PeerId[];
  readonly #seatOf: ReadonlyMap<PeerId, number>;
  /** Who had a shard before it was given away: nobody knows. */
  readonly #strangers: readonly PeerId[];

  constructor(
    needs: { readonly seats: Seats; readonly sight: Sight },
    options: { readonly class: ErasureClass; readonly isPatient: boolean },
  ) {
    this.#seats = needs.seats;
    this.#sight = needs.sight;
    this.#class = options.class;
    this.#isPatient = options.isPatient;
    const { n } = options.class;
    this.#names = Array.from({ length: n }, (_, seat) => `${seat}` as PeerId);
    this.#strangers = this.#names.map((name) => `-${name}` as PeerId);
    this.#seatOf = new Map(this.#names.map((name, seat) => [name, seat]));
  }

  plan(at: number): Mending {
    const { replacements, mends } = this.#ask(at);
    return {
      lost: replacements.map(({ lost }) => this.#seatOf.get(lost) as number),
      mends: mends.map(({ index }) => index),
    };
  }

  #ask(at: number): RepairPlan {
    const { k, n } = this.#class;
    const first = at * n;
    const manifest: Manifest = {
      owner, group, epoch: 1, class: this.#class, policyHash: "", peers: this.#names, bytes,
    };
    const state: SegmentState = {
      segment, group, k, n, shardBytes: 1, rotation: 0, placed: true, provenAtMs: 0,
      holders: this.#names.map((name, seat) => {
        return this.#seats.hasShard(first + seat) ? name : this.#strangers[seat];
      }),
    };
    const peerOf = (name: PeerId): number => {
      const seat = this.#seatOf.get(name);
      return seat === undefined ? nobody : this.#seats.peerOf(first + seat);
    };
    return planRepair({
      segments: [state], manifests: [manifest], isPatient: this.#isPatient,
      isUnfit: (name) => this.#isUnfit(peerOf(name)),
      isFresh: (name) => this.#isFresh(peerOf(name)),
      isOnline: (name) => this.#isOnline(peerOf(name)),
      isBarred: () => false,
    });
  }

  #isUnfit(peer: number): boolean {
    return peer === nobody || this.#sight.isUnfit(peer);
  }

  #isFresh(peer: number): boolean {
    return peer !== nobody && this.#sight.isFresh(peer);
  }

  #isOnline(peer: number): boolean {
    return peer !== nobody && this.#sight.isOnline(peer);
  }
}
