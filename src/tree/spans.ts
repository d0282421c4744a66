/** Which bytes of a chunk were written: ascending, apart, and never many. */

export type Span = readonly [start: number, end: number];

/** So many that they would cost more than they save become one. */
const spansMax = 32;

/** The spans with one more, merged where they touch. */
export function addSpan(spans: readonly Span[], [start, end]: Span): Span[] {
  const apart = spans.filter((span) => span[1] < start || span[0] > end);
  const touching = spans.filter((span) => span[1] >= start && span[0] <= end);
  const from = Math.min(start, ...touching.map((span) => span[0]));
  const to = Math.max(end, ...touching.map((span) => span[1]));
  const all: Span[] = [...apart, [from, to] as const].sort((a, b) => a[0] - b[0]);
  if (all.length <= spansMax) return all;
  return [[(all[0] as Span)[0], (all.at(-1) as Span)[1]]];
}

export function addSpans(spans: readonly Span[], more: readonly Span[]): Span[] {
  return more.reduce(addSpan, [...spans]);
}
