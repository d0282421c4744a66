/**
 * A made-up world of towns for drills: who lives where, at which address, and who lies about it.
 * A town is a network namespace; its peers have public addresses of their country, drawn from the
 * tables that the product looks them up in, but read here in another way. Seeded; starts nothing.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { PeerId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";
import { peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { sha256 } from "../../src/crypt/ciphers/sha256.ts";
import { type Point, greatCircleKm } from "../../src/places/geometry.ts";
import { placeIn } from "./made-up-earth.ts";

/** One peer, as it is in truth. */
export interface Dweller {
  readonly number: number;
  readonly town: number;
  readonly peer: PeerId;
  readonly seedHex: string;
  /** What it says of itself. */
  readonly household: string;
  readonly claims: string;
  /** Where its machine is. */
  readonly country: string;
  readonly at: Point;
  readonly address: string;
  readonly port: number;
  /** What the tables say of its address. */
  readonly shown: string;
  readonly asn: number | undefined;
}

export interface Plan {
  readonly seed: string;
  readonly directory: string;
  readonly home: Home;
  readonly dwellers: readonly Dweller[];
}

/** The owner's own. */
export interface Home {
  readonly country: string;
  readonly address: string;
  readonly at: Point;
}

export const peersPerTown = 3;

/** Eleven of the EU, two of EFTA, and seven further off. */
export const townCountries = [
  "DE", "NL", "BE", "AT", "CZ", "DK", "FR", "PL", "SE", "ES", "PT", "CH", "NO", "GB", "US", "CA",
  "JP", "BR", "ZA", "AU",
] as const;

/**
 * How the peers of a town are related: three households, two machines of one name, two behind one
 * address, two in one /24, or two honest ones and one that lies.
 */
const kinds = ["apart", "alike", "line", "prefix", "liar"] as const;

/** By the town that the liar is in: what it says, and whether its address says so too. */
const lies: Readonly<Record<string, { readonly claims: string; readonly tunnel: boolean }>> = {
  CZ: { claims: "AU", tunnel: false }, ES: { claims: "JP", tunnel: true },
  US: { claims: "DE", tunnel: true }, AU: { claims: "FR", tunnel: false },
};

export function makePlan(
  { seed, towns, directory }: {
    readonly seed: string; readonly towns: number; readonly directory: string;
  },
): Plan {
  const random = seededRandom(`world/${seed}`);
  const earth = new Addresses(random);
  const home = { country: "DE", address: earth.in("DE"), at: placeIn("DE", random) };
  const dwellers = townCountries.slice(0, towns).flatMap((country, town) => {
    return inTown({ seed, country, town, random, earth });
  });
  return { seed, directory, home, dwellers: earth.withNetworks(dwellers) };
}

/** The same peer after it went abroad, machine, address and claim. */
export function moved(plan: Plan, dweller: Dweller, country: string): Dweller {
  const random = seededRandom(`move/${plan.seed}/${dweller.number}/${country}`);
  const earth = new Addresses(random);
  const there = { country, claims: country, shown: country, at: placeIn(country, random) };
  return earth.withNetworks([{ ...dweller, ...there, address: earth.in(country) }])[0] as Dweller;
}

/** As fibre goes: never shorter than the straight line, so that no honest trip looks like a lie. */
export function wayMs(from: Point, to: Point): number {
  return (1.1 * greatCircleKm(from, to)) / limits.places.kmPerMs;
}

export function listenOf({ address, port }: Dweller): string {
  return `/ip4/${address}/tcp/${port}`;
}

export function addressOf(dweller: Dweller): string {
  return `${listenOf(dweller)}/p2p/${dweller.peer}`;
}

function inTown(
  { seed, country, town, random, earth }: {
    readonly seed: string; readonly country: string; readonly town: number;
    readonly random: Random; readonly earth: Addresses;
  },
): readonly Dweller[] {
  const kind = kinds[town % kinds.length];
  const at = placeIn(country, random);
  const first = earth.in(country);
  return [0, 1, 2].map((place): Dweller => {
    const number = town * peersPerTown + place + 1;
    const seedBytes = sha256(Buffer.from(`world/${seed}/peer ${number}`));
    const isSecond = place === 1;
    const lie = kind === "liar" && place === 2 ? lies[country] : undefined;
    const shown = lie?.tunnel === true ? lie.claims : country;
    const own = place === 0 ? first : earth.in(shown);
    const beside = kind === "line" ? first : earth.beside(first);
    const isBeside = isSecond && (kind === "line" || kind === "prefix");
    return {
      number, town, country, shown, at, asn: undefined,
      peer: peerKeysOf(seedBytes).peer, seedHex: Buffer.from(seedBytes).toString("hex"),
      household: isSecond && kind === "alike" ? `home ${number - 1}` : `home ${number}`,
      claims: lie?.claims ?? country,
      address: isBeside ? beside : own, port: 4000 + number,
    };
  });
}

interface Range {
  readonly first: number;
  readonly last: number;
  readonly value: string;
}

class Addresses {
  readonly #random: Random;
  readonly #taken = new Set<string>();
  readonly #ranges = Map.groupBy(rowsOf("@ip-location-db/asn-country/asn-country-ipv4-num.csv")
    .filter(({ first, last }) => last - first >= 255), ({ value }) => value);

  constructor(random: Random) {
    this.#random = random;
  }

  /** A new one that the table puts into this country. */
  in(country: string): string {
    const ranges = this.#ranges.get(country) ?? [];
    const { first } = ranges[this.#random.below(ranges.length)] as Range;
    return this.#take(first + 1 + this.#random.below(100));
  }

  /** Another one of the same /24. */
  beside(address: string): string {
    return this.#take(numberOf(address) + 1 + this.#random.below(50));
  }

  withNetworks(dwellers: readonly Dweller[]): readonly Dweller[] {
    const rows = rowsOf("@ip-location-db/asn/asn-ipv4-num.csv");
    return dwellers.map((dweller) => {
      const value = numberOf(dweller.address);
      const row = rows.find(({ first, last }) => first <= value && value <= last);
      return { ...dweller, asn: row === undefined ? undefined : Number(row.value) };
    });
  }

  #take(value: number): string {
    const address = [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff).join(".");
    if (this.#taken.has(address)) return this.#take(value + 1);
    this.#taken.add(address);
    return address;
  }
}

function rowsOf(file: string): readonly Range[] {
  const text = readFileSync(createRequire(import.meta.url).resolve(file), "latin1");
  return text.split("\n").flatMap((line): Range[] => {
    const [first = "", last = "", value = ""] = line.split(",");
    return value === "" ? [] : [{ first: Number(first), last: Number(last), value }];
  });
}

function numberOf(address: string): number {
  return address.split(".").reduce((value, part) => value * 256 + Number(part), 0);
}
