/** `hive leave` as a script meets it. Where shards go is in test/slow/leave-command.slow.ts. */
import { test } from "tap";
import type { LeaveView } from "../../src/base/views/peers.ts";
import { newMachine } from "../support/cli.ts";

test("what is ordered by hive leave and hive quota holds over a restart", { timeout: 60_000 }, async (t) => {
  const machine = newMachine("leaver");
  t.teardown(() => machine.end());
  t.match(await machine.hive(["leave"]), { code: 5, error: /no daemon runs here/ });
  t.match(await machine.hive(["leave", "--status", "--cancel"]), { code: 2 });
  await machine.must(t, ["init"]);
  await machine.must(t, ["node"]);
  const view = async (...words: string[]) =>
    JSON.parse((await machine.must(t, ["leave", ...words, "--json"])).out) as LeaveView;
  t.match(await view("--status"), { state: "staying", since: null, shards: 0, waiting: [] });
  t.match(await machine.must(t, ["leave"]), { out: /^gone: .* may be shut down/ });
  await machine.must(t, ["unmount"]);
  await machine.must(t, ["node"]);
  t.match(await view("--status"), { state: "gone", since: /^20/, before: { shards: 0 } });
  t.match(await view("--cancel"), { state: "staying", before: null });
  t.match((await machine.must(t, ["leave", "--status"])).out, /^staying: it keeps 0 shards/);

  t.match(await machine.hive(["quota", "much"]), { code: 2 });
  t.match((await machine.must(t, ["quota", "3G"])).out, /^quota  3\.0 GiB\nused   0 B in 0 shards/);
  await machine.must(t, ["unmount"]);
  t.match(await machine.must(t, ["quota", "2G"]), { error: /from the next start on/ });
  await machine.must(t, ["node"]);
  const { now } = JSON.parse((await machine.must(t, ["quota", "--json"])).out);
  t.match(now, { quotaBytes: 2 * 2 ** 30, usedBytes: 0 });
});
