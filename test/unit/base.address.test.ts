/** Addresses: which are places, whose line they are, and what the tables say of them. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "tap";
import { seededRandom } from "../../src/base/random.ts";
import { type Address, isNear, isPublic, lineOf, parseAddress, prefixOf }
  from "../../src/base/address.ts";
import { RangeTable, openTables } from "../../src/places/tables.ts";
import { outcomeOf } from "../support/faults.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/base.address.test.ts`;

function at(text: string): Address {
  return parseAddress(text) as Address;
}

test("local, private, shared, reserved and documentary addresses are no places", (t) => {
  const nowhere = [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.7.7", "100.64.0.1",
    "100.127.255.255", "169.254.9.9", "0.0.0.0", "224.0.0.1", "255.255.255.255", "203.0.113.4",
    "::1", "::", "fe80::1", "fd12::1", "fc00::1", "ff02::1", "2001:db8::1", "2001::1",
    "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:c0a8:101::1", "3fff::1",
  ];
  for (const text of nowhere) t.notOk(isPublic(at(text)), text);
  const somewhere = [
    "1.1.1.1", "172.15.255.255", "172.32.0.0", "100.63.255.255", "100.128.0.0", "192.0.1.1",
    "2001:4860:4860::8888", "2a02:168::1", "::ffff:8.8.8.8", "2002:808:808::1", "2000::1",
  ];
  for (const text of somewhere) t.ok(isPublic(at(text)), text);
  for (const text of ["", "1.2.3", "fe80::1%eth0", "example.org", "1.2.3.4/24", "::g"]) {
    t.equal(parseAddress(text), undefined, text);
  }
  t.end();
});

test("near is this machine and a network at home, and no carrier's", (t) => {
  const near = ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.7.7", "169.254.9.9", "::1",
    "fe80::1", "fd12::1", "::ffff:10.0.0.1"];
  for (const text of near) t.ok(isNear(at(text)), text);
  const far = ["1.1.1.1", "100.64.0.1", "172.32.0.0", "203.0.113.4", "2a02:168::1", "::2"];
  for (const text of far) t.notOk(isNear(at(text)), text);
  t.end();
});

test("a prefix is a /24 or a /48, a line an address or a /56", (t) => {
  t.equal(prefixOf(at("81.2.69.142")), "81.2.69.0/24");
  t.equal(lineOf(at("81.2.69.142")), "81.2.69.142/32");
  t.equal(prefixOf(at("2a02:168:1:2ff::5")), "2a02:168:1::/48");
  t.equal(lineOf(at("2a02:168:1:2ff::5")), "2a02:168:1:200::/56");
  t.equal(lineOf(at("2a02:168:1:2aa:1:2:3:4")), lineOf(at("2a02:168:1:2bb::")));
  t.not(lineOf(at("2a02:168:1:1ff::")), lineOf(at("2a02:168:1:200::")));
  t.equal(prefixOf(at("::ffff:81.2.69.142")), "81.2.69.0/24", "a mapped one is the one inside");
  t.equal(prefixOf(at("2002:5102:458e::1")), "81.2.69.0/24", "and so is one of 6to4");
  t.end();
});

test("a table is searched where it lies as a plain search would", (t) => {
  const random = seededRandom(`places.table/${seed}`);
  const directory = mkdtempSync(join(tmpdir(), "hive-places-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  for (const count of [0, 1, 2, 7, 40, 3000]) {
    let next = BigInt(random.below(50));
    const rows = Array.from({ length: count }, (_, at) => {
      const first = next;
      const last = first + BigInt(random.below(1000));
      next = last + 1n + BigInt(random.below(3) * random.below(500));
      return { first, last, value: `V${at}` };
    });
    const file = join(directory, `${count}.csv`);
    const name = (at: number) => "x".repeat((at * 37) % 200);
    const lines = rows.map(({ first, last, value }, at) => `${first},${last},${value},${name(at)}\n`);
    writeFileSync(file, lines.join(""));
    using table = new RangeTable(() => file);
    for (let trial = 0; trial < 2000; trial++) {
      const row = rows[random.below(Math.max(1, count))];
      const edge = trial % 2 === 0 ? row?.first : row?.last;
      const wanted = (edge ?? 7n) + BigInt(random.below(3)) - 1n;
      const right = rows.find(({ first, last }) => wanted >= first && wanted <= last)?.value;
      const found = table.find(wanted < 0n ? 0n : wanted);
      if (wanted >= 0n && found !== right) t.fail(`${wanted} of ${count}: ${found}; ${replay}`);
    }
  }
  const broken = join(directory, "broken.csv");
  writeFileSync(broken, "no table\n".repeat(400));
  using table = new RangeTable(() => broken);
  t.equal(outcomeOf(() => table.find(5n)), "Corrupt");
  using absent = new RangeTable(() => undefined);
  t.equal(absent.find(5n), undefined, "a table that is not installed knows nothing");
  t.end();
});

test("the tables know well-known networks, of both families", (t) => {
  using tables = openTables();
  const known: readonly (readonly [string, string, number])[] = [
    ["129.132.1.1", "CH", 559], ["8.8.8.8", "US", 15169], ["130.89.1.1", "NL", 1133],
    ["133.11.0.1", "JP", 2501], ["2001:200::1", "JP", 2500], ["2001:638::1", "DE", 680],
    ["2001:4860:4860::8888", "US", 15169],
  ];
  for (const [text, country, asn] of known) {
    t.equal(tables.countryOf(at(text)), country, text);
    t.equal(tables.asnOf(at(text)), asn, text);
  }
  for (const text of ["10.0.0.1", "100.64.1.1", "::1", "fd00::1"]) {
    t.equal(tables.countryOf(at(text)), undefined, text);
    t.equal(tables.asnOf(at(text)), undefined, text);
  }
  t.end();
});
