/**
 * The drive, end to end, as a person uses it: real processes, a real mount, a real swarm. What goes
 * in comes out: at once, after a remount, after the cache is dropped, with n - k peers killed, and
 * on an empty machine from the 24 words. And nothing of it is readable outside.
 */
import { randomBytes } from "node:crypto";
import { cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "tap";
import { type Machine, newMachine, root, run, sameTree, until, wordsIn } from "../support/cli.ts";

const secret = "the heron stands where the river bends";
const secretName = "letter-to-nobody.txt";

test("a drive on a swarm keeps what it was given", { timeout: 230_000 }, async (t) => {
  const machine = newMachine("drive");
  t.teardown(() => machine.end());
  const source = join(machine.directory, "source");
  await makeSource(source);
  const copy = join(machine.mount, "source");

  const mounted = await machine.must(t, ["mount", machine.mount, "--swarm", "8"]);
  const words = wordsIn(mounted.out);
  t.equal(words.split(" ").length, 24, "24 words are shown");
  t.equal((await run("cp", ["-a", source, machine.mount], {})).code, 0);
  t.equal(await sameTree(source, copy), "", "equal at once");

  await machine.must(t, ["unmount"]);
  t.strictSame(readdirSync(machine.mount), [], "nothing is left after unmount");
  await machine.must(t, ["mount", machine.mount]);
  t.equal(await sameTree(source, copy), "", "equal after a remount");

  await machine.must(t, ["flush", "--timeout", "60"]);
  const safe = await machine.status();
  t.equal(safe.class, "tiny");
  t.equal(safe.dirtyBytes, 0);
  t.equal(safe.survives, 4, "2 of 6: four may go");
  await machine.must(t, ["cache", "--drop"]);
  t.ok((await machine.status()).cacheBytes < 1024 * 1024, "the cache is empty");
  t.equal(await sameTree(source, copy), "", "equal from the peers");

  t.equal(await spread(machine, words), "", "no plaintext, name or key outside");

  await machine.must(t, ["swarm", "kill", "1", "2", "3", "4"]);
  await machine.must(t, ["cache", "--drop"]);
  t.equal(await sameTree(source, copy), "", "equal with n - k peers dead");
  await machine.must(t, ["unmount"]);

  const other = newMachine("recovered");
  t.teardown(() => other.end());
  const peer = await livingAddress(machine);
  await other.must(t, ["recover", "--peer", peer], `${words}\n`);
  await other.must(t, ["mount", other.mount]);
  t.equal(await sameTree(source, join(other.mount, "source")), "", "equal after recovery");
});

test("a holder lost for good is replaced without a command", { timeout: 200_000 }, async (t) => {
  const machine = newMachine("repair");
  t.teardown(() => machine.end());
  await machine.must(t, ["mount", machine.mount, "--swarm", "8"]);
  setSeconds(machine, { deadAfterSeconds: 4, auditIntervalSeconds: 2 });
  await machine.must(t, ["unmount"]);
  await machine.must(t, ["mount", machine.mount]);
  writeFileSync(join(machine.mount, "file"), randomBytes(3_000_000));
  await machine.must(t, ["flush", "--timeout", "60"]);
  t.equal((await machine.status()).survives, 4);
  await machine.must(t, ["swarm", "kill", "--wipe", String(await aHolder(machine))]);
  const survives = async () => (await machine.status()).survives;
  await until(async () => (await survives()) === 3, { seconds: 60, what: "the loss is noticed" });
  await until(async () => (await survives()) === 4, { seconds: 90, what: "the shard is rebuilt" });
  t.pass("survives fell to 3 and came back to 4");
});

async function makeSource(source: string): Promise<void> {
  mkdirSync(source);
  cpSync(join(root, "src"), join(source, "code"), { recursive: true });
  writeFileSync(join(source, "random"), randomBytes(24 * 1024 * 1024));
  writeFileSync(join(source, secretName), `${secret}\n`.repeat(2000));
  writeFileSync(join(source, "empty"), "");
  const database = new DatabaseSync(join(source, "rows.sqlite"));
  database.exec("create table rows (id integer primary key, words text)");
  for (let id = 0; id < 500; id++) database.exec(`insert into rows values (${id}, 'row ${id}')`);
  database.close();
  await run("git", ["init", "-q", join(source, "repository")], {});
  await run("cp", ["-a", join(root, "test"), join(source, "repository", "test")], {});
  const git = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-C"];
  const repository = join(source, "repository");
  await run("git", [...git, repository, "add", "."], {});
  await run("git", [...git, repository, "commit", "-qm", "one"], {});
}

/** What can be found outside the mount of things that must not be: file and word, or nothing. */
async function spread(machine: Machine, words: string): Promise<string> {
  const trio = words.split(" ").slice(0, 3).join(" ");
  const found = [secret, secretName, "rows.sqlite", trio].map(async (needle) => {
    const grep = await run("grep", ["-rlaF", "--", needle, machine.home], {});
    return grep.out === "" ? "" : `${needle} in ${grep.out}`;
  });
  return (await Promise.all(found)).join("");
}

async function livingAddress(machine: Machine): Promise<string> {
  const rows = JSON.parse((await machine.hive(["swarm", "status", "--json"])).out) as readonly {
    readonly state: string;
    readonly address: string;
  }[];
  return rows.find((row) => row.state === "running")?.address as string;
}

async function aHolder(machine: Machine): Promise<number> {
  const rows = JSON.parse((await machine.hive(["swarm", "status", "--json"])).out) as readonly {
    readonly number: number;
    readonly shards: number;
  }[];
  return rows.find((row) => row.shards > 0)?.number as number;
}

function setSeconds(machine: Machine, changes: Record<string, number>): void {
  const file = join(machine.home, "config", "settings.json");
  const settings = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
  writeFileSync(file, JSON.stringify({ ...settings, ...changes }));
}
