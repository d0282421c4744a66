/** The one table from kinds of fault to errno, in this platform's numbers. */
import { constants } from "node:os";
import { type Kind, isFault } from "../base/errors.ts";

export const errno = constants.errno;

export const errnoOf = {
  NotFound: errno.ENOENT,
  Exists: errno.EEXIST,
  NotDirectory: errno.ENOTDIR,
  IsDirectory: errno.EISDIR,
  NotEmpty: errno.ENOTEMPTY,
  Denied: errno.EACCES,
  NotPermitted: errno.EPERM,
  Invalid: errno.EINVAL,
  NameTooLong: errno.ENAMETOOLONG,
  NoSpace: errno.ENOSPC,
  Quota: errno.EDQUOT,
  TooLarge: errno.EFBIG,
  TooManyLinks: errno.EMLINK,
  ReadOnly: errno.EROFS,
  CrossDevice: errno.EXDEV,
  NoData: errno.ENODATA,
  OutOfRange: errno.ERANGE,
  BadHandle: errno.EBADF,
  Unsupported: errno.EOPNOTSUPP,
  Busy: errno.EBUSY,
  Interrupted: errno.EINTR,
  Stale: errno.ESTALE,
  Corrupt: errno.EIO,
  Unavailable: errno.EIO,
  TimedOut: errno.EIO,
  Usage: errno.EINVAL,
} as const satisfies Record<Kind, number>;

/** Whatever is not a fault is a bug of ours: the caller sees EIO, the log sees the rest. */
export function errnoFor(error: unknown): number {
  return isFault(error) ? errnoOf[error.kind] : errno.EIO;
}

/** Faults that say something about us or our data, rather than about what the caller asked. */
export function isWorthLogging(error: unknown): boolean {
  return !isFault(error) || isFault(error, "Corrupt", "Unavailable", "TimedOut");
}
