/**
 * Operations on open files. Read open-flags.ts for what a handle may do, which is not what the
 * program may.
 */
import { constants } from "node:fs";
import { HiveError, assert } from "../../base/errors.ts";
import type { AllocateKind, Attributes, OpenFlags } from "../../base/filesystem.ts";
import type { Handle, Ino } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type Maybe, then } from "../../base/step.ts";
import { errno } from "../errno.ts";
import { openFlags } from "../protocol/open-flags.ts";
import { openKillPrivileges, opened, writeKillPrivileges } from "../protocol/protocol.ts";
import type { Reply } from "../protocol/reply.ts";
import type { Request } from "../protocol/request.ts";
import { type Desk, encodeNothing, operation } from "./operation.ts";
import { masked } from "./umask.ts";

interface Created {
  readonly attributes: Attributes;
  readonly handle: Handle;
}

const { O_EXCL } = constants;
/** Set-user-id and set-group-id. */
const privileges = 0o6000;
const seekWhences: Readonly<Record<number, "data" | "hole">> = { 3: "data", 4: "hole" };
const allocateKinds: Readonly<Record<number, AllocateKind>> = {
  0x00: "extend", 0x01: "keep-size", 0x03: "punch-hole", 0x10: "zero-range", 0x11: "zero-keep-size",
};

export const open = operation<Handle>({
  run: (desk, request) => {
    const flags = openFlags(request.u32(0));
    const strip = flags.truncate && (request.u32(4) & openKillPrivileges) !== 0;
    const { caller, ino } = request;
    const opening = then(strip ? dropPrivileges(desk, request, ino) : undefined, () =>
      desk.tree.open(caller, ino, flags));
    return then(opening, (handle) => keep(desk, handle, { ino, write: flags.write }));
  },
  encode: (reply, handle) => void encodeOpened(reply, handle),
  undo: drop,
});

const creation = {
  encode: (reply: Reply, made: Created) => {
    encodeOpened(reply.entry(made.attributes), made.handle);
  },
  told: (made: Created) => [made.attributes.ino],
  undo: (desk: Desk, made: Created) => {
    drop(desk, made.handle);
    desk.forget(made.attributes.ino, 1);
  },
};

export const create = operation<Created>({
  ...creation,
  run: (desk, request) => {
    const bits = request.u32(0);
    const flags = { ...openFlags(bits), exclusive: (bits & O_EXCL) !== 0 };
    const [caller, at] = [request.caller, request.place(16)];
    const made = then(newMode(desk, request), (mode) =>
      desk.tree.create(caller, at, { mode }, flags));
    return then(made, (created) => keepCreated(desk, created, flags));
  },
});

export const tmpfile = operation<Created>({
  ...creation,
  run: (desk, request) => {
    const flags = openFlags(request.u32(0));
    const { caller, ino } = request;
    const made = then(newMode(desk, request), (mode) =>
      desk.tree.tmpfile(caller, ino, { mode }, flags));
    return then(made, (created) => keepCreated(desk, created, flags));
  },
});

export const read = operation<readonly Uint8Array[]>({
  letsGo: true,
  run: (desk, request) => {
    const lengthBytes = Math.min(request.u32(16), limits.mount.transferBytesMax);
    const range = { offsetBytes: request.u64(8), lengthBytes };
    return desk.tree.read(request.handle(0), range, desk.signal());
  },
  encode: (reply, pieces) => void (reply.pieces = pieces),
});

export const write = operation<number>({
  keepsRequest: true,
  run: (desk, request) => {
    const handle = request.handle(0);
    const offsetBytes = request.u64(8);
    const bytes = request.view(40, request.u32(16));
    const strip = (request.u32(20) & writeKillPrivileges) !== 0;
    if (!strip) return desk.tree.write(handle, offsetBytes, bytes);
    return then(dropPrivileges(desk, request, request.ino), () =>
      desk.tree.write(handle, offsetBytes, bytes));
  },
  encode: (reply, writtenBytes) => void reply.u32(writtenBytes).u32(0),
});

export const release = operation({
  run: (desk, request) => {
    const handle = request.handle(0);
    desk.handles.delete(handle);
    desk.writers.delete(handle);
    return desk.tree.release(handle);
  },
  encode: encodeNothing,
});

