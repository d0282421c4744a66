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
  /** After so long without an answer one more is asked. */
  readonly patienceMs: number;
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
  #underWay = 0;
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
    this.#underWay++;
    const signal = AbortSignal.any([this.#options.signal, this.#rest.signal]);
    this.#read(source, signal).then(
      (piece) => {
        this.#underWay--;
        if (this.#found.size < this.#options.needed) this.#found.set(source, piece);
        this.#check();
      },
      () => {
        this.#underWay--;
        if (!this.#rest.signal.aborted) this.#askNext();
        this.#check();
      },
    );
  }

  #check(): void {
    if (this.#found.size >= this.#options.needed) this.#settle?.resolve();
    else if (this.#underWay === 0) this.#settle?.reject(this.#tooFew());
  }

  #watch(): void {
    this.#timer = this.#clock.after(this.#options.patienceMs, () => {
      this.#askNext();
      if (this.#waiting.length > 0) this.#watch();
    });
  }

  #tooFew(): HiveError {
    const subject = `${this.#found.size} of ${this.#options.needed} shards`;
    return new HiveError("Unavailable", "transfer.gather", subject);
  }
}
