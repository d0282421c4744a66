/**
 * Where peers are: a made-up earth in which networks and countries are as unequal as they are, and
 * the circle that placement draws on. A place stays when its peer dies: the next one moves in.
 */
import { domainWords } from "../../src/placement/language/policy-words.ts";
import type { Policy } from "../../src/placement/language/policy.ts";
import { Circle, levels } from "./circle.ts";
import type { Dice } from "./dice.ts";

/** Each network has so many peers on the average; the largest, by Zipf, a seventh of all. */
const peersPerNetwork = 2000;
const networksMin = 25;
const countries = 60;
const versions = 6;
const prefixesPerNetwork = 64;
/** A peer is full at so many times the seats that it would have if all were as full. */
const roomOverMean = 3;

export interface Places {
  readonly circle: Circle;
  readonly count: number;
  /** A row of domain numbers for each place, as in `domainWords`. */
  readonly codes: Int32Array;
  readonly shares: Float64Array;
  /** The whole of what shares give, in seats, divided by the shares. */
  readonly seatsPerShare: number;
}

/**
 * No network and no country beyond what a group can lose at its threshold. Of versions it says
 * nothing: where two of five run one, a cap on it fills the peers of all others, and draws get
 * slow.
 */
export const spreadPolicy: Policy = {
  class: "auto", rules: [],
  spread: [
    { domain: "household", max: 1 }, { domain: "asn", maxPercent: 15 },
    { domain: "country", maxPercent: 25 },
  ],
};

export function makePlaces(
  dice: Dice, { count, seats, shareSigma }: {
    readonly count: number; readonly seats: number; readonly shareSigma: number;
  },
): Places {
  const codes = makeCodes(dice.for("codes"), count);
  const sizes = dice.for("shares");
  const shares = Float64Array.from({ length: count }, () => sizes.lognormal(1, shareSigma));
  const spots = dice.for("places");
  const circle = new Circle({
    places: Float64Array.from({ length: count }, () => spots.unit()).sort(),
    shares, codes, levels: new Int16Array(count),
  });
  const sum = shares.reduce((all, share) => all + share, 0);
  return { circle, count, codes, shares, seatsPerShare: (roomOverMean * seats) / sum };
}

/** How full a place is whose peer has so many seats. */
export function levelOf(places: Places, at: number, seats: number): number {
  const room = places.seatsPerShare * (places.shares[at] as number);
  return Math.round(levels * Math.min(1, seats / room));
}

export function codeOf(
  { codes }: Places, at: number, domain: (typeof domainWords)[number],
): number {
  return codes[at * domainWords.length + domainWords.indexOf(domain)] as number;
}

function makeCodes(dice: Dice, count: number): Int32Array {
  const networks = Math.max(networksMin, Math.round(count / peersPerNetwork));
  const country = zipf(countries);
  const countryOf = Int32Array.from({ length: networks }, () => country(dice));
  const network = zipf(networks);
  const version = zipf(versions);
  const codes = new Int32Array(count * domainWords.length);
  for (let at = 0; at < count; at++) {
    const asn = network(dice);
    const prefix = asn * prefixesPerNetwork + dice.below(prefixesPerNetwork) + 1;
    const told = {
      household: at + 1, prefix, asn: asn + 1, country: (countryOf[asn] as number) + 1,
      version: version(dice) + 1,
    };
    codes.set(domainWords.map((word) => told[word]), at * domainWords.length);
  }
  return codes;
}

/** Numbers below a bound; the i-th comes up as often as 1 / (i + 1). */
function zipf(bound: number): (dice: Dice) => number {
  const sums = new Float64Array(bound);
  let sum = 0;
  for (let at = 0; at < bound; at++) sums[at] = (sum += 1 / (at + 1));
  return (dice) => {
    const point = dice.unit() * sum;
    let [low, high] = [0, bound - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((sums[middle] as number) <= point) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}
