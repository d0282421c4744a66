/** A round of the uploader: what the cache has to place, less what an earlier life placed. */
import type { BlockInfo, SlotName, UploadRound } from "../../base/blocks.ts";
import { type UploadSource, unknownSlot } from "../../base/blocks.ts";
import type { Clock } from "../../base/clock.ts";
import type { Cid, SegmentId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type SegmentBooks, heldCount } from "../books.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { Groups } from "../groups/groups.ts";
import { wholeDrive } from "../groups/policies.ts";
import { type Renewal, type ToldRoot, lastTold } from "../heads/publish.ts";
import { type Lane, lanesOf } from "./lanes.ts";

export interface Round extends ToldRoot {
  readonly lanes: readonly Lane[];
  readonly policies: readonly SlotName[];
  readonly beganMs: number;
  /** Published before: only what its head says besides is new. */
  readonly isRenewal?: boolean;
  /** Blocks of it that no store has. */
  readonly made?: ReadonlyMap<Cid, Uint8Array>;
  /** Blocks that were made for an earlier one, and that it has as well. */
  readonly still?: readonly Cid[];
}

/** Rounds by number: what was committed before so many had begun is in each that begins later. */
export class RoundCount {
  #begun = 0;
  #published = 0;

  get begun(): number {
    return this.#begun;
  }

  begin(): void {
    this.#begun++;
  }

  /** The last one that began is. */
  published(): void {
    this.#published = this.#begun;
  }

  hasPublishedAfter(begun: number): boolean {
    return this.#published > begun;
  }
}

export interface RoundNeeds {
  readonly clock: Clock;
  readonly source: UploadSource;
  readonly catalog: Catalog;
  readonly segments: SegmentBooks;
  readonly groups: Groups;
  /** Segments that peers have lost, whatever the books say of their holders. */
  readonly lost: { has(segment: SegmentId): boolean };
}

/** Blocks that were placed in an earlier life are told as such and not sent again. */
export async function roundOf(
  needs: RoundNeeds, { root, blocks: all, policies = [] }: UploadRound, spoilt: ReadonlySet<Cid>,
): Promise<Round> {
  const blocks: BlockInfo[] = [];
  const { lookupsAtOnce } = limits.transfer;
  for (let from = 0; from < all.length; from += lookupsAtOnce) {
    const some = all.slice(from, from + lookupsAtOnce);
    const known = await Promise.all(some.map(({ cid }) => isPlaced(needs, cid)));
    const left = some.filter(({ cid }, at) => known[at] === false && !spoilt.has(cid));
    blocks.push(...await Promise.all(left.map((block) => withSlot(needs, block, policies))));
    const placed = some.filter((_, at) => known[at]).map(({ cid }) => cid);
    if (placed.length === 0) continue;
    needs.catalog.since.note(placed);
    await needs.source.placed(placed);
  }
  const beganMs = needs.clock.monotonicMs();
  return { root, lanes: lanesOf(blocks, policies), policies, beganMs };
}

/** Nothing new was committed, but what the last head names lies elsewhere now. */
export async function beginRenewal(
  needs: Parameters<typeof lastTold>[0] & { readonly renewal: Renewal },
): Promise<Round | undefined> {
  const told = needs.renewal.isWanted ? await lastTold(needs) : undefined;
  return told && { ...told, lanes: [], policies: [], beganMs: 0, isRenewal: true };
}

/** A block that was fetched once goes by the policy that it lay under. */
async function withSlot(
  { catalog, groups }: RoundNeeds, block: BlockInfo, policies: readonly SlotName[],
): Promise<BlockInfo> {
  if (block.slot !== unknownSlot) return block;
  const entry = await catalog.find(block.cid);
  const name = entry === undefined ? undefined : groups.nameOf(entry.group);
  const known = policies.find((one) => one.name === name)?.slot;
  const slot = name === wholeDrive ? 0 : known;
  return slot === undefined ? block : { ...block, slot };
}

async function isPlaced(needs: RoundNeeds, cid: Cid): Promise<boolean> {
  const { catalog, segments, groups, lost } = needs;
  const entry = await catalog.find(cid);
  if (entry === undefined || lost.has(entry.segment)) return false;
  const state = segments.get(entry.segment);
  const manifest = state === undefined ? undefined : groups.get(state.group);
  // Of a segment that is lost or half lost, the block at hand may be the last copy.
  if (state === undefined || manifest === undefined) return false;
  return state.placed && heldCount(state) >= manifest.class.r;
}
