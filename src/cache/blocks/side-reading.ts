/**
 * Blocks for uploads, read and checked by the network's thread itself: the cache only says where
 * they lie, so that the thread of the kernel handles none of their bytes. It says so without a
 * promise, since a block may move or go at any moment: whatever is not found right there is asked
 * of the cache, which knows better or counts the block as lost.
 */
import { open } from "node:fs/promises";
import type { BlockPlace, UploadSource } from "../../base/blocks.ts";
import type { Cid } from "../../base/ids.ts";
import { matches } from "../files/frame.ts";

export interface PlacedSource extends UploadSource {
  /** Undefined while the bytes are in memory only, or when there is no such block. */
  place(cid: Cid): Promise<BlockPlace | undefined>;
}

export function readAside(source: PlacedSource): UploadSource {
  return {
    beginRound: (options) => source.beginRound(options),
    placed: (cids) => source.placed(cids),
    endRound: (root) => source.endRound(root),
    lost: (cids) => source.lost(cids),
    async read(cid, into) {
      const place = await source.place(cid);
      const bytes = place === undefined ? undefined : await readAt(place, into);
      return bytes !== undefined && matches(cid, bytes) ? bytes : source.read(cid, into);
    },
  };
}

/** Undefined when there are no such bytes, for whatever reason: it is not the last word. */
async function readAt(place: BlockPlace, into: Buffer | undefined): Promise<Buffer | undefined> {
  const { path, offsetBytes, lengthBytes } = place;
  const fits = into !== undefined && into.length >= lengthBytes;
  const buffer = fits ? into : Buffer.allocUnsafeSlow(lengthBytes);
  try {
    // Not kept open: a file that was emptied must give its space back.
    await using file = await open(path, "r");
    const { bytesRead } = await file.read(buffer, 0, lengthBytes, offsetBytes);
    return bytesRead === lengthBytes ? buffer.subarray(0, lengthBytes) : undefined;
  } catch {
    return undefined;
  }
}
