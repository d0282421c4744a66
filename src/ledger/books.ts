/**
 * The ledger's own books: keys and values of a KeyValue. It stores and reads; it decides nothing.
 *
 *   book                 this node's book number           n/SERVER        what we admit next
 *   e/SERVER/CLIENT      the newest entry, decayed sums    t/SERVER        what is in no entry yet
 *   m/SEGMENT            when its shards were proven       f/PEER          a proof of fraud
 *   o/OWNER/PEER         when a device was last met        a/OWNER         since when it owes
 */
import type { KeyChange, KeyValue } from "../base/blocks.ts";
import { ledgerKeys } from "../base/book-keys.ts";
import { Reader, Writer } from "../base/bytes.ts";
import type { OwnerId, PeerId, SegmentId } from "../base/ids.ts";
import { parseOwnerId, parsePeerId } from "../base/ids.ts";
import type { Random } from "../base/random.ts";
import type { Credit } from "./credit.ts";
import { type Marks, type Tally, decodeMarks, decodeTally, encodeMarks } from "./earning.ts";
import { encodeTally } from "./earning.ts";
import { type Admission, type Fraud, bookBytes, parseAdmission } from "./entry.ts";
import { parseEntry, parseFraud } from "./entry.ts";
import type { Arrears } from "./sanction.ts";

const version = 1;
/** Decayed sums are kept to the thousandth. */
const scale = 1000;

export class LedgerBooks {
  readonly #store: KeyValue;

  constructor(store: KeyValue) {
    this.#store = store;
  }

  batch(changes: readonly KeyChange[]): Promise<void> {
    return changes.length === 0 ? Promise.resolve() : this.#store.batch(changes);
  }

  /** Drawn once: who has lost its books must not write under the old number. */
  async number(random: Random): Promise<string> {
    const known = await this.#store.get(ledgerKeys.book);
    if (known !== undefined) return Buffer.from(known).toString("hex");
    const drawn = random.bytes(bookBytes);
    await this.#store.put(ledgerKeys.book, drawn);
    return drawn.toString("hex");
  }

  async *credits(): AsyncGenerator<Credit> {
    for await (const [, value] of this.#store.list(ledgerKeys.credit)) {
      const reader = readerOf(value, "ledger.credit");
      const entry = parseEntry(reader.bytes());
      const [kept, watched] = [reader.varint() / scale, reader.varint() / scale];
      reader.end();
      yield { entry, kept, watched };
    }
  }

  async *pending(): AsyncGenerator<Admission> {
    for await (const [, value] of this.#store.list(ledgerKeys.admission)) {
      yield parseAdmission(value);
    }
  }

  async *tallies(): AsyncGenerator<readonly [PeerId, Tally]> {
    for await (const [key, value] of this.#store.list(ledgerKeys.tally)) {
      yield [parsePeerId(key.slice(ledgerKeys.tally.length)), decodeTally(value)];
    }
  }

  async *frauds(): AsyncGenerator<Fraud> {
    for await (const [, value] of this.#store.list(ledgerKeys.fraud)) yield parseFraud(value);
  }

  async *devices(): AsyncGenerator<{ owner: OwnerId; peer: PeerId; atMs: number }> {
    for await (const [key, value] of this.#store.list(ledgerKeys.lodging)) {
      const [, owner = "", peer = ""] = key.split("/");
      const reader = new Reader(value, "ledger.device");
      yield { owner: parseOwnerId(owner), peer: parsePeerId(peer), atMs: reader.varint() };
    }
  }

  async *arrears(): AsyncGenerator<Arrears> {
    for await (const [key, value] of this.#store.list(ledgerKeys.arrears)) {
      const reader = readerOf(value, "ledger.arrears");
      const sinceMs = reader.varint();
      const [told, released] = [reader.varint(), reader.varint()];
      yield {
        owner: parseOwnerId(key.slice(ledgerKeys.arrears.length)), sinceMs,
        toldAtMs: told === 0 ? undefined : told,
        releasedAtMs: released === 0 ? undefined : released,
      };
    }
  }

  async marks(segment: SegmentId): Promise<Marks> {
    const value = await this.#store.get(ledgerKeys.marks + segment);
    return value === undefined ? new Map() : decodeMarks(value);
  }

  async *allMarks(after: string | undefined): AsyncGenerator<readonly [string, Marks]> {
    const options = after === undefined ? {} : { after };
    for await (const [key, value] of this.#store.list(ledgerKeys.marks, options)) {
      yield [key, decodeMarks(value)];
    }
  }
}

export function putCredit({ entry, kept, watched }: Credit): KeyChange {
  const writer = new Writer(entry.bytes.length + 32).u8(version).bytes(entry.bytes);
  writer.varint(scaled(kept)).varint(scaled(watched));
  return { type: "put", key: creditKey(entry), value: writer.finish() };
}

export function dropCredit(pair: { readonly server: PeerId; readonly client: PeerId }): KeyChange {
  return { type: "delete", key: creditKey(pair) };
}

export function putPending(admission: Admission): KeyChange {
  return { type: "put", key: ledgerKeys.admission + admission.server, value: admission.bytes };
}

export function dropPending(server: PeerId): KeyChange {
  return { type: "delete", key: ledgerKeys.admission + server };
}

export function putTally(peer: PeerId, tally: Tally): KeyChange {
  return { type: "put", key: ledgerKeys.tally + peer, value: encodeTally(tally) };
}

export function putMarks(segment: SegmentId, marks: Marks): KeyChange {
  return { type: "put", key: ledgerKeys.marks + segment, value: encodeMarks(marks) };
}

export function dropMarks(key: string): KeyChange {
  return { type: "delete", key };
}

export function putFraud({ peer, bytes }: Fraud): KeyChange {
  return { type: "put", key: ledgerKeys.fraud + peer, value: bytes };
}

export function dropFraud(peer: PeerId): KeyChange {
  return { type: "delete", key: ledgerKeys.fraud + peer };
}

export function putDevice(owner: OwnerId, peer: PeerId, atMs: number): KeyChange {
  const value = new Writer(8).varint(atMs).finish();
  return { type: "put", key: `${ledgerKeys.lodging}${owner}/${peer}`, value };
}

export function dropDevice(owner: OwnerId, peer: PeerId): KeyChange {
  return { type: "delete", key: `${ledgerKeys.lodging}${owner}/${peer}` };
}

export function putArrears({ owner, sinceMs, toldAtMs, releasedAtMs }: Arrears): KeyChange {
  const writer = new Writer(24).u8(version).varint(sinceMs);
  writer.varint(toldAtMs ?? 0).varint(releasedAtMs ?? 0);
  return { type: "put", key: ledgerKeys.arrears + owner, value: writer.finish() };
}

export function dropArrears(owner: OwnerId): KeyChange {
  return { type: "delete", key: ledgerKeys.arrears + owner };
}

function creditKey({ server, client }: { server: PeerId; client: PeerId }): string {
  return `${ledgerKeys.credit}${server}/${client}`;
}

/** What others admit may be as large as a number gets. */
function scaled(sum: number): number {
  return Math.min(Math.floor(sum * scale), Number.MAX_SAFE_INTEGER);
}

function readerOf(value: Uint8Array, what: string): Reader {
  const reader = new Reader(value, what);
  if (reader.u8() !== version) throw reader.corrupt("version");
  return reader;
}
