/** A peer without a mount: what it says of itself, what it refuses, and that it may become a drive's. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "tap";
import type { DeviceRow } from "../../src/base/views/peers.ts";
import type { NodeStatus } from "../../src/base/views/drive.ts";
import { type Machine, newMachine, root, wordsIn } from "../support/cli.ts";

const patience = { timeout: 120_000 };

/** At two addresses. */
function twofoldMachine(name: string): Machine {
  const machine = newMachine(name);
  machine.settings({ listen: ["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.2/tcp/0"] });
  return machine;
}

test("a peer without a mount says what it is, and what it cannot do", patience, async (t) => {
  const machine = twofoldMachine("node");
  t.teardown(() => machine.end());
  const told = (await machine.must(t, ["node"])).error;
  t.match(told, /^(hive: a peer at \/ip4\/\S+\n){2}$/, "an address to a line");
  const status = await machine.must(t, ["status", "--check"]);
  t.match(status.out, /^peer +12D3\w+, without a mount\nkept +0 B of 50\.0 GiB for others, in 0 shards\n/);
  t.match((await machine.must(t, ["node"])).error, /a peer already at \/ip4/);
  await machine.must(t, ["policy", "list"]);
  for (const words of [["flush"], ["cache"], ["pin", machine.mount], ["watch", "/", "--into", "x"]]) {
    const refused = await machine.hive(words);
    t.equal(refused.code, 1, words.join(" "));
    t.match(refused.error, new RegExp(`not possible here: ${words[0]}`));
    t.match(refused.error, /hint: no drive is mounted here .*hive unmount, then hive mount/);
  }
});

test("a peer gets a drive and stays who it is", patience, async (t) => {
  const machine = twofoldMachine("node-drive");
  t.teardown(() => machine.end());
  await machine.must(t, ["node"]);
  const { peer } = JSON.parse((await machine.must(t, ["status", "--json"])).out) as NodeStatus;
  const early = await machine.hive(["mount", machine.mount]);
  t.equal(early.code, 8);
  t.match(early.error, /a peer without a mount runs here.*\n.*hint: hive unmount ends it/);
  await machine.must(t, ["unmount"]);

  const mounted = await machine.must(t, ["mount", machine.mount]);
  t.equal(wordsIn(mounted.out).split(" ").length, 24, "the drive is made first");
  const devices = JSON.parse((await machine.must(t, ["device", "list", "--json"])).out) as DeviceRow[];
  t.equal(devices[0]?.peer, peer);
  t.match((await machine.must(t, ["node"])).error, /mounted is a peer already/);
  const address = `/ip4/127.0.0.1/tcp/9/p2p/${peer}`;
  for (const words of [["init"], ["recover", "--peer", address], ["device", "add"]]) {
    const second = await machine.hive(words);
    t.equal(second.code, 1, words.join(" "));
    t.match(second.error, /hint: this machine has a drive already/);
  }
  await machine.must(t, ["unmount"]);
  t.equal((await machine.must(t, ["mount", machine.mount])).out, "", "and it is the same again");
});

test("a peer in the foreground says where it is", patience, async (t) => {
  const machine = twofoldMachine("node-front");
  t.teardown(() => machine.end());
  const env = { ...process.env, HOME: machine.directory, HIVE_HOME: machine.home };
  const main = join(root, "src", "cli", "main.ts");
  const child = spawn(process.execPath, [main, "node", "-f"], { env });
  t.teardown(() => child.kill("SIGKILL"));
  const exit = once(child, "exit");
  let said = "";
  while (!said.includes("hive: a peer at")) said += String((await once(child.stderr, "data"))[0]);
  child.kill("SIGTERM");
  t.equal((await exit)[0], 0);
});
