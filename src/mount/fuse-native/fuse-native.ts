/**
 * The fuse-native driver: the npm package of that name (libfuse 2.9 behind it), for macOS and
 * wherever the addon was not built. README.md lists what it cannot do. The package's own unmount is
 * not used: it is always lazy, and blind to errors.
 */
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { HiveError, isFault } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { loadFuseAddon } from "../addon.ts";
import { type AttachOptions, detach } from "../attaching/attach.ts";
import { isMounted } from "../attaching/mounts.ts";
import type { Driven, MountNeeds } from "../driver.ts";
import { type PathOperations, pathOperations } from "./path-operations.ts";

type Done = (error: Error | null | undefined) => void;

interface FuseNative {
  mount(done: Done): void;
  unmount(done: Done): void;
  /** Ours in its place, since the package knows only some of the options. */
  _fuseOptions: () => string;
}

/** What the package has built of C. */
interface FuseNativeBinding {
  fuse_native_mount(...words: readonly unknown[]): unknown;
}

interface FuseNativeClass {
  new (directory: string, operations: PathOperations, options: { timeout: false }): FuseNative;
  unmount(directory: string, done: Done): void;
}

export async function mountFuseNative(
  needs: MountNeeds, options: AttachOptions,
): Promise<Driven> {
  const FuseClass = loadPackage();
  const { operations, counts, closeAll } = pathOperations(needs);
  const fuse = new FuseClass(options.directory, operations, { timeout: false });
  fuse._fuseOptions = () => `-o${words(options).join(",")}`;
  // The directory is off the system already when the package is told to let go of its thread.
  FuseClass.unmount = (_directory, done) => done(null);
  await finished("mount.attach", options.directory, (done) => fuse.mount(done));
  const ended = watch(needs, options.directory).then(async () => {
    await finished("mount.unmount", options.directory, (done) => fuse.unmount(done));
    await closeAll();
    await needs.tree.syncAll();
  });
  return {
    ended,
    stats: () => Object.fromEntries(counts),
    // It keeps nothing that could be out of date for long, and offers no way to say so.
    invalidateInode: async () => {},
    invalidateEntry: async () => {},
    async unmount(how) {
      await detach(loadFuseAddon(), options.directory, how);
      await ended;
    },
  };
}

let loadedBefore: FuseNativeClass | undefined;

/** Whether the package is there, with the libfuse that it needs. */
export function loadsFuseNative(): boolean {
  try {
    loadPackage();
    return true;
  } catch (error) {
    if (isFault(error, "Unsupported")) return false;
    throw error;
  }
}

function loadPackage(): FuseNativeClass {
  if (loadedBefore !== undefined) return loadedBefore;
  const require = createRequire(import.meta.url);
  try {
    const loaded: unknown = require("fuse-native");
    if (typeof loaded === "function") {
      blockSignalsOf(require.resolve("fuse-native"));
      return (loadedBefore = loaded as unknown as FuseNativeClass);
    }
  } catch (cause) {
    throw new HiveError("Unsupported", "mount.fuse-native", "fuse-native does not load", { cause });
  }
  throw new HiveError("Corrupt", "mount.driver", "fuse-native is another package");
}

/**
 * libfuse cancels its threads when a mount ends. If one of them is in the event loop's signal
 * handler just then, as when a child process has ended, it takes the lock of all signals with it,
 * and the whole process stands still for ever. So no signal may go to them.
 */
function blockSignalsOf(packageFile: string): void {
  const addon = loadFuseAddon();
  if (addon === undefined) return;
  const find = createRequire(packageFile)("node-gyp-build") as (folder: string) => unknown;
  const binding = find(dirname(packageFile)) as FuseNativeBinding;
  const { fuse_native_mount: mount } = binding;
  binding.fuse_native_mount = (...words) => addon.withSignalsBlocked(() => mount(...words));
}

/** Attributes are asked for each time: links to one file have a cache each in libfuse 2. */
function words(options: AttachOptions): readonly string[] {
  const common = [
    `fsname=${options.fsName}`, "default_permissions", options.readOnly ? "ro" : "rw",
    options.setUserId ? "suid" : "nosuid", options.devices ? "dev" : "nodev",
    ...(options.allowOther ? ["allow_other"] : []), "use_ino", "attr_timeout=0",
  ];
  if (process.platform !== "linux") return [...common, "volname=Hive"];
  return [...common, "subtype=hive", "big_writes", options.execute ? "exec" : "noexec"];
}

/** Nothing tells us of an unmount by others, so look from time to time. */
async function watch(needs: MountNeeds, directory: string): Promise<void> {
  while (await isMounted(directory)) await needs.clock.delay(limits.mount.watchMs);
}

function finished(op: string, subject: string, act: (done: Done) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    act((error) => {
      if (error === null || error === undefined) resolve();
      else reject(new HiveError("Unavailable", op, subject, { cause: error }));
    });
  });
}
