/**
 * The key of a private network, in a file of its own: 64 hex digits on a line, which machines of
 * one network share. Whoever has it is heard there; it opens no drive.
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import { HiveError } from "../../base/errors.ts";
import { systemRandom } from "../../base/random.ts";
import { networkKeyBytes, parseInvite, refuseOwnInvite } from "../../hive.ts";
import { type ExitCode, exitCodes } from "../exits.ts";
import { say } from "../output.ts";
import { type Home, makeHome } from "./home.ts";
import { readSettings, writeSettings } from "./settings.ts";
import { writeWhole } from "./whole-file.ts";

/** Undefined where there is none; Denied when others may read it. */
export function readNetworkKey(home: Home): Uint8Array | undefined {
  const file = home.networkKeyFile;
  if (!existsSync(file)) return undefined;
  if ((statSync(file).mode & 0o077) !== 0) {
    throw new HiveError("Denied", "network.key", `${file} may be read by others; chmod 600 it`);
  }
  const text = readFileSync(file, "latin1").trim();
  const right = text.length === 2 * networkKeyBytes && /^[0-9a-f]+$/i.test(text);
  if (right) return Buffer.from(text, "hex");
  throw new HiveError("Corrupt", "network.key", file);
}

/** Never another in the place of one that is there: the peers that have it would be lost. */
export function writeNetworkKey(
  home: Home, key: Uint8Array = systemRandom.bytes(networkKeyBytes),
): "made" | "same" {
  const known = readNetworkKey(home);
  if (known === undefined) {
    writeWhole(home.networkKeyFile, `${Buffer.from(key).toString("hex")}\n`);
    return "made";
  }
  if (Buffer.from(known).equals(key)) return "same";
  throw new HiveError("Exists", "network.key", home.networkKeyFile);
}

/**
 * Takes the key and the addresses out of an invite; the next start is one of the network. `own` is
 * an invite of this machine, where something runs that makes one.
 */
export function enterNetwork(home: Home, text: string, own: string | undefined): ExitCode {
  const invite = parseInvite(text);
  if (own !== undefined) refuseOwnInvite(invite.peer, parseInvite(own).peer);
  if (invite.networkKey === undefined) throw new HiveError("Invalid", "join", "no network key");
  makeHome(home);
  writeNetworkKey(home, invite.networkKey);
  const settings = readSettings(home.settingsFile);
  const known = invite.addresses.map((address) => `${address}/p2p/${invite.peer}`);
  const bootstrap = [...new Set([...settings.bootstrap, ...known])];
  writeSettings(home.settingsFile, { ...settings, bootstrap });
  say(`the network's key is in ${home.networkKeyFile}`);
  say("hint: end what runs now with hive unmount, then start it again");
  return exitCodes.ok;
}
