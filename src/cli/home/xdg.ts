/** The folders that XDG names: a variable that is empty, or no whole path, does not count. */
import { homedir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";

export function xdgFolder(named: string | undefined, otherwise: string): string {
  if (named !== undefined && isAbsolute(named)) return named;
  return resolve(join(homedir(), otherwise));
}
