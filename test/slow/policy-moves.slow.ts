/** A policy that changes while the drive is mounted, over a swarm of real peers. */
import { readFileSync, readdirSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { randomBytes, randomUUID } from "node:crypto";
import { join } from "node:path";
import { type Test, test } from "tap";
import { type Machine, newMachine, readCold, until } from "../support/cli.ts";
import { met } from "../support/folders.ts";

interface Row {
  readonly number: number;
  readonly country: string;
  readonly shards: number;
}

interface Policy {
  readonly problem: string | null;
  readonly moving: readonly { readonly policy: string; readonly left: number }[];
  readonly stuck: number;
}

function write(machine: Machine, name: string, text: string): void {
  const folder = join(machine.home, "config", "policies");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${name}.policy`), text);
}

async function policyOf(machine: Machine): Promise<Policy> {
  return ((await machine.status()) as unknown as { policy: Policy }).policy;
}

/** Shards on the disk of each peer, counted in its vault's folder. */
function onDisk(machine: Machine, number: number): number {
  const home = join(machine.home, "state", "swarm", `peer-${String(number).padStart(2, "0")}`);
  const shards = join(home, "state", "node", "vault", "shards");
  const folders = readdirSync(shards, { withFileTypes: true }).filter((one) => one.isDirectory());
  return folders.reduce((sum, { name }) => sum + readdirSync(join(shards, name)).length, 0);
}

async function keptBy(
  machine: Machine, isMeant: (country: string) => boolean,
): Promise<number> {
  const rows = (await machine.swarm()) as unknown as readonly Row[];
  const meant = rows.filter(({ country }) => isMeant(country));
  return meant.reduce((sum, { number }) => sum + onDisk(machine, number), 0);
}

async function place(t: Test, machine: Machine, names: readonly string[]): Promise<Buffer[]> {
  const files = names.map(() => randomBytes(300_000));
  for (const [at, name] of names.entries()) {
    writeFileSync(join(machine.mount, name), files[at] as Buffer);
    await machine.must(t, ["flush", "--timeout", "60"]);
  }
  return files;
}

const eu = new Set(["DE", "FR", "NL", "PT", "SE"]);
const outside = (country: string): boolean => !eu.has(country);

test("tightened in the editor, a policy moves all that lies against it, while mounted", async (t) => {
  const machine = newMachine("policy-moves");
  t.teardown(() => machine.end());
  write(machine, "mine", "policy mine { protect class mirror; }");
  await machine.must(t, ["mount", machine.mount, "--swarm", "9"]);
  await machine.must(t, ["policy", "set", "mine"]);
  // The few files of one group may all lie inside: take what comes, and say where it must not be.
  const names = ["one", "two", "three"];
  const files = await place(t, machine, names);
  const before = (await machine.swarm()) as unknown as readonly Row[];
  const used = before.find(({ shards }) => shards > 0)?.country ?? "";
  t.ok(await keptBy(machine, (country) => country === used) > 0, `some lie in ${used}`);

  write(machine, "mine", `policy mine { protect class mirror; forbid country in ${used} }`);
  await until(async () => (await policyOf(machine)).problem !== null, {
    seconds: 60, what: "the fault is told",
  });
  t.match((await policyOf(machine)).problem, /mine\.policy: line 1, column \d+: expected/);
  t.match((await machine.must(t, ["status"])).out, /^policy +.*mine\.policy: line 1, column/m);
  t.ok(await keptBy(machine, (country) => country === used) > 0, "and nothing moves for it");

  write(machine, "mine", `policy mine { protect class mirror; forbid country in ${used}; }`);
  await until(async () => await keptBy(machine, (country) => country === used) === 0, {
    seconds: 90, what: `nothing is kept in ${used}`,
  });
  await until(async () => (await policyOf(machine)).moving.length === 0, {
    seconds: 60, what: "nothing is left to move",
  });
  const { problem, stuck } = await policyOf(machine);
  t.strictSame([problem, stuck], [null, 0]);
  for (const [at, name] of names.entries()) {
    t.ok((await readCold(t, machine, name)).equals(files[at] as Buffer), name);
  }
});

test("`require region in EU` empties the others' vaults; an impossible one moves nothing", async (t) => {
  const machine = newMachine("policy-eu");
  t.teardown(() => machine.end());
  write(machine, "wide", "policy wide { protect class tiny; }");
  await machine.must(t, ["mount", machine.mount, "--swarm", "12"]);
  await met(machine, 12);
  await machine.must(t, ["policy", "use", "wide"]);
  const names = ["a", "b", "c"];
  const files = await place(t, machine, names);
  t.equal((await machine.status()).class, "tiny");
  write(machine, "wide", "policy wide { protect class tiny; require region in EU; }");
  await until(async () => await keptBy(machine, outside) === 0, {
    seconds: 120, what: "nothing is kept outside of the EU",
  });
  t.ok(await keptBy(machine, (country) => eu.has(country)) > 0);
  await until(async () => (await policyOf(machine)).moving.length === 0, {
    seconds: 60, what: "nothing is left to move",
  });
  const shown = await machine.must(t, ["policy", "show", "wide"]);
  t.notMatch(shown.error, "moving");

  const all = await keptBy(machine, () => true);
  write(machine, "wide", "policy wide { protect class tiny; require country in JP; }");
  await until(async () => (await policyOf(machine)).stuck > 0, {
    seconds: 60, what: "the status says that it cannot be",
  });
  t.match((await machine.must(t, ["status"])).out, /^policy +moving \d+ of \d+ segments to policy wide$/m);
  t.match((await machine.hive(["policy", "show", "wide"])).error, /moving \d+ of \d+ segments/);
  const written = (name: string): string => {
    try {
      writeFileSync(join(machine.mount, name), "for six households in Japan");
      return "taken";
    } catch (error) {
      return (error as NodeJS.ErrnoException).code ?? "?";
    }
  };
  await until(async () => written(`waits-${randomUUID()}`) === "ENOSPC", {
    seconds: 60, what: "nothing more is taken",
  });
  const alarmed = await machine.hive(["status", "--check"]);
  t.equal(alarmed.code, 5);
  t.match(alarmed.out, /^alert +nothing more is taken: .* 1 after require country in \[JP\]; 6 are/m);
  rmSync(join(machine.mount, names[0] as string));
  t.equal((await machine.hive(["flush", "--timeout", "3"])).code, 9, "what is deleted waits as well");
  t.match((await machine.must(t, ["status"])).out, /1 after require country in \[JP\]; 6 are needed/);
  t.equal(await keptBy(machine, () => true), all, "not one shard was dropped");
  for (const [at, name] of names.entries()) {
    if (at > 0) t.ok((await readCold(t, machine, name)).equals(files[at] as Buffer), name);
  }
  write(machine, "wide", "policy wide { protect class tiny; require region in EU; }");
  await until(async () => written("again") === "taken", {
    seconds: 60, what: "it is taken again",
  });
});

test("a peer that comes back from another country loses what it may not keep", async (t) => {
  const machine = newMachine("policy-country");
  t.teardown(() => machine.end());
  write(machine, "eu", "policy eu { protect class mirror; require region in EU; }");
  await machine.must(t, ["mount", machine.mount, "--swarm", "8"]);
  await machine.must(t, ["policy", "set", "eu"]);
  const [file] = await place(t, machine, ["file"]);
  const rows = (await machine.swarm()) as unknown as readonly Row[];
  const moved = rows.find(({ number }) => onDisk(machine, number) > 0);
  if (moved === undefined) return t.fail("nobody keeps anything");
  const number = String(moved.number);
  await machine.must(t, ["swarm", "stop", number]);
  const name = `peer-${number.padStart(2, "0")}`;
  const settings = join(machine.home, "state", "swarm", name, "config", "settings.json");
  const told = JSON.parse(readFileSync(settings, "utf8")) as Record<string, unknown>;
  writeFileSync(settings, JSON.stringify({ ...told, country: "US" }));
  await machine.must(t, ["swarm", "start", number]);
  await until(async () => onDisk(machine, moved.number) === 0, {
    seconds: 90, what: `peer ${number} keeps nothing any more`,
  });
  await until(async () => {
    const { segments } = await machine.status();
    return segments.healthy === segments.total;
  }, { seconds: 60, what: "full redundancy" });
  t.ok((await readCold(t, machine, "file")).equals(file as Buffer));
});
