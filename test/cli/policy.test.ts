/** `hive policy`: reads the user's files, says where one is wrong, and a drive goes by its own. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Test, test } from "tap";
import { type Machine, newMachine } from "../support/cli.ts";

function write(machine: Machine, name: string, text: string): string {
  const folder = join(machine.home, "config", "policies");
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${name}.policy`);
  writeFileSync(file, text);
  return file;
}

test("files of policies are checked, listed and shown without a drive", async (t) => {
  const machine = newMachine("policies");
  t.teardown(() => machine.end());
  const none = (await machine.must(t, ["policy", "list"])).out;
  t.equal(none, "   policy  class  file\n*  -       -      built in: hive-policy(5)\n");
  const good = write(machine, "europe", "policy europe {\n  require region in EFTA;\n}\n");
  const checked = await machine.must(t, ["policy", "check", good]);
  t.match(checked.out, /^# europe [0-9a-f]{64}\nhive-policy 1\nclass auto;\n/);
  t.match(checked.out, "require country in [CH, IS, LI, NO];");
  t.equal((await machine.must(t, ["policy", "show", "europe"])).out, checked.out);
  const bad = write(machine, "wrong", "policy wrong {\n  require country in UK;\n}\n");
  const refused = await machine.hive(["policy", "check", bad]);
  t.equal(refused.code, 2);
  t.match(refused.error, "wrong.policy: line 2, column 22: expected a country's two capital");
  const weak = write(machine, "weak", "policy weak { protect class tiny durability >= 9 nines; }");
  t.match((await machine.hive(["policy", "check", weak])).error, "no class promises");
  const listed = await machine.hive(["policy", "list"]);
  t.equal(listed.code, 2, "a broken file is told, and the others are listed all the same");
  t.match(listed.out, /^ +europe +auto +\/.*europe\.policy$/m);
  t.match(listed.out, /line 2, column 22/);
  t.equal((await machine.hive(["policy", "show", "none"])).code, 3);
  t.equal((await machine.hive(["policy", "explain", "europe"])).code, 5, "that needs a daemon");
  t.equal((await machine.hive(["policy", "burn"])).code, 2);
});

test("a drive goes by the policy that was chosen, and never without one", async (t) => {
  const machine = newMachine("policy-use");
  t.teardown(() => machine.end());
  await machine.must(t, ["mount", machine.mount, "--swarm", "4"]);
  write(machine, "nobody", "policy nobody { require asn in 64496; }");
  write(machine, "patient", "policy patient { require asn in 64496; unsatisfiable queue; }");
  write(machine, "near", "policy near { require rtt(me) <= 20000 ms; }");
  const refused = await machine.hive(["policy", "use", "nobody"]);
  t.equal(refused.code, 5);
  t.match(refused.out, /^0 +require asn in \[64496\]$/m);
  t.match(refused.error, "too few peers satisfy it");
  const told = await machine.must(t, ["policy", "explain", "near", "--json"]);
  const report = JSON.parse(told.out) as { class: string; clauses: { left: number }[] };
  t.equal(report.class, "mirror");
  t.equal(report.clauses.at(-1)?.left, 4);
  const [peer = ""] = (await machine.must(t, ["peers"])).out.match(/12D3Koo\w+/) ?? [];
  t.match((await machine.hive(["policy", "explain", "nobody", peer])).out,
    `${peer}: refused; require asn in [64496]: what it asks is not known`);
  await vouches(t, machine, peer);

  await machine.must(t, ["policy", "use", "patient"]);
  await machine.must(t, ["unmount"]);
  await machine.must(t, ["mount", machine.mount]);
  writeFileSync(join(machine.mount, "waits"), "for a peer that nobody is");
  t.equal((await machine.hive(["flush", "--timeout", "2"])).code, 9);
  t.equal((await machine.status()).class, null);
  const alarmed = await machine.hive(["status", "--check"]);
  t.equal(alarmed.code, 5, "an alert");
  t.match(alarmed.out, /^alert +kept on this machine only: .* 4 are online, 0 after require asn/m);

  await machine.must(t, ["policy", "use", "near"]);
  await machine.must(t, ["unmount"]);
  await machine.must(t, ["mount", machine.mount]);
  await machine.must(t, ["flush", "--timeout", "30"]);
  t.equal((await machine.status()).class, "mirror");
  t.match((await machine.must(t, ["status", "--check"])).out,
    /^where +([A-Z]{2} \d, )*[A-Z]{2} \d \(3 households\)$/m);
  t.match((await machine.must(t, ["peers"])).out, / alive: answered \d+ s ago; of the last \d+ /);

  await machine.must(t, ["unmount"]);
  write(machine, "near", "policy near { spoilt");
  const unread = await machine.hive(["mount", machine.mount]);
  t.not(unread.code, 0, "not mounted under another policy than the one chosen");
  t.match(unread.error, "near");
});

async function vouches(t: Test, machine: Machine, peer: string): Promise<void> {
  const shown = async (): Promise<string> => {
    const { out } = await machine.must(t, ["peers"]);
    return out.split("\n").find((line) => line.startsWith(peer)) ?? "";
  };
  t.match(await shown(), / [A-Z]{2} \(claimed\) /, "a local swarm's places are what it says");
  await machine.must(t, ["peers", "trust", peer, "--location", "IS"]);
  t.match(await shown(), " IS (confined) ");
  await machine.must(t, ["peers", "trust", peer]);
  t.match(await shown(), / [A-Z]{2} \(claimed\) /);
  for (const wrong of [["trust"], ["burn", peer], ["trust", peer, "--location", "UK"]]) {
    t.equal((await machine.hive(["peers", ...wrong])).code, 2, wrong.join(" "));
  }
}
