/** A path as the drive sees it: from its root, whatever folder the command line was in. */
import { existsSync, realpathSync } from "node:fs";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { HiveError } from "../../base/errors.ts";
import type { DriveStatus } from "../../base/views/drive.ts";
import type { Home } from "../home/home.ts";
import { askControl } from "./control.ts";

export async function insideMount(
  home: Home, { command, path }: { readonly command: string; readonly path: string },
): Promise<string> {
  const { mount } = (await askControl(home.socket, "status")) as DriveStatus;
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
