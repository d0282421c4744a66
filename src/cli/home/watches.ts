/** `watches.json`: the folders that this machine backs up into the drive. */
import { existsSync, readFileSync } from "node:fs";
import { HiveError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { writeWhole } from "./whole-file.ts";

export interface Watch {
  /** Absolute, and without links. */
  readonly directory: string;
  /** From the drive's root. */
  readonly into: string;
  readonly deletes: boolean;
}

export function readWatches(file: string): readonly Watch[] {
  if (!existsSync(file)) return [];
  try {
    const found: unknown = JSON.parse(readFileSync(file, "utf8"));
    if (Array.isArray(found) && found.length <= limits.watch.countMax) return found.map(parseWatch);
  } catch (cause) {
    throw new HiveError("Invalid", "watch.read", file, { cause });
  }
  throw new HiveError("Invalid", "watch.read", file);
}

export function writeWatches(file: string, watches: readonly Watch[]): void {
  writeWhole(file, `${JSON.stringify(watches, undefined, 2)}\n`);
}

export function parseWatch(value: unknown): Watch {
  const { directory, into, deletes } = value as Partial<Watch>;
  const isRight = typeof directory === "string" && directory.startsWith("/") &&
    typeof into === "string" && typeof deletes === "boolean";
  if (isRight) return { directory, into, deletes };
  throw new HiveError("Invalid", "watch.read", "a watch");
}

/** With one more; two may not write into the same place. */
export function withWatch(watches: readonly Watch[], added: Watch): readonly Watch[] {
  const others = watches.filter(({ directory }) => directory !== added.directory);
  if (others.length >= limits.watch.countMax) {
    throw new HiveError("NoSpace", "watch", `${limits.watch.countMax} folders are watched`);
  }
  const other = others.find(({ into }) => holds(into, added.into) || holds(added.into, into));
  if (other === undefined) return [...others, added];
  throw new HiveError("Usage", "watch", `${other.directory} goes into /${other.into} already`);
}

/** One path is the other, or lies above it. */
export function holds(above: string, below: string): boolean {
  return above === below || above === "" || below.startsWith(above === "/" ? above : `${above}/`);
}
