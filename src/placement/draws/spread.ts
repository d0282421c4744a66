/**
 * How the members of a group are spread: counts them per domain, and knows who would be one too
 * many in one, or takes a seat that another domain must have. Pure.
 *
 * Whatever a policy allows: a domain that it caps, and a household always, never has more than
 * r - k members, so that losing it whole at the repair threshold leaves k.
 */
import { limits } from "../../base/limits.ts";
import type { ErasureClass } from "../../base/records.ts";
import { type Facts, domainOf } from "../judging/facts.ts";
import { spreadText } from "../language/policy-text.ts";
import { type Domain, type EvidenceLevel, domainWords } from "../language/policy-words.ts";
import type { Policy, Spread } from "../language/policy.ts";
import { domainCapOf } from "./classes.ts";

/** A peer's domains as numbers, in the order of `domainWords` from an offset on. */
export interface Codes {
  readonly codes: ArrayLike<number>;
  readonly offset: number;
}

/** The domain of whoever tells none: one for all, and never one more. */
export const unknown = 0;

/** Gives every domain's name a number. */
export class DomainNumbers {
  readonly #numbers = domainWords.map(() => new Map<string, number>());
  readonly #rare: ReadonlySet<string | undefined>;

  /** Versions that count as if none were told. */
  constructor(rare: ReadonlySet<string | undefined> = new Set()) {
    this.#rare = rare;
  }

  codesOf(facts: Facts, evidence: EvidenceLevel): readonly number[] {
    const version = this.#rare.has(facts.version) ? undefined : facts.version;
    return domainWords.map((domain, at) => {
      return this.#number(at, domainOf(domain, { ...facts, version }, evidence));
    });
  }

  #number(at: number, name: string | undefined): number {
    if (name === undefined) return unknown;
    const numbers = this.#numbers[at] as Map<string, number>;
    const known = numbers.get(name) ?? numbers.size + 1;
    numbers.set(name, known);
    return known;
  }
}

/**
 * Versions that hardly anybody tells. To tell one costs nothing, and whoever made up his own would
 * be drawn before those whose versions are full; so all such count as one. Whoever has a tenth of
 * all names can still make one of his own.
 */
export function rareVersions(all: readonly Facts[]): ReadonlySet<string> {
  const { versionPeersMin, versionShareMin } = limits.placement;
  const told = new Map<string, number>();
  for (const { version } of all) {
    if (version !== undefined) told.set(version, (told.get(version) ?? 0) + 1);
  }
  const least = Math.max(versionPeersMin, versionShareMin * all.length);
  return new Set([...told].filter(([, peers]) => peers < least).map(([version]) => version));
}

interface Bound {
  readonly at: number;
  readonly count: number;
}

export interface Bounds {
  /** As they are in force, in words. */
  readonly clauses: readonly string[];
  readonly caps: readonly Bound[];
  readonly floors: readonly Bound[];
  /** Places in `domainWords` of the domains that are counted. */
  readonly counted: readonly number[];
}

/** What the policy's spread comes to for a class. */
export function boundsOf({ spread }: Policy, erasureClass: ErasureClass): Bounds {
  const caps = domainWords.flatMap((domain): Bound[] => {
    const told = spread.filter((one) => one.domain === domain && !("atLeast" in one));
    if (told.length === 0 && domain !== "household") return [];
    const wished = told.map((one) => mostOf(one, erasureClass.n));
    return [{ at: placeOf(domain), count: Math.min(domainCapOf(erasureClass), ...wished) }];
  });
  const floors = domainWords.flatMap((domain): Bound[] => {
    const told = spread.flatMap((one) => ("atLeast" in one && one.domain === domain ? [one] : []));
    if (told.length === 0) return [];
    return [{ at: placeOf(domain), count: Math.max(...told.map(({ atLeast }) => atLeast)) }];
  });
  const inWords: readonly Spread[] = [
    ...caps.map(({ at, count }) => ({ domain: domainAt(at), max: count })),
    ...floors.map(({ at, count }) => ({ domain: domainAt(at), atLeast: count })),
  ];
  const counted = [...new Set([...caps, ...floors].map(({ at }) => at))];
  return { clauses: inWords.map(spreadText), caps, floors, counted };
}

/** What takes all its machines with it when it falls. */
const usualDomains: readonly Domain[] = ["asn", "country", "version"];

/**
 * What a draw keeps to as far as the peers allow it, under a policy that says nothing of networks,
 * countries or versions: the cap of r - k, so that one of them whole is no loss. A policy that
 * spreads members over a domain, or would rather have some than others, has said what it wants.
 */
export function usualBounds({ spread, preferences = [] }: Policy, wanted: ErasureClass): Bounds {
  const isOpen = (domain: Domain): boolean => spread.every((one) => one.domain !== domain);
  const domains = preferences.length > 0 ? [] : usualDomains.filter(isOpen);
  const caps = domains.map((domain) => ({ at: placeOf(domain), count: domainCapOf(wanted) }));
  return { clauses: [], caps, floors: [], counted: caps.map(({ at }) => at) };
}

