/** Figures as a table for people, and as JSON in which the same seed gives the same bytes. */
import { type Figure, type Outcome, type Size, verdictOf } from "./figure.ts";

/** What was run, without what differs from run to run: no time, no machine. */
export function jsonOf({ nodes, years, seed }: Size, { figures, series }: Outcome): string {
  const told = figures.map((figure) => ({ ...figure, verdict: verdictOf(figure) }));
  return `${JSON.stringify({ nodes, years, seed, figures: told, series }, bigNumbers, 2)}\n`;
}

/** What was written so, if it was of this size and seed. */
export function outcomeIn(text: string, { nodes, years, seed }: Size): Outcome | undefined {
  const told = JSON.parse(text, bigNumbersBack) as Outcome & Size;
  const isSame = told.nodes === nodes && told.years === years && told.seed === seed;
  return isSame ? { figures: told.figures, series: told.series } : undefined;
}

/** JSON has no infinity. */
function bigNumbers(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}

function bigNumbersBack(_key: string, value: unknown): unknown {
  return value === "Infinity" ? Infinity : value;
}

export function tableOf(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => [
    figure.name, claimOf(figure), short(figure.simulated), figure.unit,
    verdictOf(figure),
  ]);
  const head = ["figure", "claimed", "simulated", "", ""];
  const widths = head.map((word, at) => {
    return Math.max(word.length, ...rows.map((row) => (row[at] as string).length));
  });
  const line = (row: readonly string[]): string => {
    return row.map((word, at) => word.padEnd(widths[at] as number)).join("  ").trimEnd();
  };
  return [head, ...rows].map(line).join("\n");
}

export function notesOf(figures: readonly Figure[]): string {
  return figures.flatMap(({ name, note }) => (note === undefined ? [] : [`${name}: ${note}`]))
    .join("\n");
}

function claimOf({ claimed: { is, value }, within }: Figure): string {
  const words = { "at most": "<=", "at least": ">=", about: "~" };
  const share = within === undefined ? "" : ` +-${short(100 * within)} %`;
  return `${words[is]} ${short(value)}${share}`;
}

function short(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(4))) : String(value);
}
