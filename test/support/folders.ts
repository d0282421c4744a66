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

/** Until so many peers are there to be chosen from. */
export function met(machine: Machine, peers: number): Promise<unknown> {
  const areThere = async () => (await machine.status()).peers.online >= peers;
  return until(areThere, { seconds: 60, what: `${peers} peers are online` });
}

/** As any program does it; what is listed is told one name a line, under the file's own. */
export const xattr = {
  get: (path: string) => run("getfattr", ["-n", attribute, "--only-values", path], {}),
  set: (path: string, name: string) => run("setfattr", ["-n", attribute, "-v", name, path], {}),
  list: (path: string) => run("getfattr", ["--absolute-names", "-m", "-", path], {}),
};

/** Until nothing is left to be sealed anew, and all is with peers. */
export async function flushed(t: Test, machine: Machine): Promise<void> {
  const isQuiet = async () => {
    const { resealing } = await machine.status() as unknown as { readonly resealing: unknown };
    return resealing === null;
  };
  await until(isQuiet, { seconds: 60, what: "all is sealed under its own policy" });
  await machine.must(t, ["flush", "--timeout", "90"]);
}
