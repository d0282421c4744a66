/**
 * While another device of the drive listens, a commit follows on a change within moments, since
 * only what is committed can be told. It waits for a silence, so that a burst is told once. While
 * nobody listens it does nothing, and commits come when schedule.ts says so.
 */
import { limits } from "../../base/limits.ts";
import type { State } from "../state/state.ts";

const { tellRestMs, tellRestMsMax } = limits.devices;

export class Prompt {
  readonly #state: State;
  /** Commits if there is anything to commit; it never fails. */
  readonly #act: () => Promise<unknown>;
  #lastMs = 0;
  #timer: Disposable | undefined;

  constructor(state: State, act: () => Promise<unknown>) {
    this.#state = state;
    this.#act = act;
    state.noticed = () => {
      this.#lastMs = this.#nowMs();
      this.#arm(tellRestMs);
    };
  }

  listen(isHeard: boolean): void {
    const state = this.#state;
    state.isHeard = isHeard && !state.readOnly;
    if (state.isHeard && state.changedAtMs !== undefined) state.noticed();
    if (state.isHeard) return;
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
  }

  #nowMs(): number {
    return this.#state.needs.clock.monotonicMs();
  }

  #arm(ms: number): void {
    this.#timer ??= this.#state.needs.clock.after(ms, () => void this.#look());
  }

  async #look(): Promise<void> {
    this.#timer = undefined;
    if (!this.#state.isHeard) return;
    const restMs = this.#restMs();
    if (restMs > 0) return this.#arm(restMs);
    await this.#act();
    // What rests, as a chunk of a file that is open, is told once it does no more.
    if (this.#state.isHeard && this.#state.liveFiles.size > 0) this.#arm(tellRestMsMax);
  }

  /** How long it should be quiet yet; the oldest change does not wait for ever. */
  #restMs(): number {
    const state = this.#state;
    const nowMs = this.#nowMs();
    const quietMs = Math.min(nowMs - this.#lastMs, this.#sinceWriteMs());
    const ageMs = nowMs - (state.changedAtMs ?? nowMs);
    return Math.min(tellRestMs - quietMs, tellRestMsMax - ageMs);
  }

  /** Writes change memory alone, and tell nobody: the file's own time does. */
  #sinceWriteMs(): number {
    const { liveFiles, needs } = this.#state;
    const nowMs = needs.clock.now();
    let sinceMs = Infinity;
    for (const { inode: { mtime } } of liveFiles) {
      const ageMs = nowMs - mtime.seconds * 1000 - mtime.nanoseconds / 1e6;
      // A program may set any time.
      if (ageMs >= 0) sinceMs = Math.min(sinceMs, ageMs);
    }
    return sinceMs;
  }
}
