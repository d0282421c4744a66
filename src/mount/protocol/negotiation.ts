/** The first request: what the kernel offers and what we take of it. README.md has the reasons. */
import { HiveError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { initBits, version } from "./protocol.ts";
import type { Reply } from "./reply.ts";
import type { Request } from "./request.ts";

const pageBytes = 4096;

export interface Terms {
  readonly minor: number;
  readonly readAheadBytes: number;
  readonly flags: number;
  readonly moreFlags: number;
  readonly hasLongSetxattr: boolean;
  readonly opensDirectories: boolean;
}

/** Reads fuse_init_in. A kernel that is too old is Unsupported. */
export function termsFor(request: Request): Terms {
  const [major, minor] = [request.u32(0), request.u32(4)];
  const known = major === version.major && minor >= version.minorLeast;
  if (!known) throw new HiveError("Unsupported", "mount.init", `protocol ${major}.${minor}`);
  const offered = request.u32(12);
  const extended = (offered & mask(0, [initBits.INIT_EXT])) !== 0 && request.bodyBytes >= 20;
  const bits = Object.values(initBits);
  const flags = (offered & mask(0, bits)) >>> 0;
  return {
    minor: Math.min(minor, version.minor),
    readAheadBytes: request.u32(8),
    flags,
    hasLongSetxattr: (flags & mask(0, [initBits.SETXATTR_EXT])) !== 0,
    opensDirectories: (flags & mask(0, [initBits.NO_OPENDIR_SUPPORT])) !== 0,
    moreFlags: extended ? (request.u32(16) & mask(32, bits)) >>> 0 : 0,
  };
}

/** Writes fuse_init_out. */
export function encodeTerms(reply: Reply, terms: Terms): void {
  const { backgroundMax, transferBytesMax } = limits.mount;
  const congested = Math.floor((backgroundMax * 3) / 4);
  reply.u32(version.major).u32(terms.minor).u32(terms.readAheadBytes).u32(terms.flags);
  reply.u32(backgroundMax | (congested << 16)).u32(transferBytesMax);
  // Times are exact to the nanosecond.
  reply.u32(1).u32(transferBytesMax / pageBytes).u32(terms.moreFlags).zeros(7);
}

function mask(from: number, bits: readonly number[]): number {
  const inWord = bits.filter((bit) => bit >= from && bit < from + 32);
  return inWord.reduce((sum, bit) => (sum | (1 << (bit - from))) >>> 0, 0);
}
