/**
 * One line per event, to whatever sink `hive.ts` gives. It never prints keys, words, file names or
 * contents: call sites pass ids, counts and kinds; `describe` gives an error without its data.
 */
import { writeSync } from "node:fs";
import { Bucket } from "./bucket.ts";
import { type Clock, systemClock } from "./clock.ts";
import { HiveError } from "./errors.ts";
import { oneLine } from "./harmless.ts";
import { limits } from "./limits.ts";

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

export interface LineLogOptions {
  readonly level: Level;
  readonly write: (line: string) => void;
  readonly clock?: Pick<Clock, "monotonicMs">;
}

/**
 * A log that writes `time level event key=value ...` lines of at least the given level. Beyond what
 * a disk bears they are counted: errors are not, nor is anything for whoever asked for all.
 */
export function lineLog({ level: least, write, clock = systemClock }: LineLogOptions): Log {
  const room = new Bucket(limits.log, clock.monotonicMs());
  let untold = 0;
  const put = (level: Level, event: string, fields: Fields): void => {
    write(`${new Date().toISOString()} ${level} ${event}${tailOf(fields)}\n`);
  };
  const at = (level: Level) => (event: string, fields: Fields = {}) => {
    if (levels.indexOf(level) < levels.indexOf(least)) return;
    const nowMs = clock.monotonicMs();
    const isBounded = least !== "debug" && level !== "error";
    if (isBounded && room.left(nowMs) < 1) return void untold++;
    if (isBounded) room.spend(1, nowMs);
    if (untold > 0) put("warn", "log.untold", { lines: untold });
    untold = 0;
    put(level, event, fields);
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

function tailOf(fields: Fields): string {
  const words = Object.entries(fields).filter(([, value]) => value !== undefined);
  return words.map(([key, value]) => ` ${key}=${quote(String(value))}`).join("");
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
