/** What went wrong while requests were served, for the log; no flood of it fills a disk. */
import { limits } from "../../base/limits.ts";
import { type Log, describe } from "../../base/log.ts";

export class Complaints {
  readonly #log: Log;
  readonly #counts = new Map<string, number>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** Each kind of complaint is told at its 1st, 2nd, 4th, 8th ... time. */
  hear(request: string, error: unknown): void {
    const what = `${request} ${describe(error)}`;
    const times = (this.#counts.get(what) ?? 0) + 1;
    if (this.#counts.size < limits.mount.complaintsMax) this.#counts.set(what, times);
    const isPower = (times & (times - 1)) === 0;
    if (isPower) this.#log.error("mount.failed", { request, error: describe(error), times });
  }
}
