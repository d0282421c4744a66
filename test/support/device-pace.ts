/**
 * How soon a change that is made on one machine is seen on another one of the same drive, by
 * programs there and through a kernel that has cached what was before.
 */
import { chmodSync, closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, rmSync,
  statSync, writeFileSync, writeSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";

export interface Pace {
  readonly medianMs: number;
  readonly worstMs: number;
  /** What the slowest was. */
  readonly worst: string;
}

/** So much longer than on a quiet machine anything may take just now. */
export function slack(): number {
  return Math.max(1, (loadavg()[0] ?? 0) / cpus().length);
}

interface Change {
  readonly what: string;
  /** Has the kernel over there cache what is about to be another. */
  warm(there: string): void;
  make(here: string): void;
  isSeen(there: string): boolean;
}

/** Does each kind of change `rounds` times; throws where one is not seen within `giveUpMs`. */
export async function paceOf(
  { here, there }: { readonly here: string; readonly there: string },
  { rounds, giveUpMs }: { readonly rounds: number; readonly giveUpMs: number },
): Promise<Pace> {
  const times: { readonly what: string; readonly ms: number }[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const change of changesOf(round)) {
      change.warm(there);
      const beganMs = performance.now();
      change.make(here);
      while (!change.isSeen(there)) {
        if (performance.now() - beganMs > giveUpMs) throw new Error(`not seen: ${change.what}`);
        await new Promise((later) => setTimeout(later, 5));
      }
      times.push({ what: change.what, ms: performance.now() - beganMs });
    }
  }
  const sorted = times.toSorted((one, other) => one.ms - other.ms);
  const [median, worst] = [sorted[sorted.length >> 1], sorted.at(-1)];
  if (median === undefined || worst === undefined) throw new Error("no rounds");
  return { medianMs: median.ms, worstMs: worst.ms, worst: worst.what };
}

function* changesOf(round: number): Generator<Change> {
  const folder = `pace ${round}`;
  const [file, large] = [join(folder, "file"), join(folder, "large")];
  const moved = join(folder, "moved");
  const text = `round ${round}\n`;
  const megabyte = Buffer.alloc(2 ** 20, round + 1);
  const at = 300_000;
  yield {
    what: "a folder", warm: (there) => void existsSync(join(there, folder)),
    make: (here) => mkdirSync(join(here, folder)),
    isSeen: (there) => existsSync(join(there, folder)),
  };
  yield {
    what: "a new file", warm: (there) => void existsSync(join(there, file)),
    make: (here) => writeFileSync(join(here, file), text),
    isSeen: (there) => textAt(there, file) === text,
  };
  yield {
    what: "a file written over", warm: (there) => void textAt(there, file),
    make: (here) => writeFileSync(join(here, file), `again ${text}`),
    isSeen: (there) => textAt(there, file) === `again ${text}`,
  };
  yield {
    what: "a mode", warm: (there) => void statSync(join(there, file)),
    make: (here) => chmodSync(join(here, file), 0o600),
    isSeen: (there) => (statSync(join(there, file)).mode & 0o777) === 0o600,
  };
  yield {
    what: "a rename", warm: (there) => void existsSync(join(there, moved)),
    make: (here) => renameSync(join(here, file), join(here, moved)),
    isSeen: (there) => existsSync(join(there, moved)) && !existsSync(join(there, file)),
  };
  yield {
    what: "a megabyte", warm: (there) => void existsSync(join(there, large)),
    make: (here) => writeFileSync(join(here, large), megabyte),
    isSeen: (there) => bytesAt(there, large)?.equals(megabyte) === true,
  };
  yield {
    what: "some bytes in it", warm: (there) => void bytesAt(there, large),
    make: (here) => patch(join(here, large), text, at),
    isSeen: (there) => bytesAt(there, large)?.toString("latin1", at, at + text.length) === text,
  };
  yield {
    what: "a removal", warm: (there) => void textAt(there, moved),
    make: (here) => rmSync(join(here, moved)),
    isSeen: (there) => !existsSync(join(there, moved)),
  };
  yield {
    what: "a folder that goes", warm: (there) => void bytesAt(there, large),
    make: (here) => rmSync(join(here, folder), { recursive: true }),
    isSeen: (there) => !existsSync(join(there, folder)),
  };
}

function patch(path: string, text: string, position: number): void {
  const file = openSync(path, "r+");
  writeSync(file, text, position);
  closeSync(file);
}

function textAt(there: string, name: string): string | undefined {
  return bytesAt(there, name)?.toString();
}

function bytesAt(there: string, name: string): Buffer | undefined {
  try {
    return readFileSync(join(there, name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
