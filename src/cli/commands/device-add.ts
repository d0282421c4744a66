/**
 * `hive device add`: a machine that has no drive yet shows a code, waits until somebody types it on
 * a device that has one, and fetches that drive's newest state. It never has the 24 words.
 */
import { lineLog, toStandardError } from "../../base/log.ts";
import { addDevice, recoverDrive } from "../../hive.ts";
import { type ExitCode, exitCodes } from "../exits.ts";
import { driveConfigOf, nodeConfigOf } from "../home/config.ts";
import { type Home, makeHome } from "../home/home.ts";
import { peerSeedHere, writeKeys } from "../home/keys.ts";
import { readSettings, writeSettings } from "../home/settings.ts";
import { print, say, tell } from "../output.ts";
import type { CommandLine } from "../table/parse.ts";
import { newPassphrase, peerAddress, recoverySettings } from "./setup.ts";

export async function add(home: Home, line: CommandLine): Promise<ExitCode> {
  const given = line.text("peer");
  const peer = given === undefined ? undefined : peerAddress(given, "device");
  makeHome(home);
  const peerSeed = await peerSeedHere(home);
  const passphrase = await newPassphrase(line);
  const settings = peer === undefined
    ? readSettings(home.settingsFile)
    : recoverySettings(home, peer);
  const secrets = { driveSeed: undefined, peerSeed };
  const log = lineLog({ level: "warn", write: toStandardError });
  // Until it has a drive it keeps nothing for others.
  const alone = { ...nodeConfigOf(home, settings, secrets), quotaBytes: 0 };
  const show = (code: string) => showCode(line, code);
  const device = Buffer.from(await addDevice({ log, show }, alone));
  say("confirmed; fetching the drive's newest state");
  const whole = { ...secrets, device };
  const config = driveConfigOf(home, settings, whole, { directory: "" });
  const { sequence, publishedAtMs } = await recoverDrive({ log }, config);
  // The keys come last: what failed half-way may simply be done again, under another code.
  await writeKeys(home, whole, passphrase);
  writeSettings(home.settingsFile, settings);
  const publishedAt = new Date(publishedAtMs).toISOString();
  tell(
    line, { sequence, publishedAt },
    `it has state ${sequence}, published ${publishedAt}`,
    "all names are here, contents follow as they are read; next: hive mount",
  );
  return exitCodes.ok;
}

/** Where a program wants JSON, that comes at the end: it finds the code in the words. */
function showCode(line: CommandLine, code: string): void {
  if (!line.flag("json")) print(code);
  say(`on a device that has the drive's words, within ten minutes: hive device confirm ${code}`);
}
