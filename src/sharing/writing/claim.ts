/**
 * The right to write itself is used on one device: two would mark different changes alike, and each
 * one's record would take the place of the other's. So before the first change whoever comes to it
 * asks the owner's holders for a record that is signed by it, and again before each record of its
 * own: one that this device did not sign is another device's. Then this one goes on by a right of
 * its own, or if it has begun already, or the owner knows of no such, it reads, and says why; what
 * it has written stays here (hand.ts). Keys of the KeyValue:
 *
 *   o/WRITER/sequence  varint: of the last record that was signed here, or was about to be
 *   o/WRITER/begun     empty: nobody else had written by this right when this device began
 *   o/WRITER/rival     what the device is called that writes by it instead
 */
import type { KeyValue } from "../../base/blocks.ts";
import { guestKeys } from "../../base/book-keys.ts";
import { asBuffer } from "../../base/bytes.ts";
import type { Clock } from "../../base/clock.ts";
import { HiveError, isFault } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { ShareNetwork } from "../../base/sharing.ts";
import type { WriteRight } from "../../crypt/drive/write-right.ts";
import { encodeShareAsk } from "../../crypt/records/share-records.ts";
import { parseRoot } from "../../dag/root.ts";
import { openerOf } from "../records/guest-record.ts";
import { type Source, openShare } from "../records/opened.ts";
import { Numbering, writtenPrefix } from "./numbering.ts";

const { askedPerLookMax, claimLookMs } = limits.sharing;

export interface ClaimNeeds {
  readonly books: KeyValue;
  readonly clock: Clock;
  readonly network: ShareNetwork;
  readonly right: WriteRight;
  readonly grant: Pick<Source, "share" | "from">;
  /** Whoever keeps the owner's shards. */
  readonly owners: () => readonly PeerId[];
}

export class Claim {
  readonly #needs: ClaimNeeds;
  readonly numbering: Numbering;
  #rival: string | null = null;
  #isSettled = false;
  #lookAtMs = -Infinity;

  constructor(needs: ClaimNeeds) {
    this.#needs = needs;
    this.numbering = new Numbering(needs);
  }

  /** What the device is called that writes by this right; null while that is this one. */
  get rival(): string | null {
    return this.#rival;
  }

  /** Before anything is written here. Unavailable while none of the holders can tell. */
  async settle(): Promise<void> {
    if (this.#isSettled) return;
    const { books } = this.#needs;
    const rival = await books.get(this.#key("rival"));
    if (rival !== undefined) this.#rival = Buffer.from(rival).toString();
    if (rival === undefined && !await this.hasBegun()) await this.#begin();
    this.#isSettled = true;
  }

  /** Whether anything may have been written here by it. */
  async hasBegun(): Promise<boolean> {
    const { books } = this.#needs;
    return await books.get(this.#key("begun")) !== undefined || await this.numbering.last() > 0;
  }

  /** Now and then, or at once; whoever does not answer says nothing. */
  async look({ isDue }: { readonly isDue: boolean }, signal: AbortSignal): Promise<void> {
    const nowMs = this.#needs.clock.monotonicMs();
    if (this.#rival !== null || (!isDue && nowMs < this.#lookAtMs)) return;
    this.#lookAtMs = nowMs + claimLookMs;
    await this.#ask(await this.numbering.last(), signal);
  }

  async #begin(): Promise<void> {
    const isAnswered = await this.#ask(0);
    if (!isAnswered) throw new HiveError("Unavailable", "sharing.claim", "no holder of it answers");
    if (this.#rival === null) await this.#needs.books.put(this.#key("begun"), Buffer.alloc(0));
  }

  /** True when somebody answered, be it that there is nothing newer: one may have been away. */
  async #ask(sequence: number, signal?: AbortSignal): Promise<boolean> {
    const { network, owners, grant, right: { keys: { owner } } } = this.#needs;
    const ask = encodeShareAsk({ owner, share: grant.share, sequence });
    const options = signal === undefined ? {} : { signal };
    let isAnswered = false;
    for (const peer of owners().slice(0, askedPerLookMax)) {
      try {
        const answer = await network.share(peer, "get", ask, options);
        if (answer.length > 0) await this.#yieldTo(asBuffer(answer), sequence);
        isAnswered = true;
      } catch (error) {
        if (!isFault(error)) throw error;
        // Nobody has written by it, for all that this one knows.
        if (error.kind === "NotFound") isAnswered = true;
      }
      if (this.#rival !== null) return true;
    }
    return isAnswered;
  }

  async #yieldTo(answer: Buffer, sequence: number): Promise<void> {
    const { books, grant: { share, from }, right } = this.#needs;
    const opener = openerOf(right, { share, person: from });
    const { payload, record } = openShare(opener, answer, sequence);
    // Signed here since it was asked: one may wait for a flush while the room goes on.
    if (record.sequence <= await this.numbering.last()) return;
    const { name = "" } = parseRoot(payload.root).devices.get(right.number) ?? {};
    await books.put(this.#key("rival"), Buffer.from(name));
    this.#rival = name;
  }

  #key(name: "begun" | "rival"): string {
    return `${writtenPrefix(this.#needs.right)}${guestKeys[name]}`;
  }
}
