/** Classes by households, the seats of a segment's shards, and a policy's one canonical form. */
import { readFileSync } from "node:fs";
import { test } from "tap";
import { parseGroupId, parseOwnerId, parsePeerId } from "../../src/base/ids.ts";
import { parseSegmentId } from "../../src/base/ids.ts";
import { seededRandom } from "../../src/base/random.ts";
import { type Manifest, type SegmentRecord, erasureClasses } from "../../src/base/records.ts";
import { chooseClass, classNamed, domainCapOf, nextClass } from "../../src/placement/draws/classes.ts";
import { spareOf } from "../../src/placement/draws/classes.ts";
import { drawGroup } from "../../src/placement/draws/group.ts";
import { memberOfShard, seatOfShard, shardOfSeat } from "../../src/placement/draws/seats.ts";
import { canonicalPolicy, hashOfPolicy } from "../../src/placement/language/policy-hash.ts";
import type { Policy } from "../../src/placement/language/policy.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/placement.seats.test.ts`;

interface DrawVector {
  readonly seed: string;
  readonly class: string;
  readonly offers: number;
  readonly peers: readonly number[];
}

interface Vectors {
  readonly policies: readonly { policy: Policy; canonical: string; hash: string }[];
  readonly draws: readonly DrawVector[];
}

const vectors = JSON.parse(
  readFileSync(new URL("../vectors/placement.json", import.meta.url), "utf8"),
) as Vectors;

test("a drive takes the largest class its households allow, up to standard", (t) => {
  t.equal(chooseClass(2), undefined);
  for (const erasureClass of erasureClasses.slice(0, 5)) {
    t.equal(chooseClass(erasureClass.n)?.name, erasureClass.name);
    t.not(chooseClass(erasureClass.n - 1)?.name, erasureClass.name);
  }
  t.equal(chooseClass(1000)?.name, "standard");
  t.equal(chooseClass(1000, "vault")?.name, "vault");
  t.equal(chooseClass(1000, "mirror")?.name, "mirror");
  t.end();
});

test("it moves up only with some to spare, and down only when it must", (t) => {
  const mirror = classNamed("mirror");
  t.equal(nextClass(undefined, 6)?.name, "tiny");
  t.equal(nextClass(mirror, 6)?.name, "mirror");
  t.equal(nextClass(mirror, 6 + spareOf(6))?.name, "tiny");
  t.equal(nextClass(mirror, 41)?.name, "home");
  t.equal(nextClass(mirror, 1000)?.name, "standard");
  t.equal(nextClass(classNamed("standard"), 40)?.name, "standard");
  t.equal(nextClass(classNamed("standard"), 39)?.name, "home");
  t.equal(nextClass(mirror, 2), undefined);
  t.equal(nextClass(classNamed("vault"), 90)?.name, "vault");
  t.end();
});

test("whoever comes and goes at a class's edge does not move the drive twice", (t) => {
  let current = chooseClass(11);
  let moves = 0;
  for (let turn = 0; turn < 100; turn++) {
    const next = nextClass(current, 11 + (turn % 2));
    if (next !== current) moves++;
    current = next;
  }
  t.equal(moves, 0);
  t.end();
});

test("a domain lost whole at the repair threshold leaves k, in every class", (t) => {
  for (const erasureClass of erasureClasses) {
    t.ok(domainCapOf(erasureClass) >= 1);
    t.equal(erasureClass.r - domainCapOf(erasureClass), erasureClass.k);
  }
  t.end();
});

test("a segment's shards have a seat each, and the rotations spread shard 0 over all", (t) => {
  const random = seededRandom(`${seed}/seats`);
  for (const erasureClass of erasureClasses) {
    const manifest = manifestFor(erasureClass.name);
    const firsts = new Set<string>();
    for (let rotation = 0; rotation < erasureClass.n; rotation++) {
      const record = recordFor(erasureClass.name, rotation);
      const seats = record.roots.map((_, index) => memberOfShard(record, index, manifest));
      if (new Set(seats).size !== erasureClass.n) t.fail(`${erasureClass.name}, ${replay}`);
      firsts.add(seats[0] as string);
      const index = random.below(erasureClass.n);
      t.equal(shardOfSeat(record, seatOfShard(record, index)), index, replay);
    }
    t.equal(firsts.size, erasureClass.n);
  }
  t.end();
});

test("policies and draws come out as they were frozen", (t) => {
  for (const { policy, canonical, hash } of vectors.policies) {
    t.equal(canonicalPolicy(policy), canonical);
    t.equal(hashOfPolicy(policy), hash);
  }
  for (const vector of vectors.draws) t.strictSame(peersDrawn(vector), vector.peers);
  t.end();
});

test("policies that mean the same have one canonical form", (t) => {
  const rule = (among: readonly string[]) =>
    ({ verb: "require", condition: { fact: "country", among } }) as const;
  const spread = [{ domain: "household", max: 1 }] as const;
  const one: Policy = { class: "auto", rules: [rule(["DE", "FR"]), rule(["FR"])], spread };
  const other: Policy = {
    class: "auto", rules: [rule(["FR"]), rule(["FR", "DE", "FR"])], spread: [...spread, ...spread],
  };
  t.equal(canonicalPolicy(one), canonicalPolicy(other));
  t.not(hashOfPolicy(one), hashOfPolicy({ ...one, class: "tiny" }));
  t.not(hashOfPolicy(one), hashOfPolicy({ ...one, rules: [] }));
  t.end();
});

function peersDrawn(vector: DrawVector): readonly number[] {
  const offers = Array.from({ length: vector.offers }, (_, at) => ({
    peer: peerOf(at), atMs: 0, household: `house ${at}`, country: undefined, addresses: [],
    quotaBytes: 2 ** 40, freeBytes: (1 + (at % 7)) * 2 ** 36, bytes: new Uint8Array(),
  }));
  const policy: Policy = {
    class: "auto", rules: [], spread: [{ domain: "household", max: 1 }],
  };
  const erasureClass = classNamed(vector.class);
  if (erasureClass === undefined) throw new Error(vector.class);
  const draw = drawGroup({ class: erasureClass, offers, policy, seed: vector.seed, nowMs: 0 });
  if (draw.state !== "drawn") throw new Error("impossible");
  return draw.peers.map((peer) => offers.findIndex((offer) => offer.peer === peer));
}

function manifestFor(name: string): Manifest {
  const erasureClass = classNamed(name);
  if (erasureClass === undefined) throw new Error(name);
  return {
    owner: parseOwnerId("ab".repeat(32)), group: parseGroupId("cd".repeat(16)), epoch: 1,
    class: erasureClass, policyHash: "00".repeat(32), bytes: new Uint8Array(),
    peers: Array.from({ length: erasureClass.n }, (_, at) => peerOf(at)),
  };
}

function recordFor(name: string, rotation: number): SegmentRecord {
  const { owner, group, class: erasureClass } = manifestFor(name);
  const { k, n } = erasureClass;
  return {
    segment: parseSegmentId("ef".repeat(32)), owner, group, k, n, shardBytes: 65_536, rotation,
    roots: Array.from({ length: n }, () => "00".repeat(32) as SegmentRecord["roots"][number]),
    createdAtMs: 0, bytes: new Uint8Array(),
  };
}

function peerOf(at: number): ReturnType<typeof parsePeerId> {
  return parsePeerId(`12D3KooW${String(at).padStart(24, "A").replaceAll("0", "z")}`);
}
