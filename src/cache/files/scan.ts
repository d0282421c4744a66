/**
 * Reads a block file, from one frame's place to the end, and gives every whole frame. A torn,
 * truncated or flipped frame is skipped, and so is one that the disk does not give back: the next
 * one is found by its magic number. Bytes that do not hash to the frame's CID are not given.
 */
import { isFault } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { BlockFile } from "./block-file.ts";
import { type Frame, findHeader, headerBytes, matches, parseHeader } from "./frame.ts";

export interface FoundFrame {
  readonly frame: Frame;
  /** Where its header begins. */
  readonly offsetBytes: number;
  readonly body: Buffer;
}

/** What a disk gives or does not give, and what is read ahead of it, is at least so much. */
const pageBytes = 4096;

/** Bodies are views of a buffer of some megabytes: copy what is to stay. */
export async function* scanFile(file: BlockFile, from = 0): AsyncGenerator<FoundFrame> {
  const frameBytesMax = headerBytes + limits.cache.frameBytesMax;
  let windowStart = from;
  let window: Buffer = Buffer.alloc(0);
  let at = 0;
  while (windowStart + at + headerBytes <= file.sizeBytes) {
    const windowEnd = windowStart + window.length;
    if (window.length - at < frameBytesMax && windowEnd < file.sizeBytes) {
      windowStart += at;
      window = await readWindow(file, windowStart);
      if (window.length < headerBytes) return;
      at = 0;
    }
    const bytes = window.subarray(at);
    const found = frameAt(bytes, windowStart + at);
    if (found !== undefined) yield found;
    at += found === undefined ? skipTo(bytes) : headerBytes + found.frame.lengthBytes;
  }
}

async function readWindow(file: BlockFile, from: number): Promise<Buffer> {
  const lengthBytes = Math.min(limits.cache.scanBytesMax, file.sizeBytes - from);
  return (await readUnlessBad(file, from, Buffer.allocUnsafeSlow(lengthBytes)))
    ?? readAroundBad(file, from, lengthBytes);
}

/** One bad sector must not cost all that lies beside it: in its place there are zeros. */
async function readAroundBad(file: BlockFile, from: number, lengthBytes: number): Promise<Buffer> {
  const bytes = Buffer.alloc(lengthBytes);
  for (let at = 0; at < lengthBytes; at += pageBytes) {
    const page = bytes.subarray(at, at + pageBytes);
    if (await readUnlessBad(file, from + at, page) === undefined) page.fill(0);
  }
  return bytes;
}

/** Undefined when the disk does not give back some of it. */
async function readUnlessBad(
  file: BlockFile, from: number, into: Buffer,
): Promise<Buffer | undefined> {
  try {
    return await file.read(from, into.length, into);
  } catch (error) {
    if (isFault(error, "Corrupt")) return undefined;
    throw error;
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
