/**
 * Countries by their ISO 3166-1 codes, the continent each lies in (as the UN's geoscheme has it,
 * with the Americas in two), and unions of countries as of a date. A policy names a union with
 * that date (EU@2020-02-01), so that its meaning, and with it its hash, never changes unnoticed.
 *
 * A union has its member states alone: a territory with a code of its own is not in it. The tables
 * were right on 2026-01-01.
 */
import { assert } from "../../base/errors.ts";

const words = (text: string): readonly string[] => text.trim().split(/\s+/);

const continents: ReadonlyMap<string, readonly string[]> = new Map([
  ["Africa", words(`
    AO BF BI BJ BW CD CF CG CI CM CV DJ DZ EG EH ER ET GA GH GM GN GQ GW IO KE KM LR LS LY MA MG ML
    MR MU MW MZ NA NE NG RE RW SC SD SH SL SN SO SS ST SZ TD TF TG TN TZ UG YT ZA ZM ZW`)],
  ["Antarctica", words("AQ")],
  ["Asia", words(`
    AE AF AM AZ BD BH BN BT CN CY GE HK ID IL IN IQ IR JO JP KG KH KP KR KW KZ LA LB LK MM MN MO MV
    MY NP OM PH PK PS QA SA SG SY TH TJ TL TM TR TW UZ VN YE`)],
  ["Europe", words(`
    AD AL AT AX BA BE BG BY CH CZ DE DK EE ES FI FO FR GB GG GI GR HR HU IE IM IS IT JE LI LT LU LV
    MC MD ME MK MT NL NO PL PT RO RS RU SE SI SJ SK SM UA VA XK`)],
  ["North-America", words(`
    AG AI AW BB BL BM BQ BS BZ CA CR CU CW DM DO GD GL GP GT HN HT JM KN KY LC MF MQ MS MX NI PA PM
    PR SV SX TC TT US VC VG VI`)],
  ["Oceania", words(`
    AS AU CC CK CX FJ FM GU HM KI MH MP NC NF NR NU NZ PF PG PN PW SB TK TO TV UM VU WF WS`)],
  ["South-America", words("AR BO BR BV CL CO EC FK GF GS GY PE PY SR UY VE")],
]);

const union27 = words(`
  AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK`);

/** Each union from the day since when its members are these; the last of a name is the newest. */
const unions: readonly { readonly name: string; readonly countries: readonly string[] }[] = [
  { name: "EU@2013-07-01", countries: [...union27, "GB"] },
  { name: "EU@2020-02-01", countries: union27 },
  { name: "EEA@2020-02-01", countries: [...union27, "IS", "LI", "NO"] },
  { name: "EFTA@1995-01-01", countries: words("CH IS LI NO") },
];

const countries: ReadonlySet<string> = new Set([...continents.values()].flat());

/** Codes that ISO 3166 leaves to its users: they stand for no place, and none is ever there. */
const leftToUsers = /^(AA|Q[M-Z]|X[A-Z]|ZZ)$/;

export const continentNames: readonly string[] = [...continents.keys()];
export const regionNames: readonly string[] = unions.map(({ name }) => name);

export function isCountry(code: string): boolean {
  return countries.has(code);
}

/** A code that a policy may name, even if nobody can be there. */
export function mayBeNamed(code: string): boolean {
  return isCountry(code) || leftToUsers.test(code);
}

/** The name with its date, from one with or without; undefined when there is none. */
export function regionNamed(name: string): string | undefined {
  return regionNames.findLast((known) => known === name || known.startsWith(`${name}@`));
}

/** The countries of a union or a continent. */
export function countriesOf(name: string): readonly string[] {
  const found = continents.get(name) ?? unions.find((union) => union.name === name)?.countries;
  assert(found !== undefined, `no region ${name}`);
  return found;
}
