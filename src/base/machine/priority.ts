/**
 * Work that nobody waits for gives way to programs that somebody looks at, by the scheduler's own
 * means. It never raises a priority, and where the system refuses, all runs as before.
 */
import { readlinkSync } from "node:fs";
import { basename } from "node:path";
import { getPriority, setPriority } from "node:os";

/** What gives way, and how far: as niceness, 0 being a program's own and 19 the last in line. */
const nicenessOf = {
  /** The network's thread, before the kernel's thread of the same drive. */
  thread: 7,
  /** A node without a drive, before all that its machine is for. */
  process: 10,
} as const;

export function giveWay(who: keyof typeof nicenessOf): void {
  try {
    const id = who === "process" ? 0 : thisThread();
    setPriority(id, Math.max(getPriority(id), nicenessOf[who]));
  } catch {
    // Not Linux, or a sandbox that forbids it: it is a courtesy and no more.
  }
}

/** The kernel's number for the calling thread; Linux takes it where others take a process. */
function thisThread(): number {
  return Number(basename(readlinkSync("/proc/thread-self")));
}
