/**
 * Where this machine keeps a drive's files. Under HIVE_HOME everything lies together; without it
 * the XDG directories are used. The cache counts as state: it may hold what no peer has yet, so
 * it must not lie where a cleaner deletes.
 */
import { createHash } from "node:crypto";
import { accessSync, chmodSync, constants, statSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join, resolve } from "node:path";
import { folderFault, makeDirectories } from "../../base/machine/directories.ts";
import { xdgFolder } from "./xdg.ts";

export interface Home {
  /** 0600: the drive's and the node's secrets, plain or under a passphrase. */
  readonly keyFile: string;
  /** There until this machine mounts its drive for the first time: so far it can miss nothing. */
  readonly newDriveFile: string;
  /** 0600: the key of a private network, where there is one. */
  readonly networkKeyFile: string;
  readonly settingsFile: string;
  readonly policiesDirectory: string;
  readonly cacheDirectory: string;
  /** The node's books, vault and address book. */
  readonly nodeDirectory: string;
  readonly swarmDirectory: string;
  /** There while the user wants no bulk. */
  readonly pauseFile: string;
  /** The folders that are backed up. */
  readonly watchesFile: string;
  readonly logFile: string;
  readonly socket: string;
}

/** sun_path holds 108 bytes with its NUL. */
const socketBytesMax = 107;

export function findHome(environment: NodeJS.ProcessEnv = process.env): Home {
  const own = environment["HIVE_HOME"];
  if (own !== undefined && own !== "") return homeAt(resolve(own));
  const config = xdgFolder(environment["XDG_CONFIG_HOME"], ".config");
  const state = xdgFolder(environment["XDG_STATE_HOME"], join(".local", "state"));
  return homeIn(join(config, "hive"), join(state, "hive"));
}

export function homeAt(directory: string): Home {
  return homeIn(join(directory, "config"), join(directory, "state"));
}

/** Makes the directories, readable by this user alone. */
export function makeHome(home: Home): void {
  const directories = [join(home.keyFile, ".."), join(home.logFile, ".."), join(home.socket, "..")];
  for (const directory of directories) {
    try {
      makeDirectories(directory, 0o700);
      if ((statSync(directory).mode & 0o777) !== 0o700) chmodSync(directory, 0o700);
      accessSync(directory, constants.W_OK);
    } catch (cause) {
      throw folderFault(cause, "home.make", directory);
    }
  }
}

function homeIn(config: string, state: string): Home {
  return {
    keyFile: join(config, "key"),
    newDriveFile: join(config, "new-drive"),
    networkKeyFile: join(config, "network.key"),
    settingsFile: join(config, "settings.json"),
    policiesDirectory: join(config, "policies"),
    cacheDirectory: join(state, "cache"),
    nodeDirectory: join(state, "node"),
    swarmDirectory: join(state, "swarm"),
    pauseFile: join(state, "pause.json"),
    watchesFile: join(state, "watches.json"),
    logFile: join(state, "hive.log"),
    socket: socketIn(state),
  };
}

/** Beside the state, or under a short name of its own where the path would be too long. */
export function socketIn(state: string): string {
  const plain = join(state, "control.sock");
  if (Buffer.byteLength(plain) <= socketBytesMax) return plain;
  const short = createHash("sha256").update(state).digest("hex").slice(0, 16);
  return join(tmpdir(), `hive-${userInfo().uid}`, `${short}.sock`);
}
