/**
 * All folders of this drive that others may read: what was said of them, on whichever device, and
 * each of them at work here (giving.ts). Whatever is said goes into the ties first, and what these
 * say then is followed: so a device does the same with its own words as with those of the others.
 */
import type { KeyValue } from "../../base/blocks.ts";
import { sharingKeys, tieKeys } from "../../base/book-keys.ts";
import { HiveError } from "../../base/errors.ts";
import { type Ino, type Name, type PeerId, type ShareId, parseShareId, rootIno }
  from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { describe } from "../../base/log.ts";
import { freeSlot, idBytes } from "../ties/slots.ts";
import type { TieChange, Tied } from "../ties/tied.ts";
import { type GivenPlace, type OlderGiven, decodeGiven, encodeGiven, encodePath, renewalKey }
  from "./given-books.ts";
import { type GivenTie, folderTie, givenIn, rightTies, wayTies } from "./given-ties.ts";
import { Giving, type GivingNeeds } from "./giving.ts";
import type { GivenWay, MembersOf } from "./ways.ts";

const { sharesMax } = limits.sharing;

export interface GivenFoldersNeeds extends GivingNeeds {
  readonly books: KeyValue;
  readonly tied: Tied;
  /** This device. */
  readonly self: PeerId;
  /** Whether old copies of what was there, when somebody was shut out, are still to go. */
  readonly isWithdrawing: (path: readonly Name[]) => boolean;
}

/** And what is to be said with the first word of it. */
export interface Begun {
  readonly giving: Giving;
  readonly changes: readonly TieChange[];
}

interface Said {
  /** Just begun: it is one from now on. */
  readonly fresh?: Giving;
  /** Who was shut out knew what is in it. */
  readonly renews?: boolean;
}

export class GivenFolders {
  readonly #needs: GivenFoldersNeeds;
  readonly #shares = new Map<ShareId, Giving>();
  /** Some are none any more: it is seen to it that no holder shows them to anybody. */
  readonly #leaving = new Map<ShareId, Giving>();
  /** Up to which change of the ties they are followed. */
  #version = -1;

  constructor(needs: GivenFoldersNeeds) {
    this.#needs = needs;
  }

