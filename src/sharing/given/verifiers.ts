/**
 * Tells those who verify folders of this drive which groups keep them: a letter for each folder, to
 * all of hers at once. By the names in it holders know who may ask for proofs, and for sealed bytes
 * to make lost shards of; it holds no key, so neither does she.
 *
 *   n/SHARE  varint sequence of the last record that was signed, or was about to be
 */
import type { KeyValue } from "../../base/blocks.ts";
import { sharingKeys } from "../../base/book-keys.ts";
import { isFault } from "../../base/errors.ts";
import { type GroupId, type ShareId, parseShareId } from "../../base/ids.ts";
import { describe } from "../../base/log.ts";
import { verifiersIdOf } from "../../crypt/share-records.ts";
import { encodeForVerifiers } from "../records/verifiers-payload.ts";
import { Letter, type LetterNeeds, encodeNumber, numbersIn } from "../telling/letter.ts";
import type { Verified } from "./given.ts";

export interface VerifiersNeeds extends LetterNeeds {
  readonly books: KeyValue;
  readonly verified: () => readonly Verified[];
  /** Those that keep this folder; undefined while it is not with peers. */
  readonly groupsOf: (folder: Verified) => Promise<readonly GroupId[] | undefined>;
}

export class Verifiers {
  readonly #needs: VerifiersNeeds;
  readonly #letters = new Map<ShareId, Letter>();

  constructor(needs: VerifiersNeeds) {
    this.#needs = needs;
  }

  async open(): Promise<void> {
    const numbers = numbersIn(this.#needs.books, sharingKeys.verifiers, "sharing.verifiers");
    for await (const [key, sequence] of numbers) this.#begin(parseShareId(key), sequence);
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
    for (const [share, letter] of this.#letters) {
      if (shared.has(share)) continue;
      await letter.tell([], encodeForVerifiers([]), signal);
      if (!letter.isClosed) continue;
      await this.#needs.books.delete(sharingKeys.verifiers + share);
      this.#letters.delete(share);
    }
  }

  /** Of whom nobody is told that never was one, and everybody whose last one went. */
  async #tell(folder: Verified, signal: AbortSignal): Promise<void> {
    const { share } = folder;
    const readers = folder.verifiers;
    const known = this.#letters.get(share);
    if (known === undefined && readers.length === 0) return;
    const groups = readers.length === 0 ? [] : await this.#needs.groupsOf(folder);
    if (groups === undefined) return;
    const letter = known ?? this.#begin(share, 0);
    await letter.tell(readers, encodeForVerifiers([...groups].sort()), signal);
  }

  #begin(share: ShareId, sequence: number): Letter {
    const { books, keys } = this.#needs;
    const letter = new Letter(this.#needs, {
      share: verifiersIdOf(keys.shareSecret, share), sequence,
      keep: (next) => books.put(sharingKeys.verifiers + share, encodeNumber(next)),
    });
    this.#letters.set(share, letter);
    return letter;
  }
}
