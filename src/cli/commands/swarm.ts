/** `hive swarm`: starts and steers the local swarm's process. */
import { dirname, join } from "node:path";
import { HiveError, isFault } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { lineLog, toStandardError } from "../../base/log.ts";
import { makeDirectories } from "../../base/machine/directories.ts";
import { giveWay } from "../../base/machine/priority.ts";
import { type Json, askControl, serveControl } from "../daemon/control.ts";
import {
  askedToEnd,
  receivePassphrase,
  sayFailed,
  sayReady,
  startInBackground,
} from "../daemon/daemon.ts";
import { type ExitCode, exitCodeBy, exitCodes } from "../exits.ts";
import { type Home, socketIn } from "../home/home.ts";
import { readSettings, writeSettings } from "../home/settings.ts";
import { print, printJson, say, sizeText, table, tell } from "../output.ts";
import type { SwarmRow } from "../swarm/swarm.ts";
import type { CommandLine } from "../table/parse.ts";

const peersDefault = 8;
/** In a swarm for trying things, nobody waits a day to see a repair. */
const swarmDeadAfterSeconds = 60;
const swarmAuditSeconds = 20;
/** One after the other: each takes a second or two, and far longer on a busy machine. */
const startMsOfPeer = 20_000;

const actions = ["start", "stop", "kill", "status"] as const;
type Action = (typeof actions)[number];

export async function swarmCommand(home: Home, line: CommandLine): Promise<ExitCode> {
  const action = parseAction(line.operands[0]);
  const numbers = line.operands.slice(1).map(parseNumber);
  checkSwarmSize(line.count("peers"), "--peers");
  if (line.flag("host")) return host(home, line);
  const socket = socketIn(home.swarmDirectory);
  if (action === "start" && !(await answers(socket))) {
    await startSwarm(home, line.count("peers") ?? peersDefault, line.flag("processes"));
    const words = `swarm started; it keeps its files in ${home.swarmDirectory}`;
    tell(line, await running(socket), words);
    return exitCodes.ok;
  }
  if (action === "status") return showStatus(socket, line, numbers);
  const all = numbers.length === 0 && line.share("fraction") === undefined;
  if (action === "stop" && all) {
    const ended = await running(socket);
    await askControl(socket, "end");
    tell(line, ended);
    return exitCodes.ok;
  }
  const values: Record<string, Json> = { numbers, wipe: line.flag("wipe") };
  const fraction = line.share("fraction");
  if (fraction !== undefined) values["fraction"] = fraction;
  const done = (await askControl(socket, action, values)) as readonly number[];
  tell(line, done, `${action}: ${done.length === 0 ? "no peer" : `peers ${done.join(" ")}`}`);
  return exitCodes.ok;
}

async function running(socket: string): Promise<readonly number[]> {
  const rows = (await askControl(socket, "status")) as readonly SwarmRow[];
  return rows.filter(({ state }) => state === "running").map(({ number }) => number);
}

export function checkSwarmSize(peers: number | undefined, option: string): void {
  const { peersMax } = limits.swarm;
  if (peers === undefined || (peers >= 1 && peers <= peersMax)) return;
  throw new HiveError("Usage", "swarm", `${option} ${peers}: 1 to ${peersMax} is needed`);
}

/** Starts a swarm unless one runs, and makes this home's node a member of it. */
export async function joinLocalSwarm(home: Home, count: number): Promise<void> {
  const socket = socketIn(home.swarmDirectory);
  if (!(await answers(socket))) {
    say(`starting ${count} local peers`);
    await startSwarm(home, count, false);
  }
  const addresses = (await askControl(socket, "addresses")) as readonly string[];
  writeSettings(home.settingsFile, {
    ...readSettings(home.settingsFile),
    listen: ["/ip4/127.0.0.1/tcp/0"],
    bootstrap: addresses.slice(0, 8),
    mdns: false,
    deadAfterSeconds: swarmDeadAfterSeconds,
    auditIntervalSeconds: swarmAuditSeconds,
  });
}

/** Of a size that was checked. */
async function startSwarm(home: Home, peers: number, processes: boolean): Promise<void> {
  for (const directory of [home.swarmDirectory, dirname(socketIn(home.swarmDirectory))]) {
    makeDirectories(directory, 0o700);
  }
  await startInBackground({
    words: [
      "swarm",
      "start",
      "--host",
      "--peers",
      String(peers),
      ...(processes ? ["--processes"] : []),
    ],
    environment: process.env,
    logFile: join(home.swarmDirectory, "swarm.log"),
    passphrase: undefined,
    readyTimeoutMs: Math.max(120_000, peers * startMsOfPeer),
  });
}

async function host(home: Home, line: CommandLine): Promise<ExitCode> {
  giveWay("process");
  await receivePassphrase();
  const asked = askedToEnd();
  const log = lineLog({ level: "warn", write: toStandardError });
  const processes = line.flag("processes");
  // Whoever only asks the swarm need not wait for a drive's rooms to load.
  const { Swarm } = await import("../swarm/swarm.ts");
  const swarm = new Swarm({ directory: home.swarmDirectory, processes, log });
  try {
    await swarm.begin(line.count("peers") ?? peersDefault);
    const ended = Promise.withResolvers<void>();
    const socket = socketIn(home.swarmDirectory);
    const server = await serveControl(socket, swarm.handlers(ended.resolve));
    sayReady("swarm started");
    const signal = await Promise.race([ended.promise, asked]);
    await swarm.end();
    server.close();
    return exitCodeBy(signal ?? undefined);
  } catch (error) {
    sayFailed(error);
    await swarm.end();
    throw error;
  }
}

/** Of these peers, or of all. */
async function showStatus(
  socket: string, line: CommandLine, numbers: readonly number[],
): Promise<ExitCode> {
  const all = (await askControl(socket, "status")) as readonly SwarmRow[];
  const absent = numbers.find((number) => all.every((row) => row.number !== number));
  if (absent !== undefined) {
    throw new HiveError("NotFound", "swarm", `peer ${absent} of ${all.length}`);
  }
  const rows = numbers.length === 0 ? all : all.filter(({ number }) => numbers.includes(number));
  if (line.flag("json")) printJson(rows);
  else {
    const cells = rows.map((row) => [
      String(row.number),
      row.state,
      row.country ?? "-",
      row.state === "running" ? String(row.shards) : "-",
      row.state === "running" ? sizeText(row.usedBytes) : "-",
      row.address,
    ]);
    print(table(["peer", "state", "country", "shards", "kept", "address"], cells));
  }
  return exitCodes.ok;
}

async function answers(socket: string): Promise<boolean> {
  try {
    await askControl(socket, "addresses");
    return true;
  } catch (error) {
    if (isFault(error, "Unavailable")) return false;
    throw error;
  }
}

function parseAction(word: string | undefined): Action {
  const action = actions.find((one) => one === word);
  if (action !== undefined) return action;
  const given = word === undefined ? "" : `, and not ${word}`;
  throw new HiveError("Usage", "swarm", `say start, stop, kill or status${given}`);
}

function parseNumber(word: string): number {
  const number = Number(word);
  if (Number.isSafeInteger(number) && number >= 1) return number;
  throw new HiveError("Usage", "swarm", `${word} is no peer's number`);
}
