/**
 * Extended attributes. POSIX ACLs are not served yet: the kernel is told so per file and remembers it
 * (FUSE_POSIX_ACL), and setting one is refused rather than kept without effect.
 */
import { HiveError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Maybe } from "../base/step.ts";
import { encodeNothing, operation, then } from "./operation.ts";
import type { Reply } from "./reply.ts";

/** What was found, and how many bytes the caller has room for; 0 asks for the length only. */
interface Sized {
  readonly bytes: Uint8Array;
  readonly roomBytes: number;
}

const aclPrefix = "system.posix_acl_";
const modes: Readonly<Record<number, "any" | "create" | "replace">> = {
  0: "any", 1: "create", 2: "replace",
};

const sized = { letsGo: true, encode: encodeSized };

export const getxattr = operation<Sized>({
  ...sized,
  run: (desk, request) => {
    const roomBytes = request.u32(0);
    const name = request.text(8);
    if (name.startsWith(aclPrefix)) throw new HiveError("NoData", "mount.getxattr", aclPrefix);
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
    const name = request.text(8);
    if (mode === undefined) throw new HiveError("Invalid", "mount.setxattr", "flags");
    refuseAcl(name);
    if (lengthBytes > limits.tree.xattrBytesMax) {
      throw new HiveError("OutOfRange", "mount.setxattr", `${lengthBytes} bytes`);
    }
    const value = request.copy(request.after(8), lengthBytes);
    return desk.tree.setxattr(request.caller, request.ino, name, value, mode);
  },
  encode: encodeNothing,
});

export const removexattr = operation({
  run: (desk, request) => {
    const name = request.text(0);
    refuseAcl(name);
    return desk.tree.removexattr(request.caller, request.ino, name);
  },
  encode: encodeNothing,
});

function refuseAcl(name: string): void {
  if (name.startsWith(aclPrefix)) throw new HiveError("Unsupported", "mount.setxattr", aclPrefix);
}

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
