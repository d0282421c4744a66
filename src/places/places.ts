/**
 * The face of this room: what this node knows of where peers are, beyond what they say. It keeps
 * the address that each was seen at, what the tables say of it, who shares one, the round trips
 * that were measured, and whom the user vouches for; and it says of each peer what that comes to.
 * It judges no policy: placement/judging/facts.ts weighs what is here against the peer's own claim.
 *
 * A peer at a private, local or shared address is near, and no table or round trip says more of it:
 * its claims stay claims.
 */
import { isNear, parseAddress } from "../base/address.ts";
import type { KeyValue } from "../base/blocks.ts";
import { peopleKeys } from "../base/book-keys.ts";
import type { Clock } from "../base/clock.ts";
import { HiveError } from "../base/errors.ts";
import { type PeerId, parsePeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { KnownPeer, Observed } from "../base/network.ts";
import type { PlaceBook } from "../base/places.ts";
import type { RangeStatement } from "../base/records.ts";
import { circlesOf } from "./countries.ts";
import { type Dweller, householdsOf } from "./households.ts";
import { Pending } from "./pending.ts";
import { Sightings } from "./sightings.ts";
import { Statements } from "./statements.ts";
import { type AddressTables, openTables } from "./tables.ts";
import { type Voice, opinionOf, verdictOf } from "./verdict.ts";

export interface PlacesNeeds {
  readonly clock: Clock;
  readonly log: Log;
  /** Shared with the address book, under keys of this room's own. */
  readonly books: KeyValue;
  /** Those of the packages, unless a test brings its own. */
  readonly tables?: AddressTables;
}

export interface PlacesOptions {
  readonly self: PeerId;
  /** This node's own, as its user set them: its own measurements speak from there. */
  readonly household: string;
  readonly country: string | undefined;
}

const vouchKeys = peopleKeys.vouch;
/** A prefix that no address has. */
const ownPrefix = "self";

export class Places implements PlaceBook, AsyncDisposable {
  readonly #needs: PlacesNeeds;
  readonly #options: PlacesOptions;
  readonly #tables: AddressTables & Partial<Disposable>;
  readonly #pending: Pending;
  readonly #sightings: Sightings;
  readonly #statements: Statements;
  readonly #vouches = new Map<PeerId, string>();
  readonly #verdicts = new Map<PeerId, { readonly of: string } & Judged>();
  /** Of what was seen, measured, heard and vouched: a new one judges anew. */
  #version = 0;
  #last: { readonly known: readonly KnownPeer[]; readonly version: number } & Told | undefined;

  constructor(needs: PlacesNeeds, options: PlacesOptions) {
    this.#needs = needs;
    this.#options = options;
    this.#tables = needs.tables ?? openTables();
    this.#pending = new Pending(needs.books);
    const shared = { ...needs, tables: this.#tables, pending: this.#pending };
    this.#sightings = new Sightings(shared);
    this.#statements = new Statements({
      ...shared,
      knownSinceMs: (verifier) => {
        if (verifier === options.self) return 0;
        return this.#sightings.get(verifier)?.sinceMs ?? Infinity;
      },
    });
  }

  /** Reads the books; what is seen meanwhile is newer. */
  async load(): Promise<void> {
    const { books } = this.#needs;
    await this.#sightings.load(books);
    await this.#statements.load(books);
    for await (const [key, value] of books.list(vouchKeys)) {
      const country = Buffer.from(value).toString("latin1");
      this.#vouches.set(parsePeerId(key.slice(vouchKeys.length)), country);
    }
    this.#version++;
  }

  saw(peer: PeerId, address: string): void {
    if (peer !== this.#options.self && this.#sightings.saw(peer, address)) this.#version++;
  }

  observe(known: readonly KnownPeer[]): readonly KnownPeer[] {
    const version = this.#version;
    if (this.#last?.known === known && this.#last.version === version) return this.#last.told;
    const households = householdsOf(this.#dwellers(known), this.#needs.clock.now());
    const claims = new Map(known.map(({ offer }) => {
      return [offer.peer, households.get(offer.peer) ?? offer.household];
    }));
    const told = known.map((one) => ({ ...one, observed: this.#observed(one, claims) }));
    this.#last = { known, version, told };
    return told;
  }

  statementsAbout(targets: readonly PeerId[]): readonly RangeStatement[] {
    return targets.flatMap((target) => {
      const own = this.measuredOf(target);
      return own === undefined ? [] : [own];
    });
  }

  /** This node's own statement about a peer. */
  measuredOf(target: PeerId): RangeStatement | undefined {
    const { self } = this.#options;
    return this.#statements.about(target).find(({ verifier }) => verifier === self);
  }

  /** How many statements about a peer are kept. */
  countOf(target: PeerId): number {
    return this.#statements.about(target).length;
  }

  /** Whether it was seen somewhere that round trips and tables can say something of. */
  isPlaced(peer: PeerId): boolean {
    return this.#sightings.get(peer)?.place !== undefined;
  }

  /** Whether it was last seen on this machine, or on its local network. */
  isNear(peer: PeerId): boolean {
    const text = this.#sightings.get(peer)?.address.replace(/%.*$/, "");
    const address = text === undefined ? undefined : parseAddress(text);
    return address !== undefined && isNear(address);
  }

  /** Takes a checked statement, of this node or of one whose own place is known. */
  heard(statement: RangeStatement): void {
    const isOwn = statement.verifier === this.#options.self;
    const isAdmissible = isOwn || this.#evidencedCountry(statement) !== undefined;
    if (isAdmissible && this.#statements.add(statement)) this.#version++;
  }

  /** The user's own word, which stands above all measurement; undefined takes it back. */
  vouch(peerText: string, country: string | undefined): void {
    const peer = peerNamed(peerText);
    const isKnown = country === undefined || circlesOf(country) !== undefined;
    if (!isKnown) throw new HiveError("Invalid", "places.vouch", `${country} is no country`);
    if (country === undefined) this.#vouches.delete(peer);
    else this.#vouches.set(peer, country);
    if (this.#vouches.size > limits.places.vouchesMax) {
      this.#vouches.delete(peer);
      throw new HiveError("TooLarge", "places.vouch", "peers that are vouched for");
    }
    const value = country === undefined ? undefined : Buffer.from(country, "latin1");
    this.#pending.set(vouchKeys + peer, value);
    this.#version++;
  }

  /** Writes what changed, and forgets what is too old; true when there was something to do. */
  async tidy(): Promise<boolean> {
    if (this.#statements.expire()) this.#version++;
    return this.#pending.flush();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    while (await this.#pending.flush());
    this.#tables[Symbol.dispose]?.();
  }

  #dwellers(known: readonly KnownPeer[]): readonly Dweller[] {
    const leastMs = this.#needs.clock.now() - limits.places.carrierSeenMs;
    return known.flatMap(({ offer, lastSeenMs }): readonly Dweller[] => {
      const sighting = this.#sightings.get(offer.peer);
      if (sighting?.place === undefined) return [];
      const { peer, sinceMs, place: { line } } = sighting;
      // A connection may last for weeks, and is seen only once.
      const seenAtMs = Math.max(sighting.seenAtMs, lastSeenMs);
      // Whoever was there last year may have left the address to somebody else.
      if (seenAtMs < leastMs) return [];
      return [{ peer, line, claim: offer.household, sinceMs, seenAtMs }];
    });
  }

  #observed({ offer }: KnownPeer, households: ReadonlyMap<PeerId, string>): Observed {
    const place = this.#sightings.get(offer.peer)?.place;
    const { upheld, refuted } = this.#judged(offer.peer, offer.country, households);
    return {
      prefix: place?.prefix,
      asn: place?.asn,
      household: households.get(offer.peer) ?? offer.household,
      geoip: place?.country,
      upheld, refuted,
      vouched: this.#vouches.get(offer.peer),
    };
  }

  /** Of the country that it claims, and of the one that its address has. */
  #judged(
    peer: PeerId, claimed: string | undefined, households: ReadonlyMap<PeerId, string>,
  ): Judged {
    const place = this.#sightings.get(peer)?.place;
    if (place === undefined) return open;
    const of = `${this.#version}/${claimed}/${place.country}`;
    const known = this.#verdicts.get(peer);
    if (known?.of === of) return known;
    const named = [claimed, place.country].filter((country) => country !== undefined);
    const voices = this.#voices(peer, households);
    const verdicts = [...new Set(named)].map((country) => {
      return { country, verdict: verdictOf(country, voices) };
    });
    const those = (wanted: string) => verdicts.filter(({ verdict }) => verdict === wanted)
      .map(({ country }) => country);
    const judged = { upheld: those("upheld"), refuted: those("refuted") };
    if (this.#verdicts.size >= limits.places.sightingsMax) this.#verdicts.clear();
    this.#verdicts.set(peer, { of, ...judged });
    return judged;
  }

  /** Whoever shares its household or network speaks for itself. */
  #voices(target: PeerId, households: ReadonlyMap<PeerId, string>): readonly Voice[] {
    const home = households.get(target);
    const net = this.#sightings.get(target)?.place?.prefix;
    return this.#statementVoices(target, households).filter(({ household, prefix, isOwn }) => {
      return isOwn || (household !== home && prefix !== net);
    });
  }

  #statementVoices(
    target: PeerId, households: ReadonlyMap<PeerId, string>,
  ): readonly Voice[] {
    return this.#statements.about(target).flatMap((statement): readonly Voice[] => {
      const tripMs = statement.tripUs / 1000;
      const { self, household: own, country: here } = this.#options;
      if (statement.verifier === self) {
        const isOwn = { household: own, prefix: ownPrefix, tripMs, isOwn: true, sinceMs: 0 };
        return here === undefined ? [] : [{ ...isOwn, country: here }];
      }
      const country = this.#evidencedCountry(statement);
      const sighting = this.#sightings.get(statement.verifier);
      const household = households.get(statement.verifier);
      if (country === undefined || sighting === undefined || household === undefined) return [];
      const prefix = sighting.place?.prefix ?? statement.verifier;
      const { sinceMs } = sighting;
      return [{ household, prefix, country, tripMs, isOwn: false, sinceMs }];
    });
  }

  /**
   * Where a verifier is, if there is better evidence for it than its word: the user's, or its
   * address's, as far as this node's own round trip to it does not say otherwise.
   */
  #evidencedCountry({ verifier, country }: RangeStatement): string | undefined {
    if (country === undefined) return undefined;
    const vouched = this.#vouches.get(verifier);
    if (vouched !== undefined) return vouched === country ? country : undefined;
    if (this.#sightings.get(verifier)?.place?.country !== country) return undefined;
    const own = this.measuredOf(verifier);
    const { country: here } = this.#options;
    if (own === undefined || here === undefined) return country;
    const opinion = opinionOf(country, { country: here, tripMs: own.tripUs / 1000 });
    return opinion === "against" ? undefined : country;
  }
}

/** From a person: what is no peer id is an argument that cannot be right. */
function peerNamed(text: string): PeerId {
  try {
    return parsePeerId(text);
  } catch (cause) {
    throw new HiveError("Invalid", "places.vouch", `${text}: no peer's id`, { cause });
  }
}

interface Judged {
  readonly upheld: readonly string[];
  readonly refuted: readonly string[];
}

interface Told {
  readonly told: readonly KnownPeer[];
}

const open: Judged = { upheld: [], refuted: [] };
