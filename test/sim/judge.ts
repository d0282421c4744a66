/**
 * When a silence is taken for a death: asked of the product's own judge (proofs/score.ts), which
 * has of each peer its last absences. What they say of each habit is kept as a sum, to which one
 * more is added, and from which the oldest is taken. All observers are taken to have watched a peer
 * since it came.
 */
import { limits } from "../../src/base/limits.ts";
import { type Beliefs, beliefsFrom, habits, traceOf } from "../../src/proofs/posterior.ts";
import { isLast, withoutOldest } from "../../src/proofs/score.ts";

const kept = limits.proofs.absencesMax;
/** How closely the moment of the verdict is looked for; the product looks every few seconds. */
const closeMs = 10 * 60_000;
/** Of each peer: a sum for each habit, then the time that it was away. */
const sumsOfPeer = habits.length + 1;

export class Judge {
  /** The last absences of each peer, in a ring. */
  readonly #absencesMs: Float32Array;
  readonly #counts: Uint32Array;
  readonly #sums: Float64Array;
  /** Since when each is watched, as far as is remembered. */
  readonly #sinceMs: Float64Array;

  constructor(peers: number) {
    this.#absencesMs = new Float32Array(peers * kept);
    this.#counts = new Uint32Array(peers);
    this.#sums = new Float64Array(peers * sumsOfPeer);
    this.#sinceMs = new Float64Array(peers);
  }

  /** Somebody else has the peer's number from now on. */
  meet(peer: number, nowMs: number): void {
    this.#counts[peer] = 0;
    this.#sinceMs[peer] = nowMs;
    this.#sums.fill(0, peer * sumsOfPeer, (peer + 1) * sumsOfPeer);
  }

  cameBack(peer: number, told: { readonly absenceMs: number; readonly nowMs: number }): void {
    const { absenceMs, nowMs } = told;
    if (absenceMs < limits.proofs.absenceMsMin) return;
    const count = this.#counts[peer] as number;
    const at = peer * kept + (count % kept);
    if (count >= kept) {
      this.#add(peer, this.#absencesMs[at] as number, -1);
      this.#sinceMs[peer] = withoutOldest(this.#sinceMs[peer] as number, nowMs);
    }
    this.#absencesMs[at] = absenceMs;
    this.#add(peer, this.#absencesMs[at] as number, 1);
    this.#counts[peer] = count + 1;
  }

  /** How long after it began this silence is a death; Infinity if it does not last so long. */
  verdictMs(peer: number, silence: {
    readonly fromMs: number; readonly lastsMs: number;
  }): number {
    let late = Math.min(silence.lastsMs, limits.proofs.deadAfterMs);
    let known: Beliefs | undefined;
    const beliefs = () => (known ??= this.#beliefsOf(peer, silence.fromMs));
    if (!isLast(late, beliefs)) return Infinity;
    let early = 0;
    while (late - early > closeMs) {
      const middle = (early + late) / 2;
      if (isLast(middle, beliefs)) late = middle;
      else early = middle;
    }
    return late;
  }

  #beliefsOf(peer: number, nowMs: number): Beliefs {
    const first = peer * sumsOfPeer;
    const watchedMs = nowMs - (this.#sinceMs[peer] as number);
    const traces = this.#sums.subarray(first, first + habits.length);
    return beliefsFrom(traces, watchedMs - (this.#sums[first + habits.length] as number));
  }

  #add(peer: number, absenceMs: number, sign: 1 | -1): void {
    const first = peer * sumsOfPeer;
    for (let habit = 0; habit < habits.length; habit++) {
      this.#raise(first + habit, sign * traceOf(habit, absenceMs));
    }
    this.#raise(first + habits.length, sign * absenceMs);
  }

  #raise(at: number, more: number): void {
    this.#sums[at] = (this.#sums[at] as number) + more;
  }
}
