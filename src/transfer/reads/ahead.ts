/**
 * Read-ahead: whoever reads a segment's blocks one after another is given all of it, from as many
 * holders at once as there are data shards, and the next blocks out of memory. It keeps a bounded
 * number of segments, checks nothing (the CID does) and forgets the oldest.
 */
import type { Clock } from "../../base/clock.ts";
import { HiveError } from "../../base/errors.ts";
import type { ByteRange } from "../../base/filesystem.ts";
import type { PeerId, SegmentId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { BufferPool } from "../../base/machine/pool.ts";
import type { SegmentRecord } from "../../base/records.ts";
import type { ShardReader } from "./shards.ts";

interface Target {
  readonly record: SegmentRecord;
  readonly index: number;
  readonly range: ByteRange;
}

/** A block's bytes out of a shard that is here, and who gave that shard if one did. */
export interface Ahead {
  readonly bytes: Buffer;
  readonly from: PeerId | undefined;
}

interface Run {
  readonly fromBytes: number;
  readonly endBytes: number;
}

export class ReadAhead {
  readonly #clock: Clock;
  readonly #reader: ShardReader;
  readonly #mayReadAhead: (bytes: number) => boolean;
  readonly #timeoutMs: number;
  readonly #runs = new Map<SegmentId, Run>();
  /** The one that was read from last is the last to go. */
  readonly #flights = new Map<SegmentId, Flight>();
  readonly #rooms = new BufferPool({ lengthBytes: fullBytes, countMax: roomsMax });
  #timer: Disposable | undefined;
  #usedAtMs = 0;
  /** The last flight was read to its end: whoever begins another segment reads on. */
  #isFlowing = false;

  constructor(
    needs: {
      readonly clock: Clock; readonly reader: ShardReader;
      readonly mayReadAhead?: (bytes: number) => boolean;
    },
    options: { readonly timeoutMs: number },
  ) {
    this.#clock = needs.clock;
    this.#reader = needs.reader;
    this.#mayReadAhead = needs.mayReadAhead ?? (() => true);
    this.#timeoutMs = options.timeoutMs;
  }

  /** What was, or from now on is, read ahead; undefined when this read is on its own. */
  async take(target: Target): Promise<Ahead | undefined> {
    const { record, index, range } = target;
    const flight = this.#flights.get(record.segment) ?? this.#begin(target);
    if (flight === undefined) return undefined;
    this.#usedAtMs = this.#clock.monotonicMs();
    if (index === record.k - 1) this.#isFlowing = true;
    const shard = await flight.shard(index).catch(() => undefined);
    if (shard === undefined) return undefined;
    const { offsetBytes, lengthBytes } = range;
    const bytes = Buffer.from(shard.bytes.subarray(offsetBytes, offsetBytes + lengthBytes));
    return { bytes, from: shard.from };
  }

  /** Something of it was not what it must be. */
  drop(segment: SegmentId): void {
    const flight = this.#flights.get(segment);
    this.#flights.delete(segment);
    flight?.end();
  }

  #begin(target: Target): Flight | undefined {
    const { record } = target;
    if (!this.#readsOn(target)) return undefined;
    if (!this.#mayReadAhead(record.k * record.shardBytes)) return undefined;
    this.#isFlowing = false;
    this.#makeRoom(record.k * record.shardBytes);
    const flight = new Flight({ clock: this.#clock, reader: this.#reader, rooms: this.#rooms }, {
      record, timeoutMs: this.#timeoutMs,
    });
    this.#flights.set(record.segment, flight);
    this.#timer ??= this.#clock.after(limits.transfer.aheadRestMs, () => this.#rest());
    return flight;
  }

  /** True when so much of this segment was read in a row, or of the one before it. */
  #readsOn({ record, index, range }: Target): boolean {
    const { aheadAfterShare, aheadGapBytes, aheadRunsMax } = limits.transfer;
    const { segment, k, shardBytes } = record;
    const atBytes = index * shardBytes + range.offsetBytes;
    const toBytes = atBytes + range.lengthBytes;
    const before = this.#runs.get(segment);
    const isNext = before !== undefined && Math.abs(atBytes - before.endBytes) <= aheadGapBytes;
    const run = isNext
      ? { fromBytes: before.fromBytes, endBytes: Math.max(before.endBytes, toBytes) }
      : { fromBytes: atBytes, endBytes: toBytes };
    this.#runs.delete(segment);
    this.#runs.set(segment, run);
    if (this.#runs.size > aheadRunsMax) {
      this.#runs.delete(this.#runs.keys().next().value as SegmentId);
    }
    // With one data shard there is nobody else to ask, and near the end little to gain.
    if (k === 1 || index >= k / 2) return false;
    if (this.#isFlowing && index === 0) return true;
    return run.endBytes - run.fromBytes >= k * shardBytes * aheadAfterShare;
  }

  #makeRoom(bytes: number): void {
    let kept = bytes;
    for (const { keptBytes } of this.#flights.values()) kept += keptBytes;
    for (const [segment, flight] of this.#flights) {
      if (kept <= limits.transfer.aheadBytesMax) return;
      kept -= flight.keptBytes;
      this.drop(segment);
    }
  }

  #rest(): void {
    this.#timer = undefined;
    const { aheadRestMs } = limits.transfer;
    if (this.#clock.monotonicMs() - this.#usedAtMs < aheadRestMs) {
      this.#timer = this.#clock.after(aheadRestMs, () => this.#rest());
      return;
    }
    for (const segment of [...this.#flights.keys()]) this.drop(segment);
    this.#rooms.clear();
    this.#isFlowing = false;
  }
}

interface Landed {
  readonly bytes: Uint8Array;
  readonly from: PeerId | undefined;
}

/** All data shards of one segment, on their way or here. */
class Flight {
  readonly #shards: readonly PromiseWithResolvers<Landed>[];
  readonly #rooms: BufferPool;
  readonly #over = new AbortController();
  readonly #timer: Disposable;
  readonly #landed: Uint8Array[] = [];
  readonly #own = new Set<ArrayBufferLike>();
  readonly keptBytes: number;

  constructor(
    needs: { readonly clock: Clock; readonly reader: ShardReader; readonly rooms: BufferPool },
    options: { readonly record: SegmentRecord; readonly timeoutMs: number },
  ) {
    const { record, timeoutMs } = options;
    this.#rooms = needs.rooms;
    this.keptBytes = record.k * record.shardBytes;
    this.#shards = Array.from({ length: record.k }, () => Promise.withResolvers<Landed>());
    for (const { promise } of this.#shards) promise.catch(() => undefined);
    const late = new HiveError("Unavailable", "transfer.ahead", record.segment);
    this.#timer = needs.clock.after(timeoutMs, () => this.#over.abort(late));
    needs.reader.dataShards(record, {
      signal: this.#over.signal,
      room: () => this.#room(record.shardBytes),
      found: (index, bytes, from) => {
        this.#landed.push(bytes);
        this.#shards[index]?.resolve({ bytes, from });
      },
      spare: (bytes) => this.#giveRoom(bytes),
    }).catch((error) => {
      for (const { reject } of this.#shards) reject(error);
    }).finally(() => this.#timer[Symbol.dispose]());
  }

  #room(shardBytes: number): Buffer {
    const isFull = shardBytes === this.#rooms.lengthBytes;
    const room = isFull ? this.#rooms.take() : Buffer.allocUnsafeSlow(shardBytes);
    this.#own.add(room.buffer);
    return room;
  }

  shard(index: number): Promise<Landed> {
    const shard = this.#shards[index];
    if (shard !== undefined) return shard.promise;
    throw new HiveError("Invalid", "transfer.ahead", `shard ${index}`);
  }

  /** Its rooms are used again: whoever was given bytes of it has copied them by then. */
  end(): void {
    this.#over.abort(new HiveError("Interrupted", "transfer.ahead", "no longer wanted"));
    for (const bytes of this.#landed.splice(0)) this.#giveRoom(bytes);
  }

  #giveRoom({ buffer }: Uint8Array): void {
    const isRoom = this.#own.delete(buffer) && buffer.byteLength === this.#rooms.lengthBytes;
    if (isRoom) this.#rooms.give(Buffer.from(buffer as ArrayBuffer));
  }
}

const fullBytes = limits.segment.shardBytes[2];
const roomsMax = Math.ceil(limits.transfer.aheadBytesMax / fullBytes);
