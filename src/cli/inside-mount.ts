/** A path as the drive sees it: from its root, whatever folder the command line was in. */
import { realpathSync } from "node:fs";
import { relative, sep } from "node:path";
import { HiveError } from "../base/errors.ts";
import type { DriveStatus } from "../base/views.ts";
import { askControl } from "./control.ts";
import type { Home } from "./home.ts";

export async function insideMount(
  home: Home, { command, path }: { readonly command: string; readonly path: string },
): Promise<string> {
  const { mount } = (await askControl(home.socket, "status")) as DriveStatus;
  const inside = relative(realpathSync(mount), realpathSync(path));
  if (!inside.startsWith("..") && !inside.startsWith(sep)) return inside;
  throw new HiveError("Usage", command, `${path} is not under ${mount}`);
}

/** The names on the way. */
export function namesOf(inside: string): readonly string[] {
  return inside.split(sep).filter((name) => name !== "");
}
