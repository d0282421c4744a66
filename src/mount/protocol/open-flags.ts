/**
 * Whatever a program opened it for, a handle may be read: with the write-back cache the kernel
 * reads a page before it changes a part of it. The kernel checks what the program may do, and
 * places appended bytes itself: no handle appends in the tree.
 */
import { constants } from "node:fs";
import type { OpenFlags } from "../../base/filesystem.ts";

const { O_ACCMODE, O_RDONLY, O_TRUNC } = { ...constants, O_ACCMODE: 3 };

/** Of open(2)'s flags. */
export function openFlags(bits: number): OpenFlags {
  const write = (bits & O_ACCMODE) !== O_RDONLY;
  return { read: true, write, append: false, truncate: (bits & O_TRUNC) !== 0 };
}
