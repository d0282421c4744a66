/** argv to a typed command line, checked against the command table. */
import { parseArgs } from "node:util";
import { GiB, KiB, MiB } from "../../base/bytes.ts";
import { HiveError, assert } from "../../base/errors.ts";
import { type CommandSpec, optionUsage } from "./spec.ts";

export interface CommandLine {
  readonly operands: readonly string[];
  readonly flag: (name: string) => boolean;
  readonly text: (name: string) => string | undefined;
  /** Of an option that the table says is needed. */
  readonly given: (name: string) => string;
  /** A whole number; Usage when it is none. */
  readonly count: (name: string) => number | undefined;
  readonly bytes: (name: string) => number | undefined;
  readonly share: (name: string) => number | undefined;
  /** In milliseconds: 90s, 30m, 1h30m, 2d. */
  readonly duration: (name: string) => number | undefined;
}

export function parseCommandLine(command: CommandSpec, words: readonly string[]): CommandLine {
  const { values, positionals } = parseWords(command, words);
  refuseUnfit(command, { values, positionals });
  const text = (name: string): string | undefined => {
    const value = values.get(name);
    return typeof value === "string" ? value : undefined;
  };
  function read<T>(
    name: string, parse: (text: string) => T | undefined, what: string,
  ): T | undefined {
    const given = text(name);
    if (given === undefined) return undefined;
    const value = parse(given);
    if (value !== undefined) return value;
    throw usage(command, `--${name} ${given}: ${what} is needed`);
  }
  return {
    operands: positionals,
    flag: (name) => values.get(name) === true,
    text,
    given(name) {
      const value = text(name);
      assert(value !== undefined, `--${name} is needed`);
      return value;
    },
    count: (name) => read(name, parseCount, "a whole number"),
    bytes: (name) => read(name, parseBytes, "a size such as 512M or 4G"),
    share: (name) => read(name, parseShare, "a share from 0 to 1"),
    duration: (name) => read(name, parseDuration, "a time such as 30m, 12h or 2d"),
  };
}

/** What the table says of all that was given together. */
function refuseUnfit(
  command: CommandSpec, { values, positionals }: ReturnType<typeof parseWords>,
): void {
  if (positionals.length > command.operandsMax) {
    throw usage(command, `too many operands: ${positionals.slice(command.operandsMax).join(" ")}`);
  }
  // As of a variable that is not set: the folder one is in would be taken for it.
  if (positionals.includes("")) throw usage(command, "an operand is empty");
  const empty = command.options.find(({ name }) => values.get(name) === "");
  if (empty !== undefined) throw usage(command, `--${empty.name}: its value is empty`);
  const absent = command.options.find(({ name, isNeeded }) => isNeeded && !values.has(name));
  if (absent !== undefined) throw usage(command, `${optionUsage(absent)} is needed`);
}

/** 512M, 4G, 65536: binary units, as du and dd use them. */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d{1,12})([KMGT]?)(?:i?B)?$/i.exec(text);
  if (match === null) return undefined;
  const units = { "": 1, K: KiB, M: MiB, G: GiB, T: 1024 * GiB };
  const unit = units[(match[2] as string).toUpperCase() as keyof typeof units];
  const value = Number(match[1]) * unit;
  return Number.isSafeInteger(value) ? value : undefined;
}

function parseCount(text: string): number | undefined {
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

/** 90s, 30m, 1h30m, 2d: what is longer than a year is no pause. */
export function parseDuration(text: string): number | undefined {
  const match = /^(?:(\d{1,3})d)?(?:(\d{1,4})h)?(?:(\d{1,5})m)?(?:(\d{1,7})s)?$/.exec(text);
  const [days = 0, hours = 0, minutes = 0, seconds = 0] =
    match?.slice(1).map((part) => Number(part ?? 0)) ?? [];
  const ms = (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000;
  return ms > 0 && ms <= 366 * 24 * 3600_000 ? ms : undefined;
}

function parseShare(text: string): number | undefined {
  const value = Number(text);
  return text !== "" && value >= 0 && value <= 1 ? value : undefined;
}

function parseWords(command: CommandSpec, words: readonly string[]) {
  const entries = command.options.map((option) => [
    option.name,
    {
      type: option.value === undefined ? ("boolean" as const) : ("string" as const),
      ...(option.short === undefined ? {} : { short: option.short }),
    },
  ]);
  try {
    const options = { ...Object.fromEntries(entries), help: { type: "boolean" as const } };
    const parsed = parseArgs({ args: [...words], options, allowPositionals: true });
    return { values: new Map(Object.entries(parsed.values)), positionals: parsed.positionals };
  } catch (cause) {
    throw usage(command, wrongWords(cause), { cause });
  }
}

/** Node's own words, as far as they say what is wrong. */
function wrongWords(cause: unknown): string {
  const [why = "", , hint = ""] = cause instanceof Error ? cause.message.split(/\.\s|\?\s/) : [];
  const lead = why.charAt(0).toLowerCase() + why.slice(1);
  // What looks like an option where a value should be.
  return why.endsWith("is ambiguous") ? `${lead}: ${hint.replace(/^To/, "to")}` : lead;
}

function usage(command: CommandSpec, why: string, options: ErrorOptions = {}): HiveError {
  return new HiveError("Usage", command.name, why, options);
}
