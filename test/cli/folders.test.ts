/** Two folders of two policies on a real swarm: each one's shards lie only where its policy says. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Test, test } from "tap";
import { type Machine, newMachine, run, until, wordsIn } from "../support/cli.ts";
import { shardsOfPaths, shardsOfPeers } from "../support/vault-shards.ts";

const attribute = "user.hive.policy";

function write(machine: Machine, name: string, clauses: string): void {
  const folder = join(machine.home, "config", "policies");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${name}.policy`), `policy ${name} { ${clauses} }\n`);
}

const xattr = (...words: string[]) => run("python3", ["-c", `
import os, sys
act, path, *rest = sys.argv[1:]
if act == "get": print(os.getxattr(path, "${attribute}").decode())
elif act == "set": os.setxattr(path, "${attribute}", rest[0].encode())
elif act == "remove": os.removexattr(path, "${attribute}")
elif act == "list": print("\\n".join(os.listxattr(path)))
`, ...words], {});

/** Peers by country, as the swarm made them up. */
async function countries(machine: Machine): Promise<ReadonlyMap<number, string>> {
  const rows = await machine.swarm() as readonly { readonly number: number; country?: string }[];
  return new Map(rows.map(({ number, country = "-" }) => [number, country]));
}

/** The countries in whose vaults any shard of these lies. */
function where(
  shards: ReadonlySet<string>, vaults: ReadonlyMap<number, ReadonlySet<string>>,
  places: ReadonlyMap<number, string>,
): readonly string[] {
  const found = new Set<string>();
  for (const [number, kept] of vaults) {
    if ([...shards].some((shard) => kept.has(shard))) found.add(places.get(number) ?? "-");
  }
  return [...found].sort();
}

async function flushed(t: Test, machine: Machine): Promise<void> {
  const isQuiet = async () => {
    const { resealing } = await machine.status() as unknown as { readonly resealing: unknown };
    return resealing === null;
  };
  await until(isQuiet, { seconds: 60, what: "all is sealed under its own policy" });
  await machine.must(t, ["flush", "--timeout", "90"]);
}

test("two folders of two policies, whose shards lie apart in the vaults", async (t) => {
  const machine = newMachine("folders");
  t.teardown(() => machine.end());
  const mounted = await machine.must(t, ["mount", machine.mount, "--swarm", "20"]);
  const words = wordsIn(mounted.out);
  const places = await countries(machine);
  write(machine, "old-world", "protect class mirror; require country in [DE, FR, NL];");
  write(machine, "new-world", "protect class mirror; require country in [US, CA, BR];");
  write(machine, "nowhere", "require asn in 64496;");
  write(machine, "patient", "require asn in 64496; unsatisfiable queue;");
  const [old, fresh] = [join(machine.mount, "old"), join(machine.mount, "new")];
  mkdirSync(old);
  mkdirSync(fresh);
  const secret = randomBytes(3_000_000);
  writeFileSync(join(old, "before"), secret);

  t.equal((await machine.hive(["policy", "set", "none", old])).code, 3);
  t.match((await machine.hive(["policy", "set", "none", old])).error, /write it to .*none\.policy/);
  t.equal((await machine.hive(["policy", "set", "nowhere", old])).code, 5, "too few satisfy it");
  await machine.must(t, ["policy", "set", "old-world", old]);
  t.equal((await xattr("get", old)).out, "old-world\n");
  t.not((await xattr("set", fresh, "none")).code, 0);
  t.match((await xattr("set", fresh, "none")).error, /Invalid argument/);
  t.equal((await xattr("set", fresh, "new-world")).code, 0, "any program may set it");
  t.equal((await xattr("list", fresh)).out, `${attribute}\n`);
  const shown = await machine.must(t, ["policy", "show", join(fresh, ".")]);
  t.match(shown.out, /policy  new-world\nfrom    \/new\n/);
  mkdirSync(join(fresh, "below"));
  const below = await machine.hive(["policy", "explain", join(fresh, "below"), "--json"]);
  t.match(below.error, /goes by new-world, from \/new/);
  t.equal((JSON.parse(below.out) as { class: string }).class, "mirror");

  writeFileSync(join(old, "same"), secret);
  writeFileSync(join(fresh, "same"), secret);
  writeFileSync(join(machine.mount, "plain"), randomBytes(2_000_000));
  await flushed(t, machine);
  const check = async (expected: Readonly<Record<string, readonly string[]>>) => {
    await machine.must(t, ["unmount"]);
    const paths = Object.keys(expected);
    const shards = await shardsOfPaths(machine, words, paths);
    const vaults = shardsOfPeers(machine);
    for (const [path, allowed] of Object.entries(expected)) {
      const found = where(shards.get(path) ?? new Set(), vaults, places);
      t.ok(found.length > 0, `${path} lies with peers: ${found.join()}`);
      t.strictSame(found.filter((country) => !allowed.includes(country)), [], path);
    }
    await machine.must(t, ["mount", machine.mount]);
  };
  const [europe, america] = [["DE", "FR", "NL"], ["US", "CA", "BR"]];
  await check({ "old/before": europe, "old/same": europe, "new/same": america });

  renameSync(join(old, "before"), join(fresh, "below", "after"));
  execFileSync("cp", ["-a", old, join(machine.mount, "copy")]);
  t.equal((await xattr("get", join(machine.mount, "copy"))).out, "old-world\n", "cp -a carries it");
  const { pid } = await machine.status();
  process.kill(pid, "SIGKILL");
  await machine.must(t, ["mount", machine.mount]);
  await flushed(t, machine);
  await check({ "new/below/after": america, "old/same": europe, "copy/same": europe });
  t.ok(readFileSync(join(fresh, "below", "after")).equals(secret));

  await machine.must(t, ["policy", "set", "patient", join(fresh, "below")]);
  writeFileSync(join(fresh, "below", "waits"), randomBytes(100_000));
  t.equal((await machine.hive(["flush", "--timeout", "3"])).code, 9);
  const told = (await machine.must(t, ["status"])).out;
  t.match(told, /^ {2}patient: \d+ blocks, .*; waits for peers of enough households/m);
  await machine.must(t, ["policy", "set", "--inherit", join(fresh, "below")]);
  t.not((await xattr("get", join(fresh, "below"))).code, 0);
  await flushed(t, machine);

  const [peer] = await machine.swarm();
  await machine.must(t, ["unmount"]);
  const other = newMachine("folders-again");
  t.teardown(() => other.end());
  await other.must(t, ["recover", "--peer", peer?.address ?? ""], words);
  rmSync(join(other.home, "config", "policies"), { recursive: true, force: true });
  await other.must(t, ["mount", other.mount]);
  const recovered = await other.must(t, ["policy", "show", join(other.mount, "old")]);
  t.match(recovered.out, /policy  old-world\n/);
  t.match(recovered.out, "require country in [DE, FR, NL];", "and what it says");
  t.ok(readFileSync(join(other.mount, "new", "same")).equals(secret));
});
