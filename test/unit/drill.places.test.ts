/** The checker of the drill `places` itself: it cries where a rule is broken, and nowhere else. */
import { test } from "tap";
import { judgeRow, type Placed } from "../../scripts/drills/places/judge.ts";
import type { Row } from "../../scripts/drills/places/policies.ts";
import type { Dweller } from "../support/world-plan.ts";
import { peerOf } from "../support/policies.ts";

const countries = ["DE", "NL", "BE", "AT", "CZ", "DK", "FR", "PL", "SE", "ES", "DE", "NL"];
const rule = { class: "small", may: () => true, least: { country: 10 } };
const row: Row = { name: "ten", text: "", rule };

function dwellerOf(number: number, country: string, told: Partial<Dweller> = {}): Dweller {
  return {
    number, town: number, country, claims: country, shown: country, peer: peerOf(number),
    seedHex: "", household: `home ${number}`, at: { latitude: 0, longitude: 0 },
    address: `10.0.${number}.1`, port: 1, asn: number, ...told,
  };
}

/** One segment whose second to fourth shards are filler, and another one's that are the same. */
function judged(dwellers: readonly Dweller[], one: Row = row) {
  const seats = dwellers.slice(0, 12);
  const roots = seats.map((_, at) => (at > 0 && at < 4 ? "filler" : `shard ${at}`));
  const segment: Placed = {
    name: "ten", group: "g", k: 4, n: 12, shardBytes: 2 ** 20, roots,
    holders: seats.map(({ peer }) => peer),
  };
  const other = { ...segment, name: "other", group: "h", roots: Array(12).fill("filler") };
  const holders = new Map(roots.map((root, at) => [root, [seats[at] as Dweller]]));
  holders.set("filler", [...dwellers]);
  return judgeRow(one, { placed: [segment, other], holders, dwellers }).violations;
}

test("members that were given filler alone are members all the same", (t) => {
  const dwellers = countries.map((country, at) => dwellerOf(at + 1, country));
  t.strictSame(judged(dwellers), []);
  t.end();
});

test("who has the same filler of another segment is no member", (t) => {
  const dwellers = countries.map((country, at) => dwellerOf(at + 1, at === 9 ? "DE" : country));
  const others = [dwellerOf(13, "PT"), dwellerOf(14, "NO")];
  t.match(judged([...dwellers, ...others]), [/^9 of country, where 10 must be: 1 segments/]);
  t.end();
});

test("a liar may be believed to be where its address is, or nowhere", (t) => {
  const liar = dwellerOf(10, "ES", { claims: "JP" });
  const dwellers = countries.map((country, at) => dwellerOf(at + 1, country)).with(9, liar);
  t.strictSame(judged(dwellers), [], "round trips may have shown it");
  const neighbour = dwellers.with(4, dwellerOf(5, "ES"));
  t.match(judged(neighbour), [/^9 of country/], "of what is true it makes one country alone");
  const most: Row = { ...row, rule: { class: "small", may: () => true, most: { country: 2 } } };
  t.strictSame(judged(neighbour.with(5, dwellerOf(6, "ES")), most), [], "nor need it be a third");
  t.match(judged(neighbour.with(5, dwellerOf(6, "DE")), most), [/^3 in country DE/]);
  t.end();
});

test("a shard that is nowhere is told", (t) => {
  const dwellers = countries.map((country, at) => dwellerOf(at + 1, country));
  const placed: Placed = {
    name: "ten", group: "g", k: 4, n: 12, shardBytes: 2 ** 20, holders: [],
    roots: dwellers.map((_, at) => `shard ${at}`),
  };
  const holders = new Map(placed.roots.slice(1).map((root, at) => {
    return [root, [dwellers[at + 1] as Dweller]] as const;
  }));
  const { violations } = judgeRow({ ...row, rule: { class: "small", may: () => true } },
    { placed: [placed], holders, dwellers });
  t.strictSame(violations, ["1 of 12 shards are nowhere"]);
  t.end();
});
