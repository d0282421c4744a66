/**
 * The drive's other devices: each publishes heads of its own, and this one takes in what they name.
 * A head comes by itself from a device that is connected, and else from members, who are asked for
 * it. First the books learn where its blocks lie and which segments there are, then the tree merges
 * its root. It is a Step: one head a turn. Keys of the KeyValue:
 *
 *   h/PEER   the newest head of that device that was merged here
 *   g/PEER   varint: its user said that it is gone; none of its heads up to this sequence counts
 */
import type { KeyValue, RootMerger } from "../../base/blocks.ts";
import { transferKeys } from "../../base/book-keys.ts";
import { Reader, Writer } from "../../base/bytes.ts";
import type { Clock } from "../../base/clock.ts";
import { HiveError, isFault } from "../../base/errors.ts";
import { type PeerId, type SegmentId, parsePeerId } from "../../base/ids.ts";
import { onlineAmong } from "../../base/known-peers.ts";
import { limits } from "../../base/limits.ts";
import { type Log, describe } from "../../base/log.ts";
import type { PeerNetwork } from "../../base/network.ts";
import { type Random, shuffled } from "../../base/random.ts";
import type { Head } from "../../base/records.ts";
import type { Step } from "../../base/step.ts";
import type { DriveKeys } from "../../crypt/drive/drive.ts";
import { parseHead, parseManifest } from "../../crypt/records/records.ts";
import { type CatalogEntry, decodePayload } from "../catalog/catalog-page.ts";
import type { Catalog, IsBetter } from "../catalog/catalog.ts";
import type { Groups } from "../groups/groups.ts";
import { lastHead } from "../heads/publish.ts";
import type { Records } from "../reads/records.ts";
import type { Roll } from "../roll.ts";

export interface DevicesNeeds {
  readonly network: PeerNetwork;
  readonly books: KeyValue;
  readonly keys: DriveKeys;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly groups: Groups;
  readonly catalog: Catalog;
  readonly records: Records;
  readonly roll: Pick<Roll, "heads" | "current" | "isRemoved" | "askSoon">;
  /** Absent where there is no tree, as while a drive is recovered. */
  readonly merger?: RootMerger | undefined;
}

/** Another device, by the newest head of its that is known. */
export interface KnownDevice {
  readonly peer: PeerId;
  readonly publishedAtMs: number;
  /** False while that head waits for its blocks. */
  readonly isMerged: boolean;
  readonly isForgotten: boolean;
  /** Nothing is given back for its sake. */
  readonly holdsBack: boolean;
}

const prefix = transferKeys.mergedHead;
const gonePrefix = transferKeys.forgottenDevice;

export class Devices implements Step {
  readonly name = "devices";
  readonly #needs: DevicesNeeds;
  /** What was merged last of each. */
  readonly #merged = new Map<PeerId, Head>();
  /** Newer ones that wait for their turn. */
  readonly #heard = new Map<PeerId, Head>();
  /** Up to which sequence each was forgotten. */
  readonly #gone = new Map<PeerId, number>();
  #askAtMs = 0;
  /** When somebody last answered what heads there are. */
  #askedAtMs = -Infinity;
  #tryAtMs = 0;
  /** Those that are connected, though they may not have published yet. */
  there: () => ReadonlySet<PeerId> = () => new Set();
  wake: () => void = () => undefined;
  /** Whether somebody who writes a folder of the drive may refer to what the drive does not. */
  areGuests: () => boolean = () => false;

  constructor(needs: DevicesNeeds) {
    this.#needs = needs;
  }

  async open(): Promise<void> {
    for await (const [, value] of this.#needs.books.list(prefix)) {
      const head = parseHead(value);
      this.#merged.set(head.peer, head);
    }
    for await (const [key, value] of this.#needs.books.list(gonePrefix)) {
      const sequence = new Reader(value, "transfer.devices").varint();
      this.#gone.set(parsePeerId(key.slice(gonePrefix.length)), sequence);
    }
  }

  /** Others that may still refer to what this one does not. */
  get areAny(): boolean {
    return this.areGuests() || this.areOthers;
  }

  /**
   * Other devices that may still act for the drive: one that is silent for long is gone. It was
   * silent as long as somebody was asked: this machine may have been off, or its clock wrong.
   */
  get areOthers(): boolean {
    if (this.there().size > 0 || this.silent.length > 0) return true;
    return this.#all().some((head) => this.#counts(head));
  }

