/**
 * Lives of a group: its owner replaces members, levels them and goes by what becomes known of them;
 * its members give seats away without it. Whoever moves a seat, and however often: what a policy
 * asks of a group that kept it is kept.
 */
import { test } from "tap";
import { seatsToAdopt } from "../../src/agent/guard/adopt.ts";
import type { Accepted } from "../../src/base/guard.ts";
import { type PeerId, parseGroupId, parseOwnerId } from "../../src/base/ids.ts";
import type { KnownPeer } from "../../src/base/network.ts";
import { type Random, seededRandom } from "../../src/base/random.ts";
import { type ErasureClass, type Manifest, erasureClasses } from "../../src/base/records.ts";
import { isRightful, substituteFor } from "../../src/guard/draw.ts";
import { type Standing, seatsOf } from "../../src/guard/log.ts";
import { drawGroup, replaceMembers } from "../../src/placement/draws/group.ts";
import { factsKnown } from "../../src/placement/judging/facts.ts";
import { canonicalPolicy, hashOfPolicy } from "../../src/placement/language/policy-hash.ts";
import { parsePolicy } from "../../src/placement/language/policy-parse.ts";
import type { Policy } from "../../src/placement/language/policy.ts";
import { type Drift, driftOf } from "../../src/placement/standing/drift.ts";
import { brokenBy } from "../support/placement-trials.ts";
import { nowMs, peerOf, pick, randomFacts, randomPolicy } from "../support/policies.ts";

const lives = Number(process.env["HIVE_TRIALS"] ?? 100);
const first = Number(process.env["HIVE_SEED"] ?? 1);
const moves = 12;
const countries = ["AT", "BR", "CH", "DE", "FR", "GB", "IS", "JP", "US", "ZA", "NL", "BE", "CZ"];

class Life {
  readonly random: Random;
  readonly policy: Policy;
  readonly isBorn: boolean;
  #known: readonly KnownPeer[];
  #manifest: Manifest;
  readonly #class: ErasureClass;

  constructor(seed: number) {
    this.random = seededRandom(`moves ${seed}`);
    this.#known = Array.from({ length: 50 + this.random.below(50) }, (_, at) => this.#peer(at));
    this.policy = policyOf(this.random);
    this.#class = erasureClasses[this.random.below(4)] as ErasureClass;
    const wish = { ...this.#choice(), class: this.#class, seed: `${seed}`, isWide: true };
    const drawn = drawGroup(wish);
    this.isBorn = drawn.state === "drawn";
    this.#manifest = {
      owner: parseOwnerId("ab".repeat(32)), group: parseGroupId("cd".repeat(16)), epoch: 1,
      class: this.#class, policyHash: hashOfPolicy(this.policy), bytes: new Uint8Array(),
      peers: drawn.state === "drawn" ? drawn.peers : [],
    };
  }

