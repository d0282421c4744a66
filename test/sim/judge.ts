/**
 * When a silence is taken for a death: asked of the product's own judge (proofs/score.ts), which
 * has of each peer its last absences. They lie in one array for all peers; one history object
 * serves every question. All observers are taken to have watched a peer since it was born.
 */
import { limits } from "../../src/base/limits.ts";
import { type History, assess } from "../../src/proofs/score.ts";

const kept = limits.proofs.absencesMax;
/** How closely the moment of the verdict is looked for; the product looks every few seconds. */
const closeMs = 10 * 60_000;

export class Judge {
  /** The last absences of each peer, in no order that matters. */
  readonly #absencesMs: Float32Array;
  readonly #counts: Uint32Array;

  constructor(peers: number) {
    this.#absencesMs = new Float32Array(peers * kept);
    this.#counts = new Uint32Array(peers);
  }

  /** Somebody else has the peer's number from now on. */
  forget(peer: number): void {
    this.#counts[peer] = 0;
  }

  cameBack(peer: number, absenceMs: number): void {
    if (absenceMs < limits.proofs.absenceMsMin) return;
    const count = this.#counts[peer] as number;
    this.#absencesMs[peer * kept + (count % kept)] = absenceMs;
    this.#counts[peer] = count + 1;
  }

  /** How long after it began this silence is a death; Infinity if it does not last so long. */
  verdictMs(peer: number, silence: {
    readonly watchedMs: number; readonly lastsMs: number;
  }): number {
    if (silence.lastsMs < limits.proofs.silenceMsMin) return Infinity;
    const isDead = this.#judgeOf(peer, silence.watchedMs);
    let late = Math.min(silence.lastsMs, limits.proofs.deadAfterMs);
    if (!isDead(late)) return Infinity;
    let early = 0;
    while (late - early > closeMs) {
      const middle = (early + late) / 2;
      if (isDead(middle)) late = middle;
      else early = middle;
    }
    return late;
  }

  #judgeOf(peer: number, watchedMs: number): (silentMs: number) => boolean {
    const count = Math.min(this.#counts[peer] as number, kept);
    // Zero stands for never in a history, so time begins with 1.
    const answeredAtMs = watchedMs + 1;
    const history: History = {
      recent: [{ atMs: answeredAtMs, outcome: "offline" }],
      sinceMs: 1, answeredAtMs,
      absencesMs: [...this.#absencesMs.subarray(peer * kept, peer * kept + count)],
      lateness: undefined,
    };
    return (silentMs) => assess(history, answeredAtMs + silentMs) === "dead";
  }
}
