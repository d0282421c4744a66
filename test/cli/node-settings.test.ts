/** A node without a drive goes by its settings as they are edited. */
import { test } from "tap";
import type { NodeStatus } from "../../src/base/views.ts";
import { newMachine, until } from "../support/cli.ts";

test("limits that somebody writes into a node's settings hold without a restart", async (t) => {
  const machine = newMachine("node-settings");
  t.teardown(() => machine.end());
  await machine.must(t, ["init"]);
  const plain = { listen: ["/ip4/127.0.0.1/tcp/0"], mdns: false };
  machine.settings(plain);
  await machine.must(t, ["node"]);
  const limitOf = async (): Promise<number | null> => {
    const status = JSON.parse((await machine.must(t, ["status", "--json"])).out) as NodeStatus;
    return status.traffic.upload.perSecond;
  };
  t.equal(await limitOf(), null);
  machine.settings({ ...plain, upload: "200 KiB/s" });
  await until(async () => await limitOf() === 200 * 1024, {
    seconds: 30, what: "the node has read it",
  });
  await machine.must(t, ["unmount"]);
});
