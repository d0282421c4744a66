/**
 * One peer of a local swarm, either inside the swarm's own process or as a process of its own
 * (`hive node`). Both have a home of their own: a key, settings, a vault, and a fixed port.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, openSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { GiB } from "../../base/bytes.ts";
import { HiveError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import { systemRandom } from "../../base/random.ts";
import type { NodeStatus } from "../../base/views/drive.ts";
import { type NodeDuties, openNode, peerKeysOf } from "../../hive.ts";
import { askControl } from "../daemon/control.ts";
import { nodeConfigOf } from "../home/config.ts";
import { type Home, homeAt, makeHome } from "../home/home.ts";
import { hasKeys, readKeys, writeKeys } from "../home/keys.ts";
import { type Settings, defaultSettings, readSettings, writeSettings } from "../home/settings.ts";

/** Made-up places, so that policies have something to choose from. */
const countries = ["DE", "FR", "NL", "PT", "SE", "US", "CA", "JP", "AU", "BR"];

export interface SwarmPeer {
  readonly number: number;
  readonly address: string;
  settings(): Settings;
  running(): boolean;
  pid(): number | undefined;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Without a goodbye: SIGKILL, or sockets cut. */
  kill(): Promise<void>;
  /** Deletes what it keeps; only while it does not run. */
  wipe(): void;
  status(): Promise<NodeStatus | undefined>;
}

export interface SwarmPlace {
  readonly number: number;
  readonly home: Home;
  readonly address: string;
  readonly settings: Settings;
}

/** Makes or finds the home of the peer with this number. */
export async function placeOf(swarmDirectory: string, number: number): Promise<SwarmPlace> {
  const home = homeAt(join(swarmDirectory, `peer-${String(number).padStart(2, "0")}`));
  makeHome(home);
  if (!hasKeys(home)) {
    await writeKeys(home, { driveSeed: undefined, peerSeed: systemRandom.bytes(32) }, undefined);
  }
  if (!existsSync(home.settingsFile)) writeSettings(home.settingsFile, await newSettings(number));
  const settings = readSettings(home.settingsFile);
  const secrets = await readKeys(home, noPassphrase);
  const listen = settings.listen[0] as string;
  const address = `${listen}/p2p/${peerKeysOf(secrets.peerSeed).peer}`;
  return { number, home, address, settings };
}

async function newSettings(number: number): Promise<Settings> {
  return {
    ...defaultSettings(),
    deviceName: `swarm peer ${number}`,
    household: `home-${number}`,
    country: countries[number % countries.length],
    listen: [`/ip4/127.0.0.1/tcp/${await freePort()}`],
    mdns: false,
    quotaBytes: 20 * GiB,
  };
}

/** Inside the swarm's own process. */
export function innerPeer(place: SwarmPlace, bootstrap: readonly string[], log: Log): SwarmPeer {
  let node: NodeDuties | undefined;
  const end = async (): Promise<void> => {
    const ended = node;
    node = undefined;
    await ended?.close();
  };
  return {
    ...plain(place),
    running: () => node !== undefined,
    pid: () => (node === undefined ? undefined : process.pid),
    async start() {
      const secrets = await readKeys(place.home, noPassphrase);
      // Whoever stopped it may have given it another household or country.
      const settings = { ...readSettings(place.home.settingsFile), bootstrap };
      node ??= await openNode({ log }, nodeConfigOf(place.home, settings, secrets));
    },
    stop: end,
    // A peer says no goodbye when it stops, so that others see the same; only --processes can
    // also lose what was not yet on its disk.
    kill: end,
    status: async () => node?.status(),
  };
}

/** A process of its own: what a kill means for a real machine. */
export function outerPeer(place: SwarmPlace, bootstrap: readonly string[]): SwarmPeer {
  let child: ChildProcess | undefined;
  // It may also have died by itself, or have been killed by somebody who tries things.
  const alive = (): ChildProcess | undefined =>
    child?.exitCode === null && child.signalCode === null ? child : undefined;
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const ended = alive();
    child = undefined;
    if (ended === undefined) return;
    const gone = new Promise((resolve) => ended.once("exit", resolve));
    ended.kill(signal);
    await gone;
  };
  return {
    ...plain(place),
    running: () => alive() !== undefined,
    pid: () => alive()?.pid,
    async start() {
      if (alive() !== undefined) return;
      const { settingsFile } = place.home;
      writeSettings(settingsFile, { ...readSettings(settingsFile), bootstrap });
      child = await spawnNode(place.home);
    },
    stop: () => end("SIGTERM"),
    kill: () => end("SIGKILL"),
    status: async () => {
      if (alive() === undefined) return undefined;
      return (await askControl(place.home.socket, "status")) as NodeStatus;
    },
  };
}

function plain(place: SwarmPlace): Pick<SwarmPeer, "number" | "address" | "settings" | "wipe"> {
  const { number, address, home } = place;
  const settings = (): Settings => readSettings(home.settingsFile);
  const wipe = (): void => rmSync(home.nodeDirectory, { recursive: true, force: true });
  return { number, address, settings, wipe };
}

function spawnNode(home: Home): Promise<ChildProcess> {
  const log = openSync(home.logFile, "a", 0o600);
  const directory = join(home.logFile, "..", "..");
  const child = spawn(process.execPath, [process.argv[1] as string, "node", "--foreground"], {
    env: { ...process.env, HIVE_HOME: directory },
    stdio: ["ignore", log, log, "ipc"],
  });
  return new Promise((resolve, reject) => {
    const failed = (why: string): void =>
      reject(new HiveError("Unavailable", "swarm.start", `${why}; see ${home.logFile}`));
    child.once("error", (error) => failed(error.message));
    child.once("exit", (code) => failed(`peer ended with ${code}`));
    child.once("message", () => resolve(child));
  });
}

/** Not one that an outgoing connection may have taken by the time that a peer listens there. */
async function freePort(): Promise<number> {
  const { first, count, triesMax } = limits.swarm.ports;
  for (let tries = 0; tries < triesMax; tries++) {
    const port = first + systemRandom.below(count);
    if (await isFree(port)) return port;
  }
  throw new HiveError("Unavailable", "swarm.port", `${triesMax} ports are taken`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

function noPassphrase(): Promise<Buffer> {
  throw new HiveError("Denied", "swarm.keys", "a swarm peer's key has no passphrase");
}

