/**
 * Two folders of two policies on a real swarm: each one's shards lie only where its policy says.
 */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "tap";
import { type Machine, newMachine, wordsIn } from "../support/cli.ts";
import { attribute, flushed, met, slow, writePolicy, xattr } from "../support/folders.ts";
import { shardsOfPaths, shardsOfPeers } from "../support/vault-shards.ts";

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

test("two folders of two policies, whose shards lie apart in the vaults", slow, async (t) => {
  const machine = newMachine("folders");
  t.teardown(() => machine.end());
  const mounted = await machine.must(t, ["mount", machine.mount, "--swarm", "10"]);
  const words = wordsIn(mounted.out);
  const places = await countries(machine);
  await met(machine, 10);
  writePolicy(machine, "old-world", "protect class mirror; require country in [DE, FR, NL];");
  writePolicy(machine, "new-world", "protect class mirror; require country in [US, CA, BR];");
  writePolicy(machine, "nowhere", "require asn in 64496;");
  const [old, fresh] = [join(machine.mount, "old"), join(machine.mount, "new")];
  mkdirSync(old);
  mkdirSync(fresh);
  const secret = randomBytes(3_000_000);
  writeFileSync(join(old, "before"), secret);

  t.equal((await machine.hive(["policy", "set", "none", old])).code, 3);
  t.match((await machine.hive(["policy", "set", "none", old])).error, /write it to .*none\.policy/);
  t.equal((await machine.hive(["policy", "set", "nowhere", old])).code, 5, "too few satisfy it");
  await machine.must(t, ["policy", "set", "old-world", old]);
  t.equal((await xattr.get(old)).out, "old-world");
  t.not((await xattr.set(fresh, "none")).code, 0);
  t.match((await xattr.set(fresh, "none")).error, /Invalid argument/);
  t.equal((await xattr.set(fresh, "new-world")).code, 0, "any program may set it");
  t.equal((await xattr.list(fresh)).out, `# file: ${fresh}\n${attribute}\n\n`);
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
  // What nobody synced a kill may cost.
  execFileSync("sync", [join(machine.mount, "copy", "same")]);
  t.equal((await xattr.get(join(machine.mount, "copy"))).out, "old-world", "cp -a carries it");
  const { pid } = await machine.status();
  process.kill(pid, "SIGKILL");
  await machine.must(t, ["mount", machine.mount]);
  await flushed(t, machine);
  await check({ "new/below/after": america, "old/same": europe, "copy/same": europe });
  t.ok(readFileSync(join(fresh, "below", "after")).equals(secret));
});
