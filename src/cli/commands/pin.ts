/** `hive pin` and `hive unpin`: what this machine keeps of the drive though peers have it. */
import { HiveError } from "../../base/errors.ts";
import type { PinRow, PinStatus } from "../../base/views/drive.ts";
import type { Drive } from "../../hive.ts";
import { type ControlHandlers, type Progress, askControl } from "../daemon/control.ts";
import { insideDrive, namesOf } from "../daemon/inside-mount.ts";
import { type ExitCode, exitCodes } from "../exits.ts";
import type { Home } from "../home/home.ts";
import { print, printJson, say, sizeText, table, tell } from "../output.ts";
import type { CommandLine } from "../table/parse.ts";
import { overText, pinPercent, whyText } from "../text/pin.ts";

/** Told while somebody waits: each twentieth of the way. */
const percentStep = 5;

export async function pin(home: Home, line: CommandLine): Promise<ExitCode> {
  if (line.flag("list")) return list(home, line);
  const path = pathOf(line, "pin");
  const inside = await insideDrive(home, { command: "pin", path });
  const wait = !line.flag("no-wait");
  const found = (await askControl(home.socket, "pin", { path: inside, wait }, say)) as
    PinStatus | null;
  const isHere = found === null || found.isSettled;
  const far = isHere ? `${path} is here, and stays` : `${path} is pinned; ${whyText(found)}`;
  const words = wait ? far : `${path} is pinned; hive status tells how far it is`;
  tell(line, { path: `/${inside}`, pins: found }, words);
  return exitCodes.ok;
}

export async function unpin(home: Home, line: CommandLine): Promise<ExitCode> {
  const path = pathOf(line, "unpin");
  const inside = await insideDrive(home, { command: "unpin", path });
  await askControl(home.socket, "unpin", { path: inside }, say);
  say(`${path} may leave this machine when room is needed`);
  return exitCodes.ok;
}

async function list(home: Home, line: CommandLine): Promise<ExitCode> {
  if (line.operands.length > 0) throw new HiveError("Usage", "pin", "--list: of all, without PATH");
  const found = (await askControl(home.socket, "pins")) as readonly PinRow[];
  if (line.flag("json")) printJson(found);
  else if (found.length > 0) print(table(["pinned", "files", "here", "to come"], rowsOf(found)));
  return exitCodes.ok;
}

function rowsOf(found: readonly PinRow[]): readonly (readonly string[])[] {
  return found.map(({ path, isKept, files, hereBytes, missingBytes }) => {
    if (!isKept) return [path, "left out", "", ""];
    return [path, String(files), sizeText(hereBytes), sizeText(missingBytes)];
  });
}

function pathOf(line: CommandLine, command: string): string {
  const path = line.operands[0];
  if (path !== undefined) return path;
  throw new HiveError("Usage", command, "which file or folder?");
}

/** In the daemon. */
export function pinHandlersOf(drive: Drive): ControlHandlers {
  return {
    pin: async ({ path, wait }, progress) => {
      const names = namesOf(String(path));
      await drive.pin(names, true);
      if (wait !== true) return null;
      const found = await drive.pinsSettled(told(progress));
      if (found === null || found.overBytes === 0) return found;
      // Nothing that was pinned before should have to wait for it.
      await drive.pin(names, false);
      throw new HiveError("NoSpace", "pin", overText(found));
    },
    unpin: ({ path }) => drive.pin(namesOf(String(path)), false),
    pins: () => drive.pins(),
  };
}

function told(progress: Progress): (status: PinStatus) => void {
  let last = -percentStep;
  return (status) => {
    const percent = pinPercent(status);
    if (percent < last + percentStep || status.missingBytes === 0) return;
    last = percent;
    progress(`${percent} %: ${sizeText(status.missingBytes)} to come`);
  };
}
