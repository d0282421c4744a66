/**
 * Says where in a folder something has changed. Only folders are watched, and each of them once: a
 * watch for every file would take the kernel's room for them, and much memory. What has changed is
 * not said: whoever hears it looks at both sides.
 */
import { dirname, relative } from "node:path";
import { type Stats } from "node:fs";
import { watch } from "chokidar";
import type { Below } from "./places.ts";

export interface NoticesNeeds {
  /** A name in a folder, or the whole folder when the name is not known. */
  readonly heard: (folder: Below, name: string | undefined) => void;
  /** Some of it cannot be watched: only a look at all of it finds what changes there. */
  readonly failed: (why: unknown) => void;
  readonly isIgnored: (folder: Below) => boolean;
}

export interface Notices {
  /** Until then something may change without a word. */
  readonly ready: Promise<void>;
  close(): Promise<void>;
}

export function watchFolders(root: string, needs: NoticesNeeds): Notices {
  const belowOf = (path: string): Below | undefined => {
    const text = relative(root, path);
    // A name in another encoding than UTF-8 was lost on its way here.
    return text.includes("\ufffd") ? undefined : Buffer.from(text, "utf8").toString("latin1");
  };
  const ignored = (path: string, stats?: Stats): boolean => {
    if (stats !== undefined && !stats.isDirectory()) return true;
    return needs.isIgnored(belowOf(path) ?? "");
  };
  const watcher = watch(root, {
    ignored, ignoreInitial: true, followSymlinks: false, ignorePermissionErrors: true,
  });
  const hear = (folder: string, name: string | undefined): void => {
    const below = belowOf(folder);
    const known = name?.includes("\ufffd") ? undefined : name;
    if (below === undefined) hear(dirname(folder), undefined);
    else needs.heard(below, known && Buffer.from(known, "utf8").toString("latin1"));
  };
  watcher.on("raw", (_event, name, details) => {
    const { watchedPath } = details as { readonly watchedPath?: string };
    if (watchedPath !== undefined) hear(watchedPath, name ? String(name) : undefined);
  });
  // What came into a new folder before it was watched.
  watcher.on("addDir", (path) => hear(path, undefined));
  watcher.on("error", needs.failed);
  const ready = new Promise<void>((resolve) => void watcher.once("ready", resolve));
  return { ready, close: () => watcher.close() };
}
