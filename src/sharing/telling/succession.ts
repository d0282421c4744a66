/**
 * The records of one share, or of one letter, one after another, whichever of the drive's devices
 * makes them: the one of the highest number counts, for whom it names and for what it says alike.
 * So where others may have made one, this device asks for the newest first. Where its maker knew of
 * changes that have not come here yet (told.ts), this one lets nobody in: it may leave out whom
 * that record names, which goes at once, and waits with all else until it has heard.
 */
import { isFault } from "../../base/errors.ts";
import type { PeerId, PersonId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Share, ShareReader, ShareWriter } from "../../base/sharing.ts";
import { recordKeyOf, signShare, wrapKey } from "../../crypt/records/share-records.ts";
import { sealPayload } from "../records/payload.ts";
import { type Knowledge, bothKnow, encodeTold, knowledgeOf,
  knowsMore } from "../records/told.ts";
import type { Tied } from "../ties/tied.ts";
import { type Newest, type NewestNeeds, newestRecord, newestRecordAt } from "./newest.ts";
import { Telling, type TellingNeeds } from "./telling.ts";

const { deviceGoneMs, tellAgainMs } = limits.sharing;

export interface SuccessionNeeds extends NewestNeeds, TellingNeeds {
  readonly tied: Pick<Tied, "changes">;
  /** Whether another device of the drive is about. */
  readonly others: () => boolean;
  /** This device. */
  readonly self: PeerId;
}

export interface SuccessionParts extends Pick<Share, "share"> {
  /** Of the last record that was signed here, or was about to be; 0 for none. */
  readonly sequence: number;
  /** It was begun just now: nobody else can know of it. */
  readonly isFresh: boolean;
  /** Writes down the next number: whatever crashes in between, none is used twice. */
  readonly keep: (sequence: number) => Promise<void>;
}

export interface NamedReader extends Omit<ShareReader, "key"> {
  readonly readerKey: Uint8Array;
}

/** Whom a record names. */
export interface Names {
  readonly readers: readonly NamedReader[];
  readonly writers: readonly ShareWriter[];
}

export class Succession {
  readonly #needs: SuccessionNeeds;
  readonly #parts: SuccessionParts;
  readonly #telling: Telling;
  #sequence: number;
  /** Whichever device made it. */
  #newest: Newest | undefined;
  #mayBeNewer: boolean;
  /** Who refused one as too old. */
  #refusedBy: PeerId | undefined;
  #wantsAnew = false;
  /** When one was made for that. */
  #anewAtMs = -Infinity;
  #behindSinceMs: number | undefined;

  constructor(needs: SuccessionNeeds, parts: SuccessionParts) {
    this.#needs = needs;
    this.#parts = parts;
    this.#sequence = parts.sequence;
    this.#mayBeNewer = !parts.isFresh;
    this.#telling = new Telling(needs);
  }

  /** The record that counts, for all that is known here. */
  get newest(): Newest | undefined {
    return this.#newest;
  }

  /** Holders were not asked yet, or one of them has said that there is a newer one. */
  get mayBeNewer(): boolean {
    return this.#mayBeNewer;
  }

  /** A holder takes none of this number, and has none of a later one. */
  get wantsAnew(): boolean {
    return this.#wantsAnew;
  }

