/** The table: which operation serves which opcode. What is not here is answered with ENOSYS. */
import { type OpcodeName, opcodes } from "../protocol/protocol.ts";
import * as directories from "./directories.ts";
import * as files from "./files.ts";
import * as names from "./names.ts";
import { type Operation, notice } from "./operation.ts";
import * as xattrs from "./xattrs.ts";

const table: Readonly<Partial<Record<OpcodeName, Operation>>> = {
  LOOKUP: names.lookup, FORGET: names.forget, BATCH_FORGET: names.batchForget,
  GETATTR: names.getattr, STATX: names.statx, SETATTR: names.setattr,
  READLINK: names.readlink, SYMLINK: names.symlink, MKNOD: names.mknod, MKDIR: names.mkdir,
  LINK: names.link, UNLINK: names.unlink, RMDIR: names.rmdir,
  RENAME: names.rename, RENAME2: names.rename2,
  OPEN: files.open, CREATE: files.create, TMPFILE: files.tmpfile,
  READ: files.read, WRITE: files.write, RELEASE: files.release,
  FSYNC: files.fsync, FALLOCATE: files.fallocate, LSEEK: files.lseek,
  COPY_FILE_RANGE: files.copyFileRange, COPY_FILE_RANGE_64: files.copyFileRange64,
  OPENDIR: directories.opendir, READDIR: directories.readdir,
  READDIRPLUS: directories.readdirplus, RELEASEDIR: directories.releasedir,
  FSYNCDIR: directories.fsyncdir, STATFS: directories.statfs, SYNCFS: directories.syncfs,
  DESTROY: directories.destroy,
  GETXATTR: xattrs.getxattr, SETXATTR: xattrs.setxattr, LISTXATTR: xattrs.listxattr,
  REMOVEXATTR: xattrs.removexattr,
  INTERRUPT: notice((desk, request) => desk.interrupt(request.u64(0))),
};

/** By opcode, with holes. */
export const operations: readonly (Operation | undefined)[] = byOpcode(
  (name) => table[name],
);

export const opcodeNames: readonly (OpcodeName | undefined)[] = byOpcode((name) => name);

function byOpcode<T>(valueOf: (name: OpcodeName) => T | undefined): readonly (T | undefined)[] {
  const result: (T | undefined)[] = Array.from({ length: 64 }, () => undefined);
  for (const name of Object.keys(opcodes) as OpcodeName[]) result[opcodes[name]] = valueOf(name);
  return result;
}
