/**
 * The two kinds of wrong. A fault is a `HiveError` with a kind from the closed list below:
 * something that can happen to a correct program. A bug is a failed assertion: it stops us.
 *
 * Nobody branches on a message, only on a kind. `mount` has one table from kinds to errno, `cli`
 * one from kinds to exit codes; both are checked by the compiler to be complete.
 */
import { ok } from "node:assert";

export const kinds = [
  "NotFound", // no such name, block, shard, peer or attribute's holder
  "Exists",
  "NotDirectory",
  "IsDirectory",
  "NotEmpty",
  "Denied", // the permission bits, a policy or a peer's check says no
  "NotPermitted", // only the owner or root may
  "Invalid", // an argument that can never be right
  "NameTooLong",
  "NoSpace", // the cache is full of dirty data, or the disk is full
  "Quota", // a peer has no room left for us
  "TooLarge",
  "TooManyLinks",
  "ReadOnly",
  "CrossDevice",
  "NoData", // no such extended attribute; no data after an offset
  "OutOfRange", // the caller's buffer is too small
  "BadHandle",
  "Unsupported", // this file system or driver cannot do it
  "Busy",
  "Interrupted",
  "Stale", // the thing existed once and does not any more
  "Corrupt", // bytes from disk, wire or kernel that are not what they must be
  "Unavailable", // not enough peers answer now; it may work later
  "TimedOut",
  "Usage", // the command line is wrong
] as const;

export type Kind = (typeof kinds)[number];

/** Answers rather than troubles: they come by the thousand, and where from is of no interest. */
const everyday: readonly Kind[] = ["NotFound", "NoData"];

/** A fault: what kind, during which operation (`room.verb`), about which subject. */
export class HiveError extends Error {
  readonly kind: Kind;
  readonly op: string;
  readonly subject: string;

  constructor(kind: Kind, op: string, subject: string, options: ErrorOptions = {}) {
    const framesMax = Error.stackTraceLimit;
    // Writing down the stack costs ten times what the rest does.
    if (everyday.includes(kind)) Error.stackTraceLimit = 0;
    super(`${op}: ${subject}: ${kind}`, options);
    Error.stackTraceLimit = framesMax;
    this.name = "HiveError";
    this.kind = kind;
    this.op = op;
    this.subject = subject;
  }
}

/** True for a fault of one of the given kinds; with no kinds, for any fault. */
export function isFault(error: unknown, ...wanted: readonly Kind[]): error is HiveError {
  if (!(error instanceof HiveError)) return false;
  return wanted.length === 0 || wanted.includes(error.kind);
}

/** States what must be. A failure is a bug in Hive, never a user's or a peer's fault. */
export function assert(condition: boolean, fact = "assertion failed"): asserts condition {
  ok(condition, fact);
}

/** For the branch that the types say cannot be reached. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${String(value)}`);
}

/** By which the operating system, or a library, tells what went wrong; "" when none says. */
export function codeOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : "";
}
