/** Means of trials, and how far they may be off. */

export function meanOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let at = 0; at < values.length; at++) sum += values[at] as number;
  return sum / values.length;
}

/** One standard error of the mean of independent trials. */
export function errorOf(values: ArrayLike<number>): number {
  const mean = meanOf(values);
  const squares = Float64Array.from(values, (value) => (value - mean) ** 2);
  return Math.sqrt(meanOf(squares) / (values.length - 1));
}

/** Of sorted values the one that this share is not above. */
export function quantileOf(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] as number;
}
