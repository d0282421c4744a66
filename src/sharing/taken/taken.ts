/**
 * The folders of others that this drive's person may read, each under a name of its own: those
 * that she took up by a grant or a link, on whichever device (taken-ties.ts), and those that groups
 * give her, which come and go by themselves as her inboxes say (own-inboxes.ts). Each sees to
 * itself (taking.ts).
 */
import { sharingKeys } from "../../base/book-keys.ts";
import { asBuffer } from "../../base/bytes.ts";
import { HiveError, isFault } from "../../base/errors.ts";
import { type Cid, type Name, type OwnerId, type PeerId, nameFromText, nameToText }
  from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { describe } from "../../base/log.ts";
import type { DeviceCertificate } from "../../base/records.ts";
import type { Grant, Ward } from "../../base/sharing.ts";
import type { TakenView } from "../../base/views/sharing.ts";
import type { PersonKeys } from "../../crypt/records/grants.ts";
import { dueOf } from "../following/follower.ts";
import type { Readable } from "../mandates/mandates.ts";
import type { Held } from "../records/opened.ts";
import type { Tied } from "../ties/tied.ts";
import type { InboxOffer } from "./own-inboxes.ts";
import { decodeTaken, decodeThrough, encodeThrough } from "./taken-books.ts";
import { TakenFolders, placeOf } from "./taken-folders.ts";
import { type TakenTie, asFurther, encodeTakenTie, takenIn, takenKey } from "./taken-ties.ts";
import { type Offered, type OwnGrant, type Taking, type TakingNeeds, ownGrant } from "./taking.ts";

const { takenLinksMax, takenMax } = limits.sharing;
const none = Buffer.alloc(0);

export interface TakenNeeds extends TakingNeeds {
  /** Undefined on a coded device: then all but what came by links is offered. */
  readonly person: PersonKeys | undefined;
  /** What groups give this person now, or on a coded device what it is left (coded.ts). */
  readonly offers: () => readonly InboxOffer[];
  readonly tied: Tied;
}

export class Taken {
  readonly #needs: TakenNeeds;
  readonly #folders: TakenFolders;
  /** Settles after what was asked for last. */
  #adopting: Promise<unknown> = Promise.resolve();
  /** Places of what the user does not want though groups give it. */
  readonly #unwanted = new Set<string>();

  constructor(needs: TakenNeeds) {
    this.#needs = needs;
    this.#folders = new TakenFolders(needs);
  }

  /** What an older version kept in books of this machine alone becomes the drive's. */
  async open(): Promise<void> {
    const { books, tied, self } = this.#needs;
    const offers = this.#offers();
    const ties = new Map(this.#ties().map((tie) => [takenKey(tie.grant), tie]));
    for await (const [key, value] of books.list(sharingKeys.taken)) {
      const { name, record, offered } = decodeTaken(value);
      if (tied.isGone(key)) {
        await books.delete(key);
        continue;
      }
      const own = this.#own({ ...offered, writer: ties.get(key)?.writer ?? self });
      if (!ties.has(key)) await this.#tie({ name: nameFromText(name), own });
      const held = offers.get(key.slice(2))?.held ?? own.held;
      await this.#folders.begin({ name: nameFromText(name), held, own }).restore(record);
    }
    for await (const [key, value] of books.list(sharingKeys.takenThrough)) {
      const { name, record } = decodeThrough(value);
      const offer = offers.get(key.slice(2));
      if (name === "") this.#unwanted.add(key.slice(2));
      else if (offer !== undefined) {
        await this.#folders.begin({ ...offer, name: nameFromText(name) }).restore(record);
      }
    }
    await this.#adopt();
    tied.onChange(() => this.#adopt());
  }

  async accept(offered: Offered, given: string | null): Promise<Name> {
    const { grant } = offered;
    const own = this.#own({ ...offered, writer: this.#needs.self });
    const name = nameFromText(given ?? grant.name);
    const found = this.#folders.at(placeOf({ grant }));
    const isOther = found !== undefined
      && (isOtherRight(found, grant) || isForAnother(found, own.held));
    if (found !== undefined && !isOther) return await this.#acceptAgain(found, own, given);
    if (isOther) await this.#folders.leave(found);
    this.#checkRoom(name, offered);
    await this.#tie({ name, own });
    await this.#adopt();
    return name;
  }

  /** By which this node acts for the people whom links made, and for rights to write. */
  certificates(): readonly DeviceCertificate[] {
    return this.#folders.all.flatMap((taking) => taking.certificates());
  }

  /** Who keeps this owner's shards, as far as is known. */
  keepersOf(owner: OwnerId): readonly PeerId[] {
    const all = this.#folders.all.filter(({ held }) => held.grant.owner === owner);
    return [...new Set(all.flatMap(({ blocks }) => blocks.members()))];
  }

  async forget(text: string): Promise<void> {
    const name = nameFromText(text);
    const taking = this.#folders.named(name);
    if (taking === undefined) throw new HiveError("NotFound", "sharing.forget", text);
    await this.#folders.leave(taking);
    const place = placeOf(taking.held);
    const isOffered = this.#needs.offers().some(({ held }) => placeOf(held) === place);
    if (!isOffered) return;
    this.#unwanted.add(place);
    const refused = encodeThrough({ name: "", record: none });
    await this.#needs.books.put(sharingKeys.takenThrough + place, refused);
  }

  /** What groups of this owner give is wanted, whatever was said before. */
  async want(owner: OwnerId): Promise<void> {
    for (const place of [...this.#unwanted].filter((one) => one.startsWith(`${owner}/`))) {
      this.#unwanted.delete(place);
      await this.#needs.books.delete(sharingKeys.takenThrough + place);
    }
  }

  /** Whoever reads a folder may verify it, too: in all groups that he knows of. */
  wards(): readonly Ward[] {
    return this.#folders.all.map(({ name, held: { grant }, blocks }) => ({
      name: nameToText(name), owner: grant.owner, groups: blocks.groups(),
      keepers: [...new Set([...blocks.members(), ...grant.peers])], isTended: false,
    }));
  }

