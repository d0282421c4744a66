/** Whether a tree may be changed: not where it is mounted read-only, nor once that was ended. */
import { HiveError } from "../../base/errors.ts";

export class Bar {
  #why: string | undefined;

  constructor({ readOnly }: { readonly readOnly: boolean }) {
    this.#why = readOnly ? "mounted read-only" : undefined;
  }

  /** From now on nothing is written; what was is kept, and committed, as ever. */
  close(why: string): void {
    this.#why ??= why;
  }

  check(): void {
    if (this.#why !== undefined) throw new HiveError("ReadOnly", "tree.change", this.#why);
  }
}
