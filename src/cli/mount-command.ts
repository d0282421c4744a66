/** `hive mount`: makes what is missing, then serves the drive, in the background by default. */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../base/clock.ts";
import { HiveError, isFault } from "../base/errors.ts";
import { systemRandom } from "../base/random.ts";
import { lineLog, toStandardError } from "../base/log.ts";
import type { PolicyTexts } from "../base/policy-views.ts";
import type { DriveStatus } from "../base/views.ts";
import {
  type Dashboard,
  type Drive,
  openDrive,
  parseMountOptions,
  serveDashboard,
} from "../hive.ts";
import { driveConfigOf } from "./config.ts";
import { type ControlHandlers, askControl, serveControl, vouchIn } from "./control.ts";
import {
  askedToEnd,
  receivePassphrase,
  sayFailed,
  sayReady,
  startInBackground,
} from "./daemon.ts";
import { type ExitCode, exitCodes } from "./exits.ts";
import { type Home, makeHome } from "./home.ts";
import { hasDrive, hasKeys, needsPassphrase, obtainPassphrase, readKeys } from "./keys.ts";
import { orderIn } from "./leave-command.ts";
import { namesOf } from "./inside-mount.ts";
import { checkMountPoint, mountPointOf } from "./mount-point.ts";
import { print, say } from "./output.ts";
import type { CommandLine } from "./parse.ts";
import { pinHandlersOf } from "./pin-command.ts";
import { PolicyFiles, type PolicyWatch, watchPolicies } from "./policy-watch.ts";
import { readSettings, writeSettings } from "./settings.ts";
import { sharingHandlersOf } from "./sharing-commands.ts";
import { snapshotHandlersOf } from "./snapshot-handlers.ts";
import { makeDrive, wordsText } from "./setup-commands.ts";
import { checkSwarmSize, joinLocalSwarm } from "./swarm-command.ts";
import { trafficReload } from "./traffic-orders.ts";
import { watchHandlersOf } from "./watch-command.ts";
import { WatchKeeper } from "./watch-keeper.ts";

const daemonLog = lineLog({ level: "info", write: toStandardError });

/** For a drive without open files: its end is quicker than this. */
const lazyWaitMs = 3000;

export async function mountCommand(home: Home, line: CommandLine): Promise<ExitCode> {
  const directory = mountPointOf(line.operands[0] ?? join(homedir(), "Hive"));
  parseMountOptions(line.text("options") ?? "");
  driverOf(line);
  checkMountPoint(directory);
  checkSwarmSize(line.count("swarm"), "--swarm");
  makeHome(home);
  if (line.flag("foreground")) return serve(home, line, directory);
  const running = await runningAt(home);
  if (running !== undefined) return already(running, directory, line);
  await prepareDrive(home, line);
  const passphrase = await passphraseFor(home, line);
  const words = await startInBackground({
    words: foregroundWords(line, directory),
    environment: process.env,
    logFile: home.logFile,
    passphrase,
  });
  say(words);
  if (line.flag("welcome")) print(welcome(directory));
  return exitCodes.ok;
}

/** The daemon itself. Its parent, if any, hears when the mount answers. */
async function serve(home: Home, line: CommandLine, directory: string): Promise<ExitCode> {
  const received = await receivePassphrase();
  try {
    if (received === undefined && process.send === undefined) await prepareDrive(home, line);
    const policies = new PolicyFiles(home);
    const drive = await openHere(home, line, { directory, received, policies });
    const words = [`mounted at ${directory}`, drive.note ?? []].flat().join("; ");
    if (process.send === undefined) say(words);
    sayReady(words);
    return await attend(home, drive, { files: policies, directory });
  } catch (error) {
    sayFailed(error);
    throw error;
  }
}

