/** How work is done in time: in bounded, stoppable steps, or at once where it can be. */

/** Background work has one shape; one loop runs them all. */
export interface Step {
  readonly name: string;
  /** Does a bounded piece of work. "busy" asks to be called again soon. */
  step(signal: AbortSignal): Promise<"busy" | "idle">;
}

/** A value now, or a promise of one: hot paths answer at once, slow ones when they can. */
export type Maybe<T> = T | Promise<T>;

/** Runs the next step on a value, now if it is here now. */
export function then<T, U>(value: Maybe<T>, next: (value: T) => Maybe<U>): Maybe<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}