export const fsync = operation({
  run: (desk, request) => desk.tree.fsync(request.handle(0)),
  encode: encodeNothing,
});

export const fallocate = operation({
  run: (desk, request) => {
    const mode = request.u32(24);
    const kind = allocateKinds[mode];
    if (kind === undefined) throw new HiveError("Unsupported", "mount.fallocate", `mode ${mode}`);
    const range = { offsetBytes: request.u64(8), lengthBytes: request.u64(16) };
    const { ino } = request;
    const handle = request.handle(0);
    return then(dropForeign(desk, request, ino), () => desk.tree.allocate(handle, range, kind));
  },
  encode: encodeNothing,
});

export const lseek = operation({
  letsGo: true,
  errnoOf: { NoData: errno.ENXIO },
  run: (desk, request) => {
    const whence = seekWhences[request.u32(16)];
    if (whence === undefined) throw new HiveError("Invalid", "mount.lseek", "whence");
    // One below zero is past every end, as one too large is.
    const [handle, offsetBytes] = [request.handle(0), request.u64Clamped(8)];
    // The kernel asks without writing its dirty pages first: they would be told to be holes.
    return then(desk.settle(request.ino), () => desk.tree.seek(handle, offsetBytes, whence));
  },
  encode: (reply, offsetBytes) => void reply.u64(offsetBytes),
});

export const copyFileRange = operation({
  run: copyRange,
  encode: (reply, copiedBytes) => void reply.u32(copiedBytes).u32(0),
});

export const copyFileRange64 = operation({
  run: copyRange,
  encode: (reply, copiedBytes) => void reply.u64(copiedBytes),
});

function copyRange(desk: Desk, request: Request): Maybe<number> {
  // Its first answer has 32 bits; and a caller asks again for what is left.
  const lengthBytes = Math.min(request.u64Clamped(40), 2 ** 30);
  const range = { offsetBytes: request.u64(8), lengthBytes };
  const [from, to, toOffsetBytes] = [request.handle(0), request.handle(24), request.u64(32)];
  return then(dropForeign(desk, request, request.inoAt(16)), () =>
    desk.tree.copyRange(from, range, to, toOffsetBytes));
}

/** From fuse_create_in. */
function newMode(desk: Desk, request: Request): Maybe<number> {
  return masked(desk, request.ino, { mode: request.u32(4), umask: request.u32(8) });
}

/**
 * Set-user-id bits go when somebody without rights over them writes. The kernel remembers a mode,
 * shows it and runs programs by it, and learns no other from the answer to a write: it is told.
 */
function dropPrivileges(desk: Desk, { caller }: Request, ino: Ino): Maybe<unknown> {
  return then(desk.tree.getattr(ino), ({ mode }) => {
    if ((mode & privileges) === 0) return undefined;
    return then(desk.tree.setattr(caller, ino, { dropPrivileges: true }), (changed) =>
      changed.mode === mode ? undefined : desk.forgetAttributes(ino));
  });
}

/** Where the kernel does not say whether they must go, as it does for writes. */
function dropForeign(desk: Desk, request: Request, ino: Ino): Maybe<unknown> {
  return request.caller.uid === 0 ? undefined : dropPrivileges(desk, request, ino);
}

function keep(
  desk: Desk, handle: Handle, opened: { readonly ino: Ino; readonly write: boolean },
): Handle {
  assert(!desk.handles.has(handle), "a handle is open twice");
  desk.handles.set(handle, "file");
  if (opened.write) desk.writers.set(handle, opened.ino);
  return handle;
}

function keepCreated(desk: Desk, created: Created, { write }: OpenFlags): Created {
  keep(desk, created.handle, { ino: created.attributes.ino, write });
  return created;
}

function drop(desk: Desk, handle: Handle): void {
  desk.handles.delete(handle);
  desk.writers.delete(handle);
  void desk.tree.release(handle);
}

/** fuse_open_out. What the page cache has stays right, since every change goes through it. */
function encodeOpened(reply: Reply, handle: Handle): void {
  reply.u64(handle).u32(opened.keepCache).u32(0);
}
