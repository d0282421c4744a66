/**
 * What two books say to each other: one question, one answer, each a DAG-CBOR map of bounded size.
 *
 *   question  {newest?: entry, next?: admission, entries: [entry ...], frauds: [fraud ...]}
 *   answer    {newest?: entry, entries, frauds, due?, covered?, gone: [shard ...]}
 *
 * `newest` is the last entry of the chain of what the answering peer did for the asking one, `next`
 * what follows; `entries` are others of which the sender is part. Due and covered are bytes: what
 * the asker's drives owe here, when they owe; `gone` are shards of theirs that were let go for it,
 * each a segment's 32 bytes and an index. Lists hold byte strings, each parsed by itself.
 */
import { HiveError } from "../base/errors.ts";
import { type SegmentId, bytesOfId, parseSegmentId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { Fields, type Plain, decodePlain, encodePlain } from "../crypt/signed/cbor.ts";
import { type Admission, type Entry, type Fraud } from "./entry.ts";
import { parseAdmission, parseEntry, parseFraud } from "./entry.ts";

export interface Shown {
  readonly newest: Entry | undefined;
  readonly entries: readonly Entry[];
  readonly frauds: readonly Fraud[];
}

export interface Question extends Shown {
  readonly next: Admission | undefined;
}

/** What the asker's drives take up with the one who answers, and what they are good for there. */
export interface Dunning {
  readonly dueBytes: number;
  readonly coveredBytes: number;
}

/** A shard that is here no more, for what its owner owed. */
export interface GoneShard {
  readonly segment: SegmentId;
  readonly index: number;
}

export interface Answer extends Shown {
  readonly owed: Dunning | undefined;
  readonly gone: readonly GoneShard[];
}

const what = "ledger.message";
const segmentBytes = 32;

export function encodeQuestion({ next, ...shown }: Question): Buffer {
  return encodePlain({ ...fieldsOf(shown), ...(next === undefined ? {} : { next: next.bytes }) });
}

/** `entryIn` may spare itself what it has checked before. */
export function parseQuestion(bytes: Uint8Array, entryIn = parseEntry): Question {
  const fields = mapIn(bytes);
  return { ...shownIn(fields, entryIn), next: maybe(fields, "next", parseAdmission) };
}

export function encodeAnswer({ owed, gone, ...shown }: Answer): Buffer {
  const told = owed === undefined ? {} : { due: owed.dueBytes, covered: owed.coveredBytes };
  const shards = gone.map(({ segment, index }) =>
    Buffer.concat([bytesOfId(segment), Buffer.from([index])]));
  return encodePlain({ ...fieldsOf(shown), ...told, gone: shards });
}

export function parseAnswer(bytes: Uint8Array, entryIn = parseEntry): Answer {
  const fields = mapIn(bytes);
  const count = (name: string): number =>
    fields.count(name, { min: 0, max: limits.ledger.countMax });
  const owed = fields.has("due")
    ? { dueBytes: count("due"), coveredBytes: count("covered") } : undefined;
  const gone = fields.bytesList("gone", {
    countMax: limits.ledger.goneShown, eachBytes: segmentBytes + 1,
  });
  return { ...shownIn(fields, entryIn), owed, gone: gone.map(goneIn) };
}

function goneIn(bytes: Buffer): GoneShard {
  const segment = parseSegmentId(bytes.toString("hex", 0, segmentBytes));
  return { segment, index: bytes.readUInt8(segmentBytes) };
}

function fieldsOf({ newest, entries, frauds }: Shown): { readonly [name: string]: Plain } {
  return {
    ...(newest === undefined ? {} : { newest: newest.bytes }),
    entries: entries.map(({ bytes }) => bytes),
    frauds: frauds.map(({ bytes }) => bytes),
  };
}

function mapIn(bytes: Uint8Array): Fields {
  if (bytes.length > limits.ledger.messageBytesMax) {
    throw new HiveError("Corrupt", what, `${bytes.length} bytes`);
  }
  return new Fields(decodePlain(bytes, what), what);
}

function shownIn(fields: Fields, entryIn: typeof parseEntry): Shown {
  const { entriesShown, fraudsShown } = limits.ledger;
  const { recordBytesMax: bytesMax } = limits.records;
  return {
    newest: maybe(fields, "newest", entryIn),
    entries: fields.strings("entries", { countMax: entriesShown, bytesMax })
      .map((entry) => entryIn(entry)),
    frauds: fields.strings("frauds", { countMax: fraudsShown, bytesMax }).map(parseFraud),
  };
}

function maybe<T>(fields: Fields, name: string, parse: (bytes: Uint8Array) => T): T | undefined {
  if (!fields.has(name)) return undefined;
  return parse(fields.bytes(name, { min: 1, max: limits.records.recordBytesMax }));
}
