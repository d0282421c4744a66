/**
 * Folders that are made when they are needed, with those above them. Node's own way to do so never
 * ends where the system says of a folder that is there that it is not, as below /proc or where an
 * automounter knows no such name.
 */
import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { HiveError, codeOf } from "../errors.ts";
import { kindOfSystem } from "./system-faults.ts";

/** Throws what the system says when that cannot be. */
export function makeDirectories(directory: string, mode = 0o777): void {
  const first = makeOne(directory, mode);
  if (first === undefined) return;
  const above = dirname(directory);
  if (codeOf(first) !== "ENOENT" || above === directory) throw first;
  makeDirectories(above, mode);
  const second = makeOne(directory, mode);
  if (second !== undefined) throw second;
}

/** Undefined when it is there now, else why not. */
function makeOne(directory: string, mode: number): unknown {
  try {
    mkdirSync(directory, { mode });
    return undefined;
  } catch (error) {
    const isThere = codeOf(error) === "EEXIST" &&
      statSync(directory, { throwIfNoEntry: false })?.isDirectory() === true;
    return isThere ? undefined : error;
  }
}

/** Why a folder cannot be had, for a person. */
export function folderFault(cause: unknown, op: string, directory: string): HiveError {
  // A file has the name of the folder, or of one above it.
  const kind = codeOf(cause) === "EEXIST" ? "NotDirectory" : kindOfSystem(cause) ?? "Denied";
  return new HiveError(kind, op, directory, { cause });
}
