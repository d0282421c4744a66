/**
 * What a holder earns by its proofs: the bytes that it proved, times the time between two right
 * proofs of them. That time has a bound, and a wrong answer or none begins it anew, so silence
 * earns nothing. Pure; books.ts keeps the marks and the tallies.
 */
import { KiB, Reader, Writer } from "../base/bytes.ts";
import type { PeerId } from "../base/ids.ts";
import type { Proved } from "../base/ledger.ts";
import { limits } from "../base/limits.ts";
import type { Counts } from "./entry.ts";

/** When each shard of a segment was last proven, and by whom, by its index. */
export type Marks = ReadonlyMap<number, { readonly holder: string; readonly atMs: number }>;

/** What was seen of one peer's service and is in no admission yet. */
export interface Tally {
  /** KiB times seconds. */
  readonly kept: number;
  readonly watchedMs: number;
  readonly repaired: number;
  readonly sent: number;
  /** When it was last asked for a proof; 0 before the first. */
  readonly lookedAtMs: number;
}

export const noTally: Tally = { kept: 0, watchedMs: 0, repaired: 0, sent: 0, lookedAtMs: 0 };

const secondsPerHour = 3600;
const version = 1;
/** Enough of a peer's name to tell the holders of one drive apart. */
const tagChars = 8;

/** What these answers are worth, in KiB seconds by peer, and the marks from now on. */
export function earned(
  marks: Marks, { answers, shardBytes }: Proved, nowMs: number,
): { readonly kept: ReadonlyMap<PeerId, number>; readonly marks: Marks } {
  const after = new Map(marks);
  const kept = new Map<PeerId, number>();
  for (const { peer, index, outcome } of answers) {
    const holder = peer.slice(-tagChars);
    const mark = marks.get(index);
    if (outcome === "right") {
      const ms = mark?.holder === holder ? boundedMs(nowMs - mark.atMs) : 0;
      kept.set(peer, (kept.get(peer) ?? 0) + shardBytes / KiB * ms / 1000);
      after.set(index, { holder, atMs: nowMs });
    } else if (outcome !== "late") {
      after.delete(index);
    }
  }
  return { kept, marks: after };
}

/** The tally of a peer that was asked, and of what it earned by its answer. */
export function watched(tally: Tally, kept: number, nowMs: number): Tally {
  const ms = tally.lookedAtMs === 0 ? 0 : boundedMs(nowMs - tally.lookedAtMs);
  return {
    ...tally, kept: tally.kept + kept, watchedMs: tally.watchedMs + ms, lookedAtMs: nowMs,
  };
}

/** In the units of an entry; what does not fill one is left. */
export function countsOf({ kept, watchedMs, repaired, sent }: Tally): Counts {
  return {
    kept: Math.floor(kept / secondsPerHour), watched: Math.floor(watchedMs / 1000),
    repaired, sent,
  };
}

/** What is left when so much of it stands in an admission. */
export function without(tally: Tally, counts: Counts): Tally {
  return {
    ...tally,
    kept: Math.max(0, tally.kept - counts.kept * secondsPerHour),
    watchedMs: Math.max(0, tally.watchedMs - counts.watched * 1000),
    repaired: Math.max(0, tally.repaired - counts.repaired),
    sent: Math.max(0, tally.sent - counts.sent),
  };
}

export function encodeTally({ kept, watchedMs, repaired, sent, lookedAtMs }: Tally): Uint8Array {
  const writer = new Writer(48).u8(version);
  for (const count of [kept, watchedMs, repaired, sent, lookedAtMs]) {
    writer.varint(Math.floor(count));
  }
  return writer.finish();
}

export function decodeTally(value: Uint8Array): Tally {
  const reader = readerOf(value, "ledger.tally");
  const [kept, watchedMs, repaired] = [reader.varint(), reader.varint(), reader.varint()];
  const [sent, lookedAtMs] = [reader.varint(), reader.varint()];
  reader.end();
  return { kept, watchedMs, repaired, sent, lookedAtMs };
}

export function encodeMarks(marks: Marks): Uint8Array {
  const writer = new Writer(4 + marks.size * 18).u8(version).varint(marks.size);
  for (const [index, { holder, atMs }] of marks) {
    writer.varint(index).varint(atMs).latin1(holder);
  }
  return writer.finish();
}

export function decodeMarks(value: Uint8Array): Marks {
  const reader = readerOf(value, "ledger.marks");
  const count = reader.varint();
  if (count > limits.erasure.shardsMax) throw reader.corrupt("too many");
  const marks = new Map<number, { holder: string; atMs: number }>();
  for (let at = 0; at < count; at++) {
    const [index, atMs] = [reader.varint(), reader.varint()];
    marks.set(index, { holder: reader.latin1(), atMs });
  }
  reader.end();
  return marks;
}

/** Nothing of it can earn any more. */
export function isOver(marks: Marks, nowMs: number): boolean {
  const newestMs = Math.max(0, ...[...marks.values()].map(({ atMs }) => atMs));
  return nowMs - newestMs > 2 * limits.ledger.intervalMsMax;
}

/** A clock that was set back earns nothing, and one that jumps ahead no more than silence may. */
function boundedMs(ms: number): number {
  return Math.min(Math.max(ms, 0), limits.ledger.intervalMsMax);
}

function readerOf(value: Uint8Array, what: string): Reader {
  const reader = new Reader(value, what);
  if (reader.u8() !== version) throw reader.corrupt("version");
  return reader;
}
