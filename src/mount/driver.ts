/** What a driver gives the face of this room, and what it needs. */
import type { Clock } from "../base/clock.ts";
import type { FileSystem } from "../base/filesystem.ts";
import type { Ino, Name } from "../base/ids.ts";
import type { Log } from "../base/log.ts";

export interface MountNeeds {
  readonly tree: FileSystem;
  readonly log: Log;
  readonly clock: Clock;
  /** In place of `limits.mount.filesKnownMax`. */
  readonly filesKnownMax?: number;
}

export interface Driven {
  /** Resolves when it is unmounted, by whomever, and everything is flushed and closed. */
  readonly ended: Promise<void>;
  /** Requests so far, by the kernel's name of each. */
  stats(): Readonly<Record<string, number>>;
  invalidateInode(ino: Ino): Promise<void>;
  invalidateEntry(parent: Ino, name: Name): Promise<void>;
  /** Busy while files are open, unless lazy. */
  unmount(how: { readonly lazy: boolean }): Promise<void>;
}
