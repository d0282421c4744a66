/**
 * One folder of this drive that others may read, at work: who reads it now, the record that says so
 * to the holders, and whether they have heard of it. What was said of it, on whichever device, is
 * another's to change (given.ts); this one draws the conclusions. Other devices do the same, so it
 * leaves the newest record alone unless it has seen all that this shows (succession.ts).
 */
import type { KeyValue } from "../../base/blocks.ts";
import { sharingKeys } from "../../base/book-keys.ts";
import { asBuffer } from "../../base/bytes.ts";
import { isFault } from "../../base/errors.ts";
import type { PeerId, PersonId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { describe } from "../../base/log.ts";
import type { Published } from "../../transfer/heads/publish.ts";
import type { Groups } from "../people/groups.ts";
import type { ReadBlock } from "../records/folder-root.ts";
import { type Names, Succession, type SuccessionNeeds } from "../telling/succession.ts";
import { type GivenPlace, encodeGiven } from "./given-books.ts";
import { readerKeyFor, rightFor } from "./given-keys.ts";
import { GivenRecords, type Made, isAhead, seenBy, seenIn } from "./given-record.ts";
import type { GivenTie, Rights } from "./given-ties.ts";
import { type DevicesOf, namedWriters } from "./given-writers.ts";
import { type GivenReader, readersBy, writersIn } from "./readers.ts";
import { type GivenWay, type MembersOf, type Reach, type Verifier, lost, reachOf, verifiersIn }
  from "./ways.ts";

const { unchangedMs, tellAgainMs, readersMax, deviceGoneMs } = limits.sharing;

export interface GivingNeeds extends SuccessionNeeds {
  readonly books: KeyValue;
  readonly groups: Pick<Groups, "people">;
  readonly published: () => Promise<Published | undefined>;
  readonly read: ReadBlock;
  readonly devicesOf: DevicesOf;
  /** By which the drive's changes are marked, or may be once. */
  readonly numbers: () => Promise<ReadonlySet<number>>;
}

/** A folder that others may read, as all devices know it and as this one has it. */
export type GivenShare = GivenTie & GivenPlace;

export class Giving {
  readonly #needs: GivingNeeds;
  readonly #records: GivenRecords;
  readonly #succession: Succession;
  #given: GivenShare;
  /** As the last record that was made here or looked at has them. */
  #readers: readonly GivenReader[];
  /** Which head the record follows, what that says of the folder, and since when it does. */
  #head = 0;
  #root: Uint8Array | undefined;
  #madeAtMs = -Infinity;
  /** Which head was looked at last, and when: there may be nothing to tell of it. */
  #looked = { head: 0, atMs: -Infinity };
  /** Since when the newest record shows what this device has not. */
  #lackingSinceMs: number | undefined;
  /** Who may read is another by now than the record says. */
  #isNews: boolean;
  #isLeaving = false;
  trouble: string | null = null;

  constructor(needs: GivingNeeds, given: GivenShare, { isFresh }: { readonly isFresh: boolean }) {
    this.#needs = needs;
    this.#given = given;
    this.#readers = this.readers();
    this.#isNews = isFresh;
    this.#records = new GivenRecords(needs);
    const keep = (sequence: number): Promise<void> => this.#keep({ sequence });
    this.#succession = new Succession(needs, { ...given, isFresh, keep });
  }

  get given(): GivenShare {
    return this.#given;
  }

  /** Those whom the newest record names, where it goes by what is known nowhere any more. */
  get lastWord(): ReadonlySet<PersonId> | undefined {
    const { isLeftBehind, newest } = this.#succession;
    return isLeftBehind ? new Set(newest?.record.readers.map(({ person }) => person)) : undefined;
  }

  /** Nobody reads it, as far as all holders know. */
  get isClosed(): boolean {
    return this.#given.ways.length === 0 && this.#succession.isClosed;
  }

  isToldTo(peer: PeerId): boolean {
    return this.#succession.isToldTo(peer);
  }

  isWithGroup(group: string): boolean {
    return this.#given.ways.some(({ to }) => to.kind === "group" && to.group === group);
  }

  reachBy(ways: readonly GivenWay[], membersOf = this.#needs.groups.people): readonly Reach[] {
    return reachOf(ways, membersOf);
  }

  verifiers(): readonly Verifier[] {
    return verifiersIn(this.#given.ways).slice(0, readersMax);
  }

  readers(): readonly GivenReader[] {
    return readersBy(this.#given, this.#needs.groups.people);
  }

  /** Who may write has a right, and nobody else: what was taken once is never given again. */
  async rightsBy(ways: readonly GivenWay[], membersOf?: MembersOf): Promise<Rights> {
    const rights = new Map<PersonId, number>();
    for (const { person, writesUntilMs } of this.reachBy(ways, membersOf)) {
      if (writesUntilMs === 0) continue;
      rights.set(person, this.#given.rights.get(person) ?? await this.#freshRight(person));
    }
    return rights;
  }

  /** What is said of it now, or of groups; answers who could read it and cannot any more. */
  heard(tie: GivenTie): readonly PersonId[] {
    this.#given = { ...this.#given, ...tie };
    const [before, after] = [this.#readers, this.readers()];
    this.#readers = after;
    if (JSON.stringify(before) !== JSON.stringify(after)) this.#isNews = true;
    // It may be what was waited for.
    if (this.#isWaiting) this.#looked = { head: 0, atMs: -Infinity };
    return lost(before, after);
  }

  /** Others may write it than the record says. */
  tellAnew(): void {
    this.#isNews = true;
  }

  /** From now on it is at this place, for all that is known. */
  async move(path: GivenPlace["path"]): Promise<void> {
    if (path.join("/") !== this.#given.path.join("/")) await this.#keep({ path });
  }

  /** What is not done when the signal comes is left to the next step. */
  async follow(signal: AbortSignal): Promise<void> {
    try {
      const published = await this.#needs.published();
      if (this.#isDue(published)) await this.#look(published, signal);
      await this.#succession.tell(signal);
    } catch (error) {
      if (signal.aborted) return;
      if (!isFault(error)) throw error;
      this.trouble = describe(error);
      this.#needs.log.warn("sharing.given", { why: this.trouble });
    }
  }

  /** The owner goes by what is known here: what was told by others is taken into account. */
  overtake(): void {
    this.#succession.overtake();
    this.#isNews = true;
  }

  /** It is none any more: whom its record names, if anybody, is shut out. */
  leave(): void {
    this.#given = { ...this.#given, ways: [], rights: new Map() };
    this.#isNews = true;
    this.#isLeaving = true;
  }

  async forget(): Promise<void> {
    const { books } = this.#needs;
    const { share } = this.#given;
    await books.delete(sharingKeys.givenState + share);
    const written = books.list(`${sharingKeys.written}${share}/`);
    for await (const [key] of written) await books.delete(key);
    await books.delete(sharingKeys.given + share);
  }

  /** Nobody marks changes with somebody else's number, nor with what a device may take yet. */
  async #freshRight(person: PersonId): Promise<number> {
    const { keys: { shareSecret }, numbers, random } = this.#needs;
    const { share } = this.#given;
    const others = await numbers();
    for (;;) {
      const number = 1 + random.bytes(6).readUIntBE(0, 6);
      const right = rightFor(shareSecret, { share, person, number });
      if (!others.has(right.number)) return number;
    }
  }

  #isDue(published: Published | undefined): boolean {
    if (this.#isNews || this.#succession.mayBeNewer) return true;
    const { head, atMs } = this.#looked;
    const isOther = published !== undefined && published.sequence !== this.#head;
    if (!isOther && !this.#isWaiting) return false;
    const isRested = this.#needs.clock.monotonicMs() - atMs >= tellAgainMs;
    return published?.sequence !== head || isRested;
  }

  /** For what another device knew or had when it made the newest record. */
  get #isWaiting(): boolean {
    return this.#succession.isBehind || this.#lackingSinceMs !== undefined;
  }

  async #look(published: Published | undefined, signal: AbortSignal): Promise<void> {
    const head = published?.sequence ?? 0;
    await this.#learn(signal);
    const names = this.#succession.allowed(this.#names());
    if (this.#succession.newest !== undefined) {
      this.#isNews = this.#succession.differsFrom(names);
    }
    this.#isNews ||= this.#succession.wantsAnew;
    const made = await this.#next(published);
    this.#looked = { head, atMs: this.#needs.clock.monotonicMs() };
    if (made === undefined || this.#isKnown(made.root)) return;
    await this.#succession.make(names, made.payload);
    await this.#records.keep(this.#given, made.payload);
    this.#head = head;
    this.#isNews = false;
    this.#shows(made.root);
  }

  async #learn(signal: AbortSignal): Promise<void> {
    const before = this.#succession.newest;
    await this.#succession.learn(signal);
    const { newest } = this.#succession;
    if (newest === before || newest?.told === undefined) return;
    this.#shows(this.#records.again(newest.told.payload).root);
  }

  #shows(root: Uint8Array): void {
    this.#root = root;
    this.#madeAtMs = this.#needs.clock.monotonicMs();
  }

  /** What the next record is to show; undefined where there is none to be made. */
  async #next(published: Published | undefined): Promise<Made | undefined> {
    const told = this.#succession.newest?.told?.payload;
    if (this.#isLeaving) return this.#isNews ? this.#records.last(this.#given) : undefined;
    if (told === undefined) {
      return published === undefined ? this.#records.last(this.#given) : this.#found(published);
    }
    // Whoever is shut out is so at once, whatever else there is to show.
    const waits = this.#lacksSomeOf(told, published) || this.#succession.isBehind;
    if (published !== undefined && !waits) return this.#found(published);
    return this.#isNews ? this.#records.again(told) : undefined;
  }

  /** For so long at most: what no device brings is lost, and readers see what there is. */
  #lacksSomeOf(told: Uint8Array, published: Published | undefined): boolean {
    const seen = published && seenBy(this.#needs.keys, published);
    const lacks = seen === undefined || isAhead(seenIn(told), seen);
    const nowMs = this.#needs.clock.monotonicMs();
    this.#lackingSinceMs = lacks ? this.#lackingSinceMs ?? nowMs : undefined;
    return lacks && nowMs - (this.#lackingSinceMs ?? nowMs) < deviceGoneMs;
  }

  #names(): Names {
    const { keys: { shareSecret }, clock, devicesOf } = this.#needs;
    const { share } = this.#given;
    const nowMs = clock.now();
    const staying = this.readers().filter(({ expiresAtMs }) => expiresAtMs > nowMs);
    return {
      readers: staying.map(({ person, right, expiresAtMs }) => {
        const readerKey = readerKeyFor(shareSecret, { share, person, right });
        return { person, expiresAtMs, readerKey };
      }),
      writers: namedWriters(writersIn(staying, nowMs), { share, shareSecret, devicesOf }),
    };
  }

  async #found(published: Published): Promise<Made | undefined> {
    const isWritten = this.#given.rights.size > 0;
    const found = await this.#records.of(this.#given, published, { isWritten });
    this.trouble = found === undefined ? "not with peers yet, or deleted" : null;
    // Shutting out goes on without the folder.
    if (found === undefined) return this.#isNews ? this.#records.last(this.#given) : undefined;
    await this.move(found.path);
    return found;
  }

  /** Most commits are of other folders: nobody is told that nothing happened. */
  #isKnown(now: Uint8Array): boolean {
    const isSame = !this.#isNews && this.#root !== undefined && asBuffer(this.#root).equals(now);
    return isSame && this.#needs.clock.monotonicMs() - this.#madeAtMs < unchangedMs;
  }

  async #keep(change: Partial<GivenPlace>): Promise<void> {
    const given = { ...this.#given, ...change };
    await this.#needs.books.put(sharingKeys.given + given.share, encodeGiven(given));
    this.#given = given;
  }
}
