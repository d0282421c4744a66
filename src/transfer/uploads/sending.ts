/**
 * Segments on their way: coded, written down before their first shard leaves, sent to the members
 * of their group, and accepted when enough of them have acknowledged. It picks no blocks and no
 * groups, and knows nothing of rounds: `upload` does.
 */
import type { KeyValue } from "../../base/blocks.ts";
import type { Clock } from "../../base/clock.ts";
import { assert } from "../../base/errors.ts";
import type { Cid, PeerId } from "../../base/ids.ts";
import type { Log } from "../../base/log.ts";
import type { Manifest, SegmentRecord } from "../../base/records.ts";
import type { DriveKeys } from "../../crypt/drive/drive.ts";
import type { Coder } from "../../erasure/erasure.ts";
import { memberOfShard } from "../../placement/draws/seats.ts";
import { type HalfPlaced, type SegmentBooks, type SegmentState } from "../books.ts";
import { freshState, heldCount } from "../books.ts";
import type { CatalogEntry } from "../catalog/catalog-page.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { Groups } from "../groups/groups.ts";
import type { Placer } from "../groups/place.ts";
import type { Layout } from "../segments/pack.ts";
import { type CodedSegment, codeSegment, signSegment } from "../segments/segment.ts";
import type { Witness } from "../witness.ts";
import { ShardPool } from "./shard-pool.ts";

export interface SendingNeeds {
  readonly books: KeyValue;
  readonly coder: Coder;
  readonly keys: DriveKeys;
  readonly clock: Clock;
  readonly log: Log;
  readonly segments: SegmentBooks;
  readonly catalog: Catalog;
  readonly groups: Groups;
  readonly placer: Placer;
  readonly witness: Witness;
  /** Bytes of a block, which may lie in the room that is given. */
  readonly read: (cid: Cid, into: Buffer) => Promise<Uint8Array>;
  /** These blocks are on enough peers now. */
  readonly placed: (cids: readonly Cid[]) => Promise<void>;
}

export class Sending {
  readonly #needs: SendingNeeds;
  readonly #pool = new ShardPool();

  constructor(needs: SendingNeeds) {
    this.#needs = needs;
  }

  /** Nothing is under way: room that is kept for speed alone goes. */
  rest(): void {
    this.#pool.clear();
  }

  /** Codes a segment and writes it down before its first shard leaves. */
  async begin(
    layout: Layout, group: Manifest,
  ): Promise<{ half: HalfPlaced; coded: CodedSegment }> {
    const coded = await this.code(layout, group.class.n);
    const { roots } = coded;
    const { shardBytes, blocks } = layout;
    const told = { group: group.group, class: group.class, shardBytes, roots };
    const record = signSegment(this.#needs, told);
    const state = freshState(record);
    await this.#needs.segments.write(state, { record, blocks });
    return { half: { state, record, blocks }, coded };
  }

  code(layout: Layout, n: number): Promise<CodedSegment> {
    const take = (shardBytes: number): Buffer => this.#pool.take(shardBytes);
    return codeSegment(this.#needs.coder, layout, { n, read: this.#needs.read, take });
  }

  /** True when enough members have their shards. */
  async place(
    half: HalfPlaced, coded: CodedSegment, signal: AbortSignal,
  ): Promise<boolean> {
    const { record, blocks } = half;
    const manifest = this.#needs.groups.get(record.group);
    assert(manifest !== undefined, "a segment has its group");
    const { r } = manifest.class;
    const startedMs = this.#needs.clock.monotonicMs();
    let state = await this.#sendMissing(half, coded, { haste: true, signal });
    if (heldCount(state) < r) {
      state = await this.#sendMissing({ ...half, state }, coded, { haste: false, signal });
    }
    const isOurLine = !this.#needs.witness.heardSince(startedMs);
    if (heldCount(state) < r && !isOurLine && await this.#replaceFailed(state, record)) {
      state = await this.#sendMissing({ ...half, state }, coded, { haste: false, signal });
    }
    if (heldCount(state) < r) {
      await this.#needs.segments.write(state, { record, blocks });
      return false;
    }
    await this.#accept({ state, record, blocks });
    return true;
  }

  async #sendMissing(
    half: HalfPlaced,
    coded: CodedSegment,
    options: { readonly haste: boolean; readonly signal: AbortSignal },
  ): Promise<SegmentState> {
    const { state, record } = half;
    const manifest = this.#needs.groups.get(record.group);
    assert(manifest !== undefined, "a segment has its group");
    const freed = (shard: Buffer) => () => this.#pool.give(shard);
    const shards = coded.shards.map((bytes, index) => ({ index, bytes, freed: freed(bytes) }));
    const missing = shards
      .filter(({ index }) => state.holders[index] !== memberOfShard(record, index, manifest));
    const taken = await this.#needs.placer.place(record, manifest, missing, options);
    const holders = state.holders.map((holder, index) => taken.get(index) ?? holder);
    return { ...state, holders };
  }

  /**
   * New members for as many seats as the round lacks, of those that took nothing: it cannot wait
   * for repair, and whoever keeps its seat has nothing to move.
   */
  async #replaceFailed(state: SegmentState, record: SegmentRecord): Promise<boolean> {
    const manifest = this.#needs.groups.get(record.group);
    assert(manifest !== undefined, "a segment has its group");
    const failed = new Set<PeerId>();
    for (const [index, holder] of state.holders.entries()) {
      if (holder === undefined) failed.add(memberOfShard(record, index, manifest));
    }
    let newest: Manifest | undefined;
    let lacking = manifest.class.r - heldCount(state);
    for (const peer of failed) {
      if (lacking === 0) break;
      const next = await this.#needs.groups.replace(record.group, [peer], failed);
      if (next !== undefined) lacking--;
      newest = next ?? newest;
    }
    if (newest !== undefined) await this.#needs.groups.tell(newest);
    return newest !== undefined;
  }

  /** The books first, then the cache: what it evicts can be found. */
  async #accept({ state, record, blocks }: HalfPlaced): Promise<void> {
    const { segment, group } = record;
    const entries = blocks.map((block): CatalogEntry => ({ ...block, segment, group }));
    const changes = await this.#needs.catalog.changesFor(entries);
    await this.#needs.segments.write({ ...state, placed: true }, { record, changes });
    const held = heldCount(state);
    this.#needs.log.debug("transfer.segment.placed", { segment, held, n: state.n });
    await this.#needs.placed(blocks.map(({ cid }) => cid));
  }
}
