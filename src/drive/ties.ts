/**
 * What a drive knows of other people, between its tree, whose roots have it, and its node, which
 * makes it: what the newest root says is told the node once it can be read, what another device's
 * says before that comes in, and what the node makes of all of it goes into the next root.
 */
import type { Clock } from "../base/clock.ts";
import { isFault } from "../base/errors.ts";
import type { Ino, Name } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { type Log, describe } from "../base/log.ts";
import type { SharingDuties } from "../base/sharing.ts";
import type { Step } from "../base/step.ts";
import type { SharedFolders } from "../shared/folders.ts";
import type { Tree } from "../tree/tree.ts";

const { againMs } = limits.ties;

interface Parts {
  readonly tree: Pick<Tree, "ties" | "share" | "renew" | "guests">;
  readonly sharing: SharingDuties;
  readonly shared: Pick<SharedFolders, "keepTies">;
  /** The folder that was there, or one above it. */
  readonly at: (path: readonly Name[]) => Promise<Ino>;
}

export class DriveTies implements Step {
  readonly name = "ties";
  readonly #needs: { readonly clock: Clock; readonly log: Log };
  #parts: Parts | undefined;
  #isTold = false;
  #telling: Promise<void> | undefined;
  #againAtMs = -Infinity;
  readonly #renewing = new Set<string>();

  constructor(needs: { readonly clock: Clock; readonly log: Log }) {
    this.#needs = needs;
  }

  /** Before anything of another device comes in. */
  async begin(parts: Parts): Promise<void> {
    this.#parts = parts;
    const { tree, sharing, shared } = parts;
    shared.keepTies = (bytes) => tree.ties.keep(bytes);
    tree.ties.heard = async (bytes) => {
      await sharing.tied({ bytes, isOurs: false });
      await this.#follow(parts);
    };
    await this.#follow(parts);
  }

  /** A node begins, and knows nothing of the root yet. */
  again(): void {
    this.#isTold = false;
  }

  /** The root's may be with peers, so that telling them waits: nothing waits for that. */
  async step(): Promise<"busy" | "idle"> {
    const { clock } = this.#needs;
    const isDue = !this.#isTold && clock.monotonicMs() >= this.#againAtMs;
    if (this.#parts === undefined || this.#telling !== undefined || !isDue) return "idle";
    this.#telling = this.#tell(this.#parts).finally(() => (this.#telling = undefined));
    return "idle";
  }

  async #tell(parts: Parts): Promise<void> {
    const { clock, log } = this.#needs;
    try {
      await parts.sharing.tied({ bytes: await parts.tree.ties.bytes(), isOurs: true });
      this.#isTold = true;
      await this.#follow(parts);
    } catch (error) {
      this.#againAtMs = clock.monotonicMs() + againMs;
      log.warn("drive.ties", { why: isFault(error) ? describe(error) : String(error) });
    }
  }

  /** Whoever was shut out, on whichever device, has no secret of what is written from now on. */
  async #follow({ tree, sharing, at }: Parts): Promise<void> {
    for (const ino of await sharing.folders()) tree.share(ino);
    for (const path of await sharing.renewing()) {
      const key = path.join("/");
      if (this.#renewing.has(key)) continue;
      this.#renewing.add(key);
      tree.guests.refuseBegun();
      void at(path).then((ino) => tree.renew(ino)).then(() => sharing.renewed(path))
        .catch(() => undefined).finally(() => this.#renewing.delete(key));
    }
  }
}
