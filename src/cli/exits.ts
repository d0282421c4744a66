/** One table from kinds of fault to exit codes, checked by the compiler; hive(1) lists it. */
import type { Kind } from "../base/errors.ts";
import { faultOf } from "../base/machine/system-faults.ts";

export const exitCodes = {
  ok: 0,
  failure: 1,
  usage: 2,
  notFound: 3,
  denied: 4,
  unavailable: 5,
  noSpace: 6,
  corrupt: 7,
  busy: 8,
  timedOut: 9,
  interrupted: 130,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

const exitOf = {
  NotFound: exitCodes.notFound,
  Exists: exitCodes.failure,
  NotDirectory: exitCodes.usage,
  IsDirectory: exitCodes.usage,
  NotEmpty: exitCodes.usage,
  Denied: exitCodes.denied,
  NotPermitted: exitCodes.denied,
  Invalid: exitCodes.usage,
  NameTooLong: exitCodes.usage,
  NoSpace: exitCodes.noSpace,
  Quota: exitCodes.noSpace,
  TooLarge: exitCodes.failure,
  TooManyLinks: exitCodes.failure,
  ReadOnly: exitCodes.denied,
  CrossDevice: exitCodes.failure,
  NoData: exitCodes.notFound,
  OutOfRange: exitCodes.failure,
  BadHandle: exitCodes.failure,
  Unsupported: exitCodes.failure,
  Busy: exitCodes.busy,
  Interrupted: exitCodes.failure,
  Stale: exitCodes.failure,
  Corrupt: exitCodes.corrupt,
  Unavailable: exitCodes.unavailable,
  TimedOut: exitCodes.timedOut,
  Usage: exitCodes.usage,
} as const satisfies Record<Kind, ExitCode>;

export function exitCodeOf(error: unknown): ExitCode {
  const fault = faultOf(error);
  return fault === undefined ? exitCodes.failure : exitOf[fault.kind];
}

/** Of a process that stays until it is asked to end: a signal that ends it is no fault. */
export function exitCodeBy(signal: NodeJS.Signals | undefined): ExitCode {
  return signal === "SIGINT" ? exitCodes.interrupted : exitCodes.ok;
}

/** For hive(1): each code and what it means. */
export const exitMeanings: Readonly<Record<ExitCode, string>> = {
  0: "done",
  1: "something failed that has no code of its own; the message says what",
  2: "the command line, a path, a policy, an invite or the words are wrong",
  3: "no such drive, mount, file or peer",
  4: "a permission, a passphrase or a peer's check says no",
  5: "too few peers, or the daemon, can be reached now; it may work later",
  6: "the disk, the cache or a peer's quota is full",
  7: "stored bytes are damaged; nothing was overwritten",
  8: "somebody else is using it: a mount with open files, a locked cache",
  9: "it did not finish within the given time; what was done stays done",
  130: "Ctrl-C ended it; what it had asked a daemon for goes on there",
};
