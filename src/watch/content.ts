/** Whether two files hold the same bytes, as both are now. What cannot be read is not the same. */
import { type FileHandle, open } from "node:fs/promises";
import { codeOf } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { readFlags } from "./copy.ts";

const { copyBytes } = limits.watch;

export async function isSameContent(
  one: Buffer, other: Buffer, signal: AbortSignal,
): Promise<boolean> {
  try {
    await using first = await open(one, readFlags);
    await using second = await open(other, readFlags);
    return await areSame(first, second, signal);
  } catch (error) {
    if (codeOf(error) === "") throw error;
    return false;
  }
}

async function areSame(
  one: FileHandle, other: FileHandle, signal: AbortSignal,
): Promise<boolean> {
  const { size } = await one.stat();
  const lengthBytes = Math.min(copyBytes, size + 1);
  const [ours, theirs] = [Buffer.allocUnsafe(lengthBytes), Buffer.allocUnsafe(lengthBytes)];
  for (let at = 0; ; ) {
    signal.throwIfAborted();
    const [bytes, others] = await Promise.all([fill(one, ours, at), fill(other, theirs, at)]);
    if (!bytes.equals(others)) return false;
    if (bytes.length === 0) return true;
    at += bytes.length;
  }
}

/** As much as there is from here on, and room for. */
async function fill(file: FileHandle, into: Buffer, from: number): Promise<Buffer> {
  let done = 0;
  for (let bytesRead = 1; bytesRead > 0 && done < into.length; done += bytesRead) {
    ({ bytesRead } = await file.read(into, done, into.length - done, from + done));
  }
  return into.subarray(0, done);
}