  async open(): Promise<void> {
    const places = new Map<ShareId, GivenPlace>();
    for await (const [key, value] of this.#needs.books.list(sharingKeys.given)) {
      const share = parseShareId(key.slice(sharingKeys.given.length));
      const { place, older } = decodeGiven(value);
      if (older !== undefined) await this.#takeOver(share, place, older);
      places.set(share, place);
    }
    await this.follow({}, places);
    for (const [share, place] of places) {
      if (!this.#shares.has(share)) this.#leaveUnknown(share, place);
    }
  }

  all(): readonly Giving[] {
    return [...this.#shares.values()];
  }

  /** More than one where two devices began with it at once. */
  of(ino: Ino): readonly Giving[] {
    return this.all().filter(({ given }) => given.ino === ino);
  }

  at(path: readonly Name[]): readonly Giving[] {
    const place = path.join("/");
    return this.all().filter(({ given }) => given.path.join("/") === place);
  }

  withGroup(group: string): readonly Giving[] {
    return this.all().filter((giving) => giving.isWithGroup(group));
  }

  leaving(): readonly Giving[] {
    return [...this.#leaving.values()];
  }

  /** Once nothing is left of it to be told. */
  async letGo(giving: Giving): Promise<void> {
    if (!giving.isClosed) return;
    await giving.forget();
    this.#leaving.delete(giving.given.share);
  }

  /**
   * One that is nobody's before something is said of it. There are so many at a time: one that
   * nobody reads any more makes room, and goes when the other one comes.
   */
  async begin(ino: Ino, path: readonly Name[]): Promise<Begun> {
    const { random, tied, self } = this.#needs;
    const isFull = this.#shares.size >= sharesMax;
    const spare = isFull ? await this.#spare() : undefined;
    if (isFull && spare === undefined) {
      throw new HiveError("Quota", "sharing.give", `${sharesMax} folders at a time`);
    }
    const isOwn = spare?.given.key.startsWith(`${tieKeys.given}${self}/`) === true;
    const key = isOwn && spare !== undefined
      ? spare.given.key : freeSlot(tied, tieKeys.given, { self, slotsMax: sharesMax });
    const share = parseShareId(random.bytes(idBytes).toString("hex"));
    const given = {
      key, share, ino, givenAt: path, keeper: self, ways: [], rights: new Map(), path, sequence: 0,
    };
    const giving = new Giving(this.#needs, given, { isFresh: true });
    return { giving, changes: spare === undefined ? [] : [[spare.given.key, undefined]] };
  }

  /** Nobody reads it, all holders know that, and what was there is sealed anew and cleared away. */
  async #spare(): Promise<Giving | undefined> {
    const { books, isWithdrawing } = this.#needs;
    for (const giving of this.all()) {
      const { path } = giving.given;
      if (!giving.isClosed || isWithdrawing(path)) continue;
      if (await books.get(renewalKey(path)) === undefined) return giving;
    }
    return undefined;
  }

  /** All of it or nothing; it counts here when this resolves. */
  async say(changes: readonly TieChange[], said: Said = {}): Promise<void> {
    await this.#needs.tied.put(changes);
    if (said.fresh !== undefined) this.#shares.set(said.fresh.given.share, said.fresh);
    await this.follow(said);
  }

  /** That a folder is read in these ways, with the rights that this takes. */
  async waysOf(giving: Giving, ways: readonly GivenWay[]): Promise<readonly TieChange[]> {
    const { share, ways: before, rights } = giving.given;
    const then = await giving.rightsBy(ways);
    return [...wayTies(share, before, ways), ...rightTies(share, rights, then)];
  }

  /** The rights of all these, where other people are in groups. */
  async rightsOf(those: readonly Giving[], membersOf?: MembersOf): Promise<readonly TieChange[]> {
    const changes = await Promise.all(those.map(async (giving) => {
      const { share, ways, rights } = giving.given;
      return rightTies(share, rights, await giving.rightsBy(ways, membersOf));
    }));
    return changes.flat();
  }

  /** What the ties say, whoever said it. */
  async follow(
    { renews = true }: Said = {}, places: ReadonlyMap<ShareId, GivenPlace> = new Map(),
  ): Promise<void> {
    const bad = (key: string, why: unknown): void => {
      this.#needs.log.warn("sharing.given-tie", { key, why: describe(why) });
    };
    const { tied } = this.#needs;
    if (tied.version === this.#version) return;
    this.#version = tied.version;
    const ties = new Map(givenIn(tied, bad).map((tie) => [tie.share, tie]));
    for (const giving of this.all()) {
      const { share } = giving.given;
      if (ties.has(share)) continue;
      this.#shares.delete(share);
      this.#leave(giving);
    }
    for (const tie of ties.values()) await this.#followOne(tie, { renews, places });
  }

  #leave(giving: Giving): void {
    giving.leave();
    this.#leaving.set(giving.given.share, giving);
  }

  async #followOne(
    tie: GivenTie,
    { renews, places }: {
      readonly renews: boolean; readonly places: ReadonlyMap<ShareId, GivenPlace>;
    },
  ): Promise<void> {
    const known = this.#shares.get(tie.share);
    if (known === undefined) {
      const place = places.get(tie.share) ?? { path: tie.givenAt, sequence: 0 };
      const giving = new Giving(this.#needs, { ...tie, ...place }, { isFresh: false });
      this.#shares.set(tie.share, giving);
      this.#leaving.delete(tie.share);
      return;
    }
    const lost = known.heard(tie);
    if (lost.length === 0 || !renews) return;
    const { path } = known.given;
    await this.#needs.books.put(renewalKey(path), encodePath(path));
  }

  /** An earlier life did not get to its end. */
  #leaveUnknown(share: ShareId, place: GivenPlace): void {
    const { self } = this.#needs;
    const tie = {
      key: "", share, ino: rootIno, givenAt: place.path, keeper: self, ways: [], rights: new Map(),
    };
    this.#leave(new Giving(this.#needs, { ...tie, ...place }, { isFresh: false }));
  }

  /** What an older version kept in books of this machine alone becomes the drive's. */
  async #takeOver(
    share: ShareId, place: GivenPlace, { ino, ways, rights }: OlderGiven,
  ): Promise<void> {
    const { tied, books, self } = this.#needs;
    const isKnown = givenIn(tied, () => undefined).some((tie) => tie.share === share);
    if (!isKnown) {
      const key = freeSlot(tied, tieKeys.given, { self, slotsMax: sharesMax });
      await tied.put([
        folderTie({ key, share, ino, givenAt: place.path, keeper: self }),
        ...wayTies(share, [], ways), ...rightTies(share, new Map(), rights),
      ]);
    }
    await books.put(sharingKeys.given + share, encodeGiven(place));
  }
}
