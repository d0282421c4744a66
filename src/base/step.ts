/** Background work has one shape: a bounded, stoppable step. One loop runs them all. */

export interface Step {
  readonly name: string;
  /** Does a bounded piece of work. "busy" asks to be called again soon. */
  step(signal: AbortSignal): Promise<"busy" | "idle">;
}

/** A value now, or a promise of one: hot paths answer at once, slow ones when they can. */
export type Maybe<T> = T | Promise<T>;
