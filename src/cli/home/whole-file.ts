/**
 * The small files of a home, read and written whole: a crash, a full disk or a power cut leaves
 * the old one or the new. What goes wrong is told with the file's name.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeFileSync }
  from "node:fs";
import { dirname } from "node:path";
import { HiveError, codeOf } from "../../base/errors.ts";
import { makeDirectories } from "../../base/machine/directories.ts";
import { kindOfSystem } from "../../base/machine/system-faults.ts";

/** Undefined where there is none. */
export function readWhole(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return undefined;
    throw fault(cause, "home.read", file);
  }
}

/** For its user's eyes alone. */
export function writeWhole(file: string, content: string | Uint8Array): void {
  const beside = `${file}.new`;
  try {
    makeDirectories(dirname(file), 0o700);
    writeDurably(beside, content);
    renameSync(beside, file);
  } catch (cause) {
    rmSync(beside, { force: true });
    throw fault(cause, "home.write", file);
  }
}

function writeDurably(path: string, content: string | Uint8Array): void {
  const descriptor = openSync(path, "w", 0o600);
  try {
    writeFileSync(descriptor, content);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function fault(cause: unknown, op: string, file: string): HiveError {
  return new HiveError(kindOfSystem(cause) ?? "Unavailable", op, file, { cause });
}
