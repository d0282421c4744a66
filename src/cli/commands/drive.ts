/** The commands that ask a running daemon. */
import { HiveError, isFault } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { CacheReport, DriveStatus, NodeStatus, PathVerifyReport, ReclaimReport, VerifyReport }
  from "../../base/views/drive.ts";
import type { InviteView, PeerRow } from "../../base/views/peers.ts";
import type { TendedView } from "../../base/views/sharing.ts";
import { type Arguments, askControl, askStatus } from "../daemon/control.ts";
import { insideDrive } from "../daemon/inside-mount.ts";
import { askDrive, isDrive } from "../daemon/running.ts";
import { type ExitCode, exitCodes } from "../exits.ts";
import type { Home } from "../home/home.ts";
import { mountPointDefault, mountPointOf } from "../home/mount-point.ts";
import { secretOperand } from "../home/secret-line.ts";
import { readSettings, writeSettings } from "../home/settings.ts";
import { print, printJson, say, sizeText, table, tell } from "../output.ts";
import type { CommandLine } from "../table/parse.ts";
import { tendedWords } from "../text/shares.ts";
import { nodeText, statusText } from "../text/status.ts";

/** A day: a first upload over a slow line takes its time. */
const flushTimeoutSeconds = 24 * 3600;

export async function unmount(home: Home, line: CommandLine): Promise<ExitCode> {
  const directory = line.operands[0];
  const values: Record<string, string | boolean> = { lazy: line.flag("lazy") };
  if (directory !== undefined) values["directory"] = mountPointOf(directory);
  try {
    await ask(home, "unmount", values);
  } catch (error) {
    if (!isFault(error, "Unavailable") || error.op !== "control.connect") throw error;
    await takeOff(mountPointOf(directory ?? mountPointDefault()), error);
  }
  return exitCodes.ok;
}

/** What a killed daemon left behind; that none runs is told where there is nothing of the kind. */
async function takeOff(directory: string, noDaemon: HiveError): Promise<void> {
  const { clearStaleMount } = await import("../../hive.ts");
  if (!(await clearStaleMount(directory))) throw noDaemon;
  say(`${directory}: its daemon had been killed; what that left is taken off`);
}

export async function status(home: Home, line: CommandLine): Promise<ExitCode> {
  const found = (await askStatus(home.socket)) as DriveStatus | NodeStatus;
  if (line.flag("json")) printJson(found);
  else print(isDrive(found) ? statusText(found, Date.now()) : nodeText(found));
  return line.flag("check") && isDrive(found) ? codeOf(found.alerts) : exitCodes.ok;
}

/** The worst of them, for scripts. */
function codeOf(alerts: DriveStatus["alerts"]): ExitCode {
  if (alerts.length === 0) return exitCodes.ok;
  return alerts.some(({ kind }) => kind === "lost") ? exitCodes.corrupt : exitCodes.unavailable;
}

export async function flush(home: Home, line: CommandLine): Promise<ExitCode> {
  const seconds = line.count("timeout") ?? flushTimeoutSeconds;
  const { traffic } = await askDrive(home, "flush");
  if (traffic.paused !== null) say(`paused: this waits for ${traffic.paused.waitsFor}`);
  await ask(home, "flush", { timeoutMs: seconds * 1000 });
  return exitCodes.ok;
}

export async function gc(home: Home, line: CommandLine): Promise<ExitCode> {
  const seconds = line.count("timeout") ?? flushTimeoutSeconds;
  const found = (await ask(home, "gc", { timeoutMs: seconds * 1000 })) as ReclaimReport;
  if (line.flag("json")) printJson(found);
  else {
    const { blocks, segments, bytes, doubted = 0 } = found;
    print(`gave back  ${sizeText(bytes)} on peers: ${segments} segments, ${blocks} blocks`);
    if (doubted > 0) {
      say(`${doubted} folders of others are left as they are: the books of what peers have of ` +
        "them were damaged, and all that they lost is not known again");
    }
  }
  return exitCodes.ok;
}

export async function cache(home: Home, line: CommandLine): Promise<ExitCode> {
  const limitBytes = line.bytes("limit");
  const values: Record<string, number | boolean> = { drop: line.flag("drop") };
  if (limitBytes !== undefined) {
    const leastBytes = limits.cache.limitBytesMin;
    if (limitBytes < leastBytes) {
      throw new HiveError("Usage", "cache", `--limit: at least ${sizeText(leastBytes)}`);
    }
    values["limitBytes"] = limitBytes;
    const settings = readSettings(home.settingsFile);
    writeSettings(home.settingsFile, { ...settings, cacheLimitBytes: limitBytes });
  }
  try {
    const found = (await ask(home, "cache", values)) as CacheReport;
    if (line.flag("json")) printJson(found);
    else print(cacheText(found));
  } catch (error) {
    const isForLater = isFault(error, "Unavailable") && limitBytes !== undefined;
    if (!isForLater || line.flag("drop")) throw error;
    tell(line, null, "no daemon runs here: it holds from the next mount on");
  }
  return exitCodes.ok;
}

export async function verify(home: Home, line: CommandLine): Promise<ExitCode> {
  const name = line.text("of");
  const [path] = line.operands;
  if (name !== undefined) {
    if (path === undefined && !line.flag("deep")) return verifyOthers(home, line, name);
    throw new HiveError("Usage", "verify", "--of goes through all of a folder: no PATH, no --deep");
  }
  const values: Record<string, string | boolean> = { deep: line.flag("deep") };
  if (path !== undefined) values["path"] = await insideDrive(home, { command: "verify", path });
  const found = (await ask(home, "verify", values)) as VerifyReport | PathVerifyReport;
  if (line.flag("json")) printJson(found);
  else print(verifyText(found));
  return found.bad.length === 0 && found.missing === 0 ? exitCodes.ok : exitCodes.corrupt;
}

