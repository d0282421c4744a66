/**
 * The policies that the drill `places` tries, in each of the language's forms, and beside each what
 * it comes to, said again by hand for the drill's own checker (test/support/world-truth.ts).
 */
import { type Rule, eu } from "../../../test/support/world-truth.ts";
import type { Dweller, Plan } from "../../../test/support/world-plan.ts";

export interface Row {
  readonly name: string;
  readonly text: string;
  readonly rule: Rule;
  /** Nobody may hold it: the data stays on the owner's machine. */
  readonly waits?: boolean;
  /** Those that the user vouches for. */
  readonly vouched?: readonly Dweller[];
}

type May = Rule["may"];
type More = Partial<Pick<Rule, "most" | "least" | "measured">> & Pick<Partial<Row>, "vouched">;

const inEu: May = (_one, country) => country !== undefined && eu.has(country);
const inEurope: May = (_one, country) => {
  return country !== undefined && (eu.has(country) || ["CH", "NO", "GB"].includes(country));
};
const anybody: May = () => true;
const nobody: May = () => false;

function among(...countries: readonly string[]): May {
  return (_one, country) => country !== undefined && countries.includes(country);
}

/** What is not known is not outside either. */
function outside(...countries: readonly string[]): May {
  return (_one, country) => country !== undefined && !countries.includes(country);
}

/** The class, and whatever else it must promise, is what `protect` is given. */
function row(name: string, kept: string, clauses: string, may: May, more: More = {}): Row {
  const { vouched, ...bounds } = more;
  const text = `policy ${name} { protect class ${kept}; ${clauses} }`;
  const rule = { class: kept.split(" ")[0] as string, may, ...bounds };
  return vouched === undefined ? { name, text, rule } : { name, text, rule, vouched };
}

function waiting(name: string, clauses: string): Row {
  return { ...row(name, "mirror", `${clauses} unsatisfiable queue;`, nobody), waits: true };
}

/** One drive's folders go by so many names at most. */
export function drivesOf(plan: Plan): readonly (readonly Row[])[] {
  return [byPlace(plan), byWho(plan), bySpread(), byRest()];
}

function byPlace({ dwellers }: Plan): readonly Row[] {
  const friends = dwellers.filter(({ number }) => number % 3 === 1).slice(0, 5);
  const isFriend: May = (one) => friends.some(({ number }) => number === one.number);
  return [
    row("eu-mirror", "mirror", "require region in EU;", inEu),
    row("eu-small", "small", "require region in EU;", inEu),
    row("eu-home", "home", "require region in EU;", inEu),
    row("eea", "small", "require region in EEA;", (one, country) => {
      return inEu(one, country) || country === "NO";
    }),
    row("efta", "mirror", "require region in EFTA;", among("CH", "NO")),
    row("before-2020", "mirror", "require region in EU@2013-07-01 and not region in EU@2020-02-01;",
      among("GB")),
    row("europe", "home", "require continent in Europe;", inEurope),
    row("overseas", "small", "forbid continent in Europe;", (one, country) => {
      return country !== undefined && !inEurope(one, country);
    }),
    row("three", "tiny", "require country in [DE, FR, NL];", among("DE", "FR", "NL")),
    row("not-four", "small", "forbid country in [US, CN, JP, GB];",
      outside("US", "CN", "JP", "GB")),
    row("both", "small", "require (region in EU or country in CH) and not country in [PT, ES];",
      (one, country) => {
        return (inEu(one, country) || country === "CH") && outside("PT", "ES")(one, country);
      }),
    row("nested", "small", "forbid not continent in Europe or country in GB;", (one, country) => {
      return inEurope(one, country) && country !== "GB";
    }),
    row("geoip", "small", "require region in EU; evidence location >= geoip;", inEu),
    row("vouched", "mirror", "require country in [DE, NL, BE, AT, CZ]; " +
      "evidence location >= confined;", isFriend, { vouched: friends }),
  ];
}