async function attend(
  home: Home, drive: Drive,
  { files, directory }: { readonly files: PolicyFiles; readonly directory: string },
): Promise<ExitCode> {
  const dashboard = lazyDashboard(drive);
  const govern = (texts: PolicyTexts) => drive.govern(texts);
  const reloadTraffic = trafficReload(home, (orders) => drive.limit(orders));
  const needs = { log: daemonLog, govern, settingsChanged: reloadTraffic };
  const policies = watchPolicies(home, files, needs);
  const watches = new WatchKeeper(home.watchesFile, { mount: directory, log: daemonLog });
  const handlers = {
    ...handlersOf(drive, { dashboard, policies, watches }), ...policyHandlersOf(drive, policies),
    ...pinHandlersOf(drive), ...sharingHandlersOf(drive), ...watchHandlersOf(watches),
    ...snapshotHandlersOf(home, drive),
    reloadTraffic,
  };
  const server = await serveControl(home.socket, handlers);
  watches.begin();
  try {
    const signal = await Promise.race([askedToEnd(), drive.ended]);
    await watches.close();
    if (signal !== undefined) await drive.unmount({ lazy: true });
    await drive.ended;
    // What waits for the answer to `unmount` gets it before the process ends.
    await dashboard.close();
    await policies.close();
    await drive[Symbol.asyncDispose]();
  } finally {
    // A store that could not keep everything ends in a fault, and the process ends all the same.
    server.close();
  }
  return exitCodes.ok;
}

/** An indexer or a file manager that looks in for a moment is no reason to refuse. */
const busyPatienceMs = 2000;
const busyPauseMs = 100;

async function unmountPatiently(drive: Drive, how: { readonly lazy: boolean }): Promise<void> {
  const untilMs = systemClock.monotonicMs() + busyPatienceMs;
  for (;;) {
    try {
      return await drive.unmount(how);
    } catch (error) {
      if (!isFault(error, "Busy") || systemClock.monotonicMs() > untilMs) throw error;
      // Nothing tells when a mount is not busy any more.
      await systemClock.delay(busyPauseMs);
    }
  }
}

/** What copies into the drive must not keep it busy; a drive that stays goes on being copied to. */
async function unmountWithout(watches: WatchKeeper, unmount: () => Promise<void>): Promise<void> {
  await watches.close();
  try {
    await unmount();
  } catch (error) {
    watches.begin();
    throw error;
  }
}

interface LazyDashboard {
  url(): Promise<string>;
  close(): Promise<void>;
}

/** Nobody listens on a port before somebody asked for the page. */
function lazyDashboard(drive: Drive): LazyDashboard {
  let serving: Promise<Dashboard> | undefined;
  const needs = {
    status: () => drive.status(),
    peers: () => drive.node.peers(),
    random: systemRandom,
    log: daemonLog,
  };
  return {
    async url() {
      serving ??= serveDashboard(needs, { port: 0 });
      return (await serving).url;
    },
    close: async () => (await serving)?.close(),
  };
}

function handlersOf(drive: Drive, { dashboard, policies, watches }: {
  readonly dashboard: LazyDashboard; readonly policies: PolicyWatch; readonly watches: WatchKeeper;
}): ControlHandlers {
  return {
    status: () => drive.status(),
    flush: (values) => drive.flush(Number(values["timeoutMs"])),
    gc: (values) => drive.reclaim(Number(values["timeoutMs"])),
    cache: async (values) => {
      const limitBytes = values["limitBytes"];
      if (typeof limitBytes === "number") await drive.setCacheLimit(limitBytes);
      return drive.cache({ drop: values["drop"] === true });
    },
    verify: (values) => {
      const path = values["path"];
      const names = typeof path === "string" ? path.split("/") : undefined;
      if (names !== undefined) return drive.verifyPath(names.filter((name) => name !== ""));
      return drive.node.verify({ deep: values["deep"] === true });
    },
    peers: () => drive.node.peers(),
    ledger: () => drive.node.ledger(),
    policy: ({ text, peer }) => {
      const asked = { text: String(text), peer: typeof peer === "string" ? peer : null };
      return drive.node.explainPolicy(asked);
    },
    reloadPolicies: () => policies.reload(),
    vouch: (values) => drive.node.vouch(vouchIn(values)),
    web: () => dashboard.url(),
    invite: (values) => drive.node.invite({ networkKey: values["networkKey"] === true }),
    join: (values) => drive.node.join(String(values["invite"])),
    setQuota: ({ bytes }) => drive.setQuota(Number(bytes)),
    vault: async () => (await drive.node.status()).vault,
    devices: () => drive.node.devices(),
    forgetDevice: ({ peer }) => drive.node.forgetDevice(String(peer)),
    removeDevice: ({ device }) => drive.node.removeDevice(String(device)),
    confirmDevice: ({ code }) => drive.node.confirmDevice(String(code)),
    leave: (values) => drive.node.leave(orderIn(values)),
    unmount: async (values) => {
      const wanted = values["directory"];
      const { mount } = await drive.status();
      if (wanted !== undefined && wanted !== mount) {
        throw new HiveError("NotFound", "unmount", `${String(wanted)} (mounted: ${mount})`);
      }
      const lazy = values["lazy"] === true;
      await unmountWithout(watches, () => unmountPatiently(drive, { lazy }));
      const ended = drive[Symbol.asyncDispose]();
      // Open files keep a detached drive alive: nobody waits for them.
      await (lazy ? Promise.race([ended, systemClock.delay(lazyWaitMs)]) : ended);
    },
  };
}

