/** `hive device`: the drive's devices as the running daemon knows them; one more, and one less. */
import type { AddedView, RemovedView } from "../../base/devices.ts";
import { HiveError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { DeviceRow } from "../../base/views/peers.ts";
import type { SharesView, TakenView } from "../../base/views/sharing.ts";
import { askControl } from "../daemon/control.ts";
import { type ExitCode, exitCodes } from "../exits.ts";
import type { Home } from "../home/home.ts";
import { secretOperand } from "../home/secret-line.ts";
import { print, printJson, say, table, tell, timeText } from "../output.ts";
import type { CommandLine } from "../table/parse.ts";

export async function device(home: Home, line: CommandLine): Promise<ExitCode> {
  const [word, peer] = line.operands;
  if (word === "list" && peer === undefined) return list(home, line);
  if (word === "forget" && peer !== undefined) return forget(home, line, peer);
  if (word === "confirm") return confirm(home, line, peer);
  if (word === "remove" && peer !== undefined) return remove(home, line, peer);
  // It opens a node of its own, and needs the rooms for it.
  const isAdd = word === "add" && peer === undefined;
  if (isAdd) return (await import("./device-add.ts")).add(home, line);
  throw new HiveError("Usage", "device", "list, add, confirm CODE, remove DEVICE, or forget PEER");
}

async function confirm(
  home: Home, line: CommandLine, given: string | undefined,
): Promise<ExitCode> {
  const code = secretOperand(given, { command: "device", what: "code" });
  const most = timeText(limits.devices.newcomerMs / 1000);
  say(`looking for the machine that shows this code, for ${most} at most`);
  const added = (await askControl(home.socket, "confirmDevice", { code }, say)) as AddedView;
  tell(line, added, `${added.name} (${added.peer}) is one of the drive's devices from now on`);
  return exitCodes.ok;
}

async function remove(home: Home, line: CommandLine, device: string): Promise<ExitCode> {
  const removed = (await askControl(home.socket, "removeDevice", { device })) as RemovedView;
  if (line.flag("json")) printJson(removed);
  else {
    const { taken } = (await askControl(home.socket, "shares")) as SharesView;
    for (const words of removedTexts(removed, taken)) say(words);
  }
  return exitCodes.ok;
}

function removedTexts(
  { name, peer, hadWords, told, holders }: RemovedView, taken: readonly TakenView[],
): readonly string[] {
  const shut = [
    `${name} (${peer}) is shut out; ${told} of ${holders} holders know, the others will`,
    "what is written from now on it cannot open; what it read or fetched cannot be taken back",
  ];
  if (!hadWords) return [...shut, ...taken.length === 0 ? [] : [takenText(taken)]];
  return [
    ...shut,
    "it has the drive's 24 words, and whoever has those can come back under another name and " +
    "read all: if it fell into wrong hands, make a new drive and copy into it",
  ];
}

/** What only those can do who own these folders. */
function takenText(taken: readonly TakenView[]): string {
  const hours = limits.sharing.mandateMs / 3_600_000;
  const folders = taken.map(({ name, from }) => `Shared/${name} of ${from}`).join(", ");
  return `it could read ${folders}: holders refuse it that too, those that cannot be told within `
    + `${hours} hours; its keys of them stay good until their owners share them anew`;
}

async function list(home: Home, line: CommandLine): Promise<ExitCode> {
  const rows = (await askControl(home.socket, "devices")) as readonly DeviceRow[];
  if (line.flag("json")) printJson(rows);
  else print(table(["device", "name", "by", "now", "last head", "garbage"], rows.map(cellsOf)));
  return exitCodes.ok;
}

async function forget(home: Home, line: CommandLine, beginning: string): Promise<ExitCode> {
  const peer = (await askControl(home.socket, "forgetDevice", { peer: beginning })) as string;
  const words = `${peer} is forgotten, and holds nothing back; it still has the drive's keys`;
  tell(line, { peer }, words);
  return exitCodes.ok;
}

function cellsOf(row: DeviceRow): readonly string[] {
  const last = row.lastHeadAt?.replace(/\.\d+Z$/, "Z") ?? "-";
  return [
    row.peer.slice(0, limits.devices.shownChars),
    row.name ?? "-",
    standingTexts[row.standing],
    nowText(row),
    row.isMerged ? last : `${last}, waits to be merged`,
    garbageText(row),
  ];
}

const standingTexts = {
  words: "words", added: "code", removed: "removed",
} as const satisfies Record<DeviceRow["standing"], string>;

function nowText({ isThis, online }: DeviceRow): string {
  if (isThis) return "this one";
  return online ? "online" : "away";
}

function garbageText({ isForgotten, holdsBack }: DeviceRow): string {
  if (holdsBack) return "held back";
  return isForgotten ? "forgotten" : "-";
}
