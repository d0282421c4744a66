/** `hive publish` and `hive import`: files and folders in the clear, as any IPFS tool has them. */
import { type Stats, statSync } from "node:fs";
import { HiveError } from "../../base/errors.ts";
import { importCar, publish } from "../../unixfs/unixfs.ts";
import { type ExitCode, exitCodeBy, exitCodes } from "../exits.ts";
import { print, printJson, say, sizeText, tell } from "../output.ts";
import type { CommandLine } from "../table/parse.ts";

export async function publishCommand(line: CommandLine): Promise<ExitCode> {
  const [path, file] = line.operands;
  if (path === undefined || file === undefined) {
    throw new HiveError("Usage", "publish", "PATH FILE.car: what, and into which file?");
  }
  if (file === "-") throw new HiveError("Usage", "publish", "FILE.car: it is no stream");
  statOf(path, "publish");
  return untilSignalled(async (signal) => {
    const how = { replaces: line.flag("force"), keepsModes: line.flag("modes"), signal };
    const { root, ...counts } = await publish(path, { file, ...how });
    if (line.flag("json")) printJson({ cid: String(root), file, ...counts });
    else print(String(root));
    say(`${file}: ${countText(counts)}`);
    if (counts.leftOut > 0) say(`${counts.leftOut} sockets, pipes or devices are left out`);
    say("nothing in it is encrypted: whoever has the file reads what is in it");
    return exitCodes.ok;
  });
}

export async function importCommand(line: CommandLine): Promise<ExitCode> {
  const [file] = line.operands;
  if (file === undefined) throw new HiveError("Usage", "import", "which FILE.car?");
  refuseOtherThanFile(file);
  const into = line.given("into");
  return untilSignalled(async (signal) => {
    const asked = { root: line.text("root"), heldBytesMax: line.bytes("limit") };
    const { root, ...counts } = await importCar(file, { into, ...asked, signal });
    tell(line, { cid: String(root), into, ...counts }, `${into}: ${countText(counts)}`);
    return exitCodes.ok;
  });
}

function statOf(path: string, command: string): Stats {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found !== undefined) return found;
  throw new HiveError("NotFound", command, path);
}

/** A pipe would be waited for, for ever. */
function refuseOtherThanFile(path: string): void {
  const found = statOf(path, "import");
  if (found.isDirectory()) throw new HiveError("IsDirectory", "import", path);
  if (!found.isFile()) throw new HiveError("Invalid", "import", `${path} is no file`);
}

interface Counts {
  readonly files: number;
  readonly folders: number;
  readonly symlinks: number;
  readonly bytes: number;
}

function countText({ files, folders, symlinks, bytes }: Counts): string {
  const links = symlinks > 0 ? `, ${symlinks} symlinks` : "";
  return `${files} files (${sizeText(bytes)}), ${folders} folders${links}`;
}

const ending = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** What was half made is taken away first; a second signal ends us at once. */
async function untilSignalled(
  act: (signal: AbortSignal) => Promise<ExitCode>,
): Promise<ExitCode> {
  const end = new AbortController();
  let by: NodeJS.Signals | undefined;
  const hear = (signal: NodeJS.Signals): void => {
    by ??= signal;
    end.abort(new HiveError("Interrupted", "ipfs", signal));
  };
  for (const signal of ending) process.once(signal, hear);
  try {
    return await act(end.signal);
  } catch (error) {
    if (by === "SIGINT") return exitCodeBy(by);
    throw error;
  } finally {
    for (const signal of ending) process.off(signal, hear);
  }
}
