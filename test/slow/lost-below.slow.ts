/**
 * What was written over a part of a chunk that no peer has any more: all else still goes up, and
 * `hive flush` and `hive status` name the file.
 */
import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, openSync, readdirSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { test } from "tap";
import { type Machine, newMachine } from "../support/cli.ts";

const MiB = 1024 * 1024;
const pageBytes = 4096;

test("one chunk that is lost keeps nothing else from peers, and is told", { timeout: 200_000 }, async (t) => {
  const machine = newMachine("lost-below");
  t.teardown(() => machine.end());
  await machine.must(t, ["mount", machine.mount, "--swarm", "4"]);
  const path = (name: string): string => join(machine.mount, name);
  writeFileSync(path("far"), randomBytes(MiB));
  await machine.must(t, ["flush", "--timeout", "60"]);
  await machine.must(t, ["cache", "--drop"]);
  // Names and attributes are here again, contents are not.
  readdirSync(machine.mount);
  loseShards(machine);
  writePage(path("far"));
  writeFileSync(path("near"), randomBytes(MiB));
  const { code, error } = await machine.hive(["flush", "--timeout", "60"]);
  t.equal(code, 5);
  t.match(error, "parts written in /far wait for what only peers have");
  t.match(error, /hint: .*rewrite or remove the file/);
  const { out } = await machine.must(t, ["verify", "--json", path("near")]);
  t.match(JSON.parse(out), { onlyHere: 0, missing: 0 }, "all else went up");
  const told = JSON.parse((await machine.must(t, ["status", "--json"])).out);
  const lackingFiles = { count: 1, bytes: pageBytes, some: [{ path: "/far", bytes: pageBytes }] };
  t.match(told, { lackingFiles, state: "uploading" });
  t.match((await machine.must(t, ["status"])).out, /^waits +parts written in \/far \(4 KiB\):/m);
  await machine.must(t, ["gc", "--timeout", "60"]);
  writeFileSync(path("far"), "written anew");
  await machine.must(t, ["flush", "--timeout", "60"]);
  t.notMatch((await machine.must(t, ["status"])).out, /^waits/m);
});

/** All that its peers kept so far. */
function loseShards(machine: Machine): void {
  const swarm = join(machine.home, "state", "swarm");
  for (const peer of readdirSync(swarm).filter((name) => name.startsWith("peer-"))) {
    const vault = join(swarm, peer, "state", "node", "vault", "shards");
    const entries = readdirSync(vault, { recursive: true, withFileTypes: true });
    for (const entry of entries) if (entry.isFile()) rmSync(join(entry.parentPath, entry.name));
  }
}

/** A whole page: of a part of one the kernel asks for the rest, before it takes the write. */
function writePage(file: string): void {
  const open = openSync(file, "r+");
  writeSync(open, randomBytes(pageBytes), 0, pageBytes, 9 * pageBytes);
  fsyncSync(open);
  closeSync(open);
}
