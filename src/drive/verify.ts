/**
 * `hive verify PATH`: finds the segments in which the blocks of a path lie, as it is now, and has
 * their holders asked for proofs. Blocks are looked up a batch at a time; what stays in memory is
 * the set of segments, as the node has them all.
 */
import type { Cid, SegmentId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { NodeDuties } from "../base/node.ts";
import type { PathVerifyReport } from "../base/views/drive.ts";
import type { Cache } from "../cache/cache.ts";
import type { Tree } from "../tree/tree.ts";

interface Parts {
  readonly tree: Pick<Tree, "past">;
  readonly cache: Pick<Cache, "has">;
  readonly node: Pick<NodeDuties, "segmentsOf" | "verify">;
}

const { lookupsAtOnce } = limits.transfer;

export async function verifyPath(
  parts: Parts, path: readonly string[], { deep }: { readonly deep: boolean },
): Promise<PathVerifyReport> {
  const places = new Places(parts);
  const gone = await parts.tree.past.tellBlocks(path, (cid) => places.add(cid));
  await places.lookUp();
  const { segments, blocks, onlyHere } = places;
  const found = await parts.node.verify({ deep, segments: [...segments] });
  return { ...found, blocks, onlyHere, missing: found.missing + places.missing + gone };
}

class Places {
  readonly segments = new Set<SegmentId>();
  blocks = 0;
  onlyHere = 0;
  missing = 0;
  readonly #parts: Parts;
  #waiting: Cid[] = [];

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Whoever tells more waits for a full batch to be looked up. */
  add(cid: Cid): Promise<void> | undefined {
    this.#waiting.push(cid);
    return this.#waiting.length < lookupsAtOnce ? undefined : this.lookUp();
  }

  async lookUp(): Promise<void> {
    const cids = this.#waiting;
    this.#waiting = [];
    const found = await this.#parts.node.segmentsOf(cids);
    for (const [at, cid] of cids.entries()) {
      const segment = found[at];
      if (segment !== undefined) this.segments.add(segment);
      else if (this.#parts.cache.has(cid)) this.onlyHere++;
      else this.missing++;
    }
    this.blocks += cids.length;
  }
}
