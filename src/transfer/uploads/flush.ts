/** Waiting until all that is committed is on peers: steps of the uploader, without its patience. */
import type { Clock } from "../../base/clock.ts";
import { HiveError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Roll } from "../roll.ts";
import type { BrakedUploader } from "./braked.ts";

interface Parts {
  readonly clock: Clock;
  readonly uploader: BrakedUploader;
  readonly roll: Pick<Roll, "refuseIfOut">;
}

/** Its head is published, too, when this resolves; else TimedOut. */
export async function flushNow({ clock, uploader, roll }: Parts, timeoutMs: number): Promise<void> {
  roll.refuseIfOut();
  const over = new AbortController();
  const late = new HiveError("TimedOut", "transfer.flush", `${timeoutMs} ms`);
  using _timer = clock.after(timeoutMs, () => over.abort(late));
  let pauseMs: number = limits.transfer.flushPauseMsMin;
  for (;;) {
    const result = await uploader.step(over.signal, { patient: false });
    if (result === "idle" && uploader.done) return;
    if (result === "busy") continue;
    // Peers are missing: they may come within the time.
    await clock.delay(pauseMs, over.signal);
    pauseMs = Math.min(pauseMs * 2, limits.transfer.flushPauseMsMax);
  }
}