function policyHandlersOf(drive: Drive, policies: PolicyWatch): ControlHandlers {
  return {
    policyAt: ({ path }) => drive.policyAt(namesOf(String(path))),
    // A file that was just written must be known under its name.
    setPolicy: async ({ path, name }) => {
      await policies.reload();
      await drive.setPolicy(namesOf(String(path)), typeof name === "string" ? name : null);
    },
  };
}

async function openHere(
  home: Home,
  line: CommandLine,
  { directory, received, policies }: {
    readonly directory: string; readonly received: Buffer | undefined;
    readonly policies: PolicyFiles;
  },
): Promise<Drive> {
  const give = async (): Promise<Buffer> =>
    received ?? obtainPassphrase(line.count("passphrase-fd"), { repeat: false });
  const secrets = await readKeys(home, give);
  if (!hasDrive(secrets)) throw new HiveError("NotFound", "mount", "this node has no drive");
  const settings = readSettings(home.settingsFile);
  const options = parseMountOptions(line.text("options") ?? "");
  const driver = driverOf(line);
  const mount = { ...options, directory, ...(driver === undefined ? {} : { driver }) };
  const config = driveConfigOf(home, settings, secrets, mount);
  // A policy that cannot be read is no reason to go without one.
  return openDrive({ log: daemonLog }, { ...config, policies: policies.open() });
}

/** A drive, and with --swarm peers to keep it, if they are not there yet. */
async function prepareDrive(home: Home, line: CommandLine): Promise<void> {
  if (!hasKeys(home)) {
    const words = await makeDrive(home, undefined);
    print(wordsText(words));
  }
  const peers = line.count("swarm");
  if (peers !== undefined) await joinLocalSwarm(home, peers);
  else {
    const settings = readSettings(home.settingsFile);
    if (!existsSync(home.settingsFile)) writeSettings(home.settingsFile, settings);
  }
}

async function passphraseFor(home: Home, line: CommandLine): Promise<Buffer | undefined> {
  if (!needsPassphrase(home)) return undefined;
  return obtainPassphrase(line.count("passphrase-fd"), { repeat: false });
}

async function runningAt(home: Home): Promise<DriveStatus | undefined> {
  if (!existsSync(home.socket)) return undefined;
  try {
    return (await askControl(home.socket, "status")) as DriveStatus;
  } catch {
    return undefined;
  }
}

function already(running: DriveStatus, directory: string, line: CommandLine): ExitCode {
  if (running.mount !== directory) {
    throw new HiveError("Busy", "mount", `this drive is mounted at ${running.mount}`);
  }
  say(`mounted at ${directory} already`);
  if (line.flag("welcome")) print(welcome(directory));
  return exitCodes.ok;
}

function foregroundWords(line: CommandLine, directory: string): string[] {
  const options = line.text("options");
  const driver = line.text("driver");
  return [
    "mount",
    directory,
    "--foreground",
    ...(options === undefined ? [] : ["--options", options]),
    ...(driver === undefined ? [] : ["--driver", driver]),
  ];
}

function driverOf(line: CommandLine): "kernel" | "fuse-native" | undefined {
  const driver = line.text("driver");
  if (driver === undefined || driver === "kernel" || driver === "fuse-native") return driver;
  throw new HiveError("Usage", "mount", `--driver ${driver}: kernel or fuse-native`);
}

function welcome(directory: string): string {
  const steps = [
    [`cp -a /usr/share/doc ${directory}/`, "write something"],
    ["npx hive flush", "wait until the peers have it"],
    ["npx hive status", "how safe it is now"],
    ["npx hive swarm kill --fraction 0.3", "a disaster; your files still read"],
    ["npx hive unmount", "the end; the peers keep running"],
    ["npx hive swarm stop", "until you stop them too"],
  ] as const;
  const width = Math.max(...steps.map(([command]) => command.length));
  const lines = steps.map(([command, why]) => `  ${command.padEnd(width)}  # ${why}`);
  const head = `Your drive is at ${directory}. Any program can use it. Try:`;
  return ["", head, "", ...lines, ""].join("\n");
}
