/** `hive snapshots`, `diff`, `restore` and `brake`: what the drive was, told and put back. */
import { existsSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { HiveError, isFault } from "../../base/errors.ts";
import { oneLine } from "../../base/harmless.ts";
import type {
  BrakeStatus, Comparison, Difference, RestoreReport, Snapshot,
} from "../../base/snapshots.ts";
import { type Arguments, askControl } from "../daemon/control.ts";
import { insideDrive } from "../daemon/inside-mount.ts";
import { type ExitCode, exitCodes } from "../exits.ts";
import type { Home } from "../home/home.ts";
import { parseKeepRule } from "../home/keep-rule.ts";
import { readSettings, writeSettings } from "../home/settings.ts";
import { brakeText, print, printJson, say, sizeText, table, tell } from "../output.ts";
import { findCommand } from "../table/commands.ts";
import type { CommandLine } from "../table/parse.ts";

const whys: Readonly<Record<Snapshot["why"], string>> = {
  rule: "", asked: "kept until deleted", restore: "before a restore", brake: "before the brake",
};
const signs: Readonly<Record<Difference["kind"], string>> = { made: "+", gone: "-", changed: "M" };

export async function snapshots(home: Home, line: CommandLine): Promise<ExitCode> {
  const [word, more] = line.operands;
  const isFull = more === undefined || word === "delete" || word === "keep";
  if (!isFull) throw new HiveError("Usage", "snapshots", `too many operands: ${more}`);
  if (word === "create") await create(home, line);
  else if (word === "delete") await remove(home, line, needed(more, "snapshots"));
  else if (word === "keep") await keep(home, line, needed(more, "snapshots"));
  else await list(home, line, word);
  return exitCodes.ok;
}

async function create(home: Home, line: CommandLine): Promise<void> {
  const name = String(await ask(home, "createSnapshot"));
  if (line.flag("json")) printJson({ name });
  else print(name);
}

async function remove(home: Home, line: CommandLine, name: string): Promise<void> {
  await ask(home, "deleteSnapshot", { name });
  tell(line, { name });
}

async function list(home: Home, line: CommandLine, path: string | undefined): Promise<void> {
  const inside = path === undefined ? "" : await insideDrive(home, { command: "snapshots", path });
  const found = (await ask(home, "snapshots", { path: inside })) as readonly Snapshot[];
  if (line.flag("json")) return printJson(found);
  const rows = found.map(({ name, untilMs, files, bytes, why }) => {
    const until = new Date(untilMs).toISOString().replace(/\.\d+Z$/, "Z");
    return [name, until, String(files), sizeText(bytes), whys[why]];
  });
  print(table(["from", "until", "files", "size", ""], rows));
}

/** In force at once where a daemon runs, and from the next mount on in any case. */
async function keep(home: Home, line: CommandLine, rule: string): Promise<void> {
  parseKeepRule(rule);
  writeSettings(home.settingsFile, { ...readSettings(home.settingsFile), keep: rule });
  try {
    await ask(home, "reloadKeepRule");
  } catch (error) {
    if (!isFault(error, "Unavailable", "NotFound")) throw error;
  }
  tell(line, { keep: rule }, `keeps ${rule}`);
}

export async function diff(home: Home, line: CommandLine): Promise<ExitCode> {
  const [from, ...rest] = line.operands;
  const to = isTime(rest[0]) ? rest.shift() : undefined;
  const [path] = rest;
  const inside = path === undefined ? "" : await insideDrive(home, { command: "diff", path });
  const asked = { from: needed(from, "diff"), path: inside, to: to ?? null };
  const found = (await ask(home, "compare", asked)) as Comparison;
  if (line.flag("json")) printJson(found);
  else {
    for (const one of found.differences) print(`${signs[one.kind]} ${oneLine(one.path)}`);
    if (found.isCut) say("there are more: ask for a folder");
  }
  return exitCodes.ok;
}

export async function restore(home: Home, line: CommandLine): Promise<ExitCode> {
  const [name, path] = line.operands;
  const place = needed(path, "restore");
  const inside = await insideDrive(home, { command: "restore", path: place });
  const to = line.text("to");
  const target = to === undefined ? null : await targetOf(home, to, inside);
  const asked = { name: needed(name, "restore"), path: inside, to: target };
  const found = (await ask(home, "restore", {
    ...asked, exact: line.flag("exact"),
  })) as RestoreReport;
  if (line.flag("json")) printJson(found);
  else {
    const { restored, removed, same, before } = found;
    const files = restored === 1 ? "1 file" : `${restored} files`;
    print(`restored  ${files}; ${same} as they were, ${removed} taken away`);
    say(`what there was before is kept: hive restore ${before} PATH brings it back`);
  }
  return exitCodes.ok;
}

export async function brake(home: Home, line: CommandLine): Promise<ExitCode> {
  const [isUndo, isGoOn] = [line.flag("undo"), line.flag("go-on")];
  if (isUndo && isGoOn) throw new HiveError("Usage", "brake", "either --undo or --go-on");
  if (isUndo) return undo(home, line);
  if (isGoOn) {
    await ask(home, "releaseBrake");
    const words = "it goes up; what was before stays among the snapshots for its time";
    tell(line, await ask(home, "brake"), words);
    return exitCodes.ok;
  }
  const found = (await ask(home, "brake")) as BrakeStatus | null;
  if (line.flag("json")) printJson(found);
  else print(found === null ? "nothing is held back" : brakeText(found));
  return exitCodes.ok;
}

async function undo(home: Home, line: CommandLine): Promise<ExitCode> {
  const found = (await ask(home, "undoBrake")) as RestoreReport;
  if (line.flag("json")) printJson(found);
  else {
    print(`put back  ${found.restored} files; ${found.removed} that came since were taken away`);
    say(`what there was before this is kept: hive restore ${found.before} PATH brings it back`);
  }
  return exitCodes.ok;
}

/** As cp(1) takes it: into a folder that is there. */
function targetOf(home: Home, to: string, inside: string): Promise<string> {
  const isFolder = existsSync(to) && statSync(to).isDirectory();
  const path = isFolder ? join(to, basename(inside)) : to;
  return insideDrive(home, { command: "restore", path });
}

function isTime(word: string | undefined): boolean {
  return word !== undefined && /^\d{4}-\d\d-\d\dT/.test(word);
}

function needed(word: string | undefined, command: "snapshots" | "diff" | "restore"): string {
  if (word !== undefined) return word;
  throw new HiveError("Usage", command, findCommand(command)?.operands ?? "");
}

function ask(home: Home, command: string, values: Arguments = {}): Promise<unknown> {
  return askControl(home.socket, command, values, say);
}
