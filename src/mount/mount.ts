/**
 * The face of this room: a tree becomes a folder. README.md says which driver does what. It never
 * looks into the folder that it serves: that would wait for itself.
 */
import { closeSync, existsSync } from "node:fs";
import { lstat, mkdtemp, readdir, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HiveError } from "../base/errors.ts";
import type { Ino, Name } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { folderFault, makeDirectories } from "../base/machine/directories.ts";
import { type FuseAddon, loadFuseAddon } from "./addon.ts";
import { type AttachOptions, attach, detach } from "./attaching/attach.ts";
import { canonical, isMounted, staleMount } from "./attaching/mounts.ts";
import { type ChosenOptions, parseFsName } from "./attaching/options.ts";
import type { Driven, MountNeeds } from "./driver.ts";
import { loadsFuseNative, mountFuseNative } from "./fuse-native/fuse-native.ts";
import { mountKernel } from "./session/kernel.ts";

export { type ChosenOptions, parseMountOptions } from "./attaching/options.ts";
export { isMounted, staleMount } from "./attaching/mounts.ts";
export type { MountNeeds } from "./driver.ts";

export type DriverName = "kernel" | "fuse-native";

/** The rest of what `-o` can say (ChosenOptions) may be spread into it. */
export interface MountOptions extends ChosenOptions {
  readonly directory: string;
  readonly driver: DriverName;
  readonly allowOther: boolean;
  readonly readOnly: boolean;
  readonly fsName: string;
}

export interface Mounted extends AsyncDisposable {
  readonly directory: string;
  readonly driver: DriverName;
  /** Resolves when unmounted by anybody, with everything flushed and closed. */
  readonly ended: Promise<void>;
  /** Busy while somebody uses it. `lazy` hides it at once and ends it with its last open file. */
  unmount(how?: { readonly lazy: boolean }): Promise<void>;
  /** Requests so far, by the kernel's name of each. */
  stats(): Readonly<Record<string, number>>;
  /** Tells the kernel about changes that did not come through it. They never reject. */
  invalidateInode(ino: Ino): Promise<void>;
  invalidateEntry(parent: Ino, name: Name): Promise<void>;
}

/** The driver for this machine: the kernel's protocol where the addon was built. */
export function bestDriver(): DriverName {
  return loadFuseAddon() === undefined ? "fuse-native" : "kernel";
}

/** Whether it is on this machine. */
export function hasDriver(driver: DriverName): boolean {
  return driver === "kernel" ? loadFuseAddon() !== undefined : loadsFuseNative();
}

/** Resolves when the folder serves. The folder must be there, a directory, and not a mount yet. */
export async function mount(needs: MountNeeds, options: MountOptions): Promise<Mounted> {
  parseFsName(options.fsName);
  await refuseUnfit(options);
  const directory = await canonical(options.directory);
  const driven = await drive(needs, options.driver, attachOptions(directory, options));
  const unmount = (how = { lazy: false }) => driven.unmount(how);
  return {
    ...driven, directory, driver: options.driver, unmount,
    async [Symbol.asyncDispose]() {
      if (await isMounted(directory)) await unmount({ lazy: true });
      await driven.ended;
    },
  };
}

/**
 * Fails as mount() would, for whoever has nothing to mount yet: it is tried with nobody behind it,
 * and taken off again. The folder is made once that works.
 */
export async function prepareMount(options: MountOptions): Promise<void> {
  const { directory, driver } = options;
  await clearStaleMount(directory);
  const isThere = (await isMounted(directory)) || existsSync(directory);
  if (isThere) await refuseUnfit(options);
  if (!hasDriver(driver)) throw absent(driver);
  const addon = loadFuseAddon();
  if (addon !== undefined) await tryMount(addon, { ...options, isThere });
  makeMountPoint(directory);
}

async function tryMount(
  addon: FuseAddon, options: MountOptions & { readonly isThere: boolean },
): Promise<void> {
  const { directory, isThere } = options;
  const place = isThere ? directory : await mkdtemp(join(tmpdir(), "hive-"));
  try {
    closeSync(await attach(addon, attachOptions(await canonical(place), options)));
    await detach(addon, place, { lazy: true });
  } finally {
    if (!isThere) await rmdir(place);
  }
}

/** Takes off what a killed daemon left. False when there was nothing of the kind. */
export async function clearStaleMount(directory: string): Promise<boolean> {
  if (!(await staleMount(directory))) return false;
  await detach(loadFuseAddon(), directory, { lazy: true });
  return true;
}

/** The folder that a drive is mounted on, made if it is not there. */
export function makeMountPoint(directory: string): void {
  try {
    makeDirectories(directory);
  } catch (cause) {
    throw folderFault(cause, "mount.directory", directory);
  }
}

async function drive(
  needs: MountNeeds, driver: DriverName, options: AttachOptions,
): Promise<Driven> {
  if (driver === "fuse-native") return mountFuseNative(needs, options);
  const addon = loadFuseAddon();
  if (addon !== undefined) return mountKernel(needs, addon, options);
  throw absent(driver);
}

function absent(driver: DriverName): HiveError {
  const what = driver === "kernel" ? "native/fuse was not built here" : "fuse-native does not load";
  return new HiveError("Unsupported", `mount.${driver}`, what);
}

async function refuseUnfit({ directory, nonEmpty = false }: MountOptions): Promise<void> {
  if (await isMounted(directory)) throw new HiveError("Busy", "mount.directory", directory);
  const status = await lstat(directory);
  if (!status.isDirectory()) throw new HiveError("NotDirectory", "mount.directory", directory);
  // Mounting over files hides them: whoever meant another directory would think them gone.
  const empty = nonEmpty || (await readdir(directory)).length === 0;
  if (!empty) throw new HiveError("NotEmpty", "mount.directory", directory);
}

/** The cautious side where nothing was said: no devices, no set-user-id programs. */
function attachOptions(directory: string, options: MountOptions): AttachOptions {
  return {
    directory,
    fsName: options.fsName,
    allowOther: options.allowOther,
    readOnly: options.readOnly,
    setUserId: options.setUserId ?? false,
    devices: options.devices ?? false,
    execute: options.execute ?? true,
    noAtime: options.noAtime ?? false,
    synchronous: options.synchronous ?? false,
    maxReadBytes: Math.min(
      options.maxReadBytes ?? limits.mount.transferBytesMax, limits.mount.transferBytesMax,
    ),
  };
}
