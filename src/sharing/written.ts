/**
 * What others wrote in folders of this drive: their records are looked for with those who keep this
 * drive's shards, whether the writers are there or not, checked against the right that each was
 * given, and handed to the tree, whose door lets in what is of the folder. Nobody is followed
 * whose right ended: what she signs from then on is nothing here.
 *
 *   e/SHARE/WRITER  the newest record that is part of the drive
 */
import { sharingKeys } from "../base/book-keys.ts";
import { asBuffer } from "../base/bytes.ts";
import { HiveError, isFault } from "../base/errors.ts";
import type { Cid, PeerId, PersonId, ShareId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { GivenRow } from "../base/sharing-views.ts";
import type { SharedRoots } from "../base/sharing.ts";
import { encodeShareAsk, parseShare } from "../crypt/share-records.ts";
import { Borrowed } from "../transfer/reads/borrowed.ts";
import { Follower, dueOf } from "./follower.ts";
import type { FollowingNeeds } from "./needs.ts";
import type { GivenGuest } from "./given.ts";
import { type Opener, openShare } from "./opened.ts";
import { personIdOf } from "./person-keys.ts";

export interface WrittenNeeds extends FollowingNeeds {
  readonly roots: Pick<SharedRoots, "written">;
  /** Whoever keeps this drive's shards. */
  readonly members: () => readonly PeerId[];
  /** Those who may write now. */
  readonly guests: () => readonly GivenGuest[];
  readonly nameOf: (person: PersonId) => string;
}

interface Following {
  guest: GivenGuest;
  readonly opener: Opener;
  readonly blocks: Borrowed;
  readonly follower: Follower;
  sequence: number;
  publishedAtMs: number | undefined;
}

export class Written {
  readonly #needs: WrittenNeeds;
  #following = new Map<string, Following>();

  constructor(needs: WrittenNeeds) {
    this.#needs = needs;
  }

  async step(signal: AbortSignal): Promise<"busy" | "idle"> {
    await this.#look();
    const all = [...this.#following.values()];
    if (all.length === 0) return "idle";
    for (const one of await dueOf(all, this.#needs.clock, signal)) {
      await one.follower.look((peer) => this.#ask(one, peer, signal));
    }
    return "busy";
  }

  /** Somebody may still refer to what this drive does not: one that is silent for long is gone. */
  get areAny(): boolean {
    const since = this.#needs.clock.now() - limits.devices.goneMs;
    const guests = new Set(this.#needs.guests().map(keyOf));
    return [...this.#following].some(([key, { publishedAtMs = 0 }]) => {
      return guests.has(key) && publishedAtMs > since;
    });
  }

  wrote(share: ShareId, person: PersonId): Pick<GivenRow, "wroteAt" | "trouble"> {
    const found = [...this.#following.values()].find(({ guest }) => {
      return guest.share === share && guest.person === person;
    });
    const { publishedAtMs, follower } = found ?? {};
    const wroteAt = publishedAtMs === undefined ? null : new Date(publishedAtMs).toISOString();
    return { wroteAt, trouble: follower?.trouble ?? null };
  }

  /** NotFound when none of them names it. */
  async fetch(cid: Cid, options: { readonly signal?: AbortSignal }): Promise<Uint8Array> {
    for (const { blocks } of this.#following.values()) {
      try {
        return await blocks.fetch(cid, options);
      } catch (error) {
        if (!isFault(error, "NotFound")) throw error;
      }
    }
    throw new HiveError("NotFound", "sharing.written", cid);
  }

  /** Whoever has a right now is followed, and nobody else. */
  async #look(): Promise<void> {
    const known = this.#following;
    const next = new Map<string, Following>();
    for (const guest of this.#needs.guests()) {
      const key = keyOf(guest);
      const following = known.get(key) ?? await this.#begin(guest);
      following.guest = guest;
      next.set(key, following);
    }
    this.#following = next;
  }

  async #begin(guest: GivenGuest): Promise<Following> {
    const { books, person, members } = this.#needs;
    const { share, right: { keys: { owner }, backKey } } = guest;
    const blocks = new Borrowed({ ...this.#needs, owner });
    const opener = {
      grant: { owner, share }, person: personIdOf(person), readerKey: backKey,
    };
    const follower = new Follower(this.#needs, {
      members: () => [...new Set([...members(), ...blocks.members()])], first: [],
    });
    const stored = await books.get(keyOf(guest));
    const last = stored && parseShare(stored);
    // What it names may have to be read again.
    if (last !== undefined) blocks.adopt(openShare(opener, last.bytes, 0).payload);
    const { sequence = 0, publishedAtMs } = last ?? {};
    return { guest, opener, blocks, follower, sequence, publishedAtMs };
  }

  async #ask(following: Following, peer: PeerId, signal: AbortSignal): Promise<void> {
    const { opener: { grant }, sequence } = following;
    const ask = encodeShareAsk({ ...grant, sequence });
    const answer = await this.#answer(peer, ask, signal);
    if (answer.length > 0) await this.#take(following, { answer, peer }, signal);
  }

  /** Who has written nothing yet has no record. */
  async #answer(peer: PeerId, ask: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    try {
      return await this.#needs.network.share(peer, "get", ask, { signal });
    } catch (error) {
      if (isFault(error, "NotFound")) return Buffer.alloc(0);
      throw error;
    }
  }

  async #take(
    following: Following, { answer, peer }: { readonly answer: Uint8Array; readonly peer: PeerId },
    signal: AbortSignal,
  ): Promise<void> {
    const { guest, opener, blocks } = following;
    const { record, payload } = openShare(opener, asBuffer(answer), following.sequence);
    if (payload.ino !== guest.ino) {
      throw new HiveError("Corrupt", "sharing.written", "another folder");
    }
    blocks.adopt(payload);
    await blocks.refresh(peer, signal);
    // It may have ended while all this was fetched.
    const isStill = this.#needs.guests().some((one) => keyOf(one) === keyOf(guest));
    if (!isStill) throw new HiveError("Denied", "sharing.written", "her right ended");
    const { number } = guest.right;
    const name = this.#needs.nameOf(guest.person);
    const news = { folder: guest.ino, root: payload.root, number, name };
    // What there is more of comes with the next look, when others have had their turn.
    if (!await this.#needs.roots.written(news)) return;
    await this.#needs.books.put(keyOf(guest), record.bytes);
    following.sequence = record.sequence;
    following.publishedAtMs = record.publishedAtMs;
    this.#needs.log.info("sharing.written", { sequence: record.sequence });
  }
}

function keyOf({ share, right }: GivenGuest): string {
  return `${sharingKeys.written}${share}/${right.keys.owner}`;
}
