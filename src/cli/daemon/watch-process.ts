/**
 * The process that copies watched folders into the drive. It writes through the mount as any
 * program does, so what it has to wait for holds up nobody else; it is the daemon's child, is told
 * by it what to watch, and ends with it.
 */
import { setPriority } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../base/clock.ts";
import { limits } from "../../base/limits.ts";
import { lineLog, toStandardError } from "../../base/log.ts";
import type { WatchStatus } from "../../base/views/drive.ts";
import { statOf } from "../../watch/places.ts";
import { WatchedFolder } from "../../watch/watched-folder.ts";
import { type ExitCode, exitCodes } from "../exits.ts";
import type { Watch } from "../home/watches.ts";

/** From the daemon: all that is to be watched from now on. */
export interface WatchOrder {
  readonly mount: string;
  readonly watches: readonly Watch[];
}

const log = lineLog({ level: "info", write: toStandardError });
/** Behind whatever the user does. */
const niceness = 10;

interface Running {
  readonly watch: Watch;
  readonly folder: WatchedFolder;
}

export async function serveWatches(): Promise<ExitCode> {
  setPriority(niceness);
  const running = new Map<string, Running>();
  let obeying: Promise<void> = Promise.resolve();
  process.on("message", (order: WatchOrder) => {
    obeying = obeying.then(() => obey(order, running));
  });
  // A signal to the daemon's group is the daemon's to answer.
  for (const signal of ["SIGINT", "SIGHUP"] as const) process.on(signal, () => undefined);
  await new Promise<void>((resolve) => {
    process.once("disconnect", resolve);
    process.once("SIGTERM", resolve);
  });
  await obeying;
  await Promise.all([...running.values()].map(({ folder }) => folder.stop()));
  return exitCodes.ok;
}

async function obey(
  { mount, watches }: WatchOrder, running: Map<string, Running>,
): Promise<void> {
  for (const [directory, { watch, folder }] of running) {
    if (watches.some((one) => JSON.stringify(one) === JSON.stringify(watch))) continue;
    await folder.stop();
    running.delete(directory);
  }
  const drive = await statOf(Buffer.from(mount));
  const never = new Set(drive === undefined ? [] : [drive.dev]);
  const changed = teller(running);
  for (const watch of watches) {
    if (running.has(watch.directory)) continue;
    const { directory: source, into, deletes } = watch;
    const needs = { clock: systemClock, log, never, mayGive: process.getuid?.() === 0, changed };
    const folder = new WatchedFolder(needs, { source, copy: join(mount, into), deletes });
    running.set(source, { watch, folder });
  }
  changed();
}

/** Tells the daemon how it goes, a few times a second at most. */
function teller(running: ReadonlyMap<string, Running>): () => void {
  let isDue = false;
  return () => {
    if (isDue) return;
    isDue = true;
    systemClock.after(limits.watch.tellMs, () => {
      isDue = false;
      const statuses = [...running.values()].map(({ watch, folder }): WatchStatus => {
        return { ...watch, ...folder.status };
      });
      if (process.connected === true) process.send?.(statuses);
    });
  };
}
