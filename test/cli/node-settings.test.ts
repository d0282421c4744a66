/** A node without a drive: its settings as they are edited, and what its start leaves behind. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "tap";
import type { NodeStatus } from "../../src/base/views/drive.ts";
import { newMachine, until } from "../support/cli.ts";

test("limits that somebody writes into a node's settings hold without a restart", async (t) => {
  const machine = newMachine("node-settings");
  t.teardown(() => machine.end());
  await machine.must(t, ["init"]);
  await machine.must(t, ["node"]);
  const limitOf = async (): Promise<number | null> => {
    const status = JSON.parse((await machine.must(t, ["status", "--json"])).out) as NodeStatus;
    return status.traffic.upload.perSecond;
  };
  t.equal(await limitOf(), null);
  machine.settings({ upload: "200 KiB/s" });
  await until(async () => await limitOf() === 200 * 1024, {
    seconds: 30, what: "the node has read it",
  });
  await machine.must(t, ["unmount"]);
});

test("what a node compiled is kept before its end, which may be a kill", async (t) => {
  // Neither where the runner keeps it nor where the user does.
  for (const name of ["NODE_COMPILE_CACHE", "XDG_CACHE_HOME"]) {
    const value = process.env[name];
    delete process.env[name];
    if (value !== undefined) t.teardown(() => void (process.env[name] = value));
  }
  const machine = newMachine("compiled");
  t.teardown(() => machine.end());
  await machine.must(t, ["init"]);
  const kept = (): number => {
    return readdirSync(join(machine.directory, ".cache"), { recursive: true }).length;
  };
  const before = kept();
  await machine.must(t, ["node"]);
  t.ok(kept() > 2 * before, `${before} files of the command alone, ${kept()} with the node's`);
  await machine.must(t, ["unmount"]);
});
