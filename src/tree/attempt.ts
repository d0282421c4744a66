/**
 * How the tree waits. Every operation is a plain synchronous function that looks first and changes
 * last. Where it finds a page or chunk missing in memory, it throws Wanted; `attempt` brings what
 * is wanted and starts the operation again from the top. So an operation whose data is in memory
 * answers at once, nothing ever happens in the middle of another, and there is no lock to forget.
 */
import { HiveError, isFault } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Maybe } from "../base/step.ts";

/** Not a fault: what an operation must have before it can go on. */
export class Wanted {
  readonly bring: () => Promise<unknown>;

  constructor(bring: () => Promise<unknown>) {
    this.bring = bring;
  }
}

/** Several at once, so that they travel together. */
export function wantAll(wants: readonly Wanted[]): Wanted {
  return new Wanted(() => Promise.all(wants.map((want) => want.bring())));
}

export function attempt<T>(act: () => T, signal?: AbortSignal): Maybe<T> {
  try {
    return act();
  } catch (error) {
    if (error instanceof Wanted) return again(error, act, signal);
    throw error;
  }
}

async function again<T>(first: Wanted, act: () => T, signal?: AbortSignal): Promise<T> {
  let wanted = first;
  for (let round = 0; round < limits.tree.fetchesMax; round++) {
    await unlessInterrupted(wanted.bring(), signal);
    try {
      return act();
    } catch (error) {
      if (!(error instanceof Wanted)) throw error;
      wanted = error;
    }
  }
  throw new HiveError("Unavailable", "tree.attempt", "pages leave memory as they come");
}

/** Whoever else wants the same block still gets it: the signal ends the waiting, not the fetch. */
async function unlessInterrupted(arrival: Promise<unknown>, signal?: AbortSignal): Promise<void> {
  if (signal === undefined) return void (await arrival);
  const { promise, reject } = Promise.withResolvers<never>();
  const stop = () => reject(new HiveError("Interrupted", "tree.attempt", "signal"));
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  try {
    await Promise.race([arrival, promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** The same for what may wait inside: a bounded slice of work, then a look at the others. */
export class Breather {
  readonly #now: () => number;
  #since: number;

  constructor(now: () => number) {
    this.#now = now;
    this.#since = now();
  }

  breathe(): Maybe<void> {
    if (this.#now() - this.#since < limits.tree.sliceMs) return;
    return new Promise((resolve) => {
      setImmediate(() => {
        this.#since = this.#now();
        resolve();
      });
    });
  }
}

/** Files that find no room, or whose older bytes are not to be had, stay behind in the journal. */
export function orLeftBehind(failure: unknown): HiveError {
  if (isFault(failure, "NoSpace", "Unavailable", "Corrupt")) return failure;
  throw failure;
}