  /** It names nobody, as far as all holders know: nothing is left of it to be told. */
  get isClosed(): boolean {
    if (this.#mayBeNewer || this.isBehind) return false;
    if (this.#newest === undefined) return true;
    const { readers, writers } = this.#newest.record;
    const isEmpty = readers.length === 0 && writers.length === 0;
    return isEmpty && this.#needs.members().every((peer) => this.isToldTo(peer));
  }

  /** Whether the newest record goes by changes that have not come here. */
  get isBehind(): boolean {
    const { told } = this.#newest ?? {};
    return told !== undefined && knowsMore(told.knows, this.#knows());
  }

  /** It has been so for so long that whoever made the changes must have left nobody else them. */
  get isLeftBehind(): boolean {
    const since = this.#behindSinceMs;
    const isLong = since !== undefined
      && this.#needs.clock.monotonicMs() - since >= deviceGoneMs;
    return isLong && this.isBehind;
  }

  isToldTo(peer: PeerId): boolean {
    return this.#telling.has(peer);
  }

  /** What was made elsewhere since. Unavailable while nobody can say. */
  async learn(signal: AbortSignal): Promise<void> {
    if (!this.#mayBeNewer && !this.#areOthers()) return;
    const found = await this.#ask(signal);
    this.#mayBeNewer = false;
    if (found === undefined) return;
    const { sequence, bytes } = found.record;
    if (sequence > this.#sequence) await this.#keep(sequence);
    this.#newest = found;
    this.#telling.begin(bytes);
    this.#noteBehind();
  }

  async #ask(signal: AbortSignal): Promise<Newest | undefined> {
    const { share } = this.#parts;
    const refusedBy = this.#refusedBy;
    this.#refusedBy = undefined;
    if (refusedBy !== undefined) {
      const later = { share, sequence: this.#sequence + 1 };
      const theirs = await newestRecordAt(this.#needs, refusedBy, later, signal);
      if (theirs !== "silent") {
        this.#wantsAnew = theirs === undefined;
        return theirs;
      }
    }
    const sequence = this.#mayBeNewer ? this.#sequence : this.#sequence + 1;
    return await newestRecord(this.#needs, { share, sequence }, signal);
  }

  /** Of these, whom the next record may name: all, unless this device lacks something. */
  allowed(names: Names): Names {
    if (this.#newest === undefined || !this.isBehind) return names;
    const { record } = this.#newest;
    const until = new Map(record.readers.map(({ person, expiresAtMs }) => [person, expiresAtMs]));
    const writing = new Map(record.writers.map(({ writer, expiresAtMs }) => [writer, expiresAtMs]));
    return {
      readers: names.readers.flatMap((one) => shortened(one, until.get(one.person))),
      writers: names.writers.flatMap((one) => shortened(one, writing.get(one.writer))),
    };
  }

  /** Whether the newest record names others than these; false where there is none. */
  differsFrom(names: Names): boolean {
    const { record } = this.#newest ?? {};
    return record !== undefined && namesIn(record) !== namesIn(names);
  }

  async make({ readers, writers }: Names, payload: Uint8Array): Promise<void> {
    const { keys, clock, random } = this.#needs;
    const { share } = this.#parts;
    // By the clock: what a device knew of numbers may be gone, and another one may make one now.
    const sequence = Math.max(this.#sequence + 1, clock.now());
    await this.#keep(sequence);
    const key = recordKeyOf(keys.shareSecret, { share, sequence, readers });
    const { isBehind } = this;
    const ours = this.#knows();
    const knows = isBehind ? bothKnow(this.#newest?.told?.knows ?? ours, ours) : ours;
    const told = { knows, payload: Buffer.from(payload) };
    const place = { owner: keys.owner, share, sequence };
    const record = signShare(keys, {
      share, sequence, publishedAtMs: clock.now(), writers,
      readers: readers.map(({ person, expiresAtMs, readerKey }) => {
        return { person, expiresAtMs, key: wrapKey(readerKey, key, sequence, random) };
      }),
      sealed: sealPayload(key, encodeTold(told), place, random),
    });
    this.#newest = { record, told };
    if (this.#wantsAnew) this.#anewAtMs = clock.monotonicMs();
    this.#wantsAnew = false;
    this.#noteBehind();
    this.#telling.begin(record.bytes);
  }

  async tell(signal: AbortSignal): Promise<void> {
    const { members, network } = this.#needs;
    await this.#telling.tell(members(), async (peer, record) => {
      try {
        await network.share(peer, "put", record, { signal });
      } catch (error) {
        if (isFault(error, "Stale")) this.#noteRefusal(peer);
        throw error;
      }
    }, signal);
  }

  /** Another device's clock may be ahead of ours: not again and again. */
  #noteRefusal(peer: PeerId): void {
    if (this.#needs.clock.monotonicMs() - this.#anewAtMs < tellAgainMs) return;
    this.#mayBeNewer = true;
    this.#refusedBy = peer;
  }

  /** Which was left to nobody, and goes by what it says: all that this device knows is all. */
  overtake(): void {
    this.#newest = undefined;
    this.#behindSinceMs = undefined;
  }

  #knows(): Knowledge {
    const { tied, keys: { shareSecret } } = this.#needs;
    return knowledgeOf(tied.changes(), shareSecret);
  }

  /** Those that are gone count, too: the last thing they did may have been to shut somebody out. */
  #areOthers(): boolean {
    const { tied, others, self } = this.#needs;
    return others() || [...tied.changes().keys()].some((device) => device !== self);
  }

  #noteBehind(): void {
    if (!this.isBehind) this.#behindSinceMs = undefined;
    else this.#behindSinceMs ??= this.#needs.clock.monotonicMs();
  }

  async #keep(sequence: number): Promise<void> {
    await this.#parts.keep(sequence);
    this.#sequence = sequence;
  }
}

/** No longer than the record says, and not at all where it does not name him. */
function shortened<T extends { readonly expiresAtMs: number }>(
  one: T, untilMs: number | undefined,
): readonly T[] {
  if (untilMs === undefined) return [];
  return [{ ...one, expiresAtMs: Math.min(one.expiresAtMs, untilMs) }];
}

function namesIn({ readers, writers }: {
  readonly readers: readonly { readonly person: PersonId; readonly expiresAtMs: number }[];
  readonly writers: readonly ShareWriter[];
}): string {
  const named = readers.map(({ person, expiresAtMs }) => `${person} ${expiresAtMs}`);
  const writing = writers.map(({ writer, expiresAtMs }) => `${writer} ${expiresAtMs}`);
  return [...named.sort(), "", ...writing.sort()].join("\n");
}
