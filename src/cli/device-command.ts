/** `hive device`: the drive's devices as the running daemon knows them; one more, and one less. */
import type { AddedView } from "../base/devices.ts";
import { HiveError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { DeviceRow } from "../base/peer-views.ts";
import { askControl } from "./control.ts";
import { type ExitCode, exitCodes } from "./exits.ts";
import type { Home } from "./home.ts";
import { print, printJson, say, table } from "./output.ts";
import type { CommandLine } from "./parse.ts";

export async function device(home: Home, line: CommandLine): Promise<ExitCode> {
  const [word, peer] = line.operands;
  if (word === "list" && peer === undefined) return list(home, line);
  if (word === "forget" && peer !== undefined) return forget(home, line, peer);
  if (word === "confirm" && peer !== undefined) return confirm(home, line, peer);
  // It opens a node of its own, and needs the rooms for it.
  const isAdd = word === "add" && peer === undefined;
  if (isAdd) return (await import("./device-add.ts")).add(home, line);
  throw new HiveError("Usage", "device", "list, add, confirm CODE, or forget PEER");
}

async function confirm(home: Home, line: CommandLine, code: string): Promise<ExitCode> {
  const added = (await askControl(home.socket, "confirmDevice", { code }, say)) as AddedView;
  if (line.flag("json")) printJson(added);
  else say(`${added.name} (${added.peer}) is one of the drive's devices from now on`);
  return exitCodes.ok;
}

async function list(home: Home, line: CommandLine): Promise<ExitCode> {
  const rows = (await askControl(home.socket, "devices")) as readonly DeviceRow[];
  if (line.flag("json")) printJson(rows);
  else print(table(["device", "name", "now", "last head", "garbage"], rows.map(cellsOf)));
  return exitCodes.ok;
}

async function forget(home: Home, line: CommandLine, beginning: string): Promise<ExitCode> {
  const peer = (await askControl(home.socket, "forgetDevice", { peer: beginning })) as string;
  if (line.flag("json")) printJson({ peer });
  else say(`${peer} is forgotten, and holds nothing back; it still has the drive's keys`);
  return exitCodes.ok;
}

function cellsOf(row: DeviceRow): readonly string[] {
  const last = row.lastHeadAt?.replace(/\.\d+Z$/, "Z") ?? "-";
  return [
    row.peer.slice(0, limits.devices.shownChars),
    // Whoever has a lost machine may call it what they like: no name steers a terminal.
    row.name?.replace(/\p{C}/gu, "?") ?? "-",
    nowText(row),
    row.isMerged ? last : `${last}, waits to be merged`,
    garbageText(row),
  ];
}

function nowText({ isThis, online }: DeviceRow): string {
  if (isThis) return "this one";
  return online ? "online" : "away";
}

function garbageText({ isForgotten, holdsBack }: DeviceRow): string {
  if (holdsBack) return "held back";
  return isForgotten ? "forgotten" : "-";
}
