/** How things are said: data to standard output, words to standard error, sizes for people. */
import { GiB, KiB, MiB } from "../base/bytes.ts";
import type { HiveError } from "../base/errors.ts";
import { harmless, oneLine } from "../base/harmless.ts";
import { faultOf } from "../base/machine/system-faults.ts";
import type { BrakeStatus } from "../base/snapshots.ts";
import type { PolicyStatus } from "../base/views/policies.ts";
import type { LineStatus, TrafficStatus } from "../base/views/traffic.ts";
import { hintOf } from "./hints.ts";
import type { CommandLine } from "./table/parse.ts";

export function print(text: string): void {
  process.stdout.write(harmless(text.endsWith("\n") ? text : `${text}\n`));
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, undefined, 2));
}

/** What a command did: JSON where a program asked for it, words for people otherwise. */
export function tell(
  line: Pick<CommandLine, "flag">, value: unknown, ...words: readonly string[]
): void {
  if (line.flag("json")) printJson(value);
  else for (const one of words) say(one);
}

export function say(words: string): void {
  process.stderr.write(`hive: ${oneLine(words)}\n`);
}

export function sizeText(bytes: number): string {
  if (bytes >= GiB) return `${(bytes / GiB).toFixed(1)} GiB`;
  if (bytes >= MiB) return `${(bytes / MiB).toFixed(1)} MiB`;
  if (bytes >= KiB) return `${(bytes / KiB).toFixed(0)} KiB`;
  return `${bytes} B`;
}

/** A length of time, as long as anybody cares to know it. */
export function timeText(seconds: number): string {
  const [minutes, hours] = [Math.round(seconds / 60), Math.round(seconds / 3600)];
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (minutes < 90) return `${minutes} min`;
  return hours < 48 ? `${hours} h` : `${Math.round(seconds / 86_400)} days`;
}

/** How much one direction of the line may carry. */
export function lineText({ perSecond, isOpen }: LineStatus): string {
  if (!isOpen) return "nothing but what programs read";
  return perSecond === null ? "unlimited" : `${sizeText(perSecond)}/s`;
}

/** What holds traffic back, for whoever asks how the drive is. */
export function trafficLines({ paused, upload, download }: TrafficStatus): string[] {
  const lines = [upload, download];
  const isLimited = lines.some(({ perSecond, isOpen }) => perSecond !== null || !isOpen);
  return [
    ...(paused === null ? [] : [`paused     ${pauseText(paused)}`]),
    ...(isLimited ? [`limits     up: ${lineText(upload)}, down: ${lineText(download)}`] : []),
  ];
}

function pauseText({ since, until, waitsFor }: NonNullable<TrafficStatus["paused"]>): string {
  const times = [since === null ? "" : `since ${since}`, until === null ? "" : `until ${until}`];
  return [...times.filter((words) => words !== ""), `waits for ${waitsFor}`].join(", ");
}

/** How far data is on its way to where a policy wants it. */
export function movingText({ policy, left, total }: PolicyStatus["moving"][number]): string {
  return `moving ${left} of ${total} segments to policy ${policy}`;
}

/** Rows under headings, in columns as wide as they need be. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [headings, ...rows].map((row) => row.map(oneLine));
  const widths = headings.map((_, column) =>
    Math.max(...all.map((row) => (row[column] ?? "").length)),
  );
  return all
    .map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ").trimEnd())
    .join("\n");
}

/** A fault of a command, for a person: what, where, and what to do next. */
export function sayFault(error: unknown, command?: string): void {
  const fault = faultOf(error);
  if (fault === undefined) return strangeText(error).split("\n").forEach(say);
  say(faultText(fault));
  const hint = hintOf(fault, command);
  if (hint !== undefined) say(`hint: ${hint}`);
}

/** What the system says is for people as it is; of a bug, where it is counts. */
function strangeText(error: unknown): string {
  if (error instanceof SuppressedError) return strangeText(error.suppressed);
  if (!(error instanceof Error)) return String(error);
  return "syscall" in error ? error.message : error.stack ?? error.message;
}

const words: Readonly<Record<HiveError["kind"], string>> = {
  NotFound: "not found",
  Exists: "exists already",
  NotDirectory: "not a directory",
  IsDirectory: "is a directory",
  NotEmpty: "not empty",
  Denied: "permission denied",
  NotPermitted: "not permitted",
  Invalid: "not valid",
  NameTooLong: "name too long",
  NoSpace: "no space left",
  Quota: "no room left",
  TooLarge: "too large",
  TooManyLinks: "too many links",
  ReadOnly: "read-only",
  CrossDevice: "on another device",
  NoData: "no data",
  OutOfRange: "out of range",
  BadHandle: "not open",
  Interrupted: "interrupted",
  Stale: "not there any more",
  Busy: "in use",
  Corrupt: "damaged",
  Unavailable: "not available",
  TimedOut: "took too long",
  Usage: "wrong usage",
  Unsupported: "not possible here",
};

function faultText(fault: HiveError): string {
  return `${words[fault.kind]}: ${fault.subject} (${fault.op})`;
}

/** What the brake holds back, and what can be done about it. */
export function brakeText({ change, before }: BrakeStatus): string {
  const lost = change === null ? "much of the drive was lost at once" :
    `${change.deleted} files were deleted and ${change.overwritten} written over, of ` +
    `${change.files}, since ${new Date(change.sinceMs).toISOString()}`;
  const back = before === null ? "" : `--undo puts back what there was at ${before}; `;
  return `${lost}; peers keep what was before (hive brake: ${back}--go-on lets it go up)`;
}