  /** What this person may read, for devices that have not her keys; links anybody follows. */
  readable(): readonly Readable[] {
    const own = this.#folders.all.filter(({ isByLink }) => !isByLink);
    return own.map(({ name, held, isThroughGroup }) => {
      return { name: nameToText(name), held, isThroughGroup };
    });
  }

  list(nameOf: (from: Held["grant"]) => string): readonly TakenView[] {
    return this.#folders.all.map((taking) => taking.view(nameOf));
  }

  async step(signal: AbortSignal): Promise<"busy" | "idle"> {
    await this.#followOffers();
    if (this.#folders.all.length === 0) return "idle";
    for (const taking of this.#folders.all) await taking.showAgain();
    const due = await dueOf(this.#folders.all, this.#needs.clock, signal);
    await Promise.all(due.map(async (taking) => {
      if (await taking.look(signal)) await this.#folders.keep(taking);
    }));
    return "busy";
  }

  /** Tells others what was written in such folders: for a loop of its own. */
  async write(signal: AbortSignal): Promise<"busy" | "idle"> {
    const all = this.#folders.all.map(({ openHand }) => openHand?.step(signal));
    const turns = await Promise.all(all);
    return turns.includes("busy") ? "busy" : "idle";
  }

  /** Takes in what this user's other devices wrote in them: for a loop of its own, too. */
  async meetKin(signal: AbortSignal): Promise<"busy" | "idle"> {
    const all = this.#folders.all.map(({ openHand }) => openHand?.stepKin(signal));
    const turns = await Promise.all(all);
    return turns.includes("busy") ? "busy" : "idle";
  }

  /** Until all that was written in them is with peers; TimedOut otherwise. */
  async flush(timeoutMs: number): Promise<void> {
    await Promise.all(this.#folders.all.map(({ openHand }) => openHand?.flush(timeoutMs)));
  }

  /** Nothing of it is to be seen or asked for any more; what is remembered stays. */
  async close(): Promise<"idle"> {
    await this.#folders.close();
    return "idle";
  }

  /** NotFound when no folder of others names it. */
  fetch(cid: Cid, options: { readonly signal?: AbortSignal }): Promise<Uint8Array> {
    return this.#folders.fetch(cid, options);
  }

  /**
   * Of a folder that is in an inbox this says by what it is read, as it always has the newest word;
   * of any other its own grant does, and without one it is gone.
   */
  async #followOffers(): Promise<void> {
    const offers = this.#offers();
    for (const taking of this.#folders.all) {
      const place = placeOf(taking.held);
      await this.#followOffer(taking, offers.get(place));
      offers.delete(place);
    }
    for (const [place, offer] of offers) {
      const isWanted = this.#folders.all.length < takenMax && !this.#unwanted.has(place);
      if (!isWanted) continue;
      const name = this.#folders.freeName(offer.name);
      await this.#folders.keep(this.#folders.begin({ ...offer, name }));
    }
  }

  async #followOffer(taking: Taking, offer: InboxOffer | undefined): Promise<void> {
    const { name, own } = taking;
    const held = offer?.held ?? own?.held;
    if (held === undefined) return await this.#folders.leave(taking);
    const isSame = asBuffer(held.readerKey).equals(taking.held.readerKey)
      && held.isFurther === taking.held.isFurther;
    if (isSame) return;
    await this.#folders.drop(taking);
    await this.#folders.keep(this.#folders.begin({ ...offer, name, held, own }));
  }

  #offers(): Map<string, InboxOffer> {
    return new Map(this.#needs.offers().map((offer) => [placeOf(offer.held), offer]));
  }

  /** The same grant as before, or one for what groups give already. */
  async #acceptAgain(found: Taking, own: OwnGrant, given: string | null): Promise<Name> {
    if (given !== null && found.name !== nameFromText(given)) {
      throw new HiveError("Exists", "sharing.accept", nameToText(found.name));
    }
    await found.hand?.enterAgain();
    if (found.own === undefined && own.seed === undefined) {
      found.own = own;
      await this.#folders.keep(found);
      await this.#tie({ name: found.name, own });
    }
    return found.name;
  }

  /** From now on it is every device's. */
  async #tie({ name, own: { grant, seed } }: { name: Name; own: OwnGrant }): Promise<void> {
    const { tied, self } = this.#needs;
    const writer = grant.gives === "write" ? self : undefined;
    await tied.put([[takenKey(grant), encodeTakenTie({ name, grant, seed, writer })]]);
  }

