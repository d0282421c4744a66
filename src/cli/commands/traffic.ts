/**
 * `hive limit`, `hive pause` and `hive resume`: change a file, tell the daemon to look, and show
 * what holds now. Without a daemon they hold from its next start on.
 */
import { HiveError, isFault } from "../../base/errors.ts";
import type { TrafficStatus } from "../../base/views/traffic.ts";
import { askControl, askStatus } from "../daemon/control.ts";
import { type ExitCode, exitCodes } from "../exits.ts";
import { type Home, makeHome } from "../home/home.ts";
import { type Settings, readSettings, writeSettings } from "../home/settings.ts";
import { parseMetered, parseTimetable } from "../home/timetable.ts";
import { endPause, readPause, writePause } from "../home/traffic-orders.ts";
import { lineText, print, printJson, say } from "../output.ts";
import type { CommandLine } from "../table/parse.ts";

export async function limit(home: Home, line: CommandLine): Promise<ExitCode> {
  const changes = { ...directionIn(line.operands), ...lanIn(line), ...meteredIn(line) };
  if (Object.keys(changes).length > 0) {
    makeHome(home);
    writeSettings(home.settingsFile, { ...readSettings(home.settingsFile), ...changes });
    if (!(await told(home))) say("no daemon runs here: it holds from the next start on");
  }
  const { upload, download, limitLan, metered } = readSettings(home.settingsFile);
  const now = await trafficNow(home);
  if (line.flag("json")) printJson({ upload, download, limitLan, metered, now: now ?? null });
  else print(limitText({ upload, download, limitLan, metered }, now));
  return exitCodes.ok;
}

export async function pause(home: Home, line: CommandLine): Promise<ExitCode> {
  makeHome(home);
  const nowMs = Date.now();
  const forMs = line.duration("for");
  const before = pauseBefore(home);
  const isGoingOn = before !== null && (before.untilMs === null || before.untilMs > nowMs);
  const sinceMs = isGoingOn ? before.sinceMs : nowMs;
  const untilMs = forMs === undefined ? null : nowMs + forMs;
  writePause(home, { sinceMs, untilMs });
  const isTold = await told(home);
  const until = untilMs === null ? "until hive resume" : `until ${new Date(untilMs).toISOString()}`;
  say(`${isTold ? "paused" : "no daemon runs here: its next start is paused"} ${until}`);
  return exitCodes.ok;
}

export async function resume(home: Home): Promise<ExitCode> {
  const wasPaused = endPause(home);
  const isTold = await told(home);
  const now = isTold ? await trafficNow(home) : undefined;
  const rest = now?.paused ?? undefined;
  if (rest !== undefined) say(`still paused: it waits for ${rest.waitsFor}`);
  else say(wasPaused ? "it goes on" : "nothing was paused");
  return exitCodes.ok;
}

/** A file that nobody can read is written over. */
function pauseBefore(home: Home): ReturnType<typeof readPause> {
  try {
    return readPause(home);
  } catch (error) {
    if (isFault(error, "Invalid")) return null;
    throw error;
  }
}

/** `up RATE` or `down RATE`; the words of a rate need no quotes. */
function directionIn(operands: readonly string[]): Partial<Settings> {
  const [direction, ...words] = operands;
  if (direction === undefined) return {};
  const text = words.join(" ");
  const isKnown = direction === "up" || direction === "down";
  if (!isKnown || text === "") {
    throw new HiveError("Usage", "limit", "up RATE, or down RATE, such as up 2 MiB/s");
  }
  parseTimetable(text);
  return direction === "up" ? { upload: text } : { download: text };
}

function lanIn(line: CommandLine): Partial<Settings> {
  const given = line.text("lan");
  if (given === undefined) return {};
  if (given === "on" || given === "off") return { limitLan: given === "on" };
  throw new HiveError("Usage", "limit", `--lan ${given}: on or off`);
}

function meteredIn(line: CommandLine): Partial<Settings> {
  const metered = line.text("metered");
  if (metered === undefined) return {};
  parseMetered(metered);
  return { metered };
}

/** False when no daemon runs here. */
async function told(home: Home): Promise<boolean> {
  try {
    await askControl(home.socket, "reloadTraffic");
    return true;
  } catch (error) {
    if (isFault(error, "Unavailable")) return false;
    throw error;
  }
}

async function trafficNow(home: Home): Promise<TrafficStatus | undefined> {
  try {
    const { traffic } = (await askStatus(home.socket)) as { traffic: TrafficStatus };
    return traffic;
  } catch (error) {
    if (isFault(error, "Unavailable")) return undefined;
    throw error;
  }
}

function limitText(
  settings: Pick<Settings, "upload" | "download" | "limitLan" | "metered">,
  now: TrafficStatus | undefined,
): string {
  const { upload, download, limitLan, metered } = settings;
  const nowText = (text: string | undefined): string => text === undefined ? "" : ` (now: ${text})`;
  const line = (direction: "upload" | "download"): string | undefined => {
    return now === undefined ? undefined : lineText(now[direction]);
  };
  return [
    `upload    ${upload}${nowText(line("upload"))}`,
    `download  ${download}${nowText(line("download"))}`,
    `local     peers on the local network ${limitLan ? "count too" : "are not limited"}`,
    `metered   ${metered}${nowText(now?.metered)}`,
  ].join("\n");
}
