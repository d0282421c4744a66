/** `--json` of every command that takes it: one JSON value, on each way through, also an empty one. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Test, test } from "tap";
import { commands } from "../../src/cli/table/commands.ts";
import { type Heard, type Machine, newMachine, until } from "../support/cli.ts";
import { contactOf, twoPeople } from "../support/two-people.ts";

const asked = new Set<string>();

/** What it prints, which is JSON and nothing else. */
async function ask(
  t: Test, machine: Machine, words: readonly string[], { code = 0, heard }: {
    readonly code?: number; readonly heard?: Heard;
  } = {},
): Promise<unknown> {
  asked.add(words[0] as string);
  const ran = await machine.hive([...words, "--json"], undefined, heard);
  const line = `hive ${words.join(" ")} --json`;
  t.equal(ran.code, code, `${line}: ${ran.error}`);
  try {
    return JSON.parse(ran.out);
  } catch {
    t.fail(`${line}: ${ran.out}`);
    return undefined;
  }
}

test("every command that takes --json prints JSON", { timeout: 300_000 }, async (t) => {
  const { ann, ben, toAnn } = await twoPeople(t, { peers: 3 });
  const is = async (words: readonly string[], value: unknown): Promise<void> => {
    t.match(await ask(t, ann, words), value, words.join(" "));
  };
  const empty: readonly (readonly string[])[] = [
    ["contacts"], ["contacts", "group"], ["snapshots"], ["pin", "--list"], ["watch", "--list"],
    ["policy"],
  ];
  for (const words of empty) t.strictSame(await ask(t, ann, words), [], words.join(" "));
  t.strictSame(await ask(t, ann, ["brake"]), null, "nothing is held back");
  await is(["shares"], { given: [], taken: [] });
  await is(["ledger"], { rows: Array });
  await is(["gc", "--timeout", "60"], { blocks: 0 });

  const folder = join(ann.mount, "folder");
  mkdirSync(folder);
  writeFileSync(join(folder, "file"), "as it was");
  const { name } = await ask(t, ann, ["snapshots", "create"]) as { readonly name: string };
  writeFileSync(join(folder, "file"), "as it is");
  await is(["diff", name, folder], { differences: [{ kind: "changed" }], isCut: false });
  await is(["restore", name, folder], { restored: 1 });
  t.equal(readFileSync(join(folder, "file"), "utf8"), "as it was");
  await is(["snapshots", folder], [{ name }, { why: "restore" }]);
  await is(["snapshots", "delete", name], { name });
  await is(["snapshots", "keep", "none"], { keep: "none" });

  await ann.must(t, ["flush", "--timeout", "60"]);
  await is(["status", "--check"], { mount: ann.mount });
  await is(["verify"], { missing: 0 });
  await is(["verify", folder], { missing: 0, onlyHere: 0 });
  await is(["cache"], { droppedBytes: 0 });
  await is(["cache", "--drop"], { droppedBytes: Number });
  await is(["pin", folder], { path: "/folder", pins: { isSettled: true } });
  await is(["pin", "--no-wait", folder], { path: "/folder", pins: null });
  await is(["limit", "up", "9 MiB/s"], { upload: "9 MiB/s" });
  await is(["quota", "2G"], { quotaBytes: 2 ** 31 });
  await is(["leave", "--status"], { state: "staying" });
  t.type(await ask(t, ann, ["doctor"]), Array);

  const source = join(ann.directory, "source");
  mkdirSync(source);
  await is(["watch", source, "--into", join(folder, "copy")], { directory: source, failed: 0 });
  await is(["watch", "--stop", source], { directory: source });
  const car = join(ann.directory, "source.car");
  await is(["publish", source, car], { cid: String, file: car });
  await is(["import", car, "--into", join(folder, "published")], { cid: String });

  const [{ peer }] = await ask(t, ann, ["peers"]) as [{ readonly peer: string }];
  await is(["peers", "trust", peer, "--location", "IS"], { peer, country: "IS" });
  await is(["peers", "trust", peer], { peer, country: null });
  await is(["invite"], { invite: String });
  await is(["contacts", "me"], { string: String });
  await is(["contacts", "add", "Ben", await contactOf(t, ben)], { name: "Ben", person: String });
  await is(["contacts", "group", "club", "add", "Ben"], [{ person: "Ben", string: String }]);
  await is(["contacts", "group", "club", "remove", "Ben"], { group: "club", people: ["Ben"] });
  const { out: grant } = await ann.must(t, ["share", folder, "--with", "Ben"]);
  await ben.must(t, ["accept", grant.trim(), "hers"]);
  const isTold = async () => (await ben.hive(["verify", "--of", "hers"])).code === 0;
  await until(isTold, { seconds: 60, what: "holders know of it" });
  t.match(await ask(t, ben, ["verify", "--of", "hers"]), { missing: 0 });
  t.match(await ask(t, ben, ["shares", "forget", "hers"]), { name: "hers" });
  await ann.must(t, ["revoke", folder, "--from", "Ben"]);
  await is(["contacts", "remove", "Ben"], { name: "Ben" });

  // What it is to find there is with peers.
  await ann.must(t, ["flush", "--timeout", "60"]);
  const lap = newMachine("lap");
  t.teardown(() => lap.end());
  const shown = Promise.withResolvers<string>();
  const heard: Heard = (text) => {
    const [, code] = /hive device confirm (\S+)/.exec(text) ?? [];
    if (code !== undefined) shown.resolve(code);
  };
  const adding = ask(t, lap, ["device", "add", "--peer", toAnn.peer], { heard });
  await is(["device", "confirm", await shown.promise], { peer: String });
  t.match(await adding, { sequence: Number, publishedAt: String });
  await lap.must(t, ["mount", lap.mount]);
  writeFileSync(join(lap.mount, "new"), "of another device");
  await lap.must(t, ["flush", "--timeout", "60"]);
  const isThere = async () => existsSync(join(ann.mount, "new"));
  await until(isThere, { seconds: 60, what: "its head was heard" });
  const rows = await ask(t, ann, ["device", "list"]) as { readonly peer: string; isThis: boolean }[];
  const other = rows.find(({ isThis }) => !isThis)?.peer as string;
  await is(["device", "forget", other], { peer: other });
  await is(["device", "remove", other], { peer: other });

  const policies = join(ann.home, "config", "policies");
  mkdirSync(policies, { recursive: true });
  const policy = (called: string, text: string): string => {
    const file = join(policies, `${called}.policy`);
    writeFileSync(file, `policy ${called} { ${text} }`);
    return file;
  };
  await is(["policy", "check", policy("near", "require rtt(me) <= 20000 ms;")], { name: "near" });
  policy("nobody", "require asn in 64496;");
  await is(["policy", "list"], [{ name: "near" }, { name: "nobody" }]);
  await is(["policy", "show", "near"], { name: "near" });
  await is(["policy", "explain", "near"], { class: String });
  t.match(await ask(t, ann, ["policy", "use", "nobody"], { code: 5 }), { class: null });
  await is(["policy", "use", "near"], { policy: "near", isInForce: true });
  await is(["policy", "set", "near", folder], { path: "/folder", policy: "near" });
  await is(["policy", "show", folder], { policy: "near" });
  await is(["policy", "set", "--inherit", folder], { path: "/folder", policy: null });
  await is(["policy", "use"], { policy: null, isInForce: true });

  await is(["swarm", "status"], [{ number: 1 }, { number: 2 }, { number: 3 }]);
  t.strictSame(await ask(t, ann, ["swarm", "kill", "3"]), [3]);
  t.strictSame(await ask(t, ann, ["swarm", "start", "3"]), [3]);
  t.strictSame(await ask(t, ann, ["swarm", "stop"]), [1, 2, 3]);
  await ann.must(t, ["unmount"]);
  await is(["fsck"], { found: [] });
  await is(["quota"], { quotaBytes: 2 ** 31, now: null });

  const taking = commands.filter(({ options }) => options.some((one) => one.name === "json"));
  t.strictSame(taking.map((one) => one.name).filter((one) => !asked.has(one)), [], "all were asked");
});
