/**
 * What a holder earns by its proofs: the bytes that it proved, times the time between two right
 * proofs of them. That time has a bound, and a wrong answer or none begins it anew, so silence
 * earns nothing. Pure; books.ts keeps the marks and the tallies.
 *
 * A right sample is a proof of all that it was drawn from. Whoever lacks a part of that answers
 * right at most as often as a leaf lies in the rest, so on average nobody earns by a sample what he
 * does not keep; a single one may say too much.
 */
import { KiB, Reader, Writer } from "../base/bytes.ts";
import type { PeerId } from "../base/ids.ts";
import type { Proved, SampleProved } from "../base/ledger.ts";
import { limits } from "../base/limits.ts";
import type { Counts } from "./entry.ts";

/** When each shard of a segment was last proven, and by whom, by its index. */
export type Marks = ReadonlyMap<number, { readonly holder: string; readonly atMs: number }>;

/** What was seen of one peer's service and is in no admission yet. */
export interface Tally {
  /** KiB times seconds. */
  readonly kept: number;
  readonly watchedMs: number;
  readonly sent: number;
  /** When it was last asked for a proof; 0 before the first. */
  readonly lookedAtMs: number;
  /** When its last sample was right, and of how much; 0 before the first and after a wrong one. */
  readonly sampledAtMs: number;
  readonly sampledBytes: number;
}

export const noTally: Tally = {
  kept: 0, watchedMs: 0, sent: 0, lookedAtMs: 0, sampledAtMs: 0, sampledBytes: 0,
};

const secondsPerHour = 3600;
const version = 1;
/** Version 1 counted what was made anew, which was always 0, and knew no samples. */
const tallyVersion = 2;
/** Enough of a peer's name to tell the holders of one drive apart. */
const tagChars = 8;

/** What these answers are worth, in KiB seconds by peer, and the marks from now on. */
export function earned(
  marks: Marks, { answers, shardBytes }: Proved,
  { nowMs, sampledAtMs }: {
    readonly nowMs: number;
    /** Until then a sample has earned it all. */
    readonly sampledAtMs: (peer: PeerId) => number;
  },
): { readonly kept: ReadonlyMap<PeerId, number>; readonly marks: Marks } {
  const after = new Map(marks);
  const kept = new Map<PeerId, number>();
  for (const { peer, index, outcome } of answers) {
    const holder = peer.slice(-tagChars);
    const mark = marks.get(index);
    if (outcome === "right") {
      const sinceMs = Math.max(mark?.atMs ?? 0, sampledAtMs(peer));
      const ms = mark?.holder === holder ? boundedMs(nowMs - sinceMs) : 0;
      kept.set(peer, (kept.get(peer) ?? 0) + shardBytes / KiB * ms / 1000);
      after.set(index, { holder, atMs: nowMs });
    } else if (outcome !== "late") {
      after.delete(index);
    }
  }
  return { kept, marks: after };
}

/** The tally after a sample: what came since the last one counts from now on. */
export function earnedBySample(
  tally: Tally, { keptBytes, outcome }: SampleProved, nowMs: number,
): Tally {
  if (outcome === "late") return watched(tally, 0, nowMs);
  if (outcome !== "right") return { ...watched(tally, 0, nowMs), sampledAtMs: 0, sampledBytes: 0 };
  const ms = tally.sampledAtMs === 0 ? 0 : boundedMs(nowMs - tally.sampledAtMs);
  const kept = Math.min(keptBytes, tally.sampledBytes) / KiB * ms / 1000;
  return { ...watched(tally, kept, nowMs), sampledAtMs: nowMs, sampledBytes: keptBytes };
}

/** The tally of a peer that was asked, and of what it earned by its answer. */
export function watched(tally: Tally, kept: number, nowMs: number): Tally {
  const ms = tally.lookedAtMs === 0 ? 0 : boundedMs(nowMs - tally.lookedAtMs);
  return {
    ...tally, kept: tally.kept + kept, watchedMs: tally.watchedMs + ms, lookedAtMs: nowMs,
  };
}

/** In the units of an entry; what does not fill one is left. */
export function countsOf({ kept, watchedMs, sent }: Tally): Counts {
  return {
    kept: Math.floor(kept / secondsPerHour), watched: Math.floor(watchedMs / 1000),
    // What members made anew in our stead nobody could tell us of but they themselves.
    repaired: 0, sent,
  };
}

/** What is left when so much of it stands in an admission. */
export function without(tally: Tally, counts: Counts): Tally {
  return {
    ...tally,
    kept: Math.max(0, tally.kept - counts.kept * secondsPerHour),
    watchedMs: Math.max(0, tally.watchedMs - counts.watched * 1000),
    sent: Math.max(0, tally.sent - counts.sent),
  };
}

export function encodeTally(tally: Tally): Uint8Array {
  const { kept, watchedMs, sent, lookedAtMs, sampledAtMs, sampledBytes } = tally;
  const writer = new Writer(64).u8(tallyVersion);
  for (const count of [kept, watchedMs, sent, lookedAtMs, sampledAtMs, sampledBytes]) {
    writer.varint(Math.floor(count));
  }
  return writer.finish();
}

export function decodeTally(value: Uint8Array): Tally {
  const reader = new Reader(value, "ledger.tally");
  const told = reader.u8();
  if (told !== version && told !== tallyVersion) throw reader.corrupt("version");
  const [kept, watchedMs] = [reader.varint(), reader.varint()];
  if (told === version) reader.varint();
  const [sent, lookedAtMs] = [reader.varint(), reader.varint()];
  const samples = told === version ? [] : [reader.varint(), reader.varint()];
  reader.end();
  const [sampledAtMs = 0, sampledBytes = 0] = samples;
  return { kept, watchedMs, sent, lookedAtMs, sampledAtMs, sampledBytes };
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