  broken(): string | undefined {
    const factsOf = factsKnown(this.#known);
    return brokenBy(this.#members().map(({ offer }) => factsOf(offer)), this.policy, this.#class);
  }

  /** Nobody has to go by what the owner knows. */
  get isLawful(): boolean {
    return wrongOf(this.#drift()).length === 0;
  }

  /** The owner gives seats of the dead to others. */
  owner(): number {
    const count = 1 + this.random.below(3);
    return this.#replace(Array.from({ length: count }, () => pick(this.random, this.#seats)));
  }

  /** A seat goes to one of a few that are empty. */
  level(): number {
    const takers = new Set(this.#known.filter(() => this.random.below(6) === 0));
    const offers = this.#known.filter((one) => takers.has(one) || this.#sits(one));
    return this.#replace([pick(this.random, this.#seats)], { known: offers, isAsWide: true });
  }

  /** Members who know most of each other, and some of the others, extend their log. */
  members(): number {
    const standing = this.#withEntries(1 + this.random.below(3));
    this.#manifest = { ...this.#manifest, peers: seatsOf(standing) };
    return standing.log.length;
  }

  /** What the owner makes of a log of which all is proven, or so much. */
  adopted(share = 1): number {
    const standing = this.#withEntries(1 + this.random.below(3));
    const proofs = seatsOf(standing).flatMap((holder) => {
      return this.random.unit() < share ? [{ holder, answer: "right" as const }] : [];
    });
    this.#manifest = { ...this.#manifest, peers: seatsToAdopt(standing, proofs) };
    return standing.log.length;
  }

  /** A member turns out to be elsewhere: what the policy says of it now is carried out. */
  mended(): number {
    const before = { known: this.#known, manifest: this.#manifest };
    const one = pick(this.random, this.#members());
    this.#known = this.#known.map((each) => (each === one ? this.#moved(each) : each));
    let moved = 0;
    for (let drift = this.#drift(); wrongOf(drift).length > 0; drift = this.#drift()) {
      const replaced = this.#replace(wrongOf(drift));
      moved += replaced;
      if (replaced > 0) continue;
      // Nobody is left who could take the seat: it is as if the news had not come.
      [this.#known, this.#manifest] = [before.known, before.manifest];
      return 0;
    }
    return moved;
  }

  get #seats(): readonly PeerId[] {
    return this.#manifest.peers;
  }

  #members(): readonly KnownPeer[] {
    return this.#seats.map((peer) => {
      return this.#known.find((one) => one.offer.peer === peer) as KnownPeer;
    });
  }

  #sits({ offer }: KnownPeer): boolean {
    return this.#seats.includes(offer.peer);
  }

  #choice(known = this.#known) {
    const offers = known.map(({ offer }) => offer);
    return { policy: this.policy, offers, factsOf: factsKnown(known), nowMs };
  }

  #replace(
    lost: readonly PeerId[], { known, isAsWide }: {
      readonly known?: readonly KnownPeer[]; readonly isAsWide?: boolean;
    } = {},
  ): number {
    const peers = replaceMembers({
      ...this.#choice(known), manifest: this.#manifest, lost, isWide: true,
      isAsWide: isAsWide ?? false, seed: String(this.random.unit()),
    });
    const moved = peers.filter((peer, at) => peer !== this.#seats[at]).length;
    this.#manifest = { ...this.#manifest, peers };
    return moved;
  }

  #withEntries(count: number): Standing {
    let standing: Standing = { manifest: this.#manifest, log: [] };
    for (let entry = 0; entry < count; entry++) {
      const seat = this.random.below(this.#seats.length);
      const sitting = seatsOf(standing);
      const known = this.#known.filter(({ offer: { peer } }) => {
        return this.random.below(sitting.includes(peer) ? 40 : 3) > 0;
      });
      const told = known.map(({ offer }) => offer);
      const pot = { standing, policy: this.policy, nowMs, known, told, owners: new Set<PeerId>() };
      // Where members are bound, whoever was named before is held to the policy alone.
      const isBound = this.random.below(2) === 0;
      const named = pick(this.random, this.#known).offer.peer;
      const peer = isBound ? named : substituteFor(pot, seat);
      if (peer === undefined || seatsOf(standing).includes(peer)) continue;
      const next = { seat, peer, lost: seatsOf(standing)[seat] } as Accepted["entry"];
      if (!isRightful(pot, next, { isBound })) continue;
      standing = { ...standing, log: [...standing.log, { entry: next, votes: [] }] };
    }
    return standing;
  }

  #drift(): Drift {
    return driftOf({ ...this.#choice(), members: this.#seats, class: this.#class });
  }

  #moved(peer: KnownPeer): KnownPeer {
    const at = this.#known.indexOf(peer);
    const other = this.#peer(at);
    return { ...other, offer: { ...peer.offer, country: other.offer.country } };
  }

  #peer(at: number): KnownPeer {
    const { random } = this;
    const { offer, version, ...facts } = randomFacts(random, at);
    const country = random.below(9) === 0 ? undefined : pick(random, countries);
    const geoip = random.below(5) === 0 ? pick(random, countries) : country;
    const listed = (): readonly string[] => (random.below(3) === 0 ? [pick(random, countries)] : []);
    return {
      offer: {
        ...offer, country, peer: peerOf(at), ...(version === undefined ? {} : { version }),
      },
      online: true, roundTripMs: facts.roundTripMs, lastSeenMs: nowMs,
      observed: {
        prefix: facts.prefix, asn: facts.asn, geoip, upheld: listed(), refuted: listed(),
        // Whoever is not heard of is taken to be of another one.
        household: `address ${at}`, vouched: undefined,
      },
    };
  }
}

function wrongOf({ broken, doubtful }: Drift): readonly PeerId[] {
  return [...broken, ...doubtful];
}

/** One of many clauses, or one that asks for about as many domains as there are. */
function policyOf(random: Random): Policy {
  const floor = `spread at least ${3 + random.below(9)} country;`;
  const cap = `spread max ${1 + random.below(3)} per country;`;
  switch (random.below(3)) {
    case 0:
      return parsePolicy(`policy p { ${floor} }`).policy;
    case 1:
      return parsePolicy(`policy p { ${floor} ${cap} spread at least 3 asn; }`).policy;
    default:
      return randomPolicy(random, { mild: true });
  }
}

test("no move of a seat breaks a clause, whoever makes it", (t) => {
  const made = { owner: 0, level: 0, members: 0, adopted: 0, mended: 0 };
  for (let seed = first; seed < first + lives; seed++) {
    const life = new Life(seed);
    if (!life.isBorn) continue;
    for (let move = 0; move < moves; move++) {
      const act = pick(life.random, ["owner", "level", "members", "mended"] as const);
      made[act] += life[act]();
      if (act === "members") made.adopted += life.adopted();
      const broken = life.broken();
      if (broken === undefined) continue;
      const again = `HIVE_TRIALS=1 HIVE_SEED=${seed} node test/unit/placement.moves.test.ts`;
      t.fail(`${act}: ${broken}: ${canonicalPolicy(life.policy)}; replay: ${again}`);
      break;
    }
  }
  t.comment(JSON.stringify(made));
  for (const [act, count] of Object.entries(made)) t.ok(count > lives / 10, `${act}: ${count}`);
  t.end();
});

test("what an unfinished log leaves against the policy, the owner's next look finds", (t) => {
  let found = 0;
  for (let seed = first; seed < first + lives; seed++) {
    const life = new Life(seed);
    if (!life.isBorn) continue;
    for (let turn = 0; turn < moves && life.broken() === undefined; turn++) life.adopted(0.5);
    if (life.broken() === undefined) continue;
    found++;
    const again = `HIVE_TRIALS=1 HIVE_SEED=${seed} node test/unit/placement.moves.test.ts`;
    if (life.isLawful) t.fail(`${life.broken()}: nobody sees it; replay: ${again}`);
  }
  t.comment(`${found} of ${lives}`);
  t.ok(found > 0, "some proofs fail together");
  t.end();
});