  /**
   * Let in by a code, and no head of theirs is known yet: each goes on from the one that it was
   * given, however much was changed here since.
   */
  get silent(): readonly PeerId[] {
    const { network, roll } = this.#needs;
    const { added = [], signedAtMs = 0 } = roll.current ?? {};
    if (this.#isOld(signedAtMs)) return [];
    const isKnown = (peer: PeerId): boolean => {
      return peer === network.self || this.#merged.has(peer) || this.#heard.has(peer);
    };
    const isOut = (peer: PeerId): boolean => this.#gone.has(peer) || roll.isRemoved(peer);
    return added.map(({ peer }) => peer).filter((peer) => !isKnown(peer) && !isOut(peer));
  }

  /**
   * Of those that are connected one alone gives seats to others: two that did so at once would sign
   * against each other, and what the one has brought would be missed by the other.
   */
  get isFirst(): boolean {
    const { self } = this.#needs.network;
    return [...this.there()].every((peer) => self < peer);
  }

  list(): readonly KnownDevice[] {
    return [...this.#newest().values()].map((head) => {
      const { peer, publishedAtMs } = head;
      const holdsBack = this.#all().some((one) => one.peer === peer && this.#counts(one));
      const [isMerged, isForgotten] = [this.#merged.get(peer) === head, this.#isForgotten(head)];
      return { peer, publishedAtMs, isMerged, isForgotten, holdsBack };
    });
  }

  /** What they call themselves; null of whom the tree knows nothing. */
  async namesOf(peers: readonly PeerId[]): Promise<readonly (string | null)[]> {
    return await this.#needs.merger?.namesOf(peers) ?? peers.map(() => null);
  }

  /** Its user said so and it did not publish since, or it was shut out. */
  isGone(peer: PeerId): boolean {
    const head = this.#newest().get(peer);
    const isForgotten = head === undefined ? this.#gone.has(peer) : this.#isForgotten(head);
    return isForgotten || this.#needs.roll.isRemoved(peer);
  }

  /** When this one published last. */
  async ownHeadAtMs(): Promise<number | undefined> {
    return (await lastHead(this.#needs.books))?.publishedAtMs;
  }

  /**
   * That machine is gone: what is known of it counts no more. Should it publish after all, that is
   * merged as ever, and counts: the word is about heads, so that a wrong one does not last.
   */
  async forget(peer: PeerId): Promise<void> {
    const { books, log } = this.#needs;
    const head = this.#newest().get(peer);
    if (head === undefined && !this.silent.includes(peer)) {
      throw new HiveError("NotFound", "transfer.devices", peer);
    }
    const { sequence } = head ?? { sequence: 0 };
    await books.put(gonePrefix + peer, new Writer(16).varint(sequence).finish());
    this.#gone.set(peer, sequence);
    log.info("transfer.device.forgotten", { peer, sequence });
  }

  #all(): readonly Head[] {
    return [...this.#merged.values(), ...this.#heard.values()];
  }

  #newest(): ReadonlyMap<PeerId, Head> {
    return new Map([...this.#merged, ...this.#heard]);
  }

  #isForgotten({ peer, sequence }: Head): boolean {
    return sequence <= (this.#gone.get(peer) ?? -1);
  }

  #counts(head: Head): boolean {
    const isOut = this.#isForgotten(head) || this.#needs.roll.isRemoved(head.peer);
    return !isOut && !this.#isOld(head.publishedAtMs);
  }

  #isOld(atMs: number): boolean {
    return this.#askedAtMs - atMs >= limits.devices.goneMs;
  }

  /** This device goes on from what that head names: another one made it, and may be there. */
  async tookOver(head: Head): Promise<void> {
    if (head.peer === this.#needs.network.self) return;
    await this.#needs.books.put(prefix + head.peer, head.bytes);
    this.#merged.set(head.peer, head);
  }

  peers(): readonly PeerId[] {
    return [...this.#merged.keys()];
  }

  /** True when it is a head of this drive; what is not newer than what was merged is forgotten. */
  hear(head: Head): boolean {
    const { keys, network, roll } = this.#needs;
    if (head.owner !== keys.owner) return false;
    if (head.peer === network.self || roll.isRemoved(head.peer)) return true;
    const known = this.#heard.get(head.peer) ?? this.#merged.get(head.peer);
    if (known !== undefined && known.sequence >= head.sequence) return true;
    this.#heard.set(head.peer, head);
    this.wake();
    return true;
  }

  async step(signal: AbortSignal): Promise<"busy" | "idle"> {
    const { clock, merger } = this.#needs;
    if (merger === undefined) return "idle";
    if (clock.monotonicMs() >= this.#askAtMs) await this.#ask(signal);
    this.#forgetRemoved();
    const [head] = this.#heard.values();
    if (head === undefined || clock.monotonicMs() < this.#tryAtMs) return "idle";
    try {
      await this.#take(head, merger, signal);
      return "busy";
    } catch (error) {
      signal.throwIfAborted();
      if (!isFault(error)) throw error;
      this.#tryAtMs = clock.monotonicMs() + limits.devices.retryMs;
      this.#putLast(head.peer);
      this.#needs.log.debug("transfer.device.later", { peer: head.peer, why: describe(error) });
      return "idle";
    }
  }

  /** Others have their turns, too, should that one never come in. */
  #putLast(peer: PeerId): void {
    const waiting = this.#heard.get(peer);
    if (waiting === undefined || !this.#heard.delete(peer)) return;
    this.#heard.set(peer, waiting);
  }

  /** What was heard of a device, and not taken in by the time that it was shut out, is not. */
  #forgetRemoved(): void {
    for (const peer of this.#heard.keys()) {
      if (this.#needs.roll.isRemoved(peer)) this.#heard.delete(peer);
    }
  }

  /** Of an epoch that is not known here yet, when it cannot be. */
  #opened({ sealed }: Head): Buffer {
    const { roll } = this.#needs;
    try {
      return roll.heads.open(sealed);
    } catch (error) {
      if (isFault(error, "Corrupt")) roll.askSoon();
      throw error;
    }
  }

  /** A few members: each was given every head, unless it was away; or others, if there are none. */
  async #ask(signal: AbortSignal): Promise<void> {
    const { network, groups, keys, clock, random } = this.#needs;
    const { askMs, askAloneMs, askedMax } = limits.devices;
    const online = [...onlineAmong(network.peers())];
    const members = new Set(groups.all().flatMap(({ peers }) => peers));
    // Before the drive had a group this device may have come to it: by now anybody may keep of it.
    const isNew = members.size === 0;
    const those = isNew ? online : online.filter((peer) => members.has(peer));
    const some = shuffled(those, random).slice(0, askedMax);
    if (isNew) await this.#lookUp(signal);
    const answers = await Promise.allSettled(some.map((peer) => {
      return network.records(peer, keys.owner, { signal });
    }));
    for (const answer of answers) {
      if (answer.status === "rejected") continue;
      this.#askedAtMs = clock.now();
      const { head, others = [] } = answer.value;
      for (const one of head === undefined ? others : [head, ...others]) this.hear(one);
    }
    // Where nobody was there to be asked, a look costs nothing.
    const isSoon = some.length === 0 || (this.#merged.size > 0 && !isNew);
    this.#askAtMs = clock.monotonicMs() + (isSoon ? askMs : askAloneMs);
  }

  /** Where no member is known: what the DHT has. */
  async #lookUp(signal: AbortSignal): Promise<void> {
    const { network, keys } = this.#needs;
    try {
      const head = await network.resolveHead(keys.owner, { signal });
      if (head !== undefined) this.hear(head);
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#needs.log.debug("transfer.device.lookup", { why: describe(error) });
    }
  }

  async #take(head: Head, merger: RootMerger, signal: AbortSignal): Promise<void> {
    const { keys, groups, catalog, books, log } = this.#needs;
    const payload = decodePayload(this.#opened(head));
    for (const manifest of payload.manifests.map(parseManifest)) {
      if (manifest.owner === keys.owner) await groups.adopt(manifest);
    }
    await this.#learn(await catalog.learn(payload, this.#laterMade(signal)), signal);
    // What stands in for a newer root says nothing of what is gone: only a whole one is merged.
    const root = payload.standIn === undefined ? payload.root : payload.standIn.whole;
    if (root !== undefined) await merger.merge(root);
    await books.put(prefix + head.peer, head.bytes);
    this.#merged.set(head.peer, head);
    if (this.#heard.get(head.peer) === head) this.#heard.delete(head.peer);
    log.info("transfer.device.merged", { peer: head.peer, sequence: head.sequence });
  }

  /**
   * Of two segments with the same block the one that was made later: the other may have been given
   * back, as one is that was packed anew while this device was taken for gone.
   */
  #laterMade(signal: AbortSignal): IsBetter {
    const made = new Map<SegmentId, Promise<number | undefined>>();
    const madeAtMs = (entry: CatalogEntry): Promise<number | undefined> => {
      const known = made.get(entry.segment) ?? this.#madeAtMs(entry, signal);
      made.set(entry.segment, known);
      return known;
    };
    return async (told, known) => {
      const toldMs = await madeAtMs(told);
      return toldMs !== undefined && toldMs > (await madeAtMs(known) ?? -Infinity);
    };
  }

  /** Undefined when nobody knows the segment. */
  async #madeAtMs(entry: CatalogEntry, signal: AbortSignal): Promise<number | undefined> {
    try {
      return (await this.#needs.records.get(entry, signal)).createdAtMs;
    } catch (error) {
      if (!isFault(error, "Unavailable", "NotFound")) throw error;
      return undefined;
    }
  }

  /** So that this machine audits and mends what another one placed. */
  async #learn(entries: readonly CatalogEntry[], signal: AbortSignal): Promise<void> {
    for (const entry of entries) {
      try {
        await this.#needs.records.get(entry, signal);
      } catch (error) {
        if (!isFault(error, "Unavailable", "NotFound")) throw error;
        const { segment } = entry;
        this.#needs.log.debug("transfer.device.segment", { segment, why: describe(error) });
      }
    }
  }
}
