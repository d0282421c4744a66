/** Calls on files that more than one kind of file needs. */
import { type FileHandle, open } from "node:fs/promises";
import { assert } from "../../base/errors.ts";

/** Writes all of the pieces in few calls, one after the other, from the offset on. */
export async function writePieces(
  handle: FileHandle,
  pieces: readonly Uint8Array[],
  offsetBytes: number,
): Promise<void> {
  let rest = [...pieces];
  let at = offsetBytes;
  while (rest.length > 0) {
    const { bytesWritten } = await handle.writev(rest, at);
    assert(bytesWritten > 0, "writev made no progress");
    at += bytesWritten;
    rest = skip(rest, bytesWritten);
  }
}

/** A new file's name is durable only when its directory is. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function skip(pieces: Uint8Array[], bytes: number): Uint8Array[] {
  let left = bytes;
  let index = 0;
  while (index < pieces.length && left >= (pieces[index]?.length ?? 0)) {
    left -= pieces[index]?.length ?? 0;
    index++;
  }
  const rest = pieces.slice(index);
  if (left > 0 && rest[0] !== undefined) rest[0] = rest[0].subarray(left);
  return rest;
}
