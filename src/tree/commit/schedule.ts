/**
 * When the next commit is due, and which chunks it may leave to a later one. Decisions only.
 *
 * A chunk of which little has changed costs far more to seal than to keep in the journal. So it
 * rests there for a while: a database writes the same chunks again and again, and each is sealed
 * once for many commits.
 */
import { limits } from "../../base/limits.ts";
import { hasNews } from "../content/publishing.ts";
import { lacksBelow } from "../looking/content.ts";
import type { DirtyChunk } from "../state/dirty.ts";
import type { Node } from "../state/nodes.ts";
import { isFilling } from "../state/room.ts";
import type { State } from "../state/state.ts";

const {
  commitAfterMs, commitAfterBytes, commitAfterRecords, commitPauseMs, commitRestFactor,
  journalBytesMax, journalRecordsMax, journaledShareMax, restingBytesMax, sealAfterMs,
} = limits.tree;

/** True while a commit that nobody waits for may leave the chunk's bytes in the journal. */
export function isResting(state: State, chunk: DirtyChunk): boolean {
  const { top, lengthBytes, sinceMs, node } = chunk;
  const isLittle = top.heldBytes <= lengthBytes * journaledShareMax;
  const isYoung = state.needs.clock.monotonicMs() - sinceMs < restMsOf(state, node);
  return isLittle && isYoung && state.dirtyBytes <= restingBytesMax;
}

/** Other devices see what is sealed: for them a file that nobody has open does not rest. */
function restMsOf({ isHeard }: State, { handles }: Node): number {
  if (!isHeard) return sealAfterMs;
  return handles > 0 ? limits.devices.tellOpenMs : 0;
}

export class Schedule {
  readonly #state: State;
  #beganAtMs = 0;
  #restsUntilMs = 0;
  #savedAtMs = 0;
  /** What the journal had been told when the last commit ended. */
  #toldBefore = -1;

  constructor(state: State) {
    this.#state = state;
  }

  /** What to do now: a commit, or, after a long one, only what makes changes as durable. */
  next(): "nothing" | "commit" | "save" {
    if (!this.#isDue()) return "nothing";
    if (!this.#rests()) return "commit";
    const isSaved = this.#nowMs() - this.#savedAtMs < commitAfterMs;
    return isSaved ? "nothing" : "save";
  }

  saves(): void {
    this.#savedAtMs = this.#nowMs();
  }

  begins(): void {
    this.#beganAtMs = this.#nowMs();
  }

  /** After a long commit, as of a directory of a million names, the next one waits longer. */
  ended(): void {
    this.#savedAtMs = this.#nowMs();
    this.#restsUntilMs = this.#savedAtMs + (this.#savedAtMs - this.#beganAtMs) * commitRestFactor;
    this.#toldBefore = this.#state.journal.told;
  }

  #nowMs(): number {
    return this.#state.needs.clock.monotonicMs();
  }

  #isDue(): boolean {
    const { journal, changedAtMs, readOnly, isHeard } = this.#state;
    if (readOnly || changedAtMs === undefined) return false;
    const isMuch = journal.bytes >= commitAfterBytes || journal.records >= commitAfterRecords;
    const afterMs = isHeard ? limits.devices.tellRestMs : commitAfterMs;
    const isOld = this.#nowMs() - changedAtMs >= afterMs;
    const isUrgent = isFilling(this.#state) && !this.#isPaused();
    return isMuch || isUrgent || (isOld && this.#hasNews());
  }

  #isPaused(): boolean {
    return this.#nowMs() - this.#savedAtMs < commitPauseMs;
  }

  /** False when all that the last commit left behind still rests. */
  #hasNews(): boolean {
    const { journal, liveFiles } = this.#state;
    if (journal.told !== this.#toldBefore) return true;
    return [...liveFiles].some((node) => {
      const { live } = node;
      if (live === undefined) return false;
      const rests = [...live.dirty.values()].every((chunk) => {
        return isResting(this.#state, chunk) || lacksBelow(this.#state, chunk);
      });
      return hasNews(node, live) || !rests;
    });
  }

  /** Not while writers wait for room, which commits alone can make: they would be refused. */
  #rests(): boolean {
    const { journal } = this.#state;
    const isMuch = journal.records > journalRecordsMax / 2 || journal.bytes > journalBytesMax / 2;
    const isWanted = isMuch || isFilling(this.#state);
    return !isWanted && this.#nowMs() < this.#restsUntilMs;
  }
}
