/**
 * The drive's ties as this machine knows them (dag/ties.ts): whom its user knows, what others let
 * her read, and what she lets others. What is done here is written down first, then told the tree,
 * whose next root brings it to the other devices and to whoever has the 24 words; what their roots
 * say is joined with it. A value is checked by whoever uses it: a device may write nonsense.
 *
 *   ties  as in the root
 *
 * Their keys, and who knows what stands there:
 *
 *   c/PERSON       a contact (contacts.ts)
 *   t/OWNER/SHARE  a folder of somebody else's (taken-ties.ts)
 *   i/OWNER        an inbox of this drive's person (taken-ties.ts)
 *   d/PEER, k/OWNER/SHARE  what devices that were let in by a code read by (coded-ties.ts)
 *   g/PEER/SLOT    a folder that others may read, w/SHARE/WHOM that somebody may, and
 *                  x/SHARE/PERSON her right to write it (given-ties.ts)
 *   e/SHARE/PERSON the devices that she writes on (guest-devices.ts)
 *   m/PEER/SLOT    a group of people, n/GROUP/PERSON one of them (groups.ts)
 *   v/PEER         of which the stamp is how often that device has changed any of all these
 *
 * What belongs to something that is in no slot any more goes with it (slots.ts).
 */
import type { KeyValue } from "../../base/blocks.ts";
import { sharingKeys, tieKeys } from "../../base/book-keys.ts";
import { asBuffer } from "../../base/bytes.ts";
import type { Clock } from "../../base/clock.ts";
import { HiveError, isFault } from "../../base/errors.ts";
import { Gate } from "../../base/gate.ts";
import type { PeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type Log, describe } from "../../base/log.ts";
import type { SharedRoots } from "../../base/sharing.ts";
import { type Ties, encodeTies, joinTies, noTies, parseTies, tieAfter, tieCounted }
  from "../../dag/ties.ts";
import { withoutOrphans } from "./slots.ts";
import { type TieSeals, latelySealed } from "./tie-seals.ts";

const { bytesMax, entriesMax, againMs } = limits.ties;
const bookKey = "ties";

export interface TiedNeeds {
  readonly books: KeyValue;
  readonly clock: Clock;
  readonly log: Log;
  readonly roots: Pick<SharedRoots, "tied">;
  /** This device. */
  readonly self: PeerId;
  readonly seals: Pick<TieSeals, "seal" | "open">;
}

/** Undefined takes it away; what `isLess` says less than what stood there. */
export type TieChange = readonly [
  key: string, value: Buffer | undefined, how?: { readonly isLess: boolean },
];

/** Is told that another device, or an earlier life, changed something. */
export type TiesChanged = () => Promise<void>;

export class Tied {
  readonly #needs: TiedNeeds;
  readonly #gate = new Gate({ seats: 1, queueMax: 64 });
  readonly #listeners: TiesChanged[] = [];
  #ties: Ties = noTies;
  /** What the tree keeps; undefined while that is not known. */
  #kept: Uint8Array | undefined;
  #tellAtMs = -Infinity;
  /** Grows with each change. */
  version = 0;

  constructor(needs: TiedNeeds) {
    this.#needs = needs;
  }

  async open(): Promise<void> {
    const bytes = await this.#needs.books.get(bookKey);
    if (bytes !== undefined) this.#ties = parseTies(bytes);
    await this.#sealOlder();
  }

