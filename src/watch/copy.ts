/**
 * One file or symlink into its place: written beside it under a name of ours, dressed, and renamed,
 * so that the copy is the old one or the new one at every moment, whatever ends us. A file that
 * changes while it is read is read again.
 */
import { type BigIntStats, constants } from "node:fs";
import { type FileHandle, chmod, chown, lchown, lutimes, open, readlink } from "node:fs/promises";
import { rename, rm, symlink, utimes } from "node:fs/promises";
import { HiveError, codeOf } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { systemRandom } from "../base/random.ts";
import { type Owner, isUntouched } from "./judge.ts";
import { isGone } from "./places.ts";
import type { Xattrs } from "./xattrs.ts";

const { copyBytes, changedTriesMax } = limits.watch;
const zeros = Buffer.alloc(copyBytes);
const modeMask = 0o7777;
/** Never follows a link that has just taken the file's place, nor waits for a pipe's other end. */
export const readFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

const temporaryShape = /^\.hive-watch-[\da-f]+-\d+$/;
/** A number of a process may come again, as in a container that is started anew. */
const own = `.hive-watch-${systemRandom.bytes(6).toString("hex")}-`;
let temporaries = 0;

/** A name that nobody else uses, in the same folder. */
export function temporaryName(): string {
  return `${own}${++temporaries}`;
}

/** One that a process which was killed has left behind; those of this one are still in use. */
export function isLeftOver(name: string): boolean {
  return temporaryShape.test(name) && !name.startsWith(own);
}

export interface CopyNeeds {
  readonly owner: Owner;
  readonly xattrs: Xattrs;
  readonly signal: AbortSignal;
}

export interface CopyPlaces {
  readonly from: Buffer;
  readonly aside: Buffer;
  readonly to: Buffer;
}

/** Bytes of content; undefined when the file is gone by now. */
export async function copyFile(places: CopyPlaces, needs: CopyNeeds): Promise<number | undefined> {
  for (let tries = 1; ; tries++) {
    const copied = await copyOnce(places, needs);
    if (copied === undefined) return undefined;
    if (copied.isWhole || tries >= changedTriesMax) return copied.bytes;
    needs.signal.throwIfAborted();
  }
}

interface Copied {
  readonly bytes: number;
  /** False when it changed meanwhile: its times say so, and another look will find it. */
  readonly isWhole: boolean;
}

async function copyOnce(
  { from, aside, to }: CopyPlaces, needs: CopyNeeds,
): Promise<Copied | undefined> {
  const source = await reading(() => open(from, readFlags));
  if (source === undefined) return undefined;
  try {
    const before = await source.stat({ bigint: true });
    if (!before.isFile()) return undefined;
    const lengthBytes = Number(before.size);
    const bytes = await writing(() => pour(source, aside, { lengthBytes, signal: needs.signal }));
    const after = await source.stat({ bigint: true });
    await writing(() => dress(from, aside, before, needs));
    await writing(() => rename(aside, to));
    return { bytes, isWhole: isUntouched(before, after) };
  } catch (error) {
    await rm(aside, { force: true }).catch(() => undefined);
    throw error;
  } finally {
    await source.close();
  }
}

/** What is zeros becomes a hole; what is added meanwhile, perhaps for ever, is for another time. */
async function pour(
  source: FileHandle, aside: Buffer,
  { lengthBytes, signal }: { readonly lengthBytes: number; readonly signal: AbortSignal },
): Promise<number> {
  const target = await open(aside, "wx", 0o600);
  try {
    // Of small files there are many: a large buffer for each would be what this process is made of.
    const buffer = Buffer.allocUnsafe(Math.min(copyBytes, Math.max(lengthBytes, 1)));
    let at = 0;
    let writtenBytes = 0;
    while (at < lengthBytes) {
      signal.throwIfAborted();
      const room = buffer.subarray(0, Math.min(copyBytes, lengthBytes - at));
      const { bytesRead } = await sourceRead(source, room, at);
      if (bytesRead === 0) break;
      const part = buffer.subarray(0, bytesRead);
      const isHole = part.equals(zeros.subarray(0, bytesRead));
      if (!isHole) await writeAll(target, part, at);
      at += bytesRead;
      if (!isHole) writtenBytes = at;
    }
    if (writtenBytes < at) await target.truncate(at);
    return at;
  } finally {
    await target.close();
  }
}

async function writeAll(target: FileHandle, bytes: Buffer, from: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await target.write(bytes, done, bytes.length - done, from + done);
    done += bytesWritten;
  }
}

async function sourceRead(source: FileHandle, buffer: Buffer, at: number) {
  try {
    return await source.read(buffer, 0, buffer.length, at);
  } catch (cause) {
    throw new HiveError("Denied", "watch.read", "a file that cannot be read", { cause });
  }
}

export async function copyLink(
  { from, aside, to }: CopyPlaces, source: BigIntStats, { owner }: CopyNeeds,
): Promise<boolean> {
  const target = await reading(() => readlink(from, { encoding: "buffer" }));
  if (target === undefined) return false;
  await writing(async () => {
    await symlink(target, aside);
    if (owner.mayGive) await lchown(aside, Number(source.uid), Number(source.gid));
    await lutimes(aside, secondsOf(source.atimeNs), secondsOf(source.mtimeNs));
    await rename(aside, to);
  });
  return true;
}

/** Owner, mode, extended attributes and times, in the order in which none undoes another. */
export async function dress(
  from: Buffer, path: Buffer, source: BigIntStats, { owner, xattrs }: CopyNeeds,
): Promise<void> {
  if (source.isSymbolicLink()) {
    if (owner.mayGive) await lchown(path, Number(source.uid), Number(source.gid));
    return;
  }
  if (owner.mayGive) await chown(path, Number(source.uid), Number(source.gid));
  await chmod(path, Number(source.mode) & modeMask);
  xattrs.copy(from, path);
  await utimes(path, secondsOf(source.atimeNs), secondsOf(source.mtimeNs));
}

function secondsOf(ns: bigint): number {
  return Number(ns / 1_000_000_000n) + Number(ns % 1_000_000_000n) / 1e9;
}

/** Of this one alone: whoever waits until it can be written waits for ever. */
const ownFaults: ReadonlySet<string> = new Set(["ENAMETOOLONG", "EFBIG", "EINVAL"]);

/** Undefined when it is gone. What cannot be read is told apart from what cannot be written. */
export async function reading<T>(act: () => Promise<T>): Promise<T | undefined> {
  try {
    return await act();
  } catch (cause) {
    if (isGone(cause)) return undefined;
    if (cause instanceof HiveError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new HiveError("Denied", "watch.read", why, { cause });
  }
}

export async function writing<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    if (cause instanceof HiveError || (cause as Error).name === "AbortError") throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    const kind = ownFaults.has(codeOf(cause)) ? "Denied" : "Unavailable";
    throw new HiveError(kind, "watch.write", why, { cause });
  }
}
