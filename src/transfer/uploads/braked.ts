/**
 * The uploader under a brake: while that is on it begins nothing and calls off what is on its way,
 * and says what it waits for instead of being done. What was acknowledged by then is found again
 * when it goes on (found.ts).
 */
import type { RoundOptions } from "../../base/blocks.ts";
import { type Brake, unlessBraked } from "../../base/brake.ts";
import type { HeldBack } from "../../base/stand-in.ts";
import type { Step } from "../../base/step.ts";
import type { Waiting } from "../groups/waiting.ts";
import type { LaneStatus } from "./lanes.ts";
import type { Uploader } from "./upload.ts";

export class BrakedUploader implements Step {
  readonly name = "upload";
  readonly #uploader: Uploader;
  readonly #brake: Brake;
  /** It was held back when it was last asked. */
  #held = false;

  constructor(uploader: Uploader, brake: Brake) {
    this.#uploader = uploader;
    this.#brake = brake;
  }

  get waiting(): Waiting {
    const { isOn, why } = this.#brake;
    return isOn ? { for: "traffic", why } : this.#uploader.waiting;
  }

  get heldBack(): HeldBack | undefined {
    return this.#uploader.heldBack;
  }

  get lanes(): readonly LaneStatus[] {
    return this.#uploader.lanes;
  }

  /** After an idle step; see Uploader. */
  get done(): boolean {
    return !this.#held && this.#uploader.done;
  }

  async step(signal: AbortSignal, options: RoundOptions = {}): Promise<"busy" | "idle"> {
    const result = await unlessBraked(this.#brake, signal, (until) => {
      return this.#uploader.step(until, options);
    });
    this.#held = result === "braked";
    return result === "braked" ? "idle" : result;
  }
}
