/**
 * Places blocks of segments anew, in another group or more closely packed: fetches their data
 * shards, takes out the blocks that the catalog still finds there, packs and codes them for the
 * target's class, and lets the catalog point to the new place once enough members have acknowledged
 * it. An old segment stays whole until then, and until a head that does without it is published
 * (outgoing.ts). One move at a time.
 *
 * A crash leaves at worst shards that nothing names; they are told to their holders as surplus.
 * Keys of the KeyValue:
 *
 *   v/SEGMENT  16-byte group: a new segment on its way
 */
import type { KeyChange, KeyValue } from "../../base/blocks.ts";
import { transferKeys } from "../../base/book-keys.ts";
import type { Clock } from "../../base/clock.ts";
import { HiveError } from "../../base/errors.ts";
import { Gate } from "../../base/gate.ts";
import { type Cid, type PeerId, type SegmentId, bytesOfId, cidOf } from "../../base/ids.ts";
import { parseGroupId, parseSegmentId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import type { Manifest, SegmentRecord } from "../../base/records.ts";
import type { DriveKeys } from "../../crypt/drive/drive.ts";
import type { Coder } from "../../erasure/erasure.ts";
import { type SegmentBooks, freshState } from "../books.ts";
import type { CatalogEntry } from "../catalog/catalog-page.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { Doubt } from "../doubt.ts";
import type { Groups } from "../groups/groups.ts";
import type { Placer } from "../groups/place.ts";
import { dataShardsOf } from "../reads/data-shards.ts";
import type { Records } from "../reads/records.ts";
import type { ShardReader } from "../reads/shards.ts";
import { type Layout, blocksIn, planRound } from "../segments/pack.ts";
import { codeSegment, signSegment } from "../segments/segment.ts";
import type { Outgoing } from "./outgoing.ts";
import type { Surplus } from "./surplus.ts";

export interface MoveNeeds {
  readonly books: KeyValue;
  readonly keys: DriveKeys;
  readonly clock: Clock;
  readonly coder: Coder;
  readonly log: Log;
  readonly segments: SegmentBooks;
  readonly groups: Groups;
  readonly catalog: Catalog;
  readonly records: Records;
  readonly reader: ShardReader;
  readonly placer: Placer;
  readonly surplus: Surplus;
  readonly outgoing: Outgoing;
  readonly doubt: Doubt;
}

const prefix = transferKeys.movingSegment;

export class Mover {
  readonly #needs: MoveNeeds;
  readonly #turns = new Gate({ seats: 1, queueMax: limits.transfer.movesQueueMax });

  constructor(needs: MoveNeeds) {
    this.#needs = needs;
  }

  /** True when nothing of these segments is needed any more; false when too few took the new. */
  async move(
    from: readonly SegmentId[], target: Manifest, signal: AbortSignal,
  ): Promise<boolean> {
    // What is on its way would look to the other like what an earlier life left behind.
    using _turn = await this.#turns.enter(signal);
    // What the catalog does not find in them would stay behind.
    this.#needs.doubt.refuse();
    await this.#tidy();
    const isAllowed = this.#needs.groups.law.mayHere("encode", target);
    if (!isAllowed) throw new HiveError("Denied", "transfer.move", target.group);
    const blocks = await this.#livingIn(from, signal);
    const told = [...blocks].map(([cid, bytes]) => ({ cid, lengthBytes: bytes.length }));
    for (const layout of planRound(told, target.class.k)) {
      signal.throwIfAborted();
      const parcel = { layout, blocks, from: new Set(from), target };
      if (!(await this.#place(parcel, signal))) return false;
    }
    for (const segment of from) await this.#needs.outgoing.add(segment);
    return true;
  }

  async #livingIn(
    from: readonly SegmentId[], signal: AbortSignal,
  ): Promise<ReadonlyMap<Cid, Uint8Array>> {
    const { segments, records } = this.#needs;
    const blocks = new Map<Cid, Uint8Array>();
    for (const segment of from) {
      const state = segments.get(segment);
      if (state === undefined) throw new HiveError("NotFound", "transfer.move", segment);
      const record = await records.get(state, signal);
      for (const [cid, bytes] of await this.#living(record, signal)) blocks.set(cid, bytes);
    }
    return blocks;
  }

  /** Of the blocks that lie in the segment, those that the catalog finds there and nowhere else. */
  async #living(
    record: SegmentRecord, signal: AbortSignal,
  ): Promise<ReadonlyMap<Cid, Uint8Array>> {
    const { catalog } = this.#needs;
    // The catalog's own pages are written anew by itself: other pages hold their places.
    const pages = await catalog.pages();
    const living = new Map<Cid, Uint8Array>();
    for (const { cid, bytes } of blocksIn(await dataShardsOf(this.#needs, record, signal))) {
      const entry = await catalog.find(cid);
      if (entry?.segment !== record.segment || pages.has(cid)) continue;
      if (cidOf(bytes) !== cid) throw new HiveError("Corrupt", "transfer.move", cid);
      living.set(cid, bytes);
    }
    return living;
  }

  async #place(parcel: Parcel, signal: AbortSignal): Promise<boolean> {
    const { layout, blocks, target } = parcel;
    const read = async (cid: Cid): Promise<Uint8Array> => blocks.get(cid) as Uint8Array;
    const take = (shardBytes: number): Buffer => Buffer.allocUnsafeSlow(shardBytes);
    const { n, r } = target.class;
    const coded = await codeSegment(this.#needs.coder, layout, { n, read, take });
    const { shardBytes } = layout;
    const told = { group: target.group, class: target.class, shardBytes, roots: coded.roots };
    const record = signSegment(this.#needs, told);
    await this.#needs.books.put(prefix + record.segment, bytesOfId(target.group));
    const shards = coded.shards.map((bytes, index) => ({ index, bytes }));
    const placing = { haste: false, signal };
    const taken = await this.#needs.placer.place(record, target, shards, placing);
    if (taken.size < r) {
      // Whose receipt was lost may have its shard all the same.
      await this.#giveUp(record.segment, target.peers);
      return false;
    }
    await this.#accept(parcel, record, taken);
    return true;
  }

  /** One batch: what was there a moment ago and what is there now are both whole. */
  async #accept(
    { layout, from, target }: Parcel, record: SegmentRecord, taken: ReadonlyMap<number, PeerId>,
  ): Promise<void> {
    const { segments, catalog } = this.#needs;
    const { segment } = record;
    const entries: CatalogEntry[] = [];
    for (const block of layout.blocks) {
      const entry = await catalog.find(block.cid);
      // An upload may have put it somewhere else meanwhile, or nobody need it any more.
      if (entry === undefined || !from.has(entry.segment)) continue;
      entries.push({ ...block, segment, group: target.group });
    }
    const state = freshState(record);
    const holders = state.holders.map((_, index) => taken.get(index));
    const changes = await catalog.changesFor(entries);
    const arrived: KeyChange = { type: "delete", key: prefix + segment };
    await segments.write({ ...state, placed: true, holders }, {
      record, changes: [...changes, arrived],
    });
  }

  /** Of a life that ended while a segment was on its way: whoever may have a shard of it. */
  async #tidy(): Promise<void> {
    for await (const [key, value] of this.#needs.books.list(prefix)) {
      const segment = parseSegmentId(key.slice(prefix.length));
      const group = parseGroupId(Buffer.from(value).toString("hex"));
      // It has arrived: damaged books can have again what was taken out of them.
      if (this.#needs.segments.get(segment) !== undefined) await this.#needs.books.delete(key);
      else await this.#giveUp(segment, this.#needs.groups.get(group)?.peers ?? []);
    }
  }

  async #giveUp(segment: SegmentId, holders: Iterable<PeerId>): Promise<void> {
    const { books, surplus, log } = this.#needs;
    const drops = [...holders].map((peer) => surplus.changeFor({ peer, segment, index: "all" }));
    await books.batch([{ type: "delete", key: prefix + segment }, ...drops]);
    log.info("transfer.move.abandoned", { segment, holders: drops.length });
  }
}

interface Parcel {
  readonly layout: Layout;
  readonly blocks: ReadonlyMap<Cid, Uint8Array>;
  /** Where they lie now. */
  readonly from: ReadonlySet<SegmentId>;
  readonly target: Manifest;
}
