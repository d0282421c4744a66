/**
 * The inboxes of this drive's person: one of each owner who has her in a group. Each is followed
 * as a folder is, with whoever keeps that owner's shards, and tells which folders there are for
 * her. What becomes of them is another's to say (taken.ts).
 *
 *   y/OWNER  bytes grant | bytes newest record, empty before the first
 */
import { sharingKeys } from "../../base/book-keys.ts";
import { Reader, Writer, asBuffer } from "../../base/bytes.ts";
import { HiveError, isFault } from "../../base/errors.ts";
import type { OwnerId, PeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { describe } from "../../base/log.ts";
import type { Grant } from "../../base/sharing.ts";
import type { InboxView } from "../../base/views/sharing.ts";
import { parseGrant } from "../../crypt/records/share-records.ts";
import { Follower, askNewer, dueOf } from "../following/follower.ts";
import type { FollowingNeeds } from "../following/needs.ts";
import { type Held, type OpenedInbox, openInbox, takeEntry, takeGrant } from "../records/opened.ts";
import type { Tied } from "../ties/tied.ts";
import { type InboxTie, asFurther, encodeInboxTie, inboxKey, inboxesIn } from "./taken-ties.ts";

const { inboxesTakenMax } = limits.sharing;

type Reading = "coder" | "read" | "mayReadAhead" | "holdsReads";

export interface OwnInboxesNeeds extends Omit<FollowingNeeds, Reading> {
  /** Of whom it is known that they keep this owner's shards. */
  readonly keepersOf: (owner: OwnerId) => readonly PeerId[];
  readonly tied: Tied;
  /** This device. */
  readonly self: PeerId;
}

/** A folder that is in an inbox now. */
export interface InboxOffer {
  readonly held: Held;
  /** What its owner calls it. */
  readonly name: string;
  readonly isThroughGroup: boolean;
}

interface OwnInbox {
  readonly grant: Grant;
  readonly held: Held;
  readonly follower: Follower;
  /** Whether rights to write are this device's. */
  readonly writes: boolean;
  opened: OpenedInbox | undefined;
  offers: readonly InboxOffer[];
}

export class OwnInboxes {
  readonly #needs: OwnInboxesNeeds;
  readonly #inboxes = new Map<OwnerId, OwnInbox>();

  constructor(needs: OwnInboxesNeeds) {
    this.#needs = needs;
  }

  async open(): Promise<void> {
    const { books, tied } = this.#needs;
    for await (const [, value] of books.list(sharingKeys.ownInbox)) {
      const { grant, record } = decodeInbox(value);
      await this.#restore(grant, record);
    }
    await this.#adopt();
    tied.onChange(() => this.#adopt());
  }

  /** What an older version kept in books of this machine alone becomes the drive's. */
  async #restore(grant: Grant, record: Uint8Array): Promise<void> {
    const { tied, self, books } = this.#needs;
    const key = inboxKey(grant);
    if (tied.isGone(key)) return await books.delete(sharingKeys.ownInbox + grant.owner);
    const tie = this.#ties().find((one) => one.grant.owner === grant.owner);
    if (tie === undefined) await tied.put([[key, encodeInboxTie({ grant, writer: self })]]);
    const inbox = this.#begin(tie ?? { grant, writer: self });
    if (record.length > 0) know(inbox, openInbox(inbox.held, record, 0));
  }

  #ties(): readonly InboxTie[] {
    return inboxesIn(this.#needs.tied, (key, why) => this.#tell(key, why));
  }

  #tell(key: string, why: unknown): void {
    this.#needs.log.warn("sharing.inbox-tie", { key, why: describe(why) });
  }

  /** What the ties say that there is, whichever device took it up. */
  async #adopt(): Promise<void> {
    const { tied, books, self } = this.#needs;
    for (const { grant } of [...this.#inboxes.values()]) {
      if (!tied.isGone(inboxKey(grant))) continue;
      this.#inboxes.delete(grant.owner);
      await books.delete(sharingKeys.ownInbox + grant.owner);
    }
    for (const tie of this.#ties().slice(0, inboxesTakenMax)) {
      const { grant: { owner, bytes } } = tie;
      const known = this.#inboxes.get(owner);
      const isSame = known !== undefined && asBuffer(known.grant.bytes).equals(bytes);
      if (isSame && known.writes === (tie.writer === self)) continue;
      try {
        await this.#keep(this.#begin(tie));
      } catch (error) {
        if (!isFault(error)) throw error;
        this.#tell(inboxKey(tie.grant), error);
      }
    }
  }

  /** A later grant of the same owner's takes the place of the one before. */
  async accept(grant: Grant): Promise<void> {
    const { owner } = grant;
    const isNew = !this.#inboxes.has(owner);
    if (isNew && this.#inboxes.size >= inboxesTakenMax) {
      throw new HiveError("Quota", "sharing.accept", "owners of groups");
    }
    const opened = this.#inboxes.get(owner)?.opened;
    const { tied, self } = this.#needs;
    const inbox = this.#begin({ grant, writer: self });
    if (opened !== undefined) know(inbox, opened);
    await this.#keep(inbox);
    await tied.put([[inboxKey(grant), encodeInboxTie({ grant, writer: self })]]);
  }

  async forget(owner: OwnerId): Promise<void> {
    await this.#needs.books.delete(sharingKeys.ownInbox + owner);
    this.#inboxes.delete(owner);
    await this.#needs.tied.put([[inboxKey({ owner }), undefined]]);
  }

  /** The folders that there are for this person now. */
  offers(): readonly InboxOffer[] {
    return [...this.#inboxes.values()].flatMap(({ offers }) => offers);
  }

  /** Of the newest record of this owner's that is known here; Infinity where he keeps her none. */
  numberOf(owner: OwnerId): number {
    const inbox = this.#inboxes.get(owner);
    return inbox === undefined ? Infinity : inbox.opened?.record.sequence ?? 0;
  }

  /** Whose inbox this user calls so. */
  ownerOf(name: string, nameOf: (from: Held["grant"]) => string): OwnerId | undefined {
    const found = [...this.#inboxes.values()].find(({ grant }) => nameOf(grant) === name);
    return found?.grant.owner;
  }

  list(nameOf: (from: Held["grant"]) => string): readonly InboxView[] {
    return [...this.#inboxes.values()].map(({ grant, opened, follower }) => ({
      from: nameOf(grant),
      folders: opened?.entries.length ?? 0,
      trouble: follower.trouble ?? (opened === undefined ? "waits for its first state" : null),
    }));
  }

  async step(signal: AbortSignal): Promise<"busy" | "idle"> {
    const all = [...this.#inboxes.values()];
    if (all.length === 0) return "idle";
    const due = await dueOf(all, this.#needs.clock, signal);
    await Promise.all(due.map((inbox) => {
      return inbox.follower.look((peer) => this.#ask(inbox, peer, signal));
    }));
    return "busy";
  }

  #begin({ grant, writer }: InboxTie): OwnInbox {
    const { person, keepersOf, self } = this.#needs;
    const follower = new Follower(this.#needs, {
      members: () => keepersOf(grant.owner), first: grant.peers,
    });
    const inbox: OwnInbox = {
      grant, held: takeGrant(person, grant), follower, opened: undefined, offers: [],
      writes: writer === self,
    };
    this.#inboxes.set(grant.owner, inbox);
    return inbox;
  }

  async #ask(inbox: OwnInbox, peer: PeerId, signal: AbortSignal): Promise<void> {
    const { grant, held, opened } = inbox;
    const known = opened?.record.sequence ?? 0;
    const answer = await askNewer(this.#needs.network, { grant, known, peer }, signal);
    if (answer === undefined) return;
    know(inbox, openInbox(held, answer, known));
    await this.#keep(inbox);
  }

  /** One that was forgotten meanwhile stays so. */
  async #keep(inbox: OwnInbox): Promise<void> {
    const { grant, opened } = inbox;
    if (this.#inboxes.get(grant.owner) !== inbox) return;
    const writer = new Writer(4096).bytes(grant.bytes);
    writer.bytes(opened?.record.bytes ?? Buffer.alloc(0));
    await this.#needs.books.put(sharingKeys.ownInbox + grant.owner, writer.finish());
  }
}

function know(inbox: OwnInbox, opened: OpenedInbox): void {
  inbox.opened = opened;
  const offers = offersOf(inbox.held, opened);
  inbox.offers = inbox.writes
    ? offers : offers.map((offer) => ({ ...offer, held: asFurther(offer.held) }));
}

export function offersOf(inbox: Held, { entries }: OpenedInbox): readonly InboxOffer[] {
  return entries.map((entry) => ({
    held: takeEntry(inbox, entry), name: entry.name, isThroughGroup: true,
  }));
}

export function decodeInbox(value: Uint8Array): {
  readonly grant: Grant; readonly record: Uint8Array;
} {
  const reader = new Reader(value, "sharing.inbox");
  const [grant, record] = [reader.bytes(), reader.bytes()];
  reader.end();
  return { grant: parseGrant(grant), record };
}
