/**
 * One line per event, to whatever sink `hive.ts` gives. It never prints keys, words, file names or
 * contents: call sites pass ids, counts and kinds; `describe` gives an error without its data.
 */
import { writeSync } from "node:fs";
import { HiveError } from "./errors.ts";
import { oneLine } from "./harmless.ts";

const levels = ["debug", "info", "warn", "error"] as const;
export type Level = (typeof levels)[number];
export type Fields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Log {
  debug(event: string, fields?: Fields): void;
  info(event: string, fields?: Fields): void;
  warn(event: string, fields?: Fields): void;
  error(event: string, fields?: Fields): void;
}

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** A log that writes `time level event key=value ...` lines of at least the given level. */
export function lineLog(options: { level: Level; write: (line: string) => void }): Log {
  const least = levels.indexOf(options.level);
  const at = (level: Level) => (event: string, fields: Fields = {}) => {
    if (levels.indexOf(level) < least) return;
    const words = Object.entries(fields).filter(([, value]) => value !== undefined);
    const tail = words.map(([key, value]) => ` ${key}=${quote(String(value))}`).join("");
    options.write(`${new Date().toISOString()} ${level} ${event}${tail}\n`);
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/**
 * The sink of a process that must outlive its log: where that lies on a full disk, a line is lost
 * and nothing else. A stream would raise an error that ends the process.
 */
export function toStandardError(line: string): void {
  try {
    writeSync(2, line);
  } catch {
    // There is nobody left to tell.
  }
}

/** An error in one line: kinds and operations down the chain of causes. */
export function describe(error: unknown): string {
  if (error instanceof HiveError) {
    const cause = error.cause === undefined ? "" : ` < ${describe(error.cause)}`;
    return `${error.kind} in ${error.op}${cause}`;
  }
  if (error instanceof Error) return `${error.name}: ${error.message}`.split("\n")[0] as string;
  return String(error);
}

/** A value may be somebody else's: it neither ends the line nor steers who reads it. */
function quote(text: string): string {
  const quoted = oneLine(JSON.stringify(text));
  const isPlain = quoted === `"${text}"` && !/[\s=]/.test(text);
  return isPlain ? text : quoted;
}
