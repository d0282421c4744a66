/**
 * What measured round trips say of a country that a peer may be in: upheld, refuted or open. Pure.
 *
 * A round trip of t ms leaves the peer within 100 km x t of the verifier, since light in fibre goes
 * no faster; it can add delay, and never remove any. So a voice is
 *   against  when even the nearest place of the country is further away than that;
 *   for      when from anywhere in the verifier's country, and so far away, the peer would still be
 *            within `supportKm` of the country;
 *   silent   else: a long trip says nothing.
 * An honest voice can be silent for many reasons, but neither against what is true nor for what is
 * further off than `supportKm`. Whoever lies can be both. Hence two counts over voices of distinct
 * households and prefixes, of whom `liarsShareMax` may lie:
 *   refuted  when this node itself is against, or `voicesMin` and more than that share of all are;
 *   upheld   when it is not refuted, `voicesMin` and more than `supportShareMin` of those who are
 *            near enough to be for it are, and more than are against it.
 */
import { limits } from "../base/limits.ts";
import { distancesBetween } from "./geometry.ts";

export interface Voice {
  /** Of the verifier, by what is known of it here. */
  readonly household: string;
  readonly prefix: string;
  readonly country: string;
  readonly tripMs: number;
  /** This node's own measurement, which it believes. */
  readonly isOwn: boolean;
  /** Since when this node knows the verifier: of two that count as one, the older speaks. */
  readonly sinceMs: number;
}

export type Verdict = "upheld" | "refuted" | "open";
export type Opinion = "for" | "against" | "silent";

export function verdictOf(country: string, voices: readonly Voice[]): Verdict {
  const heard = distinct(voices);
  const said = heard.map((voice) => ({ voice, opinion: opinionOf(country, voice) }));
  const against = said.filter(({ opinion }) => opinion === "against");
  if (against.some(({ voice }) => voice.isOwn)) return "refuted";
  const { liarsShareMax, supportShareMin } = limits.places;
  if (isEnough(against.length, heard.length * liarsShareMax)) return "refuted";
  const near = heard.filter((voice) => couldSupport(country, voice));
  const supporting = said.filter(({ opinion }) => opinion === "for");
  const isUpheld = isEnough(supporting.length, near.length * supportShareMin) &&
    supporting.length > against.length;
  return isUpheld ? "upheld" : "open";
}

/** Silent on countries that are not on the map. */
export function opinionOf(
  country: string, voice: Pick<Voice, "country" | "tripMs">,
): Opinion {
  const distances = distancesBetween(voice.country, country);
  if (distances === undefined) return "silent";
  const { kmPerMs, slackKm, supportKm } = limits.places;
  const reachKm = voice.tripMs * kmPerMs;
  if (distances.nearestKm > reachKm + slackKm) return "against";
  return distances.furthestKm + reachKm <= supportKm ? "for" : "silent";
}

/** Whether some round trip of this verifier, however short, could speak for the country. */
function couldSupport(country: string, voice: Voice): boolean {
  return opinionOf(country, { ...voice, tripMs: 0 }) === "for";
}

function isEnough(count: number, moreThan: number): boolean {
  return count >= limits.places.voicesMin && count > moreThan;
}

/** One voice a household and a prefix: ours, then whom we have known for longest. */
function distinct(voices: readonly Voice[]): readonly Voice[] {
  const households = new Set<string>();
  const prefixes = new Set<string>();
  const ordered = voices.toSorted((left, right) => {
    return Number(right.isOwn) - Number(left.isOwn) || left.sinceMs - right.sinceMs;
  });
  return ordered.filter(({ household, prefix }) => {
    if (households.has(household) || prefixes.has(prefix)) return false;
    households.add(household);
    prefixes.add(prefix);
    return true;
  });
}
