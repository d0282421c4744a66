/** The user's policies: one to a file, in a folder beside the settings. Reads them, writes none. */
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { HiveError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { type PolicyDescription, describePolicy } from "../../hive.ts";
import type { Home } from "./home.ts";

const ending = ".policy";

export interface PolicyFile extends PolicyDescription {
  readonly file: string;
  readonly text: string;
}

/** The paths of all that could be policies, in the order of their names. */
export function policyFiles(home: Home): readonly string[] {
  if (!existsSync(home.policiesDirectory)) return [];
  const names = readdirSync(home.policiesDirectory).filter((name) => name.endsWith(ending)).sort();
  if (names.length > limits.policy.filesMax) {
    throw new HiveError("TooLarge", "policy.list", `${names.length} files`);
  }
  return names.map((name) => join(home.policiesDirectory, name));
}

/** Checked; a fault names the file. */
export function readPolicy(file: string): PolicyFile {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found === undefined) throw new HiveError("NotFound", "policy.read", file);
  if (found.isDirectory()) throw new HiveError("IsDirectory", "policy.read", file);
  // A page of text, never a device or a disk image.
  if (found.isCharacterDevice() || found.size > 4 * limits.policy.charsMax) {
    throw new HiveError("TooLarge", "policy.read", file);
  }
  const text = readFileSync(file, "utf8");
  try {
    return { ...describePolicy(text), file, text };
  } catch (cause) {
    if (!(cause instanceof HiveError)) throw cause;
    throw new HiveError(cause.kind, cause.op, `${file}: ${cause.subject}`, { cause });
  }
}

/** The policy of this name, whatever its file is called. */
export function findPolicy(home: Home, name: string): PolicyFile {
  const usual = join(home.policiesDirectory, `${name}${ending}`);
  if (existsSync(usual) && readPolicy(usual).name === name) return readPolicy(usual);
  for (const file of policyFiles(home)) {
    if (nameIn(file) === name) return readPolicy(file);
  }
  throw new HiveError("NotFound", "policy.find", `${name} (in ${home.policiesDirectory})`);
}

/** Undefined for a file that is none: another one may be meant. */
function nameIn(file: string): string | undefined {
  try {
    return readPolicy(file).name;
  } catch (error) {
    if (error instanceof HiveError) return undefined;
    throw error;
  }
}
