/**
 * Which moments of a drive are kept, as a person writes it: `1m for 1h, 1d for 31d` is the state at
 * each full minute of the last hour, and at each midnight (UTC) of the last 31 days. And which
 * losses are too many at once: `30% in 10m` is that share of the files within that while. Pure.
 */
import { HiveError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { BrakeRule, KeepRule, KeepTier } from "../../base/snapshots.ts";

export const defaultKeepRule = "1m for 1h, 1h for 1d, 1d for 31d, 1w for 365d";
export const defaultBrakeRule = "30% in 10m";

const units: Readonly<Record<string, number>> = {
  s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000,
};

export function parseKeepRule(text: string): KeepRule {
  if (text.trim() === "none") return [];
  const tiers = text.split(",").map(parseTier);
  const count = tiers.reduce((sum, { everyMs, forMs }) => sum + forMs / everyMs, 0);
  // As many again may be kept because somebody asked for them.
  if (count <= limits.snapshots.countMax / 2) return tiers;
  throw wrong(`${text}: that is ${Math.ceil(count)}, at most ${limits.snapshots.countMax / 2}`);
}

/** Undefined for a brake that is off. */
export function parseBrakeRule(text: string): BrakeRule | undefined {
  if (text.trim() === "off") return undefined;
  const match = /^\s*(\d+)%\s+in\s+(\d+[smhd])\s*$/.exec(text);
  const [percent, withinMs] = [Number(match?.[1]), spanOf(match?.[2] ?? "0s")];
  const isRight = match !== null && percent >= 1 && percent <= 100 && withinMs > 0;
  if (!isRight) throw wrong(`${text.trim()}: say \`30% in 10m\`, or off`);
  return { share: percent / 100, withinMs, filesMin: limits.snapshots.lossesMin };
}

function parseTier(text: string): KeepTier {
  const match = /^\s*(\d+[smhdw])\s+for\s+(\d+[smhdw])\s*$/.exec(text);
  if (match === null) throw wrong(`${text.trim()}: say \`1h for 1d\`, or none`);
  const [everyMs, forMs] = [spanOf(match[1] as string), spanOf(match[2] as string)];
  if (everyMs > 0 && forMs >= everyMs) return { everyMs, forMs };
  throw wrong(`${text.trim()}: the second is the longer one`);
}

function spanOf(text: string): number {
  return Number(text.slice(0, -1)) * (units[text.slice(-1)] as number);
}

function wrong(why: string): HiveError {
  return new HiveError("Invalid", "keep.rule", why);
}
