/**
 * Where peers were seen: the address of the last direct connection of each, and what the tables
 * make of it. Bounded, and kept over a restart. Addresses stay in here: no log and no view has one.
 */
import { isPublic, lineOf, parseAddress, prefixOf } from "../base/address.ts";
import type { KeyValue } from "../base/blocks.ts";
import { peopleKeys } from "../base/book-keys.ts";
import { Reader, Writer } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import { isFault } from "../base/errors.ts";
import { type PeerId, parsePeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { type Log, describe } from "../base/log.ts";
import type { Pending } from "./pending.ts";
import type { AddressTables } from "./tables.ts";

export interface Sighting {
  readonly peer: PeerId;
  readonly address: string;
  /** Since when its key is known here, and when it was last seen. */
  readonly sinceMs: number;
  readonly seenAtMs: number;
  /** Undefined at a private, local or shared address: it is no place. */
  readonly place: Place | undefined;
}

export interface Place {
  readonly prefix: string;
  /** What one household has; see base/address.ts. */
  readonly line: string;
  readonly country: string | undefined;
  readonly asn: number | undefined;
}

export interface SightingsNeeds {
  readonly clock: Clock;
  readonly log: Log;
  readonly tables: AddressTables;
  readonly pending: Pending;
}

const keys = peopleKeys.sighting;

export class Sightings {
  readonly #needs: SightingsNeeds;
  /** In the order in which they were last seen. */
  readonly #sightings = new Map<PeerId, Sighting>();

  constructor(needs: SightingsNeeds) {
    this.#needs = needs;
  }

  async load(books: KeyValue): Promise<void> {
    const found: Sighting[] = [];
    for await (const [key, value] of books.list(keys)) {
      try {
        found.push(this.#parsed(key, value));
      } catch (error) {
        if (!isFault(error)) throw error;
        this.#needs.log.warn("places.spoilt", { fault: describe(error) });
        this.#needs.pending.set(key, undefined);
      }
    }
    found.sort((left, right) => left.seenAtMs - right.seenAtMs);
    for (const sighting of found) {
      // Whoever was seen while the books were read is not taken back.
      if (!this.#sightings.has(sighting.peer)) this.#keep(sighting);
    }
  }

  get(peer: PeerId): Sighting | undefined {
    return this.#sightings.get(peer);
  }

  values(): IterableIterator<Sighting> {
    return this.#sightings.values();
  }

  /** True when it is somewhere else than before. */
  saw(peer: PeerId, address: string): boolean {
    const known = this.#sightings.get(peer);
    const nowMs = this.#needs.clock.now();
    const isSame = known?.address === address;
    const place = isSame ? known.place : this.#placeOf(address);
    const sinceMs = Math.min(known?.sinceMs ?? nowMs, nowMs);
    this.#keep({ peer, address, sinceMs, seenAtMs: nowMs, place });
    const value = new Writer().varint(sinceMs).varint(nowMs).latin1(address).finish();
    this.#needs.pending.set(keys + peer, value);
    return !isSame;
  }

  #keep(sighting: Sighting): void {
    this.#sightings.delete(sighting.peer);
    this.#sightings.set(sighting.peer, sighting);
    while (this.#sightings.size > limits.places.sightingsMax) {
      const [oldest] = this.#sightings.keys();
      if (oldest === undefined) return;
      this.#sightings.delete(oldest);
      this.#needs.pending.set(keys + oldest, undefined);
    }
  }

  #parsed(key: string, value: Uint8Array): Sighting {
    const reader = new Reader(value, "places.book");
    const [sinceMs, seenAtMs] = [reader.varint(), reader.varint()];
    const address = reader.latin1();
    reader.end();
    const peer = parsePeerId(key.slice(keys.length));
    return { peer, address, sinceMs, seenAtMs, place: this.#placeOf(address) };
  }

  #placeOf(text: string): Place | undefined {
    const address = parseAddress(text);
    if (address === undefined || !isPublic(address)) return undefined;
    const { tables } = this.#needs;
    return {
      prefix: prefixOf(address),
      line: lineOf(address),
      country: this.#looked(() => tables.countryOf(address)),
      asn: this.#looked(() => tables.asnOf(address)),
    };
  }

  /** A table that is damaged tells nothing; the peer is not to blame. */
  #looked<T>(look: () => T): T | undefined {
    try {
      return look();
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#needs.log.warn("places.table", { fault: describe(error) });
      return undefined;
    }
  }
}
