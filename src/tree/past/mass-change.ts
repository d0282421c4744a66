/**
 * Whether more of a drive's files were deleted or written over, in a short while, than anybody
 * means to: as a program does that holds files to ransom. It counts files, each once, that were
 * there before that while; what is made and thrown away within it, as by a build, counts nothing.
 * It knows what happened, and does nothing. Pure but for the clock.
 */
import type { Ino } from "../../base/ids.ts";
import type { BrakeRule, MassChange } from "../../base/snapshots.ts";

export interface FileLoss {
  readonly ino: Ino;
  readonly kind: "deleted" | "overwritten";
  readonly madeAtMs: number;
  /** Files of the drive, once this has happened. */
  readonly filesNow: number;
}

export class MassChangeWatch {
  rule: BrakeRule | undefined;
  readonly #now: () => number;
  /** The one longest ago first. */
  readonly #lost = new Map<Ino, Pick<FileLoss, "kind"> & { readonly atMs: number }>();
  #deleted = 0;

  constructor(now: () => number, rule: BrakeRule | undefined) {
    this.#now = now;
    this.rule = rule;
  }

  /** True between the first loss of a while and its end. */
  get isCounting(): boolean {
    return this.#lost.size > 0;
  }

  /** What it comes to, once it is too much. */
  see({ ino, kind, madeAtMs, filesNow }: FileLoss): MassChange | undefined {
    const { rule } = this;
    if (rule === undefined) return undefined;
    const nowMs = this.#now();
    const sinceMs = nowMs - rule.withinMs;
    this.#forget(sinceMs);
    if (madeAtMs > sinceMs) return undefined;
    const known = this.#lost.get(ino);
    if (kind === "deleted" && known?.kind !== "deleted") this.#deleted++;
    if (known?.kind !== "deleted") this.#lost.set(ino, { kind, atMs: known?.atMs ?? nowMs });
    const files = filesNow + this.#deleted;
    const isMuch = this.#lost.size >= rule.filesMin && this.#lost.size > files * rule.share;
    return isMuch ? this.#told(files) : undefined;
  }

  /** All that was counted is known and dealt with. */
  reset(): void {
    this.#lost.clear();
    this.#deleted = 0;
  }

  #told(files: number): MassChange {
    const [first] = this.#lost.values();
    const overwritten = this.#lost.size - this.#deleted;
    return { sinceMs: first?.atMs ?? 0, deleted: this.#deleted, overwritten, files };
  }

  #forget(beforeMs: number): void {
    for (const [ino, { kind, atMs }] of this.#lost) {
      if (atMs > beforeMs) return;
      this.#lost.delete(ino);
      if (kind === "deleted") this.#deleted--;
    }
  }
}
