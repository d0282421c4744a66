/**
 * Somebody else's files as this user has them: they belong to him, since who owns them there has no
 * meaning here, and whom else their owner let in is not shown. Nor does anything of what the kernel
 * would go by hold here, where a drive of root's may be open to others: a program that runs as its
 * owner would run as this user, and a device would be one of this machine's.
 */
import { HiveError } from "../base/errors.ts";
import type { Attributes, FileSystem } from "../base/filesystem.ts";
import { type Maybe, then } from "../base/step.ts";

export interface Reader {
  readonly uid: number;
  readonly gid: number;
}

/** Access lists, and what the kernel gives programs beyond what their users may do. */
const hidden = /^(system\.posix_acl_|security\.|trusted\.)/;
const setIdBits = 0o6000;

export function asReader(files: FileSystem, { uid, gid }: Reader): FileSystem {
  const mine = (attributes: Attributes): Attributes => {
    return { ...attributes, uid, gid, mode: attributes.mode & ~setIdBits, rdev: 0 };
  };
  const shown = (found: Maybe<Attributes>): Maybe<Attributes> => then(found, mine);
  const opened = <T extends { readonly attributes: Attributes }>(made: T): T => {
    return { ...made, attributes: mine(made.attributes) };
  };
  return {
    ...files,
    lookup: (at) => shown(files.lookup(at)),
    getattr: (ino) => shown(files.getattr(ino)),
    setattr: (...asked) => shown(files.setattr(...asked)),
    mknod: (...asked) => shown(files.mknod(...asked)),
    mkdir: (...asked) => shown(files.mkdir(...asked)),
    symlink: (...asked) => shown(files.symlink(...asked)),
    link: (...asked) => shown(files.link(...asked)),
    create: (...asked) => then(files.create(...asked), opened),
    tmpfile: (...asked) => then(files.tmpfile(...asked), opened),
    readdir: (handle, options, emit) => files.readdir(handle, options, (item) => {
      const { attributes } = item;
      return emit(attributes === undefined ? item : { ...item, attributes: mine(attributes) });
    }),
    getxattr(ino, name) {
      if (hidden.test(name)) throw new HiveError("NoData", "shared.getxattr", name);
      return files.getxattr(ino, name);
    },
    listxattr: (ino) => then(files.listxattr(ino), (names) => {
      return names.filter((name) => !hidden.test(name));
    }),
  };
}
