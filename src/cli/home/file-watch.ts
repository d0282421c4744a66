/**
 * Tells when files of the user's have changed: those of one folder and of the folders in it that
 * somebody wants to hear of. What became of them is whoever asked's to read.
 */
import { watch } from "chokidar";
import { systemClock } from "../../base/clock.ts";
import { type Log, describe } from "../../base/log.ts";

/** Editors save in several steps: a file is read once they have come to rest. */
const restMs = 200;

export interface FileWatch {
  close(): Promise<void>;
}

export function watchFiles(
  folder: string,
  { log, isWanted, looks }: {
    readonly log: Log;
    readonly isWanted: (path: string) => boolean;
    /** Each has a look, and failures are told. */
    readonly looks: readonly (() => Promise<void>)[];
  },
): FileWatch {
  const ignored = (path: string): boolean => path !== folder && !isWanted(path);
  const watcher = watch(folder, { ignoreInitial: true, depth: 1, ignored });
  let timer: Disposable | undefined;
  const failed = (error: unknown): void => log.warn("files.watch", { why: describe(error) });
  const look = (): void => {
    timer?.[Symbol.dispose]();
    timer = systemClock.after(restMs, () => {
      for (const one of looks) void one().catch(failed);
    });
  };
  watcher.on("error", failed);
  // Once more when it is ready: something may have changed before anybody watched.
  watcher.on("ready", look);
  watcher.on("all", look);
  return {
    async close() {
      timer?.[Symbol.dispose]();
      await watcher.close();
    },
  };
}
