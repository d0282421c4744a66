/** Operations on names and what they lead to: look up, make, remove, rename, attributes. */
import { HiveError, isFault } from "../../base/errors.ts";
import type { AttributeChange, Attributes, Place, RenameKind } from "../../base/filesystem.ts";
import { parseName } from "../../base/ids.ts";
import { type Maybe, then } from "../../base/step.ts";
import { changes, renameFlags, statxBasicAndBirth } from "../protocol/protocol.ts";
import type { Reply } from "../protocol/reply.ts";
import type { Request } from "../protocol/request.ts";
import { type Desk, encodeNothing, notice, operation } from "./operation.ts";
import { masked } from "./umask.ts";

/** An answered fuse_entry_out counts one look-up. */
const entry = {
  encode: (reply: Reply, attributes: Attributes) => void reply.entry(attributes),
  told: (attributes: Attributes) => [attributes.ino],
  undo: (desk: Desk, attributes: Attributes) => desk.forget(attributes.ino, 1),
};

const attributes = {
  letsGo: true,
  encode: (reply: Reply, value: Attributes) => void reply.validAttributes(value),
};

const removal = { encode: encodeNothing };

export const lookup = operation<Attributes | undefined>({
  letsGo: true,
  run: (desk, request) => orAbsent(() => desk.tree.lookup(request.place(0))),
  encode: (reply, found) => void (found === undefined ? reply.noEntry() : reply.entry(found)),
  told: (found) => found === undefined ? [] : [found.ino],
  done: (desk, found) => void (found !== undefined && desk.lookups.asked()),
  undo: (desk, found) => found !== undefined && desk.forget(found.ino, 1),
});

export const forget = notice((desk, request) => desk.forget(request.ino, request.u64(0)));

export const batchForget = notice((desk, request) => {
  const count = request.u32(0);
  for (let index = 0; index < count; index++) {
    const at = 8 + 16 * index;
    desk.forget(request.inoAt(at), request.u64(at + 8));
  }
});

export const getattr = operation({
  ...attributes,
  run: (desk, request) => desk.tree.getattr(request.ino),
});

export const statx = operation({
  letsGo: true,
  run: (desk, request) => desk.tree.getattr(request.ino),
  encode: (reply, value) => void reply.statx(value, statxBasicAndBirth),
});

export const setattr = operation({
  encode: attributes.encode,
  run: (desk, request) => desk.tree.setattr(request.caller, request.ino, changeOf(request)),
});

export const readlink = operation({
  letsGo: true,
  run: (desk, request) => desk.tree.readlink(request.ino),
  encode: (reply, target) => void (reply.pieces = [target]),
});

export const symlink = operation({
  ...entry,
  run: (desk, request) => {
    const target = Buffer.from(request.text(request.after(0)), "latin1");
    return desk.tree.symlink(request.caller, request.place(0), target);
  },
});

export const mknod = operation({
  ...entry,
  run: (desk, request) => {
    const [caller, at, rdev] = [request.caller, request.place(16), request.u32(4)];
    const bits = { mode: request.u32(0), umask: request.u32(8) };
    return then(masked(desk, at.parent, bits), (mode) =>
      desk.tree.mknod(caller, at, { mode, rdev }));
  },
});

export const mkdir = operation({
  ...entry,
  run: (desk, request) => {
    const [caller, at] = [request.caller, request.place(8)];
    const bits = { mode: request.u32(0), umask: request.u32(4) };
    return then(masked(desk, at.parent, bits), (mode) => desk.tree.mkdir(caller, at, { mode }));
  },
});

export const link = operation({
  ...entry,
  run: (desk, request) => desk.tree.link(request.caller, request.inoAt(0), request.place(8)),
});

export const unlink = operation({
  ...removal,
  run: (desk, request) => desk.tree.unlink(request.caller, request.place(0)),
});

export const rmdir = operation({
  ...removal,
  run: (desk, request) => desk.tree.rmdir(request.caller, request.place(0)),
});

export const rename = operation({
  ...removal,
  run: (desk, request) => move(desk, request, { namesOffset: 8, kind: "replace" }),
});

export const rename2 = operation({
  ...removal,
  run: (desk, request) => {
    return move(desk, request, { namesOffset: 16, kind: renameKind(request.u32(8)) });
  },
});

function move(
  desk: Desk, request: Request, how: { namesOffset: number; kind: RenameKind },
): Maybe<void> {
  const toName = parseName(request.text(request.after(how.namesOffset)));
  const to = { parent: request.inoAt(0), name: toName };
  const { caller } = request;
  const from = request.place(how.namesOffset);
  // An exchange moves them both.
  const ready = then(settled(desk, from), () =>
    how.kind === "exchange" ? settled(desk, to) : undefined);
  return then(ready, () => desk.tree.rename(caller, from, to, how.kind));
}

/** A file takes its data along even when its writer has not closed it: no crash may divide them. */
function settled(desk: Desk, at: Place): Maybe<void> {
  if (desk.writers.size === 0) return undefined;
  return then(desk.tree.lookup(at), ({ ino }) => {
    desk.forget(ino, 1);
    return desk.settle(ino);
  });
}

function renameKind(flags: number): RenameKind {
  if (flags === 0) return "replace";
  if (flags === renameFlags.noreplace) return "noreplace";
  if (flags === renameFlags.exchange) return "exchange";
  // What rename(2) documents for a flag that the file system does not have.
  throw new HiveError("Invalid", "mount.rename", `flags ${flags}`);
}

/** That a name is absent is an answer, and one that the kernel may keep. */
function orAbsent(find: () => Maybe<Attributes>): Maybe<Attributes | undefined> {
  try {
    const found = find();
    return found instanceof Promise ? found.catch(absent) : found;
  } catch (error) {
    return absent(error);
  }
}

function absent(error: unknown): undefined {
  if (isFault(error, "NotFound")) return undefined;
  throw error;
}

/** From fuse_setattr_in. */
function changeOf(request: Request): AttributeChange {
  const valid = request.u32(0);
  const change: { -readonly [K in keyof AttributeChange]: AttributeChange[K] } = {};
  if (valid & changes.mode) change.mode = request.u32(68) & 0o7777;
  if (valid & changes.uid) change.uid = request.u32(76);
  if (valid & changes.gid) change.gid = request.u32(80);
  if (valid & changes.size) change.sizeBytes = request.u64(16);
  if (valid & changes.atime) {
    change.atime = valid & changes.atimeNow ? "now" : request.instant(32, 56);
  }
  if (valid & changes.mtime) {
    change.mtime = valid & changes.mtimeNow ? "now" : request.instant(40, 60);
  }
  if (valid & changes.ctime) change.ctime = request.instant(48, 64);
  if (valid & changes.killPrivileges) change.dropPrivileges = true;
  return change;
}
