/** A path as the drive sees it: from its root, whatever folder the command line was in. */
import { existsSync, realpathSync } from "node:fs";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { HiveError } from "../../base/errors.ts";
import { sharedName } from "../../base/grafts.ts";
import type { Home } from "../home/home.ts";
import { askDrive } from "./running.ts";

interface Asked {
  readonly command: string;
  readonly path: string;
}

/** The same, of what is the drive's own: not somebody else's folder, nor what it was once. */
export async function insideDrive(home: Home, asked: Asked): Promise<string> {
  const inside = await insideMount(home, asked);
  const names = namesOf(inside);
  const other = names[0] === sharedName ? sharedName : names.find((name) => past.has(name));
  if (other === undefined) return inside;
  const words = `${asked.path}: what lies in ${other} is not the drive as it is`;
  throw new HiveError("Usage", asked.command, words);
}

const past: ReadonlySet<string> = new Set([".snapshots", ".trash"]);

export async function insideMount(home: Home, { command, path }: Asked): Promise<string> {
  if (path.includes("\uFFFD") && !existsSync(path)) {
    const words = `${path}: a name that is not UTF-8 cannot be given; name the folder it is in`;
    throw new HiveError("Invalid", command, words);
  }
  const { mount } = await askDrive(home, command);
  const inside = relative(realpathSync(mount), placeOf(resolve(path)));
  if (!inside.startsWith("..") && !inside.startsWith(sep)) return inside;
  throw new HiveError("Usage", command, `${path} is not under ${mount}`);
}

/** What is not there, as a file that is to come back, is where it would be. */
function placeOf(path: string): string {
  if (existsSync(path) || dirname(path) === path) return realpathSync(path);
  return join(placeOf(dirname(path)), basename(path));
}

/** The names on the way. */
export function namesOf(inside: string): readonly string[] {
  return inside.split(sep).filter((name) => name !== "");
}
