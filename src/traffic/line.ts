/**
 * One direction of this machine's line: whoever wants bytes over it waits here for its turn, which
 * turns.ts decides. It ends no call that is under way.
 */
import type { Clock } from "../base/clock.ts";
import { HiveError } from "../base/errors.ts";
import type { Maybe } from "../base/step.ts";
import { untilNextMinuteMs } from "./hours.ts";
import { type Gauge, Turns, type Wanted } from "./turns.ts";

export interface EnterOptions {
  readonly signal?: AbortSignal | undefined;
  /** After so long it waits no more ... */
  readonly waitMsMax?: number;
  /** ... but goes all the same, at the expense of those who come later, or is told Busy. */
  readonly then?: "go" | "refuse";
}

interface Caller extends Wanted {
  readonly admit: () => void;
}

export class Line implements Disposable {
  readonly #clock: Clock;
  /** What the tap is at now. */
  readonly #gauge: () => Gauge;
  readonly #turns = new Turns<Caller>();
  #timer: Disposable | undefined;

  constructor(needs: { readonly clock: Clock; readonly gauge: () => Gauge }) {
    this.#clock = needs.clock;
    this.#gauge = needs.gauge;
  }

  get gauge(): Gauge {
    return this.#gauge();
  }

  /** How many wait for their turn. */
  get waiting(): number {
    return this.#turns.count;
  }

  /** Nothing is limited, and nobody waits: whoever comes may go at once, and owes nothing. */
  get isFree(): boolean {
    const { perSecond, isOpen } = this.#gauge();
    return perSecond === undefined && isOpen && this.waiting === 0;
  }

  /** Until it may go. */
  enter(wanted: Wanted, options: EnterOptions = {}): Maybe<void> {
    return this.isFree ? undefined : this.#wait(wanted, options);
  }

  /** Pays for what is too small to wait. */
  spend(wanted: Pick<Wanted, "bytes" | "urgency">): void {
    const nowMs = this.#clock.monotonicMs();
    this.#turns.turn(this.#gauge(), nowMs);
    this.#turns.spend(wanted, nowMs);
  }

  /** The tap may have been turned: lets all go who may. */
  look(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    const nowMs = this.#clock.monotonicMs();
    this.#turns.turn(this.#gauge(), nowMs);
    for (;;) {
      const caller = this.#turns.next(nowMs);
      if (caller === undefined) break;
      caller.admit();
    }
    if (this.waiting === 0) return;
    // The hours may end before.
    const waitMs = Math.min(this.#turns.waitMs(nowMs), untilNextMinuteMs(this.#clock.now()));
    this.#timer = this.#clock.after(Math.ceil(waitMs), () => this.look());
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }

  async #wait(wanted: Wanted, options: EnterOptions): Promise<void> {
    const { signal, waitMsMax } = options;
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const caller: Caller = { ...wanted, admit: resolve };
    this.#turns.add(caller);
    const leave = (): void => this.#leave(caller, () => reject(signal?.reason));
    signal?.addEventListener("abort", leave, { once: true });
    const late = waitMsMax === undefined ? undefined : this.#clock.after(waitMsMax, () => {
      this.#leave(caller, () => {
        if (options.then === "refuse") reject(new HiveError("Busy", "traffic", wanted.party));
        else this.#goAnyway(caller);
      });
    });
    this.look();
    try {
      await promise;
    } finally {
      signal?.removeEventListener("abort", leave);
      late?.[Symbol.dispose]();
    }
  }

  /** Whoever stood behind it may be able to go now. */
  #leave(caller: Caller, done: () => void): void {
    this.#turns.remove(caller);
    done();
    this.look();
  }

  #goAnyway(caller: Caller): void {
    this.spend(caller);
    caller.admit();
  }
}
