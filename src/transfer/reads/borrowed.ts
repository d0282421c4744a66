/**
 * Reading another's blocks from his holders, as his own machine would, with what one of his heads
 * says: groups, places, and the key of his catalogue. It keeps no books, signs nothing, and repairs
 * nothing; what it gives out has the right CID.
 */
import type { BlockFetcher } from "../../base/blocks.ts";
import type { Clock } from "../../base/clock.ts";
import { isFault } from "../../base/errors.ts";
import type { Cid, GroupId, OwnerId, PeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type Log, describe } from "../../base/log.ts";
import type { PeerNetwork } from "../../base/network.ts";
import type { Manifest } from "../../base/records.ts";
import { parseManifest, supersedes } from "../../crypt/records/records.ts";
import type { Coder } from "../../erasure/erasure.ts";
import type { SegmentBooks } from "../books.ts";
import type { Seating } from "../groups/groups.ts";
import { Witness } from "../witness.ts";
import { type BorrowedHead, BorrowedPlaces } from "./borrowed-places.ts";
import { Downloader } from "./download.ts";
import { HedgeBudget, Pace } from "./pace.ts";
import { Records } from "./records.ts";
import { ShardReader } from "./shards.ts";

export interface BorrowedNeeds {
  readonly network: PeerNetwork;
  readonly coder: Coder;
  readonly clock: Clock;
  readonly log: Log;
  readonly owner: OwnerId;
  /** A page of his catalogue, from this machine or, by asking `fetch` here, from his holders. */
  readonly read: (cid: Cid) => Promise<Uint8Array>;
  readonly mayReadAhead?: (bytes: number) => boolean;
  readonly holdsReads?: () => boolean;
}

export class Borrowed implements BlockFetcher {
  readonly #needs: BorrowedNeeds;
  readonly #seats = new BorrowedSeats();
  readonly #places: BorrowedPlaces;
  readonly #downloader: Downloader;

  constructor(needs: BorrowedNeeds) {
    this.#needs = needs;
    this.#places = new BorrowedPlaces(needs.read);
    const parts = {
      ...needs, groups: this.#seats, segments: noBooks, witness: new Witness(needs),
      pace: new Pace(needs), budget: new HedgeBudget(),
    };
    const records = new Records(parts);
    const reader = new ShardReader(parts);
    const find = (cid: Cid) => this.#places.find(cid);
    const { readTimeoutMs } = limits.transfer;
    this.#downloader = new Downloader({ ...parts, records, reader, find }, { readTimeoutMs });
  }

  /** Whoever keeps his shards, as far as that is known here. */
  members(): readonly PeerId[] {
    return this.#seats.members();
  }

  /** The groups that he is known to have. */
  groups(): ReadonlySet<GroupId> {
    return this.#seats.groups();
  }

  /** What a newer head says holds from now on. */
  adopt(head: BorrowedHead & { readonly manifests: readonly Uint8Array[] }): void {
    for (const bytes of head.manifests) this.#sit(parseManifest(bytes));
    this.#places.adopt(head);
  }

  /** A head has no room for many groups, and a member may have been replaced since. */
  async refresh(from: PeerId, signal: AbortSignal): Promise<void> {
    try {
      const { network, owner } = this.#needs;
      const { manifests } = await network.records(from, owner, { signal });
      for (const manifest of manifests) this.#sit(manifest);
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#needs.log.debug("transfer.borrowed.groups", { peer: from, why: describe(error) });
    }
  }

  /** NotFound when his catalogue does not name it. */
  fetch(cid: Cid, options: { readonly signal?: AbortSignal } = {}): Promise<Uint8Array> {
    return this.#downloader.fetch(cid, options);
  }

  #sit(manifest: Manifest): void {
    if (manifest.owner === this.#needs.owner) this.#seats.sit(manifest);
  }
}

/** The newest manifests that were heard of. */
class BorrowedSeats implements Seating {
  readonly #manifests = new Map<GroupId, Manifest>();

  sit(manifest: Manifest): void {
    const known = this.#manifests.get(manifest.group);
    const isFull = this.#manifests.size >= limits.transfer.groupsMax;
    if (known === undefined ? isFull : !supersedes(manifest, known)) return;
    this.#manifests.set(manifest.group, manifest);
  }

  get(group: GroupId): Manifest | undefined {
    return this.#manifests.get(group);
  }

  seated(manifest: Manifest): Manifest {
    return manifest;
  }

  groups(): ReadonlySet<GroupId> {
    return new Set(this.#manifests.keys());
  }

  members(): readonly PeerId[] {
    return [...new Set([...this.#manifests.values()].flatMap(({ peers }) => peers))];
  }
}

/** Records of segments are asked for when they are wanted; the last few stay with `Records`. */
const noBooks: Pick<SegmentBooks, "get" | "record" | "write"> = {
  get: () => undefined,
  record: async () => undefined,
  write: async () => undefined,
};
