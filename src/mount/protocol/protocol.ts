/**
 * The words of the kernel's FUSE protocol (include/uapi/linux/fuse.h), version 7: numbers only.
 * Structures are taken apart in request.ts and put together in reply.ts.
 */

export const version = { major: 7, minor: 40, minorLeast: 31 } as const;

export const requestHeadBytes = 40;
export const replyHeadBytes = 16;
/** The request's head and fuse_write_in, before the bytes to write. */
export const writeHeadBytes = 80;

export const opcodes = {
  LOOKUP: 1, FORGET: 2, GETATTR: 3, SETATTR: 4, READLINK: 5, SYMLINK: 6, MKNOD: 8, MKDIR: 9,
  UNLINK: 10, RMDIR: 11, RENAME: 12, LINK: 13, OPEN: 14, READ: 15, WRITE: 16, STATFS: 17,
  RELEASE: 18, FSYNC: 20, SETXATTR: 21, GETXATTR: 22, LISTXATTR: 23, REMOVEXATTR: 24, FLUSH: 25,
  INIT: 26, OPENDIR: 27, READDIR: 28, RELEASEDIR: 29, FSYNCDIR: 30, GETLK: 31, SETLK: 32,
  SETLKW: 33, ACCESS: 34, CREATE: 35, INTERRUPT: 36, BMAP: 37, DESTROY: 38, IOCTL: 39, POLL: 40,
  NOTIFY_REPLY: 41, BATCH_FORGET: 42, FALLOCATE: 43, READDIRPLUS: 44, RENAME2: 45, LSEEK: 46,
  COPY_FILE_RANGE: 47, SETUPMAPPING: 48, REMOVEMAPPING: 49, SYNCFS: 50, TMPFILE: 51, STATX: 52,
  COPY_FILE_RANGE_64: 53,
} as const;

export type OpcodeName = keyof typeof opcodes;

/** Bits of fuse_init_in.flags and, from 32 on, flags2. */
export const initBits = {
  ASYNC_READ: 0, ATOMIC_O_TRUNC: 3, BIG_WRITES: 5, DONT_MASK: 6, DO_READDIRPLUS: 13,
  WRITEBACK_CACHE: 16, PARALLEL_DIROPS: 18, POSIX_ACL: 20, MAX_PAGES: 22,
  CACHE_SYMLINKS: 23, NO_OPENDIR_SUPPORT: 24, HANDLE_KILLPRIV_V2: 28, SETXATTR_EXT: 29,
  INIT_EXT: 30, NO_EXPORT_SUPPORT: 38,
} as const;

/** Bits of fuse_setattr_in.valid. */
export const changes = {
  mode: 1, uid: 2, gid: 4, size: 8, atime: 16, mtime: 32, atimeNow: 128, mtimeNow: 256,
  ctime: 1024, killPrivileges: 2048,
} as const;

/** fuse_write_in.write_flags and fuse_open_in.open_flags: set-user-id bits must go. */
export const writeKillPrivileges = 4;
export const openKillPrivileges = 1;

/** fuse_setxattr_in.setxattr_flags: a new access list, by somebody who is not of the group. */
export const setxattrKillSetGid = 1;

/** fuse_open_out.open_flags. */
export const opened = { keepCache: 2, cacheDirectory: 8 } as const;

export const renameFlags = { noreplace: 1, exchange: 2 } as const;

export const notices = { invalidateInode: 2, invalidateEntry: 3, prune: 9 } as const;

export const statxBasicAndBirth = 0xfff;