/**
 * How many seats each bound leaves room for among these peers, or how many domains it finds there,
 * in the order of its clauses. Fewer than it needs: no draw can succeed.
 */
export function roomsOf({ caps, floors }: Bounds, peers: readonly Codes[]): readonly number[] {
  const capped = caps.map(({ at, count }) => {
    const members = [...countBy(at, peers).values()];
    return members.reduce((sum, one) => sum + Math.min(count, one), 0);
  });
  const found = floors.map(({ at }) => {
    const domains = countBy(at, peers);
    return domains.size - Number(domains.has(unknown));
  });
  return [...capped, ...found];
}

/** What each bound needs, in the same order. */
export function needsOf({ caps, floors }: Bounds, seats: number): readonly number[] {
  return [...caps.map(() => seats), ...floors.map(({ count }) => count)];
}

/** With several bounds a draw may run into its own; another seed may not. */
export function seedsOf(seed: string, { caps, floors }: Bounds): readonly string[] {
  if (caps.length === 1 && floors.length === 0) return [seed];
  const others = Array.from({ length: limits.placement.drawsMax - 1 }, (_, at) => at + 1);
  return [seed, ...others.map((at) => `${seed}/again ${at}`)];
}

/** The members so far. */
export class Tally {
  readonly #bounds: Bounds;
  /** Members of whom nothing is known: each may lie in any domain, and in a new one or not. */
  #unheard = 0;
  /** By places in `domainWords`; of one that is not counted nothing is known. */
  readonly #members: readonly Census[];

  constructor(bounds: Bounds) {
    this.#bounds = bounds;
    this.#members = domainWords.map(() => new Census());
  }

  /** Whether none of its domains is full. */
  hasRoom(who: Codes): boolean {
    for (const { at, count } of this.#bounds.caps) {
      if (this.#membersAt(at, who) + this.#unheardAt(at) >= count) return false;
    }
    return true;
  }

  /** Places in `domainWords` of its domains that are full. */
  fullFor(who: Codes): readonly number[] {
    const full = this.#bounds.caps.filter(({ at, count }) => this.#membersAt(at, who) >= count);
    return full.map(({ at }) => at);
  }

  /** Nor is the seat needed for a domain that the group has not got yet. */
  mayTake(who: Codes, seatsLeft: number): boolean {
    return this.hasRoom(who) && this.#bounds.floors.every(({ at, count }) => {
      if (this.#unheard > 0) return this.#knownAt(at) + Number(this.#isNew(at, who)) >= count;
      const isNeeded = count - this.#knownAt(at) >= seatsLeft;
      return !isNeeded || count <= this.#knownAt(at) || this.#isNew(at, who);
    });
  }

  count(who: Codes): void {
    for (const at of this.#bounds.counted) this.#censusAt(at).count(codeAt(at, who));
  }

  countUnheard(): void {
    this.#unheard++;
    this.count({ codes: [], offset: 0 });
  }

  /** Whether the group has as many domains as it must. */
  get isWide(): boolean {
    return this.#bounds.floors.every(({ at, count }) => this.#knownAt(at) >= count);
  }

  #isNew(at: number, who: Codes): boolean {
    return codeAt(at, who) !== unknown && this.#membersAt(at, who) === 0;
  }

  /** Households are what people say: there one who is not heard of keeps nobody out. */
  #unheardAt(at: number): number {
    return this.#unheard === 0 || domainAt(at) === "household" ? 0 : this.#unheard;
  }

  #membersAt(at: number, who: Codes): number {
    return this.#censusAt(at).of(codeAt(at, who));
  }

  /** How many domains the members are known to lie in. */
  #knownAt(at: number): number {
    const census = this.#censusAt(at);
    return census.size - (census.of(unknown) > 0 ? 1 : 0);
  }

  #censusAt(at: number): Census {
    return this.#members[at] as Census;
  }
}

/** Members of each domain of one kind: of the few that a group has, found by looking at each. */
class Census {
  readonly #codes: number[] = [];
  readonly #members: number[] = [];

  get size(): number {
    return this.#codes.length;
  }

  of(code: number): number {
    const at = this.#codes.indexOf(code);
    return at < 0 ? 0 : this.#members[at] as number;
  }

  count(code: number): void {
    const at = this.#codes.indexOf(code);
    if (at < 0) {
      this.#codes.push(code);
      this.#members.push(1);
    } else {
      this.#members[at] = (this.#members[at] as number) + 1;
    }
  }
}

function countBy(at: number, peers: readonly Codes[]): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  for (const who of peers) counts.set(codeAt(at, who), (counts.get(codeAt(at, who)) ?? 0) + 1);
  return counts;
}

/** A share is of all n, and of a small group never less than one. */
function mostOf(spread: Spread, n: number): number {
  if ("max" in spread) return spread.max;
  if ("maxPercent" in spread) return Math.max(1, Math.floor((spread.maxPercent * n) / 100));
  return Infinity;
}

function codeAt(at: number, { codes, offset }: Codes): number {
  return codes[offset + at] ?? unknown;
}

function placeOf(domain: Domain): number {
  return domainWords.indexOf(domain);
}

function domainAt(at: number): Domain {
  return domainWords[at] as Domain;
}
