/** Machines that find each other by invites, without a swarm: three friends keep a drive. */
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Test, test } from "tap";
import type { LedgerRow, LedgerView } from "../../src/base/views/peers.ts";
import { type Machine, newMachine, readCold, until } from "../support/cli.ts";

test("three friends join by invites and keep a drive", { timeout: 230_000 }, async (t) => {
  const friends = [newMachine("ann"), newMachine("ben"), newMachine("cem")];
  const machine = newMachine("owner");
  t.teardown(() => Promise.all([machine, ...friends].map((one) => one.end())));
  machine.settings({ auditIntervalSeconds: 1 });
  await machine.must(t, ["mount", machine.mount]);
  const file = randomBytes(2_000_000);
  writeFileSync(join(machine.mount, "file"), file);
  t.equal((await machine.status()).class, null, "on this machine only");

  const invites: string[] = [];
  for (const friend of friends) {
    await friend.must(t, ["init"]);
    await friend.must(t, ["node"]);
    const invite = (await friend.must(t, ["invite"])).out.trim();
    invites.push(invite);
    const joined = await machine.must(t, ["join", invite]);
    t.match(joined.error, /joined \/ip4\/127\.0\.0\.1\/tcp\/\d+\/p2p\//);
  }
  await until(async () => (await machine.status()).state === "safe", {
    seconds: 60, what: "the drive is on three friends' machines",
  });
  const status = await machine.status();
  t.equal(status.class, "mirror");
  t.equal(status.survives, 2);
  t.ok(status.peers.online >= 3);
  t.ok((await readCold(t, machine, "file")).equals(file));
  await seesWhoOwesWhom(t, machine, friends[0] as Machine);

  await machine.must(t, ["unmount"]);
  await machine.must(t, ["mount", machine.mount]);
  await until(async () => (await machine.status()).peers.online >= 3, {
    seconds: 60, what: "a remount finds the friends again",
  });
  await refusesMangled(t, machine, invites[0] as string);
});

/** Real audits, and entries that two daemons co-signed. */
async function seesWhoOwesWhom(t: Test, machine: Machine, friend: Machine): Promise<void> {
  const rowsOf = async (one: Machine): Promise<readonly LedgerRow[]> =>
    (JSON.parse((await one.must(t, ["ledger", "--json"])).out) as LedgerView).rows;
  await until(async () => (await rowsOf(friend)).some((row) => row.provenForThemKiBHours > 0), {
    seconds: 40, what: "the friend's books say what it kept, signed by the owner",
  });
  const owed = async (): Promise<readonly LedgerRow[]> =>
    (await rowsOf(machine)).filter(({ provenForUsKiBHours }) => provenForUsKiBHours > 0);
  await until(async () => (await owed()).length === 3, {
    seconds: 40, what: "each friend has proven what it keeps",
  });
  const rows = await rowsOf(machine);
  t.strictSame(rows.map(({ isFriend }) => isFriend), [true, true, true]);
  t.ok(rows.every(({ follows }) => follows === "nothing: a friend"));
  const { out } = await machine.must(t, ["ledger"]);
  t.match(out, /strangers are asked for 3 GB kept for each GB of files/);
  t.match(out, /keeps for us +we keep +balance/);
  t.notMatch((await machine.must(t, ["status"])).out, /^owed/m, "nobody has told us that we owe");
}

async function refusesMangled(t: Test, machine: Machine, invite: string): Promise<void> {
  const other = invite.at(-5) === "2" ? "3" : "2";
  const flipped = `${invite.slice(0, -5)}${other}${invite.slice(-4)}`;
  for (const mangled of ["hive1", invite.slice(0, -3), flipped, "hello", invite.slice(5)]) {
    const refused = await machine.hive(["join", mangled]);
    t.equal(refused.code, 2, mangled.slice(0, 20));
    t.match(refused.error, /not valid/);
  }
}
