/**
 * One folder of this drive that others may read, at work: who reads it now, the record that says so
 * to the holders, and whether they have heard of it. What its owner said of it is another's to
 * change (given.ts); this one draws the conclusions, and remembers both.
 */
import type { KeyValue } from "../base/blocks.ts";
import { sharingKeys } from "../base/book-keys.ts";
import { asBuffer } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import { isFault } from "../base/errors.ts";
import type { PeerId, PersonId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { type Log, describe } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { ShareNetwork } from "../base/sharing.ts";
import type { DriveKeys } from "../crypt/drive.ts";
import { treeKeys } from "../dag/keys.ts";
import { noDevices } from "../dag/marks.ts";
import { openRoot } from "../dag/root.ts";
import type { Published } from "../transfer/heads/publish.ts";
import type { ReadBlock } from "./folder.ts";
import { type GivenShare, encodeGiven } from "./given-books.ts";
import { rightFor } from "./given-keys.ts";
import { type GivenReader, GivenRecords, type Made } from "./given-record.ts";
import type { Groups } from "./groups.ts";
import { Telling } from "./telling.ts";
import { type GivenWay, type Reach, type Verifier, reachOf, verifiersIn } from "./ways.ts";

const { unchangedMs } = limits.sharing;

export interface GivingNeeds {
  readonly books: KeyValue;
  readonly keys: DriveKeys;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly network: ShareNetwork;
  readonly groups: Groups;
  readonly published: () => Promise<Published | undefined>;
  /** Whoever keeps the drive's shards. */
  readonly members: () => readonly PeerId[];
  readonly read: ReadBlock;
}

export class Giving {
  readonly #needs: GivingNeeds;
  readonly #records: GivenRecords;
  /** Of the record that counts; of none before the first of this life. */
  readonly #telling: Telling;
  #given: GivenShare;
  /** Which head the record follows, what that says of the folder, and since when it does. */
  #head = 0;
  #root: Uint8Array | undefined;
  #madeAtMs = -Infinity;
  /** Who may read is another by now than the record says. */
  #isNews = true;
  trouble: string | null = null;

  constructor(needs: GivingNeeds, given: GivenShare) {
    this.#needs = needs;
    this.#given = given;
    this.#records = new GivenRecords(needs);
    this.#telling = new Telling(needs);
  }

  get given(): GivenShare {
    return this.#given;
  }

  isToldTo(peer: PeerId): boolean {
    return this.#telling.has(peer);
  }

  isWithGroup(group: string): boolean {
    return this.#given.ways.some(({ to }) => to.kind === "group" && to.group === group);
  }

  reachBy(ways: readonly GivenWay[]): readonly Reach[] {
    return reachOf(ways, this.#needs.groups.people);
  }

  verifiers(): readonly Verifier[] {
    return verifiersIn(this.#given.ways);
  }

  readers(): readonly GivenReader[] {
    const { ways, rights } = this.#given;
    return this.reachBy(ways).map((reach) => {
      return { ...reach, right: rights.get(reach.person) ?? 0 };
    });
  }

  /** Where what its owner said, or who is in a group, is another from now on. */
  async change(change: Partial<Pick<GivenShare, "path" | "ways">>): Promise<void> {
    const rights = await this.#rightsBy(change.ways ?? this.#given.ways);
    await this.#keep({ ...change, rights });
    this.#isNews = true;
  }

  /** What a crash left undone between a group and its folders. */
  async settle(): Promise<void> {
    const writing = this.reachBy(this.#given.ways).filter(({ writesUntilMs }) => writesUntilMs > 0);
    const isRight = writing.every(({ person }) => this.#given.rights.has(person));
    if (!isRight) await this.change({});
  }

  async follow(signal: AbortSignal): Promise<void> {
    try {
      const published = await this.#needs.published();
      if (this.#isDue(published)) await this.#make(published);
      await this.#tell(signal);
    } catch (error) {
      if (!isFault(error)) throw error;
      this.trouble = describe(error);
      this.#needs.log.warn("sharing.given", { why: this.trouble });
    }
  }

  /** Who may write has a right, and nobody else: what was taken once is never given again. */
  async #rightsBy(ways: readonly GivenWay[]): Promise<ReadonlyMap<PersonId, number>> {
    const rights = new Map<PersonId, number>();
    for (const { person, writesUntilMs } of this.reachBy(ways)) {
      if (writesUntilMs === 0) continue;
      rights.set(person, this.#given.rights.get(person) ?? await this.#freshRight(person));
    }
    return rights;
  }

  /** Nobody marks changes with the number of one of the drive's devices. */
  async #freshRight(person: PersonId): Promise<number> {
    const { keys: { treeSecret, shareSecret }, published, random } = this.#needs;
    const { share } = this.#given;
    const root = (await published())?.root;
    const devices = root === undefined ? noDevices : openRoot(treeKeys(treeSecret), root).devices;
    for (;;) {
      const number = 1 + random.bytes(6).readUIntBE(0, 6);
      const right = rightFor(shareSecret, { share, person, number });
      if (!devices.has(right.number)) return number;
    }
  }

  #isDue(published: Published | undefined): boolean {
    if (this.#isNews) return true;
    return published !== undefined && published.sequence !== this.#head;
  }

  async #make(published: Published | undefined): Promise<void> {
    const made = published === undefined
      ? await this.#records.last(this.#given)
      : await this.#found(published);
    if (made === undefined || this.#isKnown(made.root)) return;
    // Written down first: whatever crashes in between, it is never used twice.
    await this.#keep({ sequence: this.#given.sequence + 1 });
    const { bytes } = await this.#records.sign(this.#given, this.readers(), made.payload);
    this.#telling.begin(bytes);
    this.#head = published?.sequence ?? 0;
    this.#root = made.root;
    this.#madeAtMs = this.#needs.clock.monotonicMs();
    this.#isNews = false;
  }

  async #found(published: Published): Promise<Made | undefined> {
    const isWritten = this.#given.rights.size > 0;
    const made = await this.#records.of(this.#given, published, { isWritten });
    this.trouble = made === undefined ? "not with peers yet, or deleted" : null;
    // Shutting out goes on without the folder.
    if (made === undefined) return this.#isNews ? await this.#records.last(this.#given) : undefined;
    if (made.path !== this.#given.path) await this.#keep({ path: made.path });
    return made;
  }

  /** Most commits are of other folders: nobody is told that nothing happened. */
  #isKnown(now: Uint8Array): boolean {
    const isSame = !this.#isNews && this.#root !== undefined && asBuffer(this.#root).equals(now);
    return isSame && this.#needs.clock.monotonicMs() - this.#madeAtMs < unchangedMs;
  }

  async #tell(signal: AbortSignal): Promise<void> {
    const { members, network } = this.#needs;
    await this.#telling.tell(members(), (peer, record) => {
      return network.share(peer, "put", record, { signal });
    }, signal);
  }

  async #keep(change: Partial<GivenShare>): Promise<void> {
    const given = { ...this.#given, ...change };
    await this.#needs.books.put(sharingKeys.given + given.share, encodeGiven(given));
    this.#given = given;
  }
}
