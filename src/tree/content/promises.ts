/**
 * Bytes of unsealed chunks as the journal is told them: each once, and again only behind the link
 * of a chunk that does not hold them. What was told is promised until a chunk that holds it is
 * linked.
 */
import { limits } from "../../base/limits.ts";
import type { ChunkLink } from "../../dag/chunks.ts";
import type { DirtyChunk, Journaled } from "../state/dirty.ts";
import type { Change } from "../state/journal.ts";
import type { Live } from "../state/nodes.ts";
import { type Span, addSpans, bytesIn } from "../state/spans.ts";

const { chunkBytes } = limits.tree;

/** Of the file, what the journal was not told yet. */
export function freshBytes(live: Live): number {
  let total = 0;
  for (const { fresh, sealing } of live.news) {
    total += bytesIn(fresh) + bytesIn(sealing?.fresh ?? []);
  }
  return total;
}

/** What was promised of these chunks after they were sealed, to be told behind their links. */
export function dataOnTop(live: Live, links: ReadonlyMap<number, ChunkLink>): Change[] {
  const changes: Change[] = [];
  for (const index of links.keys()) {
    const chunk = live.dirty.get(index);
    if (chunk === undefined || !isPromised(chunk)) continue;
    chunk.forgetPromises();
    changes.push(...dataChanges(chunk));
  }
  return changes;
}

function isPromised({ promised, sealing }: DirtyChunk): boolean {
  return promised.length + (sealing?.promised.length ?? 0) > 0;
}

/** What of the chunk the journal must have, the older first. */
export function dataChanges(chunk: DirtyChunk): Change[] {
  const { sealing, top } = chunk;
  const older = sealing === undefined ? [] : told(chunk, sealing, ([start, end]) => {
    return Buffer.from(sealing.bytes.subarray(start, end));
  });
  const newer = told(chunk, chunk, ([start, end]) => {
    const bytes = Buffer.allocUnsafe(end - start);
    top.copyTo(bytes, start);
    return bytes;
  });
  return [...older, ...newer];
}

/** From now on these bytes are promised. */
function told(chunk: DirtyChunk, part: Journaled, bytesOf: (span: Span) => Buffer): Change[] {
  const spans = part.fresh;
  part.promised = addSpans(part.promised, spans);
  part.fresh = [];
  const { node, index } = chunk;
  return spans.map((span) => {
    const offsetBytes = index * chunkBytes + span[0];
    return { kind: "data", ino: node.ino, offsetBytes, bytes: bytesOf(span) };
  });
}
