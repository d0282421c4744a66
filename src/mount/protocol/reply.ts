/**
 * An answer to the kernel, put together in a buffer that is used again for the next one. It never
 * writes to the device; session.ts does.
 */
import { assert } from "../../base/errors.ts";
import type { Attributes, DirectoryItem, Instant } from "../../base/filesystem.ts";
import type { Ino } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { replyHeadBytes } from "./protocol.ts";

const wordSpan = 2 ** 32;
const entryBytes = 128;
const itemHeadBytes = 24;
const blockBytes = 4096;

export class Reply {
  readonly bytes: Buffer;
  readonly #words: Uint32Array;
  #at = replyHeadBytes / 4;
  /** Bytes that follow the buffer's, such as what was read. */
  pieces: readonly Uint8Array[] | undefined;

  constructor(capacityBytes: number) {
    this.bytes = Buffer.allocUnsafeSlow(capacityBytes);
    assert(this.bytes.byteOffset % 8 === 0 && capacityBytes % 8 === 0);
    this.#words = new Uint32Array(this.bytes.buffer, this.bytes.byteOffset, capacityBytes / 4);
  }

  get lengthBytes(): number {
    return this.#at * 4;
  }

  /** Forgets what was here and starts the next answer's body. */
  begin(): this {
    this.#at = replyHeadBytes / 4;
    this.pieces = undefined;
    return this;
  }

  /** Writes the head: `error` is 0 or minus the errno, or a notice's code with unique 0. */
  seal(unique: number, error: number, piecesBytes: number): void {
    const words = this.#words;
    words[0] = this.lengthBytes + piecesBytes;
    words[1] = error;
    words[2] = unique;
    words[3] = Math.floor(unique / wordSpan);
  }

  u32(value: number): this {
    this.#words[this.#at++] = value;
    return this;
  }

  /** Two's complement, for integers of a magnitude below 2^53. */
  u64(value: number): this {
    this.#words[this.#at++] = value;
    this.#words[this.#at++] = Math.floor(value / wordSpan);
    return this;
  }

  zeros(words: number): this {
    this.#words.fill(0, this.#at, this.#at + words);
    this.#at += words;
    return this;
  }

  /** fuse_entry_out. */
  entry(attributes: Attributes): this {
    const validSeconds = limits.mount.validSeconds;
    this.u64(attributes.ino).u64(0).u64(validSeconds).u64(validSeconds).u64(0);
    return this.attributes(attributes);
  }

  /** fuse_entry_out that says: no such name, and it stays so until we tell. */
  noEntry(): this {
    return this.u64(0).u64(0).u64(limits.mount.validSeconds).zeros(entryBytes / 4 - 6);
  }

  /** fuse_attr_out. */
  validAttributes(attributes: Attributes): this {
    return this.u64(limits.mount.validSeconds).u64(0).attributes(attributes);
  }

  /** fuse_attr. */
  attributes(a: Attributes): this {
    this.u64(a.ino).u64(a.sizeBytes).u64(a.blocks);
    this.u64(a.atime.seconds).u64(a.mtime.seconds).u64(a.ctime.seconds);
    this.u32(a.atime.nanoseconds).u32(a.mtime.nanoseconds).u32(a.ctime.nanoseconds);
    return this.u32(a.mode).u32(a.links).u32(a.uid).u32(a.gid).u32(a.rdev).u32(blockBytes).u32(0);
  }

  /** fuse_statx_out. */
  statx(a: Attributes, mask: number): this {
    this.u64(limits.mount.validSeconds).u64(0).zeros(4);
    this.u32(mask).u32(blockBytes).u64(0).u32(a.links).u32(a.uid).u32(a.gid).u32(a.mode & 0xffff);
    this.u64(a.ino).u64(a.sizeBytes).u64(a.blocks).u64(0);
    this.#moment(a.atime).#moment(a.btime).#moment(a.ctime).#moment(a.mtime);
    return this.u32(deviceMajor(a.rdev)).u32(deviceMinor(a.rdev)).zeros(2 + 28);
  }

  /** fuse_notify_prune_out. */
  prune(inos: readonly Ino[]): this {
    this.u32(inos.length).u32(0).u64(0);
    for (const ino of inos) this.u64(ino);
    return this;
  }

  /** fuse_dirent, or fuse_direntplus; false when it does not fit within the limit any more. */
  item(item: DirectoryItem, options: { readonly plus: boolean; lengthBytesMax: number }): boolean {
    const nameBytes = item.name.length;
    const paddedBytes = (nameBytes + 7) & ~7;
    const headBytes = options.plus ? entryBytes + itemHeadBytes : itemHeadBytes;
    const endBytes = this.lengthBytes + headBytes + paddedBytes;
    if (endBytes - replyHeadBytes > options.lengthBytesMax) return false;
    if (options.plus) this.#plus(item);
    this.u64(item.ino).u64(item.cookie).u32(nameBytes).u32(item.type >>> 12);
    const start = this.lengthBytes;
    this.zeros(paddedBytes / 4);
    this.bytes.write(item.name, start, nameBytes, "latin1");
    return true;
  }

  #plus(item: DirectoryItem): void {
    // Inode 0 in a direntplus: here are no attributes, look it up when you need them.
    if (item.attributes === undefined) this.zeros(entryBytes / 4);
    else this.entry(item.attributes);
  }

  #moment(instant: Instant): this {
    return this.u64(instant.seconds).u32(instant.nanoseconds).u32(0);
  }
}

// The kernel's new_encode_dev: minor's low byte, 12 bits of major, the rest of minor.
function deviceMajor(rdev: number): number {
  return (rdev >>> 8) & 0xfff;
}

function deviceMinor(rdev: number): number {
  return (rdev & 0xff) | ((rdev >>> 12) & 0xfff00);
}
