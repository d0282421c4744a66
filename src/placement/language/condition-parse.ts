/**
 * The conditions of a policy's clauses, from their words. `and` binds closer than `or`, `not`
 * closer than both. Names are checked here: a country that does not exist would require nothing
 * that can ever be, or forbid nothing.
 */
import { limits } from "../../base/limits.ts";
import type { Reader } from "./policy-reader.ts";
import { faultAt, unexpected } from "./policy-tokens.ts";
import { type Role, evidenceLevels, factWords, roleWords } from "./policy-words.ts";
import type { Condition, NamedFact } from "./policy.ts";
import { continentNames, mayBeNamed, regionNamed, regionNames } from "./regions.ts";

export interface Asked {
  /** Roles are known of who processes data, not of who may hold it. */
  readonly roles: boolean;
}

export function readCondition(reader: Reader, asked: Asked, depth = 0): Condition {
  if (depth > limits.policy.depthMax) throw faultAt(reader.next, "nested too deep");
  const parts = [readAll(reader, asked, depth)];
  while (reader.skip("or")) parts.push(readAll(reader, asked, depth));
  return oneOr(parts, (any) => ({ any }));
}

function readAll(reader: Reader, asked: Asked, depth: number): Condition {
  const parts = [readOne(reader, asked, depth)];
  while (reader.skip("and")) parts.push(readOne(reader, asked, depth));
  return oneOr(parts, (all) => ({ all }));
}

function readOne(reader: Reader, asked: Asked, depth: number): Condition {
  if (depth > limits.policy.depthMax) throw faultAt(reader.next, "nested too deep");
  if (reader.skip("not")) return { not: readOne(reader, asked, depth + 1) };
  if (reader.skip("(")) {
    const inner = readCondition(reader, asked, depth + 1);
    reader.expect(")");
    return inner;
  }
  return readFact(reader, asked);
}

function readFact(reader: Reader, { roles }: Asked): Condition {
  if (reader.isNext(...roleWords)) return readRole(reader, roles);
  const fact = reader.oneOf(factWords, roles ? "a role or a condition" : "a condition");
  switch (fact) {
    case "rtt":
      reader.expect("(", "me", ")", "<=");
      return { fact, atMostMs: reader.number("milliseconds", { min: 0, max: 60_000, unit: "ms" }) };
    case "evidence":
      reader.expect("location", ">=");
      return { fact, atLeast: reader.oneOf(evidenceLevels, "how well a location is known") };
    case "version":
      return reader.skip(">=") ? { fact, atLeast: readVersion(reader) } : readNamed(reader, fact);
    default:
      return readNamed(reader, fact);
  }
}

function readRole(reader: Reader, isAsked: boolean): Condition {
  const token = reader.next;
  const role: Role = reader.oneOf(roleWords, "a role");
  if (isAsked) return { fact: "role", among: [role] };
  throw faultAt(token, `${role} may stand in processing only: it says who does, not who keeps`);
}

function readVersion(reader: Reader): string {
  const token = reader.name("a version");
  if (/^\d{1,6}(\.\d{1,6}){0,3}$/.test(token.text)) return token.text;
  throw unexpected(token, "a version, such as 1.2.0");
}

/** `in NAME`, or `in [NAME, NAME]`. */
function readNamed(reader: Reader, fact: NamedFact): Condition {
  reader.expect("in");
  if (!reader.skip("[")) return { fact, among: [readName(reader, fact)] };
  const among = [readName(reader, fact)];
  while (reader.skip(",")) {
    if (among.length === limits.policy.namesMax) throw faultAt(reader.next, "too many names");
    among.push(readName(reader, fact));
  }
  reader.expect("]");
  return { fact, among };
}

function readName(reader: Reader, fact: NamedFact): string {
  const token = reader.name(`a name of ${fact}`);
  const { parse, expected } = names[fact];
  const name = parse(token.text);
  if (name === undefined) throw unexpected(token, expected);
  return name;
}

const text = (name: string): string | undefined => {
  const length = Buffer.byteLength(name);
  return length > 0 && length <= limits.records.nameBytesMax ? name : undefined;
};
const matching = (shape: RegExp) => (name: string) => (shape.test(name) ? name : undefined);

/** What may be named of each fact. */
const names: Readonly<Record<NamedFact, {
  readonly parse: (name: string) => string | undefined; readonly expected: string;
}>> = {
  country: {
    parse: (code) => (mayBeNamed(code) ? code : undefined),
    expected: "a country's two capital letters (ISO 3166)",
  },
  region: { parse: regionNamed, expected: `a region (${regionNames.join(", ")})` },
  continent: {
    parse: (name) => continentNames.find((known) => known === name),
    expected: `a continent (${continentNames.join(", ")})`,
  },
  asn: { parse: matching(/^(0|[1-9]\d{0,9})$/), expected: "an AS number, without AS before it" },
  household: { parse: text, expected: "a household's name" },
  operator: { parse: text, expected: "an operator's name" },
  peer: { parse: matching(/^[1-9A-HJ-NP-Za-km-z]{30,128}$/), expected: "a peer's id" },
  version: { parse: text, expected: "a version" },
};

function oneOr(
  parts: readonly Condition[], join: (parts: readonly Condition[]) => Condition,
): Condition {
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : join(parts);
}
