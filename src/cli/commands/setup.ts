/** The commands that make or bring back a drive, and those that run without one. */
import { existsSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { HiveError } from "../../base/errors.ts";
import { lineLog, toStandardError } from "../../base/log.ts";
import { giveWay } from "../../base/machine/priority.ts";
import { systemRandom } from "../../base/random.ts";
import type { NodeStatus } from "../../base/views/drive.ts";
import { openNode, recoverDrive, seedOfWords, wordsOfSeed } from "../../hive.ts";
import { serveControl, vouchIn } from "../daemon/control.ts";
import {
  askedToEnd,
  receivePassphrase,
  sayFailed,
  sayReady,
  startInBackground,
} from "../daemon/daemon.ts";
import { isDrive, runningAt } from "../daemon/running.ts";
import { type ExitCode, exitCodeBy, exitCodes } from "../exits.ts";
import { driveConfigOf, nodeConfigOf } from "../home/config.ts";
import { watchFiles } from "../home/file-watch.ts";
import { type Home, makeHome } from "../home/home.ts";
import { hasDriveHere, hasKeys, obtainPassphrase, peerSeedHere, readKeys, writeKeys }
  from "../home/keys.ts";
import { readNetworkKey, writeNetworkKey } from "../home/network-key.ts";
import { readSettings, writeSettings } from "../home/settings.ts";
import { trafficReload } from "../home/traffic-orders.ts";
import { print, printJson, say } from "../output.ts";
import type { CommandLine } from "../table/parse.ts";
import { heldText } from "../text/held.ts";
import { examine } from "./doctor.ts";
import { orderIn } from "./leave.ts";

/** 24 words of at most 8 letters, with room for white space and mistakes. */
const wordsBytesMax = 4096;

export async function init(home: Home, line: CommandLine): Promise<ExitCode> {
  makeHome(home);
  if (await hasDriveHere(home)) throw new HiveError("Exists", "keys.init", home.keyFile);
  const words = line.flag("recover") ? await readWords() : undefined;
  const made = await makeDrive(home, await newPassphrase(line), words);
  if (line.flag("private-network")) writeNetworkKey(home);
  if (words === undefined) print(wordsText(made));
  else say("the drive's keys are here; hive mount fetches its newest state from peers it knows");
  return exitCodes.ok;
}

/** Makes the key file; answers the drive's words. */
export async function makeDrive(
  home: Home,
  passphrase: Buffer | undefined,
  words?: string,
): Promise<readonly string[]> {
  if (words === undefined) refuseOverStore(home);
  const driveSeed = words === undefined ? systemRandom.bytes(32) : seedOfWords(words);
  writeFileSync(home.newDriveFile, "", { mode: 0o600 });
  await writeKeys(home, { driveSeed, peerSeed: await peerSeedHere(home) }, passphrase);
  if (!existsSync(home.settingsFile)) {
    writeSettings(home.settingsFile, readSettings(home.settingsFile));
  }
  return wordsOfSeed(driveSeed);
}

/** What is there under keys that are gone is of no use to new ones, and in their way. */
function refuseOverStore({ cacheDirectory, keyFile }: Home): void {
  if (!existsSync(join(cacheDirectory, "index"))) return;
  const why = `${keyFile} is gone, and ${cacheDirectory} has a drive that it opened`;
  throw new HiveError("NotFound", "keys.gone", why);
}

export function wordsText(words: readonly string[]): string {
  const rows = [0, 1, 2, 3, 4, 5].map((row) =>
    [0, 1, 2, 3]
      .map((column) => {
        const index = row + column * 6;
        return `${String(index + 1).padStart(2)}. ${(words[index] as string).padEnd(10)}`;
      })
      .join(" ")
      .trimEnd(),
  );
  return [
    "These 24 words are your drive. They are shown once. Write them on paper:",
    "",
    ...rows.map((row) => `  ${row}`),
    "",
    "Whoever has them can read everything; without them a lost device is a lost drive.",
  ].join("\n");
}

export async function recover(home: Home, line: CommandLine): Promise<ExitCode> {
  const peer = peerAddress(line.given("peer"), "recover");
  makeHome(home);
  const peerSeed = await peerSeedHere(home);
  const secrets = { driveSeed: seedOfWords(await readWords()), peerSeed };
  const settings = recoverySettings(home, peer);
  const log = lineLog({ level: "warn", write: toStandardError });
  const config = driveConfigOf(home, settings, secrets, { directory: "" });
  say("looking for the drive's newest head");
  const { sequence, publishedAtMs, standIn } = await recoverDrive({ log }, config);
  // The keys come last: a recovery that failed half-way may simply be run again.
  await writeKeys(home, secrets, await newPassphrase(line));
  writeSettings(home.settingsFile, settings);
  say(`recovered state ${sequence}, published ${new Date(publishedAtMs).toISOString()}`);
  if (standIn !== undefined) say(`not as new as that: ${heldText(standIn)}; it waited for peers`);
  say("all names are here, contents follow as they are read; next: hive mount");
  return exitCodes.ok;
}

/** With the peer's id at its end, by which whoever answers there is known to be the one. */
export function peerAddress(text: string, command: string): string {
  if (/^\/\w+\/.+\/p2p\/\w+$/.test(text)) return text;
  const why = `--peer ${text}: an address such as /ip4/192.0.2.7/tcp/4001/p2p/12D3... is needed`;
  throw new HiveError("Usage", command, why);
}

/** A loopback peer means a local swarm: then nothing else needs to be listened to. */
export function recoverySettings(home: Home, peer: string) {
  const settings = readSettings(home.settingsFile);
  const local = peer.startsWith("/ip4/127.");
  const listen = local ? ["/ip4/127.0.0.1/tcp/0"] : settings.listen;
  const bootstrap = [...new Set([...settings.bootstrap, peer])];
  return { ...settings, listen, bootstrap, mdns: settings.mdns && !local };
}

/** A peer without a drive. */
export async function node(home: Home, line: CommandLine): Promise<ExitCode> {
  makeHome(home);
  if (!hasKeys(home)) {
    const secrets = { driveSeed: undefined, peerSeed: systemRandom.bytes(32) };
    await writeKeys(home, secrets, undefined);
  }
  if (line.flag("private-network") && readNetworkKey(home) === undefined) writeNetworkKey(home);
  if (line.flag("foreground")) return serveNode(home, line);
  const running = await runningAt(home);
  if (running !== undefined) {
    sayLines(isDrive(running)
      ? `what has ${running.mount} mounted is a peer already`
      : peerText(running, "a peer already"));
    return exitCodes.ok;
  }
  const words = await startInBackground({
    words: ["node", "--foreground"],
    environment: process.env,
    logFile: home.logFile,
    passphrase: undefined,
  });
  sayLines(words);
  return exitCodes.ok;
}

/** An address to a line: somebody will copy one. */
function peerText({ addresses }: NodeStatus, what = "a peer"): string {
  return addresses.length === 0 ? what : addresses.map((one) => `${what} at ${one}`).join("\n");
}

function sayLines(words: string): void {
  for (const line of words.split("\n")) say(line);
}

async function serveNode(home: Home, line: CommandLine): Promise<ExitCode> {
  giveWay("process");
  const log = lineLog({ level: "info", write: toStandardError });
  const give = async (): Promise<Buffer> => {
    const received = await receivePassphrase();
    return received ?? obtainPassphrase(line.count("passphrase-fd"), { repeat: false });
  };
  try {
    const secrets = await readKeys(home, give);
    const asked = askedToEnd();
    const config = nodeConfigOf(home, readSettings(home.settingsFile), secrets);
    const running = await openNode({ log }, config);
    const ended = Promise.withResolvers<void>();
    const reloadTraffic = trafficReload(home, (orders) => running.limit(orders));
    const settings = watchFiles(dirname(home.settingsFile), {
      log, isWanted: (path) => path === home.settingsFile, looks: [reloadTraffic],
    });
    const server = await serveControl(home.socket, {
      status: () => running.status(),
      peers: () => running.peers(),
      ledger: () => running.ledger(),
      vouch: (values) => running.vouch(vouchIn(values)),
      invite: (values) => running.invite({ networkKey: values["networkKey"] === true }),
      join: (values) => running.join(String(values["invite"])),
      leave: (values) => running.leave(orderIn(values)),
      reloadTraffic,
      setQuota: ({ bytes }) => running.setQuota(Number(bytes)),
      vault: async () => (await running.status()).vault,
      unmount: () => ended.resolve(),
    });
    const words = peerText(await running.status());
    if (process.send === undefined) sayLines(words);
    sayReady(words);
    const signal = await Promise.race([asked, ended.promise]);
    await settings.close();
    await running.close();
    server.close();
    return exitCodeBy(signal ?? undefined);
  } catch (error) {
    sayFailed(error);
    throw error;
  }
}

export async function doctor(home: Home, line: CommandLine): Promise<ExitCode> {
  const findings = await examine(home);
  if (line.flag("json")) printJson(findings);
  else for (const one of findings) print(`${one.fine ? "ok     " : "missing"}  ${one.what}`);
  const missing = findings.filter((one) => !one.fine);
  if (!line.flag("json")) for (const one of missing) say(`hint: ${one.mend}`);
  return missing.some((one) => one.needed) ? exitCodes.failure : exitCodes.ok;
}

export async function newPassphrase(line: CommandLine): Promise<Buffer | undefined> {
  const descriptor = line.count("passphrase-fd");
  if (!line.flag("passphrase") && descriptor === undefined) return undefined;
  return obtainPassphrase(descriptor, { repeat: true });
}

async function readWords(): Promise<string> {
  if (process.stdin.isTTY) say("type the 24 words, then Ctrl-D:");
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of process.stdin as AsyncIterable<Buffer>) {
    parts.push(part);
    length += part.length;
    if (length > wordsBytesMax) throw new HiveError("Usage", "words", "more than 24 words");
  }
  return Buffer.concat(parts).toString("utf8");
}
