/** Which bytes of a chunk were written: ascending, apart, and merged where they touch. */

export type Span = readonly [start: number, end: number];

/** The spans with one more. */
export function addSpan(spans: readonly Span[], [start, end]: Span): readonly Span[] {
  const last = spans.at(-1);
  if (last === undefined || last[1] < start) return [...spans, [start, end]];
  const apart = spans.filter((span) => span[1] < start || span[0] > end);
  const touching = spans.filter((span) => span[1] >= start && span[0] <= end);
  const from = Math.min(start, ...touching.map((span) => span[0]));
  const to = Math.max(end, ...touching.map((span) => span[1]));
  return [...apart, [from, to] as const].sort((a, b) => a[0] - b[0]);
}

export function addSpans(spans: readonly Span[], more: readonly Span[]): readonly Span[] {
  return more.reduce(addSpan, spans);
}

export function bytesIn(spans: readonly Span[]): number {
  return spans.reduce((sum, [start, end]) => sum + end - start, 0);
}
