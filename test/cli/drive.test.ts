/**
 * The drive, end to end, as a person uses it: real processes, a real mount, a real swarm. What goes
 * in comes out: at once, after a remount, after the cache is dropped, with n - k peers killed, and
 * on an empty machine from the 24 words. And nothing of it is readable outside.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { cpSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pipeline } from "node:stream";
import { type Test, test } from "tap";
import { type Machine, makeCold, newMachine, root, run } from "../support/cli.ts";
import { sameTree, wordsIn } from "../support/cli.ts";
import { filesWith, keyFileOf, secretsOf } from "../support/secrets.ts";

const secret = "the heron stands where the river bends";
const secretName = "letter-to-nobody.txt";
const randomBytesLength = 16 * 1024 * 1024;

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
  await makeCold(t, machine);
  t.equal(await sameTree(source, copy), "", "equal from the peers");
  t.ok((await machine.status()).cacheBytes > randomBytesLength, "which is where it came from");

  t.equal(await spread(machine, words), "", "no plaintext, name or key outside");

  await machine.must(t, ["swarm", "kill", "1", "2", "3", "4"]);
  await makeCold(t, machine);
  t.equal(await sameTree(source, copy), "", "equal with n - k peers dead");
  await machine.must(t, ["unmount"]);

  const other = newMachine("recovered");
  t.teardown(() => other.end());
  const peer = await reachedLater(t, await livingAddress(machine));
  await other.must(t, ["recover", "--peer", peer], `${words}\n`);
  await other.must(t, ["mount", other.mount]);
  t.equal(await sameTree(source, join(other.mount, "source")), "", "equal after recovery");
});

/** Another address of this peer, at which nobody answers in the first seconds. */
async function reachedLater(t: Test, address: string): Promise<string> {
  const [, port] = /\/tcp\/(\d+)\//.exec(address) ?? [];
  const door = createServer((socket) => {
    const inside = connect(Number(port), "127.0.0.1");
    pipeline(socket, inside, socket, () => undefined);
  });
  const listen = (at: number): Promise<unknown> => once(door.listen(at, "127.0.0.1"), "listening");
  await listen(0);
  const { port: free } = door.address() as AddressInfo;
  await new Promise((resolve) => door.close(resolve));
  const opening = setTimeout(() => void listen(free), 4_000);
  t.teardown(() => {
    clearTimeout(opening);
    door.close();
  });
  return address.replace(`/tcp/${port}/`, `/tcp/${free}/`);
}

async function makeSource(source: string): Promise<void> {
  mkdirSync(source);
  cpSync(join(root, "src"), join(source, "code"), { recursive: true });
  writeFileSync(join(source, "random"), randomBytes(randomBytesLength));
  writeFileSync(join(source, secretName), `${secret}\n`.repeat(2000));
  writeFileSync(join(source, "empty"), "");
  const database = new DatabaseSync(join(source, "rows.sqlite"));
  database.exec("create table rows (id integer primary key, words text)");
  for (let id = 0; id < 500; id++) database.exec(`insert into rows values (${id}, 'row ${id}')`);
  database.close();
  await run("git", ["init", "-q", join(source, "repository")], {});
  await run("cp", ["-a", join(root, "src", "tree"), join(source, "repository")], {});
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
  const holders = filesWith(await secretsOf(machine), [machine.home]);
  const keys = holders.join() === keyFileOf(machine) ? "" : `keys in ${holders.join(" ")}`;
  return (await Promise.all(found)).join("") + keys;
}

async function livingAddress(machine: Machine): Promise<string> {
  const rows = await machine.swarm();
  return rows.find((row) => row.state === "running")?.address as string;
}