function byWho({ dwellers }: Plan): readonly Row[] {
  const asns = [...new Set(dwellers.flatMap(({ asn }) => asn ?? []))];
  const [few, many] = [asns.slice(0, 3), asns.slice(0, Math.ceil(asns.length / 2))];
  const four = dwellers.filter(({ number }) => number % 3 === 1).slice(0, 4);
  const isOfFour: May = ({ number }) => four.some((one) => one.number === number);
  const homes = four.map(({ household }) => `"${household}"`).join(", ");
  const keys = four.map(({ peer }) => `"${peer}"`).join(", ");
  const named: May = ({ household }) => four.some((one) => one.household === household);
  return [
    row("friends", "mirror", `require household in [${homes}];`, named),
    row("not-friends", "small", `forbid household in [${homes}];`, (one, country) => {
      return !named(one, country);
    }),
    row("keys", "mirror", `require peer in [${keys}];`, isOfFour),
    row("not-keys", "small", `forbid peer in [${keys}];`, (one, country) => {
      return !isOfFour(one, country);
    }),
    row("networks", "tiny", `require asn in [${many.join(", ")}];`, ({ asn }) => {
      return asn !== undefined && many.includes(asn);
    }),
    row("not-networks", "small", `forbid asn in [${few.join(", ")}];`, ({ asn }) => {
      return asn !== undefined && !few.includes(asn);
    }),
    row("any-of", "tiny", `require peer in [${keys}] or country in [BR, ZA];`, (one, country) => {
      return isOfFour(one, country) || among("BR", "ZA")(one, country);
    }),
    row("placed", "small", "require evidence location >= geoip;", ({ claims, shown }) => {
      return claims === shown;
    }),
    row("near", "small", "require rtt(me) <= 20000 ms;", anybody),
    row("near-eu", "tiny", "require region in EU; prefer rtt(me) <= 30 ms weight 3;", inEu),
    row("liked", "tiny", "prefer country in DE weight 100; prefer region in EU weight 0.5;",
      anybody),
    row("nines", "home durability >= 10 nines availability >= 3 nines", "", anybody),
  ];
}

function bySpread(): readonly Row[] {
  return [
    row("anywhere", "standard", "", anybody),
    row("two-a-home", "home", "spread max 2 per household;", anybody, { most: { household: 2 } }),
    row("one-a-home", "tiny", "spread max 1 per household; require country in [SE, GB, ZA];",
      among("SE", "GB", "ZA")),
    row("one-a-country", "small", "spread max 1 per country;", anybody, { most: { country: 1 } }),
    row("share-country", "small", "spread max 17% per country;", anybody, { most: { country: 2 } }),
    row("ten-countries", "small", "spread at least 10 country;", anybody, {
      least: { country: 10 },
    }),
    row("eu-five", "tiny", "require region in EU; spread at least 5 country;", inEu, {
      least: { country: 5 },
    }),
    row("two-a-network", "small", "spread max 2 per asn;", anybody, {
      most: { asn: 2 },
    }),
    row("share-network", "home", "spread max 9% per asn;", anybody, { most: { asn: 2 } }),
    row("one-a-prefix", "small", "spread max 1 per prefix;", anybody, { most: { prefix: 1 } }),
    row("many-prefixes", "small", "spread at least 8 prefix;", anybody, { least: { prefix: 8 } }),
    row("everything", "small", "require region in EU or country in [CH, NO]; " +
      "forbid country in [ES]; evidence location >= geoip; spread max 1 per household; " +
      "spread max 17% per asn; spread max 1 per prefix; spread max 2 per country; " +
      "spread at least 7 country; prefer rtt(me) <= 30 ms weight 3; processing { " +
      "encode by owner-device; repair by holder and region in EU; " +
      "audit by region in EU or self; }; unsatisfiable refuse;", (one, country) => {
      return (inEu(one, country) || among("CH", "NO")(one, country)) && country !== "ES";
    }, { most: { asn: 2, prefix: 1, country: 2 }, least: { country: 7 } }),
  ];
}

function byRest(): readonly Row[] {
  return [
    row("by-owner", "tiny", "require region in EU; processing { encode by owner-device and " +
      "country in DE; repair by self; audit by self; cache by holder; };", inEu),
    row("queued", "tiny", "require region in EU; unsatisfiable queue;", inEu),
    row("refusing", "tiny", "require region in EU; unsatisfiable refuse;", inEu),
    waiting("too-few", "require country in AQ;"),
    waiting("attested", "require region in EU; evidence location >= attested;"),
    waiting("version", "require version >= 0.1;"),
    waiting("operator", "forbid operator in alice;"),
    waiting("elsewhere", "processing { encode by country in JP; };"),
    waiting("contradiction", "require country in DE; forbid region in EU;"),
    waiting("hundred", "spread at least 60 country;"),
  ];
}

/** Refused when it is chosen: no class fits, or nobody is left. */
export const refusedRows: readonly { readonly name: string; readonly text: string }[] = [
  { name: "wide", text: "policy wide { protect class wide; unsatisfiable refuse; }" },
  { name: "japan", text: "policy japan { protect class tiny; require country in JP; }" },
  { name: "crowd", text: "policy crowd { protect class small; spread at least 30 country; }" },
];
