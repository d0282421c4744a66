/**
 * Paths of what is watched and of its copy. Names are bytes: each byte is one character of a path
 * here, so that a name in any encoding arrives as it was.
 */
import type { BigIntStats } from "node:fs";
import { lstat } from "node:fs/promises";
import { codeOf } from "../base/errors.ts";

/** From the root that is watched; "" for that itself. */
export type Below = string;

export function join(root: string, below: Below): Buffer {
  const start = Buffer.from(root, "utf8");
  return below === "" ? start : Buffer.concat([start, Buffer.from(`/${below}`, "latin1")]);
}

export function inside(folder: Below, name: string): Below {
  return folder === "" ? name : `${folder}/${name}`;
}

export function folderOf(below: Below): Below {
  const at = below.lastIndexOf("/");
  return at < 0 ? "" : below.slice(0, at);
}

export function nameOf(below: Below): string {
  return below.slice(below.lastIndexOf("/") + 1);
}

/** For a person; bytes that are no UTF-8 show as U+FFFD. */
export function textOf(below: Below): string {
  return Buffer.from(below, "latin1").toString("utf8");
}

/** Undefined when there is nothing. */
export async function statOf(path: Buffer): Promise<BigIntStats | undefined> {
  try {
    return await lstat(path, { bigint: true });
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

export function isGone(error: unknown): boolean {
  return codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR";
}
