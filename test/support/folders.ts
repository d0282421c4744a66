/** What tests of folders' policies have in common: policy files, the attribute, a drive at rest. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Test } from "tap";
import { type Machine, run, until } from "./cli.ts";

export const attribute = "user.hive.policy";
/** Twenty commands each, and as many peers at work beside them. */
export const slow = { timeout: 240_000 };

export function writePolicy(machine: Machine, name: string, clauses: string): void {
  const folder = join(machine.home, "config", "policies");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${name}.policy`), `policy ${name} { ${clauses} }\n`);
}

/** As any program does it. */
export const xattr = (...words: string[]) => run("python3", ["-c", `
import os, sys
act, path, *rest = sys.argv[1:]
if act == "get": print(os.getxattr(path, "${attribute}").decode())
elif act == "set": os.setxattr(path, "${attribute}", rest[0].encode())
elif act == "remove": os.removexattr(path, "${attribute}")
elif act == "list": print("\\n".join(os.listxattr(path)))
`, ...words], {});

/** Until nothing is left to be sealed anew, and all is with peers. */
export async function flushed(t: Test, machine: Machine): Promise<void> {
  const isQuiet = async () => {
    const { resealing } = await machine.status() as unknown as { readonly resealing: unknown };
    return resealing === null;
  };
  await until(isQuiet, { seconds: 60, what: "all is sealed under its own policy" });
  await machine.must(t, ["flush", "--timeout", "90"]);
}
