/** What the operating system says, as kinds that callers branch on. It never retries. */
import { HiveError, type Kind, codeOf, isFault } from "../../base/errors.ts";
import { kindsOfRefusal } from "../../base/machine/system-faults.ts";

const kindOfCode: ReadonlyMap<string, Kind> = new Map([
  ...kindsOfRefusal,
  ["EPERM", "Denied"],
  ["EMFILE", "Busy"],
  ["ENFILE", "Busy"],
  ["LEVEL_LOCKED", "Busy"],
]);

/** The fault behind an error of the disk or of LevelDB, its cause kept. */
export function diskFault(cause: unknown, op: string, subject: string): HiveError {
  if (cause instanceof HiveError) return cause;
  return new HiveError(kindOf(cause), op, subject, { cause });
}

/**
 * The same where it is no fault of the index: Corrupt has that mended, and begun anew in the end,
 * which would help nobody here and cost what only it knows.
 */
export function notOfIndex(cause: unknown, op: string, subject: string): HiveError {
  const fault = diskFault(cause, op, subject);
  return isFault(fault, "Corrupt") ? new HiveError("Unavailable", op, subject, { cause }) : fault;
}

/** The disk may take it later: there is room again, or it may be written again. */
export function mayHeal(failure: HiveError): boolean {
  return isFault(failure, "NoSpace", "ReadOnly", "Denied", "Busy");
}

const linkless: readonly string[] = ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"];

/** No second name can be given to a file there. */
export function isLinkless(error: unknown): boolean {
  return linkless.includes(codeOf(error));
}

/** Codes sit on the error or, as LevelDB has it, on its cause; anything else is a bad disk. */
function kindOf(cause: unknown): Kind {
  for (let error = cause; error instanceof Error; error = error.cause) {
    const kind = kindOfCode.get(codeOf(error));
    if (kind !== undefined) return kind;
    // LevelDB passes the operating system's words on, and no code.
    if (codeOf(error) === "LEVEL_IO_ERROR") return ioKind(error.message);
  }
  return "Corrupt";
}

/** The one place where words count, because LevelDB gives strerror(3) and nothing else. */
function ioKind(words: string): Kind {
  if (/No space left|Disk quota exceeded|File too large/.test(words)) return "NoSpace";
  if (/Read-only file system/.test(words)) return "ReadOnly";
  if (/Permission denied|Operation not permitted/.test(words)) return "Denied";
  return "Corrupt";
}
