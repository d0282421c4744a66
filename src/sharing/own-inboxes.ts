/**
 * The inboxes of this machine's person: one of each owner who has her in a group. Each is followed
 * as a folder is, with whoever keeps that owner's shards, and tells which folders there are for
 * her. What becomes of them is another's to say (taken.ts).
 *
 *   y/OWNER  bytes grant | bytes newest record, empty before the first
 */
import { Reader, Writer, asBuffer } from "../base/bytes.ts";
import { HiveError } from "../base/errors.ts";
import type { OwnerId, PeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Grant, InboxView } from "../base/sharing.ts";
import { encodeShareAsk, parseGrant } from "../crypt/share-records.ts";
import { Follower, dueOf } from "./follower.ts";
import type { FollowingNeeds } from "./needs.ts";
import { type Held, type OpenedInbox, openInbox, takeEntry, takeGrant } from "./opened.ts";

type Reading = "coder" | "read" | "mayReadAhead" | "holdsReads";

export interface OwnInboxesNeeds extends Omit<FollowingNeeds, Reading> {
  /** Of whom it is known that they keep this owner's shards. */
  readonly keepersOf: (owner: OwnerId) => readonly PeerId[];
}

/** A folder that is in an inbox now. */
export interface InboxOffer {
  readonly held: Held;
  /** What its owner calls it. */
  readonly name: string;
}

interface OwnInbox {
  readonly grant: Grant;
  readonly held: Held;
  readonly follower: Follower;
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
    for await (const [, value] of this.#needs.books.list("y/")) {
      const { grant, record } = decodeInbox(value);
      const inbox = this.#begin(grant);
      if (record.length > 0) know(inbox, openInbox(inbox.held, record, 0));
    }
  }

  /** A later grant of the same owner's takes the place of the one before. */
  async accept(grant: Grant): Promise<void> {
    const { owner } = grant;
    const isNew = !this.#inboxes.has(owner);
    if (isNew && this.#inboxes.size >= limits.sharing.inboxesTakenMax) {
      throw new HiveError("Quota", "sharing.accept", "owners of groups");
    }
    const opened = this.#inboxes.get(owner)?.opened;
    const inbox = this.#begin(grant);
    if (opened !== undefined) know(inbox, opened);
    await this.#keep(inbox);
  }

  async forget(owner: OwnerId): Promise<void> {
    await this.#needs.books.delete(`y/${owner}`);
    this.#inboxes.delete(owner);
  }

  /** The folders that there are for this person now. */
  offers(): readonly InboxOffer[] {
    return [...this.#inboxes.values()].flatMap(({ offers }) => offers);
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

  #begin(grant: Grant): OwnInbox {
    const { person, keepersOf } = this.#needs;
    const follower = new Follower(this.#needs, {
      members: () => keepersOf(grant.owner), first: grant.peers,
    });
    const inbox: OwnInbox = {
      grant, held: takeGrant(person, grant), follower, opened: undefined, offers: [],
    };
    this.#inboxes.set(grant.owner, inbox);
    return inbox;
  }

  async #ask(inbox: OwnInbox, peer: PeerId, signal: AbortSignal): Promise<void> {
    const { owner, share } = inbox.grant;
    const sequence = inbox.opened?.record.sequence ?? 0;
    const ask = encodeShareAsk({ owner, share, sequence });
    const answer = await this.#needs.network.share(peer, "get", ask, { signal });
    if (answer.length === 0) return;
    know(inbox, openInbox(inbox.held, asBuffer(answer), sequence));
    await this.#keep(inbox);
  }

  /** One that was forgotten meanwhile stays so. */
  async #keep(inbox: OwnInbox): Promise<void> {
    const { grant, opened } = inbox;
    if (this.#inboxes.get(grant.owner) !== inbox) return;
    const writer = new Writer(4096).bytes(grant.bytes);
    writer.bytes(opened?.record.bytes ?? Buffer.alloc(0));
    await this.#needs.books.put(`y/${grant.owner}`, writer.finish());
  }
}

function know(inbox: OwnInbox, opened: OpenedInbox): void {
  inbox.opened = opened;
  inbox.offers = offersOf(inbox.held, opened);
}

export function offersOf(inbox: Held, { entries }: OpenedInbox): readonly InboxOffer[] {
  return entries.map((entry) => ({ held: takeEntry(inbox, entry), name: entry.name }));
}

export function decodeInbox(value: Uint8Array): {
  readonly grant: Grant; readonly record: Uint8Array;
} {
  const reader = new Reader(value, "sharing.inbox");
  const [grant, record] = [reader.bytes(), reader.bytes()];
  reader.end();
  return { grant: parseGrant(grant), record };
}
