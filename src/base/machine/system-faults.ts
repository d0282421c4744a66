/** What the operating system says, as a fault, for whoever gives it on to a person as it is. */
import { HiveError, type Kind, codeOf } from "../errors.ts";

/** A disk that does not take what is to be written. */
export const kindsOfRefusal: readonly (readonly [code: string, kind: Kind])[] = [
  ["ENOSPC", "NoSpace"],
  ["EDQUOT", "NoSpace"],
  // A file-size limit set on the process: to the user it is a full disk.
  ["EFBIG", "NoSpace"],
  ["EROFS", "ReadOnly"],
  ["EACCES", "Denied"],
];

const kindOfCode: ReadonlyMap<string, Kind> = new Map([
  ...kindsOfRefusal,
  ["EPERM", "NotPermitted"],
  ["ENOENT", "NotFound"],
  ["EEXIST", "Exists"],
  ["ENOTDIR", "NotDirectory"],
  ["EISDIR", "IsDirectory"],
  ["ENAMETOOLONG", "NameTooLong"],
  ["EBUSY", "Busy"],
  // A mount whose daemon was killed.
  ["ENOTCONN", "Unavailable"],
]);

/** Undefined where the system says nothing that we have a kind for. */
export function kindOfSystem(error: unknown): Kind | undefined {
  return kindOfCode.get(codeOf(error));
}

/** The fault that it is, or was made of; undefined when it is none, but a bug or a bad disk. */
export function faultOf(error: unknown): HiveError | undefined {
  // Of several failures on the way out, the first is the reason for the others.
  if (error instanceof SuppressedError) return faultOf(error.suppressed);
  if (error instanceof HiveError) return error;
  const kind = kindOfSystem(error);
  if (kind === undefined) return undefined;
  const { syscall = "system", path, message } = error as NodeJS.ErrnoException;
  return new HiveError(kind, syscall, path ?? message, { cause: error });
}
