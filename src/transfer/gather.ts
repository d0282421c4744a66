/**
 * Asks several holders for their pieces of one segment until enough have answered, best ones
 * first, a few more than needed, and more whenever one fails or dawdles. Bounded by the signal it
 * is given; it never judges bytes beyond what `read` does.
 */
import type { Clock } from "../base/clock.ts";
import { HiveError } from "../base/errors.ts";

export interface GatherOptions<Source> {
  /** Best first. */
  readonly sources: readonly Source[];
  readonly needed: number;
  /** How many beyond the needed are asked at once. */
  readonly hedge: number;
  /** Whoever has not answered after so long is late, and another one is asked in its stead. */
  readonly patienceMs: number;
  readonly late?: (source: Source) => void;
  readonly signal: AbortSignal;
}

/** The first `needed` pieces; Unavailable, with how many there were, when all others failed. */
export function gather<Source, Piece>(
  clock: Clock,
  options: GatherOptions<Source>,
  read: (source: Source, signal: AbortSignal) => Promise<Piece>,
): Promise<ReadonlyMap<Source, Piece>> {
  return new Gathering(clock, options, read).run();
}

class Gathering<Source, Piece> {
  readonly #clock: Clock;
  readonly #options: GatherOptions<Source>;
  readonly #read: (source: Source, signal: AbortSignal) => Promise<Piece>;
  readonly #found = new Map<Source, Piece>();
  readonly #rest = new AbortController();
  readonly #waiting: Source[];
  /** Who was asked and has not answered, since when; undefined once it counts as late. */
  readonly #underWay = new Map<Source, number | undefined>();
  #settle: { resolve: () => void; reject: (reason: unknown) => void } | undefined;
  #timer: Disposable | undefined;

  constructor(
    clock: Clock,
    options: GatherOptions<Source>,
    read: (source: Source, signal: AbortSignal) => Promise<Piece>,
  ) {
    this.#clock = clock;
    this.#options = options;
    this.#read = read;
    this.#waiting = [...options.sources];
  }

  async run(): Promise<ReadonlyMap<Source, Piece>> {
    const { needed, hedge, signal } = this.#options;
    signal.throwIfAborted();
    const stop = (): void => this.#settle?.reject(this.#tooFew());
    signal.addEventListener("abort", stop, { once: true });
    try {
      await new Promise<void>((resolve, reject) => {
        this.#settle = { resolve, reject };
        for (let count = 0; count < needed + hedge; count++) this.#askNext();
        this.#watch();
        this.#check();
      });
      return this.#found;
    } finally {
      signal.removeEventListener("abort", stop);
      this.#timer?.[Symbol.dispose]();
      // Those who are still answering answer for nothing.
      this.#rest.abort(new HiveError("Interrupted", "transfer.gather", "enough answered"));
    }
  }

  #askNext(): void {
    const source = this.#waiting.shift();
    if (source === undefined) return;
    this.#underWay.set(source, this.#clock.monotonicMs());
    const signal = AbortSignal.any([this.#options.signal, this.#rest.signal]);
    this.#read(source, signal).then(
      (piece) => {
        this.#underWay.delete(source);
        if (this.#found.size < this.#options.needed) this.#found.set(source, piece);
        this.#check();
      },
      () => {
        this.#underWay.delete(source);
        if (!this.#rest.signal.aborted) this.#askNext();
        this.#check();
      },
    );
  }

  #check(): void {
    if (this.#found.size >= this.#options.needed) this.#settle?.resolve();
    else if (this.#underWay.size === 0) this.#settle?.reject(this.#tooFew());
  }

  /** Looks twice in each patience, so that nobody is given much more than that. */
  #watch(): void {
    const { patienceMs, late } = this.#options;
    this.#timer = this.#clock.after(patienceMs / 2, () => {
      const beforeMs = this.#clock.monotonicMs() - patienceMs;
      for (const [source, sinceMs] of [...this.#underWay]) {
        if (sinceMs === undefined || sinceMs > beforeMs) continue;
        this.#underWay.set(source, undefined);
        late?.(source);
        this.#askNext();
      }
      this.#watch();
    });
  }

  #tooFew(): HiveError {
    const subject = `${this.#found.size} of ${this.#options.needed} shards`;
    return new HiveError("Unavailable", "transfer.gather", subject);
  }
}
