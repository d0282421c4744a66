/**
 * What is still to be looked at: folders, and names in them. Bursts are one look: whoever takes
 * from here waits until nothing was heard for a moment, though not for ever.
 */
import type { Clock } from "../base/clock.ts";
import { limits } from "../base/limits.ts";
import type { Extent } from "./mirror.ts";
import type { Below } from "./places.ts";

const { foldersMax, namesMax, restMs, restMsMax } = limits.watch;

export type Batch = ReadonlyMap<Below, Extent>;

export class Todo {
  readonly #clock: Clock;
  #folders = new Map<Below, Set<string> | "all" | "below">();
  #firstMs = 0;
  #lastMs = 0;
  #awaken: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isEmpty(): boolean {
    return this.#folders.size === 0;
  }

  addName(folder: Below, name: string): void {
    this.#heard(() => {
      const known = this.#folders.get(folder);
      if (typeof known === "string") return;
      const names = known ?? new Set<string>();
      names.add(name);
      this.#folders.set(folder, names.size > namesMax ? "all" : names);
    });
  }

  add(folder: Below, extent: "all" | "below"): void {
    this.#heard(() => {
      if (this.#folders.get(folder) !== "below") this.#folders.set(folder, extent);
    });
  }

  /** All that there is, once it has come to rest. */
  async take(signal: AbortSignal): Promise<Batch> {
    for (;;) {
      signal.throwIfAborted();
      const nowMs = this.#clock.monotonicMs();
      const dueMs = Math.min(this.#lastMs + restMs, this.#firstMs + restMsMax);
      if (!this.isEmpty && nowMs >= dueMs) return this.#takeAll();
      await this.#wait(this.isEmpty ? undefined : dueMs - nowMs, signal);
    }
  }

  #takeAll(): Batch {
    const taken = this.#folders;
    this.#folders = new Map();
    return taken;
  }

  async #wait(ms: number | undefined, signal: AbortSignal): Promise<void> {
    const { promise, resolve: end } = Promise.withResolvers<void>();
    const resolve = (): void => end();
    if (ms === undefined) this.#awaken = resolve;
    using _timer = ms === undefined ? undefined : this.#clock.after(ms, resolve);
    signal.addEventListener("abort", resolve, { once: true });
    await promise;
    signal.removeEventListener("abort", resolve);
    this.#awaken = undefined;
  }

  #heard(note: () => void): void {
    const nowMs = this.#clock.monotonicMs();
    if (this.isEmpty) this.#firstMs = nowMs;
    this.#lastMs = nowMs;
    note();
    if (this.#folders.size > foldersMax) this.#folders = new Map([["", "below"]]);
    this.#awaken?.();
  }
}
