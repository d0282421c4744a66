/** The language of limits: what it says when, and what is said of a word that is wrong. */
import { test } from "tap";
import { KiB, MiB } from "../../src/base/bytes.ts";
import { isFault } from "../../src/base/errors.ts";
import { parseMetered, parseTimetable } from "../../src/cli/home/timetable.ts";
import { perSecondAt } from "../../src/traffic/hours.ts";
import { parseDuration } from "../../src/cli/table/parse.ts";

/** In the zone of the test; 2026-11-22 is a Sunday. */
function at(day: number, hour: number, minute = 0): number {
  return new Date(2026, 10, 22 + day, hour, minute).getTime();
}

test("the last entry that fits holds", (t) => {
  const table = parseTimetable("2 MiB/s, 22:00-06:00 unlimited, sat-sun 08:00-20:00 512 KiB/s");
  const cases: readonly (readonly [number, number | null, string])[] = [
    [at(3, 12), 2 * MiB, "at noon"],
    [at(3, 21, 59), 2 * MiB, "just before ten"],
    [at(3, 22), null, "at ten"],
    [at(4, 5, 59), null, "in the morning"],
    [at(4, 6), 2 * MiB, "at six"],
    [at(6, 8), 512 * KiB, "on Saturday"],
    [at(0, 19, 59), 512 * KiB, "on Sunday"],
    [at(0, 20), 2 * MiB, "on Sunday evening"],
    [at(0, 23), null, "on Sunday night"],
    [at(1, 9), 2 * MiB, "on Monday"],
  ];
  for (const [ms, perSecond, what] of cases) t.equal(perSecondAt(table, ms), perSecond, what);
  t.end();
});

test("hours that begin on a day end with the next morning", (t) => {
  const table = parseTimetable("1 MiB/s, fri 22:00-06:00 0, tue unlimited");
  t.equal(perSecondAt(table, at(5, 23)), 0, "Friday night");
  t.equal(perSecondAt(table, at(6, 5)), 0, "still the same night");
  t.equal(perSecondAt(table, at(6, 23)), MiB, "not the next one");
  t.equal(perSecondAt(table, at(5, 5)), MiB, "nor the one before");
  t.equal(perSecondAt(table, at(2, 0)), null, "all of Tuesday");
  t.equal(perSecondAt(table, at(2, 23, 59)), null);
  t.equal(perSecondAt(parseTimetable("08:00-24:00 1 MiB/s"), at(2, 23, 59)), MiB);
  t.equal(perSecondAt(parseTimetable("08:00-18:00 1 MiB/s"), at(2, 7)), null, "no entry, no limit");
  t.equal(perSecondAt([], at(2, 7)), null);
  t.end();
});

test("hours are the user's, also where the clocks are put back", (t) => {
  const before = process.env["TZ"];
  process.env["TZ"] = "Europe/Berlin";
  t.teardown(() => before === undefined ? delete process.env["TZ"] : process.env["TZ"] = before);
  const table = parseTimetable("1 MiB/s, 02:00-03:00 0");
  const nightMs = Date.UTC(2026, 9, 25);
  const minutes = Array.from({ length: 6 * 60 }, (_, minute) => nightMs + minute * 60_000);
  t.equal(minutes.filter((ms) => perSecondAt(table, ms) === 0).length, 120, "that hour comes twice");
  t.end();
});

test("rates are bytes, or bits as providers count them", (t) => {
  const cases = {
    "64 KiB/s": 64 * KiB, "1.5MiB/s": 1.5 * MiB, "10 Mbit/s": 1_250_000, "300 kB/s": 300_000,
    "0": 0, "0 B/s": 0, "unlimited": null,
  };
  for (const [text, perSecond] of Object.entries(cases)) {
    t.equal(perSecondAt(parseTimetable(text), 0), perSecond, text);
  }
  t.end();
});

test("an error points at the word", (t) => {
  const cases = {
    "2 MBs": "at character 3: MBs: no unit",
    "2": "at character 1: 2: a unit is missing",
    "fast": "at character 1: fast: no rate",
    "2 MiB/s, 22:00-25:00 0": "at character 10: 22:00-25:00: no hours",
    "2 MiB/s, 08:00-08:00 0": "at character 10: 08:00-08:00: no hours",
    "2 MiB/s, 8-18 0": "at character 10: 8-18: no hours",
    "2 MiB/s, mon-fre 0": "at character 10: mon-fre: no days",
    "2 MiB/s, sat": "at character 10: sat: a rate is missing",
    "2 MiB/s, 3 MiB/s": "at character 10: 3: a rate without days or hours stands first",
    "2 MiB/s or so": "at character 9: or: nothing may stand",
    "unlimited 3": "at character 11: 3: nothing may stand",
    "10 B/s": "at character 1: 10: less than 1 KiB/s",
    "2 MiB/s,": "a rate is missing",
    "": "a rate is missing",
    [`2 MiB/s${", 08:00-09:00 0".repeat(13)}`]: "longer than 200 characters",
    [`0${",sat 0".repeat(16)}`]: "at character 93: sat: more entries",
  };
  for (const [text, words] of Object.entries(cases)) {
    try {
      parseTimetable(text);
      t.fail(`${text} was taken`);
    } catch (error) {
      t.ok(isFault(error, "Invalid") && error.subject.startsWith(words), `${text}: ${error}`);
    }
  }
  t.end();
});

test("what a metered link means, and how long a pause lasts", (t) => {
  t.strictSame(["pause", "ignore", "64 KiB/s", "0", "unlimited"].map(parseMetered),
    ["pause", "ignore", 64 * KiB, "pause", "ignore"]);
  t.throws(() => parseMetered("sometimes"));
  t.throws(() => parseMetered("1 MiB/s, 08:00-09:00 0"));
  t.strictSame(["90s", "30m", "1h30m", "2d", "0s", "", "soon", "1m2h", "400d"].map(parseDuration),
    [90_000, 1_800_000, 5_400_000, 172_800_000, ...Array(5).fill(undefined)]);
  t.end();
});
