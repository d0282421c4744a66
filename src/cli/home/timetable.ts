/**
 * The language of limits, as users write it in the settings and on the command line. Pure.
 *
 *   2 MiB/s, 22:00-06:00 unlimited, sat-sun 08:00-20:00 512 KiB/s
 *
 * Entries stand between commas: days, hours, both or neither, then a rate. Each stands on its own
 * and the last one that fits holds, so that nobody has to look for where a stretch of time ends.
 */
import { GiB, KiB, MiB } from "../../base/bytes.ts";
import { HiveError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Hours, Timetable, TrafficOrders } from "../../base/traffic.ts";

interface Word {
  readonly text: string;
  /** Of its first character, counted from 1. */
  readonly at: number;
}

const dayNames = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;
const everyDay: readonly number[] = dayNames.map((_, day) => day);
const dayMinutes = 24 * 60;

/** Bytes; providers count in bits and in thousands. */
const units: Readonly<Record<string, number>> = {
  "B/s": 1, "KiB/s": KiB, "MiB/s": MiB, "GiB/s": GiB,
  "kB/s": 1e3, "KB/s": 1e3, "MB/s": 1e6, "GB/s": 1e9,
  "kbit/s": 1e3 / 8, "Mbit/s": 1e6 / 8, "Gbit/s": 1e9 / 8,
};

/** Invalid with the word that is wrong, and where it stands. */
export function parseTimetable(text: string): Timetable {
  const entries = entriesOf(text);
  const tooMany = entries[limits.traffic.entriesMax];
  if (tooMany !== undefined) throw wrong(tooMany[0], "more entries than anybody needs");
  return entries.map(parseEntry);
}

/** One rate, for whatever knows no hours. */
function parseRate(text: string): number | null {
  const [words = [], next] = entriesOf(text);
  if (next !== undefined) throw wrong(next[0], "one rate is all that fits here");
  return rateIn(words);
}

/** What the settings may say of metered links. */
export function parseMetered(text: string): TrafficOrders["metered"] {
  if (text === "pause" || text === "ignore") return text;
  const perSecond = parseRate(text);
  return perSecond === null ? "ignore" : perSecond === 0 ? "pause" : perSecond;
}

function entriesOf(text: string): Word[][] {
  if (text.length > limits.traffic.charsMax) {
    throw new HiveError("Invalid", "limit", `longer than ${limits.traffic.charsMax} characters`);
  }
  const entries: Word[][] = [[]];
  for (const { 0: word, index } of text.matchAll(/,|[^\s,]+/g)) {
    if (word === ",") entries.push([]);
    else entries.at(-1)?.push({ text: word, at: index + 1 });
  }
  if (entries.every((words) => words.length > 0)) return entries;
  throw new HiveError("Invalid", "limit", "a rate is missing, such as 2 MiB/s or unlimited");
}

function parseEntry(words: readonly Word[], at: number): Hours {
  const rest = [...words];
  const days = daysIn(rest[0]);
  if (days !== undefined) rest.shift();
  const hours = hoursIn(rest[0]);
  if (hours !== undefined) rest.shift();
  const isPlain = days === undefined && hours === undefined;
  if (isPlain && at > 0) throw wrong(words[0], "a rate without days or hours stands first");
  const [fromMinute, toMinute] = hours ?? [0, dayMinutes];
  return { days: days ?? everyDay, fromMinute, toMinute, perSecond: rateIn(rest, words.at(-1)) };
}

/** `sat`, or `mon-fri`; undefined for a word that begins with none. */
function daysIn(word: Word | undefined): readonly number[] | undefined {
  const match = /^([a-z]{3})(?:-([a-z]*))?$/i.exec(word?.text ?? "");
  if (word === undefined || match === null) return undefined;
  const [first, last] = [match[1], match[2] ?? match[1]].map(dayOf);
  if (first === -1 && match[2] === undefined) return undefined;
  if (first === -1 || last === -1) throw wrong(word, `no days; such as ${dayNames[1]}-fri`);
  const count = ((last as number) - (first as number) + 7) % 7 + 1;
  return Array.from({ length: count }, (_, day) => ((first as number) + day) % 7);
}

function dayOf(name: string | undefined): number {
  return dayNames.findIndex((day) => day === name?.toLowerCase());
}

/** `22:00-06:00`; undefined for a word that is not meant so. */
function hoursIn(word: Word | undefined): readonly [number, number] | undefined {
  if (word === undefined || !/:|^\d+-/.test(word.text)) return undefined;
  const match = /^(\d{1,2}):(\d\d)-(\d{1,2}):(\d\d)$/.exec(word.text);
  const [fromHour = NaN, from = NaN, toHour = NaN, to = NaN] = match?.slice(1).map(Number) ?? [];
  const [first, last] = [fromHour * 60 + from, toHour * 60 + to];
  const isTime = from < 60 && to < 60 && first < dayMinutes && last <= dayMinutes;
  if (!isTime || first === last) throw wrong(word, "no hours; such as 22:00-06:00");
  return [first, last];
}

function rateIn(words: readonly Word[], before?: Word): number | null {
  const [first, second, third] = words;
  if (first === undefined) throw wrong(before, "a rate is missing behind it");
  if (third !== undefined) throw wrong(third, "nothing may stand behind a rate");
  const match = /^(\d{1,12}(?:\.\d{1,6})?)(.*)$/.exec(first.text);
  if (match === null) return rateNamed(first, second);
  const [, digits, attached = ""] = match;
  if (attached !== "" && second !== undefined) throw wrong(second, "the unit is there already");
  const unit = attached === "" ? second : { text: attached, at: first.at + (digits?.length ?? 0) };
  return perSecondOf(Number(digits), { number: first, unit });
}

function rateNamed(word: Word, next: Word | undefined): null {
  if (word.text !== "unlimited") throw wrong(word, "no rate; such as 2 MiB/s, 0 or unlimited");
  if (next !== undefined) throw wrong(next, "nothing may stand behind a rate");
  return null;
}

function perSecondOf(
  count: number, { number, unit }: { readonly number: Word; readonly unit: Word | undefined },
): number {
  if (unit === undefined && count === 0) return 0;
  if (unit === undefined) throw wrong(number, `a unit is missing: ${unitNames}`);
  const bytes = units[unit.text];
  if (bytes === undefined) throw wrong(unit, `no unit; there are ${unitNames}`);
  const perSecond = Math.round(count * bytes);
  if (perSecond === 0 && count === 0) return 0;
  const { perSecondMin, perSecondMax } = limits.traffic;
  if (perSecond >= perSecondMin && perSecond <= perSecondMax) return perSecond;
  throw wrong(number, perSecond < perSecondMin ? "less than 1 KiB/s" : "more than any line bears");
}

const unitNames = Object.keys(units).join(", ");

function wrong(word: Word | undefined, why: string): HiveError {
  const where = word === undefined ? "" : `at character ${word.at}: ${word.text}: `;
  return new HiveError("Invalid", "limit", `${where}${why}`);
}
