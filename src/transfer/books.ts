/**
 * Transfer's own books: which segments there are, who keeps their shards, and how a cut-off upload
 * goes on. It stores and remembers; it never decides, sends or codes. What else transfer keeps
 * beside it, base/book-keys.ts names, and who keeps it says what is in it.
 */
import type { KeyChange, KeyValue } from "../base/blocks.ts";
import { transferKeys } from "../base/book-keys.ts";
import { Reader, Writer } from "../base/bytes.ts";
import { HiveError, assert } from "../base/errors.ts";
import { Gate } from "../base/gate.ts";
import { type GroupId, type PeerId, type SegmentId, parseCid, parseGroupId } from "../base/ids.ts";
import { parsePeerId, parseSegmentId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Manifest, SegmentRecord } from "../base/records.ts";
import { parseSegmentRecord } from "../crypt/records/records.ts";
import type { LaidBlock } from "./segments/pack.ts";

/** What is known of a segment, cheap enough to keep in memory for all of them. */
export interface SegmentState {
  readonly segment: SegmentId;
  readonly group: GroupId;
  readonly k: number;
  readonly n: number;
  readonly shardBytes: number;
  readonly rotation: number;
  readonly placed: boolean;
  /** Whose receipt we have, by shard; undefined where nobody has it yet. */
  readonly holders: readonly (PeerId | undefined)[];
  /** When enough holders to read it last answered a challenge; 0 before the first. */
  readonly provenAtMs: number;
}

/** A segment that is not fully accepted yet, with what it takes to make its shards again. */
export interface HalfPlaced {
  readonly state: SegmentState;
  readonly record: SegmentRecord;
  readonly blocks: readonly LaidBlock[];
}

const version = 1;

export class SegmentBooks {
  readonly #books: KeyValue;
  readonly #states = new Map<SegmentId, SegmentState>();
  /** One string for each peer, however many shards it has. */
  readonly #peers = new Map<string, PeerId>();
  readonly #updates = new Gate({ seats: 1, queueMax: limits.transfer.changesQueueMax });

  constructor(books: KeyValue) {
    this.#books = books;
  }

  async open(): Promise<void> {
    for await (const [key, value] of this.#books.list(transferKeys.segment)) {
      const segment = parseSegmentId(key.slice(transferKeys.segment.length));
      this.#states.set(segment, this.#decode(segment, value).state);
    }
  }