  #own({ grant, seed, writer }: Offered & Pick<TakenTie, "writer">): OwnGrant {
    const { person, self } = this.#needs;
    const own = ownGrant(person, { grant, seed });
    return writer === self ? own : { ...own, held: asFurther(own.held) };
  }

  #ties(): readonly TakenTie[] {
    const ties = takenIn(this.#needs.tied, (key, why) => this.#tell(key, why));
    let links = 0;
    const isOpen = ({ seed }: TakenTie): boolean => {
      if (seed === undefined) return this.#needs.person !== undefined;
      return ++links <= takenLinksMax;
    };
    const some = ties.filter(isOpen);
    return some.slice(0, takenMax);
  }

  /** One that is not as it should be keeps no other from being read. */
  #tell(key: string, why: unknown): void {
    this.#needs.log.warn("sharing.taken-tie", { key, why: describe(why) });
  }

  /** What the ties say that there is, whichever device took it up; one time after another. */
  #adopt(): Promise<void> {
    const done = this.#adopting.then(() => this.#adoptAll());
    this.#adopting = done.catch(() => undefined);
    return done;
  }

  async #adoptAll(): Promise<void> {
    const { tied } = this.#needs;
    const isLeft = ({ own }: Taking): boolean => {
      return own !== undefined && tied.isGone(takenKey(own.grant));
    };
    for (const taking of this.#folders.all.filter(isLeft)) await this.#folders.leave(taking);
    for (const tie of this.#ties()) {
      try {
        await this.#adoptTie(tie);
      } catch (error) {
        if (!isFault(error)) throw error;
        this.#tell(takenKey(tie.grant), error);
      }
    }
  }

  async #adoptTie(tie: TakenTie): Promise<void> {
    const place = placeOf(tie);
    const known = this.#folders.at(place);
    if (known !== undefined && isAsTied(known, tie, this.#needs.self)) return;
    const own = this.#own(tie);
    const held = this.#offers().get(place)?.held ?? own.held;
    if (known !== undefined) await this.#folders.drop(known);
    const isTaken = this.#folders.named(tie.name) !== undefined;
    const name = isTaken ? this.#folders.freeName(nameToText(tie.name)) : tie.name;
    await this.#folders.keep(this.#folders.begin({ name, held, own }));
  }

  #checkRoom(name: Name, { seed }: Offered): void {
    const { all } = this.#folders;
    const isTaken = this.#folders.named(name) !== undefined;
    if (isTaken) throw new HiveError("Exists", "sharing.accept", nameToText(name));
    if (all.length >= takenMax) throw new HiveError("Quota", "sharing.accept", "folders");
    const links = all.filter(({ isByLink }) => isByLink).length;
    if (seed !== undefined && links >= takenLinksMax) {
      throw new HiveError("Quota", "sharing.accept", "links");
    }
  }

}

/**
 * A right to write instead of one to read, the other way about, a later one, or one that another
 * device used until now, where its owner knows of one alone.
 */
function isOtherRight({ own, hand }: Taking, grant: Grant): boolean {
  if (own === undefined) return false;
  const isAboutWriting = grant.gives === "write" || own.grant.gives === "write";
  const isElsewhere = own.held.isFurther === true && hand?.isForMany !== true;
  return isAboutWriting && (isElsewhere || !asBuffer(own.grant.bytes).equals(grant.bytes));
}

/** A link that is over is in the way of no other one: each makes a person of its own. */
function isForAnother({ isShutOut, held }: Taking, { person }: Held): boolean {
  return isShutOut && held.person !== person;
}

/** Under that name, or one beside it, by that grant, and by the right itself if it says so. */
function isAsTied({ own }: Taking, { grant, writer }: TakenTie, self: PeerId): boolean {
  if (own === undefined || !asBuffer(own.grant.bytes).equals(grant.bytes)) return false;
  if (grant.gives !== "write") return true;
  return (writer !== self) === (own.held.isFurther === true);
}
