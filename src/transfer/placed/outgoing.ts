/**
 * Segments whose blocks all lie elsewhere by the catalog here. Their holders may drop them only
 * when nobody can need them any more: not the catalog's own pages, and not a machine that has only
 * the newest published head to go by. Nobody proves or mends them meanwhile, so one that turns out
 * to have something in it after all stays. Keys of the KeyValue:
 *
 *   o/SEGMENT  varint: a head of a higher sequence does without it; 0 when that is not known yet
 */
import type { KeyChange, KeyValue } from "../../base/blocks.ts";
import { transferKeys } from "../../base/book-keys.ts";
import { Reader, Writer } from "../../base/bytes.ts";
import { type GroupId, type SegmentId, parseSegmentId } from "../../base/ids.ts";
import type { Log } from "../../base/log.ts";
import { type SegmentBooks } from "../books.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { Doubt } from "../doubt.ts";
import type { Groups } from "../groups/groups.ts";
import { type Renewal, sequences } from "../heads/publish.ts";
import type { Clearing } from "./clearing.ts";
import type { Surplus } from "./surplus.ts";

export interface OutgoingNeeds {
  readonly books: KeyValue;
  readonly log: Log;
  readonly segments: SegmentBooks;
  readonly groups: Groups;
  readonly catalog: Catalog;
  readonly surplus: Surplus;
  readonly clearing: Clearing;
  readonly doubt: Pick<Doubt, "isOn">;
  readonly renewal: Renewal;
  /** Another device's catalog may still name what this one has moved. */
  readonly devices?: { readonly areAny: boolean };
}

const prefix = transferKeys.outgoingSegment;

export class Outgoing {
  readonly #needs: OutgoingNeeds;
  readonly #after = new Map<SegmentId, number>();
  /** Groups that a segment has left for good. */
  readonly #left = new Set<GroupId>();
  /** With which published head, and how many segments, the catalog was last gone through. */
  #seen = "";

  constructor(needs: OutgoingNeeds) {
    this.#needs = needs;
  }

  async open(): Promise<void> {
    for await (const [key, value] of this.#needs.books.list(prefix)) {
      const segment = parseSegmentId(key.slice(prefix.length));
      const after = new Reader(value, "transfer.outgoing").varint();
      if (this.#needs.segments.get(segment) !== undefined) this.#after.set(segment, after);
    }
  }

  has(segment: SegmentId): boolean {
    return this.#after.has(segment);
  }

  get size(): number {
    return this.#after.size;
  }

  /** What the group kept was moved: it is not empty because nothing of it is known yet. */
  hasLeft(group: GroupId): boolean {
    return this.#left.has(group);
  }

  /** All that the segment keeps lies elsewhere now. */
  async add(segment: SegmentId): Promise<void> {
    if (this.#needs.segments.get(segment) !== undefined) await this.#put(segment, 0);
  }

  /** Goes on with each as far as can be; answers how many are with their holders no more. */
  async settle(): Promise<number> {
    if (this.size === 0 || this.#needs.doubt.isOn) return 0;
    const { books, catalog, renewal } = this.#needs;
    if (await catalog.isToRenew()) renewal.want();
    const { last, published } = await sequences(books);
    const isHeld = this.#needs.devices?.areAny === true;
    // Going through the catalog takes its time: only when it may tell something new.
    if (this.#seen === `${published}/${this.size}/${isHeld}`) return 0;
    const named = await this.#named();
    let released = 0;
    for (const [segment, after] of [...this.#after]) {
      if (named.get(segment) === "block") await this.#stay(segment);
      else if (named.has(segment)) await this.#askPages();
      else if (after > 0 && published > after) {
        if (isHeld) continue;
        await this.#release(segment);
        released++;
      } else {
        // Whatever head is signed from now on is of a catalog that does without it.
        if (after === 0) await this.#put(segment, last);
        renewal.want();
      }
    }
    this.#seen = `${published}/${this.size}/${isHeld}`;
    return released;
  }

  /** Of these segments those that something lies in yet: but for pages of the catalog, or not. */
  async #named(): Promise<ReadonlyMap<SegmentId, "block" | "page">> {
    const { catalog } = this.#needs;
    const pages = await catalog.pages();
    const named = new Map<SegmentId, "block" | "page">();
    for await (const { cid, segment } of catalog.entries()) {
      if (!this.#after.has(segment) || named.get(segment) === "block") continue;
      const isPage = pages.has(cid) || await catalog.page(cid) !== undefined;
      named.set(segment, isPage ? "page" : "block");
    }
    return named;
  }

  /** It is looked after again. */
  async #stay(segment: SegmentId): Promise<void> {
    const { books, log } = this.#needs;
    await books.delete(prefix + segment);
    this.#after.delete(segment);
    log.warn("transfer.segment.stays", { segment });
  }

  /**
   * What still names it are pages of the catalog that lie in it. They may be of a run that was on
   * its way when this was asked before: then it is asked again.
   */
  async #askPages(): Promise<void> {
    await this.#needs.catalog.renew();
    this.#needs.renewal.want();
  }

  /** The books forget it, and remember whom to tell. */
  async #release(segment: SegmentId): Promise<void> {
    const { segments, groups, surplus, clearing, log } = this.#needs;
    const state = segments.get(segment);
    if (state === undefined) return;
    const members = groups.get(state.group)?.peers ?? [];
    const known = new Set([...state.holders, ...members].filter((peer) => peer !== undefined));
    const { era, changes } = clearing.leaving(segment, [...known]);
    const drops = [...known].map((peer) => {
      return surplus.changeFor({ peer, segment, index: "all", era });
    });
    const out: KeyChange = { type: "delete", key: prefix + segment };
    await segments.forget(segment, [out, ...drops, ...changes]);
    this.#left.add(state.group);
    this.#after.delete(segment);
    log.debug("transfer.segment.outgone", { segment, holders: drops.length });
  }

  async #put(segment: SegmentId, after: number): Promise<void> {
    await this.#needs.books.put(prefix + segment, new Writer(8).varint(after).finish());
    this.#after.set(segment, after);
  }
}