  all(): readonly SegmentState[] {
    return [...this.#states.values()];
  }

  get(segment: SegmentId): SegmentState | undefined {
    return this.#states.get(segment);
  }

  async record(segment: SegmentId): Promise<SegmentRecord | undefined> {
    const value = await this.#books.get(transferKeys.segment + segment);
    return value === undefined ? undefined : this.#decode(segment, value).record();
  }

  /** Begins or changes a segment, together with the caller's other changes: all or none. */
  async write(
    state: SegmentState,
    options: {
      readonly record: SegmentRecord;
      readonly blocks?: readonly LaidBlock[];
      readonly changes?: readonly KeyChange[];
    },
  ): Promise<void> {
    assert(state.holders.length === state.n && options.record.segment === state.segment);
    const value = encode(state, options.record, options.blocks ?? []);
    const key = transferKeys.segment + state.segment;
    await this.#books.batch([{ type: "put", key, value }, ...(options.changes ?? [])]);
    this.#states.set(state.segment, state);
  }

  /** Changes what is known of a segment that is placed. */
  async update(
    segment: SegmentId,
    change: (state: SegmentState) => Partial<Pick<SegmentState, "holders" | "provenAtMs">>,
    /** What to write in the same batch, by what was known before. */
    more: (before: SegmentState) => readonly KeyChange[] = () => [],
  ): Promise<void> {
    // One at a time: an audit and a repair of the same segment must both be remembered.
    using _seat = await this.#updates.enter();
    const record = await this.record(segment);
    const state = this.#states.get(segment);
    if (state === undefined || record === undefined) return;
    await this.write({ ...state, ...change(state) }, { record, changes: more(state) });
  }

  /** Forgets a segment, together with the caller's other changes. */
  async forget(segment: SegmentId, changes: readonly KeyChange[] = []): Promise<void> {
    // An audit's update under way would write it back, and blame its holders for ever.
    using _seat = await this.#updates.enter();
    await this.#books.batch([{ type: "delete", key: transferKeys.segment + segment }, ...changes]);
    this.#states.delete(segment);
  }

  /** Those that an earlier step or life left unfinished. */
  async halfPlaced(): Promise<readonly HalfPlaced[]> {
    const found: HalfPlaced[] = [];
    for (const state of this.#states.values()) {
      if (state.placed) continue;
      const value = await this.#books.get(transferKeys.segment + state.segment);
      if (value === undefined) continue;
      const { record, blocks } = this.#decode(state.segment, value);
      found.push({ state, record: record(), blocks });
    }
    return found;
  }

  #decode(segment: SegmentId, value: Uint8Array): {
    state: SegmentState; record: () => SegmentRecord; blocks: readonly LaidBlock[];
  } {
    const reader = new Reader(value, "books.segment");
    if (reader.u8() !== version) throw reader.corrupt("version");
    const placed = reader.u8() === 1;
    const provenAtMs = reader.varint();
    const group = parseGroupId(reader.hex(16));
    const [k, n] = [reader.varint(), reader.varint()];
    const [shardBytes, rotation] = [reader.varint(), reader.varint()];
    const holders = Array.from({ length: n }, () => this.#peer(reader.latin1()));
    const bytes = reader.bytes();
    const blocks = Array.from({ length: reader.varint() }, () => ({
      cid: parseCid(reader.hex(32)), offsetBytes: reader.varint(), lengthBytes: reader.varint(),
    }));
    reader.end();
    const state = { segment, group, k, n, shardBytes, rotation, placed, holders, provenAtMs };
    return { state, blocks, record: () => checked(parseSegmentRecord(bytes), segment) };
  }

  #peer(text: string): PeerId | undefined {
    if (text === "") return undefined;
    const known = this.#peers.get(text) ?? parsePeerId(text);
    this.#peers.set(text, known);
    return known;
  }
}

/** What is known of a segment of which no shard is placed. */
export function freshState(record: SegmentRecord): SegmentState {
  const { segment, group, k, n, shardBytes, rotation } = record;
  const holders = Array.from({ length: n }, () => undefined);
  return { segment, group, k, n, shardBytes, rotation, placed: false, holders, provenAtMs: 0 };
}

/** Who should have this shard by the group's newest manifest (placement/draws/seats.ts). */
export function memberOf(
  state: Pick<SegmentState, "rotation" | "n" | "group">, index: number, manifest: Manifest,
): PeerId {
  const peer = manifest.peers[(index + state.rotation) % state.n];
  assert(peer !== undefined && manifest.group === state.group, "a shard's seat is in its group");
  return peer;
}

/** Until its first proof a segment's holders may be presumed only, as after a recovery. */
export function isProven(state: SegmentState | undefined): boolean {
  return state !== undefined && state.provenAtMs > 0;
}

export function heldCount(state: SegmentState): number {
  return state.holders.filter((holder) => holder !== undefined).length;
}

function checked(record: SegmentRecord, segment: SegmentId): SegmentRecord {
  if (record.segment === segment) return record;
  throw new HiveError("Corrupt", "books.segment", segment);
}

function encode(
  state: SegmentState, record: SegmentRecord, blocks: readonly LaidBlock[],
): Uint8Array {
  const writer = new Writer(512 + record.bytes.length + state.n * 56 + blocks.length * 42);
  writer.u8(version).u8(state.placed ? 1 : 0).varint(state.provenAtMs).hex(state.group);
  writer.varint(state.k).varint(state.n).varint(state.shardBytes).varint(state.rotation);
  for (const holder of state.holders) writer.latin1(holder ?? "");
  writer.bytes(record.bytes).varint(blocks.length);
  for (const { cid, offsetBytes, lengthBytes } of blocks) {
    writer.hex(cid).varint(offsetBytes).varint(lengthBytes);
  }
  return writer.finish();
}
