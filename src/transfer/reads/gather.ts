/**
 * Asks several holders for their pieces of one segment until enough have answered, best ones
 * first, a few more than needed, and more whenever one fails or dawdles. Bounded by the signal it
 * is given; it never judges bytes beyond what `read` does.
 */
import type { Clock } from "../../base/clock.ts";
import { HiveError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";

export interface GatherOptions<Source, Piece = unknown> {
  /** Best first. */
  readonly sources: readonly Source[];
  readonly needed: number;
  /** How many beyond the needed are asked at once. */
  readonly hedge: number;
  /** Whoever has not answered after so long is late, and another one is asked in its stead. */
  readonly patienceMs: number;
  readonly late?: (source: Source) => void;
  readonly impatience?: Impatience<Source>;
  /** Told of each piece that counts, as it comes. */
  readonly found?: (source: Source, piece: Piece) => void;
  readonly signal: AbortSignal;
}

/** When another one is asked long before a source is late, if that may cost something now. */
export interface Impatience<Source> {
  readonly afterMs: (source: Source) => number;
  readonly mayAsk: () => boolean;
}

interface Asked {
  /** When its time began; undefined while it waits for its turn on this machine's line. */
  sinceMs: number | undefined;
  /** Another one was asked in its stead. */
  replaced: boolean;
  late: boolean;
}

/** Asks one source; `begun` is called when that source's time begins. */
export type ReadPiece<Source, Piece> = (
  source: Source, signal: AbortSignal, begun: () => void,
) => Promise<Piece>;

/** The first `needed` pieces; Unavailable, with how many there were, when all others failed. */
export function gather<Source, Piece>(
  clock: Clock,
  options: GatherOptions<Source, Piece>,
  read: ReadPiece<Source, Piece>,
): Promise<ReadonlyMap<Source, Piece>> {
  return new Gathering(clock, options, read).run();
}

class Gathering<Source, Piece> {
  readonly #clock: Clock;
  readonly #options: GatherOptions<Source, Piece>;
  readonly #read: ReadPiece<Source, Piece>;
  readonly #found = new Map<Source, Piece>();
  readonly #rest = new AbortController();
  readonly #waiting: Source[];
  readonly #underWay = new Map<Source, Asked>();
  #settle: { resolve: () => void; reject: (reason: unknown) => void } | undefined;
  #timer: Disposable | undefined;

  constructor(
    clock: Clock,
    options: GatherOptions<Source, Piece>,
    read: ReadPiece<Source, Piece>,
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
    const asked: Asked = { sinceMs: undefined, replaced: false, late: false };
    this.#underWay.set(source, asked);
    const signal = AbortSignal.any([this.#options.signal, this.#rest.signal]);
    this.#read(source, signal, () => { asked.sinceMs = this.#clock.monotonicMs(); }).then(
      (piece) => {
        this.#underWay.delete(source);
        this.#take(source, piece);
        this.#check();
      },
      () => {
        this.#underWay.delete(source);
        if (!this.#rest.signal.aborted && !asked.replaced) this.#askNext();
        this.#check();
      },
    );
  }

  #take(source: Source, piece: Piece): void {
    if (this.#found.size >= this.#options.needed) return;
    this.#found.set(source, piece);
    this.#options.found?.(source, piece);
  }

  #check(): void {
    const { needed } = this.#options;
    if (this.#rest.signal.aborted) return;
    if (this.#found.size >= needed) return this.#settle?.resolve();
    // One that failed after it was replaced may leave nobody under way.
    if (this.#underWay.size === 0) this.#askNext();
    if (this.#underWay.size === 0) this.#settle?.reject(this.#tooFew());
  }

  /** Looks often enough that nobody is given much more than its time. */
  #watch(): void {
    const { patienceMs, impatience } = this.#options;
    const often = impatience === undefined ? patienceMs : limits.transfer.hedgeMsMin;
    this.#timer = this.#clock.after(Math.min(often, patienceMs) / 2, () => {
      for (const [source, asked] of [...this.#underWay]) this.#look(source, asked);
      this.#watch();
    });
  }

  #look(source: Source, asked: Asked): void {
    const { patienceMs, impatience, late } = this.#options;
    if (asked.sinceMs === undefined) return;
    const ageMs = this.#clock.monotonicMs() - asked.sinceMs;
    if (ageMs >= patienceMs && !asked.late) {
      asked.late = true;
      late?.(source);
      this.#replace(asked);
    } else if (impatience !== undefined && !asked.replaced && this.#waiting.length > 0) {
      if (ageMs >= impatience.afterMs(source) && impatience.mayAsk()) this.#replace(asked);
    }
  }

  #replace(asked: Asked): void {
    if (asked.replaced) return;
    asked.replaced = true;
    this.#askNext();
  }

  #tooFew(): HiveError {
    const subject = `${this.#found.size} of ${this.#options.needed} shards`;
    return new HiveError("Unavailable", "transfer.gather", subject);
  }
}
