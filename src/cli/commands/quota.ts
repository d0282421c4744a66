/** `hive quota`: writes the setting, tells the daemon, and shows what it comes to. */
import { HiveError, isFault } from "../../base/errors.ts";
import type { NodeStatus } from "../../base/views/drive.ts";
import { askControl } from "../daemon/control.ts";
import { type ExitCode, exitCodes } from "../exits.ts";
import { type Home, makeHome } from "../home/home.ts";
import { readSettings, writeSettings } from "../home/settings.ts";
import { print, printJson, say, sizeText } from "../output.ts";
import { type CommandLine, parseBytes } from "../table/parse.ts";

export async function quota(home: Home, line: CommandLine): Promise<ExitCode> {
  const [text] = line.operands;
  const bytes = text === undefined ? undefined : parseBytes(text);
  if (text !== undefined && bytes === undefined) {
    throw new HiveError("Usage", "quota", `${text}: how much, such as 512M or 20G`);
  }
  if (bytes !== undefined) {
    makeHome(home);
    const settings = readSettings(home.settingsFile);
    writeSettings(home.settingsFile, { ...settings, quotaBytes: bytes });
    const isTold = (await asked(home, "setQuota", { bytes })) !== undefined;
    if (!isTold) say("no daemon runs here: it holds from the next start on");
  }
  const { quotaBytes } = readSettings(home.settingsFile);
  const vault = (await asked(home, "vault", {})) as NodeStatus["vault"] | undefined;
  if (line.flag("json")) printJson({ quotaBytes, now: vault ?? null });
  else print(quotaText(quotaBytes, vault));
  return exitCodes.ok;
}

/** Undefined when no daemon runs here. */
async function asked(
  home: Home, command: string, values: Readonly<Record<string, number>>,
): Promise<unknown> {
  try {
    return await askControl(home.socket, command, values);
  } catch (error) {
    if (isFault(error, "Unavailable")) return undefined;
    throw error;
  }
}

function quotaText(quotaBytes: number, vault: NodeStatus["vault"] | undefined): string {
  const head = `quota  ${sizeText(quotaBytes)}`;
  if (vault === undefined) return head;
  const { usedBytes, ceilingBytes, shards } = vault;
  const over = usedBytes - ceilingBytes;
  return [
    head,
    ...(ceilingBytes < vault.quotaBytes ? [`disk   has room for ${sizeText(ceilingBytes)}`] : []),
    `used   ${sizeText(usedBytes)} in ${shards} shards`,
    ...(over > 0 ? [`over   ${sizeText(over)}: it goes elsewhere, and stays until then`] : []),
  ].join("\n");
}
