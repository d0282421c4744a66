/**
 * Tells those who verify folders of this drive which groups keep them: a letter for each folder, to
 * all of hers at once. By the names in it holders know who may ask for proofs, and for sealed bytes
 * to make lost shards of; it holds no key, so neither does she.
 */
import { sharingKeys } from "../../base/book-keys.ts";
import { isFault } from "../../base/errors.ts";
import { type GroupId, type ShareId, parseShareId } from "../../base/ids.ts";
import { describe } from "../../base/log.ts";
import { verifiersIdOf } from "../../crypt/records/share-records.ts";
import { encodeForVerifiers } from "../records/verifiers-payload.ts";
import { Letters, type LettersNeeds } from "../telling/letters.ts";
import type { Verified } from "./given.ts";

export interface VerifiersNeeds extends LettersNeeds {
  readonly verified: () => readonly Verified[];
  /** Those that keep this folder; undefined while it is not with peers. */
  readonly groupsOf: (folder: Verified) => Promise<readonly GroupId[] | undefined>;
}

export class Verifiers {
  readonly #needs: VerifiersNeeds;
  readonly #letters: Letters<ShareId>;

  constructor(needs: VerifiersNeeds) {
    this.#needs = needs;
    this.#letters = new Letters<ShareId>(needs, {
      prefix: sharingKeys.verifiers, parse: parseShareId,
      shareOf: (folder) => verifiersIdOf(needs.keys.shareSecret, folder),
    });
  }

  open(): Promise<void> {
    return this.#letters.open();
  }

  async step(signal: AbortSignal): Promise<"busy" | "idle"> {
    const verified = this.#needs.verified();
    await this.#endOthers(new Set(verified.map(({ share }) => share)), signal);
    for (const folder of verified) {
      try {
        await this.#tell(folder, signal);
      } catch (error) {
        if (!isFault(error)) throw error;
        this.#needs.log.debug("sharing.verifiers", { why: describe(error) });
      }
    }
    return "idle";
  }

  /** Of folders that are shared no more. */
  async #endOthers(shared: ReadonlySet<ShareId>, signal: AbortSignal): Promise<void> {
    for (const [share, letter] of this.#letters.all()) {
      if (shared.has(share)) continue;
      await letter.tell([], encodeForVerifiers([]), signal);
      if (letter.isClosed) await this.#letters.end(share);
    }
  }

  /** Of whom nobody is told that never was one, and everybody whose last one went. */
  async #tell(folder: Verified, signal: AbortSignal): Promise<void> {
    const { share } = folder;
    const readers = folder.verifiers;
    if (!this.#letters.has(share) && readers.length === 0) return;
    const groups = readers.length === 0 ? [] : await this.#needs.groupsOf(folder);
    if (groups === undefined) return;
    await this.#letters.begin(share).tell(readers, encodeForVerifiers([...groups].sort()), signal);
  }
}
