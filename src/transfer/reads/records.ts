/**
 * Segment records by id: from the books, or on a machine that lost them from any member of the
 * segment's group, since each keeps the record with its shard. What members say is checked by the
 * owner's signature, and by the id that was asked for.
 */
import type { Clock } from "../../base/clock.ts";
import { HiveError, isFault } from "../../base/errors.ts";
import type { GroupId, OwnerId, PeerId, SegmentId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { PeerNetwork } from "../../base/network.ts";
import type { Manifest, SegmentRecord } from "../../base/records.ts";
import { memberOfShard } from "../../placement/draws/seats.ts";
import { type SegmentBooks, freshState } from "../books.ts";
import type { Seating } from "../groups/groups.ts";
import type { Witness } from "../witness.ts";
import { gather } from "./gather.ts";
import { idBefore } from "./shards.ts";

export interface RecordsNeeds {
  readonly network: PeerNetwork;
  readonly clock: Clock;
  readonly owner: OwnerId;
  readonly segments: Pick<SegmentBooks, "get" | "record" | "write">;
  readonly groups: Seating;
  readonly witness: Witness;
}

type AskPage = (after: SegmentId | undefined) => Promise<readonly SegmentRecord[]>;

export class Records {
  readonly #needs: RecordsNeeds;
  /** The last few, parsed: neighbouring blocks are of one segment. */
  readonly #recent = new Map<SegmentId, SegmentRecord>();

  constructor(needs: RecordsNeeds) {
    this.#needs = needs;
  }

  async get(
    named: { readonly segment: SegmentId; readonly group: GroupId }, signal: AbortSignal,
  ): Promise<SegmentRecord> {
    const { segment } = named;
    const known = this.#recent.get(segment) ?? await this.#needs.segments.record(segment);
    const record = known ?? await this.#ask(named, signal);
    this.#recent.delete(segment);
    this.#recent.set(segment, record);
    if (this.#recent.size > limits.transfer.recordsMax) {
      this.#recent.delete(this.#recent.keys().next().value as SegmentId);
    }
    return record;
  }

  /** All records of a group, a page at a time from whichever member answers, as far as any do. */
  async learn(manifest: Manifest, signal: AbortSignal): Promise<void> {
    await this.#learnPages(manifest, signal, (after) => this.#page(manifest, after, signal));
  }

  /** The same from each of its members: one alone may have missed some of its segments. */
  async learnFromAll(manifest: Manifest, signal: AbortSignal): Promise<void> {
    const { network, owner, groups } = this.#needs;
    for (const peer of groups.seated(manifest).peers) {
      await this.#learnPages(manifest, signal, (after) => {
        return network.segments(peer, owner, after, { signal });
      });
    }
  }

  async #learnPages(manifest: Manifest, signal: AbortSignal, ask: AskPage): Promise<void> {
    try {
      await this.#learnAll(manifest, ask);
    } catch (error) {
      signal.throwIfAborted();
      if (!isFault(error)) throw error;
    }
  }

  async #learnAll(manifest: Manifest, ask: AskPage): Promise<void> {
    let after: SegmentId | undefined;
    for (let page = 0; page < limits.transfer.recordPagesMax; page++) {
      const records = await ask(after);
      for (const record of records) {
        if (record.group === manifest.group) await this.#keep(record);
      }
      const last = records.at(-1)?.segment;
      if (last === undefined || last === after) return;
      after = last;
    }
  }

  async #ask(
    named: { readonly segment: SegmentId; readonly group: GroupId }, signal: AbortSignal,
  ): Promise<SegmentRecord> {
    const manifest = this.#needs.groups.get(named.group);
    if (manifest === undefined) throw new HiveError("Unavailable", "transfer.record", named.group);
    const { segment } = named;
    const found = await this.#first(manifest, signal, async (peer, until) => {
      const { network, owner } = this.#needs;
      const page = await network.segments(peer, owner, idBefore(segment), { signal: until });
      const record = page.find((each) => each.segment === segment);
      if (record !== undefined) return record;
      throw new HiveError("NotFound", "transfer.record", segment);
    });
    await this.#keep(found);
    return found;
  }

  #page(
    manifest: Manifest, after: SegmentId | undefined, signal: AbortSignal,
  ): Promise<readonly SegmentRecord[]> {
    const { network, owner } = this.#needs;
    return this.#first(manifest, signal, (peer, until) => {
      return network.segments(peer, owner, after, { signal: until });
    });
  }

  async #first<T>(
    manifest: Manifest,
    signal: AbortSignal,
    ask: (peer: PeerId, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { peers } = this.#needs.groups.seated(manifest);
    const sources = this.#needs.witness.inOrder(peers.map((peer) => ({ peer })));
    const patienceMs = limits.transfer.rangePatienceMs;
    const options = { sources, needed: 1, hedge: 0, patienceMs, signal };
    const found = await gather(this.#needs.clock, options, ({ peer }, until) => ask(peer, until));
    return [...found.values()][0] as T;
  }

  /** Presumed with the members: the audit finds out who has what. */
  async #keep(record: SegmentRecord): Promise<void> {
    if (this.#needs.segments.get(record.segment) !== undefined) return;
    const known = this.#needs.groups.get(record.group);
    const manifest = known === undefined ? undefined : this.#needs.groups.seated(known);
    const state = freshState(record);
    const holders = state.holders.map((_, index) => {
      return manifest === undefined ? undefined : memberOfShard(record, index, manifest);
    });
    await this.#needs.segments.write({ ...state, placed: true, holders }, { record });
  }
}
