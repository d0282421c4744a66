/**
 * What somebody writes on one device in a folder that is another's, as its owner follows it, or
 * another device of the same person: the newest record by that device's right, and the blocks that
 * it names. What becomes of it is another's to say; what was taken is remembered, and nothing
 * older is ever taken again.
 */
import { HiveError, isFault } from "../../base/errors.ts";
import type { Cid, Ino, PeerId, PersonId, ShareId } from "../../base/ids.ts";
import type { WriteRight } from "../../crypt/drive/write-right.ts";
import { parseShare } from "../../crypt/records/share-records.ts";
import { Borrowed } from "../../transfer/reads/borrowed.ts";
import { openerOf } from "../records/guest-record.ts";
import { type OpenedShare, type Opener, openShare } from "../records/opened.ts";
import { Follower, askAnyNewer } from "./follower.ts";
import type { FollowingNeeds } from "./needs.ts";

export type GuestHeadNeeds = Omit<FollowingNeeds, "person">;

export interface GuestHeadParts {
  readonly right: WriteRight;
  readonly share: ShareId;
  /** As whom it is read. */
  readonly personId: PersonId;
  /** Whoever keeps the shards of the folder's owner. */
  readonly keepers: () => readonly PeerId[];
  /** Where what was taken last is remembered. */
  readonly key: string;
}

/** Which folder it must be of; and whether all of it is in, or the same brings the rest. */
export interface GuestTaker {
  readonly ino: Ino;
  take(opened: OpenedShare): Promise<boolean>;
}

export class GuestHead {
  readonly right: WriteRight;
  readonly follower: Follower;
  readonly #needs: GuestHeadNeeds;
  readonly #key: string;
  readonly #opener: Opener;
  readonly #blocks: Borrowed;
  #sequence = 0;
  publishedAtMs: number | undefined;

  constructor(
    needs: GuestHeadNeeds, { right, share, personId: person, keepers, key }: GuestHeadParts,
  ) {
    this.#needs = needs;
    this.right = right;
    this.#key = key;
    this.#opener = openerOf(right, { share, person });
    const blocks = new Borrowed({ ...needs, owner: right.keys.owner });
    this.#blocks = blocks;
    this.follower = new Follower(needs, {
      members: () => [...new Set([...keepers(), ...blocks.members()])], first: [],
    });
  }

  /** At a start: what was taken last may have to be read again, and where asked for taken again. */
  async restore({ again }: { readonly again: boolean } = { again: false }): Promise<void> {
    const stored = await this.#needs.books.get(this.#key);
    if (stored === undefined) return;
    const { bytes, sequence, publishedAtMs } = parseShare(stored);
    this.#blocks.adopt(openShare(this.#opener, bytes, 0).payload);
    this.#sequence = again ? sequence - 1 : sequence;
    this.publishedAtMs = publishedAtMs;
  }

  async look(taker: GuestTaker, signal: AbortSignal): Promise<void> {
    await this.follower.look((peer) => this.#ask(taker, peer, signal));
  }

  /** NotFound when it does not name it. */
  fetch(cid: Cid, options: { readonly signal?: AbortSignal }): Promise<Uint8Array> {
    return this.#blocks.fetch(cid, options);
  }

  async #ask(taker: GuestTaker, peer: PeerId, signal: AbortSignal): Promise<void> {
    const [{ network }, { grant }, known] = [this.#needs, this.#opener, this.#sequence];
    // Who has written nothing yet has no record.
    const answer = await askAnyNewer(network, { grant, known, peer }, signal);
    if (answer === undefined) return;
    const opened = openShare(this.#opener, answer, known);
    const { record, payload } = opened;
    if (payload.ino !== taker.ino) {
      throw new HiveError("Corrupt", "sharing.written", "another folder");
    }
    this.#blocks.adopt(payload);
    await this.#blocks.refresh(peer, signal);
    // What there is more of comes with the next look, when others have had their turn.
    if (!await taker.take(opened)) return;
    await this.#needs.books.put(this.#key, record.bytes);
    this.#sequence = record.sequence;
    this.publishedAtMs = record.publishedAtMs;
    this.#needs.log.info("sharing.written", { sequence: record.sequence });
  }
}

/** The first of them that names it; NotFound when none does. */
export async function fetchFrom(
  heads: Iterable<Pick<GuestHead, "fetch">>, cid: Cid, options: { readonly signal?: AbortSignal },
): Promise<Uint8Array> {
  for (const head of heads) {
    try {
      return await head.fetch(cid, options);
    } catch (error) {
      if (!isFault(error, "NotFound")) throw error;
    }
  }
  throw new HiveError("NotFound", "sharing.written", cid);
}

