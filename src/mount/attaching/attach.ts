/**
 * Getting a mounted /dev/fuse from the system, and having it taken off again: by mount(2) and
 * umount2(2) where we may, else through the set-user-id helper fusermount3. Nothing here serves.
 */
import { spawn } from "node:child_process";
import { closeSync } from "node:fs";
import { getSystemErrorMessage } from "node:util";
import { HiveError, codeOf } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { FuseAddon } from "../addon.ts";
import { errno } from "../errno.ts";
import { canonical, isMounted } from "./mounts.ts";

export interface AttachOptions {
  readonly directory: string;
  readonly fsName: string;
  readonly allowOther: boolean;
  readonly readOnly: boolean;
  readonly setUserId: boolean;
  readonly devices: boolean;
  readonly execute: boolean;
  readonly noAtime: boolean;
  readonly synchronous: boolean;
  readonly maxReadBytes: number;
}

const subtype = "hive";
const helpers = ["fusermount3", "fusermount"] as const;
const helperPath = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin";
/** From linux/mount.h. */
const flagBits = { readOnly: 1, nosuid: 2, nodev: 4, noexec: 8, synchronous: 16, noAtime: 1024 };
const detachFlag = 2;

/** The device, mounted on the directory. The caller owns it. */
export async function attach(addon: FuseAddon, options: AttachOptions): Promise<number> {
  if (process.getuid?.() === 0) {
    const device = attachAsRoot(addon, options);
    if (device !== undefined) return device;
  }
  return attachByHelper(addon, options);
}

/** Takes the mount off; `lazy` hides it now and ends it when its last file is closed. */
export async function detach(
  addon: FuseAddon | undefined, directory: string, how: { readonly lazy: boolean },
): Promise<void> {
  const path = await canonical(directory);
  const code = addon === undefined
    ? errno.EPERM
    : -(await addon.unmount(path, how.lazy ? detachFlag : 0));
  if (code === 0 || !(await isMounted(path))) return;
  if (code === errno.EBUSY) throw new HiveError("Busy", "mount.unmount", path);
  if (code !== errno.EPERM) throw new HiveError("Unavailable", "mount.unmount", `errno ${code}`);
  await detachByHelper(path, how);
}

async function detachByHelper(path: string, how: { readonly lazy: boolean }): Promise<void> {
  const failure = await runHelper([how.lazy ? "-uz" : "-u", "--", path], undefined);
  if (failure === undefined || !(await isMounted(path))) return;
  // The helper has one exit code for everything; for its own mount, busy is what is left.
  throw new HiveError("Busy", "mount.unmount", failure);
}

/** Undefined where being root is not enough, as in most containers. */
function attachAsRoot(addon: FuseAddon, options: AttachOptions): number | undefined {
  const device = addon.open();
  if (device < 0) throw deviceFault(-device);
  const data = [
    `fd=${device}`, "rootmode=40000", `user_id=${process.getuid?.()}`,
    `group_id=${process.getgid?.()}`, ...commonWords(options),
  ].join(",");
  const { fsName, directory } = options;
  const result = addon.mount(fsName, directory, `fuse.${subtype}`, flagsOf(options), data);
  if (result === 0) return device;
  closeSync(device);
  if (result === -errno.EPERM) return undefined;
  const kind = result === -errno.ENOENT ? "NotFound" : "Unavailable";
  throw new HiveError(kind, "mount.attach", `${directory}: ${getSystemErrorMessage(result)}`);
}

function deviceFault(code: number): HiveError {
  const why = getSystemErrorMessage(-code);
  return new HiveError("Unsupported", "mount.attach", `/dev/fuse: ${why}`);
}

async function attachByHelper(addon: FuseAddon, options: AttachOptions): Promise<number> {
  const pair = addon.pair();
  if (typeof pair === "number") throw new HiveError("Unavailable", "mount.attach", "socketpair");
  const [ours, theirs] = pair;
  try {
    const words = [...helperWords(options), ...commonWords(options)].join(",");
    const failure = await runHelper(["-o", words, "--", options.directory], theirs);
    if (failure !== undefined) throw new HiveError("Denied", "mount.attach", failure);
    const device = addon.receive(ours);
    if (device >= 0) return device;
    throw new HiveError("Unavailable", "mount.attach", `no descriptor: errno ${-device}`);
  } finally {
    closeSync(ours);
    closeSync(theirs);
  }
}

/** What root's mount(2) and the helper both understand. */
function commonWords(options: AttachOptions): readonly string[] {
  const words = ["default_permissions", `max_read=${options.maxReadBytes}`];
  return options.allowOther ? [...words, "allow_other"] : words;
}

function helperWords(options: AttachOptions): readonly string[] {
  return [
    options.readOnly ? "ro" : "rw", options.setUserId ? "suid" : "nosuid",
    options.devices ? "dev" : "nodev", options.execute ? "exec" : "noexec",
    options.noAtime ? "noatime" : "atime", options.synchronous ? "sync" : "async",
    `fsname=${options.fsName}`, `subtype=${subtype}`,
  ];
}

function flagsOf(options: AttachOptions): number {
  return (options.readOnly ? flagBits.readOnly : 0) | (options.setUserId ? 0 : flagBits.nosuid) |
    (options.devices ? 0 : flagBits.nodev) | (options.execute ? 0 : flagBits.noexec) |
    (options.noAtime ? flagBits.noAtime : 0) | (options.synchronous ? flagBits.synchronous : 0);
}

/** Runs the first helper that there is: undefined when it did its work, else what it said. */
async function runHelper(
  words: readonly string[], socket: number | undefined,
): Promise<string | undefined> {
  for (const helper of helpers) {
    const result = await run(helper, words, socket);
    if (result !== "absent") return result === "" ? undefined : result;
  }
  throw new HiveError("Unsupported", "mount.helper", "neither fusermount3 nor fusermount is here");
}

/** "" for success, "absent" for no such program that may be run, else its words. */
function run(
  helper: string, words: readonly string[], socket: number | undefined,
): Promise<string> {
  const environment = { PATH: helperPath, ...(socket === undefined ? {} : { _FUSE_COMMFD: "3" }) };
  const child = spawn(helper, words, {
    env: environment,
    stdio: ["ignore", "ignore", "pipe", ...(socket === undefined ? [] : [socket])],
  });
  let said = "";
  child.stderr?.on("data", (bytes: Buffer) => {
    if (said.length < limits.mount.complaintBytesMax) said += bytes.toString();
  });
  return new Promise((resolve, reject) => {
    child.once("error", (error) => {
      if (["ENOENT", "EACCES"].includes(codeOf(error))) resolve("absent");
      else reject(error);
    });
    child.once("close", (code) => resolve(code === 0 ? "" : said.trim() || `exit ${code}`));
  });
}
