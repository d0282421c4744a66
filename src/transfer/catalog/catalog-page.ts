/**
 * The bytes of a catalog page and of the head's payload: pure reading and writing, no store, no
 * keys. Both stand sealed on other people's machines, so their form is frozen (test/vectors).
 *
 *   page    = u8 version 1 | varint segments | each: 32-byte id, 16-byte group
 *             | varint entries | each: 32-byte cid, varint segment, varint offset, varint length
 *   block   = a page, then zeros up to a step of the ladder; sealed, it is a block like others
 *   index   = a block whose entries are the places of a run's pages, in the order of the run
 *   payload = u8 version 1 | bytes root record | varint groups, each: bytes manifest
 *             | bytes page of the newest entries
 *             | varint runs, each: varint entries, u8 depth, bytes page of one entry
 *             (depth 0: that entry is the run's only page; 1: it is the run's index)
 *             | where the root stands in for a newer one (base/stand-in.ts): bytes root record of
 *             the last that did not, or none | varint places, each: u8 1 if it is as it was, 0 if
 *             it was never told of, bytes path (UTF-8) | varint more places
 */
import { KiB, Reader, Writer } from "../../base/bytes.ts";
import { HiveError, assert } from "../../base/errors.ts";
import { type GroupId, type SegmentId, parseCid } from "../../base/ids.ts";
import { parseGroupId, parseSegmentId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { PlaceInSegment } from "../../base/records.ts";
import type { HeldBack, HeldPlace } from "../../base/stand-in.ts";

/** A block's place, and the group that keeps its segment. */
export interface CatalogEntry extends PlaceInSegment {
  readonly group: GroupId;
}

/** A sorted run of entries, stored as blocks. */
export interface Run {
  readonly entries: number;
  readonly depth: 0 | 1;
  readonly place: CatalogEntry;
}

/** What a head says of a root that is not the newest in all places. */
export interface ToldStandIn extends HeldBack {
  /** The last root that was; undefined before the first. */
  readonly whole: Uint8Array | undefined;
}

export interface HeadPayload {
  readonly root: Uint8Array;
  /** Manifest records, as signed. */
  readonly manifests: readonly Uint8Array[];
  readonly newest: readonly CatalogEntry[];
  /** Oldest first: of two entries for one block the later is right. */
  readonly runs: readonly Run[];
  readonly standIn?: ToldStandIn | undefined;
}

const { standInToldMax, standInPathBytesMax } = limits.transfer;
const version = 1;
const segmentBytes = 48;
/** A CID and three varints at their longest. */
const entryBytesMax = 32 + 3 + 4 + 4;
const paddingSteps = [4, 16, 64, 256].map((step) => step * KiB);

export function encodePage(entries: readonly CatalogEntry[]): Buffer {
  const numbers = new Map<SegmentId, number>();
  const segments: CatalogEntry[] = [];
  for (const entry of entries) {
    if (numbers.has(entry.segment)) continue;
    numbers.set(entry.segment, segments.length);
    segments.push(entry);
  }
  const writer = new Writer(64 + segments.length * segmentBytes + entries.length * entryBytesMax);
  writer.u8(version).varint(segments.length);
  for (const { segment, group } of segments) writer.hex(segment).hex(group);
  writer.varint(entries.length);
  for (const { cid, segment, offsetBytes, lengthBytes } of entries) {
    writer.hex(cid).varint(numbers.get(segment) as number);
    writer.varint(offsetBytes).varint(lengthBytes);
  }
  return writer.finish();
}

/** What a page adds at most for an entry of a segment that it did not name before. */
export function pageBytesOf(counts: { entries: number; segments: number }): number {
  return 16 + counts.entries * entryBytesMax + counts.segments * segmentBytes;
}

export function decodePage(bytes: Uint8Array): CatalogEntry[] {
  const reader = new Reader(bytes, "catalog.page");
  const entries = readPage(reader);
  reader.end();
  return entries;
}

/** A page as a block's plaintext: padded, so that its length tells little. */
export function encodePageBlock(entries: readonly CatalogEntry[]): Buffer {
  const page = encodePage(entries);
  const step = paddingSteps.find((size) => size >= page.length);
  assert(step !== undefined, "a page fits a block");
  return Buffer.concat([page], step);
}

export function decodePageBlock(bytes: Uint8Array): CatalogEntry[] {
  const reader = new Reader(bytes, "catalog.block");
  const entries = readPage(reader);
  const padding = reader.raw(reader.restBytes);
  if (padding.some((byte) => byte !== 0)) throw reader.corrupt("padding is not zero");
  return entries;
}

function readPage(reader: Reader): CatalogEntry[] {
  if (reader.u8() !== version) throw reader.corrupt("version");
  const segments = list(reader, segmentBytes, () => ({
    segment: parseSegmentId(reader.hex(32)), group: parseGroupId(reader.hex(16)),
  }));
  return list(reader, 35, () => {
    const cid = parseCid(reader.hex(32));
    const named = segments[reader.varint()];
    if (named === undefined) throw reader.corrupt("no such segment");
    const offsetBytes = reader.varint();
    const lengthBytes = reader.varint();
    if (lengthBytes > limits.dag.blockBytesMax) throw reader.corrupt("block too large");
    return { cid, ...named, offsetBytes, lengthBytes };
  });
}

/** A counted list; a count that the rest cannot hold is refused before memory is taken. */
function list<T>(reader: Reader, eachBytesMin: number, read: () => T): T[] {
  const count = reader.varint();
  if (count * eachBytesMin > reader.restBytes) throw reader.corrupt(`count ${count}`);
  return Array.from({ length: count }, read);
}

export function encodePayload(payload: HeadPayload): Buffer {
  const writer = new Writer(4 * KiB);
  writer.u8(version).bytes(payload.root).varint(payload.manifests.length);
  for (const manifest of payload.manifests) writer.bytes(manifest);
  writer.bytes(encodePage(payload.newest)).varint(payload.runs.length);
  for (const run of payload.runs) {
    writer.varint(run.entries).u8(run.depth).bytes(encodePage([run.place]));
  }
  if (payload.standIn !== undefined) writeStandIn(writer, payload.standIn);
  return writer.finish();
}

function writeStandIn(writer: Writer, { whole, held, more }: ToldStandIn): void {
  writer.bytes(whole ?? Buffer.alloc(0)).varint(held.length);
  for (const { path, isOlder } of held) writer.u8(isOlder ? 1 : 0).bytes(Buffer.from(path, "utf8"));
  writer.varint(more);
}

function readStandIn(reader: Reader): ToldStandIn {
  const whole = Buffer.from(reader.bytes());
  const held = list(reader, 2, () => readHeld(reader));
  if (held.length > standInToldMax) throw reader.corrupt(`${held.length} places`);
  return { whole: whole.length === 0 ? undefined : whole, held, more: reader.varint() };
}

function readHeld(reader: Reader): HeldPlace {
  const flag = reader.u8();
  const path = reader.bytes();
  const isRight = flag <= 1 && path.length <= standInPathBytesMax;
  if (isRight) return { path: Buffer.from(path).toString("utf8"), isOlder: flag === 1 };
  throw reader.corrupt("place that is held back");
}

export function decodePayload(bytes: Uint8Array): HeadPayload {
  const reader = new Reader(bytes, "head.payload");
  if (reader.u8() !== version) throw reader.corrupt("version");
  const root = Buffer.from(reader.bytes());
  const manifests = list(reader, 1, () => Buffer.from(reader.bytes()));
  const newest = decodePage(reader.bytes());
  const runs = list(reader, 3, () => readRun(reader));
  const standIn = reader.restBytes === 0 ? undefined : readStandIn(reader);
  reader.end();
  return { root, manifests, newest, runs, ...(standIn && { standIn }) };
}

function readRun(reader: Reader): Run {
  const entries = reader.varint();
  const depth = reader.u8();
  const [place, ...more] = decodePage(reader.bytes());
  const right = place !== undefined && more.length === 0;
  if (right && (depth === 0 || depth === 1)) return { entries, depth, place };
  throw new HiveError("Corrupt", "head.payload", "a run's place");
}

/** For the books: the places of runs alone. */
export function encodeRuns(runs: readonly Run[]): Buffer {
  return encodePayload({ root: Buffer.alloc(0), manifests: [], newest: [], runs });
}

export function decodeRuns(bytes: Uint8Array): readonly Run[] {
  return decodePayload(bytes).runs;
}
