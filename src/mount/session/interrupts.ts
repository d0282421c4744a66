/**
 * The kernel announces an interrupt for every signal, even for the timers by which git shows its
 * progress; a stat(2) that failed for those would break programs that have always worked. So look
 * at what is pending: only what asks a program to end lets its caller go, as an NFS mount does it.
 */
import { readFile } from "node:fs/promises";

/** HUP, INT, QUIT, KILL and TERM. A fatal signal of any kind shows as KILL. */
const endingSignals = [1, 2, 3, 9, 15].reduce((sum, signal) => sum | (1 << (signal - 1)), 0);

/** True as well for a caller that cannot be looked at (gone, or in another namespace). */
export async function wantsToEnd(pid: number): Promise<boolean> {
  try {
    return pendingSignals(await readFile(`/proc/${pid}/status`, "latin1"));
  } catch {
    return true;
  }
}

/** Decides from the text of /proc/PID/status. */
export function pendingSignals(status: string): boolean {
  const masks = [...status.matchAll(/^(?:SigPnd|ShdPnd):\s*[0-9a-f]*?([0-9a-f]{1,8})$/gm)];
  return masks.some((mask) => (Number.parseInt(mask[1] as string, 16) & endingSignals) !== 0);
}
