/**
 * Extended attributes. POSIX ACLs are among them: the tree keeps them and the kernel, which
 * remembers also that there is none (FUSE_POSIX_ACL), enforces them.
 */
import { HiveError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { type Maybe, then } from "../../base/step.ts";
import { setxattrKillSetGid } from "../protocol/protocol.ts";
import type { Reply } from "../protocol/reply.ts";
import { encodeNothing, operation } from "./operation.ts";
import { defaultList } from "./umask.ts";

/** What was found, and how many bytes the caller has room for; 0 asks for the length only. */
interface Sized {
  readonly bytes: Uint8Array;
  readonly roomBytes: number;
}

const modes: Readonly<Record<number, "any" | "create" | "replace">> = {
  0: "any", 1: "create", 2: "replace",
};

const sized = { letsGo: true, encode: encodeSized };

export const getxattr = operation<Sized>({
  ...sized,
  run: (desk, request) => {
    const roomBytes = request.u32(0);
    const name = request.text(8);
    return sizedBytes(desk.tree.getxattr(request.ino, name), roomBytes);
  },
});

export const listxattr = operation<Sized>({
  ...sized,
  run: (desk, request) => {
    const roomBytes = request.u32(0);
    return sizedBytes(then(desk.tree.listxattr(request.ino), joined), roomBytes);
  },
});

export const setxattr = operation({
  run: (desk, request) => {
    const lengthBytes = request.u32(0);
    const mode = modes[request.u32(4)];
    const headBytes = desk.hasLongSetxattr ? 16 : 8;
    const name = request.text(headBytes);
    if (mode === undefined) throw new HiveError("Invalid", "mount.setxattr", "flags");
    if (lengthBytes > limits.tree.xattrBytesMax) {
      throw new HiveError("OutOfRange", "mount.setxattr", `${lengthBytes} bytes`);
    }
    if (name === defaultList) desk.defaultLists.delete(request.ino);
    const value = request.copy(request.after(headBytes), lengthBytes);
    const dropSetGid = desk.hasLongSetxattr && (request.u32(8) & setxattrKillSetGid) !== 0;
    return desk.tree.setxattr(request.caller, request.ino, name, value, mode, { dropSetGid });
  },
  encode: encodeNothing,
});

export const removexattr = operation({
  run: (desk, request) => {
    const name = request.text(0);
    if (name === defaultList) desk.defaultLists.delete(request.ino);
    return desk.tree.removexattr(request.caller, request.ino, name);
  },
  encode: encodeNothing,
});

function joined(names: readonly string[]): Uint8Array {
  return Buffer.from(names.map((name) => `${name}\0`).join(""), "latin1");
}

function sizedBytes(found: Maybe<Uint8Array>, roomBytes: number): Maybe<Sized> {
  return then(found, (bytes) => {
    const fits = roomBytes === 0 || bytes.length <= roomBytes;
    if (fits) return { bytes, roomBytes };
    throw new HiveError("OutOfRange", "mount.xattr", `${bytes.length} bytes`);
  });
}

function encodeSized(reply: Reply, { bytes, roomBytes }: Sized): void {
  if (roomBytes === 0) reply.u32(bytes.length).u32(0);
  else reply.pieces = [bytes];
}
