/** `hive mount`: makes what is missing, then serves the drive, in the background by default. */
import { existsSync, rmSync } from "node:fs";
import { HiveError } from "../../base/errors.ts";
import type { DriveStatus } from "../../base/views/drive.ts";
import { type Drive, type Secrets, openDrive, parseMountOptions, prepareMount }
  from "../../hive.ts";
import { askedToEnd, receivePassphrase, sayFailed, sayReady, startInBackground }
  from "../daemon/daemon.ts";
import { isDrive, runningAt } from "../daemon/running.ts";
import { type ExitCode, exitCodes } from "../exits.ts";
import { driveConfigOf } from "../home/config.ts";
import { type Home, makeHome } from "../home/home.ts";
import { hasDrive, hasDriveHere, needsPassphrase, obtainPassphrase, readKeys }
  from "../home/keys.ts";
import { checkMountPoint, mountPointDefault, mountPointOf } from "../home/mount-point.ts";
import { PolicyFiles } from "../home/policy-watch.ts";
import { readSettings, writeSettings } from "../home/settings.ts";
import { print, say } from "../output.ts";
import type { CommandLine } from "../table/parse.ts";
import { attend, daemonLog } from "./attend.ts";
import { makeDrive, wordsText } from "./setup.ts";
import { checkSwarmSize, joinLocalSwarm } from "./swarm.ts";

export async function mountCommand(home: Home, line: CommandLine): Promise<ExitCode> {
  const directory = mountPointOf(line.operands[0] ?? mountPointDefault());
  parseMountOptions(line.text("options") ?? "");
  driverOf(line);
  checkMountPoint(directory);
  checkSwarmSize(line.count("swarm"), "--swarm");
  if (line.flag("foreground")) return serve(home, line, directory);
  const running = await runningAt(home);
  if (running !== undefined) {
    if (isDrive(running)) return already(running, directory, line);
    throw new HiveError("Busy", "mount.node", "a peer without a mount runs here");
  }
  await prepareDrive(home, line, directory);
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
    if (received === undefined && process.send === undefined) {
      await prepareDrive(home, line, directory);
    }
    const policies = new PolicyFiles(home);
    const secrets = await readKeys(home, async () => received ?? passphraseOf(line));
    const asked = askedToEnd();
    const drive = await openHere(home, line, { directory, secrets, policies });
    rmSync(home.newDriveFile, { force: true });
    const words = [`mounted at ${directory}`, drive.note ?? []].flat().join("; ");
    const tell = (): void => {
      if (process.send === undefined) say(words);
      sayReady(words);
    };
    return await attend(home, drive, { files: policies, directory, asked, sayReady: tell });
  } catch (error) {
    sayFailed(error);
    throw error;
  }
}

async function openHere(
  home: Home,
  line: CommandLine,
  { directory, secrets, policies }: {
    readonly directory: string; readonly secrets: Secrets; readonly policies: PolicyFiles;
  },
): Promise<Drive> {
  if (!hasDrive(secrets)) throw new HiveError("NotFound", "mount", "this node has no drive");
  const settings = readSettings(home.settingsFile);
  const config = driveConfigOf(home, settings, secrets, mountWish(line, directory));
  // A policy that cannot be read is no reason to go without one.
  return openDrive({ log: daemonLog }, { ...config, policies: policies.open() });
}

function mountWish(line: CommandLine, directory: string) {
  const driver = driverOf(line);
  const options = parseMountOptions(line.text("options") ?? "");
  return { ...options, directory, ...(driver === undefined ? {} : { driver }) };
}

/** A drive, and with --swarm peers to keep it, if they are not there yet. */
async function prepareDrive(home: Home, line: CommandLine, directory: string): Promise<void> {
  const isNew = !(await hasDriveHere(home));
  // Nobody should write down the words of a drive that cannot be mounted here.
  if (isNew) await prepareMount(mountWish(line, directory));
  makeHome(home);
  if (isNew) print(wordsText(await makeDrive(home, undefined)));
  const peers = line.count("swarm");
  if (peers !== undefined) await joinLocalSwarm(home, peers);
  else {
    const settings = readSettings(home.settingsFile);
    if (!existsSync(home.settingsFile)) writeSettings(home.settingsFile, settings);
  }
}

async function passphraseFor(home: Home, line: CommandLine): Promise<Buffer | undefined> {
  return needsPassphrase(home) ? passphraseOf(line) : undefined;
}

function passphraseOf(line: CommandLine): Promise<Buffer> {
  return obtainPassphrase(line.count("passphrase-fd"), { repeat: false });
}

function already(running: DriveStatus, directory: string, line: CommandLine): ExitCode {
  if (running.mount !== directory) {
    throw new HiveError("Busy", "mount", `this drive is mounted at ${running.mount}`);
  }
  if (!running.isMounted) throw new HiveError("Busy", "mount.taken-off", directory);
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
