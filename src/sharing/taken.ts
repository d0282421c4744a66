/**
 * The folders of others that this machine's person may read. It looks for newer states with those
 * who keep them, whether their owner is there or not, remembers the newest, and never goes back
 * behind it. What they hold is read through `Borrowed`, block by block, when somebody wants it.
 *
 *   t/OWNER/SHARE  bytes name | bytes grant | bytes newest record, empty before the first
 *                  | bytes seed of the person whom a link made, where it came by one
 */
import { Reader, Writer, asBuffer } from "../base/bytes.ts";
import { HiveError, isFault } from "../base/errors.ts";
import { type Cid, type Name, type PeerId, nameFromText, nameToText } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { describe } from "../base/log.ts";
import type { Grant, GuestRight, SharedRoots, TakenView } from "../base/sharing.ts";
import type { DeviceCertificate } from "../base/records.ts";
import type { OwnerSigner } from "../crypt/certificates.ts";
import { personKeysOf } from "../crypt/grants.ts";
import { encodeShareAsk, parseGrant } from "../crypt/share-records.ts";
import type { WriteRight } from "../crypt/write-right.ts";
import { Borrowed } from "../transfer/borrowed.ts";
import { Follower, dueOf } from "./follower.ts";
import type { FollowingNeeds } from "./needs.ts";
import { type Held, type OpenedShare, openShare, takeGrant } from "./opened.ts";
import { asSigner } from "./person-keys.ts";
import { type OpenGuestTransfer, Writing } from "./writing.ts";

const { takenLinksMax, takenMax } = limits.sharing;

export interface TakenNeeds extends FollowingNeeds {
  readonly roots: SharedRoots;
  /** By which this node acts for whoever has these keys. */
  readonly certifier: (keys: OwnerSigner) => () => readonly DeviceCertificate[];
  readonly openTransfer: OpenGuestTransfer;
  readonly deviceName: string;
}

/** A grant to this user, or with the seed of the person whom a link makes to her. */
interface Offered {
  readonly grant: Grant;
  readonly seed?: Uint8Array | undefined;
}

interface Taking {
  readonly name: Name;
  readonly held: Held;
  /** Where it came by a link: of the person whom that makes, and by which we act for her. */
  readonly seed: Uint8Array | undefined;
  readonly certify: (() => readonly DeviceCertificate[]) | undefined;
  readonly blocks: Borrowed;
  readonly follower: Follower;
  /** What is written here, where it may be. */
  readonly writing: Writing | undefined;
  opened: OpenedShare | undefined;
  isShown: boolean;
  isShutOut: boolean;
}

export class Taken {
  readonly #needs: TakenNeeds;
  /** The one that a block was found in last first. */
  #taken: Taking[] = [];

  constructor(needs: TakenNeeds) {
    this.#needs = needs;
  }

  async open(): Promise<void> {
    for await (const [, value] of this.#needs.books.list("t/")) {
      const reader = new Reader(value, "sharing.taken");
      const [name, grant, record] = [reader.bytes(), reader.bytes(), reader.bytes()];
      const seed = reader.restBytes === 0 ? {} : { seed: reader.bytes() };
      reader.end();
      const given = { grant: parseGrant(grant), ...seed };
      const taking = this.#begin(nameFromText(name.toString()), given);
      if (record.length === 0) continue;
      const opened = openShare(taking.held, record, 0);
      // Where it is written there has to be a tree before it is shown.
      if (taking.writing === undefined) await this.#show(taking, opened);
      else this.#know(taking, opened);
    }
  }