  /**
   * Once, before any other device is heard: what this machine knew without a seal that is wanted by
   * now is taken to be right.
   */
  async #sealOlder(): Promise<void> {
    const { books, seals } = this.#needs;
    if (await books.get(sharingKeys.sealedTies) !== undefined) return;
    await this.#keep(new Map([...this.#ties].map(([key, tie]) => {
      const isOlder = latelySealed.some((prefix) => key.startsWith(prefix))
        && seals.open(key, tie) === undefined;
      return [key, isOlder ? seals.seal(key, tie) : tie];
    })));
    await books.put(sharingKeys.sealedTies, Buffer.alloc(0));
  }

  onChange(listener: TiesChanged): void {
    this.#listeners.push(listener);
  }

  /** Undefined where there is none, or no more. */
  get(key: string): Buffer | undefined {
    const tie = this.#ties.get(key);
    return tie && this.#needs.seals.open(key, tie);
  }

  /** Whether it was once, and is no more. */
  isGone(key: string): boolean {
    const tie = this.#ties.get(key);
    return tie !== undefined && tie.value === undefined;
  }

  /** What stands under keys that begin so, in their order; without the beginning. */
  list(prefix: string): readonly (readonly [string, Buffer])[] {
    const found = [...this.#ties].flatMap(([key, tie]): [string, Buffer][] => {
      const value = key.startsWith(prefix) ? this.#needs.seals.open(key, tie) : undefined;
      return value === undefined ? [] : [[key.slice(prefix.length), value]];
    });
    return found.sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /** How often each device, by its peer id, changed any of them, as far as that is known here. */
  changes(): ReadonlyMap<string, number> {
    const all = [...this.#ties].filter(([key, tie]) => {
      return key.startsWith(tieKeys.changes) && this.#needs.seals.open(key, tie) !== undefined;
    });
    return new Map(all.map(([key, { stamp }]) => [key.slice(tieKeys.changes.length), stamp]));
  }

  /**
   * All of these or none; Quota when there is no room for more. The tree has it, too, when this
   * resolves, if it is there: then a flush brings it to peers.
   */
  async put(changes: readonly TieChange[]): Promise<void> {
    await this.#change(changes);
    await this.step();
  }

  async #change(changes: readonly TieChange[]): Promise<void> {
    using _turn = await this.#gate.enter();
    const next = new Map(this.#ties);
    let isNews = false;
    const { seals } = this.#needs;
    for (const [key, value, how] of changes) {
      const before = next.get(key);
      const after = seals.seal(key, tieAfter(before, value, how));
      const isSame = before === undefined || before.value === undefined || after.value === undefined
        ? before?.value === after.value : before.value.equals(after.value);
      if (isSame) continue;
      isNews = true;
      next.set(key, after);
    }
    if (!isNews) return;
    const own = tieKeys.changes + this.#needs.self;
    await this.#keep(next.set(own, seals.seal(own, tieCounted(next.get(own)))));
  }

  /**
   * What a root of the drive says. `isOurs` of the one that this device goes on from: what it lacks
   * is told the tree. Corrupt when these are no ties: then nothing of that root comes in.
   */
  async hear(bytes: Uint8Array, { isOurs }: { readonly isOurs: boolean }): Promise<void> {
    const theirs = bytes.length === 0 ? noTies : this.#worthHearing(parseTies(bytes));
    if (isOurs) this.#kept = bytes;
    const before = this.version;
    {
      using _turn = await this.#gate.enter();
      await this.#keep(joinTies(this.#ties, theirs));
    }
    if (this.version === before) return;
    for (const changed of this.#listeners) await changed();
  }

  /**
   * Any device may write ties: what bears no right seal must not come to stand where something does
   * that was sealed, nor may a count be gone, by which it is known what was not heard of yet.
   */
  #worthHearing(theirs: Ties): Ties {
    return new Map([...theirs].filter(([key, tie]) => tie.value === undefined
      ? !key.startsWith(tieKeys.changes) : this.#needs.seals.open(key, tie) !== undefined));
  }

  /** Until the tree has them; it may not be there yet. */
  async step(): Promise<"busy" | "idle"> {
    const { clock, roots, log } = this.#needs;
    if (this.#kept === undefined || clock.monotonicMs() < this.#tellAtMs) return "idle";
    const bytes = this.#encoded();
    if (asBuffer(this.#kept).equals(bytes)) return "idle";
    try {
      await roots.tied(bytes);
      this.#kept = bytes;
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#tellAtMs = clock.monotonicMs() + againMs;
      log.debug("sharing.tied", { why: describe(error) });
    }
    return "idle";
  }

  #encoded(): Buffer {
    return this.#ties.size === 0 ? Buffer.alloc(0) : encodeTies(this.#ties);
  }

  async #keep(all: Ties): Promise<void> {
    const ties = withoutOrphans(all);
    const bytes = encodeTies(ties);
    if (bytes.equals(encodeTies(this.#ties))) return;
    if (bytes.length > bytesMax || ties.size > entriesMax) {
      throw new HiveError("Quota", "sharing.tied", "contacts and shares, those of the past too");
    }
    await this.#needs.books.put(bookKey, bytes);
    this.#ties = ties;
    this.version++;
    this.#tellAtMs = -Infinity;
  }
}
