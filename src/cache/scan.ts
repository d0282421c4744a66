/**
 * Reads a block file from end to end and gives every whole frame. A torn, truncated or flipped
 * frame is skipped: the next one is found by its magic number. Bytes that do not hash to the
 * frame's CID are not given.
 */
import type { BlockFile } from "./block-file.ts";
import { type Frame, findHeader, headerBytes, matches, parseHeader } from "./frame.ts";
import { limits } from "../base/limits.ts";

export interface FoundFrame {
  readonly frame: Frame;
  /** Where its header begins. */
  readonly offsetBytes: number;
  readonly body: Buffer;
}

export async function* scanFile(file: BlockFile): AsyncGenerator<FoundFrame> {
  let offsetBytes = 0;
  while (offsetBytes + headerBytes <= file.sizeBytes) {
    const wantedBytes = headerBytes + limits.cache.frameBytesMax;
    const bytes = await file.read(offsetBytes, Math.min(wantedBytes, file.sizeBytes - offsetBytes));
    const found = frameAt(bytes, offsetBytes);
    if (found !== undefined) yield found;
    const next = found === undefined ? skipTo(bytes) : headerBytes + found.frame.lengthBytes;
    offsetBytes += next;
  }
}

function frameAt(bytes: Buffer, offsetBytes: number): FoundFrame | undefined {
  const frame = parseHeader(bytes);
  if (frame === undefined) return undefined;
  const body = bytes.subarray(headerBytes, headerBytes + frame.lengthBytes);
  const whole = body.length === frame.lengthBytes && matches(frame.cid, body);
  return whole ? { frame, offsetBytes, body } : undefined;
}

/** How far to go on: to the next thing that looks like a header. */
function skipTo(bytes: Buffer): number {
  const next = findHeader(bytes, 1);
  // A header may begin in the last bytes and go on behind them.
  return next < 0 ? Math.max(1, bytes.length - 3) : next;
}