/** A folder of somebody else's. */
async function verifyOthers(home: Home, line: CommandLine, name: string): Promise<ExitCode> {
  const found = (await ask(home, "tend", { name })) as TendedView;
  if (line.flag("json")) printJson(found);
  else print(tendedWords(found));
  return found.wrong === 0 && found.missing === 0 ? exitCodes.ok : exitCodes.corrupt;
}

export async function peers(home: Home, line: CommandLine): Promise<ExitCode> {
  if (line.operands.length > 0 || line.text("location") !== undefined) return trust(home, line);
  const found = (await ask(home, "peers")) as readonly PeerRow[];
  if (line.flag("json")) printJson(found);
  else print(peersText(found));
  return exitCodes.ok;
}

/** The user's own word for where a peer is. */
async function trust(home: Home, line: CommandLine): Promise<ExitCode> {
  const [word, peer, more] = line.operands;
  if (word !== "trust" || peer === undefined || more !== undefined) {
    throw new HiveError("Usage", "peers", "trust PEER --location COUNTRY");
  }
  const country = line.text("location") ?? null;
  await ask(home, "vouch", { peer, country });
  const words = country === null ? `${peer} is vouched for no more` : `${peer} is in ${country}`;
  tell(line, { peer, country }, words);
  return exitCodes.ok;
}

export async function web(home: Home): Promise<ExitCode> {
  print(String(await ask(home, "web")));
  return exitCodes.ok;
}

/** The invite alone goes to standard output; the code for a camera to whoever looks. */
export async function invite(home: Home, line: CommandLine): Promise<ExitCode> {
  const networkKey = line.flag("network-key");
  const made = (await ask(home, "invite", { networkKey })) as InviteView;
  if (line.flag("json")) {
    printJson(made);
    return exitCodes.ok;
  }
  print(made.invite);
  const isSeen = line.flag("qr") || process.stderr.isTTY;
  if (isSeen) process.stderr.write((await import("../text/qr.ts")).qrText(made.invite));
  say(`it can be used until ${made.expiresAt}`);
  if (networkKey) say("it holds the network's key: whoever has this invite is in the network");
  return exitCodes.ok;
}

export async function join(home: Home, line: CommandLine): Promise<ExitCode> {
  const given = secretOperand(line.operands[0], { command: "join", what: "invite" });
  // With the key of a private network: what runs now has none, or another one.
  if (given.trim().startsWith("hive3")) {
    const { enterNetwork } = await import("../home/network-key.ts");
    return enterNetwork(home, given, await ownInvite(home));
  }
  const address = String(await ask(home, "join", { invite: given }));
  const settings = readSettings(home.settingsFile);
  const bootstrap = [...new Set([...settings.bootstrap, address])];
  writeSettings(home.settingsFile, { ...settings, bootstrap });
  say(`joined ${address}`);
  return exitCodes.ok;
}

/** Undefined where nothing runs. */
async function ownInvite(home: Home): Promise<string | undefined> {
  try {
    return ((await ask(home, "invite", { networkKey: false })) as InviteView).invite;
  } catch (error) {
    if (isFault(error, "Unavailable")) return undefined;
    throw error;
  }
}

function ask(home: Home, command: string, values: Arguments = {}): Promise<unknown> {
  return askControl(home.socket, command, values, say);
}

function cacheText(found: CacheReport): string {
  return [
    `used   ${sizeText(found.usedBytes)} of ${sizeText(found.limitBytes)}`,
    `dirty  ${sizeText(found.dirtyBytes)}`,
    ...(found.pinnedBytes > 0 ? [`pinned ${sizeText(found.pinnedBytes)}`] : []),
    ...(found.droppedBytes > 0 ? [`dropped  ${sizeText(found.droppedBytes)}`] : []),
  ].join("\n");
}

function verifyText(found: VerifyReport | PathVerifyReport): string {
  const bad = found.bad.map((one) => `${one.peer}  ${one.what}`);
  const head =
    `${found.blocks} blocks in ${found.segments} segments: ${found.proofsRight} proofs right, ` +
    `${found.proofsWrong} wrong, ${found.late} late, ${found.offline} offline, ` +
    `${found.missing} blocks missing`;
  const onlyHere = "onlyHere" in found && found.onlyHere > 0
    ? [`${found.onlyHere} blocks are on this machine alone (hive flush waits until they are not)`]
    : [];
  return [head, ...onlyHere, ...bad].join("\n");
}

function peersText(found: readonly PeerRow[]): string {
  const rows = found.map((peer) => [
    peer.peer,
    peer.online ? "online" : "away",
    peer.roundTripMs === null ? "-" : `${peer.roundTripMs.toFixed(1)} ms`,
    peer.household,
    placeText(peer),
    sizeText(peer.freeBytes),
    `${peer.state.split(":")[0]}: ${peer.why}`,
  ]);
  return table(["peer", "now", "round trip", "household", "place", "free", "standing"], rows);
}

/** The country and how well it is known; of what is not believed, what it says itself. */
function placeText({ country, evidence, claimedCountry, isLying }: PeerRow): string {
  const claim = claimedCountry ?? "nowhere";
  const known = country === null ? "-" : `${country} (${evidence})`;
  if (isLying) return `${known}, says ${claim}: not so`;
  if (country === null && claimedCountry !== null) return `-, says ${claim}`;
  return known;
}
