/**
 * A record beside those of folders, and as they are: numbered, signed, sealed to whom it names, and
 * kept by the drive's holders. What it tells is its writer's business: what is in somebody's inbox,
 * or which groups keep a folder. It is signed anew when that changes, or whom it is for, and told
 * to whoever missed it.
 */
import { isFault } from "../../base/errors.ts";
import type { ShareId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { describe } from "../../base/log.ts";
import type { ShareReader } from "../../base/sharing.ts";
import { readerKeyOf } from "../../crypt/records/share-records.ts";
import { Succession, type SuccessionNeeds, type SuccessionParts } from "./succession.ts";

const { tellAgainMs } = limits.sharing;

export type LetterReader = Omit<ShareReader, "key">;

export type LetterNeeds = SuccessionNeeds;
export type LetterParts = Omit<SuccessionParts, "isFresh">;

export class Letter {
  readonly #needs: LetterNeeds;
  readonly #share: ShareId;
  readonly #succession: Succession;
  /** What the record that counts says, and to whom; undefined before that is known. */
  #said: Buffer | undefined;
  #lookedAtMs = -Infinity;

  constructor(needs: LetterNeeds, parts: LetterParts) {
    this.#needs = needs;
    this.#share = parts.share;
    this.#succession = new Succession(needs, { ...parts, isFresh: false });
  }

  /** Nobody reads it, as far as all know: nothing is left of it to be told. */
  get isClosed(): boolean {
    return this.#succession.isClosed;
  }

  async tell(
    readers: readonly LetterReader[], payload: Uint8Array, signal: AbortSignal,
  ): Promise<void> {
    const now = Buffer.from(JSON.stringify([readers, Buffer.from(payload).toString("hex")]));
    const isNews = this.#said === undefined || !this.#said.equals(now);
    try {
      const isDue = isNews || this.#succession.mayBeNewer;
      if (isDue) await this.#follow({ readers, payload, now }, signal);
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#needs.log.debug("sharing.letter", { why: describe(error) });
    }
    await this.#succession.tell(signal);
  }

  /** Makes it as it is to be; while this device lacks something, it looks now and then. */
  async #follow(
    { readers, payload, now }: {
      readonly readers: readonly LetterReader[]; readonly payload: Uint8Array; readonly now: Buffer;
    },
    signal: AbortSignal,
  ): Promise<void> {
    const succession = this.#succession;
    const nowMs = this.#needs.clock.monotonicMs();
    if (succession.isBehind && nowMs - this.#lookedAtMs < tellAgainMs) return;
    this.#lookedAtMs = nowMs;
    await succession.learn(signal);
    if (succession.isLeftBehind) succession.overtake();
    const { shareSecret } = this.#needs.keys;
    const keyed = readers.map((reader) => {
      return { ...reader, readerKey: readerKeyOf(shareSecret, this.#share, reader.person) };
    });
    const names = succession.allowed({ readers: keyed, writers: [] });
    const { newest, isBehind } = succession;
    const isOther = newest === undefined || succession.wantsAnew || succession.differsFrom(names)
      || (!isBehind && newest.told?.payload.equals(payload) !== true);
    if (isOther) await succession.make(names, payload);
    this.#said = isBehind ? undefined : now;
  }
}
