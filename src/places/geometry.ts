/**
 * Distances between countries, as bounds: two places in them are never nearer than `nearestKm` and
 * never further apart than `furthestKm`. Generous on both sides, since circles are. Pure.
 */
import { type Circle, circlesOf } from "./countries.ts";

/** How near and how far a place in one country may be to the other country. */
export interface Distances {
  /** From any place in one to any in the other, at least. */
  readonly nearestKm: number;
  /** From any place in the first to the nearest one of the second, at most. */
  readonly furthestKm: number;
}

/** Undefined when one of them is not on the map. Of a country and itself both are 0. */
export function distancesBetween(from: string, to: string): Distances | undefined {
  const key = `${from}/${to}`;
  if (!known.has(key)) known.set(key, measured(from, to));
  return known.get(key);
}

/** Pairs that were asked for: of 250 countries at most 62,500, in practice a few hundred. */
const known = new Map<string, Distances | undefined>();

function measured(from: string, to: string): Distances | undefined {
  const [near, far] = [circlesOf(from), circlesOf(to)];
  if (near === undefined || far === undefined) return undefined;
  if (from === to) return { nearestKm: 0, furthestKm: 0 };
  const gaps = near.map((one) => far.map((other) => ({
    nearKm: greatCircleKm(one, other) - one.radiusKm - other.radiusKm,
    farKm: greatCircleKm(one, other) + one.radiusKm + other.radiusKm,
  })));
  return {
    nearestKm: Math.max(0, Math.min(...gaps.flat().map(({ nearKm }) => nearKm))),
    furthestKm: Math.max(...gaps.map((row) => Math.min(...row.map(({ farKm }) => farKm)))),
  };
}

export type Point = Pick<Circle, "latitude" | "longitude">;

/** By the haversine formula, which is exact for small distances too. */
export function greatCircleKm(from: Point, to: Point): number {
  const [north, south] = [radians(from.latitude), radians(to.latitude)];
  const turn = (angle: number) => Math.sin(angle / 2) ** 2;
  const east = radians(to.longitude - from.longitude);
  const share = turn(south - north) + Math.cos(north) * Math.cos(south) * turn(east);
  return 2 * earthKm * Math.asin(Math.min(1, Math.sqrt(share)));
}

function radians(degrees: number): number {
  return (degrees * Math.PI) / 180;
}

const earthKm = 6371;
