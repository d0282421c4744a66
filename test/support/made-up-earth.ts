/**
 * A made-up earth for verdicts: machines at true places in countries, round trips as fibre and home
 * lines make them, and liars who say what serves them. Seeded.
 */
import { limits } from "../../src/base/limits.ts";
import { type Random, shuffled } from "../../src/base/random.ts";
import { circlesOf } from "../../src/places/countries.ts";
import { type Point, greatCircleKm } from "../../src/places/geometry.ts";
import type { Voice } from "../../src/places/verdict.ts";
import { pick } from "./policies.ts";

/** Where home machines are: several countries on several continents. */
export const peopled = [
  "DE", "FR", "NL", "BE", "CH", "AT", "PL", "CZ", "GB", "ES", "IT", "SE", "US", "CA", "JP", "KR",
  "AU", "BR", "ZA", "IN",
] as const;

export function placeIn(country: string, random: Random): Point {
  const { latitude, longitude, radiusKm } = pick(random, circlesOf(country) ?? []);
  // Well inside, so that it is in the country and not beside it.
  const [distanceKm, turn] = [radiusKm * 0.5 * Math.sqrt(random.unit()), random.unit() * 2 * Math.PI];
  const north = (distanceKm / 111.2) * Math.cos(turn);
  const narrow = Math.max(0.1, Math.cos((latitude * Math.PI) / 180));
  const east = ((distanceKm / 111.2) * Math.sin(turn)) / narrow;
  return { latitude: latitude + north, longitude: longitude + east };
}

/** As fibre goes: longer ways than the crow's, and some ms of home lines at both ends. */
export function tripBetween(from: Point, to: Point, random: Random): number {
  const lineMs = 1 + random.unit() * 9;
  const way = 1.2 + random.unit() * 0.8;
  return (greatCircleKm(from, to) * way) / limits.places.kmPerMs + lineMs;
}

export interface Trial {
  readonly claimed: string;
  readonly trueCountry: string;
  readonly voices: readonly Voice[];
}

export interface World {
  readonly verifiers: number;
  /** Of the verifiers, those who lie; exactly so many of each country, as far as that divides. */
  readonly liarsShare: number;
  /** Of the honest ones, those whose address the table puts elsewhere. */
  readonly misplacedShare: number;
}

/** One target, honest or not, and all voices about it. Liars uphold a lie and deny the truth. */
export function trialOf(random: Random, world: World, isHonest: boolean): Trial {
  const trueCountry = pick(random, peopled);
  const claimed = isHonest ? trueCountry : farFrom(trueCountry, random);
  const target = placeIn(trueCountry, random);
  // Half of all are around the claimed country: a drive that cares for it has its peers there.
  const homes = Array.from({ length: world.verifiers }, (_, at) => {
    return at % 2 === 0 ? claimed : pick(random, peopled);
  });
  const near = shuffled(homes.flatMap((home, at) => (home === claimed ? [at] : [])), random);
  const far = shuffled(homes.flatMap((home, at) => (home === claimed ? [] : [at])), random);
  const liars = new Set([near, far].flatMap((all) => {
    return all.slice(0, Math.floor(all.length * world.liarsShare));
  }));
  const voices = homes.map((home, at): Voice => {
    const honest = tripBetween(placeIn(home, random), target, random);
    const isMisplaced = random.unit() < world.misplacedShare;
    const country = isMisplaced && !liars.has(at) ? pick(random, peopled) : home;
    // Against the honest: from far away, so near. For those who lie: from there, so near.
    const tripMs = liars.has(at) ? 0.1 : honest;
    return {
      household: `home ${at}`, prefix: `net ${at}`, country, tripMs, isOwn: false, sinceMs: at,
    };
  });
  return { claimed, trueCountry, voices };
}

/** A country whose every place is further off than what may still be upheld. */
function farFrom(country: string, random: Random): string {
  const there = placeIn(country, random);
  const far = peopled.filter((other) => {
    const nearest = Math.min(...(circlesOf(other) ?? []).map((circle) => {
      return greatCircleKm(there, circle) - circle.radiusKm;
    }));
    return nearest > limits.places.supportKm + 1000;
  });
  return pick(random, far);
}
