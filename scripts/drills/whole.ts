/**
 * A source of every kind goes in, and is the same after each disaster that leaves k holders: a
 * remount, an empty cache, n - k peers killed, and the machine itself lost.
 */
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type Machine, newMachine, root, run, sameTree, wordsIn } from "../../test/support/cli.ts";
import { MiB, begin, cold, fill, must, say, seconds, swarm, timed } from "./machine.ts";

/** Copy in, remount, drop the cache, kill n - k peers, lose the machine: always the same bytes. */
export async function whole(): Promise<void> {
  await using machine = await begin("whole");
  const source = join(machine.directory, "source");
  await makeSource(source);
  const words = wordsIn((await must(machine, ["mount", machine.mount])).out) || machine.words;
  const copy = join(machine.mount, "source");
  await timed("cp -a into the drive", () => command("cp", ["-a", source, machine.mount]));
  await same(source, copy, "equal at once");
  await timed("unmount", () => must(machine, ["unmount"]));
  await timed("mount", () => must(machine, ["mount", machine.mount]));
  await same(source, copy, "equal after a remount");
  await timed("flush", () => must(machine, ["flush", "--timeout", "1800"]));
  await cold(machine);
  await same(source, copy, "equal with an empty cache");
  say(`  ${Math.round((await machine.status()).cacheBytes / MiB)} MiB came from the peers`);
  const kill = Array.from({ length: swarm.n - swarm.k }, (_, index) => String(index + 1));
  await must(machine, ["swarm", "kill", ...kill]);
  await cold(machine);
  await same(source, copy, `equal with ${kill.length} of ${swarm.peers} peers killed`);
  await must(machine, ["unmount"]);
  const other = newMachine("recovered");
  try {
    const peer = await livingAddress(machine);
    await timed("recover", () => must(other, ["recover", "--peer", peer], `${words}\n`));
    await must(other, ["mount", other.mount]);
    await same(source, join(other.mount, "source"), "equal on an empty machine, from 24 words");
  } finally {
    await other.end();
  }
}

/** Kernel sources where the package linux-source is installed, else our own node_modules. */
async function makeSource(source: string): Promise<void> {
  mkdirSync(source);
  const archive = readdirSync("/usr/src").find((name) => /^linux-source.*\.tar\.xz$/.test(name));
  if (archive === undefined) {
    await command("cp", ["-a", join(root, "node_modules"), join(source, "files")]);
  } else {
    const parts = ["--wildcards", "*/drivers/net/*", "*/fs/*"];
    await command("tar", ["-xJf", join("/usr/src", archive), "-C", source, ...parts]);
  }
  const count = (await run("sh", ["-c", `find '${source}' | wc -l`], {})).out.trim();
  await fill(join(source, "random"), 1024 * MiB);
  const database = new DatabaseSync(join(source, "rows.sqlite"));
  database.exec("create table rows (id integer primary key, words text); begin");
  const insert = database.prepare("insert into rows values (?, ?)");
  for (let id = 0; id < 200_000; id++) insert.run(id, `row number ${id}`);
  database.exec("commit");
  database.close();
  const git = ["-c", "user.name=drill", "-c", "user.email=drill@example.org", "-C"];
  const repository = join(source, "repository");
  await command("git", ["init", "-q", repository]);
  await command("cp", ["-a", join(root, "src"), join(root, "test"), repository]);
  await command("git", [...git, repository, "add", "."]);
  await command("git", [...git, repository, "commit", "-qm", "one"]);
  say(`  source: ${count} names, a file of 1 GiB, a git repository, a database`);
}

async function same(source: string, copy: string, what: string): Promise<void> {
  const start = performance.now();
  const difference = await sameTree(source, copy);
  if (difference !== "") throw new Error(`${what}: no\n${difference}`);
  say(`  ${what} (${seconds(start)})`);
}

async function livingAddress(machine: Machine): Promise<string> {
  const ran = await must(machine, ["swarm", "status", "--json"]);
  const rows = JSON.parse(ran.out) as readonly { state: string; address: string }[];
  return rows.find((row) => row.state === "running")?.address as string;
}

async function command(program: string, words: readonly string[]): Promise<void> {
  const ran = await run(program, words, {});
  if (ran.code !== 0) throw new Error(`${program} ended with ${ran.code}: ${ran.error}`);
}