  async accept({ grant, seed }: Offered, given: string | null): Promise<Name> {
    const name = nameFromText(given ?? grant.name);
    const isSame = ({ held: { grant: other } }: Taking) =>
      other.owner === grant.owner && other.share === grant.share;
    const found = this.#taken.find(isSame);
    const isOther = found !== undefined && isOtherRight(found, grant);
    if (isOther) await this.#leave(found);
    const known = isOther ? undefined : found;
    if (known !== undefined && given !== null && known.name !== name) {
      throw new HiveError("Exists", "sharing.accept", nameToText(known.name));
    }
    if (known !== undefined) return known.name;
    const isTaken = this.#taken.some((taking) => taking.name === name);
    if (isTaken) throw new HiveError("Exists", "sharing.accept", nameToText(name));
    if (this.#taken.length >= takenMax) throw new HiveError("Quota", "sharing.accept", "folders");
    const links = this.#taken.filter(({ certify }) => certify !== undefined).length;
    if (seed !== undefined && links >= takenLinksMax) {
      throw new HiveError("Quota", "sharing.accept", "links");
    }
    const taking = this.#begin(name, { grant, seed });
    await this.#keep(taking);
    return name;
  }

  /** By which this node acts for the people whom links made. */
  certificates(): readonly DeviceCertificate[] {
    return this.#taken.flatMap(({ certify }) => certify?.() ?? []);
  }

  async forget(text: string): Promise<void> {
    const name = nameFromText(text);
    const taking = this.#taken.find((one) => one.name === name);
    if (taking === undefined) throw new HiveError("NotFound", "sharing.forget", text);
    await this.#leave(taking);
  }

  async #leave(taking: Taking): Promise<void> {
    this.#taken = this.#taken.filter((one) => one !== taking);
    await this.#needs.books.delete(keyOf(taking));
    await this.#hide(taking);
  }

