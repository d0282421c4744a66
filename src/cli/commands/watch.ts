/** `hive watch`: folders outside the drive that are backed up into it while it is mounted. */
import { realpathSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { HiveError } from "../../base/errors.ts";
import type { WatchStatus } from "../../base/views/drive.ts";
import { type ControlHandlers, type Progress, askControl } from "../daemon/control.ts";
import { insideMount } from "../daemon/inside-mount.ts";
import type { WatchKeeper } from "../daemon/watch-keeper.ts";
import { askDrive } from "../daemon/running.ts";
import { type ExitCode, exitCodes } from "../exits.ts";
import type { Home } from "../home/home.ts";
import { holds, parseWatch } from "../home/watches.ts";
import { print, printJson, say, sizeText, table, tell } from "../output.ts";
import type { CommandLine } from "../table/parse.ts";

export async function watch(home: Home, line: CommandLine): Promise<ExitCode> {
  if (line.flag("run")) return (await import("../daemon/watch-process.ts")).serveWatches();
  if (line.flag("list")) return list(home, line);
  const stopped = line.text("stop");
  if (stopped !== undefined) return stop(home, line, stopped);
  const [path] = line.operands;
  const into = line.text("into");
  if (path === undefined || into === undefined) {
    throw new HiveError("Usage", "watch", "DIR --into PATH, --list, or --stop DIR");
  }
  return start(home, line, { path, into });
}

async function start(
  home: Home, line: CommandLine, { path, into }: { readonly path: string; readonly into: string },
): Promise<ExitCode> {
  if (!exists(path)) throw new HiveError("NotFound", "watch", path);
  const directory = realpathSync(path);
  if (!statSync(directory).isDirectory()) throw new HiveError("NotDirectory", "watch", path);
  const { mount } = await askDrive(home, "watch");
  refuseOwn(directory, [mount, home.cacheDirectory, home.nodeDirectory].map(realOf));
  const inside = await insideMount(home, { command: "watch", path: into });
  const wait = !line.flag("no-wait");
  const asked = { directory, into: inside, deletes: line.flag("delete"), wait };
  const found = (await askControl(home.socket, "watch", asked, say)) as WatchStatus;
  const { waitingFor, failed, problem } = found;
  tell(
    line, found,
    wait ? `${lookedText(found)}; ${directory} is watched` : `${directory} is watched`,
    ...(waitingFor === null ? [] : [`it waits: ${waitingFor}`]),
    ...(failed > 0 ? [`${failed} could not be copied, the last: ${problem}`] : []),
  );
  return exitCodes.ok;
}

/** What grows with each copy must not be copied; nor would a copy of the copy ever end. */
function refuseOwn(directory: string, own: readonly string[]): void {
  const met = own.find((one) => holds(directory, one) || holds(one, directory));
  if (met === undefined) return;
  const subject = `${directory} is, holds or lies in ${met}, which is the drive's own`;
  throw new HiveError("Usage", "watch", subject);
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

function realOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

async function stop(home: Home, line: CommandLine, path: string): Promise<ExitCode> {
  const directory = realOf(resolve(path));
  await askControl(home.socket, "unwatch", { directory });
  tell(line, { directory }, `${directory} is watched no more; its copy stays`);
  return exitCodes.ok;
}

async function list(home: Home, line: CommandLine): Promise<ExitCode> {
  const found = (await askControl(home.socket, "watches")) as readonly WatchStatus[];
  if (line.flag("json")) printJson(found);
  else if (found.length > 0) print(listText(found));
  return exitCodes.ok;
}

function listText(found: readonly WatchStatus[]): string {
  const rows = found.map((one) => [
    one.directory, `/${one.into}`, one.deletes ? "deleted too" : "kept", one.state, lookedText(one),
  ]);
  const trouble = found.flatMap(({ directory, waitingFor, problem }) => [
    ...(waitingFor === null ? [] : [`${directory} waits: ${waitingFor}`]),
    ...(problem === null ? [] : [`${directory}: ${problem}`]),
  ]);
  return [table(["folder", "into", "deleted files", "now", ""], rows), ...trouble].join("\n");
}

function lookedText({ looked, copied, copiedBytes, removed, failed }: WatchStatus): string {
  return [
    `${looked} looked at, ${copied} copied (${sizeText(copiedBytes)})`,
    ...(removed > 0 ? [`${removed} deleted`] : []),
    ...(failed > 0 ? [`${failed} failed`] : []),
  ].join(", ");
}

/** In the daemon. */
export function watchHandlersOf(keeper: WatchKeeper): ControlHandlers {
  return {
    watch: async (values, progress) => {
      const asked = parseWatch(values);
      keeper.add(asked);
      const { directory } = asked;
      if (values["wait"] === true) return keeper.looked(directory, told(progress));
      return keeper.statuses().find((one) => one.directory === directory);
    },
    unwatch: ({ directory }) => keeper.remove(String(directory)),
    watches: () => keeper.statuses(),
  };
}

function told(progress: Progress): (status: WatchStatus) => void {
  let last = "";
  return (status) => {
    const words = lookedText(status);
    if (words !== last) progress(words);
    last = words;
  };
}
