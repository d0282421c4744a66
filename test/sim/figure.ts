/** What a trial brings: figures beside what was claimed, and series to draw. */

export interface Figure {
  readonly name: string;
  /** What it is held against, and how: at most, at least, or within a share of it. */
  readonly claimed: { readonly is: "at most" | "at least" | "about"; readonly value: number };
  /** For `about`: the share of the claim that it may be off. */
  readonly within?: number;
  readonly simulated: number;
  /** One standard error of it, where chance has a say. */
  readonly error?: number;
  readonly unit: string;
  /** What has to be known to read it. */
  readonly note?: string;
}

export interface Series {
  readonly name: string;
  readonly x: string;
  readonly y: string;
  readonly lines: readonly Line[];
}

export interface Line {
  readonly name: string;
  readonly points: readonly (readonly [number, number])[];
}

export interface Outcome {
  readonly figures: readonly Figure[];
  readonly series: readonly Series[];
}

/** How large the worlds of a trial are. */
export interface Size {
  readonly nodes: number;
  readonly years: number;
  readonly seed: string;
}

export interface Scale extends Size {
  /** Called before each part, with its name. */
  readonly tell: (what: string) => void;
}

const verdicts = ["holds", "DOES NOT HOLD", "too few to tell"] as const;
export type Verdict = (typeof verdicts)[number];

/** A miss by less than two standard errors proves nothing, nor does a hit within a wide one. */
export function verdictOf(figure: Figure): Verdict {
  const { claimed, within = 0, error = 0 } = figure;
  const roomFor = within * Math.abs(claimed.value);
  const off = offBy(figure);
  if (error === Infinity) return "too few to tell";
  if (claimed.is === "about" && !(error <= roomFor)) return "too few to tell";
  if (off <= roomFor) return "holds";
  return off - 2 * error <= roomFor ? "too few to tell" : "DOES NOT HOLD";
}

function offBy({ claimed: { is, value }, simulated }: Figure): number {
  switch (is) {
    case "at most":
      return simulated - value;
    case "at least":
      return value - simulated;
    case "about":
      return Math.abs(simulated - value);
  }
}
