/**
 * Loads the addons that native/build.mjs compiled. It never decides what to do without one: that
 * is its caller's matter, who knows the fallback. See native/README.md for threads and buffers.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { HiveError } from "../errors.ts";

/** Relative to this file, so it is the same from src/base and from dist/base. */
const folder = new URL("../../../native/build/", import.meta.url);

/**
 * The addon, as the caller's parser takes it; undefined where it was never built. A file that is
 * there and cannot be loaded is Corrupt: falling back silently would hide a loss of speed.
 */
export function loadAddon<T>(name: string, parse: (exports: unknown) => T): T | undefined {
  return loadAddonFile(fileURLToPath(new URL(`${name}.node`, folder)), parse);
}

/** The same for a path of one's own. */
export function loadAddonFile<T>(file: string, parse: (exports: unknown) => T): T | undefined {
  if (!existsSync(file)) return undefined;
  return parse(requireFile(file));
}

function requireFile(file: string): unknown {
  try {
    return createRequire(import.meta.url)(file);
  } catch (cause) {
    const subject = `${file} does not load; rebuild it with node native/build.mjs`;
    throw new HiveError("Corrupt", "native.load", subject, { cause });
  }
}