  list(nameOf: (grant: Grant) => string): readonly TakenView[] {
    return this.#taken.map(({ name, held, opened, follower, writing }) => ({
      name: nameToText(name),
      from: nameOf(held.grant),
      writes: writing !== undefined,
      stateOf: opened === undefined ? null : new Date(opened.record.publishedAtMs).toISOString(),
      trouble: follower.trouble ?? writing?.trouble
        ?? (opened === undefined ? "waits for its first state" : null),
    }));
  }

  async step(signal: AbortSignal): Promise<"busy" | "idle"> {
    if (this.#taken.length === 0) return "idle";
    for (const taking of this.#taken) await this.#showAgain(taking);
    const due = await dueOf(this.#taken, this.#needs.clock, signal);
    await Promise.all(due.map((taking) => this.#look(taking, signal)));
    return "busy";
  }

  /** Tells others what was written in such folders: for a loop of its own. */
  async write(signal: AbortSignal): Promise<"busy" | "idle"> {
    const turns = await Promise.all(this.#taken.map(({ writing }) => writing?.step(signal)));
    return turns.includes("busy") ? "busy" : "idle";
  }

  /** Until all that was written in them is with peers; TimedOut otherwise. */
  async flush(timeoutMs: number): Promise<void> {
    await Promise.all(this.#taken.map(({ writing }) => writing?.flush(timeoutMs)));
  }

  /** NotFound when no folder of others names it. */
  async fetch(cid: Cid, options: { readonly signal?: AbortSignal }): Promise<Uint8Array> {
    for (const taking of [...this.#taken]) {
      try {
        const bytes = await fetchFrom(taking, cid, options);
        this.#taken.sort((a, b) => Number(b === taking) - Number(a === taking));
        return bytes;
      } catch (error) {
        if (!isFault(error, "NotFound")) throw error;
      }
    }
    throw new HiveError("NotFound", "sharing.fetch", cid);
  }

  #begin(name: Name, { grant, seed }: Offered): Taking {
    const { person, certifier } = this.#needs;
    const keys = seed === undefined ? person : personKeysOf(seed);
    const held = takeGrant(keys, grant);
    const { right } = held;
    const acting = [...(seed === undefined ? [] : [certifier(asSigner(keys))]),
      ...(right === undefined ? [] : [certifier(right.keys)])];
    const certify = acting.length === 0 ? undefined : () => acting.flatMap((one) => one());
    const blocks = new Borrowed({ ...this.#needs, owner: grant.owner });
    const follower = new Follower(this.#needs, {
      members: () => blocks.members(), first: grant.peers,
    });
    const writing = right && new Writing({
      ...this.#needs, right, grant, owners: () => blocks.members(),
    });
    const taking: Taking = {
      name, held, seed, certify, blocks, follower, writing, opened: undefined, isShown: false,
      isShutOut: false,
    };
    this.#taken.push(taking);
    return taking;
  }

  /** It needs nobody to be there. */
  async #showAgain(taking: Taking): Promise<void> {
    const { opened, writing, isShown, isShutOut } = taking;
    if (opened === undefined || writing === undefined || isShown || isShutOut) return;
    try {
      await this.#show(taking, opened);
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#needs.log.debug("sharing.show", { why: describe(error) });
    }
  }

  async #look(taking: Taking, signal: AbortSignal): Promise<void> {
    taking.isShutOut = await taking.follower.look((peer) => this.#ask(taking, peer, signal));
    if (taking.isShutOut) await this.#hide(taking);
  }

  async #ask(taking: Taking, peer: PeerId, signal: AbortSignal): Promise<void> {
    const { owner, share } = taking.held.grant;
    const sequence = taking.opened?.record.sequence ?? 0;
    const ask = encodeShareAsk({ owner, share, sequence });
    const answer = await this.#needs.network.share(peer, "get", ask, { signal });
    if (answer.length > 0) {
      const opened = openShare(taking.held, asBuffer(answer), sequence);
      await taking.blocks.refresh(peer, signal);
      await this.#show(taking, opened);
      await this.#keep(taking);
    } else if (!taking.isShown && taking.opened !== undefined) {
      await this.#show(taking, taking.opened);
    }
  }

  /** What it says counts from now on once it is seen: what cannot be merged is asked for again. */
  async #show(taking: Taking, opened: OpenedShare): Promise<void> {
    const { name, writing, held: { right } } = taking;
    taking.blocks.adopt(opened.payload);
    const { root } = opened.payload;
    const more = right === undefined ? {} : { right: this.#guestRight(right) };
    await this.#needs.roots.shared({ name, root, ...more });
    this.#know(taking, opened);
    taking.isShown = true;
    await writing?.begin();
  }

  #know(taking: Taking, opened: OpenedShare): void {
    taking.opened = opened;
    taking.blocks.adopt(opened.payload);
    taking.writing?.know(opened.payload);
  }

  #guestRight({ keys, number }: WriteRight): GuestRight {
    const { deviceName } = this.#needs;
    return { writer: keys.owner, treeSecret: keys.treeSecret, number, deviceName };
  }

  async #hide(taking: Taking): Promise<void> {
    if (!taking.isShown) return;
    taking.isShown = false;
    await this.#needs.roots.shared({ name: taking.name, root: undefined });
  }

  async #keep(taking: Taking): Promise<void> {
    const writer = new Writer(4096).bytes(Buffer.from(nameToText(taking.name)));
    writer.bytes(taking.held.grant.bytes);
    writer.bytes(taking.opened?.record.bytes ?? Buffer.alloc(0));
    if (taking.seed !== undefined) writer.bytes(taking.seed);
    await this.#needs.books.put(keyOf(taking), writer.finish());
  }
}

function keyOf({ held: { grant: { owner, share } } }: Taking): string {
  return `t/${owner}/${share}`;
}

/** Of the owner's, or of what was written here and is here no more. */
async function fetchFrom(
  { blocks, writing }: Taking, cid: Cid, options: { readonly signal?: AbortSignal },
): Promise<Uint8Array> {
  try {
    return await blocks.fetch(cid, options);
  } catch (error) {
    if (writing === undefined || !isFault(error, "NotFound")) throw error;
    return await writing.fetch(cid, options);
  }
}

/** A right to write instead of one to read, the other way about, or a later one. */
function isOtherRight({ held }: Taking, grant: Grant): boolean {
  const isAboutWriting = grant.writes || held.grant.writes;
  return isAboutWriting && !asBuffer(held.grant.bytes).equals(grant.bytes);
}
