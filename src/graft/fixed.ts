/** The directories that hold grafts, as a whole FileSystem: what else is asked of them fails. */
import { HiveError } from "../base/errors.ts";
import type { FileSystem } from "../base/filesystem.ts";
import type { GraftDirectories } from "./directories.ts";

export function fixedFiles(directories: GraftDirectories): FileSystem {
  const { lookup, forget, getattr, opendir, readdir, releasedir } = directories;
  return {
    lookup, forget, getattr, opendir, readdir, releasedir,
    setattr: refuses("ReadOnly"), mknod: refuses("ReadOnly"), mkdir: refuses("ReadOnly"),
    symlink: refuses("ReadOnly"), link: refuses("ReadOnly"), unlink: refuses("ReadOnly"),
    rmdir: refuses("ReadOnly"), rename: refuses("ReadOnly"), create: refuses("ReadOnly"),
    tmpfile: refuses("ReadOnly"), setxattr: refuses("ReadOnly"), removexattr: refuses("ReadOnly"),
    open: refuses("IsDirectory"), readlink: refuses("Invalid"), getxattr: refuses("NoData"),
    read: refuses("BadHandle"), write: refuses("BadHandle"), allocate: refuses("BadHandle"),
    seek: refuses("BadHandle"), copyRange: refuses("BadHandle"), flush: refuses("BadHandle"),
    fsync: refuses("BadHandle"), release: refuses("BadHandle"), statfs: refuses("Unsupported"),
    listxattr: () => [],
    fsyncdir: () => undefined,
    syncAll: async () => undefined,
  };
}

function refuses(kind: "ReadOnly" | "IsDirectory" | "Invalid" | "NoData" | "BadHandle" |
  "Unsupported"): () => never {
  return () => {
    throw new HiveError(kind, "graft.directory", "a directory that holds other trees");
  };
}
