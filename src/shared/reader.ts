/**
 * Somebody else's files as this user has them: they belong to him, since who owns them there has no
 * meaning here, and whom else their owner let in is not shown.
 */
import { HiveError } from "../base/errors.ts";
import type { Attributes, FileSystem } from "../base/filesystem.ts";
import { type Maybe, then } from "../base/step.ts";

export interface Reader {
  readonly uid: number;
  readonly gid: number;
}

const accessLists = /^system\.posix_acl_/;

export function asReader(files: FileSystem, { uid, gid }: Reader): FileSystem {
  const mine = (attributes: Attributes): Attributes => ({ ...attributes, uid, gid });
  const shown = (found: Maybe<Attributes>): Maybe<Attributes> => then(found, mine);
  return {
    ...files,
    lookup: (at) => shown(files.lookup(at)),
    getattr: (ino) => shown(files.getattr(ino)),
    readdir: (handle, options, emit) => files.readdir(handle, options, (item) => {
      const { attributes } = item;
      return emit(attributes === undefined ? item : { ...item, attributes: mine(attributes) });
    }),
    getxattr(ino, name) {
      if (accessLists.test(name)) throw new HiveError("NoData", "shared.getxattr", name);
      return files.getxattr(ino, name);
    },
    listxattr: (ino) => then(files.listxattr(ino), (names) => {
      return names.filter((name) => !accessLists.test(name));
    }),
  };
}
